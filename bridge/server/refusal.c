// SPDX-License-Identifier: Apache-2.0
//
// Requests that are not let in: counted, logged, answered. Runs on the loop thread.
#include <stdio.h>

#include "server/internal.h"
#include "telemetry/log.h"

/* The reasons that have log lines of their own; each may write one a second. */
static const struct {
    const char *name;
    bool of_token; /* a token was there, and is not accepted */
} reasons[] = {
    {"no_credentials", false},
    {"repeated_header", false},
    {"wrong_token", true},
    {"bad_jwt", true},
    {"wrong_algorithm", true},
    {"unknown_kid", true},
    {"wrong_issuer", true},
    {"wrong_audience", true},
    {"wrong_client", true},
    {"expired", true},
    {"not_yet_valid", true},
    {"inactive_token", true},
    {"keys_unavailable", false},
    {"introspection_unavailable", false},
    {"no_signature", false},
    {"bad_signature", true},
    {"key_unavailable", false},
    {"unknown_key", false},
    {"unknown_recipient", false},
    {"fetch_budget", false},
    {"no_certificate", false},
    {"bad_certificate", false},
    {"certificate_expired", false},
    {"certificate_revoked", false},
    {"crl_unusable", false},
    {"wrong_name", false},
    {"timeout", false},
    {"no_memory", false},
};
#define REASONS (sizeof reasons / sizeof reasons[0])

_Static_assert(REASONS + 1 == REFUSAL_REASONS, "a counter for each, and one for others");

/* Its index; REASONS for one that is not in the table. */
static size_t find_reason(const char *reason)
{
    size_t i = 0;
    while (i < REASONS && strcmp(reasons[i].name, reason) != 0)
        i++;
    return i;
}

/* All at the start: to make a series takes memory, and without that the process ends. */
void refusal_metrics_register(struct metrics *metrics, struct endpoint *endpoint)
{
    for (size_t i = 0; i < REFUSAL_REASONS; i++) {
        struct metric_label labels[] = {{"endpoint", endpoint->config->path},
                                        {"reason", i < REASONS ? reasons[i].name : "other"}};
        endpoint->failures[i] = metrics_counter(metrics, "auth_failures_total",
                                                "Requests without a valid proof, by reason.", labels, 2);
    }
}

void refusal_count(const struct endpoint *endpoint, const char *reason, struct slice which,
                   const char *request_id)
{
    static struct log_limit limits[REFUSAL_REASONS];
    size_t number = find_reason(reason);
    counter_add(endpoint->failures[number], 1);
    uint64_t suppressed;
    if (!log_enabled(LOG_LEVEL_WARNING) || !log_limit_pass(&limits[number], &suppressed))
        return;
    const struct log_field fields[] = {
        LOG_TEXT("reason", reason),         LOG_TEXT("path", endpoint->config->path),
        LOG_TEXT("request_id", request_id), LOG_INT("suppressed", suppressed),
        LOG_SLICE("recipient", which),
    };
    size_t count = sizeof fields / sizeof fields[0] - (slice_present(which) ? 0 : 1);
    log_write(LOG_LEVEL_WARNING, "request refused", fields, count);
}

int refusal_status(enum auth_verdict verdict)
{
    return verdict == AUTH_DENY ? 401 : 503;
}

/* RFC 6750 section 3.1 has a word for a token that is there and not accepted. */
static struct slice challenge_for(const char *reason)
{
    size_t i = find_reason(reason);
    return i < REASONS && reasons[i].of_token
               ? SLICE_LITERAL("Bearer realm=\"marketo-bridge\", error=\"invalid_token\"")
               : SLICE_LITERAL("Bearer realm=\"marketo-bridge\"");
}

void refusal_send(const struct endpoint *endpoint, h2o_req_t *req, enum auth_verdict verdict,
                  const char *reason, const char *request_id)
{
    if (verdict == AUTH_DENY) {
        if (auth_wants_authorization(endpoint->auth))
            answer_add_header(req, SLICE_LITERAL("www-authenticate"), challenge_for(reason));
        answer_error(req, 401, "unauthorized", "no valid proof of who sends this; the log says what is wrong",
                     request_id);
    } else if (strcmp(reason, "unknown_key") == 0) {
        answer_error(req, 503, reason, "the path of a signing key has a form that is not known", request_id);
    } else if (strcmp(reason, "unknown_recipient") == 0) {
        answer_error(req, 503, reason, "an event is not for one of the configured recipients", request_id);
    } else {
        answer_error(req, 503, "auth_unavailable", "the credentials could not be checked", request_id);
    }
}
