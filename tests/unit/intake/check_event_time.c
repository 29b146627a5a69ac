// SPDX-License-Identifier: Apache-2.0
//
// Tests of the time forms.
#include <stdio.h>
#include <string.h>

#include "intake/event_time.h"
#include "suites.h"

static const struct {
    const char *text;
    const char *written; /* NULL: kept as it is */
    int64_t wall_ms;
} known[] = {
    /* The five forms of Adobe's documents. */
    {"2024-12-17T18:39:33Z", NULL, 1734460773000},
    {"2025-07-24T13:53:23.994109827Z", NULL, 1753365203994},
    {"2024-07-11 13:20:42.755", "2024-07-11T13:20:42.755Z", 1720704042755},
    {"2021-05-27T10:22:37.489-5:00", "2021-05-27T15:22:37.489Z", 1622128957489},
    {"2014-09-17T22:31:49+0000", "2014-09-17T22:31:49Z", 1410993109000},
    /* RFC 3339 */
    {"1970-01-01T00:00:00Z", NULL, 0},
    {"1969-12-31T23:59:59.999Z", NULL, -1},
    {"2024-12-17t18:39:33z", NULL, 1734460773000},
    {"2024-12-17T18:39:33+02:00", NULL, 1734453573000},
    {"2024-12-17T18:39:33-00:00", NULL, 1734460773000},
    {"2024-02-29T00:00:00.5+00:00", NULL, 1709164800500},
    {"2000-02-29T00:00:00Z", NULL, 951782400000},
    {"2016-12-31T23:59:60Z", NULL, 1483228800000},
    {"0000-01-01T00:00:00Z", NULL, -62167219200000},
    {"9999-12-31T23:59:59Z", NULL, 253402300799000},
    {"0000-01-01T00:00:00+23:59", NULL, -62167305540000},
    /* nearly */
    {"2024-07-11 13:20:42", "2024-07-11T13:20:42Z", 1720704042000},
    {"2024-07-11T13:20:42", "2024-07-11T13:20:42Z", 1720704042000},
    {"2024-07-11T13:20:42.100", "2024-07-11T13:20:42.100Z", 1720704042100},
    {"2024-07-11 13:20:42Z", "2024-07-11T13:20:42Z", 1720704042000},
    {"2024-07-11 13:20:42.1234567890123-0530", "2024-07-11T18:50:42.1234567890123Z", 1720723842123},
    {"2024-12-31 22:00:00-5:00", "2025-01-01T03:00:00Z", 1735700400000},
    {"2024-01-01T01:00:00+5:30", "2023-12-31T19:30:00Z", 1704051000000},
    {"2024-03-01 01:00:00+0200", "2024-02-29T23:00:00Z", 1709247600000},
    {"2023-03-01 01:00:00+0200", "2023-02-28T23:00:00Z", 1677625200000},
    {"2024-02-28 23:30:00-1:00", "2024-02-29T00:30:00Z", 1709166600000},
    {"2016-12-31 23:59:60.5+0000", "2016-12-31T23:59:60.5Z", 1483228800500},
    {"0000-01-01 00:00:00", "0000-01-01T00:00:00Z", -62167219200000},
};

START_TEST(test_known)
{
    struct event_time time;
    enum event_time_form form = event_time_read(slice_of(known[_i].text), &time);
    const char *written = known[_i].written;
    ck_assert_msg(form == (written == NULL ? EVENT_TIME_RFC3339 : EVENT_TIME_OTHER), "%s: form %d",
                  known[_i].text, (int)form);
    ck_assert_msg(time.wall_ms == known[_i].wall_ms, "%s: %lld", known[_i].text, (long long)time.wall_ms);
    if (written == NULL)
        return;
    char out[64];
    size_t size = event_time_size(&time);
    ck_assert_uint_lt(size, sizeof out);
    memset(out, '#', sizeof out);
    event_time_write(&time, out);
    ck_assert_msg(size == strlen(written) && memcmp(out, written, size) == 0, "%s: %.*s", known[_i].text,
                  (int)size, out);
    ck_assert_int_eq(out[size], '#');
}
END_TEST

static const char *const unknown[] = {
    "",
    "yesterday",
    "1734460773",
    "2024-12-17",
    "2024-12-17T18:39Z",
    "2024-12-17T18:39:33 Z",
    "2024-12-17  18:39:33",
    "2024-12-17_18:39:33",
    "2024-12-17T18:39:33.Z",
    "2024-12-17T18:39:33,5Z",
    "2024-12-17T18:39:33+5",
    "2024-12-17T18:39:33+05",
    "2024-12-17T18:39:33+05:0",
    "2024-12-17T18:39:33+530",
    "2024-12-17T18:39:33+24:00",
    "2024-12-17T18:39:33+05:60",
    "2024-12-17T18:39:33Zx",
    "2024-12-17T18:39:33 UTC",
    "24-12-17T18:39:33Z",
    "2024-1-17T18:39:33Z",
    "2024-13-17T18:39:33Z",
    "2024-00-17T18:39:33Z",
    "2024-12-00T18:39:33Z",
    "2024-12-32T18:39:33Z",
    "2024-04-31T18:39:33Z",
    "2023-02-29T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "2024-12-17T24:00:00Z",
    "2024-12-17T18:60:00Z",
    "2024-12-17T18:39:61Z",
    "+024-12-17T18:39:33Z",
    "2024-12-17T-1:39:33Z",
    "9999-12-31 23:59:59-0001",
    "0000-01-01 00:00:00+0001",
};

START_TEST(test_unknown)
{
    struct event_time time;
    ck_assert_msg(event_time_read(slice_of(unknown[_i]), &time) == EVENT_TIME_UNKNOWN, "%s", unknown[_i]);
}
END_TEST

/* Every day from 1600 to 2400 is one after the day before. */
START_TEST(test_calendar_has_no_gaps)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t expected = -11676096000000; /* 1600-01-01 */
    for (int year = 1600; year <= 2400; year++) {
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        for (int month = 1; month <= 12; month++) {
            int last = days[month - 1] + (leap && month == 2);
            for (int day = 1; day <= last; day++, expected += 86400000) {
                char text[64];
                struct event_time time;
                int n = snprintf(text, sizeof text, "%04d-%02d-%02dT00:00:00Z", year, month, day);
                ck_assert_int_eq((int)event_time_read((struct slice){text, (size_t)n}, &time),
                                 EVENT_TIME_RFC3339);
                ck_assert_int_eq(time.wall_ms, expected);
            }
        }
    }
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

Suite *suite_event_time(void)
{
    Suite *suite = suite_create("event_time");
    TCase *tcase = tcase_create("event_time");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, test_known, 0, COUNT(known));
    tcase_add_loop_test(tcase, test_unknown, 0, COUNT(unknown));
    tcase_add_test(tcase, test_calendar_has_no_gaps);
    suite_add_tcase(suite, tcase);
    return suite;
}
