// SPDX-License-Identifier: Apache-2.0
//
// The strict walk over JSON. This is the hot path of the bridge: strings are
// passed eight bytes at a time, UTF-8 is looked at only from the first byte of
// 0x80 or more, and the kinds of the open containers are one bit each.
#include "intake/json.h"

#define WORD_BITS 64
#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

void json_init(struct json *json, struct slice text, struct arena *arena)
{
    *json = (struct json){.arena = arena};
    json->start = (const unsigned char *)text.ptr;
    json->next = json->start;
    json->end = json->start + text.len;
    json->stack = json->first_words;
    json->stack_words = sizeof json->first_words / sizeof json->first_words[0];
    if (slice_starts_with(text, SLICE_LITERAL("\xef\xbb\xbf")))
        json->next += 3;
}

static bool fail(struct json *json, const unsigned char *at, const char *words)
{
    json->next = at;
    json->error = JSON_ERROR_GRAMMAR;
    json->words = at == json->end ? "the text ends too early" : words;
    return false;
}

static inline const unsigned char *skip_blanks(const unsigned char *p, const unsigned char *end)
{
    while (p < end && *p <= ' ' && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

/* Length of the UTF-8 sequence at p, whose first byte is at least 0x80; 0 when it is not valid. */
static size_t utf8_length(const unsigned char *p, const unsigned char *end)
{
    unsigned char c = p[0];
    size_t length = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (c < 0xc2 || c > 0xf4 || (size_t)(end - p) < length)
        return 0;
    /* The second byte rules out overlong forms, surrogates and what lies above U+10FFFF. */
    unsigned char low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    unsigned char high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    return length;
}

static bool is_hex(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Behind the escape at p (a backslash); NULL on an error. */
static const unsigned char *pass_escape(struct json *json, const unsigned char *p)
{
    const unsigned char *end = json->end;
    if (end - p < 2) {
        fail(json, end, "");
        return NULL;
    }
    switch (p[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return p + 2;
    case 'u':
        for (int i = 2; i < 6; i++) {
            if (p + i == end || !is_hex(p[i])) {
                fail(json, p + i, "\\u without four hex digits");
                return NULL;
            }
        }
        return p + 6;
    default:
        fail(json, p, "unknown escape");
        return NULL;
    }
}

/* Behind the bytes of a string that need no look: anything but quotes, backslashes,
 * control characters and bytes of 0x80 and more. */
static inline const unsigned char *pass_plain(const unsigned char *p, const unsigned char *end)
{
    while (end - p >= 8) {
        uint64_t w;
        memcpy(&w, p, sizeof w);
        uint64_t quote = w ^ EACH_BYTE('"'), backslash = w ^ EACH_BYTE('\\');
        /* The high bit of a byte is set where one of the four is met; a borrow can set
         * it wrongly only in bytes of higher value than one that is right. */
        uint64_t met = ((quote - EACH_BYTE(1)) & ~quote) | ((backslash - EACH_BYTE(1)) & ~backslash) |
                       ((w - EACH_BYTE(0x20)) & ~w) | w;
        met &= EACH_BYTE(0x80);
        if (met == 0) {
            p += 8;
            continue;
        }
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        return p + (__builtin_ctzll(met) >> 3);
#else
        break;
#endif
    }
    while (p < end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\')
        p++;
    return p;
}

/* Behind the string whose opening quote stands before p; NULL on an error. */
static inline const unsigned char *pass_string(struct json *json, const unsigned char *p)
{
    const unsigned char *end = json->end;
    for (;;) {
        p = pass_plain(p, end);
        if (p == end) {
            fail(json, p, "");
            return NULL;
        }
        if (*p == '"')
            return p + 1;
        if (*p == '\\') {
            json->escaped = true;
            p = pass_escape(json, p);
            if (p == NULL)
                return NULL;
        } else if (*p < 0x20) {
            fail(json, p, "control character in a string");
            return NULL;
        } else {
            size_t length = utf8_length(p, end);
            if (length == 0) {
                json->problems |= JSON_PROBLEM_UTF8;
                length = 1;
            }
            p += length;
        }
    }
}

static inline bool is_digit(const unsigned char *p, const unsigned char *end)
{
    return p < end && *p >= '0' && *p <= '9';
}

static const unsigned char *pass_digits(struct json *json, const unsigned char *p)
{
    const unsigned char *end = json->end;
    if (!is_digit(p, end)) {
        fail(json, p, "a digit must stand here");
        return NULL;
    }
    while (is_digit(p, end))
        p++;
    return p;
}

/* Behind the number at p; NULL on an error. A character that cannot follow is found by the caller. */
static const unsigned char *pass_number(struct json *json, const unsigned char *p)
{
    const unsigned char *end = json->end;
    if (*p == '-')
        p++;
    if (p < end && *p == '0')
        p++;
    else
        p = pass_digits(json, p);
    if (p != NULL && p < end && *p == '.')
        p = pass_digits(json, p + 1);
    if (p != NULL && p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        p = pass_digits(json, p);
    }
    return p;
}

static const unsigned char *pass_word(struct json *json, const unsigned char *p, const char *word)
{
    for (; *word != '\0'; word++, p++) {
        if (p == json->end || *p != (unsigned char)*word) {
            fail(json, p, "no JSON value begins like this");
            return NULL;
        }
    }
    return p;
}

/* Behind the string, number or word at p; NULL on an error. */
static inline const unsigned char *pass_scalar(struct json *json, const unsigned char *p)
{
    switch (*p) {
    case '"':
        return pass_string(json, p + 1);
    case 't':
        return pass_word(json, p, "true");
    case 'f':
        return pass_word(json, p, "false");
    case 'n':
        return pass_word(json, p, "null");
    default:
        if (*p == '-' || is_digit(p, json->end))
            return pass_number(json, p);
        fail(json, p, "no JSON value begins like this");
        return NULL;
    }
}

/* Behind a name and its colon; NULL on an error. */
static inline const unsigned char *pass_name(struct json *json, const unsigned char *p)
{
    if (p == json->end || *p != '"') {
        fail(json, p, "a member's name must stand here");
        return NULL;
    }
    p = pass_string(json, p + 1);
    if (p == NULL)
        return NULL;
    p = skip_blanks(p, json->end);
    if (p == json->end || *p != ':') {
        fail(json, p, "a colon must stand here");
        return NULL;
    }
    return p + 1;
}

/* Room for one more level; doubling keeps the work linear. */
static bool grow_stack(struct json *json)
{
    size_t words, size;
    if (__builtin_mul_overflow(json->stack_words, 2, &words) ||
        __builtin_mul_overflow(words, sizeof *json->stack, &size))
        words = 0;
    uint64_t *stack = words == 0 ? NULL : arena_alloc(json->arena, size);
    if (stack == NULL) {
        json->error = JSON_ERROR_MEMORY;
        return false;
    }
    memcpy(stack, json->stack, json->stack_words * sizeof *stack);
    json->stack = stack;
    json->stack_words = words;
    return true;
}

static inline bool push(struct json *json, size_t level, bool object)
{
    if (level / WORD_BITS == json->stack_words && !grow_stack(json))
        return false;
    uint64_t bit = UINT64_C(1) << (level % WORD_BITS);
    uint64_t *word = &json->stack[level / WORD_BITS];
    *word = object ? *word | bit : *word & ~bit;
    return true;
}

bool json_skip(struct json *json, unsigned depth, struct slice *token)
{
    const unsigned char *end = json->end;
    const unsigned char *p = skip_blanks(json->next, end);
    const unsigned char *begin = p;
    size_t level = 0; /* containers opened here and not closed yet */

    for (;;) {
        /* A value begins at p. */
        if (p == end)
            return fail(json, p, "");
        if (*p == '{' || *p == '[') {
            bool object = *p == '{';
            if (!push(json, level, object))
                return false;
            level++;
            if (level > JSON_DEPTH_MAX - depth)
                json->problems |= JSON_PROBLEM_DEPTH;
            p = skip_blanks(p + 1, end);
            if (p == end || *p != (object ? '}' : ']')) {
                if (object) {
                    p = pass_name(json, p);
                    if (p == NULL)
                        return false;
                    p = skip_blanks(p, end);
                }
                continue;
            }
            p++;
            level--;
        } else {
            p = pass_scalar(json, p);
            if (p == NULL)
                return false;
        }
        /* A value has ended before p: close containers up to the next value. */
        for (;;) {
            if (level == 0) {
                json->next = p;
                *token = (struct slice){(const char *)begin, (size_t)(p - begin)};
                return true;
            }
            p = skip_blanks(p, end);
            bool object = (json->stack[(level - 1) / WORD_BITS] >> ((level - 1) % WORD_BITS)) & 1;
            if (p < end && *p == ',') {
                p = skip_blanks(p + 1, end);
                if (object) {
                    p = pass_name(json, p);
                    if (p == NULL)
                        return false;
                    p = skip_blanks(p, end);
                }
                break;
            }
            if (p == end || *p != (object ? '}' : ']'))
                return fail(json, p,
                            object ? "a comma or } must stand here" : "a comma or ] must stand here");
            p++;
            level--;
        }
    }
}

int json_peek(struct json *json)
{
    json->next = skip_blanks(json->next, json->end);
    return json->next == json->end ? -1 : *json->next;
}

void json_enter(struct json *json)
{
    json->next++;
}

/* Passes the comma before a member or element, or the closing bracket. */
static enum json_step next_item(struct json *json, bool *first, char closing, const char *words)
{
    int c = json_peek(json);
    if (c == closing) {
        json->next++;
        return JSON_STEP_END;
    }
    if (*first) {
        *first = false;
        return JSON_STEP_NEXT;
    }
    if (c != ',') {
        fail(json, json->next, words);
        return JSON_STEP_ERROR;
    }
    json->next++;
    json_peek(json);
    return JSON_STEP_NEXT;
}

enum json_step json_next_member(struct json *json, bool *first, struct json_name *name)
{
    enum json_step step = next_item(json, first, '}', "a comma or } must stand here");
    if (step != JSON_STEP_NEXT)
        return step;
    const unsigned char *begin = json->next;
    if (begin == json->end || *begin != '"') {
        fail(json, begin, "a member's name must stand here");
        return JSON_STEP_ERROR;
    }
    json->escaped = false;
    const unsigned char *p = pass_string(json, begin + 1);
    if (p == NULL)
        return JSON_STEP_ERROR;
    name->token = (struct slice){(const char *)begin, (size_t)(p - begin)};
    name->escaped = json->escaped;
    json->next = p;
    if (json_peek(json) != ':') {
        fail(json, json->next, "a colon must stand here");
        return JSON_STEP_ERROR;
    }
    json->next++;
    return JSON_STEP_NEXT;
}

enum json_step json_next_element(struct json *json, bool *first)
{
    return next_item(json, first, ']', "a comma or ] must stand here");
}

bool json_finish(struct json *json)
{
    if (json_peek(json) != -1)
        return fail(json, json->next, "something follows the JSON text");
    return true;
}
