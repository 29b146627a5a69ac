// SPDX-License-Identifier: Apache-2.0
//
// What the fuzz targets share. A target is one file: libFuzzer hands it bytes, it hands them to
// the bridge's own functions and checks what came out against rules that hold for any input,
// or against somebody else's parser. The sanitizers find the rest. One thread.
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slice.h"

/* libFuzzer's own names. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A rule that is broken is a finding: says which and ends the process; libFuzzer keeps the input. */
#define fuzz_check(condition)                                                                                \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            fuzz_fail(__FILE__, __LINE__, #condition);                                                       \
    } while (0)

__attribute__((noreturn)) void fuzz_fail(const char *file, int line, const char *rule);

/* malloc; without memory there is nothing to be found. */
void *fuzz_alloc(size_t size) __attribute__((malloc, warn_unused_result));
/* A copy of exactly this size, so that a byte read beyond it is seen; to be freed. */
char *fuzz_copy(struct slice bytes) __attribute__((warn_unused_result));

/* The log goes nowhere, but is written. */
void fuzz_log_nowhere(void);

/* Whether inner lies in outer, as memory and as bytes. */
bool fuzz_is_part(struct slice inner, struct slice outer);
bool fuzz_has_bytes(struct slice outer, struct slice bytes);

#endif
