// SPDX-License-Identifier: Apache-2.0
//
// From the YAML document to struct config: walks it along the table of options
// and collects everything that is wrong. The thread that loads the configuration
// runs it.
#include "config/options.h"

#include <stdlib.h>

#define KEY_MAX 249 /* also the longest name of a topic */

static void read_node(struct loader *loader, const struct option *option, enum option_container container,
                      yaml_node_t *node, char *base);
static void read_section(struct loader *loader, yaml_node_t *node, const char *prefix, char *base);

struct config_mark config_mark_of(const yaml_node_t *node)
{
    return (struct config_mark){(unsigned)node->start_mark.line + 1, (unsigned)node->start_mark.column + 1};
}

static struct slice node_text(const yaml_node_t *node)
{
    return (struct slice){(const char *)node->data.scalar.value, node->data.scalar.length};
}

bool config_node_is_null(const yaml_node_t *node)
{
    if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (slice_equal(node_text(node), slice_of(words[i])))
            return true;
    return false;
}

static yaml_node_pair_t *find_pair(struct loader *loader, yaml_node_t *node, const char *key)
{
    if (node == NULL || node->type != YAML_MAPPING_NODE)
        return NULL;
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top;
         pair++) {
        yaml_node_t *name = yaml_document_get_node(&loader->document, pair->key);
        if (name->type == YAML_SCALAR_NODE && slice_equal(node_text(name), slice_of(key)))
            return pair;
    }
    return NULL;
}

yaml_node_t *config_node_key(struct loader *loader, yaml_node_t *node, const char *key)
{
    yaml_node_pair_t *pair = find_pair(loader, node, key);
    return pair == NULL ? NULL : yaml_document_get_node(&loader->document, pair->key);
}

yaml_node_t *config_node_member(struct loader *loader, yaml_node_t *node, const char *key)
{
    yaml_node_pair_t *pair = find_pair(loader, node, key);
    return pair == NULL ? NULL : yaml_document_get_node(&loader->document, pair->value);
}

yaml_node_t *config_node_entry(struct loader *loader, const char *list, size_t i)
{
    yaml_node_t *root = yaml_document_get_root_node(&loader->document);
    yaml_node_t *node = config_node_member(loader, root, list);
    return yaml_document_get_node(&loader->document, node->data.sequence.items.start[i]);
}

/* ---- presets ---- */

/* Gives every option below prefix, as far as it is kept in the same structure, its preset. */
static void apply_presets(struct loader *loader, const char *prefix, char *base)
{
    size_t length = strlen(prefix);
    for (size_t i = 0; i < config_option_count; i++) {
        const struct option *option = &config_options[i];
        const char *rest = option->path;
        if (length > 0) {
            if (strncmp(rest, prefix, length) != 0 || rest[length] != '.')
                continue;
            rest += length + 1;
        }
        if (strpbrk(rest, "[*") != NULL)
            continue;
        void *to = base + option->offset;
        if (option->preset != NULL) {
            char reason[CONFIG_REASON_MAX];
            if (!config_value_read(option, slice_of(option->preset), to, reason))
                loader->no_memory = true; /* the only reason: the table's presets are valid */
        } else if ((option->flags & OPTION_INHERITS) != 0 && option->type == OPTION_INTEGER) {
            *(int *)to = -2;
        } else if ((option->flags & OPTION_INHERITS) != 0) {
            *(int64_t *)to = INT64_MIN;
        } else if (option->type == OPTION_WORD) {
            /* No preset: the number of words, which stands for none of them. */
            unsigned count = 0;
            while (option->words[count] != NULL)
                count++;
            *(unsigned *)to = count;
        }
    }
}

/* ---- scalars ---- */

/* name: what the option is called in messages. */
static bool read_scalar(struct loader *loader, const struct option *option, const char *name,
                        yaml_node_t *node, void *to)
{
    struct config_mark mark = config_mark_of(node);
    if (config_node_is_null(node)) {
        if ((option->flags & OPTION_NULLABLE) != 0)
            return true;
        config_errors_add(loader->errors, mark, "%s: needs a value, null is none", name);
        return false;
    }
    struct slice written = {NULL, 0};
    char reason[CONFIG_REASON_MAX];
    bool accepted = false;
    if (node->type == YAML_SCALAR_NODE) {
        written = node_text(node);
        char *text;
        size_t length;
        if (!config_substitute(written, name, mark, loader->errors, loader->files, &text, &length))
            return false;
        accepted = config_value_read(option, (struct slice){text, length}, to, reason);
        config_wipe(text, length);
    } else if (option->type == OPTION_OFF) {
        snprintf(reason, sizeof reason, "must be false: this version does not have it");
    } else {
        snprintf(reason, sizeof reason, "must be a single value, not a %s",
                 node->type == YAML_MAPPING_NODE ? "mapping" : "list");
    }
    if (accepted)
        return true;
    /* What is quoted is what the file says, never what it was replaced with. */
    if (written.len > 0 && config_option_may_quote(option, written)) {
        char quoted[CONFIG_QUOTE_MAX];
        config_errors_add(loader->errors, mark, "%s: %s, not %s", name, reason,
                          config_quote(written, quoted));
    } else {
        config_errors_add(loader->errors, mark, "%s: %s", name, reason);
    }
    return false;
}

/* ---- lists and free mappings ---- */

/* The length of the path without the "[]" or ".*" at its end. */
static int name_length(const struct option *option)
{
    return (int)strlen(option->path) - 2;
}

/* Makes room for `count` entries, which is the most that can come. */
static char *make_entries(struct loader *loader, const struct option *option, yaml_node_t *node, size_t count,
                          char *base)
{
    if (count > OPTION_ENTRIES_MAX) {
        config_errors_add(loader->errors, config_mark_of(node), "%.*s: more than %d entries",
                          name_length(option), option->path, OPTION_ENTRIES_MAX);
        return NULL;
    }
    if (count == 0)
        return NULL;
    void *entries = calloc(count, option->entry_size);
    if (entries == NULL) {
        loader->no_memory = true;
        return NULL;
    }
    memcpy(base + option->offset, &entries, sizeof entries);
    return entries;
}

static void set_mark(const struct option *option, yaml_node_t *node, char *entry)
{
    if (option->mark_offset != OPTION_NO_MARK)
        *(struct config_mark *)(void *)(entry + option->mark_offset) = config_mark_of(node);
}

/* Two entries of a list of scalars. */
static bool entries_equal(const struct option *option, const void *a, const void *b)
{
    if (option->type == OPTION_ID)
        return *(const int64_t *)a == *(const int64_t *)b;
    return strcmp(*(char *const *)a, *(char *const *)b) == 0;
}

/* id and type are headers of every record already. */
static bool header_is_always_there(const char *name)
{
    return strcmp(name, "id") == 0 || strcmp(name, "type") == 0;
}

/* One entry of a list of scalars; false when it is not to be kept. */
static bool read_list_scalar(struct loader *loader, const struct option *option, yaml_node_t *node,
                             const char *entries, size_t count, char *entry)
{
    if (!read_scalar(loader, option, option->path, node, entry))
        return false;
    bool keep = true;
    if (option->type == OPTION_HEADER)
        keep = !header_is_always_there(*(char **)(void *)entry);
    for (size_t i = 0; keep && (option->flags & OPTION_UNIQUE) != 0 && i < count; i++) {
        if (entries_equal(option, entries + i * option->entry_size, entry)) {
            char quoted[CONFIG_QUOTE_MAX];
            config_errors_add(loader->errors, config_mark_of(node), "%.*s: %s is there twice",
                              name_length(option), option->path, config_quote(node_text(node), quoted));
            keep = false;
        }
    }
    if (!keep && option->type != OPTION_ID) {
        free(*(char **)(void *)entry);
        memset(entry, 0, option->entry_size);
    }
    return keep;
}

static void read_list(struct loader *loader, const struct option *option, yaml_node_t *node, char *base)
{
    size_t count = 0;
    if (node->type == YAML_SEQUENCE_NODE) {
        count = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    } else if (!config_node_is_null(node)) {
        config_errors_add(loader->errors, config_mark_of(node), "%.*s: must be a list", name_length(option),
                          option->path);
        return;
    }
    if (count < option->entries_min)
        config_errors_add(loader->errors, config_mark_of(node), "%.*s: %s", name_length(option), option->path,
                          option->missing_hint);
    char *entries = make_entries(loader, option, node, count, base);
    if (entries == NULL)
        return;
    size_t *kept = (size_t *)(void *)(base + option->count_offset);
    for (size_t i = 0; i < count; i++) {
        yaml_node_t *item = yaml_document_get_node(&loader->document, node->data.sequence.items.start[i]);
        char *entry = entries + *kept * option->entry_size;
        set_mark(option, item, entry);
        if (option->type == OPTION_SECTION) {
            /* Kept even when it is wrong, so that entry and item have the same index. */
            (*kept)++;
            apply_presets(loader, option->path, entry);
            read_section(loader, item, option->path, entry);
        } else if (read_list_scalar(loader, option, item, entries, *kept, entry)) {
            (*kept)++;
        }
    }
}

static int compare_keys(const void *a, const void *b)
{
    const struct slice *left = *(const struct slice *const *)a, *right = *(const struct slice *const *)b;
    size_t length = left->len < right->len ? left->len : right->len;
    int order = memcmp(left->ptr, right->ptr, length);
    if (order != 0)
        return order;
    if (left->len != right->len)
        return left->len < right->len ? -1 : 1;
    return left < right ? -1 : left > right;
}

/* A key as text; absent, with the error added, when it cannot be one. */
static struct slice read_key(struct loader *loader, yaml_node_t *node, struct slice where)
{
    const char *colon = where.len == 0 ? "" : ": ";
    int length = (int)where.len;
    if (node->type != YAML_SCALAR_NODE) {
        config_errors_add(loader->errors, config_mark_of(node), "%.*s%sa key must be a single word", length,
                          where.ptr, colon);
        return SLICE_ABSENT;
    }
    struct slice key = node_text(node);
    char quoted[CONFIG_QUOTE_MAX];
    if (slice_equal(key, SLICE_LITERAL("<<")) && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
        config_errors_add(loader->errors, config_mark_of(node), "%.*s%smerge keys (<<) are not supported",
                          length, where.ptr, colon);
        return SLICE_ABSENT;
    }
    for (size_t i = 0; i + 1 < key.len; i++) {
        if (key.ptr[i] == '$' && key.ptr[i + 1] == '{') {
            config_errors_add(loader->errors, config_mark_of(node),
                              "%.*s%s${...} is replaced in values only, not in the key %s", length, where.ptr,
                              colon, config_quote(key, quoted));
            return SLICE_ABSENT;
        }
    }
    return key;
}

static bool free_key_is_fit(struct slice key)
{
    if (key.len == 0 || key.len > KEY_MAX)
        return false;
    for (size_t i = 0; i < key.len; i++)
        if ((unsigned char)key.ptr[i] <= 0x20 || key.ptr[i] == 0x7f)
            return false;
    return true;
}

/* Marks in repeated[] every key that has the same text as one before it. */
static bool find_repeated(struct slice *keys, size_t count, bool *repeated)
{
    struct slice **sorted = calloc(count, sizeof *sorted);
    if (sorted == NULL)
        return false;
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (slice_present(keys[i]))
            sorted[n++] = &keys[i];
    qsort(sorted, n, sizeof *sorted, compare_keys);
    for (size_t i = 1; i < n; i++)
        if (slice_equal(*sorted[i - 1], *sorted[i]))
            repeated[sorted[i] - keys] = true;
    free(sorted);
    return true;
}

static void read_map_entry(struct loader *loader, const struct option *option, yaml_node_t *key_node,
                           struct slice key, yaml_node_t *value, char *entry)
{
    char **name = (char **)(void *)entry;
    *name = config_value_copy(key);
    if (*name == NULL)
        loader->no_memory = true;
    set_mark(option, key_node, entry);
    if (option->type == OPTION_SECTION) {
        apply_presets(loader, option->path, entry);
        read_section(loader, value, option->path, entry);
        return;
    }
    /* Named with the key: "kafka.*" would not tell which one it is. */
    char shown[KEY_MAX + 64];
    snprintf(shown, sizeof shown, "%.*s.%.*s", name_length(option), option->path, (int)key.len, key.ptr);
    (void)read_scalar(loader, option, shown, value, entry + option->entry_offset);
}

static void read_map(struct loader *loader, const struct option *option, yaml_node_t *node, char *base)
{
    size_t count = 0;
    if (node->type == YAML_MAPPING_NODE) {
        count = (size_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start);
    } else if (!config_node_is_null(node)) {
        config_errors_add(loader->errors, config_mark_of(node), "%.*s: must be a mapping",
                          name_length(option), option->path);
        return;
    }
    char *entries = make_entries(loader, option, node, count, base);
    if (entries == NULL)
        return;
    struct slice *keys = calloc(count, sizeof *keys);
    bool *repeated = calloc(count, sizeof *repeated);
    if (keys == NULL || repeated == NULL) {
        loader->no_memory = true;
        goto out;
    }
    const yaml_node_pair_t *pairs = node->data.mapping.pairs.start;
    struct slice where = {option->path, (size_t)name_length(option)};
    for (size_t i = 0; i < count; i++)
        keys[i] = read_key(loader, yaml_document_get_node(&loader->document, pairs[i].key), where);
    if (!find_repeated(keys, count, repeated)) {
        loader->no_memory = true;
        goto out;
    }
    size_t *kept = (size_t *)(void *)(base + option->count_offset);
    for (size_t i = 0; i < count; i++) {
        yaml_node_t *key_node = yaml_document_get_node(&loader->document, pairs[i].key);
        yaml_node_t *value = yaml_document_get_node(&loader->document, pairs[i].value);
        char quoted[CONFIG_QUOTE_MAX];
        if (!slice_present(keys[i]))
            continue;
        if (repeated[i]) {
            config_errors_add(loader->errors, config_mark_of(key_node), "%.*s: %s is there twice",
                              name_length(option), option->path, config_quote(keys[i], quoted));
        } else if (!free_key_is_fit(keys[i])) {
            config_errors_add(loader->errors, config_mark_of(key_node),
                              "%.*s: a key has 1 to %d characters and no blanks, unlike %s",
                              name_length(option), option->path, KEY_MAX, config_quote(keys[i], quoted));
        } else {
            char *entry = entries + *kept * option->entry_size;
            (*kept)++;
            read_map_entry(loader, option, key_node, keys[i], value, entry);
        }
    }
out:
    free(keys);
    free(repeated);
}

/* ---- sections ---- */

#define NAME_MAX_COMPARED 32

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t n = a < b ? a : b;
    return n < c ? n : c;
}

/* How many characters must be put in, taken out or exchanged to get from one to the other. */
static size_t edit_distance(struct slice a, struct slice b)
{
    if (a.len > NAME_MAX_COMPARED || b.len > NAME_MAX_COMPARED)
        return NAME_MAX_COMPARED;
    size_t row[NAME_MAX_COMPARED + 1];
    for (size_t k = 0; k <= b.len; k++)
        row[k] = k;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t k = 1; k <= b.len; k++) {
            size_t exchanged = diagonal + (a.ptr[i - 1] == b.ptr[k - 1] ? 0 : 1);
            diagonal = row[k];
            row[k] = smallest(row[k] + 1, row[k - 1] + 1, exchanged);
        }
    }
    return row[b.len];
}

static void add_unknown_key(struct loader *loader, yaml_node_t *node, struct slice key, const char *prefix)
{
    struct slice nearest = SLICE_ABSENT;
    size_t best = key.len < 5 ? 2 : 3; /* one above what still counts as close */
    for (size_t i = 0; i < config_option_count; i++) {
        enum option_container container;
        struct slice name = config_option_member(&config_options[i], prefix, &container);
        if (!slice_present(name))
            continue;
        size_t distance = edit_distance(key, name);
        if (distance < best) {
            best = distance;
            nearest = name;
        }
    }
    char quoted[CONFIG_QUOTE_MAX];
    config_quote(key, quoted);
    const char *where = prefix[0] == '\0' ? "" : ": ";
    if (slice_present(nearest))
        config_errors_add(loader->errors, config_mark_of(node), "%s%sunknown key %s; did you mean '%.*s'?",
                          prefix, where, quoted, (int)nearest.len, nearest.ptr);
    else
        config_errors_add(loader->errors, config_mark_of(node), "%s%sunknown key %s", prefix, where, quoted);
}

static void check_required(struct loader *loader, yaml_node_t *node, const char *prefix, const bool *seen)
{
    for (size_t i = 0; i < config_option_count; i++) {
        const struct option *option = &config_options[i];
        enum option_container container;
        if (seen[i] || (option->flags & OPTION_REQUIRED) == 0 ||
            !slice_present(config_option_member(option, prefix, &container)))
            continue;
        int length = container == OPTION_PLAIN ? (int)strlen(option->path) : name_length(option);
        const char *hint = option->missing_hint;
        config_errors_add(loader->errors, config_mark_of(node), "%.*s is missing%s%s", length, option->path,
                          hint == NULL ? "" : ": ", hint == NULL ? "" : hint);
    }
}

static void read_section(struct loader *loader, yaml_node_t *node, const char *prefix, char *base)
{
    if (node->type != YAML_MAPPING_NODE) {
        config_errors_add(loader->errors, config_mark_of(node), "%s%smust be a mapping of options", prefix,
                          prefix[0] == '\0' ? "the file " : ": ");
        return;
    }
    if (node->data.mapping.pairs.top - node->data.mapping.pairs.start > OPTION_ENTRIES_MAX) {
        config_errors_add(loader->errors, config_mark_of(node), "%s: more than %d entries",
                          prefix[0] == '\0' ? "the file" : prefix, OPTION_ENTRIES_MAX);
        return;
    }
    bool seen[OPTION_ROWS_MAX] = {false};
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top;
         pair++) {
        yaml_node_t *key_node = yaml_document_get_node(&loader->document, pair->key);
        struct slice key = read_key(loader, key_node, slice_of(prefix));
        if (!slice_present(key))
            continue;
        enum option_container container = OPTION_PLAIN;
        size_t i = 0;
        while (i < config_option_count &&
               !slice_equal(config_option_member(&config_options[i], prefix, &container), key))
            i++;
        if (i == config_option_count || key.len == 0) {
            add_unknown_key(loader, key_node, key, prefix);
        } else if (seen[i]) {
            char quoted[CONFIG_QUOTE_MAX];
            const char *colon = prefix[0] == '\0' ? "" : ": ";
            config_errors_add(loader->errors, config_mark_of(key_node), "%s%s%s is there twice", prefix,
                              colon, config_quote(key, quoted));
        } else {
            seen[i] = true;
            read_node(loader, &config_options[i], container,
                      yaml_document_get_node(&loader->document, pair->value), base);
        }
    }
    check_required(loader, node, prefix, seen);
}

static void read_node(struct loader *loader, const struct option *option, enum option_container container,
                      yaml_node_t *node, char *base)
{
    if (container == OPTION_LIST) {
        read_list(loader, option, node, base);
    } else if (container == OPTION_MAP) {
        read_map(loader, option, node, base);
    } else if (option->type == OPTION_SECTION) {
        /* With all its options commented out a section is null, and as good as not there. */
        if (!config_node_is_null(node))
            read_section(loader, node, option->path, base);
    } else if (option->type == OPTION_AUTH && node->type == YAML_MAPPING_NODE) {
        read_section(loader, node, option->path, base);
    } else {
        (void)read_scalar(loader, option, option->path, node, base + option->offset);
    }
}

void config_walk(struct loader *loader, yaml_node_t *root)
{
    apply_presets(loader, "", (char *)loader->config);
    read_section(loader, root, "", (char *)loader->config);
}
