// SPDX-License-Identifier: Apache-2.0
//
// The batch and its records: making, appending, freeing, and the names of the
// enumerations in batch.h. One thread at a time for each batch.
#include "batch.h"

#include <assert.h>

const char *stream_name(enum stream stream)
{
    static const char *const names[STREAM_COUNT] = {
        [STREAM_ACTIVITY] = "activity",
        [STREAM_AUDIT] = "audit",
        [STREAM_NOTIFICATION] = "notification",
        [STREAM_OBSERVABILITY] = "observability",
    };
    return names[stream];
}

const char *dead_letter_reason_name(enum dead_letter_reason reason)
{
    static const char *const names[DEAD_LETTER_REASON_COUNT] = {
        [DEAD_LETTER_NONE] = "none",
        [DEAD_LETTER_NOT_JSON] = "not_json",
        [DEAD_LETTER_BAD_ENCODING] = "bad_encoding",
        [DEAD_LETTER_TOO_MANY_EVENTS] = "too_many_events",
        [DEAD_LETTER_NO_TYPE] = "no_type",
        [DEAD_LETTER_NOT_OBJECT] = "not_object",
        [DEAD_LETTER_DUPLICATE_MEMBER] = "duplicate_member",
        [DEAD_LETTER_TOO_LARGE] = "too_large",
        [DEAD_LETTER_UNKNOWN_INSTANCE] = "unknown_instance",
    };
    return names[reason];
}

struct batch *batch_create(struct budget *budget)
{
    /* The batch lies in its own arena, so that it is charged like the rest. */
    struct arena arena;
    arena_init(&arena, budget);
    struct batch *batch = arena_alloc(&arena, sizeof *batch);
    if (batch == NULL)
        return NULL;
    memset(batch, 0, sizeof *batch);
    atomic_init(&batch->pending, 0);
    atomic_init(&batch->failed, false);
    atomic_init(&batch->producing, false);
    atomic_init(&batch->failure, NULL);
    batch->arena = arena;
    batch->magic = BATCH_MAGIC;
    return batch;
}

struct record *batch_append_record(struct batch *batch)
{
    struct record *record = arena_alloc(&batch->arena, sizeof *record);
    if (record == NULL)
        return NULL;
    *record = (struct record){
        .batch = batch,
        .topic = -1,
        .type = -1,
        .event_time_ms = INT64_MIN,
        .element = -1,
        .activity = -1,
    };
    if (batch->last == NULL)
        batch->first = record;
    else
        batch->last->next = record;
    batch->last = record;
    return record;
}

void batch_free(struct batch *batch)
{
    if (batch == NULL)
        return;
    assert(batch->magic == BATCH_MAGIC);
    batch->magic = 0;
    struct arena arena = batch->arena;
    arena_free(&arena);
}
