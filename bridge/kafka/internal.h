// SPDX-License-Identifier: Apache-2.0
//
// What the files of this folder share. Threads:
//   loop threads     call kafka_deliver: judge and produce
//   delivery thread  serves reports of all producers, completes batches
//   keeper thread    looks at the topics: creates, reads limits, re-judges parked records
#ifndef BRIDGE_KAFKA_INTERNAL_H
#define BRIDGE_KAFKA_INTERNAL_H

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "kafka/kafka.h"

/* Producers of one set share out the topics: librdkafka sends one partition per
 * request, so a second connection carries more. Median of three, Kafka 4.3.1, 82 topics, 64
 * batches of 20 under way, events/s: one 30,700, two 47,800, three 48,000. */
#define PRODUCERS_PER_SET 2

/* A Kafka batch is refused whole when it is over the topic's max.message.bytes,
 * so batch.size stays below the limit. Level k has batch.size BATCH_SIZE >> k;
 * a topic with a small limit is served by a producer of a higher level, made
 * when the limit is seen. */
#define BATCH_SIZE 1000000
#define LEVELS 11

/* Kafka's default for max.message.bytes, taken until the topic's own is read. */
#define MAX_MESSAGE_BYTES_DEFAULT 1048588

/* With less time left than this nothing is produced any more. */
#define PRODUCE_MIN_MS 1000

/* One librdkafka producer. Never destroyed before kafka_stop. */
struct producer {
    struct kafka *kafka;
    rd_kafka_t *rk;
    struct producer *next; /* list of all, newest first */
};

/* Where the records of one topic go, in one set. Made once, replaced by pointer
 * when the topic moves to another level; old ones live until kafka_stop. */
struct topic_handle {
    rd_kafka_t *rk; /* the producer's */
    rd_kafka_topic_t *rkt;
    int level;
    struct topic_handle *previous;
};

/* Producers with one message.timeout.ms, for the endpoints with one deadline. */
struct producer_set {
    uint64_t deadline_ms;
    struct producer *producers[LEVELS][PRODUCERS_PER_SET]; /* only level 0 has more than one */
    _Atomic(struct topic_handle *) *handles;               /* one per topic */
};

enum topic_presence {
    TOPIC_UNKNOWN, /* no broker has told us yet */
    TOPIC_PRESENT,
    TOPIC_MISSING,
    TOPIC_UNJUDGED, /* there, but durability: strict has not been judged yet */
    TOPIC_WEAK      /* there, but weaker than durability: strict */
};

struct topic_state {
    _Atomic enum topic_presence presence;
    atomic_int max_message_bytes;
    /* The keeper's own. */
    int partitions, replication, min_insync_replicas; /* -1: unknown */
    int64_t retention_ms;                             /* INT64_MIN: unknown */
    bool warned, create_failed, seen;
    bool unauthorized; /* no right to look at it */
    bool limit_known;  /* max.message.bytes has been read */
    int limit_read;
    /* The broker finds records too large that should fit, or the limit cannot be read: the topic is
     * served by the last level, where a record of any size travels alone and the broker's word is
     * about it. */
    bool one_by_one;
};

struct kafka {
    const struct config *config;
    const struct routes *routes;
    void (*broken)(void *data);
    void *broken_data;
    atomic_bool is_broken;

    struct embedded *embedded; /* NULL: a real cluster */
    char *bootstrap;
    rd_kafka_t *admin; /* metadata and topics; sends no records */
    rd_kafka_topic_t **admin_topics;
    struct topic_state *topics;

    struct producer_set *sets;
    size_t set_count;
    _Atomic(struct producer *) producers;

    /* Delivery thread. */
    pthread_t delivery_thread;
    bool delivery_running;
    int wake_fd;
    atomic_bool stop_delivery;
    atomic_llong unreported; /* records handed to librdkafka and not reported yet */

    /* Keeper thread. */
    pthread_t keeper_thread;
    bool keeper_running;
    pthread_mutex_t keeper_lock; /* guards the members below */
    pthread_cond_t keeper_wake;
    bool keeper_stop, keeper_kicked;
    struct record *parked;
    char trouble[256]; /* why Kafka is not healthy; "" when it is */
    int brokers;       /* in the last metadata answer */

    /* Confirming? Monotonic ms of the last record confirmed and the last one refused. */
    _Atomic uint64_t last_confirmed_ms, last_failed_ms;

    struct {
        struct metrics *registry;
        struct counter **events[4]; /* by outcome, then type */
        struct counter *events_bytes[STREAM_COUNT];
        struct counter *dead_letters[DEAD_LETTER_REASON_COUNT];
        struct counter *late;
        struct histogram *delivery_duration;
        struct histogram *event_age[STREAM_COUNT];
        struct gauge *in_flight_events;
        struct gauge *up, *brokers_up;
    } metrics;
};

enum { EVENTS_DELIVERED, EVENTS_DUPLICATE, EVENTS_DEAD_LETTERED, EVENTS_FAILED };

/* properties.c */
/* A librdkafka configuration with the user's properties and the bridge's own.
 * message_timeout_ms 0: for the admin handle. NULL with the reason in errstr. */
rd_kafka_conf_t *properties_make(struct kafka *kafka, int message_timeout_ms, int batch_size, char *errstr,
                                 size_t errstr_size);

/* producer.c */
bool producers_start(struct kafka *kafka, char *errstr, size_t errstr_size);
/* Moves topics whose limit changed to a producer of the right level. Keeper thread. */
void producers_follow_limits(struct kafka *kafka);
/* Lets every producer see topics that were just made. Keeper thread; may block. */
void producers_refresh_metadata(struct kafka *kafka);
void producers_destroy(struct kafka *kafka);

/* delivery.c */
bool delivery_start(struct kafka *kafka);
void delivery_stop(struct kafka *kafka);
void delivery_report_callback(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque);
/* Judges parked records anew, after the limits were read. Keeper thread. */
void delivery_unpark(struct kafka *kafka, struct record *parked);
/* After all threads have ended: gives up what is parked still. */
void delivery_fail_parked(struct kafka *kafka);
void delivery_metrics_register(struct kafka *kafka, struct metrics *metrics);
void kafka_count_error(struct kafka *kafka, rd_kafka_resp_err_t code);

/* record_size.c */
/* Bytes of a Kafka record batch (message format 2) that holds this record alone. */
size_t record_wire_size(const struct record *record);

/* dead_letter.c */
/* Makes the dead-letter records of `record`, in parts of the size that the topic takes,
 * and links them behind it; marks it RECORD_REPLACED. The first part, or NULL when
 * out of memory or when the topic takes nothing at all. */
struct record *dead_letter_expand(const struct kafka *kafka, struct record *record);

/* topics.c */
/* One round: metadata, create what is missing, read limits. False when no broker answered, or
 * the limits were not told. */
bool topics_round(struct kafka *kafka, bool read_limits, int timeout_ms);
/* First topic that is weaker than durability: strict, or NULL. */
const char *topics_first_weak(const struct kafka *kafka);
bool topics_start_keeper(struct kafka *kafka);
/* Tells it to end; it may be waiting for Kafka for a few seconds still. */
void topics_end_keeper(struct kafka *kafka);
void topics_join_keeper(struct kafka *kafka);
/* Look at the topics soon. Any thread. */
void topics_kick(struct kafka *kafka);
void topics_park(struct kafka *kafka, struct record *record);

/* admin.c */
/* Creates the topics named by index; sets create_failed for those that were refused. */
void admin_create_topics(struct kafka *kafka, const int *missing, size_t count, int timeout_ms);
/* Reads max.message.bytes, min.insync.replicas and retention.ms of all present topics. */
bool admin_read_limits(struct kafka *kafka, int timeout_ms);
bool topic_is_there(enum topic_presence presence);

/* embedded.c */
struct embedded *embedded_start(const struct routes *routes, char *errstr, size_t errstr_size);
const char *embedded_bootstrap(const struct embedded *embedded);
void embedded_stop(struct embedded *embedded);

#endif
