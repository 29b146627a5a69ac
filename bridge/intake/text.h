// SPDX-License-Identifier: Apache-2.0
//
// The text of a JSON token that the walk has already found valid: what is read of
// an event to route it. Any thread.
#ifndef BRIDGE_INTAKE_TEXT_H
#define BRIDGE_INTAKE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "arena.h"
#include "slice.h"

/* *text gets the decoded content of a string, or a number as its digits were
 * sent; absent for everything else, for an empty string and for one that cannot
 * be decoded (a lone surrogate, \u0000). A string without escapes is a slice of
 * the token. False when out of memory. */
bool text_read(struct arena *arena, struct slice token, struct slice *text)
    __attribute__((warn_unused_result));

enum text_result { TEXT_DECODED, TEXT_NONE, TEXT_NO_MEMORY };

/* Decodes a string token (with its quotes) into out. TEXT_NONE: it cannot be decoded or is longer than size.
 */
enum text_result text_decode(struct slice token, char *out, size_t size, size_t *length);

/* Words for a dead letter's detail, in the arena, cut at 255 bytes; NULL when out of memory. */
__attribute__((format(printf, 2, 3))) const char *text_format(struct arena *arena, const char *format, ...);

/* Copies text into out as at most size - 1 visible bytes, others replaced by '?', terminated. */
void text_clean(struct slice text, char *out, size_t size);

#endif
