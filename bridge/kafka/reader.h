// SPDX-License-Identifier: Apache-2.0
//
// Reading back: what the topics under a prefix hold between two looks at them. It
// belongs to no consumer group and commits nothing. One thread; all calls block.
#ifndef BRIDGE_KAFKA_READER_H
#define BRIDGE_KAFKA_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slice.h"

struct reader;

struct reader_property {
    const char *name, *value; /* librdkafka's */
};

/* Does not wait for a broker. NULL with the reason in errstr. */
struct reader *reader_create(const char *brokers, const struct reader_property *properties, size_t count,
                             char *errstr, size_t errstr_size);
void reader_free(struct reader *reader);

/* A stretch of one partition: offsets from `low` to before `high`. */
struct reader_range {
    char *topic;
    int32_t partition;
    int64_t low, high;
};

/* Grouped by topic. Zero-initialise. */
struct reader_ranges {
    struct reader_range *items;
    size_t count;
};

void reader_ranges_free(struct reader_ranges *ranges);

/* What every partition holds now, of the topics that are called `prefix` or `prefix`.something: from
 * its first offset to its high-water mark. Tries again while a partition has no leader. False, with the
 * reason in errstr, when that is not told within timeout_ms. */
bool reader_look(struct reader *reader, const char *prefix, int timeout_ms, struct reader_ranges *ranges,
                 char *errstr, size_t errstr_size);

struct reader_record {
    const char *topic;
    int32_t partition;
    int64_t offset;
    struct slice value; /* absent: a tombstone */
    const void *message;
};

/* The last header of that name; absent when there is none. */
struct slice reader_header(const struct reader_record *record, const char *name);

struct reader_calls {
    /* One record, valid during the call; in order within a partition. */
    void (*take)(void *data, const struct reader_record *record);
    /* At least every 200 ms. False: enough, reader_read returns false. */
    bool (*tick)(void *data);
    void *data;
};

/* Reads the ranges to their ends. False, with the reason in errstr, when a record is gone, or when none
 * came for stall_ms. */
bool reader_read(struct reader *reader, const struct reader_ranges *ranges, int stall_ms,
                 const struct reader_calls *calls, char *errstr, size_t errstr_size);

#endif
