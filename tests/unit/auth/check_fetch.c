// SPDX-License-Identifier: Apache-2.0
//
// The fetcher against a server on loopback: every answer and every lack of one.
#include "auth/fetch.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/http_fixture.h"
#include "clock.h"
#include "suites.h"

#define BODY_MAX 20000

static struct metrics *metrics;
static struct fetcher *fetcher;
static struct http_server *server;

/* A fetch, and what came of it. */
struct probe {
    struct fetch fetch;
    char url[256];
    sem_t done;
    unsigned calls, again; /* so many times more */
    size_t body_len;
    char body[BODY_MAX];
    pthread_t thread;
};

static struct probe probe;

static void set_up(void)
{
    char error[200];
    metrics = metrics_create();
    fetcher = fetcher_create(metrics, error, sizeof error);
    ck_assert_ptr_nonnull(fetcher);
    server = http_server_start(HTTP_PLAIN, NULL);
}

static void tear_down(void)
{
    fetcher_stop(fetcher);
    fetcher_free(fetcher);
    http_server_stop(server);
    metrics_free(metrics);
}

static void probe_done(struct fetch *fetch)
{
    struct probe *done = (struct probe *)fetch;
    done->calls++;
    done->thread = pthread_self();
    done->body_len = fetch->body.len;
    if (fetch->body.len > 0 && fetch->body.len <= BODY_MAX)
        memcpy(done->body, fetch->body.ptr, fetch->body.len);
    if (done->again > 0) {
        done->again--;
        fetcher_start(fetcher, fetch);
        return;
    }
    sem_post(&done->done);
}

static void probe_start(struct probe *started, const char *url)
{
    snprintf(started->url, sizeof started->url, "%s", url);
    sem_init(&started->done, 0, 0);
    started->fetch.kind = "jwks";
    started->fetch.url = started->url;
    started->fetch.done = probe_done;
    if (started->fetch.limit == 0)
        started->fetch.limit = BODY_MAX;
    fetcher_start(fetcher, &started->fetch);
}

static void probe_wait(struct probe *started)
{
    while (sem_wait(&started->done) != 0)
        continue;
    sem_destroy(&started->done);
}

static void fetch_url(const char *url)
{
    memset(&probe, 0, sizeof probe);
    probe_start(&probe, url);
    probe_wait(&probe);
    ck_assert_uint_eq(probe.calls, 1);
}

static void fetch_path(const char *path)
{
    fetch_url(http_server_url(server, path));
}

static uint64_t counted(const char *outcome)
{
    const struct metric_label labels[] = {{"kind", "jwks"}, {"outcome", outcome}};
    return counter_value(metrics_counter(metrics, "auth_fetches_total", "", labels, 2));
}

START_TEST(an_answer_is_an_answer_whatever_it_says)
{
    fetch_path("/ok");
    ck_assert_int_eq(probe.fetch.status, 200);
    ck_assert_uint_eq(probe.body_len, 5);
    ck_assert_mem_eq(probe.body, "hello", 5);
    ck_assert_str_eq(probe.fetch.error, "");
    ck_assert(!pthread_equal(probe.thread, pthread_self()));
    fetch_path("/missing");
    ck_assert_int_eq(probe.fetch.status, 404);
    ck_assert_mem_eq(probe.body, "none", 4);
    fetch_path("/empty");
    ck_assert_int_eq(probe.fetch.status, 204);
    ck_assert_uint_eq(probe.body_len, 0);
    ck_assert_uint_eq(counted("answered"), 3);
    ck_assert_uint_eq(counted("failed"), 0);
}
END_TEST

START_TEST(a_redirect_is_not_followed)
{
    fetch_path("/moved");
    ck_assert_int_eq(probe.fetch.status, 302);
    fetch_path("/ok");
    ck_assert_uint_eq(http_server_count(server), 2);
}
END_TEST

static void fetch_sized(const char *path, size_t limit)
{
    memset(&probe, 0, sizeof probe);
    probe.fetch.limit = limit;
    probe_start(&probe, http_server_url(server, path));
    probe_wait(&probe);
}

START_TEST(a_body_has_a_maximum)
{
    static const char *const paths[] = {"/sized/10000", "/streamed/10000"};
    for (size_t i = 0; i < 2; i++) {
        fetch_sized(paths[i], 10000);
        ck_assert_int_eq(probe.fetch.status, 200);
        ck_assert_uint_eq(probe.body_len, 10000);
        for (size_t j = 0; j < 10000; j++)
            ck_assert_int_eq(probe.body[j], 'x');
        fetch_sized(paths[i], 9999);
        ck_assert_int_eq(probe.fetch.status, 0);
        ck_assert_uint_eq(probe.body_len, 0);
        ck_assert_str_eq(probe.fetch.error, "larger than 9999 bytes");
    }
    fetch_sized("/streamed/50000000", 16384);
    ck_assert_str_eq(probe.fetch.error, "larger than 16384 bytes");
    ck_assert_uint_eq(counted("failed"), 3);
}
END_TEST

START_TEST(what_is_no_whole_answer_is_none)
{
    fetch_path("/garbage");
    ck_assert_int_eq(probe.fetch.status, 0);
    ck_assert_str_ne(probe.fetch.error, "");
    fetch_path("/cut");
    ck_assert_int_eq(probe.fetch.status, 0);
    ck_assert_uint_eq(probe.body_len, 0);
    ck_assert_str_ne(probe.fetch.error, "");

    struct http_server *gone = http_server_start(HTTP_PLAIN, NULL);
    char url[100];
    snprintf(url, sizeof url, "%s", http_server_url(gone, "/ok"));
    http_server_stop(gone);
    fetch_url(url);
    ck_assert_int_eq(probe.fetch.status, 0);
    ck_assert_ptr_nonnull(strstr(probe.fetch.error, "Failed to connect"));
    ck_assert_uint_eq(counted("failed"), 3);
}
END_TEST

START_TEST(nobody_is_waited_for_longer_than_the_time_out)
{
    uint64_t began_ms = clock_monotonic_ms();
    static struct probe other;
    memset(&other, 0, sizeof other);
    probe_start(&other, http_server_url(server, "/silent"));
    http_server_await_silent(server);
    fetch_path("/ok"); /* is not held up */
    ck_assert_int_eq(probe.fetch.status, 200);
    ck_assert_uint_lt(clock_monotonic_ms() - began_ms, FETCH_TIMEOUT_MS);
    probe_wait(&other);
    uint64_t took_ms = clock_monotonic_ms() - began_ms;
    ck_assert_int_eq(other.fetch.status, 0);
    ck_assert_ptr_nonnull(strstr(other.fetch.error, "timed out"));
    ck_assert_uint_ge(took_ms, FETCH_TIMEOUT_MS - 10);
}
END_TEST

START_TEST(a_request_says_what_it_must_and_no_more)
{
    memset(&probe, 0, sizeof probe);
    probe.fetch.form = SLICE_LITERAL("token=a%20b&x=y");
    probe.fetch.authorization = "Basic YTpi";
    probe.fetch.accept = "application/json";
    probe_start(&probe, http_server_url(server, "/ok?q"));
    probe_wait(&probe);
    const char *request = http_server_request(server);
    ck_assert_int_eq(strncmp(request, "POST /ok?q HTTP/1.1\r\n", 21), 0);
    ck_assert_ptr_nonnull(strstr(request, "\r\nAuthorization: Basic YTpi\r\n"));
    ck_assert_ptr_nonnull(strstr(request, "\r\nAccept: application/json\r\n"));
    ck_assert_ptr_nonnull(strstr(request, "\r\nUser-Agent: marketo-bridge\r\n"));
    ck_assert_ptr_nonnull(strstr(request, "\r\nContent-Type: application/x-www-form-urlencoded\r\n"));
    ck_assert_ptr_nonnull(strstr(request, "\r\n\r\ntoken=a%20b&x=y"));
    ck_assert_ptr_null(strcasestr(request, "\r\nExpect:"));

    fetch_path("/ok");
    request = http_server_request(server);
    ck_assert_int_eq(strncmp(request, "GET /ok HTTP/1.1\r\n", 18), 0);
    static const char *const absent[] = {"Authorization:", "Cookie:", "Accept-Encoding:", "Content-",
                                         "Referer:"};
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++)
        ck_assert_ptr_null(strcasestr(request, absent[i]));
}
END_TEST

START_TEST(only_https_leaves_this_machine)
{
    static const struct {
        const char *url;
        bool local;
    } rows[] = {
        {"http://127.0.0.1/", true},
        {"HTTP://127.9.9.9:8080/x", true},
        {"http://localhost:1/", true},
        {"http://LOCALHOST/", true},
        {"http://[::1]:80/", true},
        {"https://127.0.0.1/", false},
        {"http://127.0.0.1.example/", false},
        {"http://localhost.example/", false},
        {"http://127.0.0.1@192.0.2.1/", false},
        {"http://192.0.2.1/#@127.0.0.1", false},
        {"http://192.0.2.1\\@127.0.0.1/", false},
        {"http://[::2]/", false},
        {"http://[::ffff:192.0.2.1]/", false},
        {"http://128.0.0.1/", false},
        {"http://0.0.0.0/", false},
        {"ftp://127.0.0.1/", false},
        {"file:///etc/passwd", false},
        {"127.0.0.1", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_msg(fetch_url_is_local(rows[i].url) == rows[i].local, "%s", rows[i].url);
        if (rows[i].local || strncmp(rows[i].url, "https:", 6) == 0)
            continue;
        fetch_url(rows[i].url);
        ck_assert_msg(probe.fetch.status == 0 && strstr(probe.fetch.error, "onnect") == NULL, "%s: %s",
                      rows[i].url, probe.fetch.error);
    }
    char url[100];
    snprintf(url, sizeof url, "http://a:b@%s", http_server_url(server, "/ok") + 7);
    fetch_url(url);
    ck_assert_int_eq(probe.fetch.status, 0);
    ck_assert_uint_eq(http_server_count(server), 0);
}
END_TEST

START_TEST(no_proxy_on_loopback)
{
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    fetch_path("/ok");
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
    ck_assert_int_eq(probe.fetch.status, 200);
}
END_TEST

START_TEST(done_may_start_the_same_fetch_again)
{
    memset(&probe, 0, sizeof probe);
    probe.again = 5;
    probe_start(&probe, http_server_url(server, "/ok"));
    probe_wait(&probe);
    ck_assert_uint_eq(probe.calls, 6);
    ck_assert_int_eq(probe.fetch.status, 200);
    ck_assert_uint_eq(counted("answered"), 6);
}
END_TEST

START_TEST(more_than_may_run_at_once_take_turns)
{
    enum { COUNT = 200 };
    struct probe *probes = calloc(COUNT, sizeof *probes);
    for (size_t i = 0; i < COUNT; i++)
        probe_start(&probes[i], http_server_url(server, "/ok"));
    for (size_t i = 0; i < COUNT; i++) {
        probe_wait(&probes[i]);
        ck_assert_int_eq(probes[i].fetch.status, 200);
    }
    for (size_t i = 0; i < COUNT; i++)
        ck_assert_uint_eq(probes[i].calls, 1);
    ck_assert_uint_eq(http_server_count(server), COUNT);
    free(probes);
}
END_TEST

/* As many as strangers may have hanging at one host, and more. */
START_TEST(calls_that_hang_leave_room_at_their_host)
{
    enum { COUNT = 20 };
    struct probe *probes = calloc(COUNT, sizeof *probes);
    for (size_t i = 0; i < COUNT; i++)
        probe_start(&probes[i], http_server_url(server, "/silent"));
    uint64_t began_ms = clock_monotonic_ms();
    fetch_path("/ok");
    ck_assert_int_eq(probe.fetch.status, 200);
    ck_assert_uint_lt(clock_monotonic_ms() - began_ms, FETCH_TIMEOUT_MS);
    for (size_t i = 0; i < COUNT; i++)
        probe_wait(&probes[i]);
    free(probes);
}
END_TEST

START_TEST(stop_gives_up_what_is_under_way)
{
    enum { COUNT = 80 };
    struct probe *probes = calloc(COUNT, sizeof *probes);
    uint64_t began_ms = clock_monotonic_ms();
    for (size_t i = 0; i < COUNT; i++)
        probe_start(&probes[i], http_server_url(server, "/silent"));
    http_server_await_silent(server);
    fetcher_stop(fetcher);
    for (size_t i = 0; i < COUNT; i++) {
        ck_assert_int_eq(sem_trywait(&probes[i].done), 0);
        ck_assert_uint_eq(probes[i].calls, 1);
        ck_assert_int_eq(probes[i].fetch.status, 0);
        ck_assert_str_eq(probes[i].fetch.error, "the bridge is ending");
        sem_destroy(&probes[i].done);
    }
    ck_assert_uint_lt(clock_monotonic_ms() - began_ms, FETCH_TIMEOUT_MS);
    free(probes);

    memset(&probe, 0, sizeof probe);
    probe_start(&probe, http_server_url(server, "/ok"));
    ck_assert_int_eq(sem_trywait(&probe.done), 0);
    ck_assert(pthread_equal(probe.thread, pthread_self()));
    ck_assert_str_eq(probe.fetch.error, "the bridge is ending");
    ck_assert_uint_eq(counted("failed"), COUNT + 1);
    sem_destroy(&probe.done);
}
END_TEST

/* A task that says when it has run. */
struct counting_task {
    struct fetch_task task;
    atomic_uint runs;
    sem_t ran;
    uint64_t last_ms;
    bool signals_blocked;
};

static void counting_run(struct fetch_task *task, uint64_t now_ms)
{
    struct counting_task *counting = (struct counting_task *)task;
    sigset_t blocked;
    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    counting->signals_blocked = sigismember(&blocked, SIGTERM) == 1 && sigismember(&blocked, SIGHUP) == 1;
    ck_assert_uint_ge(now_ms, counting->last_ms);
    counting->last_ms = now_ms;
    counting->runs++;
    sem_post(&counting->ran);
}

static void await_run(struct counting_task *counting)
{
    while (sem_wait(&counting->ran) != 0)
        continue;
}

START_TEST(tasks_run_until_they_are_removed)
{
    static struct counting_task first, second;
    memset(&first, 0, sizeof first);
    memset(&second, 0, sizeof second);
    first.task.run = second.task.run = counting_run;
    sem_init(&first.ran, 0, 0);
    sem_init(&second.ran, 0, 0);
    fetcher->add_task(fetcher, &first.task);
    fetcher->add_task(fetcher, &second.task);
    await_run(&first);
    await_run(&second);
    fetcher->remove_task(fetcher, &first.task);
    fetcher->remove_task(fetcher, &first.task); /* is not there any more */
    unsigned runs = first.runs;
    while (sem_trywait(&second.ran) == 0)
        continue;
    await_run(&second);
    await_run(&second);
    ck_assert_uint_eq(first.runs, runs);
    ck_assert(second.signals_blocked);
    fetcher->remove_task(fetcher, &second.task);
    sem_destroy(&first.ran);
    sem_destroy(&second.ran);
}
END_TEST

/* ---- TLS ---- */

static char ca_path[] = "/tmp/check_fetch_XXXXXX";

/* With a fetcher of its own, which reads the environment when it is made. */
static void fetch_with_tls(enum http_certificate certificate, bool known)
{
    char error[200];
    struct http_server *tls = http_server_start(certificate, ca_path);
    struct fetcher *before = fetcher;
    if (known)
        setenv("SSL_CERT_FILE", ca_path, 1);
    fetcher = fetcher_create(metrics, error, sizeof error);
    unsetenv("SSL_CERT_FILE");
    ck_assert_ptr_nonnull(fetcher);
    fetch_url(http_server_url(tls, "/ok"));
    fetcher_stop(fetcher);
    fetcher_free(fetcher);
    fetcher = before;
    http_server_stop(tls);
}

START_TEST(certificates_are_checked)
{
    int fd = mkstemp(ca_path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    fetch_with_tls(HTTP_TLS, true);
    ck_assert_msg(probe.fetch.status == 200, "%s", probe.fetch.error);
    fetch_with_tls(HTTP_TLS, false);
    ck_assert_int_eq(probe.fetch.status, 0);
    ck_assert_ptr_nonnull(strstr(probe.fetch.error, "certificate"));
    fetch_with_tls(HTTP_TLS_EXPIRED, true);
    ck_assert_int_eq(probe.fetch.status, 0);
    ck_assert_ptr_nonnull(strstr(probe.fetch.error, "expired"));
    fetch_with_tls(HTTP_TLS_OTHER_NAME, true);
    ck_assert_int_eq(probe.fetch.status, 0);
    unlink(ca_path);

    char url[100];
    snprintf(url, sizeof url, "https%s", http_server_url(server, "/ok") + 4);
    fetch_url(url);
    ck_assert_int_eq(probe.fetch.status, 0);
}
END_TEST

Suite *suite_fetch(void)
{
    Suite *suite = suite_create("fetch");
    TCase *tcase = tcase_create("fetch");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, an_answer_is_an_answer_whatever_it_says);
    tcase_add_test(tcase, a_redirect_is_not_followed);
    tcase_add_test(tcase, a_body_has_a_maximum);
    tcase_add_test(tcase, what_is_no_whole_answer_is_none);
    tcase_add_test(tcase, nobody_is_waited_for_longer_than_the_time_out);
    tcase_add_test(tcase, a_request_says_what_it_must_and_no_more);
    tcase_add_test(tcase, only_https_leaves_this_machine);
    tcase_add_test(tcase, no_proxy_on_loopback);
    tcase_add_test(tcase, done_may_start_the_same_fetch_again);
    tcase_add_test(tcase, more_than_may_run_at_once_take_turns);
    tcase_add_test(tcase, calls_that_hang_leave_room_at_their_host);
    tcase_add_test(tcase, stop_gives_up_what_is_under_way);
    tcase_add_test(tcase, tasks_run_until_they_are_removed);
    tcase_add_test(tcase, certificates_are_checked);
    suite_add_tcase(suite, tcase);
    return suite;
}
