// SPDX-License-Identifier: Apache-2.0
//
// A provider that answers when the test says so, and requests that wait for it.
#include "introspection_fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "telemetry/log.h"

struct introspection *introspection;
struct auth_now now;

static pthread_mutex_t calls_lock = PTHREAD_MUTEX_INITIALIZER;
static struct fetch *calls[INTROSPECTION_CALLS_MAX];
static size_t calls_under_way;

static void fake_start(struct fetcher *fetcher, struct fetch *fetch)
{
    (void)fetcher;
    pthread_mutex_lock(&calls_lock);
    ck_assert_uint_lt(calls_under_way, INTROSPECTION_CALLS_MAX);
    calls[calls_under_way++] = fetch;
    pthread_mutex_unlock(&calls_lock);
}

static struct fetcher fetcher = {.start = fake_start};

void setup_introspection(void)
{
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT, STDERR_FILENO); /* the failures here are meant */
    now = (struct auth_now){.ms = 1000000, .wall_ms = FIXTURE_WALL_MS};
    calls_under_way = 0;
    introspection = introspection_create(&fetcher, "https://idp.example/introspect", "bridge", "s3cret");
    ck_assert_ptr_nonnull(introspection);
}

void teardown_introspection(void)
{
    introspection_free(introspection);
    introspection = NULL;
    ck_assert_uint_eq(call_count(), 0);
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_AUTO, STDERR_FILENO);
}

void pass_ms(uint64_t ms)
{
    now.ms += ms;
    now.wall_ms += (int64_t)ms;
}

size_t call_count(void)
{
    pthread_mutex_lock(&calls_lock);
    size_t count = calls_under_way;
    pthread_mutex_unlock(&calls_lock);
    return count;
}

struct fetch *call_at(size_t i)
{
    pthread_mutex_lock(&calls_lock);
    ck_assert_uint_lt(i, calls_under_way);
    struct fetch *fetch = calls[i];
    pthread_mutex_unlock(&calls_lock);
    return fetch;
}

static struct fetch *take_call(size_t i)
{
    pthread_mutex_lock(&calls_lock);
    ck_assert_uint_lt(i, calls_under_way);
    struct fetch *fetch = calls[i];
    calls_under_way--;
    memmove(&calls[i], &calls[i + 1], (calls_under_way - i) * sizeof(struct fetch *));
    pthread_mutex_unlock(&calls_lock);
    return fetch;
}

static void end_call(struct fetch *fetch, long status, const char *answer)
{
    fetch->status = answer != NULL ? status : 0;
    fetch->body = slice_of(answer);
    if (answer == NULL)
        snprintf(fetch->error, sizeof fetch->error, "connection refused");
    fetch->done(fetch);
}

void answer_with(long status, const char *answer)
{
    end_call(take_call(0), status, answer);
}

void answer_last_with(long status, const char *answer)
{
    end_call(take_call(call_count() - 1), status, answer);
}

static void on_wake(struct auth_wait *wait)
{
    ((struct request *)wait)->woken++;
}

enum auth_verdict judge_by(struct request *request, const char *token, const struct jwt_rules *rules,
                           bool known_peer)
{
    request->wait.wake = on_wake;
    request->reason = NULL;
    enum auth_verdict verdict = introspection_judge(introspection, slice_of(token), rules, known_peer, &now,
                                                    &request->wait, &request->reason);
    bool says_why = verdict == AUTH_DENY || verdict == AUTH_UNAVAILABLE;
    ck_assert(says_why == (request->reason != NULL));
    return verdict;
}

enum auth_verdict judge_token(struct request *request, const char *token)
{
    static const struct jwt_rules rules;
    return judge_by(request, token, &rules, false);
}

enum auth_verdict judge_known(struct request *request, const char *token)
{
    static const struct jwt_rules rules;
    return judge_by(request, token, &rules, true);
}

const char *verdict_now(const char *token)
{
    struct request request = {.woken = 0};
    enum auth_verdict verdict = judge_token(&request, token);
    ck_assert_msg(verdict != AUTH_PENDING, "it waits");
    return request.reason;
}

const char *verdict_after(const char *token, long status, const char *answer)
{
    struct request request = {.woken = 0};
    ck_assert_int_eq(judge_token(&request, token), AUTH_PENDING);
    ck_assert_uint_eq(request.woken, 0);
    answer_last_with(status, answer);
    ck_assert_uint_eq(request.woken, 1);
    ck_assert_int_ne(judge_token(&request, token), AUTH_PENDING);
    return request.reason;
}
