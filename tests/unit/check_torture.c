// SPDX-License-Identifier: Apache-2.0
//
// Every allocation failing, the first, the second and so on, alone and with all behind it: no
// crash, no leak, and an outcome that is either the right one, whole, or "out of memory"; never
// a dead letter, a refusal or a default that only lack of memory has made. A program of its own,
// since it stands before the allocator.
#include <check.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "check_torture.h"
#include "intake/intake_fixture.h"
#include "telemetry/log.h"

#define STANDARD "com.adobe.platform.marketo.activity.standard."

/* ---- intake_take --------------------------------------------------------------------- */

/* Everything that intake says of a batch, as text. To be freed. */
static char *describe_batch(const struct batch *batch)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    fprintf(out, "%zu events\n", batch->events);
    for (const struct record *r = batch->first; r != NULL; r = r->next) {
        fprintf(out, "%d %d %d %lld %d %d %d '%s'\n", r->topic, r->type, (int)r->stream,
                (long long)r->event_time_ms, r->element, r->activity, (int)r->dead_letter,
                r->detail == NULL ? "" : r->detail);
        const struct slice parts[] = {r->event, r->munchkin_id, r->key, r->value};
        for (int i = 0; i < COUNT(parts); i++)
            fprintf(out, "%zu '%.*s'\n", parts[i].len, (int)parts[i].len, parts[i].ptr);
        for (size_t i = 0; i < r->header_count; i++)
            fprintf(out, "%s: %.*s\n", r->headers[i].name, (int)r->headers[i].value.len,
                    r->headers[i].value.ptr);
    }
    fclose(out);
    return text;
}

/* Takes the body with the n-th allocation failing; *failed: there was one. Returns the batch's description,
 * or NULL when it was INTAKE_NO_MEMORY. */
static char *take(struct fixture *fixture, struct slice body, const char *coding, size_t n,
                  enum torture_mode mode, bool *failed)
{
    struct slice encoding = slice_of(coding);
    char *text = NULL;
    long left;
    torture_begin(n, mode);
    struct batch *batch = batch_create(&fixture->budget);
    enum intake_result result = INTAKE_NO_MEMORY;
    if (batch != NULL)
        result = intake_take(fixture->intake, batch, body, encoding);
    torture_relent();
    if (result == INTAKE_OK)
        text = describe_batch(batch);
    batch_free(batch);
    /* What OpenSSL keeps of its errors for this thread. */
    OPENSSL_thread_stop();
    *failed = torture_end(&left);
    ck_assert_int_eq(left, text == NULL ? 0 : 1);
    ck_assert_uint_eq(atomic_load(&fixture->budget.used), 0);
    return text;
}

static void torture_take(struct fixture *fixture, struct slice body, const char *coding)
{
    bool failed;
    char *expected = take(fixture, body, coding, ALLOCATIONS_MAX, TORTURE_ONCE, &failed);
    ck_assert(expected != NULL && !failed);
    for (int mode = TORTURE_ONCE; mode <= TORTURE_ONWARDS; mode++) {
        size_t n = 0, refused = 0;
        do {
            ck_assert_uint_lt(++n, ALLOCATIONS_MAX);
            char *text = take(fixture, body, coding, n, (enum torture_mode)mode, &failed);
            /* Where a library can do without, the outcome is the right one. */
            ck_assert_msg(text == NULL || strcmp(text, expected) == 0, "allocation %zu: '%s' instead of '%s'",
                          n, text, expected);
            ck_assert(text != NULL || failed);
            refused += text == NULL;
            free(text);
        } while (failed);
        ck_assert_uint_ge(refused, 1);
    }
    free(expected);
}

#define FLAT                                                                                                 \
    "{\"\\u0069d\":\"\\u0069\",\"type\":\"" STANDARD                                                         \
    "openemail\",\"time\":\"2024-07-11 13:20:42\",\"x\":\"\\u0079\",\"a\":1,\"b\":2,\"c\":3,\"d\":4,"        \
    "\"e\":5,\"f\":6,\"g\":7,\"data\":{\"munchkinId\":\"\\u004d\",\"leadId\":5}}"
#define WRAPPER                                                                                              \
    "{\"messageId\":\"\\u0031\",\"munchkinId\":\"M\",\"activities\":[{\"activityTypeId\":9999,"              \
    "\"activityType\":\"New One\"},{\"leadId\":1,\"leadId\":1},{\"activityTypeId\":9998}]}"
#define NESTED                                                                                               \
    "{\"event_id\":\"o\",\"event\":{\"body\":{\"type\":\"com.adobe.platform.marketo.audit.user.email\","     \
    "\"data\":{\"munchkinId\":\"M\",\"componentType\":\"\\u0045\",\"componentId\":1}}}}"

/* Each shape, and each way to a dead letter that makes words of its own. */
static const char *const bodies[] = {
    FLAT,
    WRAPPER,
    NESTED,
    "[" FLAT "," WRAPPER "," NESTED ",5,{},{\"type\":\"a\",\"type\":\"b\"},{\"type\":\"\\u0051\"}]",
    "{\"type\":\"" STANDARD "openemail\"}",
    "{\"activities\":[]}",
    "{\"activities\":5}",
    "[{},{},{},{},{},{},{},{},{}]",
    "{\"type\":",
    "",
};

START_TEST(test_intake_identity)
{
    struct fixture fixture;
    static char subject[] = "subject";
    char *headers[] = {subject};
    fixture_init(&fixture);
    fixture.config.record.format = (enum record_format)(_i / COUNT(bodies));
    fixture.config.record.headers = headers;
    fixture.config.record.header_count = 1;
    fixture.config.limits.events = 8;
    fixture_start(&fixture);
    torture_take(&fixture, slice_of(bodies[_i % COUNT(bodies)]), NULL);
    fixture_stop(&fixture);
}
END_TEST

/* Compressed so that zlib needs its window, which it takes late. */
static struct slice compress_text(const char *text, size_t times)
{
    size_t length = strlen(text), size = length * times + 1024;
    char *plain = malloc(length * times + 2), *out = malloc(size);
    ck_assert(plain != NULL && out != NULL);
    size_t at = 0;
    plain[at++] = '[';
    for (size_t i = 0; i < times; i++, at += length)
        memcpy(plain + at, text, length);
    plain[at - 1] = ']'; /* for the last comma */
    z_stream stream = {
        .next_in = (Bytef *)plain, .avail_in = (uInt)at, .next_out = (Bytef *)out, .avail_out = (uInt)size};
    ck_assert_int_eq(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    struct slice compressed = {out, stream.total_out};
    deflateEnd(&stream);
    free(plain);
    return compressed;
}

START_TEST(test_intake_codings)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_start(&fixture);
    struct slice gzip = compress_text(FLAT ",", 150);
    torture_take(&fixture, gzip, "gzip");
    /* The last size hint is wrong, so that the room has to grow. */
    char *members = malloc(gzip.len * 2);
    memcpy(members, gzip.ptr, gzip.len);
    memcpy(members + gzip.len, gzip.ptr, gzip.len);
    torture_take(&fixture, (struct slice){members, gzip.len * 2}, "gzip");
    torture_take(&fixture, (struct slice){gzip.ptr, gzip.len - 1}, "gzip");
    torture_take(&fixture, SLICE_LITERAL("{}"), "br");
    fixture.config.limits.body = 2048;
    torture_take(&fixture, gzip, "gzip");
    free(members);
    free((char *)(uintptr_t)gzip.ptr);
    fixture_stop(&fixture);
}
END_TEST

/* More levels than the walk has room for at first. */
START_TEST(test_intake_depth)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_start(&fixture);
    char *deep = malloc(40001);
    ck_assert_ptr_nonnull(deep);
    memset(deep, '[', 20000);
    memset(deep + 20000, ']', 20000);
    torture_take(&fixture, (struct slice){deep, 40000}, NULL);
    free(deep);
    fixture_stop(&fixture);
}
END_TEST

START_TEST(test_intake_create)
{
    struct fixture fixture;
    fixture_init(&fixture);
    fixture_start(&fixture);
    bool failed;
    size_t n = 0;
    do {
        long left;
        torture_begin(++n, TORTURE_ONCE);
        struct intake *intake = intake_create(&fixture.config, fixture.routes);
        torture_relent();
        bool made = intake != NULL;
        intake_free(intake);
        failed = torture_end(&left);
        ck_assert(made != failed);
        ck_assert_int_eq(left, 0);
    } while (failed);
    ck_assert_uint_gt(n, 1);
    fixture_stop(&fixture);
}
END_TEST

/* What OpenSSL makes once and keeps. */
static void warm_up(void)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    ck_assert_int_eq(EVP_Digest("", 0, digest, NULL, EVP_sha256(), NULL), 1);
    OPENSSL_thread_stop();
}

static Suite *suite_torture(void)
{
    Suite *suite = suite_create("torture");
    TCase *tcase = tcase_create("intake");
    tcase_set_timeout(tcase, TORTURE_TIMEOUT_S);
    tcase_add_checked_fixture(tcase, warm_up, NULL);
    tcase_add_loop_test(tcase, test_intake_identity, 0, 3 * COUNT(bodies));
    tcase_add_test(tcase, test_intake_codings);
    tcase_add_test(tcase, test_intake_depth);
    tcase_add_test(tcase, test_intake_create);
    suite_add_tcase(suite, tcase);
    suite_add_tcase(suite, tcase_torture_config());
    suite_add_tcase(suite, tcase_torture_auth());
    return suite;
}

int main(void)
{
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_JSON, 2);
    SRunner *runner = srunner_create(suite_torture());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner), run = srunner_ntests_run(runner);
    srunner_free(runner);
    return failed == 0 && run > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
