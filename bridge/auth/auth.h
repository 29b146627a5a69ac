// SPDX-License-Identifier: Apache-2.0
//
// May this request come in?
//
// The service is what all endpoints share: the thread that fetches, the caches of keys and
// answers. It lives as long as the process. A guard is one endpoint's: made from its configuration,
// immutable, replaced by a reload, while the caches behind it go on. Any thread.
//
// What an endpoint's configuration names must all be shown: one of the tokens or an OAuth token where
// there are any, and Adobe's signature where that is on, and a client certificate where names are given.
#ifndef BRIDGE_AUTH_H
#define BRIDGE_AUTH_H

#include <openssl/x509.h>

#include "auth/signature.h"
#include "auth/verdict.h"
#include "config/config.h"
#include "slice.h"
#include "telemetry/metrics.h"

struct auth_service;
struct auth;

/* NULL, with one line in errstr, when the thread cannot be started. */
struct auth_service *auth_service_create(struct metrics *metrics, char *errstr, size_t errstr_size);
/* Ends the thread and wakes everybody who waits. Guards can still be asked; they fetch nothing any more. */
void auth_service_stop(struct auth_service *service);
void auth_service_free(struct auth_service *service); /* after all guards */

/* NULL when out of memory. Keeps digests of the tokens and a copy of what else it needs. */
struct auth *auth_create(struct auth_service *service, const struct config_endpoint *endpoint);
/* No request may be waiting for it. */
void auth_free(struct auth *auth);

/* What a request shows. All of it must be there, unchanged, whenever it is judged. */
struct auth_request {
    struct slice authorization;       /* value of the header; absent when there was none */
    struct signature_shown signature; /* with the body */
    bool repeated_authorization;      /* the header stands more than once: it cannot be told which counts */
    bool repeated_signature;          /* one of Adobe's four does */
    bool known_peer;                  /* an earlier request of the connection was let in here */

    /* The client certificate: what certificate_judge said of it. */
    X509 *certificate; /* NULL: none was shown */
    enum auth_verdict certificate_verdict;
    const char *certificate_reason;
    bool old_connection; /* from before the configuration: on a new one another certificate may be shown */
};

/* reason: a literal for the metric's label, set unless allowed or pending. With AUTH_PENDING the wait is
 * queued. "unknown_key" is the one AUTH_UNAVAILABLE that has an answer of its own. */
enum auth_verdict auth_judge(const struct auth *auth, const struct auth_request *request,
                             const struct auth_now *now, struct auth_wait *wait, const char **reason);

/* Whether events must name their recipient, and whether this is one of ours. Client ids are no secrets. */
bool auth_wants_recipients(const struct auth *auth);
bool auth_is_recipient(const struct auth *auth, struct slice recipient);

/* Whether a 401 carries a challenge for the Authorization header (RFC 9110 section 11.6.1). */
bool auth_wants_authorization(const struct auth *auth);

/* Opens Adobe's validation URL in the background, when that is configured and the URL is Adobe's; at most a
 * few at a time. */
void auth_confirm_validation(const struct auth *auth, struct slice url);

#endif
