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

/* What is confirmed young counts so much more against what is given up: a topic or a broker may be away,
 * which the others need not suffer for. */
#define YOUNG_COUNT 4

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
        if (events > 0 && waited <= (long long)events)
            atomic_store_explicit(&flow->caught_up, true, memory_order_relaxed);
        atomic_fetch_add_explicit(&flow->confirmed, events, memory_order_relaxed);
        atomic_fetch_add_explicit(&flow->confirmed_age, events * age_ms, memory_order_relaxed);
    } else if (age_ms >= LATE_MS) {
        atomic_fetch_add_explicit(&flow->given_up, events, memory_order_relaxed);
    }
}

/* The slots since the oldest in which something was confirmed: what lies before that, maybe a standstill,
 * would make Kafka look slow. But what was given up is of all slots. */
struct recent {
    uint64_t confirmed, age_ms, time_ms, given_up;
    bool late; /* confirmed, but late */
};

static struct recent recent_of(const struct flow *flow)
{
    struct recent recent = {0};
    for (size_t i = 1; i <= FLOW_SLOTS; i++) {
        size_t slot = (flow->slot + i) % FLOW_SLOTS; /* the oldest first */
        recent.given_up += flow->slots[slot].given_up;
        if (recent.confirmed == 0 && flow->slots[slot].events == 0)
            continue;
        recent.confirmed += flow->slots[slot].events;
        recent.age_ms += flow->slots[slot].age_ms;
        recent.time_ms += flow->slots[slot].length_ms;
    }
    recent.late = recent.confirmed > 0 && recent.age_ms / recent.confirmed >= LATE_MS;
    return recent;
}

static long long halved(struct flow *flow, long long limit, long long waiting)
{
    if (limit == 0) /* as many as waited when the slot began */
        limit = waiting + (long long)flow->slots[flow->slot].given_up;
    flow->since_halved = 0;
    for (size_t i = 0; i < FLOW_SLOTS; i++)
        flow->slots[i].given_up = 0;
    return limit / 2 < FLOW_LIMIT_MIN ? FLOW_LIMIT_MIN : limit / 2;
}

static long long next_limit(struct flow *flow, const struct recent *recent, uint64_t confirmed)
{
    long long limit = atomic_load_explicit(&flow->limit, memory_order_relaxed);
    long long waiting = atomic_load_explicit(&flow->waiting, memory_order_relaxed);
    flow->since_refused++;
    if (atomic_exchange_explicit(&flow->refused, false, memory_order_relaxed))
        flow->since_refused = 0;
    uint64_t good = recent->late ? recent->confirmed : recent->confirmed * YOUNG_COUNT;
    if (recent->given_up > good)
        return halved(flow, limit, waiting);
    /* Something goes through, or nothing is under way that could tell. */
    bool quiet = flow->since_refused >= QUIET && flow->since_halved >= QUIET;
    if (quiet && (confirmed > 0 || waiting == 0))
        return 0;
    return limit > 0 ? limit + (long long)confirmed : 0;
}

void flow_tick(struct flow *flow, uint64_t now_ms)
{
    if (flow->slot_began_ms == 0)
        flow->slot_began_ms = now_ms;
    uint64_t length_ms = now_ms - flow->slot_began_ms;
    if (length_ms < FLOW_SLOT_MS)
        return;
    uint64_t confirmed = atomic_exchange_explicit(&flow->confirmed, 0, memory_order_relaxed);
    flow->slot_began_ms = now_ms;
    flow->slot = (flow->slot + 1) % FLOW_SLOTS;
    flow->slots[flow->slot].events = confirmed;
    flow->slots[flow->slot].age_ms = atomic_exchange_explicit(&flow->confirmed_age, 0, memory_order_relaxed);
    flow->slots[flow->slot].length_ms = length_ms;
    uint64_t given_up = atomic_exchange_explicit(&flow->given_up, 0, memory_order_relaxed);
    flow->since_halved++;
    bool settles =
        atomic_load_explicit(&flow->limit, memory_order_relaxed) > 0 && flow->since_halved < HALVED_STAYS;
    flow->slots[flow->slot].given_up = settles ? 0 : given_up;
    /* There is no queue, and what was confirmed tells how much came, not how much Kafka takes. */
    if (atomic_exchange_explicit(&flow->caught_up, false, memory_order_relaxed))
        memset(flow->slots, 0, sizeof flow->slots);
    struct recent recent = recent_of(flow);
    uint64_t event_us = recent.late ? recent.time_ms * 1000 / recent.confirmed : 0;
    atomic_store_explicit(&flow->event_us, event_us, memory_order_relaxed);
    atomic_store_explicit(&flow->limit, next_limit(flow, &recent, confirmed), memory_order_relaxed);
}
