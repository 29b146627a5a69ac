// SPDX-License-Identifier: Apache-2.0
//
// What the tests of the routes share.
#ifndef TESTS_UNIT_INTAKE_ROUTES_FIXTURE_H
#define TESTS_UNIT_INTAKE_ROUTES_FIXTURE_H

#include <string.h>

#include "intake/catalog.h"
#include "intake/routes.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define MARKETO "com.adobe.platform.marketo."

static inline struct config default_config(void)
{
    static char prefix[] = "marketo";
    struct config config = {.instance_count = 0};
    config.topics.prefix = prefix;
    config.topics.partitions = 1;
    config.topics.replication = -1;
    config.topics.retention_ms = 2592000000;
    config.topics.mark = (struct config_mark){7, 1};
    return config;
}

static inline struct routes *must_create(const struct config *config)
{
    struct config_errors errors = {0};
    struct routes *routes = routes_create(config, &errors);
    ck_assert_msg(routes != NULL, "%s", errors.count == 0 ? "no reason" : errors.items[0].message);
    ck_assert_uint_eq(errors.count, 0);
    return routes;
}

/* Refused with exactly one error, which stands at the mark and contains the words. */
static inline void must_refuse(const struct config *config, struct config_mark mark, const char *words)
{
    struct config_errors errors = {0};
    ck_assert_ptr_null(routes_create(config, &errors));
    ck_assert_uint_eq(errors.count, 1);
    ck_assert_msg(strstr(errors.items[0].message, words) != NULL, "%s", errors.items[0].message);
    ck_assert_uint_eq(errors.items[0].mark.line, mark.line);
    ck_assert_uint_eq(errors.items[0].mark.column, mark.column);
    config_errors_free(&errors);
}

static struct config_instance two_instances[] = {
    {(char[]){"456-DEF-789"}, (char[]){"europe"}, {20, 3}},
    {(char[]){"123-ABC-456"}, (char[]){"america"}, {21, 3}},
};

static inline struct config instance_config(char *prefix)
{
    struct config config = default_config();
    config.topics.prefix = prefix;
    config.instances = two_instances;
    config.instance_count = COUNT(two_instances);
    return config;
}

#endif
