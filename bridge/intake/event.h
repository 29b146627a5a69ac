// SPDX-License-Identifier: Apache-2.0
//
// What an event says of itself: its route, its CloudEvents attributes, its key.
// Any thread; everything made is in the batch's arena.
#ifndef BRIDGE_INTAKE_EVENT_H
#define BRIDGE_INTAKE_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "batch.h"
#include "intake/field.h"
#include "intake/routes.h"
#include "intake/shape.h"

/* An attribute of the record. text is absent when the event has none. */
struct attribute {
    struct slice text;
    struct slice token; /* the JSON string that was sent for it; absent when the text was made here */
};

struct event {
    const struct shape_event *shape;
    const struct shape_member *members[LEVEL_COUNT][FIELD_COUNT]; /* what was sent; NULL: nothing */
    struct attribute attributes[ATTRIBUTE_COUNT];
    struct route_facts facts;
    struct route route;
    enum route_result result;
    int64_t time_ms; /* INT64_MIN: unknown */
};

/* Reads what decides the route, and finds it. alone: the event is the whole body, so
 * that the request's headers speak of it. False when out of memory. */
bool event_route(const struct routes *routes, struct batch *batch, const struct shape_event *shape,
                 bool alone, struct event *event) __attribute__((warn_unused_result));

/* Fills the attributes of an event whose route was found. False when out of memory. */
bool event_describe(struct batch *batch, bool alone, struct event *event) __attribute__((warn_unused_result));

/* The record's key; absent when there is none. False when out of memory. */
bool event_key(struct batch *batch, const struct event *event, struct slice *key)
    __attribute__((warn_unused_result));

#endif
