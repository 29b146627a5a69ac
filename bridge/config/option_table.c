// SPDX-License-Identifier: Apache-2.0
//
// The table of all options. Read-only; any thread.
#include "config/options.h"

#define SECONDS(n) ((n)*INT64_C(1000))
#define MINUTES(n) SECONDS((n)*INT64_C(60))
#define DAYS(n) MINUTES((n)*INT64_C(1440))
#define KIB(n) ((n)*INT64_C(1024))
#define MIB(n) KIB((n)*INT64_C(1024))
#define GIB(n) MIB((n)*INT64_C(1024))

#define URL_MAX 2048
#define NAME_MAX_BYTES 256 /* client ids */

/* Where a value is kept: in struct config, or in an entry of a list. */
#define AT(member) .offset = offsetof(struct config, member)
#define IN(entry, member) .offset = offsetof(struct entry, member)

/* Where the entries of a list or free mapping are kept. */
#define ENTRIES(owner, items, count, size)                                                                   \
    .offset = offsetof(struct owner, items), .count_offset = offsetof(struct owner, count),                  \
    .entry_size = (size)

/* A new sender needs a value here and in each `_by_sender` below. */
static const char *const sender_words[] = {
    [SENDER_ACTIVITY_PUSH] = "activity-push", [SENDER_ADOBE_IO] = "adobe-io", [SENDER_COUNT] = NULL};
static const char *const route_words[] = {"type", "stream", NULL};
static const char *const durability_words[] = {"strict", "relaxed", NULL};
static const char *const format_words[] = {"structured", "binary", "original", NULL};
static const char *const level_words[] = {"error", "warning", "info", "debug", NULL};
static const char *const log_format_words[] = {"auto", "logfmt", "json", NULL};
static const char *const header_words[] = {"specversion",
                                           "type",
                                           "source",
                                           "id",
                                           "time",
                                           "originaltime",
                                           "subject",
                                           "datacontenttype",
                                           "dataschema",
                                           "munchkinid",
                                           "leadid",
                                           "eventid",
                                           "recipientclientid",
                                           "eventaction",
                                           "subtype",
                                           "sourceapplication",
                                           "messageid",
                                           "messagecreateddate",
                                           "x-request-id",
                                           NULL};

const struct option config_options[] = {
    /* listen */
    {.path = "listen[]",
     .type = OPTION_SECTION,
     .flags = OPTION_REQUIRED | OPTION_RESTART,
     ENTRIES(config, listeners, listener_count, sizeof(struct config_listener)),
     .mark_offset = offsetof(struct config_listener, mark),
     .entries_min = 1,
     .missing_hint = "write at least one entry with an address",
     .help = "The addresses on which the senders are served. Every listener serves every endpoint."},
    {.path = "listen[].address",
     .type = OPTION_ADDRESS,
     .flags = OPTION_REQUIRED | OPTION_RESTART,
     IN(config_listener, address),
     .help = "Address and port to listen on: `host:port`, `[IPv6 address]:port`, or `:port` for all "
             "addresses. Port 0 takes any free port, which the log tells."},
    {.path = "listen[].tls",
     .type = OPTION_SECTION,
     .flags = OPTION_RESTART,
     .preset_words = "none",
     /* Whether it is there shows in the certificate. */
     IN(config_listener, certificate),
     .help = "With it the listener speaks TLS only; without it, or with null, cleartext only, which belongs "
             "behind a proxy that ends TLS: both senders push over https. The files in it can be others "
             "after SIGHUP; giving or taking away the whole cannot."},
    {.path = "listen[].tls.certificate",
     .type = OPTION_TEXT,
     .flags = OPTION_REQUIRED,
     .min = 1,
     .max = 4095,
     IN(config_listener, certificate),
     .help = "PEM file with the server's certificate and the intermediate certificates after it. A relative "
             "path counts from the working directory."},
    {.path = "listen[].tls.key",
     .type = OPTION_TEXT,
     .flags = OPTION_REQUIRED,
     .min = 1,
     .max = 4095,
     IN(config_listener, key),
     .help = "PEM file with the private key of the certificate."},
    {.path = "listen[].tls.client_ca",
     .type = OPTION_TEXT,
     .flags = OPTION_NULLABLE,
     .min = 1,
     .max = 4095,
     IN(config_listener, client_ca),
     .help = "PEM file with the CA certificates that client certificates are verified with. With it every "
             "connection is asked for one, and comes about without one too: only the endpoints with "
             "`client_names` want it."},
    {.path = "listen[].tls.client_crl",
     .type = OPTION_TEXT,
     .flags = OPTION_NULLABLE,
     .min = 1,
     .max = 4095,
     IN(config_listener, client_crl),
     .help = "PEM file with the CRLs of these CAs, so that revoked client certificates are refused. Replace "
             "it before it is out of date: then nobody with a certificate gets in, the answer being 503."},

    {.path = "http2",
     .type = OPTION_BOOLEAN,
     .flags = OPTION_RESTART,
     .preset = "true",
     AT(http2),
     .help = "HTTP/2 beside HTTP/1.1 on all listeners. Switch it off when a proxy in front speaks HTTP/1.1 "
             "anyway and you want the smaller attack surface."},

    /* admin */
    {.path = "admin", .type = OPTION_SECTION, .help = "The listener for health checks and metrics."},
    {.path = "admin.address",
     .type = OPTION_ADDRESS,
     .flags = OPTION_RESTART,
     .preset = "127.0.0.1:9464",
     AT(admin_address),
     .help = "Address and port of health and metrics, written as in `listen`. Cleartext: open it only to the "
             "networks of Prometheus and of the load balancer."},
    {.path = "admin.token",
     .type = OPTION_TOKEN,
     .flags = OPTION_NULLABLE,
     .min = 8,
     .max = 4096,
     AT(admin_token),
     .help = "Token asked for on the admin listener; null asks for none. Set it when others can reach the "
             "address."},

    /* endpoints */
    {.path = "endpoints[]",
     .type = OPTION_SECTION,
     .flags = OPTION_REQUIRED,
     ENTRIES(config, endpoints, endpoint_count, sizeof(struct config_endpoint)),
     .mark_offset = offsetof(struct config_endpoint, mark),
     .entries_min = 1,
     .missing_hint = "write at least one entry with sender and auth",
     .help = "The paths to which Adobe posts, and who posts there."},
    {.path = "endpoints[].path",
     .type = OPTION_URL_PATH,
     .min = 1,
     .max = 1024,
     .preset_by_sender = {[SENDER_ACTIVITY_PUSH] = "/marketo/activity", [SENDER_ADOBE_IO] = "/adobe/events"},
     IN(config_endpoint, path),
     .help = "Path of the URL that is registered with the sender. Compared byte by byte, before the `?`, "
             "without decoding."},
    {.path = "endpoints[].sender",
     .type = OPTION_WORD,
     .flags = OPTION_REQUIRED,
     .words = sender_words,
     IN(config_endpoint, sender),
     .help = "Who posts here, and so which rules hold for the answer: `activity-push` is the Lead Activity "
             "Data Stream pushed straight from Marketo, `adobe-io` an Adobe I/O Events webhook."},
    {.path = "endpoints[].deadline",
     .type = OPTION_DURATION,
     .min = SECONDS(2),
     .max = SECONDS(19),
     .max_by_sender = {[SENDER_ACTIVITY_PUSH] = SECONDS(19), [SENDER_ADOBE_IO] = SECONDS(9)},
     .preset_by_sender = {[SENDER_ACTIVITY_PUSH] = "17s", [SENDER_ADOBE_IO] = "7s"},
     IN(config_endpoint, deadline_ms),
     .help =
         "A batch is answered within this time, with 504 if Kafka has not confirmed all of it by then. "
         "`activity-push` waits 20s and `adobe-io` 10s; at most 1s less can be set. Leave room for the "
         "network "
         "and proxies on the way, or the sender gives up on a batch that was delivered and sends it again."},
    {.path = "endpoints[].auth",
     .type = OPTION_AUTH,
     .flags = OPTION_REQUIRED,
     .missing_hint = "write a mapping with tokens, oauth, signature or client_names, or `auth: none` to let "
                     "everybody in",
     IN(config_endpoint, auth_none),
     .help =
         "How the sender shows who it is. All that is written here must be shown: one of the tokens or "
         "an OAuth token where there are any, the signature where it is on, a certificate where there are "
         "`client_names`. `none`, which must be written out, lets everybody in: only where something in "
         "front authenticates."},
    {.path = "endpoints[].auth.tokens[]",
     .type = OPTION_TOKEN,
     .min = 8,
     .max = 4096,
     ENTRIES(config_endpoint, tokens, token_count, sizeof(char *)),
     .mark_offset = OPTION_NO_MARK,
     .preset_words = "none",
     .help = "Any one of them is accepted in the header `Authorization`, bare or after `Bearer` or `Token`. "
             "Two at a time let you change a token without a gap. Keep them out of this file with "
             "`${NAME}` or `${file:/path}`."},
    {.path = "endpoints[].auth.oauth",
     .type = OPTION_SECTION,
     .preset_words = "none",
     .help = "Accepts the access tokens of an identity provider after `Bearer`: JWTs when `issuer` is set, "
             "opaque tokens when `introspection_url` is, either when both are."},
    {.path = "endpoints[].auth.oauth.issuer",
     .type = OPTION_ISSUER,
     .flags = OPTION_NULLABLE,
     .min = 1,
     .max = URL_MAX,
     IN(config_endpoint, oauth.issuer),
     .help = "The provider's issuer identifier, exactly as it stands in a token's `iss`. Its keys are found "
             "through it when there is no `jwks_url`."},
    {.path = "endpoints[].auth.oauth.audience",
     .type = OPTION_NAME,
     .flags = OPTION_NULLABLE,
     .min = 1,
     .max = URL_MAX,
     IN(config_endpoint, oauth.audience),
     .help = "What must be, or be among, a token's `aud`, so that tokens made for others are refused. Needed "
             "with `issuer`."},
    {.path = "endpoints[].auth.oauth.jwks_url",
     .type = OPTION_URL,
     .flags = OPTION_NULLABLE,
     .min = 1,
     .max = URL_MAX,
     IN(config_endpoint, oauth.jwks_url),
     .help = "Where the provider's keys are; null: looked up in the provider's own metadata, through "
             "`issuer`."},
    {.path = "endpoints[].auth.oauth.introspection_url",
     .type = OPTION_URL,
     .flags = OPTION_NULLABLE,
     .min = 1,
     .max = URL_MAX,
     IN(config_endpoint, oauth.introspection_url),
     .help = "Where the provider is asked about opaque tokens (RFC 7662)."},
    {.path = "endpoints[].auth.oauth.client_id",
     .type = OPTION_NAME,
     .flags = OPTION_NULLABLE,
     .min = 1,
     .max = NAME_MAX_BYTES,
     IN(config_endpoint, oauth.client_id),
     .help = "The bridge's own client id at the provider, for `introspection_url`."},
    {.path = "endpoints[].auth.oauth.client_secret",
     .type = OPTION_SECRET,
     .flags = OPTION_NULLABLE,
     .min = 1,
     .max = 4096,
     IN(config_endpoint, oauth.client_secret),
     .help = "The secret of that client. Keep it out of this file with `${NAME}` or `${file:/path}`."},
    {.path = "endpoints[].auth.oauth.allowed_clients[]",
     .type = OPTION_NAME,
     .flags = OPTION_UNIQUE,
     .min = 1,
     .max = NAME_MAX_BYTES,
     ENTRIES(config_endpoint, oauth.allowed_clients, oauth.allowed_client_count, sizeof(char *)),
     .mark_offset = OPTION_NO_MARK,
     .preset_words = "any",
     .help =
         "Client ids to which a token must have been given: that of the sender. Without them every client "
         "of the provider that can get a token for `audience` gets in."},
    {.path = "endpoints[].auth.signature",
     .type = OPTION_BOOLEAN,
     .preset = "false",
     IN(config_endpoint, signature),
     .help =
         "Accepts only bodies with Adobe's digital signature. Only `adobe-io` signs; needs `recipients`."},
    {.path = "endpoints[].auth.key_base",
     .type = OPTION_BASE_URL,
     .min = 1,
     .max = URL_MAX,
     .preset = "https://static.adobeioevents.com",
     IN(config_endpoint, key_base),
     .help = "Host that Adobe's signing keys are fetched from, and from no other. Another one is for tests."},
    {.path = "endpoints[].auth.recipients[]",
     .type = OPTION_NAME,
     .flags = OPTION_UNIQUE,
     .min = 1,
     .max = NAME_MAX_BYTES,
     ENTRIES(config_endpoint, recipients, recipient_count, sizeof(char *)),
     .mark_offset = OPTION_NO_MARK,
     .preset_words = "none",
     .help =
         "Your client ids at Adobe, one of which every signed event must name as its recipient: Adobe signs "
         "for all its customers with the same keys."},
    {.path = "endpoints[].auth.client_names[]",
     .type = OPTION_NAME,
     .flags = OPTION_UNIQUE,
     .min = 1,
     .max = 512,
     ENTRIES(config_endpoint, client_names, client_name_count, sizeof(char *)),
     .mark_offset = OPTION_NO_MARK,
     .preset_words = "none",
     .help = "DNS names or URIs, one of which must be a subject alternative name of the client certificate, "
             "whole and without wildcards. Needs `client_ca` on a listener."},
    {.path = "endpoints[].auth.confirm_validation",
     .type = OPTION_BOOLEAN,
     .preset = "false",
     IN(config_endpoint, confirm_validation),
     .help =
         "Open the validation URL that Adobe sends when the webhook is registered, so that nobody has to. "
         "Only for `adobe-io`; the bridge must be able to reach Adobe."},

    /* kafka */
    {.path = "kafka.*",
     .type = OPTION_PROPERTY,
     .flags = OPTION_RESTART,
     .max = KIB(1024),
     ENTRIES(config, kafka, kafka_count, sizeof(struct config_property)),
     .entry_offset = offsetof(struct config_property, value),
     .mark_offset = offsetof(struct config_property, mark),
     .preset_words = "librdkafka's own",
     .help = "Any property of librdkafka, passed on as it is; `bootstrap.servers` is needed. Refused are the "
             "properties on which the bridge's promises rest, such as `acks`, `retries` and `partitioner`."},

    /* instances */
    {.path = "instances.*",
     .type = OPTION_INSTANCE,
     .flags = OPTION_RESTART,
     .min = 1,
     .max = 64,
     ENTRIES(config, instances, instance_count, sizeof(struct config_instance)),
     .entry_offset = offsetof(struct config_instance, name),
     .mark_offset = offsetof(struct config_instance, mark),
     .preset_words = "all are taken",
     .help = "A Marketo subscription: its munchkinId, and the name that takes the place of `{instance}` in "
             "`topics.prefix`. As soon as one is listed, events of any other go to the dead-letter topic."},

    /* topics */
    {.path = "topics", .type = OPTION_SECTION, .help = "The topics, and how missing ones are created."},
    {.path = "topics.prefix",
     .type = OPTION_PREFIX,
     .flags = OPTION_RESTART,
     .min = 1,
     .max = 200,
     .preset = "marketo",
     AT(topics.prefix),
     .help = "First part of every topic's name. May contain `{instance}` once, for topics of their own for "
             "every entry of `instances`."},
    {.path = "topics.route",
     .type = OPTION_WORD,
     .flags = OPTION_RESTART,
     .words = route_words,
     .preset = "type",
     AT(topics.route),
     .help = "`type`: one topic for each type of event. `stream`: one topic for each stream, which keeps a "
             "lead's events of all types in order."},
    {.path = "topics.create",
     .type = OPTION_BOOLEAN,
     .flags = OPTION_RESTART,
     .preset = "true",
     AT(topics.create),
     .help = "Create missing topics at the start, or as soon as Kafka is there. Existing ones are never "
             "altered. Switch it off when topics are made elsewhere, or the bridge may not create them."},
    {.path = "topics.partitions",
     .type = OPTION_INTEGER,
     .flags = OPTION_RESTART,
     .min = 1,
     .max = 1000,
     .preset = "1",
     AT(topics.partitions),
     .help = "Partitions of a new topic. Topics by type share the load already and every partition costs "
             "requests: raise it for the busy ones in `topics.override`, or here with `route: stream`."},
    {.path = "topics.replication",
     .type = OPTION_INTEGER,
     .flags = OPTION_NOT_ZERO | OPTION_RESTART,
     .min = -1,
     .max = 32767,
     .preset = "-1",
     AT(topics.replication),
     .help = "Replicas of a new topic; -1 takes the brokers' default. From 3 on, new topics get "
             "`min.insync.replicas` 2."},
    {.path = "topics.retention",
     .type = OPTION_RETENTION,
     .flags = OPTION_RESTART,
     .min = SECONDS(1),
     .max = DAYS(36500),
     .preset = "30d",
     AT(topics.retention_ms),
     .help = "How long a new topic keeps its records; -1 or `forever` keeps them for ever. Counted from when "
             "the bridge received the batch."},
    {.path = "topics.override.*",
     .type = OPTION_SECTION,
     .flags = OPTION_RESTART,
     ENTRIES(config, topics.overrides, topics.override_count, sizeof(struct config_topic_override)),
     .mark_offset = offsetof(struct config_topic_override, mark),
     .preset_words = "none",
     .help = "Other settings for one topic, by its name without the prefix, such as `activity.openemail`."},
    {.path = "topics.override.*.partitions",
     .type = OPTION_INTEGER,
     .flags = OPTION_INHERITS | OPTION_RESTART,
     .min = 1,
     .max = 1000,
     .preset_words = "as `topics.partitions`",
     IN(config_topic_override, partitions),
     .help = "Partitions of this topic when it is created."},
    {.path = "topics.override.*.replication",
     .type = OPTION_INTEGER,
     .flags = OPTION_INHERITS | OPTION_NOT_ZERO | OPTION_RESTART,
     .min = -1,
     .max = 32767,
     .preset_words = "as `topics.replication`",
     IN(config_topic_override, replication),
     .help = "Replicas of this topic when it is created; -1 takes the brokers' default."},
    {.path = "topics.override.*.retention",
     .type = OPTION_RETENTION,
     .flags = OPTION_INHERITS | OPTION_RESTART,
     .min = SECONDS(1),
     .max = DAYS(36500),
     .preset_words = "as `topics.retention`",
     IN(config_topic_override, retention_ms),
     .help = "How long this topic keeps its records when it is created; -1 or `forever`: for ever."},
    {.path = "topics.custom[]",
     .type = OPTION_ID,
     .flags = OPTION_UNIQUE | OPTION_RESTART,
     .min = 100000,
     .max = INT64_C(9007199254740991),
     ENTRIES(config, topics.custom, topics.custom_count, sizeof(int64_t)),
     .mark_offset = OPTION_NO_MARK,
     .preset_words = "none",
     .help = "Type ids of custom activities that get a topic of their own, `activity.custom-100001`; all "
             "others share `activity.custom`."},
    {.path = "topics.dead_letter",
     .type = OPTION_TOPIC,
     .flags = OPTION_NULLABLE | OPTION_RESTART,
     .min = 1,
     .max = 249,
     AT(topics.dead_letter),
     .help = "Full name of the topic for what cannot be understood or is too large for Kafka; null: "
             "`{prefix}.deadletter`."},

    {.path = "durability",
     .type = OPTION_WORD,
     .flags = OPTION_RESTART,
     .words = durability_words,
     .preset = "strict",
     AT(durability),
     .help =
         "`strict`: a topic with three or more replicas must have `min.insync.replicas` of at least 2, or "
         "nothing is written to it. `relaxed`: as the topic is; a success may then rest on one broker."},

    /* record */
    {.path = "record", .type = OPTION_SECTION, .help = "What a Kafka record looks like."},
    {.path = "record.format",
     .type = OPTION_WORD,
     .words = format_words,
     .preset = "structured",
     AT(record.format),
     .help = "`structured`: the value is one CloudEvents object, the same for all ways an event can come in. "
             "`binary`: the value is `data` alone, the attributes are headers. `original`: the event's bytes "
             "as received."},
    {.path = "record.headers[]",
     .type = OPTION_HEADER,
     .flags = OPTION_UNIQUE,
     .words = header_words,
     ENTRIES(config, record.headers, record.header_count, sizeof(char *)),
     .mark_offset = OPTION_NO_MARK,
     .preset_words = "none",
     .help = "Attributes to write as record headers as well, so that consumers can filter without parsing; "
             "each costs bytes on every record. `id` and `type` are always there."},

    {.path = "dedupe",
     .type = OPTION_OFF,
     .preset = "false",
     .help = "This version does not suppress duplicates, so only false is accepted. Consumers can tell a "
             "repeated event by munchkinid, stream and id."},

    /* limits */
    {.path = "limits", .type = OPTION_SECTION, .help = "What bounds the memory that the bridge takes."},
    {.path = "limits.body",
     .type = OPTION_SIZE,
     .flags = OPTION_RESTART,
     .min = KIB(1),
     .max = MIB(64),
     .preset = "4MiB",
     AT(limits.body),
     .help = "Largest body of a request, as received and after inflating. Adobe sends at most 2MB; a larger "
             "body than this is answered 413, which is final."},
    {.path = "limits.events",
     .type = OPTION_COUNT,
     .flags = OPTION_RESTART,
     .min = 1,
     .max = 1000000,
     .preset = "10000",
     AT(limits.events),
     .help = "Most events in one body; a body with more becomes one dead letter. Adobe sends at most 500."},
    {.path = "limits.in_flight",
     .type = OPTION_SIZE,
     .flags = OPTION_RESTART,
     .min = KIB(8),
     .max = GIB(1024),
     .preset = "256MiB",
     AT(limits.in_flight),
     .help = "Memory for all batches from their arrival to Kafka's confirmation, at least 8 times "
             "`limits.body`. When it is full the answer is 503. Half of it at most is for what is still "
             "arriving, a quarter for connections that have shown no proof yet; beyond that the largest are "
             "cut. Raise it when Kafka is slow and the load high; it is the larger part of what the process "
             "needs."},
    {.path = "limits.connections",
     .type = OPTION_COUNT,
     .flags = OPTION_RESTART,
     .min = 1,
     .max = 1000000,
     .preset = "2048",
     AT(limits.connections),
     .help = "Most connections at a time, over all listeners. The process needs as many open files and some "
             "more."},
    {.path = "limits.body_time",
     .type = OPTION_DURATION,
     .flags = OPTION_RESTART,
     .min = 100,
     .max = SECONDS(18),
     .preset = "4s",
     AT(limits.body_time_ms),
     .help = "A request whose head and body have not arrived this long after its first byte is cut off. "
             "Must be less than the shortest deadline by more than 1s."},
    {.path = "limits.idle_time",
     .type = OPTION_DURATION,
     .flags = OPTION_RESTART,
     .min = SECONDS(1),
     .max = DAYS(1),
     .preset = "75s",
     AT(limits.idle_time_ms),
     .help = "A connection without a request is closed after this. Keep it above the idle time-out of a "
             "proxy in front, or the proxy sends into a connection that is just closing."},

    /* shutdown */
    {.path = "shutdown", .type = OPTION_SECTION, .help = "What happens on SIGTERM."},
    {.path = "shutdown.delay",
     .type = OPTION_DURATION,
     .min = 0,
     .max = MINUTES(10),
     .preset = "5s",
     AT(shutdown.delay_ms),
     .help = "Time between not ready and closing the listeners, so that a load balancer sees it first. 0 "
             "closes them at once: right when there is none."},
    {.path = "shutdown.grace",
     .type = OPTION_DURATION,
     .min = 0,
     .max = MINUTES(10),
     .preset = "20s",
     AT(shutdown.grace_ms),
     .help = "Longest time after that for batches in flight to be answered and for Kafka to confirm. 0 does "
             "not wait. The supervisor must wait longer than delay and grace before it kills."},

    /* log */
    {.path = "log", .type = OPTION_SECTION, .help = "The log on standard error."},
    {.path = "log.level",
     .type = OPTION_WORD,
     .words = level_words,
     .preset = "info",
     AT(log.level),
     .help = "Least important lines that are written. `debug` adds for each batch the topics, partitions and "
             "offsets it was written to."},
    {.path = "log.format",
     .type = OPTION_WORD,
     .words = log_format_words,
     .preset = "auto",
     AT(log.format),
     .help = "`auto`: logfmt on a terminal, JSON otherwise."},
};

const size_t config_option_count = sizeof config_options / sizeof config_options[0];

_Static_assert(sizeof config_options / sizeof config_options[0] <= OPTION_ROWS_MAX, "raise OPTION_ROWS_MAX");
