// SPDX-License-Identifier: Apache-2.0
//
// When keys are fetched, who waits for them, and what is final. The fetches are made up
// here, and so is the time.
#include "auth/issuer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "auth/issuer_discovery.h"
#include "auth/jwt_fixture.h"
#include "clock.h"
#include "suites.h"
#include "telemetry/log.h"

#define JWKS_URL "https://idp.example/keys"
#define WAITS 600

/* Keeps what is started until the test answers it, or answers itself. */
static struct {
    struct fetcher super;
    struct fetch *pending;
    struct fetch_task *task;
    atomic_uint started;
    const char *answer; /* at once, on the thread that starts; NULL: not */
} fake;

struct waiter {
    struct auth_wait wait;
    atomic_uint woken;
};

static struct issuer *issuer;
static uint64_t start_ms;
static struct jwt_rules rules;
static const char *reason;
static struct waiter waiters[WAITS];
static int log_fd;

/* kids: rsa, and from set 2 on another one. */
static char *good, *next, *next_too;
static char set_one[4096], set_two[4096];

static void complete(struct fetch *fetch, long status, const char *body, const char *error)
{
    fetch->status = status;
    fetch->body = slice_of(body);
    snprintf(fetch->error, sizeof fetch->error, "%s", error);
    fetch->done(fetch);
}

static void fake_start(struct fetcher *fetcher, struct fetch *fetch)
{
    (void)fetcher;
    fake.started++;
    if (fake.answer != NULL) {
        complete(fetch, 200, fake.answer, "");
        return;
    }
    ck_assert_ptr_null(fake.pending);
    fake.pending = fetch;
}

static void fake_add_task(struct fetcher *fetcher, struct fetch_task *task)
{
    (void)fetcher;
    fake.task = task;
}

static void fake_remove_task(struct fetcher *fetcher, struct fetch_task *task)
{
    (void)fetcher;
    ck_assert_ptr_eq(fake.task, task);
    fake.task = NULL;
}

static void answer(long status, const char *body)
{
    struct fetch *fetch = fake.pending;
    ck_assert_ptr_nonnull(fetch);
    fake.pending = NULL;
    complete(fetch, status, body, status == 0 ? "no route" : "");
}

static void wake(struct auth_wait *wait)
{
    ((struct waiter *)wait)->woken++;
}

static void make_tokens(void)
{
    jwt_keys_make();
    snprintf(set_one, sizeof set_one, "{\"keys\":[%s]}", jwt_jwk(KEY_RSA, "rsa", ""));
    snprintf(set_two, sizeof set_two, "{\"keys\":[%s,%s]}", jwt_jwk(KEY_P256, "next", ""),
             jwt_jwk(KEY_RSA, "rsa", ""));
    good = strdup(jwt_token(KEY_RSA, "RS256", "{\"alg\":\"RS256\",\"kid\":\"rsa\"}", JWT_CLAIMS));
    next = strdup(jwt_token(KEY_P256, "ES256", "{\"alg\":\"ES256\",\"kid\":\"next\"}", JWT_CLAIMS));
    next_too = strdup(jwt_token(KEY_P256, "ES256", "{\"alg\":\"ES256\",\"kid\":\"next\"}", JWT_CLAIMS));
}

static void free_tokens(void)
{
    free(good);
    free(next);
    free(next_too);
    jwt_keys_free();
}

static void create(const char *jwks_url)
{
    issuer = issuer_create(&fake.super, JWT_ISSUER, jwks_url);
    ck_assert_ptr_nonnull(issuer);
    start_ms = clock_monotonic_ms();
}

static void set_up(void)
{
    memset(&fake, 0, sizeof fake);
    memset(waiters, 0, sizeof waiters);
    fake.super = (struct fetcher){fake_start, fake_add_task, fake_remove_task};
    for (size_t i = 0; i < WAITS; i++)
        waiters[i].wait.wake = wake;
    rules = (struct jwt_rules){.issuer = JWT_ISSUER, .audience = JWT_AUDIENCE};
    issuer = NULL;
    log_fd = memfd_create("log", 0);
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, log_fd);
}

static void tear_down(void)
{
    issuer_free(issuer);
    if (fake.pending != NULL)
        answer(0, NULL);
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_AUTO, STDERR_FILENO);
    close(log_fd);
}

/* As one request does it, so long after the start. */
static enum auth_verdict judge(size_t waiter, const char *token, uint64_t after_ms)
{
    struct auth_now now = {start_ms + after_ms, (int64_t)JWT_NOW_S * 1000};
    return issuer_judge(issuer, slice_of(token), &rules, &now, &waiters[waiter].wait, &reason);
}

static void tick(uint64_t after_ms)
{
    fake.task->run(fake.task, start_ms + after_ms);
}

static const char *pending_url(void)
{
    return fake.pending == NULL ? "none" : fake.pending->url;
}

static size_t logged(const char *words)
{
    char text[8192];
    ssize_t len = pread(log_fd, text, sizeof text - 1, 0);
    size_t count = 0;
    text[len > 0 ? len : 0] = '\0';
    for (const char *at = text; (at = strstr(at, words)) != NULL; at++)
        count++;
    return count;
}

START_TEST(who_comes_before_the_keys_waits_for_them)
{
    create(JWKS_URL);
    ck_assert_str_eq(pending_url(), JWKS_URL);
    ck_assert_str_eq(fake.pending->kind, "jwks");
    ck_assert_uint_eq(fake.pending->limit, JWKS_DOCUMENT_MAX);
    ck_assert_int_eq(judge(0, good, 10), AUTH_PENDING);
    ck_assert_int_eq(judge(1, "junk", 20), AUTH_PENDING);
    answer(200, set_one);
    ck_assert_uint_eq(waiters[0].woken, 1);
    ck_assert_uint_eq(waiters[1].woken, 1);
    ck_assert_int_eq(judge(0, good, 30), AUTH_ALLOW);
    ck_assert_int_eq(judge(1, "junk", 30), AUTH_DENY);
    ck_assert_str_eq(reason, "bad_jwt");
    rules.audience = "other";
    ck_assert_int_eq(judge(2, good, 30), AUTH_DENY);
    ck_assert_str_eq(reason, "wrong_audience");
    ck_assert_uint_eq(fake.started, 1);
    ck_assert_uint_eq(logged("keys of an identity provider fetched"), 1);
}
END_TEST

START_TEST(without_keys_nothing_is_final)
{
    static const uint64_t pauses_ms[] = {1000, 2000, 4000, 8000, 16000, 30000, 30000};
    static const struct {
        long status;
        const char *body;
    } failures[] = {{0, NULL}, {500, "x"}, {404, ""}, {302, ""}, {200, "<html>"}, {200, "{\"keys\":[]}"},
                    {200, ""}};
    uint64_t now_ms = 100;
    create(JWKS_URL);
    tick(now_ms);
    for (size_t i = 0; i < 7; i++) {
        ck_assert_int_eq(judge(i, good, now_ms), AUTH_PENDING);
        answer(failures[i].status, failures[i].body);
        ck_assert_uint_eq(waiters[i].woken, 1);
        ck_assert_int_eq(judge(i, good, now_ms), AUTH_UNAVAILABLE);
        ck_assert_str_eq(reason, "keys_unavailable");
        ck_assert_int_eq(judge(i, "junk", now_ms + pauses_ms[i] - 1), AUTH_UNAVAILABLE);
        tick(now_ms + pauses_ms[i] - 1);
        ck_assert_ptr_null(fake.pending);
        now_ms += pauses_ms[i];
        tick(now_ms);
        ck_assert_str_eq(pending_url(), JWKS_URL);
        tick(now_ms);
    }
    answer(200, set_one);
    ck_assert_int_eq(judge(20, good, now_ms), AUTH_ALLOW);
    ck_assert_uint_eq(logged("cannot be fetched"), 1);
    ck_assert_uint_eq(logged("no route"), 1);
    ck_assert_uint_eq(fake.started, 8);
}
END_TEST

START_TEST(a_request_may_bring_the_retry_forward)
{
    create(JWKS_URL);
    answer(503, "");
    ck_assert_int_eq(judge(0, good, 500), AUTH_UNAVAILABLE);
    ck_assert_int_eq(judge(0, good, 1100), AUTH_PENDING);
    answer(200, set_one);
    ck_assert_int_eq(judge(0, good, 1200), AUTH_ALLOW);
}
END_TEST

START_TEST(keys_are_refreshed_and_kept_while_the_provider_is_away)
{
    create(JWKS_URL);
    answer(200, set_one);
    tick(ISSUER_REFRESH_MS - 1000);
    ck_assert_ptr_null(fake.pending);
    tick(ISSUER_REFRESH_MS);
    ck_assert_str_eq(pending_url(), JWKS_URL);
    ck_assert_int_eq(judge(0, good, ISSUER_REFRESH_MS), AUTH_ALLOW);
    answer(0, NULL);
    for (uint64_t hour = 1; hour < 50; hour++) {
        tick(hour * 3600 * 1000);
        ck_assert_int_eq(judge(0, good, hour * 3600 * 1000), AUTH_ALLOW);
        answer(hour % 2 == 0 ? 200 : 500, "x");
        ck_assert_int_eq(judge(0, good, hour * 3600 * 1000), AUTH_ALLOW);
    }
    ck_assert_uint_eq(logged("cannot be fetched"), 1);
    uint64_t back_ms = (uint64_t)50 * 3600 * 1000;
    tick(back_ms);
    answer(200, set_two);
    ck_assert_int_eq(judge(0, next, back_ms), AUTH_ALLOW);
    tick(back_ms + ISSUER_REFRESH_MS - 1);
    ck_assert_ptr_null(fake.pending);
}
END_TEST

START_TEST(a_new_key_is_looked_for_at_once)
{
    create(JWKS_URL);
    answer(200, set_one);
    ck_assert_int_eq(judge(0, next, 1000), AUTH_PENDING);
    ck_assert_int_eq(judge(1, next_too, 1010), AUTH_PENDING);
    ck_assert_int_eq(judge(2, good, 1020), AUTH_ALLOW);
    answer(200, set_two);
    ck_assert_int_eq(judge(0, next, 1100), AUTH_ALLOW);
    ck_assert_int_eq(judge(1, next_too, 1100), AUTH_ALLOW);
    ck_assert_uint_eq(fake.started, 2);
}
END_TEST

START_TEST(a_key_that_a_look_has_not_found_is_unknown)
{
    create(JWKS_URL);
    answer(200, set_one);
    ck_assert_int_eq(judge(0, next, 1000), AUTH_PENDING);
    answer(200, set_one);
    ck_assert_int_eq(judge(0, next, 1100), AUTH_DENY);
    ck_assert_str_eq(reason, "unknown_kid");
    /* The same token need not wait again; others cannot be told before the next look. */
    ck_assert_int_eq(judge(1, next, 2000), AUTH_DENY);
    ck_assert_str_eq(reason, "unknown_kid");
    ck_assert_int_eq(judge(2, next_too, 2000), AUTH_UNAVAILABLE);
    ck_assert_str_eq(reason, "keys_unavailable");
    ck_assert_int_eq(judge(3, good, 2000), AUTH_ALLOW);
    ck_assert_uint_eq(fake.started, 2);

    ck_assert_int_eq(judge(4, next_too, 1000 + ISSUER_REFETCH_MS - 1), AUTH_UNAVAILABLE);
    ck_assert_int_eq(judge(5, next, 1000 + ISSUER_REFETCH_MS - 1), AUTH_DENY);
    ck_assert_int_eq(judge(6, next, 1000 + ISSUER_REFETCH_MS), AUTH_PENDING);
    ck_assert_int_eq(judge(7, next_too, 1000 + ISSUER_REFETCH_MS + 5), AUTH_PENDING);
    answer(200, set_two);
    ck_assert_int_eq(judge(6, next, 1000 + ISSUER_REFETCH_MS + 9), AUTH_ALLOW);
    ck_assert_int_eq(judge(7, next_too, 1000 + ISSUER_REFETCH_MS + 9), AUTH_ALLOW);
    ck_assert_uint_eq(fake.started, 3);
}
END_TEST

/* Who guesses the next kid, or names none, must not have the provider's own tokens refused. */
START_TEST(a_stranger_cannot_make_a_key_unknown)
{
    create(JWKS_URL);
    answer(200, set_one);
    const char *guessed = jwt_token(KEY_UNKNOWN, "RS256", "{\"alg\":\"RS256\",\"kid\":\"next\"}", JWT_CLAIMS);
    const char *nameless = jwt_token(KEY_UNKNOWN, "RS256", "{\"alg\":\"RS256\"}", JWT_CLAIMS);
    const char *ours = jwt_token(KEY_P256, "ES256", "{\"alg\":\"ES256\"}", JWT_CLAIMS);
    ck_assert_int_eq(judge(0, guessed, 1000), AUTH_PENDING);
    ck_assert_int_eq(judge(1, nameless, 1000), AUTH_PENDING);
    answer(200, set_one);
    ck_assert_int_eq(judge(0, guessed, 1100), AUTH_DENY);
    ck_assert_int_eq(judge(1, nameless, 1100), AUTH_DENY);
    ck_assert_int_eq(judge(2, next, 1200), AUTH_UNAVAILABLE);
    ck_assert_int_eq(judge(3, ours, 1200), AUTH_UNAVAILABLE);
    ck_assert_int_eq(judge(4, next, 32000), AUTH_PENDING);
    answer(200, set_two);
    ck_assert_int_eq(judge(4, next, 32100), AUTH_ALLOW);
    ck_assert_int_eq(judge(5, ours, 32100), AUTH_ALLOW);
}
END_TEST

START_TEST(a_look_that_fails_decides_nothing)
{
    create(JWKS_URL);
    answer(200, set_one);
    ck_assert_int_eq(judge(0, next, 1000), AUTH_PENDING);
    answer(0, NULL);
    ck_assert_int_eq(judge(0, next, 1100), AUTH_UNAVAILABLE);
    ck_assert_str_eq(reason, "keys_unavailable");
    ck_assert_int_eq(judge(0, good, 1100), AUTH_ALLOW);
    /* The retry brings it. */
    tick(2100);
    ck_assert_int_eq(judge(1, next, 2150), AUTH_PENDING);
    answer(200, set_two);
    ck_assert_int_eq(judge(1, next, 2200), AUTH_ALLOW);
}
END_TEST

START_TEST(a_look_that_began_before_decides_nothing)
{
    create(JWKS_URL);
    answer(200, set_one);
    tick(ISSUER_REFRESH_MS);
    ck_assert_int_eq(judge(0, next, ISSUER_REFRESH_MS + 100), AUTH_PENDING);
    answer(200, set_one);
    ck_assert_int_eq(judge(0, next, ISSUER_REFRESH_MS + 200), AUTH_PENDING);
    answer(200, set_one);
    ck_assert_int_eq(judge(0, next, ISSUER_REFRESH_MS + 300), AUTH_DENY);
    ck_assert_uint_eq(fake.started, 3);
    /* One that fails is the last that is waited for. */
    tick(3 * ISSUER_REFRESH_MS);
    ck_assert_int_eq(judge(1, next_too, 3 * ISSUER_REFRESH_MS + 100), AUTH_PENDING);
    answer(0, NULL);
    ck_assert_int_eq(judge(1, next_too, 3 * ISSUER_REFRESH_MS + 200), AUTH_UNAVAILABLE);
}
END_TEST

START_TEST(the_queue_has_an_end)
{
    create(JWKS_URL);
    for (size_t i = 0; i < AUTH_QUEUE_MAX; i++)
        ck_assert_int_eq(judge(i, good, 10), AUTH_PENDING);
    ck_assert_int_eq(judge(AUTH_QUEUE_MAX, good, 10), AUTH_UNAVAILABLE);
    answer(0, NULL);
    for (size_t i = 0; i < AUTH_QUEUE_MAX; i++)
        ck_assert_uint_eq(waiters[i].woken, 1);
    waiters[0].wait.rounds = AUTH_ROUNDS_MAX;
    ck_assert_int_eq(judge(0, good, 5000), AUTH_UNAVAILABLE);
    ck_assert_ptr_null(fake.pending);
}
END_TEST

#define DOCUMENT(uri) "{\"issuer\":\"" JWT_ISSUER "\",\"jwks_uri\":\"" uri "\"}"

START_TEST(the_set_is_found_through_the_issuer)
{
    create(NULL);
    ck_assert_str_eq(pending_url(), "https://idp.example/.well-known/openid-configuration");
    ck_assert_str_eq(fake.pending->kind, "discovery");
    ck_assert_int_eq(judge(0, good, 10), AUTH_PENDING);
    answer(200, DOCUMENT(JWKS_URL));
    ck_assert_uint_eq(waiters[0].woken, 0);
    ck_assert_str_eq(pending_url(), JWKS_URL);
    answer(200, set_one);
    ck_assert_int_eq(judge(0, good, 20), AUTH_ALLOW);
    /* The place is kept while nobody there says otherwise. */
    tick(ISSUER_REFRESH_MS + 10);
    ck_assert_str_eq(pending_url(), JWKS_URL);
    answer(0, NULL);
    tick(ISSUER_REFRESH_MS + 1010);
    ck_assert_str_eq(pending_url(), JWKS_URL);
    answer(404, "");
    tick(ISSUER_REFRESH_MS + 3010);
    ck_assert_str_eq(pending_url(), "https://idp.example/.well-known/openid-configuration");
    answer(200, DOCUMENT("https://idp.example/moved"));
    ck_assert_str_eq(pending_url(), "https://idp.example/moved");
    answer(200, set_two);
    ck_assert_int_eq(judge(1, next, ISSUER_REFRESH_MS + 4000), AUTH_ALLOW);
}
END_TEST

START_TEST(a_document_that_is_not_the_issuers_is_none)
{
    static const struct {
        long status;
        const char *document;
    } rows[] = {
        {404, "x"},
        {500, DOCUMENT(JWKS_URL)},
        {302, ""},
        {200, ""},
        {200, "[]"},
        {200, "{}"},
        {200, "{\"issuer\":\"https://idp.example\",\"jwks_uri\":\"" JWKS_URL "\"}"},
        {200, "{\"issuer\":\"https://stranger.example/\",\"jwks_uri\":\"" JWKS_URL "\"}"},
        {200, "{\"issuer\":\"" JWT_ISSUER "\"}"},
        {200, "{\"issuer\":\"" JWT_ISSUER "\",\"issuer\":\"x\",\"jwks_uri\":\"" JWKS_URL "\"}"},
        {200, "{\"issuer\":\"" JWT_ISSUER "\",\"jwks_uri\":1}"},
        {200, DOCUMENT("http://idp.example/keys")},
        {200, DOCUMENT("http://127.0.0.1/keys")},
        {200, DOCUMENT("file:///etc/keys")},
        {200, DOCUMENT("")},
    };
    create(NULL);
    uint64_t now_ms = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_str_eq(pending_url(), "https://idp.example/.well-known/openid-configuration");
        answer(rows[i].status, rows[i].document);
        ck_assert_str_eq(pending_url(), "https://idp.example/.well-known/oauth-authorization-server");
        answer(rows[i].status, rows[i].document);
        ck_assert_ptr_null(fake.pending);
        ck_assert_int_eq(judge(0, good, now_ms), AUTH_UNAVAILABLE);
        now_ms += 31000;
        tick(now_ms);
    }
    answer(404, "");
    answer(200, DOCUMENT(JWKS_URL));
    ck_assert_str_eq(pending_url(), JWKS_URL);
    answer(200, set_one);
    ck_assert_int_eq(judge(1, good, now_ms), AUTH_ALLOW);
}
END_TEST

START_TEST(a_host_that_is_away_is_asked_once)
{
    create(NULL);
    answer(0, NULL);
    ck_assert_ptr_null(fake.pending);
    ck_assert_int_eq(judge(0, good, 10), AUTH_UNAVAILABLE);
}
END_TEST

START_TEST(documents_have_their_place)
{
    static const struct {
        const char *issuer, *openid, *rfc8414;
    } rows[] = {
        {"https://a.b", "https://a.b/.well-known/openid-configuration",
         "https://a.b/.well-known/oauth-authorization-server"},
        {"https://a.b/", "https://a.b/.well-known/openid-configuration",
         "https://a.b/.well-known/oauth-authorization-server"},
        {"https://a.b:8443/x/y/", "https://a.b:8443/x/y/.well-known/openid-configuration",
         "https://a.b:8443/.well-known/oauth-authorization-server/x/y"},
        {"http://[::1]:80/x", "http://[::1]:80/x/.well-known/openid-configuration",
         "http://[::1]:80/.well-known/oauth-authorization-server/x"},
    };
    char url[ISSUER_URL_MAX], long_issuer[ISSUER_URL_MAX];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        issuer_discovery_url(rows[i].issuer, false, url, sizeof url);
        ck_assert_str_eq(url, rows[i].openid);
        issuer_discovery_url(rows[i].issuer, true, url, sizeof url);
        ck_assert_str_eq(url, rows[i].rfc8414);
    }
    memset(long_issuer, 'x', sizeof long_issuer);
    memcpy(long_issuer, "https://", 8);
    long_issuer[sizeof long_issuer - 1] = '\0';
    issuer_discovery_url(long_issuer, true, url, sizeof url);
    ck_assert_str_eq(url, "");

    char error[100];
    static const char document[] =
        "{\"issuer\":\"http://127.0.0.1:1/\",\"jwks_uri\":\"http://localhost:1/keys\"}";
    ck_assert(issuer_discovery_read(slice_of(document), "http://127.0.0.1:1/", url, sizeof url, error,
                                    sizeof error));
    ck_assert_str_eq(url, "http://localhost:1/keys");
    ck_assert(
        !issuer_discovery_read(slice_of(document), "http://127.0.0.1:1/", url, 10, error, sizeof error));
    ck_assert_str_eq(error, "the document's jwks_uri is too long");
}
END_TEST

START_TEST(what_ends_later_finds_nothing_freed)
{
    create(NULL);
    ck_assert_int_eq(judge(0, good, 10), AUTH_PENDING);
    issuer_free(issuer);
    issuer = NULL;
    ck_assert_uint_eq(waiters[0].woken, 1);
    ck_assert_ptr_null(fake.task);
    answer(200, DOCUMENT(JWKS_URL));
    ck_assert_ptr_null(fake.pending); /* goes no further */
    ck_assert_uint_eq(waiters[0].woken, 1);

    create(JWKS_URL);
    issuer_free(issuer);
    issuer = NULL;
    answer(200, set_one);
    ck_assert_uint_eq(logged("fetched"), 0);
    issuer_free(NULL);
}
END_TEST

START_TEST(an_answer_may_come_before_the_start_returns)
{
    fake.answer = "no set";
    create(JWKS_URL);
    ck_assert_int_eq(judge(0, good, 10), AUTH_UNAVAILABLE);
    fake.answer = set_one;
    ck_assert_int_eq(judge(0, good, 1100), AUTH_PENDING);
    ck_assert_uint_eq(waiters[0].woken, 1);
    ck_assert_int_eq(judge(0, good, 1100), AUTH_ALLOW);
    ck_assert_int_eq(judge(1, next, 1200), AUTH_PENDING);
    ck_assert_uint_eq(waiters[1].woken, 1);
    ck_assert_int_eq(judge(1, next, 1200), AUTH_DENY);
}
END_TEST

/* Threads judge while others' looks end. */
static atomic_uint wrong;

static void *judge_many(void *data)
{
    size_t first = *(const size_t *)data;
    for (size_t i = 0; i < 60; i++) {
        struct auth_now now = {start_ms + i * 1000, (int64_t)JWT_NOW_S * 1000};
        struct waiter waiter = {.wait = {.wake = wake}};
        const char *why = NULL;
        bool known = (i + first) % 2 == 0;
        unsigned waits = 0;
        enum auth_verdict verdict;
        while ((verdict = issuer_judge(issuer, slice_of(known ? good : next), &rules, &now, &waiter.wait,
                                       &why)) == AUTH_PENDING) {
            waits++;
            while (atomic_load(&waiter.woken) < waits)
                sched_yield();
        }
        if ((verdict == AUTH_ALLOW) != known)
            wrong++;
    }
    return NULL;
}

START_TEST(threads_share_an_issuer)
{
    pthread_t threads[4];
    size_t numbers[4];
    fake.answer = set_one;
    create(JWKS_URL);
    for (size_t i = 0; i < 4; i++) {
        numbers[i] = i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, judge_many, &numbers[i]), 0);
    }
    for (uint64_t i = 0; i < 100; i++)
        tick(i * ISSUER_REFRESH_MS);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(atomic_load(&wrong), 0);
}
END_TEST

Suite *suite_issuer(void)
{
    Suite *suite = suite_create("issuer");
    TCase *tcase = tcase_create("issuer");
    tcase_add_unchecked_fixture(tcase, make_tokens, free_tokens);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, who_comes_before_the_keys_waits_for_them);
    tcase_add_test(tcase, without_keys_nothing_is_final);
    tcase_add_test(tcase, a_request_may_bring_the_retry_forward);
    tcase_add_test(tcase, keys_are_refreshed_and_kept_while_the_provider_is_away);
    tcase_add_test(tcase, a_new_key_is_looked_for_at_once);
    tcase_add_test(tcase, a_key_that_a_look_has_not_found_is_unknown);
    tcase_add_test(tcase, a_stranger_cannot_make_a_key_unknown);
    tcase_add_test(tcase, a_look_that_fails_decides_nothing);
    tcase_add_test(tcase, a_look_that_began_before_decides_nothing);
    tcase_add_test(tcase, the_queue_has_an_end);
    tcase_add_test(tcase, the_set_is_found_through_the_issuer);
    tcase_add_test(tcase, a_document_that_is_not_the_issuers_is_none);
    tcase_add_test(tcase, a_host_that_is_away_is_asked_once);
    tcase_add_test(tcase, documents_have_their_place);
    tcase_add_test(tcase, what_ends_later_finds_nothing_freed);
    tcase_add_test(tcase, an_answer_may_come_before_the_start_returns);
    tcase_add_test(tcase, threads_share_an_issuer);
    suite_add_tcase(suite, tcase);
    return suite;
}
