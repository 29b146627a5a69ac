// SPDX-License-Identifier: Apache-2.0
//
// Static tokens: their digests, and the token inside an Authorization header;
// any thread.
#include "auth/token.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <strings.h>

bool token_digest(struct slice token, struct token_digest *digest)
{
    unsigned size = 0;
    return EVP_Digest(token.ptr, token.len, digest->bytes, &size, EVP_sha256(), NULL) == 1 &&
           size == TOKEN_DIGEST_SIZE;
}

bool token_is_known(const struct token_digest *digest, const struct token_digest *known, size_t count)
{
    unsigned found = 0;
    for (size_t i = 0; i < count; i++)
        found |= CRYPTO_memcmp(digest->bytes, known[i].bytes, TOKEN_DIGEST_SIZE) == 0;
    return found != 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct slice trim(struct slice s)
{
    while (s.len > 0 && is_blank(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

struct token_offer token_find(struct slice authorization)
{
    static const struct slice schemes[] = {SLICE_LITERAL("Bearer"), SLICE_LITERAL("Token")};
    struct slice value = trim(authorization);
    struct token_offer offer = {SLICE_ABSENT, SLICE_ABSENT};

    if (value.len == 0)
        return offer;
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t len = schemes[i].len;
        if (value.len < len || strncasecmp(value.ptr, schemes[i].ptr, len) != 0)
            continue;
        if (value.len == len)
            return offer;
        if (is_blank(value.ptr[len]))
            offer.after_scheme = trim((struct slice){value.ptr + len, value.len - len});
    }
    offer.bare = value;
    return offer;
}
