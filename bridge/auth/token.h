// SPDX-License-Identifier: Apache-2.0
//
// Static tokens: their digests, and the token inside an Authorization header.
// Pure functions; any thread.
#ifndef BRIDGE_AUTH_TOKEN_H
#define BRIDGE_AUTH_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#include "slice.h"

#define TOKEN_DIGEST_SIZE 32

/* SHA-256. */
struct token_digest {
    unsigned char bytes[TOKEN_DIGEST_SIZE];
};

/* False when out of memory. */
bool token_digest(struct slice token, struct token_digest *digest) __attribute__((warn_unused_result));

/* Whether `digest` is one of `known`. Takes equally long wherever it stands and
 * whether it is there at all. */
bool token_is_known(const struct token_digest *digest, const struct token_digest *known, size_t count);

/* What an Authorization header offers as a token: `bare`, the value without blanks
 * around it, and `after_scheme`, what follows "Bearer" or "Token" in any case and at
 * least one blank. Each absent when there is nothing; a scheme alone offers nothing. */
struct token_offer {
    struct slice bare;
    struct slice after_scheme;
};
struct token_offer token_find(struct slice authorization);

#endif
