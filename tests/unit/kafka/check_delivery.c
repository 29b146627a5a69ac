// SPDX-License-Identifier: Apache-2.0
//
// What a delivery report means for its record and its batch.
#include "kafka/internal.h"
#include "suites.h"

static struct kafka kafka;
static struct producer producer = {.kafka = &kafka};
static struct batch *batch;
static struct record *record;

static void setup(void)
{
    batch = batch_create(NULL);
    record = batch_append_record(batch);
    record->attempts = 1;
    /* One more than reported here: the batch stays open, only its record is looked at. */
    atomic_store(&batch->pending, 2);
    atomic_store(&producer.unreported, 1);
}

static void teardown(void)
{
    ck_assert_int_eq(atomic_load(&batch->pending), 1);
    ck_assert_int_eq((int)atomic_load(&producer.unreported), 0);
    batch_free(batch);
}

static void report(rd_kafka_resp_err_t err, int64_t offset)
{
    rd_kafka_message_t message = {.err = err, .partition = 3, .offset = offset, ._private = record};
    delivery_report_callback(NULL, &message, &producer);
}

START_TEST(an_offset_is_a_confirmation)
{
    report(RD_KAFKA_RESP_ERR_NO_ERROR, 0);
    ck_assert_int_eq(record->outcome, RECORD_DELIVERED);
    ck_assert_int_eq(record->partition, 3);
    ck_assert_int_eq((int)record->offset, 0);
    ck_assert(!atomic_load(&batch->failed));
}
END_TEST

/* Seen with Kafka 3.9.1: the first record to a partition just created, reported like this, was
 * not in the log. */
START_TEST(no_error_and_no_offset_is_none)
{
    report(RD_KAFKA_RESP_ERR_NO_ERROR, RD_KAFKA_OFFSET_INVALID);
    ck_assert_int_eq(record->outcome, RECORD_FAILED);
    ck_assert(atomic_load(&batch->failed));
    ck_assert_ptr_nonnull(atomic_load(&batch->failure));
}
END_TEST

START_TEST(an_error_fails_the_batch)
{
    report(RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_OFFSET_INVALID);
    ck_assert_int_eq(record->outcome, RECORD_FAILED);
    ck_assert(atomic_load(&batch->failed));
    ck_assert_str_eq(atomic_load(&batch->failure), "too few replicas are in sync");
}
END_TEST

/* Each endpoint is judged by the producers that serve it. */
START_TEST(keeps_up_as_the_flow_of_its_deadline_says)
{
    struct producer_set sets[] = {{.deadline_ms = 7000}, {.deadline_ms = 17000}};
    struct kafka two = {.sets = sets, .set_count = 2};
    ck_assert(kafka_keeps_up(&two, 7000, 6000));
    ck_assert(kafka_keeps_up(&two, 17000, 16000));
    flow_begin(&sets[0].flow, 10);
    atomic_store(&sets[0].flow.event_us, 500000); /* five seconds until it is written */
    ck_assert(!kafka_keeps_up(&two, 7000, 6000));
    ck_assert(kafka_keeps_up(&two, 7000, 7500));
    ck_assert(kafka_keeps_up(&two, 17000, 6000));
}
END_TEST

Suite *suite_delivery(void)
{
    Suite *suite = suite_create("delivery");
    TCase *tcase = tcase_create("reports");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, an_offset_is_a_confirmation);
    tcase_add_test(tcase, no_error_and_no_offset_is_none);
    tcase_add_test(tcase, an_error_fails_the_batch);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("admission");
    tcase_add_test(tcase, keeps_up_as_the_flow_of_its_deadline_says);
    suite_add_tcase(suite, tcase);
    return suite;
}
