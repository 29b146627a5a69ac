// SPDX-License-Identifier: Apache-2.0
//
// Lookups in the generated catalog of event types. Pure functions; any thread.
#include "intake/catalog.h"

#include <stdlib.h>
#include <string.h>

#include "intake/catalog_table.h"

static int compare_id(const void *key, const void *element)
{
    int64_t id = *(const int64_t *)key;
    int64_t other = ((const struct catalog_id *)element)->id;
    return id < other ? -1 : id > other;
}

int catalog_find_activity_id(int64_t id)
{
    const struct catalog_id *found =
        bsearch(&id, catalog_ids, catalog_id_count, sizeof catalog_ids[0], compare_id);
    return found == NULL ? -1 : found->type;
}

static int compare_text(const void *key, const void *element)
{
    const struct slice *text = key;
    const struct slice *other = &((const struct catalog_key *)element)->text;
    int order = memcmp(text->ptr, other->ptr, text->len < other->len ? text->len : other->len);
    if (order != 0)
        return order;
    return text->len < other->len ? -1 : text->len > other->len;
}

int catalog_find_name(enum stream stream, struct slice name)
{
    if (name.len > CATALOG_NAME_MAX)
        return -1;
    char buffer[CATALOG_NAME_MAX];
    struct slice text = {buffer, catalog_normalise(name, buffer, sizeof buffer)};
    if (text.len == 0)
        return -1;
    size_t start = catalog_key_start[stream];
    const struct catalog_key *found =
        bsearch(&text, catalog_keys + start, catalog_key_start[stream + 1] - start, sizeof catalog_keys[0],
                compare_text);
    return found == NULL ? -1 : found->type;
}

size_t catalog_normalise(struct slice name, char *out, size_t size)
{
    size_t written = 0;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        else if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9'))
            continue;
        if (written == size)
            return 0;
        out[written++] = c;
    }
    return written;
}
