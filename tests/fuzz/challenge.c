// SPDX-License-Identifier: Apache-2.0
//
// The challenge in a query, which anybody may send: it is found where a second, plainer reading finds it, and
// decoded to what libcurl makes of it, or refused.
#include <ctype.h>
#include <curl/curl.h>
#include <stdlib.h>

/* Its functions are its own. */
#include "server/challenge.c"

#include "fuzz.h"

static const struct slice name = SLICE_LITERAL("challenge");

/* The first of the parts between '&' that is the name, or begins with it and '='. */
static struct slice find_plainly(struct slice query)
{
    for (size_t start = 0, at = 0; at <= query.len; at++) {
        if (at < query.len && query.ptr[at] != '&')
            continue;
        struct slice part = {query.ptr + start, at - start};
        start = at + 1;
        if (!slice_starts_with(part, name))
            continue;
        if (part.len == name.len)
            /* At the very end there is nothing left to be a part. */
            return (struct slice){part.ptr + name.len, 0};
        if (part.ptr[name.len] == '=')
            return (struct slice){part.ptr + name.len + 1, part.len - name.len - 1};
    }
    return SLICE_ABSENT;
}

static bool escapes_are_whole(struct slice value)
{
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] == '%' && (value.len - i < 3 || !isxdigit((unsigned char)value.ptr[i + 1]) ||
                                    !isxdigit((unsigned char)value.ptr[i + 2])))
            return false;
    return true;
}

static bool is_printable(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < ' ' || text.ptr[i] > '~')
            return false;
    return text.len > 0 && text.len <= CHALLENGE_MAX;
}

static void check_value(struct slice value)
{
    char *out = fuzz_alloc(CHALLENGE_MAX);
    int length = decode_challenge(value, out);
    fuzz_check(length == -1 || (length >= 1 && length <= CHALLENGE_MAX));

    char *blanks = fuzz_copy(value);
    for (size_t i = 0; i < value.len; i++)
        blanks[i] = blanks[i] == '+' ? ' ' : blanks[i];
    int decoded_length = 0;
    /* To libcurl, a length of 0 is that of a C string. */
    char *decoded = value.len == 0 ? NULL : curl_easy_unescape(NULL, blanks, (int)value.len, &decoded_length);
    struct slice expected = {decoded, (size_t)decoded_length};
    bool good = decoded != NULL && escapes_are_whole(value) && is_printable(expected);
    fuzz_check(good == (length >= 0));
    fuzz_check(!good || slice_equal(expected, (struct slice){out, (size_t)length}));
    curl_free(decoded);
    free(blanks);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice query = {(const char *)data, size};
    struct slice found = query_value(query, name), expected = find_plainly(query);
    fuzz_check(slice_present(found) == slice_present(expected));
    if (slice_present(found)) {
        fuzz_check(found.ptr == expected.ptr && found.len == expected.len && fuzz_is_part(found, query));
        check_value(found);
    }
    check_value(query);
    return 0;
}
