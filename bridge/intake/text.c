// SPDX-License-Identifier: Apache-2.0
//
// Texts of small tokens. Only a string with a backslash goes through cJSON; any thread.
#include "intake/text.h"

#include <stdarg.h>
#include <stdio.h>

#include <cjson/cJSON.h>

/* The value of the four hex digits of a \\u escape at p; -1 when no such escape stands there. */
static int code_unit(const char *p, const char *end)
{
    if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
        return -1;
    int code = 0;
    for (int i = 2; i < 6; i++) {
        int c = p[i] | 0x20; /* digits keep their value, letters become small */
        code = code * 16 + (c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return code;
}

/* Whether the escapes of a string token stand for text. cJSON would end the text at
 * a NUL; and with lone surrogates ruled out here, its failure means lack of memory. */
static bool is_decodable(struct slice token)
{
    const char *p = token.ptr, *end = token.ptr + token.len;
    while ((p = memchr(p, '\\', (size_t)(end - p))) != NULL) {
        int code = code_unit(p, end);
        if (code == 0 || (code >= 0xdc00 && code <= 0xdfff))
            return false;
        if (code >= 0xd800 && code <= 0xdbff) {
            p += 6;
            code = code_unit(p, end);
            if (code < 0xdc00 || code > 0xdfff)
                return false;
        }
        p += 2;
    }
    return true;
}

bool text_read(struct arena *arena, struct slice token, struct slice *text)
{
    *text = SLICE_ABSENT;
    if (!slice_present(token))
        return true;
    char c = token.ptr[0];
    if (c == '-' || (c >= '0' && c <= '9')) {
        *text = token;
        return true;
    }
    if (c != '"' || token.len == 2)
        return true;
    if (memchr(token.ptr, '\\', token.len) == NULL) {
        *text = (struct slice){token.ptr + 1, token.len - 2};
        return true;
    }
    if (!is_decodable(token))
        return true;
    cJSON *item = cJSON_ParseWithLengthOpts(token.ptr, token.len, NULL, false);
    if (item == NULL)
        return false;
    *text = arena_copy(arena, slice_of(cJSON_GetStringValue(item)));
    cJSON_Delete(item);
    return slice_present(*text);
}

enum text_result text_decode(struct slice token, char *out, size_t size, size_t *length)
{
    if (!is_decodable(token))
        return TEXT_NONE;
    cJSON *item = cJSON_ParseWithLengthOpts(token.ptr, token.len, NULL, false);
    if (item == NULL)
        return TEXT_NO_MEMORY;
    struct slice text = slice_of(cJSON_GetStringValue(item));
    enum text_result result = TEXT_NONE;
    if (text.len <= size) {
        memcpy(out, text.ptr, text.len);
        *length = text.len;
        result = TEXT_DECODED;
    }
    cJSON_Delete(item);
    return result;
}

const char *text_format(struct arena *arena, const char *format, ...)
{
    char buffer[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(buffer, sizeof buffer, format, arguments);
    va_end(arguments);
    return arena_copy(arena, slice_of(buffer)).ptr;
}

void text_clean(struct slice text, char *out, size_t size)
{
    size_t n = text.len < size - 1 ? text.len : size - 1;
    for (size_t i = 0; i < n; i++)
        out[i] = text.ptr[i] >= 0x20 && text.ptr[i] < 0x7f ? text.ptr[i] : '?';
    out[n] = '\0';
}
