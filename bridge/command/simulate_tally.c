// SPDX-License-Identifier: Apache-2.0
//
// What a simulation was promised and what Kafka holds of it; main thread.
//
// An event takes two bytes here. No id is kept: an id is made from seed and number by
// arithmetic that can be undone, so that a record's id leads back to its number.
#include "command/simulate_verify.h"

#include <inttypes.h>
#include <stdlib.h>

/* Bits of tally.promises. */
enum {
    SENT = 1,
    ACKNOWLEDGED = 2,
    REFUSED = 4, /* the sender does not try again */
    HAD_NO_ANSWER = 8,
    HAD_504 = 16,
    HAD_503 = 32,
    HAD_OTHER = 64
};

/* libcurl's timer may be this much before its time. */
#define TIMER_SLACK_US 2000

/* --- from an id back to its number --- */

/* x ^ (x >> shift), undone; shift 22 to 31. */
static uint64_t unshift(uint64_t value, unsigned shift)
{
    return value ^ (value >> shift) ^ (value >> 2 * shift);
}

/* splitmix64 (simulate_event.c), undone: the multipliers are the inverses modulo 2^64. */
static uint64_t unmix(uint64_t mixed)
{
    mixed = unshift(mixed, 31) * UINT64_C(0x319642b2d24d8ec3);
    mixed = unshift(mixed, 27) * UINT64_C(0x96de1b173f119089);
    return unshift(mixed, 30) - UINT64_C(0x9e3779b97f4a7c15);
}

static bool hex_get(const char *text, unsigned digits, uint64_t *value)
{
    for (; digits > 0; digits--, text++) {
        unsigned digit = 16;
        if (*text >= '0' && *text <= '9')
            digit = (unsigned)(*text - '0');
        else if (*text >= 'a' && *text <= 'f')
            digit = (unsigned)(*text - 'a') + 10;
        if (digit == 16)
            return false;
        *value = *value << 4 | digit;
    }
    return true;
}

bool uuid_find(uint64_t seed, const char *text, uint64_t count, uint64_t *number)
{
    uint64_t high = 0;
    bool good = hex_get(text, 8, &high) && text[8] == '-' && hex_get(text + 9, 4, &high) && text[13] == '-' &&
                hex_get(text + 14, 4, &high) && text[18] == '-' && text[23] == '-';
    /* The version took the place of four bits of the first half: one of sixteen it must be. */
    for (uint64_t bits = 0; good && bits < 16; bits++) {
        uint64_t twice = unmix((high & ~UINT64_C(0xF000)) | bits << 12) - seed;
        char made[UUID_LENGTH];
        if (twice % 2 != 0 || twice / 2 >= count)
            continue;
        generator_uuid(seed, twice / 2, made);
        if (memcmp(made, text, UUID_LENGTH) == 0) {
            *number = twice / 2;
            return true;
        }
    }
    return false;
}

/* --- taking --- */

struct tally *tally_create(uint64_t deadline_ms, const uint64_t seeds[static 2])
{
    struct tally *tally = calloc(1, sizeof *tally);
    if (tally == NULL)
        return NULL;
    tally->deadline_us = deadline_ms * 1000;
    tally->seeds[0] = seeds[0];
    tally->seeds[1] = seeds[1];
    return tally;
}

void tally_free(struct tally *tally)
{
    if (tally == NULL)
        return;
    free(tally->promises);
    free(tally->copies);
    free(tally);
}

static bool tally_reserve(struct tally *tally, uint64_t count)
{
    if (count <= tally->count)
        return true;
    uint64_t capacity = 1024, before = 1024;
    while (before < tally->count)
        before *= 2;
    while (capacity < count)
        capacity *= 2;
    if (tally->count == 0 || capacity != before) {
        uint8_t *promises = realloc(tally->promises, (size_t)capacity);
        if (promises != NULL)
            tally->promises = promises;
        uint8_t *copies = realloc(tally->copies, (size_t)capacity);
        if (copies != NULL)
            tally->copies = copies;
        if (promises == NULL || copies == NULL)
            return false;
    }
    memset(tally->promises + tally->count, 0, (size_t)(count - tally->count));
    memset(tally->copies + tally->count, 0, (size_t)(count - tally->count));
    tally->count = count;
    return true;
}

static unsigned promise_of(const struct ledger_entry *entry)
{
    if (entry->kind != LEDGER_ANSWERED)
        return SENT;
    if (entry->result == ATTEMPT_DELIVERED)
        return SENT | ACKNOWLEDGED;
    unsigned had = entry->status == 0     ? HAD_NO_ANSWER
                   : entry->status == 504 ? HAD_504
                   : entry->status == 503 ? HAD_503
                                          : HAD_OTHER;
    return SENT | had | (entry->result == ATTEMPT_REFUSED ? REFUSED : 0u);
}

void tally_take_entry(void *data, const struct ledger_entry *entry)
{
    struct tally *tally = data;
    if (!tally_reserve(tally, entry->first + entry->events)) {
        tally->out_of_memory = true;
        return;
    }
    uint8_t promise = (uint8_t)promise_of(entry);
    for (uint64_t i = entry->first; i < entry->first + entry->events; i++)
        tally->promises[i] |= promise;
    if (entry->kind == LEDGER_SENT) {
        tally->attempts++;
        return;
    }
    tally->answered++;
    tally->no_answer += entry->status == 0;
    /* A time-out of the sender's is an answer that did not come by then. */
    uint64_t slack = entry->status == 0 ? TIMER_SLACK_US : 0;
    tally->late += entry->elapsed_us + slack > tally->deadline_us;
    latency_add(&tally->latency, entry->elapsed_us);
}

static bool tally_find(const struct tally *tally, const char *text, uint64_t *number)
{
    return uuid_find(tally->seeds[0], text, tally->count, number) ||
           uuid_find(tally->seeds[1], text, tally->count, number);
}

static void tally_count_copy(struct tally *tally, uint64_t number)
{
    if (tally->copies[number] < UINT8_MAX)
        tally->copies[number]++;
}

void tally_take_record(struct tally *tally, struct slice ce_id, struct slice value, bool later_part)
{
    uint64_t number, last = UINT64_MAX, found = 0;
    tally->records++;
    if (slice_present(ce_id)) {
        if (ce_id.len == UUID_LENGTH && tally_find(tally, ce_id.ptr, &number))
            tally_count_copy(tally, number);
        else
            tally->foreign++;
        return;
    }
    /* A dead letter is an event or a whole body as it was received. Both of an event's ids
     * lead to the same number. */
    for (size_t i = 0; value.len >= UUID_LENGTH && i <= value.len - UUID_LENGTH; i++) {
        if (value.ptr[i + 8] != '-' || !tally_find(tally, value.ptr + i, &number))
            continue;
        i += UUID_LENGTH - 1;
        found++;
        if (number == last || (later_part && tally->copies[number] > 0))
            continue;
        last = number;
        tally_count_copy(tally, number);
        tally->dead_lettered++;
    }
    tally->foreign += found == 0 && !later_part;
}

/* --- judging --- */

static enum copy_cause cause_of(unsigned promise)
{
    if ((promise & HAD_NO_ANSWER) != 0)
        return COPY_NO_ANSWER;
    if ((promise & HAD_504) != 0)
        return COPY_504;
    if ((promise & HAD_503) != 0)
        return COPY_503;
    return (promise & HAD_OTHER) != 0 ? COPY_OTHER_STATUS : COPY_IN_ONE_ATTEMPT;
}

void tally_judge(struct tally *tally)
{
    tally->acknowledged = tally->missing = tally->repeated = 0;
    tally->refused = tally->refused_present = tally->unfinished = tally->unfinished_present = 0;
    memset(tally->extra, 0, sizeof tally->extra);
    for (uint64_t i = 0; i < tally->count; i++) {
        unsigned promise = tally->promises[i], copies = tally->copies[i];
        if (copies > 1) {
            tally->repeated++;
            tally->extra[cause_of(promise)] += copies - 1;
        }
        if ((promise & ACKNOWLEDGED) != 0) {
            tally->acknowledged++;
            if (copies > 0)
                continue;
            if (tally->missing < MISSING_MAX)
                tally->missing_events[tally->missing] = (struct missing_event){.number = i};
            tally->missing++;
        } else if ((promise & REFUSED) != 0) {
            tally->refused++;
            tally->refused_present += copies > 0;
        } else if (promise != 0) {
            tally->unfinished++;
            tally->unfinished_present += copies > 0;
        }
    }
}

void tally_date_missing(void *data, const struct ledger_entry *entry)
{
    struct tally *tally = data;
    if (entry->kind != LEDGER_ANSWERED || entry->result != ATTEMPT_DELIVERED)
        return;
    for (size_t i = 0; i < MISSING_MAX && i < tally->missing; i++) {
        struct missing_event *event = &tally->missing_events[i];
        if (event->number - entry->first < entry->events) { /* no less than first: else it wraps */
            event->answered_ms = entry->at_ms;
            event->sent_ms = entry->at_ms - entry->elapsed_us / 1000;
        }
    }
}

bool tally_holds(const struct tally *tally)
{
    return tally->missing == 0 && tally->late == 0 && tally->refused == 0;
}

/* --- printing --- */

static const char *const cause_names[COPY_CAUSE_COUNT] = {
    [COPY_NO_ANSWER] = "no_answer",
    [COPY_504] = "504",
    [COPY_503] = "503",
    [COPY_OTHER_STATUS] = "other",
    [COPY_IN_ONE_ATTEMPT] = "in_one_attempt",
};

static double milliseconds(uint64_t us)
{
    return (double)us / 1000;
}

static const struct {
    const char *name;
    double share;
} percentiles[] = {{"p50", 0.5}, {"p99", 0.99}, {"p99.9", 0.999}, {"max", 1}};

void tally_print(const struct tally *tally, FILE *out)
{
    fprintf(out,
            "verified      %" PRIu64 " acknowledged, %" PRIu64 " of them missing; %" PRIu64
            " records, %" PRIu64 " of others\n",
            tally->acknowledged, tally->missing, tally->records, tally->foreign);
    fprintf(out, "more than once %" PRIu64 "; copies after", tally->repeated);
    for (size_t i = 0; i < COPY_CAUSE_COUNT; i++)
        fprintf(out, " %s: %" PRIu64, cause_names[i], tally->extra[i]);
    fprintf(out,
            "\nnot acknowledged %" PRIu64 " finally refused, %" PRIu64 " of them present; %" PRIu64
            " unfinished, %" PRIu64 " of them present\n",
            tally->refused, tally->refused_present, tally->unfinished, tally->unfinished_present);
    fprintf(out,
            "attempts      %" PRIu64 " sent, %" PRIu64 " later than %.3f s, %" PRIu64
            " without an answer; %" PRIu64 " events are dead letters\n",
            tally->attempts, tally->late, (double)tally->deadline_us / 1e6, tally->no_answer,
            tally->dead_lettered);
    fprintf(out, "answered (ms)");
    for (size_t i = 0; i < sizeof percentiles / sizeof percentiles[0]; i++)
        fprintf(out, " %s: %.3f", percentiles[i].name,
                milliseconds(latency_percentile(&tally->latency, percentiles[i].share)));
    fprintf(out, "\npromises      %s\n", tally_holds(tally) ? "kept" : "BROKEN");
}

static void print_missing(const struct tally *tally, const struct generator *generator, FILE *out)
{
    fputs(",\"missing_events\":[", out);
    for (size_t i = 0; i < MISSING_MAX && i < tally->missing; i++) {
        const struct missing_event *event = &tally->missing_events[i];
        char type[128];
        generator_name_type(generator, event->number, type, sizeof type);
        fprintf(out,
                "%s{\"number\":%" PRIu64 ",\"type\":\"%s\",\"sent_ms\":%" PRId64 ",\"answered_ms\":%" PRId64
                "}",
                i > 0 ? "," : "", event->number, type, event->sent_ms, event->answered_ms);
    }
    fputc(']', out);
}

void tally_print_json(const struct tally *tally, const struct generator *generator, FILE *out)
{
    const struct {
        const char *name;
        uint64_t value;
    } members[] = {
        {"sent", tally->count},
        {"acknowledged", tally->acknowledged},
        {"missing", tally->missing},
        {"repeated", tally->repeated},
        {"refused", tally->refused},
        {"refused_present", tally->refused_present},
        {"unfinished", tally->unfinished},
        {"unfinished_present", tally->unfinished_present},
        {"dead_lettered", tally->dead_lettered},
        {"records", tally->records},
        {"foreign", tally->foreign},
        {"attempts", tally->attempts},
        {"late", tally->late},
        {"no_answer", tally->no_answer},
        {"deadline_ms", tally->deadline_us / 1000},
    };
    fprintf(out, ",\"verified\":{\"kept\":%s", tally_holds(tally) ? "true" : "false");
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        fprintf(out, ",\"%s\":%" PRIu64, members[i].name, members[i].value);
    fputs(",\"copies_after\":{", out);
    for (size_t i = 0; i < COPY_CAUSE_COUNT; i++)
        fprintf(out, "%s\"%s\":%" PRIu64, i > 0 ? "," : "", cause_names[i], tally->extra[i]);
    fputs("},\"latency_ms\":{", out);
    for (size_t i = 0; i < sizeof percentiles / sizeof percentiles[0]; i++)
        fprintf(out, "%s\"%s\":%.3f", i > 0 ? "," : "", percentiles[i].name,
                milliseconds(latency_percentile(&tally->latency, percentiles[i].share)));
    fputc('}', out);
    print_missing(tally, generator, out);
    fputc('}', out);
}
