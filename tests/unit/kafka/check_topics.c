// SPDX-License-Identifier: Apache-2.0
//
// What is known of a topic decides whether a batch with an event for it is produced at all, and
// `durability: strict` decides by replication and min.insync.replicas. Without a broker.
#include <stdlib.h>

#include "kafka/internal.h"
#include "suites.h"

static struct topic_spec specs[] = {{.name = (char *)"marketo.activity"}};
static struct topic_state states[1];
static struct routes routes = {.topics = specs, .topic_count = 1};
static struct config config;
static struct kafka kafka;
static struct metrics *metrics;
static int dones;

static void setup(void)
{
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT, 2);
    states[0] = (struct topic_state){.replication = -1, .min_insync_replicas = -1};
    atomic_store(&states[0].max_message_bytes, MAX_MESSAGE_BYTES_DEFAULT);
    config = (struct config){.durability = DURABILITY_STRICT};
    kafka = (struct kafka){.config = &config, .routes = &routes, .topics = states};
    pthread_mutex_init(&kafka.keeper_lock, NULL);
    pthread_cond_init(&kafka.keeper_wake, NULL);
    metrics = metrics_create();
    counts_register(&kafka, metrics);
    dones = 0;
}

static void teardown(void)
{
    for (size_t o = 0; o < 4; o++)
        free(kafka.metrics.events[o]);
    metrics_free(metrics);
    pthread_cond_destroy(&kafka.keeper_wake);
    pthread_mutex_destroy(&kafka.keeper_lock);
}

static void done(struct batch *batch)
{
    (void)batch;
    dones++;
}

static const struct {
    enum topic_presence presence;
    const char *words;
    bool kicks; /* the keeper is to look at once */
} refusals[] = {
    {TOPIC_UNKNOWN, "Kafka is not reachable", false},
    {TOPIC_MISSING, "a topic does not exist", true},
    {TOPIC_UNJUDGED, "a topic's durability is not known yet", true},
    {TOPIC_WEAK, "a topic is weaker than durability: strict allows", false},
};

START_TEST(nothing_is_produced_to_a_topic_that_cannot_keep_it)
{
    struct batch *batch = batch_create(NULL);
    struct record *record = batch_append_record(batch);
    record->topic = 0;
    record->value = record->event = SLICE_LITERAL("{}");
    batch->events = 1;
    batch->done = done;
    atomic_store(&states[0].presence, refusals[_i].presence);
    kafka_deliver(&kafka, batch);
    ck_assert_int_eq(dones, 1);
    ck_assert(atomic_load(&batch->failed));
    ck_assert_str_eq(atomic_load(&batch->failure), refusals[_i].words);
    ck_assert_uint_eq(batch->produced_us, 0);
    ck_assert_uint_eq(record->attempts, 0);
    ck_assert_uint_eq(batch->delivered, 0);
    ck_assert(kafka.keeper_kicked == refusals[_i].kicks);
    batch_free(batch);
}
END_TEST

static const struct {
    enum durability durability;
    int replication, min_insync_replicas;
    enum topic_presence before, after;
} topics[] = {
    {DURABILITY_STRICT, 3, 1, TOPIC_UNJUDGED, TOPIC_WEAK},
    {DURABILITY_STRICT, 5, 1, TOPIC_UNJUDGED, TOPIC_WEAK},
    {DURABILITY_STRICT, 3, 2, TOPIC_UNJUDGED, TOPIC_PRESENT},
    /* Settings that change while the bridge runs. */
    {DURABILITY_STRICT, 3, 1, TOPIC_PRESENT, TOPIC_WEAK},
    {DURABILITY_STRICT, 3, 2, TOPIC_WEAK, TOPIC_PRESENT},
    /* Fewer replicas, or settings that may not be read, are the user's own to know: a warning. */
    {DURABILITY_STRICT, 2, 1, TOPIC_PRESENT, TOPIC_PRESENT},
    {DURABILITY_STRICT, 1, 1, TOPIC_PRESENT, TOPIC_PRESENT},
    {DURABILITY_STRICT, 3, -1, TOPIC_UNJUDGED, TOPIC_PRESENT},
    {DURABILITY_STRICT, 3, 1, TOPIC_MISSING, TOPIC_MISSING},
    {DURABILITY_RELAXED, 3, 1, TOPIC_PRESENT, TOPIC_PRESENT},
};

START_TEST(strict_wants_two_replicas_in_sync_where_there_are_three)
{
    config.durability = topics[_i].durability;
    states[0].replication = topics[_i].replication;
    states[0].min_insync_replicas = topics[_i].min_insync_replicas;
    atomic_store(&states[0].presence, topics[_i].before);
    topics_judge_durability(&kafka);
    ck_assert_int_eq(atomic_load(&states[0].presence), topics[_i].after);
    ck_assert((topics_first_weak(&kafka) != NULL) == (topics[_i].after == TOPIC_WEAK));
}
END_TEST

Suite *suite_topics(void)
{
    Suite *suite = suite_create("topics");
    TCase *tcase = tcase_create("topics");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, nothing_is_produced_to_a_topic_that_cannot_keep_it, 0,
                        (int)(sizeof refusals / sizeof refusals[0]));
    tcase_add_loop_test(tcase, strict_wants_two_replicas_in_sync_where_there_are_three, 0,
                        (int)(sizeof topics / sizeof topics[0]));
    suite_add_tcase(suite, tcase);
    return suite;
}
