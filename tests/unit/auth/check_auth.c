// SPDX-License-Identifier: Apache-2.0
//
// Who may come in: tokens in all their spellings, `auth: none`, and what must be shown
// together. The ways that fetch have suites of their own.
#include "auth/auth.h"

#include <stdlib.h>

#include "auth/token.h"
#include "suites.h"

static char first_token[] = "s3cret-one";
static char second_token[] = "s3cret-two";
static char wordy_token[] = "Bearer of news";
static char *tokens[] = {first_token, second_token, wordy_token};

static struct metrics *metrics;
static struct auth_service *service;
static struct auth *auth;

static void make_auth(const struct config_endpoint *endpoint)
{
    if (auth != NULL)
        auth_free(auth);
    auth = auth_create(service, endpoint);
    ck_assert_ptr_nonnull(auth);
}

static void setup_auth(void)
{
    char errstr[256];
    metrics = metrics_create();
    service = auth_service_create(metrics, errstr, sizeof errstr);
    ck_assert_msg(service != NULL, "%s", errstr);
    auth = NULL;
    make_auth(&(struct config_endpoint){.tokens = tokens, .token_count = 3});
}

static void teardown_auth(void)
{
    auth_service_stop(service);
    auth_free(auth);
    auth_service_free(service);
    metrics_free(metrics);
}

/* NULL: allowed; else the reason of a refusal. */
static const char *judge_request(const struct auth_request *request)
{
    struct auth_wait wait = {.wake = NULL};
    const struct auth_now now = {.ms = 1000, .wall_ms = 1000};
    const char *reason = NULL;
    enum auth_verdict verdict = auth_judge(auth, request, &now, &wait, &reason);
    /* On an old connection another certificate may not have been shown yet. */
    ck_assert(verdict == AUTH_ALLOW || verdict == (request->old_connection ? AUTH_UNAVAILABLE : AUTH_DENY));
    ck_assert(verdict == AUTH_ALLOW || reason != NULL);
    return verdict == AUTH_ALLOW ? NULL : reason;
}

/* NULL: allowed; else the reason. The value is copied to memory of just its size,
 * so that a sanitizer sees every byte read behind it. */
static const char *judge(struct slice value)
{
    struct auth_request request = {.authorization = SLICE_ABSENT};
    char *copy = NULL;
    if (slice_present(value)) {
        copy = malloc(value.len > 0 ? value.len : 1);
        ck_assert_ptr_nonnull(copy);
        if (value.len > 0)
            memcpy(copy, value.ptr, value.len);
        request.authorization = (struct slice){copy, value.len};
    }
    const char *reason = judge_request(&request);
    free(copy);
    return reason;
}

START_TEST(tokens_come_bare_or_after_a_scheme)
{
    static const char *const good[] = {
        "s3cret-one",          "s3cret-two",
        "Bearer s3cret-one",   "bearer s3cret-two",
        "BEARER   s3cret-one", "Token s3cret-one",
        "tOkEn\ts3cret-two",   "  Bearer  s3cret-one  ",
        "Bearer of news",      "Bearer Bearer of news",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ck_assert_msg(judge(slice_of(good[i])) == NULL, "%s", good[i]);
}
END_TEST

START_TEST(wrong_tokens_are_denied)
{
    static const char *const bad[] = {
        "s3cret-on",
        "s3cret-one1",
        "S3CRET-ONE",
        "Bearer s3cret",
        "Bearers3cret-one",
        "Basic s3cret-one",
        "Bearer Token s3cret-one",
        "s3cret-one s3cret-two",
        "Tokens3cret-one",
        "x",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_str_eq(judge(slice_of(bad[i])), "wrong_token");
    ck_assert_str_eq(judge(SLICE_LITERAL("s3cret-one\0")), "wrong_token");
}
END_TEST

START_TEST(nothing_offered_is_another_reason)
{
    ck_assert_str_eq(judge(SLICE_ABSENT), "no_credentials");
    ck_assert_str_eq(judge(SLICE_LITERAL("")), "no_credentials");
    ck_assert_str_eq(judge(SLICE_LITERAL(" \t ")), "no_credentials");
    ck_assert_str_eq(judge(SLICE_LITERAL("Bearer")), "no_credentials");
    ck_assert_str_eq(judge(SLICE_LITERAL("token ")), "no_credentials");
}
END_TEST

START_TEST(none_lets_everybody_in)
{
    make_auth(&(struct config_endpoint){.auth_none = true});
    ck_assert_ptr_null(judge(SLICE_ABSENT));
    ck_assert_ptr_null(judge(SLICE_LITERAL("whatever")));
    ck_assert(!auth_wants_authorization(auth));
}
END_TEST

START_TEST(no_way_and_not_none_lets_nobody_in)
{
    make_auth(&(struct config_endpoint){.auth_none = false});
    ck_assert_str_eq(judge(SLICE_LITERAL("x")), "no_credentials");
    ck_assert_str_eq(judge(SLICE_ABSENT), "no_credentials");
}
END_TEST

START_TEST(a_repeated_header_is_none)
{
    struct auth_request request = {.authorization = slice_of(first_token), .repeated_authorization = true};
    ck_assert_str_eq(judge_request(&request), "repeated_header");
    /* Adobe's headers mean nothing to an endpoint that asks for a token only. */
    request = (struct auth_request){.authorization = slice_of(first_token), .repeated_signature = true};
    ck_assert_ptr_null(judge_request(&request));
}
END_TEST

static char name[] = "client.example.com";
static char *names[] = {name};

START_TEST(what_is_configured_must_be_shown_together)
{
    make_auth(&(struct config_endpoint){
        .tokens = tokens, .token_count = 1, .client_names = names, .client_name_count = 1});
    struct auth_request request = {.authorization = slice_of(first_token)};
    ck_assert_str_eq(judge_request(&request), "no_certificate");
    X509 *certificate = X509_new();
    ck_assert_ptr_nonnull(certificate);
    request.certificate = certificate;
    request.certificate_verdict = AUTH_DENY;
    request.certificate_reason = "certificate_expired";
    ck_assert_str_eq(judge_request(&request), "certificate_expired");
    request.old_connection = true;
    ck_assert_str_eq(judge_request(&request), "certificate_expired");
    request.certificate_verdict = AUTH_ALLOW;
    ck_assert_str_eq(judge_request(&request), "wrong_name");
    request.old_connection = false;
    ck_assert_str_eq(judge_request(&request), "wrong_name");
    X509_NAME *subject = X509_get_subject_name(certificate);
    ck_assert_int_eq(
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0), 1);
    ck_assert_ptr_null(judge_request(&request));
    request.authorization = SLICE_ABSENT;
    ck_assert_str_eq(judge_request(&request), "no_credentials");
    request.authorization = slice_of(second_token);
    ck_assert_str_eq(judge_request(&request), "wrong_token");
    X509_free(certificate);
}
END_TEST

static char recipient[] = "client_id1", other_recipient[] = "client_id2", key_base[] = "https://127.0.0.1:1";
static char *recipients[] = {recipient, other_recipient};

START_TEST(a_signature_is_asked_for_with_recipients)
{
    make_auth(&(struct config_endpoint){
        .signature = true, .key_base = key_base, .recipients = recipients, .recipient_count = 2});
    struct auth_request request = {.authorization = slice_of(first_token)};
    ck_assert_str_eq(judge_request(&request), "no_signature");
    request.repeated_signature = true;
    ck_assert_str_eq(judge_request(&request), "repeated_header");
    ck_assert(auth_wants_recipients(auth));
    ck_assert(auth_is_recipient(auth, SLICE_LITERAL("client_id2")));
    ck_assert(!auth_is_recipient(auth, SLICE_LITERAL("client_id")));
    ck_assert(!auth_is_recipient(auth, SLICE_LITERAL("")));
    ck_assert(!auth_wants_authorization(auth));
}
END_TEST

/* The FIPS 180 vector for "abc": what is kept is SHA-256 and nothing else. */
START_TEST(digests_are_sha256)
{
    static const unsigned char expected[TOKEN_DIGEST_SIZE] = {
        0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
        0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    struct token_digest digest;
    ck_assert(token_digest(SLICE_LITERAL("abc"), &digest));
    ck_assert_mem_eq(digest.bytes, expected, sizeof expected);
}
END_TEST

/* Digests that begin alike are of different tokens. */
START_TEST(every_byte_of_a_digest_counts)
{
    struct token_digest known[2];
    for (size_t i = 0; i < 2; i++)
        ck_assert(token_digest(slice_of(tokens[i]), &known[i]));
    ck_assert(token_is_known(&known[1], known, 2));
    for (size_t i = 0; i < TOKEN_DIGEST_SIZE; i++) {
        struct token_digest other = known[1];
        other.bytes[i] ^= 1;
        ck_assert_msg(!token_is_known(&other, known, 2), "byte %zu", i);
    }
}
END_TEST

Suite *suite_auth(void)
{
    Suite *suite = suite_create("auth");
    TCase *tcase = tcase_create("tokens");
    tcase_add_checked_fixture(tcase, setup_auth, teardown_auth);
    tcase_add_test(tcase, tokens_come_bare_or_after_a_scheme);
    tcase_add_test(tcase, wrong_tokens_are_denied);
    tcase_add_test(tcase, nothing_offered_is_another_reason);
    tcase_add_test(tcase, none_lets_everybody_in);
    tcase_add_test(tcase, no_way_and_not_none_lets_nobody_in);
    tcase_add_test(tcase, a_repeated_header_is_none);
    tcase_add_test(tcase, what_is_configured_must_be_shown_together);
    tcase_add_test(tcase, a_signature_is_asked_for_with_recipients);
    tcase_add_test(tcase, digests_are_sha256);
    tcase_add_test(tcase, every_byte_of_a_digest_counts);
    suite_add_tcase(suite, tcase);
    return suite;
}
