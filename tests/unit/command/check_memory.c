// SPDX-License-Identifier: Apache-2.0
//
// When memory is given back: once what was held is free, and not again and again in vain.
#include "command/memory.h"

#include "suites.h"

#define MIB ((size_t)1 << 20)

static struct memory memory;
static uint64_t now_ms;

static void setup(void)
{
    memory = (struct memory){.known = false};
    now_ms = 1000000;
}

static bool look_after(uint64_t ms, size_t resident_mib, size_t held_mib)
{
    now_ms += ms;
    return memory_is_worth_a_trim(&memory, resident_mib * MIB, held_mib * MIB, 256 * MIB, now_ms);
}

static bool look(size_t resident_mib, size_t held_mib)
{
    return look_after(1000, resident_mib, held_mib);
}

START_TEST(what_is_held_is_not_looked_for)
{
    ck_assert(!look(18, 0));
    ck_assert(!look(60, 40));
    ck_assert(!look(90, 70));
    ck_assert(!look(90, 69));
}
END_TEST

START_TEST(what_was_held_is_given_back)
{
    ck_assert(!look(18, 0));
    ck_assert(!look(80, 60));
    ck_assert(look(80, 10));
    ck_assert(!look(29, 10));
    ck_assert(!look(29, 8)); /* not yet worth while */
    ck_assert(!look(29, 0)); /* too soon */
}
END_TEST

/* Memory that something else uses, or that is freed after the trim. */
START_TEST(in_vain_is_repeated_less_and_less_often)
{
    int trims = 0;
    ck_assert(!look(18, 0));
    ck_assert(look(40, 0));
    for (int i = 0; i < 60; i++)
        trims += look(40, 0);
    ck_assert_int_eq(trims, 2);
    for (int i = 0; i < 3600; i++)
        trims += look(40, 0);
    ck_assert_int_ge(trims, 6);
    ck_assert_int_le(trims, 12);
    for (int i = 0; i < 11; i++)
        look(40, 0);
    ck_assert(look(50, 0)); /* something new */
}
END_TEST

START_TEST(not_more_often_than_every_ten_seconds)
{
    int trims = 0;
    ck_assert(!look(18, 0));
    for (int i = 0; i < 60; i++)
        trims += look(i % 2 == 0 ? 80 : 20, 0);
    ck_assert_int_ge(trims, 1);
    ck_assert_int_le(trims, 6);
}
END_TEST

START_TEST(much_is_given_back_soon)
{
    int trims = 0;
    ck_assert(!look(18, 0));
    for (int i = 0; i < 10; i++) {
        trims += look(200, 0); /* one arena, then the next */
        trims += look(200, 180);
    }
    ck_assert_int_ge(trims, 8);
    ck_assert_int_le(trims, 10);
    for (int i = 0; i < 10; i++)
        look(20, 0);
    for (trims = 0; trims < 3; trims++)
        look(60, 0); /* less is in no hurry */
    ck_assert(!look(60, 0));
}
END_TEST

START_TEST(near_the_bound_less_is_given_back_sooner)
{
    int trims = 0;
    ck_assert(!look(18, 0));
    for (int i = 0; i < 10; i++) {
        trims += look_after(500, 289, 250);
        trims += look_after(500, 270, 250);
    }
    ck_assert_int_ge(trims, 9);
    for (int i = 0; i < 20; i++)
        look(270, 250);
    trims = 0;
    for (int i = 0; i < 10; i++) { /* as much, but it is not full */
        trims += look_after(500, 288, 250);
        trims += look_after(500, 270, 250);
    }
    ck_assert_int_le(trims, 2);
}
END_TEST

/* More is held, by its owners' count, than is resident: pages that were not touched yet. */
START_TEST(held_can_be_more_than_resident)
{
    ck_assert(!look(18, 30));
    ck_assert(look(18, 0));
    ck_assert(!look(18, 0));
}
END_TEST

Suite *suite_memory(void)
{
    Suite *suite = suite_create("memory");
    TCase *tcase = tcase_create("memory");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, what_is_held_is_not_looked_for);
    tcase_add_test(tcase, what_was_held_is_given_back);
    tcase_add_test(tcase, in_vain_is_repeated_less_and_less_often);
    tcase_add_test(tcase, not_more_often_than_every_ten_seconds);
    tcase_add_test(tcase, much_is_given_back_soon);
    tcase_add_test(tcase, near_the_bound_less_is_given_back_sooner);
    tcase_add_test(tcase, held_can_be_more_than_resident);
    suite_add_tcase(suite, tcase);
    return suite;
}
