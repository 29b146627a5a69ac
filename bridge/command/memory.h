// SPDX-License-Identifier: Apache-2.0
//
// Gives memory that was freed back to the system: glibc keeps it, and after a rush of connections and large
// bodies that is several times what the process needs. Main thread.
#ifndef BRIDGE_COMMAND_MEMORY_H
#define BRIDGE_COMMAND_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-initialise. */
struct memory {
    bool known;  /* the next two are */
    size_t idle; /* the least that was resident beyond what was held, since the last trim */
    uint64_t not_before_ms;
    bool trimmed; /* `idle` is to be taken anew */
};

/* Whether it is worth while to look for memory to give back. resident: what the process has; held: what of it
 * is known to be in use by requests and connections, roughly. */
bool memory_is_worth_a_trim(struct memory *memory, size_t resident, size_t held, uint64_t now_ms);

/* Does it. To be called every second. */
void memory_look(struct memory *memory, size_t held, uint64_t now_ms);

#endif
