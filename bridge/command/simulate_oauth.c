// SPDX-License-Identifier: Apache-2.0
//
// Tokens for a simulation, by OAuth 2.0 client credentials (RFC 6749 section 4.4); main thread.
//
// A token is renewed while the old one is still good, beside the run: the loop passes by every few
// milliseconds while a fetch is under way, and none of its steps waits.
#include "command/simulate.h"

#include <curl/curl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "arena.h"
#include "clock.h"
#include "intake/json.h"

#define ANSWER_MAX 65536
#define TIMEOUT_MS 10000L
#define PASS_US 5000             /* between two looks at a fetch that is under way */
#define RETRY_US 1000000         /* after one that failed */
#define MARGIN_MAX_MS 60000U     /* a token is renewed so long before it expires, */
#define MARGIN_SHARE 4U          /* or at the last quarter of a short life */
#define EXPIRES_MAX_S 1000000000 /* cut here: 30 years */

struct oauth {
    const struct oauth_options *options;
    CURLM *multi;
    CURL *easy;
    struct curl_slist *headers;
    char *form;
    bool fetching;
    bool complained; /* since the last token */
    bool fresh;      /* the token was not taken yet */
    uint64_t asked_us, due_us;
    struct oauth_answer answer;
    size_t len;
    char error[256];           /* of the last fetch; "" */
    char body[ANSWER_MAX + 1]; /* holds the answer's token */
};

bool token_is_well_formed(struct slice token)
{
    for (size_t i = 0; i < token.len; i++) {
        if (token.ptr[i] <= ' ' || token.ptr[i] > '~')
            return false;
    }
    return token.len > 0 && token.len <= TOKEN_MAX;
}

/* The text of a string's token, in place. Tokens need no escapes but those that some writers love. */
static bool unquote(struct slice quoted, struct slice *text)
{
    if (quoted.len < 2 || quoted.ptr[0] != '"')
        return false;
    char *start = (char *)(uintptr_t)quoted.ptr + 1, *out = start;
    for (const char *in = start; in < quoted.ptr + quoted.len - 1; in++) {
        if (*in == '\\' && *++in != '/' && *in != '"' && *in != '\\')
            return false;
        *out++ = *in;
    }
    *text = (struct slice){start, (size_t)(out - start)};
    return true;
}

/* Seconds, as a number or, as some do, in a string. The text ends somewhere behind the value. */
static uint64_t read_expires_ms(struct slice value)
{
    const char *text = value.ptr + (value.len > 0 && value.ptr[0] == '"' ? 1 : 0);
    double seconds = strtod(text, NULL);
    if (!(seconds > 0))
        return 0;
    return (uint64_t)((seconds < EXPIRES_MAX_S ? seconds : EXPIRES_MAX_S) * 1000);
}

bool oauth_read_answer(char *body, size_t len, struct oauth_answer *answer, const char **words)
{
    struct arena arena;
    struct json json;
    struct json_name name;
    struct slice token = SLICE_ABSENT, value;
    bool first = true, ok = true;
    enum json_step step;

    *answer = (struct oauth_answer){.expires_ms = 0};
    *words = "no JSON object";
    arena_init(&arena, NULL);
    json_init(&json, (struct slice){body, len}, &arena);
    if (json_peek(&json) != '{') {
        arena_free(&arena);
        return false;
    }
    json_enter(&json);
    while ((step = json_next_member(&json, &first, &name)) == JSON_STEP_NEXT) {
        json_peek(&json);
        if (!json_skip(&json, 1, &value))
            break;
        if (slice_equal(name.token, SLICE_LITERAL("\"access_token\"")))
            token = value;
        else if (slice_equal(name.token, SLICE_LITERAL("\"expires_in\"")))
            answer->expires_ms = read_expires_ms(value);
    }
    ok = step == JSON_STEP_END && json_finish(&json);
    arena_free(&arena);
    if (!ok)
        return false;
    *words = "no access_token that can stand in a header";
    return slice_present(token) && unquote(token, &answer->token) && token_is_well_formed(answer->token);
}

uint64_t oauth_renew_after_ms(const struct oauth_options *options, uint64_t expires_ms)
{
    if (options->renew_ms > 0)
        return options->renew_ms;
    uint64_t margin_ms = expires_ms / MARGIN_SHARE;
    return expires_ms - (margin_ms < MARGIN_MAX_MS ? margin_ms : MARGIN_MAX_MS);
}

/* Adds "name=value" to a form; false when out of memory. A NULL value is left out. */
static bool form_add(char **form, const char *name, const char *value)
{
    if (value == NULL)
        return true;
    char *encoded = curl_easy_escape(NULL, value, 0), *longer = NULL;
    int len = encoded == NULL ? -1 : asprintf(&longer, "%s&%s=%s", *form, name, encoded);
    curl_free(encoded);
    if (len < 0)
        return false;
    free(*form);
    *form = longer;
    return true;
}

char *oauth_make_form(const struct oauth_options *options)
{
    char *form = strdup("grant_type=client_credentials");
    if (form != NULL && form_add(&form, "resource", options->resource) &&
        form_add(&form, "audience", options->audience) && form_add(&form, "scope", options->scope))
        return form;
    free(form);
    return NULL;
}

char *oauth_make_authorization(const struct oauth_options *options)
{
    static const char head[] = "authorization: Basic ";
    char *id = curl_easy_escape(NULL, options->client_id, 0), *line = NULL, *pair = NULL;
    char *secret = curl_easy_escape(NULL, options->client_secret, 0);
    int len = id == NULL || secret == NULL ? -1 : asprintf(&pair, "%s:%s", id, secret);
    if (len >= 0) {
        line = malloc(sizeof head + ((size_t)len + 2) / 3 * 4);
        if (line != NULL) {
            memcpy(line, head, sizeof head);
            EVP_EncodeBlock((unsigned char *)line + sizeof head - 1, (const unsigned char *)pair, len);
        }
        OPENSSL_cleanse(pair, (size_t)len);
        free(pair);
    }
    if (secret != NULL)
        OPENSSL_cleanse(secret, strlen(secret));
    curl_free(secret);
    curl_free(id);
    return line;
}

static size_t on_body(char *data, size_t size, size_t count, void *userdata)
{
    struct oauth *oauth = userdata;
    size_t total = size * count;
    if (total > ANSWER_MAX - oauth->len)
        return 0; /* too much: the transfer fails */
    memcpy(oauth->body + oauth->len, data, total);
    oauth->len += total;
    return total;
}

static bool oauth_add_header(struct oauth *oauth, const char *line)
{
    struct curl_slist *longer = line != NULL ? curl_slist_append(oauth->headers, line) : NULL;
    if (longer == NULL)
        return false;
    oauth->headers = longer;
    return true;
}

struct oauth *oauth_create(const struct oauth_options *options)
{
    struct oauth *oauth = calloc(1, sizeof *oauth);
    if (oauth == NULL)
        return NULL;
    oauth->options = options;
    oauth->multi = curl_multi_init();
    CURL *easy = oauth->easy = curl_easy_init();
    oauth->form = oauth_make_form(options);
    char *authorization = oauth_make_authorization(options);
    bool ok = oauth->multi != NULL && easy != NULL && oauth->form != NULL &&
              oauth_add_header(oauth, authorization) && oauth_add_header(oauth, "accept: application/json");
    if (authorization != NULL)
        OPENSSL_cleanse(authorization, strlen(authorization));
    free(authorization);
    if (!ok) {
        oauth_free(oauth);
        return NULL;
    }

    long verify = options->insecure ? 0L : 1L;
    ok &= curl_easy_setopt(easy, CURLOPT_URL, options->token_url) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_POSTFIELDS, oauth->form) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, oauth->headers) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, TIMEOUT_MS) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, verify) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, verify * 2) == CURLE_OK;
    if (options->ca != NULL)
        ok &= curl_easy_setopt(easy, CURLOPT_CAINFO, options->ca) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK;
    ok &= curl_easy_setopt(easy, CURLOPT_WRITEDATA, oauth) == CURLE_OK;
    if (!ok) {
        oauth_free(oauth);
        return NULL;
    }
    return oauth;
}

void oauth_free(struct oauth *oauth)
{
    if (oauth == NULL)
        return;
    if (oauth->fetching)
        curl_multi_remove_handle(oauth->multi, oauth->easy);
    curl_easy_cleanup(oauth->easy);
    curl_multi_cleanup(oauth->multi);
    if (oauth->headers != NULL)
        OPENSSL_cleanse(oauth->headers->data, strlen(oauth->headers->data));
    curl_slist_free_all(oauth->headers);
    free(oauth->form);
    OPENSSL_cleanse(oauth->body, sizeof oauth->body);
    free(oauth);
}

static void oauth_start(struct oauth *oauth, uint64_t now_us)
{
    oauth->len = 0;
    oauth->fresh = false;
    oauth->asked_us = now_us;
    oauth->error[0] = '\0';
    oauth->fetching = curl_multi_add_handle(oauth->multi, oauth->easy) == CURLM_OK;
    if (!oauth->fetching)
        snprintf(oauth->error, sizeof oauth->error, "out of memory");
}

/* The fetch has ended. */
static void oauth_finish(struct oauth *oauth, CURLcode code)
{
    long status = 0;
    const char *words;
    oauth->fetching = false;
    curl_easy_getinfo(oauth->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_multi_remove_handle(oauth->multi, oauth->easy);
    oauth->body[oauth->len] = '\0';
    if (code != CURLE_OK)
        snprintf(oauth->error, sizeof oauth->error, "%s",
                 code == CURLE_WRITE_ERROR ? "the answer is too large" : curl_easy_strerror(code));
    else if (status != 200)
        snprintf(oauth->error, sizeof oauth->error, "status %ld", status);
    else if (!oauth_read_answer(oauth->body, oauth->len, &oauth->answer, &words))
        snprintf(oauth->error, sizeof oauth->error, "%s", words);
    else
        oauth->fresh = true;
}

/* Steps on; true once no fetch is under way. */
static bool oauth_step(struct oauth *oauth)
{
    int running, left;
    CURLMsg *message;
    if (!oauth->fetching)
        return true;
    curl_multi_perform(oauth->multi, &running);
    while ((message = curl_multi_info_read(oauth->multi, &left)) != NULL) {
        if (message->msg == CURLMSG_DONE) {
            oauth_finish(oauth, message->data.result);
            break; /* there is only one, and the message is gone with its handle */
        }
    }
    return !oauth->fetching;
}

static void oauth_schedule(struct oauth *oauth)
{
    uint64_t after_ms = oauth_renew_after_ms(oauth->options, oauth->answer.expires_ms);
    oauth->due_us = after_ms > 0 ? oauth->asked_us + after_ms * 1000 : CLIENT_NEVER;
}

bool oauth_begin(struct oauth *oauth, char *errstr, size_t errstr_size)
{
    oauth_start(oauth, clock_monotonic_us());
    while (!oauth_step(oauth))
        curl_multi_poll(oauth->multi, NULL, 0, 100, NULL);
    if (!oauth->fresh) {
        snprintf(errstr, errstr_size, "no token from %s: %s", oauth->options->token_url, oauth->error);
        return false;
    }
    oauth_schedule(oauth);
    return true;
}

uint64_t oauth_run(struct oauth *oauth, uint64_t now_us)
{
    if (!oauth->fetching) {
        if (now_us < oauth->due_us)
            return oauth->due_us;
        oauth_start(oauth, now_us);
    }
    if (!oauth_step(oauth))
        return now_us + PASS_US;
    if (oauth->fresh) {
        oauth->complained = false;
        oauth_schedule(oauth);
    } else {
        if (!oauth->complained)
            fprintf(stderr, "marketo-bridge simulate: the token is not renewed: %s: %s; trying on\n",
                    oauth->options->token_url, oauth->error);
        oauth->complained = true;
        oauth->due_us = now_us + RETRY_US;
    }
    return oauth->due_us;
}

bool oauth_take_token(struct oauth *oauth, struct slice *token)
{
    bool fresh = oauth->fresh;
    *token = oauth->answer.token;
    oauth->fresh = false;
    return fresh;
}
