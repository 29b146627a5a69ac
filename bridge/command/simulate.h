// SPDX-License-Identifier: Apache-2.0
//
// The parts of `marketo-bridge simulate`, which plays Adobe: the rules of the two
// senders, the bodies, the proof of who sends, the run, the result. All on the main thread.
#ifndef BRIDGE_COMMAND_SIMULATE_H
#define BRIDGE_COMMAND_SIMULATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "batch.h"
#include "config/config.h"
#include "kafka/reader.h"
#include "slice.h"

/* simulate_sender.c: what a sender does with an answer. */

struct sender_rule {
    enum sender sender;
    const char *name;
    uint64_t timeout_ms;      /* for one attempt, connection set-up included */
    size_t batch, batch_max;  /* events in a POST: by default, at most */
    bool retries_everything;  /* else only 429, 5xx but 505, and no answer */
    const uint64_t *waits_ms; /* before retry 1, 2, …; the last one for all further ones */
    size_t wait_count;
    uint64_t give_up_ms;  /* a retry later than this after the first attempt is not made; 0: never gives up */
    unsigned pause_after; /* this many retries failed: the stream pauses; 0: never */
};

/* NULL when there is no sender of that name. */
const struct sender_rule *sender_rule_find(const char *name);

enum attempt_result { ATTEMPT_DELIVERED, ATTEMPT_RETRY, ATTEMPT_REFUSED };

/* status 0: no answer. */
enum attempt_result sender_rule_judge(const struct sender_rule *rule, long status);

/* How long to wait before retry number `retry`, counted from 1, in the sender's
 * own time; 0: it is not made, the batch is lost. */
uint64_t sender_rule_wait_ms(const struct sender_rule *rule, unsigned retry);

/* Whether the stream pauses once retry number `retry` has failed. */
bool sender_rule_pauses(const struct sender_rule *rule, unsigned retry);

/* simulate_event.c: bodies. */

struct generator_options {
    enum sender sender;
    const char *munchkin_id;    /* [A-Za-z0-9-] */
    const char *recipient;      /* adobe-io: recipientclientid; stands in JSON as it is */
    size_t types;               /* of the catalog's activity types, from its start; 0: all */
    bool streams[STREAM_COUNT]; /* adobe-io only; at least one */
    uint64_t seed;
};

struct generator;

/* NULL when out of memory. */
struct generator *generator_create(const struct generator_options *options);
void generator_free(struct generator *generator);

#define UUID_LENGTH 36

/* What the headers say about a body. */
struct body_facts {
    char event_id[UUID_LENGTH + 1]; /* of the first event */
    const char *event_code;         /* its CloudEvents type */
    const char *provider;
};

/* Bytes that a body of that many events never exceeds. */
size_t generator_body_max(const struct generator *generator, size_t events);

/* Writes the body of events `first`, first + 1, …, at least one. The same numbers
 * and the same time give the same bytes, so that a batch that waits for a retry
 * need not be kept. single: one event as an object instead of an array (adobe-io). */
size_t generator_write(const struct generator *generator, uint64_t first, size_t events, int64_t now_ms,
                       bool single, char *out, struct body_facts *facts);

/* A UUID that is different for every `number` under one seed, not terminated. */
void generator_uuid(uint64_t seed, uint64_t number, char out[static UUID_LENGTH]);

/* The seeds of generator_uuid for the two ids of an event; a record's ce_id is one of them. */
void generator_id_seeds(const struct generator *generator, uint64_t seeds[static 2]);
/* The stream and topic of the event's type: activity.openemail. */
void generator_name_type(const struct generator *generator, uint64_t number, char *out, size_t size);

/* simulate_value.c: plausible contents. A pattern is JSON in which '#' stands for a
 * digit, '~' for the date and '^' for the time; `variant` is any number. */

struct attribute_value {
    const char *data_type; /* the attribute's dataType */
    bool quoted;           /* the pattern stands between quotes */
    const char *pattern;
};

struct attribute_value value_of_attribute(const char *name, unsigned variant);
/* primaryAttributeValue of a type of activity, between quotes. */
const char *value_of_primary(const char *activity, unsigned variant);
const char *value_of_audit_action(const char *topic, unsigned variant);
/* The members of a notification's data behind componentType, the comma first. */
const char *value_of_notification(const char *topic);
/* The members of data behind munchkinId. */
const char *value_of_observability(const char *topic);

/* simulate_report.c: what happened. */

#define LATENCY_SUB_BITS 7
#define LATENCY_MAX_BITS 42
#define LATENCY_BUCKETS ((LATENCY_MAX_BITS - LATENCY_SUB_BITS + 1) << LATENCY_SUB_BITS)

/* Microseconds in buckets that are at most 1/128 wide. */
struct latency {
    uint64_t count, max;
    uint64_t buckets[LATENCY_BUCKETS];
};

void latency_add(struct latency *latency, uint64_t us);
/* The value that a share of `share` (0 to 1) does not exceed; 0 when there is none. */
uint64_t latency_percentile(const struct latency *latency, double share);

enum answer_count { ANSWER_EVENTS, ANSWER_DELIVERED, ANSWER_DUPLICATES, ANSWER_DEAD_LETTERED, ANSWER_COUNT };

#define REPORT_STATUS_MAX 1000
#define REPORT_REASONS_MAX 8

struct report {
    uint64_t batches, events;             /* begun */
    uint64_t delivered, delivered_events; /* answered 2xx */
    uint64_t refused;                     /* finally: the sender does not try again */
    uint64_t unfinished;                  /* waiting for an answer or a retry at the end */
    uint64_t retries;
    uint64_t statuses[REPORT_STATUS_MAX]; /* answers by status; 0: no answer */
    uint64_t answers[ANSWER_COUNT];       /* sums over the bodies of 2xx answers */
    struct {
        const char *reason; /* a literal */
        uint64_t count;
    } no_answer[REPORT_REASONS_MAX]; /* why there was none; the last counts those without a place here */
    uint64_t elapsed_us;             /* first intended time to the last answer */
    struct latency latency;
};

/* Adds the numbers of one 2xx answer's body, which is terminated. */
void report_take_answer(struct report *report, const char *body);

/* Counts an attempt without an answer; the reason is a literal. */
void report_take_no_answer(struct report *report, const char *reason);

/* What the result names besides the counts. */
struct report_context {
    const char *sender, *url, *http;
    uint64_t seed;
    const char *const *files; /* --body; with the last status of each */
    const long *file_statuses;
    size_t file_count;
    const struct tally *tally; /* what --verify found (simulate_verify.h); NULL: it was not asked for */
    const struct generator *generator;
};

void report_print(const struct report *report, const struct report_context *context, bool json, FILE *out);

/* simulate_queue.c: batches that wait for a retry. */

/* A batch is only its numbers until it is sent; generator_write makes its body for
 * each attempt, so that any number of them can wait in little memory. */
struct delivery {
    uint64_t first; /* number of the first event, or index of the file */
    size_t events;
    int64_t created_ms;
    uint64_t due_us;  /* when the next attempt is meant to be sent */
    uint64_t sent_us; /* when it was */
    unsigned attempt; /* retries made so far */
};

/* Heap: items[0] is the one that is due first. Zero-initialise. */
struct retry_queue {
    struct delivery *items;
    size_t count, capacity;
};

/* False when out of memory. */
bool retry_queue_push(struct retry_queue *queue, struct delivery delivery)
    __attribute__((warn_unused_result));
/* The queue must not be empty. */
struct delivery retry_queue_pop(struct retry_queue *queue);
void retry_queue_free(struct retry_queue *queue);

/* simulate_file.c: files that options name. */

/* The whole file with a terminating NUL that is not counted, to be freed by the caller. ptr NULL,
 * with words that name the file in errstr, when it cannot be read or is larger. */
struct slice file_read(const char *path, size_t max, char *errstr, size_t errstr_size);
void file_free(struct slice text);
/* The first line, without its end; a piece of text. */
struct slice file_first_line(struct slice text);

/* A file that may be replaced while it is used. Zero-initialise but for `path`. */
struct watched_file {
    const char *path;          /* NULL: none, always the same */
    int64_t noted[4], seen[4]; /* what tells one state of a file from another */
};

enum watched_state {
    WATCHED_SAME,   /* as it was noted */
    WATCHED_MOVING, /* not as at the last look: perhaps it is being written, or others follow */
    WATCHED_CHANGED /* another one than was noted, and still as at the last look */
};

/* Before it is read. */
void watched_file_note(struct watched_file *file);
enum watched_state watched_file_look(struct watched_file *file);

/* simulate_oauth.c: tokens from an identity provider. */

struct oauth_options {
    const char *token_url; /* NULL: none are fetched */
    const char *client_id, *client_secret;
    const char *resource, *audience, *scope; /* NULL: not sent */
    uint64_t renew_ms;                       /* 0: shortly before the token expires */
    const char *ca;                          /* NULL: the system's */
    bool insecure;
};

#define TOKEN_MAX 8192
/* Whether it can stand in a header. */
bool token_is_well_formed(struct slice token);

/* What a token endpoint has said (RFC 6749 section 5.1). */
struct oauth_answer {
    struct slice token;  /* in the answer's own memory, which is changed for it */
    uint64_t expires_ms; /* from when it was asked for; 0: not said */
};
/* False, with what is wrong in *words, a literal. */
bool oauth_read_answer(char *body, size_t len, struct oauth_answer *answer, const char **words);

/* When a token is to be renewed, counted from when it was asked for; 0: never. */
uint64_t oauth_renew_after_ms(const struct oauth_options *options, uint64_t expires_ms);

/* The request: the form, to be freed by the caller, and the header's line; NULL when out of memory. */
char *oauth_make_form(const struct oauth_options *options);
char *oauth_make_authorization(const struct oauth_options *options);

struct oauth;

/* The options must outlive it. NULL when out of memory. */
struct oauth *oauth_create(const struct oauth_options *options);
void oauth_free(struct oauth *oauth);
/* Fetches the first token, waiting for it. False, with one line in errstr. */
bool oauth_begin(struct oauth *oauth, char *errstr, size_t errstr_size);
/* Renews it when that is due, without waiting. Returns when it is to be called again. */
uint64_t oauth_run(struct oauth *oauth, uint64_t now_us);
/* The newest token, once for each; false when it was taken before. */
bool oauth_take_token(struct oauth *oauth, struct slice *token);

/* simulate_proof.c: what a request shows so that it is let in. */

#define PROOF_PAIRS 2
#define PROOF_SIGNATURE_MAX 2048 /* bytes in base64: keys of up to 12288 bits */
#define PROOF_PATH_MAX 512

struct proof_options {
    const char *token;      /* --token */
    const char *token_file; /* --token-file: its first line */
    struct oauth_options oauth;
    const char *oauth_client_secret_file;
    const char *keys[PROOF_PAIRS];  /* --sign: private keys, PEM */
    const char *paths[PROOF_PAIRS]; /* --key-path: the path, or @FILE with it in its first line */
    size_t key_count, path_count;
    const char *cert, *cert_key; /* --cert, --cert-key: for TLS; cert_key NULL: in the same file */
};

/* What cannot be meant, before anything is read; false, with one line in errstr. */
bool proof_options_check(const struct proof_options *options, const struct sender_rule *rule, bool https,
                         char *errstr, size_t errstr_size);

struct proof;

/* Reads the files. The options must outlive it. NULL, with one line in errstr. */
struct proof *proof_create(const struct proof_options *options, char *errstr, size_t errstr_size);
void proof_free(struct proof *proof);

/* Fetches the first token, when they are fetched. False, with one line in errstr. */
bool proof_begin(struct proof *proof, char *errstr, size_t errstr_size);
/* Reads what has changed, once a second, and renews a token. What cannot be read or fetched is told, and the
 * old goes on. Returns when it is to be called again; CLIENT_NEVER: need not be. */
uint64_t proof_run(struct proof *proof, uint64_t now_us);

/* The Authorization header's line, kept while a request uses it. */
struct proof_line {
    size_t users;
    char text[];
};
/* NULL: none is sent. */
struct proof_line *proof_hold_authorization(struct proof *proof);
void proof_line_release(struct proof_line *line); /* may be NULL */

/* The lines of the headers x-adobe-digital-signature-1, x-adobe-public-key1-path, …. */
struct proof_signature {
    char signature[PROOF_SIGNATURE_MAX + 64], path[PROOF_PATH_MAX + 64];
};
size_t proof_signature_count(const struct proof *proof);
/* Signs a body with each key. False when it could not be signed. */
bool proof_sign(const struct proof *proof, struct slice body, struct proof_signature signatures[PROOF_PAIRS])
    __attribute__((warn_unused_result));

/* What the options say. */

#define VERIFY_PROPERTIES_MAX 32

struct simulate_options {
    const struct sender_rule *rule;
    const char *url;
    bool https;
    bool http2;
    bool insecure;
    const char *ca; /* NULL: the system's */
    struct proof_options proof_options;
    struct proof *proof; /* made of them */
    double rate;         /* batches per second; 0: closed loop */
    size_t connections, concurrency;
    uint64_t events;      /* 0: no limit */
    uint64_t duration_ms; /* 0: no limit */
    uint64_t patience_ms; /* ends when nothing was delivered for so long; 0: no limit */
    size_t batch;
    double time_scale;
    bool no_retry;
    bool json;
    struct generator_options content;
    struct verify_options {
        const char *brokers; /* NULL: nothing is verified */
        const char *prefix;
        struct reader_property properties[VERIFY_PROPERTIES_MAX];
        size_t property_count;
        const char *ledger; /* NULL: a temporary file */
        bool read_back;     /* nothing is sent: the ledger of an earlier run is compared */
        uint64_t deadline_ms;
    } verify;
    const char **files; /* --body; bodies[i] is the content of files[i] */
    struct slice *bodies;
    size_t file_count;
};

/* simulate_client.c: the requests under way. */

#define CLIENT_NEVER UINT64_MAX

struct client;

/* Its sockets are watched by `epoll`, whose events for them are passed on to it with the
 * descriptor as their data. generator NULL: the options' files are posted. Both
 * must outlive it. NULL when out of memory. */
struct client *client_create(const struct simulate_options *options, const struct generator *generator,
                             int epoll);
/* Gives up what is under way. */
void client_free(struct client *client);

/* There is no place for another request, on a connection that is open or on one that may be opened. */
bool client_is_full(const struct client *client);
size_t client_in_flight(const struct client *client);

/* Sends one attempt; the client must not be full. False when out of memory. */
bool client_send(struct client *client, struct delivery delivery) __attribute__((warn_unused_result));

void client_take_event(struct client *client, int fd, uint32_t events);
/* When client_run_timers has something to do; CLIENT_NEVER when not known. */
uint64_t client_due_us(const struct client *client);
void client_run_timers(struct client *client);

struct client_result {
    struct delivery delivery;
    long status;           /* 0: no answer */
    const char *no_answer; /* why; a literal */
    const char *answer;    /* the body's first part, terminated; valid until the next call */
    bool http2;
};

/* The next attempt that has ended; false when there is none. */
bool client_next_result(struct client *client, struct client_result *result);

/* simulate_run.c: the run. */

/* Runs until all is sent and answered, or a signal. Returns the exit status. */
int simulate_run(const struct simulate_options *options);

#endif
