// SPDX-License-Identifier: Apache-2.0
//
// A provider that answers when the test says so, and requests that wait for it.
#ifndef TESTS_UNIT_AUTH_INTROSPECTION_FIXTURE_H
#define TESTS_UNIT_AUTH_INTROSPECTION_FIXTURE_H

#include "auth/introspection.h"
#include "suites.h"

#define FIXTURE_WALL_MS INT64_C(1800000000000)

extern struct introspection *introspection;
extern struct auth_now now; /* set anew for each test */

void setup_introspection(void);
void teardown_introspection(void); /* frees it, if the test has not; no call may be left */

/* Moves both clocks. */
void pass_ms(uint64_t ms);

/* The calls under way, oldest first. */
size_t call_count(void);
struct fetch *call_at(size_t i);

/* Ends the oldest call. answer NULL: a failure with status 0. */
void answer_with(long status, const char *answer);
/* Ends the newest one. */
void answer_last_with(long status, const char *answer);

struct request {
    struct auth_wait wait; /* first */
    unsigned woken;
    const char *reason;
};

/* Judged by the rules of no one in particular, as a stranger's. */
enum auth_verdict judge_token(struct request *request, const char *token);
enum auth_verdict judge_known(struct request *request, const char *token);
enum auth_verdict judge_by(struct request *request, const char *token, const struct jwt_rules *rules,
                           bool known_peer);

/* A request of its own that must not wait: NULL when it is let in; else the reason. */
const char *verdict_now(const char *token);

/* Asks about a token and lets the provider answer; what comes of it, as above. */
const char *verdict_after(const char *token, long status, const char *answer);

#endif
