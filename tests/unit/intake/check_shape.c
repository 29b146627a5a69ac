// SPDX-License-Identifier: Apache-2.0
//
// Tests of the body shapes: what becomes an event, what becomes a dead letter,
// and how far a fault reaches.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intake_fixture.h"
#include "suites.h"
#include "telemetry/log.h"

#define OPEN "com.adobe.platform.marketo.activity.standard.openemail"
#define EMAIL "com.adobe.platform.marketo.audit.user.email"

static struct fixture fixture;

static void setup(void)
{
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_JSON, 2);
    fixture_init(&fixture);
    fixture.config.limits.events = 20;
    fixture_start(&fixture);
}

static void teardown(void)
{
    fixture_stop(&fixture);
}

static void must_be_healthy(const struct record *record, const char *topic, int element, int activity)
{
    ck_assert_msg(record->dead_letter == DEAD_LETTER_NONE, "%s", record->detail);
    ck_assert_str_eq(fixture_topic(&fixture, record), topic);
    ck_assert_int_eq(record->element, element);
    ck_assert_int_eq(record->activity, activity);
    ck_assert_int_ge(record->type, 0);
    ck_assert(slice_present(record->value));
}

/* Bodies of one healthy event each. */
static const struct {
    const char *body, *topic, *key, *id;
    int element, activity;
} shapes[] = {
    {"{\"id\":\"i1\",\"type\":\"" OPEN "\",\"data\":{\"munchkinId\":\"M\",\"leadId\":\"7\"}}",
     "marketo.activity.openemail", "M:7", "i1", -1, -1},
    {"[{\"id\":\"i1\",\"type\":\"" OPEN "\",\"data\":{\"munchkinId\":\"M\",\"leadId\":7}}]",
     "marketo.activity.openemail", "M:7", "i1", 0, -1},
    {"{\"eventid\":\"e1\",\"event\":{\"body\":{\"type\":\"" EMAIL
     "\",\"data\":{\"munchkinId\":\"M\",\"componentType\":\"Email\",\"componentId\":5}}}}",
     "marketo.audit.email", "M:Email:5", "e1", -1, -1},
    {"[{\"event_id\":\"e2\",\"event\":{\"id\":\"i2\",\"type\":\"" EMAIL
     "\",\"data\":{\"munchkinId\":\"M\",\"componentType\":\"Email\",\"componentId\":5}}}]",
     "marketo.audit.email", "M:Email:5", "i2", 0, -1},
    {"{\"event\":{\"event_id\":\"e3\",\"body\":{\"type\":\"" EMAIL "\",\"data\":{\"munchkinId\":\"M\"}}}}",
     "marketo.audit.email", "M", "e3", -1, -1},
    /* `body` that is no object: the event is `event` */
    {"{\"event\":{\"eventid\":\"e4\",\"body\":[1],\"type\":\"" EMAIL "\"}}", "marketo.audit.email", NULL,
     "e4", -1, -1},
    /* `event` that is no object: flat */
    {"{\"event\":\"x\",\"id\":\"i5\",\"type\":\"" OPEN "\"}", "marketo.activity.openemail", NULL, "i5", -1,
     -1},
    /* `body` outside of `event` means nothing */
    {"{\"body\":{\"type\":\"" EMAIL "\"},\"id\":\"i6\",\"type\":\"" OPEN "\"}", "marketo.activity.openemail",
     NULL, "i6", -1, -1},
    /* type from further out */
    {"{\"type\":\"" OPEN "\",\"id\":\"o\",\"event\":{\"body\":{\"id\":\"i7\",\"data\":{}}}}",
     "marketo.activity.openemail", NULL, "i7", -1, -1},
    /* no type, but a number */
    {"{\"id\":\"i8\",\"data\":{\"activityTypeId\":10}}", "marketo.activity.openemail", NULL, "i8", -1, -1},
    {"{\"id\":\"i8\",\"data\":{\"activityTypeId\":\"10\"}}", "marketo.activity.openemail", NULL, "i8", -1,
     -1},
    {"{\"munchkinId\":\"M\",\"activities\":[{\"marketoGUID\":\"g\",\"leadId\":7,\"activityTypeId\":10}]}",
     "marketo.activity.openemail", "M:7", "g", -1, 0},
    {"[{\"activities\":[{\"id\":3,\"leadId\":\"7\",\"activityTypeId\":10}],\"munchkinId\":\"M\"}]",
     "marketo.activity.openemail", "M:7", "3", 0, 0},
    /* the activity knows its instance itself */
    {"{\"munchkinId\":\"M\",\"activities\":[{\"marketoGUID\":\"g\",\"munchkinId\":\"N\",\"leadId\":7,"
     "\"activityType\":\"Open Email\"}]}",
     "marketo.activity.openemail", "N:7", "g", -1, 0},
    /* names with escapes, blanks everywhere */
    {" { \"\\u0069d\" : \"i9\" , \"t\\u0079pe\" : \"" OPEN "\" , \"dat\\u0061\" : { \"munchkin\\u0049d\" : "
     "\"M\" , \"le\\u0061dId\" : 7 } } ",
     "marketo.activity.openemail", "M:7", "i9", -1, -1},
    /* values with escapes */
    {"{\"id\":\"i\\u0031\\u0030\",\"type\":\"com.adobe.platform.marketo.activity.standard.open\\u0065mail\","
     "\"data\":{\"munchkinId\":\"\\u004d\",\"leadId\":\"\\u0037\"}}",
     "marketo.activity.openemail", "M:7", "i10", -1, -1},
    /* a byte order mark */
    {"\xef\xbb\xbf{\"id\":\"i11\",\"type\":\"" OPEN "\"}", "marketo.activity.openemail", NULL, "i11", -1, -1},
    /* unknown types */
    {"{\"id\":\"u\",\"type\":\"com.adobe.platform.marketo.activity.standard.newthing\"}",
     "marketo.activity.other", NULL, "u", -1, -1},
    {"{\"id\":\"u\",\"data\":{\"activityTypeId\":99999}}", "marketo.activity.other", NULL, "u", -1, -1},
    {"{\"id\":\"u\",\"data\":{\"activityTypeId\":100001}}", "marketo.activity.custom", NULL, "u", -1, -1},
};

START_TEST(test_shapes)
{
    const struct record *record = fixture_take(&fixture, shapes[_i].body);
    ck_assert_uint_eq(fixture.batch->events, 1);
    must_be_healthy(record, shapes[_i].topic, shapes[_i].element, shapes[_i].activity);
    assert_slice(fixture_header(record, "ce_id"), shapes[_i].id);
    if (shapes[_i].key == NULL)
        ck_assert(!slice_present(record->key));
    else
        assert_slice(record->key, shapes[_i].key);
}
END_TEST

/* Bodies of one dead letter, which keeps the whole body. */
static const struct {
    const char *body, *reason, *words;
} bad_bodies[] = {
    {"", "not_json", "empty"},
    {" \n", "not_json", "empty"},
    {"\xef\xbb\xbf", "not_json", "empty"},
    {"hello", "not_json", "at byte 0"},
    {"[{}", "not_json", "at byte 3: the text ends too early"},
    {"[{},]", "not_json", "at byte 4"},
    {"[{}]]", "not_json", "at byte 4: something follows"},
    {"{\"type\":\"" OPEN "\"}{}", "not_json", "something follows"},
    {"[{\"id\":\"1\",\"type\":\"" OPEN "\"},{\"a\":[1,]}]", "not_json", "at byte"},
    {"[{\"a\":\"x\ny\"}]", "not_json", "control character"},
    {"{\"a\":\"\\q\"}", "not_json", "escape"},
    {"{\"activities\":[{\"a\":01}]}", "not_json", "at byte 21"},
    {"{\"data\":{\"a\":1,}}", "not_json", "a member's name"},
    {"{\"event\":{\"body\":{\"a\" 1}}}", "not_json", "a colon"},
    {"1", "not_object", "must be an object"},
    {"\"text\"", "not_object", "must be an object"},
    {"null", "not_object", "must be an object"},
    {"\"\xff\"", "not_json", "UTF-8"},
    {"{\"type\":\"" OPEN "\",\"x\":\"\xff\"}", "not_json", "UTF-8"},
    {"{\"type\":\"" OPEN "\",\"data\":{\"\xc0\x80\":1}}", "not_json", "UTF-8"},
    {" {\"type\":\"a\",\"type\":\"" OPEN "\"} ", "duplicate_member", "type"},
    {"{\"t\\u0079pe\":\"a\",\"type\":\"" OPEN "\"}", "duplicate_member", "type"},
    {"{\"type\":\"" OPEN "\",\"data\":{},\"data\":{}}", "duplicate_member", "data"},
    {"{\"type\":\"" OPEN "\",\"data\":{\"leadId\":1,\"leadId\":1}}", "duplicate_member", "leadId"},
    {"{\"type\":\"" OPEN "\",\"data\":{\"leadId\":null,\"leadId\":1}}", "duplicate_member", "leadId"},
    {"{\"event_id\":\"1\",\"event_id\":\"1\",\"type\":\"" OPEN "\"}", "duplicate_member", "event_id"},
    {"{\"recipient_client_id\":\"1\",\"recipient_client_id\":\"1\"}", "duplicate_member",
     "recipient_client_id"},
    {"{\"event\":{},\"event\":{}}", "duplicate_member", "event"},
    {"{\"event\":{\"body\":{},\"body\":1}}", "duplicate_member", "body"},
    {"{\"event\":{\"body\":{\"time\":1,\"time\":2}}}", "duplicate_member", "time"},
    {"{\"event\":{\"body\":{\"data\":{\"componentId\":1,\"componentId\":2}}}}", "duplicate_member",
     "componentId"},
    {"{\"activities\":[],\"activities\":[]}", "duplicate_member", "activities"},
    {"{\"munchkinId\":1,\"activities\":[{\"activityTypeId\":1}],\"munchkinId\":2}", "duplicate_member",
     "munchkinId"},
    {"{\"activities\":[{\"activityTypeId\":1}],\"x\":\"\xff\"}", "not_json", "UTF-8"},
    {"{\"activities\":{}}", "not_object", "activities must be an array"},
    {"{\"activities\":null,\"type\":\"" OPEN "\"}", "not_object", "activities must be an array"},
};

START_TEST(test_bad_bodies)
{
    const struct record *record = fixture_take(&fixture, bad_bodies[_i].body);
    ck_assert_uint_eq(fixture.batch->events, 1);
    assert_dead(record, bad_bodies[_i].reason, bad_bodies[_i].words);
    assert_slice(record->event, bad_bodies[_i].body);
    ck_assert_int_eq(record->element, -1);
    ck_assert_int_eq(record->activity, -1);
}
END_TEST

START_TEST(test_no_events)
{
    static const char *const bodies[] = {"[]", " [ ] ", "{\"activities\":[]}",
                                         "{\"munchkinId\":\"M\",\"activities\":[ ]}",
                                         "[{\"activities\":[]},{\"activities\":[]}]"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        ck_assert_ptr_null(fixture_take(&fixture, bodies[i]));
        ck_assert_uint_eq(fixture.batch->events, 0);
    }
}
END_TEST

#define FLAT(id) "{\"id\":\"" id "\",\"type\":\"" OPEN "\",\"data\":{\"munchkinId\":\"M\",\"leadId\":7}}"

/* Each element of an array is judged by itself, and kept byte for byte. */
START_TEST(test_faults_inside_an_array)
{
    static const struct {
        const char *element, *reason, *words, *topic;
    } faults[] = {
        {"1", "not_object", "object", "-"},
        {"null", "not_object", "object", "-"},
        {"[]", "not_object", "object", "-"},
        {"[" FLAT("x") "]", "not_object", "object", "-"},
        {"\"\xff\"", "not_json", "UTF-8", "-"},
        {"{}", "no_type", "neither type nor activityTypeId", "-"},
        {"{\"type\":5}", "no_type", "not a type of Marketo's: 5", "-"},
        {"{\"type\":\"QUEUED\"}", "no_type", "QUEUED", "-"},
        {"{\"type\":\"\\ud800\"}", "no_type", "neither", "-"},
        {"{\"type\":null,\"data\":null}", "no_type", "neither", "-"},
        {"{\"data\":{\"activityTypeId\":\"12a\"}}", "no_type", "neither", "-"},
        {"{\"data\":{\"activityTypeId\":-1}}", "no_type", "neither", "-"},
        {"{\"data\":{\"activityTypeId\":1.0}}", "no_type", "neither", "-"},
        {"{\"data\":{\"activityTypeId\":true}}", "no_type", "neither", "-"},
        {"{\"type\":\"" OPEN "\",\"x\":\"\xe2\x82\"}", "not_json", "UTF-8", "marketo.activity.openemail"},
        {"{\"type\":\"" OPEN "\",\"type\":\"" OPEN "\"}", "duplicate_member", "type", "-"},
        {"{\"type\":\"" OPEN "\",\"data\":{\"leadId\":1,\"leadId\":2}}", "duplicate_member", "leadId",
         "marketo.activity.openemail"},
        {"{\"type\":\"" OPEN "\",\"data\":{\"activityTypeId\":1,\"activityTypeId\":2}}", "duplicate_member",
         "activityTypeId", "-"},
        {"{\"activities\":3}", "not_object", "activities must be an array", "-"},
        {"{\"activities\":[{\"activityTypeId\":1}],\"messageId\":1,\"messageId\":1}", "duplicate_member",
         "messageId", "-"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        char body[1024];
        snprintf(body, sizeof body, "[" FLAT("a") ", %s ," FLAT("b") "]", faults[i].element);
        fixture_take(&fixture, body);
        ck_assert_uint_eq(fixture.batch->events, 3);
        must_be_healthy(fixture_record(&fixture, 0), "marketo.activity.openemail", 0, -1);
        must_be_healthy(fixture_record(&fixture, 2), "marketo.activity.openemail", 2, -1);
        const struct record *record = fixture_record(&fixture, 1);
        assert_dead(record, faults[i].reason, faults[i].words);
        assert_slice(record->event, faults[i].element);
        ck_assert_int_eq(record->element, 1);
        ck_assert_int_eq(record->activity, -1);
        ck_assert_str_eq(fixture_topic(&fixture, record), faults[i].topic);
    }
}
END_TEST

START_TEST(test_faults_inside_a_wrapper)
{
    static const struct {
        const char *activity, *reason, *words;
    } faults[] = {
        {"1", "not_object", "an activity must be an object"},
        {"[]", "not_object", "an activity must be an object"},
        {"{}", "no_type", "neither"},
        {"{\"activityTypeId\":10,\"x\":\"\xff\"}", "not_json", "UTF-8"},
        {"{\"activityTypeId\":10,\"leadId\":1,\"leadId\":1}", "duplicate_member", "leadId"},
        {"{\"activityTypeId\":10,\"marketoGUID\":\"a\",\"marketoGUID\":\"b\"}", "duplicate_member",
         "marketoGUID"},
        {"{\"activityTypeId\":10,\"id\":1,\"id\":2}", "duplicate_member", "id"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        for (int in_array = 0; in_array < 2; in_array++) {
            char body[1024];
            snprintf(body, sizeof body,
                     "%s{\"activities\":[{\"activityTypeId\":10}, %s ,{\"activityTypeId\":3}],"
                     "\"munchkinId\":\"M\"}%s",
                     in_array ? "[" FLAT("a") "," : "", faults[i].activity, in_array ? "]" : "");
            fixture_take(&fixture, body);
            size_t first = in_array ? 1 : 0;
            int element = in_array ? 1 : -1;
            ck_assert_uint_eq(fixture.batch->events, first + 3);
            must_be_healthy(fixture_record(&fixture, first), "marketo.activity.openemail", element, 0);
            must_be_healthy(fixture_record(&fixture, first + 2), "marketo.activity.clicklink", element, 2);
            const struct record *record = fixture_record(&fixture, first + 1);
            assert_dead(record, faults[i].reason, faults[i].words);
            assert_slice(record->event, faults[i].activity);
            assert_slice(record->munchkin_id, "M");
            ck_assert_int_eq(record->element, element);
            ck_assert_int_eq(record->activity, 1);
        }
    }
}
END_TEST

/* Members that are not read may be repeated, and so may the wrapper's names outside of a wrapper. */
START_TEST(test_harmless_repetition)
{
    const struct record *record = fixture_take(
        &fixture, "{\"type\":\"" OPEN "\",\"x\":1,\"x\":2,\"messageId\":1,\"messageId\":2,\"data\":{\"id\":1,"
                  "\"id\":2,\"attributes\":[],\"attributes\":[]},\"event\":[{\"type\":1,\"type\":2}]}");
    must_be_healthy(record, "marketo.activity.openemail", -1, -1);
    assert_contains(record->value, ",\"x\":1,\"x\":2,\"messageId\":1,\"messageId\":2,");
}
END_TEST

/* Writes an event whose `x` (or whose data) holds `levels` containers within it. */
static char *deep_event(const char *before, size_t levels, const char *after)
{
    size_t size = strlen(before) + 2 * levels + strlen(after) + 1;
    char *text = malloc(size), *p = text;
    ck_assert_ptr_nonnull(text);
    p += snprintf(p, size, "%s", before);
    memset(p, '[', levels);
    memset(p + levels, ']', levels);
    memcpy(p + 2 * levels, after, strlen(after) + 1);
    return text;
}

START_TEST(test_depth_boundary)
{
    /* How many containers stand around the brackets, the event included. */
    static const struct {
        const char *before, *after;
        size_t around;
        bool whole_body;
    } places[] = {
        {"{\"type\":\"" OPEN "\",\"x\":", "}", 1, true},
        {"{\"type\":\"" OPEN "\",\"data\":", "}", 1, true},
        {"{\"type\":\"" OPEN "\",\"data\":{\"a\":", "}}", 2, true},
        {"{\"event\":{\"type\":\"" OPEN "\",\"x\":", "}}", 2, true},
        {"{\"event\":{\"body\":{\"type\":\"" OPEN "\",\"x\":", "}}}", 3, true},
        {"{\"event\":{\"body\":{\"type\":\"" OPEN "\",\"data\":{\"a\":", "}}}}", 4, true},
        {"[{\"type\":\"" OPEN "\",\"x\":", "}]", 1, false},
        {"{\"activities\":[{\"activityTypeId\":10,\"x\":", "}]}", 1, false},
        {"[{\"activities\":[{\"activityTypeId\":10,\"x\":", "}]}]", 1, false},
        {"{\"activities\":[{\"activityTypeId\":10}],\"x\":", "}", 1, true},
    };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        char *fits = deep_event(places[i].before, 64 - places[i].around, places[i].after);
        const struct record *record = fixture_take(&fixture, fits);
        ck_assert_uint_eq(fixture.batch->events, 1);
        ck_assert_msg(record->dead_letter == DEAD_LETTER_NONE, "place %zu: %s", i, record->detail);
        free(fits);
        char *deep = deep_event(places[i].before, 65 - places[i].around, places[i].after);
        record = fixture_take(&fixture, deep);
        ck_assert_uint_eq(fixture.batch->events, 1);
        assert_dead(record, "not_json", "64 levels");
        if (places[i].whole_body)
            assert_slice(record->event, deep);
        else
            ck_assert_uint_lt(record->event.len, strlen(deep));
        free(deep);
    }
}
END_TEST

START_TEST(test_millions_of_levels_in_one_element)
{
    char *body = deep_event("[" FLAT("a") ",{\"type\":\"" OPEN "\",\"x\":", 2000000, "}," FLAT("b") "]");
    fixture_take(&fixture, body);
    ck_assert_uint_eq(fixture.batch->events, 3);
    must_be_healthy(fixture_record(&fixture, 0), "marketo.activity.openemail", 0, -1);
    assert_dead(fixture_record(&fixture, 1), "not_json", "64 levels");
    must_be_healthy(fixture_record(&fixture, 2), "marketo.activity.openemail", 2, -1);
    free(body);
    body = deep_event("", 2000000, "");
    assert_dead(fixture_take(&fixture, body), "not_json", "64 levels");
    body[2000000] = '\0';
    assert_dead(fixture_take(&fixture, body), "not_json", "ends too early");
    free(body);
}
END_TEST

/* limit 20: so many times `one`, between `before` and `after`. */
static const struct record *take_many(const char *before, const char *one, size_t count, const char *after)
{
    size_t size = strlen(before) + count * (strlen(one) + 1) + strlen(after) + 1;
    char *body = malloc(size), *p = body;
    ck_assert_ptr_nonnull(body);
    p += snprintf(p, size, "%s", before);
    for (size_t i = 0; i < count; i++)
        p += snprintf(p, size - (size_t)(p - body), "%s%s", i == 0 ? "" : ",", one);
    snprintf(p, size - (size_t)(p - body), "%s", after);
    const struct record *record = fixture_take(&fixture, body);
    if (fixture.batch->events == 1)
        assert_slice(record->event, body);
    free(body);
    return record;
}

START_TEST(test_too_many_events)
{
    static const struct {
        const char *before, *one, *after;
        size_t extra; /* events that stand in before */
    } cases[] = {
        {"[", FLAT("a"), "]", 0},
        {"[", "1", "]", 0},
        {"[", "{}", "]", 0},
        {"{\"activities\":[", "{\"activityTypeId\":10}", "]}", 0},
        {"[" FLAT("a") ",{\"activities\":[", "{\"activityTypeId\":10}", "]}]", 1},
        {"[", "{\"activities\":[{\"activityTypeId\":10}]}", "]", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t most = 20 - cases[i].extra;
        take_many(cases[i].before, cases[i].one, most, cases[i].after);
        ck_assert_uint_eq(fixture.batch->events, 20);
        assert_dead(take_many(cases[i].before, cases[i].one, most + 1, cases[i].after), "too_many_events",
                    "21 events, at most 20");
        ck_assert_uint_eq(fixture.batch->events, 1);
        assert_dead(take_many(cases[i].before, cases[i].one, 100000, cases[i].after), "too_many_events",
                    "events, at most 20");
        /* The grammar is judged to the end all the same. */
        assert_dead(take_many(cases[i].before, cases[i].one, 100, ""), "not_json", "ends too early");
    }
    ck_assert_ptr_null(take_many("[", "{\"activities\":[]}", 100, "]"));
}
END_TEST

/* "x":"..." is all that stands beside `activities`; 6 bytes of it are not the text. */
START_TEST(test_large_wrapper)
{
    for (size_t length = 65536 - 6; length <= 65536 - 5; length++) {
        static char text[65537], body[70000];
        memset(text, 'y', length);
        text[length] = '\0';
        snprintf(body, sizeof body, "{\"activities\":[{\"activityTypeId\":10}],\n\"x\":\"%s\"}", text);
        const struct record *record = fixture_take(&fixture, body);
        ck_assert_uint_eq(fixture.batch->events, 1);
        if (length == 65536 - 6) {
            must_be_healthy(record, "marketo.activity.openemail", -1, 0);
        } else {
            assert_dead(record, "too_large", "65536 bytes");
            assert_slice(record->event, body);
        }
    }
}
END_TEST

START_TEST(test_unknown_instance)
{
    fixture_stop(&fixture);
    fixture_init(&fixture);
    struct config_instance listed = {.munchkin_id = (char *)(uintptr_t) "M",
                                     .name = (char *)(uintptr_t) "eu"};
    fixture.config.instances = &listed;
    fixture.config.instance_count = 1;
    fixture_start(&fixture);
    fixture_take(&fixture, "[" FLAT("a") ",{\"type\":\"" OPEN "\",\"data\":{\"munchkinId\":\"N\\u0009o\"}},"
                                         "{\"type\":\"" OPEN "\",\"data\":{}}]");
    must_be_healthy(fixture_record(&fixture, 0), "marketo.activity.openemail", 0, -1);
    assert_dead(fixture_record(&fixture, 1), "unknown_instance", "instance N?o is not listed");
    assert_slice(fixture_record(&fixture, 1)->munchkin_id, "N\to");
    ck_assert_int_eq(fixture_record(&fixture, 1)->topic, -1);
    ck_assert_int_ge(fixture_record(&fixture, 1)->type, 0);
    assert_dead(fixture_record(&fixture, 2), "unknown_instance", "no munchkinId");
}
END_TEST

#define URL "https://csm.adobe.io/csm/registrations/validate?id=1&challenge=2"

START_TEST(test_validation_url)
{
    static const struct {
        const char *body, *url;
    } cases[] = {
        {"{\"validationUrl\":\"" URL "\"}", URL},
        {"\xef\xbb\xbf { \"validationUrl\" : \"" URL "\" } ", URL},
        {"{\"validation\\u0055rl\":\"https:\\/\\/x\"}", "https://x"},
        {"{\"validationUrl\":\"\"}", NULL},
        {"{\"validationUrl\":1}", NULL},
        {"{\"validationUrl\":[\"" URL "\"]}", NULL},
        {"{\"validationUrl\":\"\\ud800\"}", NULL},
        {"{\"validationUrl\":\"a\\u0000b\"}", NULL},
        {"{\"validationUrl\":\"\xff\"}", NULL},
        {"{\"validationurl\":\"" URL "\"}", NULL},
        {"{\"validationUrl\":\"" URL "\",\"a\":1}", NULL},
        {"{\"a\":1,\"validationUrl\":\"" URL "\"}", NULL},
        {"{\"validationUrl\":\"" URL "\",}", NULL},
        {"{\"validationUrl\":\"" URL "\"", NULL},
        {"{\"validationUrl\":\"" URL "\"}x", NULL},
        {"[{\"validationUrl\":\"" URL "\"}]", NULL},
        {"{}", NULL},
        {"[]", NULL},
        {"", NULL},
        {"{\"validationUrl\":\"" URL URL "\"}", NULL},        /* longer than the buffer */
        {"{\"validationUrl\":\"\\u0041" URL URL "\"}", NULL}, /* the same, decoded */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char buffer[100];
        struct slice url = intake_validation_url(slice_of(cases[i].body), buffer, sizeof buffer);
        if (cases[i].url == NULL)
            ck_assert_msg(!slice_present(url), "%s", cases[i].body);
        else
            assert_slice(url, cases[i].url);
    }
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

Suite *suite_shape(void)
{
    Suite *suite = suite_create("shape");
    TCase *tcase = tcase_create("shape");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, test_shapes, 0, COUNT(shapes));
    tcase_add_loop_test(tcase, test_bad_bodies, 0, COUNT(bad_bodies));
    tcase_add_test(tcase, test_no_events);
    tcase_add_test(tcase, test_faults_inside_an_array);
    tcase_add_test(tcase, test_faults_inside_a_wrapper);
    tcase_add_test(tcase, test_harmless_repetition);
    tcase_add_test(tcase, test_depth_boundary);
    tcase_add_test(tcase, test_millions_of_levels_in_one_element);
    tcase_add_test(tcase, test_too_many_events);
    tcase_add_test(tcase, test_large_wrapper);
    tcase_add_test(tcase, test_unknown_instance);
    tcase_add_test(tcase, test_validation_url);
    suite_add_tcase(suite, tcase);
    return suite;
}
