// SPDX-License-Identifier: Apache-2.0
//
// What the files of introspection share: the request's texts, the answer. Pure
// functions; any thread.
#ifndef BRIDGE_AUTH_INTROSPECTION_INTERNAL_H
#define BRIDGE_AUTH_INTROSPECTION_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/jwt.h"
#include "slice.h"

/* introspection_form.c: what is sent. */

/* The form that asks about a token, in memory of its own; ptr NULL when out of memory. Holds the
 * token: to be given back with introspection_form_free. */
struct slice introspection_form(struct slice token);
void introspection_form_free(struct slice form);

/* The value of the Authorization header, in memory that is left out of core files. text NULL when out
 * of memory. */
struct introspection_secret {
    char *text; /* terminated */
    size_t size;
};
struct introspection_secret introspection_secret_make(struct slice client_id, struct slice client_secret);
/* Overwrites it. */
void introspection_secret_free(struct introspection_secret secret);

/* introspection_answer.c: what comes back. */

/* Bytes of text that are kept of an answer, terminators included, and audiences: it is cached. */
#define INTROSPECTION_KEPT_MAX 8192
#define INTROSPECTION_AUDIENCES_MAX 64

/* What an active token's answer says that a rule may ask for. One piece of memory, to be
 * given to free. */
struct introspection_answer {
    bool has_exp, has_nbf;
    int64_t exp_ms, nbf_ms; /* since 1970 */
    const char *issuer;     /* NULL: not named, as the next two */
    const char *client_id;
    const char *azp;
    size_t audience_count;
    const char *audiences[];
};

enum introspection_kind {
    INTROSPECTION_ACTIVE,
    INTROSPECTION_INACTIVE,
    INTROSPECTION_UNUSABLE /* no answer that says either */
};

/* *answer is set when it is active, *error, a literal, when it is not usable. */
enum introspection_kind introspection_answer_read(struct slice body, struct introspection_answer **answer,
                                                  const char **error);

/* The token's own rules and times, these with JWT_LEEWAY_S. NULL when all is well; else the reason. */
const char *introspection_answer_judge(const struct introspection_answer *answer,
                                       const struct jwt_rules *rules, int64_t wall_ms);

#endif
