// SPDX-License-Identifier: Apache-2.0
//
// What routes.c makes and routes_find.c reads; for those two only. Immutable
// once made; any thread.
//
// Topics stand in sets of equal size and order: one set, or one per instance when
// the prefix contains {instance}. A set has a topic per type, or per stream with
// `route: stream`. The dead-letter topic stands behind the last set.
#ifndef BRIDGE_INTAKE_ROUTE_INDEX_H
#define BRIDGE_INTAKE_ROUTE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "intake/routes.h"

#define CUSTOM_ID_FIRST 100000 /* where the ids of custom activities begin */

struct custom_type {
    int64_t id;
    int type; /* index into routes->types */
};

struct instance_set {
    struct slice munchkin_id;
    int set;
    struct config_mark mark;
};

struct route_index {
    int shift[STREAM_COUNT];     /* from an index into catalog_types to one into routes->types */
    int other[STREAM_COUNT];     /* index of the type "other" */
    int custom;                  /* index of the type "custom" */
    struct custom_type *customs; /* sorted by id */
    size_t custom_count;
    struct instance_set *instances; /* sorted by munchkin_id */
    size_t instance_count;
    bool per_instance; /* a set per instance, else one for all */
    size_t set_count, set_size;
};

/* Order of instances by munchkin_id; of an id and a custom type by id. For qsort and bsearch. */
int route_index_compare_instances(const void *a, const void *b);
int route_index_compare_custom(const void *id, const void *custom);

#endif
