// SPDX-License-Identifier: Apache-2.0
//
// What every way to prove oneself has in common: the verdict, the clock it is given
// at, and a request that waits for something to be fetched. Any thread.
#ifndef BRIDGE_AUTH_VERDICT_H
#define BRIDGE_AUTH_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum auth_verdict {
    AUTH_ALLOW,
    AUTH_DENY,        /* 401: no retry could make this proof good */
    AUTH_UNAVAILABLE, /* 503: it could not be checked; never a final refusal */
    AUTH_PENDING      /* something is being fetched: the wait has been queued, judge again once it is woken */
};

/* Both clocks, handed in so that tests can set them. */
struct auth_now {
    uint64_t ms;     /* monotonic: ages, budgets, "since it arrived" */
    int64_t wall_ms; /* since 1970: the times inside a token */
};

/* A request that waits. Zeroed by its owner but for `wake`; it must live until wake was called
 * for every AUTH_PENDING that a judge returned with it. */
struct auth_wait {
    /* Called once for each AUTH_PENDING, from any thread, perhaps before the judge has returned.
     * Means "judge again", not "allowed". */
    void (*wake)(struct auth_wait *wait);
    struct auth_wait *next; /* the queue's */
    uint64_t since_ms;      /* monotonic: when the request was judged first; 0: not yet. What was fetched
                             * from then on decides finally, what was fetched before may be out of date */
    unsigned rounds;        /* how often it has waited */
};

/* More often than this no request waits; it is AUTH_UNAVAILABLE then. */
#define AUTH_ROUNDS_MAX 4

/* Requests that wait for one thing. The owner's lock guards it. Zero-initialise. */
struct auth_queue {
    struct auth_wait *first;
    size_t count;
};

/* In one queue at a time; over it, AUTH_UNAVAILABLE: strangers can ask as well. */
#define AUTH_QUEUE_MAX 512

/* False when the queue is full or the request has waited AUTH_ROUNDS_MAX times. */
static inline bool auth_queue_add(struct auth_queue *queue, struct auth_wait *wait)
{
    if (queue->count >= AUTH_QUEUE_MAX || wait->rounds >= AUTH_ROUNDS_MAX)
        return false;
    wait->rounds++;
    wait->next = queue->first;
    queue->first = wait;
    queue->count++;
    return true;
}

/* Takes all of them out; to be handed to auth_wake_all once the lock is released. */
static inline struct auth_wait *auth_queue_take(struct auth_queue *queue)
{
    struct auth_wait *first = queue->first;
    queue->first = NULL;
    queue->count = 0;
    return first;
}

static inline void auth_wake_all(struct auth_wait *first)
{
    while (first != NULL) {
        struct auth_wait *next = first->next;
        first->wake(first);
        first = next;
    }
}

/* A token bucket: `burst` at once, then one every `every_ms`. Zero-initialised it is full. The
 * owner's lock guards it. */
struct auth_budget {
    unsigned burst;
    uint64_t every_ms;
    uint64_t full_at_ms; /* when it would be full again */
};

/* Takes one; false when there is none left. */
static inline bool auth_budget_take(struct auth_budget *budget, uint64_t now_ms)
{
    uint64_t full_at_ms = budget->full_at_ms > now_ms ? budget->full_at_ms : now_ms;
    if (full_at_ms + budget->every_ms > now_ms + budget->burst * budget->every_ms)
        return false;
    budget->full_at_ms = full_at_ms + budget->every_ms;
    return true;
}

#endif
