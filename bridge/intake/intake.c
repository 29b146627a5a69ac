// SPDX-License-Identifier: Apache-2.0
//
// The door of the room: a body in, records out. Runs on the loop thread that owns
// the request; several may be in here at once.
#include "intake/intake.h"

#include <stdlib.h>
#include <strings.h>

#include "intake/envelope.h"
#include "intake/event.h"
#include "intake/inflate.h"
#include "intake/json.h"
#include "intake/shape.h"
#include "intake/text.h"
#include "intake/unknown_types.h"

/* Of a name from outside, in the words of a dead letter; with the NUL. */
#define DETAIL_NAME_SIZE 65

struct intake {
    const struct config *config;
    const struct routes *routes;
    struct envelope_plan plan;
    struct unknown_types unknown_types;
};

struct intake *intake_create(const struct config *config, const struct routes *routes)
{
    struct intake *intake = malloc(sizeof *intake);
    if (intake == NULL)
        return NULL;
    intake->config = config;
    intake->routes = routes;
    envelope_plan_make(config, &intake->plan);
    if (!unknown_types_init(&intake->unknown_types)) {
        free(intake);
        return NULL;
    }
    return intake;
}

void intake_free(struct intake *intake)
{
    if (intake == NULL)
        return;
    unknown_types_destroy(&intake->unknown_types);
    free(intake);
}

enum coding { CODING_IDENTITY, CODING_GZIP, CODING_UNKNOWN };

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static enum coding read_coding(struct slice value)
{
    static const struct {
        struct slice name;
        enum coding coding;
    } known[] = {
        {{"gzip", 4}, CODING_GZIP}, {{"x-gzip", 6}, CODING_GZIP}, {{"identity", 8}, CODING_IDENTITY}};
    while (value.len > 0 && is_blank(value.ptr[0])) {
        value.ptr++;
        value.len--;
    }
    while (value.len > 0 && is_blank(value.ptr[value.len - 1]))
        value.len--;
    if (value.len == 0)
        return CODING_IDENTITY;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (value.len == known[i].name.len && strncasecmp(value.ptr, known[i].name.ptr, value.len) == 0)
            return known[i].coding;
    }
    return CODING_UNKNOWN;
}

/* A new dead letter; false when out of memory, detail NULL included. */
static bool append_dead_letter(struct batch *batch, struct slice bytes, enum dead_letter_reason reason,
                               const char *detail)
{
    struct record *record = detail == NULL ? NULL : batch_append_record(batch);
    if (record == NULL)
        return false;
    record->event = bytes;
    record->dead_letter = reason;
    record->detail = detail;
    batch->events++;
    return true;
}

/* The body, without its coding, into the batch. *healthy: it could be decoded; else it is a
 * dead letter already. False when out of memory. */
static bool take_body(const struct intake *intake, struct batch *batch, struct slice raw,
                      struct slice content_encoding, bool *healthy)
{
    const size_t limit = intake->config->limits.body;
    const enum coding coding = read_coding(content_encoding);
    const char *detail = NULL;
    if (coding == CODING_GZIP) {
        switch (inflate_body(&batch->arena, raw, limit, &batch->body)) {
        case INFLATE_OK:
            *healthy = true;
            return true;
        case INFLATE_NO_MEMORY:
            return false;
        case INFLATE_BROKEN:
            detail = "not a whole gzip stream";
            break;
        case INFLATE_TOO_LARGE:
            detail = text_format(&batch->arena, "inflates to more than %zu bytes", limit);
            break;
        }
    } else if (coding == CODING_UNKNOWN) {
        char name[DETAIL_NAME_SIZE];
        text_clean(content_encoding, name, sizeof name);
        detail = text_format(&batch->arena, "unknown content coding: %s", name);
    }
    batch->body = arena_copy(&batch->arena, raw);
    if (!slice_present(batch->body))
        return false;
    *healthy = coding == CODING_IDENTITY;
    return *healthy || append_dead_letter(batch, batch->body, DEAD_LETTER_BAD_ENCODING, detail);
}

/* A record for an event that is not understood. event NULL: it is no object. */
static bool append_rejected(struct batch *batch, const struct shape_event *shape, const struct event *event,
                            enum dead_letter_reason reason, const char *detail)
{
    if (!append_dead_letter(batch, shape->bytes, reason, detail))
        return false;
    struct record *record = batch->last;
    record->element = shape->element;
    record->activity = shape->activity;
    if (event == NULL)
        return true;
    record->munchkin_id = event->facts.munchkin_id;
    if (event->result != ROUTE_NO_TYPE && !shape->route_unknown) {
        record->topic = event->route.topic;
        record->type = event->route.type;
        record->stream = event->route.stream;
    }
    return true;
}

/* Why an event has no topic. NULL when out of memory. */
static const char *no_route_words(struct batch *batch, const struct event *event)
{
    char name[DETAIL_NAME_SIZE];
    const bool instance = event->result == ROUTE_UNKNOWN_INSTANCE;
    const struct slice text = instance ? event->facts.munchkin_id : event->facts.type;
    if (!slice_present(text))
        return instance ? "no munchkinId, and instances are listed" : "neither type nor activityTypeId";
    text_clean(text, name, sizeof name);
    return instance ? text_format(&batch->arena, "instance %s is not listed", name)
                    : text_format(&batch->arena, "not a type of Marketo's: %s", name);
}

static void note_unknown_type(struct intake *intake, const struct event *event)
{
    const struct event_type *type = &intake->routes->types[event->route.type];
    if (event->route.catalog < 0 && strcmp(type->name, "other") == 0)
        unknown_types_note(&intake->unknown_types, event->route.stream, event->attributes[FIELD_TYPE].text,
                           event->facts.activity_id);
}

/* The record of one event. False when out of memory. */
static bool append_event(struct intake *intake, struct batch *batch, const struct shape_event *shape,
                         bool alone)
{
    if (shape->envelope == NULL)
        return append_rejected(batch, shape, NULL, shape->dead_letter, shape->detail);
    struct event event;
    if (!event_route(intake->routes, batch, shape, alone, &event))
        return false;
    if (shape->dead_letter != DEAD_LETTER_NONE)
        return append_rejected(batch, shape, &event, shape->dead_letter, shape->detail);
    if (event.result != ROUTE_FOUND)
        return append_rejected(batch, shape, &event,
                               event.result == ROUTE_NO_TYPE ? DEAD_LETTER_NO_TYPE
                                                             : DEAD_LETTER_UNKNOWN_INSTANCE,
                               no_route_words(batch, &event));
    struct record *record = batch_append_record(batch);
    if (record == NULL || !event_describe(batch, alone, &event) || !event_key(batch, &event, &record->key) ||
        !envelope_write(&intake->plan, batch, &event, record))
        return false;
    note_unknown_type(intake, &event);
    record->topic = event.route.topic;
    record->type = event.route.type;
    record->stream = event.route.stream;
    record->event_time_ms = event.time_ms;
    record->event = shape->bytes;
    record->munchkin_id = event.facts.munchkin_id;
    record->element = shape->element;
    record->activity = shape->activity;
    batch->events++;
    return true;
}

/* Notes whom the event is for: every member that says so, at whatever level, since a stranger can add one
 * beside Adobe's own. False when out of memory. */
static bool note_recipients(struct batch *batch, const struct shape_event *shape)
{
    bool named = false;
    for (size_t i = 0; i < shape->envelope->member_count; i++) {
        const struct shape_member *member = &shape->envelope->members[i];
        if (member->field != FIELD_RECIPIENTCLIENTID && member->field != FIELD_OLD_RECIPIENTCLIENTID)
            continue;
        struct slice client_id;
        if (!text_read(&batch->arena, member->value, &client_id))
            return false;
        if (!slice_present(client_id))
            continue;
        named = true;
        if (batch->recipients != NULL && slice_equal(batch->recipients->client_id, client_id))
            continue;
        struct recipient *recipient = arena_alloc(&batch->arena, sizeof *recipient);
        if (recipient == NULL)
            return false;
        *recipient = (struct recipient){batch->recipients, client_id};
        batch->recipients = recipient;
    }
    batch->without_recipient += !named || shape->recipient_repeated;
    return true;
}

static bool note_all_recipients(struct batch *batch, const struct shape *shape)
{
    const struct shape_envelope *noted = NULL; /* a wrapper's is shared by its activities */
    for (const struct shape_event *event = shape->first; event != NULL; event = event->next) {
        if (event->envelope != NULL && event->envelope != noted && !note_recipients(batch, event))
            return false;
        noted = event->envelope;
    }
    return true;
}

enum intake_result intake_take(struct intake *intake, struct batch *batch, struct slice raw,
                               struct slice content_encoding)
{
    bool healthy;
    struct shape shape;
    if (!take_body(intake, batch, raw, content_encoding, &healthy))
        return INTAKE_NO_MEMORY;
    /* Also of a body that is a dead letter as a whole: the coding stands in a header, which is not signed,
     * and one that is not true must not hide whom the body is for. */
    if (!shape_read(batch->body, intake->config->limits.events, &batch->arena, &shape) ||
        !note_all_recipients(batch, &shape))
        return INTAKE_NO_MEMORY;
    if (!healthy)
        return INTAKE_OK;
    if (shape.dead_letter != DEAD_LETTER_NONE)
        return append_dead_letter(batch, batch->body, shape.dead_letter, shape.detail) ? INTAKE_OK
                                                                                       : INTAKE_NO_MEMORY;
    for (const struct shape_event *event = shape.first; event != NULL; event = event->next) {
        if (!append_event(intake, batch, event, shape.single))
            return INTAKE_NO_MEMORY;
    }
    return INTAKE_OK;
}

static bool is_validation_name(const struct json_name *name)
{
    const struct slice wanted = SLICE_LITERAL("validationUrl");
    struct slice text = {name->token.ptr + 1, name->token.len - 2};
    char decoded[sizeof "validationUrl"];
    if (name->escaped) {
        size_t length;
        if (text_decode(name->token, decoded, sizeof decoded, &length) != TEXT_DECODED)
            return false;
        text = (struct slice){decoded, length};
    }
    return slice_equal(text, wanted);
}

struct slice intake_validation_url(struct slice body, char *buffer, size_t size)
{
    struct json json;
    struct json_name name;
    struct slice token;
    bool first = true;
    /* Only a string is passed here, which needs no memory. */
    json_init(&json, body, NULL);
    if (json_peek(&json) != '{')
        return SLICE_ABSENT;
    json_enter(&json);
    if (json_next_member(&json, &first, &name) != JSON_STEP_NEXT || !is_validation_name(&name) ||
        json_peek(&json) != '"' || !json_skip(&json, 1, &token) ||
        json_next_member(&json, &first, &name) != JSON_STEP_END || !json_finish(&json) || json.problems != 0)
        return SLICE_ABSENT;
    struct slice url = {token.ptr + 1, token.len - 2};
    if (memchr(url.ptr, '\\', url.len) != NULL) {
        size_t length;
        if (text_decode(token, buffer, size, &length) != TEXT_DECODED)
            return SLICE_ABSENT;
        url = (struct slice){buffer, length};
    }
    return url.len > 0 && url.len <= size ? url : SLICE_ABSENT;
}
