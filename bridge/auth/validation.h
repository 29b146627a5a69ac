// SPDX-License-Identifier: Apache-2.0
//
// Adobe's asynchronous challenge (Adobe I/O Events, "Introduction to webhooks"): opens the URL that a POST
// has brought, so that a registration is validated without anybody's doing. The POST needs no credentials, so
// only a few are opened, and only Adobe's. Any thread.
#ifndef BRIDGE_AUTH_VALIDATION_H
#define BRIDGE_AUTH_VALIDATION_H

#include "auth/fetch.h"
#include "slice.h"

struct validation;

struct validation *validation_create(struct fetcher *fetcher); /* NULL when out of memory */
void validation_free(struct validation *validation);           /* after fetcher_stop */

/* In the background; what came of it is in the log. Nothing happens for a URL that is not Adobe's. */
void validation_confirm(struct validation *validation, struct slice url);

/* https://csm.adobe.io/csm/registrations/validate?, and plain characters of a query after it. */
bool validation_url_is_adobes(struct slice url);

#endif
