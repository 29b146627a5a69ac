// SPDX-License-Identifier: Apache-2.0
//
// The route of an event. Pure functions on what routes.c has made; any thread.
#include <stdlib.h>
#include <string.h>

#include "intake/catalog.h"
#include "intake/route_index.h"

static int compare_slices(struct slice a, struct slice b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter == 0 ? 0 : memcmp(a.ptr, b.ptr, shorter);
    if (order != 0)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

int route_index_compare_instances(const void *a, const void *b)
{
    return compare_slices(((const struct instance_set *)a)->munchkin_id,
                          ((const struct instance_set *)b)->munchkin_id);
}

int route_index_compare_custom(const void *id, const void *custom)
{
    int64_t left = *(const int64_t *)id, right = ((const struct custom_type *)custom)->id;
    return left < right ? -1 : left > right;
}

/* Takes a Marketo type apart: its stream, and what follows the stream's word. False
 * for any other type. */
static bool split_type(struct slice type, enum stream *stream, struct slice *rest)
{
    const struct slice marketo = SLICE_LITERAL("com.adobe.platform.marketo.");
    if (!slice_starts_with(type, marketo))
        return false;
    const char *word = type.ptr + marketo.len;
    size_t left = type.len - marketo.len;
    const char *dot = memchr(word, '.', left);
    size_t length = dot == NULL ? left : (size_t)(dot - word);
    for (int s = 0; s < STREAM_COUNT; s++) {
        if (!slice_equal((struct slice){word, length}, slice_of(stream_name((enum stream)s))))
            continue;
        *stream = (enum stream)s;
        *rest = dot == NULL ? SLICE_ABSENT : (struct slice){dot + 1, left - length - 1};
        return true;
    }
    return false;
}

/* The catalog's entry for what follows the stream's word: "standard.openemail",
 * "user.landingpage", "campaign_abort". First the whole, since names may have dots
 * ("Enrich with Data.com"), then what follows the last dot. */
static int find_rest(enum stream stream, struct slice rest)
{
    static const struct slice groups[STREAM_COUNT] = {
        [STREAM_ACTIVITY] = {"standard.", 9}, [STREAM_AUDIT] = {"user.", 5}};
    if (rest.len == 0)
        return -1;
    if (groups[stream].ptr != NULL && slice_starts_with(rest, groups[stream])) {
        rest.ptr += groups[stream].len;
        rest.len -= groups[stream].len;
    }
    if (stream == STREAM_AUDIT) {
        /* "Admin UI -> User" means the part after the last arrow. */
        for (size_t i = rest.len; i >= 2; i--) {
            if (rest.ptr[i - 2] == '-' && rest.ptr[i - 1] == '>') {
                rest = (struct slice){rest.ptr + i, rest.len - i};
                break;
            }
        }
    }
    int entry = catalog_find_name(stream, rest);
    for (size_t i = rest.len; entry < 0 && i > 0; i--) {
        if (rest.ptr[i - 1] == '.') {
            entry = catalog_find_name(stream, (struct slice){rest.ptr + i, rest.len - i});
            break;
        }
    }
    return entry;
}

/* The type of an activity; *entry is its place in the catalog or -1. */
static int find_activity(const struct route_index *index, const struct route_facts *facts, struct slice rest,
                         int *entry)
{
    const struct slice custom = SLICE_LITERAL("custom"), custom_group = SLICE_LITERAL("custom.");
    *entry = -1;
    if (facts->activity_id >= CUSTOM_ID_FIRST) {
        const struct custom_type *listed = bsearch(&facts->activity_id, index->customs, index->custom_count,
                                                   sizeof index->customs[0], route_index_compare_custom);
        return listed == NULL ? index->custom : listed->type;
    }
    *entry = catalog_find_activity_id(facts->activity_id);
    if (*entry < 0 && (slice_equal(rest, custom) || slice_starts_with(rest, custom_group)))
        return index->custom;
    if (*entry < 0)
        *entry = find_rest(STREAM_ACTIVITY, rest);
    if (*entry < 0)
        *entry = catalog_find_name(STREAM_ACTIVITY, facts->activity_type);
    return *entry < 0 ? index->other[STREAM_ACTIVITY] : *entry + index->shift[STREAM_ACTIVITY];
}

/* The set of topics of an instance; -1 when it is not listed. */
static int find_set(const struct route_index *index, struct slice munchkin_id)
{
    if (index->instance_count == 0)
        return 0;
    const struct instance_set key = {.munchkin_id = munchkin_id};
    const struct instance_set *found = bsearch(&key, index->instances, index->instance_count,
                                               sizeof index->instances[0], route_index_compare_instances);
    return found == NULL ? -1 : found->set;
}

enum route_result routes_find(const struct routes *routes, const struct route_facts *facts,
                              struct route *route)
{
    const struct route_index *index = routes->index;
    struct slice rest = SLICE_ABSENT;
    *route = (struct route){.topic = -1, .type = -1, .catalog = -1, .stream = STREAM_ACTIVITY};
    /* A number says more than a type that is not Marketo's; a name alone says
     * something only when there is no type at all. */
    if (!split_type(facts->type, &route->stream, &rest) && facts->activity_id < 0 &&
        (facts->type.len > 0 || facts->activity_type.len == 0))
        return ROUTE_NO_TYPE;

    if (route->stream == STREAM_ACTIVITY) {
        route->type = find_activity(index, facts, rest, &route->catalog);
    } else {
        route->catalog = find_rest(route->stream, rest);
        route->type =
            route->catalog < 0 ? index->other[route->stream] : route->catalog + index->shift[route->stream];
    }

    int set = find_set(index, facts->munchkin_id);
    if (set < 0)
        return ROUTE_UNKNOWN_INSTANCE;
    size_t slot = routes->config->topics.route == ROUTE_STREAM ? (size_t)route->stream : (size_t)route->type;
    route->topic = (int)((size_t)set * index->set_size + slot);
    return ROUTE_FOUND;
}
