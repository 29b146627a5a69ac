// SPDX-License-Identifier: Apache-2.0
//
// The lookup tables of the catalog, generated beside catalog_types from
// schemas/catalog.json; for catalog.c only. Read-only data; any thread.
#ifndef BRIDGE_INTAKE_CATALOG_TABLE_H
#define BRIDGE_INTAKE_CATALOG_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "intake/catalog.h"

#define CATALOG_NAME_MAX 128 /* bytes of a name, before and after normalising */

struct catalog_id {
    int32_t id;
    int type; /* index into catalog_types */
};

/* Sorted by id. */
extern const struct catalog_id catalog_ids[];
extern const size_t catalog_id_count;

struct catalog_key {
    struct slice text; /* normalised name, alias or last part of the CloudEvents type */
    int type;          /* index into catalog_types */
};

/* Those of stream s stand from catalog_key_start[s] to before catalog_key_start[s + 1],
 * sorted by memcmp, the shorter of two first when it begins the longer. */
extern const struct catalog_key catalog_keys[];
extern const size_t catalog_key_start[STREAM_COUNT + 1];

#endif
