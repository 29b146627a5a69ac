// SPDX-License-Identifier: Apache-2.0
//
// A body that has been taken leaves no pages behind while much is held.
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/config.h"
#include "server/internal.h"
#include "suites.h"

#define LIMIT ((size_t)16 << 20)
#define PAGES_MAX 256

static struct config config;
static struct server server;
static size_t page;
static char *buffer; /* PAGES_MAX pages, all touched */

static void setup(void)
{
    page = (size_t)sysconf(_SC_PAGESIZE);
    buffer = mmap(NULL, PAGES_MAX * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(buffer, MAP_FAILED);
    memset(buffer, 'x', PAGES_MAX * page);
    config.limits.in_flight = LIMIT;
    server.config = &config;
    server.budget.used = LIMIT / 2 + 1;
}

static void teardown(void)
{
    munmap(buffer, PAGES_MAX * page);
}

static size_t resident_pages(void)
{
    unsigned char state[PAGES_MAX];
    size_t count = 0;
    ck_assert_int_eq(mincore(buffer, PAGES_MAX * page, state), 0);
    for (size_t i = 0; i < PAGES_MAX; i++)
        count += state[i] & 1;
    return count;
}

static void take(size_t begin, size_t end)
{
    h2o_req_t req = {.entity = {buffer + begin, end - begin}};
    size_t given_back = guard_body_taken(&server, &req);
    ck_assert_uint_eq(given_back, (PAGES_MAX - resident_pages()) * page);
    ck_assert_ptr_null(req.entity.base);
}

START_TEST(its_pages_go)
{
    take(0, PAGES_MAX * page);
    ck_assert_uint_eq(resident_pages(), 0);
}
END_TEST

START_TEST(what_stands_beside_it_stays)
{
    const size_t begin = page + 1, end = (PAGES_MAX - 1) * page - 1;
    take(begin, end);
    ck_assert_uint_eq(resident_pages(), 4);
    for (size_t i = 0; i < begin; i++)
        ck_assert_int_eq(buffer[i], 'x');
    for (size_t i = end; i < PAGES_MAX * page; i++)
        ck_assert_int_eq(buffer[i], 'x');
}
END_TEST

START_TEST(it_keeps_them_while_there_is_room)
{
    server.budget.used = LIMIT / 2;
    take(0, PAGES_MAX * page);
    ck_assert_uint_eq(resident_pages(), PAGES_MAX);
}
END_TEST

START_TEST(a_small_one_keeps_them)
{
    take(0, ((size_t)256 << 10) - 1);
    ck_assert_uint_eq(resident_pages(), PAGES_MAX);
}
END_TEST

Suite *suite_guard(void)
{
    Suite *suite = suite_create("guard");
    TCase *tcase = tcase_create("guard");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, its_pages_go);
    tcase_add_test(tcase, what_stands_beside_it_stays);
    tcase_add_test(tcase, it_keeps_them_while_there_is_room);
    tcase_add_test(tcase, a_small_one_keeps_them);
    suite_add_tcase(suite, tcase);
    return suite;
}
