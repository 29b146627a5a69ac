// SPDX-License-Identifier: Apache-2.0
//
// Memory that lives and dies with one batch, and the budget it is taken from.
//
// A budget is one number that all batches share (limits.in_flight): every byte
// an arena holds is charged to it first, so that the sum stays bounded however
// many batches are under way. An arena hands out pieces and gives everything
// back at once. Budgets may be used from any thread; an arena by one at a time.
#ifndef BRIDGE_ARENA_H
#define BRIDGE_ARENA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "slice.h"

struct budget {
    atomic_size_t used; /* bytes charged now */
    size_t limit;       /* never exceeded */
};

/* Charges n bytes; false, with nothing charged, when they do not fit. */
bool budget_take(struct budget *budget, size_t n) __attribute__((warn_unused_result));
void budget_give(struct budget *budget, size_t n);

struct arena_chunk;

struct arena {
    struct budget *budget; /* NULL: not charged */
    struct arena_chunk *chunks;
    char *next, *end; /* free space of the newest chunk */
    size_t charged;   /* bytes charged to the budget by this arena */
};

void arena_init(struct arena *arena, struct budget *budget);

/* n bytes aligned for any type; NULL when the budget or the machine is out of memory. */
void *arena_alloc(struct arena *arena, size_t n) __attribute__((warn_unused_result));

/* Gives back the last `unused` bytes of the piece that arena_alloc returned
 * last. Only valid directly after that call. */
void arena_shrink_last(struct arena *arena, size_t unused);

/* A copy of s, with a terminating NUL behind it that is not counted. ptr NULL on failure. */
struct slice arena_copy(struct arena *arena, struct slice s) __attribute__((warn_unused_result));

/* Charges n further bytes that are not the arena's own but live as long
 * (librdkafka's copies of keys and headers); given back by arena_free. */
bool arena_charge(struct arena *arena, size_t n) __attribute__((warn_unused_result));

/* Frees everything and gives the charge back. The arena can be used again. */
void arena_free(struct arena *arena);

#endif
