// SPDX-License-Identifier: Apache-2.0
//
// Content coding gzip: a whole body at once, with a hard limit. Any thread.
#ifndef BRIDGE_INTAKE_INFLATE_H
#define BRIDGE_INTAKE_INFLATE_H

#include <stddef.h>

#include "arena.h"
#include "slice.h"

enum inflate_result {
    INFLATE_OK,
    INFLATE_BROKEN,    /* not gzip, damaged, cut off or followed by something else */
    INFLATE_TOO_LARGE, /* more than limit bytes */
    INFLATE_NO_MEMORY
};

/* One or more gzip members (RFC 1952) into the arena. */
enum inflate_result inflate_body(struct arena *arena, struct slice raw, size_t limit, struct slice *body);

#endif
