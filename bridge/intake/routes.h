// SPDX-License-Identifier: Apache-2.0
//
// The set of topics, known at the start: the catalog, topics.custom, "other" and
// "custom" per stream, per instance when the prefix contains {instance}, and the
// dead-letter topic. Made once from the configuration; immutable; any thread.
#ifndef BRIDGE_INTAKE_ROUTES_H
#define BRIDGE_INTAKE_ROUTES_H

#include <stdint.h>

#include "batch.h"
#include "config/config.h"

/* A topic as it is to be created. */
struct topic_spec {
    char *name;
    int partitions;
    int replication;      /* -1: the broker's default */
    int64_t retention_ms; /* -1: for ever */
};

/* A label of the metrics: one event type of one stream. */
struct event_type {
    enum stream stream;
    char *name; /* "openemail", "other", "custom", "custom-100001" */
};

struct routes {
    struct topic_spec *topics;
    size_t topic_count;
    struct event_type *types;
    size_t type_count;
    int dead_letter; /* index of the dead-letter topic */
    const struct config *config;
    struct route_index *index; /* private */
};

/* NULL, with every reason in errors, when two topics would have one name (or names
 * that differ only in '.' and '_'), a name is longer than Kafka's 249 bytes or has a
 * character that Kafka does not take, an override names no topic, a custom id is
 * below 100000 or listed twice, or {instance} stands in the prefix without instances.
 * config must outlive the routes. */
struct routes *routes_create(const struct config *config, struct config_errors *errors);
void routes_free(struct routes *routes);

/* What decides the route of an event; absent members have ptr NULL, activity_id is -1. */
struct route_facts {
    int64_t activity_id;
    struct slice type;          /* CloudEvents type */
    struct slice activity_type; /* activityType, Adobe's words */
    struct slice munchkin_id;
};

enum route_result { ROUTE_FOUND, ROUTE_NO_TYPE, ROUTE_UNKNOWN_INSTANCE };

struct route {
    int topic;   /* index into topics; -1 unless ROUTE_FOUND */
    int type;    /* index into types; -1 with ROUTE_NO_TYPE */
    int catalog; /* index into catalog_types; -1: not in the catalog */
    enum stream stream;
};

enum route_result routes_find(const struct routes *routes, const struct route_facts *facts,
                              struct route *route);

#endif
