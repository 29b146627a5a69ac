// SPDX-License-Identifier: Apache-2.0
//
// What `simulate --verify` makes of a ledger and of records: ids lead back to their
// numbers, and every broken promise is counted.
#include "command/simulate_verify.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "suites.h"

#define SEED UINT64_C(0x123456789abcdef0)
#define EVENT_SEED UINT64_C(0xfedcba9876543210)
#define DEADLINE_MS 10000

static const uint64_t seeds[2] = {SEED, EVENT_SEED};

static struct ledger_entry sent(uint64_t first, unsigned events)
{
    return (struct ledger_entry){.kind = LEDGER_SENT, .first = first, .events = (uint16_t)events};
}

static struct ledger_entry answered(uint64_t first, unsigned events, unsigned status)
{
    return (struct ledger_entry){
        .kind = LEDGER_ANSWERED,
        .first = first,
        .events = (uint16_t)events,
        .status = (uint16_t)status,
        .elapsed_us = 1500,
        .at_ms = 1000 + (int64_t)first,
        .result = status == 200                   ? ATTEMPT_DELIVERED
                  : status >= 400 && status < 500 ? ATTEMPT_REFUSED
                                                  : ATTEMPT_RETRY,
    };
}

static void take(struct tally *tally, struct ledger_entry entry)
{
    tally_take_entry(tally, &entry);
}

/* A batch that was sent once. */
static void exchange(struct tally *tally, uint64_t first, unsigned events, unsigned status)
{
    take(tally, sent(first, events));
    take(tally, answered(first, events, status));
}

static void take_id(struct tally *tally, uint64_t seed, uint64_t number)
{
    char id[UUID_LENGTH];
    generator_uuid(seed, number, id);
    tally_take_record(tally, (struct slice){id, sizeof id}, SLICE_LITERAL("{}"), false);
}

static void take_ids(struct tally *tally, uint64_t first, uint64_t count)
{
    for (uint64_t i = first; i < first + count; i++)
        take_id(tally, SEED, i);
}

static struct tally *new_tally(void)
{
    struct tally *tally = tally_create(DEADLINE_MS, seeds);
    ck_assert_ptr_nonnull(tally);
    return tally;
}

START_TEST(an_id_leads_back_to_its_number)
{
    static const uint64_t numbers[] = {0, 1, 2, 499, 65535, 1000003, 4999999, UINT64_C(1) << 40};
    static const uint64_t all_seeds[] = {0, 1, SEED, UINT64_MAX, UINT64_MAX - 6};
    for (size_t s = 0; s < sizeof all_seeds / sizeof all_seeds[0]; s++) {
        for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
            char id[UUID_LENGTH];
            uint64_t found = UINT64_MAX;
            generator_uuid(all_seeds[s], numbers[i], id);
            ck_assert(uuid_find(all_seeds[s], id, numbers[i] + 1, &found));
            ck_assert_uint_eq(found, numbers[i]);
            ck_assert(!uuid_find(all_seeds[s], id, numbers[i], &found));
            ck_assert(!uuid_find(all_seeds[s] + 1, id, UINT64_C(1) << 50, &found));
        }
    }
    for (uint64_t i = 0; i < 20000; i++) {
        char id[UUID_LENGTH];
        uint64_t found = UINT64_MAX;
        generator_uuid(SEED, i, id);
        ck_assert(uuid_find(SEED, id, 20000, &found));
        ck_assert_uint_eq(found, i);
    }
}
END_TEST

START_TEST(what_is_no_id_is_nobodys)
{
    uint64_t found;
    char id[UUID_LENGTH];
    generator_uuid(SEED, 7, id);
    for (size_t i = 0; i < sizeof id; i++) {
        char changed[UUID_LENGTH];
        memcpy(changed, id, sizeof changed);
        changed[i] = changed[i] == '0' ? '1' : '0';
        ck_assert(!uuid_find(SEED, changed, 1000, &found));
        changed[i] = 'G';
        ck_assert(!uuid_find(SEED, changed, 1000, &found));
    }
}
END_TEST

START_TEST(everything_acknowledged_and_there)
{
    struct tally *tally = new_tally();
    exchange(tally, 0, 20, 200);
    exchange(tally, 20, 5, 200);
    take_ids(tally, 0, 25);
    tally_judge(tally);
    ck_assert_uint_eq(tally->count, 25);
    ck_assert_uint_eq(tally->acknowledged, 25);
    ck_assert_uint_eq(tally->missing, 0);
    ck_assert_uint_eq(tally->repeated, 0);
    ck_assert_uint_eq(tally->records, 25);
    ck_assert_uint_eq(tally->foreign, 0);
    ck_assert_uint_eq(tally->attempts, 2);
    ck_assert(tally_holds(tally));
    tally_free(tally);
}
END_TEST

START_TEST(one_missing_event_breaks_the_promise)
{
    struct tally *tally = new_tally();
    struct ledger_entry late_answer = answered(20, 20, 200);
    exchange(tally, 0, 20, 200);
    exchange(tally, 20, 20, 200);
    take_ids(tally, 0, 33);
    take_ids(tally, 34, 6);
    tally_judge(tally);
    ck_assert_uint_eq(tally->missing, 1);
    ck_assert_uint_eq(tally->missing_events[0].number, 33);
    ck_assert(!tally_holds(tally));
    tally_date_missing(tally, &late_answer);
    ck_assert_int_eq(tally->missing_events[0].answered_ms, 1020);
    ck_assert_int_eq(tally->missing_events[0].sent_ms, 1019);
    /* Found after all, where it was not looked for at first. */
    take_ids(tally, 33, 1);
    tally_judge(tally);
    ck_assert_uint_eq(tally->missing, 0);
    ck_assert(tally_holds(tally));
    tally_free(tally);
}
END_TEST

START_TEST(copies_are_counted_by_their_cause)
{
    struct tally *tally = new_tally();
    exchange(tally, 0, 1, 504);
    exchange(tally, 0, 1, 200);
    exchange(tally, 1, 1, 503);
    exchange(tally, 1, 1, 200);
    exchange(tally, 2, 1, 0);
    exchange(tally, 2, 1, 503); /* the earlier cause counts */
    exchange(tally, 2, 1, 200);
    exchange(tally, 3, 1, 500);
    exchange(tally, 3, 1, 200);
    exchange(tally, 4, 1, 200);
    for (int i = 0; i < 2; i++)
        take_ids(tally, 0, 5);
    take_ids(tally, 0, 1);
    tally_judge(tally);
    ck_assert_uint_eq(tally->acknowledged, 5);
    ck_assert_uint_eq(tally->repeated, 5);
    ck_assert_uint_eq(tally->extra[COPY_504], 2);
    ck_assert_uint_eq(tally->extra[COPY_503], 1);
    ck_assert_uint_eq(tally->extra[COPY_NO_ANSWER], 1);
    ck_assert_uint_eq(tally->extra[COPY_OTHER_STATUS], 1);
    ck_assert_uint_eq(tally->extra[COPY_IN_ONE_ATTEMPT], 1);
    ck_assert_uint_eq(tally->no_answer, 1);
    ck_assert(tally_holds(tally)); /* at least once */
    tally_free(tally);
}
END_TEST

START_TEST(what_was_not_acknowledged_is_no_loss_but_counted)
{
    struct tally *tally = new_tally();
    exchange(tally, 0, 2, 400);
    exchange(tally, 2, 2, 504);
    take(tally, sent(4, 2)); /* the simulator was killed */
    take_ids(tally, 1, 2);
    tally_judge(tally);
    ck_assert_uint_eq(tally->acknowledged, 0);
    ck_assert_uint_eq(tally->missing, 0);
    ck_assert_uint_eq(tally->refused, 2);
    ck_assert_uint_eq(tally->refused_present, 1);
    ck_assert_uint_eq(tally->unfinished, 4);
    ck_assert_uint_eq(tally->unfinished_present, 1);
    ck_assert(!tally_holds(tally)); /* a valid event was refused for good */
    tally_free(tally);
}
END_TEST

START_TEST(an_answer_after_the_deadline_is_late_and_so_is_none_by_then)
{
    static const struct {
        unsigned status;
        uint32_t elapsed_us;
        uint64_t late;
    } cases[] = {
        {200, DEADLINE_MS * 1000, 0},     {200, DEADLINE_MS * 1000 + 1, 1},
        {503, DEADLINE_MS * 1000 + 1, 1}, {0, 20000, 0},
        {0, DEADLINE_MS * 1000 - 500, 1}, {0, DEADLINE_MS * 1000 + 500, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tally *tally = new_tally();
        struct ledger_entry entry = answered(0, 1, cases[i].status);
        entry.elapsed_us = cases[i].elapsed_us;
        take(tally, sent(0, 1));
        take(tally, entry);
        take_ids(tally, 0, 1);
        tally_judge(tally);
        ck_assert_msg(tally->late == cases[i].late, "case %zu", i);
        ck_assert(tally_holds(tally) == (cases[i].late == 0));
        tally_free(tally);
    }
}
END_TEST

START_TEST(records_of_others_are_set_apart)
{
    struct tally *tally = new_tally();
    exchange(tally, 0, 1, 200);
    take_id(tally, SEED, 0);
    take_id(tally, SEED, 1); /* never sent */
    take_id(tally, SEED + 1, 0);
    tally_take_record(tally, SLICE_LITERAL("2125"), SLICE_LITERAL("{}"), false);
    tally_take_record(tally, SLICE_ABSENT, SLICE_LITERAL("not json, with - and - in it, longer than an id"),
                      false);
    tally_take_record(tally, SLICE_ABSENT, SLICE_ABSENT, false);
    tally_judge(tally);
    ck_assert_uint_eq(tally->foreign, 5);
    ck_assert_uint_eq(tally->records, 6);
    ck_assert_uint_eq(tally->repeated, 0);
    ck_assert(tally_holds(tally));
    tally_free(tally);
}
END_TEST

START_TEST(dead_letters_are_searched_for_ids)
{
    struct tally *tally = new_tally();
    char text[512];
    char ids[4][UUID_LENGTH];
    exchange(tally, 0, 4, 200);
    generator_uuid(EVENT_SEED, 0, ids[0]);
    generator_uuid(SEED, 0, ids[1]);
    generator_uuid(SEED, 1, ids[2]);
    generator_uuid(SEED, 2, ids[3]);
    /* Both ids of the first event, one of the second. */
    int len = snprintf(text, sizeof text, "[{\"eventid\":\"%.36s\",\"id\":\"%.36s\"},{\"id\":\"%.36s\"}]",
                       ids[0], ids[1], ids[2]);
    tally_take_record(tally, SLICE_ABSENT, (struct slice){text, (size_t)len}, false);
    /* An id at the very beginning and the very end of a part. */
    tally_take_record(tally, SLICE_ABSENT, (struct slice){ids[3], UUID_LENGTH}, false);
    tally_take_record(tally, SLICE_ABSENT, (struct slice){ids[3], UUID_LENGTH}, true);
    take_id(tally, EVENT_SEED, 3);
    tally_judge(tally);
    ck_assert_uint_eq(tally->missing, 0);
    ck_assert_uint_eq(tally->dead_lettered, 3);
    ck_assert_uint_eq(tally->repeated, 0);
    ck_assert_uint_eq(tally->foreign, 0);
    tally_free(tally);
}
END_TEST

static void count_entry(void *data, const struct ledger_entry *entry)
{
    uint64_t *sum = data;
    *sum = *sum * 10 + entry->first;
}

START_TEST(the_ledger_survives_its_writer)
{
    const struct ledger_head head = {.seed = SEED, .sender = SENDER_ADOBE_IO, .types = 3, .streams = 5};
    struct ledger ledger, again;
    struct ledger_head read_head;
    ck_assert(ledger_create(&ledger, NULL, &head));
    ck_assert(ledger.temporary);
    for (uint64_t i = 1; i <= 3; i++) {
        struct ledger_entry entry = sent(i, 1);
        ck_assert(ledger_write(&ledger, &entry));
    }
    /* Killed in the middle of an entry. */
    ck_assert_int_eq(write(ledger.fd, "half an entry", 13), 13);

    uint64_t sum = 0;
    ck_assert(ledger_open(&again, ledger.path, &read_head));
    ck_assert_uint_eq(read_head.seed, SEED);
    ck_assert_uint_eq(read_head.streams, 5);
    ck_assert(ledger_replay(&again, count_entry, &sum));
    ck_assert_uint_eq(sum, 123);
    ledger_close(&again, false);

    struct ledger second;
    ck_assert(!ledger_create(&second, ledger.path, &head));
    ck_assert_int_eq(errno, EEXIST);
    ck_assert_int_eq(access(ledger.path, F_OK), 0);
    char *path = strdup(ledger.path);
    ledger_close(&ledger, true);
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert(!ledger_open(&again, path, &read_head));
    ck_assert_int_eq(errno, ENOENT);
    free(path);
    ck_assert(!ledger_open(&again, "/dev/null", &read_head));
    ck_assert_int_eq(errno, EINVAL);
}
END_TEST

START_TEST(the_verdict_is_json)
{
    const struct generator_options options = {.sender = SENDER_ADOBE_IO,
                                              .munchkin_id = "123-ABC-456",
                                              .recipient = "me",
                                              .streams = {true},
                                              .seed = 42};
    struct generator *generator = generator_create(&options);
    uint64_t own_seeds[2];
    ck_assert_ptr_nonnull(generator);
    generator_id_seeds(generator, own_seeds);
    struct tally *tally = tally_create(DEADLINE_MS, own_seeds);
    exchange(tally, 0, 2, 200);
    take_id(tally, own_seeds[0], 1);
    tally_judge(tally);

    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    fputs("{\"seed\":42", out);
    tally_print_json(tally, generator, out);
    fputs("}", out);
    fclose(out);
    cJSON *json = cJSON_ParseWithOpts(text, NULL, true);
    ck_assert_msg(json != NULL, "%s", text);
    const cJSON *verified = cJSON_GetObjectItem(json, "verified");
    ck_assert(cJSON_IsFalse(cJSON_GetObjectItem(verified, "kept")));
    ck_assert_double_eq(cJSON_GetObjectItem(verified, "acknowledged")->valuedouble, 2);
    ck_assert_double_eq(cJSON_GetObjectItem(verified, "missing")->valuedouble, 1);
    const cJSON *missing = cJSON_GetArrayItem(cJSON_GetObjectItem(verified, "missing_events"), 0);
    ck_assert_double_eq(cJSON_GetObjectItem(missing, "number")->valuedouble, 0);
    ck_assert_int_eq(strncmp(cJSON_GetObjectItem(missing, "type")->valuestring, "activity.", 9), 0);
    cJSON_Delete(json);
    free(text);

    out = open_memstream(&text, &size);
    tally_print(tally, out);
    fclose(out);
    ck_assert_ptr_nonnull(strstr(text, "2 acknowledged, 1 of them missing"));
    ck_assert_ptr_nonnull(strstr(text, "BROKEN"));
    free(text);
    tally_free(tally);
    generator_free(generator);
}
END_TEST

Suite *suite_verify(void)
{
    Suite *suite = suite_create("verify");
    TCase *tcase = tcase_create("tally");
    tcase_add_test(tcase, an_id_leads_back_to_its_number);
    tcase_add_test(tcase, what_is_no_id_is_nobodys);
    tcase_add_test(tcase, everything_acknowledged_and_there);
    tcase_add_test(tcase, one_missing_event_breaks_the_promise);
    tcase_add_test(tcase, copies_are_counted_by_their_cause);
    tcase_add_test(tcase, what_was_not_acknowledged_is_no_loss_but_counted);
    tcase_add_test(tcase, an_answer_after_the_deadline_is_late_and_so_is_none_by_then);
    tcase_add_test(tcase, records_of_others_are_set_apart);
    tcase_add_test(tcase, dead_letters_are_searched_for_ids);
    tcase_add_test(tcase, the_verdict_is_json);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("ledger");
    tcase_add_test(tcase, the_ledger_survives_its_writer);
    suite_add_tcase(suite, tcase);
    return suite;
}
