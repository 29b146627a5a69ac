// SPDX-License-Identifier: Apache-2.0
//
// Loads the file: reads it, judges it as YAML, has the document walked and the
// result checked. The thread that loads the configuration runs it.
#include "config/options.h"

#include <stdlib.h>

#define FILE_MAX ((size_t)1024 * 1024)
#define DEPTH_MAX 32

static struct config_mark mark_at(yaml_mark_t mark)
{
    return (struct config_mark){(unsigned)mark.line + 1, (unsigned)mark.column + 1};
}

/* Where the byte at `offset` stands. */
static struct config_mark mark_at_offset(const char *text, size_t length, size_t offset)
{
    struct config_mark mark = {1, 1};
    for (size_t i = 0; i < offset && i < length; i++) {
        if (text[i] == '\n')
            mark = (struct config_mark){mark.line + 1, 1};
        else if (((unsigned char)text[i] & 0xc0) != 0x80)
            mark.column++;
    }
    return mark;
}

/* ---- YAML ---- */

/* libyaml keeps the text in buffers of its own, tokens included. */
static void parser_delete(yaml_parser_t *parser)
{
    if (parser->raw_buffer.start != NULL)
        explicit_bzero(parser->raw_buffer.start, (size_t)(parser->raw_buffer.end - parser->raw_buffer.start));
    if (parser->buffer.start != NULL)
        explicit_bzero(parser->buffer.start, (size_t)(parser->buffer.end - parser->buffer.start));
    yaml_parser_delete(parser);
}

static void event_delete(yaml_event_t *event)
{
    if (event->type == YAML_SCALAR_EVENT && event->data.scalar.value != NULL)
        explicit_bzero(event->data.scalar.value, event->data.scalar.length);
    yaml_event_delete(event);
}

static void document_delete(yaml_document_t *document)
{
    for (yaml_node_t *node = document->nodes.start; node < document->nodes.top; node++)
        if (node->type == YAML_SCALAR_NODE && node->data.scalar.value != NULL)
            explicit_bzero(node->data.scalar.value, node->data.scalar.length);
    yaml_document_delete(document);
}

static void add_yaml_error(struct loader *loader, const yaml_parser_t *parser, const char *text,
                           size_t length)
{
    const char *problem = parser->problem == NULL ? "cannot be read" : parser->problem;
    /* Where it copies a tag, libyaml says nothing of a lack of memory. */
    if (parser->error == YAML_MEMORY_ERROR || parser->error == YAML_NO_ERROR)
        loader->no_memory = true;
    else if (parser->error == YAML_READER_ERROR)
        config_errors_add(loader->errors, mark_at_offset(text, length, parser->problem_offset),
                          "invalid YAML: %s", problem);
    else if (parser->context != NULL)
        config_errors_add(loader->errors, mark_at(parser->problem_mark),
                          "invalid YAML: %s %s (from line %u on)", problem, parser->context,
                          mark_at(parser->context_mark).line);
    else
        config_errors_add(loader->errors, mark_at(parser->problem_mark), "invalid YAML: %s", problem);
}

/* What the document would not show: anchors, aliases, tags, further documents; and how deep it is. */
struct outline {
    unsigned depth, documents;
    bool too_much; /* no use in reading on */
};

static void check_event(struct loader *loader, const yaml_event_t *event, struct outline *outline)
{
    struct config_mark mark = mark_at(event->start_mark);
    const yaml_char_t *anchor = NULL, *tag = NULL;
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (++outline->documents > 1) {
            config_errors_add(loader->errors, mark, "a second document begins here; there must be only one");
            outline->too_much = true;
        }
        break;
    case YAML_ALIAS_EVENT:
        config_errors_add(loader->errors, mark, "aliases (*name) are not supported");
        break;
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
        outline->depth++;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
        outline->depth++;
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        outline->depth--;
        break;
    default:
        break;
    }
    if (anchor != NULL)
        config_errors_add(loader->errors, mark, "anchors (&name) are not supported");
    if (tag != NULL)
        config_errors_add(loader->errors, mark, "tags (!name) are not supported");
    if (outline->depth > DEPTH_MAX) {
        config_errors_add(loader->errors, mark, "nested more than %d levels deep", DEPTH_MAX);
        outline->too_much = true;
    }
}

/* False when there is no document worth loading. */
static bool check_outline(struct loader *loader, const char *text, size_t length)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        loader->no_memory = true;
        return false;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
    struct outline outline = {0};
    bool sound = true, ended = false;
    while (sound && !ended && !outline.too_much) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            add_yaml_error(loader, &parser, text, length);
            sound = false;
            break;
        }
        check_event(loader, &event, &outline);
        ended = event.type == YAML_STREAM_END_EVENT;
        event_delete(&event);
    }
    parser_delete(&parser);
    return sound && outline.depth <= DEPTH_MAX;
}

static bool load_document(struct loader *loader, const char *text, size_t length)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        loader->no_memory = true;
        return false;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
    bool loaded = yaml_parser_load(&parser, &loader->document) == 1;
    /* What can still fail here are aliases and anchors, which have been reported. */
    if (!loaded &&
        (loader->errors->count == 0 || parser.error == YAML_MEMORY_ERROR || parser.error == YAML_NO_ERROR))
        add_yaml_error(loader, &parser, text, length);
    parser_delete(&parser);
    return loaded;
}

/* ---- the whole ---- */

static void add_listener_files(struct loader *loader)
{
    const struct config *config = loader->config;
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct config_listener *listener = &config->listeners[i];
        const char *const paths[] = {listener->certificate, listener->key, listener->client_ca,
                                     listener->client_crl};
        for (size_t k = 0; k < sizeof paths / sizeof paths[0]; k++)
            if (paths[k] != NULL && !config_files_add(loader->files, slice_of(paths[k])))
                loader->no_memory = true;
    }
}

static void load_text(struct loader *loader, bool require_bootstrap, config_judge judge, const char *text,
                      size_t length)
{
    if (!check_outline(loader, text, length) || !load_document(loader, text, length))
        return;
    yaml_node_t *root = yaml_document_get_root_node(&loader->document);
    const struct config_mark top = {1, 1};
    if (root == NULL) {
        config_errors_add(loader->errors, top,
                          "the file is empty: at least listen, endpoints and kafka are needed");
    } else if (root->type != YAML_MAPPING_NODE) {
        config_errors_add(loader->errors, config_mark_of(root), "the file must be a mapping of options");
    } else {
        config_walk(loader, root);
        add_listener_files(loader);
        /* What memory was too short for would seem to be missing. */
        if (!loader->no_memory)
            config_check(loader, require_bootstrap);
        if (judge != NULL && !loader->no_memory)
            judge(loader->config, loader->errors);
    }
    document_delete(&loader->document);
}

struct config *config_load(const char *path, bool require_bootstrap, config_judge judge,
                           struct config_errors *errors, struct config_files *files)
{
    const struct config_mark nowhere = {0, 0};
    const size_t errors_before = errors->count;
    struct loader loader = {.errors = errors, .files = files};
    char reason[CONFIG_REASON_MAX];
    char *text = NULL;
    size_t length = 0;
    loader.config = calloc(1, sizeof *loader.config);
    if (loader.config == NULL || !config_files_add(files, slice_of(path)))
        loader.no_memory = true;
    else if (!config_file_read(path, FILE_MAX, &text, &length, reason))
        config_errors_add(errors, nowhere, "cannot read the configuration: %s", reason);
    else
        load_text(&loader, require_bootstrap, judge, text, length);
    config_wipe(text, length);
    if (loader.no_memory)
        config_errors_add(errors, nowhere, "out of memory");
    if (!loader.no_memory && errors->count == errors_before && !errors->no_memory && text != NULL)
        return loader.config;
    config_free(loader.config);
    return NULL;
}
