// SPDX-License-Identifier: Apache-2.0
//
// What each sender waits for and tries again, as Adobe documents it; pure.
#include "command/simulate.h"

#define SECOND_MS UINT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)

static const uint64_t activity_push_waits[] = {3 * MINUTE_MS};
static const uint64_t adobe_io_waits[] = {1 * MINUTE_MS, 2 * MINUTE_MS, 4 * MINUTE_MS, 8 * MINUTE_MS,
                                          15 * MINUTE_MS};

static const struct sender_rule rules[] = {
    {
        .sender = SENDER_ACTIVITY_PUSH,
        .name = "activity-push",
        .timeout_ms = 20 * SECOND_MS,
        .batch = 100,
        .batch_max = 500,
        .retries_everything = true,
        .waits_ms = activity_push_waits,
        .wait_count = sizeof activity_push_waits / sizeof activity_push_waits[0],
        .pause_after = 3,
    },
    {
        .sender = SENDER_ADOBE_IO,
        .name = "adobe-io",
        .timeout_ms = 10 * SECOND_MS,
        .batch = 20,
        .batch_max = 20,
        .waits_ms = adobe_io_waits,
        .wait_count = sizeof adobe_io_waits / sizeof adobe_io_waits[0],
        .give_up_ms = 24 * HOUR_MS,
    },
};

const struct sender_rule *sender_rule_find(const char *name)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (strcmp(rules[i].name, name) == 0)
            return &rules[i];
    }
    return NULL;
}

enum attempt_result sender_rule_judge(const struct sender_rule *rule, long status)
{
    if (status >= 200 && status <= 299)
        return ATTEMPT_DELIVERED;
    if (rule->retries_everything || status == 0 || status == 429 ||
        (status >= 500 && status <= 599 && status != 505))
        return ATTEMPT_RETRY;
    return ATTEMPT_REFUSED;
}

static uint64_t wait_of(const struct sender_rule *rule, unsigned retry)
{
    return rule->waits_ms[retry <= rule->wait_count ? retry - 1 : rule->wait_count - 1];
}

uint64_t sender_rule_wait_ms(const struct sender_rule *rule, unsigned retry)
{
    uint64_t since_first = 0;
    for (unsigned i = 1; rule->give_up_ms > 0 && i <= retry; i++) {
        since_first += wait_of(rule, i);
        if (since_first > rule->give_up_ms)
            return 0;
    }
    return wait_of(rule, retry);
}

bool sender_rule_pauses(const struct sender_rule *rule, unsigned retry)
{
    return rule->pause_after > 0 && retry >= rule->pause_after;
}
