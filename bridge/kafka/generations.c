// SPDX-License-Identifier: Apache-2.0
//
// Producer generations. An idempotent producer that librdkafka declares failed (a fatal error: it can
// no longer tell which records are written, or may not write at all) never sends again. Its
// reports still come and complete their batches; a new one takes its seat; the old one is destroyed
// when it has reported everything. One thread does all this, since making, asking and destroying block.
#include <errno.h>
#include <time.h>

#include "clock.h"
#include "kafka/internal.h"
#include "telemetry/log.h"

/* Between two new producers of one seat. Those that fail before anything was confirmed, for a right that is
 * missing, come ever more rarely, and are in the log once a minute. */
#define NEW_AFTER_MS 1000
#define NEW_AFTER_MAX_MS 8000
#define TELL_AGAIN_MS 60000

/* The new producer is given records when it knows the leaders, or after this time. */
#define WARM_UP_MS 1000

/* How often an old producer is looked at while it has reports to give. */
#define LOOK_MS 50

/* Producers of one seat at a time, old ones included. */
#define GENERATIONS_MAX 4

void producer_failed(struct producer *producer)
{
    struct kafka *kafka = producer->kafka;
    if (atomic_exchange(&producer->broken, true))
        return;
    atomic_fetch_add(&kafka->broken_seats, 1);
    pthread_mutex_lock(&kafka->generations_lock);
    kafka->generations_kicked = true;
    pthread_cond_signal(&kafka->generations_wake);
    pthread_mutex_unlock(&kafka->generations_lock);
}

static void tell(struct producer *producer)
{
    char why[512] = "";
    struct seat *seat = producer->seat;
    producer->broken_ms = clock_monotonic_ms();
    if (!atomic_load(&producer->confirmed) && seat->told_ms != 0 &&
        producer->broken_ms - seat->told_ms < TELL_AGAIN_MS)
        return;
    seat->told_ms = producer->broken_ms;
    rd_kafka_resp_err_t code = rd_kafka_fatal_error(producer->rk, why, sizeof why);
    log_warning("a Kafka producer failed for good and is replaced",
                LOG_TEXT("client", rd_kafka_name(producer->rk)), LOG_TEXT("code", rd_kafka_err2name(code)),
                LOG_TEXT("text", why), LOG_INT("unreported", atomic_load(&producer->unreported)));
}

static bool crowded(struct kafka *kafka, const struct seat *seat)
{
    int count = 0;
    for (struct producer *p = atomic_load(&kafka->producers); p != NULL; p = atomic_load(&p->next))
        count += p->seat == seat;
    return count >= GENERATIONS_MAX;
}

/* Nothing but the list must lead to it when this is called. */
static void unseat(struct kafka *kafka, struct producer *producer)
{
    producer->stage = PRODUCER_REPLACED;
    producer->grace = (struct grace){{false, false}};
    if (atomic_exchange(&producer->broken, true))
        atomic_fetch_sub(&kafka->broken_seats, 1);
    else
        producer->broken_ms = clock_monotonic_ms();
}

/* Puts a new producer into the seat. False when that has to be tried again. */
static bool replace(struct kafka *kafka, struct seat *seat, struct producer *old)
{
    char errstr[256];
    pthread_mutex_lock(&kafka->producers_lock);
    struct producer *producer = producer_create(kafka, seat, errstr, sizeof errstr);
    bool ready = producer != NULL && producer_prepare_topics(producer, old, errstr, sizeof errstr);
    pthread_mutex_unlock(&kafka->producers_lock);
    if (ready) {
        producer_refresh_metadata(producer, WARM_UP_MS);
        /* Topics may have come to the old one meanwhile. */
        pthread_mutex_lock(&kafka->producers_lock);
        ready = producer_prepare_topics(producer, old, errstr, sizeof errstr);
        if (ready) {
            producer_move_topics(producer, old);
            seat->current = producer;
        }
        pthread_mutex_unlock(&kafka->producers_lock);
    }
    if (!ready) {
        static struct log_limit limit;
        uint64_t suppressed;
        if (log_limit_pass(&limit, &suppressed))
            log_error("cannot make a new Kafka producer, trying again", LOG_TEXT("error", errstr),
                      LOG_INT("suppressed", suppressed));
        if (producer != NULL)
            unseat(kafka, producer);
        return false;
    }
    unseat(kafka, old);
    counter_add(kafka->metrics.restarts, 1);
    log_debug("a new Kafka producer took over", LOG_TEXT("client", rd_kafka_name(producer->rk)),
              LOG_TEXT("after", rd_kafka_name(old->rk)));
    return true;
}

/* False while the seat waits for a new producer. */
static bool renew(struct kafka *kafka, struct seat *seat)
{
    pthread_mutex_lock(&kafka->producers_lock);
    struct producer *old = seat->current;
    pthread_mutex_unlock(&kafka->producers_lock);
    if (old == NULL || old->broken_ms == 0)
        return true;
    uint64_t now = clock_monotonic_ms();
    bool good = atomic_load(&old->confirmed);
    uint64_t wait_ms = good ? NEW_AFTER_MS : seat->wait_ms;
    if (now < seat->made_ms + wait_ms || crowded(kafka, seat))
        return false;
    seat->made_ms = now;
    seat->wait_ms = good || wait_ms == 0 ? NEW_AFTER_MS : 2 * wait_ms;
    if (seat->wait_ms > NEW_AFTER_MAX_MS)
        seat->wait_ms = NEW_AFTER_MAX_MS;
    return replace(kafka, seat, old);
}

/* Has librdkafka report what it will not send any more. At the failure it has given up what was queued,
 * but what was just being queued then, and what comes back to be sent again, would wait for its
 * time-out. What is in flight may still be confirmed, and is waited for, up to the sender's deadline. */
static void urge(struct kafka *kafka, struct producer *producer)
{
    int flags = RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_NON_BLOCKING;
    if (clock_monotonic_ms() - producer->broken_ms > producer->seat->set->deadline_ms ||
        (producer->stage == PRODUCER_RETIRED && crowded(kafka, producer->seat)))
        flags |= RD_KAFKA_PURGE_F_INFLIGHT;
    rd_kafka_purge(producer->rk, flags);
}

static void unlink_producer(struct kafka *kafka, struct producer *producer)
{
    pthread_mutex_lock(&kafka->producers_lock);
    _Atomic(struct producer *) *link = &kafka->producers;
    while (atomic_load(link) != producer)
        link = &atomic_load(link)->next;
    atomic_store(link, atomic_load(&producer->next));
    pthread_mutex_unlock(&kafka->producers_lock);
    producer->grace = (struct grace){{false, false}};
    kafka->leaving = producer;
}

/* One step on the way of a producer that has failed. */
static void see_off(struct kafka *kafka, struct producer *producer)
{
    if (producer->stage == PRODUCER_REPLACED && epoch_passed(&kafka->epoch, &producer->grace))
        producer->stage = PRODUCER_RETIRED;
    if (atomic_load(&producer->unreported) > 0)
        urge(kafka, producer);
    else if (producer->stage == PRODUCER_RETIRED && kafka->leaving == NULL)
        unlink_producer(kafka, producer);
}

/* One look at everything; false when there is nothing left to do. */
static bool look(struct kafka *kafka)
{
    bool more = false;
    for (struct producer *p = atomic_load(&kafka->producers); p != NULL; p = atomic_load(&p->next))
        if (atomic_load(&p->broken) && p->broken_ms == 0)
            tell(p);
    for (size_t s = 0; s < kafka->set_count; s++)
        for (size_t l = 0; l < LEVELS; l++)
            for (size_t n = 0; n < PRODUCERS_PER_SET; n++)
                more |= !renew(kafka, &kafka->sets[s].seats[l][n]);
    for (struct producer *p = atomic_load(&kafka->producers); p != NULL; p = atomic_load(&p->next))
        if (p->broken_ms != 0) {
            more = true;
            see_off(kafka, p);
        }
    /* One a look, since it blocks: a seat that needs a new producer meanwhile comes first. */
    if (kafka->leaving != NULL && epoch_passed(&kafka->epoch, &kafka->leaving->grace)) {
        producer_destroy(kafka->leaving);
        kafka->leaving = NULL;
    }
    return more || kafka->leaving != NULL;
}

/* Waits for a kick, the end, or, with something left to do, a moment. True at the end. */
static bool wait_for_work(struct kafka *kafka, bool more)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += LOOK_MS * 1000000L;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&kafka->generations_lock);
    int err = 0;
    while (!kafka->generations_stop && !kafka->generations_kicked && err != ETIMEDOUT)
        err = more ? pthread_cond_timedwait(&kafka->generations_wake, &kafka->generations_lock, &until)
                   : pthread_cond_wait(&kafka->generations_wake, &kafka->generations_lock);
    kafka->generations_kicked = false;
    bool stop = kafka->generations_stop;
    pthread_mutex_unlock(&kafka->generations_lock);
    return stop;
}

static void *generations_main(void *data)
{
    struct kafka *kafka = data;
    pthread_setname_np(pthread_self(), "generations");
    bool more = false;
    while (!wait_for_work(kafka, more))
        more = look(kafka);
    return NULL;
}

bool generations_start(struct kafka *kafka)
{
    kafka->generations_running =
        pthread_create(&kafka->generations_thread, NULL, generations_main, kafka) == 0;
    return kafka->generations_running;
}

void generations_stop(struct kafka *kafka)
{
    if (!kafka->generations_running)
        return;
    pthread_mutex_lock(&kafka->generations_lock);
    kafka->generations_stop = true;
    pthread_cond_signal(&kafka->generations_wake);
    pthread_mutex_unlock(&kafka->generations_lock);
    pthread_join(kafka->generations_thread, NULL);
    kafka->generations_running = false;
}
