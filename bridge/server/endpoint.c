// SPDX-License-Identifier: Apache-2.0
//
// What happens to a request before it is taken (request.c), in this order: framing,
// path, method, size, challenges. Runs on the loop thread.
#include <h2o.h>
#include <stdio.h>

#include "clock.h"
#include "server/internal.h"

const int endpoint_statuses[STATUS_COUNT] = {200, 400, 401, 405, 413, 503, 504};

void endpoint_count(const struct endpoint *endpoint, int status, uint64_t begin_ms)
{
    for (size_t i = 0; i < STATUS_COUNT; i++)
        if (endpoint_statuses[i] == status)
            counter_add(endpoint->requests[i], 1);
    histogram_observe(endpoint->duration, (double)(clock_monotonic_ms() - begin_ms) / 1000.0);
}

/* --- the way in --- */

static bool framing_is_sound(h2o_req_t *req)
{
    if (req->conn->callbacks->push_path != NULL) /* HTTP/2 has one length */
        return true;
    h2o_buffer_t *head = req->conn->callbacks->get_socket(req->conn)->input;
    bool chunked;
    bool sound = http1_head_is_sound((struct slice){head->bytes, head->size}, &chunked);
    /* h2o takes sizes of chunks that others read in another way (0x2 is 0 to it). What follows is therefore
     * no request: it could be part of this one to a proxy in front. */
    if (chunked || !sound)
        req->http1_is_persistent = 0;
    return sound;
}

static const struct endpoint *find_endpoint(const struct site *site, struct slice path)
{
    for (size_t i = 0; i < site->endpoint_count; i++)
        if (slice_equal(path, slice_of(site->endpoints[i].config->path)))
            return &site->endpoints[i];
    return NULL;
}

static void serve_get(const struct endpoint *endpoint, h2o_req_t *req, uint64_t begin_ms,
                      const char *request_id)
{
    char value[CHALLENGE_MAX];
    struct slice challenge;
    int status = challenge_get(endpoint, req, request_id, value, &challenge);
    endpoint_count(endpoint, status, begin_ms);
    if (status != 200) {
        answer_error(req, status, "bad_challenge", "a challenge is 1 to 256 printable ASCII characters",
                     request_id);
    } else if (slice_present(challenge)) {
        answer_add_header(req, SLICE_LITERAL("x-content-type-options"), SLICE_LITERAL("nosniff"));
        answer_send(req, 200, "text/plain", challenge, request_id);
    } else {
        answer_json(req, 200, "{\"status\":\"ok\"}", request_id);
    }
}

static void serve_post(struct loop *loop, const struct endpoint *endpoint, h2o_req_t *req, uint64_t begin_ms,
                       const char *request_id)
{
    size_t limit = loop->server->config->limits.body;
    if (req->entity.len > limit) {
        char message[128];
        snprintf(message, sizeof message, "the body has %zu bytes, limits.body is %zu", req->entity.len,
                 limit);
        endpoint_count(endpoint, 413, begin_ms);
        answer_error(req, 413, "body_too_large", message, request_id);
    } else if (challenge_post(endpoint, req, request_id)) {
        endpoint_count(endpoint, 200, begin_ms);
        answer_json(req, 200, "{\"status\":\"ok\"}", request_id);
    } else {
        request_take(loop, endpoint, req, begin_ms, request_id);
    }
}

int endpoint_on_request(h2o_handler_t *handler, h2o_req_t *req)
{
    struct server *server = ((struct handler *)handler)->server;
    struct loop *loop = loop_of(req);
    uint64_t begin_ms = guard_request_begin(guard_connection(req), req);
    char request_id[REQUEST_ID_MAX + 1];
    answer_choose_request_id(req, request_id);
    if (atomic_load(&server->state) >= SERVER_DRAINING)
        req->http1_is_persistent = 0;

    struct slice path = {req->path.base, req->query_at == SIZE_MAX ? req->path.len : req->query_at};
    struct slice method = {req->method.base, req->method.len};
    const struct endpoint *endpoint = find_endpoint(loop->site, path);
    if (!framing_is_sound(req)) {
        guard_count(server, GUARD_FRAMING);
        if (endpoint != NULL)
            endpoint_count(endpoint, 400, begin_ms);
        else
            counter_add(server->other_requests, 1);
        answer_error(req, 400, "bad_request", "two lengths, or a folded line, in the head", request_id);
    } else if (endpoint == NULL) {
        counter_add(server->other_requests, 1);
        answer_error(req, 404, "not_found", "no endpoint has this path", request_id);
    } else if (slice_equal(method, SLICE_LITERAL("GET")) || slice_equal(method, SLICE_LITERAL("HEAD"))) {
        serve_get(endpoint, req, begin_ms, request_id);
    } else if (slice_equal(method, SLICE_LITERAL("POST"))) {
        serve_post(loop, endpoint, req, begin_ms, request_id);
    } else {
        endpoint_count(endpoint, 405, begin_ms);
        answer_add_header(req, SLICE_LITERAL("allow"), SLICE_LITERAL("GET, HEAD, POST"));
        answer_error(req, 405, "method_not_allowed", "GET, HEAD and POST are served here", request_id);
    }
    return 0;
}

/* --- metrics --- */

static const double duration_bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                         0.25,  0.5,    1,     2.5,  5,     10,   20};

void endpoint_metrics_register(struct metrics *metrics, struct endpoint *endpoint)
{
    static const char *const outcomes[BATCH_OUTCOMES] = {"delivered", "not_delivered", "deadline_exceeded",
                                                         "overloaded"};
    static const char *const attempts[6] = {"0", "1", "2", "3", "4", "5+"};
    struct metric_label labels[] = {{"endpoint", endpoint->config->path}, {NULL, NULL}};
    for (size_t i = 0; i < STATUS_COUNT; i++) {
        char status[8];
        snprintf(status, sizeof status, "%d", endpoint_statuses[i]);
        labels[1] = (struct metric_label){"status", status};
        endpoint->requests[i] = metrics_counter(metrics, "http_requests_total",
                                                "Requests answered, by endpoint and status.", labels, 2);
    }
    endpoint->duration = metrics_histogram(
        metrics, "http_request_duration_seconds", "From the request's first byte to its answer.", labels, 1,
        duration_bounds, sizeof duration_bounds / sizeof duration_bounds[0]);
    for (size_t i = 0; i < BATCH_OUTCOMES; i++) {
        labels[1] = (struct metric_label){"outcome", outcomes[i]};
        endpoint->batches[i] = metrics_counter(metrics, "batches_total",
                                               "Authenticated batches, by what was answered.", labels, 2);
    }
    for (size_t i = 0; i < 6; i++) {
        labels[1] = (struct metric_label){"attempt", attempts[i]};
        endpoint->attempts[i] = metrics_counter(metrics, "sender_attempts_total",
                                                "Batches by the sender's own count of retries.", labels, 2);
    }
    refusal_metrics_register(metrics, endpoint);
    endpoint->last_batch = metrics_gauge(metrics, "last_batch_timestamp_seconds",
                                         "When the last authenticated batch came; 0: none yet.", labels, 1);
}
