// SPDX-License-Identifier: Apache-2.0
//
// Keys by their path: what is taken for one, how old it may be, and what strangers cannot do to those that
// are proven.
#include "auth/key_store.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#include "auth/key_fixture.h"
#include "suites.h"

static struct host host;
static struct key_store *store;
static uint64_t now_ms;

static void setup_store(void)
{
    host_open(&host);
    store = key_store_create(&host.fetcher, KEY_BASE);
    ck_assert_ptr_nonnull(store);
    now_ms = 1000000;
}

static void teardown_store(void)
{
    key_store_free(store);
    host_close(&host);
}

static enum key_result get_as(enum key_origin origin, const char *path, uint64_t since_ms,
                              struct request *request, EVP_PKEY **key)
{
    EVP_PKEY *mine = NULL;
    uint64_t fetched_ms = 0;
    enum key_result result = key_store_get(store, slice_of(path), origin, since_ms, now_ms,
                                           request != NULL ? &request->wait : NULL, &mine, &fetched_ms);
    ck_assert((result == KEY_GOOD) == (mine != NULL));
    ck_assert(result != KEY_GOOD || fetched_ms >= since_ms);
    if (key != NULL)
        *key = mine;
    else
        EVP_PKEY_free(mine);
    return result;
}

static enum key_result get(const char *path, uint64_t since_ms, struct request *request)
{
    return get_as(KEY_STRANGER, path, since_ms, request, NULL);
}

static bool is_there(const char *path)
{
    return get(path, 0, NULL) == KEY_GOOD;
}

/* Fetched in the background, which leaves the strangers' budget alone, and proven. */
static void prove(const char *path)
{
    now_ms += 5000;
    key_store_prefetch(store, slice_of(path), now_ms);
    ck_assert(host_answer(&host, path, 200, test_pem(0)));
    key_store_prove(store, slice_of(path));
    ck_assert(is_there(path));
}

static const char *path_number(size_t i)
{
    static char path[KEY_STORE_PATH_MAX + 1];
    snprintf(path, sizeof path, "/prod/keys/pub-key-%zu.pem", i);
    return path;
}

#define PATH_A "/prod/keys/pub-key-a.pem"
#define PATH_B "/prod/keys/pub-key-b.pem"

START_TEST(one_fetch_serves_all_who_ask)
{
    struct request first, second;
    EVP_PKEY *key = NULL;
    request_open(&first);
    request_open(&second);

    ck_assert_int_eq(get(PATH_A, 0, NULL), KEY_MISSING);
    ck_assert_int_eq(get(PATH_A, 0, &first), KEY_PENDING);
    ck_assert_int_eq(get(PATH_A, 0, &second), KEY_PENDING);
    ck_assert_uint_eq(host.count, 1);
    ck_assert_str_eq(host.under_way[0]->url, KEY_BASE PATH_A);
    ck_assert_str_eq(host.under_way[0]->kind, "key");
    ck_assert_uint_eq(host.under_way[0]->limit, KEY_STORE_PEM_MAX);
    ck_assert_uint_eq(first.woken + second.woken, 0);

    ck_assert(host_answer(&host, PATH_A, 200, test_pem(0)));
    ck_assert_uint_eq(first.woken, 1);
    ck_assert_uint_eq(second.woken, 1);
    ck_assert_int_eq(get_as(KEY_STRANGER, PATH_A, 0, &first, &key), KEY_GOOD);
    ck_assert_int_eq(EVP_PKEY_eq(key, test_key(0)), 1);
    EVP_PKEY_free(key);
    ck_assert_uint_eq(host.started, 1);
}
END_TEST

/* --- what is a key --- */

static char *rsa_pem(BIGNUM *modulus, unsigned long exponent_value)
{
    BIGNUM *exponent = BN_new();
    BN_set_word(exponent, exponent_value);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus);
    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    EVP_PKEY *key = NULL;
    EVP_PKEY_fromdata_init(context);
    ck_assert_int_eq(EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params), 1);
    char *pem = pem_of(key);
    EVP_PKEY_free(key);
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(exponent);
    return pem;
}

static char *generated_pem(EVP_PKEY *key)
{
    ck_assert_ptr_nonnull(key);
    char *pem = pem_of(key);
    EVP_PKEY_free(key);
    return pem;
}

static char *private_pem(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data;
    PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    size_t size = (size_t)BIO_get_mem_data(bio, &data);
    char *pem = strndup(data, size);
    BIO_free(bio);
    return pem;
}

static char *edited(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    char *result = NULL;
    ck_assert_ptr_nonnull(at);
    ck_assert_int_ge(asprintf(&result, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)), 0);
    return result;
}

START_TEST(what_is_no_such_key_is_a_failure)
{
    BIGNUM *modulus = NULL;
    EVP_PKEY_get_bn_param(test_key(0), OSSL_PKEY_PARAM_RSA_N, &modulus);
    EVP_PKEY *pss = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
    EVP_PKEY_keygen_init(context);
    EVP_PKEY_generate(context, &pss);
    EVP_PKEY_CTX_free(context);
    char *bodies[] = {
        strdup(""),
        strdup("<html>not found</html>"),
        strdup("-----BEGIN PUBLIC KEY-----\n"),
        strdup("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
        edited(test_pem(0), "MII", "MIJ"),
        generated_pem(EVP_RSA_gen(1024)),
        generated_pem(EVP_RSA_gen(2047)),
        generated_pem(EVP_EC_gen("P-256")),
        generated_pem(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")),
        generated_pem(pss),
        private_pem(test_key(0)),
        rsa_pem(modulus, 1),
        rsa_pem(modulus, 65536),
        rsa_pem(modulus, 2),
    };
    BN_free(modulus);

    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct request request;
        request_open(&request);
        now_ms += 10000;
        ck_assert_int_eq(get(PATH_A, 0, &request), KEY_PENDING);
        ck_assert(host_answer(&host, PATH_A, 200, bodies[i]));
        ck_assert_uint_eq(request.woken, 1);
        ck_assert_msg(get(PATH_A, 0, &request) == KEY_FAILED, "%zu: %s", i, bodies[i]);
        free(bodies[i]);
    }
}
END_TEST

START_TEST(what_is_one_is_taken)
{
    BIGNUM *modulus = NULL;
    EVP_PKEY_get_bn_param(test_key(0), OSSL_PKEY_PARAM_RSA_N, &modulus);
    char *bodies[] = {
        edited(test_pem(0), "-----BEGIN", "words before it\n-----BEGIN"),
        edited(test_pem(0), "\n", "\r\n"),
        generated_pem(EVP_RSA_gen(3072)),
        rsa_pem(modulus, 3),
    };
    BN_free(modulus);
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct request request;
        request_open(&request);
        ck_assert_int_eq(get(path_number(i), 0, &request), KEY_PENDING);
        ck_assert(host_answer(&host, path_number(i), 200, bodies[i]));
        ck_assert_msg(is_there(path_number(i)), "%s", bodies[i]);
        free(bodies[i]);
    }
}
END_TEST

START_TEST(a_failure_is_not_repeated_for_two_seconds)
{
    static const long statuses[] = {0, 204, 301, 403, 404, 500, 503};
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        struct request request;
        request_open(&request);
        now_ms += 10000;
        ck_assert_int_eq(get(PATH_A, 0, &request), KEY_PENDING);
        ck_assert(host_answer(&host, PATH_A, statuses[i], test_pem(0)));
        ck_assert_uint_eq(request.woken, 1);
        ck_assert_int_eq(get(PATH_A, 0, &request), KEY_FAILED);
        now_ms += 1999;
        ck_assert_int_eq(get(PATH_A, 0, &request), KEY_FAILED);
        ck_assert_uint_eq(host.count, 0);
    }
    struct request request;
    request_open(&request);
    now_ms += 1;
    ck_assert_int_eq(get(PATH_A, 0, &request), KEY_PENDING);
    ck_assert(host_answer(&host, PATH_A, 200, test_pem(0)));
    ck_assert(is_there(PATH_A));
}
END_TEST

/* --- age --- */

START_TEST(a_proven_key_is_refreshed_from_twelve_hours_on)
{
    prove(PATH_A);
    uint64_t fetched_ms = now_ms;
    size_t started = host.started;

    now_ms = fetched_ms + 12 * HOUR_MS - 1;
    ck_assert(is_there(PATH_A));
    host_run_task(&host, now_ms);
    ck_assert_uint_eq(host.started, started);

    now_ms = fetched_ms + 12 * HOUR_MS;
    host_run_task(&host, now_ms);
    ck_assert_uint_eq(host.started, started); /* nobody has asked for it */
    ck_assert(is_there(PATH_A));
    host_run_task(&host, now_ms);
    ck_assert_uint_eq(host.started, ++started);
    ck_assert(is_there(PATH_A));
    ck_assert(host_answer(&host, PATH_A, 503, NULL));

    now_ms += 59999;
    ck_assert(is_there(PATH_A));
    host_run_task(&host, now_ms);
    ck_assert_uint_eq(host.started, started); /* a try a minute */
    now_ms += 1;
    host_run_task(&host, now_ms);
    ck_assert_uint_eq(host.started, ++started);
    fetched_ms = now_ms;
    ck_assert(host_answer(&host, PATH_A, 200, test_pem(1)));

    EVP_PKEY *key = NULL;
    now_ms = fetched_ms + 12 * HOUR_MS - 1;
    ck_assert_int_eq(get_as(KEY_STRANGER, PATH_A, 0, NULL, &key), KEY_GOOD);
    ck_assert_int_eq(EVP_PKEY_eq(key, test_key(1)), 1);
    EVP_PKEY_free(key);
    host_run_task(&host, now_ms);
    ck_assert_uint_eq(host.started, started);
}
END_TEST

START_TEST(no_key_is_used_for_more_than_twenty_four_hours)
{
    struct request request;
    request_open(&request);
    prove(PATH_A);
    uint64_t fetched_ms = now_ms;

    now_ms = fetched_ms + 24 * HOUR_MS - 1;
    ck_assert(is_there(PATH_A));
    host_run_task(&host, now_ms);
    ck_assert(host_answer(&host, PATH_A, 0, NULL));
    ck_assert(is_there(PATH_A)); /* a failure takes nothing away */
    now_ms = fetched_ms + 24 * HOUR_MS + 2000;
    ck_assert(!is_there(PATH_A));
    ck_assert_int_eq(get(PATH_A, 0, &request), KEY_PENDING);
    ck_assert(host_answer(&host, PATH_A, 0, NULL));
    ck_assert_int_eq(get(PATH_A, 0, &request), KEY_FAILED);
    now_ms += 2000;
    ck_assert_int_eq(get(PATH_A, 0, &request), KEY_PENDING);
    ck_assert(host_answer(&host, PATH_A, 200, test_pem(0)));
    ck_assert(is_there(PATH_A));
}
END_TEST

START_TEST(a_key_that_is_withdrawn_is_forgotten)
{
    static const long statuses[] = {404, 410};
    for (size_t i = 0; i < 2; i++) {
        const char *path = i == 0 ? PATH_A : PATH_B;
        prove(path);
        now_ms += 12 * HOUR_MS;
        ck_assert(is_there(path));
        host_run_task(&host, now_ms);
        ck_assert(host_answer(&host, path, statuses[i], NULL));
        ck_assert(!is_there(path));
    }
}
END_TEST

/* --- looking again --- */

START_TEST(a_fetch_that_began_in_the_same_millisecond_is_new_enough)
{
    struct request request;
    request_open(&request);
    prove(PATH_A);
    ck_assert_int_eq(get(PATH_A, now_ms, &request), KEY_GOOD);
    ck_assert_int_eq(get(PATH_A, now_ms + 1, &request), KEY_PENDING);
    ck_assert(host_answer(&host, PATH_A, 200, test_pem(0)));
}
END_TEST

/* Eight looks at once, then one a second, shared by all who wait; nobody is refused. */
START_TEST(looking_again_waits_for_the_budget_of_the_path)
{
    struct request requests[40];
    prove(PATH_A);
    prove(PATH_B);
    size_t started = host.started;

    for (size_t i = 0; i < 40; i++) {
        request_open(&requests[i]);
        now_ms++;
        ck_assert_int_eq(get(PATH_A, now_ms, &requests[i]), KEY_PENDING);
        if (i < 8)
            ck_assert(host_answer(&host, PATH_A, 200, test_pem(0)));
    }
    ck_assert_uint_eq(host.started, started + 8);
    ck_assert_uint_eq(host.count, 0);
    for (size_t i = 0; i < 40; i++)
        ck_assert_uint_eq(requests[i].woken, i < 8 ? 1 : 0);

    /* Another path has its own. */
    struct request other;
    request_open(&other);
    ck_assert_int_eq(get(PATH_B, now_ms, &other), KEY_PENDING);
    ck_assert(host_answer(&host, PATH_B, 200, test_pem(0)));

    host_run_task(&host, now_ms + 900);
    ck_assert_uint_eq(host.count, 0);
    now_ms += 1000;
    host_run_task(&host, now_ms);
    ck_assert_uint_eq(host.count, 1);

    /* One that comes now needs a later fetch still; the same key again does not wake it. */
    struct request late;
    request_open(&late);
    now_ms++;
    ck_assert_int_eq(get(PATH_A, now_ms, &late), KEY_PENDING);
    ck_assert(host_answer(&host, PATH_A, 200, test_pem(0)));
    for (size_t i = 8; i < 40; i++)
        ck_assert_uint_eq(requests[i].woken, 1);
    ck_assert_uint_eq(late.woken, 0);
    ck_assert_int_eq(get(PATH_A, requests[39].wait.since_ms, &requests[39]), KEY_GOOD);

    now_ms += 1000;
    host_run_task(&host, now_ms);
    ck_assert(host_answer(&host, PATH_A, 200, test_pem(0)));
    ck_assert_uint_eq(late.woken, 1);
    ck_assert_uint_eq(host.started, started + 11);
}
END_TEST

START_TEST(a_new_key_or_a_failure_wakes_everybody)
{
    static const long statuses[] = {200, 503};
    for (size_t i = 0; i < 2; i++) {
        struct request first, late;
        request_open(&first);
        request_open(&late);
        prove(PATH_A);
        ck_assert_int_eq(get(PATH_A, ++now_ms, &first), KEY_PENDING);
        ck_assert_int_eq(get(PATH_A, ++now_ms, &late), KEY_PENDING);
        ck_assert(host_answer(&host, PATH_A, statuses[i], test_pem(1)));
        ck_assert_uint_eq(first.woken, 1);
        ck_assert_uint_eq(late.woken, 1);
        now_ms += 24 * HOUR_MS;
    }
}
END_TEST

START_TEST(nobody_waits_for_ever_or_in_an_endless_queue)
{
    static struct request requests[AUTH_QUEUE_MAX + 1];
    for (size_t i = 0; i <= AUTH_QUEUE_MAX; i++) {
        request_open(&requests[i]);
        ck_assert_int_eq(get(PATH_A, 0, &requests[i]), i < AUTH_QUEUE_MAX ? KEY_PENDING : KEY_BUDGET);
    }
    ck_assert(host_answer(&host, PATH_A, 200, test_pem(0)));
    for (size_t i = 0; i <= AUTH_QUEUE_MAX; i++)
        ck_assert_uint_eq(requests[i].woken, i < AUTH_QUEUE_MAX ? 1 : 0);

    requests[0].wait.rounds = AUTH_ROUNDS_MAX;
    ck_assert_int_eq(get(PATH_B, 0, &requests[0]), KEY_BUDGET);
    ck_assert_uint_eq(host.count, 0);
}
END_TEST

/* --- strangers --- */

START_TEST(a_flood_of_paths_costs_few_fetches_and_no_proven_key)
{
    struct request request;
    for (size_t i = 0; i < 16; i++)
        prove(path_number(i));
    size_t started = host.started;
    size_t refused = 0;

    /* 10,000 paths in ten seconds; the host says no at once. 24, and one every two seconds. */
    for (size_t i = 0; i < 10000; i++) {
        request_open(&request);
        now_ms++;
        refused += get(path_number(1000 + i), 0, &request) == KEY_BUDGET;
        host_answer(&host, NULL, 404, NULL);
    }
    ck_assert_uint_eq(host.started - started, 28);
    ck_assert_uint_eq(refused, 10000 - 28);
    for (size_t i = 0; i < 16; i++)
        ck_assert(is_there(path_number(i)));

    /* A peer that is known, what stood beside a good signature, and proven paths are not touched by it. */
    request_open(&request);
    ck_assert_int_eq(get_as(KEY_VOUCHED, PATH_A, 0, &request, NULL), KEY_PENDING);
    key_store_prefetch(store, slice_of(PATH_B), now_ms);
    ck_assert_int_eq(get(path_number(0), now_ms, &request), KEY_PENDING);
    ck_assert_uint_eq(host.count, 3);
    while (host_answer(&host, NULL, 200, test_pem(0)))
        ;
    ck_assert(is_there(PATH_A));
    ck_assert(is_there(PATH_B));
}
END_TEST

START_TEST(few_fetches_are_under_way_at_a_time)
{
    struct request requests[8];
    for (size_t i = 0; i < 8; i++) {
        request_open(&requests[i]);
        ck_assert_int_eq(get(path_number(i), 0, &requests[i]), i < 4 ? KEY_PENDING : KEY_BUDGET);
    }
    while (host_answer(&host, NULL, 404, NULL))
        ;
    ck_assert_uint_eq(host.started, 4);
}
END_TEST

START_TEST(only_a_proven_key_pushes_out_a_proven_one)
{
    for (size_t i = 0; i < 16; i++)
        prove(path_number(i));
    /* Asking alone is no use; a good signature is. */
    ck_assert(is_there(path_number(0)));
    key_store_prove(store, slice_of(path_number(1)));

    for (size_t i = 100; i < 200; i++) {
        struct request request;
        request_open(&request);
        now_ms += 5000;
        ck_assert_int_eq(get(path_number(i), 0, &request), KEY_PENDING);
        ck_assert(host_answer(&host, NULL, 200, test_pem(0)));
    }
    ck_assert(!is_there(path_number(100)));
    ck_assert(is_there(path_number(199)));
    for (size_t i = 0; i < 16; i++)
        ck_assert(is_there(path_number(i)));

    prove(path_number(16));
    prove(path_number(17));
    ck_assert(!is_there(path_number(0)));
    ck_assert(is_there(path_number(1)));
    ck_assert(!is_there(path_number(2)));
}
END_TEST

START_TEST(a_prefetch_is_not_repeated_for_a_minute)
{
    key_store_prefetch(store, slice_of(PATH_A), now_ms);
    key_store_prefetch(store, slice_of(PATH_A), now_ms);
    ck_assert_uint_eq(host.started, 1);
    ck_assert(host_answer(&host, PATH_A, 500, NULL));
    now_ms += 59999;
    key_store_prefetch(store, slice_of(PATH_A), now_ms);
    ck_assert_uint_eq(host.started, 1);
    now_ms += 1;
    key_store_prefetch(store, slice_of(PATH_A), now_ms);
    ck_assert_uint_eq(host.started, 2);
    ck_assert(host_answer(&host, PATH_A, 200, test_pem(0)));
    now_ms += 60000;
    key_store_prefetch(store, slice_of(PATH_A), now_ms);
    ck_assert_uint_eq(host.started, 2);
}
END_TEST

/* --- the end --- */

START_TEST(the_store_goes_when_the_last_fetch_is_done)
{
    struct request request, later;
    request_open(&request);
    request_open(&later);
    prove(PATH_B);
    ck_assert_int_eq(get(PATH_A, 0, &request), KEY_PENDING);
    ck_assert_int_eq(get(PATH_B, ++now_ms, &later), KEY_PENDING);
    ck_assert_int_eq(get(PATH_B, ++now_ms, &later), KEY_PENDING);
    key_store_free(store);
    ck_assert_uint_eq(request.woken, 1);
    ck_assert_uint_eq(later.woken, 2);
    ck_assert(host_answer(&host, PATH_A, 200, test_pem(0)));
    ck_assert(host_answer(&host, PATH_B, 0, NULL));
    ck_assert_uint_eq(request.woken, 1);
    store = key_store_create(&host.fetcher, KEY_BASE);
}
END_TEST

START_TEST(a_store_that_was_stopped_has_what_it_has)
{
    struct request request, later;
    request_open(&request);
    request_open(&later);
    prove(PATH_B);
    ck_assert_int_eq(get(PATH_A, 0, &request), KEY_PENDING);
    ck_assert_int_eq(get(PATH_B, ++now_ms, &later), KEY_PENDING);
    size_t started = host.started;
    key_store_stop(store);
    ck_assert_uint_eq(request.woken, 1);
    ck_assert_uint_eq(later.woken, 1);
    ck_assert_int_eq(get(PATH_A, 0, &request), KEY_FAILED);
    ck_assert_int_eq(get(PATH_B, ++now_ms, &later), KEY_FAILED);
    ck_assert(is_there(PATH_B));
    key_store_prefetch(store, SLICE_LITERAL("/prod/keys/c.pem"), now_ms);
    while (host_answer(&host, NULL, 0, NULL))
        ;
    ck_assert_uint_eq(host.started, started);
}
END_TEST

Suite *suite_key_store(void)
{
    Suite *suite = suite_create("key_store");
    TCase *tcase = tcase_create("keys");
    tcase_add_unchecked_fixture(tcase, test_keys_make, NULL);
    tcase_add_checked_fixture(tcase, setup_store, teardown_store);
    tcase_add_test(tcase, one_fetch_serves_all_who_ask);
    tcase_add_test(tcase, what_is_no_such_key_is_a_failure);
    tcase_add_test(tcase, what_is_one_is_taken);
    tcase_add_test(tcase, a_failure_is_not_repeated_for_two_seconds);
    tcase_add_test(tcase, a_proven_key_is_refreshed_from_twelve_hours_on);
    tcase_add_test(tcase, no_key_is_used_for_more_than_twenty_four_hours);
    tcase_add_test(tcase, a_key_that_is_withdrawn_is_forgotten);
    tcase_add_test(tcase, a_fetch_that_began_in_the_same_millisecond_is_new_enough);
    tcase_add_test(tcase, looking_again_waits_for_the_budget_of_the_path);
    tcase_add_test(tcase, a_new_key_or_a_failure_wakes_everybody);
    tcase_add_test(tcase, nobody_waits_for_ever_or_in_an_endless_queue);
    tcase_add_test(tcase, a_flood_of_paths_costs_few_fetches_and_no_proven_key);
    tcase_add_test(tcase, few_fetches_are_under_way_at_a_time);
    tcase_add_test(tcase, only_a_proven_key_pushes_out_a_proven_one);
    tcase_add_test(tcase, a_prefetch_is_not_repeated_for_a_minute);
    tcase_add_test(tcase, the_store_goes_when_the_last_fetch_is_done);
    tcase_add_test(tcase, a_store_that_was_stopped_has_what_it_has);
    suite_add_tcase(suite, tcase);
    return suite;
}
