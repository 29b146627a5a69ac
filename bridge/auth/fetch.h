// SPDX-License-Identifier: Apache-2.0
//
// Requests that the bridge makes itself: keys, key sets, introspection, the
// validation of a registration. One thread of their own, so that no loop waits and one slow host
// does not hold up another.
#ifndef BRIDGE_AUTH_FETCH_H
#define BRIDGE_AUTH_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slice.h"
#include "telemetry/metrics.h"

/* For one request, name look-up and TLS included. */
#define FETCH_TIMEOUT_MS 3000

#define FETCH_ERROR_MAX 160

/* One request. The caller owns it, its url and its form, until `done` was called. */
struct fetch {
    const char
        *kind;       /* a literal for the metric: "jwks", "discovery", "introspection", "key", "validation" */
    const char *url; /* https, or http on loopback; never followed to another one */
    struct slice form;         /* POSTed as application/x-www-form-urlencoded; absent: GET */
    const char *authorization; /* value of the Authorization header; NULL: none */
    const char *accept;        /* value of the Accept header; NULL: none */
    size_t limit;              /* bytes of a body; a larger one is a failure */

    /* On the fetcher's thread (or the one that stops it), exactly once, perhaps before fetcher_start has
     * returned. The body is overwritten and freed after it. May start further fetches, this one included. */
    void (*done)(struct fetch *fetch);

    /* The result. */
    long status;                 /* of a whole answer within the limit, whatever it is; 0: there was none */
    struct slice body;           /* valid during done */
    char error[FETCH_ERROR_MAX]; /* with status 0: why, in words */

    struct fetch *next; /* the fetcher's */
};

/* Something that looks after itself from time to time, on the fetcher's thread. */
struct fetch_task {
    void (*run)(struct fetch_task *task, uint64_t now_ms); /* about every FETCH_TASK_MS */
    struct fetch_task *next;                               /* the fetcher's */
};
#define FETCH_TASK_MS 250

/* The seam to libcurl; tests put something else behind it. */
struct fetcher {
    void (*start)(struct fetcher *fetcher, struct fetch *fetch);
    void (*add_task)(struct fetcher *fetcher, struct fetch_task *task);
    /* When it returns, the task does not run and never will again. Neither of the two from inside a task. */
    void (*remove_task)(struct fetcher *fetcher, struct fetch_task *task);
};

/* Any thread; never blocks. */
static inline void fetcher_start(struct fetcher *fetcher, struct fetch *fetch)
{
    fetcher->start(fetcher, fetch);
}

/* Whether the URL is http on this very machine: the only one without TLS that is fetched. */
bool fetch_url_is_local(const char *url);

/* The one that really fetches, with its thread. NULL, with one line in errstr, when it cannot be
 * started. Certificates are checked against the system's, or the file or folder named in the
 * environment by SSL_CERT_FILE and SSL_CERT_DIR, as OpenSSL's own programs do; proxies are those of the
 * environment (HTTPS_PROXY, NO_PROXY), none on loopback. */
struct fetcher *fetcher_create(struct metrics *metrics, char *errstr, size_t errstr_size);

/* Gives up what is under way (each `done` is called, with status 0), ends the thread. Tasks
 * must have been removed. Later starts fail at once, on the thread that starts: a `done` that starts again
 * whatever has happened would never end. */
void fetcher_stop(struct fetcher *fetcher);
void fetcher_free(struct fetcher *fetcher);

#endif
