// SPDX-License-Identifier: Apache-2.0
//
// How long answers serve, who pushes out whom, who may ask how often, and what an outage changes.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "introspection_fixture.h"

#define ACTIVE "{\"active\":true}"
#define INACTIVE "{\"active\":false}"

static const char *numbered(const char *prefix, unsigned number)
{
    static char text[64];
    snprintf(text, sizeof text, "%s-%u", prefix, number);
    return text;
}

START_TEST(requests_with_one_token_share_one_call)
{
    static struct request requests[100];
    memset(requests, 0, sizeof requests);
    for (size_t i = 0; i < 100; i++)
        ck_assert_int_eq(judge_token(&requests[i], "token"), AUTH_PENDING);
    ck_assert_uint_eq(call_count(), 1);
    answer_with(200, ACTIVE);
    for (size_t i = 0; i < 100; i++) {
        ck_assert_uint_eq(requests[i].woken, 1);
        ck_assert_int_eq(judge_token(&requests[i], "token"), AUTH_ALLOW);
    }
    ck_assert_uint_eq(call_count(), 0);
}
END_TEST

START_TEST(waiters_are_bounded)
{
    static struct request requests[AUTH_QUEUE_MAX + 1];
    memset(requests, 0, sizeof requests);
    for (size_t i = 0; i < AUTH_QUEUE_MAX; i++)
        ck_assert_int_eq(judge_token(&requests[i], "token"), AUTH_PENDING);
    ck_assert_int_eq(judge_token(&requests[AUTH_QUEUE_MAX], "token"), AUTH_UNAVAILABLE);
    ck_assert_str_eq(requests[AUTH_QUEUE_MAX].reason, "introspection_unavailable");
    answer_with(200, INACTIVE);

    struct request patient = {.wait.rounds = AUTH_ROUNDS_MAX};
    ck_assert_int_eq(judge_token(&patient, "another"), AUTH_UNAVAILABLE);
    ck_assert_uint_eq(call_count(), 0);
}
END_TEST

START_TEST(a_positive_answer_serves_a_minute)
{
    ck_assert_ptr_null(verdict_after("token", 200, ACTIVE));
    pass_ms(INTROSPECTION_REFRESH_MS - 1);
    ck_assert_ptr_null(verdict_now("token"));
    ck_assert_uint_eq(call_count(), 0);
    pass_ms(INTROSPECTION_POSITIVE_MS - INTROSPECTION_REFRESH_MS + 1);

    /* Asked anew, and now the token is not active any more. */
    ck_assert_str_eq(verdict_after("token", 200, INACTIVE), "inactive_token");
}
END_TEST

START_TEST(a_token_in_use_is_asked_about_in_the_background)
{
    ck_assert_ptr_null(verdict_after("token", 200, ACTIVE));
    pass_ms(INTROSPECTION_REFRESH_MS);
    for (int i = 0; i < 10; i++)
        ck_assert_ptr_null(verdict_now("token"));
    ck_assert_uint_eq(call_count(), 1);
    pass_ms(INTROSPECTION_POSITIVE_MS - INTROSPECTION_REFRESH_MS - 1);
    ck_assert_ptr_null(verdict_now("token"));
    answer_with(200, ACTIVE);

    /* It is as old as its call's beginning. */
    ck_assert_ptr_null(verdict_now("token"));
    ck_assert_uint_eq(call_count(), 0);
    pass_ms(1);
    ck_assert_ptr_null(verdict_now("token"));
    ck_assert_uint_eq(call_count(), 1);
    answer_with(200, INACTIVE);
    ck_assert_str_eq(verdict_now("token"), "inactive_token");
}
END_TEST

START_TEST(a_negative_answer_serves_seconds)
{
    ck_assert_str_eq(verdict_after("token", 200, INACTIVE), "inactive_token");
    pass_ms(INTROSPECTION_NEGATIVE_MS - 1);
    ck_assert_str_eq(verdict_now("token"), "inactive_token");
    pass_ms(1);
    ck_assert_ptr_null(verdict_after("token", 200, ACTIVE));
}
END_TEST

START_TEST(no_answer_serves_past_exp)
{
    const char *answer = "{\"active\":true,\"exp\":1800000010}"; /* in 10 s */
    ck_assert_ptr_null(verdict_after("token", 200, answer));
    pass_ms(9999);
    ck_assert_ptr_null(verdict_now("token"));
    pass_ms(1);

    /* The leeway is for who has waited for the answer. */
    struct request first = {.woken = 0}, second = {.woken = 0};
    ck_assert_int_eq(judge_token(&first, "token"), AUTH_PENDING);
    pass_ms(1000);
    ck_assert_int_eq(judge_token(&second, "token"), AUTH_PENDING);
    pass_ms(1000);
    answer_with(200, answer);
    ck_assert_int_eq(judge_token(&first, "token"), AUTH_ALLOW);
    pass_ms(1);
    ck_assert_int_eq(judge_token(&second, "token"), AUTH_ALLOW);
    ck_assert_ptr_null(verdict_after("token", 200, answer));
    struct request gone = {.woken = 0};
    ck_assert_int_eq(judge_token(&gone, "token"), AUTH_PENDING);
    answer_with(200, answer);
    ck_assert_ptr_null(verdict_after("token", 200, answer));

    pass_ms(JWT_LEEWAY_S * 1000);
    ck_assert_str_eq(verdict_after("token", 200, answer), "expired");
    pass_ms(INTROSPECTION_NEGATIVE_MS - 1);
    ck_assert_str_eq(verdict_now("token"), "expired");
    pass_ms(1);
    ck_assert_str_eq(verdict_after("token", 200, INACTIVE), "inactive_token");
}
END_TEST

START_TEST(a_failure_speaks_for_a_second)
{
    struct request first = {.woken = 0}, second = {.woken = 0};
    ck_assert_int_eq(judge_token(&first, "token"), AUTH_PENDING);
    ck_assert_int_eq(judge_token(&second, "token"), AUTH_PENDING);
    pass_ms(FETCH_TIMEOUT_MS);
    answer_with(0, NULL);
    ck_assert_int_eq(judge_token(&first, "token"), AUTH_UNAVAILABLE);
    ck_assert_int_eq(judge_token(&second, "token"), AUTH_UNAVAILABLE);
    pass_ms(INTROSPECTION_FAILED_MS - 1);
    ck_assert_str_eq(verdict_now("token"), "introspection_unavailable");
    ck_assert_uint_eq(call_count(), 0);
    pass_ms(1);
    ck_assert_ptr_null(verdict_after("token", 200, ACTIVE));
}
END_TEST

START_TEST(a_failure_nobody_looked_at_does_not_speak_later)
{
    struct request gone = {.woken = 0};
    ck_assert_int_eq(judge_token(&gone, "token"), AUTH_PENDING);
    answer_with(0, NULL);
    pass_ms(60000);
    ck_assert_ptr_null(verdict_after("token", 200, ACTIVE));
}
END_TEST

/* A sender that sends all the time, from before an outage until long after it: never waits, never is
 * turned away; and the provider is asked about once a second. */
START_TEST(an_outage_does_not_turn_away_who_was_vouched_for)
{
    unsigned asked = 0;
    ck_assert_ptr_null(verdict_after("token", 200, ACTIVE));
    uint64_t end_ms = now.ms + INTROSPECTION_POSITIVE_MS + INTROSPECTION_STALE_MS;
    while (now.ms + 100 < end_ms) {
        pass_ms(100);
        ck_assert_ptr_null(verdict_now("token"));
        for (; call_count() > 0; asked++)
            answer_with(503, "");
    }
    ck_assert_uint_ge(asked, 280);
    ck_assert_uint_le(asked, 330);

    /* There is an end to it, though not to the asking. */
    pass_ms(end_ms - now.ms + INTROSPECTION_FAILED_MS);
    ck_assert_str_eq(verdict_after("token", 503, ""), "introspection_unavailable");
    ck_assert_str_eq(verdict_now("token"), "introspection_unavailable");
    pass_ms(INTROSPECTION_FAILED_MS);
    ck_assert_ptr_null(verdict_after("token", 200, ACTIVE));
}
END_TEST

/* The same with a provider that hangs: each call ends only when its time is up. */
START_TEST(an_outage_that_hangs_makes_nobody_wait)
{
    uint64_t began_ms = 0;
    ck_assert_ptr_null(verdict_after("token", 200, ACTIVE));
    for (unsigned i = 0; i < 2000; i++) {
        pass_ms(100);
        ck_assert_ptr_null(verdict_now("token"));
        if (call_count() > 0 && began_ms == 0)
            began_ms = now.ms;
        if (began_ms != 0 && now.ms - began_ms >= FETCH_TIMEOUT_MS) {
            answer_with(0, NULL);
            began_ms = 0;
        }
    }
    if (call_count() > 0)
        answer_with(0, NULL);
}
END_TEST

START_TEST(old_answers_serve_only_while_the_provider_is_away)
{
    /* Quiet for more than a minute: it waits for what the provider says. */
    ck_assert_ptr_null(verdict_after("token", 200, ACTIVE));
    pass_ms(INTROSPECTION_POSITIVE_MS);
    ck_assert_ptr_null(verdict_after("token", 0, NULL));

    /* A failure long ago says nothing. */
    pass_ms(30000);
    ck_assert_ptr_null(verdict_after("token", 500, ""));
    ck_assert_ptr_null(verdict_now("token"));
    pass_ms(INTROSPECTION_FAILED_MS);
    ck_assert_ptr_null(verdict_now("token"));
    ck_assert_uint_eq(call_count(), 1);
    answer_with(200, INACTIVE);
    ck_assert_str_eq(verdict_now("token"), "inactive_token");

    /* And what was refused is not let in by an outage. */
    pass_ms(INTROSPECTION_NEGATIVE_MS);
    ck_assert_str_eq(verdict_after("token", 0, NULL), "introspection_unavailable");
}
END_TEST

START_TEST(an_outage_serves_only_tokens_that_were_let_in)
{
    const struct jwt_rules rules = {.audience = "urn:bridge"};
    struct request request = {.woken = 0}, later = {.woken = 0};
    ck_assert_int_eq(judge_by(&request, "token", &rules, false), AUTH_PENDING);
    answer_with(200, ACTIVE);
    ck_assert_int_eq(judge_by(&request, "token", &rules, false), AUTH_DENY);
    pass_ms(INTROSPECTION_POSITIVE_MS - 1);
    ck_assert_int_eq(judge_by(&request, "token", &rules, false), AUTH_DENY);
    ck_assert_uint_eq(call_count(), 0);
    pass_ms(1);
    ck_assert_int_eq(judge_by(&later, "token", &rules, false), AUTH_PENDING);
    answer_with(0, NULL);
    ck_assert_int_eq(judge_by(&later, "token", &rules, false), AUTH_UNAVAILABLE);
}
END_TEST

START_TEST(no_outage_makes_a_token_outlive_its_exp)
{
    ck_assert_ptr_null(verdict_after("token", 200, "{\"active\":true,\"exp\":1800000090}")); /* in 90 s */
    pass_ms(89999);
    ck_assert_ptr_null(verdict_after("token", 0, NULL));
    pass_ms(1);
    ck_assert_str_eq(verdict_now("token"), "introspection_unavailable");
}
END_TEST

/* They have the larger budget here, so that it is not what keeps them out. */
START_TEST(strangers_push_out_nobody_who_was_let_in)
{
    ck_assert_ptr_null(verdict_after("good", 200, ACTIVE));
    uint64_t asked_ms = now.ms;
    for (unsigned i = 0; i < 10000; i++) {
        struct request request = {.woken = 0};
        pass_ms(INTROSPECTION_PEER_EVERY_MS);
        ck_assert_int_eq(judge_known(&request, numbered("stranger", i)), AUTH_PENDING);
        answer_with(i % 2 == 0 ? 200 : 500, INACTIVE);
        if (now.ms - asked_ms >= INTROSPECTION_REFRESH_MS) {
            pass_ms(INTROSPECTION_PEER_EVERY_MS);
            ck_assert_ptr_null(verdict_now("good"));
            ck_assert_uint_eq(call_count(), 1);
            answer_with(200, ACTIVE);
            asked_ms = now.ms;
        }
    }
    ck_assert_ptr_null(verdict_now("good"));
    ck_assert_uint_eq(call_count(), 0);
}
END_TEST

static void let_in(const char *token)
{
    struct request request = {.woken = 0};
    pass_ms(INTROSPECTION_PEER_EVERY_MS);
    ck_assert_int_eq(judge_known(&request, token), AUTH_PENDING);
    answer_with(200, ACTIVE);
    ck_assert_int_eq(judge_known(&request, token), AUTH_ALLOW);
}

/* All of them come within INTROSPECTION_REFRESH_MS, so that only a token that is gone is asked about. */
START_TEST(the_least_recently_used_goes_first)
{
    uint64_t began_ms = now.ms;
    let_in("used");
    let_in("unused");
    for (unsigned i = 2; i < INTROSPECTION_PROVEN_MAX; i++)
        let_in(numbered("token", i));
    ck_assert_ptr_null(verdict_now("used"));
    let_in("one-more");
    ck_assert_ptr_null(verdict_now("used"));
    ck_assert_ptr_null(verdict_now(numbered("token", 2)));
    ck_assert_uint_lt(now.ms - began_ms, INTROSPECTION_REFRESH_MS);
    ck_assert_uint_eq(call_count(), 0);
    ck_assert_str_eq(verdict_after("unused", 200, INACTIVE), "inactive_token");
}
END_TEST

/* An active token that no rules let in is a stranger's as well. */
START_TEST(tokens_for_somebody_else_push_out_nobody)
{
    const struct jwt_rules rules = {.audience = "urn:bridge"};
    ck_assert_ptr_null(verdict_after("good", 200, ACTIVE));
    for (unsigned i = 0; i < INTROSPECTION_PROVEN_MAX + 10; i++) {
        struct request request = {.woken = 0};
        pass_ms(INTROSPECTION_PEER_EVERY_MS);
        ck_assert_int_eq(judge_by(&request, numbered("foreign", i), &rules, true), AUTH_PENDING);
        answer_with(200, ACTIVE);
        ck_assert_int_eq(judge_by(&request, numbered("foreign", i), &rules, true), AUTH_DENY);
    }
    ck_assert_ptr_null(verdict_now("good"));
    ck_assert_uint_eq(call_count(), 0);
}
END_TEST

START_TEST(strangers_have_a_budget)
{
    unsigned asked = 0;
    for (unsigned i = 0; i < 1000; i++) {
        struct request request = {.woken = 0};
        if (judge_token(&request, numbered("stranger", i)) == AUTH_PENDING) {
            answer_with(200, INACTIVE);
            asked++;
        } else {
            ck_assert_str_eq(request.reason, "fetch_budget");
        }
    }
    ck_assert_uint_eq(asked, INTROSPECTION_STRANGER_BURST);
    pass_ms(INTROSPECTION_STRANGER_EVERY_MS - 1);
    ck_assert_str_eq(verdict_now("late"), "fetch_budget");

    /* A peer that has proved itself before has its own. */
    struct request request = {.woken = 0};
    ck_assert_int_eq(judge_known(&request, "late"), AUTH_PENDING);
    answer_with(200, ACTIVE);
    ck_assert_int_eq(judge_known(&request, "late"), AUTH_ALLOW);
    pass_ms(1);
    ck_assert_str_eq(verdict_after("later", 200, INACTIVE), "inactive_token");
}
END_TEST

START_TEST(a_token_that_was_let_in_does_not_need_the_strangers_budget)
{
    ck_assert_ptr_null(verdict_after("good", 200, ACTIVE));
    pass_ms(INTROSPECTION_POSITIVE_MS);
    for (unsigned i = 0; i < INTROSPECTION_STRANGER_BURST; i++)
        verdict_after(numbered("stranger", i), 200, INACTIVE);
    ck_assert_str_eq(verdict_now("another"), "fetch_budget");
    ck_assert_ptr_null(verdict_after("good", 200, ACTIVE));
}
END_TEST

/* Behind a proxy a stranger's request comes on a connection that others have proved themselves on. */
START_TEST(a_peer_does_not_spend_what_is_for_tokens_that_were_let_in)
{
    unsigned asked = 0;
    ck_assert_ptr_null(verdict_after("good", 200, ACTIVE));
    pass_ms(INTROSPECTION_POSITIVE_MS);
    for (unsigned i = 0; i < 1000; i++) {
        struct request request = {.woken = 0};
        if (judge_known(&request, numbered("stranger", i)) != AUTH_PENDING)
            continue;
        answer_with(200, INACTIVE);
        asked++;
    }
    ck_assert_uint_eq(asked, INTROSPECTION_PEER_BURST);
    ck_assert_ptr_null(verdict_after("good", 200, ACTIVE));
}
END_TEST

/* Nor does one that is not good any more have the other. */
START_TEST(a_token_that_was_let_in_once_is_a_strangers_when_it_has_ended)
{
    ck_assert_ptr_null(verdict_after("token", 200, ACTIVE));
    pass_ms(INTROSPECTION_POSITIVE_MS);
    ck_assert_str_eq(verdict_after("token", 200, INACTIVE), "inactive_token");
    pass_ms(INTROSPECTION_NEGATIVE_MS);
    for (unsigned i = 0; i < INTROSPECTION_STRANGER_BURST; i++)
        verdict_after(numbered("stranger", i), 200, INACTIVE);
    ck_assert_str_eq(verdict_now("token"), "fetch_budget");
}
END_TEST

START_TEST(hanging_calls_leave_room_for_the_others)
{
    static struct request requests[INTROSPECTION_CALLS_MAX];
    memset(requests, 0, sizeof requests);
    ck_assert_ptr_null(verdict_after("good", 200, ACTIVE));
    ck_assert_ptr_null(verdict_after("short", 200, "{\"active\":true,\"exp\":1800000060}"));
    ck_assert_ptr_null(verdict_after("next", 200, ACTIVE));
    unsigned i = INTROSPECTION_PEER_CALLS_MAX;
    for (; i < INTROSPECTION_CALLS_MAX; i++)
        ck_assert_ptr_null(verdict_after(numbered("let-in", i), 200, ACTIVE));
    i = 0;
    for (; i < INTROSPECTION_STRANGER_CALLS_MAX; i++)
        ck_assert_int_eq(judge_token(&requests[i], numbered("stranger", i)), AUTH_PENDING);
    ck_assert_str_eq(verdict_now("one-too-many"), "fetch_budget");
    for (; i < INTROSPECTION_PEER_CALLS_MAX; i++)
        ck_assert_int_eq(judge_known(&requests[i], numbered("peer", i)), AUTH_PENDING);
    struct request request = {.woken = 0};
    ck_assert_int_eq(judge_known(&request, "one-too-many"), AUTH_UNAVAILABLE);
    ck_assert_str_eq(request.reason, "fetch_budget");

    /* The last places are for those that were let in. */
    pass_ms(INTROSPECTION_POSITIVE_MS);
    for (; i < INTROSPECTION_CALLS_MAX; i++)
        ck_assert_int_eq(judge_token(&requests[i], numbered("let-in", i)), AUTH_PENDING);

    /* Now "good" cannot be asked about: that is told from an outage only by the last call's end. */
    ck_assert_str_eq(verdict_now("good"), "fetch_budget");
    answer_last_with(0, NULL);
    struct request next = {.woken = 0};
    ck_assert_int_eq(judge_token(&next, "next"), AUTH_PENDING);
    ck_assert_ptr_null(verdict_now("good"));
    ck_assert_str_eq(verdict_now("short"), "fetch_budget");
    while (call_count() > 0)
        answer_with(0, NULL);
}
END_TEST

START_TEST(nobody_is_pushed_out_while_asked_about)
{
    struct request slow = {.woken = 0};
    ck_assert_int_eq(judge_token(&slow, "slow"), AUTH_PENDING);
    for (unsigned i = 0; i < INTROSPECTION_OTHER_MAX + 10; i++) {
        struct request request = {.woken = 0};
        pass_ms(INTROSPECTION_PEER_EVERY_MS);
        ck_assert_int_eq(judge_known(&request, numbered("stranger", i)), AUTH_PENDING);
        answer_last_with(200, INACTIVE);
    }
    answer_with(200, ACTIVE);
    ck_assert_uint_eq(slow.woken, 1);
    ck_assert_ptr_null(verdict_now("slow"));
    ck_assert_uint_eq(call_count(), 0);
}
END_TEST

START_TEST(its_end_waits_for_nobody)
{
    struct request requests[3] = {{.woken = 0}};
    ck_assert_ptr_null(verdict_after("good", 200, ACTIVE));
    ck_assert_int_eq(judge_token(&requests[0], "token"), AUTH_PENDING);
    ck_assert_int_eq(judge_token(&requests[1], "token"), AUTH_PENDING);
    ck_assert_int_eq(judge_token(&requests[2], "other"), AUTH_PENDING);
    introspection_free(introspection);
    introspection = NULL;
    for (size_t i = 0; i < 3; i++)
        ck_assert_uint_eq(requests[i].woken, 1);
    ck_assert_uint_eq(call_count(), 2);
    answer_with(200, ACTIVE);
    answer_with(0, NULL);
    for (size_t i = 0; i < 3; i++)
        ck_assert_uint_eq(requests[i].woken, 1);
}
END_TEST

/* --- threads --- */

#define THREAD_ROUNDS 3000

struct thread_request {
    struct auth_wait wait; /* first */
    _Atomic unsigned woken;
};

static atomic_bool judges_done;

static void on_thread_wake(struct auth_wait *wait)
{
    atomic_fetch_add(&((struct thread_request *)wait)->woken, 1);
}

/* Judges a few tokens over and over, as strangers and as peers, waiting where it is told to. */
static void *run_judge(void *data)
{
    static const struct jwt_rules rules;
    unsigned *wrong = data;
    struct auth_now local = {.ms = 2000000, .wall_ms = FIXTURE_WALL_MS};
    for (unsigned i = 0; i < THREAD_ROUNDS; i++) {
        struct thread_request request = {.wait = {.wake = on_thread_wake}};
        char token[32];
        int len = snprintf(token, sizeof token, "token-%u", i * 7 % 40);
        const char *reason = NULL;
        local.ms += 100;
        local.wall_ms += 100;
        for (unsigned waits = 0;;) {
            enum auth_verdict verdict =
                introspection_judge(introspection, (struct slice){token, (size_t)len}, &rules, i % 3 == 0,
                                    &local, &request.wait, &reason);
            if (verdict != AUTH_PENDING) {
                *wrong += verdict == AUTH_DENY && strcmp(reason, "inactive_token") != 0;
                break;
            }
            waits++;
            while (atomic_load(&request.woken) < waits)
                usleep(10);
        }
    }
    return NULL;
}

static void *run_provider(void *data)
{
    unsigned answered = 0;
    (void)data;
    while (!atomic_load(&judges_done) || call_count() > 0) {
        if (call_count() == 0) {
            usleep(10);
            continue;
        }
        answered++;
        if (answered % 5 == 0)
            answer_with(0, NULL);
        else
            answer_with(200, answered % 3 == 0 ? INACTIVE : ACTIVE);
    }
    return NULL;
}

START_TEST(threads_judge_while_another_answers)
{
    pthread_t judges[2], provider;
    unsigned wrong[2] = {0};
    atomic_store(&judges_done, false);
    ck_assert_int_eq(pthread_create(&provider, NULL, run_provider, NULL), 0);
    for (size_t i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&judges[i], NULL, run_judge, &wrong[i]), 0);
    for (size_t i = 0; i < 2; i++)
        pthread_join(judges[i], NULL);
    atomic_store(&judges_done, true);
    pthread_join(provider, NULL);
    ck_assert_uint_eq(wrong[0] + wrong[1], 0);
}
END_TEST

Suite *suite_introspection_cache(void)
{
    Suite *suite = suite_create("introspection_cache");
    TCase *tcase = tcase_create("ages");
    tcase_add_checked_fixture(tcase, setup_introspection, teardown_introspection);
    tcase_add_test(tcase, requests_with_one_token_share_one_call);
    tcase_add_test(tcase, waiters_are_bounded);
    tcase_add_test(tcase, a_positive_answer_serves_a_minute);
    tcase_add_test(tcase, a_token_in_use_is_asked_about_in_the_background);
    tcase_add_test(tcase, a_negative_answer_serves_seconds);
    tcase_add_test(tcase, no_answer_serves_past_exp);
    tcase_add_test(tcase, a_failure_speaks_for_a_second);
    tcase_add_test(tcase, a_failure_nobody_looked_at_does_not_speak_later);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("outage");
    tcase_add_checked_fixture(tcase, setup_introspection, teardown_introspection);
    tcase_add_test(tcase, an_outage_does_not_turn_away_who_was_vouched_for);
    tcase_add_test(tcase, an_outage_that_hangs_makes_nobody_wait);
    tcase_add_test(tcase, old_answers_serve_only_while_the_provider_is_away);
    tcase_add_test(tcase, an_outage_serves_only_tokens_that_were_let_in);
    tcase_add_test(tcase, no_outage_makes_a_token_outlive_its_exp);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("bounds");
    tcase_add_checked_fixture(tcase, setup_introspection, teardown_introspection);
    tcase_add_test(tcase, strangers_push_out_nobody_who_was_let_in);
    tcase_add_test(tcase, the_least_recently_used_goes_first);
    tcase_add_test(tcase, tokens_for_somebody_else_push_out_nobody);
    tcase_add_test(tcase, strangers_have_a_budget);
    tcase_add_test(tcase, a_token_that_was_let_in_does_not_need_the_strangers_budget);
    tcase_add_test(tcase, a_peer_does_not_spend_what_is_for_tokens_that_were_let_in);
    tcase_add_test(tcase, a_token_that_was_let_in_once_is_a_strangers_when_it_has_ended);
    tcase_add_test(tcase, hanging_calls_leave_room_for_the_others);
    tcase_add_test(tcase, nobody_is_pushed_out_while_asked_about);
    tcase_add_test(tcase, its_end_waits_for_nobody);
    tcase_add_test(tcase, threads_judge_while_another_answers);
    suite_add_tcase(suite, tcase);
    return suite;
}
