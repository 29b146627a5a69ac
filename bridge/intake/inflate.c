// SPDX-License-Identifier: Apache-2.0
//
// Inflates a gzip body into the batch's arena. Any thread, one call each.
#include "intake/inflate.h"

#include <stdbool.h>
#include <stdint.h>
#include <zlib.h>

#define GZIP_WINDOW (15 + 16)            /* largest window; gzip only */
#define DEFLATE_RATIO_MAX ((size_t)1032) /* deflate cannot do better */
#define FIRST_SIZE_MIN ((size_t)1024)

struct output {
    struct arena *arena;
    char *ptr;
    size_t length, size;
};

static size_t at_most(size_t n, size_t limit)
{
    return n < limit ? n : limit;
}

/* The size that the last member announces, as far as it is credible. It is only a hint. */
static size_t announced_size(struct slice raw, size_t limit)
{
    size_t size = 0;
    if (raw.len >= 4) {
        const unsigned char *p = (const unsigned char *)raw.ptr + raw.len - 4;
        size = (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
    }
    size_t credible;
    if (__builtin_mul_overflow(raw.len, DEFLATE_RATIO_MAX, &credible))
        credible = limit;
    size = at_most(size, credible);
    return at_most(size < FIRST_SIZE_MIN ? FIRST_SIZE_MIN : size, limit);
}

/* Doubles the room. There is one byte more than the limit, which shows that the limit is passed. */
static bool grow(struct output *out, size_t limit)
{
    size_t size = out->size > limit / 2 ? limit : out->size * 2;
    char *ptr = arena_alloc(out->arena, size + 1);
    if (ptr == NULL)
        return false;
    memcpy(ptr, out->ptr, out->length);
    out->ptr = ptr;
    out->size = size;
    return true;
}

/* Feeds everything through the stream. */
static enum inflate_result run(z_stream *stream, struct slice raw, size_t limit, struct output *out)
{
    size_t taken = 0;
    for (;;) {
        /* zlib counts in unsigned int. */
        size_t give = at_most(raw.len - taken, UINT32_MAX / 2);
        size_t room = at_most(out->size + 1 - out->length, UINT32_MAX / 2);
        stream->next_in = (Bytef *)(uintptr_t)raw.ptr + taken;
        stream->avail_in = (uInt)give;
        stream->next_out = (Bytef *)out->ptr + out->length;
        stream->avail_out = (uInt)room;
        int code = inflate(stream, Z_NO_FLUSH);
        taken += give - stream->avail_in;
        out->length += room - stream->avail_out;
        if (code == Z_MEM_ERROR)
            return INFLATE_NO_MEMORY;
        if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
            return INFLATE_BROKEN;
        if (out->length > limit)
            return INFLATE_TOO_LARGE;
        if (code == Z_STREAM_END) {
            if (taken == raw.len)
                return INFLATE_OK;
            if (inflateReset(stream) != Z_OK)
                return INFLATE_BROKEN;
        } else if (out->length > out->size) {
            if (!grow(out, limit))
                return INFLATE_NO_MEMORY;
        } else if (taken == raw.len) {
            return INFLATE_BROKEN; /* cut off */
        }
    }
}

enum inflate_result inflate_body(struct arena *arena, struct slice raw, size_t limit, struct slice *body)
{
    struct output out = {.arena = arena, .size = announced_size(raw, limit)};
    out.ptr = arena_alloc(arena, out.size + 1);
    if (out.ptr == NULL)
        return INFLATE_NO_MEMORY;
    z_stream stream = {0};
    int code = inflateInit2(&stream, GZIP_WINDOW);
    if (code != Z_OK)
        return INFLATE_NO_MEMORY;
    enum inflate_result result = run(&stream, raw, limit, &out);
    inflateEnd(&stream);
    if (result != INFLATE_OK)
        return result;
    arena_shrink_last(arena, out.size + 1 - out.length);
    *body = (struct slice){out.ptr, out.length};
    return INFLATE_OK;
}
