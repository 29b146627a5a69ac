// SPDX-License-Identifier: Apache-2.0
//
// From a new socket to h2o's HTTP/1 or HTTP/2: TLS, and which protocol the peer speaks (ALPN; in cleartext by
// prior knowledge, RFC 9113 section 3.3). h2o's own h2o_accept does the same, but would take in what a peer
// has sent of HTTP/2 before its frames can be watched. Runs on the loop thread.
#include "server/connection.h"

#include <h2o/http1.h>

static const struct slice preface = {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24};

static void begin_http1(struct acceptor *acceptor, h2o_socket_t *socket)
{
    h2o_http1_accept(&acceptor->context, socket, *h2o_get_timestamp(acceptor->context.ctx, NULL, NULL));
}

static void begin_http2(struct acceptor *acceptor, h2o_socket_t *socket)
{
    struct connection *connection = guard_connection_of(socket);
    connection->protocol = PROTOCOL_HTTP2;
    /* h2o would begin with what is there; it gets it when the frames are watched. */
    h2o_buffer_t *early = socket->input;
    h2o_buffer_init(&socket->input, &h2o_socket_buffer_prototype);
    h2o_http2_accept(&acceptor->context, socket, *h2o_get_timestamp(acceptor->context.ctx, NULL, NULL));
    frames_watch(connection, socket->data);
    h2o_buffer_dispose(&socket->input);
    socket->input = early;
    if (early->size > 0)
        socket->_cb.read(socket, NULL);
}

static void on_first_bytes(h2o_socket_t *socket, const char *err)
{
    struct acceptor *acceptor = socket->data;
    if (err != NULL) {
        h2o_socket_close(socket);
        return;
    }
    size_t size = socket->input->size < preface.len ? socket->input->size : preface.len;
    if (memcmp(socket->input->bytes, preface.ptr, size) != 0)
        begin_http1(acceptor, socket);
    else if (size == preface.len)
        begin_http2(acceptor, socket);
}

static void begin_by_first_bytes(struct acceptor *acceptor, h2o_socket_t *socket)
{
    if (!acceptor->loop->server->config->http2) {
        begin_http1(acceptor, socket);
        return;
    }
    h2o_socket_read_start(socket, on_first_bytes);
    if (socket->input->size > 0)
        on_first_bytes(socket, NULL);
}

static void on_handshake(h2o_socket_t *socket, const char *err)
{
    if (err != NULL) {
        h2o_socket_close(socket);
        return;
    }
    guard_connection_of(socket)->handshaking = false;
    h2o_iovec_t chosen = h2o_socket_ssl_get_selected_protocol(socket);
    if (chosen.len == 2 && memcmp(chosen.base, "h2", 2) == 0)
        begin_http2(socket->data, socket);
    else
        begin_by_first_bytes(socket->data, socket);
}

void accept_socket(struct acceptor *acceptor, h2o_socket_t *socket)
{
    struct connection *connection = guard_admit(acceptor, socket);
    if (connection == NULL)
        return;
    socket->data = acceptor;
    if (connection->tls == NULL) {
        begin_by_first_bytes(acceptor, socket);
        return;
    }
    connection->handshaking = true;
    h2o_socket_ssl_handshake(socket, connection->tls, NULL, on_handshake);
}
