// SPDX-License-Identifier: Apache-2.0
//
// Stands before the C library's allocator, or before AddressSanitizer's, which keeps its own
// under another name. Any thread; each has a state of its own.
#include "torture.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifdef SANITIZED
#define REAL(name) __interceptor_##name
#else
#define REAL(name) __libc_##name
#endif

/* Only a program with leaks to look for has them. */
void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));

void *REAL(malloc)(size_t size);
void *REAL(calloc)(size_t count, size_t size);
void *REAL(realloc)(void *old, size_t size);
void REAL(free)(void *block);

static _Thread_local struct {
    bool on;       /* counts */
    bool relented; /* nothing fails any more */
    bool failed;
    enum torture_mode mode;
    size_t until; /* allocations until one fails */
    long blocks;
} state;

void torture_begin(size_t n, enum torture_mode mode)
{
    torture_arm(n, mode);
    state.failed = false;
    state.blocks = 0;
    state.on = true;
    /* Blocks are counted here; what a library loses when it has no memory, the test knows. */
    if (__lsan_disable != NULL)
        __lsan_disable();
}

void torture_arm(size_t n, enum torture_mode mode)
{
    state.until = n;
    state.mode = mode;
    state.relented = false;
}

void torture_relent(void)
{
    state.relented = true;
}

bool torture_end(long *left)
{
    state.on = false;
    if (__lsan_enable != NULL)
        __lsan_enable();
    *left = state.blocks;
    return state.failed;
}

static bool is_refused(void)
{
    if (!state.on || state.relented)
        return false;
    bool refused = state.until == 1 || (state.until == 0 && state.mode == TORTURE_ONWARDS);
    if (state.until > 0)
        state.until--;
    if (refused) {
        state.failed = true;
        errno = ENOMEM;
    }
    return refused;
}

static void *counted(void *block)
{
    if (state.on && block != NULL)
        state.blocks++;
    return block;
}

void *malloc(size_t size)
{
    return is_refused() ? NULL : counted(REAL(malloc)(size));
}

void *calloc(size_t count, size_t size)
{
    return is_refused() ? NULL : counted(REAL(calloc)(count, size));
}

void *realloc(void *old, size_t size)
{
    if (old == NULL)
        return malloc(size);
    if (size == 0) {
        free(old);
        return NULL;
    }
    return is_refused() ? NULL : REAL(realloc)(old, size);
}

void *reallocarray(void *old, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(old, bytes);
}

/* The sanitizers have these two take memory elsewhere, which would then be given back here. */
char *strndup(const char *text, size_t size)
{
    size_t length = strnlen(text, size);
    char *copy = malloc(length + 1);
    if (copy != NULL) {
        memcpy(copy, text, length);
        copy[length] = '\0';
    }
    return copy;
}

char *strdup(const char *text)
{
    return strndup(text, strlen(text));
}

void free(void *block)
{
    if (state.on && block != NULL)
        state.blocks--;
    REAL(free)(block);
}
