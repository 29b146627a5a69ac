// SPDX-License-Identifier: Apache-2.0
//
// Private to bridge/config: the table of options and what its files share. The
// thread that loads the configuration runs all of it.
#ifndef BRIDGE_CONFIG_OPTIONS_H
#define BRIDGE_CONFIG_OPTIONS_H

#include <yaml.h>

#include "config/config.h"
#include "slice.h"

/* The type says what is accepted, and in which C type it is kept. */
enum option_type {
    OPTION_SECTION,   /* nothing itself: a mapping of further options */
    OPTION_AUTH,      /* bool: the word "none", or a mapping of further options */
    OPTION_OFF,       /* nothing: only false is accepted */
    OPTION_BOOLEAN,   /* bool */
    OPTION_INTEGER,   /* int */
    OPTION_COUNT,     /* size_t */
    OPTION_ID,        /* int64_t */
    OPTION_SIZE,      /* size_t, bytes */
    OPTION_DURATION,  /* uint64_t, milliseconds */
    OPTION_RETENTION, /* int64_t, milliseconds; -1: for ever */
    OPTION_WORD,      /* an enum: the index of the word in `words` */
    OPTION_ADDRESS,   /* struct config_address */
    OPTION_TEXT,      /* char *, as are all that follow */
    OPTION_TOKEN,     /* a secret that is compared with a header */
    OPTION_PROPERTY,  /* a property of librdkafka; may be a secret */
    OPTION_URL_PATH,
    OPTION_TOPIC,
    OPTION_PREFIX,   /* of topics; may contain {instance} */
    OPTION_INSTANCE, /* name of an instance */
    OPTION_HEADER,   /* one of `words`; "ce_" before it is taken off */
};

enum option_flags {
    OPTION_REQUIRED = 1,
    OPTION_NULLABLE = 2, /* null is accepted and means: not set */
    OPTION_UNIQUE = 4,   /* no two entries of the list may be equal */
    OPTION_NOT_ZERO = 8, /* 0 is not in the range, although it lies between min and max */
    OPTION_INHERITS = 16 /* not set is kept as -2 (integer) or INT64_MIN (retention) */
};

/* No list and no mapping has more entries than this. */
#define OPTION_ENTRIES_MAX 10000

/* The table has no more rows than this. */
#define OPTION_ROWS_MAX 64

struct option {
    /* Names joined by dots. "[]" behind a name: a list, and the row describes one entry of it.
     * "*" as a name: a mapping with free keys, and the row describes one value of it. */
    const char *path;
    enum option_type type;
    unsigned flags;                      /* of enum option_flags */
    int64_t min, max;                    /* of the value, or of the number of bytes of a text */
    int64_t max_by_sender[SENDER_COUNT]; /* tighter than max; of a row that has them, every sender has one */
    const char *const *words;            /* NULL-terminated */

    /* As it would be written in the file. At most one of the two is set. */
    const char *preset;
    const char *preset_by_sender[SENDER_COUNT];

    const char *preset_words; /* for the reference, where there is neither */
    const char *missing_hint; /* what to write when a required option is missing */
    const char *help;

    /* Where the value is kept, counted from the start of struct config, or of the entry when the
     * path goes through a list or a free mapping. For a list or free mapping: where the pointer to the
     * entries is. */
    size_t offset;
    /* For a list or free mapping. The key of a free mapping is the first member of the entry, a char *. */
    size_t count_offset;
    size_t entry_size;
    size_t entry_offset; /* where in the entry a scalar goes */
    size_t mark_offset;  /* OPTION_NO_MARK: entries carry no mark */
    size_t entries_min;
};

#define OPTION_NO_MARK SIZE_MAX

extern const struct option config_options[];
extern const size_t config_option_count;

/* What stands behind the row's last name. */
enum option_container { OPTION_PLAIN, OPTION_LIST, OPTION_MAP };

/* If the row is a member of the section `prefix` ("" is the top), its name, and in *container
 * what it is; absent when it is not. */
struct slice config_option_member(const struct option *option, const char *prefix,
                                  enum option_container *container);
/* The row with this path, which must be in the table. */
const struct option *config_option_find(const char *path);
/* True for options whose value must not appear in a message. */
bool config_option_secret(const struct option *option);

/* value.c */

#define CONFIG_REASON_MAX 512

/* Reads text as the option's type into *to, which holds a valid value of that type or zeros
 * before. Returns false, leaving *to alone, with a reason to follow the option's name ("must be
 * …"); the reason never contains the text. */
bool config_value_read(const struct option *option, struct slice text, void *to,
                       char reason[CONFIG_REASON_MAX]) __attribute__((warn_unused_result));
/* The option's limits in words, as "2s to 19s"; empty when there are none worth saying. */
void config_value_limits(const struct option *option, char *out, size_t size);
/* "17s", "1500ms"; "4MiB", "1000". */
void config_value_duration(uint64_t ms, char *out, size_t size);
void config_value_size(uint64_t bytes, char *out, size_t size);
/* A terminated copy, to be freed; NULL when out of memory. */
char *config_value_copy(struct slice text);

/* substitute.c */

/* Reads a whole file of at most `limit` bytes. *text is terminated and to be freed. Returns false
 * with the reason in words. */
bool config_file_read(const char *path, size_t limit, char **text, size_t *length,
                      char reason[CONFIG_REASON_MAX]) __attribute__((warn_unused_result));
/* Replaces every ${NAME} and ${file:/path}. *out is terminated and to be handed to config_wipe.
 * Returns false when something could not be replaced; each is in errors. */
bool config_substitute(struct slice text, const char *option_path, struct config_mark mark,
                       struct config_errors *errors, char **out, size_t *length)
    __attribute__((warn_unused_result));
/* Overwrites and frees; text may be NULL. */
void config_wipe(char *text, size_t length);

/* errors.c */

#define CONFIG_QUOTE_MAX 80

/* The text in single quotes, fit for a message: cut, control characters replaced. */
const char *config_quote(struct slice text, char out[CONFIG_QUOTE_MAX]);

/* walk.c, check.c */

struct loader {
    yaml_document_t document;
    struct config *config;
    struct config_errors *errors;
    bool no_memory;
};

struct config_mark config_mark_of(const yaml_node_t *node);
/* YAML's null: nothing, ~ or the bare word. */
bool config_node_is_null(const yaml_node_t *node);
/* A key in a mapping, and the value of a key; NULL when node is NULL, no mapping or has no such key. */
yaml_node_t *config_node_key(struct loader *loader, yaml_node_t *node, const char *key);
yaml_node_t *config_node_member(struct loader *loader, yaml_node_t *node, const char *key);

/* Fills loader->config from the document; what is wrong goes to loader->errors. */
void config_walk(struct loader *loader, yaml_node_t *root);

/* What cannot be judged by one option alone; also the defaults that depend on the sender. */
void config_check(struct loader *loader, bool require_bootstrap);

#endif
