// SPDX-License-Identifier: Apache-2.0
//
// The producers: one set for each deadline in use, topics shared out among the
// producers of a set, always the same one for a topic so that order holds. Made at
// the start by main, later ones by the keeper thread (other levels) and the generations
// thread (in the place of one that failed).
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
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

struct producer *producer_create(struct kafka *kafka, struct seat *seat, char *errstr, size_t errstr_size)
{
    struct producer *producer = calloc(1, sizeof *producer);
    struct topic_handle *handles = calloc(kafka->routes->topic_count, sizeof *handles);
    if (producer == NULL || handles == NULL) {
        snprintf(errstr, errstr_size, "out of memory");
        goto fail;
    }
    producer->kafka = kafka;
    producer->seat = seat;
    producer->handles = handles;
    rd_kafka_conf_t *conf = properties_make(kafka, producer, message_timeout_ms(seat->set),
                                            BATCH_SIZE >> seat->level, errstr, errstr_size);
    if (conf == NULL)
        goto fail;
    producer->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, errstr, errstr_size);
    if (producer->rk == NULL) {
        rd_kafka_conf_destroy(conf);
        goto fail;
    }
    static const uint64_t one = 1;
    rd_kafka_queue_t *queue = rd_kafka_queue_get_main(producer->rk);
    rd_kafka_queue_io_event_enable(queue, kafka->wake_fd, &one, sizeof one);
    rd_kafka_queue_destroy(queue);

    atomic_store(&producer->next, atomic_load(&kafka->producers));
    atomic_store(&kafka->producers, producer);
    eventfd_write(kafka->wake_fd, one); /* what it had to say before it was in the list */
    return producer;

fail:
    free(handles);
    free(producer);
    return NULL;
}

void producer_destroy(struct producer *producer)
{
    /* librdkafka wants all its topics gone first. */
    for (size_t t = 0; t < producer->kafka->routes->topic_count; t++)
        if (producer->handles[t].rkt != NULL)
            rd_kafka_topic_destroy(producer->handles[t].rkt);
    rd_kafka_destroy(producer->rk);
    free(producer->handles);
    free(producer);
}

/* The topic's handle in this producer, made when it is the first time. */
static struct topic_handle *handle_in(struct producer *producer, size_t topic, char *errstr,
                                      size_t errstr_size)
{
    struct topic_handle *handle = &producer->handles[topic];
    if (handle->rkt == NULL) {
        const char *name = producer->kafka->routes->topics[topic].name;
        handle->producer = producer;
        handle->rkt = rd_kafka_topic_new(producer->rk, name, NULL);
        if (handle->rkt == NULL) {
            snprintf(errstr, errstr_size, "topic %s: %s", name, rd_kafka_err2str(rd_kafka_last_error()));
            return NULL;
        }
    }
    return handle;
}

/* Points the topic at the producer of the level, which is made when it is the first. */
static bool attach(struct kafka *kafka, struct producer_set *set, size_t topic, int level, char *errstr,
                   size_t errstr_size)
{
    /* Always the same one for a topic. */
    struct seat *seat = &set->seats[level][level == 0 ? topic % PRODUCERS_PER_SET : 0];
    if (seat->current == NULL) {
        seat->set = set;
        seat->level = level;
        seat->current = producer_create(kafka, seat, errstr, errstr_size);
        if (seat->current == NULL)
            return false;
    }
    struct topic_handle *handle = handle_in(seat->current, topic, errstr, errstr_size);
    if (handle == NULL)
        return false;
    atomic_store(&set->handles[topic], handle);
    return true;
}

bool producer_prepare_topics(struct producer *to, const struct producer *from, char *errstr,
                             size_t errstr_size)
{
    for (size_t t = 0; t < to->kafka->routes->topic_count; t++)
        if (atomic_load(&from->seat->set->handles[t])->producer == from &&
            handle_in(to, t, errstr, errstr_size) == NULL)
            return false;
    return true;
}

void producer_move_topics(struct producer *to, const struct producer *from)
{
    _Atomic(struct topic_handle *) *handles = from->seat->set->handles;
    for (size_t t = 0; t < to->kafka->routes->topic_count; t++)
        if (atomic_load(&handles[t])->producer == from)
            atomic_store(&handles[t], &to->handles[t]);
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
    pthread_mutex_lock(&kafka->producers_lock);
    for (size_t s = 0; s < kafka->set_count; s++) {
        struct producer_set *set = &kafka->sets[s];
        for (size_t t = 0; t < kafka->routes->topic_count; t++) {
            int level = kafka->topics[t].one_by_one
                            ? LEVELS - 1
                            : level_for(atomic_load(&kafka->topics[t].max_message_bytes));
            if (atomic_load(&set->handles[t])->producer->seat->level == level)
                continue;
            if (!attach(kafka, set, t, level, errstr, sizeof errstr))
                log_error("cannot follow a topic's limit", LOG_TEXT("topic", kafka->routes->topics[t].name),
                          LOG_TEXT("error", errstr));
        }
    }
    pthread_mutex_unlock(&kafka->producers_lock);
}

void producer_refresh_metadata(struct producer *producer, int timeout_ms)
{
    const struct rd_kafka_metadata *metadata = NULL;
    if (rd_kafka_metadata(producer->rk, 0, NULL, &metadata, timeout_ms) == RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_metadata_destroy(metadata);
}

void producers_refresh_metadata(struct kafka *kafka)
{
    unsigned epoch = epoch_enter(&kafka->epoch);
    for (struct producer *p = atomic_load(&kafka->producers); p != NULL; p = atomic_load(&p->next))
        if (!atomic_load(&p->broken))
            producer_refresh_metadata(p, 3000);
    epoch_leave(&kafka->epoch, epoch);
}

long long producers_unreported(struct kafka *kafka)
{
    long long count = 0;
    unsigned epoch = epoch_enter(&kafka->epoch);
    for (struct producer *p = atomic_load(&kafka->producers); p != NULL; p = atomic_load(&p->next))
        count += atomic_load(&p->unreported);
    epoch_leave(&kafka->epoch, epoch);
    return count;
}

void producers_destroy(struct kafka *kafka)
{
    struct producer *producer = atomic_load(&kafka->producers);
    while (producer != NULL) {
        struct producer *next = atomic_load(&producer->next);
        producer_destroy(producer);
        producer = next;
    }
    if (kafka->leaving != NULL)
        producer_destroy(kafka->leaving);
    for (size_t s = 0; s < kafka->set_count; s++)
        free(kafka->sets[s].handles);
    free(kafka->sets);
}
