// SPDX-License-Identifier: Apache-2.0
//
// Tests of the content coding: gzip members, damage, limits, names of codings.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "intake/inflate.h"
#include "intake_fixture.h"
#include "suites.h"

/* One gzip member, on the heap. */
static struct slice gzip(struct slice text)
{
    z_stream stream = {0};
    ck_assert_int_eq(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t size = deflateBound(&stream, text.len);
    char *out = malloc(size);
    ck_assert_ptr_nonnull(out);
    stream.next_in = (Bytef *)(uintptr_t)text.ptr;
    stream.avail_in = (uInt)text.len;
    stream.next_out = (Bytef *)out;
    stream.avail_out = (uInt)size;
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    size -= stream.avail_out;
    deflateEnd(&stream);
    return (struct slice){out, size};
}

static struct slice join(struct slice a, struct slice b)
{
    char *out = malloc(a.len + b.len);
    ck_assert_ptr_nonnull(out);
    memcpy(out, a.ptr, a.len);
    memcpy(out + a.len, b.ptr, b.len);
    return (struct slice){out, a.len + b.len};
}

static void release(struct slice s)
{
    free((char *)(uintptr_t)s.ptr);
}

/* Inflates; the result must be what is expected, and the text when that is INFLATE_OK. */
static void must_inflate(struct slice raw, size_t limit, enum inflate_result expected, struct slice text)
{
    struct arena arena;
    struct slice body;
    arena_init(&arena, NULL);
    ck_assert_int_eq((int)inflate_body(&arena, raw, limit, &body), (int)expected);
    if (expected == INFLATE_OK)
        ck_assert(slice_equal(body, text));
    arena_free(&arena);
}

static struct slice text_of_size(size_t size)
{
    char *out = malloc(size > 0 ? size : 1);
    ck_assert_ptr_nonnull(out);
    unsigned state = 1;
    for (size_t i = 0; i < size; i++) {
        state = state * 1103515245 + 12345;
        out[i] = (char)('a' + (state >> 16) % 16);
    }
    return (struct slice){out, size};
}

START_TEST(test_sizes_around_the_limit)
{
    static const size_t sizes[] = {0, 1, 1023, 1024, 1025, 4096, 100000, 3000000};
    struct slice text = text_of_size(sizes[_i]), raw = gzip(text);
    must_inflate(raw, text.len, INFLATE_OK, text);
    must_inflate(raw, text.len + 1, INFLATE_OK, text);
    must_inflate(raw, SIZE_MAX, INFLATE_OK, text);
    if (text.len > 0)
        must_inflate(raw, text.len - 1, INFLATE_TOO_LARGE, SLICE_ABSENT);
    release(raw);
    release(text);
}
END_TEST

START_TEST(test_several_members)
{
    struct slice first = text_of_size(70000), second = text_of_size(10);
    struct slice raw_first = gzip(first), raw_second = gzip(second);
    struct slice text = join(first, second), raw = join(raw_first, raw_second);
    must_inflate(raw, text.len, INFLATE_OK, text);
    must_inflate(raw, text.len - 1, INFLATE_TOO_LARGE, SLICE_ABSENT);
    release(raw);
    release(text);
    release(raw_first);
    release(raw_second);
    release(first);
    release(second);
}
END_TEST

START_TEST(test_every_truncation_is_broken)
{
    struct slice text = text_of_size(300), raw = gzip(text);
    for (size_t n = 0; n < raw.len; n++)
        must_inflate((struct slice){raw.ptr, n}, 1000, INFLATE_BROKEN, SLICE_ABSENT);
    release(raw);
    release(text);
}
END_TEST

START_TEST(test_damage_and_garbage)
{
    struct slice text = text_of_size(300), raw = gzip(text);
    struct slice garbage = join(raw, SLICE_LITERAL("garbage")), zero = join(raw, SLICE_LITERAL("\0"));
    must_inflate(garbage, 1000, INFLATE_BROKEN, SLICE_ABSENT);
    must_inflate(zero, 1000, INFLATE_BROKEN, SLICE_ABSENT);
    must_inflate(SLICE_LITERAL("[]"), 1000, INFLATE_BROKEN, SLICE_ABSENT);
    must_inflate(SLICE_LITERAL("not gzip at all, but long enough"), 1000, INFLATE_BROKEN, SLICE_ABSENT);
    ((char *)(uintptr_t)raw.ptr)[raw.len - 6] ^= 1; /* the checksum */
    must_inflate(raw, 1000, INFLATE_BROKEN, SLICE_ABSENT);
    release(garbage);
    release(zero);
    release(raw);
    release(text);
}
END_TEST

/* Little input, much output: memory stays near the limit. */
START_TEST(test_bomb)
{
    size_t size = (size_t)64 * 1024 * 1024;
    char *blanks = malloc(size);
    ck_assert_ptr_nonnull(blanks);
    memset(blanks, ' ', size);
    struct slice raw = gzip((struct slice){blanks, size}), body;
    free(blanks);
    struct budget budget = {.limit = 3 * 1024 * 1024};
    struct arena arena;
    arena_init(&arena, &budget);
    ck_assert_int_eq((int)inflate_body(&arena, raw, 1024 * 1024, &body), INFLATE_TOO_LARGE);
    arena_free(&arena);
    release(raw);
}
END_TEST

/* A body that announces a wrong size gets what it really needs. */
START_TEST(test_announced_size_is_only_a_hint)
{
    struct slice text = text_of_size(50000), first = gzip(text), empty = gzip(SLICE_LITERAL(""));
    struct slice raw = join(first, empty), body;
    must_inflate(raw, 50000, INFLATE_OK, text);
    struct budget budget = {.limit = 6000};
    struct arena arena;
    arena_init(&arena, &budget);
    ck_assert_int_eq((int)inflate_body(&arena, raw, 50000, &body), INFLATE_NO_MEMORY);
    arena_free(&arena);
    ck_assert_uint_eq(atomic_load(&budget.used), 0);
    release(raw);
    release(empty);
    release(first);
    release(text);
}
END_TEST

#define EVENT "{\"type\":\"com.adobe.platform.marketo.activity.standard.openemail\",\"data\":{\"leadId\":1}}"

START_TEST(test_coding_names)
{
    static const struct {
        const char *coding;
        bool gzip, known;
    } cases[] = {{NULL, false, true},       {"", false, true},       {"identity", false, true},
                 {"Identity", false, true}, {"gzip", true, true},    {" GZip\t", true, true},
                 {"x-gzip", true, true},    {"X-GZIP", true, true},  {"deflate", true, false},
                 {"br", false, false},      {"gzipx", true, false},  {"gzip, gzip", true, false},
                 {"gz", true, false},       {"\x01zip", true, false}};
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_start(&fixture);
    struct slice raw = gzip(SLICE_LITERAL(EVENT));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slice body = cases[i].gzip ? raw : SLICE_LITERAL(EVENT);
        const struct record *record = fixture_take_bytes(&fixture, body, cases[i].coding);
        ck_assert_uint_eq(fixture.batch->events, 1);
        if (cases[i].known) {
            ck_assert_int_eq((int)record->dead_letter, DEAD_LETTER_NONE);
            assert_slice(record->event, EVENT);
        } else {
            assert_dead(record, "bad_encoding", "unknown content coding");
            ck_assert(slice_equal(record->event, body));
        }
    }
    release(raw);
    fixture_stop(&fixture);
}
END_TEST

START_TEST(test_bad_bodies_become_dead_letters)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture.config.limits.body = 50;
    fixture_start(&fixture);
    const struct record *record = fixture_take_bytes(&fixture, SLICE_LITERAL(EVENT), "gzip");
    assert_dead(record, "bad_encoding", "not a whole gzip stream");
    assert_slice(record->event, EVENT);
    assert_slice(fixture.batch->body, EVENT);
    ck_assert_int_eq(record->element, -1);
    ck_assert_int_eq(record->topic, -1);
    struct slice raw = gzip(SLICE_LITERAL(EVENT));
    record = fixture_take_bytes(&fixture, raw, "gzip");
    assert_dead(record, "bad_encoding", "more than 50 bytes");
    ck_assert(slice_equal(record->event, raw));
    release(raw);
    record = fixture_take_bytes(&fixture, SLICE_LITERAL(""), "gzip");
    assert_dead(record, "bad_encoding", "not a whole gzip stream");
    fixture_stop(&fixture);
}
END_TEST

Suite *suite_inflate(void)
{
    Suite *suite = suite_create("inflate");
    TCase *tcase = tcase_create("inflate");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_sizes_around_the_limit, 0, 8);
    tcase_add_test(tcase, test_several_members);
    tcase_add_test(tcase, test_every_truncation_is_broken);
    tcase_add_test(tcase, test_damage_and_garbage);
    tcase_add_test(tcase, test_bomb);
    tcase_add_test(tcase, test_announced_size_is_only_a_hint);
    tcase_add_test(tcase, test_coding_names);
    tcase_add_test(tcase, test_bad_bodies_become_dead_letters);
    suite_add_tcase(suite, tcase);
    return suite;
}
