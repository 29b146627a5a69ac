// SPDX-License-Identifier: Apache-2.0
//
// A batch on its way: from a POST to its one answer.
//
// The record of a request belongs to its loop and outlives both the h2o request
// (which dies when the client leaves or has been answered) and what it waits for: a key or an answer that is
// being fetched, then the batch (which lives until Kafka's last report). Whichever of deadline, wake or
// report, and client ends first clears its side; the record goes when what it waits for has come back.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "intake/intake.h"
#include "server/internal.h"
#include "telemetry/log.h"

/* With less time left than this nothing is produced any more. */
#define PRODUCE_MIN_MS 1000

/* Bodies of requests that wait for a verdict hold at most this share of limits.in_flight: strangers can make
 * them wait. */
#define WAITING_SHARE 4

enum request_state {
    REQUEST_JUDGED,    /* nothing is outstanding; the loop has it in hand */
    REQUEST_WAITING,   /* auth has it, until it wakes it */
    REQUEST_DELIVERING /* kafka has the batch, until `done` */
};

struct request {
    h2o_multithread_message_t message; /* what comes back, from whatever thread */
    h2o_linklist_t link;
    enum request_state state;
    struct auth_wait wait;
    struct loop *loop;
    struct site *site; /* its reference; the endpoint lives in it */
    const struct endpoint *endpoint;
    struct connection *connection;
    struct request **slot; /* in the h2o request's pool; NULL: that is gone */
    h2o_req_t *req;        /* NULL: answered, or the client has left */
    struct batch *batch;
    uint64_t begin_ms, deadline_ms;
    size_t bytes;
    size_t waiting_bytes; /* charged to the server's */
    size_t given_back;    /* the same */
    char request_id[REQUEST_ID_MAX + 1];
};

static void charge_given_back(struct request *request, size_t bytes)
{
    atomic_fetch_add(&request->loop->server->given_back, bytes - request->given_back);
    request->given_back = bytes;
}

/* The h2o request ends: client gone, or the answer is out. */
static void on_dispose(void *data)
{
    struct request **slot = data;
    if (*slot != NULL) {
        guard_wait_end((*slot)->connection);
        charge_given_back(*slot, 0);
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
    charge_given_back(request, 0);
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

static void charge_waiting(struct request *request, size_t bytes)
{
    atomic_fetch_add(&request->loop->server->waiting_bytes, bytes - request->waiting_bytes);
    request->waiting_bytes = bytes;
}

static void request_end(struct request *request)
{
    detach(request);
    charge_waiting(request, 0);
    h2o_linklist_unlink(&request->link);
    atomic_fetch_sub(&request->loop->waiting, 1);
    guard_release(request->connection);
    if (request->batch != NULL)
        batch_free(request->batch);
    site_release(request->site);
    free(request);
}

/* From whatever thread saw the last report: back to the loop. */
static void on_done(struct batch *batch)
{
    struct request *request = batch->owner;
    h2o_multithread_send_message(&request->loop->receiver, &request->message);
}

/* From whatever thread has fetched what it waits for. */
static void on_wake(struct auth_wait *wait)
{
    struct request *request = H2O_STRUCT_FROM_MEMBER(struct request, wait, wait);
    h2o_multithread_send_message(&request->loop->receiver, &request->message);
}

static void on_reported(struct request *request)
{
    struct batch *batch = request->batch;
    /* After the deadline, or after the client left, there is nobody to answer. */
    if (request->req != NULL) {
        if (atomic_load(&batch->failed))
            answer_failed(request, 503, "not_delivered", atomic_load(&batch->failure), BATCH_NOT_DELIVERED);
        else
            answer_delivered(request);
    }
    request_end(request);
}

static void request_judge(struct request *request);

void request_receive(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages)
{
    (void)receiver;
    while (!h2o_linklist_is_empty(messages)) {
        struct request *request = H2O_STRUCT_FROM_MEMBER(struct request, message.link, messages->next);
        h2o_linklist_unlink(&request->message.link);
        if (request->state == REQUEST_WAITING) {
            request->state = REQUEST_JUDGED;
            charge_waiting(request, 0);
            if (request->req == NULL)
                request_end(request);
            else
                request_judge(request);
        } else {
            on_reported(request);
        }
    }
}

/* It is not let in: counts and answers. */
static void refuse(struct request *request, enum auth_verdict verdict, const char *reason, struct slice which)
{
    h2o_req_t *req = detach(request);
    refusal_count(request->endpoint, reason, which, request->request_id);
    if (req == NULL)
        return;
    endpoint_count(request->endpoint, refusal_status(verdict), request->begin_ms);
    refusal_send(request->endpoint, req, verdict, reason, request->request_id);
}

void request_tick(struct loop *loop, uint64_t now_ms)
{
    h2o_linklist_t *node = loop->requests.next;
    while (node != &loop->requests) {
        struct request *request = H2O_STRUCT_FROM_MEMBER(struct request, link, node);
        node = node->next;
        if (request->req == NULL)
            continue;
        /* The next tick would be too late; and what is let in with less than that left is not produced. */
        if (request->state == REQUEST_WAITING && now_ms + TICK_MS + PRODUCE_MIN_MS >= request->deadline_ms)
            refuse(request, AUTH_UNAVAILABLE, "timeout", SLICE_ABSENT);
        else if (now_ms + TICK_MS >= request->deadline_ms)
            answer_failed(request, 504, "deadline_exceeded", "Kafka has not confirmed every record in time",
                          BATCH_DEADLINE);
    }
}

static void count_attempt(const struct endpoint *endpoint, h2o_req_t *req)
{
    struct slice sent = request_header(req, SLICE_LITERAL("x-adobe-retry-count"));
    size_t attempt = 0;
    if (slice_present(sent) && sent.len > 0)
        attempt = sent.len == 1 && sent.ptr[0] >= '0' && sent.ptr[0] <= '4' ? (size_t)(sent.ptr[0] - '0') : 5;
    counter_add(endpoint->attempts[attempt], 1);
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
    batch->deadline_in_ms = request->endpoint->config->deadline_ms;
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
    return intake_take(request->site->intake, batch, body,
                       request_header(req, SLICE_LITERAL("content-encoding"))) == INTAKE_OK;
}

/* The recipient that is not ours; present but empty when an event names none. Absent: all are. */
static struct slice foreign_recipient(const struct request *request)
{
    const struct auth *auth = request->endpoint->auth;
    if (!auth_wants_recipients(auth))
        return SLICE_ABSENT;
    for (const struct recipient *one = request->batch->recipients; one != NULL; one = one->next)
        if (!auth_is_recipient(auth, one->client_id))
            return one->client_id;
    return request->batch->without_recipient > 0 ? SLICE_LITERAL("") : SLICE_ABSENT;
}

/* It was let in: takes it apart and hands it to Kafka. */
static void request_admit(struct request *request)
{
    struct server *server = request->loop->server;
    h2o_req_t *req = request->req;
    gauge_set(request->endpoint->last_batch, (double)clock_wall_ms() / 1000.0);
    count_attempt(request->endpoint, req);
    if (loop_refuses(request->loop)) {
        answer_failed(request, 503, "shutting_down", "this bridge is ending", BATCH_OVERLOADED);
        request_end(request);
        return;
    }
    uint64_t now_ms = clock_monotonic_ms();
    uint64_t left_ms = request->deadline_ms > now_ms ? request->deadline_ms - now_ms : 0;
    if (!kafka_keeps_up(server->kafka, request->endpoint->config->deadline_ms, left_ms)) {
        answer_failed(request, 503, "overloaded", "Kafka does not keep up with what is under way",
                      BATCH_OVERLOADED);
        request_end(request);
        return;
    }
    if (!guard_fits(server, req->entity.len) || !fill_batch(request, req)) {
        answer_failed(request, 503, "overloaded", "the in-flight budget is full", BATCH_OVERLOADED);
        request_end(request);
        return;
    }
    charge_given_back(request, guard_body_taken(server, req));
    struct slice foreign = foreign_recipient(request);
    if (slice_present(foreign)) {
        refuse(request, AUTH_UNAVAILABLE, "unknown_recipient", foreign);
        request_end(request);
        return;
    }
    /* Not before: anybody can have something that Adobe has signed for him. */
    if (!request->endpoint->config->auth_none)
        guard_prove(request->connection);
    if (clock_monotonic_ms() + PRODUCE_MIN_MS > request->deadline_ms) {
        answer_failed(request, 503, "not_delivered", "too little time was left to write the batch",
                      BATCH_NOT_DELIVERED);
        request_end(request);
    } else {
        request->state = REQUEST_DELIVERING;
        kafka_deliver(server->kafka, request->batch);
    }
}

/* What the request shows of who sends it. */
static struct auth_request shown_by(const struct request *request)
{
    h2o_req_t *req = request->req;
    struct peer *peer = guard_peer(request->connection);
    struct auth_request shown = {
        .signature = {.body = {req->entity.base, req->entity.len}},
        .known_peer = guard_is_proven(request->connection),
    };
    const struct {
        struct slice name;
        struct slice *value;
        bool *repeated;
    } headers[] = {
        {SLICE_LITERAL("authorization"), &shown.authorization, &shown.repeated_authorization},
        {SLICE_LITERAL("x-adobe-digital-signature-1"), &shown.signature.signature[0],
         &shown.repeated_signature},
        {SLICE_LITERAL("x-adobe-digital-signature-2"), &shown.signature.signature[1],
         &shown.repeated_signature},
        {SLICE_LITERAL("x-adobe-public-key1-path"), &shown.signature.key_path[0], &shown.repeated_signature},
        {SLICE_LITERAL("x-adobe-public-key2-path"), &shown.signature.key_path[1], &shown.repeated_signature},
    };
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        *headers[i].value = request_single_header(req, headers[i].name, headers[i].repeated);
    if (request->endpoint->config->client_name_count > 0)
        tls_peer_judge(peer, request->site, guard_listener(request->connection));
    shown.certificate = peer->leaf;
    shown.certificate_verdict = peer->verdict;
    shown.certificate_reason = peer->reason;
    shown.old_connection = guard_is_old(request->connection, request->site);
    return shown;
}

/* The body that a request holds while it waits may be a stranger's. */
static void request_wait(struct request *request)
{
    struct server *server = request->loop->server;
    size_t limit = server->config->limits.in_flight / WAITING_SHARE;
    charge_waiting(request, request->bytes);
    if (atomic_load(&server->waiting_bytes) > limit) {
        charge_waiting(request, 0);
        refuse(request, AUTH_UNAVAILABLE, "fetch_budget", SLICE_ABSENT);
    }
}

static void request_judge(struct request *request)
{
    const struct auth_now now = {.ms = clock_monotonic_ms(), .wall_ms = clock_wall_ms()};
    const struct auth_request shown = shown_by(request);
    const char *reason = "";
    /* It may be woken before the judge returns; the message is for this thread and waits its turn. */
    request->state = REQUEST_WAITING;
    enum auth_verdict verdict = auth_judge(request->endpoint->auth, &shown, &now, &request->wait, &reason);
    if (verdict == AUTH_PENDING) {
        request_wait(request);
        return;
    }
    request->state = REQUEST_JUDGED;
    if (verdict == AUTH_ALLOW) {
        request_admit(request);
    } else {
        if (shown.old_connection && request->endpoint->config->client_name_count > 0)
            goaway_after(request->req);
        refuse(request, verdict, reason, SLICE_ABSENT);
        request_end(request);
    }
}

void request_take(struct loop *loop, const struct endpoint *endpoint, h2o_req_t *req, uint64_t begin_ms,
                  const char *request_id)
{
    struct connection *connection = guard_connection(req);
    struct request *request = calloc(1, sizeof *request);
    if (request == NULL || !guard_acquire(connection)) {
        free(request);
        counter_add(endpoint->batches[BATCH_OVERLOADED], 1);
        endpoint_count(endpoint, 503, begin_ms);
        answer_error(req, 503, "overloaded", "too many requests of one connection are in work", request_id);
        return;
    }
    request->loop = loop;
    request->site = site_retain(loop->site);
    request->endpoint = endpoint;
    request->connection = connection;
    request->wait.wake = on_wake;
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
    request_judge(request);
}
