// SPDX-License-Identifier: Apache-2.0
//
// The time forms that Adobe's documents show (RFC 3339 and four that are nearly
// so), read into a calendar time and written as UTC. Pure functions; any thread.
#ifndef BRIDGE_INTAKE_EVENT_TIME_H
#define BRIDGE_INTAKE_EVENT_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slice.h"

enum event_time_form {
    EVENT_TIME_RFC3339, /* to be kept as it is */
    EVENT_TIME_OTHER,   /* to be written anew by event_time_write */
    EVENT_TIME_UNKNOWN  /* no form of ours, or no such day or hour */
};

struct event_time {
    int year, month, day, hour, minute, second; /* UTC; second 60 stays 60 */
    struct slice fraction; /* its digits, a slice of the text; absent when there is none */
    int64_t wall_ms;       /* since 1970-01-01T00:00:00Z */
};

enum event_time_form event_time_read(struct slice text, struct event_time *time);

/* Bytes that event_time_write needs. */
size_t event_time_size(const struct event_time *time);

/* YYYY-MM-DDThh:mm:ss[.fraction]Z, not terminated. */
void event_time_write(const struct event_time *time, char *out);

#endif
