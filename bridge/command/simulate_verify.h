// SPDX-License-Identifier: Apache-2.0
//
// `simulate --verify`: the ledger of what was sent and answered, and its comparison
// with what Kafka holds. All on the main thread.
#ifndef BRIDGE_COMMAND_SIMULATE_VERIFY_H
#define BRIDGE_COMMAND_SIMULATE_VERIFY_H

#include "command/simulate.h"

/* simulate_ledger.c: a file that grows by one entry for each attempt that is sent and one for its
 * answer. An entry is in the kernel's hands when ledger_write returns, so that it is there whatever
 * becomes of this process. Fields are in the machine's own byte order: it is read where it was written. */

struct ledger_head {
    char magic[8];
    uint64_t seed;
    uint32_t sender;  /* enum sender */
    uint32_t types;   /* as in generator_options */
    uint32_t streams; /* bits, 1 << enum stream */
    uint32_t deadline_ms;
};

enum ledger_kind { LEDGER_SENT = 1, LEDGER_ANSWERED = 2 };

struct ledger_entry {
    uint64_t first;      /* number of the batch's first event */
    int64_t at_ms;       /* wall clock */
    uint32_t elapsed_us; /* LEDGER_ANSWERED: from this attempt to its answer; at most UINT32_MAX */
    uint32_t attempt;    /* 0: the first */
    uint16_t events;
    uint16_t status; /* LEDGER_ANSWERED; 0: no answer */
    uint8_t kind;
    uint8_t result; /* LEDGER_ANSWERED: enum attempt_result; ATTEMPT_REFUSED also when the sender gives up */
    uint8_t unused[2];
};

struct ledger {
    int fd;
    char *path;
    bool temporary; /* its name was made up here */
};

/* A new file; path NULL: a temporary one. False with errno set, EEXIST when there is such a file. */
bool ledger_create(struct ledger *ledger, const char *path, const struct ledger_head *head)
    __attribute__((warn_unused_result));
/* An earlier one, to be read; EINVAL: it is none. */
bool ledger_open(struct ledger *ledger, const char *path, struct ledger_head *head)
    __attribute__((warn_unused_result));
bool ledger_write(struct ledger *ledger, const struct ledger_entry *entry)
    __attribute__((warn_unused_result));
/* Calls take for every entry, from the first; half an entry at the end is left out. */
bool ledger_replay(struct ledger *ledger, void (*take)(void *data, const struct ledger_entry *entry),
                   void *data) __attribute__((warn_unused_result));
/* remove: also the file itself. */
void ledger_close(struct ledger *ledger, bool remove);

/* simulate_tally.c: what the promises were and what of them was kept. Pure. */

/* Why there is a second copy of an event: what its batch was answered before it was acknowledged. */
enum copy_cause {
    COPY_NO_ANSWER, /* the connection broke, or nothing came in time */
    COPY_504,
    COPY_503,
    COPY_OTHER_STATUS,
    COPY_IN_ONE_ATTEMPT, /* the batch was sent once: the producer wrote it twice, or another run sent it too
                          */
    COPY_CAUSE_COUNT
};

#define MISSING_MAX 10000

/* An event that was acknowledged and is not there. */
struct missing_event {
    uint64_t number;
    int64_t sent_ms, answered_ms; /* the attempt that was acknowledged; wall clock */
};

struct tally {
    uint64_t deadline_us;
    uint64_t seeds[2]; /* of the ids, as generator_id_seeds gives them */
    uint64_t count;    /* events that were sent */
    uint8_t *promises; /* one an event: what was answered */
    uint8_t *copies;   /* one an event: how often it was found, at most 255 */
    bool out_of_memory;
    /* Attempts. */
    uint64_t attempts, answered, late, no_answer;
    struct latency latency; /* of attempts, since they were sent */
    /* Records. */
    uint64_t records, foreign, dead_lettered;
    /* Events, when tally_judge has counted them. */
    uint64_t acknowledged, missing, refused, refused_present, unfinished, unfinished_present;
    uint64_t repeated; /* present more than once */
    uint64_t extra[COPY_CAUSE_COUNT];
    struct missing_event missing_events[MISSING_MAX]; /* the first ones */
};

/* Large: not for the stack. */
struct tally *tally_create(uint64_t deadline_ms, const uint64_t seeds[static 2]);
void tally_free(struct tally *tally);

/* First all entries of the ledger, then the records, then the judgement. */
void tally_take_entry(void *tally, const struct ledger_entry *entry);
/* ce_id: as the record's header says; absent: the record is a dead letter, and value is searched for ids.
 * later_part: it is a further part of a dead letter, whose events have been found in the first. */
void tally_take_record(struct tally *tally, struct slice ce_id, struct slice value, bool later_part);
/* May be called again after more records. */
void tally_judge(struct tally *tally);
/* Another walk over the ledger, after the judgement: when the missing ones were acknowledged. */
void tally_date_missing(void *tally, const struct ledger_entry *entry);

/* Nothing acknowledged is missing, nothing was late, nothing valid was refused for good. */
bool tally_holds(const struct tally *tally);

/* The event's number, when the text is the id of one under this seed and the number is below count. */
bool uuid_find(uint64_t seed, const char *text, uint64_t count, uint64_t *number);

/* The summary, and one JSON member with a comma before it. generator: names the missing events' types. */
void tally_print(const struct tally *tally, FILE *out);
void tally_print_json(const struct tally *tally, const struct generator *generator, FILE *out);

/* simulate_verify.c: the comparison with Kafka. */

struct verification;

/* Looks at the topics and begins the ledger. NULL, after a line on standard error, when that cannot be. */
struct verification *verification_begin(const struct simulate_options *options,
                                        const struct generator *generator);
/* Before an attempt goes out, and when it has ended. False when the ledger cannot be written. */
bool verification_sent(struct verification *verification, const struct delivery *delivery)
    __attribute__((warn_unused_result));
bool verification_answered(struct verification *verification, const struct client_result *result,
                           enum attempt_result judged) __attribute__((warn_unused_result));
/* Reads the topics. False, after a line on standard error, when they cannot be read: nothing is proven. */
bool verification_finish(struct verification *verification);
const struct tally *verification_tally(const struct verification *verification);
/* Removes a ledger of its own making when nothing is wrong; else says where it is. */
void verification_free(struct verification *verification);

/* `--read-back`: compares an earlier run's ledger with Kafka. Returns the exit status. */
int simulate_read_back(const struct simulate_options *options);

#endif
