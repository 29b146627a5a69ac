// SPDX-License-Identifier: Apache-2.0
//
// The configuration: what a reload needs of it. The files it was made from, which
// changes wait for a restart, and that secrets can be forgotten.
#include <stdlib.h>
#include <string.h>

#include "config_fixture.h"
#include "suites.h"

/* ---- the files ---- */

/* Loads the text and holds the list of files against `expected`, one a line; "@" is the configuration. */
static void expect_files(const char *text, bool good, const char *expected)
{
    config_test_write(config_file_path, text, strlen(text));
    struct config_errors errors = {0};
    struct config_files files = {.count = 0};
    struct config *config = config_load(config_file_path, true, NULL, &errors, &files);
    char *list = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&list, &size);
    ck_assert_ptr_nonnull(out);
    for (size_t i = 0; i < files.count; i++)
        fprintf(out, "%s\n", strcmp(files.paths[i], config_file_path) == 0 ? "@" : files.paths[i]);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert_str_eq(list, expected);
    ck_assert_int_eq(config != NULL, good);
    free(list);
    config_free(config);
    config_errors_free(&errors);
    config_files_free(&files);
    ck_assert_ptr_null(files.paths);
    ck_assert_uint_eq(files.count, 0);
}

START_TEST(every_file_is_listed_once)
{
    config_test_write(config_secret_path, "a-good-secret", 13);
    char text[1024], expected[256];
    snprintf(text, sizeof text,
             KAFKA "admin: {token: '${file:%s}'}\n"
                   "listen:\n"
                   "- {address: ':1', tls: {certificate: c.pem, key: k.pem, client_ca: ca.pem, "
                   "client_crl: crl.pem}}\n"
                   "- {address: ':2', tls: {certificate: c.pem, key: c.pem}}\n"
                   "- {address: ':3'}\n"
                   "endpoints: [{sender: adobe-io, auth: {client_names: [a], tokens: ['x${file:%s}']}}]\n",
             config_secret_path, config_secret_path);
    snprintf(expected, sizeof expected, "@\n%s\nc.pem\nk.pem\nca.pem\ncrl.pem\n", config_secret_path);
    expect_files(text, true, expected);
    expect_files(MINIMAL, true, "@\n");
}
END_TEST

START_TEST(files_are_listed_when_something_is_wrong)
{
    expect_files("a: [\n", false, "@\n");
    expect_files("", false, "@\n");
    /* Those that are not there might come. */
    expect_files(ENDPOINTS
                 "listen: [{address: nowhere, tls: {key: k.pem, certificate: '${file:/nonexistent/c}'}}]\n"
                 "kafka: {bootstrap.servers: '${file:/nonexistent/k}${file:/nonexistent/k}'}\n",
                 false, "@\n/nonexistent/c\n/nonexistent/k\nk.pem\n");

    struct config_errors errors = {0};
    struct config_files files = {.count = 0};
    ck_assert_ptr_null(config_load("/nonexistent/bridge.yaml", true, NULL, &errors, &files));
    ck_assert_uint_eq(files.count, 1);
    ck_assert_str_eq(files.paths[0], "/nonexistent/bridge.yaml");
    config_errors_free(&errors);
    config_files_free(&files);
}
END_TEST

/* ---- secrets ---- */

/* Every byte, not only the first. */
static void expect_forgotten(const char *secret, size_t length)
{
    for (size_t i = 0; i < length; i++)
        ck_assert_int_eq(secret[i], 0);
}

START_TEST(secrets_are_overwritten)
{
    struct config *config = config_test_good(
        LISTEN KAFKA
        "admin: {token: hunter22}\n"
        "endpoints:\n"
        "- {sender: adobe-io, auth: {tokens: [hunter23, hunter24]}}\n"
        "- sender: activity-push\n"
        "  auth: {oauth: {introspection_url: 'https://a', client_id: b, client_secret: hunter25}}\n");
    config_forget_secrets(config);
    expect_forgotten(config->admin_token, 8);
    ck_assert_uint_eq(config->endpoints[0].token_count, 2);
    expect_forgotten(config->endpoints[0].tokens[0], 8);
    expect_forgotten(config->endpoints[0].tokens[1], 8);
    expect_forgotten(config->endpoints[1].oauth.client_secret, 8);
    ck_assert_str_eq(config->endpoints[1].oauth.client_id, "b");
    config_forget_secrets(config);
    config_free(config);
    config = config_test_good(MINIMAL);
    config_forget_secrets(config);
    ck_assert_ptr_null(config->admin_token);
    config_free(config);
}
END_TEST

/* ---- restart ---- */

static void note(void *data, const char *option)
{
    fprintf(data, "%s ", option);
}

/* What waits for a restart, both ways. */
static void expect_restart(const char *running_text, const char *wanted_text, const char *expected)
{
    struct config *running = config_test_good(running_text), *wanted = config_test_good(wanted_text);
    for (size_t i = 0; i < 2; i++) {
        char *changed = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&changed, &size);
        ck_assert_ptr_nonnull(out);
        if (i == 0)
            config_restart_options(running, wanted, note, out);
        else
            config_restart_options(wanted, running, note, out);
        ck_assert_int_eq(fclose(out), 0);
        ck_assert_msg(strcmp(changed, expected) == 0, "%s\n%s\n%s", running_text, wanted_text, changed);
        free(changed);
    }
    config_free(running);
    config_free(wanted);
}

START_TEST(some_options_wait_for_a_restart)
{
    static const struct {
        const char *running, *wanted, *expected;
    } rows[] = {
        {"", "http2: false\n", "http2 "},
        {"", "http2: true\n", ""},
        {"", "admin: {address: ':1'}\n", "admin.address "},
        {"admin: {address: 'a:1'}\n", "admin: {address: 'a:2'}\n", "admin.address "},
        {"", "admin: {address: '127.0.0.1:9464'}\n", ""},
        {"instances: {a: x}\n", "instances: {a: y}\n", "instances "},
        {"instances: {a: x}\n", "instances: {b: x}\n", "instances "},
        {"instances: {a: x, b: y}\n", "instances: {a: x}\n", "instances "},
        {"instances: {a: x, b: y, c: z}\n", "instances: {c: z, b: y, a: x}\n", ""},
        {"", "topics: {prefix: a}\n", "topics.prefix "},
        {"", "topics: {prefix: marketo, dead_letter: null}\n", ""},
        {"", "topics: {route: stream}\n", "topics.route "},
        {"", "topics: {create: no}\n", "topics.create "},
        {"", "topics: {partitions: 2}\n", "topics.partitions "},
        {"", "topics: {replication: 3}\n", "topics.replication "},
        {"", "topics: {retention: 1d}\n", "topics.retention "},
        {"topics: {override: {a: {partitions: 2}}}\n", "topics: {override: {a: {partitions: 3}}}\n",
         "topics.override "},
        {"topics: {override: {a: {replication: 2}}}\n", "topics: {override: {a: {partitions: 2}}}\n",
         "topics.override "},
        {"topics: {override: {a: {retention: 2d}}}\n", "topics: {override: {a: {retention: 3d}}}\n",
         "topics.override "},
        {"topics: {override: {a: {}}}\n", "topics: {override: {b: {}}}\n", "topics.override "},
        {"topics: {override: {a: {}, b: {retention: 24h}}}\n",
         "topics: {override: {b: {retention: 1d}, a: {}}}\n", ""},
        {"topics: {custom: [100000]}\n", "topics: {custom: [100001]}\n", "topics.custom "},
        {"topics: {custom: [100000]}\n", "topics: {custom: [100000, 100001]}\n", "topics.custom "},
        {"topics: {custom: [100000]}\n", "topics: {custom: [100000]}\n", ""},
        {"", "topics: {dead_letter: a}\n", "topics.dead_letter "},
        {"topics: {dead_letter: a}\n", "topics: {dead_letter: b}\n", "topics.dead_letter "},
        {"", "durability: relaxed\n", "durability "},
        {"", "limits: {body: 1MiB}\n", "limits.body "},
        {"", "limits: {events: 1}\n", "limits.events "},
        {"", "limits: {in_flight: 1GiB}\n", "limits.in_flight "},
        {"", "limits: {connections: 1}\n", "limits.connections "},
        {"", "limits: {body_time: 1s}\n", "limits.body_time "},
        {"", "limits: {idle_time: 1s}\n", "limits.idle_time "},
        {"", "http2: no\ndurability: relaxed\ntopics: {partitions: 2, prefix: a}\n",
         "http2 topics.prefix topics.partitions durability "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char running[512], wanted[512];
        snprintf(running, sizeof running, MINIMAL "%s", rows[i].running);
        snprintf(wanted, sizeof wanted, MINIMAL "%s", rows[i].wanted);
        expect_restart(running, wanted, rows[i].expected);
    }
    expect_restart(LISTEN ENDPOINTS "kafka: {bootstrap.servers: a}\n",
                   LISTEN ENDPOINTS "kafka: {bootstrap.servers: b}\n", "kafka ");
    expect_restart(LISTEN ENDPOINTS "kafka: {bootstrap.servers: a, linger.ms: 1}\n",
                   LISTEN ENDPOINTS "kafka: {linger.ms: 1, bootstrap.servers: a}\n", "");
    expect_restart(LISTEN ENDPOINTS "kafka: {bootstrap.servers: a, linger.ms: 1}\n",
                   LISTEN ENDPOINTS "kafka: {bootstrap.servers: a}\n", "kafka ");
}
END_TEST

#define TLS "tls: {certificate: c, key: k}"

START_TEST(listeners_come_and_go_at_a_restart)
{
    static const struct {
        const char *running, *wanted, *expected;
    } rows[] = {
        {"{address: ':1'}", "{address: ':2'}", "listen[].address "},
        {"{address: ':1'}", "{address: ':1'}, {address: ':2'}", "listen[] "},
        {"{address: ':1'}, {address: ':2'}", "{address: ':2'}, {address: ':1'}", "listen[].address "},
        {"{address: ':1'}", "{address: ':1', " TLS "}", "listen[] "},
        {"{address: ':1'}", "{address: ':2', " TLS "}", "listen[].address listen[] "},
        {"{address: ':1', " TLS "}",
         "{address: ':1', tls: {certificate: d, key: e, client_ca: f, client_crl: g}}", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char running[512], wanted[512];
        /* Something must want certificates where there is a CA. */
        snprintf(running, sizeof running, ENDPOINTS KAFKA "listen: [%s]\n", rows[i].running);
        snprintf(
            wanted, sizeof wanted, "endpoints: [{sender: activity-push, auth: %s}]\n" KAFKA "listen: [%s]\n",
            strstr(rows[i].wanted, "client_ca") != NULL ? "{client_names: [a]}" : "none", rows[i].wanted);
        expect_restart(running, wanted, rows[i].expected);
    }
}
END_TEST

START_TEST(the_rest_changes_without_a_restart)
{
    expect_restart(MINIMAL,
                   LISTEN KAFKA
                   "endpoints:\n"
                   "- {sender: adobe-io, path: /x, deadline: 8s, auth: {signature: true, recipients: [a], "
                   "tokens: [12345678], confirm_validation: true, key_base: 'https://b'}}\n"
                   "- {sender: activity-push, auth: {oauth: {issuer: 'https://a', audience: b, jwks_url: "
                   "'https://c', allowed_clients: [d]}}}\n"
                   "admin: {token: 12345678}\n"
                   "record: {format: binary, headers: [time]}\n"
                   "dedupe: false\n"
                   "shutdown: {delay: 1s, grace: 1s}\n"
                   "log: {level: debug, format: json}\n",
                   "");
}
END_TEST

Suite *suite_config_reload(void)
{
    Suite *suite = suite_create("config_reload");
    TCase *tcase = tcase_create("config_reload");
    tcase_add_checked_fixture(tcase, config_test_setup, config_test_teardown);
    tcase_add_test(tcase, every_file_is_listed_once);
    tcase_add_test(tcase, files_are_listed_when_something_is_wrong);
    tcase_add_test(tcase, secrets_are_overwritten);
    tcase_add_test(tcase, some_options_wait_for_a_restart);
    tcase_add_test(tcase, listeners_come_and_go_at_a_restart);
    tcase_add_test(tcase, the_rest_changes_without_a_restart);
    suite_add_tcase(suite, tcase);
    return suite;
}
