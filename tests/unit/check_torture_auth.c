// SPDX-License-Identifier: Apache-2.0
//
// Every allocation of who-may-come-in failing: the verdict is the one that it is with memory enough,
// or "unavailable"; never an ALLOW that is wrong, and never a DENY that only lack of memory has made.
// What is fetched is there at once (the linker's --wrap stands before the fetcher), so that reading it
// is tortured as well.
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/auth.h"
#include "auth/introspection.h"
#include "auth/introspection_internal.h"
#include "auth/issuer.h"
#include "auth/jwt_fixture.h"
#include "auth/key_fixture.h"
#include "check_torture_auth.h"
#include "telemetry/log.h"

#define KEY_PATH "/prod/keys/one.pem"
#define OTHER_PATH "/prod/keys/two.pem"
#define BODY "{\"event\":1}"

/* ---- one that fetches nothing ------------------------------------------------------------ */

static const char *jwks_text;

static const struct {
    const char *kind;
    const char *url_end;
    const char *body;
} answers[] = {
    {"jwks", "", NULL},
    {"discovery", "", "{\"issuer\":\"" JWT_ISSUER "\",\"jwks_uri\":\"https://idp.example/keys\"}"},
    {"introspection", "", "{\"active\":true,\"client_id\":\"marketo\",\"aud\":[\"x\",\"" JWT_AUDIENCE "\"]}"},
    {"key", KEY_PATH, NULL},
};

static void fake_start(struct fetcher *fetcher, struct fetch *fetch)
{
    (void)fetcher;
    fetch->status = 404;
    fetch->body = SLICE_LITERAL("no");
    for (int i = 0; i < COUNT(answers); i++) {
        size_t length = strlen(fetch->url), end = strlen(answers[i].url_end);
        if (strcmp(fetch->kind, answers[i].kind) != 0 || length < end ||
            strcmp(fetch->url + length - end, answers[i].url_end) != 0)
            continue;
        fetch->status = 200;
        fetch->body = slice_of(answers[i].body);
        if (strcmp(fetch->kind, "jwks") == 0)
            fetch->body = slice_of(jwks_text);
        if (strcmp(fetch->kind, "key") == 0)
            fetch->body = slice_of(test_pem(0));
    }
    fetch->done(fetch);
}

static void fake_task(struct fetcher *fetcher, struct fetch_task *task)
{
    (void)fetcher, (void)task;
}

static struct fetcher fake = {.start = fake_start, .add_task = fake_task, .remove_task = fake_task};

struct fetcher *__wrap_fetcher_create(struct metrics *metrics, char *errstr, size_t errstr_size);
void __wrap_fetcher_stop(struct fetcher *fetcher);
void __wrap_fetcher_free(struct fetcher *fetcher);

struct fetcher *__wrap_fetcher_create(struct metrics *metrics, char *errstr, size_t errstr_size)
{
    (void)metrics, (void)errstr, (void)errstr_size;
    return &fake;
}

void __wrap_fetcher_stop(struct fetcher *fetcher)
{
    (void)fetcher;
}

void __wrap_fetcher_free(struct fetcher *fetcher)
{
    (void)fetcher;
}

/* ---- what is done over and over ---------------------------------------------------------- */

static size_t arm_n;
static enum torture_mode arm_mode;

void arm(void)
{
    torture_arm(arm_n, arm_mode);
}

static bool run(scenario_run *scenario, const void *data, size_t n, enum torture_mode mode,
                char outcome[OUTCOME_MAX], long *left)
{
    arm_n = n;
    arm_mode = mode;
    torture_begin(0, TORTURE_ONCE);
    scenario(data, outcome);
    torture_relent();
    /* OpenSSL's errors and random numbers of this thread. */
    OPENSSL_thread_stop();
    return torture_end(left);
}

bool is_unavailable(const char *outcome)
{
    return strcmp(outcome, NO_MEMORY) == 0 || strncmp(outcome, "unavailable ", 12) == 0;
}

/* cjose 0.6.2.1 loses what it has of a key when memory is too short for the rest (src/jwk.c): a few times
 * where a set is read, a few blocks each. Anything else is a leak of ours. */
#define LOST_BLOCKS_MAX 8
#define LOST_MAX 12

#ifdef __SANITIZE_ADDRESS__
#define PEM_STRIDE 7
#else
#define PEM_STRIDE 1
#endif

static void torture_by(scenario_run *scenario, const void *data, const char *expected, size_t lost_max,
                       size_t stride)
{
    char outcome[OUTCOME_MAX];
    size_t lost = 0;
    long left;
    /* Twice: what libraries make once and keep is there afterwards. */
    for (int i = 0; i < 2; i++)
        ck_assert(!run(scenario, data, 0, TORTURE_ONCE, outcome, &left));
    ck_assert_str_eq(outcome, expected);
    ck_assert_int_eq(left, 0);
    for (int mode = TORTURE_ONCE; mode <= TORTURE_ONWARDS; mode++) {
        size_t n = 1, short_of = 0;
        for (bool failed = true; failed; n += stride) {
            ck_assert_uint_lt(n, ALLOCATIONS_MAX);
            failed = run(scenario, data, n, (enum torture_mode)mode, outcome, &left);
            bool right = strcmp(outcome, expected) == 0;
            ck_assert_msg(right || (failed && is_unavailable(outcome)),
                          "allocation %zu, mode %d: '%s' instead of '%s'", n, mode, outcome, expected);
            ck_assert_msg(left == 0 || (lost_max > 0 && left > 0 && left <= LOST_BLOCKS_MAX),
                          "allocation %zu, mode %d: %ld blocks left", n, mode, left);
            lost += left != 0;
            short_of += !right;
        }
        ck_assert_uint_gt(n, 2);
        ck_assert_uint_le(lost, lost_max);
        if (!is_unavailable(expected))
            ck_assert_uint_ge(short_of, 1);
    }
}

void torture(scenario_run *scenario, const void *data, const char *expected)
{
    torture_by(scenario, data, expected, 0, 1);
}

void torture_some(scenario_run *scenario, const void *data, const char *expected)
{
    torture_by(scenario, data, expected, 0, PEM_STRIDE);
}

/* For scenarios that read a set. */
static void torture_with_keys(scenario_run *scenario, const void *data, const char *expected)
{
    torture_by(scenario, data, expected, LOST_MAX, 1);
}

void say_verdict(char outcome[OUTCOME_MAX], enum auth_verdict verdict, const char *reason)
{
    static const char *const names[] = {"allow", "deny", "unavailable", "pending"};
    snprintf(outcome, OUTCOME_MAX, "%s%s%s", names[verdict], verdict == AUTH_ALLOW ? "" : " ",
             verdict == AUTH_ALLOW || reason == NULL ? "" : reason);
}

static void on_wake(struct auth_wait *wait)
{
    ((struct request *)wait)->woken++;
}

static const struct auth_now now = {.ms = 1000000, .wall_ms = (int64_t)JWT_NOW_S * 1000};
static char client_one[] = "other", client_two[] = "marketo";
static char *const clients[] = {client_one, client_two};
static const struct jwt_rules rules = {
    .issuer = JWT_ISSUER, .audience = JWT_AUDIENCE, .allowed_clients = clients, .allowed_client_count = 2};

/* ---- tokens -------------------------------------------------------------------------------- */

#define EXPIRED                                                                                              \
    "{\"iss\":\"" JWT_ISSUER "\",\"aud\":[\"" JWT_AUDIENCE "\"],\"exp\":1600000000,\"azp\":\"other\"}"
#define LONG_CLAIMS                                                                                          \
    "{\"iss\":\"" JWT_ISSUER "\",\"aud\":[\"a\",\"b\",\"" JWT_AUDIENCE                                       \
    "\"],\"exp\":1.7000003e9,\"client_id\":\"marketo\",\"a\":{\"b\":[1,2,3,{\"c\":"                          \
    "\"\\u00e4\\ud83d\\ude00\"}]}"                                                                           \
    ",\"d\":1,\"e\":2,\"f\":3,\"g\":4,\"h\":5,\"i\":6,\"j\":7,\"k\":8,\"l\":9}"

static const struct token_case {
    enum jwt_key key;
    const char *alg, *header, *claims, *expected;
} token_cases[] = {
    {KEY_RSA, "RS256", "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"at+jwt\"}", JWT_CLAIMS, "allow"},
    {KEY_RSA, "PS384", "{\"alg\":\"PS384\",\"kid\":\"rsa\"}", LONG_CLAIMS, "allow"},
    {KEY_P256, "ES256", "{\"alg\":\"ES256\",\"kid\":\"ec\"}", JWT_CLAIMS, "allow"},
    {KEY_P521, "ES512", "{\"alg\":\"ES512\"}", JWT_CLAIMS, "allow"},
    {KEY_RSA, "RS512", "{\"alg\":\"RS512\",\"kid\":\"rsa\"}", EXPIRED, "deny expired"},
    {KEY_RSA, "RS256", "{\"alg\":\"RS256\",\"kid\":\"rsa\"}", "{\"iss\":\"x\"}", "deny wrong_issuer"},
    {KEY_RSA, "RS256", "{\"alg\":\"RS256\",\"kid\":\"rsa\"}", "{\"iss\"", "deny bad_jwt"},
    {KEY_UNKNOWN, "RS256", "{\"alg\":\"RS256\",\"kid\":\"rsa\"}", JWT_CLAIMS, "deny bad_signature"},
    {KEY_UNKNOWN, "PS256", "{\"alg\":\"PS256\",\"kid\":\"rsa\"}", JWT_CLAIMS, "deny bad_signature"},
    {KEY_P256, "ES256", "{\"alg\":\"RS256\",\"kid\":\"rsa\"}", JWT_CLAIMS, "deny bad_signature"},
    {KEY_RSA, "RS256", "{\"alg\":\"HS256\",\"kid\":\"rsa\"}", JWT_CLAIMS, "deny wrong_algorithm"},
    {KEY_RSA, "RS256", "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"crit\":[\"x\"]}", JWT_CLAIMS, "deny bad_jwt"},
    {KEY_RSA, "RS256", "{\"alg\":\"RS256\",\"kid\":\"gone\"}", JWT_CLAIMS, "deny unknown_kid"},
    {KEY_UNKNOWN, "RS256", "{\"alg\":\"RS256\"}", JWT_CLAIMS, "deny unknown_kid"},
};

static struct slice make_token(const struct token_case *token)
{
    return slice_of(strdup(jwt_token(token->key, token->alg, token->header, token->claims)));
}

struct jwt_data {
    struct slice token;
    struct jwks *jwks;
};

static void judge_jwt(const void *data, char outcome[OUTCOME_MAX])
{
    const struct jwt_data *jwt = data;
    const char *reason = NULL;
    char kid[64];
    arm();
    enum jwt_result result = jwt_judge(jwt->token, jwt->jwks, &rules, now.wall_ms, &reason, kid, sizeof kid);
    torture_relent();
    if (result == JWT_NO_MEMORY)
        snprintf(outcome, OUTCOME_MAX, NO_MEMORY);
    else
        say_verdict(outcome, result == JWT_VALID ? AUTH_ALLOW : AUTH_DENY, reason);
}

START_TEST(test_jwt)
{
    char errstr[128];
    size_t ignored;
    struct jwt_data data = {make_token(&token_cases[_i]), NULL};
    data.jwks = jwks_read(slice_of(jwks_text), &ignored, errstr, sizeof errstr);
    ck_assert_ptr_nonnull(data.jwks);
    torture(judge_jwt, &data, token_cases[_i].expected);
    jwks_release(data.jwks);
    free((char *)(uintptr_t)data.token.ptr);
}
END_TEST

static void judge_until_decided(const struct auth *auth, struct issuer *issuer, struct introspection *asked,
                                struct auth_request *request, char outcome[OUTCOME_MAX])
{
    struct request wait = {.wait.wake = on_wake};
    enum auth_verdict verdict = AUTH_PENDING;
    const char *reason = NULL;
    unsigned pending = 0;
    for (; verdict == AUTH_PENDING && pending < 10; pending += verdict == AUTH_PENDING) {
        if (auth != NULL)
            verdict = auth_judge(auth, request, &now, &wait.wait, &reason);
        else if (issuer != NULL)
            verdict = issuer_judge(issuer, request->authorization, &rules, &now, &wait.wait, &reason);
        else
            verdict =
                introspection_judge(asked, request->authorization, &rules, false, &now, &wait.wait, &reason);
    }
    torture_relent();
    say_verdict(outcome, verdict, reason);
    if (wait.woken != pending)
        snprintf(outcome, OUTCOME_MAX, "woken %u times of %u", wait.woken, pending);
}

static void judge_at_issuer(const void *data, char outcome[OUTCOME_MAX])
{
    const struct jwt_data *jwt = data;
    struct auth_request request = {.authorization = jwt->token};
    arm();
    struct issuer *issuer = issuer_create(&fake, JWT_ISSUER, NULL);
    if (issuer == NULL)
        snprintf(outcome, OUTCOME_MAX, NO_MEMORY);
    else
        judge_until_decided(NULL, issuer, NULL, &request, outcome);
    torture_relent();
    issuer_free(issuer);
}

/* Discovery and the set included. */
START_TEST(test_issuer)
{
    struct jwt_data data = {make_token(&token_cases[_i]), NULL};
    torture_with_keys(judge_at_issuer, &data, token_cases[_i].expected);
    free((char *)(uintptr_t)data.token.ptr);
}
END_TEST

static void read_jwks(const void *data, char outcome[OUTCOME_MAX])
{
    char errstr[128] = "";
    size_t ignored;
    arm();
    struct jwks *jwks = jwks_read(slice_of(data), &ignored, errstr, sizeof errstr);
    torture_relent();
    if (jwks != NULL)
        snprintf(outcome, OUTCOME_MAX, "%zu keys, %zu ignored, %d", jwks_count(jwks), ignored,
                 jwks_has(jwks, SLICE_LITERAL("rsa")));
    else
        snprintf(outcome, OUTCOME_MAX, "%s", strcmp(errstr, "out of memory") == 0 ? NO_MEMORY : errstr);
    jwks_release(jwks);
}

START_TEST(test_jwks)
{
    torture_with_keys(read_jwks, jwks_text, "3 keys, 2 ignored, 1");
    torture_with_keys(read_jwks, "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}",
                      "no key in it can verify a signature");
    torture_with_keys(read_jwks, "{\"key\":[]}", "no array \"keys\" in it");
}
END_TEST

/* ---- introspection ---------------------------------------------------------------------- */

static void read_answer(const void *data, char outcome[OUTCOME_MAX])
{
    struct introspection_answer *answer;
    const char *error = NULL;
    arm();
    enum introspection_kind kind = introspection_answer_read(slice_of(data), &answer, &error);
    torture_relent();
    if (kind == INTROSPECTION_UNUSABLE)
        snprintf(outcome, OUTCOME_MAX, "%s", strcmp(error, "out of memory") == 0 ? NO_MEMORY : error);
    else if (kind == INTROSPECTION_INACTIVE)
        snprintf(outcome, OUTCOME_MAX, "inactive");
    else
        snprintf(outcome, OUTCOME_MAX, "%s %s %s %zu %lld %lld", answer->issuer, answer->client_id,
                 answer->azp, answer->audience_count, (long long)answer->exp_ms, (long long)answer->nbf_ms);
    free(answer);
}

START_TEST(test_introspection_answer)
{
    torture(read_answer,
            "{\"active\":true,\"iss\":\"\\u0069\",\"client_id\":\"c\",\"azp\":\"a\",\"aud\":[\"x\",\"y\"],"
            "\"exp\":5,\"nbf\":1.5,\"b\":1,\"c\":2,\"d\":3,\"e\":{\"f\":[[]]},\"g\":4}",
            "i c a 2 5000 1500");
    torture(read_answer, "{\"active\":false,\"x\":[1,2,3]}", "inactive");
    torture(read_answer, "{\"active\":true,\"exp\":\"5\"}", "a member of the wrong type");
    torture(read_answer, "{}", "no JSON object with a boolean \"active\"");
}
END_TEST

static void judge_opaque(const void *data, char outcome[OUTCOME_MAX])
{
    struct auth_request request = {.authorization = slice_of(data)};
    arm();
    struct introspection *asked =
        introspection_create(&fake, "https://idp.example/introspect", "bridge", "secret");
    if (asked == NULL)
        snprintf(outcome, OUTCOME_MAX, NO_MEMORY);
    else
        judge_until_decided(NULL, NULL, asked, &request, outcome);
    torture_relent();
    introspection_free(asked);
}

START_TEST(test_introspection)
{
    torture(judge_opaque, "opaque", "allow");
}
END_TEST

/* ---- an endpoint's guard ---------------------------------------------------------------- */

struct guard_data {
    struct config_endpoint endpoint;
    struct auth_request request;
    int leaf; /* -1: none */
};

static void judge_at_guard(const void *data, char outcome[OUTCOME_MAX])
{
    const struct guard_data *guard = data;
    struct auth_request request = guard->request;
    char errstr[128];
    request.certificate = guard->leaf < 0 ? NULL : X509_dup(leaves[guard->leaf].certificate);
    ERR_clear_error();
    arm();
    struct auth_service *service = auth_service_create(NULL, errstr, sizeof errstr);
    struct auth *auth = service == NULL ? NULL : auth_create(service, &guard->endpoint);
    if (auth == NULL)
        snprintf(outcome, OUTCOME_MAX, NO_MEMORY);
    else
        judge_until_decided(auth, NULL, NULL, &request, outcome);
    torture_relent();
    if (auth != NULL)
        auth_free(auth);
    if (service != NULL) {
        auth_service_stop(service);
        auth_service_free(service);
    }
    X509_free(request.certificate);
}

static char issuer_url[] = JWT_ISSUER, audience[] = JWT_AUDIENCE, jwks_url[] = "https://idp.example/keys",
            introspection_url[] = "https://idp.example/introspect", client_id[] = "bridge",
            client_secret[] = "secret", key_base[] = KEY_BASE, good_name[] = "spiffe://a/b",
            wrong_name[] = "spiffe://a/c", one_token[] = "a long token", other_token[] = "another one";
static char *static_tokens[] = {one_token, other_token}, *good_names[] = {good_name},
            *wrong_names[] = {wrong_name};

/* An endpoint that asks for everything, and a request that shows it. */
static struct guard_data guard_make(const char *token, const char *signature)
{
    struct guard_data data = {.endpoint = {.tokens = static_tokens,
                                           .token_count = COUNT(static_tokens),
                                           .oauth = {.issuer = issuer_url,
                                                     .audience = audience,
                                                     .jwks_url = jwks_url,
                                                     .introspection_url = introspection_url,
                                                     .client_id = client_id,
                                                     .client_secret = client_secret,
                                                     .allowed_clients = (char **)(uintptr_t)clients,
                                                     .allowed_client_count = COUNT(clients)},
                                           .signature = true,
                                           .key_base = key_base,
                                           .client_names = good_names,
                                           .client_name_count = COUNT(good_names)},
                              .request = {.authorization = slice_of(token),
                                          .signature = {.signature = {slice_of(signature), SLICE_ABSENT},
                                                        .key_path = {SLICE_LITERAL(KEY_PATH), SLICE_ABSENT},
                                                        .body = SLICE_LITERAL(BODY)},
                                          .certificate_verdict = AUTH_ALLOW},
                              .leaf = LEAF_GOOD};
    return data;
}

START_TEST(test_guard_token)
{
    char good[SIGNATURE_TEXT_MAX], bad[SIGNATURE_TEXT_MAX];
    sign_body(test_key(0), SLICE_LITERAL(BODY), good);
    sign_body(test_key(1), SLICE_LITERAL(BODY), bad);
    struct guard_data data = guard_make("Bearer a long token", good);
    torture_by(judge_at_guard, &data, "allow", LOST_MAX, PEM_STRIDE);
    data = guard_make("another one", bad);
    torture_by(judge_at_guard, &data, "deny bad_signature", LOST_MAX, PEM_STRIDE);
    data = guard_make("another one", good);
    data.endpoint.client_names = wrong_names;
    torture_by(judge_at_guard, &data, "deny wrong_name", LOST_MAX, PEM_STRIDE);
    data = guard_make("Bearer wrong", good);
    data.endpoint.oauth = (struct config_oauth){.issuer = NULL};
    torture_by(judge_at_guard, &data, "deny wrong_token", LOST_MAX, PEM_STRIDE);
}
END_TEST

START_TEST(test_guard_oauth)
{
    char good[SIGNATURE_TEXT_MAX];
    sign_body(test_key(0), SLICE_LITERAL(BODY), good);
    struct guard_data data = guard_make("Bearer opaque", good);
    torture_by(judge_at_guard, &data, "allow", LOST_MAX, PEM_STRIDE);
    struct slice token = make_token(&token_cases[0]);
    data = guard_make(token.ptr, good);
    torture_by(judge_at_guard, &data, "allow", LOST_MAX, PEM_STRIDE);
    free((char *)(uintptr_t)token.ptr);
}
END_TEST

/* Of two pairs, the second is the good one; then a path that nobody knows. */
START_TEST(test_guard_signature)
{
    char good[SIGNATURE_TEXT_MAX], bad[SIGNATURE_TEXT_MAX];
    sign_body(test_key(0), SLICE_LITERAL(BODY), good);
    sign_body(test_key(1), SLICE_LITERAL(BODY), bad);
    struct guard_data data = guard_make("another one", bad);
    data.endpoint.client_name_count = 0;
    data.request.signature.signature[1] = slice_of(good);
    data.request.signature.key_path[1] = SLICE_LITERAL(KEY_PATH);
    data.leaf = -1;
    torture_by(judge_at_guard, &data, "allow", LOST_MAX, PEM_STRIDE);
    data.request.signature.signature[1] = SLICE_ABSENT;
    data.request.signature.signature[0] = slice_of(good);
    data.request.signature.key_path[0] = SLICE_LITERAL(OTHER_PATH);
    torture_by(judge_at_guard, &data, "unavailable key_unavailable", LOST_MAX, PEM_STRIDE);
}
END_TEST

static void make_all(void)
{
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT, 2); /* failures are meant here */
    jwt_keys_make();
    test_keys_make();
    make_certificates();
    jwks_text = strdup(jwt_format("{\"keys\":[%s,{\"kty\":\"oct\",\"k\":\"AAAA\",\"kid\":\"o\"},%s,%s,%s]}",
                                  jwt_jwk(KEY_RSA, "rsa", ",\"use\":\"sig\",\"key_ops\":[\"verify\"]"),
                                  jwt_jwk(KEY_P256, "ec", ",\"alg\":\"ES256\""),
                                  jwt_jwk(KEY_RSA_1024, "small", ""), jwt_jwk(KEY_P521, NULL, "")));
}

static void free_all(void)
{
    free((char *)(uintptr_t)jwks_text);
    free_certificates();
    jwt_keys_free();
}

TCase *tcase_torture_auth(void)
{
    TCase *tcase = tcase_create("auth");
    tcase_set_timeout(tcase, TORTURE_TIMEOUT_S);
    tcase_add_unchecked_fixture(tcase, make_all, free_all);
    tcase_add_loop_test(tcase, test_jwt, 0, COUNT(token_cases));
    tcase_add_loop_test(tcase, test_issuer, 0, COUNT(token_cases));
    tcase_add_test(tcase, test_jwks);
    tcase_add_test(tcase, test_introspection_answer);
    tcase_add_test(tcase, test_introspection);
    add_certificate_tests(tcase);
    tcase_add_test(tcase, test_guard_token);
    tcase_add_test(tcase, test_guard_oauth);
    tcase_add_test(tcase, test_guard_signature);
    return tcase;
}
