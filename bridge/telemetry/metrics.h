// SPDX-License-Identifier: Apache-2.0
//
// Metrics in the Prometheus text format (version 0.0.4).
//
// A registry holds families, a family holds series. Registering the same name
// and labels again gives the same series. Registration takes a lock and is meant
// for the start, or for labels from a small set that turn up later; counting is one
// atomic operation. A family never holds more than METRICS_SERIES_MAX series:
// beyond that, registration returns the family's overflow series, whose label
// values all are "other", so that a wrong label can never become a leak.
#ifndef BRIDGE_TELEMETRY_METRICS_H
#define BRIDGE_TELEMETRY_METRICS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define METRICS_SERIES_MAX 20000

struct metrics;
struct counter;
struct gauge;
struct histogram;

struct metric_label {
    const char *name;
    const char *value; /* copied; escaped when written */
};

/* Names are given without the prefix "marketo_bridge_", which is added. `help`
 * must live as long as the registry. Out of memory ends the process: series are
 * made at the start, where nothing can be lost. */
struct metrics *metrics_create(void);
void metrics_free(struct metrics *metrics);

struct counter *metrics_counter(struct metrics *metrics, const char *name, const char *help,
                                const struct metric_label *labels, size_t label_count);
void counter_add(struct counter *counter, uint64_t n);
uint64_t counter_value(const struct counter *counter);

struct gauge *metrics_gauge(struct metrics *metrics, const char *name, const char *help,
                            const struct metric_label *labels, size_t label_count);
void gauge_set(struct gauge *gauge, double value);
void gauge_add(struct gauge *gauge, double delta);
double gauge_value(const struct gauge *gauge);

/* A gauge that is read when the page is made; `read` may be called from any thread. */
void metrics_gauge_callback(struct metrics *metrics, const char *name, const char *help,
                            const struct metric_label *labels, size_t label_count, double (*read)(void *),
                            void *data);

/* Upper bounds in ascending order, without +Inf, which is added; `bounds` must
 * live as long as the registry. At most 32 bounds. */
struct histogram *metrics_histogram(struct metrics *metrics, const char *name, const char *help,
                                    const struct metric_label *labels, size_t label_count,
                                    const double *bounds, size_t bound_count);
void histogram_observe(struct histogram *histogram, double value);

/* The whole page, allocated with malloc; the caller frees it. NULL when out of memory. */
char *metrics_render(struct metrics *metrics, size_t *length);

#endif
