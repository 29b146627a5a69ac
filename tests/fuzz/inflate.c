// SPDX-License-Identifier: Apache-2.0
//
// Bodies with the coding gzip: the same bytes through inflate_body and through a plain loop
// around zlib that has all the room at once. Each must say the same and give the same bytes.
// First byte: the limit, and whether what follows is a gzip stream as it is or the inside of a
// member, which is then given a head and a right checksum, since no fuzzer guesses those.
#include "intake/inflate.h"

#include <stdlib.h>
#include <zlib.h>

#include "fuzz.h"

#define CHOICE_INSIDE 0x80
#define LIMIT_STEP 257 /* so that limits are no round numbers */
#define LIMIT_MAX ((size_t)0x7f * LIMIT_STEP)
#define HEAD_SIZE 10
#define TAIL_SIZE 8

static struct budget budget = {.limit = (size_t)64 * 1024 * 1024};
static z_stream streams[2]; /* for gzip, and for what is inside */
static unsigned char room[LIMIT_MAX + 1];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    fuzz_check(inflateInit2(&streams[0], 15 + 16) == Z_OK && inflateInit2(&streams[1], -15) == Z_OK);
    return 0;
}

/* ---- what is to be expected ---- */

static enum inflate_result expect(struct slice raw, size_t limit, size_t *length)
{
    z_stream *stream = &streams[0];
    inflateReset(stream);
    stream->next_in = (Bytef *)(uintptr_t)raw.ptr;
    stream->avail_in = (uInt)raw.len;
    stream->next_out = room;
    stream->avail_out = (uInt)limit + 1;
    int code;
    while ((code = inflate(stream, Z_NO_FLUSH)) == Z_STREAM_END && stream->avail_in > 0 &&
           stream->avail_out > 0)
        inflateReset(stream);
    *length = limit + 1 - stream->avail_out;
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
        return INFLATE_BROKEN;
    if (*length > limit)
        return INFLATE_TOO_LARGE;
    return code == Z_STREAM_END ? INFLATE_OK : INFLATE_BROKEN;
}

/* ---- a member around its inside ---- */

static void put_le32(unsigned char *out, size_t value)
{
    for (int i = 0; i < 4; i++)
        out[i] = (unsigned char)(value >> 8 * i);
}

static struct slice wrap(struct slice inside)
{
    static const unsigned char head[HEAD_SIZE] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3};
    z_stream *stream = &streams[1];
    inflateReset(stream);
    stream->next_in = (Bytef *)(uintptr_t)inside.ptr;
    stream->avail_in = (uInt)inside.len;
    stream->next_out = room;
    stream->avail_out = sizeof room;
    inflate(stream, Z_NO_FLUSH);
    size_t length = sizeof room - stream->avail_out;
    inside.len -= stream->avail_in; /* what follows the last block would stand where the tail must */

    unsigned char *out = fuzz_alloc(inside.len + HEAD_SIZE + TAIL_SIZE);
    memcpy(out, head, sizeof head);
    if (inside.len > 0)
        memcpy(out + HEAD_SIZE, inside.ptr, inside.len);
    put_le32(out + HEAD_SIZE + inside.len, crc32(0, room, (uInt)length));
    put_le32(out + HEAD_SIZE + inside.len + 4, length);
    return (struct slice){(char *)out, inside.len + HEAD_SIZE + TAIL_SIZE};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct slice raw = {(const char *)data + 1, size - 1};
    const size_t limit = (size_t)(data[0] & ~CHOICE_INSIDE) * LIMIT_STEP;
    raw = data[0] & CHOICE_INSIDE ? wrap(raw) : (struct slice){fuzz_copy(raw), raw.len};

    struct arena arena;
    struct slice body = SLICE_ABSENT;
    arena_init(&arena, &budget);
    enum inflate_result result = inflate_body(&arena, raw, limit, &body);
    size_t length;
    enum inflate_result expected = expect(raw, limit, &length);
    fuzz_check(result == expected);
    fuzz_check(result == INFLATE_OK ? slice_present(body) && body.len == length && body.len <= limit &&
                                          memcmp(body.ptr, room, length) == 0
                                    : !slice_present(body));
    /* Memory follows what comes out and the limit, not what the input says of itself. */
    fuzz_check(atomic_load(&budget.used) <= 8 * limit + 65536);
    free((char *)(uintptr_t)raw.ptr);
    arena_free(&arena);
    fuzz_check(atomic_load(&budget.used) == 0);
    return 0;
}
