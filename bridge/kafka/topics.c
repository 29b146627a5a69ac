// SPDX-License-Identifier: Apache-2.0
//
// The keeper of the topics: one thread that asks the cluster which topics are
// there, has the missing ones created, reads the limits, judges durability, and
// tells whether Kafka is healthy. Only this file and admin.c block on Kafka.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "kafka/internal.h"
#include "telemetry/log.h"

#define ROUND_MS 5000      /* metadata, while all is well */
#define ROUND_DOWN_MS 1000 /* while Kafka is away or a topic is missing */
#define LIMITS_EVERY 12    /* rounds between two readings of the limits */
#define METADATA_TIMEOUT_MS 2500
#define READ_LIMITS_MS 2500
#define CREATED_SHOWS_MS 5000 /* a topic that was created stands in the metadata */

/* After a refused record, Kafka counts as not confirming for this long, unless
 * a record has been confirmed since. */
#define CONFIRM_MEMORY_MS 30000

static void set_trouble(struct kafka *kafka, const char *text, int brokers)
{
    pthread_mutex_lock(&kafka->keeper_lock);
    bool changed = strcmp(kafka->trouble, text) != 0;
    bool was_down = kafka->trouble[0] != '\0';
    snprintf(kafka->trouble, sizeof kafka->trouble, "%s", text);
    kafka->brokers = brokers;
    pthread_mutex_unlock(&kafka->keeper_lock);
    if (kafka->metrics.brokers_up != NULL)
        gauge_set(kafka->metrics.brokers_up, brokers);
    if (!changed)
        return;
    if (text[0] != '\0')
        log_warning("kafka is not ready", LOG_TEXT("reason", text),
                    LOG_TEXT("brokers", kafka->bootstrap == NULL ? "" : kafka->bootstrap));
    else if (was_down)
        log_info("kafka is ready", LOG_INT("brokers", brokers));
}

static int least_replication(const struct rd_kafka_metadata_topic *topic)
{
    int least = topic->partition_cnt > 0 ? topic->partitions[0].replica_cnt : -1;
    for (int i = 1; i < topic->partition_cnt; i++)
        if (topic->partitions[i].replica_cnt < least)
            least = topic->partitions[i].replica_cnt;
    return least;
}

static bool has_leaders(const struct rd_kafka_metadata_topic *topic)
{
    for (int i = 0; i < topic->partition_cnt; i++)
        if (topic->partitions[i].leader < 0)
            return false;
    return topic->partition_cnt > 0;
}

bool topic_is_there(enum topic_presence presence)
{
    return presence == TOPIC_PRESENT || presence == TOPIC_WEAK || presence == TOPIC_UNJUDGED;
}

static bool strict(const struct kafka *kafka)
{
    return kafka->config->durability == DURABILITY_STRICT && kafka->embedded == NULL;
}

/* What one metadata answer says of one topic. */
static void see_topic(struct kafka *kafka, size_t t, const struct rd_kafka_metadata_topic *found)
{
    struct topic_state *state = &kafka->topics[t];
    enum topic_presence was = atomic_load(&state->presence);
    state->seen = true;
    state->unauthorized = found->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    if (found->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        atomic_store(&state->presence, TOPIC_MISSING);
        return;
    }
    if (found->err != RD_KAFKA_RESP_ERR_NO_ERROR && found->err != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) {
        if (!state->warned)
            log_warning("cannot look at a topic", LOG_TEXT("topic", kafka->routes->topics[t].name),
                        LOG_TEXT("error", rd_kafka_err2str(found->err)));
        state->warned = true;
        /* Whether it can be written to, the records themselves will tell. */
        atomic_store(&state->presence, TOPIC_PRESENT);
        return;
    }
    /* One that was just created is not there before each partition has its leader. */
    if (was == TOPIC_MISSING && !has_leaders(found))
        return;
    state->partitions = found->partition_cnt;
    state->replication = least_replication(found);
    if (was == TOPIC_UNKNOWN || was == TOPIC_MISSING)
        atomic_store(&state->presence,
                     strict(kafka) && state->replication >= 3 ? TOPIC_UNJUDGED : TOPIC_PRESENT);
}

/* Index of the topic by name: metadata answers in an order of its own. */
static int topic_index(const struct kafka *kafka, const char *name)
{
    for (size_t t = 0; t < kafka->routes->topic_count; t++)
        if (strcmp(kafka->routes->topics[t].name, name) == 0)
            return (int)t;
    return -1;
}

/* Number of brokers, or -1 when none answered within the time. */
static int see_cluster(struct kafka *kafka, int timeout_ms, char *why, size_t why_size)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t err = rd_kafka_metadata(kafka->admin, 0, NULL, &metadata, timeout_ms);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        snprintf(why, why_size, "no broker answers: %s", rd_kafka_err2str(err));
        return -1;
    }
    int brokers = metadata->broker_cnt;
    for (size_t t = 0; t < kafka->routes->topic_count; t++)
        kafka->topics[t].seen = false;
    for (int i = 0; i < metadata->topic_cnt; i++) {
        int t = topic_index(kafka, metadata->topics[i].topic);
        if (t >= 0)
            see_topic(kafka, (size_t)t, &metadata->topics[i]);
    }
    rd_kafka_metadata_destroy(metadata);
    for (size_t t = 0; t < kafka->routes->topic_count; t++)
        if (!kafka->topics[t].seen)
            atomic_store(&kafka->topics[t].presence, TOPIC_MISSING);
    return brokers;
}

static size_t collect_missing(const struct kafka *kafka, int *missing)
{
    size_t count = 0;
    for (size_t t = 0; t < kafka->routes->topic_count; t++)
        if (atomic_load(&kafka->topics[t].presence) == TOPIC_MISSING)
            missing[count++] = (int)t;
    return count;
}

void topics_judge_durability(struct kafka *kafka)
{
    if (!strict(kafka))
        return;
    size_t single = 0, unreadable = 0;
    for (size_t t = 0; t < kafka->routes->topic_count; t++) {
        struct topic_state *state = &kafka->topics[t];
        enum topic_presence presence = atomic_load(&state->presence);
        if (!topic_is_there(presence) || state->replication < 0)
            continue;
        bool weak =
            state->replication >= 3 && state->min_insync_replicas >= 0 && state->min_insync_replicas < 2;
        if (weak && presence != TOPIC_WEAK)
            log_error("a topic is weaker than durability: strict allows, its events are refused",
                      LOG_TEXT("topic", kafka->routes->topics[t].name),
                      LOG_INT("replication", state->replication),
                      LOG_INT("min_insync_replicas", state->min_insync_replicas));
        atomic_store(&state->presence, weak ? TOPIC_WEAK : TOPIC_PRESENT);
        if (state->warned)
            continue;
        single += state->replication < 3;
        unreadable += state->replication >= 3 && state->min_insync_replicas < 0;
        state->warned = state->replication < 3 || state->min_insync_replicas < 0;
    }
    if (single > 0)
        log_warning(
            "topics with replication below 3: a broker that is lost can take confirmed events with it",
            LOG_INT("topics", single));
    if (unreadable > 0)
        log_warning("durability: strict cannot be checked: the right DescribeConfigs is missing",
                    LOG_INT("topics", unreadable));
}

static bool any_unjudged(const struct kafka *kafka)
{
    for (size_t t = 0; t < kafka->routes->topic_count; t++)
        if (atomic_load(&kafka->topics[t].presence) == TOPIC_UNJUDGED)
            return true;
    return false;
}

static size_t count_unauthorized(const struct kafka *kafka, const char **name)
{
    size_t count = 0;
    for (size_t t = 0; t < kafka->routes->topic_count; t++)
        if (kafka->topics[t].unauthorized && count++ == 0)
            *name = kafka->routes->topics[t].name;
    return count;
}

const char *topics_first_weak(const struct kafka *kafka)
{
    for (size_t t = 0; t < kafka->routes->topic_count; t++)
        if (atomic_load(&kafka->topics[t].presence) == TOPIC_WEAK)
            return kafka->routes->topics[t].name;
    return NULL;
}

static bool stopping(struct kafka *kafka)
{
    pthread_mutex_lock(&kafka->keeper_lock);
    bool stop = kafka->keeper_stop;
    pthread_mutex_unlock(&kafka->keeper_lock);
    return stop;
}

/* Creates what is missing and waits until the cluster shows it. Returns how many are missing still. */
static size_t create_missing(struct kafka *kafka, int *missing, size_t count, uint64_t until_ms, char *why,
                             size_t why_size)
{
    admin_create_topics(kafka, missing, count, (int)(until_ms - clock_monotonic_ms()));
    /* The start waits, so that the first batch finds its topic. Later, what does not show soon is
     * looked for, and created again, in the next round. */
    uint64_t show_by_ms = clock_monotonic_ms() + CREATED_SHOWS_MS;
    if (kafka->keeper_running && show_by_ms < until_ms)
        until_ms = show_by_ms;
    int brokers = 0;
    do {
        uint64_t now = clock_monotonic_ms();
        if (now >= until_ms)
            break;
        brokers = see_cluster(kafka, (int)(until_ms - now), why, why_size);
        count = 0;
        for (size_t t = 0; t < kafka->routes->topic_count; t++)
            if (atomic_load(&kafka->topics[t].presence) == TOPIC_MISSING && !kafka->topics[t].create_failed)
                missing[count++] = (int)t;
        if (count > 0) /* the answer came at once and the topic was not in it yet */
            nanosleep(&(struct timespec){.tv_nsec = 50 * 1000 * 1000}, NULL);
    } while (brokers >= 0 && count > 0 && !stopping(kafka));
    producers_refresh_metadata(kafka);
    return collect_missing(kafka, missing);
}

bool topics_round(struct kafka *kafka, bool read_limits, int timeout_ms)
{
    const char *unauthorized = "";
    size_t unauthorized_count;
    bool complete = true;
    char why[256] = "";
    uint64_t until_ms = clock_monotonic_ms() + (uint64_t)timeout_ms;
    int brokers = see_cluster(kafka, METADATA_TIMEOUT_MS < timeout_ms ? METADATA_TIMEOUT_MS : timeout_ms, why,
                              sizeof why);
    if (brokers < 0) {
        set_trouble(kafka, why, 0);
        return false;
    }
    int *missing = calloc(kafka->routes->topic_count, sizeof *missing);
    if (missing == NULL)
        return false;
    size_t count = collect_missing(kafka, missing);
    if (count > 0 && kafka->config->topics.create && kafka->embedded == NULL) {
        for (size_t i = 0; i < count; i++)
            kafka->topics[missing[i]].create_failed = false;
        count = create_missing(kafka, missing, count, until_ms, why, sizeof why);
        read_limits = true;
    }
    if ((read_limits || any_unjudged(kafka)) && kafka->embedded == NULL) {
        complete = admin_read_limits(kafka, READ_LIMITS_MS);
        if (complete)
            topics_judge_durability(kafka);
        producers_follow_limits(kafka);
    }
    if ((unauthorized_count = count_unauthorized(kafka, &unauthorized)) > 0)
        snprintf(why, sizeof why, "no right to %zu topics, %s is one", unauthorized_count, unauthorized);
    else if (count > 0)
        snprintf(why, sizeof why, "%zu topics are missing, %s is one", count,
                 kafka->routes->topics[missing[0]].name);
    else if (topics_first_weak(kafka) != NULL)
        snprintf(why, sizeof why, "%s is weaker than durability: strict allows", topics_first_weak(kafka));
    else
        why[0] = '\0';
    set_trouble(kafka, why, brokers);
    free(missing);
    return complete;
}

static bool confirming(struct kafka *kafka)
{
    uint64_t failed = atomic_load(&kafka->last_failed_ms), confirmed = atomic_load(&kafka->last_confirmed_ms);
    return failed <= confirmed || clock_monotonic_ms() - failed > CONFIRM_MEMORY_MS;
}

bool kafka_healthy(struct kafka *kafka, char *reason, size_t reason_size)
{
    pthread_mutex_lock(&kafka->keeper_lock);
    snprintf(reason, reason_size, "%s", kafka->trouble);
    pthread_mutex_unlock(&kafka->keeper_lock);
    if (reason[0] == '\0' && atomic_load(&kafka->broken_seats) > 0)
        snprintf(reason, reason_size, "a Kafka producer failed and is being replaced");
    if (reason[0] == '\0' && !confirming(kafka))
        snprintf(reason, reason_size, "brokers answer but did not confirm the latest record");
    return reason[0] == '\0';
}

void topics_kick(struct kafka *kafka)
{
    pthread_mutex_lock(&kafka->keeper_lock);
    kafka->keeper_kicked = true;
    pthread_cond_signal(&kafka->keeper_wake);
    pthread_mutex_unlock(&kafka->keeper_lock);
}

void topics_park(struct kafka *kafka, struct record *record)
{
    pthread_mutex_lock(&kafka->keeper_lock);
    record->parked = kafka->parked;
    kafka->parked = record;
    kafka->keeper_kicked = true;
    pthread_cond_signal(&kafka->keeper_wake);
    pthread_mutex_unlock(&kafka->keeper_lock);
}

/* Waits for a kick, the next round or the end. True when it was kicked. */
static bool wait_for_work(struct kafka *kafka, int wait_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&kafka->keeper_lock);
    int err = 0;
    while (!kafka->keeper_stop && !kafka->keeper_kicked && err != ETIMEDOUT)
        err = pthread_cond_timedwait(&kafka->keeper_wake, &kafka->keeper_lock, &until);
    bool kicked = kafka->keeper_kicked;
    kafka->keeper_kicked = false;
    pthread_mutex_unlock(&kafka->keeper_lock);
    return kicked;
}

static struct record *take_parked(struct kafka *kafka, bool *stop)
{
    pthread_mutex_lock(&kafka->keeper_lock);
    struct record *parked = kafka->parked;
    kafka->parked = NULL;
    *stop = kafka->keeper_stop;
    pthread_mutex_unlock(&kafka->keeper_lock);
    return parked;
}

static void *keeper_main(void *data)
{
    struct kafka *kafka = data;
    pthread_setname_np(pthread_self(), "topics");
    bool limits_read = false; /* since the brokers came up */
    unsigned rounds = 0;
    int wait_ms = 0;
    for (;;) {
        bool kicked = wait_for_work(kafka, wait_ms);
        bool stop;
        struct record *parked = take_parked(kafka, &stop);
        bool parked_any = parked != NULL;
        if (!stop || parked != NULL) {
            bool up = topics_round(kafka, kicked || !limits_read || rounds++ % LIMITS_EVERY == 0, 20000);
            limits_read = up;
            char reason[256];
            bool healthy = kafka_healthy(kafka, reason, sizeof reason);
            gauge_set(kafka->metrics.up, healthy ? 1 : 0);
            wait_ms = healthy ? ROUND_MS : ROUND_DOWN_MS;
        }
        delivery_unpark(kafka, parked);
        if (stop)
            return NULL;
        /* Many failed records kick at once, and keep kicking while a topic is away: one look serves
         * them all. A parked record waits for its own. */
        if (kicked)
            nanosleep(&(struct timespec){.tv_nsec = (parked_any ? 20 : 200) * 1000 * 1000L}, NULL);
    }
}

bool topics_start_keeper(struct kafka *kafka)
{
    kafka->keeper_running = pthread_create(&kafka->keeper_thread, NULL, keeper_main, kafka) == 0;
    return kafka->keeper_running;
}

void topics_end_keeper(struct kafka *kafka)
{
    pthread_mutex_lock(&kafka->keeper_lock);
    kafka->keeper_stop = true;
    pthread_cond_signal(&kafka->keeper_wake);
    pthread_mutex_unlock(&kafka->keeper_lock);
}

void topics_join_keeper(struct kafka *kafka)
{
    if (!kafka->keeper_running)
        return;
    pthread_join(kafka->keeper_thread, NULL);
    kafka->keeper_running = false;
}
