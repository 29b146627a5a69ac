// SPDX-License-Identifier: Apache-2.0
//
// The body shapes. The readers call each other only along the fixed nesting of
// the shapes (body, element, event, body, data), never by the depth of the input.
#include "intake/shape.h"

#include "intake/json.h"
#include "intake/text.h"

/* The wrapper's own members are repeated in every record. */
#define WRAPPER_MEMBERS_MAX ((size_t)64 * 1024)

/* Every name once a level, and a run before each and at the end. */
#define MEMBERS_MAX (LEVEL_COUNT * (2 * FIELD_COUNT + 1))

/* An escaped name longer than this cannot be one of ours. */
#define ESCAPED_NAME_MAX (FIELD_NAME_MAX * sizeof "\\u0000")

struct reader {
    struct json json;
    struct arena *arena;
    size_t limit, count;
    struct shape_event *first, **tail;
    struct shape_event spare; /* stands for the events beyond the limit */
};

/* The object being read. */
struct object {
    size_t count;
    uint32_t seen[LEVEL_COUNT], repeated[LEVEL_COUNT]; /* one bit a field */
    bool wrapper, wrong_activities;                    /* `activities` is an array, or something else */
    int data_level;                                    /* where `data` was found; -1: nowhere */
    uint32_t data_repeated;                            /* one bit a data field */
    struct slice data, fields[DATA_FIELD_COUNT];
    struct shape_member members[MEMBERS_MAX];
};

_Static_assert(FIELD_COUNT <= 32 && DATA_FIELD_COUNT <= 32, "one bit a field");

/* The name without quotes and escapes; an empty one when it cannot be one of ours. */
static bool read_name(struct reader *r, const struct json_name *name, char *buffer, struct slice *text)
{
    *text = (struct slice){name->token.ptr + 1, name->token.len - 2};
    if (!name->escaped)
        return true;
    size_t length = 0;
    if (text->len <= ESCAPED_NAME_MAX &&
        text_decode(name->token, buffer, FIELD_NAME_MAX, &length) == TEXT_NO_MEMORY) {
        r->json.error = JSON_ERROR_MEMORY;
        return false;
    }
    *text = (struct slice){buffer, length};
    return true;
}

/* A new event at the end of the list; beyond the limit they are only counted. NULL when out of memory. */
static struct shape_event *push_event(struct reader *r, int32_t element, int32_t activity)
{
    struct shape_event *event = &r->spare;
    if (r->count < r->limit) {
        event = arena_alloc(r->arena, sizeof *event);
        if (event == NULL) {
            r->json.error = JSON_ERROR_MEMORY;
            return NULL;
        }
        *r->tail = event;
        r->tail = &event->next;
    }
    r->count++;
    *event = (struct shape_event){.element = element, .activity = activity};
    return event;
}

static bool set_dead_letter(struct reader *r, struct shape_event *event, enum dead_letter_reason reason,
                            const char *detail)
{
    event->dead_letter = reason;
    event->detail = detail;
    if (detail == NULL)
        r->json.error = JSON_ERROR_MEMORY;
    return detail != NULL;
}

static const char *problem_words(unsigned problems)
{
    return problems & JSON_PROBLEM_UTF8 ? "invalid UTF-8 in a string" : "nested deeper than 64 levels";
}

static const char *repeated_words(struct arena *arena, const char *name)
{
    return text_format(arena, "member %s stands more than once", name);
}

/* Notes what the walk has found wrong in an event's `data`; a problem elsewhere takes precedence. */
static bool judge_data(struct reader *r, struct shape_event *event, uint32_t repeated)
{
    if (repeated == 0)
        return true;
    const uint32_t routing = 1U << DATA_ACTIVITYTYPEID | 1U << DATA_ACTIVITYTYPE | 1U << DATA_MUNCHKINID;
    event->route_unknown = (repeated & routing) != 0;
    return set_dead_letter(
        r, event, DEAD_LETTER_DUPLICATE_MEMBER,
        repeated_words(r->arena, data_field_name((enum data_field)__builtin_ctz(repeated))));
}

/* The members of `data` or of an activity; the cursor stands at its '{'. */
static bool read_data(struct reader *r, bool in_wrapper, unsigned depth, struct slice *fields,
                      uint32_t *repeated)
{
    struct json *json = &r->json;
    struct json_name name;
    enum json_step step;
    bool first = true;
    char buffer[FIELD_NAME_MAX];
    *repeated = 0;
    for (int i = 0; i < DATA_FIELD_COUNT; i++)
        fields[i] = SLICE_ABSENT;
    json_enter(json);
    while ((step = json_next_member(json, &first, &name)) == JSON_STEP_NEXT) {
        struct slice text, value;
        if (!read_name(r, &name, buffer, &text) || !json_skip(json, depth, &value))
            return false;
        enum data_field field = data_field_find(text, in_wrapper);
        if (field == DATA_FIELD_NONE)
            continue;
        if (slice_present(fields[field]))
            *repeated |= 1U << field;
        else
            fields[field] = value;
    }
    return step == JSON_STEP_END;
}

/* The value at the cursor as `data` of a level; the innermost level's counts. */
static bool read_data_value(struct reader *r, struct object *o, enum level level, unsigned depth)
{
    struct json *json = &r->json;
    struct slice fields[DATA_FIELD_COUNT] = {0};
    uint32_t repeated = 0;
    bool object = json_peek(json) == '{';
    const char *begin = (const char *)json->next;
    struct slice token;
    if (object ? !read_data(r, false, depth + 1, fields, &repeated) : !json_skip(json, depth, &token))
        return false;
    if ((int)level > o->data_level) {
        o->data_level = (int)level;
        o->data = (struct slice){begin, (size_t)((const char *)json->next - begin)};
        o->data_repeated = repeated;
        memcpy(o->fields, fields, sizeof fields);
    }
    return true;
}

static bool read_activity(struct reader *r, int32_t element, int32_t index)
{
    struct json *json = &r->json;
    json->problems = 0;
    bool object = json_peek(json) == '{';
    const char *begin = (const char *)json->next;
    struct slice fields[DATA_FIELD_COUNT] = {0}, token;
    uint32_t repeated = 0;
    if (object ? !read_data(r, true, 1, fields, &repeated) : !json_skip(json, 0, &token))
        return false;
    struct shape_event *event = push_event(r, element, index);
    if (event == NULL)
        return false;
    event->bytes = (struct slice){begin, (size_t)((const char *)json->next - begin)};
    memcpy(event->fields, fields, sizeof fields);
    if (json->problems != 0)
        return set_dead_letter(r, event, DEAD_LETTER_NOT_JSON, problem_words(json->problems));
    if (!object)
        return set_dead_letter(r, event, DEAD_LETTER_NOT_OBJECT, "an activity must be an object");
    event->data = event->bytes;
    return judge_data(r, event, repeated);
}

/* The elements of `activities`; the cursor stands at the '['. Their problems are their own. */
static bool read_activities(struct reader *r, int32_t element)
{
    unsigned problems = r->json.problems;
    bool first = true;
    enum json_step step;
    json_enter(&r->json);
    for (int32_t i = 0; (step = json_next_element(&r->json, &first)) == JSON_STEP_NEXT; i++) {
        if (!read_activity(r, element, i))
            return false;
    }
    r->json.problems = problems;
    return step == JSON_STEP_END;
}

static struct shape_member *add_member(struct object *o, enum field field, enum level level,
                                       const char *begin)
{
    struct shape_member *member = &o->members[o->count++];
    *member = (struct shape_member){.whole = {begin, 0}, .field = (uint8_t)field, .level = (uint8_t)level};
    return member;
}

/* The members of an event object, of `event` or of `body`; the cursor stands at the '{'. */
static bool read_members(struct reader *r, struct object *o, enum level level, int32_t element)
{
    struct json *json = &r->json;
    const unsigned depth = (unsigned)level + 1;
    struct shape_member *run = NULL; /* the run that the next unread member continues */
    struct json_name name;
    enum json_step step;
    bool first = true;
    char buffer[FIELD_NAME_MAX];
    json_enter(json);
    while ((step = json_next_member(json, &first, &name)) == JSON_STEP_NEXT) {
        struct slice text, value;
        if (!read_name(r, &name, buffer, &text))
            return false;
        enum field field = field_find(text, level);
        uint32_t bit = field == FIELD_NONE ? 0 : 1U << field;
        o->repeated[level] |= o->seen[level] & bit;
        if (field == FIELD_NONE || (o->seen[level] & bit) != 0) {
            if (!json_skip(json, depth, &value))
                return false;
            if (run == NULL)
                run = add_member(o, FIELD_NONE, level, name.token.ptr);
            run->whole.len = (size_t)((const char *)json->next - run->whole.ptr);
            continue;
        }
        o->seen[level] |= bit;
        run = NULL;
        struct shape_member *member = add_member(o, field, level, name.token.ptr);
        int c = json_peek(json);
        const char *begin = (const char *)json->next;
        bool read;
        if (field == FIELD_DATA) {
            read = read_data_value(r, o, level, depth);
        } else if (field == FIELD_EVENT && c == '{') {
            read = read_members(r, o, LEVEL_EVENT, element);
        } else if (field == FIELD_BODY && c == '{') {
            read = read_members(r, o, LEVEL_BODY, element);
        } else if (field == FIELD_ACTIVITIES && c == '[') {
            o->wrapper = true;
            read = read_activities(r, element);
        } else {
            o->wrong_activities = o->wrong_activities || field == FIELD_ACTIVITIES;
            read = json_skip(json, depth, &value);
        }
        if (!read)
            return false;
        const char *end = (const char *)json->next;
        member->value = (struct slice){begin, (size_t)(end - begin)};
        member->whole.len = (size_t)(end - member->whole.ptr);
    }
    return step == JSON_STEP_END;
}

static struct shape_envelope *keep_envelope(struct reader *r, const struct object *o)
{
    size_t size = o->count * sizeof o->members[0];
    struct shape_envelope *envelope = arena_alloc(r->arena, sizeof *envelope + size);
    if (envelope == NULL) {
        r->json.error = JSON_ERROR_MEMORY;
        return NULL;
    }
    envelope->wrapper = o->wrapper;
    envelope->member_count = o->count;
    memcpy(envelope->members, o->members, size);
    return envelope;
}

static size_t wrapper_members_size(const struct object *o)
{
    size_t size = 0;
    for (size_t i = 0; i < o->count; i++) {
        if (o->members[i].level == LEVEL_TOP && o->members[i].field != FIELD_ACTIVITIES)
            size += o->members[i].whole.len;
    }
    return size;
}

/* A repeated member around the data: its field, or FIELD_NONE. The wrapper's names mean nothing elsewhere. */
static enum field repeated_field(const struct object *o)
{
    for (int level = 0; level < LEVEL_COUNT; level++) {
        uint32_t repeated = o->repeated[level];
        if (!o->wrapper)
            repeated &= (1U << FIELD_WRAPPER_MUNCHKINID) - 1;
        else if (level != LEVEL_TOP)
            repeated = 0;
        if (repeated != 0)
            return (enum field)__builtin_ctz(repeated);
    }
    return FIELD_NONE;
}

static bool recipient_is_repeated(const struct object *o)
{
    const uint32_t names = 1U << FIELD_RECIPIENTCLIENTID | 1U << FIELD_OLD_RECIPIENTCLIENTID;
    uint32_t repeated = 0;
    for (int level = 0; level < LEVEL_COUNT; level++)
        repeated |= o->repeated[level];
    return (repeated & names) != 0;
}

/* What is wrong with the object itself, without the activities of a wrapper. False when out of memory. */
static bool judge_object(struct reader *r, const struct object *o, unsigned problems,
                         struct shape_event *event)
{
    enum field repeated = repeated_field(o);
    if (problems != 0)
        return set_dead_letter(r, event, DEAD_LETTER_NOT_JSON, problem_words(problems));
    if (repeated != FIELD_NONE) {
        event->route_unknown = true;
        return set_dead_letter(r, event, DEAD_LETTER_DUPLICATE_MEMBER,
                               repeated_words(r->arena, field_name(repeated)));
    }
    if (o->wrong_activities)
        return set_dead_letter(r, event, DEAD_LETTER_NOT_OBJECT, "activities must be an array");
    if (o->wrapper && wrapper_members_size(o) > WRAPPER_MEMBERS_MAX)
        return set_dead_letter(r, event, DEAD_LETTER_TOO_LARGE,
                               "the members beside activities are larger than 65536 bytes");
    return o->wrapper || judge_data(r, event, o->data_repeated);
}

/* One event object or wrapper, at the cursor. */
static bool read_object(struct reader *r, int32_t element)
{
    struct object o;
    o.count = 0;
    memset(o.seen, 0, sizeof o.seen);
    memset(o.repeated, 0, sizeof o.repeated);
    o.wrapper = o.wrong_activities = false;
    o.data_level = -1;
    o.data_repeated = 0;
    o.data = SLICE_ABSENT;
    memset(o.fields, 0, sizeof o.fields);

    struct shape_event **mark = r->tail;
    size_t count = r->count;
    const char *begin = (const char *)r->json.next;
    if (!read_members(r, &o, LEVEL_TOP, element))
        return false;

    struct shape_event verdict = {0};
    if (!judge_object(r, &o, r->json.problems, &verdict))
        return false;
    if (o.wrapper && verdict.dead_letter == DEAD_LETTER_NONE) {
        if (r->count == count)
            return true; /* no activities, no events */
        struct shape_envelope *envelope = keep_envelope(r, &o);
        *r->tail = NULL;
        for (struct shape_event *event = *mark; envelope != NULL && event != NULL; event = event->next)
            event->envelope = envelope;
        return envelope != NULL;
    }

    /* The object is one event; a wrapper that is wrong itself takes its activities with it. */
    if (r->count <= r->limit) {
        r->tail = mark;
        r->count = count;
    }
    struct shape_event *event = push_event(r, element, -1);
    if (event == NULL)
        return false;
    if (event == &r->spare)
        return true;
    struct shape_envelope *envelope = keep_envelope(r, &o);
    if (envelope == NULL)
        return false;
    event->envelope = envelope;
    event->bytes = (struct slice){begin, (size_t)((const char *)r->json.next - begin)};
    event->dead_letter = verdict.dead_letter;
    event->detail = verdict.detail;
    event->route_unknown = verdict.route_unknown;
    event->recipient_repeated = recipient_is_repeated(&o);
    if (!o.wrapper) {
        event->data = o.data;
        memcpy(event->fields, o.fields, sizeof o.fields);
    }
    return true;
}

/* An element of the body's array, or the body itself (element -1). */
static bool read_element(struct reader *r, int32_t element)
{
    struct slice token;
    r->json.problems = 0;
    if (json_peek(&r->json) == '{')
        return read_object(r, element);
    if (!json_skip(&r->json, 0, &token))
        return false;
    struct shape_event *event = push_event(r, element, -1);
    if (event == NULL)
        return false;
    event->bytes = token;
    if (r->json.problems != 0)
        return set_dead_letter(r, event, DEAD_LETTER_NOT_JSON, problem_words(r->json.problems));
    return set_dead_letter(r, event, DEAD_LETTER_NOT_OBJECT, "an event must be an object");
}

static bool read_array(struct reader *r)
{
    bool first = true;
    enum json_step step;
    json_enter(&r->json);
    for (int32_t i = 0; (step = json_next_element(&r->json, &first)) == JSON_STEP_NEXT; i++) {
        if (!read_element(r, i))
            return false;
    }
    return step == JSON_STEP_END;
}

/* The body as a whole is a dead letter. False when out of memory. */
static bool reject(struct shape *shape, enum dead_letter_reason reason, const char *detail)
{
    shape->dead_letter = reason;
    shape->detail = detail;
    return detail != NULL;
}

bool shape_read(struct slice body, size_t limit, struct arena *arena, struct shape *shape)
{
    struct reader r = {.arena = arena, .limit = limit};
    *shape = (struct shape){.first = NULL};
    r.tail = &r.first;
    json_init(&r.json, body, arena);
    int c = json_peek(&r.json);
    if (c == -1)
        return reject(shape, DEAD_LETTER_NOT_JSON, "the body is empty");

    bool read = (c == '[' ? read_array(&r) : read_element(&r, -1)) && json_finish(&r.json);
    if (r.json.error == JSON_ERROR_MEMORY)
        return false;
    if (!read) {
        size_t offset = (size_t)(r.json.next - r.json.start);
        return reject(shape, DEAD_LETTER_NOT_JSON,
                      text_format(arena, "at byte %zu: %s", offset, r.json.words));
    }
    *r.tail = NULL;
    shape->first = r.first;
    if (r.count > limit) {
        shape->dead_letter = DEAD_LETTER_TOO_MANY_EVENTS;
        shape->detail = text_format(arena, "%zu events, at most %zu are taken", r.count, limit);
        return shape->detail != NULL;
    }
    /* The request's x-adobe headers tell of a single event: a shape that holds several is not one. */
    shape->single = c != '[' && r.first != NULL && r.first->activity < 0;
    /* What is wrong with a body that is one object is wrong with the whole body. */
    if (shape->single && r.first->dead_letter != DEAD_LETTER_NONE)
        r.first->bytes = body;
    return true;
}
