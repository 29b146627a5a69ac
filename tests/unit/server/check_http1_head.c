// SPDX-License-Identifier: Apache-2.0
//
// The second look at HTTP/1 heads: which framing is refused.
#include "server/internal.h"
#include "suites.h"

static bool sound(const char *head)
{
    bool coded;
    return http1_head_is_sound(slice_of(head), &coded);
}

static bool coded(const char *head)
{
    bool coded;
    return http1_head_is_sound(slice_of(head), &coded) && coded;
}

START_TEST(one_length_or_one_coding_is_sound)
{
    ck_assert(sound("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"));
    ck_assert(sound("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"));
    ck_assert(sound("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    ck_assert(sound("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    ck_assert(sound("GET / HTTP/1.1\nHost: a\nContent-Length: 0\n\n"));
}
END_TEST

START_TEST(two_lengths_are_refused_whatever_they_say)
{
    ck_assert(!sound("POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n"));
    ck_assert(!sound("POST / HTTP/1.1\r\nContent-Length: 3\r\ncontent-LENGTH: 3\r\n\r\n"));
    ck_assert(!sound("POST / HTTP/1.1\nContent-Length: 3\nContent-Length: 3\n\n"));
}
END_TEST

START_TEST(a_length_beside_a_coding_is_refused)
{
    ck_assert(!sound("POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"));
    ck_assert(!sound("POST / HTTP/1.1\r\nTRANSFER-encoding: chunked\r\nA: b\r\nContent-Length: 3\r\n\r\n"));
    ck_assert(!sound("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"));
}
END_TEST

START_TEST(a_coding_is_told)
{
    ck_assert(coded("POST / HTTP/1.1\r\nHost: a\r\ntransfer-ENCODING: chunked\r\n\r\n0\r\n\r\n"));
    ck_assert(
        !coded("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nTransfer-Encoding: chunked\r\n\r\n"));
    ck_assert(!coded("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
}
END_TEST

START_TEST(a_folded_line_is_refused)
{
    ck_assert(!sound("POST / HTTP/1.1\r\nA: b\r\n c\r\nContent-Length: 3\r\n\r\n"));
    ck_assert(!sound("POST / HTTP/1.1\r\nA: b\r\n\tc\r\n\r\n"));
}
END_TEST

START_TEST(the_body_is_not_looked_at)
{
    ck_assert(sound(
        "POST / HTTP/1.1\r\nContent-Length: 60\r\n\r\nContent-Length: 3\r\nTransfer-Encoding: chunked"));
    ck_assert(sound("POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n x"));
}
END_TEST

Suite *suite_http1_head(void)
{
    Suite *suite = suite_create("http1_head");
    TCase *tcase = tcase_create("framing");
    tcase_add_test(tcase, one_length_or_one_coding_is_sound);
    tcase_add_test(tcase, two_lengths_are_refused_whatever_they_say);
    tcase_add_test(tcase, a_length_beside_a_coding_is_refused);
    tcase_add_test(tcase, a_coding_is_told);
    tcase_add_test(tcase, a_folded_line_is_refused);
    tcase_add_test(tcase, the_body_is_not_looked_at);
    suite_add_tcase(suite, tcase);
    return suite;
}
