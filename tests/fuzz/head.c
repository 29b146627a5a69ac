// SPDX-License-Identifier: Apache-2.0
//
// HTTP/1 heads: http1_head_is_sound against the parser that h2o itself uses. Whatever that
// parser takes for a request is sound exactly when the fields it found have one length or one
// coding at most, and no folded line.
#include <strings.h>

#include "fuzz.h"
#include "server/internal.h"

/* picohttpparser, inside libh2o, which does not install its header. */
struct phr_header {
    const char *name;
    size_t name_len;
    const char *value;
    size_t value_len;
};
int phr_parse_request(const char *buf, size_t len, const char **method, size_t *method_len, const char **path,
                      size_t *path_len, int *minor_version, struct phr_header *headers, size_t *num_headers,
                      size_t last_len);

#define HEADERS_MAX 100 /* as in h2o */

static bool name_is(const struct phr_header *header, struct slice name)
{
    return header->name_len == name.len && strncasecmp(header->name, name.ptr, name.len) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice head = {(const char *)data, size};
    bool coded, sound = http1_head_is_sound(head, &coded);

    struct phr_header headers[HEADERS_MAX];
    size_t count = HEADERS_MAX, method_length, path_length;
    const char *method, *path;
    int minor;
    if (phr_parse_request(head.ptr, head.len, &method, &method_length, &path, &path_length, &minor, headers,
                          &count, 0) <= 0)
        return 0;
    size_t lengths = 0, codings = 0, folded = 0;
    for (size_t i = 0; i < count; i++) {
        folded += headers[i].name == NULL;
        lengths += headers[i].name != NULL && name_is(&headers[i], SLICE_LITERAL("content-length"));
        codings += headers[i].name != NULL && name_is(&headers[i], SLICE_LITERAL("transfer-encoding"));
    }
    fuzz_check(!sound || coded == (codings > 0));
    fuzz_check(sound == (folded == 0 && lengths + codings <= 1));
    return 0;
}
