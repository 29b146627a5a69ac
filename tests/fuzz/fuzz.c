// SPDX-License-Identifier: Apache-2.0
//
// What the fuzz targets share. One thread.
#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "telemetry/log.h"

void fuzz_fail(const char *file, int line, const char *rule)
{
    fprintf(stderr, "%s:%d: broken rule: %s\n", file, line, rule);
    abort();
}

void *fuzz_alloc(size_t size)
{
    void *memory = malloc(size > 0 ? size : 1);
    fuzz_check(memory != NULL);
    return memory;
}

char *fuzz_copy(struct slice bytes)
{
    char *copy = fuzz_alloc(bytes.len);
    if (bytes.len > 0)
        memcpy(copy, bytes.ptr, bytes.len);
    return copy;
}

void fuzz_log_nowhere(void)
{
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    fuzz_check(fd >= 0);
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_JSON, fd);
}

bool fuzz_is_part(struct slice inner, struct slice outer)
{
    return inner.ptr >= outer.ptr && inner.len <= outer.len &&
           (size_t)(inner.ptr - outer.ptr) <= outer.len - inner.len;
}

bool fuzz_has_bytes(struct slice outer, struct slice bytes)
{
    return bytes.len == 0 || memmem(outer.ptr, outer.len, bytes.ptr, bytes.len) != NULL;
}
