// SPDX-License-Identifier: Apache-2.0
//
// One endpoint's guard: `auth: none` or a list of tokens. Made at the start on the
// main thread, then read by every loop thread.
#include "auth/auth.h"

#include <stdlib.h>

#include "auth/token.h"

struct auth {
    bool none;
    size_t count;
    struct token_digest tokens[];
};

struct auth *auth_create(const struct config_endpoint *endpoint)
{
    size_t size;
    if (__builtin_mul_overflow(endpoint->token_count, sizeof(struct token_digest), &size) ||
        __builtin_add_overflow(size, sizeof(struct auth), &size))
        return NULL;
    struct auth *auth = calloc(1, size);
    if (auth == NULL)
        return NULL;
    auth->none = endpoint->auth_none;
    auth->count = endpoint->token_count;
    for (size_t i = 0; i < auth->count; i++) {
        if (!token_digest(slice_of(endpoint->tokens[i]), &auth->tokens[i])) {
            auth_free(auth);
            return NULL;
        }
    }
    return auth;
}

void auth_free(struct auth *auth)
{
    free(auth);
}

enum auth_verdict auth_judge(const struct auth *auth, const struct auth_request *request, const char **reason)
{
    if (auth->none)
        return AUTH_ALLOW;

    /* A configured token may itself begin with one of the words, so the value is
     * tried as it is, too. */
    struct token_offer offer = token_find(request->authorization);
    const struct slice candidates[] = {offer.bare, offer.after_scheme};
    bool known = false;

    if (!slice_present(offer.bare)) {
        *reason = "no_credentials";
        return AUTH_DENY;
    }
    for (size_t i = 0; i < sizeof candidates / sizeof candidates[0]; i++) {
        struct token_digest digest;
        if (!slice_present(candidates[i]))
            continue;
        if (!token_digest(candidates[i], &digest)) {
            *reason = "unavailable";
            return AUTH_UNAVAILABLE;
        }
        known |= token_is_known(&digest, auth->tokens, auth->count);
    }
    if (!known) {
        *reason = "wrong_token";
        return AUTH_DENY;
    }
    return AUTH_ALLOW;
}
