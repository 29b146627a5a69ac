// SPDX-License-Identifier: Apache-2.0
//
// The simulator plays Adobe faithfully: bodies, retry rules, order of the retries,
// percentiles and the result.
#include "command/simulate.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>

#include "intake/catalog.h"
#include "suites.h"

#define NOW_MS INT64_C(1776785329755) /* 2026-04-21T15:28:49.755Z */

static struct generator_options options_for(enum sender sender)
{
    return (struct generator_options){.sender = sender,
                                      .munchkin_id = "123-ABC-456",
                                      .recipient = "our-client",
                                      .streams = {true, true, true, true},
                                      .seed = 42};
}

/* The body of `events` events, parsed; checked against its announced bound. */
static cJSON *parse_body(const struct generator *generator, uint64_t first, size_t events, bool single,
                         struct body_facts *facts)
{
    size_t max = generator_body_max(generator, events);
    char *body = malloc(max);
    ck_assert_ptr_nonnull(body);
    size_t len = generator_write(generator, first, events, NOW_MS, single, body, facts);
    ck_assert_uint_le(len, max);
    const char *end = NULL;
    cJSON *json = cJSON_ParseWithLengthOpts(body, len, &end, false);
    ck_assert_msg(json != NULL, "%.*s", (int)len, body);
    ck_assert_ptr_eq(end, body + len);
    free(body);
    return json;
}

static const char *text_of(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    ck_assert_msg(text != NULL, "%s is not a string", name);
    return text;
}

static double number_of(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    ck_assert_msg(cJSON_IsNumber(item), "%s is not a number", name);
    return item->valuedouble;
}

static const cJSON *object_of(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    ck_assert_msg(cJSON_IsObject(item), "%s is not an object", name);
    return item;
}

/* The catalog's index of an activity with these members; they must agree with it. */
static size_t check_activity(const cJSON *activity)
{
    const char *name = text_of(activity, "activityType");
    size_t i = 0;
    while (i < catalog_type_count &&
           (catalog_types[i].stream != STREAM_ACTIVITY || strcmp(catalog_types[i].name, name) != 0))
        i++;
    ck_assert_msg(i < catalog_type_count, "%s", name);
    if (catalog_types[i].id >= 0)
        ck_assert_double_eq(number_of(activity, "activityTypeId"), catalog_types[i].id);
    else
        ck_assert_ptr_null(cJSON_GetObjectItemCaseSensitive(activity, "activityTypeId"));
    ck_assert_str_eq(text_of(activity, "activityDate"), "2026-04-21T15:28:49Z");
    ck_assert_double_ge(number_of(activity, "activityLogItemId"), 1e9);
    ck_assert(*text_of(activity, "primaryAttributeValue") != '\0');

    const cJSON *attributes = cJSON_GetObjectItemCaseSensitive(activity, "attributes"), *attribute;
    size_t count = 0;
    ck_assert(cJSON_IsArray(attributes));
    cJSON_ArrayForEach(attribute, attributes)
    {
        ck_assert_str_eq(text_of(attribute, "name"), catalog_types[i].attributes[count++]);
        ck_assert(*text_of(attribute, "dataType") != '\0');
        ck_assert_ptr_nonnull(cJSON_GetObjectItemCaseSensitive(attribute, "value"));
    }
    ck_assert_ptr_null(catalog_types[i].attributes[count]);
    return i;
}

static void check_all_activities(const bool *seen)
{
    for (size_t i = 0; i < catalog_type_count; i++)
        ck_assert_msg(catalog_types[i].stream != STREAM_ACTIVITY || seen[i], "no %s", catalog_types[i].name);
}

START_TEST(activity_push_sends_the_wrapper)
{
    struct generator_options options = options_for(SENDER_ACTIVITY_PUSH);
    struct generator *generator = generator_create(&options);
    struct body_facts facts;
    bool *seen = calloc(catalog_type_count, sizeof *seen);
    cJSON *json = parse_body(generator, 1000, 500, false, &facts), *activity;

    ck_assert_str_eq(text_of(json, "sourceApplication"), "Marketo");
    ck_assert_str_eq(text_of(json, "munchkinId"), "123-ABC-456");
    ck_assert_str_eq(text_of(json, "messageId"), "1000");
    ck_assert_str_eq(text_of(json, "messageCreatedDate"), "2026-04-21T15:28:49Z");
    const cJSON *activities = cJSON_GetObjectItemCaseSensitive(json, "activities");
    ck_assert_int_eq(cJSON_GetArraySize(activities), 500);
    cJSON_ArrayForEach(activity, activities)
    {
        seen[check_activity(activity)] = true;
        double lead = number_of(activity, "leadId");
        ck_assert(lead >= 1000000 && lead < 1050000);
        ck_assert_uint_eq(strlen(text_of(activity, "marketoGUID")), UUID_LENGTH);
    }
    check_all_activities(seen);
    cJSON_Delete(json);
    free(seen);
    generator_free(generator);
}
END_TEST

/* Checks one event of adobe-io and returns its stream. */
static enum stream check_event(const cJSON *event, const char **type, bool *seen)
{
    const cJSON *envelope = event, *data;
    ck_assert_uint_eq(strlen(text_of(event, "eventid")), UUID_LENGTH);
    ck_assert_str_eq(text_of(event, "recipientclientid"), "our-client");
    bool nested = cJSON_GetObjectItemCaseSensitive(event, "event") != NULL;
    if (nested)
        envelope = object_of(object_of(event, "event"), "body");
    else
        ck_assert_uint_eq(strlen(text_of(event, "id")), UUID_LENGTH);
    ck_assert_str_eq(text_of(envelope, "specversion"), "1.0");
    ck_assert_str_eq(text_of(envelope, "datacontenttype"), "application/json");
    *type = text_of(envelope, "type");
    data = object_of(envelope, "data");
    ck_assert_str_eq(text_of(data, "munchkinId"), "123-ABC-456");

    size_t i = 0;
    while (i < catalog_type_count && strcmp(catalog_types[i].ce_type, *type) != 0)
        i++;
    ck_assert_msg(i < catalog_type_count, "%s", *type);
    enum stream stream = catalog_types[i].stream;
    ck_assert_int_eq(nested, stream == STREAM_AUDIT || stream == STREAM_NOTIFICATION);
    ck_assert_str_eq(text_of(envelope, "time"),
                     stream == STREAM_AUDIT ? "2026-04-21 15:28:49.755" : "2026-04-21T15:28:49Z");
    if (stream == STREAM_ACTIVITY) {
        ck_assert_uint_eq(check_activity(data), i);
        ck_assert_uint_eq(strlen(text_of(data, "leadId")), 7);
        seen[i] = true;
    } else if (stream == STREAM_AUDIT) {
        ck_assert_str_eq(text_of(data, "componentType"), catalog_types[i].name);
        ck_assert_double_ge(number_of(data, "componentId"), 100000);
        text_of(data, "eventAction");
    } else if (stream == STREAM_NOTIFICATION) {
        text_of(data, "componentType");
        object_of(data, "eventAction");
    }
    return stream;
}

START_TEST(adobe_io_sends_arrays_of_all_streams)
{
    struct generator_options options = options_for(SENDER_ADOBE_IO);
    struct generator *generator = generator_create(&options);
    size_t counts[STREAM_COUNT] = {0};
    bool *seen = calloc(catalog_type_count, sizeof *seen);

    for (uint64_t first = 0; first < 4000; first += 20) {
        struct body_facts facts;
        const char *type;
        cJSON *json = parse_body(generator, first, 20, false, &facts), *event;
        ck_assert(cJSON_IsArray(json));
        ck_assert_int_eq(cJSON_GetArraySize(json), 20);
        cJSON_ArrayForEach(event, json) counts[check_event(event, &type, seen)]++;
        const cJSON *head = cJSON_GetArrayItem(json, 0);
        check_event(head, &type, seen);
        ck_assert_str_eq(facts.event_code, type);
        ck_assert_str_eq(facts.event_id, text_of(head, "eventid"));
        cJSON_Delete(json);
    }
    check_all_activities(seen);
    ck_assert_uint_gt(counts[STREAM_ACTIVITY], 3400);
    ck_assert_uint_gt(counts[STREAM_AUDIT], 100);
    ck_assert_uint_gt(counts[STREAM_NOTIFICATION], 20);
    ck_assert_uint_gt(counts[STREAM_OBSERVABILITY], 20);
    free(seen);
    generator_free(generator);
}
END_TEST

START_TEST(a_single_event_is_an_object)
{
    struct generator_options options = options_for(SENDER_ADOBE_IO);
    struct generator *generator = generator_create(&options);
    struct body_facts facts;
    cJSON *json = parse_body(generator, 7, 1, true, &facts);
    ck_assert(cJSON_IsObject(json));
    ck_assert_str_eq(facts.event_id, text_of(json, "eventid"));
    cJSON_Delete(json);
    json = parse_body(generator, 7, 1, false, &facts);
    ck_assert(cJSON_IsArray(json));
    cJSON_Delete(json);
    generator_free(generator);
}
END_TEST

START_TEST(only_what_was_asked_for_is_sent)
{
    struct generator_options options = options_for(SENDER_ADOBE_IO);
    options.streams[STREAM_AUDIT] = options.streams[STREAM_OBSERVABILITY] = false;
    options.types = 3;
    struct generator *generator = generator_create(&options);
    struct body_facts facts;
    bool *seen = calloc(catalog_type_count, sizeof *seen);
    size_t types = 0, notifications = 0;
    cJSON *json = parse_body(generator, 0, 1000, false, &facts), *event;
    cJSON_ArrayForEach(event, json)
    {
        const char *type;
        enum stream stream = check_event(event, &type, seen);
        ck_assert(stream == STREAM_ACTIVITY || stream == STREAM_NOTIFICATION);
        notifications += stream == STREAM_NOTIFICATION;
    }
    for (size_t i = 0; i < catalog_type_count; i++)
        types += seen[i];
    ck_assert_uint_eq(types, 3);
    ck_assert_uint_gt(notifications, 0);
    cJSON_Delete(json);
    free(seen);
    generator_free(generator);
}
END_TEST

/* A retry makes its body again, so it must come out the same. */
START_TEST(the_same_numbers_give_the_same_bytes)
{
    static char first[65536], second[65536], other[65536];
    struct generator_options options = options_for(SENDER_ADOBE_IO);
    struct generator *generator = generator_create(&options), *again = generator_create(&options);
    options.seed = 43;
    struct generator *different = generator_create(&options);
    struct body_facts facts, other_facts;
    ck_assert_uint_le(generator_body_max(generator, 20), sizeof first);

    size_t len = generator_write(generator, 40, 20, NOW_MS, false, first, &facts);
    generator_write(generator, 60, 20, NOW_MS, false, second, &facts);
    ck_assert_uint_eq(generator_write(again, 40, 20, NOW_MS, false, second, &facts), len);
    ck_assert_mem_eq(first, second, len);
    generator_write(different, 40, 20, NOW_MS, false, other, &other_facts);
    ck_assert_str_ne(facts.event_id, other_facts.event_id);
    generator_free(generator);
    generator_free(again);
    generator_free(different);
}
END_TEST

static int compare_uuids(const void *a, const void *b)
{
    return memcmp(a, b, UUID_LENGTH);
}

START_TEST(uuids_are_well_formed_and_unique)
{
    enum { COUNT = 100000 };
    size_t wrong = 0;
    char(*uuids)[UUID_LENGTH] = malloc((size_t)COUNT * UUID_LENGTH);
    ck_assert_ptr_nonnull(uuids);
    for (size_t i = 0; i < COUNT; i++) {
        generator_uuid(1, i, uuids[i]);
        bool ok = uuids[i][14] == '4' && strchr("89ab", uuids[i][19]) != NULL;
        for (size_t j = 0; j < UUID_LENGTH; j++) {
            bool hyphen = j == 8 || j == 13 || j == 18 || j == 23;
            ok &= hyphen ? uuids[i][j] == '-' : strchr("0123456789abcdef", uuids[i][j]) != NULL;
        }
        wrong += !ok;
    }
    ck_assert_uint_eq(wrong, 0);
    qsort(uuids, COUNT, UUID_LENGTH, compare_uuids);
    for (size_t i = 1; i < COUNT; i++)
        wrong += compare_uuids(uuids[i - 1], uuids[i]) == 0;
    ck_assert_uint_eq(wrong, 0);
    free(uuids);
}
END_TEST

START_TEST(senders_judge_answers_as_adobe_does)
{
    static const struct {
        long status;
        enum attempt_result adobe_io, activity_push;
    } cases[] = {
        {200, ATTEMPT_DELIVERED, ATTEMPT_DELIVERED}, {204, ATTEMPT_DELIVERED, ATTEMPT_DELIVERED},
        {301, ATTEMPT_REFUSED, ATTEMPT_RETRY},       {400, ATTEMPT_REFUSED, ATTEMPT_RETRY},
        {401, ATTEMPT_REFUSED, ATTEMPT_RETRY},       {429, ATTEMPT_RETRY, ATTEMPT_RETRY},
        {499, ATTEMPT_REFUSED, ATTEMPT_RETRY},       {500, ATTEMPT_RETRY, ATTEMPT_RETRY},
        {503, ATTEMPT_RETRY, ATTEMPT_RETRY},         {505, ATTEMPT_REFUSED, ATTEMPT_RETRY},
        {599, ATTEMPT_RETRY, ATTEMPT_RETRY},         {0, ATTEMPT_RETRY, ATTEMPT_RETRY},
    };
    const struct sender_rule *adobe_io = sender_rule_find("adobe-io");
    const struct sender_rule *activity_push = sender_rule_find("activity-push");
    ck_assert_ptr_null(sender_rule_find("marketo"));
    ck_assert_uint_eq(adobe_io->timeout_ms, 10000);
    ck_assert_uint_eq(activity_push->timeout_ms, 20000);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(sender_rule_judge(adobe_io, cases[i].status), cases[i].adobe_io);
        ck_assert_int_eq(sender_rule_judge(activity_push, cases[i].status), cases[i].activity_push);
    }
}
END_TEST

START_TEST(adobe_io_waits_longer_and_gives_up_after_a_day)
{
    static const unsigned minutes[] = {1, 2, 4, 8, 15, 15, 15};
    const struct sender_rule *rule = sender_rule_find("adobe-io");
    unsigned retry = 1;
    uint64_t sum = 0, wait;
    for (; retry <= sizeof minutes / sizeof minutes[0]; retry++)
        ck_assert_uint_eq(sender_rule_wait_ms(rule, retry), minutes[retry - 1] * UINT64_C(60000));
    for (retry = 1; (wait = sender_rule_wait_ms(rule, retry)) > 0; retry++) {
        sum += wait;
        ck_assert(!sender_rule_pauses(rule, retry));
    }
    ck_assert_uint_le(sum, UINT64_C(86400000));
    ck_assert_uint_gt(sum + UINT64_C(15 * 60000), UINT64_C(86400000));
    ck_assert_uint_eq(sender_rule_wait_ms(rule, retry + 1), 0);
}
END_TEST

START_TEST(activity_push_pauses_and_never_gives_up)
{
    const struct sender_rule *rule = sender_rule_find("activity-push");
    for (unsigned retry = 1; retry < 5000; retry++) {
        ck_assert_uint_eq(sender_rule_wait_ms(rule, retry), UINT64_C(180000));
        ck_assert_int_eq(sender_rule_pauses(rule, retry), retry >= 3);
    }
    ck_assert(!sender_rule_pauses(rule, 0));
}
END_TEST

START_TEST(retries_leave_the_queue_in_order)
{
    struct retry_queue queue = {0};
    uint64_t previous_us = 0, previous_first = 0;
    for (uint64_t i = 0; i < 1000; i++)
        ck_assert(retry_queue_push(&queue, (struct delivery){.first = i, .due_us = i * 7919 % 251}));
    for (size_t i = 0; i < 1000; i++) {
        struct delivery delivery = retry_queue_pop(&queue);
        ck_assert_uint_eq(delivery.due_us, delivery.first * 7919 % 251);
        ck_assert(i == 0 || delivery.due_us > previous_us ||
                  (delivery.due_us == previous_us && delivery.first > previous_first));
        previous_us = delivery.due_us;
        previous_first = delivery.first;
    }
    ck_assert_uint_eq(queue.count, 0);
    retry_queue_free(&queue);
}
END_TEST

START_TEST(percentiles_are_within_a_hundredth)
{
    static struct latency latency;
    ck_assert_uint_eq(latency_percentile(&latency, 0.5), 0);
    for (uint64_t us = 1; us <= 1000000; us++)
        latency_add(&latency, us);
    static const double shares[] = {0.00001, 0.1, 0.5, 0.99, 0.999, 1};
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        double exact = shares[i] * 1e6, found = (double)latency_percentile(&latency, shares[i]);
        ck_assert_double_ge(found, exact);
        ck_assert_double_le(found, ceil(exact * 1.01));
    }
    ck_assert_uint_eq(latency_percentile(&latency, 1), 1000000);
    ck_assert_uint_eq(latency.max, 1000000);
}
END_TEST

START_TEST(percentiles_take_any_value)
{
    static struct latency latency;
    latency_add(&latency, 0);
    ck_assert_uint_eq(latency_percentile(&latency, 0.5), 0);
    ck_assert_uint_eq(latency_percentile(&latency, 1), 0);
    latency_add(&latency, 127);
    latency_add(&latency, 128);
    latency_add(&latency, 129);
    ck_assert_uint_eq(latency_percentile(&latency, 0.5), 127);
    ck_assert_uint_eq(latency_percentile(&latency, 0.75), 128);
    latency_add(&latency, UINT64_MAX);
    ck_assert_uint_eq(latency.max, UINT64_MAX);
    ck_assert_uint_ge(latency_percentile(&latency, 1), UINT64_C(1) << 41);
}
END_TEST

/* What is printed, to be freed. */
static char *print_report(const struct report *report, const struct report_context *context, bool json)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(out);
    report_print(report, context, json, out);
    ck_assert_int_eq(fclose(out), 0);
    return text;
}

START_TEST(the_result_is_json_whatever_the_names)
{
    static struct report report;
    static const char *const files[] = {"a \"b\"\\\n.json", "gone.json"};
    const long statuses[] = {200, 0};
    const struct report_context context = {.sender = "adobe-io",
                                           .url = "http://x/\"y\"",
                                           .http = "2",
                                           .seed = 5,
                                           .files = files,
                                           .file_statuses = statuses,
                                           .file_count = 2};
    report_take_answer(&report, "{\"events\":20,\"delivered\":18,\"duplicates\":0,\"dead_lettered\":2}");
    report_take_answer(&report, "{ \"dead_lettered\": 1, \"events\": 5, \"delivered\": 4 }");
    report_take_answer(&report, "OK");
    report_take_answer(&report, "{\"events\":");
    report.batches = 3;
    report.statuses[200] = 2;
    report.statuses[503] = 1;
    report.statuses[0] = 4;
    report_take_no_answer(&report, "Timeout was reached");
    report_take_no_answer(&report, "Couldn't connect");
    report_take_no_answer(&report, "Timeout was reached");
    report_take_no_answer(&report, "Timeout was reached");
    report.elapsed_us = 2000000;
    report.delivered_events = 50;
    latency_add(&report.latency, 1500);

    char *text = print_report(&report, &context, true);
    cJSON *json = cJSON_ParseWithOpts(text, NULL, true);
    ck_assert_msg(json != NULL, "%s", text);
    ck_assert_str_eq(text_of(json, "url"), context.url);
    const cJSON *file = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "files"), 0);
    ck_assert_str_eq(text_of(file, "file"), files[0]);
    ck_assert_double_eq(number_of(file, "status"), 200);
    ck_assert_double_eq(number_of(object_of(json, "statuses"), "503"), 1);
    ck_assert_double_eq(number_of(object_of(json, "statuses"), "none"), 4);
    ck_assert_double_eq(number_of(object_of(json, "no_answer"), "Timeout was reached"), 3);
    ck_assert_double_eq(number_of(object_of(json, "no_answer"), "Couldn't connect"), 1);
    ck_assert_double_eq(number_of(object_of(json, "answers"), "events"), 25);
    ck_assert_double_eq(number_of(object_of(json, "answers"), "delivered"), 22);
    ck_assert_double_eq(number_of(object_of(json, "answers"), "dead_lettered"), 3);
    ck_assert_double_eq(number_of(json, "events_per_second"), 25);
    ck_assert_double_eq(number_of(object_of(json, "latency_ms"), "max"), 1.5);
    cJSON_Delete(json);
    free(text);

    text = print_report(&report, &context, false);
    ck_assert_ptr_nonnull(
        strstr(text, "answers       200: 2 503: 1 none: 4 (Timeout was reached: 3, Couldn't connect: 1)\n"));
    ck_assert_ptr_nonnull(strstr(text, "events: 25 delivered: 22 duplicates: 0 dead_lettered: 3\n"));
    free(text);
}
END_TEST

START_TEST(more_reasons_than_there_is_room_for_are_counted_together)
{
    static struct report report;
    static const char *const reasons[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "a"};
    const struct report_context context = {.sender = "adobe-io", .url = "http://x/", .http = "2"};
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++, report.statuses[0]++)
        report_take_no_answer(&report, reasons[i]);
    char *text = print_report(&report, &context, false);
    ck_assert_ptr_nonnull(strstr(text, "none: 10 (a: 2, b: 1, c: 1, d: 1, e: 1, f: 1, g: 1, others: 2)\n"));
    free(text);
}
END_TEST

Suite *suite_simulate(void)
{
    Suite *suite = suite_create("simulate");
    TCase *tcase = tcase_create("events");
    tcase_add_test(tcase, activity_push_sends_the_wrapper);
    tcase_add_test(tcase, adobe_io_sends_arrays_of_all_streams);
    tcase_add_test(tcase, a_single_event_is_an_object);
    tcase_add_test(tcase, only_what_was_asked_for_is_sent);
    tcase_add_test(tcase, the_same_numbers_give_the_same_bytes);
    tcase_add_test(tcase, uuids_are_well_formed_and_unique);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("rules");
    tcase_add_test(tcase, senders_judge_answers_as_adobe_does);
    tcase_add_test(tcase, adobe_io_waits_longer_and_gives_up_after_a_day);
    tcase_add_test(tcase, activity_push_pauses_and_never_gives_up);
    tcase_add_test(tcase, retries_leave_the_queue_in_order);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("result");
    tcase_add_test(tcase, percentiles_are_within_a_hundredth);
    tcase_add_test(tcase, percentiles_take_any_value);
    tcase_add_test(tcase, the_result_is_json_whatever_the_names);
    tcase_add_test(tcase, more_reasons_than_there_is_room_for_are_counted_together);
    suite_add_tcase(suite, tcase);
    return suite;
}
