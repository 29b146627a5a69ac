// SPDX-License-Identifier: Apache-2.0
//
// Ends HTTP/2 connections so that everything on its way there is answered (RFC 9113 section 6.8): the peer is
// told to begin nothing more, and the connection goes when its last stream has. h2o's own graceful shutdown
// drops what is still to come of bodies a second after it has begun, and its timers follow the wall clock.
// Runs on the loop thread.
#include "server/connection.h"

#include "clock.h"

static void send_goaway(h2o_http2_conn_t *http2, uint32_t last_stream_id)
{
    h2o_http2_encode_goaway_frame(&http2->_write.buf, last_stream_id, H2O_HTTP2_ERROR_NONE,
                                  (h2o_iovec_t){NULL, 0});
    h2o_http2_conn_request_write(http2);
}

static h2o_http2_conn_t *open_http2(struct connection *connection)
{
    /* Our SETTINGS must have gone out before anything else. */
    if (connection->protocol != PROTOCOL_HTTP2 || !connection->frames.begun)
        return NULL;
    h2o_http2_conn_t *http2 = connection->socket->data;
    return http2->state == H2O_HTTP2_CONN_STATE_OPEN ? http2 : NULL;
}

void goaway_begin(struct connection *connection)
{
    h2o_http2_conn_t *http2 = open_http2(connection);
    if (http2 == NULL || connection->goaway_ms != 0)
        return;
    send_goaway(http2, INT32_MAX);
    connection->goaway_ms = clock_monotonic_ms();
}

void goaway_tick(struct connection *connection, uint64_t now_ms)
{
    h2o_http2_conn_t *http2 = open_http2(connection);
    if (http2 == NULL || connection->goaway_ms == 0 || now_ms < connection->goaway_ms + GOAWAY_TAKES_MS ||
        http2->num_streams.pull.open > 0)
        return;
    send_goaway(http2, http2->pull_stream_ids.max_open);
    http2->state = H2O_HTTP2_CONN_STATE_HALF_CLOSED; /* h2o closes it when that is written */
}

void goaway_after(h2o_req_t *req)
{
    req->http1_is_persistent = 0;
    goaway_begin(guard_connection(req));
}
