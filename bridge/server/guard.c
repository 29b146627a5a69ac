// SPDX-License-Identifier: Apache-2.0
//
// Bounds what strangers can make the process hold before a handler sees anything:
// connections, slow heads and bodies, header floods, requests in work per connection,
// bytes in h2o's buffers. h2o 2.2.5 has none of these limits for HTTP/2, and its own
// timers follow the wall clock. Everything runs on the thread of the loop.
//
// A connection's record is found from its socket's on_close data; it outlives the
// socket while batches that it brought are still in work.
#include "server/connection.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "telemetry/log.h"

/* More than this in work for one connection cannot come from an honest client: h2o
 * allows 100 streams, a stream that is reset stays in work until Kafka reports. */
#define IN_FLIGHT_PER_CONNECTION 200

#define ADMIN_CONNECTIONS_MAX 64

/* From the accept until TLS is agreed on. */
#define HANDSHAKE_MS 3000

/* What arrives on connections that have shown no proof yet holds at most this share of limits.in_flight. In
 * memory it can be twice as much and more: buffers grow by doubling, and each loop has an arena of its own.
 */
#define STRANGERS_SHARE 4

/* A loop that has much to read looks more often than at each tick: after so many bytes of HTTP/2 bodies, and
 * between two rounds of events after so long. */
#define ARRIVED_MAX ((size_t)8 << 20)
#define BUSY_LOOK_MS 10

/* Smaller bodies keep their pages. */
#define BODY_MIN ((size_t)256 << 10)

/* Streams of one HTTP/2 connection that are watched; h2o opens 100. */
#define STREAMS_MAX 256

static const char *const action_names[GUARD_ACTIONS] = {"connections", "slow",    "idle",    "headers",
                                                        "in_flight",   "buffers", "framing", "frames"};

void guard_metrics_register(struct server *server)
{
    for (size_t i = 0; i < GUARD_ACTIONS; i++) {
        struct metric_label label = {"reason", action_names[i]};
        server->guard_actions[i] = metrics_counter(server->metrics, "guard_actions_total",
                                                   "Connections cut or refused by the guard.", &label, 1);
    }
}

void guard_count(struct server *server, enum guard_action action)
{
    static struct log_limit limits[GUARD_ACTIONS];
    uint64_t suppressed;
    counter_add(server->guard_actions[action], 1);
    if (action != GUARD_IDLE && log_limit_pass(&limits[action], &suppressed))
        log_warning("connection cut", LOG_TEXT("reason", action_names[action]),
                    LOG_INT("suppressed", suppressed));
}

void guard_cut(struct connection *connection, enum guard_action action)
{
    if (connection->cut || connection->socket == NULL)
        return;
    connection->cut = true;
    guard_count(connection->loop->server, action);
    shutdown(h2o_socket_get_fd(connection->socket), SHUT_RDWR);
}

void guard_cut_all(struct loop *loop)
{
    for (h2o_linklist_t *node = loop->connections.next; node != &loop->connections; node = node->next) {
        struct connection *connection = H2O_STRUCT_FROM_MEMBER(struct connection, link, node);
        shutdown(h2o_socket_get_fd(connection->socket), SHUT_RDWR);
    }
}

static void connection_free(struct connection *connection)
{
    tls_peer_forget(&connection->peer);
    SSL_CTX_free(connection->tls);
    free(connection->watched);
    free(connection);
}

static void on_close(void *data)
{
    struct connection *connection = data;
    atomic_fetch_sub(connection->count, 1);
    h2o_linklist_unlink(&connection->link);
    connection->socket = NULL;
    if (connection->in_flight == 0)
        connection_free(connection);
}

struct connection *guard_admit(struct acceptor *acceptor, h2o_socket_t *socket)
{
    struct loop *loop = acceptor->loop;
    struct server *server = loop->server;
    /* The admin pages have a limit of their own, to stay reachable when the other is used up. */
    size_t limit = loop->admin ? ADMIN_CONNECTIONS_MAX : server->config->limits.connections;
    atomic_size_t *count = loop->admin ? &server->admin_connections : &server->connections;
    struct connection *connection = NULL;
    if (atomic_fetch_add(count, 1) < limit)
        connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        atomic_fetch_sub(count, 1);
        guard_count(server, GUARD_CONNECTIONS);
        h2o_socket_close(socket);
        return NULL;
    }
    connection->loop = loop;
    connection->listener = acceptor->listener;
    /* h2o makes its SSL object at the client's first byte; a reload may have come before it. */
    connection->tls = acceptor->context.ssl_ctx;
    if (connection->tls != NULL)
        SSL_CTX_up_ref(connection->tls);
    connection->count = count;
    connection->socket = socket;
    connection->accepted_ms = clock_monotonic_ms();
    h2o_linklist_insert(&loop->connections, &connection->link);
    socket->on_close.cb = on_close;
    socket->on_close.data = connection;
    return connection;
}

struct connection *guard_connection(h2o_req_t *req)
{
    return guard_connection_of(req->conn->callbacks->get_socket(req->conn));
}

struct connection *guard_connection_of(h2o_socket_t *socket)
{
    return socket->on_close.data;
}

struct peer *guard_peer(struct connection *connection)
{
    return &connection->peer;
}

size_t guard_listener(const struct connection *connection)
{
    return connection->listener;
}

/* Every configuration has contexts of its own, and the connection's reference keeps the address from another.
 */
bool guard_is_old(const struct connection *connection, const struct site *site)
{
    return connection->tls != site->listeners[connection->listener].tls;
}

void guard_prove(struct connection *connection)
{
    connection->proven = true;
}

bool guard_is_proven(const struct connection *connection)
{
    return connection->proven;
}

bool guard_acquire(struct connection *connection)
{
    if (connection->in_flight >= IN_FLIGHT_PER_CONNECTION) {
        guard_cut(connection, GUARD_IN_FLIGHT);
        return false;
    }
    connection->in_flight++;
    return true;
}

void guard_release(struct connection *connection)
{
    if (--connection->in_flight == 0 && connection->socket == NULL)
        connection_free(connection);
}

void guard_wait_begin(struct connection *connection)
{
    connection->unanswered++;
}

void guard_wait_end(struct connection *connection)
{
    connection->unanswered--;
}

static bool is_http2(const h2o_req_t *req)
{
    return req->conn->callbacks->push_path != NULL; /* h2o's own way to tell them apart */
}

static uint32_t stream_id_of(h2o_req_t *req)
{
    return H2O_STRUCT_FROM_MEMBER(h2o_http2_stream_t, req, req)->stream_id;
}

static struct watched *find_watched(struct connection *connection, uint32_t stream_id, bool answering)
{
    for (size_t i = 0; i < connection->watched_count; i++)
        if (connection->watched[i].stream_id == stream_id && connection->watched[i].answering == answering)
            return &connection->watched[i];
    return NULL;
}

uint64_t guard_request_begin(struct connection *connection, h2o_req_t *req)
{
    uint64_t now_ms = clock_monotonic_ms();
    uint64_t first_byte_ms = now_ms; /* it came since the last tick, unless the tick has seen it */
    connection->protocol = is_http2(req) ? PROTOCOL_HTTP2 : PROTOCOL_HTTP1;
    if (connection->protocol == PROTOCOL_HTTP2) {
        struct watched *arriving = find_watched(connection, stream_id_of(req), false);
        if (arriving != NULL)
            first_byte_ms = arriving->since_ms;
    } else if (connection->receiving_ms != 0) {
        first_byte_ms = connection->receiving_ms;
        connection->receiving_ms = 0;
    }
    if (connection->had_request)
        return first_byte_ms;
    connection->had_request = true;
    uint64_t body_time_ms = connection->loop->server->config->limits.body_time_ms;
    uint64_t earliest_ms = first_byte_ms > body_time_ms ? first_byte_ms - body_time_ms : 0;
    return connection->accepted_ms > earliest_ms ? connection->accepted_ms : earliest_ms;
}

/* --- the tick --- */

struct tick {
    struct loop *loop;
    uint64_t now_ms, body_time_ms;
    bool whole;               /* times and budgets too, not only what is buffered */
    size_t buffered, strange; /* of all connections; of those without a proof */
};

/* The peer keeps the stream waiting; for longer than limits.body_time the connection goes. */
static void watch(struct tick *tick, struct connection *connection, uint32_t stream_id, bool answering)
{
    struct watched *watched = find_watched(connection, stream_id, answering);
    if (watched == NULL) {
        if (connection->watched == NULL)
            connection->watched = calloc(STREAMS_MAX, sizeof *connection->watched);
        if (connection->watched == NULL || connection->watched_count == STREAMS_MAX) {
            guard_cut(connection, GUARD_SLOW);
            return;
        }
        watched = &connection->watched[connection->watched_count++];
        *watched = (struct watched){.stream_id = stream_id, .answering = answering, .since_ms = tick->now_ms};
    }
    watched->seen = true;
    if (tick->now_ms - watched->since_ms > tick->body_time_ms)
        guard_cut(connection, GUARD_SLOW);
}

/* What a stream holds beside its body: itself, the first piece of its pool, its head. A peer that makes no
 * room for answers can have as many as there are. */
static size_t stream_bytes(const h2o_req_t *req)
{
    size_t bytes = sizeof(h2o_http2_stream_t) + 4096 + req->headers.size * sizeof(h2o_header_t) +
                   req->input.path.len + req->input.authority.len;
    for (size_t i = 0; i < req->headers.size; i++)
        bytes += req->headers.entries[i].name->len + req->headers.entries[i].value.len;
    return bytes;
}

static int on_http2_request(h2o_req_t *req, void *data)
{
    struct tick *tick = data;
    struct connection *connection = guard_connection(req);
    h2o_http2_stream_t *stream = H2O_STRUCT_FROM_MEMBER(h2o_http2_stream_t, req, req);
    struct st_h2o_http2_conn_t *http2 = (struct st_h2o_http2_conn_t *)req->conn;
    if (!connection->busy && http2->_headers_unparsed != NULL)
        connection->buffered += http2->_headers_unparsed->capacity;
    connection->protocol = PROTOCOL_HTTP2;
    connection->busy = true;
    if (stream->_req_body != NULL)
        connection->buffered += stream->_req_body->capacity;
    connection->buffered += stream_bytes(req);
    if (!tick->whole)
        return 0;
    if (stream->state == H2O_HTTP2_STREAM_STATE_RECV_HEADERS ||
        stream->state == H2O_HTTP2_STREAM_STATE_RECV_BODY)
        watch(tick, connection, stream->stream_id, false);
    else if (stream->state >= H2O_HTTP2_STREAM_STATE_SEND_BODY)
        watch(tick, connection, stream->stream_id, true);
    return 0;
}

static int on_http1_request(h2o_req_t *req, void *data)
{
    (void)data;
    guard_connection(req)->protocol = PROTOCOL_HTTP1;
    return 0;
}

static void forget_unseen(struct connection *connection)
{
    size_t kept = 0;
    for (size_t i = 0; i < connection->watched_count; i++) {
        if (!connection->watched[i].seen)
            continue;
        connection->watched[kept] = connection->watched[i];
        connection->watched[kept++].seen = false;
    }
    connection->watched_count = kept;
}

/* A connection that stands still or dribbles. In HTTP/1, h2o stops reading while a
 * request is in work, so bytes without one in work are a request that arrives. */
static void look_at(struct tick *tick, struct connection *connection)
{
    const struct config *config = tick->loop->server->config;
    bool arriving = false;
    if (connection->handshaking) {
        if (tick->now_ms - connection->accepted_ms > HANDSHAKE_MS)
            guard_cut(connection, GUARD_SLOW);
    } else if (connection->protocol == PROTOCOL_HTTP2) {
        forget_unseen(connection);
        frames_tick(connection);
    } else if (connection->unanswered == 0 && connection->socket->input->size > 0) {
        arriving = true;
        if (connection->receiving_ms == 0)
            connection->receiving_ms = tick->now_ms;
        else if (tick->now_ms - connection->receiving_ms > tick->body_time_ms)
            guard_cut(connection, GUARD_SLOW);
    } else {
        connection->receiving_ms = 0;
    }

    if (connection->in_flight > 0 || connection->busy || arriving) {
        connection->idle_ms = 0;
    } else if (connection->idle_ms == 0) {
        connection->idle_ms = tick->now_ms;
    } else {
        /* While closing, HTTP/2 peers are told first, and until the last GOAWAY a stream may still come. */
        uint64_t closing_ms = tick->loop->closing_ms;
        uint64_t since_ms = connection->idle_ms > closing_ms ? connection->idle_ms : closing_ms;
        if (connection->goaway_ms > since_ms)
            since_ms = connection->goaway_ms;
        uint64_t allowed_ms = config->limits.idle_time_ms;
        if (closing_ms != 0)
            allowed_ms = connection->protocol == PROTOCOL_HTTP2 ? GOAWAY_TAKES_MS + 500 : 2 * TICK_MS;
        if (tick->now_ms - since_ms > allowed_ms)
            guard_cut(connection, GUARD_IDLE);
    }
}

/* In which order they have to go: strangers; who has shown a proof; who has batches in work, which would be
 * answered to nobody and sent again. */
enum rank { RANK_STRANGER, RANK_PROVEN, RANK_WORKING };

static enum rank rank_of(const struct connection *connection)
{
    if (!connection->proven)
        return RANK_STRANGER;
    return connection->in_flight > 0 ? RANK_WORKING : RANK_PROVEN;
}

/* While all loops together hold too much, the largest holders of this loop have to go, none beyond this rank.
 * What is left of the excess is returned. */
static size_t cut_largest(struct loop *loop, size_t excess, enum rank rank)
{
    while (excess > 0) {
        struct connection *largest = NULL;
        for (h2o_linklist_t *node = loop->connections.next; node != &loop->connections; node = node->next) {
            struct connection *connection = H2O_STRUCT_FROM_MEMBER(struct connection, link, node);
            if (!connection->cut && rank_of(connection) <= rank &&
                (largest == NULL || connection->buffered > largest->buffered))
                largest = connection;
        }
        if (largest == NULL || largest->buffered <= 65536)
            break;
        guard_cut(largest, GUARD_BUFFERS);
        excess -= largest->buffered < excess ? largest->buffered : excess;
    }
    return excess;
}

size_t guard_buffered(const struct server *server)
{
    size_t total = 0;
    for (size_t i = 0; i < server->loop_count; i++)
        total += atomic_load(&server->loops[i].buffered);
    return total;
}

static size_t over(size_t amount, size_t limit)
{
    return amount > limit ? amount - limit : 0;
}

/* Bodies that arrive hold at most half of the budget; the other half is for batches that have shown their
 * proof. */
static size_t buffers_limit(const struct server *server)
{
    return server->config->limits.in_flight / 2;
}

bool guard_fits(const struct server *server, size_t n)
{
    size_t buffered = guard_buffered(server), limit = buffers_limit(server);
    size_t used = atomic_load(&server->budget.used) + (buffered < limit ? buffered : limit);
    return used + n <= server->config->limits.in_flight;
}

/* New pages for the next body cost CPU time, a third more than a body of 2 MB takes otherwise: not while
 * there is room. */
size_t guard_body_taken(const struct server *server, h2o_req_t *req)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const h2o_iovec_t body = req->entity;
    req->entity = (h2o_iovec_t){NULL, 0};
    if (body.len < BODY_MIN || guard_fits(server, server->config->limits.in_flight / 2))
        return 0;
    /* The pages at its ends have other things in them. */
    uintptr_t begin = ((uintptr_t)body.base + page - 1) & ~(page - 1);
    uintptr_t end = ((uintptr_t)body.base + body.len) & ~(page - 1);
    if (begin >= end || madvise((void *)begin, end - begin, MADV_DONTNEED) != 0)
        return 0;
    return end - begin;
}

static void look(struct loop *loop, uint64_t now_ms, bool whole)
{
    struct tick tick = {.loop = loop,
                        .now_ms = now_ms,
                        .body_time_ms = loop->server->config->limits.body_time_ms,
                        .whole = whole};
    loop->looked_ms = now_ms;
    loop->arrived = 0;
    size_t open[PROTOCOL_COUNT] = {0};
    h2o_linklist_t *node;
    for (node = loop->connections.next; node != &loop->connections; node = node->next) {
        struct connection *connection = H2O_STRUCT_FROM_MEMBER(struct connection, link, node);
        connection->busy = false;
        connection->buffered = 0;
    }
    loop->server->h2o.http1.callbacks.foreach_request(&loop->context, on_http1_request, &tick);
    loop->server->h2o.http2.callbacks.foreach_request(&loop->context, on_http2_request, &tick);
    for (node = loop->connections.next; node != &loop->connections; node = node->next) {
        struct connection *connection = H2O_STRUCT_FROM_MEMBER(struct connection, link, node);
        connection->buffered += connection->socket->input->capacity + connection->peer.bytes;
        if (!connection->cut) { /* else it is on its way out, and nobody has to go in its place */
            tick.buffered += connection->buffered;
            tick.strange += connection->proven ? 0 : connection->buffered;
        }
        open[connection->protocol]++;
        if (whole)
            look_at(&tick, connection);
    }
    for (size_t i = 0; i < PROTOCOL_COUNT; i++)
        atomic_store_explicit(&loop->open[i], open[i], memory_order_relaxed);
    atomic_store_explicit(&loop->buffered, tick.buffered, memory_order_relaxed);
    atomic_store_explicit(&loop->strange, tick.strange, memory_order_relaxed);
    size_t strange = 0, limit = loop->server->config->limits.in_flight / STRANGERS_SHARE;
    for (size_t i = 0; i < loop->server->loop_count; i++)
        strange += atomic_load(&loop->server->loops[i].strange);
    size_t excess = over(strange, limit), left = cut_largest(loop, excess, RANK_STRANGER);
    excess = over(guard_buffered(loop->server), buffers_limit(loop->server) + excess - left);
    for (enum rank rank = RANK_STRANGER; rank <= RANK_WORKING; rank++)
        excess = cut_largest(loop, excess, rank);
}

void guard_tick(struct loop *loop, uint64_t now_ms)
{
    look(loop, now_ms, true);
}

void guard_arrived(struct loop *loop, size_t bytes)
{
    loop->arrived += bytes;
    if (loop->arrived >= ARRIVED_MAX)
        look(loop, clock_monotonic_ms(), false);
}

void guard_keep_up(struct loop *loop)
{
    uint64_t now_ms = clock_monotonic_ms();
    if (now_ms - loop->looked_ms >= BUSY_LOOK_MS)
        look(loop, now_ms, false);
}
