// SPDX-License-Identifier: Apache-2.0
//
// The registry of metrics and its page; any thread.
//
// The registry's lock guards the lists of families and series; counting does not
// take it. A histogram keeps one counter per bucket and adds them up only when
// the page is made, each read once, so that the buckets of one page always grow
// and +Inf always equals _count, however busy the counters are.
#include "telemetry/metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "slice.h"
#include "telemetry/log.h"
#include "telemetry/utf8.h"

#define METRICS_PREFIX "marketo_bridge_"
#define METRICS_OVERFLOW "other"
#define HISTOGRAM_BOUNDS_MAX 32
/* Values are kept apart so that two threads counting two series do not share a line. */
#define CACHE_LINE 64

struct counter {
    _Atomic uint64_t value;
};

struct gauge {
    _Atomic uint64_t bits; /* of the double */
};

struct histogram {
    const double *bounds;
    size_t bound_count;
    _Atomic uint64_t sum_bits;
    _Atomic uint64_t buckets[]; /* bound_count + 1, not cumulative */
};

enum family_kind { FAMILY_COUNTER, FAMILY_GAUGE, FAMILY_HISTOGRAM };

static const char *const kind_names[] = {
    [FAMILY_COUNTER] = "counter",
    [FAMILY_GAUGE] = "gauge",
    [FAMILY_HISTOGRAM] = "histogram",
};

struct series {
    char *labels; /* as they stand between the braces; "" for none */
    union {
        struct counter *counter;
        struct gauge *gauge;
        struct histogram *histogram;
        void *any;
    } value; /* NULL when it is read through `read` */
    double (*read)(void *);
    void *data;
};

struct family {
    struct family *next;
    char *name;
    const char *help;
    enum family_kind kind;
    size_t series_count, series_capacity;
    struct series *series;
    uint64_t *hashes; /* of the labels, beside the series for a quick search */
};

struct metrics {
    pthread_mutex_t lock;
    struct family *first, **end;
};

/* Series are made at the start, where nothing can be lost (see the header). */
static void *metrics_need(void *pointer)
{
    if (pointer == NULL) {
        log_error("out of memory while making metrics");
        _Exit(1);
    }
    return pointer;
}

static void *metrics_new_value(size_t size)
{
    size_t rounded = (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    void *value = metrics_need(aligned_alloc(CACHE_LINE, rounded));
    memset(value, 0, rounded);
    return value;
}

static uint64_t double_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double bits_double(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void bits_add(_Atomic uint64_t *bits, double delta)
{
    uint64_t old = atomic_load_explicit(bits, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(bits, &old, double_bits(bits_double(old) + delta),
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
}

struct metrics *metrics_create(void)
{
    struct metrics *metrics = metrics_need(calloc(1, sizeof *metrics));
    pthread_mutex_init(&metrics->lock, NULL);
    metrics->end = &metrics->first;
    return metrics;
}

void metrics_free(struct metrics *metrics)
{
    if (metrics == NULL)
        return;
    while (metrics->first != NULL) {
        struct family *family = metrics->first;
        metrics->first = family->next;
        for (size_t i = 0; i < family->series_count; i++) {
            free(family->series[i].labels);
            free(family->series[i].value.any);
        }
        free(family->series);
        free(family->hashes);
        free(family->name);
        free(family);
    }
    pthread_mutex_destroy(&metrics->lock);
    free(metrics);
}

/* Writes a label's value. A page that is not UTF-8 would be refused as a whole. */
static void put_label_value(FILE *out, struct slice value)
{
    while (value.len > 0) {
        uint32_t code_point;
        size_t used = utf8_decode(value, &code_point);
        if (used == 0) {
            used = 1;
            fputs(UTF8_REPLACEMENT, out);
        } else if (code_point == '\n') {
            fputs("\\n", out);
        } else if (code_point == '"' || code_point == '\\') {
            fputc('\\', out);
            fputc((int)code_point, out);
        } else {
            fwrite(value.ptr, 1, used, out);
        }
        value.ptr += used;
        value.len -= used;
    }
}

/* name="value",… ; with `overflow`, every value is "other". */
static char *labels_text(const struct metric_label *labels, size_t label_count, bool overflow)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = metrics_need(open_memstream(&text, &size));
    for (size_t i = 0; i < label_count; i++) {
        fprintf(out, "%s%s=\"", i > 0 ? "," : "", labels[i].name);
        put_label_value(out, slice_of(overflow ? METRICS_OVERFLOW : labels[i].value));
        fputc('"', out);
    }
    if (fclose(out) != 0) {
        free(text);
        text = NULL;
    }
    return metrics_need(text);
}

static uint64_t labels_hash(const char *labels)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *labels != '\0'; labels++)
        hash = (hash ^ (unsigned char)*labels) * UINT64_C(0x100000001b3);
    return hash;
}

static struct family *family_find(struct metrics *metrics, const char *name, const char *help,
                                  enum family_kind kind)
{
    for (struct family *family = metrics->first; family != NULL; family = family->next) {
        if (strcmp(family->name, name) == 0) {
            assert(family->kind == kind);
            return family;
        }
    }
    struct family *family = metrics_need(calloc(1, sizeof *family));
    family->name = metrics_need(strdup(name));
    family->help = help;
    family->kind = kind;
    *metrics->end = family;
    metrics->end = &family->next;
    return family;
}

static struct series *series_find(struct family *family, const char *labels, uint64_t hash)
{
    for (size_t i = 0; i < family->series_count; i++) {
        if (family->hashes[i] == hash && strcmp(family->series[i].labels, labels) == 0)
            return &family->series[i];
    }
    return NULL;
}

/* Finds or makes a series. The lock is held. The last free place of a full family
 * goes to the overflow series. A series that is new has neither value nor read. */
static struct series *series_get(struct metrics *metrics, const char *name, const char *help,
                                 enum family_kind kind, const struct metric_label *labels, size_t label_count)
{
    struct family *family = family_find(metrics, name, help, kind);
    char *text = labels_text(labels, label_count, false);
    uint64_t hash = labels_hash(text);
    struct series *series = series_find(family, text, hash);

    if (series == NULL && family->series_count >= METRICS_SERIES_MAX - 1) {
        free(text);
        text = labels_text(labels, label_count, true);
        hash = labels_hash(text);
        series = series_find(family, text, hash);
        if (series == NULL && family->series_count >= METRICS_SERIES_MAX)
            series = &family->series[METRICS_SERIES_MAX - 1];
    }
    if (series != NULL) {
        free(text);
        return series;
    }
    if (family->series_count == family->series_capacity) {
        size_t capacity = family->series_capacity == 0 ? 8 : family->series_capacity * 2;
        family->series = metrics_need(reallocarray(family->series, capacity, sizeof *family->series));
        family->hashes = metrics_need(reallocarray(family->hashes, capacity, sizeof *family->hashes));
        family->series_capacity = capacity;
    }
    family->hashes[family->series_count] = hash;
    series = &family->series[family->series_count++];
    *series = (struct series){.labels = text};
    return series;
}

struct counter *metrics_counter(struct metrics *metrics, const char *name, const char *help,
                                const struct metric_label *labels, size_t label_count)
{
    pthread_mutex_lock(&metrics->lock);
    struct series *series = series_get(metrics, name, help, FAMILY_COUNTER, labels, label_count);
    if (series->value.counter == NULL)
        series->value.counter = metrics_new_value(sizeof *series->value.counter);
    struct counter *counter = series->value.counter;
    pthread_mutex_unlock(&metrics->lock);
    return counter;
}

void counter_add(struct counter *counter, uint64_t n)
{
    atomic_fetch_add_explicit(&counter->value, n, memory_order_relaxed);
}

uint64_t counter_value(const struct counter *counter)
{
    return atomic_load_explicit(&counter->value, memory_order_relaxed);
}

struct gauge *metrics_gauge(struct metrics *metrics, const char *name, const char *help,
                            const struct metric_label *labels, size_t label_count)
{
    pthread_mutex_lock(&metrics->lock);
    struct series *series = series_get(metrics, name, help, FAMILY_GAUGE, labels, label_count);
    assert(series->read == NULL);
    if (series->value.gauge == NULL)
        series->value.gauge = metrics_new_value(sizeof *series->value.gauge);
    struct gauge *gauge = series->value.gauge;
    pthread_mutex_unlock(&metrics->lock);
    return gauge;
}

void gauge_set(struct gauge *gauge, double value)
{
    atomic_store_explicit(&gauge->bits, double_bits(value), memory_order_relaxed);
}

void gauge_add(struct gauge *gauge, double delta)
{
    bits_add(&gauge->bits, delta);
}

double gauge_value(const struct gauge *gauge)
{
    return bits_double(atomic_load_explicit(&gauge->bits, memory_order_relaxed));
}

void metrics_gauge_callback(struct metrics *metrics, const char *name, const char *help,
                            const struct metric_label *labels, size_t label_count, double (*read)(void *),
                            void *data)
{
    pthread_mutex_lock(&metrics->lock);
    struct series *series = series_get(metrics, name, help, FAMILY_GAUGE, labels, label_count);
    assert(series->value.gauge == NULL);
    series->read = read;
    series->data = data;
    pthread_mutex_unlock(&metrics->lock);
}

struct histogram *metrics_histogram(struct metrics *metrics, const char *name, const char *help,
                                    const struct metric_label *labels, size_t label_count,
                                    const double *bounds, size_t bound_count)
{
    assert(bound_count <= HISTOGRAM_BOUNDS_MAX);
    pthread_mutex_lock(&metrics->lock);
    struct series *series = series_get(metrics, name, help, FAMILY_HISTOGRAM, labels, label_count);
    struct histogram *histogram = series->value.histogram;
    if (histogram == NULL) {
        size_t buckets = (bound_count + 1) * sizeof histogram->buckets[0];
        histogram = metrics_new_value(sizeof *histogram + buckets);
        histogram->bounds = bounds;
        histogram->bound_count = bound_count;
        series->value.histogram = histogram;
    }
    pthread_mutex_unlock(&metrics->lock);
    return histogram;
}

void histogram_observe(struct histogram *histogram, double value)
{
    size_t i = 0;
    if (isnan(value))
        return; /* it would spoil the sum for good */
    while (i < histogram->bound_count && value > histogram->bounds[i])
        i++;
    bits_add(&histogram->sum_bits, value);
    atomic_fetch_add_explicit(&histogram->buckets[i], 1, memory_order_relaxed);
}

/* The shortest decimal of at most 17 digits that reads back as the same value. */
static void put_number(FILE *out, double value)
{
    char text[32];
    if (isnan(value)) {
        fputs("NaN", out);
        return;
    }
    if (isinf(value)) {
        fputs(value > 0 ? "+Inf" : "-Inf", out);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (double_bits(strtod(text, NULL)) == double_bits(value))
            break;
    }
    fputs(text, out);
}

static void put_sample_name(FILE *out, const struct family *family, const char *suffix, const char *labels)
{
    fprintf(out, METRICS_PREFIX "%s%s", family->name, suffix);
    if (*labels != '\0')
        fprintf(out, "{%s}", labels);
    fputc(' ', out);
}

static void put_histogram(FILE *out, const struct family *family, const struct series *series)
{
    const struct histogram *histogram = series->value.histogram;
    const char *labels = series->labels;
    uint64_t total = 0;

    for (size_t i = 0; i <= histogram->bound_count; i++) {
        total += atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
        fprintf(out, METRICS_PREFIX "%s_bucket{%s%sle=\"", family->name, labels, *labels != '\0' ? "," : "");
        put_number(out, i < histogram->bound_count ? histogram->bounds[i] : INFINITY);
        fprintf(out, "\"} %" PRIu64 "\n", total);
    }
    put_sample_name(out, family, "_sum", labels);
    put_number(out, bits_double(atomic_load_explicit(&histogram->sum_bits, memory_order_relaxed)));
    fputc('\n', out);
    put_sample_name(out, family, "_count", labels);
    fprintf(out, "%" PRIu64 "\n", total);
}

static void put_family(FILE *out, const struct family *family)
{
    fprintf(out, "# HELP " METRICS_PREFIX "%s ", family->name);
    for (const char *c = family->help; *c != '\0'; c++) {
        if (*c == '\n')
            fputs("\\n", out);
        else if (*c == '\\')
            fputs("\\\\", out);
        else
            fputc(*c, out);
    }
    fprintf(out, "\n# TYPE " METRICS_PREFIX "%s %s\n", family->name, kind_names[family->kind]);

    for (size_t i = 0; i < family->series_count; i++) {
        const struct series *series = &family->series[i];
        switch (family->kind) {
        case FAMILY_COUNTER:
            put_sample_name(out, family, "", series->labels);
            fprintf(out, "%" PRIu64 "\n", counter_value(series->value.counter));
            break;
        case FAMILY_GAUGE:
            put_sample_name(out, family, "", series->labels);
            put_number(out,
                       series->read != NULL ? series->read(series->data) : gauge_value(series->value.gauge));
            fputc('\n', out);
            break;
        case FAMILY_HISTOGRAM:
            put_histogram(out, family, series);
            break;
        }
    }
}

char *metrics_render(struct metrics *metrics, size_t *length)
{
    char *page = NULL;
    FILE *out = open_memstream(&page, length);
    if (out == NULL)
        return NULL;
    pthread_mutex_lock(&metrics->lock);
    for (const struct family *family = metrics->first; family != NULL; family = family->next)
        put_family(out, family);
    pthread_mutex_unlock(&metrics->lock);
    bool failed = ferror(out) != 0;
    if (fclose(out) != 0 || failed) {
        free(page);
        return NULL;
    }
    return page;
}
