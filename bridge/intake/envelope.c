// SPDX-License-Identifier: Apache-2.0
//
// Writes values and headers. The structured value is written twice by the same
// code, first only to measure it, so that it fits its piece of memory exactly.
#include "intake/envelope.h"

#include <assert.h>

#include "intake/json.h"
#include "intake/text.h"

#define CONTENT_TYPE_STRUCTURED "application/cloudevents+json; charset=UTF-8"
#define CONTENT_TYPE_JSON "application/json"
#define HEADER_NAME_MAX 64
#define FIXED_HEADERS 5 /* content-type, ce_id, ce_type, traceparent, x-request-id */

void envelope_plan_make(const struct config *config, struct envelope_plan *plan)
{
    *plan = (struct envelope_plan){.format = config->record.format};
    for (size_t i = 0; i < config->record.header_count; i++) {
        struct slice name = slice_of(config->record.headers[i]);
        if (slice_equal(name, SLICE_LITERAL("x-request-id")))
            plan->request_id = true;
        enum field field = field_find(name, LEVEL_TOP);
        if (field < ATTRIBUTE_COUNT)
            plan->attributes[field] = true;
    }
}

/* Where bytes go; ptr NULL: they are only counted. */
struct output {
    char *ptr;
    size_t length;
    bool overflow;
};

static inline void put(struct output *out, const char *bytes, size_t n)
{
    if (out->ptr != NULL)
        memcpy(out->ptr + out->length, bytes, n);
    else if (n > SIZE_MAX - out->length)
        out->overflow = true;
    out->length += n;
}

/* A text that was made here, as a JSON string: it is visible ASCII. */
static void put_string(struct output *out, struct slice text)
{
    put(out, "\"", 1);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"' || text.ptr[i] == '\\')
            put(out, "\\", 1);
        put(out, text.ptr + i, 1);
    }
    put(out, "\"", 1);
}

static void put_attributes(struct output *out, const struct event *event)
{
    const char *before = "{\"";
    for (int i = 0; i < ATTRIBUTE_COUNT; i++) {
        const struct attribute *attribute = &event->attributes[i];
        if (!slice_present(attribute->text))
            continue;
        const char *name = field_name((enum field)i);
        put(out, before, 2);
        put(out, name, strlen(name));
        put(out, "\":", 2);
        if (slice_present(attribute->token))
            put(out, attribute->token.ptr, attribute->token.len);
        else
            put_string(out, attribute->text);
        before = ",\"";
    }
}

/* Whether an attribute that was sent is also sent nearer to the data. */
static bool is_covered(const struct event *event, const struct shape_member *member)
{
    for (int level = member->level + 1; level < LEVEL_COUNT; level++) {
        if (event->members[level][member->field] != NULL)
            return true;
    }
    return false;
}

/* Whether a member travels on as it was sent: one that the bridge does not read, or
 * could make nothing of. */
static bool is_passed_on(const struct event *event, const struct shape_member *member)
{
    const struct attribute *attributes = event->attributes;
    bool wrapper = event->shape->envelope->wrapper;
    enum field made;
    switch ((enum field)member->field) {
    case FIELD_NONE:
        return true;
    case FIELD_DATA:
    case FIELD_ACTIVITIES:
        return false;
    case FIELD_EVENT:
        return wrapper || member->value.ptr[0] != '{';
    case FIELD_BODY:
        return member->value.ptr[0] != '{';
    case FIELD_TIME:
        /* A time that could not be read has become originaltime. */
        made = slice_present(attributes[FIELD_TIME].text) ? FIELD_TIME : FIELD_ORIGINALTIME;
        break;
    case FIELD_OLD_EVENTID:
        made = FIELD_EVENTID;
        break;
    case FIELD_OLD_RECIPIENTCLIENTID:
        made = FIELD_RECIPIENTCLIENTID;
        break;
    case FIELD_WRAPPER_MUNCHKINID:
        made = FIELD_MUNCHKINID;
        break;
    case FIELD_WRAPPER_SOURCEAPPLICATION:
        made = FIELD_SOURCEAPPLICATION;
        break;
    case FIELD_WRAPPER_MESSAGEID:
        made = FIELD_MESSAGEID;
        break;
    case FIELD_WRAPPER_MESSAGECREATEDDATE:
        made = FIELD_MESSAGECREATEDDATE;
        break;
    default:
        made = (enum field)member->field;
        break;
    }
    /* Without a wrapper the wrapper's names are names like any other. */
    if (!wrapper && member->field > FIELD_ACTIVITIES)
        return true;
    return !slice_present(attributes[made].text) && !is_covered(event, member);
}

/* The next member that travels on, level by level; NULL behind the last. */
static const struct shape_member *next_passed_on(const struct event *event, int *level, size_t *index)
{
    const struct shape_envelope *envelope = event->shape->envelope;
    int levels = envelope->wrapper ? LEVEL_TOP + 1 : LEVEL_COUNT;
    for (; *level < levels; (*level)++, *index = 0) {
        while (*index < envelope->member_count) {
            const struct shape_member *member = &envelope->members[(*index)++];
            if (member->level == *level && is_passed_on(event, member))
                return member;
        }
    }
    return NULL;
}

static void put_structured(struct output *out, const struct event *event)
{
    int level = LEVEL_TOP;
    size_t index = 0;
    const struct shape_member *member;
    put_attributes(out, event);
    while ((member = next_passed_on(event, &level, &index)) != NULL) {
        put(out, ",", 1);
        put(out, member->whole.ptr, member->whole.len);
    }
    struct slice data = event->shape->data;
    if (slice_present(data)) {
        const struct slice name = SLICE_LITERAL(",\"data\":");
        put(out, name.ptr, name.len);
        put(out, data.ptr, data.len);
    }
    put(out, "}", 1);
}

static bool write_structured(struct batch *batch, const struct event *event, struct slice *value)
{
    struct output measured = {.ptr = NULL}, out = {.ptr = NULL};
    put_structured(&measured, event);
    if (measured.overflow)
        return false;
    out.ptr = arena_alloc(&batch->arena, measured.length);
    if (out.ptr == NULL)
        return false;
    put_structured(&out, event);
    assert(out.length == measured.length);
    *value = (struct slice){out.ptr, out.length};
    return true;
}

/* The headers being collected, in a piece of memory that doubles when it is full. */
struct header_list {
    struct header *items;
    size_t count, size;
};

static bool add_header(struct batch *batch, struct header_list *list, const char *name, struct slice value)
{
    if (list->count == list->size) {
        size_t size, bytes;
        if (__builtin_mul_overflow(list->size, 2, &size) ||
            __builtin_mul_overflow(size, sizeof *list->items, &bytes))
            return false;
        struct header *items = arena_alloc(&batch->arena, bytes);
        if (items == NULL)
            return false;
        memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        list->size = size;
    }
    list->items[list->count++] = (struct header){name, value};
    return true;
}

static bool is_header_name(struct slice name)
{
    if (name.len == 0 || name.len > HEADER_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!letter && c != '_' && c != '.' && c != '-')
            return false;
    }
    return true;
}

/* The header's value for a member: decoded text; true and false as words; absent for everything else. */
static bool header_value(struct batch *batch, struct slice token, struct slice *value)
{
    if (token.ptr[0] == 't' || token.ptr[0] == 'f')
        *value = token;
    else if (slice_equal(token, SLICE_LITERAL("\"\"")))
        *value = SLICE_LITERAL("");
    else
        return text_read(&batch->arena, token, value);
    return true;
}

/* ce_ headers for the scalar members of a run (or of one member) that are not read. They were
 * checked with the body, so only lack of memory can end the walk early. */
static bool add_unread(struct batch *batch, struct slice run, struct header_list *list)
{
    struct json json;
    struct json_name name;
    enum json_step step = JSON_STEP_NEXT;
    struct slice token, value;
    bool first = true;
    json_init(&json, run, &batch->arena);
    while (json_peek(&json) != -1) {
        step = json_next_member(&json, &first, &name);
        if (step != JSON_STEP_NEXT || !json_skip(&json, 0, &token))
            return false;
        char decoded[HEADER_NAME_MAX];
        struct slice text = {name.token.ptr + 1, name.token.len - 2};
        if (name.escaped) {
            enum text_result result = text_decode(name.token, decoded, sizeof decoded, &text.len);
            if (result == TEXT_NO_MEMORY)
                return false;
            text = (struct slice){decoded, result == TEXT_DECODED ? text.len : 0};
        }
        if (!is_header_name(text))
            continue;
        if (!header_value(batch, token, &value))
            return false;
        if (!slice_present(value))
            continue;
        char *header = arena_alloc(&batch->arena, sizeof "ce_" + text.len);
        if (header == NULL)
            return false;
        memcpy(header, "ce_", 3);
        memcpy(header + 3, text.ptr, text.len);
        header[3 + text.len] = '\0';
        if (!add_header(batch, list, header, value))
            return false;
    }
    return true;
}

static bool write_headers(const struct envelope_plan *plan, struct batch *batch, const struct event *event,
                          struct slice content_type, struct record *record)
{
    const bool binary = plan->format == RECORD_BINARY;
    const struct attribute *attributes = event->attributes;
    struct header_list list = {.size = FIXED_HEADERS};
    for (int i = 0; i < ATTRIBUTE_COUNT; i++)
        list.size += binary || plan->attributes[i];
    list.items = arena_alloc(&batch->arena, list.size * sizeof *list.items);
    if (list.items == NULL)
        return false;

    list.items[list.count++] = (struct header){"content-type", content_type};
    list.items[list.count++] = (struct header){field_header_name(FIELD_ID), attributes[FIELD_ID].text};
    list.items[list.count++] = (struct header){field_header_name(FIELD_TYPE), attributes[FIELD_TYPE].text};
    if (slice_present(batch->traceparent))
        list.items[list.count++] = (struct header){"traceparent", batch->traceparent};
    if (plan->request_id)
        list.items[list.count++] = (struct header){"x-request-id", slice_of(batch->request_id)};
    for (int i = 0; i < ATTRIBUTE_COUNT; i++) {
        /* In binary the content type of the data is the record's own. */
        bool wanted = binary ? i != FIELD_DATACONTENTTYPE : plan->attributes[i];
        if (wanted && i != FIELD_ID && i != FIELD_TYPE && slice_present(attributes[i].text))
            list.items[list.count++] = (struct header){field_header_name((enum field)i), attributes[i].text};
    }
    if (binary) {
        int level = LEVEL_TOP;
        size_t index = 0;
        const struct shape_member *member;
        while ((member = next_passed_on(event, &level, &index)) != NULL) {
            if (!add_unread(batch, member->whole, &list))
                return false;
        }
    }
    record->headers = list.items;
    record->header_count = list.count;
    return true;
}

bool envelope_write(const struct envelope_plan *plan, struct batch *batch, const struct event *event,
                    struct record *record)
{
    struct slice content_type = SLICE_LITERAL(CONTENT_TYPE_JSON);
    switch (plan->format) {
    case RECORD_STRUCTURED:
        content_type = SLICE_LITERAL(CONTENT_TYPE_STRUCTURED);
        if (!write_structured(batch, event, &record->value))
            return false;
        break;
    case RECORD_BINARY:
        if (slice_present(event->attributes[FIELD_DATACONTENTTYPE].text))
            content_type = event->attributes[FIELD_DATACONTENTTYPE].text;
        record->value = event->shape->data;
        if (!slice_present(record->value))
            record->value = SLICE_LITERAL("null");
        break;
    case RECORD_ORIGINAL:
        record->value = event->shape->bytes;
        break;
    }
    return write_headers(plan, batch, event, content_type, record);
}
