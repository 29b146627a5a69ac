// SPDX-License-Identifier: Apache-2.0
//
// Start and end of everything that talks to Kafka. Runs on main.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "kafka/internal.h"
#include "telemetry/log.h"

/* How long the start may wait for the first look at the topics. */
#define FIRST_ROUND_MS 20000

/* What `serve` and `topics` share: the admin handle and the table of topics. */
static bool open_admin(struct kafka *kafka, char *errstr, size_t errstr_size)
{
    kafka->topics = calloc(kafka->routes->topic_count, sizeof *kafka->topics);
    kafka->admin_topics = calloc(kafka->routes->topic_count, sizeof *kafka->admin_topics);
    if (kafka->topics == NULL || kafka->admin_topics == NULL) {
        snprintf(errstr, errstr_size, "out of memory");
        return false;
    }
    rd_kafka_conf_t *conf = properties_make(kafka, NULL, 0, BATCH_SIZE, errstr, errstr_size);
    if (conf == NULL)
        return false;
    kafka->admin = rd_kafka_new(RD_KAFKA_PRODUCER, conf, errstr, errstr_size);
    if (kafka->admin == NULL) {
        rd_kafka_conf_destroy(conf);
        return false;
    }
    for (size_t t = 0; t < kafka->routes->topic_count; t++) {
        struct topic_state *state = &kafka->topics[t];
        atomic_store(&state->max_message_bytes, MAX_MESSAGE_BYTES_DEFAULT);
        state->partitions = state->replication = state->min_insync_replicas = -1;
        state->retention_ms = INT64_MIN;
        /* Metadata is asked for the topics that have a handle here. */
        kafka->admin_topics[t] = rd_kafka_topic_new(kafka->admin, kafka->routes->topics[t].name, NULL);
        if (kafka->admin_topics[t] == NULL) {
            snprintf(errstr, errstr_size, "topic %s: %s", kafka->routes->topics[t].name,
                     rd_kafka_err2str(rd_kafka_last_error()));
            return false;
        }
    }
    return true;
}

static char *configured_bootstrap(const struct config *config)
{
    for (size_t i = 0; i < config->kafka_count; i++)
        if (strcmp(config->kafka[i].name, "bootstrap.servers") == 0 ||
            strcmp(config->kafka[i].name, "metadata.broker.list") == 0)
            return strdup(config->kafka[i].value);
    return NULL;
}

static struct kafka *kafka_new(const struct config *config, const struct routes *routes)
{
    struct kafka *kafka = calloc(1, sizeof *kafka);
    if (kafka == NULL)
        return NULL;
    kafka->config = config;
    kafka->routes = routes;
    kafka->wake_fd = -1;
    pthread_mutex_init(&kafka->keeper_lock, NULL);
    pthread_mutex_init(&kafka->producers_lock, NULL);
    pthread_mutex_init(&kafka->generations_lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&kafka->keeper_wake, &attr);
    pthread_cond_init(&kafka->generations_wake, &attr);
    pthread_condattr_destroy(&attr);
    return kafka;
}

void kafka_free(struct kafka *kafka)
{
    if (kafka->sets != NULL)
        producers_destroy(kafka);
    if (kafka->admin != NULL) {
        for (size_t t = 0; t < kafka->routes->topic_count; t++)
            if (kafka->admin_topics[t] != NULL)
                rd_kafka_topic_destroy(kafka->admin_topics[t]);
        rd_kafka_destroy(kafka->admin);
    }
    embedded_stop(kafka->embedded);
    if (kafka->wake_fd >= 0)
        close(kafka->wake_fd);
    for (size_t o = 0; o < 4; o++)
        free(kafka->metrics.events[o]);
    pthread_mutex_destroy(&kafka->keeper_lock);
    pthread_mutex_destroy(&kafka->producers_lock);
    pthread_mutex_destroy(&kafka->generations_lock);
    pthread_cond_destroy(&kafka->keeper_wake);
    pthread_cond_destroy(&kafka->generations_wake);
    free(kafka->admin_topics);
    free(kafka->topics);
    free(kafka->bootstrap);
    free(kafka);
}

struct kafka *kafka_start(const struct kafka_options *options, char *errstr, size_t errstr_size)
{
    struct kafka *kafka = kafka_new(options->config, options->routes);
    if (kafka == NULL) {
        snprintf(errstr, errstr_size, "out of memory");
        return NULL;
    }
    counts_register(kafka, options->metrics);
    snprintf(kafka->trouble, sizeof kafka->trouble, "no broker has answered yet");

    if (options->embedded) {
        kafka->embedded = embedded_start(options->routes, errstr, errstr_size);
        if (kafka->embedded == NULL)
            goto fail;
        kafka->bootstrap = strdup(embedded_bootstrap(kafka->embedded));
    } else {
        kafka->bootstrap = configured_bootstrap(options->config);
    }
    kafka->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (kafka->bootstrap == NULL || kafka->wake_fd < 0) {
        snprintf(errstr, errstr_size, "out of memory or descriptors");
        goto fail;
    }
    if (!open_admin(kafka, errstr, errstr_size))
        goto fail;

    /* With the topics known first, producers start with the right batch size. */
    topics_round(kafka, true, FIRST_ROUND_MS);
    const char *weak = topics_first_weak(kafka);
    if (weak != NULL) {
        snprintf(errstr, errstr_size,
                 "topic %s has min.insync.replicas below 2: raise it, or set durability: relaxed", weak);
        goto fail;
    }
    if (!producers_start(kafka, errstr, errstr_size))
        goto fail;
    /* Leaders known, connections open: the first batch does not wait for them. */
    char reason[256];
    if (kafka_healthy(kafka, reason, sizeof reason))
        producers_refresh_metadata(kafka);
    gauge_set(kafka->metrics.up, reason[0] == '\0' ? 1 : 0);
    if (!delivery_start(kafka) || !generations_start(kafka) || !topics_start_keeper(kafka)) {
        snprintf(errstr, errstr_size, "cannot start a thread");
        goto fail;
    }
    return kafka;

fail:
    topics_end_keeper(kafka);
    topics_join_keeper(kafka);
    generations_stop(kafka);
    delivery_stop(kafka);
    kafka_free(kafka);
    return NULL;
}

const char *kafka_bootstrap(const struct kafka *kafka)
{
    return kafka->bootstrap;
}

/* Waits until every record has been reported; false when the time is over. */
static bool wait_for_reports(struct kafka *kafka, uint64_t until_ms)
{
    while (producers_unreported(kafka) > 0) {
        uint64_t now = clock_monotonic_ms();
        if (now >= until_ms)
            return false;
        /* flush returns when the queue is empty or the time is over; the reports
         * themselves are served by the delivery thread. */
        unsigned epoch = epoch_enter(&kafka->epoch);
        for (struct producer *p = atomic_load(&kafka->producers); p != NULL; p = atomic_load(&p->next))
            rd_kafka_flush(p->rk, 20);
        epoch_leave(&kafka->epoch, epoch);
    }
    return true;
}

void kafka_stop(struct kafka *kafka, int timeout_ms)
{
    topics_end_keeper(kafka);
    if (!wait_for_reports(kafka, clock_monotonic_ms() + (uint64_t)timeout_ms)) {
        log_warning("records not confirmed before the end", LOG_INT("records", producers_unreported(kafka)));
        unsigned epoch = epoch_enter(&kafka->epoch);
        for (struct producer *p = atomic_load(&kafka->producers); p != NULL; p = atomic_load(&p->next))
            rd_kafka_purge(p->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        epoch_leave(&kafka->epoch, epoch);
        wait_for_reports(kafka, clock_monotonic_ms() + 5000);
    }
    /* Until here it may have produced what was parked; those reports come too. */
    topics_join_keeper(kafka);
    wait_for_reports(kafka, clock_monotonic_ms() + 500);
    generations_stop(kafka);
    delivery_stop(kafka);
    delivery_fail_parked(kafka);
}

/* --- the `topics` command --- */

static const char *number(char *text, size_t size, long long value, const char *unknown)
{
    if (value == INT64_MIN || (value == -1 && unknown != NULL))
        return unknown == NULL ? "?" : unknown;
    snprintf(text, size, "%lld", value);
    return text;
}

int kafka_topics_command(const struct config *config, const struct routes *routes, bool create, FILE *out)
{
    char errstr[512];
    int status = 1;
    struct config wanted = *config;
    wanted.topics.create = create;
    struct kafka *kafka = kafka_new(&wanted, routes);
    if (kafka == NULL)
        return 1;
    kafka->bootstrap = configured_bootstrap(config);
    if (!open_admin(kafka, errstr, sizeof errstr)) {
        fprintf(stderr, "topics: %s\n", errstr);
        goto out;
    }
    bool up = topics_round(kafka, true, FIRST_ROUND_MS);
    fprintf(out, "%-52s %-8s %10s %11s %13s %8s %9s\n", "TOPIC", "STATE", "PARTITIONS", "REPLICATION",
            "RETENTION_MS", "MIN_ISR", "MAX_BYTES");
    size_t missing = 0;
    for (size_t t = 0; t < routes->topic_count; t++) {
        const struct topic_spec *spec = &routes->topics[t];
        const struct topic_state *state = &kafka->topics[t];
        enum topic_presence presence = atomic_load(&state->presence);
        static const char *const words[] = {"unknown", "present", "missing", "unjudged", "weak"};
        bool found = topic_is_there(presence);
        char partitions[24], replication[24], retention[24], isr[24], bytes[24];
        missing += !found;
        fprintf(
            out, "%-52s %-8s %10s %11s %13s %8s %9s\n", spec->name, words[presence],
            number(partitions, sizeof partitions, found ? state->partitions : spec->partitions, "?"),
            number(replication, sizeof replication, found ? state->replication : spec->replication,
                   "default"),
            found && state->retention_ms == INT64_MIN
                ? "?"
                : number(retention, sizeof retention, found ? state->retention_ms : spec->retention_ms, NULL),
            found ? number(isr, sizeof isr, state->min_insync_replicas, "?") : "-",
            found ? number(bytes, sizeof bytes, atomic_load(&state->max_message_bytes), "?") : "-");
    }
    if (!up)
        fprintf(stderr, "topics: %s\n",
                kafka->trouble[0] != '\0' ? kafka->trouble : "the settings could not be read");
    else if (missing > 0 && !create)
        fprintf(stderr, "topics: %zu of %zu are missing; --create makes them\n", missing,
                routes->topic_count);
    else if (missing > 0)
        fprintf(stderr, "topics: %zu of %zu could not be created\n", missing, routes->topic_count);
    status = up && (missing == 0 || !create) ? 0 : 1;

out:
    kafka_free(kafka);
    return status;
}
