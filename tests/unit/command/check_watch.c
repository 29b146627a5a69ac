// SPDX-License-Identifier: Apache-2.0
//
// Changed files are noticed, once, and only when they stand still.
#include "command/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "suites.h"

static char folder[] = "/tmp/check_watch.XXXXXX";
static char first[64], second[64], other[64];
static struct watch watch;

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
}

static void setup(void)
{
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(first, sizeof first, "%s/first", folder);
    snprintf(second, sizeof second, "%s/second", folder);
    snprintf(other, sizeof other, "%s/other", folder);
    put(first, "1");
    struct config_files files = {.paths = calloc(2, sizeof(char *)), .count = 2};
    files.paths[0] = strdup(first);
    files.paths[1] = strdup(second); /* not there yet */
    memset(&watch, 0, sizeof watch);
    ck_assert(watch_set(&watch, &files));
    ck_assert_uint_eq(files.count, 0);
}

static void teardown(void)
{
    watch_free(&watch);
    unlink(first);
    unlink(second);
    unlink(other);
    rmdir(folder);
}

START_TEST(nothing_has_changed)
{
    for (int i = 0; i < 3; i++)
        ck_assert(!watch_look(&watch));
}
END_TEST

START_TEST(a_change_is_told_once_when_it_has_settled)
{
    put(first, "12");
    ck_assert(!watch_look(&watch));
    put(first, "123"); /* still being written */
    ck_assert(!watch_look(&watch));
    ck_assert(watch_look(&watch));
    ck_assert(!watch_look(&watch));
    ck_assert(!watch_look(&watch));
}
END_TEST

START_TEST(files_that_come_and_go_are_changes)
{
    put(second, "x");
    ck_assert(!watch_look(&watch));
    ck_assert(watch_look(&watch));
    ck_assert_int_eq(unlink(second), 0);
    ck_assert(!watch_look(&watch));
    ck_assert(watch_look(&watch));
    /* Exchanged for one of the same size. */
    put(other, "1");
    ck_assert_int_eq(rename(other, first), 0);
    ck_assert(!watch_look(&watch));
    ck_assert(watch_look(&watch));
    /* A link that points elsewhere now. */
    put(other, "1");
    ck_assert_int_eq(symlink("other", second), 0);
    ck_assert(!watch_look(&watch));
    ck_assert(watch_look(&watch));
}
END_TEST

Suite *suite_watch(void)
{
    Suite *suite = suite_create("watch");
    TCase *tcase = tcase_create("watch");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, nothing_has_changed);
    tcase_add_test(tcase, a_change_is_told_once_when_it_has_settled);
    tcase_add_test(tcase, files_that_come_and_go_are_changes);
    suite_add_tcase(suite, tcase);
    return suite;
}
