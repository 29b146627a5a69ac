// SPDX-License-Identifier: Apache-2.0
//
// The front door: listeners, TLS, HTTP/1.1 and HTTP/2, deadlines, answers, the
// admin pages. Everything here is called from main; the loops run on threads of
// their own, one per core, and one more for the admin pages, which must answer
// when the others are busy.
#ifndef BRIDGE_SERVER_H
#define BRIDGE_SERVER_H

#include <stddef.h>

#include "auth/auth.h"
#include "config/config.h"
#include "intake/routes.h"
#include "kafka/kafka.h"
#include "telemetry/metrics.h"

struct server;

/* All must outlive the server. */
struct server_options {
    struct config *config; /* not changed but that its secrets are forgotten */
    const struct routes *routes;
    struct auth_service *auth;
    struct metrics *metrics;
};

/* Tries every certificate and key; adds what is wrong to errors. Binds nothing. */
void server_check(const struct config *config, struct config_errors *errors);

/* Loads certificates and binds every address, without accepting yet. NULL, with
 * one line in errstr, when an address or a certificate cannot be used. */
struct server *server_create(const struct server_options *options, char *errstr, size_t errstr_size);

/* Starts to accept. kafka must outlive the server. False, with one line
 * in errstr, when a thread or a listener cannot be started. */
bool server_run(struct server *server, struct kafka *kafka, char *errstr, size_t errstr_size);

/* Serves by another configuration from now on, as far as that needs no restart (config_restart_options): new
 * requests go by the new one once this returns, what is in work by the one it began with; no connection is
 * closed. Takes the configuration over, in any case. False, with one line in errstr and nothing changed, when
 * a file cannot be used or memory is short. */
bool server_reload(struct server *server, struct config *config, char *errstr, size_t errstr_size);

/* Bytes that connections and batches hold now, roughly. */
size_t server_held(const struct server *server);

/* First step of the end: /health/ready turns to 503; everything is still served. */
void server_set_draining(struct server *server);

/* Second step: listeners close, HTTP/2 connections get GOAWAY, new requests on open
 * connections are answered 503, idle connections close. Then waits until every batch
 * has been answered, at most timeout_ms. True when all were. */
bool server_drain(struct server *server, int timeout_ms);

/* Last step, after kafka_stop and auth_service_stop: ends the loops and frees everything. */
void server_stop(struct server *server);

#endif
