// SPDX-License-Identifier: Apache-2.0
//
// Two strict parsers on the same bytes: our walk and jansson. Our walk accepts exactly what
// jansson accepts, in one piece and step by step, and what both read of it is the same, but for:
//
// - a byte order mark in front: skipped by us, refused by jansson; it is taken off here first;
// - \u0000, and surrogates without their partner: not looked at by the walk (`data` is never
//   decoded), refused by jansson; in a text that we accept such escapes are replaced here first;
// - numbers that no double or int64_t holds: texts to us; jansson refuses them, with its own error code;
// - depth: not a matter of grammar to us (a problem from the 65th level on), refused by jansson
//   from the 2049th on;
// - UTF-8 that is not valid: a problem of the event to us, refused by jansson;
// - a NUL byte: refused by us wherever it stands; jansson loses sight of one behind a number.
//
// Repeated members are accepted by both; jansson keeps the last.
#include "intake/json.h"

#include <jansson.h>
#include <stdlib.h>

#include "fuzz.h"
#include "intake/text.h"

#define JANSSON_FLAGS (JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL)
#define JANSSON_DEPTH_MAX 2048
#define STEPPED_LEVELS 4 /* the rest is skipped over */

static struct arena arena;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    json_object_seed(1);
    return 0;
}

/* ---- our walk, in two ways ---- */

struct verdict {
    bool accepted;
    unsigned problems;
    size_t offset; /* where a refused text is wrong */
};

static struct verdict skip_all(struct slice text)
{
    struct json json;
    struct slice token;
    json_init(&json, text, &arena);
    bool accepted = json_skip(&json, 0, &token) && json_finish(&json);
    fuzz_check(accepted == (json.error == JSON_ERROR_NONE));
    fuzz_check(json.error != JSON_ERROR_MEMORY);
    fuzz_check(accepted || (json.words != NULL && json.next >= json.start && json.next <= json.end));
    return (struct verdict){accepted, json.problems, (size_t)(json.next - json.start)};
}

static bool step_value(struct json *json, unsigned level)
{
    int c = json_peek(json);
    struct slice token;
    bool first = true;
    enum json_step step;
    if (level == STEPPED_LEVELS || (c != '{' && c != '['))
        return json_skip(json, level, &token);
    json_enter(json);
    if (c == '[') {
        while ((step = json_next_element(json, &first)) == JSON_STEP_NEXT) {
            if (!step_value(json, level + 1))
                return false;
        }
    } else {
        struct json_name name;
        while ((step = json_next_member(json, &first, &name)) == JSON_STEP_NEXT) {
            fuzz_check(name.token.len >= 2 && name.token.ptr[0] == '"');
            fuzz_check(name.escaped == (memchr(name.token.ptr, '\\', name.token.len) != NULL));
            if (!step_value(json, level + 1))
                return false;
        }
    }
    return step == JSON_STEP_END;
}

static struct verdict step_all(struct slice text)
{
    struct json json;
    json_init(&json, text, &arena);
    bool accepted = step_value(&json, 0) && json_finish(&json);
    return (struct verdict){accepted, json.problems, (size_t)(json.next - json.start)};
}

/* ---- the same text for jansson ---- */

static unsigned hex4(const char *p)
{
    unsigned code = 0;
    for (int i = 0; i < 4; i++) {
        unsigned c = (unsigned char)p[i];
        code = code * 16 + (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return code;
}

static bool is_low(unsigned code)
{
    return code >= 0xdc00 && code <= 0xdfff;
}

/* In a text that our walk accepts, a backslash begins an escape. Those that stand for no text become \u0041.
 */
static void replace_escapes(char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] != '\\')
            continue;
        if (text[++i] != 'u')
            continue;
        unsigned code = hex4(text + i + 1);
        bool pair = code >= 0xd800 && code <= 0xdbff && length - i > 10 && text[i + 5] == '\\' &&
                    text[i + 6] == 'u' && is_low(hex4(text + i + 7));
        if (pair)
            i += 10;
        else if (code == 0 || (code >= 0xd800 && code <= 0xdfff))
            memcpy(text + i + 1, "0041", 4);
    }
}

/* ---- what both have read ---- */

/* As it came, before escapes were replaced; and the copy in which they were. */
static struct slice original, replaced;

/* A string with an escape that stands for no text says nothing, whoever reads it. */
static void check_original(struct slice token)
{
    struct slice came = {original.ptr + (token.ptr - replaced.ptr), token.len}, text;
    char unused[1];
    size_t length;
    if (slice_equal(came, token))
        return;
    fuzz_check(text_read(&arena, came, &text) && !slice_present(text));
    fuzz_check(text_decode(came, unused, sizeof unused, &length) == TEXT_NONE);
}

static void compare_value(struct slice token, const json_t *value)
{
    struct slice text;
    fuzz_check(value != NULL);
    fuzz_check(text_read(&arena, token, &text));
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        fuzz_check(token.ptr[0] == '{' && token.ptr[token.len - 1] == '}' && !slice_present(text));
        break;
    case JSON_ARRAY:
        fuzz_check(token.ptr[0] == '[' && token.ptr[token.len - 1] == ']' && !slice_present(text));
        break;
    case JSON_STRING: {
        check_original(token);
        struct slice other = {json_string_value(value), json_string_length(value)};
        fuzz_check(token.ptr[0] == '"' && slice_present(text) == (other.len > 0));
        fuzz_check(other.len == 0 || slice_equal(text, other));
        /* The same by the other reader, which needs no arena. */
        char *decoded = fuzz_alloc(other.len);
        size_t length = 0;
        fuzz_check(text_decode(token, decoded, other.len, &length) == TEXT_DECODED);
        fuzz_check(slice_equal((struct slice){decoded, length}, other));
        free(decoded);
        break;
    }
    case JSON_INTEGER:
    case JSON_REAL: {
        fuzz_check(slice_equal(text, token));
        char *digits = fuzz_alloc(token.len + 1);
        memcpy(digits, token.ptr, token.len);
        digits[token.len] = '\0';
        char *end;
        double number = strtod(digits, &end);
        fuzz_check(*end == '\0' && number == json_real_value(value));
        free(digits);
        break;
    }
    case JSON_TRUE:
        fuzz_check(slice_equal(token, SLICE_LITERAL("true")) && !slice_present(text));
        break;
    case JSON_FALSE:
        fuzz_check(slice_equal(token, SLICE_LITERAL("false")) && !slice_present(text));
        break;
    case JSON_NULL:
        fuzz_check(slice_equal(token, SLICE_LITERAL("null")) && !slice_present(text));
        break;
    }
}

/* Each member of an object at the top; of repeated ones the last. */
static void compare_object(struct json *json, const json_t *object)
{
    struct json_name name;
    bool first = true;
    size_t members = 0;
    json_t *seen = json_object();
    json_enter(json);
    while (json_next_member(json, &first, &name) == JSON_STEP_NEXT) {
        struct slice token, text;
        fuzz_check(json_skip(json, 1, &token));
        fuzz_check(text_read(&arena, name.token, &text));
        if (!slice_present(text))
            text = SLICE_LITERAL("");
        char *key = strndup(text.ptr, text.len);
        const json_t *value = json_object_get(object, key);
        fuzz_check(value != NULL);
        /* A repeated name counts once, and only its last value can be compared. */
        members += json_object_get(seen, key) == NULL;
        json_object_set_new(
            seen, key, json_pack("[I,I]", (json_int_t)(token.ptr - replaced.ptr), (json_int_t)token.len));
        free(key);
    }
    fuzz_check(members == json_object_size(object));
    for (void *at = json_object_iter(seen); at != NULL; at = json_object_iter_next(seen, at)) {
        const json_t *place = json_object_iter_value(at);
        struct slice token = {replaced.ptr + json_integer_value(json_array_get(place, 0)),
                              (size_t)json_integer_value(json_array_get(place, 1))};
        compare_value(token, json_object_get(object, json_object_iter_key(at)));
    }
    json_decref(seen);
}

static void compare_top(struct slice text, const json_t *value)
{
    struct json json;
    struct slice token;
    json_init(&json, text, &arena);
    int c = json_peek(&json);
    if (c == '{') {
        compare_object(&json, value);
    } else if (c == '[') {
        bool first = true;
        size_t i = 0;
        json_enter(&json);
        for (; json_next_element(&json, &first) == JSON_STEP_NEXT; i++) {
            fuzz_check(json_skip(&json, 1, &token));
            compare_value(token, json_array_get(value, i));
        }
        fuzz_check(i == json_array_size(value));
    } else {
        fuzz_check(json_skip(&json, 0, &token));
        compare_value(token, value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = {(const char *)data, size};
    arena_init(&arena, NULL);
    struct verdict ours = skip_all(input), stepped = step_all(input);
    fuzz_check(ours.accepted == stepped.accepted && ours.problems == stepped.problems);
    fuzz_check(ours.accepted || ours.offset == stepped.offset);

    original = input;
    if (slice_starts_with(original, SLICE_LITERAL("\xef\xbb\xbf")))
        original = (struct slice){original.ptr + 3, original.len - 3};
    if (original.len > 0 && memchr(original.ptr, '\0', original.len) != NULL) {
        fuzz_check(!ours.accepted);
        arena_free(&arena);
        return 0;
    }
    json_t *utf8 = json_stringn(original.ptr, original.len); /* or NULL */
    fuzz_check(!ours.accepted ||
               (ours.problems & JSON_PROBLEM_UTF8) == (utf8 == NULL ? JSON_PROBLEM_UTF8 : 0));
    json_decref(utf8);

    char *copy = fuzz_copy(original);
    replaced = (struct slice){copy, original.len};
    if (ours.accepted)
        replace_escapes(copy, replaced.len);
    json_error_t error;
    json_t *value = json_loadb(copy, replaced.len, JANSSON_FLAGS, &error);
    if (value != NULL) {
        fuzz_check(ours.accepted && (ours.problems & JSON_PROBLEM_UTF8) == 0);
        compare_top(replaced, value);
        json_decref(value);
    } else if (ours.accepted && (ours.problems & JSON_PROBLEM_UTF8) == 0) {
        enum json_error_code code = json_error_code(&error);
        fuzz_check(code == json_error_numeric_overflow ||
                   (code == json_error_stack_overflow && replaced.len > JANSSON_DEPTH_MAX));
    }
    free(copy);
    arena_free(&arena);
    return 0;
}
