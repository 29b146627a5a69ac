// SPDX-License-Identifier: Apache-2.0
//
// Counts and percentiles of a simulation, and how they are printed; main thread.
#include "command/simulate_verify.h"

#include <inttypes.h>
#include <math.h>

#define SUB_COUNT (1u << LATENCY_SUB_BITS)

static size_t latency_bucket(uint64_t us)
{
    if (us >= UINT64_C(1) << LATENCY_MAX_BITS)
        us = (UINT64_C(1) << LATENCY_MAX_BITS) - 1;
    if (us < SUB_COUNT)
        return (size_t)us;
    unsigned shift = 63u - (unsigned)__builtin_clzll(us) - LATENCY_SUB_BITS;
    return ((size_t)(shift + 1) << LATENCY_SUB_BITS) + (size_t)((us >> shift) & (SUB_COUNT - 1));
}

/* The largest value that falls into the bucket. */
static uint64_t latency_bucket_top(size_t bucket)
{
    if (bucket < SUB_COUNT)
        return bucket;
    unsigned shift = (unsigned)(bucket >> LATENCY_SUB_BITS) - 1;
    uint64_t first = (uint64_t)(SUB_COUNT + (bucket & (SUB_COUNT - 1))) << shift;
    return first + (UINT64_C(1) << shift) - 1;
}

void latency_add(struct latency *latency, uint64_t us)
{
    latency->count++;
    latency->buckets[latency_bucket(us)]++;
    if (us > latency->max)
        latency->max = us;
}

uint64_t latency_percentile(const struct latency *latency, double share)
{
    uint64_t rank = (uint64_t)ceil(share * (double)latency->count), seen = 0;
    if (latency->count == 0)
        return 0;
    if (rank == 0)
        rank = 1;
    for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
        seen += latency->buckets[i];
        if (seen >= rank) {
            uint64_t top = latency_bucket_top(i);
            return top < latency->max ? top : latency->max;
        }
    }
    return latency->max;
}

static const char *const answer_names[ANSWER_COUNT] = {
    [ANSWER_EVENTS] = "events",
    [ANSWER_DELIVERED] = "delivered",
    [ANSWER_DUPLICATES] = "duplicates",
    [ANSWER_DEAD_LETTERED] = "dead_lettered",
};

void report_take_answer(struct report *report, const char *body)
{
    for (size_t i = 0; i < ANSWER_COUNT; i++) {
        char member[32];
        int len = snprintf(member, sizeof member, "\"%s\":", answer_names[i]);
        const char *at = len > 0 ? strstr(body, member) : NULL;
        if (at == NULL)
            continue;
        uint64_t value = 0;
        for (at += len; *at == ' '; at++)
            ;
        for (; *at >= '0' && *at <= '9' && value < UINT32_MAX; at++)
            value = value * 10 + (uint64_t)(*at - '0');
        report->answers[i] += value;
    }
}

void report_take_no_answer(struct report *report, const char *reason)
{
    size_t i = 0;
    while (i < REPORT_REASONS_MAX - 1 && report->no_answer[i].reason != NULL &&
           strcmp(report->no_answer[i].reason, reason) != 0)
        i++;
    report->no_answer[i].reason = i < REPORT_REASONS_MAX - 1 ? reason : "others";
    report->no_answer[i].count++;
}

static double milliseconds(uint64_t us)
{
    return (double)us / 1000;
}

static const struct {
    const char *name;
    double share;
} percentiles[] = {{"p50", 0.5}, {"p99", 0.99}, {"p99.9", 0.999}, {"max", 1}};

static double events_per_second(const struct report *report)
{
    return report->elapsed_us == 0 ? 0 : (double)report->delivered_events * 1e6 / (double)report->elapsed_us;
}

static void print_text(const struct report *report, const struct report_context *context, FILE *out)
{
    fprintf(out, "%s to %s, HTTP/%s, seed %" PRIu64 "\n", context->sender, context->url, context->http,
            context->seed);
    for (size_t i = 0; i < context->file_count; i++) {
        if (context->file_statuses[i] == 0)
            fprintf(out, "file          %s: no answer\n", context->files[i]);
        else
            fprintf(out, "file          %s: %ld\n", context->files[i], context->file_statuses[i]);
    }
    fprintf(out,
            "batches       %" PRIu64 " sent, %" PRIu64 " delivered, %" PRIu64 " finally refused, %" PRIu64
            " unfinished\n",
            report->batches, report->delivered, report->refused, report->unfinished);
    if (context->file_count == 0)
        fprintf(out, "events        %" PRIu64 " sent, %" PRIu64 " delivered\n", report->events,
                report->delivered_events);
    fprintf(out, "answers      ");
    for (size_t i = 1; i < REPORT_STATUS_MAX; i++) {
        if (report->statuses[i] > 0)
            fprintf(out, " %zu: %" PRIu64, i, report->statuses[i]);
    }
    if (report->statuses[0] > 0) {
        fprintf(out, " none: %" PRIu64 " (", report->statuses[0]);
        for (size_t i = 0; i < REPORT_REASONS_MAX && report->no_answer[i].reason != NULL; i++)
            fprintf(out, "%s%s: %" PRIu64, i > 0 ? ", " : "", report->no_answer[i].reason,
                    report->no_answer[i].count);
        fputc(')', out);
    }
    fprintf(out, "\nretries       %" PRIu64 "\n", report->retries);
    fprintf(out, "they said    ");
    for (size_t i = 0; i < ANSWER_COUNT; i++)
        fprintf(out, " %s: %" PRIu64, answer_names[i], report->answers[i]);
    fprintf(out, "\ntime          %.3f s", (double)report->elapsed_us / 1e6);
    if (context->file_count == 0)
        fprintf(out, ", %.0f events/s", events_per_second(report));
    fputc('\n', out);
    fprintf(out, "latency (ms) ");
    for (size_t i = 0; i < sizeof percentiles / sizeof percentiles[0]; i++)
        fprintf(out, " %s: %.3f", percentiles[i].name,
                milliseconds(latency_percentile(&report->latency, percentiles[i].share)));
    fputc('\n', out);
    if (context->tally != NULL)
        tally_print(context->tally, out);
}

static void put_json_string(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < ' ')
            fprintf(out, "\\u%04x", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

static void print_json(const struct report *report, const struct report_context *context, FILE *out)
{
    fprintf(out, "{\"sender\":\"%s\",\"url\":", context->sender);
    put_json_string(out, context->url);
    fprintf(out, ",\"http\":\"%s\",\"seed\":%" PRIu64 ",", context->http, context->seed);
    if (context->file_count > 0) {
        fputs("\"files\":[", out);
        for (size_t i = 0; i < context->file_count; i++) {
            fprintf(out, "%s{\"file\":", i > 0 ? "," : "");
            put_json_string(out, context->files[i]);
            fprintf(out, ",\"status\":%ld}", context->file_statuses[i]);
        }
        fputs("],", out);
    }
    fprintf(out,
            "\"batches\":%" PRIu64 ",\"events\":%" PRIu64 ",\"delivered\":%" PRIu64
            ",\"delivered_events\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"unfinished\":%" PRIu64
            ",\"retries\":%" PRIu64 ",\"statuses\":{",
            report->batches, report->events, report->delivered, report->delivered_events, report->refused,
            report->unfinished, report->retries);
    const char *comma = "";
    for (size_t i = 1; i < REPORT_STATUS_MAX; i++) {
        if (report->statuses[i] > 0) {
            fprintf(out, "%s\"%zu\":%" PRIu64, comma, i, report->statuses[i]);
            comma = ",";
        }
    }
    if (report->statuses[0] > 0) {
        fprintf(out, "%s\"none\":%" PRIu64 "},\"no_answer\":{", comma, report->statuses[0]);
        for (size_t i = 0; i < REPORT_REASONS_MAX && report->no_answer[i].reason != NULL; i++) {
            fputs(i > 0 ? "," : "", out);
            put_json_string(out, report->no_answer[i].reason);
            fprintf(out, ":%" PRIu64, report->no_answer[i].count);
        }
        fputc('}', out);
    } else {
        fputc('}', out);
    }
    fputs(",\"answers\":{", out);
    for (size_t i = 0; i < ANSWER_COUNT; i++)
        fprintf(out, "%s\"%s\":%" PRIu64, i > 0 ? "," : "", answer_names[i], report->answers[i]);
    fprintf(out, "},\"seconds\":%.6f,\"events_per_second\":%.1f,\"latency_ms\":{",
            (double)report->elapsed_us / 1e6, events_per_second(report));
    for (size_t i = 0; i < sizeof percentiles / sizeof percentiles[0]; i++)
        fprintf(out, "%s\"%s\":%.3f", i > 0 ? "," : "", percentiles[i].name,
                milliseconds(latency_percentile(&report->latency, percentiles[i].share)));
    fputc('}', out);
    if (context->tally != NULL)
        tally_print_json(context->tally, context->generator, out);
    fputs("}\n", out);
}

void report_print(const struct report *report, const struct report_context *context, bool json, FILE *out)
{
    if (json)
        print_json(report, context, out);
    else
        print_text(report, context, out);
}
