// SPDX-License-Identifier: Apache-2.0
//
// Stands for the unit tests' framework in a fixture that is used here, too.
#ifndef TESTS_FUZZ_CHECK_H
#define TESTS_FUZZ_CHECK_H

#include "fuzz.h"

#define ck_assert(condition) fuzz_check(condition)
#define ck_assert_int_eq(a, b) fuzz_check((a) == (b))
#define ck_assert_int_gt(a, b) fuzz_check((a) > (b))
#define ck_assert_ptr_nonnull(pointer) fuzz_check((pointer) != NULL)

#endif
