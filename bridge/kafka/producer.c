// SPDX-License-Identifier: Apache-2.0
//
// The producers: one set for each deadline in use, topics shared out among the
// producers of a set, always the same one for a topic so that order holds. Made at
// the start by main, later ones (other levels) by the keeper thread.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "kafka/internal.h"
#include "telemetry/log.h"

/* message.timeout.ms ends this long before the sender's deadline, so that at the
 * deadline the fate of nearly every record is known. */
#define TIMEOUT_BEFORE_DEADLINE_MS 1500

static int message_timeout_ms(const struct producer_set *set)
{
    uint64_t timeout = set->deadline_ms > 2 * TIMEOUT_BEFORE_DEADLINE_MS
                           ? set->deadline_ms - TIMEOUT_BEFORE_DEADLINE_MS
                           : set->deadline_ms / 2;
    return (int)timeout;
}

static struct producer *producer_create(struct kafka *kafka, const struct producer_set *set, int level,
                                        char *errstr, size_t errstr_size)
{
    rd_kafka_conf_t *conf =
        properties_make(kafka, message_timeout_ms(set), BATCH_SIZE >> level, errstr, errstr_size);
    if (conf == NULL)
        return NULL;
    struct producer *producer = calloc(1, sizeof *producer);
    if (producer == NULL) {
        rd_kafka_conf_destroy(conf);
        snprintf(errstr, errstr_size, "out of memory");
        return NULL;
    }
    producer->kafka = kafka;
    producer->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, errstr, errstr_size);
    if (producer->rk == NULL) {
        rd_kafka_conf_destroy(conf);
        free(producer);
        return NULL;
    }
    static const uint64_t one = 1;
    rd_kafka_queue_t *queue = rd_kafka_queue_get_main(producer->rk);
    rd_kafka_queue_io_event_enable(queue, kafka->wake_fd, &one, sizeof one);
    rd_kafka_queue_destroy(queue);

    producer->next = atomic_load(&kafka->producers);
    while (!atomic_compare_exchange_weak(&kafka->producers, &producer->next, producer))
        ;
    return producer;
}

/* Which producer of the level serves the topic. */
static size_t share(int level, size_t topic)
{
    return level == 0 ? topic % PRODUCERS_PER_SET : 0;
}

/* Points the topic at the producer of the level, which is made when it is the first. */
static bool attach(struct kafka *kafka, struct producer_set *set, size_t topic, int level, char *errstr,
                   size_t errstr_size)
{
    struct producer **slot = &set->producers[level][share(level, topic)];
    if (*slot == NULL && (*slot = producer_create(kafka, set, level, errstr, errstr_size)) == NULL)
        return false;
    struct topic_handle *handle = calloc(1, sizeof *handle);
    if (handle == NULL) {
        snprintf(errstr, errstr_size, "out of memory");
        return false;
    }
    handle->rkt = rd_kafka_topic_new((*slot)->rk, kafka->routes->topics[topic].name, NULL);
    if (handle->rkt == NULL) {
        snprintf(errstr, errstr_size, "topic %s: %s", kafka->routes->topics[topic].name,
                 rd_kafka_err2str(rd_kafka_last_error()));
        free(handle);
        return false;
    }
    handle->rk = (*slot)->rk;
    handle->level = level;
    handle->previous = atomic_load(&set->handles[topic]);
    atomic_store(&set->handles[topic], handle);
    return true;
}

static int level_for(int max_message_bytes)
{
    /* The batch's own header and the record overheads stay below the difference. */
    int level = 0;
    while (level < LEVELS - 1 && (BATCH_SIZE >> level) > max_message_bytes - 128)
        level++;
    return level;
}

bool producers_start(struct kafka *kafka, char *errstr, size_t errstr_size)
{
    const struct config *config = kafka->config;
    kafka->sets = calloc(config->endpoint_count, sizeof *kafka->sets);
    if (kafka->sets == NULL) {
        snprintf(errstr, errstr_size, "out of memory");
        return false;
    }
    for (size_t e = 0; e < config->endpoint_count; e++) {
        size_t s = 0;
        while (s < kafka->set_count && kafka->sets[s].deadline_ms != config->endpoints[e].deadline_ms)
            s++;
        if (s < kafka->set_count)
            continue;
        struct producer_set *set = &kafka->sets[kafka->set_count++];
        set->deadline_ms = config->endpoints[e].deadline_ms;
        set->handles = calloc(kafka->routes->topic_count, sizeof *set->handles);
        if (set->handles == NULL) {
            snprintf(errstr, errstr_size, "out of memory");
            return false;
        }
        for (size_t t = 0; t < kafka->routes->topic_count; t++)
            if (!attach(kafka, set, t, level_for(atomic_load(&kafka->topics[t].max_message_bytes)), errstr,
                        errstr_size))
                return false;
    }
    return true;
}

void producers_follow_limits(struct kafka *kafka)
{
    char errstr[256];
    for (size_t s = 0; s < kafka->set_count; s++) {
        struct producer_set *set = &kafka->sets[s];
        for (size_t t = 0; t < kafka->routes->topic_count; t++) {
            int level = kafka->topics[t].one_by_one
                            ? LEVELS - 1
                            : level_for(atomic_load(&kafka->topics[t].max_message_bytes));
            if (atomic_load(&set->handles[t])->level == level)
                continue;
            if (!attach(kafka, set, t, level, errstr, sizeof errstr))
                log_error("cannot follow a topic's limit", LOG_TEXT("topic", kafka->routes->topics[t].name),
                          LOG_TEXT("error", errstr));
        }
    }
}

void producers_refresh_metadata(struct kafka *kafka)
{
    for (struct producer *p = atomic_load(&kafka->producers); p != NULL; p = p->next) {
        const struct rd_kafka_metadata *metadata = NULL;
        if (rd_kafka_metadata(p->rk, 0, NULL, &metadata, 3000) == RD_KAFKA_RESP_ERR_NO_ERROR)
            rd_kafka_metadata_destroy(metadata);
    }
}

void producers_destroy(struct kafka *kafka)
{
    for (size_t s = 0; s < kafka->set_count; s++) {
        for (size_t t = 0; kafka->sets[s].handles != NULL && t < kafka->routes->topic_count; t++) {
            struct topic_handle *handle = atomic_load(&kafka->sets[s].handles[t]);
            while (handle != NULL) {
                struct topic_handle *previous = handle->previous;
                rd_kafka_topic_destroy(handle->rkt);
                free(handle);
                handle = previous;
            }
        }
        free(kafka->sets[s].handles);
    }
    struct producer *producer = atomic_load(&kafka->producers);
    while (producer != NULL) {
        struct producer *next = producer->next;
        rd_kafka_destroy(producer->rk);
        free(producer);
        producer = next;
    }
    free(kafka->sets);
}
