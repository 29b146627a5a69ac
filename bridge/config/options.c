// SPDX-License-Identifier: Apache-2.0
//
// How the table of options is read: rows by their section, by their path. Any thread.
#include "config/options.h"

#include <assert.h>

struct slice config_option_member(const struct option *option, const char *prefix,
                                  enum option_container *container)
{
    size_t prefix_length = strlen(prefix);
    const char *name = option->path;
    if (prefix_length > 0) {
        if (strncmp(name, prefix, prefix_length) != 0 || name[prefix_length] != '.')
            return SLICE_ABSENT;
        name += prefix_length + 1;
    }
    size_t length = strcspn(name, ".[");
    const char *tail = name + length;
    if (strcmp(tail, "") == 0)
        *container = OPTION_PLAIN;
    else if (strcmp(tail, "[]") == 0)
        *container = OPTION_LIST;
    else if (strcmp(tail, ".*") == 0)
        *container = OPTION_MAP;
    else
        return SLICE_ABSENT;
    return (struct slice){name, length};
}

enum option_container config_option_container(const struct option *option)
{
    size_t length = strlen(option->path);
    if (length > 2 && strcmp(option->path + length - 2, "[]") == 0)
        return OPTION_LIST;
    if (length > 2 && strcmp(option->path + length - 2, ".*") == 0)
        return OPTION_MAP;
    return OPTION_PLAIN;
}

const struct option *config_option_find(const char *path)
{
    size_t i = 0;
    while (i < config_option_count && strcmp(config_options[i].path, path) != 0)
        i++;
    assert(i < config_option_count);
    return &config_options[i];
}

bool config_option_may_quote(const struct option *option, struct slice written)
{
    switch (option->type) {
    case OPTION_AUTH: /* where somebody may have written the token itself */
    case OPTION_TOKEN:
    case OPTION_SECRET:
    case OPTION_PROPERTY:
        return false;
    case OPTION_URL:
    case OPTION_ISSUER:
    case OPTION_BASE_URL:
        /* A password may stand before the @. */
        return written.len == 0 || memchr(written.ptr, '@', written.len) == NULL;
    default:
        return true;
    }
}

const char *config_sender_name(enum sender sender)
{
    assert(sender < SENDER_COUNT);
    return config_option_find("endpoints[].sender")->words[sender];
}
