// SPDX-License-Identifier: Apache-2.0
//
// An identity provider's keys: found (jwks_url, or discovery through the issuer), fetched,
// refreshed, kept while the provider is away. One for each provider that the
// configuration names, however many endpoints use it; it survives a reload. Any thread.
//
// The set is fetched at the start and refreshed every ISSUER_REFRESH_MS, whoever asks. A token with an
// unknown key, or whose signature its key has not made, has it fetched at once, at most every
// ISSUER_REFETCH_MS, shared by all who wait.
#ifndef BRIDGE_AUTH_ISSUER_H
#define BRIDGE_AUTH_ISSUER_H

#include "auth/fetch.h"
#include "auth/jwt.h"
#include "auth/verdict.h"

#define ISSUER_REFRESH_MS ((uint64_t)10 * 60 * 1000)
#define ISSUER_REFETCH_MS ((uint64_t)30 * 1000)

struct issuer;

/* issuer: for discovery and for nothing else; jwks_url NULL: discovery. Both are copied. Starts
 * fetching. NULL when out of memory. */
struct issuer *issuer_create(struct fetcher *fetcher, const char *issuer_url, const char *jwks_url);

/* Waits for no one: what is under way comes to nothing. No request may be waiting but those that
 * are woken here. The fetcher must still be there. */
void issuer_free(struct issuer *issuer);

/* Judges a token against the set. A key that is not in it: AUTH_PENDING on a new look; AUTH_DENY
 * ("unknown_kid") when a look that began after the request came, or after this very token was first missed,
 * has not found it; AUTH_UNAVAILABLE ("keys_unavailable") when no look can be made now, or ("no_memory").
 * *reason is set unless allowed. */
enum auth_verdict issuer_judge(struct issuer *issuer, struct slice token, const struct jwt_rules *rules,
                               const struct auth_now *now, struct auth_wait *wait, const char **reason);

#endif
