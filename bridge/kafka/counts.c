// SPDX-License-Identifier: Apache-2.0
//
// The metrics of this folder. Made at the start, by main; counted by any thread.
#include <stdlib.h>

#include "kafka/internal.h"

static const double duration_bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                         0.25,  0.5,    1,     2.5,  5,     10,   20};
static const double age_bounds[] = {1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400, 604800};

void counts_register(struct kafka *kafka, struct metrics *metrics)
{
    static const char *const outcomes[] = {"delivered", "duplicate", "dead_lettered", "failed"};
    const struct routes *routes = kafka->routes;
    kafka->metrics.registry = metrics;
    for (size_t o = 0; o < 4; o++) {
        kafka->metrics.events[o] = calloc(routes->type_count + 1, sizeof(struct counter *));
        if (kafka->metrics.events[o] == NULL)
            abort();
        for (size_t t = 0; t < routes->type_count; t++) {
            struct metric_label labels[] = {{"stream", stream_name(routes->types[t].stream)},
                                            {"type", routes->types[t].name},
                                            {"outcome", outcomes[o]}};
            kafka->metrics.events[o][t] =
                metrics_counter(metrics, "events_total", "Events by stream, type and outcome.", labels, 3);
        }
        /* An event whose type nobody could tell. */
        struct metric_label labels[] = {{"stream", "unknown"}, {"type", "unknown"}, {"outcome", outcomes[o]}};
        kafka->metrics.events[o][routes->type_count] =
            metrics_counter(metrics, "events_total", "Events by stream, type and outcome.", labels, 3);
    }
    for (int s = 0; s < STREAM_COUNT; s++) {
        struct metric_label label = {"stream", stream_name((enum stream)s)};
        kafka->metrics.events_bytes[s] =
            metrics_counter(metrics, "events_bytes_total",
                            "Bytes of events as received, by stream; confirmed ones.", &label, 1);
        kafka->metrics.event_age[s] = metrics_histogram(
            metrics, "event_age_seconds", "From the event's own time to Kafka's confirmation.", &label, 1,
            age_bounds, sizeof age_bounds / sizeof age_bounds[0]);
    }
    for (int r = 1; r < DEAD_LETTER_REASON_COUNT; r++) {
        struct metric_label label = {"reason", dead_letter_reason_name((enum dead_letter_reason)r)};
        kafka->metrics.dead_letters[r] = metrics_counter(
            metrics, "dead_letters_total", "Events written to the dead-letter topic, by reason.", &label, 1);
    }
    kafka->metrics.late = metrics_counter(metrics, "late_confirmations_total",
                                          "Events confirmed after their sender's deadline.", NULL, 0);
    kafka->metrics.delivery_duration =
        metrics_histogram(metrics, "delivery_duration_seconds",
                          "From producing a batch to the confirmation of its last record.", NULL, 0,
                          duration_bounds, sizeof duration_bounds / sizeof duration_bounds[0]);
    kafka->metrics.in_flight_events = metrics_gauge(
        metrics, "in_flight_events", "Events handed to Kafka whose batch is not complete.", NULL, 0);
    kafka->metrics.up =
        metrics_gauge(metrics, "kafka_up", "1 when brokers answer and confirm records.", NULL, 0);
    kafka->metrics.brokers_up =
        metrics_gauge(metrics, "kafka_brokers_up",
                      "Brokers that the cluster lists as alive; 0 when none answers.", NULL, 0);
    kafka->metrics.restarts = metrics_counter(metrics, "producer_restarts_total",
                                              "Producers that failed for good and were replaced.", NULL, 0);
}

void counts_error(struct kafka *kafka, rd_kafka_resp_err_t code)
{
    if (kafka->metrics.registry == NULL)
        return;
    struct metric_label label = {"code", rd_kafka_err2name(code)};
    counter_add(metrics_counter(kafka->metrics.registry, "kafka_errors_total",
                                "Errors of records and connections, by code.", &label, 1),
                1);
}
