// SPDX-License-Identifier: Apache-2.0
//
// What differs between two configurations and takes effect only at a start: the
// rows of the table that say so, compared by their type. The thread that loads the
// configuration runs it.
#include "config/options.h"

#include <assert.h>

/* Longer than every path in the table. */
#define PATH_MAX_BYTES 64

struct comparison {
    const struct config *running, *wanted;
    void (*changed)(void *data, const char *option);
    void *data;
};

static bool texts_differ(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a != b : strcmp(a, b) != 0;
}

static bool addresses_differ(const struct config_address *a, const struct config_address *b)
{
    return a->port != b->port || texts_differ(a->host, b->host);
}

static bool values_differ(const struct option *option, const void *a, const void *b)
{
    switch (option->type) {
    case OPTION_OFF:
        return false;
    case OPTION_SECTION:
        return (*(char *const *)a == NULL) != (*(char *const *)b == NULL);
    case OPTION_AUTH:
    case OPTION_BOOLEAN:
        return *(const bool *)a != *(const bool *)b;
    case OPTION_INTEGER:
        return *(const int *)a != *(const int *)b;
    case OPTION_COUNT:
    case OPTION_SIZE:
        return *(const size_t *)a != *(const size_t *)b;
    case OPTION_ID:
    case OPTION_RETENTION:
        return *(const int64_t *)a != *(const int64_t *)b;
    case OPTION_DURATION:
        return *(const uint64_t *)a != *(const uint64_t *)b;
    case OPTION_WORD:
        return *(const unsigned *)a != *(const unsigned *)b;
    case OPTION_ADDRESS:
        return addresses_differ(a, b);
    default:
        return texts_differ(*(char *const *)a, *(char *const *)b);
    }
}

/* The entries of a list or free mapping. */
struct entries {
    const char *first;
    size_t count;
};

static struct entries entries_of(const struct option *option, const struct config *config)
{
    const char *base = (const char *)config;
    struct entries entries;
    memcpy(&entries.first, base + option->offset, sizeof entries.first);
    memcpy(&entries.count, base + option->count_offset, sizeof entries.count);
    return entries;
}

/* Two entries of a free mapping: a value, or the options of a section. */
static bool map_entries_differ(const struct option *option, const char *a, const char *b)
{
    if (option->type != OPTION_SECTION)
        return values_differ(option, a + option->entry_offset, b + option->entry_offset);
    for (size_t i = 0; i < config_option_count; i++) {
        const struct option *member = &config_options[i];
        enum option_container container;
        if (slice_present(config_option_member(member, option->path, &container)) &&
            values_differ(member, a + member->offset, b + member->offset))
            return true;
    }
    return false;
}

/* The entry with this key, or NULL. It is mostly at the same place, where it is looked for first. */
static const char *find_key(const struct option *option, struct entries entries, const char *key,
                            size_t place)
{
    for (size_t i = 0; i <= entries.count; i++) {
        size_t at = i == 0 ? place : i - 1;
        const char *entry = entries.first + at * option->entry_size;
        if (at < entries.count && !texts_differ(*(char *const *)(const void *)entry, key))
            return entry;
    }
    return NULL;
}

static bool maps_differ(const struct option *option, struct entries a, struct entries b)
{
    if (a.count != b.count)
        return true;
    for (size_t i = 0; i < a.count; i++) {
        const char *entry = a.first + i * option->entry_size;
        const char *other = find_key(option, b, *(char *const *)(const void *)entry, i);
        if (other == NULL || map_entries_differ(option, entry, other))
            return true;
    }
    return false;
}

static bool lists_differ(const struct option *option, struct entries a, struct entries b)
{
    if (a.count != b.count)
        return true;
    for (size_t i = 0; i < a.count; i++)
        if (values_differ(option, a.first + i * option->entry_size, b.first + i * option->entry_size))
            return true;
    return false;
}

/* Each option of the entries on its own, since most of them can change; which entries there are, and
 * what sections they have, as one. */
static void compare_sections(const struct comparison *comparison, const struct option *option)
{
    struct entries a = entries_of(option, comparison->running), b = entries_of(option, comparison->wanted);
    bool others = a.count != b.count;
    for (size_t i = 0; i < config_option_count && a.count == b.count; i++) {
        const struct option *member = &config_options[i];
        enum option_container container;
        if ((member->flags & OPTION_RESTART) == 0 ||
            !slice_present(config_option_member(member, option->path, &container)))
            continue;
        bool differs = false;
        for (size_t k = 0; k < a.count && !differs; k++) {
            size_t at = k * option->entry_size + member->offset;
            differs = values_differ(member, a.first + at, b.first + at);
        }
        if (differs && member->type == OPTION_SECTION)
            others = true;
        else if (differs)
            comparison->changed(comparison->data, member->path);
    }
    if (others)
        comparison->changed(comparison->data, option->path);
}

static void compare_option(const struct comparison *comparison, const struct option *option)
{
    const char *running = (const char *)comparison->running, *wanted = (const char *)comparison->wanted;
    enum option_container container = config_option_container(option);
    if (container == OPTION_PLAIN) {
        if (values_differ(option, running + option->offset, wanted + option->offset))
            comparison->changed(comparison->data, option->path);
        return;
    }
    if (container == OPTION_LIST && option->type == OPTION_SECTION) {
        compare_sections(comparison, option);
        return;
    }
    struct entries a = entries_of(option, comparison->running), b = entries_of(option, comparison->wanted);
    if (container == OPTION_MAP ? !maps_differ(option, a, b) : !lists_differ(option, a, b))
        return;
    char name[PATH_MAX_BYTES];
    size_t length = strlen(option->path) - 2; /* without "[]" or ".*" */
    assert(length < sizeof name);
    memcpy(name, option->path, length);
    name[length] = '\0';
    comparison->changed(comparison->data, name);
}

void config_restart_options(const struct config *running, const struct config *wanted,
                            void (*changed)(void *data, const char *option), void *data)
{
    const struct comparison comparison = {running, wanted, changed, data};
    for (size_t i = 0; i < config_option_count; i++) {
        const struct option *option = &config_options[i];
        /* What is in an entry is compared with its entries. */
        if ((option->flags & OPTION_RESTART) != 0 && strstr(option->path, "[].") == NULL &&
            strstr(option->path, "*.") == NULL)
            compare_option(&comparison, option);
    }
}
