// SPDX-License-Identifier: Apache-2.0
//
// The suites of the unit tests, one per file; main.c runs them all.
#ifndef TESTS_UNIT_SUITES_H
#define TESTS_UNIT_SUITES_H

#include <check.h>

Suite *suite_arena(void);
Suite *suite_auth(void);
Suite *suite_catalog(void);
Suite *suite_config(void);
Suite *suite_config_errors(void);
Suite *suite_dead_letter(void);
Suite *suite_event_time(void);
Suite *suite_http1_head(void);
Suite *suite_inflate(void);
Suite *suite_json(void);
Suite *suite_log(void);
Suite *suite_metrics(void);
Suite *suite_published_names(void);
Suite *suite_record(void);
Suite *suite_routes(void);
Suite *suite_samples(void);
Suite *suite_shape(void);
Suite *suite_simulate(void);

#endif
