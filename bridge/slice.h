// SPDX-License-Identifier: Apache-2.0
//
// A piece of memory that somebody else owns: pointer and length, never
// terminated. ptr NULL means "absent"; an empty text has a pointer and length 0.
#ifndef BRIDGE_SLICE_H
#define BRIDGE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
    const char *ptr;
    size_t len;
};

#define SLICE_ABSENT ((struct slice){NULL, 0})
#define SLICE_LITERAL(text) ((struct slice){(text), sizeof(text) - 1})

static inline struct slice slice_of(const char *text)
{
    return text == NULL ? SLICE_ABSENT : (struct slice){text, strlen(text)};
}

static inline bool slice_present(struct slice s)
{
    return s.ptr != NULL;
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool slice_starts_with(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && memcmp(s.ptr, prefix.ptr, prefix.len) == 0;
}

#endif
