// SPDX-License-Identifier: Apache-2.0
//
// Log lines with texts from outside: one line, never longer than a pipe takes at once, UTF-8
// without control characters; as JSON an object that jansson takes, with the fields in it.
// Input: a byte of choices, then texts, each behind a byte that says how often it is repeated.
// Nothing is written (the linker's --wrap).
#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/types.h>

#include "fuzz.h"
#include "telemetry/log.h"

#define CHOICE_JSON 0x01
#define CHOICE_FULL 0x02 /* nobody reads: the line is dropped, and the next one tells */
#define FIELDS_MAX 8
#define TEXT_END '\x1e'
#define LOG_FD 0x10000000 /* no process has so many */

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout);
ssize_t __wrap_write(int fd, const void *bytes, size_t size);
int __real_poll(struct pollfd *fds, nfds_t count, int timeout);
ssize_t __real_write(int fd, const void *bytes, size_t size);

static bool full;
static size_t lines;
static char line[PIPE_BUF];
static size_t line_length;

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    if (count != 1 || fds->fd != LOG_FD)
        return __real_poll(fds, count, timeout);
    fds->revents = full ? 0 : POLLOUT;
    return full ? 0 : 1;
}

ssize_t __wrap_write(int fd, const void *bytes, size_t size)
{
    if (fd != LOG_FD)
        return __real_write(fd, bytes, size);
    fuzz_check(!full && size <= sizeof line);
    memcpy(line, bytes, size);
    line_length = size;
    lines++;
    return (ssize_t)size;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    json_object_seed(1);
    return 0;
}

/* The next text, repeated, in memory of its own; false when there is none. */
static bool next_text(struct slice *rest, struct slice *text)
{
    if (rest->len < 1)
        return false;
    size_t times = (unsigned char)rest->ptr[0] % 64 + 1;
    struct slice once = {rest->ptr + 1, rest->len - 1};
    const char *end = memchr(once.ptr, TEXT_END, once.len);
    if (end != NULL)
        once.len = (size_t)(end - once.ptr);
    size_t used = 1 + once.len + (end != NULL);
    *rest = (struct slice){rest->ptr + used, rest->len - used};
    char *copy = fuzz_alloc(once.len * times);
    for (size_t i = 0; i < times && once.len > 0; i++)
        memcpy(copy + i * once.len, once.ptr, once.len);
    *text = (struct slice){copy, once.len * times};
    return true;
}

static void check_line(bool json, bool dropped, const struct slice *texts, size_t count)
{
    fuzz_check(line_length > 1 && line[line_length - 1] == '\n');
    for (size_t i = 0; i + 1 < line_length; i++)
        fuzz_check((unsigned char)line[i] >= 0x20 && line[i] != 0x7f);
    if (!json) {
        /* A text of UTF-8 is one to jansson as well. */
        json_t *text = json_stringn(line, line_length);
        fuzz_check(text != NULL);
        json_decref(text);
        return;
    }
    json_t *object = json_loadb(line, line_length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    fuzz_check(json_is_object(object));
    fuzz_check(json_is_string(json_object_get(object, "time")));
    fuzz_check(strcmp(json_string_value(json_object_get(object, "level")), "warning") == 0);
    fuzz_check(dropped == json_is_integer(json_object_get(object, "lines_dropped")));
    size_t whole = 0;
    for (size_t i = 0; i < count; i++) {
        const char name[] = {(char)('a' + i), '\0'};
        json_t *value = json_object_get(object, name), *expected = json_stringn(texts[i].ptr, texts[i].len);
        /* A short text of UTF-8 is told as it is. */
        whole += texts[i].len;
        if (expected != NULL && whole <= 128)
            fuzz_check(json_equal(value, expected));
        json_decref(expected);
    }
    json_decref(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    static const char names[FIELDS_MAX][2] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    struct slice rest = {(const char *)data + 1, size - 1}, texts[FIELDS_MAX];
    struct log_field fields[FIELDS_MAX];
    size_t count = 0;
    for (; count < FIELDS_MAX && next_text(&rest, &texts[count]); count++)
        fields[count] = LOG_SLICE(names[count], texts[count]);

    const bool json = (data[0] & CHOICE_JSON) != 0, dropped = (data[0] & CHOICE_FULL) != 0;
    log_configure(LOG_LEVEL_INFO, json ? LOG_FORMAT_JSON : LOG_FORMAT_LOGFMT, LOG_FD);
    lines = 0;
    full = dropped;
    if (dropped)
        log_write(LOG_LEVEL_WARNING, "dropped", fields, count);
    fuzz_check(lines == 0);
    full = false;
    log_write(LOG_LEVEL_WARNING, "a line", fields, count);
    fuzz_check(lines == 1);
    check_line(json, dropped, texts, count);
    for (size_t i = 0; i < count; i++)
        free((char *)(uintptr_t)texts[i].ptr);
    return 0;
}
