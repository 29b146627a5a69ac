// SPDX-License-Identifier: Apache-2.0
//
// The admin pages: health and metrics. Runs on the admin loop's thread and only
// reads what is atomic elsewhere.
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "server/internal.h"

/* A loop that has not ticked for this long hangs. */
#define HEARTBEAT_MAX_MS 5000

static void answer_health(h2o_req_t *req, const char *reason)
{
    char json[512];
    if (reason == NULL)
        snprintf(json, sizeof json, "{\"status\":\"ok\"}");
    else
        snprintf(json, sizeof json, "{\"status\":\"unavailable\",\"reason\":\"%s\"}", reason);
    answer_json(req, reason == NULL ? 200 : 503, json, NULL);
}

static void live(struct server *server, h2o_req_t *req)
{
    uint64_t now_ms = clock_monotonic_ms();
    for (size_t i = 0; i < server->loop_count; i++)
        if (now_ms - atomic_load(&server->loops[i].heartbeat_ms) > HEARTBEAT_MAX_MS) {
            answer_health(req, "an event loop does not run");
            return;
        }
    answer_health(req, NULL);
}

static void ready(struct server *server, h2o_req_t *req)
{
    switch (atomic_load(&server->state)) {
    case SERVER_RUNNING:
        answer_health(req, NULL);
        return;
    case SERVER_STARTING:
        answer_health(req, "starting");
        return;
    case SERVER_DRAINING:
    case SERVER_CLOSING:
    case SERVER_CLOSED:
        answer_health(req, "shutting down");
        return;
    }
}

/* Text from librdkafka or the configuration inside a JSON string. */
static void json_text(char *out, size_t size, const char *text)
{
    size_t n = 0;
    for (; *text != '\0' && n + 3 < size; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            out[n++] = '\\';
        out[n++] = c < 0x20 ? ' ' : (char)c;
    }
    out[n] = '\0';
}

static void kafka(struct server *server, h2o_req_t *req)
{
    char reason[256], quoted[520], bootstrap[1024], json[2048];
    bool healthy = kafka_healthy(server->kafka, reason, sizeof reason);
    json_text(bootstrap, sizeof bootstrap, kafka_bootstrap(server->kafka));
    json_text(quoted, sizeof quoted, reason);
    if (healthy)
        snprintf(json, sizeof json, "{\"status\":\"ok\",\"bootstrap\":\"%s\"}", bootstrap);
    else
        snprintf(json, sizeof json, "{\"status\":\"unavailable\",\"reason\":\"%s\",\"bootstrap\":\"%s\"}",
                 quoted, bootstrap);
    answer_json(req, healthy ? 200 : 503, json, NULL);
}

static bool authorized(const struct site *site, h2o_req_t *req)
{
    if (!site->admin_guarded)
        return true;
    struct slice sent = request_header(req, SLICE_LITERAL("authorization"));
    struct slice scheme = SLICE_LITERAL("Bearer ");
    struct token_digest digest;
    if (slice_present(sent) && slice_starts_with(sent, scheme))
        sent = (struct slice){sent.ptr + scheme.len, sent.len - scheme.len};
    return slice_present(sent) && token_digest(sent, &digest) &&
           token_is_known(&digest, &site->admin_token, 1);
}

static void metrics_page(struct server *server, h2o_req_t *req)
{
    if (!authorized(loop_of(req)->site, req)) {
        answer_add_header(req, SLICE_LITERAL("www-authenticate"),
                          SLICE_LITERAL("Bearer realm=\"marketo-bridge admin\""));
        answer_json(req, 401, "{\"error\":\"unauthorized\"}", NULL);
        return;
    }
    size_t length;
    char *page = metrics_render(server->metrics, &length);
    if (page == NULL) {
        answer_json(req, 503, "{\"error\":\"overloaded\"}", NULL);
        return;
    }
    answer_send(req, 200, "text/plain; version=0.0.4; charset=utf-8", (struct slice){page, length}, NULL);
    free(page);
}

int admin_on_request(h2o_handler_t *handler, h2o_req_t *req)
{
    static const struct {
        struct slice path;
        void (*page)(struct server *server, h2o_req_t *req);
    } pages[] = {
        {SLICE_LITERAL("/health/live"), live},
        {SLICE_LITERAL("/health/ready"), ready},
        {SLICE_LITERAL("/health/kafka"), kafka},
        {SLICE_LITERAL("/metrics"), metrics_page},
    };
    struct server *server = ((struct handler *)handler)->server;
    struct slice path = {req->path.base, req->query_at == SIZE_MAX ? req->path.len : req->query_at};
    struct slice method = {req->method.base, req->method.len};

    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        if (!slice_equal(path, pages[i].path))
            continue;
        if (slice_equal(method, SLICE_LITERAL("GET")) || slice_equal(method, SLICE_LITERAL("HEAD"))) {
            pages[i].page(server, req);
        } else {
            answer_add_header(req, SLICE_LITERAL("allow"), SLICE_LITERAL("GET, HEAD"));
            answer_json(req, 405, "{\"error\":\"method_not_allowed\"}", NULL);
        }
        return 0;
    }
    answer_json(req, 404, "{\"error\":\"not_found\"}", NULL);
    return 0;
}
