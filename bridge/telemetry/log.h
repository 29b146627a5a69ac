// SPDX-License-Identifier: Apache-2.0
//
// The log: one line an event to standard error, logfmt or JSON. Any thread may
// log; a line is written with one write() and never torn; when the reader stands still it is
// dropped and counted (`lines_dropped` in the next one) instead of waited for. Values are escaped and
// cut at LOG_VALUE_MAX bytes. Tokens, signatures and payloads are never passed in.
//
//     log_warning("topic missing", LOG_TEXT("topic", name), LOG_INT("partitions", 1));
#ifndef BRIDGE_TELEMETRY_LOG_H
#define BRIDGE_TELEMETRY_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slice.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

#define LOG_VALUE_MAX 1024

struct log_field {
    const char *name;
    enum { LOG_FIELD_SLICE, LOG_FIELD_INT, LOG_FIELD_FLOAT } kind;
    struct slice slice;
    int64_t integer;
    double number;
};

#define LOG_SLICE(field_name, value)                                                                         \
    ((struct log_field){.name = (field_name), .kind = LOG_FIELD_SLICE, .slice = (value)})
#define LOG_TEXT(field_name, text) LOG_SLICE((field_name), slice_of(text))
#define LOG_INT(field_name, value)                                                                           \
    ((struct log_field){.name = (field_name), .kind = LOG_FIELD_INT, .integer = (int64_t)(value)})
#define LOG_FLOAT(field_name, value)                                                                         \
    ((struct log_field){.name = (field_name), .kind = LOG_FIELD_FLOAT, .number = (value)})

/* Sets level, format and destination; before any other thread logs. AUTO is
 * logfmt when fd is a terminal, else JSON. Default: info, auto, fd 2. */
void log_configure(enum log_level level, enum log_format format, int fd);

/* From now on what is printed to the C stream `stderr` becomes log lines, one a second: h2o
 * prints at a peer's will. The descriptor 2 is not touched. Once, before other threads run. */
void log_capture_stderr(void);

bool log_enabled(enum log_level level);

void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t count);

#define LOG_WRITE_(level, message, ...)                                                                      \
    do {                                                                                                     \
        if (log_enabled(level)) {                                                                            \
            const struct log_field log_fields_[] = {{.name = NULL}, ##__VA_ARGS__};                          \
            log_write((level), (message), log_fields_ + 1, sizeof log_fields_ / sizeof log_fields_[0] - 1);  \
        }                                                                                                    \
    } while (0)

#define log_error(message, ...) LOG_WRITE_(LOG_LEVEL_ERROR, message, ##__VA_ARGS__)
#define log_warning(message, ...) LOG_WRITE_(LOG_LEVEL_WARNING, message, ##__VA_ARGS__)
#define log_info(message, ...) LOG_WRITE_(LOG_LEVEL_INFO, message, ##__VA_ARGS__)
#define log_debug(message, ...) LOG_WRITE_(LOG_LEVEL_DEBUG, message, ##__VA_ARGS__)

/* Lets one line a second through; counts what it held back. Zero-initialise.
 * Returns false when the line must not be written; else *suppressed says how
 * many were held back since the last one. Any thread. */
struct log_limit {
    _Atomic uint64_t next_ms;
    _Atomic uint64_t suppressed;
};
bool log_limit_pass(struct log_limit *limit, uint64_t *suppressed);

#endif
