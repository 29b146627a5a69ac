// SPDX-License-Identifier: Apache-2.0
//
// Tests of the strict walk: what RFC 8259 takes and refuses, UTF-8, depth, and
// that hostile nesting costs neither the stack nor quadratic time.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "intake/json.h"
#include "suites.h"

#define BYTES(text) SLICE_LITERAL(text)

struct walked {
    bool ok;
    enum json_error error;
    size_t offset;
    unsigned problems;
    struct slice token;
};

/* Walks a copy of exactly the text's size. */
static struct walked walk(struct slice text, unsigned depth)
{
    struct arena arena;
    struct json json;
    struct walked result = {.ok = false};
    char *exact = malloc(text.len > 0 ? text.len : 1);
    ck_assert_ptr_nonnull(exact);
    memcpy(exact, text.ptr, text.len);
    arena_init(&arena, NULL);
    json_init(&json, (struct slice){exact, text.len}, &arena);
    result.ok = json_skip(&json, depth, &result.token) && json_finish(&json);
    result.error = json.error;
    result.offset = (size_t)(json.next - json.start);
    result.problems = json.problems;
    if (!result.ok) {
        ck_assert_int_eq((int)json.error, JSON_ERROR_GRAMMAR);
        ck_assert_ptr_nonnull(json.words);
        ck_assert_uint_le(result.offset, text.len);
    }
    free(exact);
    arena_free(&arena);
    return result;
}

static const struct slice accepted[] = {
    BYTES("0"),
    BYTES("-0"),
    BYTES("123"),
    BYTES("1.5"),
    BYTES("-1.25e10"),
    BYTES("1E+2"),
    BYTES("1e-2"),
    BYTES("0e0"),
    BYTES("0.1"),
    BYTES("1e400"),
    BYTES("123456789012345678901234567890"),
    BYTES("true"),
    BYTES("false"),
    BYTES("null"),
    BYTES("\"\""),
    BYTES("\"a\""),
    BYTES("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e5\\uD83D\\ude00\""),
    BYTES("\"\\ud800\""),
    BYTES("\"\\u0000\""),
    BYTES("\"\x7f\""),
    BYTES("\"seven b\""),
    BYTES("\"eight by\""),
    BYTES("\"nine byte\""),
    BYTES("\"\xc3\xa5\xe2\x82\xac\xf0\x9f\x98\x80\""),
    BYTES("\"\xe2\x80\xa8\xef\xbf\xbf\""),
    BYTES("[]"),
    BYTES("{}"),
    BYTES("[ ]"),
    BYTES("{ }"),
    BYTES("[1]"),
    BYTES("[1,2]"),
    BYTES("[[],[],{}]"),
    BYTES("{\"a\":1}"),
    BYTES("{\"a\":{\"b\":[{}]},\"c\":[]}"),
    BYTES("{\"\":0}"),
    BYTES("{\"a\":1,\"a\":2}"),
    BYTES(" \t\r\n[ \t\r\n1 , 2 ] \t\r\n"),
    BYTES("{ \"a\" : 1 , \"b\" : [ 1 , { } ] }"),
    BYTES("\xef\xbb\xbf[1]"),
};

START_TEST(test_accepted)
{
    struct walked result = walk(accepted[_i], 0);
    ck_assert_msg(result.ok, "'%s' is refused", accepted[_i].ptr);
    ck_assert_uint_eq(result.problems, 0);
}
END_TEST

static const struct {
    struct slice text;
    size_t offset;
} refused[] = {
    {BYTES(""), 0},
    {BYTES("  "), 2},
    {BYTES("\xef\xbb\xbf"), 3},
    {BYTES("\xef\xbb"), 0},
    {BYTES("[1]\xef\xbb\xbf"), 3},
    {BYTES("\xff\xfe[\0]\0"), 0},
    {BYTES("["), 1},
    {BYTES("]"), 0},
    {BYTES("}"), 0},
    {BYTES("{"), 1},
    {BYTES("[1"), 2},
    {BYTES("[1,"), 3},
    {BYTES("[1,]"), 3},
    {BYTES("[,1]"), 1},
    {BYTES("[1,,2]"), 3},
    {BYTES("[1 2]"), 3},
    {BYTES("[1}"), 2},
    {BYTES("{\"a\":1]"), 6},
    {BYTES("[1]]"), 3},
    {BYTES("[1] x"), 4},
    {BYTES("1 2"), 2},
    {BYTES("{}{}"), 2},
    {BYTES("{,}"), 1},
    {BYTES("{\"a\"}"), 4},
    {BYTES("{\"a\":}"), 5},
    {BYTES("{\"a\" 1}"), 5},
    {BYTES("{\"a\":1,}"), 7},
    {BYTES("{\"a\":1 \"b\":2}"), 7},
    {BYTES("{\"a\":1,,}"), 7},
    {BYTES("{\"a\"::1}"), 5},
    {BYTES("{a:1}"), 1},
    {BYTES("{'a':1}"), 1},
    {BYTES("{1:1}"), 1},
    {BYTES("{null:1}"), 1},
    {BYTES("[\"a\":1]"), 4},
    {BYTES("01"), 1},
    {BYTES("-"), 1},
    {BYTES("-a"), 1},
    {BYTES("+1"), 0},
    {BYTES(".5"), 0},
    {BYTES("1."), 2},
    {BYTES("1.e1"), 2},
    {BYTES("1e"), 2},
    {BYTES("1e+"), 3},
    {BYTES("1.5.2"), 3},
    {BYTES("0x10"), 1},
    {BYTES("-01"), 2},
    {BYTES("1_000"), 1},
    {BYTES("NaN"), 0},
    {BYTES("Infinity"), 0},
    {BYTES("-Infinity"), 1},
    {BYTES("tru"), 3},
    {BYTES("True"), 0},
    {BYTES("nul1"), 3},
    {BYTES("truee"), 4},
    {BYTES("\""), 1},
    {BYTES("\"a"), 2},
    {BYTES("\"abcdefghijk"), 12},
    {BYTES("\"\\"), 2},
    {BYTES("\"\\\""), 3},
    {BYTES("\"\\x41\""), 1},
    {BYTES("\"\\a\""), 1},
    {BYTES("\"\\u12\""), 5},
    {BYTES("\"\\u12g4\""), 5},
    {BYTES("\"\\u123"), 6},
    {BYTES("\"\\U0041\""), 1},
    {BYTES("\"a\nb\""), 2},
    {BYTES("\"a\tb\""), 2},
    {BYTES("\"a\0b\""), 2},
    {BYTES("\"abcdefgh\x1f\""), 9},
    {BYTES("{\"a\nb\":1}"), 3},
    {BYTES("[1]\0"), 3},
    {BYTES("\0"), 0},
    {BYTES("[\f1]"), 1},
    {BYTES("[\v1]"), 1},
    {BYTES("[\xc2\xa0 1]"), 1},
    {BYTES("[1]//x"), 3},
    {BYTES("/*x*/[1]"), 0},
    {BYTES("\xc3\xa5"), 0},
    {BYTES("[\xff]"), 1},
};

START_TEST(test_refused)
{
    struct walked result = walk(refused[_i].text, 0);
    ck_assert_msg(!result.ok, "number %d, '%s', is taken", _i, refused[_i].text.ptr);
    ck_assert_msg(result.offset == refused[_i].offset, "'%s': offset %zu instead of %zu",
                  refused[_i].text.ptr, result.offset, refused[_i].offset);
}
END_TEST

static const struct {
    struct slice text;
    bool valid;
} utf8[] = {
    {BYTES("\"\xc2\x80\""), true},
    {BYTES("\"\xdf\xbf\""), true},
    {BYTES("\"\xe0\xa0\x80\""), true},
    {BYTES("\"\xed\x9f\xbf\""), true},
    {BYTES("\"\xee\x80\x80\""), true},
    {BYTES("\"\xef\xbf\xbf\""), true},
    {BYTES("\"\xf0\x90\x80\x80\""), true},
    {BYTES("\"\xf4\x8f\xbf\xbf\""), true},
    {BYTES("\"abcdefg\xc3\xa5hijklmnop\""), true},
    {BYTES("\"\x80\""), false},
    {BYTES("\"\xbf\""), false},
    {BYTES("\"\xc0\x80\""), false},
    {BYTES("\"\xc1\xbf\""), false},
    {BYTES("\"\xc3\""), false},
    {BYTES("\"\xc3(\""), false},
    {BYTES("\"\xe0\x9f\xbf\""), false},
    {BYTES("\"\xe2\x82\""), false},
    {BYTES("\"\xe2(\xa1\""), false},
    {BYTES("\"\xed\xa0\x80\""), false},
    {BYTES("\"\xed\xbf\xbf\""), false},
    {BYTES("\"\xf0\x8f\xbf\xbf\""), false},
    {BYTES("\"\xf0\x9f\x98\""), false},
    {BYTES("\"\xf4\x90\x80\x80\""), false},
    {BYTES("\"\xf5\x80\x80\x80\""), false},
    {BYTES("\"\xfe\""), false},
    {BYTES("\"\xff\""), false},
    {BYTES("\"\xf8\x88\x80\x80\x80\""), false},
    {BYTES("{\"\xff\":1}"), false},
};

START_TEST(test_utf8)
{
    struct walked result = walk(utf8[_i].text, 0);
    ck_assert(result.ok);
    ck_assert_msg(result.problems == (utf8[_i].valid ? 0 : JSON_PROBLEM_UTF8), "number %d", _i);
}
END_TEST

/* A string may end the text in the middle of a sequence. */
START_TEST(test_utf8_cut_off)
{
    ck_assert(!walk(BYTES("\"\xf0\x9f\x98"), 0).ok);
    ck_assert(!walk(BYTES("\"\xc3"), 0).ok);
}
END_TEST

/* Every byte value at every place of a string of 20 bytes: the fast scan and the slow one agree. */
START_TEST(test_every_byte_everywhere)
{
    for (size_t place = 1; place <= 20; place++) {
        for (int byte = 0; byte < 256; byte++) {
            char text[22];
            memset(text, 'x', sizeof text);
            text[0] = text[21] = '"';
            text[place] = (char)byte;
            struct walked result = walk((struct slice){text, sizeof text}, 0);
            /* A quote or backslash leaves a broken rest, but a backslash before the last quote hides it. */
            bool ok = byte >= 0x20 && byte != '"' && byte != '\\';
            if (byte == '"' && place == 20)
                ok = false;
            ck_assert_msg(result.ok == ok, "byte %d at %zu", byte, place);
            if (ok)
                ck_assert_uint_eq(result.problems, byte >= 0x80 ? JSON_PROBLEM_UTF8 : 0);
        }
    }
}
END_TEST

static struct slice nested(size_t levels, bool objects)
{
    const char *open = objects ? "{\"a\":" : "[";
    size_t width = strlen(open), size = levels * (width + 1) + 1;
    char *text = malloc(size);
    ck_assert_ptr_nonnull(text);
    for (size_t i = 0; i < levels; i++)
        memcpy(text + i * width, open, width);
    text[levels * width] = '1';
    memset(text + levels * width + 1, objects ? '}' : ']', levels);
    return (struct slice){text, size};
}

START_TEST(test_depth)
{
    const bool objects = _i == 1;
    for (size_t levels = 60; levels < 70; levels++) {
        struct slice text = nested(levels, objects);
        struct walked result = walk(text, 0);
        ck_assert(result.ok);
        ck_assert_uint_eq(result.problems, levels > 64 ? JSON_PROBLEM_DEPTH : 0);
        result = walk(text, 3);
        ck_assert_uint_eq(result.problems, levels > 61 ? JSON_PROBLEM_DEPTH : 0);
        free((char *)(uintptr_t)text.ptr);
    }
}
END_TEST

START_TEST(test_millions_of_levels)
{
    const bool objects = _i == 1;
    struct slice text = nested(3000000, objects);
    struct walked result = walk(text, 0);
    ck_assert(result.ok);
    ck_assert_uint_eq(result.problems, JSON_PROBLEM_DEPTH);
    /* Without the closing brackets, and with one wrong bracket in the middle of them. */
    result = walk((struct slice){text.ptr, text.len - 1}, 0);
    ck_assert(!result.ok);
    ck_assert_uint_eq(result.offset, text.len - 1);
    ((char *)(uintptr_t)text.ptr)[text.len - 1500000] = objects ? ']' : '}';
    result = walk(text, 0);
    ck_assert(!result.ok);
    ck_assert_uint_eq(result.offset, text.len - 1500000);
    free((char *)(uintptr_t)text.ptr);
}
END_TEST

START_TEST(test_mixed_containers_close_in_order)
{
    char text[2000];
    size_t n = 0;
    for (int i = 0; i < 300; i++) {
        memcpy(text + n, i % 3 == 0 ? "{\"a\":" : "[", i % 3 == 0 ? 5 : 1);
        n += i % 3 == 0 ? 5 : 1;
    }
    for (int i = 299; i >= 0; i--)
        text[n++] = i % 3 == 0 ? '}' : ']';
    ck_assert(walk((struct slice){text, n}, 0).ok);
    char swap = text[n - 1];
    text[n - 1] = text[n - 2];
    text[n - 2] = swap;
    ck_assert(!walk((struct slice){text, n}, 0).ok);
}
END_TEST

START_TEST(test_no_memory_for_the_stack)
{
    struct slice text = nested(100000, false), token;
    struct budget budget = {.limit = 6000};
    struct arena arena;
    struct json json;
    arena_init(&arena, &budget);
    json_init(&json, text, &arena);
    ck_assert(!json_skip(&json, 0, &token));
    ck_assert_int_eq((int)json.error, JSON_ERROR_MEMORY);
    arena_free(&arena);
    free((char *)(uintptr_t)text.ptr);
}
END_TEST

START_TEST(test_token_is_the_value_without_blanks)
{
    struct arena arena;
    struct json json;
    struct json_name name;
    struct slice token;
    bool first = true;
    arena_init(&arena, NULL);
    json_init(&json, BYTES(" { \"a\" : [ 1 ] , \"b\\n\" : \"x\"\n} "), &arena);
    ck_assert_int_eq(json_peek(&json), '{');
    json_enter(&json);
    ck_assert_int_eq((int)json_next_member(&json, &first, &name), JSON_STEP_NEXT);
    ck_assert(slice_equal(name.token, BYTES("\"a\"")) && !name.escaped);
    ck_assert(json_skip(&json, 1, &token));
    ck_assert(slice_equal(token, BYTES("[ 1 ]")));
    ck_assert_int_eq((int)json_next_member(&json, &first, &name), JSON_STEP_NEXT);
    ck_assert(slice_equal(name.token, BYTES("\"b\\n\"")) && name.escaped);
    ck_assert(json_skip(&json, 1, &token));
    ck_assert(slice_equal(token, BYTES("\"x\"")));
    ck_assert_int_eq((int)json_next_member(&json, &first, &name), JSON_STEP_END);
    ck_assert(json_finish(&json));
    arena_free(&arena);
}
END_TEST

/* The stepping readers refuse what json_skip refuses. */
START_TEST(test_stepping_is_as_strict)
{
    static const char *const bad[] = {"{,}",         "{\"a\"}",    "{\"a\" 1}",         "{\"a\":1,}",
                                      "{\"a\":1 2}", "{\"a\":1",   "{\"a\":1]",         "{1:1}",
                                      "{\"a\":}",    "{\"a\":1,,", "{\"a\":1 \"b\":2}", "{"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct arena arena;
        struct json json;
        struct json_name name;
        struct slice token;
        bool first = true;
        enum json_step step;
        arena_init(&arena, NULL);
        json_init(&json, slice_of(bad[i]), &arena);
        ck_assert_int_eq(json_peek(&json), '{');
        json_enter(&json);
        while ((step = json_next_member(&json, &first, &name)) == JSON_STEP_NEXT) {
            if (!json_skip(&json, 1, &token)) {
                step = JSON_STEP_ERROR;
                break;
            }
        }
        ck_assert_msg(step == JSON_STEP_ERROR, "'%s' is taken", bad[i]);
        ck_assert_int_eq((int)json.error, JSON_ERROR_GRAMMAR);
        arena_free(&arena);
    }
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

Suite *suite_json(void)
{
    Suite *suite = suite_create("json");
    TCase *tcase = tcase_create("json");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_accepted, 0, COUNT(accepted));
    tcase_add_loop_test(tcase, test_refused, 0, COUNT(refused));
    tcase_add_loop_test(tcase, test_utf8, 0, COUNT(utf8));
    tcase_add_test(tcase, test_utf8_cut_off);
    tcase_add_test(tcase, test_every_byte_everywhere);
    tcase_add_loop_test(tcase, test_depth, 0, 2);
    tcase_add_loop_test(tcase, test_millions_of_levels, 0, 2);
    tcase_add_test(tcase, test_mixed_containers_close_in_order);
    tcase_add_test(tcase, test_no_memory_for_the_stack);
    tcase_add_test(tcase, test_token_is_the_value_without_blanks);
    tcase_add_test(tcase, test_stepping_is_as_strict);
    suite_add_tcase(suite, tcase);
    return suite;
}
