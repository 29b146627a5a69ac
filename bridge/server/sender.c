// SPDX-License-Identifier: Apache-2.0
//
// What differs between the senders in the answers: a new sender is one row here.
// Its name and deadlines stand in the option table (config/option_table.c). Any thread.
#include "server/internal.h"

static const struct sender_rules rules[SENDER_COUNT] = {
    [SENDER_ACTIVITY_PUSH] = {.challenge = false},
    [SENDER_ADOBE_IO] = {.challenge = true},
};

const struct sender_rules *sender_rules(enum sender sender)
{
    return &rules[sender];
}
