// SPDX-License-Identifier: Apache-2.0
//
// Bodies as the senders build them, from the catalog; main thread.
//
// Every type has a few texts made once, with holes of fixed width for what differs
// from event to event (ids, lead, time, numbers). An event is then one copy and a
// dozen small writes, so that the simulator is never what limits a test.
#include "command/simulate.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "intake/catalog.h"

#define VARIANTS 4
#define LEADS 50000
#define LEAD_FIRST 1000000 /* all leads have seven digits */
#define LOG_ITEM_FIRST UINT64_C(1000000000)

#define WRAPPER_MAX 512 /* of the wrapper object without its activities */

/* What a hole takes. */
enum hole_kind {
    HOLE_EVENT_ID,
    HOLE_ID,
    HOLE_TIME,    /* 2024-12-17T18:39:33Z */
    HOLE_TIME_MS, /* 2024-07-11 13:20:42.755, as the audit stream writes it */
    HOLE_DATE,    /* 2024-12-17 */
    HOLE_LEAD,
    HOLE_LOG_ITEM,
    HOLE_DIGITS /* any number of that many digits, the first one not 0 */
};

enum { TIME_WIDTH = 20, TIME_MS_WIDTH = 23, DATE_WIDTH = 10, LEAD_WIDTH = 7, LOG_ITEM_WIDTH = 10 };

struct hole {
    uint32_t offset;
    uint16_t width;
    uint16_t kind;
};

struct template
{
    char *text;
    size_t len, capacity;
    struct hole *holes;
    size_t hole_count, hole_capacity;
    bool failed; /* out of memory */
};

struct generator {
    struct generator_options options;
    uint64_t ids, event_ids, choices; /* seeds of the three series of numbers */
    const struct catalog_type **types;
    size_t type_count;
    struct {
        size_t first, count; /* in types */
    } streams[STREAM_COUNT];
    unsigned weight; /* of the streams that are sent */
    size_t event_max;
    struct template *templates; /* type * VARIANTS + variant */
};

static const char *const providers[STREAM_COUNT] = {
    [STREAM_ACTIVITY] = "dx_marketo_lead_activity",
    [STREAM_AUDIT] = "dx_marketo_audit_user",
    [STREAM_NOTIFICATION] = "dx_marketo_notification",
    [STREAM_OBSERVABILITY] = "dx_marketo_observability",
};

/* How many events of a hundred belong to a stream, when all four are sent. */
static const unsigned weights[STREAM_COUNT] = {
    [STREAM_ACTIVITY] = 90,
    [STREAM_AUDIT] = 6,
    [STREAM_NOTIFICATION] = 2,
    [STREAM_OBSERVABILITY] = 2,
};

/* splitmix64: number -> 64 bits that look random, never the same for two numbers. */
static uint64_t mix(uint64_t number)
{
    number += UINT64_C(0x9e3779b97f4a7c15);
    number = (number ^ (number >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    number = (number ^ (number >> 27)) * UINT64_C(0x94d049bb133111eb);
    return number ^ (number >> 31);
}

static char *hex_put(char *out, uint64_t value, unsigned digits)
{
    for (unsigned i = digits; i-- > 0; value >>= 4)
        out[i] = "0123456789abcdef"[value & 15];
    return out + digits;
}

void generator_uuid(uint64_t seed, uint64_t number, char out[static UUID_LENGTH])
{
    uint64_t high = mix(seed + 2 * number), low = mix(seed + 2 * number + 1);
    out = hex_put(out, high >> 32, 8);
    *out++ = '-';
    out = hex_put(out, high >> 16, 4);
    *out++ = '-';
    out = hex_put(out, (high & 0xFFF) | 0x4000, 4); /* version 4 */
    *out++ = '-';
    out = hex_put(out, (low >> 48 & 0x3FFF) | 0x8000, 4);
    *out++ = '-';
    hex_put(out, low, 12);
}

static void put(struct template *template, const char *text, size_t len)
{
    size_t needed;
    if (template->failed || __builtin_add_overflow(template->len, len, &needed) || needed > UINT32_MAX) {
        template->failed = true;
        return;
    }
    if (needed > template->capacity) {
        char *grown = realloc(template->text, needed * 2);
        if (grown == NULL) {
            template->failed = true;
            return;
        }
        template->text = grown;
        template->capacity = needed * 2;
    }
    memcpy(template->text + template->len, text, len);
    template->len = needed;
}

static void put_text(struct template *template, const char *text)
{
    put(template, text, strlen(text));
}

static void put_hole(struct template *template, enum hole_kind kind, size_t width)
{
    if (template->hole_count == template->hole_capacity) {
        size_t capacity = template->hole_capacity * 2 + 16;
        struct hole *grown = reallocarray(template->holes, capacity, sizeof *grown);
        if (grown == NULL) {
            template->failed = true;
            return;
        }
        template->holes = grown;
        template->hole_capacity = capacity;
    }
    template->holes[template->hole_count++] =
        (struct hole){(uint32_t) template->len, (uint16_t)width, (uint16_t)kind};
    for (; width > 0; width--)
        put(template, "0", 1);
}

/* JSON as it is, but for the holes: a run of '#' takes a number of as many digits,
 * '~' the date, '^' the time. */
static void put_pattern(struct template *template, const char *text)
{
    while (*text != '\0') {
        size_t plain = strcspn(text, "#~^"), digits = strspn(text + plain, "#");
        put(template, text, plain);
        text += plain;
        if (digits > 0) {
            put_hole(template, HOLE_DIGITS, digits);
            text += digits;
        } else if (*text == '~') {
            put_hole(template, HOLE_DATE, DATE_WIDTH);
            text++;
        } else if (*text == '^') {
            put_hole(template, HOLE_TIME, TIME_WIDTH);
            text++;
        }
    }
}

/* A text of the catalog as a JSON string. */
static void put_quoted(struct template *template, const char *text)
{
    put_text(template, "\"");
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            put_text(template, "\\");
        put(template, text, 1);
    }
    put_text(template, "\"");
}

static void put_number(struct template *template, int64_t number)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%lld", (long long)number);
    if (len > 0)
        put(template, text, (size_t)len);
}

static void put_attributes(struct template *template, const struct catalog_type *type, unsigned variant)
{
    put_text(template, ",\"attributes\":[");
    for (size_t i = 0; type->attributes[i] != NULL; i++) {
        struct attribute_value value = value_of_attribute(type->attributes[i], variant);
        put_text(template, i > 0 ? ",{\"name\":" : "{\"name\":");
        put_quoted(template, type->attributes[i]);
        put_text(template, ",\"dataType\":\"");
        put_text(template, value.data_type);
        put_text(template, value.quoted ? "\",\"value\":\"" : "\",\"value\":");
        put_pattern(template, value.pattern);
        put_text(template, value.quoted ? "\"}" : "}");
    }
    put_text(template, "]");
}

/* The members that an activity has in both of its forms. */
static void put_activity(struct template *template, const struct catalog_type *type, unsigned variant)
{
    put_pattern(template, "\"activityDate\":\"^\"");
    if (type->id >= 0) {
        put_text(template, ",\"activityTypeId\":");
        put_number(template, type->id);
    }
    put_text(template, ",\"activityType\":");
    put_quoted(template, type->name);
    put_text(template, ",\"activityLogItemId\":");
    put_hole(template, HOLE_LOG_ITEM, LOG_ITEM_WIDTH);
    put_pattern(template, ",\"primaryAttributeValueId\":####,\"primaryAttributeValue\":\"");
    put_pattern(template, value_of_primary(type->name, variant));
    put_text(template, "\"");
    put_attributes(template, type, variant);
}

static void put_wrapped_activity(struct template *template, const struct catalog_type *type, unsigned variant)
{
    put_text(template, "{\"marketoGUID\":\"");
    put_hole(template, HOLE_ID, UUID_LENGTH);
    put_text(template, "\",\"leadId\":");
    put_hole(template, HOLE_LEAD, LEAD_WIDTH);
    put_text(template, ",");
    put_activity(template, type, variant);
    put_text(template, "}");
}

static void put_event_id(struct template *template)
{
    put_text(template, "{\"eventid\":\"");
    put_hole(template, HOLE_EVENT_ID, UUID_LENGTH);
    put_text(template, "\",");
}

static void put_instance(struct template *template, const char *munchkin_id)
{
    put_text(template, "\"munchkinId\":\"");
    put_text(template, munchkin_id);
    put_text(template, "\",");
}

/* The end of an event of adobe-io: whose it is. */
static void put_recipient(struct template *template, const char *recipient)
{
    put_text(template, ",\"recipientclientid\":\"");
    put_text(template, recipient);
    put_text(template, "\"}");
}

/* Activity and observability: a flat CloudEvent. */
static void put_flat(struct template *template, const struct catalog_type *type,
                     const struct generator_options *options, unsigned variant)
{
    bool activity = type->stream == STREAM_ACTIVITY;
    put_event_id(template);
    put_text(template, "\"specversion\":\"1.0\",\"type\":");
    put_quoted(template, type->ce_type);
    put_text(template, ",\"source\":\"");
    put_text(template, activity ? "urn:marketo_activity_stream" : "urn:data_ingestion_service");
    put_text(template, "\",\"id\":\"");
    put_hole(template, HOLE_ID, UUID_LENGTH);
    put_pattern(template, "\",\"time\":\"^\",\"datacontenttype\":\"application/json\",\"data\":{");
    put_instance(template, options->munchkin_id);
    if (activity) {
        put_text(template, "\"leadId\":\"");
        put_hole(template, HOLE_LEAD, LEAD_WIDTH);
        put_text(template, "\",");
        put_activity(template, type, variant);
    } else {
        put_pattern(template, value_of_observability(type->topic));
    }
    put_text(template, "}");
    put_recipient(template, options->recipient);
}

/* Audit and notification: the nested envelope. */
static void put_nested(struct template *template, const struct catalog_type *type,
                       const struct generator_options *options, unsigned variant)
{
    bool audit = type->stream == STREAM_AUDIT;
    put_event_id(template);
    put_text(template, "\"event\":{\"body\":{\"specversion\":\"1.0\",\"type\":");
    put_quoted(template, type->ce_type);
    put_text(template, ",\"source\":\"urn:mlm\",\"time\":\"");
    put_hole(template, audit ? HOLE_TIME_MS : HOLE_TIME, audit ? TIME_MS_WIDTH : TIME_WIDTH);
    put_text(template, "\",\"datacontenttype\":\"application/json\",\"dataschema\":\"");
    put_text(template, audit ? "V2.0" : "V1.0");
    put_text(template, "\",\"data\":{");
    put_instance(template, options->munchkin_id);
    put_text(template, "\"imsOrgId\":\"49C579695EA927530A494036@AdobeOrg\",\"componentType\":");
    if (audit) {
        put_quoted(template, type->name);
        put_pattern(template, ",\"componentId\":######,\"userId\":\"user##@example.com\",\"eventAction\":\"");
        put_text(template, value_of_audit_action(type->topic, variant));
        put_text(template, "\"");
    } else {
        const char *dot = strrchr(type->ce_type, '.');
        put_quoted(template, dot != NULL ? dot + 1 : type->topic);
        put_pattern(template, value_of_notification(type->topic));
    }
    put_text(template, "}}}");
    put_recipient(template, options->recipient);
}

static void template_make(struct template *template, const struct generator_options *options,
                          const struct catalog_type *type, unsigned variant)
{
    if (options->sender == SENDER_ACTIVITY_PUSH)
        put_wrapped_activity(template, type, variant);
    else if (type->stream == STREAM_ACTIVITY || type->stream == STREAM_OBSERVABILITY)
        put_flat(template, type, options, variant);
    else
        put_nested(template, type, options, variant);
}

/* Which of the catalog's types are sent: their indices in order, grouped by stream. */
static void generator_choose_types(struct generator *generator)
{
    const struct generator_options *options = &generator->options;
    for (size_t i = 0; i < catalog_type_count; i++) {
        enum stream stream = catalog_types[i].stream;
        bool wanted =
            options->sender == SENDER_ACTIVITY_PUSH ? stream == STREAM_ACTIVITY : options->streams[stream];
        if (!wanted || (stream == STREAM_ACTIVITY && options->types > 0 &&
                        generator->streams[stream].count == options->types))
            continue;
        if (generator->streams[stream].count++ == 0)
            generator->streams[stream].first = generator->type_count;
        generator->types[generator->type_count++] = &catalog_types[i];
    }
    for (size_t i = 0; i < STREAM_COUNT; i++) {
        if (generator->streams[i].count > 0)
            generator->weight += weights[i];
    }
}

struct generator *generator_create(const struct generator_options *options)
{
    struct generator *generator = calloc(1, sizeof *generator);
    if (generator == NULL)
        return NULL;
    generator->options = *options;
    generator->ids = mix(options->seed ^ 1);
    generator->event_ids = mix(options->seed ^ 2);
    generator->choices = mix(options->seed ^ 3);
    generator->types = calloc(catalog_type_count, sizeof(struct catalog_type *));
    if (generator->types == NULL)
        goto fail;
    generator_choose_types(generator);
    generator->templates = calloc(generator->type_count * VARIANTS, sizeof *generator->templates);
    if (generator->templates == NULL)
        goto fail;
    for (size_t i = 0; i < generator->type_count * VARIANTS; i++) {
        struct template *template = &generator->templates[i];
        template_make(template, options, generator->types[i / VARIANTS], (unsigned)(i % VARIANTS));
        if (template->failed)
            goto fail;
        if (template->len > generator->event_max)
            generator->event_max = template->len;
    }
    return generator;
fail:
    generator_free(generator);
    return NULL;
}

void generator_free(struct generator *generator)
{
    if (generator == NULL)
        return;
    for (size_t i = 0; generator->templates != NULL && i < generator->type_count * VARIANTS; i++) {
        free(generator->templates[i].text);
        free(generator->templates[i].holes);
    }
    free(generator->templates);
    free(generator->types);
    free(generator);
}

void generator_id_seeds(const struct generator *generator, uint64_t seeds[static 2])
{
    seeds[0] = generator->ids;
    seeds[1] = generator->event_ids;
}

size_t generator_body_max(const struct generator *generator, size_t events)
{
    return WRAPPER_MAX + events * (generator->event_max + 1);
}

/* A series of numbers that belongs to one event. */
struct dice {
    uint64_t seed, bits;
    unsigned left; /* digits that `bits` is still good for */
};

static uint64_t dice_next(struct dice *dice)
{
    dice->seed += UINT64_C(0x9e3779b97f4a7c15);
    return mix(dice->seed);
}

static void put_digits(struct dice *dice, char *out, size_t width)
{
    for (size_t i = 0; i < width; i++, dice->left--, dice->bits >>= 8) {
        if (dice->left == 0) {
            dice->bits = dice_next(dice);
            dice->left = 8;
        }
        unsigned byte = dice->bits & 0xFF;
        out[i] = (char)(i == 0 ? '1' + (byte * 9 >> 8) : '0' + (byte * 10 >> 8));
    }
}

static void put_decimal(uint64_t number, char *out, size_t width)
{
    for (; width > 0; number /= 10)
        out[--width] = (char)('0' + number % 10);
}

/* The ways a time is written; the date is the beginning of `time`. */
struct time_texts {
    char time[TIME_WIDTH + 1], time_ms[TIME_MS_WIDTH + 1];
};

static void time_texts_make(struct time_texts *texts, int64_t now_ms)
{
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    strftime(texts->time, sizeof texts->time, "%Y-%m-%dT%H:%M:%SZ", &tm);
    strftime(texts->time_ms, sizeof texts->time_ms, "%Y-%m-%d %H:%M:%S.000", &tm);
    put_decimal((uint64_t)(now_ms % 1000), texts->time_ms + TIME_MS_WIDTH - 3, 3);
}

/* The type of an event: streams by weight, activities in turn, so that a short run
 * has all of them, the rest by chance. */
static size_t event_type_choose(const struct generator *generator, uint64_t number, struct dice *dice)
{
    unsigned chance = (unsigned)(dice_next(dice) % generator->weight);
    size_t stream = 0;
    for (;; stream++) {
        if (generator->streams[stream].count == 0)
            continue;
        if (chance < weights[stream])
            break;
        chance -= weights[stream];
    }
    uint64_t turn = stream == STREAM_ACTIVITY ? number : dice_next(dice);
    return generator->streams[stream].first + (size_t)(turn % generator->streams[stream].count);
}

void generator_name_type(const struct generator *generator, uint64_t number, char *out, size_t size)
{
    struct dice dice = {.seed = mix(generator->choices + number)};
    const struct catalog_type *type = generator->types[event_type_choose(generator, number, &dice)];
    snprintf(out, size, "%s.%s", stream_name(type->stream), type->topic);
}

static char *event_write(const struct generator *generator, uint64_t number, const struct time_texts *texts,
                         char *out, const struct catalog_type **type)
{
    struct dice dice = {.seed = mix(generator->choices + number)};
    size_t index = event_type_choose(generator, number, &dice);
    uint64_t choice = dice_next(&dice);
    const struct template *template = &generator->templates[index * VARIANTS + choice % VARIANTS];

    *type = generator->types[index];
    memcpy(out, template->text, template->len);
    for (size_t i = 0; i < template->hole_count; i++) {
        const struct hole *hole = &template->holes[i];
        char *at = out + hole->offset;
        switch ((enum hole_kind)hole->kind) {
        case HOLE_EVENT_ID:
            generator_uuid(generator->event_ids, number, at);
            break;
        case HOLE_ID:
            generator_uuid(generator->ids, number, at);
            break;
        case HOLE_TIME:
        case HOLE_DATE:
            memcpy(at, texts->time, hole->width);
            break;
        case HOLE_TIME_MS:
            memcpy(at, texts->time_ms, hole->width);
            break;
        case HOLE_LEAD:
            put_decimal(LEAD_FIRST + (choice >> 32) % LEADS, at, hole->width);
            break;
        case HOLE_LOG_ITEM:
            put_decimal(LOG_ITEM_FIRST + number % (9 * LOG_ITEM_FIRST), at, hole->width);
            break;
        case HOLE_DIGITS:
            put_digits(&dice, at, hole->width);
            break;
        }
    }
    return out + template->len;
}

size_t generator_write(const struct generator *generator, uint64_t first, size_t events, int64_t now_ms,
                       bool single, char *out, struct body_facts *facts)
{
    struct time_texts texts;
    const struct catalog_type *type = NULL;
    char *at = out;

    time_texts_make(&texts, now_ms);
    if (generator->options.sender == SENDER_ACTIVITY_PUSH) {
        int len = snprintf(at, WRAPPER_MAX,
                           "{\"sourceApplication\":\"Marketo\",\"munchkinId\":\"%s\",\"messageId\":\"%" PRIu64
                           "\",\"messageCreatedDate\":\"%s\",\"activities\":[",
                           generator->options.munchkin_id, first, texts.time);
        if (len > 0)
            at += len;
    } else if (!single) {
        *at++ = '[';
    }
    for (size_t i = 0; i < events; i++) {
        if (i > 0)
            *at++ = ',';
        const struct catalog_type *this_type;
        at = event_write(generator, first + i, &texts, at, &this_type);
        if (i == 0)
            type = this_type;
    }
    if (generator->options.sender == SENDER_ACTIVITY_PUSH) {
        *at++ = ']';
        *at++ = '}';
    } else if (!single) {
        *at++ = ']';
    }
    generator_uuid(generator->event_ids, first, facts->event_id);
    facts->event_id[UUID_LENGTH] = '\0';
    facts->event_code = type != NULL ? type->ce_type : "";
    facts->provider = providers[type != NULL ? type->stream : STREAM_ACTIVITY];
    return (size_t)(at - out);
}
