// SPDX-License-Identifier: Apache-2.0
//
// Builds and writes one log line; runs on whichever thread logs.
//
// A line is built in a buffer of PIPE_BUF bytes on the stack: a write of that
// size to a pipe is never mixed with another process's, so a container's log reader
// never sees two halves. A reader that stands still must not stop the threads that
// log, which have deadlines to keep: a line that would have to wait is dropped and counted.
#include "telemetry/log.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "telemetry/utf8.h"

/* What must still fit behind a value: the mark of a cut, a quote, '}' and '\n'. */
#define LINE_RESERVE 8
/* The longest piece one code point can become: \u00XX, or four bytes as they are. */
#define PIECE_MAX 6

static struct {
    atomic_int level, fd;
    atomic_bool json;
    atomic_bool configured;
    pthread_mutex_t lock; /* one writer at a time: who was told of room finds it */
    uint64_t dropped;     /* lines, since the last one that was written */
} settings = {.level = LOG_LEVEL_INFO, .fd = STDERR_FILENO, .lock = PTHREAD_MUTEX_INITIALIZER};

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARNING] = "warning",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

struct line {
    bool json;
    size_t len;
    char text[PIPE_BUF];
};

void log_configure(enum log_level level, enum log_format format, int fd)
{
    bool json = format == LOG_FORMAT_JSON || (format == LOG_FORMAT_AUTO && isatty(fd) != 1);
    atomic_store(&settings.level, (int)level);
    atomic_store(&settings.fd, fd);
    atomic_store(&settings.json, json);
    atomic_store(&settings.configured, true);
}

bool log_enabled(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&settings.level, memory_order_relaxed);
}

static bool log_is_json(void)
{
    if (!atomic_load(&settings.configured))
        return isatty(STDERR_FILENO) != 1;
    return atomic_load(&settings.json);
}

static size_t line_room(const struct line *line)
{
    size_t usable = sizeof line->text - LINE_RESERVE;
    return line->len < usable ? usable - line->len : 0;
}

static void line_put(struct line *line, const char *text, size_t len)
{
    memcpy(line->text + line->len, text, len);
    line->len += len;
}

static bool value_needs_quotes(struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if (c <= ' ' || c >= 0x7F || c == '"' || c == '=' || c == '\\')
            return true;
    }
    return value.len == 0;
}

/* Both formats share one way of escaping, that of JSON. C1 control characters are
 * escaped too, since terminals obey them. */
static size_t escape(uint32_t code_point, struct slice original, char *piece)
{
    char letter = 0;
    switch (code_point) {
    case '"':
    case '\\':
        letter = (char)code_point;
        break;
    case '\n':
        letter = 'n';
        break;
    case '\r':
        letter = 'r';
        break;
    case '\t':
        letter = 't';
        break;
    default:
        break;
    }
    if (letter != 0) {
        piece[0] = '\\';
        piece[1] = letter;
        return 2;
    }
    if (code_point < 0x20 || (code_point >= 0x7F && code_point <= 0x9F)) {
        static const char hex[] = "0123456789abcdef";
        memcpy(piece, "\\u00", 4);
        piece[4] = hex[code_point >> 4];
        piece[5] = hex[code_point & 15];
        return 6;
    }
    memcpy(piece, original.ptr, original.len);
    return original.len;
}

/* Appends a text, in quotes where the format wants them. */
static void line_put_text(struct line *line, struct slice value)
{
    bool quotes = line->json || value_needs_quotes(value);
    size_t limit = value.len < LOG_VALUE_MAX ? value.len : LOG_VALUE_MAX;
    size_t at = 0;
    if (quotes)
        line_put(line, "\"", 1);
    while (at < limit) {
        struct slice rest = {value.ptr + at, value.len - at};
        uint32_t code_point;
        char piece[PIECE_MAX];
        size_t used = utf8_decode(rest, &code_point), size;
        if (used == 0) {
            used = 1;
            size = sizeof UTF8_REPLACEMENT - 1;
            memcpy(piece, UTF8_REPLACEMENT, size);
        } else if (at + used > limit) {
            break;
        } else {
            size = escape(code_point, (struct slice){rest.ptr, used}, piece);
        }
        if (size > line_room(line))
            break;
        line_put(line, piece, size);
        at += used;
    }
    if (at < value.len)
        line_put(line, "...", 3);
    if (quotes)
        line_put(line, "\"", 1);
}

/* Appends the name and all that stands before the value; false when not even an
 * empty value would fit any more. */
static bool line_put_name(struct line *line, const char *name)
{
    size_t len = strlen(name);
    if (len + 5 > line_room(line))
        return false;
    if (line->json) {
        line_put(line, line->len == 0 ? "{\"" : ",\"", 2);
        line_put(line, name, len);
        line_put(line, "\":", 2);
    } else {
        if (line->len > 0)
            line_put(line, " ", 1);
        line_put(line, name, len);
        line_put(line, "=", 1);
    }
    return true;
}

static void line_put_field(struct line *line, const struct log_field *field)
{
    char number[32];
    int len;

    switch (field->kind) {
    case LOG_FIELD_SLICE:
        if (!line_put_name(line, field->name))
            return;
        if (line->json && !slice_present(field->slice))
            line_put(line, "null", 4);
        else
            line_put_text(line, field->slice);
        return;
    case LOG_FIELD_INT:
        len = snprintf(number, sizeof number, "%" PRId64, field->integer);
        break;
    case LOG_FIELD_FLOAT:
        /* JSON has no infinity and no NaN. */
        if (isfinite(field->number))
            len = snprintf(number, sizeof number, "%.9g", field->number);
        else
            len = snprintf(number, sizeof number, "null");
        break;
    default:
        return;
    }
    if (len <= 0 || strlen(field->name) + 5 + (size_t)len > line_room(line))
        return;
    if (line_put_name(line, field->name))
        line_put(line, number, (size_t)len);
}

static void line_put_time(struct line *line)
{
    struct timespec now;
    struct tm tm;
    char text[40];

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    size_t len = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    int more = snprintf(text + len, sizeof text - len, ".%03ldZ", now.tv_nsec / 1000000);
    if (more > 0)
        len += (size_t)more;
    if (line_put_name(line, "time"))
        line_put_text(line, (struct slice){text, len});
}

static void build(struct line *line, enum log_level level, const char *message,
                  const struct log_field *fields, size_t count, uint64_t dropped)
{
    const struct log_field head[] = {LOG_TEXT("level", level_names[level]), LOG_TEXT("msg", message),
                                     LOG_INT("lines_dropped", dropped)};
    const size_t head_count = sizeof head / sizeof head[0] - (dropped == 0 ? 1 : 0);

    line_put_time(line);
    for (size_t i = 0; i < head_count; i++)
        line_put_field(line, &head[i]);
    for (size_t i = 0; i < count; i++)
        line_put_field(line, &fields[i]);
    if (line->json)
        line_put(line, "}", 1);
    line_put(line, "\n", 1);
}

/* A pipe is writable when it takes PIPE_BUF bytes at once; a file always is. */
static bool takes_a_line(int fd)
{
    struct pollfd out = {.fd = fd, .events = POLLOUT};
    return poll(&out, 1, 0) == 1 && (out.revents & POLLOUT) != 0;
}

void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t count)
{
    struct line line = {.json = log_is_json(), .len = 0};
    int fd = atomic_load(&settings.fd);
    pthread_mutex_lock(&settings.lock);
    if (!takes_a_line(fd)) {
        settings.dropped++;
    } else {
        ssize_t written;
        build(&line, level, message, fields, count, settings.dropped);
        settings.dropped = 0;
        do {
            written = write(fd, line.text, line.len);
        } while (written < 0 && errno == EINTR);
    }
    pthread_mutex_unlock(&settings.lock);
}

bool log_limit_pass(struct log_limit *limit, uint64_t *suppressed)
{
    uint64_t now = clock_monotonic_ms();
    uint64_t next = atomic_load(&limit->next_ms);
    if (now < next || !atomic_compare_exchange_strong(&limit->next_ms, &next, now + 1000)) {
        atomic_fetch_add(&limit->suppressed, 1);
        return false;
    }
    *suppressed = atomic_exchange(&limit->suppressed, 0);
    return true;
}

/* --- what libraries print --- */

static ssize_t on_print(void *cookie, const char *text, size_t size)
{
    static struct log_limit limit;
    uint64_t suppressed;
    (void)cookie;
    size_t length = size;
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
        length--;
    if (length > 0 && log_enabled(LOG_LEVEL_WARNING) && log_limit_pass(&limit, &suppressed))
        log_warning("printed by a library", LOG_SLICE("text", ((struct slice){text, length})),
                    LOG_INT("suppressed", suppressed));
    return (ssize_t)size;
}

void log_capture_stderr(void)
{
    FILE *stream = fopencookie(NULL, "w", (cookie_io_functions_t){.write = on_print});
    if (stream == NULL)
        return;
    setvbuf(stream, NULL, _IOLBF, 1024);
    stderr = stream;
}
