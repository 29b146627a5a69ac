// SPDX-License-Identifier: Apache-2.0
//
// Tests of the budget, the arena and the batch that lives in it.
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "arena.h"
#include "batch.h"
#include "suites.h"

static size_t used(struct budget *budget)
{
    return atomic_load(&budget->used);
}

START_TEST(test_budget_is_never_exceeded)
{
    struct budget budget = {.limit = 100};
    ck_assert(budget_take(&budget, 60));
    ck_assert(!budget_take(&budget, 41));
    ck_assert_uint_eq(used(&budget), 60);
    ck_assert(budget_take(&budget, 40));
    ck_assert(!budget_take(&budget, 1));
    ck_assert(!budget_take(&budget, SIZE_MAX));
    ck_assert(budget_take(&budget, 0));
    budget_give(&budget, 100);
    ck_assert_uint_eq(used(&budget), 0);
}
END_TEST

START_TEST(test_budget_over_a_lowered_limit)
{
    struct budget budget = {.limit = 10};
    atomic_store(&budget.used, 20);
    ck_assert(!budget_take(&budget, 1));
    ck_assert(!budget_take(&budget, SIZE_MAX - 5));
}
END_TEST

static void *take_and_give(void *arg)
{
    struct budget *budget = arg;
    size_t taken = 0;
    for (int i = 0; i < 20000; i++) {
        if (budget_take(budget, 7)) {
            taken++;
            ck_assert_uint_le(used(budget), budget->limit);
        }
        if (taken > 3) {
            budget_give(budget, 7 * taken);
            taken = 0;
        }
    }
    budget_give(budget, 7 * taken);
    return NULL;
}

START_TEST(test_budget_from_several_threads)
{
    struct budget budget = {.limit = 50};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, take_and_give, &budget), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(used(&budget), 0);
}
END_TEST

START_TEST(test_pieces_are_aligned_and_apart)
{
    struct budget budget = {.limit = 64 * 1024 * 1024};
    struct arena arena;
    arena_init(&arena, &budget);
    unsigned char *pieces[2000];
    size_t sizes[2000];
    for (size_t i = 0; i < 2000; i++) {
        sizes[i] = i % 97 == 0 ? 30000 + i : i % 53;
        pieces[i] = arena_alloc(&arena, sizes[i]);
        ck_assert_ptr_nonnull(pieces[i]);
        ck_assert_uint_eq((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
        memset(pieces[i], (int)(i % 251), sizes[i]);
    }
    for (size_t i = 0; i < 2000; i++) {
        for (size_t k = 0; k < sizes[i]; k++)
            ck_assert_uint_eq(pieces[i][k], i % 251);
    }
    ck_assert_uint_eq(used(&budget), arena.charged);
    arena_free(&arena);
    ck_assert_uint_eq(used(&budget), 0);
    ck_assert_uint_eq(arena.charged, 0);
    ck_assert_ptr_nonnull(arena_alloc(&arena, 10));
    arena_free(&arena);
    ck_assert_uint_eq(used(&budget), 0);
}
END_TEST

START_TEST(test_chunks_grow_from_4_to_64_kib)
{
    struct budget budget = {.limit = SIZE_MAX};
    struct arena arena;
    arena_init(&arena, &budget);
    size_t expected = 4096, before = 0;
    for (int chunk = 0; chunk < 8; chunk++) {
        while (used(&budget) == before)
            ck_assert_ptr_nonnull(arena_alloc(&arena, 100));
        ck_assert_uint_eq(used(&budget) - before, expected);
        before = used(&budget);
        expected = expected < 65536 ? expected * 2 : expected;
    }
    arena_free(&arena);
}
END_TEST

START_TEST(test_a_big_piece_leaves_the_open_chunk_alone)
{
    struct budget budget = {.limit = SIZE_MAX};
    struct arena arena;
    arena_init(&arena, &budget);
    ck_assert_ptr_nonnull(arena_alloc(&arena, 16));
    const char *next = arena.next;
    size_t before = used(&budget);
    ck_assert_ptr_nonnull(arena_alloc(&arena, 1000000));
    ck_assert_uint_ge(used(&budget) - before, 1000000);
    ck_assert_uint_lt(used(&budget) - before, 1000100);
    ck_assert_ptr_eq(arena.next, next);
    arena_shrink_last(&arena, 999999);
    ck_assert_ptr_eq(arena.next, next);
    arena_free(&arena);
}
END_TEST

START_TEST(test_shrink_makes_room_again)
{
    struct arena arena;
    arena_init(&arena, NULL);
    char *first = arena_alloc(&arena, 512);
    ck_assert_ptr_nonnull(first);
    memset(first, 'a', 512);
    arena_shrink_last(&arena, 512 - 33);
    char *second = arena_alloc(&arena, 16);
    ck_assert_ptr_nonnull(second);
    memset(second, 'b', 16);
    ck_assert(second >= first + 33 && second < first + 512);
    for (int i = 0; i < 33; i++)
        ck_assert_int_eq(first[i], 'a');
    arena_free(&arena);
}
END_TEST

START_TEST(test_over_the_budget_nothing_is_taken)
{
    struct budget budget = {.limit = 5000};
    struct arena arena;
    arena_init(&arena, &budget);
    ck_assert_ptr_nonnull(arena_alloc(&arena, 100));
    size_t before = used(&budget);
    ck_assert_ptr_null(arena_alloc(&arena, 4000));
    ck_assert_uint_eq(used(&budget), before);
    ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX));
    ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX - 64));
    ck_assert_uint_eq(used(&budget), before);
    ck_assert(!arena_charge(&arena, 5000));
    ck_assert(arena_charge(&arena, 100));
    ck_assert_uint_eq(used(&budget), before + 100);
    arena_free(&arena);
    ck_assert_uint_eq(used(&budget), 0);
}
END_TEST

START_TEST(test_copy_is_terminated)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct slice copy = arena_copy(&arena, (struct slice){"abcdef", 3});
    ck_assert_uint_eq(copy.len, 3);
    ck_assert_str_eq(copy.ptr, "abc");
    struct slice empty = arena_copy(&arena, SLICE_ABSENT);
    ck_assert(slice_present(empty));
    ck_assert_str_eq(empty.ptr, "");
    arena_free(&arena);
    struct budget none = {.limit = 0};
    arena_init(&arena, &none);
    ck_assert(!slice_present(arena_copy(&arena, SLICE_LITERAL("x"))));
    arena_free(&arena);
}
END_TEST

START_TEST(test_batch_is_charged_and_given_back)
{
    struct budget budget = {.limit = 100000};
    struct batch *batch = batch_create(&budget);
    ck_assert_ptr_nonnull(batch);
    ck_assert_uint_eq(batch->magic, BATCH_MAGIC);
    ck_assert_uint_eq(used(&budget), batch->arena.charged);
    struct record *first = batch_append_record(batch);
    struct record *second = batch_append_record(batch);
    ck_assert_ptr_eq(batch->first, first);
    ck_assert_ptr_eq(batch->last, second);
    ck_assert_ptr_eq(first->next, second);
    ck_assert_ptr_null(second->next);
    ck_assert_ptr_eq(first->batch, batch);
    ck_assert_int_eq(first->topic, -1);
    ck_assert_int_eq(first->type, -1);
    ck_assert_int_eq(first->element, -1);
    ck_assert_int_eq(first->activity, -1);
    ck_assert_int_eq(first->event_time_ms, INT64_MIN);
    ck_assert_int_eq((int)first->dead_letter, DEAD_LETTER_NONE);
    ck_assert_int_eq((int)first->outcome, RECORD_PENDING);
    ck_assert(!slice_present(first->key) && !slice_present(first->value));
    batch_free(batch);
    batch_free(NULL);
    ck_assert_uint_eq(used(&budget), 0);
}
END_TEST

START_TEST(test_batch_without_memory)
{
    struct budget budget = {.limit = 4096};
    struct batch *batch = batch_create(&budget);
    ck_assert_ptr_nonnull(batch);
    while (batch_append_record(batch) != NULL)
        ck_assert_uint_le(used(&budget), 4096);
    batch_free(batch);
    ck_assert_uint_eq(used(&budget), 0);
    budget.limit = 4095;
    ck_assert_ptr_null(batch_create(&budget));
    ck_assert_uint_eq(used(&budget), 0);
}
END_TEST

START_TEST(test_names)
{
    ck_assert_str_eq(stream_name(STREAM_ACTIVITY), "activity");
    ck_assert_str_eq(stream_name(STREAM_OBSERVABILITY), "observability");
    ck_assert_str_eq(dead_letter_reason_name(DEAD_LETTER_NOT_JSON), "not_json");
    ck_assert_str_eq(dead_letter_reason_name(DEAD_LETTER_UNKNOWN_INSTANCE), "unknown_instance");
    for (int i = 0; i < DEAD_LETTER_REASON_COUNT; i++)
        ck_assert_ptr_nonnull(dead_letter_reason_name((enum dead_letter_reason)i));
}
END_TEST

Suite *suite_arena(void)
{
    Suite *suite = suite_create("arena");
    TCase *tcase = tcase_create("arena");
    tcase_add_test(tcase, test_budget_is_never_exceeded);
    tcase_add_test(tcase, test_budget_over_a_lowered_limit);
    tcase_add_test(tcase, test_budget_from_several_threads);
    tcase_add_test(tcase, test_pieces_are_aligned_and_apart);
    tcase_add_test(tcase, test_chunks_grow_from_4_to_64_kib);
    tcase_add_test(tcase, test_a_big_piece_leaves_the_open_chunk_alone);
    tcase_add_test(tcase, test_shrink_makes_room_again);
    tcase_add_test(tcase, test_over_the_budget_nothing_is_taken);
    tcase_add_test(tcase, test_copy_is_terminated);
    tcase_add_test(tcase, test_batch_is_charged_and_given_back);
    tcase_add_test(tcase, test_batch_without_memory);
    tcase_add_test(tcase, test_names);
    suite_add_tcase(suite, tcase);
    return suite;
}
