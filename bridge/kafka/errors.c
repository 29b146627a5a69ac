// SPDX-License-Identifier: Apache-2.0
//
// The error table. Anything a retry could cure is retried: a refusal would be
// final for the sender (CONTRIBUTING.md, rule 7), and an unknown error is one of those.
// Pure function; any thread.
#include "kafka/errors.h"

struct row {
    rd_kafka_resp_err_t code;
    enum error_action action;
    const char *words;
};

static const struct row table[] = {
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, ERROR_TOO_LARGE, "a record is over the topic's max.message.bytes"},
    {RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, ERROR_TOO_LARGE, "records are over the topic's limit"},

    {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, ERROR_LOOK_AT_TOPIC, "a topic does not exist"},
    {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, ERROR_LOOK_AT_TOPIC, "a topic does not exist"},
    {RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, ERROR_LOOK_AT_TOPIC, "a partition does not exist"},
    {RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, ERROR_LOOK_AT_TOPIC, "Kafka refuses the topic"},
    /* A deleted topic often shows only as a time-out. */
    {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, ERROR_LOOK_AT_TOPIC, "Kafka did not confirm in time"},

    {RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER, ERROR_RETRY_LATER,
     "Kafka calls a record a duplicate but cannot say of which"},

    {RD_KAFKA_RESP_ERR__TIMED_OUT, ERROR_RETRY_LATER, "Kafka did not answer in time"},
    {RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, ERROR_RETRY_LATER, "Kafka did not replicate in time"},
    {RD_KAFKA_RESP_ERR__TRANSPORT, ERROR_RETRY_LATER, "the connection to Kafka broke"},
    {RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, ERROR_RETRY_LATER, "no Kafka broker is reachable"},
    {RD_KAFKA_RESP_ERR__QUEUE_FULL, ERROR_RETRY_LATER, "the producer's queue is full"},
    {RD_KAFKA_RESP_ERR__PURGE_QUEUE, ERROR_RETRY_LATER, "the bridge is stopping"},
    {RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, ERROR_RETRY_LATER, "the bridge is stopping"},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, ERROR_RETRY_LATER, "too few replicas are in sync"},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, ERROR_RETRY_LATER, "too few replicas are in sync"},
    {RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, ERROR_RETRY_LATER, "a partition has no leader"},
    {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, ERROR_RETRY_LATER, "a partition's leader moved"},
    {RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, ERROR_RETRY_LATER, "Kafka's disk failed"},
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, ERROR_RETRY_LATER, "no right to write to a topic"},
    {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, ERROR_RETRY_LATER, "no right to write to the cluster"},
    {RD_KAFKA_RESP_ERR__AUTHENTICATION, ERROR_RETRY_LATER, "Kafka refuses the credentials"},
    {RD_KAFKA_RESP_ERR_POLICY_VIOLATION, ERROR_RETRY_LATER, "a policy of the cluster refuses the record"},
    {RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, ERROR_RETRY_LATER,
     "Kafka refuses the timestamp: compare the clocks"},
    {RD_KAFKA_RESP_ERR_INVALID_RECORD, ERROR_RETRY_LATER,
     "Kafka refuses the record: is the topic compacted?"},

    {RD_KAFKA_RESP_ERR__FATAL, ERROR_BROKEN, "the producer failed for good"},
};

enum error_action kafka_error_action(rd_kafka_resp_err_t code, const char **words)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].code == code) {
            *words = table[i].words;
            return table[i].action;
        }
    }
    *words = "Kafka refused a record";
    return ERROR_RETRY_LATER;
}
