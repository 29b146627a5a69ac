// SPDX-License-Identifier: Apache-2.0
//
// What the torture of bridge/auth shares: scenarios, which are run over and over, and certificates.
#ifndef TESTS_UNIT_CHECK_TORTURE_AUTH_H
#define TESTS_UNIT_CHECK_TORTURE_AUTH_H

#include "auth/certificate_fixture.h"
#include "auth/verdict.h"
#include "check_torture.h"

#define OUTCOME_MAX 256
#define NO_MEMORY "no memory"

/* Prepares, calls arm, does what `data` says, calls torture_relent, writes what came out and frees
 * everything. */
typedef void scenario_run(const void *data, char outcome[OUTCOME_MAX]);

/* From here on the allocations of a scenario fail. */
void arm(void);
void torture(scenario_run *scenario, const void *data, const char *expected);
/* For scenarios that read PEM: OpenSSL takes hundreds of allocations for a key, which is dear under
 * AddressSanitizer, so there only some of them fail. */
void torture_some(scenario_run *scenario, const void *data, const char *expected);

void say_verdict(char outcome[OUTCOME_MAX], enum auth_verdict verdict, const char *reason);
bool is_unavailable(const char *outcome);

/* Made by the test case's fixture. */
enum { LEAF_GOOD, LEAF_EXPIRED, LEAF_REVOKED, LEAF_STRANGE, LEAF_PURPOSE, LEAVES };
extern struct identity leaves[LEAVES];
void make_certificates(void);
void free_certificates(void);
void add_certificate_tests(TCase *tcase);

#endif
