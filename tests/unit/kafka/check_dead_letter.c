// SPDX-License-Identifier: Apache-2.0
//
// The size of a record on the wire, dead letters and their parts, the error table.
#include <stdio.h>
#include <stdlib.h>

#include "kafka/errors.h"
#include "kafka/internal.h"
#include "suites.h"

/* --- a bridge with two topics: an event's own and the dead-letter topic --- */

static struct topic_spec specs[] = {{.name = (char *)"marketo.activity.openemail"},
                                    {.name = (char *)"marketo.deadletter"}};
static struct topic_state states[2];
static struct routes routes = {.topics = specs, .topic_count = 2, .dead_letter = 1};
static struct kafka kafka = {.routes = &routes, .topics = states};
static struct budget budget;
static struct batch *batch;

static void setup(void)
{
    atomic_store(&budget.used, 0);
    budget.limit = 64 << 20;
    batch = batch_create(&budget);
    snprintf(batch->request_id, sizeof batch->request_id, "request-1");
    batch->sender = "adobe-io";
    for (size_t i = 0; i < 2; i++)
        atomic_store(&states[i].max_message_bytes, MAX_MESSAGE_BYTES_DEFAULT);
}

static void teardown(void)
{
    batch_free(batch);
    ck_assert_uint_eq(atomic_load(&budget.used), 0);
}

static struct record *bad_event(size_t length)
{
    struct record *record = batch_append_record(batch);
    char *bytes = arena_alloc(&batch->arena, length + 1);
    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)('a' + i % 23);
    record->event = (struct slice){bytes, length};
    record->dead_letter = DEAD_LETTER_TOO_LARGE;
    record->detail = "words";
    return record;
}

static struct slice header_of(const struct record *record, const char *name)
{
    for (size_t i = 0; i < record->header_count; i++)
        if (strcmp(record->headers[i].name, name) == 0)
            return record->headers[i].value;
    return SLICE_ABSENT;
}

static void assert_header(const struct record *record, const char *name, const char *value)
{
    struct slice found = header_of(record, name);
    ck_assert_msg(slice_present(found), "no header %s", name);
    ck_assert_uint_eq(found.len, strlen(value));
    ck_assert_mem_eq(found.ptr, value, found.len);
}

START_TEST(a_record_has_the_size_of_its_batch_on_the_wire)
{
    struct record record = {.value = {"0123456789", 10}};
    /* 61 for the batch; attributes, two deltas, no key, length and value, no headers: 16; its length: 1. */
    ck_assert_uint_eq(record_wire_size(&record), 61 + 1 + 16);
    record.key = SLICE_LITERAL("key");
    ck_assert_uint_eq(record_wire_size(&record), 61 + 1 + 19);
    struct header headers[] = {{"n", SLICE_LITERAL("v")}};
    record.headers = headers;
    record.header_count = 1;
    ck_assert_uint_eq(record_wire_size(&record), 61 + 1 + 23);
    static char large[100000];
    record.value = (struct slice){large, sizeof large};
    /* three bytes for the value's length, three for the record's */
    ck_assert_uint_eq(record_wire_size(&record), 61 + 3 + 23 - 10 - 1 + 3 + sizeof large);
}
END_TEST

START_TEST(a_small_dead_letter_is_whole)
{
    struct record *record = bad_event(100);
    record->topic = 0;
    record->element = 3;
    struct record *part = dead_letter_expand(&kafka, record);
    ck_assert_ptr_nonnull(part);
    ck_assert_ptr_eq(record->next, part);
    ck_assert_ptr_eq(batch->last, part);
    ck_assert_int_eq(record->outcome, RECORD_REPLACED);
    ck_assert_int_eq(part->outcome, RECORD_PENDING);
    ck_assert_int_eq(part->topic, 1);
    ck_assert(slice_equal(part->value, record->event));
    ck_assert(slice_equal(part->key, SLICE_LITERAL("request-1")));
    assert_header(part, "dl_reason", "too_large");
    assert_header(part, "dl_detail", "words");
    assert_header(part, "dl_topic", "marketo.activity.openemail");
    assert_header(part, "dl_path", "/3");
    assert_header(part, "dl_sender", "adobe-io");
    assert_header(part, "x-request-id", "request-1");
    ck_assert(!slice_present(header_of(part, "dl_part")));
    ck_assert(!slice_present(header_of(part, "dl_parts")));
    ck_assert(!slice_present(header_of(part, "dl_sha256")));
}
END_TEST

START_TEST(paths_and_keys_tell_the_event)
{
    static const struct {
        int32_t element, activity;
        const char *path;
    } cases[] = {{-1, -1, ""}, {0, -1, "/0"}, {-1, 7, "/activities/7"}, {2, 5, "/2/activities/5"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct record *record = bad_event(1);
        record->element = cases[i].element;
        record->activity = cases[i].activity;
        record->munchkin_id = SLICE_LITERAL("123-ABC-456");
        struct record *part = dead_letter_expand(&kafka, record);
        assert_header(part, "dl_path", cases[i].path);
        ck_assert(slice_equal(part->key, record->munchkin_id));
        ck_assert(!slice_present(header_of(part, "dl_topic")));
    }
}
END_TEST

START_TEST(a_large_one_comes_in_parts_that_the_topic_takes)
{
    static const int limits[] = {MAX_MESSAGE_BYTES_DEFAULT, 100000, 1000};
    for (size_t l = 0; l < sizeof limits / sizeof limits[0]; l++) {
        atomic_store(&states[1].max_message_bytes, limits[l]);
        struct record *record = bad_event(limits[l] == 1000 ? 5000 : 2000001);
        struct record *part = dead_letter_expand(&kafka, record);
        ck_assert_ptr_nonnull(part);
        uint32_t parts = part->parts;
        ck_assert_uint_gt(parts, 1);
        size_t at = 0;
        for (uint32_t i = 1; i <= parts; i++, part = part->next) {
            char number[16];
            snprintf(number, sizeof number, "%u", i);
            assert_header(part, "dl_part", number);
            snprintf(number, sizeof number, "%u", parts);
            assert_header(part, "dl_parts", number);
            ck_assert_uint_eq(header_of(part, "dl_sha256").len, 64);
            ck_assert_uint_le(record_wire_size(part), (size_t)limits[l]);
            ck_assert_uint_le(part->value.len, 900000);
            ck_assert_ptr_eq(part->value.ptr, record->event.ptr + at);
            at += part->value.len;
        }
        ck_assert_uint_eq(at, record->event.len);
        ck_assert_ptr_null(part);
    }
}
END_TEST

START_TEST(an_empty_body_is_an_empty_value_not_a_tombstone)
{
    struct record *record = bad_event(0);
    record->event = SLICE_ABSENT;
    struct record *part = dead_letter_expand(&kafka, record);
    ck_assert(slice_present(part->value));
    ck_assert_uint_eq(part->value.len, 0);
}
END_TEST

START_TEST(a_topic_that_takes_nothing_is_told)
{
    atomic_store(&states[1].max_message_bytes, 100);
    ck_assert_ptr_null(dead_letter_expand(&kafka, bad_event(10)));
}
END_TEST

START_TEST(a_full_budget_is_told)
{
    struct record *record = bad_event(3000000);
    budget.limit = atomic_load(&budget.used);
    for (int i = 0; i < 100; i++) /* until the chunk at hand is used up */
        if (dead_letter_expand(&kafka, record) == NULL)
            return;
    ck_abort_msg("never out of memory");
}
END_TEST

START_TEST(errors_are_retried_unless_the_table_knows_better)
{
    const char *words = NULL;
    ck_assert_int_eq(kafka_error_action(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, &words), ERROR_TOO_LARGE);
    ck_assert_int_eq(kafka_error_action(RD_KAFKA_RESP_ERR__FATAL, &words), ERROR_BROKEN);
    ck_assert_int_eq(kafka_error_action(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, &words),
                     ERROR_LOOK_AT_TOPIC);
    ck_assert_int_eq(kafka_error_action(RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, &words), ERROR_RETRY_LATER);
    ck_assert_int_eq(kafka_error_action(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, &words),
                     ERROR_RETRY_LATER);
    words = NULL;
    ck_assert_int_eq(kafka_error_action((rd_kafka_resp_err_t)4711, &words), ERROR_RETRY_LATER);
    ck_assert_ptr_nonnull(words);
}
END_TEST

/* Each code stands in the table, with words of its own, or among those that no record can meet. */
START_TEST(every_code_of_librdkafka_has_its_treatment)
{
    static const rd_kafka_resp_err_t told[] = {
        RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP,
        RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID,
        RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
        RD_KAFKA_RESP_ERR__PURGE_QUEUE,
        RD_KAFKA_RESP_ERR__INCONSISTENT,
        RD_KAFKA_RESP_ERR_UNKNOWN,
    };
    const struct rd_kafka_err_desc *codes;
    const char *words, *unknown, *other;
    size_t count;
    kafka_error_action((rd_kafka_resp_err_t)4711, &unknown);
    kafka_error_action(RD_KAFKA_RESP_ERR__PARTITION_EOF, &other);
    ck_assert_str_ne(unknown, other);
    rd_kafka_get_err_descs(&codes, &count);
    ck_assert_uint_gt(count, 100);
    for (size_t i = 0; i < count; i++) {
        if (codes[i].name == NULL || codes[i].code == RD_KAFKA_RESP_ERR_NO_ERROR ||
            codes[i].code == RD_KAFKA_RESP_ERR__BEGIN || codes[i].code == RD_KAFKA_RESP_ERR__END)
            continue;
        enum error_action action = kafka_error_action(codes[i].code, &words);
        ck_assert_msg(strcmp(words, unknown) != 0, "%s (%d) is not in kafka/errors.c", codes[i].name,
                      codes[i].code);
        ck_assert_msg((action == ERROR_BROKEN) == (codes[i].code == RD_KAFKA_RESP_ERR__FATAL), "%s",
                      codes[i].name);
    }
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
        ck_assert_int_eq(kafka_error_action(told[i], &words), ERROR_RETRY_LATER);
        ck_assert_str_ne(words, other);
    }
}
END_TEST

Suite *suite_dead_letter(void)
{
    Suite *suite = suite_create("dead_letter");
    TCase *tcase = tcase_create("records");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_record_has_the_size_of_its_batch_on_the_wire);
    tcase_add_test(tcase, a_small_dead_letter_is_whole);
    tcase_add_test(tcase, paths_and_keys_tell_the_event);
    tcase_add_test(tcase, a_large_one_comes_in_parts_that_the_topic_takes);
    tcase_add_test(tcase, an_empty_body_is_an_empty_value_not_a_tombstone);
    tcase_add_test(tcase, a_topic_that_takes_nothing_is_told);
    tcase_add_test(tcase, a_full_budget_is_told);
    tcase_add_test(tcase, errors_are_retried_unless_the_table_knows_better);
    tcase_add_test(tcase, every_code_of_librdkafka_has_its_treatment);
    suite_add_tcase(suite, tcase);
    return suite;
}
