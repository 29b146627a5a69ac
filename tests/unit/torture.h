// SPDX-License-Identifier: Apache-2.0
//
// Allocations that fail on demand (curl's habit): the n-th of the calling thread, whoever asks
// for it, libraries included. A program that is linked with torture.c has its malloc, calloc,
// realloc, reallocarray and free from there. One thread tortures at a time, others are left alone.
//
//     for (size_t n = 1; ; n++) {
//         torture_begin(n, TORTURE_ONCE);
//         ...                              what is tested; no assertion of Check's, which allocates
//         torture_relent();                from here on nothing fails
//         ...                              look at the outcome, free everything
//         if (!torture_end(&left))         no n-th allocation was asked for: all are through
//             break;
//     }
#ifndef TESTS_UNIT_TORTURE_H
#define TESTS_UNIT_TORTURE_H

#include <stdbool.h>
#include <stddef.h>

enum torture_mode {
    TORTURE_ONCE,   /* the n-th allocation fails, and those behind it succeed */
    TORTURE_ONWARDS /* the n-th and all behind it fail */
};

/* n 0 with TORTURE_ONCE: none fails. */
void torture_begin(size_t n, enum torture_mode mode);
/* Counts from here to the n-th anew, so that what came before did not fail; blocks are counted on. */
void torture_arm(size_t n, enum torture_mode mode);
void torture_relent(void);

/* Whether an allocation has failed. *left: blocks taken since torture_begin and not given back. */
bool torture_end(long *left);

#endif
