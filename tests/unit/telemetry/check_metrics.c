// SPDX-License-Identifier: Apache-2.0
//
// The metrics page, its escaping, its bounds and its consistency under load.
#include "telemetry/metrics.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suites.h"

static const double bounds[] = {0.005, 0.1, 2.5};

static struct metrics *metrics;

static void setup_metrics(void)
{
    metrics = metrics_create();
}

static void teardown_metrics(void)
{
    metrics_free(metrics);
}

static char *render(void)
{
    size_t length = 0;
    char *page = metrics_render(metrics, &length);
    ck_assert_ptr_nonnull(page);
    ck_assert_uint_eq(strlen(page), length);
    return page;
}

static double read_double(void *data)
{
    return *(const double *)data;
}

START_TEST(the_page_has_every_kind_in_order_of_registration)
{
    double number = 7.5;
    const struct metric_label endpoint = {"endpoint", "/adobe/events"};
    struct histogram *histogram =
        metrics_histogram(metrics, "duration_seconds", "How long.", &endpoint, 1, bounds, 3);
    struct counter *counter = metrics_counter(metrics, "things_total", "Two\nlines \\ slash.", NULL, 0);
    struct gauge *gauge = metrics_gauge(metrics, "level", "A level.", NULL, 0);
    metrics_gauge_callback(metrics, "read", "Read late.", NULL, 0, read_double, &number);

    histogram_observe(histogram, 0.005); /* an upper bound belongs to its bucket */
    histogram_observe(histogram, 0.25);
    histogram_observe(histogram, 100);
    histogram_observe(histogram, (double)NAN);
    counter_add(counter, 3);
    counter_add(counter, UINT64_C(1) << 60);
    gauge_set(gauge, 1.5);
    gauge_add(gauge, -3);
    ck_assert_uint_eq(counter_value(counter), (UINT64_C(1) << 60) + 3);
    ck_assert_double_eq(gauge_value(gauge), -1.5);

    char *page = render();
    ck_assert_str_eq(page,
                     "# HELP marketo_bridge_duration_seconds How long.\n"
                     "# TYPE marketo_bridge_duration_seconds histogram\n"
                     "marketo_bridge_duration_seconds_bucket{endpoint=\"/adobe/events\",le=\"0.005\"} 1\n"
                     "marketo_bridge_duration_seconds_bucket{endpoint=\"/adobe/events\",le=\"0.1\"} 1\n"
                     "marketo_bridge_duration_seconds_bucket{endpoint=\"/adobe/events\",le=\"2.5\"} 2\n"
                     "marketo_bridge_duration_seconds_bucket{endpoint=\"/adobe/events\",le=\"+Inf\"} 3\n"
                     "marketo_bridge_duration_seconds_sum{endpoint=\"/adobe/events\"} 100.255\n"
                     "marketo_bridge_duration_seconds_count{endpoint=\"/adobe/events\"} 3\n"
                     "# HELP marketo_bridge_things_total Two\\nlines \\\\ slash.\n"
                     "# TYPE marketo_bridge_things_total counter\n"
                     "marketo_bridge_things_total 1152921504606846979\n"
                     "# HELP marketo_bridge_level A level.\n"
                     "# TYPE marketo_bridge_level gauge\n"
                     "marketo_bridge_level -1.5\n"
                     "# HELP marketo_bridge_read Read late.\n"
                     "# TYPE marketo_bridge_read gauge\n"
                     "marketo_bridge_read 7.5\n");
    free(page);
}
END_TEST

START_TEST(the_same_labels_give_the_same_series)
{
    struct metric_label one[] = {{"code", "1"}, {"kind", "x"}};
    struct metric_label two[] = {{"code", "2"}, {"kind", "x"}};
    struct counter *first = metrics_counter(metrics, "n_total", "N.", one, 2);
    ck_assert_ptr_eq(metrics_counter(metrics, "n_total", "N.", one, 2), first);
    ck_assert_ptr_ne(metrics_counter(metrics, "n_total", "N.", two, 2), first);
}
END_TEST

START_TEST(label_values_are_escaped)
{
    const struct metric_label label = {"v", "a\"b\\c\nd\xff\xc3\xa5"};
    metrics_counter(metrics, "n_total", "N.", &label, 1);
    char *page = render();
    ck_assert_ptr_nonnull(strstr(page, "marketo_bridge_n_total{v=\"a\\\"b\\\\c\\nd\uFFFDå\"} 0\n"));
    free(page);
}
END_TEST

START_TEST(special_numbers_are_spelled_as_prometheus_does)
{
    const double values[] = {(double)INFINITY, -(double)INFINITY, (double)NAN, 0.1, 1e300, 123456789.125};
    const char *const texts[] = {"+Inf", "-Inf", "NaN", "0.1", "1e+300", "123456789.125"};
    struct gauge *gauge = metrics_gauge(metrics, "g", "G.", NULL, 0);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char expected[64];
        gauge_set(gauge, values[i]);
        snprintf(expected, sizeof expected, "\nmarketo_bridge_g %s\n", texts[i]);
        char *page = render();
        ck_assert_msg(strstr(page, expected) != NULL, "%s in %s", expected, page);
        free(page);
    }
}
END_TEST

START_TEST(a_family_never_grows_over_its_bound)
{
    struct counter *overflow = NULL;
    struct counter *first = NULL;
    for (unsigned i = 0; i < METRICS_SERIES_MAX + 10; i++) {
        char text[16];
        snprintf(text, sizeof text, "%u", i);
        const struct metric_label labels[] = {{"a", text}, {"b", "x"}};
        struct counter *counter = metrics_counter(metrics, "n_total", "N.", labels, 2);
        if (i == 0)
            first = counter;
        else if (i == METRICS_SERIES_MAX - 1)
            overflow = counter;
        else if (i >= METRICS_SERIES_MAX)
            ck_assert_ptr_eq(counter, overflow);
        counter_add(counter, 1);
    }
    const struct metric_label zero[] = {{"a", "0"}, {"b", "x"}};
    ck_assert_ptr_eq(metrics_counter(metrics, "n_total", "N.", zero, 2), first);
    ck_assert_uint_eq(counter_value(overflow), 11);

    char *page = render();
    size_t lines = 0;
    for (const char *c = page; (c = strchr(c, '\n')) != NULL; c++)
        lines++;
    ck_assert_uint_eq(lines, 2 + METRICS_SERIES_MAX);
    ck_assert_ptr_nonnull(strstr(page, "marketo_bridge_n_total{a=\"other\",b=\"other\"} 11\n"));
    free(page);
}
END_TEST

#define OBSERVATIONS 200000

static void *observe_many(void *data)
{
    static const double values[] = {0.001, 0.05, 1, 10};
    for (unsigned i = 0; i < OBSERVATIONS; i++)
        histogram_observe(data, values[i % 4]);
    return NULL;
}

/* Reads the buckets and the count of the only histogram; they must always grow
 * along the page, and the count must be that of +Inf. */
static uint64_t check_histogram(void)
{
    char *page = render();
    uint64_t previous = 0, count = 0;
    unsigned buckets = 0;
    for (char *rest = page, *text; (text = strsep(&rest, "\n")) != NULL;) {
        const char *number = strrchr(text, ' ');
        if (strstr(text, "_bucket{") != NULL) {
            uint64_t value = strtoull(number, NULL, 10);
            ck_assert_uint_ge(value, previous);
            previous = value;
            buckets++;
        } else if (strncmp(text, "marketo_bridge_d_count ", 23) == 0) {
            count = strtoull(number, NULL, 10);
        }
    }
    ck_assert_uint_eq(buckets, 4);
    ck_assert_uint_eq(count, previous);
    free(page);
    return count;
}

START_TEST(a_page_made_while_counting_is_consistent)
{
    pthread_t threads[2];
    struct histogram *histogram = metrics_histogram(metrics, "d", "D.", NULL, 0, bounds, 3);
    for (size_t i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, observe_many, histogram), 0);
    uint64_t count = 0;
    for (unsigned i = 0; i < 200; i++) {
        uint64_t next = check_histogram();
        ck_assert_uint_ge(next, count);
        count = next;
    }
    for (size_t i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_uint_eq(check_histogram(), 2 * OBSERVATIONS);

    char *page = render();
    char *sum = strstr(page, "marketo_bridge_d_sum ");
    ck_assert_ptr_nonnull(sum);
    /* 0.001 + 0.05 + 1 + 10, a quarter of the observations of each thread, nothing lost */
    ck_assert_double_eq_tol(strtod(strchr(sum, ' '), NULL), OBSERVATIONS / 2 * 11.051, 0.01);
    free(page);
}
END_TEST

Suite *suite_metrics(void)
{
    Suite *suite = suite_create("metrics");
    TCase *tcase = tcase_create("page");
    tcase_add_checked_fixture(tcase, setup_metrics, teardown_metrics);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, the_page_has_every_kind_in_order_of_registration);
    tcase_add_test(tcase, the_same_labels_give_the_same_series);
    tcase_add_test(tcase, label_values_are_escaped);
    tcase_add_test(tcase, special_numbers_are_spelled_as_prometheus_does);
    tcase_add_test(tcase, a_family_never_grows_over_its_bound);
    tcase_add_test(tcase, a_page_made_while_counting_is_consistent);
    suite_add_tcase(suite, tcase);
    return suite;
}
