// SPDX-License-Identifier: Apache-2.0
//
// What is sent to an introspection endpoint: the form with the token, and the
// bridge's own credentials; any thread. All of it is overwritten before it is given back.
#include "auth/introspection_internal.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/mman.h>

#define TOKEN_MEMBER "token="
#define HINT_MEMBER "&token_type_hint=access_token"
#define SCHEME "Basic "

/* Far above what any provider issues; keeps the sizes below in range. */
#define CREDENTIAL_MAX ((size_t)64 * 1024)

static char *put(char *out, const char *text, size_t len)
{
    memcpy(out, text, len);
    return out + len;
}

/* application/x-www-form-urlencoded; at most three bytes for one. Returns the end. */
static char *put_encoded(char *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (letter || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '*') {
            *out++ = (char)c;
        } else if (c == ' ') {
            *out++ = '+';
        } else {
            *out++ = '%';
            *out++ = "0123456789ABCDEF"[c >> 4];
            *out++ = "0123456789ABCDEF"[c & 15];
        }
    }
    return out;
}

struct slice introspection_form(struct slice token)
{
    size_t size;
    if (__builtin_mul_overflow(token.len, (size_t)3, &size) ||
        __builtin_add_overflow(size, sizeof TOKEN_MEMBER + sizeof HINT_MEMBER, &size))
        return SLICE_ABSENT;
    char *form = malloc(size);
    if (form == NULL)
        return SLICE_ABSENT;
    char *end = put(form, TOKEN_MEMBER, sizeof TOKEN_MEMBER - 1);
    end = put_encoded(end, token);
    end = put(end, HINT_MEMBER, sizeof HINT_MEMBER - 1);
    return (struct slice){form, (size_t)(end - form)};
}

void introspection_form_free(struct slice form)
{
    char *text = (char *)(uintptr_t)form.ptr; /* it was made here */
    if (text == NULL)
        return;
    OPENSSL_cleanse(text, form.len);
    free(text);
}

/* RFC 6749 section 2.3.1: id and secret are form-encoded each, so that a colon in the id does not
 * end it, and only then joined for RFC 7617. */
struct introspection_secret introspection_secret_make(struct slice client_id, struct slice client_secret)
{
    struct introspection_secret secret = {NULL, 0};
    if (client_id.len > CREDENTIAL_MAX || client_secret.len > CREDENTIAL_MAX)
        return secret;
    size_t pair_size = 3 * (client_id.len + client_secret.len) + 1;
    unsigned char *pair = malloc(pair_size);
    if (pair == NULL)
        return secret;

    secret.size = sizeof SCHEME + (pair_size + 2) / 3 * 4;
    void *pages = mmap(NULL, secret.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages != MAP_FAILED) {
        madvise(pages, secret.size, MADV_DONTDUMP); /* a kernel without it is no reason to refuse work */
        char *end = put_encoded((char *)pair, client_id);
        *end++ = ':';
        end = put_encoded(end, client_secret);
        secret.text = pages;
        char *encoded = put(secret.text, SCHEME, sizeof SCHEME - 1);
        EVP_EncodeBlock((unsigned char *)encoded, pair, (int)(end - (char *)pair));
    }
    OPENSSL_cleanse(pair, pair_size);
    free(pair);
    return secret;
}

void introspection_secret_free(struct introspection_secret secret)
{
    if (secret.text == NULL)
        return;
    OPENSSL_cleanse(secret.text, secret.size);
    munmap(secret.text, secret.size);
}
