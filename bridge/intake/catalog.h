// SPDX-License-Identifier: Apache-2.0
//
// The catalog of event types that Adobe documents, generated at build time from
// schemas/catalog.json. Read-only data and pure functions; any thread.
#ifndef BRIDGE_INTAKE_CATALOG_H
#define BRIDGE_INTAKE_CATALOG_H

#include <stddef.h>
#include <stdint.h>

#include "batch.h"
#include "slice.h"

struct catalog_type {
    enum stream stream;
    const char *topic;   /* last part of the topic: "openemail", "campaign-abort" */
    const char *name;    /* Adobe's words: "Open Email" */
    const char *ce_type; /* full CloudEvents type; derived by Adobe's rule where no document prints it */
    int32_t id;          /* activityTypeId; -1 when it has none or none is known */
    const char *const *attributes; /* names of the activity's attributes, NULL-terminated; may be empty */
};

/* All types, sorted by stream, then in the catalog's own order. */
extern const struct catalog_type catalog_types[];
extern const size_t catalog_type_count;

/* Index into catalog_types, or -1. */
int catalog_find_activity_id(int64_t id);

/* By the last part of a CloudEvents type, or by a name in Adobe's words, in any
 * spelling: both are compared after catalog_normalise. For audit names with "->"
 * pass the part after the last one. Names longer than 128 bytes are unknown. */
int catalog_find_name(enum stream stream, struct slice name);

/* Lower case, everything but [a-z0-9] removed (Adobe's rule for activities). Returns
 * the length written, at most size; 0 when nothing is left or it does not fit. */
size_t catalog_normalise(struct slice name, char *out, size_t size);

#endif
