// SPDX-License-Identifier: Apache-2.0
//
// Attributes, route and key of one event. What is sent for an attribute is taken
// over as it stands; what is missing is made by the rules that README.md tells. Any thread.
#include "intake/event.h"

#include <openssl/evp.h>

#include "intake/catalog.h"
#include "intake/event_time.h"
#include "intake/text.h"

#define CUSTOM_ID_MIN 100000
#define HEADER_TEXT_MAX 256
#define STANDARD_TYPE "com.adobe.platform.marketo.activity.standard."
#define CUSTOM_TYPE "com.adobe.platform.marketo.activity.custom"

/* The attribute as it was sent: from a token, which may be absent or say nothing. */
static bool read_attribute(struct batch *batch, struct slice token, struct attribute *attribute)
{
    if (!text_read(&batch->arena, token, &attribute->text))
        return false;
    bool string = slice_present(attribute->text) && token.ptr[0] == '"';
    attribute->token = string ? token : SLICE_ABSENT;
    return true;
}

static struct attribute made(struct slice text)
{
    return (struct attribute){text, SLICE_ABSENT};
}

static struct slice member_value(const struct event *event, enum level level, enum field field)
{
    const struct shape_member *member = event->members[level][field];
    return member == NULL ? SLICE_ABSENT : member->value;
}

/* From the CloudEvent itself outwards: the first level at which the field says something. */
static bool read_inner_first(struct batch *batch, const struct event *event, enum field field,
                             struct attribute *attribute)
{
    for (int level = LEVEL_COUNT - 1; level >= 0; level--) {
        if (!read_attribute(batch, member_value(event, (enum level)level, field), attribute))
            return false;
        if (slice_present(attribute->text))
            return true;
    }
    return true;
}

/* What Adobe injects: from the top inwards, the new name before the old one. */
static bool read_injected(struct batch *batch, const struct event *event, enum field field,
                          enum field old_field, struct attribute *attribute)
{
    for (int level = 0; level < LEVEL_COUNT; level++) {
        if (!read_attribute(batch, member_value(event, (enum level)level, field), attribute))
            return false;
        if (!slice_present(attribute->text) &&
            !read_attribute(batch, member_value(event, (enum level)level, old_field), attribute))
            return false;
        if (slice_present(attribute->text))
            return true;
    }
    return true;
}

/* The first of two tokens that says something. */
static bool read_either(struct batch *batch, struct slice token, struct slice other,
                        struct attribute *attribute)
{
    if (!read_attribute(batch, token, attribute))
        return false;
    return slice_present(attribute->text) || read_attribute(batch, other, attribute);
}

/* Digits only; -1 for anything else and for numbers beyond 18 digits. */
static int64_t read_id(struct slice text)
{
    int64_t id = 0;
    if (!slice_present(text) || text.len > 18)
        return -1;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return -1;
        id = id * 10 + (text.ptr[i] - '0');
    }
    return id;
}

static bool is_visible(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
            return false;
    }
    return text.len > 0;
}

/* A request header that is to stand for something in the event; absent unless it is plain. */
static struct slice header_text(struct slice value, bool alone)
{
    bool usable = alone && slice_present(value) && value.len <= HEADER_TEXT_MAX && is_visible(value);
    return usable ? value : SLICE_ABSENT;
}

bool event_route(const struct routes *routes, struct batch *batch, const struct shape_event *shape,
                 bool alone, struct event *event)
{
    const struct shape_envelope *envelope = shape->envelope;
    *event = (struct event){.shape = shape, .time_ms = INT64_MIN};
    for (size_t i = 0; i < envelope->member_count; i++) {
        const struct shape_member *member = &envelope->members[i];
        if (member->field != FIELD_NONE && (!envelope->wrapper || member->level == LEVEL_TOP))
            event->members[member->level][member->field] = member;
    }

    /* A wrapper's own `type` says nothing of its activities. */
    struct attribute *type = &event->attributes[FIELD_TYPE];
    if (!envelope->wrapper) {
        if (!read_inner_first(batch, event, FIELD_TYPE, type))
            return false;
        if (!slice_present(type->text))
            *type = made(header_text(batch->event_code, alone));
    }
    struct attribute *munchkin_id = &event->attributes[FIELD_MUNCHKINID];
    struct slice activity_id;
    if (!text_read(&batch->arena, shape->fields[DATA_ACTIVITYTYPEID], &activity_id) ||
        !text_read(&batch->arena, shape->fields[DATA_ACTIVITYTYPE], &event->facts.activity_type) ||
        !read_either(batch, shape->fields[DATA_MUNCHKINID],
                     member_value(event, LEVEL_TOP, FIELD_WRAPPER_MUNCHKINID), munchkin_id))
        return false;
    event->facts.activity_id = read_id(activity_id);
    event->facts.type = type->text;
    event->facts.munchkin_id = munchkin_id->text;
    event->result = routes_find(routes, &event->facts, &event->route);
    return true;
}

/* Adobe's rule: the name in lower case without its blanks; where that gives no plain text, only its
 * letters and digits. *out has room for name.len bytes. Returns the length, 0 when nothing is left. */
static size_t plain_name(struct slice name, char *out)
{
    size_t length = 0;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if (c != ' ' && c != '\t')
            out[length++] = c;
    }
    return is_visible((struct slice){out, length}) ? length : catalog_normalise(name, out, name.len);
}

/* The type of an activity that came without one: always an activity with a number or a name. */
static bool make_type(struct batch *batch, struct event *event)
{
    struct slice *type = &event->attributes[FIELD_TYPE].text;
    const struct route_facts *facts = &event->facts;
    if (facts->activity_id >= CUSTOM_ID_MIN) {
        *type = SLICE_LITERAL(CUSTOM_TYPE);
        return true;
    }
    if (facts->activity_id >= 0 && event->route.catalog >= 0 &&
        catalog_find_activity_id(facts->activity_id) == event->route.catalog) {
        *type = slice_of(catalog_types[event->route.catalog].ce_type);
        return true;
    }
    const size_t prefix = sizeof STANDARD_TYPE - 1;
    size_t size;
    if (__builtin_add_overflow(facts->activity_type.len, prefix, &size))
        return false;
    char *out = arena_alloc(&batch->arena, size);
    if (out == NULL)
        return false;
    memcpy(out, STANDARD_TYPE, prefix);
    size_t length = plain_name(facts->activity_type, out + prefix);
    *type = (struct slice){out, prefix + length};
    if (length == 0 && facts->activity_id < 0)
        *type = SLICE_LITERAL(STANDARD_TYPE "unknown");
    else if (length == 0)
        *type = slice_of(text_format(&batch->arena, STANDARD_TYPE "%lld", (long long)facts->activity_id));
    return slice_present(*type);
}

/* The id of an event that has none: the SHA-256 of its bytes, in hex. */
static bool make_id(struct batch *batch, struct event *event)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    struct slice bytes = event->shape->bytes;
    if (EVP_Digest(bytes.ptr, bytes.len, digest, &size, EVP_sha256(), NULL) != 1)
        return false;
    char *hex = arena_alloc(&batch->arena, (size_t)size * 2);
    if (hex == NULL)
        return false;
    for (unsigned i = 0; i < size; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    event->attributes[FIELD_ID] = made((struct slice){hex, (size_t)size * 2});
    return true;
}

/* Identity. The names that Adobe injects into a wrapper would be the same for all its
 * activities, so there they are no identity. */
static bool describe_id(struct batch *batch, bool alone, struct event *event)
{
    struct attribute *id = &event->attributes[FIELD_ID];
    if (event->shape->envelope->wrapper) {
        if (!read_either(batch, event->shape->fields[DATA_MARKETOGUID], event->shape->fields[DATA_ID], id))
            return false;
    } else {
        if (!read_inner_first(batch, event, FIELD_ID, id))
            return false;
        if (!slice_present(id->text))
            *id = event->attributes[FIELD_EVENTID];
        if (!slice_present(id->text))
            *id = made(header_text(batch->event_id, alone));
    }
    return slice_present(id->text) || make_id(batch, event);
}

/* time, or originaltime when it cannot be read. */
static bool describe_time(struct batch *batch, struct event *event)
{
    struct attribute sent, *time = &event->attributes[FIELD_TIME];
    bool read = event->shape->envelope->wrapper
                    ? read_either(batch, event->shape->fields[DATA_ACTIVITYDATE],
                                  member_value(event, LEVEL_TOP, FIELD_WRAPPER_MESSAGECREATEDDATE), &sent)
                    : read_inner_first(batch, event, FIELD_TIME, &sent);
    if (!read)
        return false;
    if (!slice_present(sent.text))
        return true;
    struct event_time parts;
    switch (event_time_read(sent.text, &parts)) {
    case EVENT_TIME_RFC3339:
        *time = sent;
        break;
    case EVENT_TIME_OTHER: {
        size_t size = event_time_size(&parts);
        char *out = arena_alloc(&batch->arena, size);
        if (out == NULL)
            return false;
        event_time_write(&parts, out);
        *time = made((struct slice){out, size});
        break;
    }
    case EVENT_TIME_UNKNOWN:
        event->attributes[FIELD_ORIGINALTIME] = sent;
        return true;
    }
    event->time_ms = parts.wall_ms;
    return true;
}

static bool describe_subject(struct batch *batch, struct event *event)
{
    struct attribute *subject = &event->attributes[FIELD_SUBJECT];
    if (event->route.stream == STREAM_ACTIVITY)
        *subject = event->attributes[FIELD_LEADID];
    else if (event->route.stream == STREAM_AUDIT &&
             !read_attribute(batch, event->shape->fields[DATA_COMPONENTID], subject))
        return false;
    return slice_present(subject->text) || read_inner_first(batch, event, FIELD_SUBJECT, subject);
}

/* An attribute that is taken over only when it is a string. */
static bool describe_string(struct batch *batch, struct slice token, struct attribute *attribute)
{
    bool string = slice_present(token) && token.ptr[0] == '"';
    return !string || read_attribute(batch, token, attribute);
}

static bool describe_wrapper(struct batch *batch, struct event *event)
{
    static const enum field pairs[][2] = {
        {FIELD_WRAPPER_SOURCEAPPLICATION, FIELD_SOURCEAPPLICATION},
        {FIELD_WRAPPER_MESSAGEID, FIELD_MESSAGEID},
        {FIELD_WRAPPER_MESSAGECREATEDDATE, FIELD_MESSAGECREATEDDATE},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (!read_attribute(batch, member_value(event, LEVEL_TOP, pairs[i][0]),
                            &event->attributes[pairs[i][1]]))
            return false;
    }
    return true;
}

bool event_describe(struct batch *batch, bool alone, struct event *event)
{
    struct attribute *attributes = event->attributes;
    const struct slice *fields = event->shape->fields;
    attributes[FIELD_SPECVERSION] = made(SLICE_LITERAL("1.0"));
    if (!slice_present(attributes[FIELD_TYPE].text) && !make_type(batch, event))
        return false;
    if (!read_inner_first(batch, event, FIELD_SOURCE, &attributes[FIELD_SOURCE]))
        return false;
    if (!slice_present(attributes[FIELD_SOURCE].text))
        attributes[FIELD_SOURCE] =
            made(event->route.stream == STREAM_ACTIVITY ? SLICE_LITERAL("urn:marketo_activity_stream")
                                                        : SLICE_LITERAL("urn:marketo"));
    if (!read_attribute(batch, fields[DATA_LEADID], &attributes[FIELD_LEADID]) ||
        !read_injected(batch, event, FIELD_EVENTID, FIELD_OLD_EVENTID, &attributes[FIELD_EVENTID]) ||
        !read_injected(batch, event, FIELD_RECIPIENTCLIENTID, FIELD_OLD_RECIPIENTCLIENTID,
                       &attributes[FIELD_RECIPIENTCLIENTID]) ||
        !read_inner_first(batch, event, FIELD_DATACONTENTTYPE, &attributes[FIELD_DATACONTENTTYPE]) ||
        !read_inner_first(batch, event, FIELD_DATASCHEMA, &attributes[FIELD_DATASCHEMA]) ||
        !describe_string(batch, fields[DATA_EVENTACTION], &attributes[FIELD_EVENTACTION]) ||
        !describe_string(batch, fields[DATA_SUBTYPE], &attributes[FIELD_SUBTYPE]))
        return false;
    if (event->shape->envelope->wrapper && !describe_wrapper(batch, event))
        return false;
    return describe_id(batch, alone, event) && describe_time(batch, event) && describe_subject(batch, event);
}

/* parts joined by colons, in the arena. */
static bool join(struct batch *batch, const struct slice *parts, size_t count, struct slice *joined)
{
    size_t size = count - 1;
    for (size_t i = 0; i < count; i++) {
        if (__builtin_add_overflow(size, parts[i].len, &size))
            return false;
    }
    char *out = arena_alloc(&batch->arena, size);
    if (out == NULL)
        return false;
    *joined = (struct slice){out, size};
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            *out++ = ':';
        memcpy(out, parts[i].ptr, parts[i].len);
        out += parts[i].len;
    }
    return true;
}

bool event_key(struct batch *batch, const struct event *event, struct slice *key)
{
    struct slice parts[3] = {event->facts.munchkin_id};
    size_t count = 1;
    *key = parts[0];
    if (event->route.stream == STREAM_ACTIVITY) {
        parts[count++] = event->attributes[FIELD_LEADID].text;
    } else if (event->route.stream == STREAM_AUDIT) {
        for (int i = 0; i < 2; i++) {
            enum data_field field = i == 0 ? DATA_COMPONENTTYPE : DATA_COMPONENTID;
            if (!text_read(&batch->arena, event->shape->fields[field], &parts[count++]))
                return false;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (!slice_present(parts[i]))
            return true;
    }
    return count == 1 || join(batch, parts, count, key);
}
