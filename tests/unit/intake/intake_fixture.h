// SPDX-License-Identifier: Apache-2.0
//
// A configuration in memory, its routes and an intake, for the tests of this
// folder. One thread.
#ifndef TESTS_UNIT_INTAKE_FIXTURE_H
#define TESTS_UNIT_INTAKE_FIXTURE_H

#include "batch.h"
#include "config/config.h"
#include "intake/intake.h"
#include "intake/routes.h"

struct fixture {
    struct config config;
    struct routes *routes;
    struct intake *intake;
    struct budget budget;
    struct batch *batch; /* of the last fixture_take */
};

/* Default options: structured, 4 MiB, 10,000 events. Change fixture->config, then fixture_start. */
void fixture_init(struct fixture *fixture);
void fixture_start(struct fixture *fixture);
void fixture_stop(struct fixture *fixture);

/* A fresh batch with request id "request-1"; the one before is freed. */
struct batch *fixture_batch(struct fixture *fixture);

/* Takes the text as a body into a fresh batch; it is copied to memory of exactly its
 * size, so that reading past it is seen. Must succeed. Returns the first record. */
const struct record *fixture_take(struct fixture *fixture, const char *body);
const struct record *fixture_take_bytes(struct fixture *fixture, struct slice body, const char *coding);

/* Name of the record's topic; "-" when it has none. */
const char *fixture_topic(const struct fixture *fixture, const struct record *record);

/* A header's value; absent when there is none. At most one may have the name. */
struct slice fixture_header(const struct record *record, const char *name);

/* The n-th record (from 0) of the batch, which must have it. */
const struct record *fixture_record(const struct fixture *fixture, size_t n);

#define assert_slice(value, expected)                                                                        \
    do {                                                                                                     \
        struct slice value_ = (value);                                                                       \
        const char *expected_ = (expected);                                                                  \
        ck_assert_msg(slice_present(value_) && slice_equal(value_, slice_of(expected_)),                     \
                      "'%.*s' should be '%s'", (int)value_.len, value_.ptr, expected_);                      \
    } while (0)

/* The value begins, or ends, or both, with the text; that is, contains it. */
#define assert_contains(value, expected)                                                                     \
    do {                                                                                                     \
        struct slice value_ = (value);                                                                       \
        ck_assert_msg(memmem(value_.ptr, value_.len, (expected), strlen(expected)) != NULL,                  \
                      "'%.*s' should contain '%s'", (int)value_.len, value_.ptr, (expected));                \
    } while (0)

#define assert_lacks(value, unexpected)                                                                      \
    do {                                                                                                     \
        struct slice value_ = (value);                                                                       \
        ck_assert_msg(memmem(value_.ptr, value_.len, (unexpected), strlen(unexpected)) == NULL,              \
                      "'%.*s' should not contain '%s'", (int)value_.len, value_.ptr, (unexpected));          \
    } while (0)

#define assert_dead(dead, reason, words)                                                                     \
    do {                                                                                                     \
        const struct record *record_ = (dead);                                                               \
        ck_assert_str_eq(dead_letter_reason_name(record_->dead_letter), (reason));                           \
        ck_assert_ptr_nonnull(record_->detail);                                                              \
        ck_assert_msg(strstr(record_->detail, (words)) != NULL, "'%s' should contain '%s'", record_->detail, \
                      (words));                                                                              \
        ck_assert(!slice_present(record_->value) && !slice_present(record_->key));                           \
        ck_assert_uint_eq(record_->parts, 0);                                                                \
    } while (0)

#endif
