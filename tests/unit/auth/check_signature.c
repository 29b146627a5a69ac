// SPDX-License-Identifier: Apache-2.0
//
// Adobe's signature: the vectors that Adobe publishes, what is no signature and no path, rotation, an absent
// key host, and strangers.
#include "auth/signature.h"

#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <sched.h>
#include <stdlib.h>

#include "auth/adobe_vectors.h"
#include "auth/key_fixture.h"
#include "clock.h"
#include "suites.h"

#define PATH_1 "/prod/keys/pub-key-1.pem"
#define PATH_2 "/prod/keys/pub-key-2.pem"
#define PATH_3 "/prod/keys/pub-key-3.pem"

static struct host host;
static struct key_store *store;
static uint64_t now_ms;
static struct request request; /* the one that is judged */

static void setup_judge(void)
{
    host_open(&host);
    store = key_store_create(&host.fetcher, KEY_BASE);
    ck_assert_ptr_nonnull(store);
    now_ms = 1000000;
}

static void teardown_judge(void)
{
    while (host_answer(&host, NULL, 0, NULL))
        ;
    key_store_free(store);
    host_close(&host);
}

static struct signature_shown shown(const char *body, const char *signature_1, const char *path_1,
                                    const char *signature_2, const char *path_2)
{
    return (struct signature_shown){.signature = {slice_of(signature_1), slice_of(signature_2)},
                                    .key_path = {slice_of(path_1), slice_of(path_2)},
                                    .body = slice_of(body)};
}

/* "allow", "pending", or the reason; a reason must go with its verdict. */
static const char *judge_again(const struct signature_shown *what, bool known_peer)
{
    static const char *const final[] = {"no_signature", "bad_signature"};
    const struct auth_now now = {.ms = now_ms};
    const char *reason = NULL;
    enum auth_verdict verdict = signature_judge(store, what, known_peer, &now, &request.wait, &reason);
    if (verdict == AUTH_ALLOW)
        return "allow";
    if (verdict == AUTH_PENDING)
        return "pending";
    ck_assert_ptr_nonnull(reason);
    bool is_final = strcmp(reason, final[0]) == 0 || strcmp(reason, final[1]) == 0;
    ck_assert(verdict == (is_final ? AUTH_DENY : AUTH_UNAVAILABLE));
    return reason;
}

static const char *judge(const struct signature_shown *what)
{
    request_open(&request);
    return judge_again(what, false);
}

/* Judges to the end; the host has these keys, NULL: has not. */
static const char *judge_with(const struct signature_shown *what, const char *key_1, const char *key_2)
{
    const char *result = judge(what);
    while (strcmp(result, "pending") == 0) {
        unsigned woken = request.woken;
        bool answered = host_answer(&host, PATH_1, key_1 != NULL ? 200 : 503, key_1);
        answered |= host_answer(&host, PATH_2, key_2 != NULL ? 200 : 503, key_2);
        ck_assert(answered);
        ck_assert_uint_eq(request.woken, woken + 1);
        result = judge_again(what, false);
    }
    return result;
}

static void restart(void)
{
    teardown_judge();
    setup_judge();
}

/* --- published vectors --- */

START_TEST(published_signatures_are_good)
{
    struct signature_shown node = shown(ADOBE_PAYLOAD, NODE_SIGNATURE, PATH_1, NODE_SIGNATURE, PATH_2);
    ck_assert_uint_eq(node.body.len, 84);
    ck_assert_str_eq(judge_with(&node, NODE_KEY, NODE_KEY), "allow");
    restart();

    struct signature_shown java = shown(ADOBE_PAYLOAD, JAVA_SIGNATURE_1, PATH_1, JAVA_SIGNATURE_2, PATH_2);
    ck_assert_str_eq(judge_with(&java, JAVA_KEY_1, JAVA_KEY_2), "allow");
    restart();

    /* Either one suffices. */
    ck_assert_str_eq(judge_with(&java, JAVA_KEY_1, JAVA_OTHER_KEY), "allow");
    restart();
    ck_assert_str_eq(judge_with(&java, JAVA_OTHER_KEY, JAVA_KEY_2), "allow");
    restart();
    java = shown(ADOBE_PAYLOAD, JAVA_WRONG_SIGNATURE, PATH_1, JAVA_SIGNATURE_2, PATH_2);
    ck_assert_str_eq(judge_with(&java, JAVA_KEY_1, JAVA_KEY_2), "allow");
    restart();
    java = shown(ADOBE_PAYLOAD, JAVA_SIGNATURE_1, PATH_1, JAVA_WRONG_SIGNATURE, PATH_2);
    ck_assert_str_eq(judge_with(&java, JAVA_KEY_1, JAVA_KEY_2), "allow");
}
END_TEST

START_TEST(published_wrong_ones_are_bad)
{
    static const struct {
        const char *signature_1, *signature_2, *key_1, *key_2;
    } rows[] = {
        {JAVA_WRONG_SIGNATURE, JAVA_WRONG_SIGNATURE, JAVA_KEY_1, JAVA_KEY_2},
        {JAVA_WRONG_SIGNATURE, JAVA_WRONG_SIGNATURE, NODE_KEY, JAVA_OTHER_KEY},
        {JAVA_SIGNATURE_1, JAVA_SIGNATURE_1, JAVA_OTHER_KEY, JAVA_OTHER_KEY},
        {JAVA_SIGNATURE_2, JAVA_SIGNATURE_1, JAVA_KEY_1, JAVA_KEY_2}, /* each beside the other's key */
        {NODE_SHORT_SIGNATURE, NODE_SHORT_SIGNATURE, NODE_KEY, NODE_KEY},
        {NODE_SIGNATURE, NODE_SIGNATURE, JAVA_KEY_1, JAVA_KEY_2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct signature_shown what =
            shown(ADOBE_PAYLOAD, rows[i].signature_1, PATH_1, rows[i].signature_2, PATH_2);
        ck_assert_str_eq(judge_with(&what, rows[i].key_1, rows[i].key_2), "bad_signature");
        restart();
    }
}
END_TEST

START_TEST(every_byte_of_the_body_counts)
{
    static const char *const bodies[] = {
        "{\"event_id\":\"eventId2\",\"event\":{\"hello\":\"world\"},\"recipient_client_id\":\"client_id1\"}",
        ADOBE_PAYLOAD "\n",
        " " ADOBE_PAYLOAD,
        "[" ADOBE_PAYLOAD "]",
        "",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct signature_shown what = shown(bodies[i], JAVA_SIGNATURE_1, PATH_1, JAVA_SIGNATURE_2, PATH_2);
        ck_assert_str_eq(judge_with(&what, JAVA_KEY_1, JAVA_KEY_2), "bad_signature");
    }
    struct signature_shown what = shown(ADOBE_PAYLOAD, JAVA_SIGNATURE_1, PATH_1, JAVA_SIGNATURE_2, PATH_2);
    what.body.len--;
    ck_assert_str_eq(judge_with(&what, JAVA_KEY_1, JAVA_KEY_2), "bad_signature");
    what.body = SLICE_ABSENT;
    ck_assert_str_eq(judge_with(&what, JAVA_KEY_1, JAVA_KEY_2), "bad_signature");
}
END_TEST

/* --- the form of what is shown --- */

START_TEST(a_pair_needs_both_of_its_headers)
{
    const struct signature_shown none[] = {
        shown(ADOBE_PAYLOAD, NULL, NULL, NULL, NULL),
        shown(ADOBE_PAYLOAD, JAVA_SIGNATURE_1, NULL, NULL, NULL),
        shown(ADOBE_PAYLOAD, NULL, PATH_1, NULL, NULL),
        shown(ADOBE_PAYLOAD, JAVA_SIGNATURE_1, NULL, NULL, PATH_2),
    };
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        ck_assert_str_eq(judge(&none[i]), "no_signature");
    ck_assert_uint_eq(host.started, 0);

    struct signature_shown first = shown(ADOBE_PAYLOAD, JAVA_SIGNATURE_1, PATH_1, NULL, NULL);
    ck_assert_str_eq(judge_with(&first, JAVA_KEY_1, NULL), "allow");
    struct signature_shown second = shown(ADOBE_PAYLOAD, JAVA_SIGNATURE_2, NULL, JAVA_SIGNATURE_2, PATH_2);
    ck_assert_str_eq(judge_with(&second, NULL, JAVA_KEY_2), "allow");
    ck_assert_uint_eq(host.started, 2);
}
END_TEST

START_TEST(what_cannot_be_a_signature_is_bad_and_fetches_nothing)
{
    char line_break[400], blank[400], padding[400], long_one[2000], left_over[400], url_safe[400];
    snprintf(line_break, sizeof line_break, "%.76s\n%s", NODE_SIGNATURE, &NODE_SIGNATURE[76]);
    snprintf(blank, sizeof blank, "%.3s %s", NODE_SIGNATURE, &NODE_SIGNATURE[4]);
    snprintf(padding, sizeof padding, "%.*s", (int)strlen(NODE_SIGNATURE) - 2, NODE_SIGNATURE);
    snprintf(left_over, sizeof left_over, "%.*sh==", (int)strlen(NODE_SIGNATURE) - 3, NODE_SIGNATURE);
    snprintf(url_safe, sizeof url_safe, "_%s", &NODE_SIGNATURE[1]);
    memset(long_one, 'A', sizeof long_one - 1);
    long_one[1372] = '\0'; /* 1029 bytes */
    const char *const bad[] = {
        "",       " ",      "=",       "====",    NODE_SHORT_SIGNATURE, line_break, blank, padding, left_over,
        long_one, url_safe, "garbage", "AAAA===", "\xff\xfe",           JAVA_KEY_1,
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct signature_shown what = shown(ADOBE_PAYLOAD, bad[i], PATH_1, bad[i], PATH_2);
        ck_assert_msg(strcmp(judge(&what), "bad_signature") == 0, "%zu", i);
    }
    struct signature_shown what = shown(ADOBE_PAYLOAD, NODE_SIGNATURE, PATH_1, NULL, NULL);
    memcpy(blank, NODE_SIGNATURE, strlen(NODE_SIGNATURE) + 1);
    blank[100] = '\0';
    what.signature[0].ptr = blank;
    ck_assert_str_eq(judge(&what), "bad_signature");
    ck_assert_uint_eq(host.started, 0);

    /* Blanks around it belong to the header line; the other pair counts as ever. */
    struct signature_shown good = shown(ADOBE_PAYLOAD, "garbage", PATH_1, " \t" JAVA_SIGNATURE_2 " ", PATH_2);
    ck_assert_str_eq(judge_with(&good, NULL, JAVA_KEY_2), "allow");
}
END_TEST

START_TEST(a_signature_is_as_long_as_its_key)
{
    char text[SIGNATURE_TEXT_MAX];
    EVP_PKEY *key = EVP_RSA_gen(3072);
    char *pem = pem_of(key);
    sign_body(key, SLICE_LITERAL("x"), text);
    struct signature_shown what = shown("x", text, PATH_1, JAVA_SIGNATURE_2, PATH_2);
    ck_assert_str_eq(judge_with(&what, JAVA_KEY_1, pem), "bad_signature");
    restart();
    ck_assert_str_eq(judge_with(&what, pem, JAVA_KEY_2), "allow");
    free(pem);
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(paths_of_another_form_are_never_fetched)
{
    char too_long[KEY_STORE_PATH_MAX + 2], longest[KEY_STORE_PATH_MAX + 1];
    snprintf(too_long, sizeof too_long, "/prod/keys/%0*d.pem", KEY_STORE_PATH_MAX - 14, 0);
    snprintf(longest, sizeof longest, "/prod/keys/%0*d.pem", KEY_STORE_PATH_MAX - 15, 0);
    ck_assert_uint_eq(strlen(longest), KEY_STORE_PATH_MAX);
    const char *const strange[] = {
        "",
        "/",
        "/prod/keys/",
        "/prod/keys/.pem",
        "/prod/keys/a",
        "/prod/keys/a.PEM",
        "/prod/keys/a.pem ",
        " /prod/keys/a.pem",
        "/prod/keys/a.pem\n",
        "/prod/keys/a.pem?x",
        "/prod/keys/a.pem#x",
        "/prod/keys/a.pem/",
        "/prod/keys/a.pem/../b.pem",
        "/prod/keys/../keys/a.pem",
        "/prod/keys/..pem",
        "/prod/keys/...pem",
        "/prod/keys/a..pem",
        "/prod/keys/..a.pem",
        "/prod/keys/%2e%2e/a.pem",
        "/prod/keys/%2e.pem",
        "/prod/keys//a.pem",
        "//prod/keys/a.pem",
        "/prod//keys/a.pem",
        "/prod/keys/b/a.pem",
        "/prod/keys/b\\a.pem",
        "/prod/keys\\a.pem",
        "/PROD/keys/a.pem",
        "/stage/keys/a.pem",
        "prod/keys/a.pem",
        "https://evil.example/prod/keys/a.pem",
        "//evil.example/prod/keys/a.pem",
        "@evil.example/prod/keys/a.pem",
        ".evil.example/prod/keys/a.pem",
        ":80/prod/keys/a.pem",
        "/prod/keys/a@evil.example.pem",
        "/prod/keys/\xc3\xa4.pem",
        "/prod/keys/a;b.pem",
        "/prod/keys/a\tb.pem",
        too_long,
    };
    for (size_t i = 0; i < sizeof strange / sizeof strange[0]; i++) {
        ck_assert_msg(!signature_path_is_known_form(slice_of(strange[i])), "%s", strange[i]);
        struct signature_shown what =
            shown(ADOBE_PAYLOAD, JAVA_SIGNATURE_1, strange[i], JAVA_SIGNATURE_2, strange[i]);
        ck_assert_msg(strcmp(judge(&what), "unknown_key") == 0, "%s", strange[i]);
    }
    ck_assert(!signature_path_is_known_form(SLICE_LITERAL("/prod/keys/a\0.pem")));
    ck_assert(!signature_path_is_known_form(SLICE_LITERAL("/prod/keys/a.pem\0")));
    ck_assert(!signature_path_is_known_form(SLICE_ABSENT));
    ck_assert_uint_eq(host.started, 0);

    static const char *const known[] = {"/prod/keys/pub-key-Ptc2pD9vT9.pem", "/prod/keys/a.pem",
                                        "/prod/keys/A_b-0.1.pem", "/prod/keys/-.pem", "/prod/keys/.a.pem"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        ck_assert_msg(signature_path_is_known_form(slice_of(known[i])), "%s", known[i]);
    ck_assert(signature_path_is_known_form(slice_of(longest)));

    /* It is no reason to refuse while the other pair is good, and none to refuse for good while it is bad. */
    struct signature_shown what =
        shown(ADOBE_PAYLOAD, JAVA_SIGNATURE_1, "/prod/keys/../a.pem", JAVA_SIGNATURE_2, PATH_2);
    ck_assert_str_eq(judge_with(&what, NULL, JAVA_KEY_2), "allow");
    restart();
    ck_assert_str_eq(judge_with(&what, NULL, JAVA_OTHER_KEY), "unknown_key");
    what.signature[0] = slice_of("garbage");
    ck_assert_str_eq(judge_with(&what, NULL, JAVA_OTHER_KEY), "bad_signature");
}
END_TEST

/* --- rotation, and an absent host --- */

static char text_1[SIGNATURE_TEXT_MAX], text_2[SIGNATURE_TEXT_MAX];

static struct signature_shown signed_by(size_t key_1, const char *path_1, size_t key_2, const char *path_2)
{
    sign_body(test_key(key_1), SLICE_LITERAL("body"), text_1);
    sign_body(test_key(key_2), SLICE_LITERAL("body"), text_2);
    return shown("body", text_1, path_1, text_2, path_2);
}

START_TEST(one_good_pair_brings_the_other_key)
{
    struct signature_shown what = signed_by(0, PATH_1, 1, PATH_2);
    ck_assert_str_eq(judge(&what), "pending");
    ck_assert(host_answer(&host, PATH_1, 200, test_pem(0)));
    ck_assert_str_eq(judge_again(&what, false), "allow");
    ck_assert(host_answer(&host, PATH_2, 200, test_pem(1)));
    ck_assert_str_eq(judge(&what), "allow");
    ck_assert_uint_eq(host.started, 2);

    /* And it is used. */
    what.signature[0] = slice_of(JAVA_SIGNATURE_1);
    ck_assert_str_eq(judge(&what), "allow");
    ck_assert_uint_eq(host.started, 2);
}
END_TEST

START_TEST(a_new_path_beside_a_known_one_keeps_nobody_waiting)
{
    struct signature_shown what = signed_by(0, PATH_1, 1, PATH_2);
    ck_assert_str_eq(judge_with(&what, test_pem(0), test_pem(1)), "allow");
    what = signed_by(2, PATH_3, 0, PATH_1);
    ck_assert_str_eq(judge(&what), "allow");
    while (host_answer(&host, PATH_2, 200, test_pem(1)))
        ;
    ck_assert(host_answer(&host, PATH_3, 200, test_pem(2)));
    what.signature[1] = slice_of(JAVA_SIGNATURE_1);
    ck_assert_str_eq(judge(&what), "allow");
}
END_TEST

START_TEST(a_new_key_at_a_known_path_is_looked_for)
{
    struct signature_shown what = signed_by(0, PATH_1, 0, PATH_2);
    ck_assert_str_eq(judge_with(&what, test_pem(0), test_pem(0)), "allow");
    while (host_answer(&host, PATH_2, 200, test_pem(0)))
        ;
    size_t started = host.started;
    now_ms += 1000;
    what = signed_by(1, PATH_1, 2, PATH_2);
    ck_assert_str_eq(judge_with(&what, test_pem(1), test_pem(2)), "allow");
    ck_assert_uint_eq(host.started, started + 1);
    ck_assert_str_eq(judge(&what), "allow");
}
END_TEST

START_TEST(no_refusal_is_final_against_a_key_that_was_there_before)
{
    struct signature_shown good = signed_by(0, PATH_1, 1, PATH_2);
    ck_assert_str_eq(judge_with(&good, test_pem(0), test_pem(1)), "allow");
    while (host_answer(&host, PATH_2, 200, test_pem(1)))
        ;
    size_t started = host.started;
    now_ms += 1;
    struct signature_shown bad = signed_by(2, PATH_1, 2, PATH_2);
    ck_assert_str_eq(judge(&bad), "pending");
    ck_assert(host_answer(&host, PATH_1, 200, test_pem(0)));
    ck_assert_str_eq(judge_again(&bad, false), "pending");
    ck_assert(host_answer(&host, PATH_2, 200, test_pem(1)));
    ck_assert_str_eq(judge_again(&bad, false), "bad_signature");
    ck_assert_uint_eq(host.started, started + 2);
    ck_assert_uint_eq(request.woken, 2);

    /* The host is away: it cannot be told. */
    now_ms += 10000;
    ck_assert_str_eq(judge_with(&bad, NULL, test_pem(1)), "key_unavailable");
    now_ms += 10000;
    ck_assert_str_eq(judge_with(&bad, test_pem(0), NULL), "key_unavailable");
}
END_TEST

START_TEST(known_keys_go_on_while_the_host_is_away)
{
    struct signature_shown what = signed_by(0, PATH_1, 1, PATH_2);
    ck_assert_str_eq(judge_with(&what, test_pem(0), test_pem(1)), "allow");
    while (host_answer(&host, PATH_2, 200, test_pem(1)))
        ;
    uint64_t fetched_ms = now_ms;
    struct signature_shown unknown = signed_by(0, PATH_3, 0, PATH_3);
    ck_assert_str_eq(judge(&unknown), "pending");
    ck_assert(host_answer(&host, PATH_3, 0, NULL));
    ck_assert_str_eq(judge_again(&unknown, false), "key_unavailable");

    for (now_ms = fetched_ms; now_ms < fetched_ms + 24 * HOUR_MS; now_ms += HOUR_MS) {
        what = signed_by(0, PATH_1, 1, PATH_2);
        ck_assert_str_eq(judge(&what), "allow");
        host_run_task(&host, now_ms);
        while (host_answer(&host, NULL, 0, NULL))
            ;
    }
    ck_assert_str_eq(judge_with(&what, NULL, NULL), "key_unavailable");
    now_ms += 2000;
    ck_assert_str_eq(judge_with(&what, test_pem(0), NULL), "allow");
}
END_TEST

/* --- strangers --- */

static void random_signature(char text[SIGNATURE_TEXT_MAX])
{
    unsigned char bytes[256];
    RAND_bytes(bytes, sizeof bytes);
    EVP_EncodeBlock((unsigned char *)text, bytes, sizeof bytes);
}

START_TEST(strangers_are_refused_with_little_work)
{
    struct signature_shown good = signed_by(0, PATH_1, 1, PATH_2);
    ck_assert_str_eq(judge_with(&good, test_pem(0), test_pem(1)), "allow");
    while (host_answer(&host, PATH_2, 200, test_pem(1)))
        ;
    size_t started = host.started;
    size_t budget = 0, pending = 0;
    char garbage[SIGNATURE_TEXT_MAX], path[KEY_STORE_PATH_MAX];
    static struct request requests[1000];

    /* Ten seconds of unknown paths, ten more of known ones; the good sender beside them. */
    for (size_t i = 0; i < 10000; i++) {
        now_ms++;
        random_signature(garbage);
        snprintf(path, sizeof path, "/prod/keys/%zu.pem", i);
        struct signature_shown bad = shown("body", garbage, path, garbage, path);
        const char *result = judge(&bad);
        if (strcmp(result, "pending") == 0)
            pending++;
        else
            budget += strcmp(result, "fetch_budget") == 0;
        host_answer(&host, NULL, 404, NULL);
        if (i % 100 == 0)
            ck_assert_str_eq(judge(&good), "allow");
    }
    ck_assert_uint_eq(pending, 24 + 4);
    ck_assert_uint_eq(budget, 10000 - 28);
    ck_assert_uint_eq(host.started, started + 28);

    started = host.started;
    for (size_t i = 0; i < 1000; i++) {
        const struct auth_now now = {.ms = now_ms += 10};
        const char *reason = NULL;
        random_signature(garbage);
        struct signature_shown bad = shown("body", garbage, PATH_1, garbage, PATH_2);
        request_open(&requests[i]);
        ck_assert_int_ne(signature_judge(store, &bad, false, &now, &requests[i].wait, &reason), AUTH_ALLOW);
        if (i % 25 == 0) {
            host_run_task(&host, now_ms);
            host_answer(&host, PATH_1, 200, test_pem(0));
            host_answer(&host, PATH_2, 200, test_pem(1));
            ck_assert_str_eq(judge(&good), "allow");
        }
    }
    ck_assert_uint_le(host.started - started, 2 * (8 + 10));
    while (host_answer(&host, NULL, 200, test_pem(0)))
        ;
}
END_TEST

START_TEST(a_known_peer_has_a_budget_that_strangers_cannot_spend)
{
    struct signature_shown what = signed_by(0, PATH_1, 1, PATH_2);
    for (size_t i = 0; i < 25; i++) {
        char path[KEY_STORE_PATH_MAX];
        snprintf(path, sizeof path, "/prod/keys/%zu.pem", i);
        struct signature_shown stranger = shown("body", text_1, path, NULL, NULL);
        ck_assert_str_eq(judge(&stranger), i < 24 ? "pending" : "fetch_budget");
        host_answer(&host, NULL, 404, NULL);
    }
    ck_assert_str_eq(judge(&what), "fetch_budget");
    request_open(&request);
    ck_assert_str_eq(judge_again(&what, true), "pending");
    ck_assert(host_answer(&host, PATH_1, 200, test_pem(0)));
    ck_assert_str_eq(judge_again(&what, true), "allow");
}
END_TEST

START_TEST(a_request_does_not_wait_without_end)
{
    struct signature_shown what = signed_by(0, PATH_1, 1, PATH_2);
    request_open(&request);
    request.wait.rounds = AUTH_ROUNDS_MAX;
    ck_assert_str_eq(judge_again(&what, false), "fetch_budget");
    ck_assert_uint_eq(host.started, 0);
}
END_TEST

/* --- threads --- */

static _Atomic bool stopped;
static _Atomic unsigned allowed;

static void *send_requests(void *data)
{
    const struct signature_shown *what = data;
    for (size_t i = 0; i < 200; i++) {
        struct request mine;
        request_open(&mine);
        for (;;) {
            const struct auth_now now = {.ms = clock_monotonic_ms()};
            const char *reason = NULL;
            unsigned woken = mine.woken;
            enum auth_verdict verdict = signature_judge(store, what, i % 2 == 0, &now, &mine.wait, &reason);
            allowed += verdict == AUTH_ALLOW;
            if (verdict != AUTH_PENDING)
                break;
            while (mine.woken == woken)
                sched_yield();
        }
    }
    return NULL;
}

static void *answer_fetches(void *data)
{
    (void)data;
    for (size_t i = 0; !stopped || host_answer(&host, NULL, 404, NULL); i++) {
        host_run_task(&host, clock_monotonic_ms());
        host_answer(&host, PATH_1, 200, test_pem(i % 50 == 0 ? 2 : 0));
        host_answer(&host, PATH_2, 200, test_pem(1));
        host_answer(&host, PATH_3, 404, NULL);
        sched_yield();
    }
    return NULL;
}

START_TEST(threads_judge_while_keys_come_and_go)
{
    static struct signature_shown what[3];
    pthread_t senders[3], answerer;
    what[0] = signed_by(0, PATH_1, 1, PATH_2);
    what[1] = what[0];
    what[1].key_path[1] = slice_of(PATH_3);
    what[2] = what[0];
    what[2].key_path[0] = slice_of(PATH_3);
    stopped = false;
    allowed = 0;
    pthread_create(&answerer, NULL, answer_fetches, NULL);
    for (size_t i = 0; i < 3; i++)
        pthread_create(&senders[i], NULL, send_requests, &what[i]);
    for (size_t i = 0; i < 3; i++)
        pthread_join(senders[i], NULL);
    stopped = true;
    pthread_join(answerer, NULL);
    ck_assert_uint_gt(allowed, 100);
}
END_TEST

Suite *suite_signature(void)
{
    Suite *suite = suite_create("signature");
    TCase *tcase = tcase_create("signatures");
    tcase_add_unchecked_fixture(tcase, test_keys_make, NULL);
    tcase_add_checked_fixture(tcase, setup_judge, teardown_judge);
    tcase_add_test(tcase, published_signatures_are_good);
    tcase_add_test(tcase, published_wrong_ones_are_bad);
    tcase_add_test(tcase, every_byte_of_the_body_counts);
    tcase_add_test(tcase, a_pair_needs_both_of_its_headers);
    tcase_add_test(tcase, what_cannot_be_a_signature_is_bad_and_fetches_nothing);
    tcase_add_test(tcase, a_signature_is_as_long_as_its_key);
    tcase_add_test(tcase, paths_of_another_form_are_never_fetched);
    tcase_add_test(tcase, one_good_pair_brings_the_other_key);
    tcase_add_test(tcase, a_new_path_beside_a_known_one_keeps_nobody_waiting);
    tcase_add_test(tcase, a_new_key_at_a_known_path_is_looked_for);
    tcase_add_test(tcase, no_refusal_is_final_against_a_key_that_was_there_before);
    tcase_add_test(tcase, known_keys_go_on_while_the_host_is_away);
    tcase_add_test(tcase, strangers_are_refused_with_little_work);
    tcase_add_test(tcase, a_known_peer_has_a_budget_that_strangers_cannot_spend);
    tcase_add_test(tcase, a_request_does_not_wait_without_end);
    tcase_add_test(tcase, threads_judge_while_keys_come_and_go);
    suite_add_tcase(suite, tcase);
    return suite;
}
