// SPDX-License-Identifier: Apache-2.0
//
// A batch on its way: from an authenticated POST to its one answer.
//
// The record of a request belongs to its loop and outlives both the h2o request
// (which dies when the client leaves or has been answered) and the batch (which
// lives until Kafka's last report). Whichever of deadline, report and client ends
// first clears its side; the record goes when the batch has come back.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "server/internal.h"
#include "telemetry/log.h"

/* With less time left than this nothing is produced any more. */
#define PRODUCE_MIN_MS 1000

struct request {
    h2o_multithread_message_t message; /* first: the queue hands back its address */
    h2o_linklist_t link;
    struct loop *loop;
    struct endpoint *endpoint;
    struct connection *connection;
    struct request **slot; /* in the h2o request's pool; NULL: that is gone */
    h2o_req_t *req;        /* NULL: answered, or the client has left */
    struct batch *batch;
    uint64_t begin_ms, deadline_ms;
    size_t bytes;
    char request_id[REQUEST_ID_MAX + 1];
};

/* The h2o request ends: client gone, or the answer is out. */
static void on_dispose(void *data)
{
    struct request **slot = data;
    if (*slot != NULL) {
        guard_wait_end((*slot)->connection);
        (*slot)->req = NULL;
        (*slot)->slot = NULL;
    }
}

static void log_batch(const struct request *request, int status, const char *failure)
{
    const struct batch *batch = request->batch;
    const struct log_field fields[] = {
        LOG_TEXT("request_id", request->request_id),
        LOG_TEXT("path", request->endpoint->config->path),
        LOG_INT("status", status),
        LOG_INT("bytes", request->bytes),
        LOG_INT("events", batch == NULL ? 0 : batch->events),
        LOG_INT("duration_ms", clock_monotonic_ms() - request->begin_ms),
        LOG_TEXT("reason", failure == NULL ? "" : failure),
    };
    size_t count = sizeof fields / sizeof fields[0] - (failure == NULL ? 1 : 0);
    enum log_level level = status == 200 ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING;
    if (log_enabled(level))
        log_write(level, "batch", fields, count);
}

/* Lets go of the h2o request, which the caller answers with what is returned. */
static h2o_req_t *detach(struct request *request)
{
    h2o_req_t *req = request->req;
    if (request->slot != NULL) {
        *request->slot = NULL;
        guard_wait_end(request->connection);
    }
    request->slot = NULL;
    request->req = NULL;
    if (req != NULL && atomic_load(&request->loop->server->state) >= SERVER_DRAINING)
        req->http1_is_persistent = 0;
    return req;
}

static void answer_failed(struct request *request, int status, const char *error, const char *message,
                          enum batch_outcome outcome)
{
    h2o_req_t *req = detach(request);
    log_batch(request, status, message);
    counter_add(request->endpoint->batches[outcome], 1);
    if (req == NULL)
        return;
    endpoint_count(request->endpoint, status, request->begin_ms);
    answer_error(req, status, error, message, request->request_id);
}

static void answer_delivered(struct request *request)
{
    const struct batch *batch = request->batch;
    char json[160];
    snprintf(json, sizeof json, "{\"events\":%zu,\"delivered\":%zu,\"duplicates\":0,\"dead_lettered\":%zu}",
             batch->delivered + batch->dead_lettered, batch->delivered, batch->dead_lettered);
    h2o_req_t *req = detach(request);
    log_batch(request, 200, NULL);
    counter_add(request->endpoint->batches[BATCH_DELIVERED], 1);
    if (req == NULL)
        return;
    endpoint_count(request->endpoint, 200, request->begin_ms);
    answer_json(req, 200, json, request->request_id);
}

static void request_end(struct request *request)
{
    detach(request);
    h2o_linklist_unlink(&request->link);
    atomic_fetch_sub(&request->loop->waiting, 1);
    guard_release(request->connection);
    if (request->batch != NULL)
        batch_free(request->batch);
    free(request);
}

/* From whatever thread saw the last report: back to the loop. */
static void on_done(struct batch *batch)
{
    struct request *request = batch->owner;
    h2o_multithread_send_message(&request->loop->receiver, &request->message);
}

void request_receive(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages)
{
    (void)receiver;
    while (!h2o_linklist_is_empty(messages)) {
        struct request *request = H2O_STRUCT_FROM_MEMBER(struct request, message.link, messages->next);
        h2o_linklist_unlink(&request->message.link);
        struct batch *batch = request->batch;
        /* After the deadline, or after the client left, there is nobody to answer. */
        if (request->req != NULL) {
            if (atomic_load(&batch->failed))
                answer_failed(request, 503, "not_delivered", atomic_load(&batch->failure),
                              BATCH_NOT_DELIVERED);
            else
                answer_delivered(request);
        }
        request_end(request);
    }
}

void request_tick(struct loop *loop, uint64_t now_ms)
{
    h2o_linklist_t *node = loop->requests.next;
    while (node != &loop->requests) {
        struct request *request = H2O_STRUCT_FROM_MEMBER(struct request, link, node);
        node = node->next;
        /* The next tick would be too late. */
        if (request->req != NULL && now_ms + TICK_MS >= request->deadline_ms)
            answer_failed(request, 504, "deadline_exceeded", "Kafka has not confirmed every record in time",
                          BATCH_DEADLINE);
    }
}

static struct slice kept_header(struct arena *arena, h2o_req_t *req, struct slice name)
{
    struct slice value = request_header(req, name);
    return slice_present(value) ? arena_copy(arena, value) : SLICE_ABSENT;
}

/* The batch with the facts of the request; false when there is no memory for it. */
static bool fill_batch(struct request *request, h2o_req_t *req)
{
    struct server *server = request->loop->server;
    struct batch *batch = request->batch = batch_create(&server->budget);
    if (batch == NULL)
        return false;
    batch->endpoint = (unsigned)(request->endpoint - server->endpoints);
    memcpy(batch->request_id, request->request_id, sizeof batch->request_id);
    batch->traceparent = kept_header(&batch->arena, req, SLICE_LITERAL("traceparent"));
    batch->event_id = kept_header(&batch->arena, req, SLICE_LITERAL("x-adobe-event-id"));
    batch->event_code = kept_header(&batch->arena, req, SLICE_LITERAL("x-adobe-event-code"));
    batch->sender = config_sender_name(request->endpoint->config->sender);
    batch->received_ms = clock_wall_ms();
    batch->deadline_ms = request->deadline_ms;
    batch->done = on_done;
    batch->owner = request;
    struct slice body = {req->entity.base, req->entity.len};
    return intake_take(server->intake, batch, body, request_header(req, SLICE_LITERAL("content-encoding"))) ==
           INTAKE_OK;
}

void request_take(struct loop *loop, struct endpoint *endpoint, h2o_req_t *req, uint64_t begin_ms,
                  const char *request_id)
{
    struct connection *connection = guard_connection(req);
    struct request *request = calloc(1, sizeof *request);
    gauge_set(endpoint->last_batch, (double)clock_wall_ms() / 1000.0);
    if (request == NULL || !guard_acquire(connection)) {
        free(request);
        counter_add(endpoint->batches[BATCH_OVERLOADED], 1);
        endpoint_count(endpoint, 503, begin_ms);
        answer_error(req, 503, "overloaded", "too many requests of one connection are in work", request_id);
        return;
    }
    request->loop = loop;
    request->endpoint = endpoint;
    request->connection = connection;
    request->begin_ms = begin_ms;
    request->deadline_ms = begin_ms + endpoint->config->deadline_ms;
    request->bytes = req->entity.len;
    request->req = req;
    memcpy(request->request_id, request_id, strlen(request_id) + 1);
    request->slot = h2o_mem_alloc_shared(&req->pool, sizeof *request->slot, on_dispose);
    *request->slot = request;
    guard_wait_begin(connection);
    h2o_linklist_insert(&loop->requests, &request->link);
    atomic_fetch_add(&loop->waiting, 1);

    if (!guard_fits(loop->server, req->entity.len) || !fill_batch(request, req)) {
        answer_failed(request, 503, "overloaded", "the in-flight budget is full", BATCH_OVERLOADED);
        request_end(request);
    } else if (clock_monotonic_ms() + PRODUCE_MIN_MS > request->deadline_ms) {
        answer_failed(request, 503, "not_delivered", "too little time was left to write the batch",
                      BATCH_NOT_DELIVERED);
        request_end(request);
    } else {
        kafka_deliver(loop->server->kafka, request->batch);
    }
}
