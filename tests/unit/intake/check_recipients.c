// SPDX-License-Identifier: Apache-2.0
//
// Whom events are for: every member that says so is found, wherever it stands.
#include <stdio.h>

#include "intake_fixture.h"
#include "suites.h"
#include "telemetry/log.h"

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

#define TYPE "\"type\":\"com.adobe.platform.marketo.audit.user.email\""

/* Recipients from the first to the last, each with a blank behind it; then the number of events without one.
 */
static const struct {
    const char *body, *found;
} cases[] = {
    {"{" TYPE ",\"recipientclientid\":\"a\"}", "a 0"},
    {"{" TYPE ",\"recipient_client_id\":\"a\"}", "a 0"},
    {"{" TYPE ",\"recipientclientid\":\"a\",\"recipient_client_id\":\"a\"}", "a 0"},
    {"{" TYPE ",\"recipientclientid\":\"a\",\"recipient_client_id\":\"b\"}", "a b 0"},
    {"{\"event\":{" TYPE ",\"recipientclientid\":\"a\"}}", "a 0"},
    {"{\"event\":{\"body\":{" TYPE "},\"recipient_client_id\":\"a\"}}", "a 0"},
    {"{\"event\":{\"body\":{" TYPE ",\"recipient_client_id\":\"x\"}},\"recipientclientid\":\"a\"}", "x a 0"},
    {"{\"recipient\\u0063lientid\":\"\\u0061\"," TYPE "}", "a 0"},
    {"{\"recipientclientid\":17," TYPE "}", "17 0"},
    /* none that can be read */
    {"{" TYPE "}", "1"},
    {"{" TYPE ",\"recipientclientid\":\"\"}", "1"},
    {"{" TYPE ",\"recipientclientid\":null}", "1"},
    {"{" TYPE ",\"recipientclientid\":\"\\ud800\"}", "1"},
    {"{" TYPE ",\"recipientclientid\":[\"a\"]}", "1"},
    {"{" TYPE ",\"RecipientClientId\":\"a\",\"data\":{\"recipientclientid\":\"a\"}}", "1"},
    {"{" TYPE ",\"recipientclientid\":null,\"recipient_client_id\":\"a\"}", "a 0"},
    /* twice: the second one is not read, so it cannot be told */
    {"{" TYPE ",\"recipientclientid\":\"a\",\"recipientclientid\":\"b\"}", "a 1"},
    {"{\"event\":{" TYPE ",\"recipient_client_id\":\"a\",\"recipient_client_id\":\"a\"}}", "a 1"},
    /* batches: the same one in a row stands once */
    {"[]", "0"},
    {"[{" TYPE ",\"recipientclientid\":\"a\"},{" TYPE ",\"recipientclientid\":\"a\"}]", "a 0"},
    {"[{" TYPE ",\"recipientclientid\":\"a\"},{" TYPE "},{" TYPE ",\"recipientclientid\":\"b\"}]", "a b 1"},
    /* what is no object has none, and is kept as a dead letter; an object that is one still says whom it is
       for */
    {"[17,\"x\",[]]", "0"},
    {"not json", "0"},
    {"[{\"no\":\"type\",\"recipientclientid\":\"b\"}]", "b 0"},
    {"[{" TYPE ",\"recipientclientid\":\"b\",\"x\":\"\xff\"}]", "b 0"},
    {"[{" TYPE ",\"id\":\"1\",\"id\":\"2\",\"recipientclientid\":\"b\"}]", "b 0"},
    /* a wrapper speaks for its activities */
    {"{\"activities\":[],\"recipientclientid\":\"b\"}", "0"},
    {"{\"activities\":[{},{}],\"recipientclientid\":\"b\"}", "b 0"},
    {"{\"activities\":[{\"recipientclientid\":\"a\"},{}]}", "1"},
    {"{\"activities\":17,\"recipientclientid\":\"b\"}", "b 0"},
};

/* Whom a body is for is told by the body, however many events there are and whatever a header says of it. */
static const struct {
    const char *coding;
    size_t limit;
} hidden[] = {{"gzip", 10}, {"nonsense", 10}, {NULL, 2}, {"gzip", 2}};

static void must_be_found(const char *body, const char *expected)
{
    char found[128];
    const struct recipient *order[8];
    size_t count = 0, length = 0;
    for (const struct recipient *one = fixture.batch->recipients; one != NULL; one = one->next) {
        ck_assert_uint_lt(count, sizeof order / sizeof order[0]);
        order[count++] = one;
    }
    while (count > 0) {
        const struct slice id = order[--count]->client_id;
        length += (size_t)snprintf(found + length, sizeof found - length, "%.*s ", (int)id.len, id.ptr);
    }
    snprintf(found + length, sizeof found - length, "%zu", fixture.batch->without_recipient);
    ck_assert_msg(strcmp(found, expected) == 0, "%s: '%s' should be '%s'", body, found, expected);
}

START_TEST(recipients_are_found)
{
    fixture_take(&fixture, cases[_i].body);
    must_be_found(cases[_i].body, cases[_i].found);
}
END_TEST

START_TEST(a_dead_letter_hides_nobody)
{
    static const char body[] = "[{" TYPE ",\"recipientclientid\":\"a\"},{" TYPE "},{" TYPE "}]";
    fixture.config.limits.events = hidden[_i].limit;
    fixture_take_bytes(&fixture, slice_of(body), hidden[_i].coding);
    ck_assert_uint_eq(fixture.batch->events, 1);
    must_be_found(body, hidden[_i].limit == 2 ? "a 1" : "a 2");
}
END_TEST

Suite *suite_recipients(void)
{
    Suite *suite = suite_create("recipients");
    TCase *tcase = tcase_create("recipients");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, recipients_are_found, 0, (int)(sizeof cases / sizeof cases[0]));
    tcase_add_loop_test(tcase, a_dead_letter_hides_nobody, 0, (int)(sizeof hidden / sizeof hidden[0]));
    suite_add_tcase(suite, tcase);
    return suite;
}
