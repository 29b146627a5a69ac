// SPDX-License-Identifier: Apache-2.0
//
// A small HTTP server on loopback, with a thread of its own, that behaves as the path of a request
// says. One request a connection.
//
//   /ok, /missing (404), /moved (302 to /ok)
//   /sized/N, /streamed/N: a body of N bytes, its length announced or not
//   /silent: never an answer; /garbage: no HTTP; /cut: less than was announced; /empty: 204
#ifndef TESTS_UNIT_AUTH_HTTP_FIXTURE_H
#define TESTS_UNIT_AUTH_HTTP_FIXTURE_H

#include <stdbool.h>

enum http_certificate { HTTP_PLAIN, HTTP_TLS, HTTP_TLS_EXPIRED, HTTP_TLS_OTHER_NAME };

struct http_server;

/* ca_path: where a certificate authority's file that knows the server is written; NULL: nowhere. */
struct http_server *http_server_start(enum http_certificate certificate, const char *ca_path);
void http_server_stop(struct http_server *server);

/* "http://127.0.0.1:PORT/path"; static, until the next call. */
const char *http_server_url(const struct http_server *server, const char *path);
/* Once an answer is there: the last request, whole. */
const char *http_server_request(const struct http_server *server);
unsigned http_server_count(const struct http_server *server);
/* Waits for a request that gets no answer. */
void http_server_await_silent(struct http_server *server);

#endif
