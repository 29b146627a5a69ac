// SPDX-License-Identifier: Apache-2.0
//
// `marketo-bridge simulate`: its options; main thread.
#include "command/simulate_verify.h"

#include <curl/curl.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/random.h>

#include "command/command.h"

#define FILE_MAX (64u << 20)
#define SECRET_FILE_MAX (64U << 10)
#define ID_MAX 64

static const char usage[] =
    "usage: marketo-bridge simulate --url URL --sender activity-push|adobe-io [option]...\n"
    "\n"
    "Plays Adobe: posts events of all types of the catalog as that sender does, waits and tries\n"
    "again as it does, and prints what came of it. Exit status 0 when every batch was delivered,\n"
    "1 when one was finally refused or left unfinished, 2 for bad usage. An interrupt ends it.\n"
    "\n"
    "  --url URL              endpoint of the bridge, http or https\n"
    "  --sender NAME          activity-push (20 s to answer; whatever fails is tried again 3 times,\n"
    "                         3 min apart, then the stream pauses and tries every 3 min) or adobe-io\n"
    "                         (10 s; 429, 5xx but 505, and no answer are tried again after 1, 2, 4, 8,\n"
    "                         15, 15 ... min for 24 h; everything else is final)\n"
    "how much (without a limit it goes on until it is interrupted)\n"
    "  --events N             events in all\n"
    "  --duration TIME        how long new batches are begun: 500ms, 5s, 2m, 1h\n"
    "  --batch N              events in a POST; activity-push 1 to 500 (100), adobe-io 1 to 20 (20; with 1\n"
    "                         the event comes as an object, not in an array)\n"
    "  --rate N               batches per second on a fixed schedule, however slow the answers; latency\n"
    "                         counts from the scheduled time. Without it the next one waits for an answer\n"
    "  --body FILE            post this file once, as it is, instead of made-up events; may be repeated\n"
    "how\n"
    "  --http 1.1|2           HTTP version (1.1); 2 is by prior knowledge for http, by ALPN for https\n"
    "  --connections N        at most so many connections (8)\n"
    "  --concurrency N        at most so many batches under way (HTTP/1.1: one for each connection,\n"
    "                         HTTP/2: 8 for each)\n"
    "  --ca FILE              certificates to trust, PEM\n"
    "  --insecure             do not check the receiver's certificate, nor that of the token URL\n"
    "  --time-scale X         multiplies the waits before retries; 0.01 makes a minute 0.6 s (1)\n"
    "  --no-retry             what would be tried again is left unfinished\n"
    "  --patience TIME        end when something is waiting and nothing was delivered for so long\n"
    "as whom (files that change are read again within two seconds, while it runs)\n"
    "  --token TOKEN          sent as Authorization: Bearer TOKEN\n"
    "  --token-file FILE      its first line is the token\n"
    "  --oauth-token-url URL  tokens are fetched here (OAuth 2.0 client credentials), the first one before\n"
    "                         the run, and renewed before they expire\n"
    "  --oauth-client-id ID\n"
    "  --oauth-client-secret-file FILE\n"
    "                         its first line is the secret; without it OAUTH_CLIENT_SECRET of the\n"
    "                         environment. --oauth-client-secret SECRET for trying out: others can see it\n"
    "  --oauth-resource URI, --oauth-audience A, --oauth-scope S\n"
    "                         what the token is to be good for\n"
    "  --oauth-renew TIME     renew as often as this, however long the tokens live\n"
    "  --sign FILE            adobe-io: private RSA key, PEM, that signs each body; with --key-path, once\n"
    "                         or twice: the first pair makes signature 1, the second one signature 2\n"
    "  --key-path PATH        where the receiver finds the public key, as /prod/keys/name.pem; @FILE: the\n"
    "                         path is the first line of FILE\n"
    "  --cert FILE            certificate to show in TLS, PEM; read anew for each connection\n"
    "  --cert-key FILE        its key (in the same file)\n"
    "what\n"
    "  --recipient ID         adobe-io: client id that the events are for (Adobe's sample)\n"
    "  --munchkin-id ID       (123-ABC-456)\n"
    "  --types N              only the first N activity types of the catalog\n"
    "  --streams LIST         adobe-io: activity,audit,notification,observability (all, mostly activity)\n"
    "  --seed N               the same number gives the same ids and contents (random)\n"
    "  --json                 print the result as one JSON object\n"
    "whether it is true\n"
    "  --verify BROKERS       in the end reads the topics back: what was answered 2xx must be there. Says "
    "what\n"
    "                         is missing, there more than once, refused and yet there, answered late; exit\n"
    "                         status 1 also when something acknowledged is missing or an answer was late\n"
    "  --verify-prefix NAME   of the bridge's topics (marketo)\n"
    "  --verify-property P=V  librdkafka's property P is V for the reading; may be repeated\n"
    "  --deadline TIME        an answer after that is late (what the sender waits: 20 s or 10 s)\n"
    "  --ledger FILE          keep what was sent and answered in this new file, as it goes; without it in a\n"
    "                         temporary one, which is removed when all is well\n"
    "  --read-back            send nothing: compare the ledger of an earlier run, even one that was killed\n";

enum option_id {
    OPTION_URL = 256,
    OPTION_SENDER,
    OPTION_EVENTS,
    OPTION_DURATION,
    OPTION_BATCH,
    OPTION_RATE,
    OPTION_BODY,
    OPTION_HTTP,
    OPTION_CONNECTIONS,
    OPTION_CONCURRENCY,
    OPTION_TOKEN,
    OPTION_TOKEN_FILE,
    OPTION_OAUTH_TOKEN_URL,
    OPTION_OAUTH_CLIENT_ID,
    OPTION_OAUTH_CLIENT_SECRET,
    OPTION_OAUTH_CLIENT_SECRET_FILE,
    OPTION_OAUTH_RESOURCE,
    OPTION_OAUTH_AUDIENCE,
    OPTION_OAUTH_SCOPE,
    OPTION_OAUTH_RENEW,
    OPTION_SIGN,
    OPTION_KEY_PATH,
    OPTION_CERT,
    OPTION_CERT_KEY,
    OPTION_RECIPIENT,
    OPTION_CA,
    OPTION_INSECURE,
    OPTION_TIME_SCALE,
    OPTION_NO_RETRY,
    OPTION_PATIENCE,
    OPTION_MUNCHKIN_ID,
    OPTION_TYPES,
    OPTION_STREAMS,
    OPTION_SEED,
    OPTION_JSON,
    OPTION_VERIFY,
    OPTION_VERIFY_PREFIX,
    OPTION_VERIFY_PROPERTY,
    OPTION_DEADLINE,
    OPTION_LEDGER,
    OPTION_READ_BACK,
    OPTION_HELP
};

static const struct option option_table[] = {
    {"url", required_argument, NULL, OPTION_URL},
    {"sender", required_argument, NULL, OPTION_SENDER},
    {"events", required_argument, NULL, OPTION_EVENTS},
    {"duration", required_argument, NULL, OPTION_DURATION},
    {"batch", required_argument, NULL, OPTION_BATCH},
    {"rate", required_argument, NULL, OPTION_RATE},
    {"body", required_argument, NULL, OPTION_BODY},
    {"http", required_argument, NULL, OPTION_HTTP},
    {"connections", required_argument, NULL, OPTION_CONNECTIONS},
    {"concurrency", required_argument, NULL, OPTION_CONCURRENCY},
    {"token", required_argument, NULL, OPTION_TOKEN},
    {"token-file", required_argument, NULL, OPTION_TOKEN_FILE},
    {"oauth-token-url", required_argument, NULL, OPTION_OAUTH_TOKEN_URL},
    {"oauth-client-id", required_argument, NULL, OPTION_OAUTH_CLIENT_ID},
    {"oauth-client-secret", required_argument, NULL, OPTION_OAUTH_CLIENT_SECRET},
    {"oauth-client-secret-file", required_argument, NULL, OPTION_OAUTH_CLIENT_SECRET_FILE},
    {"oauth-resource", required_argument, NULL, OPTION_OAUTH_RESOURCE},
    {"oauth-audience", required_argument, NULL, OPTION_OAUTH_AUDIENCE},
    {"oauth-scope", required_argument, NULL, OPTION_OAUTH_SCOPE},
    {"oauth-renew", required_argument, NULL, OPTION_OAUTH_RENEW},
    {"sign", required_argument, NULL, OPTION_SIGN},
    {"key-path", required_argument, NULL, OPTION_KEY_PATH},
    {"cert", required_argument, NULL, OPTION_CERT},
    {"cert-key", required_argument, NULL, OPTION_CERT_KEY},
    {"recipient", required_argument, NULL, OPTION_RECIPIENT},
    {"ca", required_argument, NULL, OPTION_CA},
    {"insecure", no_argument, NULL, OPTION_INSECURE},
    {"time-scale", required_argument, NULL, OPTION_TIME_SCALE},
    {"no-retry", no_argument, NULL, OPTION_NO_RETRY},
    {"patience", required_argument, NULL, OPTION_PATIENCE},
    {"munchkin-id", required_argument, NULL, OPTION_MUNCHKIN_ID},
    {"types", required_argument, NULL, OPTION_TYPES},
    {"streams", required_argument, NULL, OPTION_STREAMS},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"json", no_argument, NULL, OPTION_JSON},
    {"verify", required_argument, NULL, OPTION_VERIFY},
    {"verify-prefix", required_argument, NULL, OPTION_VERIFY_PREFIX},
    {"verify-property", required_argument, NULL, OPTION_VERIFY_PROPERTY},
    {"deadline", required_argument, NULL, OPTION_DEADLINE},
    {"ledger", required_argument, NULL, OPTION_LEDGER},
    {"read-back", no_argument, NULL, OPTION_READ_BACK},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

/* What is built while the options are read. */
struct arguments {
    struct simulate_options options;
    struct slice client_secret; /* the file's content */
    bool seed_given, streams_given, recipient_given, help;
};

/* Says what is wrong; always false. */
__attribute__((format(printf, 1, 2))) static bool refuse(const char *format, ...)
{
    va_list args;
    fputs("marketo-bridge simulate: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return false;
}

static bool read_count(const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value < min || value > max)
        return refuse("--%s: a whole number from %" PRIu64 " to %" PRIu64 " is needed, not \"%s\"", name, min,
                      max, text);
    *out = value;
    return true;
}

static bool read_size(const char *name, const char *text, uint64_t max, size_t *out)
{
    uint64_t value = 0;
    if (!read_count(name, text, 1, max, &value))
        return false;
    *out = (size_t)value;
    return true;
}

static bool read_real(const char *name, const char *text, double max, double *out)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value > 0 && value <= max))
        return refuse("--%s: a number above 0, at most %g, is needed, not \"%s\"", name, max, text);
    *out = value;
    return true;
}

static bool read_duration(const char *name, const char *text, uint64_t *out_ms)
{
    static const struct {
        const char *unit;
        double ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    char *end;
    double value = strtod(text, &end);
    for (size_t i = 0; end != text && i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(end, units[i].unit) == 0 && value > 0 && value * units[i].ms >= 1 &&
            value * units[i].ms < 1e12) {
            *out_ms = (uint64_t)(value * units[i].ms);
            return true;
        }
    }
    return refuse("--%s: a time with its unit (500ms, 5s, 2m, 1h) is needed, not \"%s\"", name, text);
}

static bool read_url(const char *name, const char *text, bool *https)
{
    char *scheme = NULL;
    CURLU *parts = curl_url();
    if (parts != NULL && curl_url_set(parts, CURLUPART_URL, text, 0) == CURLUE_OK)
        curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0);
    bool http = scheme != NULL && strcmp(scheme, "http") == 0;
    *https = scheme != NULL && strcmp(scheme, "https") == 0;
    curl_free(scheme);
    curl_url_cleanup(parts);
    return http || *https ? true : refuse("--%s: an http or https URL is needed, not \"%s\"", name, text);
}

static bool read_streams(const char *text, struct generator_options *content)
{
    memset(content->streams, 0, sizeof content->streams);
    while (true) {
        struct slice name = {text, strcspn(text, ",")};
        size_t i = 0;
        while (i < STREAM_COUNT && !slice_equal(name, slice_of(stream_name((enum stream)i))))
            i++;
        if (i == STREAM_COUNT)
            return refuse("--streams: unknown stream \"%.*s\"", (int)name.len, name.ptr);
        content->streams[i] = true;
        text += name.len;
        if (*text == '\0')
            return true;
        text++;
    }
}

/* What stands in bodies as it is. */
static bool read_id(const char *name, const char *text, const char **id)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-";
    size_t len = strlen(text);
    if (len == 0 || len > ID_MAX || strspn(text, allowed) != len)
        return refuse("--%s: up to %d letters, digits and hyphens are needed, not \"%s\"", name, ID_MAX,
                      text);
    *id = text;
    return true;
}

static bool take_text(const char **option, const char *text)
{
    *option = text;
    return true;
}

/* One of a few that belong to pairs. */
static bool add_to_pairs(const char *name, const char *text, const char *texts[PROOF_PAIRS], size_t *count)
{
    if (*count == PROOF_PAIRS)
        return refuse("--%s: at most %d of them", name, PROOF_PAIRS);
    texts[(*count)++] = text;
    return true;
}

static bool add_body(const char *path, struct simulate_options *options)
{
    size_t count = options->file_count + 1;
    const char **files = reallocarray(options->files, count, sizeof *files);
    if (files != NULL)
        options->files = files;
    struct slice *bodies = reallocarray(options->bodies, count, sizeof *bodies);
    if (bodies != NULL)
        options->bodies = bodies;
    if (files == NULL || bodies == NULL)
        return refuse("out of memory");
    char errstr[512];
    struct slice body = file_read(path, FILE_MAX, errstr, sizeof errstr);
    if (!slice_present(body))
        return refuse("--body: %s", errstr);
    files[count - 1] = path;
    bodies[count - 1] = body;
    options->file_count = count;
    return true;
}

/* NAME=VALUE; getopt's argument may be cut in two. */
static bool add_verify_property(char *text, struct verify_options *verify)
{
    char *equals = strchr(text, '=');
    if (equals == NULL || equals == text)
        return refuse("--verify-property: name=value is needed, not \"%s\"", text);
    if (verify->property_count == VERIFY_PROPERTIES_MAX)
        return refuse("--verify-property: at most %d", VERIFY_PROPERTIES_MAX);
    *equals = '\0';
    verify->properties[verify->property_count++] = (struct reader_property){text, equals + 1};
    return true;
}

static bool take_option(int id, char *text, struct arguments *arguments)
{
    struct simulate_options *options = &arguments->options;
    struct proof_options *proof = &options->proof_options;
    bool https;
    switch ((enum option_id)id) {
    case OPTION_URL:
        options->url = text;
        return read_url("url", text, &options->https);
    case OPTION_SENDER:
        options->rule = sender_rule_find(text);
        return options->rule != NULL ? true : refuse("--sender: activity-push or adobe-io, not \"%s\"", text);
    case OPTION_EVENTS:
        return read_count("events", text, 1, UINT64_C(1000000000000), &options->events);
    case OPTION_DURATION:
        return read_duration("duration", text, &options->duration_ms);
    case OPTION_BATCH:
        return read_size("batch", text, 500, &options->batch);
    case OPTION_RATE:
        return read_real("rate", text, 1e6, &options->rate);
    case OPTION_BODY:
        return add_body(text, options);
    case OPTION_HTTP:
        options->http2 = strcmp(text, "2") == 0;
        return options->http2 || strcmp(text, "1.1") == 0 ? true
                                                          : refuse("--http: 1.1 or 2, not \"%s\"", text);
    case OPTION_CONNECTIONS:
        return read_size("connections", text, 4096, &options->connections);
    case OPTION_CONCURRENCY:
        return read_size("concurrency", text, 16384, &options->concurrency);
    case OPTION_TOKEN:
        return take_text(&proof->token, text);
    case OPTION_TOKEN_FILE:
        return take_text(&proof->token_file, text);
    case OPTION_OAUTH_TOKEN_URL:
        proof->oauth.token_url = text;
        return read_url("oauth-token-url", text, &https);
    case OPTION_OAUTH_CLIENT_ID:
        return take_text(&proof->oauth.client_id, text);
    case OPTION_OAUTH_CLIENT_SECRET:
        return take_text(&proof->oauth.client_secret, text);
    case OPTION_OAUTH_CLIENT_SECRET_FILE:
        return take_text(&proof->oauth_client_secret_file, text);
    case OPTION_OAUTH_RESOURCE:
        return take_text(&proof->oauth.resource, text);
    case OPTION_OAUTH_AUDIENCE:
        return take_text(&proof->oauth.audience, text);
    case OPTION_OAUTH_SCOPE:
        return take_text(&proof->oauth.scope, text);
    case OPTION_OAUTH_RENEW:
        return read_duration("oauth-renew", text, &proof->oauth.renew_ms);
    case OPTION_SIGN:
        return add_to_pairs("sign", text, proof->keys, &proof->key_count);
    case OPTION_KEY_PATH:
        return add_to_pairs("key-path", text, proof->paths, &proof->path_count);
    case OPTION_CERT:
        return take_text(&proof->cert, text);
    case OPTION_CERT_KEY:
        return take_text(&proof->cert_key, text);
    case OPTION_RECIPIENT:
        arguments->recipient_given = true;
        return read_id("recipient", text, &options->content.recipient);
    case OPTION_CA:
        options->ca = text;
        return true;
    case OPTION_INSECURE:
        options->insecure = true;
        return true;
    case OPTION_TIME_SCALE:
        return read_real("time-scale", text, 1000, &options->time_scale);
    case OPTION_NO_RETRY:
        options->no_retry = true;
        return true;
    case OPTION_PATIENCE:
        return read_duration("patience", text, &options->patience_ms);
    case OPTION_MUNCHKIN_ID:
        return read_id("munchkin-id", text, &options->content.munchkin_id);
    case OPTION_TYPES:
        return read_size("types", text, 10000, &options->content.types);
    case OPTION_STREAMS:
        arguments->streams_given = true;
        return read_streams(text, &options->content);
    case OPTION_SEED:
        arguments->seed_given = true;
        return read_count("seed", text, 0, UINT64_MAX, &options->content.seed);
    case OPTION_JSON:
        options->json = true;
        return true;
    case OPTION_VERIFY:
        options->verify.brokers = text;
        return true;
    case OPTION_VERIFY_PREFIX:
        options->verify.prefix = text;
        return true;
    case OPTION_VERIFY_PROPERTY:
        return add_verify_property(text, &options->verify);
    case OPTION_DEADLINE:
        return read_duration("deadline", text, &options->verify.deadline_ms);
    case OPTION_LEDGER:
        options->verify.ledger = text;
        return true;
    case OPTION_READ_BACK:
        options->verify.read_back = true;
        return true;
    case OPTION_HELP:
        arguments->help = true;
        return true;
    }
    return false;
}

/* The secret is neither repeated in messages nor, but for trying out, in the process list. */
static bool complete_proof(struct arguments *arguments)
{
    struct simulate_options *options = &arguments->options;
    struct proof_options *proof = &options->proof_options;
    struct oauth_options *oauth = &proof->oauth;
    char errstr[512];

    if (oauth->token_url != NULL && oauth->client_secret == NULL && proof->oauth_client_secret_file == NULL)
        oauth->client_secret = getenv("OAUTH_CLIENT_SECRET");
    if (!proof_options_check(proof, options->rule, options->https, errstr, sizeof errstr))
        return refuse("%s", errstr);
    oauth->ca = options->ca;
    oauth->insecure = options->insecure;
    if (proof->oauth_client_secret_file != NULL) {
        arguments->client_secret =
            file_read(proof->oauth_client_secret_file, SECRET_FILE_MAX, errstr, sizeof errstr);
        if (!slice_present(arguments->client_secret))
            return refuse("--oauth-client-secret-file: %s", errstr);
        struct slice line = file_first_line(arguments->client_secret);
        ((char *)(uintptr_t)line.ptr)[line.len] = '\0'; /* its own memory, with room for it */
        oauth->client_secret = line.ptr;
    }
    options->proof = proof_create(proof, errstr, sizeof errstr);
    return options->proof != NULL ? true : refuse("%s", errstr);
}

static bool complete_verify(struct simulate_options *options)
{
    struct verify_options *verify = &options->verify;
    bool alone =
        verify->property_count > 0 || verify->deadline_ms > 0 || verify->ledger != NULL || verify->read_back;
    if (verify->brokers == NULL)
        return alone ? refuse("--verify is missing") : true;
    if (verify->read_back)
        return verify->ledger != NULL ? true : refuse("--read-back needs --ledger");
    if (options->file_count > 0)
        return refuse("--verify cannot tell the events of --body apart");
    if (verify->deadline_ms == 0)
        verify->deadline_ms = options->rule->timeout_ms;
    return true;
}

/* What only the options together can tell. */
static bool complete_options(struct arguments *arguments)
{
    struct simulate_options *options = &arguments->options;
    if (options->verify.read_back)
        return complete_verify(options);
    if (options->url == NULL)
        return refuse("--url is missing");
    if (options->rule == NULL)
        return refuse("--sender is missing: activity-push or adobe-io");
    if (options->batch == 0)
        options->batch = options->rule->batch;
    if (options->batch > options->rule->batch_max)
        return refuse("--batch: %s sends at most %zu events in a POST, not %zu", options->rule->name,
                      options->rule->batch_max, options->batch);
    if (options->file_count > 0 && options->events > 0)
        return refuse("--events has no meaning with --body: each file is posted once");
    if (arguments->streams_given && options->rule->sender != SENDER_ADOBE_IO)
        return refuse("--streams: %s sends activities only", options->rule->name);
    if (arguments->recipient_given && options->rule->sender != SENDER_ADOBE_IO)
        return refuse("--recipient: events of %s name none", options->rule->name);
    if (options->concurrency == 0)
        options->concurrency = options->connections * (options->http2 ? 8 : 1);
    if (options->concurrency < options->connections)
        options->connections = options->concurrency;
    if (!arguments->seed_given &&
        getrandom(&options->content.seed, sizeof options->content.seed, 0) != sizeof options->content.seed)
        return refuse("no random seed: %s", strerror(errno));
    if (!arguments->seed_given)
        options->content.seed &= (UINT64_C(1) << 48) - 1; /* short to type, exact in any JSON reader */
    options->content.sender = options->rule->sender;
    return complete_proof(arguments) && complete_verify(options);
}

static bool read_arguments(int argc, char **argv, struct arguments *arguments)
{
    int id;
    optind = 0; /* main has looked at the arguments before */
    opterr = 0;
    while ((id = getopt_long(argc, argv, "+:", option_table, NULL)) != -1) {
        if (id == ':')
            return refuse("%s needs a value", argv[optind - 1]);
        if (id == '?')
            return refuse("unknown option, or a value it does not take: %s (see --help)", argv[optind - 1]);
        if (!take_option(id, optarg, arguments))
            return false;
    }
    if (arguments->help)
        return true;
    if (optind < argc)
        return refuse("unexpected argument: %s (see --help)", argv[optind]);
    return complete_options(arguments);
}

int command_simulate(int argc, char **argv)
{
    struct arguments arguments = {
        .options = {.connections = 8,
                    .time_scale = 1,
                    .verify = {.prefix = "marketo"},
                    .content = {.munchkin_id = "123-ABC-456",
                                .recipient = "0f13cce22f4645328e01b90262b3ee51",
                                .streams = {true, true, true, true}}},
    };
    int status = 2;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
        refuse("libcurl cannot be started");
        return 1;
    }
    if (read_arguments(argc, argv, &arguments)) {
        if (arguments.help) {
            fputs(usage, stdout);
            status = 0;
        } else {
            status = arguments.options.verify.read_back ? simulate_read_back(&arguments.options)
                                                        : simulate_run(&arguments.options);
        }
    }
    for (size_t i = 0; i < arguments.options.file_count; i++)
        file_free(arguments.options.bodies[i]);
    free(arguments.options.bodies);
    free(arguments.options.files);
    proof_free(arguments.options.proof);
    file_free(arguments.client_secret);
    curl_global_cleanup();
    return status;
}
