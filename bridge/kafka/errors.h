// SPDX-License-Identifier: Apache-2.0
//
// What to do about each error that Kafka or librdkafka reports for a record.
#ifndef BRIDGE_KAFKA_ERRORS_H
#define BRIDGE_KAFKA_ERRORS_H

#include <librdkafka/rdkafka.h>

enum error_action {
    ERROR_RETRY_LATER,   /* the batch is answered 503; the sender brings it again */
    ERROR_LOOK_AT_TOPIC, /* the same, and the topics are looked at now: one is missing or has changed */
    ERROR_TOO_LARGE,     /* limits are read again, then the record is judged anew */
    ERROR_BROKEN         /* this producer will never deliver anything again */
};

/* A short text for the answer's message, a literal. Every code of librdkafka 2.0.2 is in the table;
 * others, of a newer librdkafka or broker, are retried in words that say so. */
enum error_action kafka_error_action(rd_kafka_resp_err_t code, const char **words);

#endif
