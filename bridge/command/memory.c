// SPDX-License-Identifier: Apache-2.0
//
// See memory.h. Main thread.
#include "command/memory.h"

#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

/* A trim looks at all that is free, and holds the locks of the arenas meanwhile: some milliseconds when there
 * is much. To have large blocks returned as they are freed (M_MMAP_THRESHOLD) costs more: a body of 4 MiB
 * took twice the CPU time, for pages that are new each time. */
#define WORTH ((size_t)8 << 20)
#define EVERY_MS 10000

bool memory_is_worth_a_trim(struct memory *memory, size_t resident, size_t held, uint64_t now_ms)
{
    size_t idle = resident > held ? resident - held : 0;
    if (!memory->known || memory->trimmed || idle < memory->idle)
        memory->idle = idle;
    memory->known = true;
    memory->trimmed = false;
    if (idle - memory->idle < WORTH || now_ms < memory->not_before_ms)
        return false;
    memory->not_before_ms = now_ms + EVERY_MS;
    memory->trimmed = true;
    return true;
}

/* 0 when it cannot be told. */
static size_t resident_bytes(void)
{
    unsigned long total, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%lu %lu", &total, &resident) != 2)
        resident = 0;
    fclose(file);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

void memory_look(struct memory *memory, size_t held, uint64_t now_ms)
{
    size_t resident = resident_bytes();
    if (resident > 0 && memory_is_worth_a_trim(memory, resident, held, now_ms))
        malloc_trim(0);
}
