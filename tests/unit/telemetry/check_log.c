// SPDX-License-Identifier: Apache-2.0
//
// Log lines as they arrive on the other side of a pipe.
#include "telemetry/log.h"

#include <cjson/cJSON.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "suites.h"

static int pipe_ends[2];
static char line[PIPE_BUF + 1];

static void setup_pipe(void)
{
    ck_assert_int_eq(pipe(pipe_ends), 0);
    ck_assert_int_eq(fcntl(pipe_ends[0], F_SETFL, O_NONBLOCK), 0);
}

static void teardown_pipe(void)
{
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_AUTO, STDERR_FILENO);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

/* The one line that was written, without its line feed; "" when there is none. */
static const char *read_line(void)
{
    ssize_t len = read(pipe_ends[0], line, sizeof line - 1);
    if (len <= 0)
        return "";
    ck_assert_int_eq(line[len - 1], '\n');
    line[len - 1] = '\0';
    ck_assert_ptr_null(strchr(line, '\n'));
    return line;
}

/* Checks the shape of the time and returns what follows it. */
static const char *after_time(const char *text, const char *before)
{
    int year, month, day, hour, minute, second, milliseconds, used = 0;
    ck_assert_int_eq(strncmp(text, before, strlen(before)), 0);
    text += strlen(before);
    ck_assert_int_eq(sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &year, &month, &day, &hour, &minute,
                            &second, &milliseconds, &used),
                     7);
    ck_assert_int_eq(used, 24);
    return text + used;
}

START_TEST(logfmt_quotes_only_what_needs_it)
{
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, pipe_ends[1]);
    log_warning("topic missing", LOG_TEXT("topic", "marketo.activity.openemail"), LOG_INT("partitions", -3),
                LOG_FLOAT("seconds", 0.25), LOG_TEXT("empty", ""), LOG_TEXT("equals", "a=b"),
                LOG_TEXT("quote", "say \"x\"\\\n\x1b[2J\x7f"), LOG_TEXT("city", "Malmö"));
    ck_assert_str_eq(after_time(read_line(), "time="),
                     " level=warning msg=\"topic missing\" topic=marketo.activity.openemail partitions=-3 "
                     "seconds=0.25 empty=\"\" equals=\"a=b\" quote=\"say \\\"x\\\"\\\\\\n\\u001b[2J\\u007f\" "
                     "city=\"Malmö\"");
}
END_TEST

START_TEST(json_replaces_what_is_not_utf8)
{
    static const char hostile[] = "a\0\x1f\xff\xc0\xaf\xed\xa0\x80\xf5\xe2\x82\xc2\x85z\t\"\\";
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON, pipe_ends[1]);
    log_error("bad \"bytes\"", LOG_SLICE("value", ((struct slice){hostile, sizeof hostile - 1})),
              LOG_SLICE("absent", SLICE_ABSENT), LOG_INT("n", INT64_MIN), LOG_FLOAT("nan", (double)NAN));
    ck_assert_str_eq(after_time(read_line(), "{\"time\":\""),
                     "\",\"level\":\"error\",\"msg\":\"bad \\\"bytes\\\"\",\"value\":\"a\\u0000\\u001f"
                     "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\\u0085z\\t\\\"\\\\\","
                     "\"absent\":null,\"n\":-9223372036854775808,\"nan\":null}");
}
END_TEST

START_TEST(json_is_the_choice_of_auto_away_from_a_terminal)
{
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_AUTO, pipe_ends[1]);
    log_info("hello");
    ck_assert_str_eq(after_time(read_line(), "{\"time\":\""), "\",\"level\":\"info\",\"msg\":\"hello\"}");
}
END_TEST

START_TEST(levels_above_the_chosen_one_are_silent)
{
    log_configure(LOG_LEVEL_WARNING, LOG_FORMAT_JSON, pipe_ends[1]);
    ck_assert(log_enabled(LOG_LEVEL_ERROR));
    ck_assert(!log_enabled(LOG_LEVEL_INFO));
    log_info("not written");
    log_debug("neither", LOG_INT("n", 1));
    ck_assert_str_eq(read_line(), "");
}
END_TEST

START_TEST(long_values_are_cut_between_characters)
{
    char value[LOG_VALUE_MAX + 10];
    memset(value, 'x', sizeof value);
    memcpy(value + LOG_VALUE_MAX - 1, "ö", 2); /* its second byte is over the limit */
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON, pipe_ends[1]);
    log_info("long", LOG_SLICE("value", ((struct slice){value, sizeof value})));

    cJSON *json = cJSON_Parse(read_line());
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(json, "value"));
    ck_assert_uint_eq(strlen(text), LOG_VALUE_MAX - 1 + 3);
    ck_assert_str_eq(text + LOG_VALUE_MAX - 2, "x...");
    cJSON_Delete(json);
}
END_TEST

/* However much is passed in, a line stays valid and small enough to be written whole. */
START_TEST(a_full_line_is_still_json)
{
    char value[LOG_VALUE_MAX];
    memset(value, '\x01', sizeof value);
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON, pipe_ends[1]);
    for (size_t first = 0; first < 12; first++) {
        struct log_field fields[8];
        for (size_t i = 0; i < 8; i++)
            fields[i] = LOG_SLICE("value", ((struct slice){value, sizeof value}));
        memset(value, 'x', first); /* shifts where the end of the line falls */
        fields[1] = LOG_INT("n", INT64_MIN);
        fields[2] = LOG_SLICE("absent", SLICE_ABSENT);
        log_write(LOG_LEVEL_INFO, "full", fields, 8);
        const char *text = read_line();
        ck_assert_uint_le(strlen(text) + 1, PIPE_BUF);
        ck_assert_uint_gt(strlen(text), PIPE_BUF - 64);
        cJSON *json = cJSON_ParseWithOpts(text, NULL, true);
        ck_assert_ptr_nonnull(json);
        cJSON_Delete(json);
    }
}
END_TEST

START_TEST(the_limit_lets_one_through_and_counts_the_rest)
{
    struct log_limit limit = {0};
    uint64_t suppressed = 99;
    ck_assert(log_limit_pass(&limit, &suppressed));
    ck_assert_uint_eq(suppressed, 0);
    limit.next_ms = UINT64_MAX; /* the second is not over, however slow the machine */
    ck_assert(!log_limit_pass(&limit, &suppressed));
    ck_assert(!log_limit_pass(&limit, &suppressed));
    limit.next_ms = clock_monotonic_ms(); /* it is over */
    ck_assert(log_limit_pass(&limit, &suppressed));
    ck_assert_uint_eq(suppressed, 2);
    ck_assert_uint_gt(limit.next_ms, clock_monotonic_ms());
}
END_TEST

START_TEST(a_reader_that_stands_still_stops_nobody)
{
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, pipe_ends[1]);
    for (int i = 0; i < 5000; i++) /* far more than a pipe holds; would block for ever */
        log_info("full", LOG_INT("i", i));
    char piece[4096];
    int written = 0;
    for (ssize_t length; (length = read(pipe_ends[0], piece, sizeof piece)) > 0;)
        for (ssize_t i = 0; i < length; i++)
            written += piece[i] == '\n';
    ck_assert_int_gt(written, 100);
    ck_assert_int_lt(written, 5000);
    log_info("after");
    char wanted[64];
    snprintf(wanted, sizeof wanted, "lines_dropped=%d", 5000 - written);
    ck_assert_ptr_nonnull(strstr(read_line(), wanted));
    log_info("again");
    ck_assert_ptr_null(strstr(read_line(), "lines_dropped"));
}
END_TEST

START_TEST(what_a_library_prints_becomes_a_line)
{
    FILE *before = stderr;
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, pipe_ends[1]);
    log_capture_stderr();
    fprintf(stderr, "skipping frame (type:%d)\n", 200);
    const char *text = read_line();
    ck_assert_ptr_nonnull(strstr(text, "level=warning"));
    ck_assert_ptr_nonnull(strstr(text, "skipping frame (type:200)"));
    for (int i = 0; i < 1000; i++)
        fprintf(stderr, "skipping frame (type:%d)\n", i);
    ck_assert_str_eq(read_line(), ""); /* one a second */
    fclose(stderr);
    stderr = before;
}
END_TEST

Suite *suite_log(void)
{
    Suite *suite = suite_create("log");
    TCase *tcase = tcase_create("lines");
    tcase_add_checked_fixture(tcase, setup_pipe, teardown_pipe);
    tcase_add_test(tcase, logfmt_quotes_only_what_needs_it);
    tcase_add_test(tcase, json_replaces_what_is_not_utf8);
    tcase_add_test(tcase, json_is_the_choice_of_auto_away_from_a_terminal);
    tcase_add_test(tcase, levels_above_the_chosen_one_are_silent);
    tcase_add_test(tcase, long_values_are_cut_between_characters);
    tcase_add_test(tcase, a_full_line_is_still_json);
    tcase_add_test(tcase, the_limit_lets_one_through_and_counts_the_rest);
    tcase_add_test(tcase, a_reader_that_stands_still_stops_nobody);
    tcase_add_test(tcase, what_a_library_prints_becomes_a_line);
    suite_add_tcase(suite, tcase);
    return suite;
}
