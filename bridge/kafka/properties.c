// SPDX-License-Identifier: Apache-2.0
//
// librdkafka's properties: the user's, and those that the bridge's promises rest
// on and that cannot be configured away. Runs at the start, and on the keeper
// thread when a further producer is made.
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "kafka/internal.h"
#include "telemetry/log.h"

/* Set by the bridge; `prefix` ending in '.' covers a family. */
static const struct {
    const char *name;
    const char *why;
} owned[] = {
    {"acks", "the bridge answers success only when all in-sync replicas have a record"},
    {"request.required.acks", "the bridge answers success only when all in-sync replicas have a record"},
    {"enable.idempotence", "without it a retry inside librdkafka could duplicate or reorder records"},
    {"enable.gapless.guarantee", "it would stop the producer for good at the first lost record"},
    {"max.in.flight", "idempotence and order depend on it"},
    {"max.in.flight.requests.per.connection", "idempotence and order depend on it"},
    {"retries", "idempotence depends on it; time is bounded by the sender's deadline"},
    {"message.send.max.retries", "idempotence depends on it; time is bounded by the sender's deadline"},
    {"delivery.timeout.ms", "it follows from the endpoint's deadline"},
    {"message.timeout.ms", "it follows from the endpoint's deadline"},
    {"request.timeout.ms", "it follows from the endpoint's deadline"},
    {"socket.timeout.ms", "it follows from the endpoint's deadline"},
    {"reconnect.backoff.max.ms", "a longer wait would overrun the sender's deadline"},
    {"transactional.id", "the bridge does not use transactions"},
    {"partitioner", "records must go where Java clients would put them, so that joins co-partition"},
    {"allow.auto.create.topics", "topics are made by the bridge, with settings"},
    {"batch.size", "it follows from the topics' max.message.bytes"},
    {"message.max.bytes", "each record is judged by its topic's own max.message.bytes"},
    {"linger.ms", "the bridge chooses how long to wait before sending"},
    {"queue.buffering.", "memory is bounded by limits.in_flight, waiting is chosen by the bridge"},
    {"delivery.report.only.error", "a batch is answered when each of its records has been reported"},
    {"log.queue", "the log is served at once"},
    {"test.", "it is for librdkafka's own tests; serve --embedded-kafka is for trying out"},
    {"topic.blacklist", "it would hide topics from the bridge itself"},
    {"enabled_events", "the bridge serves what librdkafka has to say"},
    {"plugin.library.paths", "the bridge loads no code from its configuration"},
};

static const char *why_owned(const char *name)
{
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++) {
        size_t length = strlen(owned[i].name);
        bool family = owned[i].name[length - 1] == '.';
        if (family ? strncmp(name, owned[i].name, length) == 0 : strcmp(name, owned[i].name) == 0)
            return owned[i].why;
    }
    return NULL;
}

static bool set(rd_kafka_conf_t *conf, const char *name, const char *value, char *errstr, size_t errstr_size)
{
    char why[256];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof why) == RD_KAFKA_CONF_OK)
        return true;
    snprintf(errstr, errstr_size, "kafka.%s: %s", name, why);
    return false;
}

static bool set_int(rd_kafka_conf_t *conf, const char *name, long value, char *errstr, size_t errstr_size)
{
    char text[32];
    snprintf(text, sizeof text, "%ld", value);
    return set(conf, name, text, errstr, errstr_size);
}

/* What a user may change, with values that suit a service on the open network. */
static bool set_defaults(rd_kafka_conf_t *conf, char *errstr, size_t errstr_size)
{
    return set(conf, "client.id", "marketo-bridge", errstr, errstr_size) &&
           set(conf, "compression.type", "lz4", errstr, errstr_size) &&
           set(conf, "socket.nagle.disable", "true", errstr, errstr_size) &&
           set(conf, "socket.keepalive.enable", "true", errstr, errstr_size) &&
           /* A topic that was deleted must show as missing before the deadline. */
           set(conf, "topic.metadata.propagation.max.ms", "2000", errstr, errstr_size);
}

void kafka_check(const struct config *config, struct config_errors *errors)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (size_t i = 0; i < config->kafka_count; i++) {
        const struct config_property *property = &config->kafka[i];
        char why[256];
        if (property->name == NULL || property->value == NULL)
            continue;
        const char *reason = why_owned(property->name);
        if (reason != NULL)
            config_errors_add(errors, property->mark, "kafka.%s belongs to the bridge: %s", property->name,
                              reason);
        else if (rd_kafka_conf_set(conf, property->name, property->value, why, sizeof why) !=
                 RD_KAFKA_CONF_OK)
            config_errors_add(errors, property->mark, "kafka.%s: %s", property->name, why);
    }
    /* Combinations that librdkafka refuses only when a producer is made. */
    if (errors->count == 0) {
        char errstr[256];
        struct kafka probe = {.config = config, .bootstrap = NULL};
        struct producer producer = {.kafka = &probe};
        rd_kafka_conf_t *made = properties_make(&probe, &producer, 5000, BATCH_SIZE, errstr, sizeof errstr);
        rd_kafka_t *rk = NULL;
        if (made != NULL) {
            /* Nothing is to be reached or said. */
            rd_kafka_conf_set(made, "bootstrap.servers", "", NULL, 0);
            rd_kafka_conf_set(made, "log_level", "0", NULL, 0);
            rk = rd_kafka_new(RD_KAFKA_PRODUCER, made, errstr, sizeof errstr);
            if (rk == NULL)
                rd_kafka_conf_destroy(made);
            else
                rd_kafka_destroy(rk);
        }
        if (rk == NULL)
            config_errors_add(errors, (struct config_mark){1, 1}, "kafka: %s", errstr);
    }
    rd_kafka_conf_destroy(conf);
}

static void log_callback(const rd_kafka_t *rk, int level, const char *facility, const char *message)
{
    static struct log_limit limit;
    enum log_level ours = level <= 3   ? LOG_LEVEL_WARNING /* what it means for batches, the bridge tells */
                          : level <= 4 ? LOG_LEVEL_WARNING
                          : level <= 6 ? LOG_LEVEL_INFO
                                       : LOG_LEVEL_DEBUG;
    uint64_t suppressed = 0;
    if (!log_enabled(ours) || (ours != LOG_LEVEL_DEBUG && !log_limit_pass(&limit, &suppressed)))
        return;
    const struct log_field fields[] = {
        LOG_TEXT("client", rk == NULL ? "" : rd_kafka_name(rk)),
        LOG_TEXT("facility", facility),
        LOG_TEXT("text", message),
        LOG_INT("suppressed", suppressed),
    };
    log_write(ours, "librdkafka", fields, sizeof fields / sizeof fields[0]);
}

static void count_error(struct kafka *kafka, int code, const char *reason)
{
    counts_error(kafka, (rd_kafka_resp_err_t)code);
    log_debug("kafka error", LOG_TEXT("code", rd_kafka_err2name((rd_kafka_resp_err_t)code)),
              LOG_TEXT("text", reason));
}

static void admin_error_callback(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    (void)rk;
    count_error(opaque, code, reason);
}

static void producer_error_callback(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct producer *producer = opaque;
    (void)rk;
    count_error(producer->kafka, code, reason);
    if (code == RD_KAFKA_RESP_ERR__FATAL)
        producer_failed(producer);
}

/* The bridge's own properties: the promises rest on them. */
static bool set_owned(rd_kafka_conf_t *conf, int message_timeout_ms, int batch_size, char *errstr,
                      size_t errstr_size)
{
    /* A broker that hangs must cost one request, not the deadline. */
    int socket_timeout_ms = message_timeout_ms / 2;
    if (socket_timeout_ms > 6000)
        socket_timeout_ms = 6000;
    if (socket_timeout_ms < 500)
        socket_timeout_ms = 500;
    return set(conf, "acks", "all", errstr, errstr_size) &&
           set(conf, "enable.idempotence", "true", errstr, errstr_size) &&
           set(conf, "partitioner", "murmur2_random", errstr, errstr_size) &&
           set_int(conf, "message.timeout.ms", message_timeout_ms, errstr, errstr_size) &&
           set_int(conf, "request.timeout.ms", socket_timeout_ms, errstr, errstr_size) &&
           set_int(conf, "socket.timeout.ms", socket_timeout_ms, errstr, errstr_size) &&
           set_int(conf, "batch.size", batch_size, errstr, errstr_size) &&
           set(conf, "message.max.bytes", "100000000", errstr, errstr_size) &&
           /* Paid by every batch, and what fills requests under load: 0 gave 39,000 events/s
            * where 1 gave 47,800 and 2 no more (as PRODUCERS_PER_SET was measured). */
           set(conf, "linger.ms", "1", errstr, errstr_size) &&
           /* limits.in_flight is the bound; these two must not come first. */
           set(conf, "queue.buffering.max.messages", "10000000", errstr, errstr_size) &&
           set(conf, "queue.buffering.max.kbytes", "2097151", errstr, errstr_size);
}

rd_kafka_conf_t *properties_make(struct kafka *kafka, struct producer *producer, int message_timeout_ms,
                                 int batch_size, char *errstr, size_t errstr_size)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (!set_defaults(conf, errstr, errstr_size))
        goto fail;
    for (size_t i = 0; i < kafka->config->kafka_count; i++) {
        const struct config_property *property = &kafka->config->kafka[i];
        if (!set(conf, property->name, property->value, errstr, errstr_size))
            goto fail;
    }
    /* message.timeout.ms overruns by up to this much when a leader is down. */
    if (!set(conf, "reconnect.backoff.max.ms", "1000", errstr, errstr_size) ||
        !set(conf, "allow.auto.create.topics", "false", errstr, errstr_size))
        goto fail;
    if (kafka->bootstrap != NULL && !set(conf, "bootstrap.servers", kafka->bootstrap, errstr, errstr_size))
        goto fail;
    if (producer != NULL) {
        if (!set_owned(conf, message_timeout_ms, batch_size, errstr, errstr_size))
            goto fail;
        rd_kafka_conf_set_opaque(conf, producer);
        rd_kafka_conf_set_dr_msg_cb(conf, delivery_report_callback);
        rd_kafka_conf_set_error_cb(conf, producer_error_callback);
    } else {
        if (!set(conf, "socket.timeout.ms", "5000", errstr, errstr_size))
            goto fail;
        rd_kafka_conf_set_opaque(conf, kafka);
        rd_kafka_conf_set_error_cb(conf, admin_error_callback);
    }
    rd_kafka_conf_set_log_cb(conf, log_callback);
    return conf;

fail:
    rd_kafka_conf_destroy(conf);
    return NULL;
}
