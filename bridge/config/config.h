// SPDX-License-Identifier: Apache-2.0
//
// The configuration: one YAML file, read once into this immutable structure.
// Every option stands once in the table of option_table.c: name, type, limits,
// default and help; the reader, `check` and the reference in the README all
// come from that table. Any thread may read it; nothing but
// config_forget_secrets changes it.
#ifndef BRIDGE_CONFIG_H
#define BRIDGE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include "batch.h"
#include "telemetry/log.h"

enum sender { SENDER_ACTIVITY_PUSH, SENDER_ADOBE_IO, SENDER_COUNT };
enum record_format { RECORD_STRUCTURED, RECORD_BINARY, RECORD_ORIGINAL };
enum route_mode { ROUTE_TYPE, ROUTE_STREAM };
enum durability { DURABILITY_STRICT, DURABILITY_RELAXED };

/* Where in the file something stands; counted from 1. */
struct config_mark {
    unsigned line, column;
};

struct config_address {
    char *text;    /* as written, "0.0.0.0:8443" */
    char *host;    /* without brackets; never NULL; "" means all addresses */
    uint16_t port; /* 0: any free port, which the log tells */
};

struct config_listener {
    struct config_address address;
    char *certificate, *key; /* paths; both NULL: cleartext */
    char *client_ca;         /* path; NULL: no client certificate is asked for */
    char *client_crl;        /* path; NULL: none */
    struct config_mark mark;
};

/* endpoints[].auth.oauth; everything NULL or 0 when it is not there. JWTs are accepted when `issuer` is
 * set, which then has `audience` beside it; opaque tokens when `introspection_url` is, which
 * then has `client_id` and `client_secret` beside it. One of the two is set. */
struct config_oauth {
    char *issuer;
    char *audience;
    char *jwks_url; /* NULL: found through the issuer */
    char *introspection_url;
    char *client_id, *client_secret;
    char **allowed_clients;
    size_t allowed_client_count; /* 0: any */
};

struct config_endpoint {
    char *path; /* begins with '/'; compared exactly */
    enum sender sender;
    uint64_t deadline_ms; /* from the request's first byte to the answer */
    bool auth_none;       /* `auth: none` was written out */
    /* What the sender must show; unless auth_none at least one of tokens, oauth, signature and client_names.
     */
    char **tokens;
    size_t token_count;
    struct config_oauth oauth;
    bool signature;    /* Adobe's; then there are recipients */
    char *key_base;    /* scheme, host, perhaps port; never NULL */
    char **recipients; /* client ids */
    size_t recipient_count;
    char **client_names; /* then some listener has a client_ca */
    size_t client_name_count;
    bool confirm_validation; /* open Adobe's validation URL */
    struct config_mark mark;
};

/* A property for librdkafka, passed on as it is. */
struct config_property {
    char *name, *value;
    struct config_mark mark;
};

/* munchkinId -> name */
struct config_instance {
    char *munchkin_id, *name;
    struct config_mark mark;
};

/* topics.override: settings for one topic, by its name without the prefix
 * ("activity.openemail"). A member that is not set is -2 (partitions,
 * replication) or INT64_MIN (retention_ms). */
struct config_topic_override {
    char *topic;
    int partitions, replication;
    int64_t retention_ms;
    struct config_mark mark;
};

struct config {
    struct config_listener *listeners;
    size_t listener_count;
    bool http2;

    struct config_address admin_address;
    char *admin_token; /* NULL: none is asked for */

    struct config_endpoint *endpoints;
    size_t endpoint_count;

    struct config_property *kafka;
    size_t kafka_count;

    struct config_instance *instances;
    size_t instance_count;

    struct {
        char *prefix; /* may contain "{instance}" */
        enum route_mode route;
        bool create;
        int partitions;
        int replication;      /* -1: the broker's default */
        int64_t retention_ms; /* -1: for ever */
        struct config_topic_override *overrides;
        size_t override_count;
        int64_t *custom; /* activity type ids of 100000 and up that get a topic of their own */
        size_t custom_count;
        char *dead_letter;       /* NULL: {prefix}.deadletter */
        struct config_mark mark; /* of the `topics` key; 0, 0 when the section is left out */
    } topics;

    enum durability durability;

    struct {
        enum record_format format;
        char **headers; /* names of CloudEvents attributes, without "ce_", or "x-request-id" */
        size_t header_count;
    } record;

    struct {
        size_t body;      /* bytes */
        size_t events;    /* per batch */
        size_t in_flight; /* bytes */
        size_t connections;
        uint64_t body_time_ms;
        uint64_t idle_time_ms;
    } limits;

    struct {
        uint64_t delay_ms, grace_ms;
    } shutdown;

    struct {
        enum log_level level;
        enum log_format format;
    } log;
};

/* One thing that is wrong with the file. */
struct config_error {
    struct config_mark mark;
    char *message;
};

/* The files that a configuration was made from: itself, those behind ${file:...}, certificates, keys, CAs and
 * CRLs; each once, as written, and as it was before it was read: what comes between is a change.
 * Zero-initialise. */
struct config_files {
    char **paths;
    struct stat *seen; /* all zero: it was not there */
    size_t count;
};
/* How the file is now; all zero when it is not there. */
struct stat config_file_look(const char *path);
void config_files_free(struct config_files *files);

/* Everything that is wrong with it, in the order of the file. Zero-initialise. */
struct config_errors {
    struct config_error *items;
    size_t count;
    bool no_memory; /* some could not be kept: there are more than `count` */
};

/* Whether anything is wrong. */
static inline bool config_errors_any(const struct config_errors *errors)
{
    return errors->count > 0 || errors->no_memory;
}

__attribute__((format(printf, 3, 4))) void
config_errors_add(struct config_errors *errors, struct config_mark mark, const char *format, ...);
/* One line each: "path:line:column: message". */
void config_errors_print(const struct config_errors *errors, const char *path, FILE *out);
void config_errors_free(struct config_errors *errors);

/* What other rooms have to say of what could be read. Called once the file was walked, also
 * when something is wrong with it, so that all errors come at once: members that could not be
 * read are NULL, 0 or missing from their list. */
typedef void (*config_judge)(const struct config *config, struct config_errors *errors);

/* Reads the file. Returns NULL when anything is wrong, with all of it in
 * *errors; never stops at the first. Paths of certificates and `${file:…}` are
 * relative to the working directory. judge may be NULL.
 * require_bootstrap: kafka.bootstrap.servers must be there (not for the embedded Kafka). files: receives the
 * files, those that could not be read included, also when NULL is returned; may be NULL. */
struct config *config_load(const char *path, bool require_bootstrap, config_judge judge,
                           struct config_errors *errors, struct config_files *files)
    __attribute__((warn_unused_result));

/* Overwrites what is secret and not needed once the guards are made: tokens and client secrets of the
 * endpoints, and the admin token. They are empty texts then, so it still shows that they are set; whoever
 * compares with one of them must have made a copy or a digest before. */
void config_forget_secrets(struct config *config);

/* Calls `changed` for every option that differs between the two and takes effect only at a start, by its path
 * in the table ("topics.prefix"); a list or free mapping is told as a whole ("topics.custom", "kafka"), and
 * listeners that come, go, or get or lose TLS as "listen[]". Values are not told. */
void config_restart_options(const struct config *running, const struct config *wanted,
                            void (*changed)(void *data, const char *option), void *data);

/* Frees it; tokens are overwritten first. */
void config_free(struct config *config);

const char *config_sender_name(enum sender sender); /* "activity-push", "adobe-io" */

/* Writes the reference of all options as a Markdown table, for the README. */
void config_print_reference(FILE *out);

#endif
