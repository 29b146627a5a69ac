// SPDX-License-Identifier: Apache-2.0
//
// Value and headers of a record in the formats structured, binary and original.
// Immutable once made; any thread.
#ifndef BRIDGE_INTAKE_ENVELOPE_H
#define BRIDGE_INTAKE_ENVELOPE_H

#include <stdbool.h>

#include "config/config.h"
#include "intake/event.h"

/* What record.format and record.headers ask for. */
struct envelope_plan {
    enum record_format format;
    bool request_id;                  /* header x-request-id */
    bool attributes[ATTRIBUTE_COUNT]; /* as headers, beside id and type */
};

void envelope_plan_make(const struct config *config, struct envelope_plan *plan);

/* Fills value and headers. False when out of memory. */
bool envelope_write(const struct envelope_plan *plan, struct batch *batch, const struct event *event,
                    struct record *record) __attribute__((warn_unused_result));

#endif
