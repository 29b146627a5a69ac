// SPDX-License-Identifier: Apache-2.0
//
// See memory.h. Main thread.
#include "command/memory.h"

#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

/* Blocks from here on have pages of their own, which go as soon as they are freed. Without this, glibc raises
 * its limit with the first large body, up to 32 MiB. Batches of 500 activities are smaller: pages that are
 * new each time cost more than they save. */
#define MMAP_FROM (1 << 20)
/* Free memory at the end of an arena that is kept. */
#define KEEP (2 << 20)

/* A trim looks at all that is free, and the locks of the arenas are held meanwhile: some milliseconds when
 * there is much. */
#define WORTH ((size_t)8 << 20)
#define EVERY_MS 10000

void memory_set_up(void)
{
    mallopt(M_MMAP_THRESHOLD, MMAP_FROM);
    mallopt(M_TRIM_THRESHOLD, KEEP);
}

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
