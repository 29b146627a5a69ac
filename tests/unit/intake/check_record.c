// SPDX-License-Identifier: Apache-2.0
//
// Tests of the records: the three formats byte for byte, attributes, keys, ids,
// headers, and every allocation failing once.
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "intake_fixture.h"
#include "suites.h"
#include "telemetry/log.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))
#define STANDARD "com.adobe.platform.marketo.activity.standard."
#define OPEN STANDARD "openemail"
#define EMAIL "com.adobe.platform.marketo.audit.user.email"
#define CONTENT_TYPE "application/cloudevents+json; charset=UTF-8"
#define ACTIVITY_HEAD                                                                                        \
    "{\"specversion\":\"1.0\",\"id\":\"i\",\"source\":\"urn:marketo_activity_stream\",\"type\":\"" OPEN "\""

static struct fixture fixture;

static void setup(void)
{
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_JSON, 2);
    fixture_init(&fixture);
    fixture_start(&fixture);
}

static void teardown(void)
{
    fixture_stop(&fixture);
}

/* Starts anew with another format and headers. */
static void restart(enum record_format format, char **headers, size_t header_count)
{
    fixture_stop(&fixture);
    fixture_init(&fixture);
    fixture.config.record.format = format;
    fixture.config.record.headers = headers;
    fixture.config.record.header_count = header_count;
    fixture_start(&fixture);
}

/* ---- The structured envelope --------------------------------------------------------- */

static const struct {
    const char *body, *value;
} envelopes[] = {
    /* nothing but a type; no data, no data member */
    {"{\"id\":\"i\",\"type\":\"" OPEN "\"}", ACTIVITY_HEAD "}"},
    {"{\"id\":\"i\",\"type\":\"" OPEN "\",\"data\":null}", ACTIVITY_HEAD ",\"data\":null}"},
    {"{\"id\":\"i\",\"type\":\"" OPEN "\",\"data\":\"te\\u0078t \\ud800\"}",
     ACTIVITY_HEAD ",\"data\":\"te\\u0078t \\ud800\"}"},
    {"{\"id\":\"i\",\"type\":\"" OPEN "\",\"data\":[1.50,2E3]}", ACTIVITY_HEAD ",\"data\":[1.50,2E3]}"},
    /* data stands last wherever it came; its blanks, escapes, numbers and repetitions are untouched */
    {"{\"data\": { \"a\" : 1.0E+02 ,\"a\":\"\\u0000\\ud800\\/\" , \"b\":-0 } ,\"id\":\"i\",\"type\":\"" OPEN
     "\"}",
     ACTIVITY_HEAD ",\"data\":{ \"a\" : 1.0E+02 ,\"a\":\"\\u0000\\ud800\\/\" , \"b\":-0 }}"},
    /* members that are not read, in their order, with their blanks */
    {"{\"z\":1,\"id\":\"i\",\"y\" : [ 2 ] , \"\\u0078\":\"\\ud800\",\"type\":\"" OPEN "\",\"w\":null}",
     ACTIVITY_HEAD ",\"z\":1,\"y\" : [ 2 ] , \"\\u0078\":\"\\ud800\",\"w\":null}"},
    /* of the top, of event, of body */
    {"{\"a\":1,\"event\":{\"b\":2,\"body\":{\"c\":3,\"id\":\"i\",\"type\":\"" OPEN
     "\",\"d\":4},\"e\":5},\"f\":6}",
     ACTIVITY_HEAD ",\"a\":1,\"f\":6,\"b\":2,\"e\":5,\"c\":3,\"d\":4}"},
    /* the inner event wins over what stands around it, which then is not repeated */
    {"{\"id\":\"o\",\"type\":\"x\",\"source\":\"s\",\"event\":{\"id\":\"i\",\"type\":\"" OPEN "\"}}",
     "{\"specversion\":\"1.0\",\"id\":\"i\",\"source\":\"s\",\"type\":\"" OPEN "\"}"},
    /* sent strings are taken over with their escapes, numbers become texts */
    {"{\"id\":\"\\u0069\",\"source\":\"a\\/\\\"b\",\"type\":\"" OPEN
     "\",\"dataschema\":2.50,\"data\":{\"leadId\":9007199254740993}}",
     "{\"specversion\":\"1.0\",\"id\":\"\\u0069\",\"source\":\"a\\/\\\"b\",\"type\":\"" OPEN
     "\",\"subject\":\"9007199254740993\",\"dataschema\":\"2.50\",\"leadid\":\"9007199254740993\",\"data\":{"
     "\"leadId\":9007199254740993}}"},
    /* attributes that say nothing travel on as sent, once */
    {"{\"id\":\"i\",\"type\":\"" OPEN "\",\"subject\":null,\"eventid\":\"\\ud800\",\"dataschema\":\"\","
     "\"leadid\":{\"a\":1},\"event_id\":[]}",
     ACTIVITY_HEAD ",\"subject\":null,\"eventid\":\"\\ud800\",\"dataschema\":\"\",\"leadid\":{\"a\":1},"
                   "\"event_id\":[]}"},
    {"{\"subject\":null,\"event\":{\"subject\":false,\"id\":\"i\",\"type\":\"" OPEN "\"}}",
     ACTIVITY_HEAD ",\"subject\":false}"},
    /* those of the bridge's own names that it makes are dropped, others kept */
    {"{\"id\":\"i\",\"type\":\"" OPEN "\",\"specversion\":\"0.3\",\"munchkinid\":\"X\",\"leadid\":\"Y\","
     "\"messageid\":\"Z\",\"subtype\":\"S\",\"data\":{\"munchkinId\":\"M\",\"subType\":\"T\"}}",
     ACTIVITY_HEAD ",\"munchkinid\":\"M\",\"subtype\":\"T\",\"leadid\":\"Y\",\"messageid\":\"Z\",\"data\":{"
                   "\"munchkinId\":\"M\",\"subType\":\"T\"}}"},
    /* the subject that was sent, when there is no lead */
    {"{\"id\":\"i\",\"type\":\"" OPEN "\",\"subject\":\"s\"}", ACTIVITY_HEAD ",\"subject\":\"s\"}"},
    {"{\"id\":\"i\",\"type\":\"" OPEN "\",\"subject\":\"s\",\"data\":{\"leadId\":5}}",
     ACTIVITY_HEAD ",\"subject\":\"5\",\"leadid\":\"5\",\"data\":{\"leadId\":5}}"},
    /* the old names alone */
    {"{\"id\":\"i\",\"type\":\"" OPEN "\",\"event_id\":\"e\",\"recipient_client_id\":\"r\"}",
     ACTIVITY_HEAD ",\"eventid\":\"e\",\"recipientclientid\":\"r\"}"},
    {"{\"id\":\"i\",\"type\":\"" OPEN "\",\"event_id\":\"old\",\"eventid\":\"new\"}",
     ACTIVITY_HEAD ",\"eventid\":\"new\"}"},
    {"{\"id\":\"i\",\"type\":\"" OPEN "\",\"event_id\":\"old\",\"eventid\":null}",
     ACTIVITY_HEAD ",\"eventid\":\"old\"}"},
    {"{\"id\":\"i\",\"event_id\":\"top\",\"event\":{\"eventid\":\"inner\",\"type\":\"" OPEN "\"}}",
     ACTIVITY_HEAD ",\"eventid\":\"top\"}"},
    /* eventAction and subType only as strings */
    {"{\"id\":\"i\",\"type\":\"" OPEN "\",\"data\":{\"eventAction\":5,\"subType\":{}}}",
     ACTIVITY_HEAD ",\"data\":{\"eventAction\":5,\"subType\":{}}}"},
    /* a time that cannot be read */
    {"{\"id\":\"i\",\"type\":\"" OPEN "\",\"time\":\"yest\\u0065rday\"}",
     ACTIVITY_HEAD ",\"originaltime\":\"yest\\u0065rday\"}"},
    {"{\"id\":\"i\",\"type\":\"" OPEN "\",\"time\":1734460773}",
     ACTIVITY_HEAD ",\"originaltime\":\"1734460773\"}"},
    {"{\"id\":\"i\",\"type\":\"" OPEN "\",\"time\":\"2021-05-27T10:22:37.489-5:00\"}",
     ACTIVITY_HEAD ",\"time\":\"2021-05-27T15:22:37.489Z\"}"},
    {"{\"id\":\"i\",\"type\":\"" OPEN "\",\"time\":\"2021-05-27T10:22:37+02:00\"}",
     ACTIVITY_HEAD ",\"time\":\"2021-05-27T10:22:37+02:00\"}"},
    {"{\"id\":\"i\",\"type\":\"" OPEN "\",\"time\":null}", ACTIVITY_HEAD ",\"time\":null}"},
    /* the instance at the top of an event that is no wrapper: read, and passed on */
    {"{\"id\":\"i\",\"type\":\"" OPEN "\",\"munchkinId\":\"M\",\"messageId\":1}",
     ACTIVITY_HEAD ",\"munchkinid\":\"M\",\"munchkinId\":\"M\",\"messageId\":1}"},
    /* a type made from the number, from the name by Adobe's rule, from its letters, and the number alone */
    {"{\"id\":\"i\",\"data\":{\"activityTypeId\":10,\"activityType\":\"Something\"}}",
     ACTIVITY_HEAD ",\"data\":{\"activityTypeId\":10,\"activityType\":\"Something\"}}"},
    {"{\"activities\":[{\"id\":\"i\",\"activityTypeId\":9999,\"activityType\":\"My \\\"New\\\" Th-ing\"}]}",
     "{\"specversion\":\"1.0\",\"id\":\"i\",\"source\":\"urn:marketo_activity_stream\",\"type\":\"" STANDARD
     "my\\\"new\\\"th-ing\",\"data\":{\"id\":\"i\",\"activityTypeId\":9999,\"activityType\":\"My "
     "\\\"New\\\" Th-ing\"}}"},
    {"{\"activities\":[{\"id\":\"i\",\"activityTypeId\":9999,\"activityType\":\"\xc3\x85Ny 1\"}]}",
     "{\"specversion\":\"1.0\",\"id\":\"i\",\"source\":\"urn:marketo_activity_stream\",\"type\":\"" STANDARD
     "ny1\",\"data\":{\"id\":\"i\",\"activityTypeId\":9999,\"activityType\":\"\xc3\x85Ny 1\"}}"},
    {"{\"activities\":[{\"id\":\"i\",\"activityTypeId\":9999}]}",
     "{\"specversion\":\"1.0\",\"id\":\"i\",\"source\":\"urn:marketo_activity_stream\",\"type\":\"" STANDARD
     "9999\",\"data\":{\"id\":\"i\",\"activityTypeId\":9999}}"},
    {"{\"activities\":[{\"id\":\"i\",\"activityType\":\"\xc3\x85\"}]}",
     "{\"specversion\":\"1.0\",\"id\":\"i\",\"source\":\"urn:marketo_activity_stream\",\"type\":\"" STANDARD
     "unknown\",\"data\":{\"id\":\"i\",\"activityType\":\"\xc3\x85\"}}"},
    {"{\"activities\":[{\"id\":\"i\",\"activityTypeId\":100001,\"activityType\":\"Attend\"}]}",
     "{\"specversion\":\"1.0\",\"id\":\"i\",\"source\":\"urn:marketo_activity_stream\",\"type\":"
     "\"com.adobe.platform.marketo.activity.custom\",\"data\":{\"id\":\"i\",\"activityTypeId\":100001,"
     "\"activityType\":\"Attend\"}}"},
    /* a wrapper's own members: read, made over, or passed on; `data` and `id` of it are not the activity's */
    {"{\"new\":[1], "
     "\"x\":2,\"messageId\":12,\"activities\":[{\"id\":\"i\",\"activityTypeId\":10}],\"id\":\"w\","
     "\"data\":1,\"type\":\"t\",\"time\":\"w\",\"event\":{\"id\":1},\"messageCreatedDate\":\"bad\","
     "\"eventid\":"
     "\"e\",\"munchkinId\":null}",
     ACTIVITY_HEAD
     ",\"originaltime\":\"bad\",\"eventid\":\"e\",\"messageid\":\"12\",\"messagecreateddate\":"
     "\"bad\",\"new\":[1], \"x\":2,\"event\":{\"id\":1},\"munchkinId\":null,\"data\":{\"id\":\"i\","
     "\"activityTypeId\":10}}"},
    {"{\"messageCreatedDate\":\"2026-04-21T15:28:49Z\",\"activities\":[{\"id\":\"i\",\"activityTypeId\":10}]"
     "}",
     ACTIVITY_HEAD
     ",\"time\":\"2026-04-21T15:28:49Z\",\"messagecreateddate\":\"2026-04-21T15:28:49Z\",\"data\":"
     "{\"id\":\"i\",\"activityTypeId\":10}}"},
    {"{\"messageCreatedDate\":\"2026-04-21T15:28:49Z\",\"activities\":[{\"id\":\"i\",\"activityTypeId\":10,"
     "\"activityDate\":\"2014-09-17T22:31:49+0000\"}]}",
     ACTIVITY_HEAD
     ",\"time\":\"2014-09-17T22:31:49Z\",\"messagecreateddate\":\"2026-04-21T15:28:49Z\",\"data\":"
     "{\"id\":\"i\",\"activityTypeId\":10,\"activityDate\":\"2014-09-17T22:31:49+0000\"}}"},
    /* the default source of the other streams */
    {"{\"id\":\"i\",\"type\":\"" EMAIL "\"}",
     "{\"specversion\":\"1.0\",\"id\":\"i\",\"source\":\"urn:marketo\",\"type\":\"" EMAIL "\"}"},
};

START_TEST(test_envelopes)
{
    const struct record *record = fixture_take(&fixture, envelopes[_i].body);
    ck_assert_uint_eq(fixture.batch->events, 1);
    ck_assert_msg(record->dead_letter == DEAD_LETTER_NONE, "%s", record->detail);
    assert_slice(record->value, envelopes[_i].value);
    /* What was written is JSON again, and one event. */
    char *value = strndup(record->value.ptr, record->value.len);
    ck_assert_ptr_nonnull(value);
    record = fixture_take(&fixture, value);
    ck_assert_uint_eq(fixture.batch->events, 1);
    ck_assert_msg(record->dead_letter == DEAD_LETTER_NONE, "%s", record->detail);
    free(value);
}
END_TEST

/* ---- Key and identity ------------------------------------------------------------------ */

static const struct {
    const char *body, *key;
} keys[] = {
    {"{\"type\":\"" OPEN "\",\"data\":{\"munchkinId\":\"M\",\"leadId\":12345}}", "M:12345"},
    {"{\"type\":\"" OPEN "\",\"data\":{\"munchkinId\":\"M\",\"leadId\":\"12345\"}}", "M:12345"},
    {"{\"type\":\"" OPEN "\",\"data\":{\"munchkinId\":\"M\",\"leadId\":\"\\u0031\"}}", "M:1"},
    {"{\"type\":\"" OPEN "\",\"data\":{\"munchkinId\":\"M\",\"leadId\":9007199254740993}}",
     "M:9007199254740993"},
    {"{\"type\":\"" OPEN "\",\"data\":{\"munchkinId\":\"M\",\"leadId\":1.50e3}}", "M:1.50e3"},
    {"{\"type\":\"" OPEN "\",\"data\":{\"munchkinId\":\"M\",\"leadId\":null}}", "M"},
    {"{\"type\":\"" OPEN "\",\"data\":{\"munchkinId\":\"M\",\"leadId\":true}}", "M"},
    {"{\"type\":\"" OPEN "\",\"data\":{\"munchkinId\":\"M\",\"leadId\":[1]}}", "M"},
    {"{\"type\":\"" OPEN "\",\"data\":{\"munchkinId\":\"M\",\"leadId\":\"\"}}", "M"},
    {"{\"type\":\"" OPEN "\",\"data\":{\"munchkinId\":\"M\",\"leadId\":\"a\\u0000b\"}}", "M"},
    {"{\"type\":\"" OPEN "\",\"data\":{\"munchkinId\":\"M\",\"leadId\":\"\\udc00\"}}", "M"},
    {"{\"type\":\"" OPEN "\",\"data\":{\"munchkinId\":\"M\",\"leadId\":\"\\ud83d\\ude00\"}}",
     "M:\xf0\x9f\x98\x80"},
    {"{\"type\":\"" OPEN "\",\"data\":{\"munchkinId\":\"M\",\"leadId\":\"\\\\u0000\"}}", "M:\\u0000"},
    {"{\"type\":\"" OPEN "\",\"data\":{\"munchkinId\":\"\\ud800\",\"leadId\":\"5\"}}", NULL},
    {"{\"type\":\"" OPEN "\",\"data\":{\"leadId\":\"5\"}}", NULL},
    {"{\"type\":\"" OPEN "\",\"data\":{\"munchkinId\":77,\"leadId\":\"5\"}}", "77:5"},
    {"{\"type\":\"" EMAIL "\",\"data\":{\"munchkinId\":\"M\",\"componentType\":\"Landing Page\","
     "\"componentId\":5}}",
     "M:Landing Page:5"},
    {"{\"type\":\"" EMAIL "\",\"data\":{\"munchkinId\":\"M\",\"componentId\":5}}", "M"},
    {"{\"type\":\"" EMAIL "\",\"data\":{\"munchkinId\":\"M\",\"componentType\":\"Email\"}}", "M"},
    {"{\"type\":\"" EMAIL "\",\"data\":{\"componentType\":\"Email\",\"componentId\":5}}", NULL},
    {"{\"type\":\"com.adobe.platform.marketo.notification.web_services\",\"data\":{\"munchkinId\":\"M\","
     "\"componentType\":\"web_services\",\"componentId\":1,\"leadId\":2}}",
     "M"},
    {"{\"type\":\"com.adobe.platform.marketo.observability.metrics\",\"data\":{\"leadId\":2}}", NULL},
};

START_TEST(test_keys)
{
    const struct record *record = fixture_take(&fixture, keys[_i].body);
    ck_assert_int_eq((int)record->dead_letter, DEAD_LETTER_NONE);
    if (keys[_i].key == NULL)
        ck_assert(!slice_present(record->key));
    else
        assert_slice(record->key, keys[_i].key);
    /* Whatever the key could make of it, data is untouched. */
    assert_contains(record->value, strstr(keys[_i].body, "\"data\":") + 7);
}
END_TEST

START_TEST(test_huge_ids)
{
    size_t size = 1000000;
    char *body = malloc(size + 200), *digits = malloc(size + 1);
    ck_assert(body != NULL && digits != NULL);
    memset(digits, '7', size);
    digits[size] = '\0';
    snprintf(body, size + 200, "{\"type\":\"%s\",\"data\":{\"munchkinId\":\"M\",\"leadId\":%s,\"x\":1}}",
             OPEN, digits);
    const struct record *record = fixture_take(&fixture, body);
    ck_assert_int_eq((int)record->dead_letter, DEAD_LETTER_NONE);
    ck_assert_uint_eq(record->key.len, size + 2);
    snprintf(body, size + 200, "{\"data\":{\"activityTypeId\":%s}}", digits);
    assert_dead(fixture_take(&fixture, body), "no_type", "neither");
    snprintf(body, size + 200, "{\"type\":\"%s\"}", digits);
    record = fixture_take(&fixture, body);
    assert_dead(record, "no_type", "7777");
    ck_assert_uint_lt(strlen(record->detail), 200);
    free(body);
    free(digits);
}
END_TEST

static const struct record *take_with_headers(const char *body, const char *event_id, const char *event_code)
{
    struct batch *batch = fixture_batch(&fixture);
    batch->event_id = slice_of(event_id);
    batch->event_code = slice_of(event_code);
    ck_assert_int_eq((int)intake_take(fixture.intake, batch, slice_of(body), SLICE_ABSENT), INTAKE_OK);
    ck_assert_ptr_nonnull(batch->first);
    return batch->first;
}

/* printf '%s' '{"type":"com.adobe.platform.marketo.activity.standard.openemail"}' | sha256sum */
#define NO_ID "{\"type\":\"" OPEN "\"}"
#define NO_ID_SHA256 "cfa00fd8d2647831b8b44b16bcc6acba5f11b7956fe27df02d9d41d09d86c3eb"

START_TEST(test_ids)
{
    static const struct {
        const char *body, *event_id, *id;
    } cases[] = {
        {NO_ID, NULL, NO_ID_SHA256},
        {" [ " NO_ID " ] ", "header-id", NO_ID_SHA256}, /* what the header means for an array is unknown */
        {" " NO_ID "\n", "header-id", "header-id"},
        {" " NO_ID "\n", "not plain", NO_ID_SHA256},
        {" " NO_ID "\n", "", NO_ID_SHA256},
        {" " NO_ID "\n", "\xff", NO_ID_SHA256},
        {"{\"eventid\":\"e\",\"type\":\"" OPEN "\"}", "header-id", "e"},
        {"{\"event_id\":\"e\",\"type\":\"" OPEN "\"}", "header-id", "e"},
        {"{\"eventid\":\"e\",\"id\":\"i\",\"type\":\"" OPEN "\"}", "header-id", "i"},
        {"{\"eventid\":\"e\",\"id\":2125,\"type\":\"" OPEN "\"}", "header-id", "2125"},
        {"{\"eventid\":\"e\",\"id\":\"\",\"type\":\"" OPEN "\"}", "header-id", "e"},
        {"{\"eventid\":\"e\",\"id\":\"\\u0000\",\"type\":\"" OPEN "\"}", "header-id", "e"},
        {"{\"eventid\":\"e\",\"id\":null,\"type\":\"" OPEN "\"}", "header-id", "e"},
        {"{\"activities\":[{\"marketoGUID\":\"g\",\"id\":2,\"activityTypeId\":10}]}", "header-id", "g"},
        {"{\"activities\":[{\"marketoGUID\":\"2125\",\"activityTypeId\":10}]}", "header-id", "2125"},
        {"{\"activities\":[{\"id\":2,\"activityTypeId\":10}]}", "header-id", "2"},
    };
    for (int i = 0; i < COUNT(cases); i++) {
        const struct record *record = take_with_headers(cases[i].body, cases[i].event_id, NULL);
        assert_slice(fixture_header(record, "ce_id"), cases[i].id);
        char expected[128];
        snprintf(expected, sizeof expected, ",\"id\":\"%s\",", cases[i].id);
        assert_contains(record->value, expected);
    }
}
END_TEST

/* Activities of one message without ids must not share one. */
START_TEST(test_ids_in_a_wrapper_differ)
{
    take_with_headers(
        "{\"eventid\":\"e\",\"id\":\"w\",\"activities\":[{\"activityTypeId\":10},{\"activityTypeId\":"
        "3}]}",
        "header-id", NULL);
    struct slice first = fixture_header(fixture_record(&fixture, 0), "ce_id");
    struct slice second = fixture_header(fixture_record(&fixture, 1), "ce_id");
    ck_assert_uint_eq(first.len, 64);
    ck_assert_uint_eq(second.len, 64);
    ck_assert(!slice_equal(first, second));
}
END_TEST

START_TEST(test_event_code)
{
    const struct record *record = take_with_headers("{\"id\":\"1\"}", NULL, OPEN);
    ck_assert_str_eq(fixture_topic(&fixture, record), "marketo.activity.openemail");
    assert_slice(fixture_header(record, "ce_type"), OPEN);
    record = take_with_headers("{\"id\":\"1\",\"type\":\"" EMAIL "\"}", NULL, OPEN);
    ck_assert_str_eq(fixture_topic(&fixture, record), "marketo.audit.email");
    record = take_with_headers("[{\"id\":\"1\"}]", NULL, OPEN);
    assert_dead(record, "no_type", "neither");
    record = take_with_headers("{\"activities\":[{}]}", NULL, OPEN);
    assert_dead(record, "no_type", "neither");
    record = take_with_headers("{\"id\":\"1\"}", NULL, "chal lenge");
    assert_dead(record, "no_type", "neither");
}
END_TEST

/* ---- Headers and the other formats -------------------------------------------------------- */

START_TEST(test_chosen_headers)
{
    static char names[][32] = {"subject",      "x-request-id", "id",          "munchkinid",
                               "originaltime", "specversion",  "nosuchthing", "datacontenttype"};
    char *headers[COUNT(names)];
    for (int i = 0; i < COUNT(names); i++)
        headers[i] = names[i];
    restart(RECORD_STRUCTURED, headers, (size_t)COUNT(names));
    struct batch *batch = fixture_batch(&fixture);
    batch->traceparent = SLICE_LITERAL("00-trace");
    struct slice body =
        SLICE_LITERAL("{\"id\":\"i\",\"type\":\"" OPEN "\",\"datacontenttype\":\"a\\/b\",\"data\":{"
                      "\"leadId\":5}}");
    ck_assert_int_eq((int)intake_take(fixture.intake, batch, body, SLICE_ABSENT), INTAKE_OK);
    static const char *const expected[][2] = {{"content-type", CONTENT_TYPE},
                                              {"ce_id", "i"},
                                              {"ce_type", OPEN},
                                              {"traceparent", "00-trace"},
                                              {"x-request-id", "request-1"},
                                              {"ce_specversion", "1.0"},
                                              {"ce_subject", "5"},
                                              {"ce_datacontenttype", "a/b"}};
    ck_assert_uint_eq(batch->first->header_count, (size_t)COUNT(expected));
    for (int i = 0; i < COUNT(expected); i++) {
        ck_assert_str_eq(batch->first->headers[i].name, expected[i][0]);
        assert_slice(batch->first->headers[i].value, expected[i][1]);
    }
}
END_TEST

START_TEST(test_binary)
{
    static char subject[] = "subject", request_id[] = "x-request-id";
    char *headers[] = {subject, request_id};
    restart(RECORD_BINARY, headers, 2);
    const struct record *record = fixture_take(
        &fixture,
        "{\"id\":\"\\u0069\",\"type\":\"" OPEN "\",\"datacontenttype\":\"application\\/x\",\"time\":\"no\","
        "\"eventid\":\"e\",\"s\":\"a\\nb\",\"n\":1.50,\"t\":true,\"f\":false,\"e\":\"\",\"z\":null,\"o\":{"
        "\"a\":1},"
        "\"l\":[1],\"u\":\"\\ud800\",\"nul\":\"\\u0000\",\"sp "
        "ace\":1,\"\":1,\"\\u0068i\":\"x\",\"sub\\u0000\":1,"
        "\"0123456789012345678901234567890123456789012345678901234567890123\":4,"
        "\"01234567890123456789012345678901234567890123456789012345678901234\":5,\"a.b-c_D\":6,"
        "\"subject\":null,\"messageid\":7,\"data\": { \"leadId\" : 5 } }");
    assert_slice(record->value, "{ \"leadId\" : 5 }");
    static const char *const expected[][2] = {
        {"content-type", "application/x"},
        {"ce_id", "i"},
        {"ce_type", OPEN},
        {"x-request-id", "request-1"},
        {"ce_specversion", "1.0"},
        {"ce_source", "urn:marketo_activity_stream"},
        {"ce_originaltime", "no"},
        {"ce_subject", "5"},
        {"ce_leadid", "5"},
        {"ce_eventid", "e"},
        {"ce_s", "a\nb"},
        {"ce_n", "1.50"},
        {"ce_t", "true"},
        {"ce_f", "false"},
        {"ce_e", ""},
        {"ce_hi", "x"},
        {"ce_0123456789012345678901234567890123456789012345678901234567890123", "4"},
        {"ce_a.b-c_D", "6"},
        {"ce_messageid", "7"},
    };
    for (int i = 0; i < COUNT(expected) && i < (int)record->header_count; i++) {
        ck_assert_str_eq(record->headers[i].name, expected[i][0]);
        assert_slice(record->headers[i].value, expected[i][1]);
    }
    ck_assert_uint_eq(record->header_count, (size_t)COUNT(expected));
    ck_assert(!slice_present(fixture_header(record, "ce_datacontenttype")));
}
END_TEST

START_TEST(test_binary_without_data)
{
    restart(RECORD_BINARY, NULL, 0);
    const struct record *record = fixture_take(&fixture, "{\"id\":\"i\",\"type\":\"" OPEN "\"}");
    assert_slice(record->value, "null");
    assert_slice(fixture_header(record, "content-type"), "application/json");
    record = fixture_take(&fixture,
                          "{\"messageId\":3,\"x\":1,\"activities\":[ {\"id\":\"i\",\"activityTypeId\":10} "
                          "],\"y\":\"\\u0079\"}");
    assert_slice(record->value, "{\"id\":\"i\",\"activityTypeId\":10}");
    assert_slice(fixture_header(record, "ce_messageid"), "3");
    assert_slice(fixture_header(record, "ce_x"), "1");
    assert_slice(fixture_header(record, "ce_y"), "y");
}
END_TEST

START_TEST(test_original)
{
    restart(RECORD_ORIGINAL, NULL, 0);
    fixture_take(&fixture,
                 "[ { \"id\" : \"i\",\"type\":\"" OPEN "\" } ,{\"activities\":[ { \"activityTypeId\":10, "
                 "\"leadId\":\"\\u0031\"} ],\"munchkinId\":\"M\"}]");
    const struct record *record = fixture_record(&fixture, 0);
    assert_slice(record->value, "{ \"id\" : \"i\",\"type\":\"" OPEN "\" }");
    assert_slice(fixture_header(record, "content-type"), "application/json");
    assert_slice(fixture_header(record, "ce_type"), OPEN);
    ck_assert_uint_eq(record->header_count, 3);
    record = fixture_record(&fixture, 1);
    assert_slice(record->value, "{ \"activityTypeId\":10, \"leadId\":\"\\u0031\"}");
    assert_slice(record->key, "M:1");
    assert_slice(record->event, "{ \"activityTypeId\":10, \"leadId\":\"\\u0031\"}");
}
END_TEST

/* Values and events are slices of the batch's own body. */
START_TEST(test_without_further_copies)
{
    restart(RECORD_BINARY, NULL, 0);
    const struct record *record = fixture_take(&fixture, "[" NO_ID ",{\"type\":\"" OPEN "\",\"data\":{}}]");
    for (; record != NULL; record = record->next) {
        ck_assert(record->event.ptr >= fixture.batch->body.ptr);
        ck_assert(record->event.ptr + record->event.len <= fixture.batch->body.ptr + fixture.batch->body.len);
    }
}
END_TEST

/* ---- Unknown types, memory ---------------------------------------------------------------- */

START_TEST(test_unknown_types_are_logged_once)
{
    int ends[2];
    char text[200000];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_gt(fcntl(ends[1], F_SETPIPE_SZ, 1 << 20), 0);
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, ends[1]);
    fixture_take(&fixture, "[{\"type\":\"" STANDARD "newt\\nhing\"},{\"type\":\"" STANDARD "newt\\nhing\"},"
                           "{\"data\":{\"activityTypeId\":8888}},{\"type\":\"" OPEN "\"},"
                           "{\"data\":{\"activityTypeId\":100001}}]");
    for (int i = 0; i < 400; i++) {
        snprintf(text, sizeof text, "{\"type\":\"" STANDARD "unheardof%d\"}", i);
        fixture_take(&fixture, text);
        ck_assert_str_eq(fixture_topic(&fixture, fixture.batch->first), "marketo.activity.other");
    }
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_JSON, 2);
    close(ends[1]);
    size_t length = 0;
    ssize_t n;
    while ((n = read(ends[0], text + length, sizeof text - length)) > 0)
        length += (size_t)n;
    close(ends[0]);
    struct slice log = {text, length};
    size_t lines = 0;
    for (size_t i = 0; i < length; i++)
        lines += text[i] == '\n';
    ck_assert_uint_eq(lines, 256);
    assert_contains(log, "newt?hing");
    assert_contains(log, STANDARD "8888");
    assert_lacks(log, "openemail");
    assert_lacks(log, "custom");
}
END_TEST

#define TORTURE                                                                                              \
    "[{\"id\":\"\\u0069\",\"type\":\"" OPEN                                                                  \
    "\",\"time\":\"2024-07-11 13:20:42\",\"x\":\"\\u0079\",\"data\":{"                                       \
    "\"munchkinId\":\"\\u004d\",\"leadId\":\"5\",\"leadid\":[[[[]]]]}},5,{},{\"type\":\"a\",\"type\":\"b\"}" \
    ","                                                                                                      \
    "{\"type\":\"Q\"},{\"activities\":[{\"activityTypeId\":9999,\"activityType\":\"New "                     \
    "One\"},{\"leadId\":1,"                                                                                  \
    "\"leadId\":1},{\"activityTypeId\":9998}],\"messageId\":\"\\u0031\"},{\"event\":{\"body\":{\"type\":"    \
    "\"" EMAIL "\",\"data\":{\"munchkinId\":\"M\",\"componentType\":\"\\u0045\",\"componentId\":1}}}}]"

/* Every allocation fails once: nothing breaks, nothing stays behind, and with enough memory all is well. */
START_TEST(test_every_allocation_fails_once)
{
    static char subject[] = "subject";
    char *headers[] = {subject};
    restart((enum record_format)_i, headers, 1);
    char *deep = malloc(60000);
    ck_assert_ptr_nonnull(deep);
    memset(deep, '[', 60000);
    size_t refused = 0;
    enum intake_result result;
    do {
        /* The batch lies in the first chunk. Then one byte after the other, in steps. */
        fixture.budget.limit = 4096 + refused * 16;
        struct batch *batch = fixture_batch(&fixture);
        result = intake_take(fixture.intake, batch, SLICE_LITERAL(TORTURE), SLICE_ABSENT);
        ck_assert_uint_le(atomic_load(&fixture.budget.used), fixture.budget.limit);
        refused += result == INTAKE_NO_MEMORY;
        if (result == INTAKE_OK)
            ck_assert_uint_eq(batch->events, 9);
        batch_free(batch);
        fixture.batch = NULL;
        ck_assert_uint_eq(atomic_load(&fixture.budget.used), 0);
    } while (result == INTAKE_NO_MEMORY);
    ck_assert_uint_gt(refused, 100);
    /* The stack of the walk. */
    fixture.budget.limit = 65000;
    ck_assert_int_eq(
        (int)intake_take(fixture.intake, fixture_batch(&fixture), (struct slice){deep, 60000}, SLICE_ABSENT),
        INTAKE_NO_MEMORY);
    free(deep);
}
END_TEST

/* The same by number of pieces instead of bytes: a filled chunk makes the next piece fail. */
START_TEST(test_every_piece_fails_once)
{
    restart((enum record_format)_i, NULL, 0);
    for (size_t left = 0; left < 3000; left += 16) {
        fixture.budget.limit = (size_t)1024 * 1024;
        struct batch *batch = fixture_batch(&fixture);
        size_t room = (size_t)(batch->arena.end - batch->arena.next);
        ck_assert_uint_gt(room, left + 64);
        ck_assert_ptr_nonnull(arena_alloc(&batch->arena, room - left - 64));
        fixture.budget.limit = atomic_load(&fixture.budget.used);
        enum intake_result result =
            intake_take(fixture.intake, batch, SLICE_LITERAL("[" NO_ID "]"), SLICE_ABSENT);
        ck_assert(result == INTAKE_OK || result == INTAKE_NO_MEMORY);
    }
}
END_TEST

Suite *suite_record(void)
{
    Suite *suite = suite_create("record");
    TCase *tcase = tcase_create("record");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, test_envelopes, 0, COUNT(envelopes));
    tcase_add_loop_test(tcase, test_keys, 0, COUNT(keys));
    tcase_add_test(tcase, test_huge_ids);
    tcase_add_test(tcase, test_ids);
    tcase_add_test(tcase, test_ids_in_a_wrapper_differ);
    tcase_add_test(tcase, test_event_code);
    tcase_add_test(tcase, test_chosen_headers);
    tcase_add_test(tcase, test_binary);
    tcase_add_test(tcase, test_binary_without_data);
    tcase_add_test(tcase, test_original);
    tcase_add_test(tcase, test_without_further_copies);
    tcase_add_test(tcase, test_unknown_types_are_logged_once);
    tcase_add_loop_test(tcase, test_every_allocation_fails_once, 0, 3);
    tcase_add_loop_test(tcase, test_every_piece_fails_once, 0, 3);
    suite_add_tcase(suite, tcase);
    return suite;
}
