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
    OPTION_SECRET,    /* a secret that is sent */
    OPTION_PROPERTY,  /* a property of librdkafka; may be a secret */
    OPTION_NAME,      /* of a client, an audience, a certificate */
    OPTION_URL,       /* https, or plain http to this machine itself */
    OPTION_ISSUER,    /* a URL without query (RFC 8414 section 2) */
    OPTION_BASE_URL,  /* scheme, host, perhaps port; a "/" behind it is taken off */
    OPTION_URL_PATH,
    OPTION_TOPIC,
    OPTION_PREFIX,   /* of topics; may contain {instance} */
    OPTION_INSTANCE, /* name of an instance */
    OPTION_HEADER,   /* one of `words`; "ce_" before it is taken off */
};

enum option_flags {
    OPTION_REQUIRED = 1,
    OPTION_NULLABLE = 2,  /* null is accepted and means: not set */
    OPTION_UNIQUE = 4,    /* no two entries of the list may be equal */
    OPTION_NOT_ZERO = 8,  /* 0 is not in the range, although it lies between min and max */
    OPTION_INHERITS = 16, /* not set is kept as -2 (integer) or INT64_MIN (retention) */
    /* A change takes effect only at a start. Of a list of sections: another number of entries. Of a
     * section in such an entry: giving it or taking it away; a pointer at its offset is NULL when it is not
     * there. */
    OPTION_RESTART = 32
};

/* No list and no mapping has more entries than this. */
#define OPTION_ENTRIES_MAX 10000

/* The table has no more rows than this. */
#define OPTION_ROWS_MAX 96

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
/* What the row's own path ends in. */
enum option_container config_option_container(const struct option *option);
/* The row with this path, which must be in the table. */
const struct option *config_option_find(const char *path);
/* Whether a value, as the file has it, may appear in a message: not where it is, or could hold, a secret. */
bool config_option_may_quote(const struct option *option, struct slice written);

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
/* Decimal digits without a leading zero, to the end of the text or to the first character that is none;
 * *used says how many. */
bool config_value_digits(struct slice text, uint64_t *value, size_t *used)
    __attribute__((warn_unused_result));
/* Whether every character is one of `allowed`. */
bool config_value_has_only(struct slice text, const char *allowed);
/* Writes the reason; always false. */
__attribute__((format(printf, 2, 3))) bool config_value_refuse(char *reason, const char *format, ...);

#define CONFIG_DIGITS "0123456789"
#define CONFIG_LOWER "abcdefghijklmnopqrstuvwxyz"
#define CONFIG_UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* address.c: both as config_value_read */

bool config_address_read(struct slice text, struct config_address *address, char *reason)
    __attribute__((warn_unused_result));
/* type: OPTION_URL, OPTION_ISSUER or OPTION_BASE_URL. */
bool config_url_check(enum option_type type, struct slice text, char *reason)
    __attribute__((warn_unused_result));

/* substitute.c */

/* Reads a whole file of at most `limit` bytes. *text is terminated and to be freed. Returns false
 * with the reason in words. */
bool config_file_read(const char *path, size_t limit, char **text, size_t *length,
                      char reason[CONFIG_REASON_MAX]) __attribute__((warn_unused_result));
/* Replaces every ${NAME} and ${file:/path}. *out is terminated and to be handed to config_wipe.
 * Returns false when something could not be replaced; each is in errors. files, which may be NULL, receives
 * the paths. */
bool config_substitute(struct slice text, const char *option_path, struct config_mark mark,
                       struct config_errors *errors, struct config_files *files, char **out, size_t *length)
    __attribute__((warn_unused_result));
/* Overwrites and frees; text may be NULL. */
void config_wipe(char *text, size_t length);

/* files.c */

/* Adds the path unless it is there, and looks at the file, which must not have been read yet; files may be
 * NULL. False when out of memory. */
bool config_files_add(struct config_files *files, struct slice path) __attribute__((warn_unused_result));

/* errors.c */

#define CONFIG_QUOTE_MAX 80

/* The text in single quotes, fit for a message: cut, control characters replaced. */
const char *config_quote(struct slice text, char out[CONFIG_QUOTE_MAX]);

/* walk.c, check.c, check_auth.c */

struct loader {
    yaml_document_t document;
    struct config *config;
    struct config_errors *errors;
    struct config_files *files; /* may be NULL */
    bool no_memory;
};

struct config_mark config_mark_of(const yaml_node_t *node);
/* YAML's null: nothing, ~ or the bare word. */
bool config_node_is_null(const yaml_node_t *node);
/* A key in a mapping, and the value of a key; NULL when node is NULL, no mapping or has no such key. */
yaml_node_t *config_node_key(struct loader *loader, yaml_node_t *node, const char *key);
yaml_node_t *config_node_member(struct loader *loader, yaml_node_t *node, const char *key);

/* The i-th entry of a list at the top, which has the same index as in struct config. */
yaml_node_t *config_node_entry(struct loader *loader, const char *list, size_t i);

/* Fills loader->config from the document; what is wrong goes to loader->errors. */
void config_walk(struct loader *loader, yaml_node_t *root);

/* What cannot be judged by one option alone; also the defaults that depend on the sender. */
void config_check(struct loader *loader, bool require_bootstrap);
/* The part of it that is about who may come in. */
void config_check_auth(struct loader *loader);

#endif
