// SPDX-License-Identifier: Apache-2.0
//
// Kafka: producers, topics, delivery of batches, the embedded broker.
#ifndef BRIDGE_KAFKA_H
#define BRIDGE_KAFKA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "batch.h"
#include "config/config.h"
#include "intake/routes.h"
#include "telemetry/metrics.h"

struct kafka;

/* Checks every property of the `kafka` section: unknown, bad value, or one that
 * belongs to the bridge. Adds what is wrong to errors. Needs no broker. */
void kafka_check(const struct config *config, struct config_errors *errors);

struct kafka_options {
    const struct config *config;
    const struct routes *routes;
    struct metrics *metrics;
    bool embedded; /* run the embedded Kafka and use it instead of bootstrap.servers */
};

/* Starts the producers and the threads that serve reports, keep the topics and replace a
 * producer that failed for good, and makes the first round over the topics if a broker answers within a few
 * seconds. Kafka being away is no error. NULL, with one line in errstr, when
 * the configuration cannot work or a topic is weaker than durability: strict. */
struct kafka *kafka_start(const struct kafka_options *options, char *errstr, size_t errstr_size);

/* Hands over a batch: batch->done is called exactly once, from any thread, when
 * every record is confirmed, dead-lettered or given up. Any thread; never blocks. */
void kafka_deliver(struct kafka *kafka, struct batch *batch);

/* Would a batch of an endpoint with this deadline that comes now be confirmed within left_ms, as far as
 * what became of others lately tells? Any thread. */
bool kafka_keeps_up(struct kafka *kafka, uint64_t deadline_in_ms, uint64_t left_ms);

/* Health, for /health/kafka: true when brokers are up and confirming; else the
 * reason in words. Also says which brokers are used. Any thread. */
bool kafka_healthy(struct kafka *kafka, char *reason, size_t reason_size);
const char *kafka_bootstrap(const struct kafka *kafka);

/* Waits until all reports have come, at most timeout_ms; then ends all threads.
 * Every batch that was handed over has had its `done` when this returns. Health can be
 * asked for until kafka_free. */
void kafka_stop(struct kafka *kafka, int timeout_ms);
void kafka_free(struct kafka *kafka);

/* `topics`: prints each topic with its settings, as wanted and as found; creates
 * the missing ones when asked. Returns the process's exit status. */
int kafka_topics_command(const struct config *config, const struct routes *routes, bool create, FILE *out);

#endif
