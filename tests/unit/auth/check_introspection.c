// SPDX-License-Identifier: Apache-2.0
//
// What is sent to an introspection endpoint, and what its answers mean.
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/introspection_internal.h"
#include "introspection_fixture.h"
#include "telemetry/log.h"

#define ACTIVE "{\"active\":true}"
#define INACTIVE "{\"active\":false}"

START_TEST(the_request_is_a_form_with_basic_credentials)
{
    struct request request = {.woken = 0};
    ck_assert_int_eq(judge_token(&request, "abc"), AUTH_PENDING);
    ck_assert_uint_eq(call_count(), 1);
    const struct fetch *fetch = call_at(0);
    ck_assert_str_eq(fetch->kind, "introspection");
    ck_assert_str_eq(fetch->url, "https://idp.example/introspect");
    ck_assert_str_eq(fetch->authorization, "Basic YnJpZGdlOnMzY3JldA=="); /* bridge:s3cret */
    ck_assert_str_eq(fetch->accept, "application/json");
    ck_assert_uint_eq(fetch->limit, 65536);
    ck_assert(slice_equal(fetch->form, SLICE_LITERAL("token=abc&token_type_hint=access_token")));
    answer_with(200, INACTIVE);
}
END_TEST

START_TEST(odd_characters_are_encoded_in_the_form)
{
    static const struct {
        const char *token, *form;
    } cases[] = {
        {"a&token=b", "token=a%26token%3Db&token_type_hint=access_token"},
        {"aB9-._*~+/=", "token=aB9-._*%7E%2B%2F%3D&token_type_hint=access_token"},
        {"a b%20", "token=a+b%2520&token_type_hint=access_token"},
        {"\xC3\xA4\x01\x7F", "token=%C3%A4%01%7F&token_type_hint=access_token"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slice form = introspection_form(slice_of(cases[i].token));
        ck_assert_msg(slice_equal(form, slice_of(cases[i].form)), "%.*s", (int)form.len, form.ptr);
        introspection_form_free(form);
    }

    /* Every byte grows as far as it can. */
    static char longest[INTROSPECTION_TOKEN_MAX];
    memset(longest, '%', sizeof longest);
    struct slice form = introspection_form((struct slice){longest, sizeof longest});
    ck_assert_uint_eq(form.len, sizeof longest * 3 + strlen("token=&token_type_hint=access_token"));
    introspection_form_free(form);
}
END_TEST

/* RFC 6749 section 2.3.1: each is encoded before they are joined. */
START_TEST(odd_characters_are_encoded_in_the_credentials)
{
    static const struct {
        const char *client_id, *client_secret, *pair;
    } cases[] = {
        {"bridge", "s3cret", "bridge:s3cret"},
        {"a:b", "c:d", "a%3Ab:c%3Ad"},
        {"urn:x y", "+/=&%", "urn%3Ax+y:%2B%2F%3D%26%25"},
        {"\xC3\xA9", "\xE2\x82\xAC", "%C3%A9:%E2%82%AC"},
        {"", "", ":"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned char pair[256];
        struct introspection_secret secret =
            introspection_secret_make(slice_of(cases[i].client_id), slice_of(cases[i].client_secret));
        ck_assert_int_eq(strncmp(secret.text, "Basic ", 6), 0);
        ck_assert_uint_lt(strlen(secret.text), secret.size);
        const char *encoded = secret.text + 6;
        int len = EVP_DecodeBlock(pair, (const unsigned char *)encoded, (int)strlen(encoded));
        ck_assert_int_ge(len, (int)strlen(cases[i].pair));
        ck_assert_str_eq((const char *)pair, cases[i].pair); /* padding comes out as zero bytes */
        introspection_secret_free(secret);
    }
}
END_TEST

static char marketo[] = "marketo", adobe[] = "adobe";
static char *clients[] = {marketo, adobe};

static const struct jwt_rules no_rules;
static const struct jwt_rules all_rules = {.issuer = "https://idp.example",
                                           .audience = "urn:bridge",
                                           .allowed_clients = clients,
                                           .allowed_client_count = 2};

/* FIXTURE_WALL_MS is 1800000000 s. */
static const struct {
    const struct jwt_rules *rules;
    const char *answer;
    const char *reason; /* NULL: let in */
} answers[] = {
    {&no_rules, ACTIVE, NULL},
    {&no_rules, INACTIVE, "inactive_token"},
    {&no_rules, "{\"active\":false,\"aud\":7,\"exp\":\"x\"}", "inactive_token"},
    {&no_rules, "{\"active\":true,\"iss\":null,\"aud\":null,\"exp\":null,\"nbf\":null}", NULL},
    {&no_rules, "{\"active\":true,\"aud\":[\"x\"],\"client_id\":\"y\",\"iss\":\"z\"}", NULL},
    /* issuer: only when it is there */
    {&all_rules, "{\"active\":true,\"aud\":\"urn:bridge\",\"azp\":\"adobe\"}", NULL},
    {&all_rules, "{\"active\":true,\"aud\":\"urn:bridge\",\"azp\":\"adobe\",\"iss\":\"https://idp.example\"}",
     NULL},
    {&all_rules,
     "{\"active\":true,\"aud\":\"urn:bridge\",\"azp\":\"adobe\",\"iss\":\"https://idp.example/\"}",
     "wrong_issuer"},
    /* audience: must be there */
    {&all_rules, "{\"active\":true,\"azp\":\"adobe\",\"aud\":[\"x\",\"urn:bridge\",\"y\"]}", NULL},
    {&all_rules, "{\"active\":true,\"azp\":\"adobe\",\"aud\":[\"x\",\"urn:bridge2\"]}", "wrong_audience"},
    {&all_rules, "{\"active\":true,\"azp\":\"adobe\",\"aud\":\"urn:bridg\"}", "wrong_audience"},
    {&all_rules, "{\"active\":true,\"azp\":\"adobe\",\"aud\":[]}", "wrong_audience"},
    {&all_rules, "{\"active\":true,\"azp\":\"adobe\"}", "wrong_audience"},
    /* clients: those that are there are all among them, and one is there */
    {&all_rules, "{\"active\":true,\"aud\":\"urn:bridge\",\"client_id\":\"marketo\"}", NULL},
    {&all_rules, "{\"active\":true,\"aud\":\"urn:bridge\",\"client_id\":\"marketo\",\"azp\":\"adobe\"}",
     NULL},
    {&all_rules, "{\"active\":true,\"aud\":\"urn:bridge\",\"client_id\":\"marketo\",\"azp\":\"eve\"}",
     "wrong_client"},
    {&all_rules, "{\"active\":true,\"aud\":\"urn:bridge\",\"client_id\":\"eve\",\"azp\":\"adobe\"}",
     "wrong_client"},
    {&all_rules, "{\"active\":true,\"aud\":\"urn:bridge\"}", "wrong_client"},
    /* times: 60 s of leeway */
    {&no_rules, "{\"active\":true,\"exp\":1799999941}", NULL},
    {&no_rules, "{\"active\":true,\"exp\":1799999940.001}", NULL},
    {&no_rules, "{\"active\":true,\"exp\":1799999940}", "expired"},
    {&no_rules, "{\"active\":true,\"exp\":0}", "expired"},
    {&no_rules, "{\"active\":true,\"exp\":-9223372036854775808}", "expired"},
    {&no_rules, "{\"active\":true,\"exp\":9223372036854775807}", NULL},
    {&no_rules, "{\"active\":true,\"exp\":1e300}", NULL},
    {&no_rules, "{\"active\":true,\"nbf\":1800000060}", NULL},
    {&no_rules, "{\"active\":true,\"nbf\":1800000060.5}", "not_yet_valid"},
    {&no_rules, "{\"active\":true,\"nbf\":1e300}", "not_yet_valid"},
    {&no_rules, "{\"active\":true,\"nbf\":-1e300}", NULL},
};

START_TEST(answers_are_judged_by_the_rules)
{
    struct request request = {.woken = 0};
    ck_assert_int_eq(judge_by(&request, "token", answers[_i].rules, false), AUTH_PENDING);
    answer_with(200, answers[_i].answer);
    enum auth_verdict verdict = judge_by(&request, "token", answers[_i].rules, false);
    if (answers[_i].reason == NULL) {
        ck_assert_msg(verdict == AUTH_ALLOW, "%s", answers[_i].answer);
    } else {
        ck_assert_msg(verdict == AUTH_DENY, "%s", answers[_i].answer);
        ck_assert_str_eq(request.reason, answers[_i].reason);
    }
}
END_TEST

/* One answer serves all endpoints. */
START_TEST(every_endpoint_judges_the_same_answer_by_its_own_rules)
{
    const struct jwt_rules other = {.audience = "urn:other"},
                           one_client = {.allowed_clients = clients, .allowed_client_count = 1};
    struct request request = {.woken = 0};
    ck_assert_int_eq(judge_by(&request, "token", &other, false), AUTH_PENDING);
    answer_with(200, "{\"active\":true,\"aud\":\"urn:bridge\",\"client_id\":\"adobe\"}");
    ck_assert_int_eq(judge_by(&request, "token", &other, false), AUTH_DENY);
    ck_assert_str_eq(request.reason, "wrong_audience");
    ck_assert_int_eq(judge_by(&request, "token", &all_rules, false), AUTH_ALLOW);
    ck_assert_int_eq(judge_by(&request, "token", &one_client, false), AUTH_DENY);
    ck_assert_str_eq(request.reason, "wrong_client");
    ck_assert_uint_eq(call_count(), 0);
}
END_TEST

static const struct {
    long status;
    const char *answer;
} unusable[] = {
    {200, ""},
    {200, "active"},
    {200, "true"},
    {200, "[true]"},
    {200, "{}"},
    {200, "{\"active\":1}"},
    {200, "{\"active\":\"true\"}"},
    {200, "{\"active\":null}"},
    {200, "{\"Active\":true}"},
    {200, "{\"active\":true"},
    {200, "{\"active\":true}x"},
    {200, "{\"active\":false,\"active\":true}"},
    {200, "{\"active\":true,\"aud\":7}"},
    {200, "{\"active\":true,\"aud\":[\"a\",7]}"},
    {200, "{\"active\":true,\"iss\":[]}"},
    {200, "{\"active\":true,\"exp\":\"1800000000\"}"},
    {200, "{\"active\":true,\"nbf\":true}"},
    {200, "{\"active\":true,\"client_id\":7}"},
    {200, "{\"active\":true,\"azp\":{}}"},
    {200, "{\"active\":true,\"iss\":\"a\\u0000b\"}"},
    {200, "<html>"},
    {201, ACTIVE},
    {204, ""},
    {302, INACTIVE},
    {400, INACTIVE},
    {401, INACTIVE},
    {403, INACTIVE},
    {429, INACTIVE},
    {500, INACTIVE},
    {503, ACTIVE},
    {0, NULL}, /* no whole answer: refused, hanging, oversize, a certificate */
};

START_TEST(what_is_no_answer_is_never_a_refusal)
{
    struct request request = {.woken = 0};
    ck_assert_int_eq(judge_token(&request, "token"), AUTH_PENDING);
    answer_with(unusable[_i].status, unusable[_i].answer);
    ck_assert_msg(judge_token(&request, "token") == AUTH_UNAVAILABLE, "%ld %s", unusable[_i].status,
                  unusable[_i].answer);
    ck_assert_str_eq(request.reason, "introspection_unavailable");
}
END_TEST

START_TEST(what_is_kept_of_an_answer_is_bounded)
{
    static char body[65536];
    struct introspection_answer *answer;
    const char *error;

    /* Just as much as is kept: the terminator counts. */
    int len =
        snprintf(body, sizeof body, "{\"active\":true,\"iss\":\"%0*d\"}", INTROSPECTION_KEPT_MAX - 1, 7);
    ck_assert_int_eq(introspection_answer_read((struct slice){body, (size_t)len}, &answer, &error),
                     INTROSPECTION_ACTIVE);
    ck_assert_uint_eq(strlen(answer->issuer), INTROSPECTION_KEPT_MAX - 1);
    free(answer);
    len = snprintf(body, sizeof body, "{\"active\":true,\"iss\":\"%0*d\"}", INTROSPECTION_KEPT_MAX, 7);
    ck_assert_int_eq(introspection_answer_read((struct slice){body, (size_t)len}, &answer, &error),
                     INTROSPECTION_UNUSABLE);

    for (int extra = 0; extra < 2; extra++) {
        FILE *out = fmemopen(body, sizeof body, "w");
        fputs("{\"active\":true,\"aud\":[\"0\"", out);
        for (int i = 1; i < INTROSPECTION_AUDIENCES_MAX + extra; i++)
            fprintf(out, ",\"%d\"", i);
        fputs("]}", out);
        fclose(out);
        enum introspection_kind kind = introspection_answer_read(slice_of(body), &answer, &error);
        ck_assert_int_eq(kind, extra == 0 ? INTROSPECTION_ACTIVE : INTROSPECTION_UNUSABLE);
        if (answer != NULL)
            ck_assert_str_eq(answer->audiences[INTROSPECTION_AUDIENCES_MAX - 1], "63");
        free(answer);
    }
}
END_TEST

START_TEST(what_cannot_be_a_token_is_not_asked_about)
{
    static char longest[INTROSPECTION_TOKEN_MAX + 2];
    memset(longest, 'a', sizeof longest - 1);
    ck_assert_str_eq(verdict_now(""), "inactive_token");
    ck_assert_str_eq(verdict_now(longest), "inactive_token");
    ck_assert_str_eq(verdict_now("with blank"), "inactive_token");
    ck_assert_str_eq(verdict_now("with\ttab"), "inactive_token");
    ck_assert_str_eq(verdict_now("\xc3\xa5"), "inactive_token");
    ck_assert_uint_eq(call_count(), 0);
    longest[INTROSPECTION_TOKEN_MAX] = '\0';
    ck_assert_ptr_null(verdict_after(longest, 200, ACTIVE));
}
END_TEST

/* All that was logged since the last time, "" when it is nothing. */
static const char *read_log(int fd)
{
    static char text[4096];
    ssize_t len = read(fd, text, sizeof text - 1);
    text[len > 0 ? len : 0] = '\0';
    return text;
}

START_TEST(an_outage_is_told_once_and_so_is_its_end)
{
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, ends[1]);

    verdict_after("some-token", 401, INACTIVE);
    const char *text = read_log(ends[0]);
    ck_assert_ptr_nonnull(strstr(text, "level=warning"));
    ck_assert_ptr_nonnull(strstr(text, "url=https://idp.example/introspect status=401"));
    ck_assert_ptr_nonnull(strstr(text, "the provider refuses client_id and client_secret"));
    ck_assert_ptr_null(strstr(text, "some-token"));
    ck_assert_ptr_null(strstr(text, "s3cret"));
    verdict_after("second-token", 0, NULL);
    ck_assert_str_eq(read_log(ends[0]), "");
    ck_assert_ptr_null(verdict_after("third-token", 200, ACTIVE));
    text = read_log(ends[0]);
    ck_assert_ptr_nonnull(strstr(text, "level=info"));
    ck_assert_ptr_nonnull(strstr(text, "introspection works again"));
    ck_assert_ptr_null(verdict_after("fourth-token", 200, ACTIVE));
    ck_assert_str_eq(read_log(ends[0]), "");

    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT, STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

Suite *suite_introspection(void)
{
    Suite *suite = suite_create("introspection");
    TCase *tcase = tcase_create("request");
    tcase_add_checked_fixture(tcase, setup_introspection, teardown_introspection);
    tcase_add_test(tcase, the_request_is_a_form_with_basic_credentials);
    tcase_add_test(tcase, odd_characters_are_encoded_in_the_form);
    tcase_add_test(tcase, odd_characters_are_encoded_in_the_credentials);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("answer");
    tcase_add_checked_fixture(tcase, setup_introspection, teardown_introspection);
    tcase_add_loop_test(tcase, answers_are_judged_by_the_rules, 0, sizeof answers / sizeof answers[0]);
    tcase_add_test(tcase, every_endpoint_judges_the_same_answer_by_its_own_rules);
    tcase_add_loop_test(tcase, what_is_no_answer_is_never_a_refusal, 0, sizeof unusable / sizeof unusable[0]);
    tcase_add_test(tcase, what_is_kept_of_an_answer_is_bounded);
    tcase_add_test(tcase, what_cannot_be_a_token_is_not_asked_about);
    tcase_add_test(tcase, an_outage_is_told_once_and_so_is_its_end);
    suite_add_tcase(suite, tcase);
    return suite;
}
