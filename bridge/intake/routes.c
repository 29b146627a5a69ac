// SPDX-License-Identifier: Apache-2.0
//
// The set of topics, made once by main from the catalog and the configuration.
#include "intake/routes.h"

#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intake/catalog.h"
#include "intake/route_index.h"

#define TOPIC_NAME_MAX 249 /* Kafka's limit */
#define INSTANCE_FIELD "{instance}"
#define DEAD_LETTER_NAME "deadletter"

__attribute__((format(printf, 1, 2))) static char *format_text(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0)
        return NULL;
    char *text = malloc((size_t)length + 1);
    if (text == NULL)
        return NULL;
    va_start(arguments, format);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return text;
}

/* The first character that no topic name may have; NULL when there is none. */
static const char *find_illegal(const char *text)
{
    const char *end =
        text + strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    return *end == '\0' ? NULL : end;
}

static bool check_characters(const char *what, const char *text, struct config_mark mark,
                             struct config_errors *errors)
{
    if (*text == '\0') {
        config_errors_add(errors, mark, "%s is empty", what);
        return false;
    }
    const char *illegal = find_illegal(text);
    if (illegal == NULL)
        return true;
    config_errors_add(
        errors, mark,
        "%s \"%s\" cannot be part of a topic name from byte %zu on: Kafka takes letters, digits, "
        "'.', '_' and '-'",
        what, text, (size_t)(illegal - text) + 1);
    return false;
}

/* The prefix around {instance}; after is NULL when it does not contain it. */
struct prefix {
    char *before, *after;
};

static void prefix_free(struct prefix *prefix)
{
    free(prefix->before);
    free(prefix->after);
}

static bool prefix_read(const struct config *config, struct prefix *prefix, struct config_errors *errors)
{
    const char *text = config->topics.prefix;
    struct config_mark mark = config->topics.mark;
    if (strlen(text) > TOPIC_NAME_MAX + strlen(INSTANCE_FIELD)) {
        config_errors_add(errors, mark, "topics.prefix is longer than the %d bytes of a topic name",
                          TOPIC_NAME_MAX);
        return false;
    }
    const char *field = strstr(text, INSTANCE_FIELD);
    const char *after = field == NULL ? NULL : field + strlen(INSTANCE_FIELD);
    size_t before_length = field == NULL ? strlen(text) : (size_t)(field - text);
    prefix->before = format_text("%.*s", (int)before_length, text);
    prefix->after = after == NULL ? NULL : format_text("%s", after);
    if (prefix->before == NULL || (after != NULL && prefix->after == NULL)) {
        config_errors_add(errors, mark, "out of memory");
        return false;
    }
    if (after == NULL)
        return check_characters("topics.prefix", text, mark, errors);
    if (strstr(after, INSTANCE_FIELD) != NULL) {
        config_errors_add(errors, mark, "topics.prefix \"%s\" contains " INSTANCE_FIELD " more than once",
                          text);
        return false;
    }
    if (config->instance_count == 0) {
        config_errors_add(errors, mark,
                          "topics.prefix \"%s\" contains " INSTANCE_FIELD ", but no instances are given",
                          text);
        return false;
    }
    return (*prefix->before == '\0' || check_characters("topics.prefix", prefix->before, mark, errors)) &&
           (*after == '\0' || check_characters("topics.prefix", after, mark, errors));
}

/* The name of the dead-letter topic when none is configured: {instance} goes,
 * and the dot behind it, else the one before it. */
static char *make_dead_letter_name(const struct prefix *prefix)
{
    size_t length = strlen(prefix->before);
    const char *after = prefix->after == NULL ? "" : prefix->after;
    if (*after == '.')
        after++;
    else if (prefix->after != NULL && length > 0 && prefix->before[length - 1] == '.')
        length--;
    const char *dot = length == 0 && *after == '\0' ? "" : ".";
    return format_text("%.*s%s%s" DEAD_LETTER_NAME, (int)length, prefix->before, after, dot);
}

static int compare_int64(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

static bool read_customs(struct route_index *index, const struct config *config, struct config_errors *errors)
{
    struct config_mark mark = config->topics.mark;
    size_t count = config->topics.custom_count;
    index->customs = calloc(count + 1, sizeof *index->customs);
    int64_t *ids = calloc(count + 1, sizeof *ids);
    if (index->customs == NULL || ids == NULL) {
        free(ids);
        config_errors_add(errors, mark, "out of memory");
        return false;
    }
    if (count > 0)
        memcpy(ids, config->topics.custom, count * sizeof *ids);
    qsort(ids, count, sizeof *ids, compare_int64);
    bool sound = true;
    for (size_t i = 0; i < count; i++) {
        if (ids[i] < CUSTOM_ID_FIRST) {
            config_errors_add(errors, mark,
                              "topics.custom: %lld is no custom activity; their ids begin at %d",
                              (long long)ids[i], CUSTOM_ID_FIRST);
            sound = false;
        } else if (i > 0 && ids[i] == ids[i - 1]) {
            config_errors_add(errors, mark, "topics.custom: %lld is listed twice", (long long)ids[i]);
            sound = false;
        }
        index->customs[i].id = ids[i];
    }
    index->custom_count = count;
    free(ids);
    return sound;
}

static bool read_instances(struct route_index *index, const struct config *config, bool in_prefix,
                           struct config_errors *errors)
{
    size_t count = config->instance_count;
    index->instances = calloc(count + 1, sizeof *index->instances);
    if (index->instances == NULL) {
        config_errors_add(errors, config->topics.mark, "out of memory");
        return false;
    }
    bool sound = true;
    for (size_t i = 0; i < count; i++) {
        const struct config_instance *instance = &config->instances[i];
        index->instances[i] =
            (struct instance_set){slice_of(instance->munchkin_id), in_prefix ? (int)i : 0, instance->mark};
        if (in_prefix && !check_characters("the instance's name", instance->name, instance->mark, errors))
            sound = false;
    }
    index->instance_count = count;
    qsort(index->instances, count, sizeof *index->instances, route_index_compare_instances);
    for (size_t i = 1; i < count; i++) {
        if (route_index_compare_instances(&index->instances[i], &index->instances[i - 1]) == 0) {
            config_errors_add(errors, index->instances[i].mark, "the instance %s is listed twice",
                              index->instances[i].munchkin_id.ptr);
            sound = false;
        }
    }
    index->per_instance = in_prefix;
    index->set_count = in_prefix ? count : 1;
    return sound;
}

/* Appends a type that takes over the name; its index, or -1 without memory. */
static int append_type(struct routes *routes, enum stream stream, char *name)
{
    if (name == NULL)
        return -1;
    int type = (int)routes->type_count;
    routes->types[routes->type_count++] = (struct event_type){stream, name};
    return type;
}

/* Per stream: the catalog's types, for activities "custom" and those of topics.custom, "other". */
static bool make_types(struct routes *routes)
{
    struct route_index *index = routes->index;
    size_t most = catalog_type_count + STREAM_COUNT + 1 + index->custom_count;
    routes->types = calloc(most, sizeof *routes->types);
    if (routes->types == NULL)
        return false;
    size_t entry = 0;
    for (int s = 0; s < STREAM_COUNT; s++) {
        enum stream stream = (enum stream)s;
        index->shift[s] = (int)routes->type_count - (int)entry;
        for (; entry < catalog_type_count && catalog_types[entry].stream == stream; entry++) {
            if (append_type(routes, stream, format_text("%s", catalog_types[entry].topic)) < 0)
                return false;
        }
        if (stream == STREAM_ACTIVITY) {
            index->custom = append_type(routes, stream, format_text("custom"));
            if (index->custom < 0)
                return false;
            for (size_t i = 0; i < index->custom_count; i++) {
                struct custom_type *custom = &index->customs[i];
                custom->type = append_type(routes, stream, format_text("custom-%lld", (long long)custom->id));
                if (custom->type < 0)
                    return false;
            }
        }
        index->other[s] = append_type(routes, stream, format_text("other"));
        if (index->other[s] < 0)
            return false;
    }
    return true;
}

static char *make_topic_name(const struct routes *routes, const struct prefix *prefix, size_t set,
                             size_t slot)
{
    const struct config *config = routes->config;
    const char *instance = prefix->after == NULL ? "" : config->instances[set].name;
    const char *after = prefix->after == NULL ? "" : prefix->after;
    if (config->topics.route == ROUTE_STREAM)
        return format_text("%s%s%s.%s", prefix->before, instance, after, stream_name((enum stream)slot));
    const struct event_type *type = &routes->types[slot];
    return format_text("%s%s%s.%s.%s", prefix->before, instance, after, stream_name(type->stream),
                       type->name);
}

static bool make_topics(struct routes *routes, const struct prefix *prefix)
{
    const struct config *config = routes->config;
    const struct route_index *index = routes->index;
    size_t count;
    if (__builtin_mul_overflow(index->set_count, index->set_size, &count) || count >= INT_MAX)
        return false;
    routes->topics = calloc(count + 1, sizeof *routes->topics);
    if (routes->topics == NULL)
        return false;
    for (size_t i = 0; i <= count; i++) {
        char *name;
        if (i < count)
            name = make_topic_name(routes, prefix, i / index->set_size, i % index->set_size);
        else if (config->topics.dead_letter != NULL)
            name = format_text("%s", config->topics.dead_letter);
        else
            name = make_dead_letter_name(prefix);
        if (name == NULL)
            return false;
        routes->topics[i] = (struct topic_spec){name, config->topics.partitions, config->topics.replication,
                                                config->topics.retention_ms};
        routes->topic_count++;
    }
    routes->dead_letter = (int)count;
    return true;
}

/* Where the configuration says what a topic is called. */
static struct config_mark mark_of(const struct routes *routes, size_t topic)
{
    const struct route_index *index = routes->index;
    size_t set = topic / index->set_size;
    if (index->per_instance && set < index->set_count)
        return routes->config->instances[set].mark;
    return routes->config->topics.mark;
}

/* Of each set only the longest name is reported. */
static bool check_lengths(const struct routes *routes, struct config_errors *errors)
{
    bool sound = true;
    size_t set_size = routes->index->set_size;
    for (size_t first = 0; first < routes->topic_count; first += set_size) {
        size_t longest = first;
        for (size_t i = first; i < first + set_size && i < routes->topic_count; i++) {
            if (strlen(routes->topics[i].name) > strlen(routes->topics[longest].name))
                longest = i;
        }
        const char *name = routes->topics[longest].name;
        if (strlen(name) > TOPIC_NAME_MAX) {
            config_errors_add(errors, mark_of(routes, longest),
                              "the topic name \"%s\" has %zu bytes; Kafka takes %d", name, strlen(name),
                              TOPIC_NAME_MAX);
            sound = false;
        }
    }
    return sound;
}

/* Kafka's metrics write '.' as '_', so names that differ only there collide. */
static int compare_names(const char *a, const char *b)
{
    for (;; a++, b++) {
        char left = *a == '.' ? '_' : *a, right = *b == '.' ? '_' : *b;
        if (left != right)
            return left < right ? -1 : 1;
        if (left == '\0')
            return 0;
    }
}

static int compare_topics(const void *a, const void *b)
{
    const struct topic_spec *left = *(struct topic_spec *const *)a;
    const struct topic_spec *right = *(struct topic_spec *const *)b;
    int order = compare_names(left->name, right->name);
    if (order != 0)
        return order;
    return left < right ? -1 : left > right;
}

/* Of each set only the first collision is reported. */
static bool check_collisions(const struct routes *routes, struct config_errors *errors)
{
    const struct route_index *index = routes->index;
    bool sound = true;
    struct topic_spec **sorted = calloc(routes->topic_count, sizeof *sorted);
    bool *reported = calloc(index->set_count + 1, sizeof *reported);
    if (sorted == NULL || reported == NULL) {
        config_errors_add(errors, routes->config->topics.mark, "out of memory");
        sound = false;
        goto out;
    }
    for (size_t i = 0; i < routes->topic_count; i++)
        sorted[i] = &routes->topics[i];
    qsort(sorted, routes->topic_count, sizeof *sorted, compare_topics);
    for (size_t i = 1; i < routes->topic_count; i++) {
        const char *first = sorted[i - 1]->name, *second = sorted[i]->name;
        size_t topic = (size_t)(sorted[i] - routes->topics);
        size_t set = topic / index->set_size;
        if (compare_names(first, second) != 0)
            continue;
        sound = false;
        if (reported[set])
            continue;
        reported[set] = true;
        if (strcmp(first, second) == 0)
            config_errors_add(errors, mark_of(routes, topic), "two topics would have the name \"%s\"", first);
        else
            config_errors_add(
                errors, mark_of(routes, topic),
                "the topics \"%s\" and \"%s\" collide: in the names of Kafka's metrics '.' and '_' "
                "are the same",
                first, second);
    }
out:
    free(sorted);
    free(reported);
    return sound;
}

/* The place in a set of a topic named without its prefix; -1 when there is none. */
static int find_slot(const struct routes *routes, const char *name)
{
    for (size_t slot = 0; slot < routes->index->set_size; slot++) {
        if (routes->config->topics.route == ROUTE_STREAM) {
            if (strcmp(name, stream_name((enum stream)slot)) == 0)
                return (int)slot;
            continue;
        }
        const struct event_type *type = &routes->types[slot];
        const char *stream = stream_name(type->stream);
        size_t length = strlen(stream);
        if (strncmp(name, stream, length) == 0 && name[length] == '.' &&
            strcmp(name + length + 1, type->name) == 0)
            return (int)slot;
    }
    return -1;
}

static void override_topic(struct topic_spec *topic, const struct config_topic_override *override)
{
    if (override->partitions != -2)
        topic->partitions = override->partitions;
    if (override->replication != -2)
        topic->replication = override->replication;
    if (override->retention_ms != INT64_MIN)
        topic->retention_ms = override->retention_ms;
}

static bool apply_overrides(struct routes *routes, struct config_errors *errors)
{
    const struct config *config = routes->config;
    const struct route_index *index = routes->index;
    bool sound = true;
    for (size_t i = 0; i < config->topics.override_count; i++) {
        const struct config_topic_override *override = &config->topics.overrides[i];
        if (strcmp(override->topic, DEAD_LETTER_NAME) == 0) {
            override_topic(&routes->topics[routes->dead_letter], override);
            continue;
        }
        int slot = find_slot(routes, override->topic);
        if (slot < 0) {
            config_errors_add(
                errors, override->mark,
                "topics.override: there is no topic \"%s\" with this configuration (names stand "
                "without the prefix, like \"%s\")",
                override->topic, config->topics.route == ROUTE_STREAM ? "activity" : "activity.openemail");
            sound = false;
            continue;
        }
        for (size_t set = 0; set < index->set_count; set++)
            override_topic(&routes->topics[set * index->set_size + (size_t)slot], override);
    }
    return sound;
}

struct routes *routes_create(const struct config *config, struct config_errors *errors)
{
    struct prefix prefix = {NULL, NULL};
    struct route_index *index = calloc(1, sizeof *index);
    struct routes *routes = calloc(1, sizeof *routes);
    if (routes == NULL || index == NULL) {
        free(index);
        free(routes);
        config_errors_add(errors, config->topics.mark, "out of memory");
        return NULL;
    }
    routes->config = config;
    routes->index = index;

    bool sound = prefix_read(config, &prefix, errors);
    sound = read_customs(index, config, errors) && sound;
    sound = read_instances(index, config, prefix.after != NULL, errors) && sound;
    const char *dead_letter = config->topics.dead_letter;
    if (dead_letter != NULL) {
        if (strcmp(dead_letter, ".") == 0 || strcmp(dead_letter, "..") == 0) {
            config_errors_add(errors, config->topics.mark,
                              "topics.dead_letter: Kafka takes no topic named \"%s\"", dead_letter);
            sound = false;
        } else {
            sound = check_characters("topics.dead_letter", dead_letter, config->topics.mark, errors) && sound;
        }
    }
    if (!sound)
        goto fail;

    if (!make_types(routes))
        goto no_memory;
    index->set_size = config->topics.route == ROUTE_STREAM ? STREAM_COUNT : routes->type_count;
    if (!make_topics(routes, &prefix))
        goto no_memory;
    sound = check_lengths(routes, errors);
    sound = check_collisions(routes, errors) && sound;
    sound = apply_overrides(routes, errors) && sound;
    if (!sound)
        goto fail;
    prefix_free(&prefix);
    return routes;

no_memory:
    config_errors_add(errors, config->topics.mark, "out of memory");
fail:
    prefix_free(&prefix);
    routes_free(routes);
    return NULL;
}

void routes_free(struct routes *routes)
{
    if (routes == NULL)
        return;
    for (size_t i = 0; i < routes->topic_count; i++)
        free(routes->topics[i].name);
    for (size_t i = 0; i < routes->type_count; i++)
        free(routes->types[i].name);
    free(routes->topics);
    free(routes->types);
    free(routes->index->customs);
    free(routes->index->instances);
    free(routes->index);
    free(routes);
}
