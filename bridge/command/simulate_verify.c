// SPDX-License-Identifier: Apache-2.0
//
// `simulate --verify`: what was answered 2xx must be in Kafka. Main thread.
#include "command/simulate_verify.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"

/* How long Kafka may take to tell what there is, and to hand out the next record. */
#define LOOK_MS 60000
#define STALL_MS 60000
#define PROGRESS_MS 1000

struct verification {
    const struct simulate_options *options;
    const struct generator *generator;
    struct ledger ledger;
    struct reader *reader;
    struct reader_ranges before; /* what the topics held at the start; read when something is missing */
    struct reader_ranges after;
    struct tally *tally;
    bool finished;
    bool progress;
    uint64_t shown_ms, to_read;
};

static void complain(const char *what, const char *why)
{
    fprintf(stderr, "marketo-bridge simulate: %s: %s\n", what, why);
}

static struct verification *verification_create(const struct simulate_options *options,
                                                const struct generator *generator)
{
    char errstr[256];
    struct verification *verification = calloc(1, sizeof *verification);
    uint64_t seeds[2];
    if (verification == NULL)
        goto out_of_memory;
    verification->options = options;
    verification->generator = generator;
    verification->ledger.fd = -1;
    verification->progress = isatty(STDERR_FILENO) == 1;
    generator_id_seeds(generator, seeds);
    verification->tally = tally_create(options->verify.deadline_ms, seeds);
    if (verification->tally == NULL)
        goto out_of_memory;
    verification->reader = reader_create(options->verify.brokers, options->verify.properties,
                                         options->verify.property_count, errstr, sizeof errstr);
    if (verification->reader != NULL)
        return verification;
    complain("--verify", errstr);
    verification_free(verification);
    return NULL;

out_of_memory:
    complain("--verify", "out of memory");
    verification_free(verification);
    return NULL;
}

static bool verification_look(struct verification *verification, struct reader_ranges *ranges)
{
    char errstr[256];
    if (reader_look(verification->reader, verification->options->verify.prefix, LOOK_MS, ranges, errstr,
                    sizeof errstr))
        return true;
    complain("Kafka cannot be looked at", errstr);
    return false;
}

static struct ledger_head head_of(const struct simulate_options *options)
{
    struct ledger_head head = {.seed = options->content.seed,
                               .sender = (uint32_t)options->rule->sender,
                               .types = (uint32_t)options->content.types,
                               .deadline_ms = (uint32_t)options->verify.deadline_ms};
    for (size_t i = 0; i < STREAM_COUNT; i++)
        head.streams |= options->content.streams[i] ? 1u << i : 0u;
    return head;
}

struct verification *verification_begin(const struct simulate_options *options,
                                        const struct generator *generator)
{
    struct verification *verification = verification_create(options, generator);
    if (verification == NULL || !verification_look(verification, &verification->before))
        goto fail;
    const struct ledger_head head = head_of(options);
    if (!ledger_create(&verification->ledger, options->verify.ledger, &head)) {
        complain(options->verify.ledger != NULL ? options->verify.ledger : "a temporary ledger",
                 strerror(errno));
        goto fail;
    }
    return verification;

fail:
    verification_free(verification);
    return NULL;
}

static bool write_entry(struct verification *verification, const struct ledger_entry *entry)
{
    if (ledger_write(&verification->ledger, entry))
        return true;
    complain(verification->ledger.path, strerror(errno));
    return false;
}

bool verification_sent(struct verification *verification, const struct delivery *delivery)
{
    const struct ledger_entry entry = {
        .kind = LEDGER_SENT,
        .first = delivery->first,
        .events = (uint16_t)delivery->events,
        .attempt = delivery->attempt,
        .at_ms = clock_wall_ms(),
    };
    return write_entry(verification, &entry);
}

bool verification_answered(struct verification *verification, const struct client_result *result,
                           enum attempt_result judged)
{
    const struct delivery *delivery = &result->delivery;
    /* The set-up of a connection is the receiver's time, too. */
    uint64_t elapsed_us = clock_monotonic_us() - delivery->sent_us;
    const struct ledger_entry entry = {
        .kind = LEDGER_ANSWERED,
        .first = delivery->first,
        .events = (uint16_t)delivery->events,
        .attempt = delivery->attempt,
        .at_ms = clock_wall_ms(),
        .elapsed_us = elapsed_us < UINT32_MAX ? (uint32_t)elapsed_us : UINT32_MAX,
        .status = (uint16_t)result->status,
        .result = (uint8_t)judged,
    };
    return write_entry(verification, &entry);
}

/* --- reading back --- */

static void take_record(void *data, const struct reader_record *record)
{
    struct verification *verification = data;
    struct slice part = reader_header(record, "dl_part");
    bool later_part = slice_present(part) && !slice_equal(part, SLICE_LITERAL("1"));
    tally_take_record(verification->tally, reader_header(record, "ce_id"), record->value, later_part);
}

/* The signals are blocked: one that waits wants an end. */
static bool was_interrupted(void)
{
    sigset_t waiting;
    return sigpending(&waiting) == 0 &&
           (sigismember(&waiting, SIGINT) == 1 || sigismember(&waiting, SIGTERM) == 1);
}

static bool tick(void *data)
{
    struct verification *verification = data;
    uint64_t now_ms = clock_monotonic_ms();
    if (verification->progress && now_ms - verification->shown_ms >= PROGRESS_MS) {
        verification->shown_ms = now_ms;
        fprintf(stderr, "\r\x1b[K%" PRIu64 " of %" PRIu64 " records read back", verification->tally->records,
                verification->to_read);
    }
    return !was_interrupted();
}

static bool read_ranges(struct verification *verification, const struct reader_ranges *ranges)
{
    char errstr[256];
    const struct reader_calls calls = {take_record, tick, verification};
    for (size_t i = 0; i < ranges->count; i++)
        if (ranges->items[i].high > ranges->items[i].low)
            verification->to_read += (uint64_t)(ranges->items[i].high - ranges->items[i].low);
    bool read = reader_read(verification->reader, ranges, STALL_MS, &calls, errstr, sizeof errstr);
    if (verification->progress)
        fputs("\r\x1b[K", stderr);
    if (!read)
        complain("Kafka cannot be read back", errstr);
    return read;
}

/* Splits what is there now: `after` keeps what came since the start, `before` becomes what was there
 * already and is there still. */
static void split_ranges(struct reader_ranges *before, struct reader_ranges *after)
{
    for (size_t b = 0; b < before->count; b++) {
        struct reader_range *old = &before->items[b];
        int64_t end = old->high;
        old->high = old->low; /* nothing, unless the partition is there */
        for (size_t a = 0; a < after->count; a++) {
            struct reader_range *new = &after->items[a];
            if (new->partition != old->partition || strcmp(new->topic, old->topic) != 0)
                continue;
            /* One that holds less than before has been made anew. */
            if (new->high >= end &&new->low < end) {
                *old = (struct reader_range){old->topic, old->partition, new->low, end};
                new->low = end;
            }
            break;
        }
    }
}

static bool verification_replay(struct verification *verification,
                                void (*take)(void *, const struct ledger_entry *))
{
    if (ledger_replay(&verification->ledger, take, verification->tally))
        return true;
    complain(verification->ledger.path, strerror(errno));
    return false;
}

bool verification_finish(struct verification *verification)
{
    struct tally *tally = verification->tally;
    if (!verification_replay(verification, tally_take_entry))
        return false;
    if (tally->out_of_memory) {
        complain("--verify", "out of memory");
        return false;
    }
    if (!verification_look(verification, &verification->after))
        return false;
    split_ranges(&verification->before, &verification->after);
    if (!read_ranges(verification, &verification->after))
        return false;
    tally_judge(tally);
    if (tally->missing > 0) {
        /* A topic that was deleted and made anew may have grown past where it stood before. */
        if (!read_ranges(verification, &verification->before))
            return false;
        tally_judge(tally);
    }
    if (tally->missing > 0 && !verification_replay(verification, tally_date_missing))
        return false;
    verification->finished = true;
    return true;
}

const struct tally *verification_tally(const struct verification *verification)
{
    return verification->tally;
}

void verification_free(struct verification *verification)
{
    if (verification == NULL)
        return;
    bool done = verification->finished && tally_holds(verification->tally);
    if (verification->ledger.temporary && verification->ledger.path != NULL && !done)
        fprintf(stderr, "marketo-bridge simulate: the ledger is kept in %s\n", verification->ledger.path);
    ledger_close(&verification->ledger, verification->ledger.temporary && done);
    reader_free(verification->reader);
    reader_ranges_free(&verification->before);
    reader_ranges_free(&verification->after);
    tally_free(verification->tally);
    free(verification);
}

int simulate_read_back(const struct simulate_options *options)
{
    struct simulate_options found = *options;
    struct ledger ledger;
    struct ledger_head head;
    int status = 1;
    if (!ledger_open(&ledger, options->verify.ledger, &head)) {
        complain(options->verify.ledger, errno == EINVAL ? "not a ledger of this program" : strerror(errno));
        return 2;
    }
    found.content.seed = head.seed;
    found.content.sender = (enum sender)head.sender;
    found.content.types = head.types;
    if (found.verify.deadline_ms == 0)
        found.verify.deadline_ms = head.deadline_ms;
    for (size_t i = 0; i < STREAM_COUNT; i++)
        found.content.streams[i] = (head.streams >> i & 1) != 0;
    struct generator *generator = generator_create(&found.content);
    struct verification *verification = generator != NULL ? verification_create(&found, generator) : NULL;
    if (verification == NULL) {
        ledger_close(&ledger, false);
        goto out;
    }
    verification->ledger = ledger;
    if (verification_finish(verification)) {
        const struct tally *tally = verification_tally(verification);
        if (options->json) {
            fprintf(stdout, "{\"seed\":%" PRIu64, head.seed);
            tally_print_json(tally, generator, stdout);
            fputs("}\n", stdout);
        } else {
            tally_print(tally, stdout);
        }
        status = tally_holds(tally) ? 0 : 1;
    }
out:
    verification_free(verification);
    generator_free(generator);
    return status;
}
