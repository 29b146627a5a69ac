// SPDX-License-Identifier: Apache-2.0
//
// A second look at an HTTP/1 head. h2o takes the first of two Content-Length
// fields, or the chunked coding beside one, and goes on; a proxy in front may have
// chosen the other, and the rest of the body would be read as a request. The fields
// themselves are gone from h2o's request, so the bytes are looked at. Any thread.
#include <strings.h>

#include "server/internal.h"

static bool name_is(struct slice name, struct slice wanted)
{
    return name.len == wanted.len && strncasecmp(name.ptr, wanted.ptr, wanted.len) == 0;
}

bool http1_head_is_sound(struct slice head, bool *coded)
{
    size_t lengths = 0, codings = 0;
    const char *line = head.ptr, *end = head.ptr + head.len;
    bool first = true;
    *coded = false;
    while (line < end) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        if (newline == NULL)
            break;
        size_t length = (size_t)(newline - line);
        if (length > 0 && line[length - 1] == '\r')
            length--;
        if (length == 0) {
            if (!first)
                break; /* the end of the head */
        } else if (first) {
            first = false; /* the request line */
        } else {
            if (line[0] == ' ' || line[0] == '\t')
                return false;
            const char *colon = memchr(line, ':', length);
            struct slice name = {line, colon == NULL ? length : (size_t)(colon - line)};
            lengths += name_is(name, SLICE_LITERAL("content-length"));
            codings += name_is(name, SLICE_LITERAL("transfer-encoding"));
        }
        line = newline + 1;
    }
    *coded = codings > 0;
    return lengths <= 1 && codings <= 1 && (lengths == 0 || codings == 0);
}
