// SPDX-License-Identifier: Apache-2.0
//
// The way of a batch through Kafka: judged and produced on a loop thread, reported
// on the delivery thread, completed by whichever report is the last. A batch is
// never answered before every one of its records has been reported.
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "kafka/errors.h"
#include "kafka/internal.h"
#include "telemetry/log.h"

/* How often one record is handed to a producer within one batch: once, and twice more when the
 * broker finds it too large: by the limits read again, and alone. */
#define ATTEMPTS_MAX 3

/* Parts of a dead letter are not made smaller than this by the broker's refusals. */
#define PART_MIN 4096

/* --- completion --- */

static void fail_batch(struct batch *batch, const char *words)
{
    const char *none = NULL;
    atomic_compare_exchange_strong(&batch->failure, &none, words);
    atomic_store(&batch->failed, true);
}

static void fail_record(struct record *record, const char *words)
{
    record->outcome = RECORD_FAILED;
    fail_batch(record->batch, words);
}

/* Where the batch went: one line for each topic partition. */
static void log_written(const struct kafka *kafka, const struct batch *batch)
{
    struct range {
        int topic;
        int32_t partition;
        int64_t first, last;
    } ranges[64];
    size_t count = 0;
    for (const struct record *r = batch->first; r != NULL; r = r->next) {
        if (r->outcome != RECORD_DELIVERED)
            continue;
        size_t i = 0;
        while (i < count && (ranges[i].topic != r->topic || ranges[i].partition != r->partition))
            i++;
        if (i == count) {
            if (count == sizeof ranges / sizeof ranges[0])
                continue;
            ranges[count++] = (struct range){r->topic, r->partition, r->offset, r->offset};
        }
        if (r->offset < ranges[i].first)
            ranges[i].first = r->offset;
        if (r->offset > ranges[i].last)
            ranges[i].last = r->offset;
    }
    for (size_t i = 0; i < count; i++)
        log_debug("written", LOG_TEXT("request_id", batch->request_id),
                  LOG_TEXT("topic", kafka->routes->topics[ranges[i].topic].name),
                  LOG_INT("partition", ranges[i].partition), LOG_INT("first_offset", ranges[i].first),
                  LOG_INT("last_offset", ranges[i].last));
}

static void count_record(struct kafka *kafka, const struct record *record, int64_t now_ms)
{
    size_t type = record->type >= 0 ? (size_t)record->type : kafka->routes->type_count;
    int outcome;
    if (record->outcome != RECORD_DELIVERED) {
        outcome = EVENTS_FAILED;
    } else if (record->dead_letter != DEAD_LETTER_NONE) {
        outcome = EVENTS_DEAD_LETTERED;
        counter_add(kafka->metrics.dead_letters[record->dead_letter], 1);
    } else {
        outcome = EVENTS_DELIVERED;
        counter_add(kafka->metrics.events_bytes[record->stream], record->event.len);
        if (record->event_time_ms != INT64_MIN)
            histogram_observe(kafka->metrics.event_age[record->stream],
                              (double)(now_ms - record->event_time_ms) / 1000.0);
    }
    counter_add(kafka->metrics.events[outcome][type], 1);
}

/* The set whose records' fate is known soonest before the batch's deadline. A reload can bring a deadline
 * that is none of the start's: then the next shorter one, or the shortest. */
static struct producer_set *set_of(struct kafka *kafka, uint64_t deadline_in_ms)
{
    struct producer_set *found = NULL, *shortest = &kafka->sets[0];
    for (size_t i = 0; i < kafka->set_count; i++) {
        struct producer_set *set = &kafka->sets[i];
        if (set->deadline_ms < shortest->deadline_ms)
            shortest = set;
        if (set->deadline_ms <= deadline_in_ms && (found == NULL || set->deadline_ms > found->deadline_ms))
            found = set;
    }
    return found != NULL ? found : shortest;
}

bool kafka_keeps_up(struct kafka *kafka, uint64_t deadline_in_ms, uint64_t left_ms)
{
    return flow_admits(&set_of(kafka, deadline_in_ms)->flow, left_ms);
}

/* Every record has been reported: count, and give the batch back. */
static void complete(struct kafka *kafka, struct batch *batch)
{
    int64_t now_ms = clock_wall_ms();
    size_t delivered = 0, dead_lettered = 0;
    for (const struct record *r = batch->first; r != NULL; r = r->next) {
        /* A dead letter in parts counts once; what it replaced does not count. */
        if (r->outcome == RECORD_REPLACED || r->part > 1)
            continue;
        count_record(kafka, r, now_ms);
        if (r->outcome != RECORD_DELIVERED)
            continue;
        if (r->dead_letter == DEAD_LETTER_NONE)
            delivered++;
        else
            dead_lettered++;
    }
    batch->delivered = delivered;
    batch->dead_lettered = dead_lettered;

    if (batch->produced_us != 0) {
        uint64_t age_us = clock_monotonic_us() - batch->produced_us;
        histogram_observe(kafka->metrics.delivery_duration, (double)age_us / 1e6);
        flow_end(&set_of(kafka, batch->deadline_in_ms)->flow, batch->events, !atomic_load(&batch->failed),
                 age_us / 1000);
    }
    if (clock_monotonic_ms() > batch->deadline_ms)
        counter_add(kafka->metrics.late, delivered + dead_lettered);
    gauge_add(kafka->metrics.in_flight_events, -(double)batch->events);
    if (log_enabled(LOG_LEVEL_DEBUG))
        log_written(kafka, batch);
    batch->done(batch);
}

static void release(struct kafka *kafka, struct batch *batch)
{
    if (atomic_fetch_sub(&batch->pending, 1) == 1)
        complete(kafka, batch);
}

/* What an error asks for beside the answer. */
static void act_on(struct producer *producer, enum error_action action)
{
    if (action == ERROR_LOOK_AT_TOPIC || action == ERROR_TOO_LARGE)
        topics_kick(producer->kafka);
    else if (action == ERROR_BROKEN)
        producer_failed(producer);
}

/* --- producing --- */

static rd_kafka_headers_t *make_headers(const struct record *record)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(record->header_count);
    for (size_t i = 0; i < record->header_count; i++) {
        const struct header *h = &record->headers[i];
        if (rd_kafka_header_add(headers, h->name, -1, h->value.ptr, (ssize_t)h->value.len) !=
            RD_KAFKA_RESP_ERR_NO_ERROR) {
            rd_kafka_headers_destroy(headers);
            return NULL;
        }
    }
    return headers;
}

/* The handle is good until the caller's epoch section ends. */
static struct topic_handle *handle_of(struct kafka *kafka, const struct record *record)
{
    return atomic_load(&set_of(kafka, record->batch->deadline_in_ms)->handles[record->topic]);
}

/* Hands the record over; its report releases one `pending`. False, with the
 * record and its batch marked as failed, when librdkafka does not take it. Inside an epoch section. */
static bool produce(struct kafka *kafka, struct record *record)
{
    struct batch *batch = record->batch;
    struct topic_handle *handle = handle_of(kafka, record);
    struct producer *producer = handle->producer;
    rd_kafka_headers_t *headers = make_headers(record);
    if (headers == NULL) {
        fail_record(record, "out of memory");
        return false;
    }
    record->attempts++;
    atomic_fetch_add(&batch->pending, 1);
    atomic_fetch_add(&producer->unreported, 1);
    const void *key = record->key.ptr;
    size_t key_length = record->key.len;
    /* The value is not copied: it belongs to the batch, which lives until its last report. */
    const void *value = record->value.ptr;
    size_t value_length = record->value.len;
    rd_kafka_resp_err_t err = rd_kafka_producev(
        producer->rk, RD_KAFKA_V_RKT(handle->rkt), RD_KAFKA_V_MSGFLAGS(0), RD_KAFKA_V_KEY(key, key_length),
        RD_KAFKA_V_VALUE((void *)(uintptr_t)value, value_length), RD_KAFKA_V_TIMESTAMP(batch->received_ms),
        RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(record), RD_KAFKA_V_END);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
        return true;

    const char *words;
    rd_kafka_headers_destroy(headers); /* ours again after a refusal */
    atomic_fetch_sub(&producer->unreported, 1);
    counts_error(kafka, err);
    atomic_store(&kafka->last_failed_ms, clock_monotonic_ms());
    act_on(producer, kafka_error_action(err, &words));
    fail_record(record, words);
    atomic_fetch_sub(&batch->pending, 1); /* never the last: the caller holds one */
    return false;
}

/* Turns the record into a dead letter; false when there is no memory for the words. */
static bool make_too_large(struct record *record, const char *format, size_t size, size_t limit)
{
    char detail[160];
    snprintf(detail, sizeof detail, format, size, limit);
    record->detail = arena_copy(&record->batch->arena, slice_of(detail)).ptr;
    record->dead_letter = DEAD_LETTER_TOO_LARGE;
    return record->detail != NULL;
}

/* Is the topic there, does it take a record of this size, and is there a producer for it? A record that
 * is too large becomes a dead letter. False: the batch fails. Inside an epoch section. */
static bool judge(struct kafka *kafka, struct record *record)
{
    if (record->outcome != RECORD_PENDING)
        return true;
    if (record->dead_letter == DEAD_LETTER_NONE) {
        size_t limit = (size_t)atomic_load(&kafka->topics[record->topic].max_message_bytes);
        size_t size = record_wire_size(record);
        if (size > limit &&
            !make_too_large(record, "%zu bytes with key and headers; the topic takes %zu", size, limit)) {
            fail_record(record, "out of memory");
            return false;
        }
    }
    if (record->dead_letter != DEAD_LETTER_NONE && record->parts == 0) {
        if (dead_letter_expand(kafka, record) == NULL) {
            fail_record(record, "out of memory, or the dead-letter topic's max.message.bytes is too small");
            return false;
        }
        return true;
    }
    switch (atomic_load(&kafka->topics[record->topic].presence)) {
    case TOPIC_MISSING:
        topics_kick(kafka);
        fail_record(record, "a topic does not exist");
        return false;
    case TOPIC_WEAK:
        fail_record(record, "a topic is weaker than durability: strict allows");
        return false;
    case TOPIC_UNJUDGED:
        topics_kick(kafka);
        fail_record(record, "a topic's durability is not known yet");
        return false;
    case TOPIC_UNKNOWN:
        /* No broker has answered since the start: nothing to wait for. */
        fail_record(record, "Kafka is not reachable");
        return false;
    case TOPIC_PRESENT:
        break;
    }
    if (atomic_load(&handle_of(kafka, record)->producer->broken)) {
        fail_record(record, "a Kafka producer failed and is being replaced");
        return false;
    }
    return true;
}

/* What librdkafka keeps of its own for a record: the message, the key, the headers. */
static size_t copied_bytes(const struct record *record)
{
    size_t bytes = 256 + record->key.len;
    for (size_t i = 0; i < record->header_count; i++)
        bytes += 96 + strlen(record->headers[i].name) + record->headers[i].value.len;
    return bytes;
}

void kafka_deliver(struct kafka *kafka, struct batch *batch)
{
    atomic_store(&batch->pending, 1);
    atomic_store(&batch->producing, true);
    gauge_add(kafka->metrics.in_flight_events, (double)batch->events);

    /* All is judged before the first record is produced, so that a batch that
     * cannot succeed leaves nothing behind to be duplicated by its retry. */
    unsigned epoch = epoch_enter(&kafka->epoch);
    bool good = true;
    size_t copies = 0; /* librdkafka's own: message, key, headers */
    for (struct record *r = batch->first; r != NULL && good; r = r->next) {
        good = judge(kafka, r);
        copies += copied_bytes(r);
    }
    if (good && !arena_charge(&batch->arena, copies)) {
        fail_batch(batch, "the in-flight budget is full");
        good = false;
    }
    if (good) {
        batch->produced_us = clock_monotonic_us();
        flow_begin(&set_of(kafka, batch->deadline_in_ms)->flow, batch->events);
        for (struct record *r = batch->first; r != NULL && good; r = r->next)
            if (r->outcome == RECORD_PENDING)
                good = produce(kafka, r);
    }
    epoch_leave(&kafka->epoch, epoch);
    atomic_store(&batch->producing, false);
    release(kafka, batch);
}

/* --- reports --- */

void delivery_report_callback(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct producer *producer = opaque;
    struct kafka *kafka = producer->kafka;
    struct record *record = message->_private;
    struct batch *batch = record->batch;
    (void)rk;
    assert(batch->magic == BATCH_MAGIC);
    atomic_fetch_sub(&producer->unreported, 1);

    /* A report without an error and without an offset is no confirmation: librdkafka gives it
     * when the broker called a retry a duplicate whose place it does not know. On a partition just
     * created the broker takes any first sequence number, so that a second request can get in before
     * the first, whose retry is then "a duplicate" of something that was never written. */
    rd_kafka_resp_err_t err = message->err;
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR && message->offset < 0)
        err = RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER;

    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        record->outcome = RECORD_DELIVERED;
        record->partition = message->partition;
        record->offset = message->offset;
        if (!atomic_load_explicit(&producer->confirmed, memory_order_relaxed))
            atomic_store(&producer->confirmed, true);
        atomic_store_explicit(&kafka->last_confirmed_ms, clock_monotonic_ms(), memory_order_relaxed);
        release(kafka, batch);
        return;
    }

    const char *words;
    enum error_action action = kafka_error_action(err, &words);
    counts_error(kafka, err);
    if (action == ERROR_TOO_LARGE && record->attempts <= ATTEMPTS_MAX) {
        topics_park(kafka, record); /* stays pending until the keeper has judged it anew */
        return;
    }
    atomic_store(&kafka->last_failed_ms, clock_monotonic_ms());
    act_on(producer, action);
    fail_record(record, words);
    release(kafka, batch);
}

/* From now on the topic's records go one by one. */
static void serve_one_by_one(struct kafka *kafka, int topic)
{
    struct topic_state *state = &kafka->topics[topic];
    if (state->one_by_one)
        return;
    log_warning("Kafka finds records of a topic too large that its settings allow, or its max.message.bytes "
                "cannot be read (the right DescribeConfigs): its records go one by one",
                LOG_TEXT("topic", kafka->routes->topics[topic].name));
    state->one_by_one = true;
    producers_follow_limits(kafka);
}

/* Did the broker's last word concern this record and no neighbour? */
static bool travelled_alone(struct kafka *kafka, const struct record *record)
{
    return kafka->topics[record->topic].one_by_one &&
           handle_of(kafka, record)->producer->seat->level == LEVELS - 1;
}

/* The broker found a Kafka batch with this record too large, and the limits have been read again.
 * Inside an epoch section. */
static void judge_again(struct kafka *kafka, struct record *record)
{
    struct topic_state *state = &kafka->topics[record->topic];
    bool alone = record->attempts > 1 && travelled_alone(kafka, record);
    if (record->attempts > 1 || !state->limit_known)
        serve_one_by_one(kafka, record->topic);
    if (alone && record->dead_letter == DEAD_LETTER_NONE) {
        make_too_large(record, "%zu bytes with key and headers; Kafka refuses it alone",
                       record_wire_size(record), 0);
    } else if (alone) {
        /* A part of a dead letter: this batch is 503, and the parts of its retry are smaller. */
        int limit = atomic_load(&state->max_message_bytes);
        if (limit > 2 * PART_MIN)
            atomic_store(&state->max_message_bytes, limit / 2);
        fail_record(record, "the dead-letter topic takes only smaller records");
    } else if (record->attempts >= ATTEMPTS_MAX) {
        fail_record(record, "a record is over the topic's max.message.bytes");
    }
    if (record->outcome != RECORD_PENDING || !judge(kafka, record))
        return;
    if (record->outcome == RECORD_PENDING) {
        produce(kafka, record);
        return;
    }
    /* It became a dead letter, whose parts follow it in the list. */
    struct record *part = record->next;
    uint32_t parts = part->parts;
    bool good = true;
    for (uint32_t i = 0; i < parts; i++, part = part->next)
        if (good)
            good = judge(kafka, part) && produce(kafka, part);
        else
            part->outcome = RECORD_FAILED;
}

void delivery_unpark(struct kafka *kafka, struct record *parked)
{
    while (parked != NULL) {
        struct record *record = parked;
        struct batch *batch = record->batch;
        parked = record->parked;
        record->parked = NULL;
        if (atomic_load(&batch->producing)) {
            topics_park(kafka, record); /* the loop thread still walks the list */
            continue;
        }
        unsigned epoch = epoch_enter(&kafka->epoch);
        if (clock_monotonic_ms() + PRODUCE_MIN_MS > batch->deadline_ms)
            fail_record(record, "no time left to write again");
        else
            judge_again(kafka, record);
        epoch_leave(&kafka->epoch, epoch);
        release(kafka, batch);
    }
}

void delivery_fail_parked(struct kafka *kafka)
{
    while (kafka->parked != NULL) {
        struct record *record = kafka->parked;
        kafka->parked = record->parked;
        fail_record(record, "the bridge is stopping");
        release(kafka, record->batch);
    }
}

/* --- the thread --- */

/* What every producer has to report now; how much it was. A section for each pass, so that an old
 * producer can go however much the others have to say. */
static int serve_reports(struct kafka *kafka)
{
    int served = 0;
    unsigned epoch = epoch_enter(&kafka->epoch);
    for (struct producer *p = atomic_load(&kafka->producers); p != NULL; p = atomic_load(&p->next))
        served += rd_kafka_poll(p->rk, 0);
    epoch_leave(&kafka->epoch, epoch);
    return served;
}

static void tick_flows(struct kafka *kafka)
{
    uint64_t now_ms = clock_monotonic_ms();
    for (size_t i = 0; i < kafka->set_count; i++)
        flow_tick(&kafka->sets[i].flow, now_ms);
}

static void *delivery_main(void *data)
{
    struct kafka *kafka = data;
    pthread_setname_np(pthread_self(), "delivery");
    while (!atomic_load(&kafka->stop_delivery)) {
        /* librdkafka writes to wake_fd when a queue that was empty gets its first report. */
        struct pollfd fd = {.fd = kafka->wake_fd, .events = POLLIN};
        uint64_t count;
        if (poll(&fd, 1, 100) > 0 && read(kafka->wake_fd, &count, sizeof count) < 0 && errno != EAGAIN)
            log_error("cannot read the wake-up of the delivery thread", LOG_INT("errno", errno));
        while (serve_reports(kafka) > 0)
            tick_flows(kafka);
        tick_flows(kafka);
        rd_kafka_poll(kafka->admin, 0);
    }
    return NULL;
}

bool delivery_start(struct kafka *kafka)
{
    kafka->delivery_running = pthread_create(&kafka->delivery_thread, NULL, delivery_main, kafka) == 0;
    return kafka->delivery_running;
}

void delivery_stop(struct kafka *kafka)
{
    if (!kafka->delivery_running)
        return;
    atomic_store(&kafka->stop_delivery, true);
    pthread_join(kafka->delivery_thread, NULL);
    kafka->delivery_running = false;
}
