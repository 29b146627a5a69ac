// SPDX-License-Identifier: Apache-2.0
//
// What the tests of the configuration share: a scratch file that is written and loaded.
#ifndef TESTS_UNIT_CONFIG_FIXTURE_H
#define TESTS_UNIT_CONFIG_FIXTURE_H

#include <check.h>

#include "config/config.h"

/* The least that is valid; what a test adds begins on line 4. */
#define LISTEN "listen: [{address: ':8080'}]\n"
#define ENDPOINTS "endpoints: [{sender: activity-push, auth: none}]\n"
#define KAFKA "kafka: {bootstrap.servers: 'k:9092'}\n"
#define MINIMAL LISTEN ENDPOINTS KAFKA

/* An endpoint whose lines can be added to, from line 3 on. */
#define OPEN_ENDPOINT "listen: [{address: ':8080'}]\nendpoints:\n- sender: adobe-io\n  auth: none\n"

/* A checked fixture; the scratch files are config_secret_path and config_file_path, which the functions below
 * write. */
void config_test_setup(void);
void config_test_teardown(void);
extern char config_file_path[64], config_secret_path[64];
void config_test_write(const char *path, const char *bytes, size_t length);

/* The configuration, or NULL with the errors as they are printed, to be freed. */
struct config *config_test_load(const char *bytes, size_t length, bool require_bootstrap, char **errors_text);
/* These fail the test when something is wrong. */
struct config *config_test_good(const char *text);
struct config *config_test_added(const char *added); /* to MINIMAL */

/* Exactly these errors, a line each, with "f:" before each. */
void config_expect_errors(const char *text, const char *expected);
/* Exactly one error for this addition to MINIMAL, without "f:" before it. */
void config_expect_error(const char *added, const char *expected);

struct pair {
    const char *added, *expected;
};

void config_expect_each(const struct pair *pairs, size_t count);

#define EXPECT_EACH(pairs) config_expect_each((pairs), sizeof(pairs) / sizeof((pairs)[0]))

#endif
