// SPDX-License-Identifier: Apache-2.0
//
// What is known of one connection. Shared by the files that stand between its socket and h2o: accept.c,
// frames.c and guard.c; everybody else has the functions of internal.h.
#ifndef BRIDGE_SERVER_CONNECTION_H
#define BRIDGE_SERVER_CONNECTION_H

#include <h2o.h>
#include <h2o/http2.h>
#include <h2o/http2_internal.h>

#include "server/internal.h"

/* A stream that waits for its peer: for the rest of the request, or for room in the
 * window to send the answer. */
struct watched {
    uint32_t stream_id;
    bool answering;
    bool seen; /* at the present tick */
    uint64_t since_ms;
};

/* frames.c */
struct frames {
    /* h2o's own function for the next frame. */
    ssize_t (*expect)(h2o_http2_conn_t *, const uint8_t *, size_t, const char **);
    struct head_count head; /* the one that arrives */
    size_t head_bytes;      /* of it */
    unsigned idle;          /* frames that brought nothing, less what time and requests allow */
    unsigned resets;        /* streams reset by the peer, or by h2o for its fault; less what time allows */
    bool begun;             /* the preface has come */
    bool last_is_told;      /* goaway.c: the peer knows that later streams than this one are not taken */
    uint32_t last_stream_id;
};

struct connection {
    h2o_linklist_t link;
    struct loop *loop;
    size_t listener; /* index */
    SSL_CTX *tls;    /* its own reference; NULL: cleartext */
    struct peer peer;
    atomic_size_t *count; /* which it is part of, against the limit */
    h2o_socket_t *socket; /* NULL: closed, batches still in work */
    enum protocol protocol;
    bool handshaking; /* TLS has not been agreed on yet */
    uint64_t accepted_ms;
    uint64_t receiving_ms; /* first byte of an HTTP/1 request that is not complete; 0: none */
    uint64_t idle_ms;      /* since when nothing happens; 0: something does */
    uint64_t goaway_ms;    /* HTTP/2: when its peer was told to begin nothing more; 0: it was not */
    bool had_request;      /* the first one has been handed over */
    bool proven;           /* one was let in by its proof */
    bool cut;
    bool busy;               /* a request was seen at the present tick */
    size_t buffered;         /* bytes of it in h2o's buffers at the present tick */
    unsigned in_flight;      /* batches of it in work, also those nobody waits for any more */
    unsigned unanswered;     /* requests that h2o waits for */
    struct watched *watched; /* HTTP/2: allocated with the first stream */
    size_t watched_count;
    struct frames frames; /* HTTP/2 */
};

/* guard.c: ends the connection, and counts why. The protocol code notices the closed socket and cleans up in
 * its own way. */
void guard_cut(struct connection *connection, enum guard_action action);

/* frames.c */
/* From now on every frame of the connection is looked at before h2o has it. Nothing has been read yet. */
void frames_watch(struct connection *connection, h2o_http2_conn_t *http2);
/* Once a tick: time allows some more. */
void frames_tick(struct connection *connection);

#endif
