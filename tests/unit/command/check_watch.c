// SPDX-License-Identifier: Apache-2.0
//
// Changed files are noticed, once, and only when they stand still.
#include "command/watch.h"
#include "config/options.h"

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

/* What loading a configuration gives that names the two. */
static struct config_files read_files(void)
{
    struct config_files files = {.count = 0};
    ck_assert(config_files_add(&files, slice_of(first)));
    ck_assert(config_files_add(&files, slice_of(second))); /* not there yet */
    return files;
}

static void setup(void)
{
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(first, sizeof first, "%s/first", folder);
    snprintf(second, sizeof second, "%s/second", folder);
    snprintf(other, sizeof other, "%s/other", folder);
    put(first, "1");
    memset(&watch, 0, sizeof watch);
    struct config_files files = read_files();
    watch_set(&watch, &files);
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

/* It was read, and then changed, before the configuration was in force and its files watched. */
START_TEST(a_change_while_a_reload_is_under_way_is_one)
{
    struct config_files files = read_files();
    put(first, "12");
    put(second, "x");
    watch_set(&watch, &files);
    ck_assert(!watch_look(&watch));
    ck_assert(watch_look(&watch));
    ck_assert(!watch_look(&watch));
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
    tcase_add_test(tcase, a_change_while_a_reload_is_under_way_is_one);
    suite_add_tcase(suite, tcase);
    return suite;
}
