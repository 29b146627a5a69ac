// SPDX-License-Identifier: Apache-2.0
//
// What the files of this folder share. A loop, its connections and its requests
// are touched by the loop's own thread only; what other threads may read is atomic.
#ifndef BRIDGE_SERVER_INTERNAL_H
#define BRIDGE_SERVER_INTERNAL_H

#include <h2o.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "auth/auth.h"
#include "auth/token.h"
#include "batch.h"
#include "server/server.h"

/* How often each loop looks at deadlines and connections. */
#define TICK_MS 50

/* Between the first GOAWAY and the last: a request may have crossed the first one (RFC 9113 section 6.8).
 * More than the way there and back takes. */
#define GOAWAY_TAKES_MS 1000

/* For so long after the listeners have closed, a request on a connection that is open still is served: it
 * crossed our GOAWAY or close on its way. Later ones are answered 503. */
#define CLOSING_TAKES_MS (GOAWAY_TAKES_MS + 200)

/* h2o's own limit lies this far above limits.body: a body between the two is
 * answered 413 by us on both protocols, beyond it h2o cuts in its own way. */
#define BODY_SLACK (1024 * 1024)

enum server_state {
    SERVER_STARTING,
    SERVER_RUNNING,
    SERVER_DRAINING, /* not ready any more, still serving */
    SERVER_CLOSING,  /* no new connections; see CLOSING_TAKES_MS */
    SERVER_CLOSED    /* new requests are answered 503 */
};

enum protocol { PROTOCOL_NEW, PROTOCOL_HTTP1, PROTOCOL_HTTP2, PROTOCOL_COUNT };

/* A bound address. */
struct listener {
    int fd;
    bool admin;
    const struct config_address *address;
};

/* One listener as one loop serves it. */
struct acceptor {
    struct loop *loop;
    size_t listener; /* index */
    h2o_accept_ctx_t context;
    h2o_socket_t *socket;
};

/* Every status an endpoint can answer. */
#define STATUS_COUNT 7
extern const int endpoint_statuses[STATUS_COUNT];

enum batch_outcome { BATCH_DELIVERED, BATCH_NOT_DELIVERED, BATCH_DEADLINE, BATCH_OVERLOADED, BATCH_OUTCOMES };

/* Why a request was not let in; the last one stands for what has no name (refusal.c). */
#define REFUSAL_REASONS 29

/* One endpoint with what it needs while it runs. Lives in a site. */
struct endpoint {
    const struct config_endpoint *config;
    const struct sender_rules *rules;
    struct auth *auth;
    struct counter *requests[STATUS_COUNT];
    struct histogram *duration;
    struct counter *batches[BATCH_OUTCOMES];
    struct counter *attempts[6]; /* 0..4, 5 and more */
    struct counter *failures[REFUSAL_REASONS];
    struct gauge *last_batch;
};

/* What a configuration comes to while it is served. Immutable and reference-counted: a reload makes a new
 * one, every loop takes it over at its next tick, and what is in work keeps the one it began with. */
struct site {
    atomic_uint references;
    uint64_t generation; /* 1 at the start */
    struct config *config;
    bool owns_config; /* the first one is the caller's */
    struct intake *intake;
    struct endpoint *endpoints;
    size_t endpoint_count;
    struct site_listener {   /* by the index of the server's listeners */
        SSL_CTX *tls;        /* NULL: cleartext */
        X509_STORE *clients; /* whom client certificates are checked against; NULL: none are asked for */
    } * listeners;
    size_t listener_count;
    bool admin_guarded;
    struct token_digest admin_token;
};

/* The client certificate of a connection. */
struct peer {
    X509 *leaf; /* NULL: none was shown */
    STACK_OF(X509) * chain;
    size_t bytes;
    /* The verdict, and for which site it was found. */
    uint64_t generation;
    enum auth_verdict verdict;
    const char *reason;
};

struct loop {
    struct server *server;
    size_t index;
    bool admin;
    pthread_t thread;
    bool started;
    struct site *site; /* the loop's own reference */

    h2o_context_t context;
    h2o_multithread_receiver_t receiver;
    struct acceptor *acceptors;
    size_t acceptor_count;
    h2o_socket_t *timer;
    h2o_linklist_t connections; /* struct connection */
    h2o_linklist_t requests;    /* struct request, batch or answer still to come */
    uint64_t closing_ms;        /* when the listeners were closed; 0: they are open */
    uint64_t looked_ms;         /* when the guard has last looked at the connections */
    size_t arrived;             /* bytes of HTTP/2 bodies since */

    /* Read by others. */
    _Atomic uint64_t heartbeat_ms;
    _Atomic uint64_t generation; /* of its site */
    atomic_size_t open[PROTOCOL_COUNT];
    atomic_size_t buffered; /* bytes in h2o's buffers at the last look */
    atomic_size_t strange;  /* of it on connections without a proof */
    atomic_size_t waiting;  /* requests in the list */
    atomic_bool stop;
};

struct server {
    const struct config *config; /* of the start: what only a start can change */
    struct metrics *metrics;
    const struct routes *routes;
    struct auth_service *auth;
    struct kafka *kafka;
    struct budget budget;
    pthread_mutex_t site_lock;
    struct site *site;           /* the newest; under the lock */
    _Atomic uint64_t generation; /* of it */
    _Atomic enum server_state state;

    h2o_globalconf_t h2o;
    h2o_hostconf_t *data_hosts[2], *admin_hosts[2]; /* NULL-terminated */
    struct listener *listeners;
    size_t listener_count;
    struct counter *other_requests; /* path that is no endpoint */
    struct counter *guard_actions[8];

    struct loop *loops; /* the last one serves the admin pages */
    size_t loop_count;
    pthread_barrier_t started;                    /* of the loops and main: every listener is taken over */
    atomic_size_t connections, admin_connections; /* open ones */
    atomic_size_t waiting_bytes;                  /* bodies of requests that wait for a verdict */
    atomic_size_t given_back;                     /* of buffers that h2o has: without pages */
    struct open_gauge {
        struct server *server;
        enum protocol protocol;
    } open_gauges[PROTOCOL_COUNT];
};

/* site.c */
/* With every certificate loaded and a guard for every endpoint. NULL, with one line in errstr, when something
 * cannot be used. */
struct site *site_create(struct server *server, struct config *config, bool owns_config, char *errstr,
                         size_t errstr_size);
struct site *site_retain(struct site *site);
void site_release(struct site *site); /* may be NULL; any thread */
/* Makes it the newest one; the reference passes to the server. Main. */
void site_publish(struct server *server, struct site *site);
/* The loop takes over the newest one when it has not yet. */
void site_follow(struct loop *loop);

/* tls.c */
/* NULL, with one line in errstr. *clients is set when client certificates are asked for. */
SSL_CTX *tls_create(const struct config_listener *listener, bool http2, X509_STORE **clients, char *errstr,
                    size_t errstr_size);
/* When the context's certificate ends, seconds since 1970. */
double tls_certificate_expiry(SSL_CTX *tls);
/* What the connection's certificate is worth in this site; judged once for each, unless it cannot be told. */
void tls_peer_judge(struct peer *peer, const struct site *site, size_t listener);
void tls_peer_forget(struct peer *peer);

/* listener.c */
bool listeners_open(struct server *server, char *errstr, size_t errstr_size);
bool listeners_listen(struct server *server, char *errstr, size_t errstr_size);
void listeners_close(struct server *server);

/* loop.c */
bool loop_start(struct server *server, struct loop *loop);
void loop_wake(struct loop *loop); /* any thread */
/* The bridge is ending: no further request is taken. The loop's own thread. */
bool loop_refuses(const struct loop *loop);

/* accept.c */
/* A new socket: from TLS, when the listener has it, to the protocol that the peer speaks. */
void accept_socket(struct acceptor *acceptor, h2o_socket_t *socket);

/* head_count.c */
/* A head as far as it has come; begins as {.state = HEAD_FIELD}. */
struct head_count {
    size_t fields;
    enum { HEAD_FIELD, HEAD_INDEX, HEAD_LENGTH, HEAD_LENGTH_MORE, HEAD_STRING } state;
    unsigned strings; /* of the present field, still to come */
    unsigned shift;
    size_t left; /* bytes of the present string, still to come */
};
/* The next bytes of a head in HPACK. */
void head_count_feed(struct head_count *count, struct slice bytes);

/* guard.c */
/* Header fields of a request; what h2o's HTTP/1 takes. */
#define HEADERS_MAX 100

struct connection;
enum guard_action {
    GUARD_CONNECTIONS, /* over limits.connections */
    GUARD_SLOW,        /* head or body not complete within limits.body_time */
    GUARD_IDLE,        /* nothing for limits.idle_time */
    GUARD_HEADERS,     /* more than HEADERS_MAX header fields, or a head that is too long */
    GUARD_IN_FLIGHT,   /* too many requests of one connection in work */
    GUARD_BUFFERS,     /* bodies under way over limits.in_flight */
    GUARD_FRAMING,     /* two lengths */
    GUARD_FRAMES,      /* HTTP/2 frames that bring nothing, or resets, without end */
    GUARD_ACTIONS
};
void guard_metrics_register(struct server *server);
size_t guard_buffered(const struct server *server); /* bytes in h2o's buffers, of all loops; any thread */
void guard_count(struct server *server, enum guard_action action);

/* Takes a new socket into the list; NULL, with the socket closed, when there are too many. */
struct connection *guard_admit(struct acceptor *acceptor, h2o_socket_t *socket);
struct connection *guard_connection(h2o_req_t *req);

struct connection *guard_connection_of(h2o_socket_t *socket);
struct peer *guard_peer(struct connection *connection);
size_t guard_listener(const struct connection *connection);
/* Whether it was accepted by another configuration than this one. */
bool guard_is_old(const struct connection *connection, const struct site *site);
/* A request of the connection has been let in; whether one was before. */
void guard_prove(struct connection *connection);
bool guard_is_proven(const struct connection *connection);

/* When the deadline of this request began: at its first byte, the connection's
 * first request at the accept, TLS set-up included. Monotonic milliseconds. */
uint64_t guard_request_begin(struct connection *connection, h2o_req_t *req);

/* Before and after a batch is in work for the connection. False: over the cap, and the
 * connection is being cut. The release may come after the connection has gone. */
bool guard_acquire(struct connection *connection) __attribute__((warn_unused_result));
void guard_release(struct connection *connection);

/* h2o has handed over a request of it, and: the answer has been given, or the request has died. */
void guard_wait_begin(struct connection *connection);
void guard_wait_end(struct connection *connection);

/* Looks at every connection and at every request that is still arriving. */
void guard_tick(struct loop *loop, uint64_t now_ms);
/* The same between ticks, for a loop that has much to read: between two rounds of events, and when so many
 * bytes of a body have come in one of them. */
void guard_keep_up(struct loop *loop);
void guard_arrived(struct loop *loop, size_t bytes);

/* At the end of the loop: whoever is connected still is cut off. */
void guard_cut_all(struct loop *loop);

/* Would a body of n more bytes, with all that is buffered and in flight, stay below limits.in_flight? */
bool guard_fits(const struct server *server, size_t n);
/* The batch has a copy of the request's body, which is gone for everybody else: while much is held, its pages
 * go back, though h2o keeps the buffer until the answer is out. How many bytes of it: server->given_back,
 * until then. */
size_t guard_body_taken(const struct server *server, h2o_req_t *req);

/* goaway.c */
/* The connection of this request ends with the answer to it, HTTP/2 when all that is under way there is
 * answered, too: whoever comes again does so on another. */
void goaway_after(h2o_req_t *req);
/* Tells and ends those HTTP/2 connections for which it is time. */
void goaway_tick(struct loop *loop, uint64_t now_ms);

/* http1_head.c */
/* False when the head, as it came over the wire, has two lengths, a length beside a
 * transfer coding, or a folded line (RFC 9112 §6.3, §5.2). *coded: it has a transfer coding. */
bool http1_head_is_sound(struct slice head, bool *coded);

/* sender.c */
struct sender_rules {
    bool challenge; /* answers ?challenge= and validationUrl, as Adobe I/O Events asks */
};
const struct sender_rules *sender_rules(enum sender sender);

/* request.c */
struct request;
/* Takes a POST that has the right form: it is answered now or later, and counted. */
void request_take(struct loop *loop, const struct endpoint *endpoint, h2o_req_t *req, uint64_t begin_ms,
                  const char *request_id);
void request_tick(struct loop *loop, uint64_t now_ms);
void request_receive(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages);

/* endpoint.c */
int endpoint_on_request(h2o_handler_t *handler, h2o_req_t *req);
void endpoint_count(const struct endpoint *endpoint, int status, uint64_t begin_ms);
void endpoint_metrics_register(struct metrics *metrics, struct endpoint *endpoint);

/* challenge.c */
/* GET and HEAD. Returns the status to answer with, the answer in *type and *body; value has CHALLENGE_MAX
 * bytes. */
#define CHALLENGE_MAX 256
int challenge_get(const struct endpoint *endpoint, h2o_req_t *req, const char *request_id, char *value,
                  struct slice *challenge);
/* A POST that asks to open a URL of Adobe's; false when it is none. */
bool challenge_post(const struct endpoint *endpoint, h2o_req_t *req, const char *request_id);

/* refusal.c */
/* One that was not let in: counts it and writes the log line; `which` says more, absent: nothing. */
void refusal_count(const struct endpoint *endpoint, const char *reason, struct slice which,
                   const char *request_id);
void refusal_metrics_register(struct metrics *metrics, struct endpoint *endpoint);
/* The answer to it. */
void refusal_send(const struct endpoint *endpoint, h2o_req_t *req, enum auth_verdict verdict,
                  const char *reason, const char *request_id);
/* Its status: 401 or 503. */
int refusal_status(enum auth_verdict verdict);

/* answer.c */
struct slice request_header(h2o_req_t *req, struct slice name);
/* The same; sets *repeated when it stands more than once. */
struct slice request_single_header(h2o_req_t *req, struct slice name, bool *repeated);
/* The sender's own x-request-id when it is well formed, else a new UUID. */
void answer_choose_request_id(h2o_req_t *req, char out[REQUEST_ID_MAX + 1]);
/* request_id may be NULL on the admin pages. */
void answer_send(h2o_req_t *req, int status, const char *content_type, struct slice body,
                 const char *request_id);
void answer_json(h2o_req_t *req, int status, const char *json, const char *request_id);
void answer_error(h2o_req_t *req, int status, const char *error, const char *message, const char *request_id);
void answer_add_header(h2o_req_t *req, struct slice name, struct slice value);

/* admin.c */
int admin_on_request(h2o_handler_t *handler, h2o_req_t *req);

/* The server behind a handler. */
struct handler {
    h2o_handler_t super;
    struct server *server;
};
struct loop *loop_of(h2o_req_t *req);

#endif
