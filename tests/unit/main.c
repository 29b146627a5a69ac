// SPDX-License-Identifier: Apache-2.0
//
// Runs every suite. With CK_FORK=no all tests run in this one process, for
// sanitizers and valgrind. CK_XML_LOG_FILE_NAME names a file for the results.
#include <stdlib.h>

#include "suites.h"

#define SUITE_FUNCTION(name) suite_##name,

static Suite *(*const suites[])(void) = {SUITES(SUITE_FUNCTION)};

int main(void)
{
    /* Check's 4 s are for a machine that does nothing else; a test that hangs is caught as well. */
    setenv("CK_DEFAULT_TIMEOUT", "60", 0);
    SRunner *runner = srunner_create(NULL);
    for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++)
        srunner_add_suite(runner, suites[i]());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    int run = srunner_ntests_run(runner);
    srunner_free(runner);
    return failed == 0 && run > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
