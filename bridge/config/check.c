// SPDX-License-Identifier: Apache-2.0
//
// What the table cannot say about one option alone: options that must fit each
// other, names that must be unique, and the defaults that depend on the sender.
// The thread that loads the configuration runs it, also when errors were found
// before, so anything may be missing.
#include "config/options.h"

#include <inttypes.h>
#include <stdlib.h>
#include <strings.h>

static yaml_node_t *root_of(struct loader *loader)
{
    return yaml_document_get_root_node(&loader->document);
}

/* Where the value stands, or else where its section does, or else the top. */
static struct config_mark mark_of(struct loader *loader, const char *section, const char *name)
{
    yaml_node_t *root = root_of(loader);
    yaml_node_t *outer = config_node_member(loader, root, section);
    yaml_node_t *inner = config_node_member(loader, outer, name);
    return config_mark_of(inner != NULL ? inner : outer != NULL ? outer : root);
}

static struct config_mark entry_mark(struct loader *loader, const char *list, size_t i, const char *name)
{
    yaml_node_t *entry = config_node_entry(loader, list, i);
    yaml_node_t *member = config_node_member(loader, entry, name);
    return config_mark_of(member != NULL ? member : entry);
}

/* ---- addresses ---- */

static bool addresses_equal(const struct config_address *a, const struct config_address *b)
{
    /* Port 0 is another one each time. */
    return a->host != NULL && b->host != NULL && a->port != 0 && a->port == b->port &&
           strcasecmp(a->host, b->host) == 0;
}

static void check_addresses(struct loader *loader)
{
    const struct config *config = loader->config;
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct config_address *address = &config->listeners[i].address;
        for (size_t k = 0; k < i; k++) {
            if (addresses_equal(address, &config->listeners[k].address)) {
                config_errors_add(loader->errors, entry_mark(loader, "listen", i, "address"),
                                  "listen[].address: the address on line %u is the same",
                                  entry_mark(loader, "listen", k, "address").line);
                break;
            }
        }
        if (addresses_equal(address, &config->admin_address))
            config_errors_add(loader->errors, entry_mark(loader, "listen", i, "address"),
                              "listen[].address: admin.address is the same");
    }
}

/* ---- endpoints ---- */

/* Sets what was not written and depends on the sender. */
static void apply_sender_presets(struct loader *loader, size_t i)
{
    struct config_endpoint *endpoint = &loader->config->endpoints[i];
    for (size_t k = 0; k < config_option_count; k++) {
        const struct option *option = &config_options[k];
        enum option_container container;
        struct slice name = config_option_member(option, "endpoints[]", &container);
        if (!slice_present(name) || option->preset_by_sender[endpoint->sender] == NULL ||
            config_node_member(loader, config_node_entry(loader, "endpoints", i), name.ptr) != NULL)
            continue;
        /* The name is the last of the path, so it is terminated. */
        char reason[CONFIG_REASON_MAX];
        if (!config_value_read(option, slice_of(option->preset_by_sender[endpoint->sender]),
                               (char *)endpoint + option->offset, reason))
            loader->no_memory = true; /* the only reason: the table's presets are valid */
    }
}

static void check_deadline(struct loader *loader, size_t i)
{
    const struct config_endpoint *endpoint = &loader->config->endpoints[i];
    const struct option *option = config_option_find("endpoints[].deadline");
    uint64_t most = (uint64_t)option->max_by_sender[endpoint->sender];
    if (endpoint->deadline_ms <= most)
        return;
    char written[32], limit[32];
    config_value_duration(endpoint->deadline_ms, written, sizeof written);
    config_value_duration(most, limit, sizeof limit);
    config_errors_add(loader->errors, entry_mark(loader, "endpoints", i, "deadline"),
                      "endpoints[].deadline: must be at most %s for %s, which waits 1s longer, not %s", limit,
                      config_sender_name(endpoint->sender), written);
}

/* A body that may take as long as the deadline could never be answered in time. */
static void check_body_time(struct loader *loader, size_t i)
{
    const struct config_endpoint *endpoint = &loader->config->endpoints[i];
    uint64_t body_time = loader->config->limits.body_time_ms;
    if (endpoint->deadline_ms == 0 || body_time + 1000 < endpoint->deadline_ms)
        return;
    yaml_node_t *limits = config_node_member(loader, root_of(loader), "limits");
    bool written = config_node_member(loader, limits, "body_time") != NULL;
    char time[32], deadline[32];
    config_value_duration(body_time, time, sizeof time);
    config_value_duration(endpoint->deadline_ms, deadline, sizeof deadline);
    config_errors_add(
        loader->errors,
        written ? mark_of(loader, "limits", "body_time") : entry_mark(loader, "endpoints", i, "deadline"),
        "limits.body_time: %s%s is too long for the shortest deadline, %s: it must be less than the deadline "
        "minus 1s",
        time, written ? "" : " (the default)", deadline);
}

static void check_endpoints(struct loader *loader)
{
    const struct config *config = loader->config;
    size_t shortest = 0;
    for (size_t i = 0; i < config->endpoint_count; i++) {
        const struct config_endpoint *endpoint = &config->endpoints[i];
        if (endpoint->sender < SENDER_COUNT) {
            apply_sender_presets(loader, i);
            check_deadline(loader, i);
        }
        if (config->endpoints[shortest].deadline_ms == 0 ||
            (endpoint->deadline_ms != 0 && endpoint->deadline_ms < config->endpoints[shortest].deadline_ms))
            shortest = i;
        for (size_t k = 0; k < i && endpoint->path != NULL; k++) {
            if (config->endpoints[k].path != NULL && strcmp(endpoint->path, config->endpoints[k].path) == 0) {
                config_errors_add(loader->errors, entry_mark(loader, "endpoints", i, "path"),
                                  "endpoints[].path: the endpoint on line %u has the same path",
                                  config->endpoints[k].mark.line);
                break;
            }
        }
    }
    if (config->endpoint_count > 0)
        check_body_time(loader, shortest);
}

/* ---- the rest ---- */

static void check_bootstrap(struct loader *loader)
{
    const struct config *config = loader->config;
    for (size_t i = 0; i < config->kafka_count; i++) {
        if (config->kafka[i].name == NULL || strcmp(config->kafka[i].name, "bootstrap.servers") != 0)
            continue;
        if (config->kafka[i].value != NULL && config->kafka[i].value[0] == '\0')
            config_errors_add(loader->errors, config->kafka[i].mark,
                              "kafka.bootstrap.servers: must not be empty");
        return;
    }
    yaml_node_t *kafka = config_node_member(loader, root_of(loader), "kafka");
    if (kafka != NULL && kafka->type != YAML_MAPPING_NODE && !config_node_is_null(kafka))
        return; /* reported as such */
    config_errors_add(loader->errors, config_mark_of(kafka != NULL ? kafka : root_of(loader)),
                      "kafka.bootstrap.servers is missing: write the addresses of the brokers, as "
                      "host:port,host:port");
}

static int compare_instances(const void *a, const void *b)
{
    const struct config_instance *left = *(const struct config_instance *const *)a;
    const struct config_instance *right = *(const struct config_instance *const *)b;
    int order = strcmp(left->name, right->name);
    return order != 0 ? order : left < right ? -1 : left > right;
}

static void check_instances(struct loader *loader)
{
    const struct config *config = loader->config;
    if (config->instance_count == 0)
        return;
    const struct config_instance **sorted = calloc(config->instance_count, sizeof *sorted);
    if (sorted == NULL) {
        loader->no_memory = true;
        return;
    }
    size_t count = 0;
    for (size_t i = 0; i < config->instance_count; i++)
        if (config->instances[i].name != NULL)
            sorted[count++] = &config->instances[i];
    qsort(sorted, count, sizeof *sorted, compare_instances);
    for (size_t i = 1; i < count; i++)
        if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0)
            config_errors_add(loader->errors, sorted[i]->mark,
                              "instances: the instance on line %u has the same name",
                              sorted[i - 1]->mark.line);
    free(sorted);
}

static void check_topics(struct loader *loader)
{
    struct config *config = loader->config;
    yaml_node_t *key = config_node_key(loader, root_of(loader), "topics");
    if (key != NULL)
        config->topics.mark = config_mark_of(key);
    if (config->topics.prefix == NULL || strstr(config->topics.prefix, "{instance}") == NULL)
        return;
    yaml_node_t *instances = config_node_member(loader, root_of(loader), "instances");
    bool some = instances != NULL && instances->type == YAML_MAPPING_NODE &&
                instances->data.mapping.pairs.top > instances->data.mapping.pairs.start;
    if (!some)
        config_errors_add(loader->errors, mark_of(loader, "topics", "prefix"),
                          "topics.prefix: {instance} needs at least one entry in instances");
}

static void check_in_flight(struct loader *loader)
{
    const struct config *config = loader->config;
    if (config->limits.in_flight / 8 >= config->limits.body)
        return;
    char body[32], in_flight[32];
    config_value_size(config->limits.body, body, sizeof body);
    config_value_size(config->limits.in_flight, in_flight, sizeof in_flight);
    yaml_node_t *limits = config_node_member(loader, root_of(loader), "limits");
    bool written = config_node_member(loader, limits, "in_flight") != NULL;
    config_errors_add(loader->errors, mark_of(loader, "limits", written ? "in_flight" : "body"),
                      "limits.in_flight: %s%s is less than 8 times limits.body, %s", in_flight,
                      written ? "" : " (the default)", body);
}

void config_check(struct loader *loader, bool require_bootstrap)
{
    check_addresses(loader);
    check_endpoints(loader);
    config_check_auth(loader);
    if (require_bootstrap)
        check_bootstrap(loader);
    check_instances(loader);
    check_topics(loader);
    check_in_flight(loader);
}
