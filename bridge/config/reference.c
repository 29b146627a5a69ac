// SPDX-License-Identifier: Apache-2.0
//
// The reference of all options, printed from the table as Markdown for the
// README. Any thread.
#include "config/options.h"

static const char *type_name(const struct option *option)
{
    switch (option->type) {
    case OPTION_SECTION:
        return "section";
    case OPTION_AUTH:
        return "`none`, or a section";
    case OPTION_OFF:
        return "`false`";
    case OPTION_BOOLEAN:
        return "boolean";
    case OPTION_INTEGER:
    case OPTION_COUNT:
    case OPTION_ID:
        return "integer";
    case OPTION_SIZE:
        return "size";
    case OPTION_DURATION:
    case OPTION_RETENTION:
        return "duration";
    case OPTION_WORD:
    case OPTION_HEADER:
        return "one of";
    case OPTION_ADDRESS:
        return "address";
    case OPTION_TOKEN:
        return "text, 8 characters or more";
    case OPTION_URL_PATH:
        return "path of a URL";
    case OPTION_TOPIC:
        return "name of a topic";
    case OPTION_URL:
        return "URL";
    case OPTION_ISSUER:
        return "URL without query";
    case OPTION_BASE_URL:
        return "URL without path";
    case OPTION_PREFIX:
    case OPTION_INSTANCE:
    case OPTION_NAME:
    case OPTION_SECRET:
    case OPTION_TEXT:
    case OPTION_PROPERTY:
        break;
    }
    return "text";
}

static void print_type(const struct option *option, enum option_container container, FILE *out)
{
    if (container == OPTION_LIST)
        fputs("list: ", out);
    else if (container == OPTION_MAP)
        fputs("mapping: ", out);
    fputs(type_name(option), out);
    for (size_t i = 0; option->words != NULL && option->words[i] != NULL; i++)
        fprintf(out, "%s `%s`", i == 0 ? "" : ",", option->words[i]);
    char limits[80];
    config_value_limits(option, limits, sizeof limits);
    if (limits[0] != '\0')
        fprintf(out, ", %s", limits);
    if (option->type == OPTION_RETENTION)
        fputs(", or `-1` or `forever`", out);
}

static void print_preset(const struct option *option, FILE *out)
{
    if (option->preset != NULL) {
        fprintf(out, "`%s`", option->preset);
    } else if (option->preset_by_sender[0] != NULL) {
        for (unsigned i = 0; i < SENDER_COUNT; i++)
            fprintf(out, "%s`%s` (%s)", i == 0 ? "" : ", ", option->preset_by_sender[i],
                    config_sender_name((enum sender)i));
    } else if (option->preset_words != NULL) {
        fputs(option->preset_words, out);
    } else if ((option->flags & OPTION_NULLABLE) != 0) {
        fputs("`null`", out);
    } else if ((option->flags & OPTION_REQUIRED) != 0) {
        fputs("required", out);
    }
}

static void print_row(const struct option *option, FILE *out)
{
    fprintf(out, "| `%s` | ", option->path);
    print_type(option, config_option_container(option), out);
    fputs(" | ", out);
    print_preset(option, out);
    fprintf(out, " | %s%s |\n", option->help, (option->flags & OPTION_RESTART) != 0 ? " *Restart.*" : "");
}

static void print_head(FILE *out)
{
    fputs("| option | type | default | meaning |\n|---|---|---|---|\n", out);
}

/* The first name of the path, which is its section; options that stand alone have none. */
static struct slice section_of(const struct option *option)
{
    size_t length = strcspn(option->path, ".[");
    bool alone = option->path[length] == '\0' && option->type != OPTION_SECTION;
    return alone ? SLICE_ABSENT : (struct slice){option->path, length};
}

void config_print_reference(FILE *out)
{
    fputs("A duration is a whole number and its unit, `ms`, `s`, `m`, `h` or `d`, or `0`. A size is a number "
          "of "
          "bytes, or has the unit `KiB`, `MiB`, `GiB` (powers of 1024) or `kB`, `MB`, `GB` (powers of 1000). "
          "`[]` stands for an entry of a list, `*` for a name of your own.\n\n"
          "In every value `${NAME}` is replaced from the environment and `${file:/path}` by the content of a "
          "file "
          "of at most 64KiB without its last newline; `$${` is a literal `${`. Between `[ ]` or `{ }` such a "
          "value must be in quotes.\n\n"
          "A change takes effect at SIGHUP; where *Restart.* stands, only at the next start.\n\n### on their "
          "own\n\n",
          out);
    print_head(out);
    for (size_t i = 0; i < config_option_count; i++)
        if (!slice_present(section_of(&config_options[i])))
            print_row(&config_options[i], out);
    struct slice current = SLICE_ABSENT;
    for (size_t i = 0; i < config_option_count; i++) {
        const struct option *option = &config_options[i];
        struct slice section = section_of(option);
        if (!slice_present(section))
            continue;
        if (!slice_equal(section, current)) {
            fprintf(out, "\n### %.*s\n\n", (int)section.len, section.ptr);
            /* A plain section is described by its own sentence, not by a row. */
            if (option->path[section.len] == '\0')
                fprintf(out, "%s\n\n", option->help);
            print_head(out);
            current = section;
        }
        if (option->path[section.len] != '\0')
            print_row(option, out);
    }
}
