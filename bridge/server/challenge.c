// SPDX-License-Identifier: Apache-2.0
//
// Adobe I/O Events asks whether the endpoint is ours (its webhook guide: the challenge
// request), before it sends anything. Needs no credentials. Runs on the loop thread.
#include "intake/intake.h"
#include "server/internal.h"
#include "telemetry/log.h"

#define VALIDATION_BODY_MAX 4096
#define VALIDATIONS_A_SECOND 16 /* logged */

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

int challenge_get(const struct endpoint *endpoint, h2o_req_t *req, const char *request_id, char *value,
                  struct slice *answer)
{
    struct slice query = SLICE_ABSENT, challenge = SLICE_ABSENT;
    if (req->query_at != SIZE_MAX)
        query = (struct slice){req->path.base + req->query_at + 1, req->path.len - req->query_at - 1};
    if (endpoint->rules->challenge && slice_present(query))
        challenge = query_value(query, SLICE_LITERAL("challenge"));
    *answer = SLICE_ABSENT;
    if (!slice_present(challenge))
        return 200;
    int length = decode_challenge(challenge, value);
    if (length < 0)
        return 400;
    *answer = (struct slice){value, (size_t)length};
    static struct log_limit limit; /* strangers can ask as well */
    uint64_t suppressed;
    if (log_limit_pass(&limit, &suppressed))
        log_info("challenge answered", LOG_TEXT("path", endpoint->config->path),
                 LOG_TEXT("request_id", request_id), LOG_INT("suppressed", suppressed));
    return 200;
}

/* The URL has to be opened within five minutes, by somebody or by the fetch thread. */
bool challenge_post(const struct endpoint *endpoint, h2o_req_t *req, const char *request_id)
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
        auth_confirm_validation(endpoint->auth, url);
    }
    return true;
}
