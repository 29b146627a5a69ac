// SPDX-License-Identifier: Apache-2.0
//
// Runs every suite. With CK_FORK=no all tests run in this one process, for
// sanitizers and valgrind. CK_XML_LOG_FILE_NAME names a file for the results.
#include <stdlib.h>

#include "suites.h"

static Suite *(*const suites[])(void) = {
    suite_arena,
    suite_auth,
    suite_catalog,
    suite_config,
    suite_config_errors,
    suite_dead_letter,
    suite_event_time,
    suite_http1_head,
    suite_inflate,
    suite_json,
    suite_log,
    suite_metrics,
    suite_published_names,
    suite_record,
    suite_routes,
    suite_samples,
    suite_shape,
    suite_simulate,
};

int main(void)
{
    SRunner *runner = srunner_create(NULL);
    for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++)
        srunner_add_suite(runner, suites[i]());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    int run = srunner_ntests_run(runner);
    srunner_free(runner);
    return failed == 0 && run > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
