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

#define CODE(name, action, words)                                                                            \
    {                                                                                                        \
        RD_KAFKA_RESP_ERR_##name, ERROR_##action, words                                                      \
    }

/* What can come from producev or in a report; that librdkafka retries some of these until
 * the record times out makes them rare, not impossible. */
static const struct row table[] = {
    /* The size: by the broker's word, or librdkafka's own. */
    CODE(MSG_SIZE_TOO_LARGE, TOO_LARGE, "a record is over the topic's max.message.bytes"),
    CODE(RECORD_LIST_TOO_LARGE, TOO_LARGE, "records are over the topic's limit"),

    /* The topic. */
    CODE(UNKNOWN_TOPIC_OR_PART, LOOK_AT_TOPIC, "a topic does not exist"),
    CODE(_UNKNOWN_TOPIC, LOOK_AT_TOPIC, "a topic does not exist"),
    CODE(_UNKNOWN_PARTITION, LOOK_AT_TOPIC, "a partition does not exist"),
    CODE(TOPIC_EXCEPTION, LOOK_AT_TOPIC, "Kafka refuses the topic"),
    CODE(INVALID_PARTITIONS, LOOK_AT_TOPIC, "Kafka refuses the topic's partitions"),
    CODE(RESOURCE_NOT_FOUND, LOOK_AT_TOPIC, "a topic does not exist"),
    /* A deleted topic often shows only as a time-out. */
    CODE(_MSG_TIMED_OUT, LOOK_AT_TOPIC, "Kafka did not confirm in time"),

    /* The way to Kafka, and its own troubles. */
    CODE(_TIMED_OUT, RETRY_LATER, "Kafka did not answer in time"),
    CODE(_TIMED_OUT_QUEUE, RETRY_LATER, "Kafka did not answer in time"),
    CODE(REQUEST_TIMED_OUT, RETRY_LATER, "Kafka did not replicate in time"),
    CODE(_TRANSPORT, RETRY_LATER, "the connection to Kafka broke"),
    CODE(NETWORK_EXCEPTION, RETRY_LATER, "the connection to Kafka broke"),
    CODE(_SSL, RETRY_LATER, "the TLS connection to Kafka failed"),
    CODE(_RESOLVE, RETRY_LATER, "a Kafka broker's name cannot be resolved"),
    CODE(_ALL_BROKERS_DOWN, RETRY_LATER, "no Kafka broker is reachable"),
    CODE(_UNKNOWN_BROKER, RETRY_LATER, "a Kafka broker is not known any more"),
    CODE(_NODE_UPDATE, RETRY_LATER, "a Kafka broker moved"),
    CODE(BROKER_NOT_AVAILABLE, RETRY_LATER, "a Kafka broker is not available"),
    CODE(REPLICA_NOT_AVAILABLE, RETRY_LATER, "a replica is not available"),
    CODE(LEADER_NOT_AVAILABLE, RETRY_LATER, "a partition has no leader"),
    CODE(NOT_LEADER_FOR_PARTITION, RETRY_LATER, "a partition's leader moved"),
    CODE(PREFERRED_LEADER_NOT_AVAILABLE, RETRY_LATER, "a partition has no leader"),
    CODE(ELIGIBLE_LEADERS_NOT_AVAILABLE, RETRY_LATER, "a partition has no leader"),
    CODE(FENCED_LEADER_EPOCH, RETRY_LATER, "a partition's leader moved"),
    CODE(UNKNOWN_LEADER_EPOCH, RETRY_LATER, "a partition's leader moved"),
    CODE(STALE_BROKER_EPOCH, RETRY_LATER, "a Kafka broker is starting"),
    CODE(NOT_ENOUGH_REPLICAS, RETRY_LATER, "too few replicas are in sync"),
    CODE(NOT_ENOUGH_REPLICAS_AFTER_APPEND, RETRY_LATER, "too few replicas are in sync"),
    CODE(_ISR_INSUFF, RETRY_LATER, "too few replicas are in sync"),
    CODE(KAFKA_STORAGE_ERROR, RETRY_LATER, "Kafka's disk failed"),
    CODE(LOG_DIR_NOT_FOUND, RETRY_LATER, "Kafka's disk failed"),
    CODE(THROTTLING_QUOTA_EXCEEDED, RETRY_LATER, "Kafka's quota is used up"),
    CODE(UNKNOWN, RETRY_LATER, "Kafka failed without saying why"),

    /* Rights: an operator gives them back. */
    CODE(TOPIC_AUTHORIZATION_FAILED, RETRY_LATER, "no right to write to a topic"),
    CODE(CLUSTER_AUTHORIZATION_FAILED, RETRY_LATER, "no right to write to the cluster"),
    CODE(TRANSACTIONAL_ID_AUTHORIZATION_FAILED, RETRY_LATER, "no right to write to the cluster"),
    CODE(_AUTHENTICATION, RETRY_LATER, "Kafka refuses the credentials"),
    CODE(SASL_AUTHENTICATION_FAILED, RETRY_LATER, "Kafka refuses the credentials"),
    CODE(UNSUPPORTED_SASL_MECHANISM, RETRY_LATER, "Kafka does not know the SASL mechanism"),
    CODE(ILLEGAL_SASL_STATE, RETRY_LATER, "Kafka refuses the credentials"),
    CODE(SECURITY_DISABLED, RETRY_LATER, "Kafka refuses the credentials"),
    CODE(DELEGATION_TOKEN_EXPIRED, RETRY_LATER, "Kafka refuses the credentials"),
    CODE(DELEGATION_TOKEN_AUTHORIZATION_FAILED, RETRY_LATER, "Kafka refuses the credentials"),
    CODE(DELEGATION_TOKEN_NOT_FOUND, RETRY_LATER, "Kafka refuses the credentials"),
    CODE(DELEGATION_TOKEN_AUTH_DISABLED, RETRY_LATER, "Kafka refuses the credentials"),
    CODE(DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, RETRY_LATER, "Kafka refuses the credentials"),
    CODE(DELEGATION_TOKEN_OWNER_MISMATCH, RETRY_LATER, "Kafka refuses the credentials"),

    /* The record against the settings of topic, cluster or clock, which can be set right. */
    CODE(INVALID_TIMESTAMP, RETRY_LATER, "Kafka refuses the timestamp: compare the clocks"),
    CODE(INVALID_RECORD, RETRY_LATER, "Kafka refuses the record: is the topic compacted?"),
    CODE(POLICY_VIOLATION, RETRY_LATER, "a policy of the cluster refuses the record"),
    CODE(INVALID_MSG, RETRY_LATER, "a record was damaged on its way to Kafka"),
    CODE(INVALID_MSG_SIZE, RETRY_LATER, "a record was damaged on its way to Kafka"),
    CODE(INVALID_REQUIRED_ACKS, RETRY_LATER, "Kafka refuses acks=all"),
    CODE(INVALID_REQUEST, RETRY_LATER, "Kafka refuses the request"),
    CODE(INVALID_CONFIG, RETRY_LATER, "Kafka refuses the topic's settings"),
    CODE(UNSUPPORTED_VERSION, RETRY_LATER, "Kafka is too old"),
    CODE(UNSUPPORTED_FOR_MESSAGE_FORMAT, RETRY_LATER, "the topic's message format is too old"),
    CODE(UNSUPPORTED_COMPRESSION_TYPE, RETRY_LATER, "Kafka does not know the compression.type"),
    CODE(_UNSUPPORTED_FEATURE, RETRY_LATER, "Kafka is too old"),
    CODE(_BAD_COMPRESSION, RETRY_LATER, "a record cannot be compressed"),

    /* The idempotent producer. librdkafka mends what it can; when it cannot, it says _FATAL too. */
    CODE(DUPLICATE_SEQUENCE_NUMBER, RETRY_LATER, "Kafka calls a record a duplicate but cannot say of which"),
    CODE(OUT_OF_ORDER_SEQUENCE_NUMBER, RETRY_LATER, "Kafka and the producer count records differently"),
    CODE(UNKNOWN_PRODUCER_ID, RETRY_LATER, "Kafka has forgotten the producer"),
    CODE(INVALID_PRODUCER_EPOCH, RETRY_LATER, "Kafka has forgotten the producer"),
    CODE(INVALID_PRODUCER_ID_MAPPING, RETRY_LATER, "Kafka has forgotten the producer"),
    CODE(PRODUCER_FENCED, RETRY_LATER, "Kafka has forgotten the producer"),
    CODE(_FENCED, RETRY_LATER, "Kafka has forgotten the producer"),
    CODE(_INCONSISTENT, RETRY_LATER, "the producer cannot repeat a request"),
    CODE(_GAPLESS_GUARANTEE, RETRY_LATER, "the producer cannot keep the order"),
    CODE(_FATAL, BROKEN, "a Kafka producer failed and is being replaced"),

    /* The producer itself. */
    CODE(_QUEUE_FULL, RETRY_LATER, "the producer's queue is full"),
    CODE(_PURGE_QUEUE, RETRY_LATER, "the producer ended before a record was sent"),
    CODE(_PURGE_INFLIGHT, RETRY_LATER, "the producer ended before a record was confirmed"),
    CODE(_DESTROY, RETRY_LATER, "the producer ended"),
    CODE(_RETRY, RETRY_LATER, "a record could not be sent again"),
    CODE(_CRIT_SYS_RESOURCE, RETRY_LATER, "out of memory or threads"),
    CODE(_BAD_MSG, RETRY_LATER, "Kafka's answer cannot be understood"),
    CODE(_UNDERFLOW, RETRY_LATER, "Kafka's answer cannot be understood"),
    CODE(_FAIL, RETRY_LATER, "the producer refused a record"),
    CODE(_INVALID_ARG, RETRY_LATER, "the producer refused a record"),
    CODE(_CONFLICT, RETRY_LATER, "the producer refused a record"),
    CODE(_STATE, RETRY_LATER, "the producer refused a record"),
    CODE(_NOT_IMPLEMENTED, RETRY_LATER, "the producer refused a record"),
    CODE(_APPLICATION, RETRY_LATER, "the producer refused a record"),
};

/* The codes of consumers, groups, transactions, administration and serializers, which no record of ours can
 * meet. Listed so that a test can tell what a newer librdkafka adds. */
#define OTHER(name) RD_KAFKA_RESP_ERR_##name
static const rd_kafka_resp_err_t others[] = {
    OTHER(_PARTITION_EOF),
    OTHER(_FS),
    OTHER(_WAIT_COORD),
    OTHER(_UNKNOWN_GROUP),
    OTHER(_IN_PROGRESS),
    OTHER(_PREV_IN_PROGRESS),
    OTHER(_EXISTING_SUBSCRIPTION),
    OTHER(_ASSIGN_PARTITIONS),
    OTHER(_REVOKE_PARTITIONS),
    OTHER(_UNKNOWN_PROTOCOL),
    OTHER(_NO_OFFSET),
    OTHER(_OUTDATED),
    OTHER(_WAIT_CACHE),
    OTHER(_INTR),
    OTHER(_KEY_SERIALIZATION),
    OTHER(_VALUE_SERIALIZATION),
    OTHER(_KEY_DESERIALIZATION),
    OTHER(_VALUE_DESERIALIZATION),
    OTHER(_PARTIAL),
    OTHER(_READ_ONLY),
    OTHER(_NOENT),
    OTHER(_INVALID_TYPE),
    OTHER(_MAX_POLL_EXCEEDED),
    OTHER(_NOT_CONFIGURED),
    OTHER(_ASSIGNMENT_LOST),
    OTHER(_NOOP),
    OTHER(_AUTO_OFFSET_RESET),
    OTHER(OFFSET_OUT_OF_RANGE),
    OTHER(STALE_CTRL_EPOCH),
    OTHER(OFFSET_METADATA_TOO_LARGE),
    OTHER(COORDINATOR_LOAD_IN_PROGRESS),
    OTHER(COORDINATOR_NOT_AVAILABLE),
    OTHER(NOT_COORDINATOR),
    OTHER(ILLEGAL_GENERATION),
    OTHER(INCONSISTENT_GROUP_PROTOCOL),
    OTHER(INVALID_GROUP_ID),
    OTHER(UNKNOWN_MEMBER_ID),
    OTHER(INVALID_SESSION_TIMEOUT),
    OTHER(REBALANCE_IN_PROGRESS),
    OTHER(INVALID_COMMIT_OFFSET_SIZE),
    OTHER(GROUP_AUTHORIZATION_FAILED),
    OTHER(TOPIC_ALREADY_EXISTS),
    OTHER(INVALID_REPLICATION_FACTOR),
    OTHER(INVALID_REPLICA_ASSIGNMENT),
    OTHER(NOT_CONTROLLER),
    OTHER(INVALID_TXN_STATE),
    OTHER(INVALID_TRANSACTION_TIMEOUT),
    OTHER(CONCURRENT_TRANSACTIONS),
    OTHER(TRANSACTION_COORDINATOR_FENCED),
    OTHER(OPERATION_NOT_ATTEMPTED),
    OTHER(REASSIGNMENT_IN_PROGRESS),
    OTHER(INVALID_PRINCIPAL_TYPE),
    OTHER(NON_EMPTY_GROUP),
    OTHER(GROUP_ID_NOT_FOUND),
    OTHER(FETCH_SESSION_ID_NOT_FOUND),
    OTHER(INVALID_FETCH_SESSION_EPOCH),
    OTHER(LISTENER_NOT_FOUND),
    OTHER(TOPIC_DELETION_DISABLED),
    OTHER(OFFSET_NOT_AVAILABLE),
    OTHER(MEMBER_ID_REQUIRED),
    OTHER(GROUP_MAX_SIZE_REACHED),
    OTHER(FENCED_INSTANCE_ID),
    OTHER(ELECTION_NOT_NEEDED),
    OTHER(NO_REASSIGNMENT_IN_PROGRESS),
    OTHER(GROUP_SUBSCRIBED_TO_TOPIC),
    OTHER(UNSTABLE_OFFSET_COMMIT),
    OTHER(DUPLICATE_RESOURCE),
    OTHER(UNACCEPTABLE_CREDENTIAL),
    OTHER(INCONSISTENT_VOTER_SET),
    OTHER(INVALID_UPDATE_VERSION),
    OTHER(FEATURE_UPDATE_FAILED),
    OTHER(PRINCIPAL_DESERIALIZATION_FAILURE),
};

enum error_action kafka_error_action(rd_kafka_resp_err_t code, const char **words)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].code == code) {
            *words = table[i].words;
            return table[i].action;
        }
    }
    *words = "Kafka refused a record, and this version does not know the reason";
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (others[i] == code)
            *words = "Kafka refused a record";
    return ERROR_RETRY_LATER;
}
