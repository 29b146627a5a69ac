// SPDX-License-Identifier: Apache-2.0
//
// Fields of HTTP/2 heads, counted as they come.
#include "server/internal.h"
#include "suites.h"

static size_t fields_of(const char *bytes, size_t len, size_t piece)
{
    struct head_count count = {.state = HEAD_FIELD};
    for (size_t at = 0; at < len; at += piece)
        head_count_feed(&count, (struct slice){bytes + at, len - at < piece ? len - at : piece});
    ck_assert(count.state == HEAD_FIELD || count.state == HEAD_STRING || count.state == HEAD_LENGTH ||
              count.state == HEAD_LENGTH_MORE || count.state == HEAD_INDEX);
    return count.fields;
}

/* However it is cut into pieces. */
#define ck_assert_fields(text, wanted)                                                                       \
    for (size_t piece = 1; piece <= sizeof(text); piece++)                                                   \
    ck_assert_uint_eq(fields_of(text, sizeof(text) - 1, piece), wanted)

START_TEST(every_form_of_a_field_is_one)
{
    ck_assert_fields("", 0);
    ck_assert_fields("\x82", 1);                     /* in a table */
    ck_assert_fields("\xff\x80\x01", 1);             /* far back in it */
    ck_assert_fields("\x41\x01v", 1);                /* name in a table, kept */
    ck_assert_fields("\x7f\x01\x01v", 1);            /* far back in it */
    ck_assert_fields("\x40\x01n\x01v", 1);           /* both as they are, kept */
    ck_assert_fields("\x04\x01v", 1);                /* not kept */
    ck_assert_fields("\x0f\x20\x01v", 1);            /* far back */
    ck_assert_fields("\x10\x01n\x01v", 1);           /* never kept */
    ck_assert_fields("\x00\x81\xff\x82\xff\xff", 1); /* Huffman */
    ck_assert_fields("\x40\x00\x00", 1);             /* nothing in it */
}
END_TEST

START_TEST(a_new_size_of_the_table_is_no_field)
{
    ck_assert_fields("\x20", 0);
    ck_assert_fields("\x3f\xe1\x1f\x82", 1);
}
END_TEST

START_TEST(fields_follow_each_other)
{
    ck_assert_fields("\x82\x84\x86\x41\x01x\x40\x01n\x01v\xbe\xbe", 7);
    ck_assert_fields("\x40\x02\x82\x82\x02\x82\x82\x82", 2); /* what stands in a string is none */
}
END_TEST

START_TEST(a_long_string_is_skipped)
{
    char text[400] = "\x00\x01n\x7f\x81\x01"; /* 127 + 1 + 128 bytes */
    memset(text + 6, '\x82', 256);
    text[6 + 256] = '\x82';
    for (size_t piece = 1; piece <= 300; piece++)
        ck_assert_uint_eq(fields_of(text, 6 + 256 + 1, piece), 2);
}
END_TEST

START_TEST(a_length_without_end_is_no_loop)
{
    ck_assert_fields("\x40\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 1);
}
END_TEST

Suite *suite_head_count(void)
{
    Suite *suite = suite_create("head_count");
    TCase *tcase = tcase_create("fields");
    tcase_add_test(tcase, every_form_of_a_field_is_one);
    tcase_add_test(tcase, a_new_size_of_the_table_is_no_field);
    tcase_add_test(tcase, fields_follow_each_other);
    tcase_add_test(tcase, a_long_string_is_skipped);
    tcase_add_test(tcase, a_length_without_end_is_no_loop);
    suite_add_tcase(suite, tcase);
    return suite;
}
