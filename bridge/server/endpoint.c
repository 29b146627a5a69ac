// SPDX-License-Identifier: Apache-2.0
//
// What happens to a request before it becomes a batch, in this order:
// framing, path, method, size, authentication. Runs on the loop thread.
#include <h2o.h>
#include <h2o/http2.h>
#include <h2o/http2_internal.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "server/internal.h"
#include "telemetry/log.h"

#define CHALLENGE_MAX 256
#define VALIDATION_BODY_MAX 4096
#define VALIDATIONS_A_SECOND 16 /* logged */

const int endpoint_statuses[STATUS_COUNT] = {200, 400, 401, 405, 413, 503, 504};

void endpoint_count(const struct endpoint *endpoint, int status, uint64_t begin_ms)
{
    for (size_t i = 0; i < STATUS_COUNT; i++)
        if (endpoint_statuses[i] == status)
            counter_add(endpoint->requests[i], 1);
    histogram_observe(endpoint->duration, (double)(clock_monotonic_ms() - begin_ms) / 1000.0);
}

/* --- challenges (Adobe I/O Events, "Introduction to webhooks": the challenge request) --- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decodes a query value; the length, or -1 when it is not 1 to CHALLENGE_MAX printable
 * ASCII characters. */
static int decode_challenge(struct slice value, char out[CHALLENGE_MAX])
{
    int n = 0;
    for (size_t i = 0; i < value.len; i++) {
        int c = (unsigned char)value.ptr[i];
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            if (value.len - i < 3)
                return -1;
            int high = hex_digit(value.ptr[i + 1]), low = hex_digit(value.ptr[i + 2]);
            if (high < 0 || low < 0)
                return -1;
            c = high * 16 + low;
            i += 2;
        }
        if (c < 0x20 || c > 0x7e || n == CHALLENGE_MAX)
            return -1;
        out[n++] = (char)c;
    }
    return n == 0 ? -1 : n;
}

static struct slice query_value(struct slice query, struct slice name)
{
    const char *at = query.ptr, *end = query.ptr + query.len;
    while (at < end) {
        const char *stop = memchr(at, '&', (size_t)(end - at));
        if (stop == NULL)
            stop = end;
        const char *equals = memchr(at, '=', (size_t)(stop - at));
        struct slice found = {at, (size_t)((equals == NULL ? stop : equals) - at)};
        if (slice_equal(found, name))
            return equals == NULL ? (struct slice){stop, 0}
                                  : (struct slice){equals + 1, (size_t)(stop - equals - 1)};
        at = stop + 1;
    }
    return SLICE_ABSENT;
}

static int answer_get(struct endpoint *endpoint, h2o_req_t *req, const char *request_id)
{
    struct slice query = SLICE_ABSENT, challenge = SLICE_ABSENT;
    if (req->query_at != SIZE_MAX)
        query = (struct slice){req->path.base + req->query_at + 1, req->path.len - req->query_at - 1};
    if (endpoint->rules->challenge && slice_present(query))
        challenge = query_value(query, SLICE_LITERAL("challenge"));
    if (!slice_present(challenge)) {
        answer_json(req, 200, "{\"status\":\"ok\"}", request_id);
        return 200;
    }
    char value[CHALLENGE_MAX];
    int length = decode_challenge(challenge, value);
    if (length < 0) {
        answer_error(req, 400, "bad_challenge", "a challenge is 1 to 256 printable ASCII characters",
                     request_id);
        return 400;
    }
    static struct log_limit limit; /* strangers can ask as well */
    uint64_t suppressed;
    if (log_limit_pass(&limit, &suppressed))
        log_info("challenge answered", LOG_TEXT("path", endpoint->config->path),
                 LOG_TEXT("request_id", request_id), LOG_INT("suppressed", suppressed));
    answer_add_header(req, SLICE_LITERAL("x-content-type-options"), SLICE_LITERAL("nosniff"));
    answer_send(req, 200, "text/plain", (struct slice){value, (size_t)length}, request_id);
    return 200;
}

/* The POST that asks somebody to open a URL of Adobe's within five minutes. */
static bool answer_validation(struct endpoint *endpoint, h2o_req_t *req, const char *request_id)
{
    static const char known[] = "https://csm.adobe.io/csm/registrations/validate?";
    char buffer[VALIDATION_BODY_MAX];
    struct slice body = {req->entity.base, req->entity.len};
    if (!endpoint->rules->challenge || body.ptr == NULL || body.len > VALIDATION_BODY_MAX)
        return false;
    struct slice url = intake_validation_url(body, buffer, sizeof buffer);
    if (!slice_present(url))
        return false;
    /* Needs no credentials, so strangers must not be able to fill the log with either; and
     * a few in one second may all be Adobe's. */
    static struct log_limit known_limits[VALIDATIONS_A_SECOND], other_limit;
    uint64_t suppressed;
    if (!slice_starts_with(url, SLICE_LITERAL(known))) {
        if (log_limit_pass(&other_limit, &suppressed))
            log_warning("a validationUrl that is not Adobe's was ignored", LOG_TEXT("request_id", request_id),
                        LOG_INT("suppressed", suppressed));
    } else {
        size_t i = 0;
        while (i < VALIDATIONS_A_SECOND && !log_limit_pass(&known_limits[i], &suppressed))
            i++;
        if (i < VALIDATIONS_A_SECOND)
            log_warning("Adobe asks to validate the registration: open this URL within five minutes",
                        LOG_SLICE("validation_url", url), LOG_TEXT("request_id", request_id));
    }
    answer_json(req, 200, "{\"status\":\"ok\"}", request_id);
    return true;
}

/* --- the way in --- */

static bool framing_is_sound(h2o_req_t *req)
{
    h2o_socket_t *socket = req->conn->callbacks->get_socket(req->conn);
    h2o_buffer_t *head = socket->input;
    if (req->conn->callbacks->push_path != NULL) {
        /* HTTP/2 has one length; but the first stream may have come as an HTTP/1 upgrade. */
        struct st_h2o_http2_conn_t *connection = (struct st_h2o_http2_conn_t *)req->conn;
        h2o_http2_stream_t *stream = H2O_STRUCT_FROM_MEMBER(h2o_http2_stream_t, req, req);
        if (connection->_http1_req_input == NULL || stream->stream_id != 1)
            return true;
        head = connection->_http1_req_input;
    }
    return http1_head_is_sound((struct slice){head->bytes, head->size});
}

static struct endpoint *find_endpoint(struct server *server, struct slice path)
{
    for (size_t i = 0; i < server->config->endpoint_count; i++)
        if (slice_equal(path, slice_of(server->endpoints[i].config->path)))
            return &server->endpoints[i];
    return NULL;
}

static void count_attempt(struct endpoint *endpoint, h2o_req_t *req)
{
    struct slice sent = request_header(req, SLICE_LITERAL("x-adobe-retry-count"));
    size_t attempt = 0;
    if (slice_present(sent) && sent.len > 0)
        attempt = sent.len == 1 && sent.ptr[0] >= '0' && sent.ptr[0] <= '4' ? (size_t)(sent.ptr[0] - '0') : 5;
    counter_add(endpoint->attempts[attempt], 1);
}

static void count_denied(struct server *server, struct endpoint *endpoint, const char *reason,
                         const char *request_id)
{
    static struct log_limit limit;
    uint64_t suppressed;
    struct metric_label labels[] = {{"endpoint", endpoint->config->path}, {"reason", reason}};
    counter_add(metrics_counter(server->metrics, "auth_failures_total",
                                "Requests without a valid proof, by reason.", labels, 2),
                1);
    if (log_limit_pass(&limit, &suppressed))
        log_warning("request refused", LOG_TEXT("reason", reason), LOG_TEXT("path", endpoint->config->path),
                    LOG_TEXT("request_id", request_id), LOG_INT("suppressed", suppressed));
}

/* Returns the status of an answer that was given at once, 0 when the request became a batch. */
static int serve(struct server *server, struct endpoint *endpoint, h2o_req_t *req, uint64_t begin_ms,
                 const char *request_id)
{
    struct slice method = {req->method.base, req->method.len};
    if (slice_equal(method, SLICE_LITERAL("GET")) || slice_equal(method, SLICE_LITERAL("HEAD")))
        return answer_get(endpoint, req, request_id);
    if (!slice_equal(method, SLICE_LITERAL("POST"))) {
        answer_add_header(req, SLICE_LITERAL("allow"), SLICE_LITERAL("GET, HEAD, POST"));
        answer_error(req, 405, "method_not_allowed", "GET, HEAD and POST are served here", request_id);
        return 405;
    }
    if (req->entity.len > server->config->limits.body) {
        char message[128];
        snprintf(message, sizeof message, "the body has %zu bytes, limits.body is %zu", req->entity.len,
                 server->config->limits.body);
        answer_error(req, 413, "body_too_large", message, request_id);
        return 413;
    }
    if (answer_validation(endpoint, req, request_id))
        return 200;

    const char *reason = NULL;
    struct auth_request shown = {.authorization = request_header(req, SLICE_LITERAL("authorization"))};
    switch (auth_judge(endpoint->auth, &shown, &reason)) {
    case AUTH_ALLOW:
        break;
    case AUTH_DENY:
        count_denied(server, endpoint, reason, request_id);
        answer_add_header(req, SLICE_LITERAL("www-authenticate"),
                          SLICE_LITERAL("Bearer realm=\"marketo-bridge\""));
        answer_error(req, 401, "unauthorized", "no valid token in the Authorization header", request_id);
        return 401;
    case AUTH_UNAVAILABLE: /* a refusal would be final, and the proof may well be good */
        count_denied(server, endpoint, reason, request_id);
        answer_error(req, 503, "auth_unavailable", "the credentials could not be checked", request_id);
        return 503;
    }
    count_attempt(endpoint, req);
    if (atomic_load(&server->state) == SERVER_CLOSING) {
        answer_error(req, 503, "shutting_down", "this bridge is ending", request_id);
        return 503;
    }
    request_take(loop_of(req), endpoint, req, begin_ms, request_id);
    return 0;
}

int endpoint_on_request(h2o_handler_t *handler, h2o_req_t *req)
{
    struct server *server = ((struct handler *)handler)->server;
    struct connection *connection = guard_connection(req);
    uint64_t begin_ms = guard_request_begin(connection, req);
    char request_id[REQUEST_ID_MAX + 1];
    answer_choose_request_id(req, request_id);
    if (atomic_load(&server->state) >= SERVER_DRAINING)
        req->http1_is_persistent = 0;

    struct slice path = {req->path.base, req->query_at == SIZE_MAX ? req->path.len : req->query_at};
    struct endpoint *endpoint = find_endpoint(server, path);
    int status;
    if (!framing_is_sound(req)) {
        guard_count(server, GUARD_FRAMING);
        req->http1_is_persistent = 0;
        answer_error(req, 400, "bad_request", "two lengths, or a folded line, in the head", request_id);
        status = 400;
    } else if (endpoint == NULL) {
        answer_error(req, 404, "not_found", "no endpoint has this path", request_id);
        status = 404;
    } else {
        status = serve(server, endpoint, req, begin_ms, request_id);
    }
    if (status == 0)
        return 0;
    if (endpoint != NULL)
        endpoint_count(endpoint, status, begin_ms);
    else
        counter_add(server->other_requests, 1);
    return 0;
}

/* --- start and end --- */

static const double duration_bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                         0.25,  0.5,    1,     2.5,  5,     10,   20};

static void register_metrics(struct server *server, struct endpoint *endpoint)
{
    static const char *const outcomes[BATCH_OUTCOMES] = {"delivered", "not_delivered", "deadline_exceeded",
                                                         "overloaded"};
    static const char *const attempts[6] = {"0", "1", "2", "3", "4", "5+"};
    struct metrics *metrics = server->metrics;
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
    endpoint->last_batch = metrics_gauge(metrics, "last_batch_timestamp_seconds",
                                         "When the last authenticated batch came; 0: none yet.", labels, 1);
}

bool endpoints_create(struct server *server, char *errstr, size_t errstr_size)
{
    const struct config *config = server->config;
    server->endpoints = calloc(config->endpoint_count, sizeof *server->endpoints);
    if (server->endpoints == NULL) {
        snprintf(errstr, errstr_size, "out of memory");
        return false;
    }
    for (size_t i = 0; i < config->endpoint_count; i++) {
        struct endpoint *endpoint = &server->endpoints[i];
        endpoint->config = &config->endpoints[i];
        endpoint->rules = sender_rules(endpoint->config->sender);
        endpoint->auth = auth_create(endpoint->config);
        if (endpoint->auth == NULL) {
            snprintf(errstr, errstr_size, "out of memory");
            return false;
        }
        register_metrics(server, endpoint);
    }
    struct metric_label labels[] = {{"endpoint", "other"}, {"status", "404"}};
    server->other_requests = metrics_counter(server->metrics, "http_requests_total",
                                             "Requests answered, by endpoint and status.", labels, 2);
    return true;
}

void endpoints_free(struct server *server)
{
    for (size_t i = 0; server->endpoints != NULL && i < server->config->endpoint_count; i++)
        auth_free(server->endpoints[i].auth);
    free(server->endpoints);
}
