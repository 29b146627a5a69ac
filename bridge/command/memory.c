// SPDX-License-Identifier: Apache-2.0
//
// See memory.h. Main thread.
#include "command/memory.h"

#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#include "telemetry/log.h"

/* A trim does not reach the free end of a loop's arena: that goes by itself when it is longer than this. Left
 * alone, glibc would raise the limit to twice the largest body. */
#define END_MAX (2 << 20)
/* Smaller blocks come from the arenas. With pages of their own, new ones each time, a body of 4 MiB took
 * twice the CPU time. */
#define MMAP_FROM (32 << 20)

/* A trim looks at all that is free, and holds the locks of the arenas meanwhile: some milliseconds when there
 * is much. */
#define WORTH ((size_t)4 << 20)
#define EVERY_MS 10000
/* Each loop has an arena, and those who are cut from one come to the next: what is idle in the first must be
 * gone by then, or the process grows by as much again with each core. */
#define MUCH ((size_t)64 << 20)
#define SOON_MS 2000
/* Full: more is resident than requests may hold and this, which is there without them. */
#define BASE ((size_t)32 << 20)
#define MUCH_WHEN_FULL ((size_t)16 << 20)
#define SOON_WHEN_FULL_MS 500
/* One that finds nothing can have come too early, or what is idle is in use after all: the next ones come
 * less and less often. */
#define SELDOM_MS (10 * 60 * 1000)

void memory_set_up(void)
{
    mallopt(M_TRIM_THRESHOLD, END_MAX);
    mallopt(M_MMAP_THRESHOLD, MMAP_FROM);
}

bool memory_is_worth_a_trim(struct memory *memory, size_t resident, size_t held, size_t limit,
                            uint64_t now_ms)
{
    size_t idle = resident > held ? resident - held : 0;
    if (!memory->known || idle < memory->least_idle)
        memory->least_idle = idle;
    if (!memory->known || memory->trimmed || idle < memory->left_idle)
        memory->left_idle = idle;
    memory->known = true;
    memory->trimmed = false;

    bool grown = idle - memory->left_idle >= WORTH;
    bool full = resident > BASE + limit;
    bool much = idle - memory->left_idle >= (full ? MUCH_WHEN_FULL : MUCH);
    if (grown || idle - memory->least_idle < WORTH)
        memory->wait_ms = !much ? EVERY_MS : full ? SOON_WHEN_FULL_MS : SOON_MS;
    if (idle - memory->least_idle < WORTH || now_ms - memory->last_ms < memory->wait_ms)
        return false;
    memory->last_ms = now_ms;
    memory->wait_ms = memory->wait_ms * 2 < SELDOM_MS ? memory->wait_ms * 2 : SELDOM_MS;
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

void memory_look(struct memory *memory, size_t held, size_t limit, uint64_t now_ms)
{
    size_t resident = resident_bytes();
    if (resident == 0 || !memory_is_worth_a_trim(memory, resident, held, limit, now_ms))
        return;
    malloc_trim(0);
    log_debug("freed memory was given back", LOG_INT("resident_kib", resident / 1024),
              LOG_INT("now_kib", resident_bytes() / 1024), LOG_INT("held_kib", held / 1024));
}
