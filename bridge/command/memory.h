// SPDX-License-Identifier: Apache-2.0
//
// Gives memory that was freed back to the system: glibc keeps it, and after a rush of connections and large
// bodies that is several times what the process needs. Main thread.
#ifndef BRIDGE_COMMAND_MEMORY_H
#define BRIDGE_COMMAND_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-initialise. `idle` is what is resident beyond what is held. */
struct memory {
    bool known, trimmed;       /* the next two are; the last look has led to a trim */
    size_t least_idle;         /* ever */
    size_t left_idle;          /* by the last trim, or less since */
    uint64_t last_ms, wait_ms; /* the last trim, and how long none follows that finds nothing new */
};

/* Before the first thread is started. */
void memory_set_up(void);

/* Whether it is worth while to look for memory to give back. resident: what the process has; held: what of it
 * is known to be in use by requests and connections, roughly; limit: of what they may hold. */
bool memory_is_worth_a_trim(struct memory *memory, size_t resident, size_t held, size_t limit,
                            uint64_t now_ms);

/* Does it. To be called every half second. */
void memory_look(struct memory *memory, size_t held, size_t limit, uint64_t now_ms);

#endif
