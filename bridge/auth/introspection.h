// SPDX-License-Identifier: Apache-2.0
//
// Opaque tokens: asked about at the provider (RFC 7662). One for each introspection endpoint and
// client that the configuration names; it survives a reload. Any thread.
//
// Answers are cached by the SHA-256 of the token: positive ones for INTROSPECTION_POSITIVE_MS and never past
// the token's `exp`, negative ones for INTROSPECTION_NEGATIVE_MS; strangers' negative ones cannot push
// positive ones out. Requests with the same token share one call. Calls are limited: so many at a time, so
// many a second; tokens that were let in have a budget of their own, and peers that have proved themselves on
// their connection before another: behind a proxy strangers come on the same connections.
#ifndef BRIDGE_AUTH_INTROSPECTION_H
#define BRIDGE_AUTH_INTROSPECTION_H

#include "auth/fetch.h"
#include "auth/jwt.h"
#include "auth/verdict.h"

#define INTROSPECTION_POSITIVE_MS ((uint64_t)60 * 1000)
#define INTROSPECTION_NEGATIVE_MS ((uint64_t)5 * 1000)
#define INTROSPECTION_TOKEN_MAX 16384
#define INTROSPECTION_ANSWER_MAX ((size_t)64 * 1024)

/* A positive answer that is this old is asked for anew in the background when its token comes again, so that
 * a token in use never waits, and its answer is young when an outage begins. */
#define INTROSPECTION_REFRESH_MS (INTROSPECTION_POSITIVE_MS / 2)

/* So long after INTROSPECTION_POSITIVE_MS, still never past `exp`, a positive answer is used while the
 * provider cannot be asked: its outage must not turn away a sender that it has vouched for. What that costs:
 * a token revoked shortly before an outage is good for so much longer. `active: false` ends it at once. */
#define INTROSPECTION_STALE_MS ((uint64_t)5 * 60 * 1000)

/* How long a call that came to nothing speaks for its token: those who waited for it together must
 * not start the next one each. */
#define INTROSPECTION_FAILED_MS ((uint64_t)1000)

/* Tokens kept: let in by somebody's rules; all others. A token pushes out only its like. */
#define INTROSPECTION_PROVEN_MAX 1024
#define INTROSPECTION_OTHER_MAX 1024

/* Calls under way; of them at most so many for strangers, and for strangers and peers together, so that
 * their calls, each hanging for FETCH_TIMEOUT_MS, leave room for the others. */
#define INTROSPECTION_CALLS_MAX 16
#define INTROSPECTION_STRANGER_CALLS_MAX 10
#define INTROSPECTION_PEER_CALLS_MAX 12

/* Strangers: all of a customer's senders at once after a restart, then what no provider minds; peers bring
 * new tokens at what pace they like. Proven: INTROSPECTION_PROVEN_MAX tokens, each once in
 * INTROSPECTION_REFRESH_MS, are 34 calls a second. */
#define INTROSPECTION_STRANGER_BURST 50
#define INTROSPECTION_STRANGER_EVERY_MS 50
#define INTROSPECTION_PEER_BURST 50
#define INTROSPECTION_PEER_EVERY_MS 20
#define INTROSPECTION_PROVEN_BURST 200
#define INTROSPECTION_PROVEN_EVERY_MS 20

struct introspection;

/* All is copied; the secret into memory that is left out of core files and overwritten at the end.
 * NULL when out of memory. */
struct introspection *introspection_create(struct fetcher *fetcher, const char *url, const char *client_id,
                                           const char *client_secret);
void introspection_free(struct introspection *introspection); /* as issuer_free; may be NULL */

/* rules: audience and allowed clients as for a JWT, each compared when it is set (a NULL is not; an answer
 * that names no audience has none that matches); issuer only when the answer names one. Reasons:
 * "inactive_token" (an empty one, one longer than INTROSPECTION_TOKEN_MAX, one with a blank or not in ASCII
 * as well: those are not asked about), "wrong_issuer", "wrong_audience", "wrong_client", "expired",
 * "not_yet_valid" (AUTH_DENY); "introspection_unavailable", "fetch_budget" (AUTH_UNAVAILABLE). known_peer:
 * see above. */
enum auth_verdict introspection_judge(struct introspection *introspection, struct slice token,
                                      const struct jwt_rules *rules, bool known_peer,
                                      const struct auth_now *now, struct auth_wait *wait,
                                      const char **reason);

#endif
