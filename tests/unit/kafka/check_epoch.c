// SPDX-License-Identifier: Apache-2.0
//
// What a reader holds inside a section stays until the section ends. Meant for the sanitizers
// above all: address sees a use after free, thread an order that is not there.
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "kafka/internal.h"
#include "suites.h"

#define READERS 3
#define SWAPS 60
#define ALIVE 4711

struct thing {
    int value;
};

static struct epoch epoch;
static _Atomic(struct thing *) shared;
static atomic_bool stop;
static atomic_int bad;

static struct thing *make(void)
{
    struct thing *thing = malloc(sizeof *thing);
    thing->value = ALIVE;
    return thing;
}

static void *read_on(void *data)
{
    (void)data;
    while (!atomic_load(&stop)) {
        unsigned outer = epoch_enter(&epoch);
        struct thing *thing = atomic_load(&shared);
        unsigned inner = epoch_enter(&epoch);
        for (int i = 0; i < 100; i++)
            if (((volatile struct thing *)thing)->value != ALIVE)
                atomic_fetch_add(&bad, 1);
        epoch_leave(&epoch, inner);
        epoch_leave(&epoch, outer);
    }
    return NULL;
}

START_TEST(nothing_is_freed_under_a_reader)
{
    pthread_t readers[READERS];
    atomic_store(&stop, false);
    atomic_store(&bad, 0);
    atomic_store(&shared, make());
    for (int i = 0; i < READERS; i++)
        ck_assert_int_eq(pthread_create(&readers[i], NULL, read_on, NULL), 0);
    for (int i = 0; i < SWAPS; i++) {
        struct thing *old = atomic_exchange(&shared, make());
        struct grace grace = {{false, false}};
        while (!epoch_passed(&epoch, &grace))
            sched_yield();
        old->value = 0;
        free(old);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    free(atomic_load(&shared));
    ck_assert_int_eq(atomic_load(&bad), 0);
    ck_assert_int_eq(atomic_load(&epoch.inside[0]), 0);
    ck_assert_int_eq(atomic_load(&epoch.inside[1]), 0);
}
END_TEST

/* Whichever side it is on, and however many come and go. */
START_TEST(a_grace_lasts_as_long_as_a_section_from_before)
{
    for (int i = 0; i < 2; i++) {
        struct grace grace = {{false, false}};
        unsigned before = epoch_enter(&epoch);
        for (int n = 0; n < 10; n++) {
            ck_assert(!epoch_passed(&epoch, &grace));
            epoch_leave(&epoch, epoch_enter(&epoch));
        }
        unsigned after = epoch_enter(&epoch);
        ck_assert_uint_ne(before, after); /* so that the first side empties */
        epoch_leave(&epoch, before);
        ck_assert(epoch_passed(&epoch, &grace)); /* and who came later does not matter */
        epoch_leave(&epoch, after);
        atomic_fetch_add(&epoch.current, 1);
    }
}
END_TEST

/* Two things taken away one after the other want newcomers on different sides. */
START_TEST(two_graces_do_not_hold_each_other_up)
{
    struct grace first = {{false, false}}, second = {{false, false}};
    unsigned one = epoch_enter(&epoch), two;
    ck_assert(!epoch_passed(&epoch, &first));
    two = epoch_enter(&epoch);
    ck_assert(!epoch_passed(&epoch, &second));
    epoch_leave(&epoch, one);
    ck_assert(epoch_passed(&epoch, &first));
    ck_assert(!epoch_passed(&epoch, &second));
    epoch_leave(&epoch, two);
    ck_assert(epoch_passed(&epoch, &second));
}
END_TEST

Suite *suite_epoch(void)
{
    Suite *suite = suite_create("epoch");
    TCase *tcase = tcase_create("sections");
    tcase_add_test(tcase, nothing_is_freed_under_a_reader);
    tcase_add_test(tcase, a_grace_lasts_as_long_as_a_section_from_before);
    tcase_add_test(tcase, two_graces_do_not_hold_each_other_up);
    suite_add_tcase(suite, tcase);
    return suite;
}
