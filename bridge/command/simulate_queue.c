// SPDX-License-Identifier: Apache-2.0
//
// Batches that wait for a retry, the earliest first; main thread.
#include "command/simulate.h"

#include <assert.h>
#include <stdlib.h>

/* Of two that are due together, the older events go first. */
static bool is_before(const struct delivery *a, const struct delivery *b)
{
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->first < b->first;
}

bool retry_queue_push(struct retry_queue *queue, struct delivery delivery)
{
    if (queue->count == queue->capacity) {
        size_t capacity = queue->capacity * 2 + 64;
        struct delivery *grown = reallocarray(queue->items, capacity, sizeof *grown);
        if (grown == NULL)
            return false;
        queue->items = grown;
        queue->capacity = capacity;
    }
    size_t at = queue->count++;
    while (at > 0 && is_before(&delivery, &queue->items[(at - 1) / 2])) {
        queue->items[at] = queue->items[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    queue->items[at] = delivery;
    return true;
}

struct delivery retry_queue_pop(struct retry_queue *queue)
{
    assert(queue->count > 0);
    struct delivery first = queue->items[0], last = queue->items[--queue->count];
    size_t at = 0, child;
    while ((child = 2 * at + 1) < queue->count) {
        if (child + 1 < queue->count && is_before(&queue->items[child + 1], &queue->items[child]))
            child++;
        if (!is_before(&queue->items[child], &last))
            break;
        queue->items[at] = queue->items[child];
        at = child;
    }
    queue->items[at] = last;
    return first;
}

void retry_queue_free(struct retry_queue *queue)
{
    free(queue->items);
    *queue = (struct retry_queue){0};
}
