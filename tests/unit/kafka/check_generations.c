// SPDX-License-Identifier: Apache-2.0
//
// A producer that fails for good, again and again, under load: every batch gets exactly one `done`,
// a new producer takes over, the old one is gone. Against librdkafka's mock cluster.
#include <librdkafka/rdkafka.h>

#include <librdkafka/rdkafka_mock.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "kafka/internal.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define API_PRODUCE 0
#define API_INIT_PRODUCER_ID 22

#define FAILURES 20
#define SENDERS 2
#define RECORDS 20       /* of a batch, over all topics */
#define UNDER_WAY_MAX 30 /* batches of one sender */
#define BATCHES_MAX 200000

/* What a wait for the machine's work may take. */
#define PATIENCE_MS 30000

/* --- a bridge on a mock cluster: four topics, two deadlines, so four seats --- */

static struct topic_spec specs[] = {{.name = (char *)(uintptr_t) "marketo.activity", .partitions = 2},
                                    {.name = (char *)(uintptr_t) "marketo.audit", .partitions = 2},
                                    {.name = (char *)(uintptr_t) "marketo.notification", .partitions = 2},
                                    {.name = (char *)(uintptr_t) "marketo.deadletter", .partitions = 2}};
static struct routes routes = {.topics = specs, .topic_count = COUNT(specs), .dead_letter = 3};
static struct config_endpoint endpoints[] = {{.deadline_ms = 17000}, {.deadline_ms = 7000}};
static struct config config = {.endpoints = endpoints, .endpoint_count = COUNT(endpoints)};
static struct metrics *metrics;
static struct kafka *kafka;

/* Per batch, by the number in `owner`. */
static atomic_uchar dones[BATCHES_MAX], good[BATCHES_MAX];
static atomic_size_t begun, ended, delivered;

static void setup(void)
{
    char errstr[512];
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT, 2);
    for (size_t i = 0; i < BATCHES_MAX; i++) {
        atomic_store(&dones[i], 0);
        atomic_store(&good[i], 0);
    }
    atomic_store(&begun, 0);
    atomic_store(&ended, 0);
    atomic_store(&delivered, 0);
    metrics = metrics_create();
    kafka = kafka_start(
        &(struct kafka_options){.config = &config, .routes = &routes, .metrics = metrics, .embedded = true},
        errstr, sizeof errstr);
    ck_assert_msg(kafka != NULL, "%s", errstr);
}

/* Ends the bridge; whatever was under way has its `done` then. */
static void teardown(void)
{
    kafka_stop(kafka, 10000);
    size_t count = atomic_load(&begun);
    ck_assert_uint_eq(atomic_load(&ended), count);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(atomic_load(&dones[i]) == 1, "batch %zu of %zu: done %d times", i, count,
                      atomic_load(&dones[i]));
    kafka_free(kafka);
    metrics_free(metrics);
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 2 * 1000 * 1000}, NULL);
}

#define EVENTUALLY(condition)                                                                                \
    do {                                                                                                     \
        uint64_t until_ = clock_monotonic_ms() + PATIENCE_MS;                                                \
        while (!(condition)) {                                                                               \
            ck_assert_msg(clock_monotonic_ms() < until_, "never: " #condition);                              \
            nap();                                                                                           \
        }                                                                                                    \
    } while (0)

/* --- batches --- */

static void done(struct batch *batch)
{
    size_t number = (size_t)(uintptr_t)batch->owner;
    if (!atomic_load(&batch->failed)) {
        atomic_store(&good[number], 1);
        atomic_fetch_add(&delivered, 1);
    }
    batch_free(batch);
    atomic_fetch_add(&dones[number], 1);
    atomic_fetch_add(&ended, 1);
}

/* Hands a new batch over; its number. */
static size_t deliver(unsigned endpoint)
{
    static const char text[] = "{\"event\": \"a value that librdkafka reads where it lies\"}";
    struct batch *batch = batch_create(NULL);
    size_t number = atomic_fetch_add(&begun, 1);
    ck_assert_uint_lt(number, BATCHES_MAX);
    batch->owner = (void *)(uintptr_t)number;
    batch->deadline_in_ms = endpoints[endpoint].deadline_ms;
    batch->received_ms = clock_wall_ms();
    batch->deadline_ms = clock_monotonic_ms() + endpoints[endpoint].deadline_ms;
    batch->done = done;
    batch->events = RECORDS;
    for (int i = 0; i < RECORDS; i++) {
        struct record *record = batch_append_record(batch);
        record->topic = i % (int)COUNT(specs);
        record->stream = STREAM_ACTIVITY;
        record->event_time_ms = INT64_MIN;
        record->value = record->event = arena_copy(&batch->arena, slice_of(text));
    }
    kafka_deliver(kafka, batch);
    return number;
}

/* Delivers one batch and waits for its end; was it confirmed? */
static bool deliver_and_wait(unsigned endpoint)
{
    size_t number = deliver(endpoint);
    EVENTUALLY(atomic_load(&dones[number]) > 0);
    return atomic_load(&good[number]) == 1;
}

/* --- producers --- */

static size_t count_producers(void)
{
    size_t count = 0;
    unsigned side = epoch_enter(&kafka->epoch);
    for (struct producer *p = atomic_load(&kafka->producers); p != NULL; p = atomic_load(&p->next))
        count++;
    epoch_leave(&kafka->epoch, side);
    return count;
}

static uint64_t restarts(void)
{
    return counter_value(kafka->metrics.restarts);
}

static struct producer *current(size_t set, size_t share)
{
    pthread_mutex_lock(&kafka->producers_lock);
    struct producer *producer = kafka->sets[set].seats[0][share].current;
    pthread_mutex_unlock(&kafka->producers_lock);
    return producer;
}

/* Ends the producer that sits there now. */
static void fail_one(size_t set, size_t share)
{
    EVENTUALLY(atomic_load(&kafka->broken_seats) == 0);
    unsigned side = epoch_enter(&kafka->epoch);
    struct producer *producer = current(set, share);
    ck_assert_int_eq(rd_kafka_test_fatal_error(producer->rk, RD_KAFKA_RESP_ERR__INCONSISTENT, "by the test"),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
    epoch_leave(&kafka->epoch, side);
}

static atomic_bool sending;

static void *send_on(void *data)
{
    unsigned endpoint = (unsigned)(uintptr_t)data;
    while (atomic_load(&sending)) {
        bool room = atomic_load(&begun) - atomic_load(&ended) < SENDERS * UNDER_WAY_MAX;
        if (room)
            deliver(endpoint);
        /* A seat that waits for its second refuses at once, as fast as it is asked. */
        if (!room || atomic_load(&kafka->broken_seats) > 0)
            nap();
    }
    return NULL;
}

START_TEST(every_batch_ends_once_however_often_a_producer_fails)
{
    pthread_t senders[SENDERS];
    rd_kafka_mock_broker_set_rtt(kafka->embedded->cluster, -1, 20); /* so that much is in flight */
    size_t seats = count_producers();
    ck_assert_uint_eq(seats, 4);
    atomic_store(&sending, true);
    for (size_t i = 0; i < SENDERS; i++)
        ck_assert_int_eq(pthread_create(&senders[i], NULL, send_on, (void *)(uintptr_t)i), 0);
    size_t refused = 0;
    for (size_t i = 0; i < FAILURES; i++) {
        size_t before = atomic_load(&delivered);
        EVENTUALLY(atomic_load(&delivered) > before + 5);
        fail_one(i % 2, i / 2 % 2);
        EVENTUALLY(restarts() == i + 1);
        before = atomic_load(&delivered);
        EVENTUALLY(atomic_load(&delivered) > before + 5);
    }
    atomic_store(&sending, false);
    for (size_t i = 0; i < SENDERS; i++)
        pthread_join(senders[i], NULL);
    EVENTUALLY(atomic_load(&ended) == atomic_load(&begun));
    EVENTUALLY(count_producers() == seats); /* the old ones are gone */
    ck_assert_int_eq((int)producers_unreported(kafka), 0);
    ck_assert(deliver_and_wait(0));
    ck_assert(deliver_and_wait(1));
    for (size_t i = 0; i < atomic_load(&begun); i++)
        refused += !atomic_load(&good[i]);
    ck_assert_uint_gt(refused, 0);
}
END_TEST

/* What comes back to be sent again after the failure would wait for message.timeout.ms. */
START_TEST(what_was_under_way_is_answered_long_before_its_deadline)
{
    const int asked = 8;
    size_t left = 0;
    ck_assert(deliver_and_wait(0));
    for (int i = 0; i < asked; i++)
        rd_kafka_mock_broker_push_request_error_rtts(kafka->embedded->cluster, 1, API_PRODUCE, 1,
                                                     RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, 500);
    size_t number = deliver(0);
    /* Each topic has sent at least one request; the broker will say in half a second that it did not write.
     */
    EVENTUALLY(rd_kafka_mock_broker_error_stack_cnt(kafka->embedded->cluster, 1, API_PRODUCE, &left) == 0 &&
               left <= asked - COUNT(specs));
    uint64_t failed_ms = clock_monotonic_ms();
    fail_one(0, 0);
    fail_one(0, 1);
    EVENTUALLY(atomic_load(&dones[number]) == 1);
    ck_assert_uint_lt(clock_monotonic_ms() - failed_ms, 5000);
    ck_assert(!atomic_load(&good[number]));
    EVENTUALLY(deliver_and_wait(0));
}
END_TEST

/* The broker's own word, as a broker gives it that lost the partition's records. */
START_TEST(a_broker_that_counts_differently_costs_one_batch)
{
    ck_assert(deliver_and_wait(0));
    ck_assert_int_eq((int)restarts(), 0);
    rd_kafka_mock_push_request_errors(kafka->embedded->cluster, API_PRODUCE, 1,
                                      RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    ck_assert(!deliver_and_wait(0));
    EVENTUALLY(restarts() == 1);
    ck_assert(deliver_and_wait(0));
}
END_TEST

/* A right that is missing fails every new producer at once, until it is given. */
START_TEST(a_producer_that_may_not_write_is_made_anew_until_it_may)
{
    char reason[256];
    rd_kafka_resp_err_t no = RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
    ck_assert(deliver_and_wait(0));
    rd_kafka_mock_push_request_errors(kafka->embedded->cluster, API_INIT_PRODUCER_ID, 2, no, no);
    uint64_t failed_ms = clock_monotonic_ms();
    fail_one(0, 0);
    EVENTUALLY(restarts() == 1 && atomic_load(&kafka->broken_seats) > 0);
    ck_assert(!kafka_healthy(kafka, reason, sizeof reason));
    ck_assert_msg(strstr(reason, "producer") != NULL, "%s", reason);
    ck_assert(!deliver_and_wait(0));
    ck_assert(deliver_and_wait(1)); /* the other seats know nothing of it */
    EVENTUALLY(restarts() == 3);    /* at once, after a second, after two more */
    ck_assert_uint_ge(clock_monotonic_ms() - failed_ms, 3000);
    EVENTUALLY(deliver_and_wait(0));
    ck_assert_int_eq((int)restarts(), 3);
    EVENTUALLY(count_producers() == 4);
    ck_assert_msg(kafka_healthy(kafka, reason, sizeof reason), "%s", reason);
}
END_TEST

/* librdkafka then refuses the topic's records itself, until it has looked at the topic again. */
START_TEST(a_right_to_write_that_is_given_back_counts_at_once)
{
    ck_assert(deliver_and_wait(0));
    rd_kafka_mock_push_request_errors(kafka->embedded->cluster, API_PRODUCE, 1,
                                      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    ck_assert(!deliver_and_wait(0));
    EVENTUALLY(deliver_and_wait(0));
    ck_assert_int_eq((int)restarts(), 0);
}
END_TEST

/* Who is inside a section holds a handle's producer, and holds up nobody else. */
START_TEST(a_producer_stays_as_long_as_somebody_may_hold_it)
{
    unsigned side = epoch_enter(&kafka->epoch);
    struct producer *held = current(0, 0);
    for (size_t i = 0; i < 4; i++) {
        fail_one(i % 2, i / 2);
        EVENTUALLY(restarts() == i + 1);
        ck_assert(deliver_and_wait(i % 2));
    }
    ck_assert_uint_eq(count_producers(), 8);
    ck_assert_ptr_ne(current(0, 0), held);
    ck_assert_str_ne(rd_kafka_name(held->rk), "");
    ck_assert_str_eq(rd_kafka_topic_name(held->handles[0].rkt), specs[0].name);
    epoch_leave(&kafka->epoch, side);
    EVENTUALLY(count_producers() == 4);
}
END_TEST

START_TEST(the_end_may_come_while_producers_are_replaced)
{
    for (size_t i = 0; i < 20; i++)
        deliver(i % 2);
    for (size_t i = 0; i < 4; i++) {
        unsigned side = epoch_enter(&kafka->epoch);
        rd_kafka_test_fatal_error(current(i % 2, i / 2)->rk, RD_KAFKA_RESP_ERR__INCONSISTENT, "by the test");
        epoch_leave(&kafka->epoch, side);
    }
}
END_TEST

Suite *suite_generations(void)
{
    Suite *suite = suite_create("generations");
#ifdef __SANITIZE_THREAD__
    /* tests/sanitizers/README.md: librdkafka's own threads must be known to the sanitizer. */
    if (getenv("RDKAFKA_KNOWS_TSAN") == NULL)
        return suite;
#endif
    TCase *tcase = tcase_create("producers");
    tcase_set_timeout(tcase, 240);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, every_batch_ends_once_however_often_a_producer_fails);
    tcase_add_test(tcase, what_was_under_way_is_answered_long_before_its_deadline);
    tcase_add_test(tcase, a_broker_that_counts_differently_costs_one_batch);
    tcase_add_test(tcase, a_producer_that_may_not_write_is_made_anew_until_it_may);
    tcase_add_test(tcase, a_producer_stays_as_long_as_somebody_may_hold_it);
    tcase_add_test(tcase, a_right_to_write_that_is_given_back_counts_at_once);
    tcase_add_test(tcase, the_end_may_come_while_producers_are_replaced);
    suite_add_tcase(suite, tcase);
    return suite;
}
