// SPDX-License-Identifier: Apache-2.0
//
// Reads topics back, partition by partition, without a consumer group: no rights on
// groups are needed, and nothing is left behind in the cluster. One thread.
#include "kafka/reader.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"

#define ASK_MS 5000
#define POLL_MS 200
#define MESSAGES_MAX 1000

/* One topic, from the first time it is read until the reader ends: librdkafka keeps a topic, and the
 * opaque that it got at first, for as long as it likes. `ends` by partition while it is read; 0: nothing
 * (more) to read. */
struct topic {
    struct topic *next;
    rd_kafka_topic_t *rkt;
    int64_t *ends;
    int32_t partitions;
};

struct reader {
    rd_kafka_t *rk;
    struct topic *topics;
};

static void ignore_log(const rd_kafka_t *rk, int level, const char *facility, const char *message)
{
    /* Brokers that come and go are the caller's own doing; what matters is told by errstr. */
    (void)rk, (void)level, (void)facility, (void)message;
}

struct reader *reader_create(const char *brokers, const struct reader_property *properties, size_t count,
                             char *errstr, size_t errstr_size)
{
    static const struct reader_property defaults[] = {
        {"allow.auto.create.topics", "false"},
        {"auto.offset.reset", "error"}, /* a record that is gone is told, not jumped over */
        {"check.crcs", "true"},
        {"enable.partition.eof", "true"},
        {"fetch.wait.max.ms", "20"},
        {"queued.max.messages.kbytes", "65536"}, /* in all; at this librdkafka rests for a second */
        {"reconnect.backoff.max.ms", "1000"},
    };
    struct reader *reader = calloc(1, sizeof *reader);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (reader == NULL) {
        snprintf(errstr, errstr_size, "out of memory");
        goto fail;
    }
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++)
        if (rd_kafka_conf_set(conf, defaults[i].name, defaults[i].value, errstr, errstr_size) !=
            RD_KAFKA_CONF_OK)
            goto fail;
    if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, errstr, errstr_size) != RD_KAFKA_CONF_OK)
        goto fail;
    for (size_t i = 0; i < count; i++)
        if (rd_kafka_conf_set(conf, properties[i].name, properties[i].value, errstr, errstr_size) !=
            RD_KAFKA_CONF_OK)
            goto fail;
    rd_kafka_conf_set_log_cb(conf, ignore_log);
    reader->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, errstr, errstr_size);
    if (reader->rk == NULL)
        goto fail;
    return reader;

fail:
    rd_kafka_conf_destroy(conf);
    free(reader);
    return NULL;
}

void reader_free(struct reader *reader)
{
    if (reader == NULL)
        return;
    while (reader->topics != NULL) {
        struct topic *topic = reader->topics;
        reader->topics = topic->next;
        rd_kafka_topic_destroy(topic->rkt);
        free(topic->ends);
        free(topic);
    }
    rd_kafka_destroy(reader->rk);
    free(reader);
}

void reader_ranges_free(struct reader_ranges *ranges)
{
    for (size_t i = 0; i < ranges->count; i++)
        free(ranges->items[i].topic);
    free(ranges->items);
    *ranges = (struct reader_ranges){0};
}

/* --- looking --- */

static bool is_under(const char *topic, const char *prefix)
{
    size_t len = strlen(prefix);
    return strncmp(topic, prefix, len) == 0 && (topic[len] == '\0' || topic[len] == '.');
}

static bool add_range(struct reader_ranges *ranges, const char *topic, int32_t partition)
{
    struct reader_range *grown = reallocarray(ranges->items, ranges->count + 1, sizeof *grown);
    if (grown == NULL)
        return false;
    ranges->items = grown;
    char *name = strdup(topic);
    if (name == NULL)
        return false;
    ranges->items[ranges->count++] = (struct reader_range){.topic = name, .partition = partition};
    return true;
}

/* The partitions that are there now; false while one of them cannot be told. */
static bool list_partitions(struct reader *reader, const char *prefix, struct reader_ranges *ranges,
                            char *errstr, size_t errstr_size)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t err = rd_kafka_metadata(reader->rk, 1, NULL, &metadata, ASK_MS);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        snprintf(errstr, errstr_size, "no broker answers: %s", rd_kafka_err2str(err));
        return false;
    }
    bool told = true;
    for (int i = 0; i < metadata->topic_cnt && told; i++) {
        const struct rd_kafka_metadata_topic *topic = &metadata->topics[i];
        if (!is_under(topic->topic, prefix) || topic->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
            continue;
        if (topic->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            snprintf(errstr, errstr_size, "%s: %s", topic->topic, rd_kafka_err2str(topic->err));
            told = false;
        }
        for (int p = 0; p < topic->partition_cnt && told; p++) {
            told = add_range(ranges, topic->topic, topic->partitions[p].id);
            if (!told)
                snprintf(errstr, errstr_size, "out of memory");
        }
    }
    rd_kafka_metadata_destroy(metadata);
    return told;
}

static bool look_once(struct reader *reader, const char *prefix, struct reader_ranges *ranges, char *errstr,
                      size_t errstr_size)
{
    reader_ranges_free(ranges);
    if (!list_partitions(reader, prefix, ranges, errstr, errstr_size))
        return false;
    for (size_t i = 0; i < ranges->count; i++) {
        struct reader_range *range = &ranges->items[i];
        rd_kafka_resp_err_t err = rd_kafka_query_watermark_offsets(reader->rk, range->topic, range->partition,
                                                                   &range->low, &range->high, ASK_MS);
        if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            snprintf(errstr, errstr_size, "%s [%d]: %s", range->topic, (int)range->partition,
                     rd_kafka_err2str(err));
            return false;
        }
    }
    return true;
}

bool reader_look(struct reader *reader, const char *prefix, int timeout_ms, struct reader_ranges *ranges,
                 char *errstr, size_t errstr_size)
{
    uint64_t until_ms = clock_monotonic_ms() + (uint64_t)timeout_ms;
    while (!look_once(reader, prefix, ranges, errstr, errstr_size)) {
        if (clock_monotonic_ms() >= until_ms) {
            reader_ranges_free(ranges);
            return false;
        }
        nanosleep(&(struct timespec){.tv_nsec = 100 * 1000 * 1000}, NULL);
    }
    return true;
}

/* --- reading --- */

struct slice reader_header(const struct reader_record *record, const char *name)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t len;
    /* The headers are parsed in place: the message changes, the record does not. */
    rd_kafka_message_t *message = (rd_kafka_message_t *)(uintptr_t)record->message;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, name, &value, &len) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return SLICE_ABSENT;
    return (struct slice){value != NULL ? value : "", len};
}

struct session {
    struct reader *reader;
    rd_kafka_queue_t *queue;
    size_t open; /* partitions not read to their end */
};

static struct topic *topic_find(struct reader *reader, const char *name)
{
    struct topic *topic = reader->topics;
    while (topic != NULL && strcmp(rd_kafka_topic_name(topic->rkt), name) != 0)
        topic = topic->next;
    if (topic != NULL)
        return topic;
    rd_kafka_topic_conf_t *conf = rd_kafka_default_topic_conf_dup(reader->rk);
    topic = calloc(1, sizeof *topic);
    if (topic == NULL || conf == NULL)
        goto fail;
    rd_kafka_topic_conf_set_opaque(conf, topic);
    topic->rkt = rd_kafka_topic_new(reader->rk, name, conf);
    conf = NULL; /* taken */
    if (topic->rkt == NULL)
        goto fail;
    topic->next = reader->topics;
    reader->topics = topic;
    return topic;

fail:
    if (conf != NULL)
        rd_kafka_topic_conf_destroy(conf);
    free(topic);
    return NULL;
}

/* ranges: all of one topic. */
static bool open_topic(struct session *session, const struct reader_range *ranges, size_t count)
{
    struct topic *topic = topic_find(session->reader, ranges[0].topic);
    if (topic == NULL)
        return false;
    free(topic->ends);
    topic->partitions = 0;
    for (size_t i = 0; i < count; i++)
        if (ranges[i].partition >= topic->partitions)
            topic->partitions = ranges[i].partition + 1;
    topic->ends = calloc((size_t)topic->partitions, sizeof *topic->ends);
    if (topic->ends == NULL) {
        topic->partitions = 0;
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const struct reader_range *range = &ranges[i];
        if (range->low >= range->high)
            continue;
        if (rd_kafka_consume_start_queue(topic->rkt, range->partition, range->low, session->queue) != 0)
            return false;
        topic->ends[range->partition] = range->high;
        session->open++;
    }
    return true;
}

static bool session_open(struct session *session, const struct reader_ranges *ranges, char *errstr,
                         size_t errstr_size)
{
    session->queue = rd_kafka_queue_new(session->reader->rk);
    for (size_t i = 0, next; i < ranges->count; i = next) {
        for (next = i + 1; next < ranges->count; next++)
            if (strcmp(ranges->items[next].topic, ranges->items[i].topic) != 0)
                break;
        if (!open_topic(session, &ranges->items[i], next - i)) {
            snprintf(errstr, errstr_size, "cannot begin to read %s", ranges->items[i].topic);
            return false;
        }
    }
    return true;
}

static void close_partition(struct session *session, struct topic *topic, int32_t partition)
{
    rd_kafka_consume_stop(topic->rkt, partition);
    topic->ends[partition] = 0;
    session->open--;
}

static void session_close(struct session *session)
{
    for (struct topic *topic = session->reader->topics; topic != NULL; topic = topic->next)
        for (int32_t p = 0; p < topic->partitions; p++)
            if (topic->ends[p] > 0)
                close_partition(session, topic, p);
    rd_kafka_queue_destroy(session->queue);
}

/* False when the message says that the range cannot be read. */
static bool take_message(struct session *session, rd_kafka_message_t *message,
                         const struct reader_calls *calls, char *errstr, size_t errstr_size)
{
    struct topic *topic = message->rkt != NULL ? rd_kafka_topic_opaque(message->rkt) : NULL;
    bool known = topic != NULL && message->partition >= 0 && message->partition < topic->partitions;
    if (!known || topic->ends[message->partition] == 0)
        return true; /* behind the end, fetched before it was reached */
    int64_t end = topic->ends[message->partition];

    switch (message->err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        if (message->offset < end) {
            const struct reader_record record = {
                .topic = rd_kafka_topic_name(topic->rkt),
                .partition = message->partition,
                .offset = message->offset,
                .value = {message->payload, message->len},
                .message = message,
            };
            calls->take(calls->data, &record);
        }
        if (message->offset >= end - 1)
            close_partition(session, topic, message->partition);
        return true;
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        /* The last offsets may be no records (a transaction's marks, compaction). */
        if (message->offset >= end)
            close_partition(session, topic, message->partition);
        return true;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR__BAD_MSG:
        snprintf(errstr, errstr_size, "%s [%d]: %s", rd_kafka_topic_name(topic->rkt), (int)message->partition,
                 rd_kafka_message_errstr(message));
        return false;
    default:
        return true; /* librdkafka goes on by itself; if it does not, that is a stall */
    }
}

bool reader_read(struct reader *reader, const struct reader_ranges *ranges, int stall_ms,
                 const struct reader_calls *calls, char *errstr, size_t errstr_size)
{
    struct session session = {.reader = reader};
    bool good = session_open(&session, ranges, errstr, errstr_size);
    uint64_t moved_ms = clock_monotonic_ms(), ticked_ms = moved_ms;
    while (good && session.open > 0) {
        rd_kafka_message_t *messages[MESSAGES_MAX];
        ssize_t count = rd_kafka_consume_batch_queue(session.queue, POLL_MS / 2, messages, MESSAGES_MAX);
        uint64_t now_ms = clock_monotonic_ms();
        for (ssize_t i = 0; i < count; i++) {
            if (messages[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR)
                moved_ms = now_ms;
            good = good && take_message(&session, messages[i], calls, errstr, errstr_size);
            rd_kafka_message_destroy(messages[i]);
        }
        if (good && session.open > 0 && now_ms - moved_ms > (uint64_t)stall_ms) {
            snprintf(errstr, errstr_size, "no record for %d s, %zu partitions are not read to their end",
                     stall_ms / 1000, session.open);
            good = false;
        }
        if (good && now_ms - ticked_ms >= POLL_MS / 2) {
            ticked_ms = now_ms;
            good = calls->tick(calls->data);
            if (!good)
                snprintf(errstr, errstr_size, "interrupted");
        }
    }
    session_close(&session);
    return good;
}
