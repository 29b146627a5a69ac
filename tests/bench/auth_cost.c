// SPDX-License-Identifier: Apache-2.0
//
// What a proof costs: CPU time of each way to judge a request, beside what the library under it takes for the
// cryptography alone. Rounds of both take turns, the medians are compared. One thread.
//
//     build/tests/bench/auth_cost
#include <cjose/cjose.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "auth/auth.h"
#include "auth/jwt.h"
#include "auth/signature.h"
#include "clock.h"
#include "command/simulate.h"

#define ROUNDS 41
#define EVENTS 20
#define PATH_1 "/prod/keys/pub-key-1.pem"
#define ISSUER "https://issuer.example.com"
#define AUDIENCE "https://bridge.example.com"

__attribute__((noreturn)) static void give_up(const char *what)
{
    fprintf(stderr, "auth_cost: %s failed\n", what);
    exit(1);
}

#define NEED(what)                                                                                           \
    do {                                                                                                     \
        if (!(what))                                                                                         \
            give_up(#what);                                                                                  \
    } while (0)

static double cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
    const double *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof *values, compare);
    return values[ROUNDS / 2];
}

/* Runs `ours` and `base` in turns, `times` in a round, and prints both. base NULL: there is none. */
static void measure(const char *name, unsigned times, void (*ours)(void), void (*base)(void),
                    const char *base_name)
{
    double own[ROUNDS], other[ROUNDS], ratio[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        double begin = cpu_us();
        for (unsigned i = 0; i < times; i++)
            ours();
        own[round] = (cpu_us() - begin) / times;
        begin = cpu_us();
        for (unsigned i = 0; i < times && base != NULL; i++)
            base();
        other[round] = (cpu_us() - begin) / times;
        ratio[round] = own[round] / other[round];
    }
    printf("%-32s %8.2f us", name, median(own));
    if (base != NULL)
        printf("   %-24s %8.2f us   ratio %.2f", base_name, median(other), median(ratio));
    printf("\n");
}

/* --- tokens --- */

static struct auth *token_auth;
static struct auth_request token_request;

static void judge_token(void)
{
    const struct auth_now now = {.ms = clock_monotonic_ms(), .wall_ms = clock_wall_ms()};
    struct auth_wait wait = {.wake = NULL};
    const char *reason;
    NEED(auth_judge(token_auth, &token_request, &now, &wait, &reason) == AUTH_ALLOW);
}

static void bench_token(struct auth_service *service)
{
    static char tokens[2][32] = {"0123456789abcdef-first", "0123456789abcdef-second"};
    char *list[] = {tokens[0], tokens[1]};
    token_auth = auth_create(service, &(struct config_endpoint){.tokens = list, .token_count = 2});
    token_request.authorization = SLICE_LITERAL("Bearer 0123456789abcdef-second");
    NEED(token_auth != NULL);
    measure("static token", 20000, judge_token, NULL, NULL);
    auth_free(token_auth);
}

/* --- JWT --- */

static struct jwks *jwks;
static cjose_jwk_t *jwk;
static const char *jwt;
static const struct jwt_rules rules = {.issuer = ISSUER, .audience = AUDIENCE};

static void judge_jwt(void)
{
    const char *reason;
    char kid[64];
    NEED(jwt_judge(slice_of(jwt), jwks, &rules, clock_wall_ms(), &reason, kid, sizeof kid) == JWT_VALID);
}

static void verify_jws(void)
{
    cjose_jws_t *jws = cjose_jws_import(jwt, strlen(jwt), NULL);
    NEED(cjose_jws_verify(jws, jwk, NULL));
    cjose_jws_release(jws);
}

static void bench_jwt(const char *alg, cjose_jwk_t *key)
{
    char claims[512], document[4096], errstr[256];
    size_t ignored;
    NEED(cjose_jwk_set_kid(key, "key-1", 5, NULL));
    cjose_header_t *header = cjose_header_new(NULL);
    NEED(cjose_header_set(header, "alg", alg, NULL) && cjose_header_set(header, "kid", "key-1", NULL) &&
         cjose_header_set(header, "typ", "at+jwt", NULL));
    snprintf(claims, sizeof claims,
             "{\"iss\":\"%s\",\"aud\":\"%s\",\"sub\":\"marketo\",\"client_id\":\"marketo\",\"iat\":%lld,"
             "\"exp\":%lld,"
             "\"jti\":\"0b1c9a2e-6f3d-4a55-9d0e-3d9a1f7b2c44\",\"scope\":\"events:write\"}",
             ISSUER, AUDIENCE, (long long)(clock_wall_ms() / 1000),
             (long long)(clock_wall_ms() / 1000 + 3600));
    cjose_jws_t *jws = cjose_jws_sign(key, header, (const uint8_t *)claims, strlen(claims), NULL);
    const char *text;
    NEED(jws != NULL && cjose_jws_export(jws, &text, NULL));
    char *public = cjose_jwk_to_json(key, false, NULL);
    snprintf(document, sizeof document, "{\"keys\":[%s]}", public);
    jwks = jwks_read(slice_of(document), &ignored, errstr, sizeof errstr);
    NEED(jwks != NULL);
    jwt = text;
    jwk = cjose_jwk_import(public, strlen(public), NULL);
    NEED(jwk != NULL);
    char name[32];
    snprintf(name, sizeof name, "JWT %s", alg);
    measure(name, 1000, judge_jwt, verify_jws, "cjose import and verify");
    jwks_release(jwks);
    cjose_jwk_release(jwk);
    cjose_jwk_release(key);
    cjose_jws_release(jws);
    cjose_header_release(header);
    cjose_get_dealloc()(public);
}

/* --- Adobe's signature --- */

static struct key_store *keys;
static EVP_PKEY *private_key;
static struct signature_shown shown;
static unsigned char signature[256];
static size_t signature_length = sizeof signature;
static char pem[1024];

static void start(struct fetcher *fetcher, struct fetch *fetch)
{
    (void)fetcher;
    fetch->status = 200;
    fetch->body = slice_of(pem);
    fetch->done(fetch);
}

static void no_task(struct fetcher *fetcher, struct fetch_task *task)
{
    (void)fetcher;
    (void)task;
}

static void no_wake(struct auth_wait *wait)
{
    (void)wait;
}

static enum auth_verdict judge_once(void)
{
    const struct auth_now now = {.ms = clock_monotonic_ms(), .wall_ms = clock_wall_ms()};
    struct auth_wait wait = {.wake = no_wake};
    const char *reason;
    return signature_judge(keys, &shown, false, &now, &wait, &reason);
}

static void judge_signature(void)
{
    NEED(judge_once() == AUTH_ALLOW);
}

static void verify_signature(void)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    NEED(EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, private_key) == 1 &&
         EVP_DigestVerify(context, signature, signature_length, (const unsigned char *)shown.body.ptr,
                          shown.body.len) == 1);
    EVP_MD_CTX_free(context);
}

static void bench_signature(void)
{
    struct fetcher fetcher = {.start = start, .add_task = no_task, .remove_task = no_task};
    struct generator *generator =
        generator_create(&(struct generator_options){.sender = SENDER_ADOBE_IO,
                                                     .munchkin_id = "123-ABC-456",
                                                     .recipient = "client_id1",
                                                     .streams = {true, true, true, true},
                                                     .seed = 1});
    NEED(generator != NULL);
    char *body = malloc(generator_body_max(generator, EVENTS));
    struct body_facts facts;
    NEED(body != NULL);
    shown.body =
        (struct slice){body, generator_write(generator, 0, EVENTS, clock_wall_ms(), false, body, &facts)};

    private_key = EVP_RSA_gen(2048);
    NEED(private_key != NULL);
    BIO *bio = BIO_new(BIO_s_mem());
    NEED(PEM_write_bio_PUBKEY(bio, private_key) == 1 && BIO_read(bio, pem, sizeof pem - 1) > 0);
    BIO_free(bio);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    NEED(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, private_key) == 1 &&
         EVP_DigestSign(context, signature, &signature_length, (const unsigned char *)body, shown.body.len) ==
             1);
    EVP_MD_CTX_free(context);
    unsigned char text[400];
    int length = EVP_EncodeBlock(text, signature, (int)signature_length);
    for (int i = 0; i < 2; i++) {
        shown.signature[i] = (struct slice){(const char *)text, (size_t)length};
        shown.key_path[i] = SLICE_LITERAL(PATH_1);
    }
    keys = key_store_create(&fetcher, "https://keys.example.com");
    NEED(keys != NULL);
    NEED(judge_once() == AUTH_PENDING); /* the key is there from now on */
    char name[48];
    snprintf(name, sizeof name, "Adobe's signature, %zu bytes", shown.body.len);
    measure(name, 1000, judge_signature, verify_signature, "EVP_DigestVerify");
    key_store_free(keys);
    EVP_PKEY_free(private_key);
    free(body);
    generator_free(generator);
}

int main(void)
{
    char errstr[256];
    struct metrics *metrics = metrics_create();
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT, 2);
    struct auth_service *service = auth_service_create(metrics, errstr, sizeof errstr);
    NEED(service != NULL);
    printf("CPU time per request, median of %d rounds\n", ROUNDS);
    bench_token(service);
    static const uint8_t exponent[] = {1, 0, 1};
    bench_jwt("RS256", cjose_jwk_create_RSA_random(2048, exponent, sizeof exponent, NULL));
    bench_jwt("PS256", cjose_jwk_create_RSA_random(2048, exponent, sizeof exponent, NULL));
    bench_jwt("ES256", cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, NULL));
    bench_signature();
    auth_service_stop(service);
    auth_service_free(service);
    metrics_free(metrics);
    return 0;
}
