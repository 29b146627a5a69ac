// SPDX-License-Identifier: Apache-2.0
//
// The one thing the rooms hand on: the batch (one POST), its records, its owner.
//
// server makes a batch and fills the facts of the request; intake appends
// records; kafka owns it from kafka_deliver() until it calls `done`, on any
// thread; then it belongs to the server again, which frees it. Every pointer in
// a record points into the batch's body or arena, so a record is valid as long
// as its batch.
#ifndef BRIDGE_BATCH_H
#define BRIDGE_BATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "slice.h"

enum stream { STREAM_ACTIVITY, STREAM_AUDIT, STREAM_NOTIFICATION, STREAM_OBSERVABILITY, STREAM_COUNT };

/* "activity", "audit", "notification", "observability". */
const char *stream_name(enum stream stream);

/* Why an event is kept in the dead-letter topic instead of its own. */
enum dead_letter_reason {
    DEAD_LETTER_NONE, /* a healthy event */
    DEAD_LETTER_NOT_JSON,
    DEAD_LETTER_BAD_ENCODING,
    DEAD_LETTER_TOO_MANY_EVENTS,
    DEAD_LETTER_NO_TYPE,
    DEAD_LETTER_NOT_OBJECT,
    DEAD_LETTER_DUPLICATE_MEMBER,
    DEAD_LETTER_TOO_LARGE,
    DEAD_LETTER_UNKNOWN_INSTANCE,
    DEAD_LETTER_REASON_COUNT
};

/* The text of the dl_reason header: "not_json" and so on. */
const char *dead_letter_reason_name(enum dead_letter_reason reason);

/* A Kafka record header. The name is terminated; the value may hold any bytes. */
struct header {
    const char *name;
    struct slice value;
};

enum record_outcome {
    RECORD_PENDING,   /* not reported yet */
    RECORD_DELIVERED, /* confirmed by Kafka */
    RECORD_REPLACED,  /* became a dead letter after it was judged; its parts follow it in the list */
    RECORD_FAILED     /* refused or lost; the batch is answered 503 */
};

/* One event, or one part of a dead letter.
 *
 * intake appends one record per event. For a healthy event it fills topic, key,
 * value and headers. For an event that is not understood it fills dead_letter,
 * detail, event and, where known, topic and munchkin_id, and leaves key, value and
 * headers alone: kafka builds those, since only kafka knows the size of the parts. */
struct record {
    struct batch *batch;
    struct record *next;

    int topic;                /* index into the routes' topics; -1 unknown (dead letters only) */
    int type;                 /* index into the routes' types, for the metrics; -1 unknown */
    enum stream stream;       /* meaningful when type >= 0 */
    int64_t event_time_ms;    /* wall clock, INT64_MIN when unknown */
    struct slice event;       /* the event's bytes as received; a slice of the body */
    struct slice munchkin_id; /* absent when unknown */
    int32_t element;          /* index of the event in the body's array; -1: the body is no array */
    int32_t activity;         /* index in `activities`; -1: not in a wrapper */

    struct slice key; /* absent: no key */
    struct slice value;
    struct header *headers;
    size_t header_count;

    enum dead_letter_reason dead_letter;
    const char *detail;   /* words for dl_detail; terminated; literal or in the arena; may be NULL */
    uint32_t part, parts; /* of a dead letter that kafka has made, from 1; 0 before */

    enum record_outcome outcome;
    unsigned attempts;     /* kafka's: how often it was handed to a producer */
    struct record *parked; /* kafka's: next in the list that waits for new topic limits */
    int32_t partition;     /* where it was written, once delivered */
    int64_t offset;
};

/* Whom an event says it is for: recipientclientid or recipient_client_id, wherever Adobe has put it. */
struct recipient {
    struct recipient *next;
    struct slice client_id;
};

#define BATCH_MAGIC 0x6d6b746fU

#define REQUEST_ID_MAX 64

struct batch {
    uint32_t magic; /* BATCH_MAGIC while alive */
    struct arena arena;

    /* The request, filled by the server before intake. */
    uint64_t deadline_in_ms; /* the endpoint's: which producers serve it */
    char request_id[REQUEST_ID_MAX + 1];
    struct slice traceparent; /* header value, in the arena; absent when there was none */
    struct slice event_id;    /* x-adobe-event-id, in the arena; absent when there was none */
    struct slice event_code;  /* x-adobe-event-code, likewise */
    const char *sender;       /* name of the sender, for dl_sender; a literal */
    int64_t received_ms;      /* wall clock: the records' timestamp */
    uint64_t deadline_ms;     /* monotonic: when the sender must have its answer */

    /* intake. */
    struct slice body; /* the body after inflating, owned by the arena */
    struct record *first, *last;
    size_t events;                /* records appended by intake */
    struct recipient *recipients; /* those that events name; the same one in a row stands once */
    size_t without_recipient;     /* events that are objects and name none, or one member for it twice */

    /* kafka. */
    atomic_int pending;              /* reports still to come, plus one while producing */
    atomic_bool failed;              /* some record was refused or lost: 503 */
    atomic_bool producing;           /* the loop thread still walks the records */
    uint64_t produced_us;            /* monotonic: when the first record was handed over */
    _Atomic(const char *) failure;   /* words for the answer when failed; a literal, the first cause */
    size_t delivered, dead_lettered; /* events, final when done is called */

    /* Called once, from any thread, when every record has been reported. */
    void (*done)(struct batch *batch);
    void *owner; /* the server's; kafka does not look at it */
};

/* A new empty batch whose memory is charged to the budget; NULL when there is none left. */
struct batch *batch_create(struct budget *budget) __attribute__((warn_unused_result));

/* Appends an empty record (topic and type -1, element and activity -1); NULL when out of memory. */
struct record *batch_append_record(struct batch *batch) __attribute__((warn_unused_result));

void batch_free(struct batch *batch);

#endif
