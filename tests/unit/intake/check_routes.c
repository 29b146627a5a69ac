// SPDX-License-Identifier: Apache-2.0
//
// Tests of the routes: the set of topics, what is refused, and the topic of an event.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intake/catalog.h"
#include "intake/routes.h"
#include "intake/routes_fixture.h"

static struct route_facts facts_of(int64_t id, const char *type, const char *activity_type)
{
    return (struct route_facts){id, slice_of(type), slice_of(activity_type), SLICE_ABSENT};
}

/* The topic's name, or NULL for what is not routed. */
static const char *topic_of(const struct routes *routes, int64_t id, const char *type,
                            const char *activity_type)
{
    struct route_facts facts = facts_of(id, type, activity_type);
    struct route route;
    if (routes_find(routes, &facts, &route) != ROUTE_FOUND)
        return NULL;
    ck_assert_int_ge(route.topic, 0);
    ck_assert_int_lt(route.topic, (int)routes->topic_count);
    ck_assert_int_ge(route.type, 0);
    ck_assert_int_lt(route.type, (int)routes->type_count);
    ck_assert_int_eq((int)routes->types[route.type].stream, (int)route.stream);
    return routes->topics[route.topic].name;
}

static const struct topic_spec *find_spec(const struct routes *routes, const char *name)
{
    for (size_t i = 0; i < routes->topic_count; i++) {
        if (strcmp(routes->topics[i].name, name) == 0)
            return &routes->topics[i];
    }
    ck_abort_msg("no topic %s", name);
}

/* ---- The route of an event -------------------------------------------------------- */

static const struct {
    int64_t id;
    const char *type, *activity_type;
    const char *topic; /* NULL: no type */
} events[] = {
    /* the number first */
    {10, NULL, NULL, "marketo.activity.openemail"},
    {10, MARKETO "activity.standard.clicklink", "Click Link", "marketo.activity.openemail"},
    {10, MARKETO "activity.custom", NULL, "marketo.activity.openemail"},
    {10, "com.example.other", NULL, "marketo.activity.openemail"},
    {10, MARKETO "unknownstream.x", NULL, "marketo.activity.openemail"},
    /* unless the type is of another stream */
    {10, MARKETO "audit.user.email", NULL, "marketo.audit.email"},
    {10, MARKETO "notification.web_services", NULL, "marketo.notification.web-services"},
    {10, MARKETO "observability.metrics", NULL, "marketo.observability.metrics"},
    {100001, MARKETO "audit.user.new", NULL, "marketo.audit.other"},
    /* custom activities */
    {99999, NULL, NULL, "marketo.activity.other"},
    {100000, NULL, NULL, "marketo.activity.custom"},
    {100001, NULL, "Open Email", "marketo.activity.custom"},
    {100001, MARKETO "activity.standard.openemail", NULL, "marketo.activity.custom"},
    {INT64_MAX, NULL, NULL, "marketo.activity.custom"},
    {-1, MARKETO "activity.custom", NULL, "marketo.activity.custom"},
    {-1, MARKETO "activity.custom.attendconference", NULL, "marketo.activity.custom"},
    {1001, MARKETO "activity.custom", "Open Email", "marketo.activity.custom"},
    {-1, MARKETO "activity.customs", NULL, "marketo.activity.other"},
    /* an unknown number: the type, then the name */
    {404, MARKETO "activity.standard.openemail", "Click Link", "marketo.activity.openemail"},
    {404, MARKETO "activity.standard.brandnew", "Click Link", "marketo.activity.clicklink"},
    {404, "com.example.other", "Click Link", "marketo.activity.clicklink"},
    {404, NULL, "Change Program Data", "marketo.activity.changeprogramdata"},
    {404, NULL, "Brand New", "marketo.activity.other"},
    {404, NULL, NULL, "marketo.activity.other"},
    {0, NULL, NULL, "marketo.activity.other"},
    /* no number */
    {-1, MARKETO "activity.standard.brandnew", NULL, "marketo.activity.other"},
    {-1, MARKETO "activity.standard.brandnew", "Open Email", "marketo.activity.openemail"},
    {-1, MARKETO "activity.standard.enrichwithdata.com", NULL, "marketo.activity.enrichwithdatacom"},
    {-1, MARKETO "activity.openemail", NULL, "marketo.activity.openemail"},
    {-1, MARKETO "activity.v2.openemail", NULL, "marketo.activity.openemail"},
    {-1, MARKETO "activity.standard.", NULL, "marketo.activity.other"},
    {-1, MARKETO "activity.standard", NULL, "marketo.activity.other"},
    {-1, MARKETO "activity.", NULL, "marketo.activity.other"},
    {-1, MARKETO "activity", NULL, "marketo.activity.other"},
    {-1, NULL, "Open Email", "marketo.activity.openemail"},
    {-1, "", "Open Email", "marketo.activity.openemail"},
    {-1, NULL, "Brand New", "marketo.activity.other"},
    /* the other streams */
    {-1, MARKETO "audit.user.landingpage", NULL, "marketo.audit.landingpage"},
    {-1, MARKETO "audit.user.user", NULL, "marketo.audit.user"},
    {-1, MARKETO "audit.user", NULL, "marketo.audit.user"},
    {-1, MARKETO "audit.role", NULL, "marketo.audit.role"},
    {-1, MARKETO "audit.api.login", NULL, "marketo.audit.login"},
    {-1, MARKETO "audit.user.openemail", "Open Email", "marketo.audit.other"},
    {-1, MARKETO "audit.user.Form ->", NULL, "marketo.audit.other"},
    {-1, MARKETO "notification.campaign_abort", NULL, "marketo.notification.campaign-abort"},
    {-1, MARKETO "notification.nurture_program_exhausted", NULL, "marketo.notification.nurture"},
    {-1, MARKETO "notification.sfdc_sync_failure", NULL, "marketo.notification.salesforce-sync-failure"},
    {-1, MARKETO "notification.ab_test_result", NULL, "marketo.notification.test-group"},
    {-1, MARKETO "notification.brand_new", NULL, "marketo.notification.other"},
    {-1, MARKETO "observability.status", NULL, "marketo.observability.status"},
    {-1, MARKETO "observability.brandnew", NULL, "marketo.observability.other"},
    /* no type at all, or not Marketo's */
    {-1, NULL, NULL, NULL},
    {-1, "", "", NULL},
    {-1, "com.example.other", NULL, NULL},
    {-1, "com.example.other", "Open Email", NULL},
    {-1, MARKETO "metrics.x", NULL, NULL},
    {-1, MARKETO "activities.standard.openemail", NULL, NULL},
    {-1, MARKETO, NULL, NULL},
    {-1, "com.adobe.platform.marketo", NULL, NULL},
};

START_TEST(route_of_an_event)
{
    struct config config = default_config();
    struct routes *routes = must_create(&config);
    const char *topic = topic_of(routes, events[_i].id, events[_i].type, events[_i].activity_type);
    if (events[_i].topic == NULL) {
        ck_assert_ptr_null(topic);
        struct route_facts facts = facts_of(events[_i].id, events[_i].type, events[_i].activity_type);
        struct route route;
        ck_assert_int_eq(routes_find(routes, &facts, &route), ROUTE_NO_TYPE);
        ck_assert_int_eq(route.topic, -1);
        ck_assert_int_eq(route.type, -1);
        ck_assert_int_eq(route.catalog, -1);
    } else {
        ck_assert_msg(topic != NULL, "%s", events[_i].topic);
        ck_assert_str_eq(topic, events[_i].topic);
    }
    routes_free(routes);
}
END_TEST

START_TEST(a_long_type_goes_to_other)
{
    struct config config = default_config();
    struct routes *routes = must_create(&config);
    size_t length = 100000;
    char *type = malloc(length);
    ck_assert_ptr_nonnull(type);
    memset(type, 'a', length);
    memcpy(type, MARKETO "audit.user.", strlen(MARKETO "audit.user."));
    struct route_facts facts = {-1, {type, length}, SLICE_ABSENT, SLICE_ABSENT};
    struct route route;
    ck_assert_int_eq(routes_find(routes, &facts, &route), ROUTE_FOUND);
    ck_assert_str_eq(routes->topics[route.topic].name, "marketo.audit.other");
    free(type);
    routes_free(routes);
}
END_TEST

START_TEST(listed_custom_activities_have_topics)
{
    struct config config = default_config();
    int64_t ids[] = {100007, 100001};
    config.topics.custom = ids;
    config.topics.custom_count = COUNT(ids);
    struct routes *routes = must_create(&config);
    ck_assert_str_eq(topic_of(routes, 100001, NULL, NULL), "marketo.activity.custom-100001");
    ck_assert_str_eq(topic_of(routes, 100007, MARKETO "activity.custom", NULL),
                     "marketo.activity.custom-100007");
    ck_assert_str_eq(topic_of(routes, 100002, NULL, NULL), "marketo.activity.custom");
    ck_assert_str_eq(topic_of(routes, 10, NULL, NULL), "marketo.activity.openemail");
    ck_assert_str_eq(topic_of(routes, -1, MARKETO "audit.user.email", NULL), "marketo.audit.email");
    ck_assert_str_eq(topic_of(routes, -1, MARKETO "observability.brandnew", NULL),
                     "marketo.observability.other");
    routes_free(routes);
}
END_TEST

/* ---- The set of topics ------------------------------------------------------------ */

START_TEST(the_default_set)
{
    struct config config = default_config();
    struct routes *routes = must_create(&config);
    /* "other" in four streams, "custom", and the dead-letter topic */
    ck_assert_uint_eq(routes->topic_count, catalog_type_count + 6);
    ck_assert_uint_eq(routes->type_count, catalog_type_count + 5);
    ck_assert_str_eq(routes->topics[routes->dead_letter].name, "marketo.deadletter");
    for (int s = 0; s < STREAM_COUNT; s++) {
        char name[100];
        snprintf(name, sizeof name, "marketo.%s.other", stream_name((enum stream)s));
        ck_assert_ptr_nonnull(find_spec(routes, name));
    }
    for (size_t i = 0; i < routes->topic_count; i++) {
        ck_assert_int_eq(routes->topics[i].partitions, 1);
        ck_assert_int_eq(routes->topics[i].replication, -1);
        ck_assert_int_eq(routes->topics[i].retention_ms, 2592000000);
    }
    routes_free(routes);
}
END_TEST

START_TEST(one_topic_per_stream)
{
    struct config config = default_config();
    int64_t ids[] = {100001};
    config.topics.custom = ids;
    config.topics.custom_count = 1;
    config.topics.route = ROUTE_STREAM;
    struct routes *routes = must_create(&config);
    ck_assert_uint_eq(routes->topic_count, STREAM_COUNT + 1);
    ck_assert_str_eq(routes->topics[routes->dead_letter].name, "marketo.deadletter");

    struct route_facts facts = facts_of(10, NULL, NULL);
    struct route route;
    ck_assert_int_eq(routes_find(routes, &facts, &route), ROUTE_FOUND);
    ck_assert_str_eq(routes->topics[route.topic].name, "marketo.activity");
    ck_assert_str_eq(routes->types[route.type].name, "openemail");
    facts.activity_id = 100001;
    ck_assert_int_eq(routes_find(routes, &facts, &route), ROUTE_FOUND);
    ck_assert_str_eq(routes->topics[route.topic].name, "marketo.activity");
    ck_assert_str_eq(routes->types[route.type].name, "custom-100001");
    ck_assert_str_eq(topic_of(routes, -1, MARKETO "notification.campaign_abort", NULL),
                     "marketo.notification");
    ck_assert_str_eq(topic_of(routes, -1, MARKETO "audit.user.brandnew", NULL), "marketo.audit");
    routes_free(routes);
}
END_TEST

START_TEST(overrides)
{
    struct config config = default_config();
    struct config_topic_override list[] = {
        {(char[]){"activity.openemail"}, 6, -2, INT64_MIN, {10, 3}},
        {(char[]){"audit.other"}, -2, 2, -1, {11, 3}},
        {(char[]){"deadletter"}, 3, -2, 1000, {12, 3}},
    };
    config.topics.overrides = list;
    config.topics.override_count = COUNT(list);
    struct routes *routes = must_create(&config);
    const struct topic_spec *spec = find_spec(routes, "marketo.activity.openemail");
    ck_assert_int_eq(spec->partitions, 6);
    ck_assert_int_eq(spec->replication, -1);
    ck_assert_int_eq(spec->retention_ms, 2592000000);
    spec = find_spec(routes, "marketo.audit.other");
    ck_assert_int_eq(spec->partitions, 1);
    ck_assert_int_eq(spec->replication, 2);
    ck_assert_int_eq(spec->retention_ms, -1);
    spec = find_spec(routes, "marketo.deadletter");
    ck_assert_int_eq(spec->partitions, 3);
    ck_assert_int_eq(spec->retention_ms, 1000);
    ck_assert_int_eq(find_spec(routes, "marketo.activity.clicklink")->partitions, 1);
    routes_free(routes);
}
END_TEST

START_TEST(an_override_without_a_topic_is_refused)
{
    char *const names[] = {(char[]){"activity.openmail"},
                           (char[]){"marketo.activity.openemail"},
                           (char[]){"activity"},
                           (char[]){"activity.custom-100001"},
                           (char[]){""},
                           (char[]){"audit.openemail"}};
    struct config config = default_config();
    struct config_topic_override override = {names[_i], 6, -2, INT64_MIN, {10, 5}};
    config.topics.overrides = &override;
    config.topics.override_count = 1;
    must_refuse(&config, override.mark, "topics.override: there is no topic");
}
END_TEST

START_TEST(an_override_of_a_type_is_refused_with_one_topic_per_stream)
{
    struct config config = default_config();
    struct config_topic_override override = {(char[]){"activity.openemail"}, 6, -2, INT64_MIN, {10, 5}};
    config.topics.route = ROUTE_STREAM;
    config.topics.overrides = &override;
    config.topics.override_count = 1;
    must_refuse(&config, override.mark, "there is no topic \"activity.openemail\"");
    override.topic = (char[]){"activity"};
    struct routes *routes = must_create(&config);
    ck_assert_int_eq(find_spec(routes, "marketo.activity")->partitions, 6);
    routes_free(routes);
}
END_TEST

/* ---- Instances -------------------------------------------------------------------- */

START_TEST(a_set_of_topics_per_instance)
{
    struct config config = instance_config((char[]){"marketo.{instance}"});
    struct config_topic_override override = {(char[]){"activity.openemail"}, 6, -2, INT64_MIN, {10, 5}};
    config.topics.overrides = &override;
    config.topics.override_count = 1;
    struct routes *routes = must_create(&config);
    ck_assert_uint_eq(routes->topic_count, 2 * (catalog_type_count + 5) + 1);
    ck_assert_uint_eq(routes->type_count, catalog_type_count + 5);
    ck_assert_str_eq(routes->topics[routes->dead_letter].name, "marketo.deadletter");
    ck_assert_int_eq(find_spec(routes, "marketo.europe.activity.openemail")->partitions, 6);
    ck_assert_int_eq(find_spec(routes, "marketo.america.activity.openemail")->partitions, 6);

    struct route_facts facts = {10, SLICE_ABSENT, SLICE_ABSENT, slice_of("123-ABC-456")};
    struct route route;
    ck_assert_int_eq(routes_find(routes, &facts, &route), ROUTE_FOUND);
    ck_assert_str_eq(routes->topics[route.topic].name, "marketo.america.activity.openemail");
    facts.munchkin_id = slice_of("456-DEF-789");
    ck_assert_int_eq(routes_find(routes, &facts, &route), ROUTE_FOUND);
    ck_assert_str_eq(routes->topics[route.topic].name, "marketo.europe.activity.openemail");
    routes_free(routes);
}
END_TEST

START_TEST(an_instance_that_is_not_listed)
{
    char *prefixes[] = {(char[]){"marketo.{instance}"}, (char[]){"marketo"}};
    struct config config = instance_config(prefixes[_i]);
    struct routes *routes = must_create(&config);
    static const char *const strangers[] = {NULL,          "",           "123-ABC-45", "123-ABC-4567",
                                            "123-abc-456", "999-ZZZ-999"};
    for (size_t i = 0; i < COUNT(strangers); i++) {
        struct route_facts facts = {10, SLICE_ABSENT, SLICE_ABSENT, slice_of(strangers[i])};
        struct route route;
        ck_assert_int_eq(routes_find(routes, &facts, &route), ROUTE_UNKNOWN_INSTANCE);
        ck_assert_int_eq(route.topic, -1);
        ck_assert_str_eq(routes->types[route.type].name, "openemail");
        /* without a type the instance does not matter */
        facts.activity_id = -1;
        ck_assert_int_eq(routes_find(routes, &facts, &route), ROUTE_NO_TYPE);
    }
    routes_free(routes);
}
END_TEST

START_TEST(instances_can_share_the_topics)
{
    struct config config = instance_config((char[]){"marketo"});
    struct routes *routes = must_create(&config);
    ck_assert_uint_eq(routes->topic_count, catalog_type_count + 6);
    for (size_t i = 0; i < COUNT(two_instances); i++) {
        struct route_facts facts = {10, SLICE_ABSENT, SLICE_ABSENT, slice_of(two_instances[i].munchkin_id)};
        struct route route;
        ck_assert_int_eq(routes_find(routes, &facts, &route), ROUTE_FOUND);
        ck_assert_str_eq(routes->topics[route.topic].name, "marketo.activity.openemail");
    }
    routes_free(routes);
}
END_TEST

START_TEST(name_of_the_dead_letter_topic)
{
    static const struct {
        const char *prefix, *name;
    } cases[] = {
        {"marketo.{instance}", "marketo.deadletter"}, {"{instance}.marketo", "marketo.deadletter"},
        {"a.{instance}.b", "a.b.deadletter"},         {"{instance}", "deadletter"},
        {"a.{instance}-b", "a-b.deadletter"},         {"a-{instance}", "a-.deadletter"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char prefix[32];
        snprintf(prefix, sizeof prefix, "%s", cases[i].prefix);
        struct config config = instance_config(prefix);
        struct routes *routes = must_create(&config);
        ck_assert_str_eq(routes->topics[routes->dead_letter].name, cases[i].name);
        routes_free(routes);
    }
    struct config config = default_config();
    config.topics.dead_letter = (char[]){"lost.and_found"};
    struct routes *routes = must_create(&config);
    ck_assert_str_eq(routes->topics[routes->dead_letter].name, "lost.and_found");
    routes_free(routes);
}
END_TEST
Suite *suite_routes(void)
{
    Suite *suite = suite_create("routes");
    TCase *find = tcase_create("route of an event");
    tcase_add_loop_test(find, route_of_an_event, 0, (int)COUNT(events));
    tcase_add_test(find, a_long_type_goes_to_other);
    tcase_add_test(find, listed_custom_activities_have_topics);
    suite_add_tcase(suite, find);
    TCase *topics = tcase_create("set of topics");
    tcase_add_test(topics, the_default_set);
    tcase_add_test(topics, one_topic_per_stream);
    tcase_add_test(topics, overrides);
    tcase_add_loop_test(topics, an_override_without_a_topic_is_refused, 0, 6);
    tcase_add_test(topics, an_override_of_a_type_is_refused_with_one_topic_per_stream);
    suite_add_tcase(suite, topics);
    TCase *instances = tcase_create("instances");
    tcase_add_test(instances, a_set_of_topics_per_instance);
    tcase_add_loop_test(instances, an_instance_that_is_not_listed, 0, 2);
    tcase_add_test(instances, instances_can_share_the_topics);
    tcase_add_test(instances, name_of_the_dead_letter_topic);
    suite_add_tcase(suite, instances);
    return suite;
}
