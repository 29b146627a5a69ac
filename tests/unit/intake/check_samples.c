// SPDX-License-Identifier: Apache-2.0
//
// Adobe's own samples, one for each form of body, shortened in `attributes`:
// topic, key, value and headers byte for byte.
#include <stdlib.h>
#include <string.h>

#include "intake_fixture.h"
#include "suites.h"
#include "telemetry/log.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))
#define STANDARD "com.adobe.platform.marketo.activity.standard."
#define EMAIL "com.adobe.platform.marketo.audit.user.email"

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

#define WRAPPER_ACTIVITY                                                                                     \
    "{\n            \"marketoGUID\": \"12345678-9876-a191-4567-000000054321\",\n            \"leadId\": "    \
    "12345,\n"                                                                                               \
    "            \"activityDate\": \"2026-04-20T18:43:56Z\",\n            \"activityTypeId\": 3,\n"          \
    "            \"activityType\": \"Click Link\",\n            \"activityLogItemId\": 1234567890,\n"        \
    "             \"attributes\": [\n                {\n                  \"name\": \"Link ID\",\n"          \
    "                  \"value\": 1234\n                }\n              ]\n        }"

#define FLAT_DATA                                                                                            \
    "{\n    \"munchkinId\": \"123-ABC-456\",\n    \"leadId\": \"1234\",\n    \"activityDate\": "             \
    "\"2024-12-17T18:43:56Z\",\n    \"activityTypeId\": 3,\n    \"activityType\": \"Click Link\",\n"         \
    "    \"attributes\": [\n      {\n        \"name\": \"Query Parameters\",\n        \"value\": \"\"\n"     \
    "      }\n    ]\n  }"

#define AUDIT_DATA                                                                                           \
    "{\n                \"componentId\": 232459,\n                \"componentType\": \"Email\",\n"           \
    "                \"eventAction\": \"approve\",\n                \"munchkinId\": \"123-ABC-456\",\n"      \
    "                \"imsOrgId\": \"your_ims_org_id@AdobeOrg\",\n                \"userId\": "              \
    "\"user@marketo.com\"\n            }"

#define NOTIFICATION_DATA                                                                                    \
    "{\n        \"munchkinId\": \"123-ABC-456\",\n        \"imsOrgId\": \"your_ims_org_id@AdobeOrg\",\n"     \
    "        \"componentType\": \"campaign_abort\",\n        \"subType\": \"user_campaign_abort\",\n"        \
    "        \"eventAction\": {\n          \"campaignId\": 1234,\n          \"userId\": \"foo@bar.com\"\n"   \
    "        }\n      }"

#define METRICS_DATA                                                                                         \
    "{\n        \"munchkinId\": \"123-ABC-456\",\n        \"requests\": {\n            \"rejected\": {  \n"  \
    "                \"606\": 1\n            }\n        }\n    }"

#define OLD_AUDIT_DATA                                                                                       \
    "{\n            \"componentId\": 232459,\n            \"componentType\": \"Email\",\n"                   \
    "            \"eventAction\": \"approve\",\n            \"munchkinId\": \"123-ABC-456\",\n"              \
    "            \"user\": 253,\n            \"userId\": \"example@marketo.com\"          \n        }"

static const struct {
    const char *body, *topic, *key, *value;
    int64_t time_ms;
} samples[] = {
    /* the wrapper */
    {"{\n    \"sourceApplication\": \"Marketo\",\n    \"munchkinId\": \"123-ABC-456\",\n    \"messageId\": "
     "\"12345\",\n    \"messageCreatedDate\": \"2026-04-21T15:28:49Z\",\n    \"activities\": "
     "[\n        " WRAPPER_ACTIVITY "\n    ]\n}\n",
     "marketo.activity.clicklink", "123-ABC-456:12345",
     "{\"specversion\":\"1.0\",\"id\":\"12345678-9876-a191-4567-000000054321\",\"source\":"
     "\"urn:marketo_activity_stream\",\"type\":\"" STANDARD
     "clicklink\",\"time\":\"2026-04-20T18:43:56Z\",\"subject\":\"12345\",\"munchkinid\":\"123-ABC-456\","
     "\"leadid\":\"12345\",\"sourceapplication\":\"Marketo\",\"messageid\":\"12345\","
     "\"messagecreateddate\":\"2026-04-21T15:28:49Z\",\"data\":" WRAPPER_ACTIVITY "}",
     1776710636000},
    /* the flat event */
    {"{\n  \"eventid\": \"4109a990-da28-4c5b-bad9-22df8903ed9a\",\n  \"specversion\": \"1.0\",\n  \"type\": "
     "\"" STANDARD "clicklink\",\n  \"source\": \"urn:marketo_activity_stream\",\n  \"id\": "
     "\"570b455e-203f-4983-91a8-5a03f597fda5\",\n  \"time\": \"2024-12-17T18:43:56Z\",\n  "
     "\"datacontenttype\": \"application/json\",\n  \"data\": " FLAT_DATA
     ",\n  \"recipientclientid\": \"your_client_id\"\n}",
     "marketo.activity.clicklink", "123-ABC-456:1234",
     "{\"specversion\":\"1.0\",\"id\":\"570b455e-203f-4983-91a8-5a03f597fda5\",\"source\":"
     "\"urn:marketo_activity_stream\",\"type\":\"" STANDARD
     "clicklink\",\"time\":\"2024-12-17T18:43:56Z\",\"subject\":\"1234\",\"datacontenttype\":"
     "\"application/json\",\"munchkinid\":\"123-ABC-456\",\"leadid\":\"1234\",\"eventid\":"
     "\"4109a990-da28-4c5b-bad9-22df8903ed9a\",\"recipientclientid\":\"your_client_id\",\"data\":" FLAT_DATA
     "}",
     1734461036000},
    /* user audit, today's single sample: recipientclientid stands inside `event` */
    {"{\n    \"eventid\": \"a9ef9c3c-bafe-48b8-9eae-bc63dfaed28c\",\n    \"event\": {\n        \"body\": {\n"
     "            \"specversion\": \"1.0\",\n            \"type\": \"" EMAIL "\",\n            \"source\": "
     "\"urn:mlm\",\n            \"time\": \"2024-07-11 13:20:42.755\",\n            \"datacontenttype\": "
     "\"application/json\",\n            \"dataschema\": \"V2.0\",\n            \"data\": " AUDIT_DATA
     "\n        },\n        \"recipientclientid\": \"your_client_id\"\n    }\n}",
     "marketo.audit.email", "123-ABC-456:Email:232459",
     "{\"specversion\":\"1.0\",\"id\":\"a9ef9c3c-bafe-48b8-9eae-bc63dfaed28c\",\"source\":\"urn:mlm\","
     "\"type\":\"" EMAIL
     "\",\"time\":\"2024-07-11T13:20:42.755Z\",\"subject\":\"232459\",\"datacontenttype\":"
     "\"application/json\",\"dataschema\":\"V2.0\",\"munchkinid\":\"123-ABC-456\",\"eventid\":"
     "\"a9ef9c3c-bafe-48b8-9eae-bc63dfaed28c\",\"recipientclientid\":\"your_client_id\",\"eventaction\":"
     "\"approve\",\"data\":" AUDIT_DATA "}",
     1720704042755},
    /* user audit of the Data Streams page: the old names, `event` without `body` */
    {"{\n    \"event_id\": \"a1b2c3d4-zyxw-9876-9z8y-a1b2c3d4e5f6\",\n    \"event\": {\n        "
     "\"specversion\": \"1.0\",\n        \"id\": \"b77c743a-8e28-40f2-8aab-9541bbc85e68\",\n        "
     "\"type\": "
     "\"" EMAIL "\",\n        \"source\": \"https://www.marketo.com\",\n        \"time\": "
     "\"2020-05-28T19:20:47.28Z\",\n        \"datacontenttype\": \"application/json\",\n        "
     "\"dataschema\": \"V1.0\",\n        \"data\": " OLD_AUDIT_DATA "\n    }\n}",
     "marketo.audit.email", "123-ABC-456:Email:232459",
     "{\"specversion\":\"1.0\",\"id\":\"b77c743a-8e28-40f2-8aab-9541bbc85e68\",\"source\":"
     "\"https://www.marketo.com\",\"type\":\"" EMAIL
     "\",\"time\":\"2020-05-28T19:20:47.28Z\",\"subject\":\"232459\",\"datacontenttype\":"
     "\"application/json\",\"dataschema\":\"V1.0\",\"munchkinid\":\"123-ABC-456\",\"eventid\":"
     "\"a1b2c3d4-zyxw-9876-9z8y-a1b2c3d4e5f6\",\"eventaction\":\"approve\",\"data\":" OLD_AUDIT_DATA "}",
     1590693647280},
    /* notification: eventAction is an object */
    {"{\n  \"eventid\": \"661cbe45-753a-49fc-95f7-1bb2378d13d5\",\n  \"event\": {\n    \"body\": {\n      "
     "\"specversion\": \"1.0\",\n      \"source\": \"urn:mlm\",\n      \"time\": \"2024-12-18T07:35:12Z\",\n"
     "      \"type\": \"com.adobe.platform.marketo.notification.campaign_abort\",\n      \"dataschema\": "
     "\"V1.0\",\n      \"datacontenttype\": \"application/json\",\n      \"data\": " NOTIFICATION_DATA
     "\n    }\n  },\n  \"recipientclientid\": \"0f13cce22f4645328e01b90262b3ee51\"\n}",
     "marketo.notification.campaign-abort", "123-ABC-456",
     "{\"specversion\":\"1.0\",\"id\":\"661cbe45-753a-49fc-95f7-1bb2378d13d5\",\"source\":\"urn:mlm\","
     "\"type\":\"com.adobe.platform.marketo.notification.campaign_abort\",\"time\":\"2024-12-18T07:35:12Z\","
     "\"datacontenttype\":\"application/json\",\"dataschema\":\"V1.0\",\"munchkinid\":\"123-ABC-456\","
     "\"eventid\":\"661cbe45-753a-49fc-95f7-1bb2378d13d5\",\"recipientclientid\":"
     "\"0f13cce22f4645328e01b90262b3ee51\",\"subtype\":\"user_campaign_abort\",\"data\":" NOTIFICATION_DATA
     "}",
     1734507312000},
    /* observability */
    {"{\n    \"id\": \"b90382d8-6b23-11ee-b962-0242ac120002\",\n    \"specversion\": \"1.0\",\n    \"type\": "
     "\"com.adobe.platform.marketo.observability.metrics\",\n    \"source\": "
     "\"urn:data_ingestion_service\",\n"
     "    \"time\": \"2023-08-14T18:00:00Z\",\n    \"datacontenttype\": \"application/json\",\n    "
     "\"data\": " METRICS_DATA "\n}",
     "marketo.observability.metrics", "123-ABC-456",
     "{\"specversion\":\"1.0\",\"id\":\"b90382d8-6b23-11ee-b962-0242ac120002\",\"source\":"
     "\"urn:data_ingestion_service\",\"type\":\"com.adobe.platform.marketo.observability.metrics\",\"time\":"
     "\"2023-08-14T18:00:00Z\",\"datacontenttype\":\"application/json\",\"munchkinid\":\"123-ABC-456\","
     "\"data\":" METRICS_DATA "}",
     1692036000000},
    /* both generations of the injected names, and a member from the future */
    {"[\n  {\n    \"specversion\": \"1.0\",\n    \"id\": \"aa\",\n    \"source\": "
     "\"urn:marketo_activity_stream\",\n    \"type\": \"" STANDARD
     "changedatavalue\",\n    \"time\": \"2026-04-21T15:28:49Z\",\n    \"eventid\": \"bb\",\n    "
     "\"event_id\": \"bb\",\n    \"recipientclientid\": \"c\",\n    \"recipient_client_id\": \"c\",\n    "
     "\"futuremember\": {\"x\": [1, 2.50, \"\\u00e5\"]},\n    \"data\": {\"leadId\": \"318581\", "
     "\"activityTypeId\": 13, \"v\": \"J\\u00e5ne\"}\n  }\n]",
     "marketo.activity.changedatavalue", NULL,
     "{\"specversion\":\"1.0\",\"id\":\"aa\",\"source\":\"urn:marketo_activity_stream\",\"type\":\"" STANDARD
     "changedatavalue\",\"time\":\"2026-04-21T15:28:49Z\",\"subject\":\"318581\",\"leadid\":\"318581\","
     "\"eventid\":\"bb\",\"recipientclientid\":\"c\",\"futuremember\": {\"x\": [1, 2.50, \"\\u00e5\"]},"
     "\"data\":{\"leadId\": \"318581\", \"activityTypeId\": 13, \"v\": \"J\\u00e5ne\"}}",
     1776785329000},
};

START_TEST(test_samples)
{
    const struct record *record = fixture_take(&fixture, samples[_i].body);
    ck_assert_uint_eq(fixture.batch->events, 1);
    ck_assert_msg(record->dead_letter == DEAD_LETTER_NONE, "%s", record->detail);
    ck_assert_str_eq(fixture_topic(&fixture, record), samples[_i].topic);
    if (samples[_i].key == NULL)
        ck_assert(!slice_present(record->key));
    else
        assert_slice(record->key, samples[_i].key);
    assert_slice(record->value, samples[_i].value);
    ck_assert_int_eq(record->event_time_ms, samples[_i].time_ms);
    ck_assert_uint_eq(record->header_count, 3);
    ck_assert_str_eq(record->headers[0].name, "content-type");
    assert_slice(record->headers[0].value, "application/cloudevents+json; charset=UTF-8");
    ck_assert_str_eq(record->headers[1].name, "ce_id");
    ck_assert_str_eq(record->headers[2].name, "ce_type");
}
END_TEST

/* Two of Adobe's samples are not JSON. */
START_TEST(test_samples_that_are_not_json)
{
    static const char *const bodies[] = {
        "{\n    \"event_id\": \"a\",\n    \"event\": {\n        \"type\": "
        "\"com.adobe.platform.marketo.notification.campaign_abort\",\n        \"data\": {\n            "
        "\"eventAction\": {\n                \"campaignId\":1234,\n                \"userId\":"
        "\"example@marketo.com\",\n            }\n            \"munchkinId\":\"123-ABC-456\"\n        }\n    "
        "}\n}",
        "{\"type\": \"com.adobe.platform.marketo.observability.status\", \"data\": {\"quota\": 65432100, }}"};
    for (int i = 0; i < COUNT(bodies); i++) {
        const struct record *record = fixture_take(&fixture, bodies[i]);
        ck_assert_uint_eq(fixture.batch->events, 1);
        assert_dead(record, "not_json", "a member's name must stand here");
        assert_slice(record->event, bodies[i]);
    }
}
END_TEST

Suite *suite_samples(void)
{
    Suite *suite = suite_create("samples");
    TCase *tcase = tcase_create("samples");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, test_samples, 0, COUNT(samples));
    tcase_add_test(tcase, test_samples_that_are_not_json);
    suite_add_tcase(suite, tcase);
    return suite;
}
