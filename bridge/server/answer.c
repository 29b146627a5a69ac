// SPDX-License-Identifier: Apache-2.0
//
// Answers: status, body, headers. Runs on the loop thread of the request.
#include <openssl/rand.h>
#include <stdio.h>

#include "server/internal.h"

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {413, "Payload Too Large"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
};

static const char *reason_phrase(int status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "";
}

struct slice request_header(h2o_req_t *req, struct slice name)
{
    ssize_t i = h2o_find_header_by_str(&req->headers, name.ptr, name.len, -1);
    if (i == -1)
        return SLICE_ABSENT;
    return (struct slice){req->headers.entries[i].value.base, req->headers.entries[i].value.len};
}

struct slice request_single_header(h2o_req_t *req, struct slice name, bool *repeated)
{
    ssize_t i = h2o_find_header_by_str(&req->headers, name.ptr, name.len, -1);
    if (i == -1)
        return SLICE_ABSENT;
    if (h2o_find_header_by_str(&req->headers, name.ptr, name.len, i) != -1)
        *repeated = true;
    return (struct slice){req->headers.entries[i].value.base, req->headers.entries[i].value.len};
}

static bool well_formed_id(struct slice id)
{
    if (id.len < 1 || id.len > REQUEST_ID_MAX)
        return false;
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
              c == '_' || c == '-'))
            return false;
    }
    return true;
}

void answer_choose_request_id(h2o_req_t *req, char out[REQUEST_ID_MAX + 1])
{
    struct slice sent = request_header(req, SLICE_LITERAL("x-request-id"));
    if (slice_present(sent) && well_formed_id(sent)) {
        memcpy(out, sent.ptr, sent.len);
        out[sent.len] = '\0';
        return;
    }
    unsigned char r[16] = {0}; /* RFC 9562, version 4 */
    RAND_bytes(r, sizeof r);
    r[6] = (unsigned char)((r[6] & 0x0f) | 0x40);
    r[8] = (unsigned char)((r[8] & 0x3f) | 0x80);
    snprintf(out, REQUEST_ID_MAX + 1, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
             r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10], r[11], r[12], r[13], r[14],
             r[15]);
}

void answer_add_header(h2o_req_t *req, struct slice name, struct slice value)
{
    h2o_iovec_t kept = h2o_strdup(&req->pool, value.ptr, value.len);
    h2o_iovec_t kept_name = h2o_strdup(&req->pool, name.ptr, name.len);
    h2o_add_header_by_str(&req->pool, &req->res.headers, kept_name.base, kept_name.len, 1, NULL, kept.base,
                          kept.len);
}

void answer_send(h2o_req_t *req, int status, const char *content_type, struct slice body,
                 const char *request_id)
{
    req->res.status = status;
    req->res.reason = reason_phrase(status);
    req->res.content_length = body.len;
    answer_add_header(req, SLICE_LITERAL("content-type"), slice_of(content_type));
    if (request_id != NULL)
        answer_add_header(req, SLICE_LITERAL("x-request-id"), slice_of(request_id));
    if (status == 503 || status == 504)
        answer_add_header(req, SLICE_LITERAL("retry-after"), SLICE_LITERAL("5"));
    h2o_send_inline(req, body.ptr, body.len);
}

void answer_json(h2o_req_t *req, int status, const char *json, const char *request_id)
{
    answer_send(req, status, "application/json", slice_of(json), request_id);
}

void answer_error(h2o_req_t *req, int status, const char *error, const char *message, const char *request_id)
{
    /* error and message are words of ours and need no escaping; the id is [A-Za-z0-9._-]. */
    char json[512];
    snprintf(json, sizeof json, "{\"error\":\"%s\",\"message\":\"%s\",\"request_id\":\"%s\"}", error, message,
             request_id);
    answer_json(req, status, json, request_id);
}
