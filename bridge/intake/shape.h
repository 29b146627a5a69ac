// SPDX-License-Identifier: Apache-2.0
//
// From the bytes of a body to its events, in one walk: the wrapper object with
// `activities`, the flat CloudEvent, `event` and `event.body`, arrays of all
// these. What is found are slices of the body; nothing is decoded or judged but
// the form. Any thread, one call each.
#ifndef BRIDGE_INTAKE_SHAPE_H
#define BRIDGE_INTAKE_SHAPE_H

#include <stdbool.h>
#include <stdint.h>

#include "batch.h"
#include "intake/field.h"

/* A member that the bridge reads, or a run of neighbours that it does not (FIELD_NONE). */
struct shape_member {
    struct slice whole; /* from the name's quote to the end of the (last) value */
    struct slice value; /* the value's token; absent in a run */
    uint8_t field;      /* enum field */
    uint8_t level;      /* enum level */
};

/* The members around the data, in the order of the body, those of `event` and
 * `body` behind the member that holds them. A name that is read stands once a
 * level. Shared by all activities of a wrapper. */
struct shape_envelope {
    bool wrapper; /* has `activities`; then only the members of LEVEL_TOP count */
    size_t member_count;
    struct shape_member members[];
};

struct shape_event {
    struct shape_event *next;
    const struct shape_envelope *envelope; /* NULL when it is no object */
    struct slice bytes;                    /* the event; of a dead letter what is to be kept */
    struct slice data;                     /* token of `data`, or the activity itself; may be absent */
    struct slice fields[DATA_FIELD_COUNT]; /* tokens of members of data; may be absent */
    int32_t element, activity;             /* as in struct record */
    enum dead_letter_reason dead_letter;
    const char *detail;      /* with a dead_letter */
    bool route_unknown;      /* a member that decides the route is repeated */
    bool recipient_repeated; /* a member that names the recipient is */
};

struct shape {
    struct shape_event *first;
    bool single;                         /* the body is one event, neither array nor wrapper */
    enum dead_letter_reason dead_letter; /* of the body as a whole; then the events, if there are any, only
                                          * tell whom it is for */
    const char *detail;
};

/* At most `limit` events. False when out of memory. */
bool shape_read(struct slice body, size_t limit, struct arena *arena, struct shape *shape)
    __attribute__((warn_unused_result));

#endif
