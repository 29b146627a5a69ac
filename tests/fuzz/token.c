// SPDX-License-Identifier: Apache-2.0
//
// Authorization headers: what token_find offers lies in the header, without blanks around it,
// and `Bearer X` and `Token X` offer X, whatever it is.
#include "auth/token.h"

#include <stdlib.h>

#include "fuzz.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_trimmed(struct slice s)
{
    return s.len > 0 && !is_blank(s.ptr[0]) && !is_blank(s.ptr[s.len - 1]);
}

static struct slice trim(struct slice s)
{
    while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
        s.len--;
    while (s.len > 0 && is_blank(s.ptr[0]))
        s = (struct slice){s.ptr + 1, s.len - 1};
    return s;
}

/* The input behind a scheme is offered again, whole. */
static void check_scheme(const char *scheme, struct slice token)
{
    size_t length = strlen(scheme);
    char *text = fuzz_alloc(length + token.len);
    memcpy(text, scheme, length);
    if (token.len > 0)
        memcpy(text + length, token.ptr, token.len);
    struct token_offer offer = token_find((struct slice){text, length + token.len});
    struct slice wanted = trim(token);
    fuzz_check(wanted.len == 0 ? !slice_present(offer.bare) && !slice_present(offer.after_scheme)
                               : slice_equal(offer.after_scheme, wanted));
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice header = {(const char *)data, size};
    struct token_offer offer = token_find(header);
    if (slice_present(offer.bare)) {
        fuzz_check(is_trimmed(offer.bare) && fuzz_is_part(offer.bare, header));
        fuzz_check(slice_equal(offer.bare, trim(header)));
    }
    if (slice_present(offer.after_scheme)) {
        fuzz_check(is_trimmed(offer.after_scheme) && fuzz_is_part(offer.after_scheme, offer.bare));
        fuzz_check(offer.after_scheme.ptr + offer.after_scheme.len == offer.bare.ptr + offer.bare.len);
    }
    check_scheme("Bearer ", header);
    check_scheme("\t bEARER\t", header);
    check_scheme("tOKEN  ", header);
    return 0;
}
