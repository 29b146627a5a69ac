// SPDX-License-Identifier: Apache-2.0
//
// Whether another batch would be confirmed in time. What is more than Kafka takes piles up in the
// producers' queues, where everything grows old together until hardly a batch is confirmed in time;
// whoever comes then is better told at once to come again.
//
// Goes by evidence only. Batches are confirmed, but late: what waits, divided by what is confirmed in a
// second (Little's law), is how long one more would wait. More are given up than confirmed, those that are
// confirmed young counting four times, since a topic or a broker may be away and not concern them: half as
// many may wait, again and again, down to FLOW_LIMIT_MIN; then more by as many as are confirmed, and any
// number once the limit has refused nobody for a while. What is confirmed is young, or nothing ends at all,
// or all that waited has been confirmed: everybody may come; brokers may be changing leaders, or a burst has
// just begun.
#ifndef BRIDGE_KAFKA_FLOW_H
#define BRIDGE_KAFKA_FLOW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FLOW_SLOT_MS 250
#define FLOW_SLOTS 16

/* Two of Adobe's largest batches. */
#define FLOW_LIMIT_MIN 1000

/* Zero-initialised is good to use. */
struct flow {
    atomic_llong waiting;        /* events of batches handed over and not complete */
    _Atomic uint64_t event_us;   /* that one takes, by what was confirmed lately; 0: it does not matter */
    atomic_llong limit;          /* so many may wait; 0: any number */
    atomic_ullong confirmed;     /* events confirmed in the present slot */
    atomic_ullong confirmed_age; /* and their ages together, milliseconds */
    atomic_ullong given_up;      /* events of batches that waited long and failed in the present slot */
    atomic_bool refused;         /* the limit has refused somebody in the present slot */
    atomic_bool caught_up;       /* the last that waited was confirmed in the present slot */
    /* Of the thread that calls flow_tick. */
    uint64_t slot_began_ms;
    size_t slot;
    unsigned since_halved, since_refused; /* slots */
    struct {
        uint64_t events, age_ms, length_ms;
        uint64_t given_up; /* since the limit was halved */
    } slots[FLOW_SLOTS];
};

/* Would a batch that comes now be confirmed within left_ms? Any thread, like the next two; never waits. */
bool flow_admits(struct flow *flow, uint64_t left_ms);
void flow_begin(struct flow *flow, size_t events);
/* confirmed: all of its records are, after age_ms. */
void flow_end(struct flow *flow, size_t events, bool confirmed, uint64_t age_ms);

/* Closes a slot when it is time; called at least a few times a second, by one thread. Monotonic
 * milliseconds. */
void flow_tick(struct flow *flow, uint64_t now_ms);

#endif
