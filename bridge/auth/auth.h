// SPDX-License-Identifier: Apache-2.0
//
// May this request come in? One guard per endpoint, made at the start, immutable;
// any thread. Tokens are kept as SHA-256 digests only and compared in constant time.
#ifndef BRIDGE_AUTH_H
#define BRIDGE_AUTH_H

#include "config/config.h"
#include "slice.h"

struct auth;

enum auth_verdict {
    AUTH_ALLOW,
    AUTH_DENY,       /* 401 */
    AUTH_UNAVAILABLE /* could not be checked, out of memory: 503, never a final refusal */
};

/* What a request shows. */
struct auth_request {
    struct slice authorization; /* value of the header; absent when there was none */
};

/* NULL when out of memory. */
struct auth *auth_create(const struct config_endpoint *endpoint);
void auth_free(struct auth *auth);

/* reason: a literal for the metric's label, set unless allowed: "no_credentials",
 * "wrong_token", "unavailable". */
enum auth_verdict auth_judge(const struct auth *auth, const struct auth_request *request,
                             const char **reason);

#endif
