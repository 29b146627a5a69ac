// SPDX-License-Identifier: Apache-2.0
//
// The fixture of the intake tests. One thread.
#include "intake_fixture.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

void fixture_init(struct fixture *fixture)
{
    memset(fixture, 0, sizeof *fixture);
    struct config *config = &fixture->config;
    config->topics.prefix = (char *)(uintptr_t) "marketo";
    config->topics.partitions = 1;
    config->topics.replication = -1;
    config->limits.body = 4 * 1024 * 1024;
    config->limits.events = 10000;
    fixture->budget.limit = (size_t)256 * 1024 * 1024;
}

void fixture_start(struct fixture *fixture)
{
    struct config_errors errors = {0};
    fixture->routes = routes_create(&fixture->config, &errors);
    ck_assert_ptr_nonnull(fixture->routes);
    fixture->intake = intake_create(&fixture->config, fixture->routes);
    ck_assert_ptr_nonnull(fixture->intake);
}

void fixture_stop(struct fixture *fixture)
{
    batch_free(fixture->batch);
    fixture->batch = NULL;
    intake_free(fixture->intake);
    routes_free(fixture->routes);
    ck_assert_uint_eq(atomic_load(&fixture->budget.used), 0);
}

struct batch *fixture_batch(struct fixture *fixture)
{
    batch_free(fixture->batch);
    fixture->batch = batch_create(&fixture->budget);
    ck_assert_ptr_nonnull(fixture->batch);
    memcpy(fixture->batch->request_id, "request-1", sizeof "request-1");
    return fixture->batch;
}

const struct record *fixture_take_bytes(struct fixture *fixture, struct slice body, const char *coding)
{
    struct batch *batch = fixture_batch(fixture);
    char *exact = malloc(body.len > 0 ? body.len : 1);
    ck_assert_ptr_nonnull(exact);
    memcpy(exact, body.ptr, body.len);
    enum intake_result result =
        intake_take(fixture->intake, batch, (struct slice){exact, body.len}, slice_of(coding));
    /* Nothing of the batch may point into the request's memory. */
    memset(exact, '#', body.len);
    free(exact);
    ck_assert_int_eq(result, INTAKE_OK);
    size_t count = 0;
    for (const struct record *r = batch->first; r != NULL; r = r->next, count++)
        ck_assert_ptr_eq(r->batch, batch);
    ck_assert_uint_eq(batch->events, count);
    return batch->first;
}

const struct record *fixture_take(struct fixture *fixture, const char *body)
{
    return fixture_take_bytes(fixture, slice_of(body), NULL);
}

const char *fixture_topic(const struct fixture *fixture, const struct record *record)
{
    return record->topic < 0 ? "-" : fixture->routes->topics[record->topic].name;
}

struct slice fixture_header(const struct record *record, const char *name)
{
    struct slice value = SLICE_ABSENT;
    for (size_t i = 0; i < record->header_count; i++) {
        if (strcmp(record->headers[i].name, name) != 0)
            continue;
        ck_assert_msg(!slice_present(value), "header %s stands twice", name);
        value = record->headers[i].value;
        ck_assert(slice_present(value));
    }
    return value;
}

const struct record *fixture_record(const struct fixture *fixture, size_t n)
{
    const struct record *record = fixture->batch->first;
    for (; n > 0 && record != NULL; n--)
        record = record->next;
    ck_assert_ptr_nonnull(record);
    return record;
}
