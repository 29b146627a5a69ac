// SPDX-License-Identifier: Apache-2.0
//
// Ends HTTP/2 connections so that everything on its way there is answered (RFC 9113 section 6.8): the peer is
// told to begin nothing more, a second later which stream is the last one, and the connection goes when that
// and those before it have ended. h2o's own graceful shutdown drops with its last GOAWAY what is still to
// come of bodies, and its timers follow the wall clock. Runs on the loop thread.
#include "server/connection.h"

#include "clock.h"

static void send_goaway(h2o_http2_conn_t *http2, uint32_t last_stream_id)
{
    h2o_http2_encode_goaway_frame(&http2->_write.buf, last_stream_id, H2O_HTTP2_ERROR_NONE,
                                  (h2o_iovec_t){NULL, 0});
    h2o_http2_conn_request_write(http2);
}

static void begin(struct connection *connection, h2o_http2_conn_t *http2)
{
    if (connection->goaway_ms != 0 || http2->state != H2O_HTTP2_CONN_STATE_OPEN)
        return;
    send_goaway(http2, INT32_MAX);
    connection->goaway_ms = clock_monotonic_ms();
}

static void look_at(struct connection *connection, h2o_http2_conn_t *http2, bool closing, uint64_t now_ms)
{
    struct frames *frames = &connection->frames;
    /* Our SETTINGS must have gone out before anything else. */
    if (http2->state != H2O_HTTP2_CONN_STATE_OPEN || !frames->begun)
        return;
    if (closing)
        begin(connection, http2);
    if (connection->goaway_ms == 0 || now_ms < connection->goaway_ms + GOAWAY_TAKES_MS)
        return;
    if (!frames->last_is_told) {
        frames->last_is_told = true;
        frames->last_stream_id = http2->pull_stream_ids.max_open;
        send_goaway(http2, frames->last_stream_id);
    }
    if (http2->num_streams.pull.open > 0)
        return;
    /* h2o closes it when all is written. Not before: in this state it ignores bodies, and reads a head that
     * comes in pieces for ever. */
    http2->state = H2O_HTTP2_CONN_STATE_HALF_CLOSED;
    h2o_http2_conn_request_write(http2);
}

void goaway_tick(struct loop *loop, uint64_t now_ms)
{
    /* h2o's list: a socket can outlive the HTTP/2 connection that it was for. */
    h2o_linklist_t *all = &loop->context.http2._conns;
    for (h2o_linklist_t *node = all->next; node != all; node = node->next) {
        h2o_http2_conn_t *http2 = H2O_STRUCT_FROM_MEMBER(h2o_http2_conn_t, _conns, node);
        look_at(guard_connection_of(http2->sock), http2, loop->closing_ms != 0, now_ms);
    }
}

void goaway_after(h2o_req_t *req)
{
    struct connection *connection = guard_connection(req);
    req->http1_is_persistent = 0;
    if (connection->protocol == PROTOCOL_HTTP2)
        begin(connection, (h2o_http2_conn_t *)req->conn);
}
