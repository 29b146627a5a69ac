// SPDX-License-Identifier: Apache-2.0
//
// Names and routes: every event that is found a route goes to a topic of its own stream and
// type, and a name is found however it is spelt. Input: lines of activityTypeId, type,
// activityType and munchkinId.
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "intake/catalog.h"
#include "intake/routes.h"

enum { TOPIC_SETS = 3 }; /* a topic a type, a stream, and an instance and a type */

static struct config configs[TOPIC_SETS];
static struct routes *routes[TOPIC_SETS];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    static char prefix[] = "p", instance_prefix[] = "p.{instance}", first[] = "M", second[] = "123-ABC-456",
                one[] = "one", two[] = "two";
    static struct config_instance listed[] = {{first, one, {1, 1}}, {second, two, {2, 1}}};
    static int64_t custom[] = {100002, 100001};
    for (int i = 0; i < TOPIC_SETS; i++) {
        struct config_errors errors = {0};
        configs[i].topics.prefix = i == 2 ? instance_prefix : prefix;
        configs[i].topics.route = i == 1 ? ROUTE_STREAM : ROUTE_TYPE;
        configs[i].topics.partitions = 1;
        configs[i].topics.custom = custom;
        configs[i].topics.custom_count = 2;
        configs[i].instances = i == 2 ? listed : NULL;
        configs[i].instance_count = i == 2 ? 2 : 0;
        routes[i] = routes_create(&configs[i], &errors);
        fuzz_check(routes[i] != NULL);
    }
    return 0;
}

/* What stands before the next line end; absent when nothing is left. */
static struct slice next_line(struct slice *rest)
{
    if (rest->len == 0)
        return SLICE_ABSENT;
    const char *end = memchr(rest->ptr, '\n', rest->len);
    struct slice line = {rest->ptr, end == NULL ? rest->len : (size_t)(end - rest->ptr)};
    size_t used = line.len + (end != NULL);
    *rest = (struct slice){rest->ptr + used, rest->len - used};
    return line;
}

/* Digits only, as many as fit. */
static int64_t read_id(struct slice text)
{
    int64_t id = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || id > INT64_MAX / 10 - 1)
            return -1;
        id = id * 10 + (text.ptr[i] - '0');
    }
    return text.len == 0 ? -1 : id;
}

static void check_name(enum stream stream, struct slice name)
{
    char *plain = fuzz_alloc(name.len);
    size_t length = catalog_normalise(name, plain, name.len);
    for (size_t i = 0; i < length; i++)
        fuzz_check((plain[i] >= 'a' && plain[i] <= 'z') || (plain[i] >= '0' && plain[i] <= '9'));
    int found = catalog_find_name(stream, name);
    fuzz_check(found >= -1 && found < (int)catalog_type_count);
    fuzz_check(found < 0 || catalog_types[found].stream == stream);
    if (name.len <= 128)
        fuzz_check(catalog_find_name(stream, (struct slice){plain, length}) == found);
    else
        fuzz_check(found < 0);
    free(plain);
}

static void check_route(const struct routes *set, const struct route_facts *facts)
{
    struct route route;
    const bool by_stream = set->config->topics.route == ROUTE_STREAM;
    enum route_result result = routes_find(set, facts, &route);
    fuzz_check(route.stream < STREAM_COUNT);
    fuzz_check(route.catalog >= -1 && route.catalog < (int)catalog_type_count);
    if (result == ROUTE_NO_TYPE) {
        fuzz_check(route.topic == -1 && route.type == -1 && facts->activity_id < 0);
        return;
    }
    fuzz_check(route.type >= 0 && route.type < (int)set->type_count);
    const struct event_type *type = &set->types[route.type];
    fuzz_check(type->stream == route.stream);
    if (route.catalog >= 0) {
        fuzz_check(catalog_types[route.catalog].stream == route.stream);
        fuzz_check(strcmp(type->name, catalog_types[route.catalog].topic) == 0);
    } else {
        fuzz_check(strcmp(type->name, "other") == 0 || strncmp(type->name, "custom", 6) == 0);
    }
    if (route.stream == STREAM_ACTIVITY && facts->activity_id >= 100000)
        fuzz_check(strncmp(type->name, "custom", 6) == 0);
    if (result == ROUTE_UNKNOWN_INSTANCE) {
        fuzz_check(route.topic == -1 && set->config->instance_count > 0);
        return;
    }
    fuzz_check(route.topic >= 0 && route.topic < set->dead_letter);
    /* p.activity.openemail, p.activity, p.one.activity.openemail */
    const char *name = set->topics[route.topic].name, *stream = stream_name(route.stream);
    fuzz_check(strncmp(name, "p.", 2) == 0);
    name += 2;
    if (set->config->instance_count > 0) {
        bool first = slice_equal(facts->munchkin_id, SLICE_LITERAL("M"));
        fuzz_check(strncmp(name, first ? "one." : "two.", 4) == 0);
        name += 4;
    }
    fuzz_check(strncmp(name, stream, strlen(stream)) == 0);
    name += strlen(stream);
    fuzz_check(by_stream ? *name == '\0' : *name == '.' && strcmp(name + 1, type->name) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = {(const char *)data, size};
    struct route_facts facts = {.activity_id = read_id(next_line(&rest))};
    facts.type = next_line(&rest);
    facts.activity_type = next_line(&rest);
    facts.munchkin_id = next_line(&rest);
    check_name((enum stream)(size % STREAM_COUNT), facts.type);
    check_name((enum stream)(size % STREAM_COUNT), facts.activity_type);
    int by_id = catalog_find_activity_id(facts.activity_id);
    fuzz_check(by_id < 0 || catalog_types[by_id].stream == STREAM_ACTIVITY);
    for (int i = 0; i < TOPIC_SETS; i++)
        check_route(routes[i], &facts);
    return 0;
}
