// SPDX-License-Identifier: Apache-2.0
//
// What the files of the torture program share.
#ifndef TESTS_UNIT_CHECK_TORTURE_H
#define TESTS_UNIT_CHECK_TORTURE_H

#include <check.h>

#include "torture.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

/* No run here asks for so many; more means that it does not end. */
#define ALLOCATIONS_MAX 20000

#define TORTURE_TIMEOUT_S 120

TCase *tcase_torture_auth(void);
TCase *tcase_torture_config(void);

#endif
