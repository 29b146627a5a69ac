// SPDX-License-Identifier: Apache-2.0
//
// The list of what is wrong with a configuration, kept in the order of the file.
// The thread that loads or checks the configuration runs it.
#include "config/options.h"

#include <stdarg.h>
#include <stdlib.h>

static bool mark_after(struct config_mark a, struct config_mark b)
{
    return a.line > b.line || (a.line == b.line && a.column > b.column);
}

void config_errors_add(struct config_errors *errors, struct config_mark mark, const char *format, ...)
{
    char *message = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&message, format, arguments);
    va_end(arguments);
    if (length < 0) {
        errors->no_memory = true;
        return;
    }
    /* The capacity is not kept: it doubles whenever the count is a power of two. */
    size_t count = errors->count;
    if ((count & (count - 1)) == 0) {
        size_t capacity = count == 0 ? 1 : count * 2;
        struct config_error *items = reallocarray(errors->items, capacity, sizeof *items);
        if (items == NULL) {
            free(message);
            errors->no_memory = true;
            return;
        }
        errors->items = items;
    }
    size_t at = count;
    while (at > 0 && mark_after(errors->items[at - 1].mark, mark))
        at--;
    memmove(&errors->items[at + 1], &errors->items[at], (count - at) * sizeof *errors->items);
    errors->items[at] = (struct config_error){mark, message};
    errors->count++;
}

void config_errors_print(const struct config_errors *errors, const char *path, FILE *out)
{
    for (size_t i = 0; i < errors->count; i++) {
        const struct config_error *error = &errors->items[i];
        if (error->mark.line == 0)
            fprintf(out, "%s: %s\n", path, error->message);
        else
            fprintf(out, "%s:%u:%u: %s\n", path, error->mark.line, error->mark.column, error->message);
    }
    if (errors->no_memory)
        fprintf(out, "%s: out of memory, not everything that is wrong is told\n", path);
}

void config_errors_free(struct config_errors *errors)
{
    for (size_t i = 0; i < errors->count; i++)
        free(errors->items[i].message);
    free(errors->items);
    *errors = (struct config_errors){.items = NULL};
}

const char *config_quote(struct slice text, char out[CONFIG_QUOTE_MAX])
{
    static const char more[] = "...";
    size_t room = CONFIG_QUOTE_MAX - 3 - sizeof more; /* quotes, NUL, and `more` with its own NUL */
    size_t length = text.len;
    if (length > room) {
        length = room;
        /* Not in the middle of a UTF-8 character. */
        while (length > 0 && ((unsigned char)text.ptr[length] & 0xc0) == 0x80)
            length--;
    }
    size_t n = 0;
    out[n++] = '\'';
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        out[n++] = c < 0x20 || c == 0x7f ? '?' : text.ptr[i];
    }
    if (length < text.len) {
        memcpy(out + n, more, sizeof more - 1);
        n += sizeof more - 1;
    }
    out[n++] = '\'';
    out[n] = '\0';
    return out;
}
