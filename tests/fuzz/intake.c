// SPDX-License-Identifier: Apache-2.0
//
// Bodies through the whole room: coding, JSON walk, shapes, routes, attributes, keys, values,
// headers. An input that begins with a byte of 0x80 or more has two bytes of choices before the
// body (below); any other is a body under the default choices, so that samples are inputs.
// How often each event has become a record is counted again with jansson.
#include "intake/intake.h"

#include <jansson.h>
#include <stdlib.h>
#include <zlib.h>

#include "fuzz.h"
#include "intake/field.h"
#include "intake/json.h"
#include "intake/text.h"

/* The first byte: */
#define CHOICE_FORMAT 0x03
#define CHOICE_CODING 0x0c
#define CHOICE_HEADERS 0x10   /* record.headers is not empty */
#define CHOICE_REQUEST 0x20   /* the request has headers that speak of the event */
#define CHOICE_INSTANCES 0x40 /* instances are listed, each with topics of its own; a topic a stream */
/* The second: 0: memory enough; else so many steps of it. */
#define MEMORY_STEP 256
#define MEMORY_ENOUGH ((size_t)64 * 1024 * 1024)

#define EVENTS_MAX 8
#define BODY_MAX ((size_t)16 * 1024)

enum { FORMATS = 3, PLANS = 2, TOPIC_SETS = 2 };

static struct config configs[FORMATS][PLANS][TOPIC_SETS];
static struct routes *routes[TOPIC_SETS];
static struct intake *intakes[FORMATS][PLANS][TOPIC_SETS];
static struct budget budget;
static struct arena scratch;

static void make_config(struct config *config, enum record_format format, bool headers, bool instances)
{
    static char prefix[] = "marketo", instance_prefix[] = "marketo.{instance}", subject[] = "subject",
                time[] = "time", request_id[] = "x-request-id", munchkin_id[] = "123-ABC-456",
                other_id[] = "M", name[] = "one", other_name[] = "two";
    static char *header_names[] = {subject, time, request_id};
    static struct config_instance listed[] = {{munchkin_id, name, {1, 1}}, {other_id, other_name, {2, 1}}};
    static int64_t custom[] = {100001, 100002};
    config->topics.prefix = instances ? instance_prefix : prefix;
    config->topics.route = instances ? ROUTE_STREAM : ROUTE_TYPE;
    config->topics.partitions = 1;
    config->topics.replication = -1;
    config->topics.custom = custom;
    config->topics.custom_count = sizeof custom / sizeof custom[0];
    if (instances) {
        config->instances = listed;
        config->instance_count = sizeof listed / sizeof listed[0];
    }
    config->record.format = format;
    if (headers) {
        config->record.headers = header_names;
        config->record.header_count = sizeof header_names / sizeof header_names[0];
    }
    config->limits.body = BODY_MAX;
    config->limits.events = EVENTS_MAX;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    fuzz_log_nowhere();
    json_object_seed(1);
    for (int f = 0; f < FORMATS; f++) {
        for (int p = 0; p < PLANS; p++) {
            for (int t = 0; t < TOPIC_SETS; t++) {
                struct config_errors errors = {0};
                struct config *config = &configs[f][p][t];
                make_config(config, (enum record_format)f, p != 0, t != 0);
                if (routes[t] == NULL)
                    routes[t] = routes_create(config, &errors);
                fuzz_check(routes[t] != NULL);
                intakes[f][p][t] = intake_create(config, routes[t]);
                fuzz_check(intakes[f][p][t] != NULL);
            }
        }
    }
    return 0;
}

/* ---- codings ---- */

static void put_le32(unsigned char *out, size_t value)
{
    for (int i = 0; i < 4; i++)
        out[i] = (unsigned char)(value >> 8 * i);
}

/* One gzip member with the bytes as they are; at most 65,535 of them. Returns its size. */
static size_t gzip_member(struct slice bytes, unsigned char *out)
{
    static const unsigned char head[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1 /* stored, the last block */};
    unsigned char *p = out;
    memcpy(p, head, sizeof head);
    p += sizeof head;
    put_le32(p, bytes.len | (~bytes.len & 0xffff) << 16);
    p += 4;
    if (bytes.len > 0)
        memcpy(p, bytes.ptr, bytes.len);
    p += bytes.len;
    put_le32(p, crc32(0, (const Bytef *)bytes.ptr, (uInt)bytes.len));
    put_le32(p + 4, bytes.len);
    return (size_t)(p + 8 - out);
}

#define MEMBER_OVERHEAD 23
#define MEMBER_MAX ((size_t)0xffff)

/* The bytes as two gzip members, in memory of its own. */
static struct slice gzip_make(struct slice bytes)
{
    size_t half = bytes.len / 2;
    unsigned char *out = fuzz_alloc(bytes.len + 2 * MEMBER_OVERHEAD);
    size_t size = gzip_member((struct slice){bytes.ptr, half}, out);
    size += gzip_member((struct slice){bytes.ptr + half, bytes.len - half}, out + size);
    return (struct slice){(char *)out, size};
}

/* ---- one record ---- */

static const char *attribute_header(int field)
{
    return field_header_name((enum field)field);
}

static void check_headers(const struct record *record, enum record_format format)
{
    static const char *const first[] = {"content-type", "ce_id", "ce_type"};
    unsigned seen[ATTRIBUTE_COUNT] = {0};
    fuzz_check(record->headers != NULL && record->header_count >= 3);
    for (size_t i = 0; i < record->header_count; i++) {
        const struct header *header = &record->headers[i];
        fuzz_check(header->name != NULL && slice_present(header->value));
        fuzz_check(i >= 3 || (strcmp(header->name, first[i]) == 0 && header->value.len > 0));
        for (const char *p = header->name; *p != '\0'; p++)
            fuzz_check(*p > ' ' && *p < 0x7f);
        for (int f = 0; f < ATTRIBUTE_COUNT; f++)
            seen[f] += strcmp(header->name, attribute_header(f)) == 0;
        /* A value that is read is read: a byte beyond its end would be found here. */
        struct slice value = header->value;
        fuzz_check(value.len == 0 || memchr(value.ptr, '\0', value.len) == NULL);
    }
    for (int f = 0; f < ATTRIBUTE_COUNT; f++)
        fuzz_check(seen[f] <= 1);
    fuzz_check(format != RECORD_BINARY || seen[FIELD_SPECVERSION] == 1);
}

/* The text of a string or number; the name that cannot be decoded is no name of ours. */
static struct slice text_of(struct slice token)
{
    struct slice text;
    fuzz_check(text_read(&scratch, token, &text));
    return text;
}

/* Which attribute has this name; ATTRIBUTE_COUNT: none. */
static int attribute_of(struct slice name)
{
    int f = 0;
    while (f < ATTRIBUTE_COUNT && !slice_equal(name, slice_of(field_name((enum field)f))))
        f++;
    return f;
}

/* One JSON object; each attribute stands in it at most once, `data` at the end; what was not made here is the
 * event's or its wrapper's own bytes. */
static void check_structured(const struct record *record, struct slice body)
{
    struct json json;
    struct json_name name;
    struct slice token, id = SLICE_ABSENT, type = SLICE_ABSENT, source = SLICE_ABSENT;
    bool first = true, data = false;
    unsigned seen[ATTRIBUTE_COUNT] = {0};
    enum json_step step;
    json_init(&json, record->value, &scratch);
    fuzz_check(record->value.ptr[0] == '{' && json_peek(&json) == '{');
    json_enter(&json);
    while ((step = json_next_member(&json, &first, &name)) == JSON_STEP_NEXT) {
        fuzz_check(!data && json_skip(&json, 1, &token));
        struct slice text = text_of(name.token);
        int field = slice_present(text) ? attribute_of(text) : ATTRIBUTE_COUNT;
        if (field < ATTRIBUTE_COUNT) {
            seen[field]++;
        } else if (slice_equal(text, SLICE_LITERAL("data"))) {
            data = true;
            fuzz_check(fuzz_has_bytes(record->event, token));
        } else {
            struct slice whole = {name.token.ptr, (size_t)(token.ptr + token.len - name.token.ptr)};
            fuzz_check(fuzz_has_bytes(body, whole));
        }
        if (field == FIELD_ID)
            id = text_of(token);
        else if (field == FIELD_TYPE)
            type = text_of(token);
        else if (field == FIELD_SOURCE)
            source = text_of(token);
    }
    fuzz_check(step == JSON_STEP_END && json_finish(&json) && json.problems == 0);
    for (int f = 0; f < ATTRIBUTE_COUNT; f++)
        fuzz_check(seen[f] <= 1);
    fuzz_check(seen[FIELD_SPECVERSION] == 1 && slice_present(source));
    fuzz_check(slice_equal(id, record->headers[1].value) && slice_equal(type, record->headers[2].value));
}

static void check_value(const struct record *record, enum record_format format, struct slice body)
{
    fuzz_check(slice_present(record->value) && record->value.len > 0);
    if (format == RECORD_STRUCTURED) {
        check_structured(record, body);
        return;
    }
    if (format == RECORD_ORIGINAL)
        fuzz_check(record->value.ptr == record->event.ptr && record->value.len == record->event.len);
    else
        fuzz_check(fuzz_is_part(record->value, record->event) ||
                   slice_equal(record->value, SLICE_LITERAL("null")));
    struct json json;
    struct slice token;
    json_init(&json, record->value, &scratch);
    fuzz_check(json_skip(&json, 0, &token) && json_finish(&json) && json.problems == 0);
    fuzz_check(slice_equal(token, record->value));
}

static void check_key(const struct record *record)
{
    struct slice key = record->key, munchkin_id = record->munchkin_id;
    fuzz_check(slice_present(key) == slice_present(munchkin_id));
    if (!slice_present(key))
        return;
    fuzz_check(munchkin_id.len > 0 && slice_starts_with(key, munchkin_id));
    fuzz_check(key.len == munchkin_id.len || key.ptr[munchkin_id.len] == ':');
}

static void check_record(const struct record *record, const struct config *config,
                         const struct routes *topics, struct slice body)
{
    fuzz_check(fuzz_is_part(record->event, body));
    fuzz_check(record->outcome == RECORD_PENDING && record->part == 0 && record->parts == 0);
    fuzz_check(record->topic >= -1 && record->topic < (int)topics->topic_count);
    fuzz_check(record->type >= -1 && record->type < (int)topics->type_count);
    fuzz_check(record->topic < 0 || record->type >= 0);
    fuzz_check(record->type < 0 || topics->types[record->type].stream == record->stream);
    if (record->dead_letter != DEAD_LETTER_NONE) {
        fuzz_check(record->dead_letter < DEAD_LETTER_REASON_COUNT);
        fuzz_check(record->detail != NULL && record->detail[0] != '\0');
        fuzz_check(!slice_present(record->key) && !slice_present(record->value));
        fuzz_check(record->headers == NULL && record->header_count == 0);
        return;
    }
    fuzz_check(record->topic >= 0 && record->topic != topics->dead_letter);
    fuzz_check(record->event.len > 0 && record->event.ptr[0] == '{');
    check_headers(record, config->record.format);
    check_value(record, config->record.format, body);
    check_key(record);
}

/* ---- all of them ---- */

static bool stands_behind(const struct record *record, const struct record *before)
{
    return before == NULL || record->element > before->element ||
           (record->element == before->element && record->activity > before->activity);
}

/* The events of one element of the body (-1: the body itself), by jansson: one, or as many as it has
 * activities, unless something is wrong with the wrapper. Returns the first record behind them. */
static const struct record *check_element(const struct record *record, int32_t element, const json_t *value)
{
    const json_t *activities = json_object_get(value, "activities");
    bool wrapper = json_is_array(activities);
    if (record != NULL && record->element == element && record->activity < 0) {
        /* The one that jansson keeps need not be the one that counts, but then this is a dead letter. */
        fuzz_check(!wrapper || record->dead_letter != DEAD_LETTER_NONE);
        fuzz_check(json_is_object(value) || record->dead_letter != DEAD_LETTER_NONE);
        return record->next;
    }
    fuzz_check(wrapper);
    for (size_t i = 0; i < json_array_size(activities); i++, record = record->next)
        fuzz_check(record != NULL && record->element == element && record->activity == (int32_t)i);
    return record;
}

static size_t count_events(const json_t *element)
{
    const json_t *activities = json_object_get(element, "activities");
    return json_is_array(activities) ? json_array_size(activities) : 1;
}

static void check_counts(const struct batch *batch)
{
    struct slice text = batch->body;
    const struct record *record = batch->first;
    if (record != NULL && record->dead_letter == DEAD_LETTER_BAD_ENCODING) {
        fuzz_check(record->next == NULL);
        return;
    }
    if (slice_starts_with(text, SLICE_LITERAL("\xef\xbb\xbf")))
        text = (struct slice){text.ptr + 3, text.len - 3};
    if (memchr(text.ptr, '\0', text.len) != NULL)
        return; /* jansson loses sight of it behind a number */
    json_t *value = json_loadb(text.ptr, text.len, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);
    if (value == NULL)
        return; /* the target json.c knows why */
    bool array = json_is_array(value);
    if (record != NULL && record->dead_letter == DEAD_LETTER_TOO_MANY_EVENTS) {
        size_t count = array ? 0 : count_events(value);
        for (size_t i = 0; array && i < json_array_size(value); i++)
            count += count_events(json_array_get(value, i));
        fuzz_check(record->next == NULL && count > EVENTS_MAX);
    } else if (array) {
        for (size_t i = 0; i < json_array_size(value); i++)
            record = check_element(record, (int32_t)i, json_array_get(value, i));
        fuzz_check(record == NULL);
    } else {
        fuzz_check(check_element(record, -1, value) == NULL);
    }
    json_decref(value);
}

static void check_batch(const struct batch *batch, const struct config *config, const struct routes *topics)
{
    size_t count = 0;
    const struct record *before = NULL;
    for (const struct record *record = batch->first; record != NULL; record = record->next, count++) {
        fuzz_check(record->batch == batch && stands_behind(record, before));
        check_record(record, config, topics, batch->body);
        before = record;
    }
    fuzz_check(batch->last == before && batch->events == count && count <= EVENTS_MAX);
    check_counts(batch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice body = {(const char *)data, size};
    unsigned choice = 0, memory = 0;
    if (size >= 2 && data[0] >= 0x80) {
        choice = data[0] & 0x7f;
        memory = data[1];
        body = (struct slice){body.ptr + 2, body.len - 2};
    }
    static const struct slice codings[] = {{NULL, 0}, {"gzip", 4}, {" X-GZip\t", 8}, {"br", 2}};
    unsigned coding = (choice & CHOICE_CODING) >> 2;
    unsigned format = (choice & CHOICE_FORMAT) % FORMATS;
    unsigned plan = (choice & CHOICE_HEADERS) != 0, topic_set = (choice & CHOICE_INSTANCES) != 0;
    const struct config *config = &configs[format][plan][topic_set];

    budget.limit = memory == 0 ? MEMORY_ENOUGH : 4096 + (size_t)memory * MEMORY_STEP;
    struct batch *batch = batch_create(&budget);
    if (batch == NULL) {
        fuzz_check(memory != 0 && atomic_load(&budget.used) == 0);
        return 0;
    }
    memcpy(batch->request_id, "request-1", sizeof "request-1");
    if (choice & CHOICE_REQUEST) {
        batch->traceparent = SLICE_LITERAL("00-trace");
        batch->event_id = SLICE_LITERAL("header-id");
        batch->event_code = SLICE_LITERAL("com.adobe.platform.marketo.audit.user.email");
    }
    bool made = coding == 1 && body.len <= MEMBER_MAX;
    struct slice raw = made ? gzip_make(body) : (struct slice){fuzz_copy(body), body.len};
    enum intake_result result = intake_take(intakes[format][plan][topic_set], batch, raw, codings[coding]);
    free((char *)(uintptr_t)raw.ptr); /* nothing may point into it */
    fuzz_check(atomic_load(&budget.used) <= budget.limit);
    fuzz_check(result == INTAKE_OK || memory != 0);
    arena_init(&scratch, NULL);
    if (result == INTAKE_OK) {
        fuzz_check(!made || body.len > BODY_MAX || slice_equal(batch->body, body));
        check_batch(batch, config, routes[topic_set]);
    }
    arena_free(&scratch);
    batch_free(batch);
    fuzz_check(atomic_load(&budget.used) == 0);
    return 0;
}
