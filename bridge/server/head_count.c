// SPDX-License-Identifier: Apache-2.0
//
// Counts the fields of an HTTP/2 head without decoding it (RFC 7541 section 6). A field can be one byte, and
// h2o takes 32 and more for each before anybody can ask how many there are. What is not well formed is h2o's
// to refuse. Any thread.
#include "server/internal.h"

/* Larger numbers are h2o's to refuse; it stops at 32 bits. */
#define SHIFT_MAX 28

static void take_first(struct head_count *count, uint8_t byte)
{
    unsigned prefix = 0x0f;
    if ((byte & 0x80) != 0)
        prefix = 0x7f; /* all of the field is in a table */
    else if ((byte & 0x40) != 0)
        prefix = 0x3f;
    else if ((byte & 0x20) != 0)
        prefix = 0x1f; /* no field: a new size of the table */
    bool strings = (byte & 0x80) == 0 && (byte & 0x60) != 0x20;
    if (strings || (byte & 0x80) != 0)
        count->fields++;
    count->strings = !strings ? 0 : (byte & prefix) == 0 ? 2 : 1;
    if ((byte & prefix) == prefix)
        count->state = HEAD_INDEX;
    else
        count->state = count->strings > 0 ? HEAD_LENGTH : HEAD_FIELD;
}

static void take_length(struct head_count *count, uint8_t byte)
{
    count->left = byte & 0x7f;
    count->shift = 0;
    count->strings--;
    count->state = count->left == 0x7f ? HEAD_LENGTH_MORE : HEAD_STRING;
}

static void take_length_more(struct head_count *count, uint8_t byte)
{
    if (count->shift <= SHIFT_MAX)
        count->left += (size_t)(byte & 0x7f) << count->shift;
    count->shift += 7;
    if ((byte & 0x80) == 0)
        count->state = HEAD_STRING;
}

void head_count_feed(struct head_count *count, struct slice bytes)
{
    for (size_t at = 0; at < bytes.len;) {
        if (count->state == HEAD_STRING) {
            size_t here = bytes.len - at < count->left ? bytes.len - at : count->left;
            at += here;
            count->left -= here;
        } else {
            uint8_t byte = (uint8_t)bytes.ptr[at++];
            if (count->state == HEAD_FIELD)
                take_first(count, byte);
            else if (count->state == HEAD_LENGTH)
                take_length(count, byte);
            else if (count->state == HEAD_LENGTH_MORE)
                take_length_more(count, byte);
            else if ((byte & 0x80) == 0) /* the last byte of an index */
                count->state = count->strings > 0 ? HEAD_LENGTH : HEAD_FIELD;
        }
        if (count->state == HEAD_STRING && count->left == 0)
            count->state = count->strings > 0 ? HEAD_LENGTH : HEAD_FIELD;
    }
}
