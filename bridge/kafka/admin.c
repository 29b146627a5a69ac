// SPDX-License-Identifier: Apache-2.0
//
// Kafka's Admin API: create topics with settings, read settings. Called at the
// start, by the keeper thread and by the `topics` command; blocks.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kafka/internal.h"
#include "telemetry/log.h"

/* At least this much is needed for a request to be worth sending. */
#define TIMEOUT_MIN_MS 1000

static rd_kafka_AdminOptions_t *make_options(struct kafka *kafka, rd_kafka_admin_op_t op, int timeout_ms)
{
    char errstr[128];
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(kafka->admin, op);
    if (timeout_ms < TIMEOUT_MIN_MS)
        timeout_ms = TIMEOUT_MIN_MS;
    rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, errstr, sizeof errstr);
    if (op == RD_KAFKA_ADMIN_OP_CREATETOPICS)
        rd_kafka_AdminOptions_set_operation_timeout(options, timeout_ms, errstr, sizeof errstr);
    return options;
}

static const char *config_value(const rd_kafka_ConfigResource_t *resource, const char *name)
{
    size_t count;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), name) == 0)
            return rd_kafka_ConfigEntry_value(entries[i]);
    return NULL;
}

/* Sends DescribeConfigs; the event holds the answer, NULL when there is none. */
static rd_kafka_event_t *describe(struct kafka *kafka, rd_kafka_ConfigResource_t **resources, size_t count,
                                  int timeout_ms)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka->admin);
    rd_kafka_AdminOptions_t *options = make_options(kafka, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, timeout_ms);
    rd_kafka_DescribeConfigs(kafka->admin, resources, count, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, timeout_ms + 1000);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    if (event != NULL && rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        static struct log_limit limit;
        uint64_t suppressed;
        if (log_limit_pass(&limit, &suppressed))
            log_warning("cannot read settings from Kafka",
                        LOG_TEXT("error", rd_kafka_event_error_string(event)));
        rd_kafka_event_destroy(event);
        return NULL;
    }
    return event;
}

static const rd_kafka_ConfigResource_t **results(const rd_kafka_event_t *event, size_t *count)
{
    return rd_kafka_DescribeConfigs_result_resources(
        rd_kafka_event_DescribeConfigs_result((rd_kafka_event_t *)(uintptr_t)event), count);
}

/* default.replication.factor of a broker; with fewer than three brokers it cannot be more than that.
 * -1 when it cannot be read. */
static int default_replication(struct kafka *kafka, int timeout_ms)
{
    int replication = -1;
    char broker[16];
    const struct rd_kafka_metadata *metadata = NULL;
    if (rd_kafka_metadata(kafka->admin, 0, NULL, &metadata, timeout_ms) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return replication;
    if (metadata->broker_cnt < 3) {
        replication = metadata->broker_cnt;
    } else {
        snprintf(broker, sizeof broker, "%d", (int)metadata->brokers[0].id);
        rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_BROKER, broker);
        rd_kafka_event_t *event = describe(kafka, &resource, 1, timeout_ms);
        if (event != NULL) {
            size_t count;
            const rd_kafka_ConfigResource_t **found = results(event, &count);
            const char *value = count > 0 ? config_value(found[0], "default.replication.factor") : NULL;
            if (value != NULL)
                replication = (int)strtol(value, NULL, 10);
            rd_kafka_event_destroy(event);
        }
        rd_kafka_ConfigResource_destroy(resource);
    }
    rd_kafka_metadata_destroy(metadata);
    return replication;
}

static rd_kafka_NewTopic_t *make_new_topic(const struct topic_spec *spec, int replication)
{
    char errstr[256], text[32];
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(spec->name, spec->partitions, spec->replication, errstr, sizeof errstr);
    if (topic == NULL) {
        log_error("cannot create a topic", LOG_TEXT("topic", spec->name), LOG_TEXT("error", errstr));
        return NULL;
    }
    snprintf(text, sizeof text, "%lld", (long long)spec->retention_ms);
    rd_kafka_NewTopic_set_config(topic, "retention.ms", text);
    if (replication >= 3)
        rd_kafka_NewTopic_set_config(topic, "min.insync.replicas", "2");
    return topic;
}

static void note_result(struct kafka *kafka, const rd_kafka_topic_result_t *result)
{
    const char *name = rd_kafka_topic_result_name(result);
    rd_kafka_resp_err_t err = rd_kafka_topic_result_error(result);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        log_info("topic created", LOG_TEXT("topic", name));
        return;
    }
    if (err == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) /* another replica was faster */
        return;
    for (size_t t = 0; t < kafka->routes->topic_count; t++)
        if (strcmp(kafka->routes->topics[t].name, name) == 0)
            kafka->topics[t].create_failed = true;
    static struct log_limit limit;
    uint64_t suppressed;
    const char *text = rd_kafka_topic_result_error_string(result);
    if (log_limit_pass(&limit, &suppressed))
        log_error("cannot create a topic", LOG_TEXT("topic", name),
                  LOG_TEXT("error", text != NULL ? text : rd_kafka_err2str(err)),
                  LOG_INT("suppressed", suppressed));
}

void admin_create_topics(struct kafka *kafka, const int *missing, size_t count, int timeout_ms)
{
    int broker_default = -1;
    bool asked = false;
    rd_kafka_NewTopic_t **topics = calloc(count, sizeof *topics);
    if (topics == NULL)
        return;
    size_t made = 0;
    for (size_t i = 0; i < count; i++) {
        const struct topic_spec *spec = &kafka->routes->topics[missing[i]];
        if (spec->replication < 0 && !asked) {
            asked = true;
            broker_default = default_replication(kafka, 3000);
        }
        int replication = spec->replication < 0 ? broker_default : spec->replication;
        /* Without knowing, the topic could come out weaker than durability: strict, for good. */
        bool known = replication >= 0 || kafka->config->durability != DURABILITY_STRICT;
        topics[made] = known ? make_new_topic(spec, replication) : NULL;
        if (topics[made] != NULL)
            made++;
        else
            kafka->topics[missing[i]].create_failed = true;
    }
    if (made < count)
        log_warning("topics are not created: default.replication.factor cannot be read; give the right "
                    "DescribeConfigs on the cluster, or set topics.replication",
                    LOG_INT("topics", count - made));
    if (made == 0) {
        free(topics);
        return;
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka->admin);
    rd_kafka_AdminOptions_t *options = make_options(kafka, RD_KAFKA_ADMIN_OP_CREATETOPICS, timeout_ms);
    rd_kafka_CreateTopics(kafka->admin, topics, made, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, timeout_ms + 1000);
    if (event != NULL && rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        size_t result_count;
        const rd_kafka_topic_result_t **all =
            rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &result_count);
        for (size_t i = 0; i < result_count; i++)
            note_result(kafka, all[i]);
    } else {
        log_warning("creating topics failed", LOG_INT("topics", made),
                    LOG_TEXT("error", event == NULL ? "no answer" : rd_kafka_event_error_string(event)));
        for (size_t i = 0; i < count; i++)
            kafka->topics[missing[i]].create_failed = true;
    }
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy_array(topics, made);
    free(topics);
}

static void note_limits(struct kafka *kafka, const rd_kafka_ConfigResource_t *resource)
{
    const char *name = rd_kafka_ConfigResource_name(resource);
    size_t t = 0;
    while (t < kafka->routes->topic_count && strcmp(kafka->routes->topics[t].name, name) != 0)
        t++;
    if (t == kafka->routes->topic_count ||
        rd_kafka_ConfigResource_error(resource) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    struct topic_state *state = &kafka->topics[t];
    const char *max = config_value(resource, "max.message.bytes");
    const char *isr = config_value(resource, "min.insync.replicas");
    const char *retention = config_value(resource, "retention.ms");
    if (max != NULL) {
        int limit = (int)strtol(max, NULL, 10);
        if (!state->limit_known || limit != state->limit_read)
            state->one_by_one = false; /* what the broker's refusals taught is out of date */
        state->limit_known = true;
        state->limit_read = limit;
        if (atomic_exchange(&state->max_message_bytes, limit) != limit && limit < 65536)
            log_warning("a topic takes only small records; Kafka batches stay below that too",
                        LOG_TEXT("topic", name), LOG_INT("max_message_bytes", limit));
    }
    if (isr != NULL)
        state->min_insync_replicas = (int)strtol(isr, NULL, 10);
    if (retention != NULL)
        state->retention_ms = strtoll(retention, NULL, 10);
}

bool admin_read_limits(struct kafka *kafka, int timeout_ms)
{
    size_t count = 0;
    rd_kafka_ConfigResource_t **resources = calloc(kafka->routes->topic_count, sizeof *resources);
    if (resources == NULL)
        return false;
    for (size_t t = 0; t < kafka->routes->topic_count; t++) {
        enum topic_presence presence = atomic_load(&kafka->topics[t].presence);
        if (topic_is_there(presence))
            resources[count++] =
                rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, kafka->routes->topics[t].name);
    }
    bool read = count == 0;
    if (count > 0) {
        rd_kafka_event_t *event = describe(kafka, resources, count, timeout_ms);
        if (event != NULL) {
            size_t found_count;
            const rd_kafka_ConfigResource_t **found = results(event, &found_count);
            for (size_t i = 0; i < found_count; i++)
                note_limits(kafka, found[i]);
            rd_kafka_event_destroy(event);
            read = true;
        }
    }
    rd_kafka_ConfigResource_destroy_array(resources, count);
    free(resources);
    return read;
}
