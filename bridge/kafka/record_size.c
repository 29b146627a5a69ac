// SPDX-License-Identifier: Apache-2.0
//
// The size a record has on the wire, counted as the broker counts it before
// compression: Kafka protocol, record batch, magic 2 (KIP-98). Pure function.
#include "kafka/internal.h"

/* Fixed part of a record batch. */
#define RECORD_BATCH_OVERHEAD 61

/* Length of a signed number as a zigzag varint. */
static size_t varint_size(int64_t value)
{
    uint64_t zigzag = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
    size_t size = 1;
    while (zigzag >= 0x80) {
        zigzag >>= 7;
        size++;
    }
    return size;
}

static size_t bytes_size(struct slice s)
{
    return slice_present(s) ? varint_size((int64_t)s.len) + s.len : varint_size(-1);
}

size_t record_wire_size(const struct record *record)
{
    size_t size = 1   /* attributes */
                  + 1 /* timestamp delta */
                  + 1 /* offset delta */
                  + bytes_size(record->key) + bytes_size(record->value) +
                  varint_size((int64_t)record->header_count);
    for (size_t i = 0; i < record->header_count; i++)
        size += bytes_size(slice_of(record->headers[i].name)) + bytes_size(record->headers[i].value);
    return RECORD_BATCH_OVERHEAD + varint_size((int64_t)size) + size;
}
