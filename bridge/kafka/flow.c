// SPDX-License-Identifier: Apache-2.0
//
// Any thread; the slots belong to the one that ticks.
#include "kafka/flow.h"

#include <string.h>

/* What is confirmed at this age, in the mean of the slots, has waited in a queue: without one it takes
 * milliseconds; a change of leaders takes seconds, but nothing is confirmed meanwhile. */
#define LATE_MS 1000

/* Who waited as long as before the limit was halved goes on being given up for a while. */
#define HALVED_STAYS (1000 / FLOW_SLOT_MS)

/* The limit has refused nobody for so long: it is none any more. */
#define QUIET (2000 / FLOW_SLOT_MS)

bool flow_admits(struct flow *flow, uint64_t left_ms)
{
    long long limit = atomic_load_explicit(&flow->limit, memory_order_relaxed);
    long long waiting = atomic_load_explicit(&flow->waiting, memory_order_relaxed);
    if (limit > 0 && waiting >= limit) {
        atomic_store_explicit(&flow->refused, true, memory_order_relaxed);
        return false;
    }
    uint64_t wait_us = (uint64_t)waiting * atomic_load_explicit(&flow->event_us, memory_order_relaxed);
    /* A third is room for what the estimate does not know. */
    return wait_us <= left_ms * 1000 / 3 * 2;
}

void flow_begin(struct flow *flow, size_t events)
{
    atomic_fetch_add_explicit(&flow->waiting, (long long)events, memory_order_relaxed);
}

void flow_end(struct flow *flow, size_t events, bool confirmed, uint64_t age_ms)
{
    long long waited = atomic_fetch_sub_explicit(&flow->waiting, (long long)events, memory_order_relaxed);
    if (confirmed) {
        if (waited <= (long long)events)
            atomic_store_explicit(&flow->caught_up, true, memory_order_relaxed);
        atomic_fetch_add_explicit(&flow->confirmed, events, memory_order_relaxed);
        atomic_fetch_add_explicit(&flow->confirmed_age, events * age_ms, memory_order_relaxed);
    } else if (age_ms >= LATE_MS) {
        atomic_fetch_add_explicit(&flow->given_up, events, memory_order_relaxed);
    }
}

static long long next_limit(struct flow *flow, long long waiting, uint64_t confirmed, uint64_t given_up)
{
    long long limit = atomic_load_explicit(&flow->limit, memory_order_relaxed);
    flow->since_halved++;
    flow->since_refused++;
    if (atomic_exchange_explicit(&flow->refused, false, memory_order_relaxed))
        flow->since_refused = 0;
    if (given_up > confirmed) {
        if (limit > 0 && flow->since_halved < HALVED_STAYS)
            return limit;
        flow->since_halved = 0;
        limit = (limit > 0 ? limit : waiting + (long long)given_up) / 2;
        return limit < FLOW_LIMIT_MIN ? FLOW_LIMIT_MIN : limit;
    }
    /* Something goes through, or nothing is under way that could tell. */
    bool good = confirmed > 0 || waiting == 0;
    if (good && flow->since_refused >= QUIET && flow->since_halved >= QUIET)
        return 0;
    return limit > 0 ? limit + (long long)confirmed : 0;
}

/* By what was confirmed since the oldest slot in which something was: what lies before that, maybe a
 * standstill, would make Kafka look slow. */
static uint64_t next_event_us(const struct flow *flow)
{
    uint64_t events = 0, age_ms = 0, time_ms = 0;
    for (size_t i = 1; i <= FLOW_SLOTS; i++) {
        size_t slot = (flow->slot + i) % FLOW_SLOTS; /* the oldest first */
        if (events == 0 && flow->slots[slot].events == 0)
            continue;
        events += flow->slots[slot].events;
        age_ms += flow->slots[slot].age_ms;
        time_ms += flow->slots[slot].length_ms;
    }
    return events == 0 || age_ms / events < LATE_MS ? 0 : time_ms * 1000 / events;
}

void flow_tick(struct flow *flow, uint64_t now_ms)
{
    if (flow->slot_began_ms == 0)
        flow->slot_began_ms = now_ms;
    uint64_t length_ms = now_ms - flow->slot_began_ms;
    if (length_ms < FLOW_SLOT_MS)
        return;
    uint64_t confirmed = atomic_exchange_explicit(&flow->confirmed, 0, memory_order_relaxed);
    uint64_t given_up = atomic_exchange_explicit(&flow->given_up, 0, memory_order_relaxed);
    flow->slot_began_ms = now_ms;
    flow->slot = (flow->slot + 1) % FLOW_SLOTS;
    flow->slots[flow->slot].events = confirmed;
    flow->slots[flow->slot].age_ms = atomic_exchange_explicit(&flow->confirmed_age, 0, memory_order_relaxed);
    flow->slots[flow->slot].length_ms = length_ms;
    /* There is no queue, and what was confirmed tells how much came, not how much Kafka takes. */
    if (atomic_exchange_explicit(&flow->caught_up, false, memory_order_relaxed))
        memset(flow->slots, 0, sizeof flow->slots);
    long long waiting = atomic_load_explicit(&flow->waiting, memory_order_relaxed);
    atomic_store_explicit(&flow->event_us, next_event_us(flow), memory_order_relaxed);
    atomic_store_explicit(&flow->limit, next_limit(flow, waiting, confirmed, given_up), memory_order_relaxed);
}
