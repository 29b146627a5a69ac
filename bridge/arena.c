// SPDX-License-Identifier: Apache-2.0
//
// Memory of one batch, taken in chunks from a budget that all batches share.
// Budgets: any thread. An arena: one thread at a time.
#include "arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

/* Under AddressSanitizer the unused part of a chunk is poisoned and pieces are
 * kept apart, so that reading past a piece is found as it is with malloc. */
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISONS 1
#endif
#endif

#ifdef ARENA_POISONS
#include <sanitizer/asan_interface.h>
#define ARENA_GAP 16
#define arena_poison(ptr, n) __asan_poison_memory_region((ptr), (n))
#define arena_unpoison(ptr, n) __asan_unpoison_memory_region((ptr), (n))
#else
#define ARENA_GAP 0
#define arena_poison(ptr, n) ((void)(ptr), (void)(n))
#define arena_unpoison(ptr, n) ((void)(ptr), (void)(n))
#endif

#define ALIGNMENT alignof(max_align_t)
#define CHUNK_MIN ((size_t)4096)
#define CHUNK_MAX ((size_t)65536)

struct arena_chunk {
    alignas(max_align_t) struct arena_chunk *next; /* made before this one */
    size_t size;                                   /* bytes behind this header */
    bool last_alone; /* in the newest chunk only: the last piece has a chunk of its own */
};

bool budget_take(struct budget *budget, size_t n)
{
    size_t used = atomic_load_explicit(&budget->used, memory_order_relaxed);
    do {
        if (used > budget->limit || n > budget->limit - used)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&budget->used, &used, used + n, memory_order_relaxed,
                                                    memory_order_relaxed));
    return true;
}

void budget_give(struct budget *budget, size_t n)
{
    atomic_fetch_sub_explicit(&budget->used, n, memory_order_relaxed);
}

void arena_init(struct arena *arena, struct budget *budget)
{
    *arena = (struct arena){.budget = budget};
}

bool arena_charge(struct arena *arena, size_t n)
{
    if (arena->budget != NULL && !budget_take(arena->budget, n))
        return false;
    arena->charged += n;
    return true;
}

/* A new chunk with `size` usable bytes, first in the list; NULL when out of memory. */
static struct arena_chunk *chunk_add(struct arena *arena, size_t size)
{
    size_t total;
    if (__builtin_add_overflow(sizeof(struct arena_chunk), size, &total) || !arena_charge(arena, total))
        return NULL;
    struct arena_chunk *chunk = malloc(total);
    if (chunk == NULL) {
        if (arena->budget != NULL)
            budget_give(arena->budget, total);
        arena->charged -= total;
        return NULL;
    }
    *chunk = (struct arena_chunk){.next = arena->chunks, .size = size};
    arena->chunks = chunk;
    arena_poison((char *)(chunk + 1), size);
    return chunk;
}

/* Size of the next shared chunk, header included: doubles with every chunk up to the largest. */
static size_t next_chunk_size(const struct arena *arena)
{
    size_t size = CHUNK_MIN;
    for (const struct arena_chunk *c = arena->chunks; c != NULL && size < CHUNK_MAX; c = c->next)
        size *= 2;
    return size;
}

void *arena_alloc(struct arena *arena, size_t n)
{
    size_t need;
    if (__builtin_add_overflow(n, ARENA_GAP + ALIGNMENT - 1, &need))
        return NULL;
    need &= ~(ALIGNMENT - 1);
    char *piece;
    if (arena->next != NULL && need <= (size_t)(arena->end - arena->next)) {
        piece = arena->next;
        arena->next += need;
        arena->chunks->last_alone = false;
    } else {
        size_t size = next_chunk_size(arena) - sizeof(struct arena_chunk);
        bool alone = need > size / 4;
        struct arena_chunk *chunk = chunk_add(arena, alone ? need : size);
        if (chunk == NULL)
            return NULL;
        chunk->last_alone = alone;
        piece = (char *)(chunk + 1);
        if (!alone) {
            arena->next = piece + need;
            arena->end = piece + size;
        }
    }
    arena_unpoison(piece, n);
    return piece;
}

void arena_shrink_last(struct arena *arena, size_t unused)
{
    /* A chunk of its own cannot give back a part without moving. */
    if (arena->chunks->last_alone)
        return;
    unused &= ~(ALIGNMENT - 1);
    arena->next -= unused;
    arena_poison(arena->next, (size_t)(arena->end - arena->next));
}

struct slice arena_copy(struct arena *arena, struct slice s)
{
    size_t size;
    if (__builtin_add_overflow(s.len, 1, &size))
        return SLICE_ABSENT;
    char *copy = arena_alloc(arena, size);
    if (copy == NULL)
        return SLICE_ABSENT;
    if (s.len > 0)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return (struct slice){copy, s.len};
}

void arena_free(struct arena *arena)
{
    struct arena_chunk *chunk = arena->chunks;
    while (chunk != NULL) {
        struct arena_chunk *next = chunk->next;
        arena_unpoison((char *)(chunk + 1), chunk->size);
        free(chunk);
        chunk = next;
    }
    if (arena->budget != NULL)
        budget_give(arena->budget, arena->charged);
    arena_init(arena, arena->budget);
}
