// SPDX-License-Identifier: Apache-2.0
//
// How long something would wait, from what was confirmed.
#include "kafka/flow.h"
#include "suites.h"

static struct flow flow;
static uint64_t now_ms;

static void setup(void)
{
    flow = (struct flow){0};
    now_ms = 5000;
    flow_tick(&flow, now_ms);
}

/* How long one more would wait, milliseconds. */
static int wait_ms(void)
{
    return (int)((uint64_t)atomic_load(&flow.waiting) * atomic_load(&flow.event_us) / 1000);
}

/* One slot in which so many events come and so many are confirmed, at that age. */
static void pass(size_t come, size_t confirmed, uint64_t age_ms)
{
    flow_begin(&flow, come);
    flow_end(&flow, confirmed, true, age_ms);
    now_ms += FLOW_SLOT_MS;
    flow_tick(&flow, now_ms);
}

START_TEST(what_waits_is_divided_by_what_is_confirmed)
{
    pass(10000, 0, 0);
    for (int i = 0; i < FLOW_SLOTS; i++)
        pass(100, 100, 1500);
    ck_assert_int_eq(wait_ms(), 25000); /* 10,000 at 400 a second */
}
END_TEST

START_TEST(young_confirmations_tell_of_no_queue)
{
    pass(10000, 0, 0);
    for (int i = 0; i < FLOW_SLOTS; i++)
        pass(100, 100, 900);
    ck_assert_int_eq(wait_ms(), 0);
}
END_TEST

START_TEST(nothing_is_known_while_nothing_is_confirmed)
{
    pass(1500, 0, 0);
    for (int i = 0; i < FLOW_SLOTS - 1; i++)
        pass(1000, 1000, 1500);
    pass(500, 0, 0);
    ck_assert_int_eq(wait_ms(), 532); /* 15,000 in 16 slots */
    for (int i = 0; i < FLOW_SLOTS; i++)
        pass(1000, 0, 0);
    ck_assert_int_eq(wait_ms(), 0);
}
END_TEST

/* A leader was away for three seconds and has confirmed what waited, or one batch was slow: what is
 * confirmed is old, yet nothing waits any more. */
START_TEST(who_has_caught_up_keeps_up)
{
    pass(300, 0, 0);
    pass(1, 300, 2500);
    pass(500, 1, 1200);
    ck_assert_int_eq(wait_ms(), 830); /* 301 in two slots; something has always waited */
    flow_end(&flow, 500, true, 1200);
    pass(500, 0, 0);
    ck_assert_int_eq(wait_ms(), 0);
    ck_assert(flow_admits(&flow, 0));
    for (int i = 0; i < FLOW_SLOTS; i++) {
        pass(0, 1, 1100); /* from now on there is a queue */
        ck_assert_int_eq(wait_ms(), (500 - i - 1) * FLOW_SLOT_MS);
    }
}
END_TEST

START_TEST(who_has_given_up_all_has_not_caught_up)
{
    pass(2000, 0, 0);
    pass(0, 500, 5000);
    flow_end(&flow, 1500, false, 6000);
    pass(500, 0, 0);
    ck_assert_int_eq(wait_ms(), 500); /* 500 in two slots */
}
END_TEST

START_TEST(a_standstill_does_not_make_it_look_slow)
{
    for (int i = 0; i < FLOW_SLOTS; i++)
        pass(1000, 0, 0);
    pass(0, 1000, 1800); /* 4,000 a second, since a quarter of one */
    ck_assert_int_eq(wait_ms(), 3750);
}
END_TEST

START_TEST(what_fails_is_no_confirmation)
{
    flow_begin(&flow, 1000);
    flow_end(&flow, 900, false, 5000);
    now_ms += FLOW_SLOT_MS;
    flow_tick(&flow, now_ms);
    ck_assert_int_eq(wait_ms(), 0);
    pass(0, 50, 5000);
    ck_assert_int_eq(wait_ms(), 250); /* 50 left, at 200 a second */
}
END_TEST

START_TEST(late_ticks_make_longer_slots)
{
    flow_begin(&flow, 3000);
    flow_end(&flow, 1000, true, 2000);
    now_ms += 1000;
    flow_tick(&flow, now_ms);
    ck_assert_int_eq(wait_ms(), 2000);
    flow_end(&flow, 1500, true, 2000);
    flow_tick(&flow, now_ms + FLOW_SLOT_MS - 1); /* too soon to say anything new */
    ck_assert_int_eq(wait_ms(), 500);
    flow_tick(&flow, now_ms + FLOW_SLOT_MS);
    ck_assert_int_eq(wait_ms(), 250); /* 500 left, 2,500 in 1,250 ms */
}
END_TEST

START_TEST(two_thirds_of_the_time_may_be_waited)
{
    ck_assert(flow_admits(&flow, 0));
    pass(2000, 0, 0);
    pass(0, 400, 1500); /* 1,600 left, at 1,600 a second */
    ck_assert_int_eq(wait_ms(), 1000);
    ck_assert(flow_admits(&flow, 1500));
    ck_assert(!flow_admits(&flow, 1499));
}
END_TEST

/* So many are given up in each slot of a second. */
static void give_up_for_a_second(size_t events)
{
    for (int i = 0; i < 1000 / FLOW_SLOT_MS; i++) {
        flow_end(&flow, events, false, 6000);
        pass(0, 0, 0);
    }
}

START_TEST(half_as_many_may_wait_while_all_is_given_up)
{
    flow_begin(&flow, 100000);
    give_up_for_a_second(5000);
    ck_assert_int_eq((int)atomic_load(&flow.limit), 50000);
    ck_assert(!flow_admits(&flow, 17000));
    give_up_for_a_second(10000);
    ck_assert_int_eq((int)atomic_load(&flow.limit), 25000);
    for (int i = 0; i < FLOW_SLOTS; i++)
        pass(0, 0, 0); /* nothing happens */
    ck_assert_int_eq((int)atomic_load(&flow.limit), 25000);
    give_up_for_a_second(10000);
    ck_assert_int_eq((int)atomic_load(&flow.limit), 12500);
    ck_assert(flow_admits(&flow, 17000));
    for (int i = 0; i < 10; i++) {
        flow_begin(&flow, 400);
        give_up_for_a_second(100);
    }
    ck_assert_int_eq((int)atomic_load(&flow.limit), FLOW_LIMIT_MIN);
    ck_assert(flow_admits(&flow, 17000));
}
END_TEST

START_TEST(the_limit_grows_while_it_refuses_and_goes_when_it_does_not)
{
    atomic_store(&flow.limit, 2000);
    flow_begin(&flow, 5000);
    ck_assert(!flow_admits(&flow, 17000));
    pass(0, 500, 20);
    ck_assert_int_eq((int)atomic_load(&flow.limit), 2500);
    ck_assert(!flow_admits(&flow, 17000));
    pass(0, 700, 20);
    ck_assert_int_eq((int)atomic_load(&flow.limit), 3200);
    for (int i = 1; i <= 2000 / FLOW_SLOT_MS; i++) {
        ck_assert(flow_admits(&flow, 17000) || i < 2);
        pass(0, 400, 20);
        ck_assert_int_eq((int)atomic_load(&flow.limit), 3200 + i * 400);
    }
    pass(0, 400, 20);
    ck_assert_int_eq((int)atomic_load(&flow.limit), 0);
}
END_TEST

START_TEST(the_limit_goes_when_nothing_is_under_way)
{
    atomic_store(&flow.limit, 2000);
    flow_begin(&flow, 1000);
    for (int i = 0; i < FLOW_SLOTS; i++)
        pass(0, 0, 0);
    ck_assert_int_eq((int)atomic_load(&flow.limit), 2000); /* one waits, and Kafka may be away still */
    flow_end(&flow, 1000, false, 6000);
    pass(0, 0, 0); /* halves it */
    for (int i = 1; i < 2000 / FLOW_SLOT_MS; i++)
        pass(0, 0, 0);
    ck_assert_int_eq((int)atomic_load(&flow.limit), FLOW_LIMIT_MIN);
    pass(0, 0, 0);
    ck_assert_int_eq((int)atomic_load(&flow.limit), 0);
}
END_TEST

START_TEST(some_that_fail_among_many_that_do_not_set_no_limit)
{
    for (int i = 0; i < FLOW_SLOTS; i++) {
        flow_begin(&flow, 100);
        flow_end(&flow, 100, false, 6000);
        pass(900, 900, 20);
    }
    ck_assert_int_eq((int)atomic_load(&flow.limit), 0);
}
END_TEST

/* One slot in which so many are given up and so many are confirmed, at that age. */
static void give_up_beside(size_t given_up, size_t confirmed, uint64_t age_ms)
{
    flow_begin(&flow, given_up);
    flow_end(&flow, given_up, false, 6000);
    pass(confirmed, confirmed, age_ms);
}

/* Their topic or its broker is away, and what is for others is confirmed at once. */
START_TEST(what_is_away_does_not_stop_the_others)
{
    flow_begin(&flow, 10000);
    for (int i = 0; i < 4 * FLOW_SLOTS; i++) {
        give_up_beside(i % 4 == 0 ? 1500 : 0, 100, 20);
        ck_assert_int_eq((int)atomic_load(&flow.limit), i == 0 ? 5750 : 0);
        if (i == 0) /* nothing else was known yet */
            atomic_store(&flow.limit, 0);
    }
}
END_TEST

START_TEST(when_hardly_anything_is_confirmed_there_is_a_limit)
{
    flow_begin(&flow, 10000);
    give_up_beside(401, 100, 20); /* young ones count four times */
    ck_assert_int_eq((int)atomic_load(&flow.limit), 5200);
    setup();
    flow_begin(&flow, 10000);
    give_up_beside(101, 100, 4000);
    ck_assert_int_eq((int)atomic_load(&flow.limit), 5050);
}
END_TEST

START_TEST(what_was_given_up_halves_the_limit_once)
{
    flow_begin(&flow, 100000);
    give_up_beside(5000, 0, 0);
    ck_assert_int_eq((int)atomic_load(&flow.limit), 52500);
    for (int i = 1; i < FLOW_SLOTS; i++) {
        ck_assert(!flow_admits(&flow, 17000));
        pass(100, 100, 20);
        ck_assert_int_eq((int)atomic_load(&flow.limit), 52500 + i * 100);
    }
}
END_TEST

START_TEST(what_fails_at_once_says_nothing)
{
    flow_begin(&flow, 1000);
    flow_end(&flow, 500, false, 10);
    pass(0, 0, 0);
    ck_assert(flow_admits(&flow, 0));
    ck_assert_int_eq((int)atomic_load(&flow.limit), 0);
}
END_TEST

Suite *suite_flow(void)
{
    Suite *suite = suite_create("flow");
    TCase *tests = tcase_create("flow");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, what_waits_is_divided_by_what_is_confirmed);
    tcase_add_test(tests, young_confirmations_tell_of_no_queue);
    tcase_add_test(tests, nothing_is_known_while_nothing_is_confirmed);
    tcase_add_test(tests, who_has_caught_up_keeps_up);
    tcase_add_test(tests, who_has_given_up_all_has_not_caught_up);
    tcase_add_test(tests, a_standstill_does_not_make_it_look_slow);
    tcase_add_test(tests, what_fails_is_no_confirmation);
    tcase_add_test(tests, late_ticks_make_longer_slots);
    tcase_add_test(tests, two_thirds_of_the_time_may_be_waited);
    tcase_add_test(tests, half_as_many_may_wait_while_all_is_given_up);
    tcase_add_test(tests, the_limit_grows_while_it_refuses_and_goes_when_it_does_not);
    tcase_add_test(tests, the_limit_goes_when_nothing_is_under_way);
    tcase_add_test(tests, some_that_fail_among_many_that_do_not_set_no_limit);
    tcase_add_test(tests, what_is_away_does_not_stop_the_others);
    tcase_add_test(tests, when_hardly_anything_is_confirmed_there_is_a_limit);
    tcase_add_test(tests, what_was_given_up_halves_the_limit_once);
    tcase_add_test(tests, what_fails_at_once_says_nothing);
    suite_add_tcase(suite, tests);
    return suite;
}
