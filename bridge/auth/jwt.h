// SPDX-License-Identifier: Apache-2.0
//
// One JSON Web Token as an access token (RFC 7519, RFC 9068), judged by the rules of
// RFC 8725. Pure functions; any thread.
#ifndef BRIDGE_AUTH_JWT_H
#define BRIDGE_AUTH_JWT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/jwks.h"

#define JWT_LENGTH_MAX 16384
#define JWT_LEEWAY_S 60 /* on exp, nbf and iat */

/* What a token must say. All of it must outlive the call only. */
struct jwt_rules {
    const char *issuer;           /* must be `iss`, byte for byte */
    const char *audience;         /* must be `aud`, or one of them */
    char *const *allowed_clients; /* `azp` and `client_id`, those of them that are there, must be among these,
                                   * and one must be there */
    size_t allowed_client_count;  /* 0: any */
};

enum jwt_result {
    JWT_VALID,
    JWT_INVALID,     /* refused, with the reason */
    JWT_UNKNOWN_KEY, /* no key of the set has its kid, or, without a kid, none has made its signature: the
                      * set may be out of date */
    JWT_NO_MEMORY    /* it could not be judged */
};

/* Whether the text has the form of a JWS in compact serialisation (three base64url parts, the first one of a
 * JSON object), so that it can only be a JWT. */
bool jwt_looks_like_one(struct slice token);

/* reason, unless valid: a literal for the metric's label: "bad_jwt" (form, header, `crit`, `typ`),
 * "wrong_algorithm", "bad_signature", "wrong_issuer", "wrong_audience", "expired", "not_yet_valid",
 * "wrong_client", "unknown_kid" (with JWT_UNKNOWN_KEY), "no_memory" (with JWT_NO_MEMORY). kid receives
 * the kid of a token with JWT_UNKNOWN_KEY, cut at kid_size - 1 bytes and terminated; "" when it has none.
 * kid_size 0: not wanted. */
enum jwt_result jwt_judge(struct slice token, const struct jwks *jwks, const struct jwt_rules *rules,
                          int64_t wall_ms, const char **reason, char *kid, size_t kid_size);

#endif
