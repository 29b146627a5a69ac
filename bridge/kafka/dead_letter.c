// SPDX-License-Identifier: Apache-2.0
//
// Dead letters: what could not be understood or is too large for its topic goes,
// confirmed like everything else, to the dead-letter topic, in parts that the topic
// takes. Runs on the thread that judges the record (loop or keeper).
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "kafka/internal.h"

#define PART_MAX 900000

/* A munchkinId is twelve bytes or so; a longer one is no use as a key. */
#define KEY_MAX 256

/* Room for the numbers of dl_part and dl_parts and for longer varints. */
#define NUMBERS_MAX 40

enum { HEADERS_MAX = 10 };

static void add(struct record *part, const char *name, struct slice value)
{
    if (slice_present(value))
        part->headers[part->header_count++] = (struct header){name, value};
}

static struct slice number_text(struct arena *arena, uint32_t number)
{
    char text[16];
    int length = snprintf(text, sizeof text, "%" PRIu32, number);
    return arena_copy(arena, (struct slice){text, (size_t)length});
}

/* JSON Pointer (RFC 6901) of the event in the body; the whole body is "". */
static struct slice path_text(struct arena *arena, const struct record *record)
{
    char text[64] = "";
    if (record->element >= 0 && record->activity >= 0)
        snprintf(text, sizeof text, "/%" PRId32 "/activities/%" PRId32, record->element, record->activity);
    else if (record->activity >= 0)
        snprintf(text, sizeof text, "/activities/%" PRId32, record->activity);
    else if (record->element >= 0)
        snprintf(text, sizeof text, "/%" PRId32, record->element);
    return arena_copy(arena, slice_of(text));
}

static struct slice sha256_text(struct arena *arena, struct slice value)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    char text[2 * EVP_MAX_MD_SIZE + 1];
    if (EVP_Digest(value.ptr, value.len, digest, &length, EVP_sha256(), NULL) != 1)
        return SLICE_ABSENT;
    for (unsigned i = 0; i < length; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    return arena_copy(arena, (struct slice){text, 2 * (size_t)length});
}

/* A part without value and numbers: all that the parts have in common. */
static struct record *make_part(const struct kafka *kafka, const struct record *record)
{
    struct batch *batch = record->batch;
    struct arena *arena = &batch->arena;
    struct record *part = arena_alloc(arena, sizeof *part);
    struct header *headers = arena_alloc(arena, HEADERS_MAX * sizeof *headers);
    struct slice path = path_text(arena, record);
    if (part == NULL || headers == NULL || !slice_present(path))
        return NULL;

    *part = *record;
    part->topic = kafka->routes->dead_letter;
    part->headers = headers;
    part->header_count = 0;
    part->outcome = RECORD_PENDING;
    part->attempts = 0;
    part->parked = NULL;
    part->key = slice_present(record->munchkin_id) && record->munchkin_id.len <= KEY_MAX
                    ? record->munchkin_id
                    : slice_of(batch->request_id);

    add(part, "dl_reason", slice_of(dead_letter_reason_name(record->dead_letter)));
    add(part, "dl_detail", slice_of(record->detail));
    if (record->topic >= 0)
        add(part, "dl_topic", slice_of(kafka->routes->topics[record->topic].name));
    add(part, "dl_path", path);
    add(part, "dl_sender", slice_of(batch->sender));
    add(part, "x-request-id", slice_of(batch->request_id));
    add(part, "traceparent", batch->traceparent);
    return part;
}

struct record *dead_letter_expand(const struct kafka *kafka, struct record *record)
{
    struct arena *arena = &record->batch->arena;
    /* An empty body is an empty value, never a tombstone. */
    struct slice whole = slice_present(record->event) ? record->event : SLICE_LITERAL("");
    struct record *common = make_part(kafka, record);
    if (common == NULL)
        return NULL;

    /* How much of the value fits into one part, with everything else counted. */
    common->value = (struct slice){"", 0};
    struct slice digest = SLICE_ABSENT;
    size_t limit = (size_t)atomic_load(&kafka->topics[common->topic].max_message_bytes);
    size_t other = record_wire_size(common) + 2 * NUMBERS_MAX + 64 + sizeof "dl_part dl_parts dl_sha256";
    size_t room = limit > other ? limit - other : 0;
    if (room > PART_MAX)
        room = PART_MAX;
    if (room < 1)
        return NULL;

    uint32_t parts = whole.len <= room ? 1 : (uint32_t)((whole.len + room - 1) / room);
    if (parts > 1) {
        digest = sha256_text(arena, whole);
        if (!slice_present(digest))
            return NULL;
    }

    struct record *first = NULL, *last = record;
    for (uint32_t i = 0; i < parts; i++) {
        struct record *part = i == 0 ? common : make_part(kafka, record);
        if (part == NULL)
            return NULL;
        size_t start = (size_t)i * room;
        size_t length = whole.len - start < room ? whole.len - start : room;
        part->value = (struct slice){whole.ptr + start, length};
        part->part = i + 1;
        part->parts = parts;
        if (parts > 1) {
            struct slice number = number_text(arena, i + 1), count = number_text(arena, parts);
            if (!slice_present(number) || !slice_present(count))
                return NULL;
            add(part, "dl_part", number);
            add(part, "dl_parts", count);
            add(part, "dl_sha256", digest);
        }
        /* Behind the record, so that one walk over the list meets the parts next. */
        part->next = last->next;
        last->next = part;
        last = part;
        if (first == NULL)
            first = part;
    }
    if (record->batch->last == record)
        record->batch->last = last;
    record->outcome = RECORD_REPLACED;
    return first;
}
