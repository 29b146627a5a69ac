// SPDX-License-Identifier: Apache-2.0
//
// What the files of this folder share. Threads:
//   loop threads       call kafka_deliver: judge and produce
//   delivery thread    serves reports of all producers, completes batches
//   keeper thread      looks at the topics: creates, reads limits, re-judges parked records
//   generations thread puts a new producer in the place of one that failed for good
#ifndef BRIDGE_KAFKA_INTERNAL_H
#define BRIDGE_KAFKA_INTERNAL_H

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "kafka/flow.h"
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

/* Counts those who follow pointers to what may be taken away. Who reads such a pointer and uses what
 * it points to does so between enter and leave, for two atomic additions; sections may nest and may
 * block. Who takes something away first makes it unreachable, then waits for a grace: until every
 * section that had begun by then has ended; then frees it. */
struct epoch {
    atomic_uint current;
    atomic_int inside[2]; /* sections under way, by the parity of `current` at their begin */
};

/* Zero-initialised when the thing has become unreachable. */
struct grace {
    bool seen_empty[2];
};

static inline unsigned epoch_enter(struct epoch *epoch)
{
    unsigned side = atomic_load(&epoch->current) & 1;
    atomic_fetch_add(&epoch->inside[side], 1);
    return side;
}

static inline void epoch_leave(struct epoch *epoch, unsigned side)
{
    atomic_fetch_sub(&epoch->inside[side], 1);
}

enum producer_stage {
    PRODUCER_SEATED,
    PRODUCER_REPLACED, /* only the list leads to it; some may still hold a handle from before */
    PRODUCER_RETIRED   /* can get no more records */
};

/* One librdkafka producer: a generation of its seat. Reached by loop threads through a topic's handle
 * and by the delivery thread through the list, both inside an epoch section. */
struct producer {
    struct kafka *kafka;
    struct seat *seat;
    rd_kafka_t *rk;
    struct topic_handle *handles; /* one per topic, made when the topic first comes here */
    atomic_llong unreported;      /* records handed over and not reported yet */
    atomic_bool broken;           /* failed for good, takes no more records */
    atomic_bool confirmed;        /* some record of it has been */
    _Atomic(struct producer *) next;
    /* The generations thread's own. */
    enum producer_stage stage;
    struct grace grace;
    uint64_t broken_ms; /* monotonic: when the thread saw that it is broken; 0: it has not */
};

/* Where the records of one topic go. Lives as long as its producer. */
struct topic_handle {
    struct producer *producer;
    rd_kafka_topic_t *rkt; /* NULL: the topic has never been here */
};

/* The place of one producer in its set; when it fails for good, the next generation takes it.
 * Guarded by producers_lock. */
struct seat {
    struct producer_set *set;
    int level;
    struct producer *current; /* NULL: no topic has needed it */
    /* The generations thread's own; monotonic. */
    uint64_t made_ms; /* when the current one was made; 0: at the start */
    uint64_t wait_ms; /* and how long until the next, unless it confirms something */
    uint64_t told_ms; /* the last line in the log */
};

/* Producers with one message.timeout.ms, for the endpoints with one deadline. */
struct producer_set {
    uint64_t deadline_ms;
    struct flow flow;
    struct seat seats[LEVELS][PRODUCERS_PER_SET]; /* only level 0 has more than one */
    /* One per topic; replaced when the topic moves to another level or its producer failed. */
    _Atomic(struct topic_handle *) *handles;
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

    struct embedded *embedded; /* NULL: a real cluster */
    char *bootstrap;
    rd_kafka_t *admin; /* metadata and topics; sends no records */
    rd_kafka_topic_t **admin_topics;
    struct topic_state *topics;

    struct producer_set *sets;
    size_t set_count;
    struct epoch epoch;                   /* guards the producers and handles that readers hold */
    pthread_mutex_t producers_lock;       /* taken by who makes, moves or ends them; never on a loop */
    _Atomic(struct producer *) producers; /* all that are not destroyed, newest first */

    /* Generations thread. */
    pthread_t generations_thread;
    bool generations_running;
    pthread_mutex_t generations_lock; /* guards the two flags */
    pthread_cond_t generations_wake;
    bool generations_stop, generations_kicked;
    struct producer *leaving; /* the thread's own: taken out of the list, some may still look at it */
    atomic_int broken_seats;  /* whose producer has failed and is not replaced yet */

    /* Delivery thread. */
    pthread_t delivery_thread;
    bool delivery_running;
    int wake_fd;
    atomic_bool stop_delivery;

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
        struct counter *restarts;
    } metrics;
};

enum { EVENTS_DELIVERED, EVENTS_DUPLICATE, EVENTS_DEAD_LETTERED, EVENTS_FAILED };

/* properties.c */
/* A librdkafka configuration with the user's properties and the bridge's own: of a producer, or, with
 * message_timeout_ms 0 and no producer, of the admin handle. NULL with the reason in errstr. */
rd_kafka_conf_t *properties_make(struct kafka *kafka, struct producer *producer, int message_timeout_ms,
                                 int batch_size, char *errstr, size_t errstr_size);

/* epoch.c */
/* Is the grace over? Asked again and again until it is, by one thread. Never blocks. */
bool epoch_passed(struct epoch *epoch, struct grace *grace);

/* producer.c */
bool producers_start(struct kafka *kafka, char *errstr, size_t errstr_size);
/* Moves topics whose limit changed to a producer of the right level. Keeper thread. */
void producers_follow_limits(struct kafka *kafka);
/* Lets every producer see topics that were just made. Keeper thread; may block. */
void producers_refresh_metadata(struct kafka *kafka);
/* Lets one producer see the topics it has handles for. Blocks, at most timeout_ms. */
void producer_refresh_metadata(struct producer *producer, int timeout_ms);
/* Records handed to librdkafka and not reported yet. */
long long producers_unreported(struct kafka *kafka);
void producers_destroy(struct kafka *kafka);
/* A new producer for the seat, in the list and with no topics; NULL with the reason in errstr.
 * This one and the next two with producers_lock held. */
struct producer *producer_create(struct kafka *kafka, struct seat *seat, char *errstr, size_t errstr_size);
/* Makes the handles for all topics that `from` serves now; moves the topics to them. Moving must
 * follow preparing under the same lock, and cannot fail. */
bool producer_prepare_topics(struct producer *to, const struct producer *from, char *errstr,
                             size_t errstr_size);
void producer_move_topics(struct producer *to, const struct producer *from);
/* Frees a producer that nothing leads to any more. Blocks, up to a second or so. */
void producer_destroy(struct producer *producer);

/* generations.c */
bool generations_start(struct kafka *kafka);
/* Ends and joins the thread; what it has not buried, producers_destroy does. */
void generations_stop(struct kafka *kafka);
/* The producer has failed for good: it gets no more records, and its seat a new one. Any thread, inside
 * an epoch section, any number of times. */
void producer_failed(struct producer *producer);

/* delivery.c */
bool delivery_start(struct kafka *kafka);
void delivery_stop(struct kafka *kafka);
/* opaque is the producer. */
void delivery_report_callback(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque);
/* Judges parked records anew, after the limits were read. Keeper thread. */
void delivery_unpark(struct kafka *kafka, struct record *parked);
/* After all threads have ended: gives up what is parked still. */
void delivery_fail_parked(struct kafka *kafka);

/* counts.c */
void counts_register(struct kafka *kafka, struct metrics *metrics);
void counts_error(struct kafka *kafka, rd_kafka_resp_err_t code);

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
/* `durability: strict`, by what was read last of each topic that is there. Keeper thread. */
void topics_judge_durability(struct kafka *kafka);
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
struct embedded {
    rd_kafka_t *rk; /* only carries the mock cluster */
    struct rd_kafka_mock_cluster_s *cluster;
};
struct embedded *embedded_start(const struct routes *routes, char *errstr, size_t errstr_size);
const char *embedded_bootstrap(const struct embedded *embedded);
void embedded_stop(struct embedded *embedded);

#endif
