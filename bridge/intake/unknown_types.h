// SPDX-License-Identifier: Apache-2.0
//
// The types that the catalog does not know, each logged once by name. Bounded; any thread.
#ifndef BRIDGE_INTAKE_UNKNOWN_TYPES_H
#define BRIDGE_INTAKE_UNKNOWN_TYPES_H

#include <pthread.h>
#include <stdint.h>

#include "batch.h"
#include "slice.h"

#define UNKNOWN_TYPES_MAX 256
#define UNKNOWN_TYPE_NAME_SIZE 128

struct unknown_types {
    pthread_mutex_t mutex;
    size_t count;
    char names[UNKNOWN_TYPES_MAX][UNKNOWN_TYPE_NAME_SIZE];
};

/* False when the mutex cannot be made. */
bool unknown_types_init(struct unknown_types *types);
void unknown_types_destroy(struct unknown_types *types);

/* Logs the name at its first call; names beyond the 256th are not logged. activity_id: -1 when there is none.
 */
void unknown_types_note(struct unknown_types *types, enum stream stream, struct slice name,
                        int64_t activity_id);

#endif
