// SPDX-License-Identifier: Apache-2.0
//
// Tests of the routes: which configurations are refused, and with which words.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intake/routes_fixture.h"

/* ---- What is refused -------------------------------------------------------------- */

START_TEST(bad_prefixes_are_refused)
{
    static const struct {
        const char *prefix, *words;
    } cases[] = {
        {"", "topics.prefix is empty"},
        {"mar keto", "from byte 4 on"},
        {"marketo/x", "cannot be part of a topic name"},
        {"m\xc3\xa4rketo", "from byte 2 on"},
        {"{instance", "cannot be part of a topic name"},
        {"marketo.{instance}", "no instances are given"},
    };
    char prefix[32];
    snprintf(prefix, sizeof prefix, "%s", cases[_i].prefix);
    struct config config = default_config();
    config.topics.prefix = prefix;
    must_refuse(&config, config.topics.mark, cases[_i].words);
}
END_TEST

START_TEST(bad_prefixes_with_instances_are_refused)
{
    static const struct {
        const char *prefix, *words;
    } cases[] = {
        {"{instance}.{instance}", "more than once"},
        {"a b.{instance}", "from byte 2 on"},
        {"{instance}.a b", "from byte 3 on"},
    };
    char prefix[32];
    snprintf(prefix, sizeof prefix, "%s", cases[_i].prefix);
    struct config config = instance_config(prefix);
    must_refuse(&config, config.topics.mark, cases[_i].words);
}
END_TEST

START_TEST(bad_instances_are_refused)
{
    struct config_instance instances[2];
    memcpy(instances, two_instances, sizeof instances);
    struct config config = instance_config((char[]){"marketo.{instance}"});
    config.instances = instances;

    instances[1].name = (char[]){"north america"};
    must_refuse(&config, instances[1].mark, "the instance's name \"north america\"");
    instances[1].name = (char[]){""};
    must_refuse(&config, instances[1].mark, "is empty");
    instances[1].name = (char[]){"europe"};
    must_refuse(&config, instances[1].mark, "two topics would have the name \"marketo.europe.");
    instances[0].name = (char[]){"north_america"};
    instances[1].name = (char[]){"north.america"};
    must_refuse(&config, instances[1].mark, "'.' and '_' are the same");
    memcpy(instances, two_instances, sizeof instances);
    instances[1].munchkin_id = instances[0].munchkin_id;
    struct config_errors errors = {0};
    ck_assert_ptr_null(routes_create(&config, &errors));
    ck_assert_uint_eq(errors.count, 1);
    ck_assert_ptr_nonnull(strstr(errors.items[0].message, "456-DEF-789 is listed twice"));
    config_errors_free(&errors);
}
END_TEST

START_TEST(long_names_are_refused)
{
    size_t longest = 0;
    for (size_t i = 0; i < catalog_type_count; i++) {
        size_t length = 1 + strlen(stream_name(catalog_types[i].stream)) + 1 + strlen(catalog_types[i].topic);
        longest = length > longest ? length : longest;
    }
    char prefix[400];
    struct config config = default_config();
    config.topics.prefix = prefix;
    memset(prefix, 'm', sizeof prefix);
    prefix[249 - longest] = '\0';
    routes_free(must_create(&config));
    prefix[249 - longest] = 'm';
    prefix[250 - longest] = '\0';
    must_refuse(&config, config.topics.mark, "has 250 bytes; Kafka takes 249");
    prefix[250 - longest] = 'm';
    prefix[sizeof prefix - 1] = '\0';
    must_refuse(&config, config.topics.mark, "topics.prefix is longer");

    config = instance_config((char[]){"marketo.{instance}"});
    struct config_instance instances[2];
    memcpy(instances, two_instances, sizeof instances);
    memset(prefix, 'e', 249);
    prefix[249] = '\0';
    instances[0].name = prefix;
    config.instances = instances;
    must_refuse(&config, instances[0].mark, "Kafka takes 249");
}
END_TEST

START_TEST(bad_dead_letter_names_are_refused)
{
    static const struct {
        const char *name, *words;
    } cases[] = {
        {"", "topics.dead_letter is empty"},
        {".", "no topic named \".\""},
        {"..", "no topic named \"..\""},
        {"{prefix}.lost", "from byte 1 on"},
        {"marketo.activity.openemail", "two topics would have the name \"marketo.activity.openemail\""},
        {"marketo_activity_openemail", "'.' and '_' are the same"},
    };
    char name[64];
    snprintf(name, sizeof name, "%s", cases[_i].name);
    struct config config = default_config();
    config.topics.dead_letter = name;
    must_refuse(&config, config.topics.mark, cases[_i].words);
}
END_TEST

START_TEST(a_long_dead_letter_name_is_refused)
{
    char name[251];
    struct config config = default_config();
    config.topics.dead_letter = name;
    memset(name, 'd', sizeof name);
    name[249] = '\0';
    routes_free(must_create(&config));
    name[249] = 'd';
    name[250] = '\0';
    must_refuse(&config, config.topics.mark, "has 250 bytes; Kafka takes 249");
}
END_TEST

START_TEST(bad_custom_ids_are_refused)
{
    struct config config = default_config();
    int64_t ids[] = {100001, 99999};
    config.topics.custom = ids;
    config.topics.custom_count = 2;
    must_refuse(&config, config.topics.mark, "99999 is no custom activity");
    ids[1] = 100001;
    must_refuse(&config, config.topics.mark, "100001 is listed twice");
}
END_TEST

START_TEST(everything_wrong_is_reported)
{
    struct config config = instance_config((char[]){"mar keto.{instance}"});
    struct config_instance instances[2];
    memcpy(instances, two_instances, sizeof instances);
    instances[0].name = (char[]){"e/u"};
    config.instances = instances;
    int64_t ids[] = {5};
    config.topics.custom = ids;
    config.topics.custom_count = 1;
    config.topics.dead_letter = (char[]){"a b"};
    struct config_errors errors = {0};
    ck_assert_ptr_null(routes_create(&config, &errors));
    ck_assert_uint_eq(errors.count, 4);
    config_errors_free(&errors);
}
END_TEST

Suite *suite_routes_errors(void)
{
    Suite *suite = suite_create("routes errors");
    TCase *tcase = tcase_create("refused");
    tcase_add_loop_test(tcase, bad_prefixes_are_refused, 0, 6);
    tcase_add_loop_test(tcase, bad_prefixes_with_instances_are_refused, 0, 3);
    tcase_add_test(tcase, bad_instances_are_refused);
    tcase_add_test(tcase, long_names_are_refused);
    tcase_add_loop_test(tcase, bad_dead_letter_names_are_refused, 0, 6);
    tcase_add_test(tcase, a_long_dead_letter_name_is_refused);
    tcase_add_test(tcase, bad_custom_ids_are_refused);
    tcase_add_test(tcase, everything_wrong_is_reported);
    suite_add_tcase(suite, tcase);
    return suite;
}
