// SPDX-License-Identifier: Apache-2.0
//
// From the bytes of a request's body to records: inflate, strict JSON walk
// (RFC 8259, UTF-8, depth 64 from the event), the body shapes, the route of each
// event, CloudEvents attributes, key, value and headers. What cannot be
// understood becomes a dead-letter record; nothing is dropped.
#ifndef BRIDGE_INTAKE_H
#define BRIDGE_INTAKE_H

#include "batch.h"
#include "config/config.h"
#include "intake/routes.h"

struct intake;

/* Immutable once made, except for the list of unknown types already logged; any
 * thread. config and routes must outlive it. */
struct intake *intake_create(const struct config *config, const struct routes *routes);
void intake_free(struct intake *intake);

enum intake_result {
    INTAKE_OK,       /* batch->events records stand in the batch, dead letters included; may be 0 */
    INTAKE_NO_MEMORY /* budget or machine out of memory: answer 503, free the batch */
};

/* Takes the raw body, which is only read during the call: it is inflated or copied
 * into the batch. content_encoding: value of the header, absent when there was none. */
enum intake_result intake_take(struct intake *intake, struct batch *batch, struct slice raw,
                               struct slice content_encoding) __attribute__((warn_unused_result));

/* Adobe's asynchronous challenge (its webhook guide: POST of an object whose only member is
 * validationUrl): the decoded URL, valid while `body` is and at most `size` bytes long, or
 * absent when the body is anything else. buffer receives it when it has escapes. */
struct slice intake_validation_url(struct slice body, char *buffer, size_t size);

#endif
