// SPDX-License-Identifier: Apache-2.0
//
// The strict walk over JSON (RFC 8259): one pass, no recursion, nothing decoded.
// A cursor that the caller steps through objects and arrays that matter and lets
// skip over the values that do not; every byte is checked exactly once either way.
//
// Grammar errors end the walk. Two things do not, since they concern only the
// event in which they stand: invalid UTF-8 inside a string, and depth. They are
// noted in `problems`, which the caller clears and reads. Any thread, one cursor each.
#ifndef BRIDGE_INTAKE_JSON_H
#define BRIDGE_INTAKE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "slice.h"

/* Containers inside each other, the event itself being the first. */
#define JSON_DEPTH_MAX 64

#define JSON_PROBLEM_UTF8 1U
#define JSON_PROBLEM_DEPTH 2U

enum json_error { JSON_ERROR_NONE, JSON_ERROR_GRAMMAR, JSON_ERROR_MEMORY };

struct json {
    const unsigned char *start, *next, *end;
    unsigned problems;
    bool escaped; /* a string with a backslash was met; cleared by json_next_member */
    enum json_error error;
    const char *words; /* with JSON_ERROR_GRAMMAR: what is wrong at `next`; a literal */
    struct arena *arena;
    uint64_t *stack; /* one bit a level: set inside an object */
    size_t stack_words;
    uint64_t first_words[4];
};

enum json_step { JSON_STEP_NEXT, JSON_STEP_END, JSON_STEP_ERROR };

struct json_name {
    struct slice token; /* with its quotes */
    bool escaped;       /* has a backslash */
};

/* Begins at the text's first byte, behind a byte order mark. The arena serves for
 * documents of more than 256 levels. The cursor must not be copied. */
void json_init(struct json *json, struct slice text, struct arena *arena);

/* The first byte of the next token, which `next` then points at; -1 at the end. */
int json_peek(struct json *json);

/* Checks and passes the value at the cursor. depth: how many containers of the
 * event lie around it. False on an error. */
bool json_skip(struct json *json, unsigned depth, struct slice *token);

/* Steps over the '{' or '[' that json_peek has shown. */
void json_enter(struct json *json);

/* The next member of the object that was entered; the cursor then stands before
 * its value, which the caller must pass. *first is true before the first call. */
enum json_step json_next_member(struct json *json, bool *first, struct json_name *name);

/* The same for the elements of an array. */
enum json_step json_next_element(struct json *json, bool *first);

/* Only blanks may be left. False on an error. */
bool json_finish(struct json *json);

#endif
