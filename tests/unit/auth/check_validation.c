// SPDX-License-Identifier: Apache-2.0
//
// Which validation URLs are opened.
#include "auth/validation.h"

#include <stdlib.h>

#include "suites.h"

#define KNOWN "https://csm.adobe.io/csm/registrations/validate?"

START_TEST(only_adobes_urls_are_adobes)
{
    static const char *const bad[] = {
        "",
        "https://csm.adobe.io/csm/registrations/validate",
        "http://csm.adobe.io/csm/registrations/validate?id=1",
        "HTTPS://csm.adobe.io/csm/registrations/validate?id=1",
        "https://csm.adobe.io:443/csm/registrations/validate?id=1",
        "https://csm.adobe.io.example.com/csm/registrations/validate?id=1",
        "https://user@csm.adobe.io/csm/registrations/validate?id=1",
        "https://csm.adobe.io@example.com/csm/registrations/validate?id=1",
        "https://csm.adobe.io/csm/registrations/validate/../x?id=1",
        KNOWN "id=1#x",
        KNOWN "id=1 x",
        KNOWN "id=1\r\nX: y",
        KNOWN "id=\xc3\xa5",
        KNOWN "id=/../../x",
        KNOWN "id=1@example.com",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!validation_url_is_adobes(slice_of(bad[i])), "%s", bad[i]);
    ck_assert(!validation_url_is_adobes((struct slice){KNOWN "id=1\0x", sizeof KNOWN + 5}));
    ck_assert(validation_url_is_adobes(slice_of(KNOWN "id=b5f5bdad-6892&challenge=42_.~%20")));
}
END_TEST

static unsigned started;

static void start(struct fetcher *fetcher, struct fetch *fetch)
{
    (void)fetcher;
    ck_assert_str_eq(fetch->kind, "validation");
    ck_assert_str_eq(fetch->url, KNOWN "id=1");
    started++;
    fetch->status = 200;
    fetch->done(fetch);
}

/* The POST that brings one needs no credentials. */
START_TEST(strangers_have_few_opened)
{
    struct fetcher fetcher = {.start = start};
    struct validation *validation = validation_create(&fetcher);
    ck_assert_ptr_nonnull(validation);
    started = 0;
    validation_confirm(validation, SLICE_LITERAL("https://example.com/"));
    ck_assert_uint_eq(started, 0);
    for (int i = 0; i < 1000; i++)
        validation_confirm(validation, SLICE_LITERAL(KNOWN "id=1"));
    ck_assert_uint_ge(started, 1);
    ck_assert_uint_le(started, 5);
    validation_free(validation);
}
END_TEST

Suite *suite_validation(void)
{
    Suite *suite = suite_create("validation");
    TCase *tcase = tcase_create("validation");
    tcase_add_test(tcase, only_adobes_urls_are_adobes);
    tcase_add_test(tcase, strangers_have_few_opened);
    suite_add_tcase(suite, tcase);
    return suite;
}
