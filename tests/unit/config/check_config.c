// SPDX-License-Identifier: Apache-2.0
//
// The configuration: defaults, every option set, what is shipped.
#include <stdlib.h>
#include <string.h>

#include "config_fixture.h"
#include "suites.h"

START_TEST(defaults_are_those_of_the_interface)
{
    struct config *config = config_test_good(MINIMAL);
    ck_assert_uint_eq(config->listener_count, 1);
    ck_assert_ptr_null(config->listeners[0].certificate);
    ck_assert(config->http2);
    ck_assert_str_eq(config->admin_address.text, "127.0.0.1:9464");
    ck_assert_str_eq(config->admin_address.host, "127.0.0.1");
    ck_assert_uint_eq(config->admin_address.port, 9464);
    ck_assert_ptr_null(config->admin_token);
    ck_assert_uint_eq(config->instance_count, 0);
    ck_assert_str_eq(config->topics.prefix, "marketo");
    ck_assert_int_eq(config->topics.route, ROUTE_TYPE);
    ck_assert(config->topics.create);
    ck_assert_int_eq(config->topics.partitions, 1);
    ck_assert_int_eq(config->topics.replication, -1);
    ck_assert_int_eq(config->topics.retention_ms, INT64_C(2592000000));
    ck_assert_uint_eq(config->topics.override_count, 0);
    ck_assert_uint_eq(config->topics.custom_count, 0);
    ck_assert_ptr_null(config->topics.dead_letter);
    ck_assert_uint_eq(config->topics.mark.line, 0);
    ck_assert_int_eq(config->durability, DURABILITY_STRICT);
    ck_assert_int_eq(config->record.format, RECORD_STRUCTURED);
    ck_assert_uint_eq(config->record.header_count, 0);
    ck_assert_uint_eq(config->limits.body, 4 << 20);
    ck_assert_uint_eq(config->limits.events, 10000);
    ck_assert_uint_eq(config->limits.in_flight, 256 << 20);
    ck_assert_uint_eq(config->limits.connections, 2048);
    ck_assert_uint_eq(config->limits.body_time_ms, 4000);
    ck_assert_uint_eq(config->limits.idle_time_ms, 75000);
    ck_assert_uint_eq(config->shutdown.delay_ms, 5000);
    ck_assert_uint_eq(config->shutdown.grace_ms, 20000);
    ck_assert_int_eq(config->log.level, LOG_LEVEL_INFO);
    ck_assert_int_eq(config->log.format, LOG_FORMAT_AUTO);
    config_free(config);
}
END_TEST

START_TEST(path_and_deadline_depend_on_the_sender)
{
    struct config *config = config_test_good(
        LISTEN KAFKA "endpoints: [{sender: activity-push, auth: none}, {sender: adobe-io, auth: none},\n"
                     "  {sender: adobe-io, auth: none, path: /x, deadline: 9s}]\n");
    ck_assert_uint_eq(config->endpoint_count, 3);
    ck_assert_str_eq(config->endpoints[0].path, "/marketo/activity");
    ck_assert_uint_eq(config->endpoints[0].deadline_ms, 17000);
    ck_assert_int_eq(config->endpoints[0].sender, SENDER_ACTIVITY_PUSH);
    ck_assert(config->endpoints[0].auth_none);
    ck_assert_str_eq(config->endpoints[1].path, "/adobe/events");
    ck_assert_uint_eq(config->endpoints[1].deadline_ms, 7000);
    ck_assert_str_eq(config->endpoints[2].path, "/x");
    ck_assert_uint_eq(config->endpoints[2].deadline_ms, 9000);
    ck_assert_uint_eq(config->endpoints[2].mark.line, 4);
    ck_assert_uint_eq(config->endpoints[2].mark.column, 3);
    ck_assert_str_eq(config_sender_name(SENDER_ADOBE_IO), "adobe-io");
    config_free(config);
}
END_TEST

/* A sample with nearly every option. */
START_TEST(the_sample_of_the_interface_is_accepted)
{
    config_test_write(config_secret_path, "an activity token\n", 18);
    struct config *config = config_test_good(
        "listen:                              # one or more\n"
        "  - address: 0.0.0.0:8443\n"
        "    tls: { certificate: tls/cert.pem, key: tls/key.pem, client_ca: null, client_crl: null }\n"
        "http2: true\n"
        "admin: { address: 127.0.0.1:9464, token: null }\n"
        "endpoints:\n"
        "  - path: /marketo/activity\n"
        "    sender: activity-push\n"
        "    deadline: 17s\n"
        "    auth:\n"
        "      tokens: [ \"Bearer-${SECRET_FILE}\", another-token ]\n"
        "      oauth: { issuer: https://idp.example.org/, audience: urn:bridge, jwks_url: "
        "https://idp.example.org/keys, introspection_url: https://idp.example.org/introspect?x=1, client_id: "
        "bridge, client_secret: s, allowed_clients: [ marketo ] }\n"
        "  - path: /adobe/events\n"
        "    sender: adobe-io\n"
        "    deadline: 7s\n"
        "    auth: { signature: true, key_base: https://static.adobeioevents.com, recipients: [ \"a-client\" "
        "], "
        "client_names: [], confirm_validation: false }\n"
        "kafka:\n"
        "  bootstrap.servers: localhost:9092\n"
        "  compression.type: lz4\n"
        "instances: {}\n"
        "topics: { prefix: marketo, route: type, create: true, partitions: 1, replication: -1, "
        "retention: 30d, "
        "override: { activity.openemail: { partitions: 6 } }, custom: [], dead_letter: null }\n"
        "durability: strict\n"
        "record: { format: structured, headers: [] }\n"
        "dedupe: false\n"
        "limits: { body: 4MiB, events: 10000, in_flight: 256MiB, connections: 2048, body_time: 4s, "
        "idle_time: 75s "
        "}\n"
        "shutdown: { delay: 5s, grace: 20s }\n"
        "log:    { level: info, format: auto }\n");
    ck_assert_str_eq(config->listeners[0].certificate, "tls/cert.pem");
    ck_assert_str_eq(config->listeners[0].key, "tls/key.pem");
    ck_assert_str_eq(config->listeners[0].address.text, "0.0.0.0:8443");
    ck_assert(!config->endpoints[0].auth_none);
    ck_assert_uint_eq(config->endpoints[0].token_count, 2);
    ck_assert_str_eq(config->endpoints[0].tokens[1], "another-token");
    ck_assert_str_eq(config->endpoints[0].oauth.issuer, "https://idp.example.org/");
    ck_assert_str_eq(config->endpoints[0].oauth.allowed_clients[0], "marketo");
    ck_assert_str_eq(config->endpoints[1].recipients[0], "a-client");
    ck_assert_uint_eq(config->kafka_count, 2);
    ck_assert_str_eq(config->kafka[1].name, "compression.type");
    ck_assert_str_eq(config->kafka[1].value, "lz4");
    ck_assert_uint_eq(config->kafka[1].mark.line, 19);
    ck_assert_uint_eq(config->kafka[1].mark.column, 3);
    ck_assert_uint_eq(config->topics.mark.line, 21);
    ck_assert_uint_eq(config->topics.mark.column, 1);
    ck_assert_uint_eq(config->topics.override_count, 1);
    ck_assert_str_eq(config->topics.overrides[0].topic, "activity.openemail");
    ck_assert_int_eq(config->topics.overrides[0].partitions, 6);
    ck_assert_int_eq(config->topics.overrides[0].replication, -2);
    ck_assert(config->topics.overrides[0].retention_ms == INT64_MIN);
    config_free(config);
}
END_TEST

START_TEST(everything_can_be_set)
{
    struct config *config = config_test_added(
        "http2: off\n"
        "admin: {address: '[::1]:0', token: 'admin token'}\n"
        "instances: {123-ABC-456: prod, 789-DEF-012: test-2}\n"
        "topics:\n"
        "  prefix: '{instance}.Mkto_1'\n"
        "  route: stream\n"
        "  create: no\n"
        "  partitions: 1000\n"
        "  replication: 3\n"
        "  retention: forever\n"
        "  override: {audit.login: {replication: -1, retention: -1}, x: {retention: 12h, partitions: 2}}\n"
        "  custom: [100000, 9007199254740991]\n"
        "  dead_letter: dead.letters_1-x\n"
        "durability: relaxed\n"
        "record: {format: binary, headers: [ce_time, x-request-id, id, ce_type, subject]}\n"
        "dedupe: off\n"
        "limits: {body: 64KiB, events: 1, in_flight: 1GiB, connections: 10, body_time: 1500ms, idle_time: "
        "2m}\n"
        "shutdown: {delay: 0, grace: 1m}\n"
        "log: {level: debug, format: logfmt}");
    ck_assert(!config->http2);
    ck_assert_str_eq(config->admin_address.host, "::1");
    ck_assert_uint_eq(config->admin_address.port, 0);
    ck_assert_str_eq(config->admin_token, "admin token");
    ck_assert_uint_eq(config->instance_count, 2);
    ck_assert_str_eq(config->instances[1].munchkin_id, "789-DEF-012");
    ck_assert_str_eq(config->instances[1].name, "test-2");
    ck_assert_uint_eq(config->instances[1].mark.column, 32);
    ck_assert_str_eq(config->topics.prefix, "{instance}.Mkto_1");
    ck_assert_int_eq(config->topics.route, ROUTE_STREAM);
    ck_assert(!config->topics.create);
    ck_assert_int_eq(config->topics.partitions, 1000);
    ck_assert_int_eq(config->topics.replication, 3);
    ck_assert_int_eq(config->topics.retention_ms, -1);
    ck_assert_uint_eq(config->topics.override_count, 2);
    ck_assert_int_eq(config->topics.overrides[0].partitions, -2);
    ck_assert_int_eq(config->topics.overrides[0].replication, -1);
    ck_assert_int_eq(config->topics.overrides[0].retention_ms, -1);
    ck_assert_int_eq(config->topics.overrides[1].retention_ms, 43200000);
    ck_assert_uint_eq(config->topics.custom_count, 2);
    ck_assert_int_eq(config->topics.custom[1], INT64_C(9007199254740991));
    ck_assert_str_eq(config->topics.dead_letter, "dead.letters_1-x");
    ck_assert_int_eq(config->durability, DURABILITY_RELAXED);
    ck_assert_int_eq(config->record.format, RECORD_BINARY);
    ck_assert_uint_eq(config->record.header_count, 3);
    ck_assert_str_eq(config->record.headers[0], "time");
    ck_assert_str_eq(config->record.headers[1], "x-request-id");
    ck_assert_str_eq(config->record.headers[2], "subject");
    ck_assert_uint_eq(config->limits.body, 65536);
    ck_assert_uint_eq(config->limits.in_flight, 1 << 30);
    ck_assert_uint_eq(config->limits.body_time_ms, 1500);
    ck_assert_uint_eq(config->limits.idle_time_ms, 120000);
    ck_assert_uint_eq(config->shutdown.delay_ms, 0);
    ck_assert_uint_eq(config->shutdown.grace_ms, 60000);
    ck_assert_int_eq(config->log.level, LOG_LEVEL_DEBUG);
    ck_assert_int_eq(config->log.format, LOG_FORMAT_LOGFMT);
    config_free(config);
}
END_TEST

START_TEST(sizes_and_durations_have_units)
{
    static const struct {
        const char *text;
        size_t bytes;
    } sizes[] = {{"1024", 1024},   {"2kB", 2000},     {"1KiB", 1024},
                 {"3MB", 3000000}, {"4MiB", 4 << 20}, {"0GiB", 0}};
    for (size_t i = 0; i + 1 < sizeof sizes / sizeof sizes[0]; i++) {
        char added[64];
        snprintf(added, sizeof added, "limits: {body: %s}", sizes[i].text);
        struct config *config = config_test_added(added);
        ck_assert_uint_eq(config->limits.body, sizes[i].bytes);
        config_free(config);
    }
    static const struct {
        const char *text;
        int64_t ms;
    } times[] = {
        {"1000ms", 1000}, {"17s", 17000}, {"5m", 300000}, {"24h", 86400000}, {"30d", INT64_C(2592000000)},
        {"-1", -1},       {"forever", -1}};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        char added[64];
        snprintf(added, sizeof added, "topics: {retention: %s}", times[i].text);
        struct config *config = config_test_added(added);
        ck_assert_int_eq(config->topics.retention_ms, times[i].ms);
        config_free(config);
    }
}
END_TEST

START_TEST(booleans_have_the_words_of_yaml)
{
    static const char *const yes[] = {"true", "Yes", "ON"}, *const no[] = {"False", "no", "off"};
    for (size_t i = 0; i < 3; i++) {
        char added[64];
        snprintf(added, sizeof added, "http2: %s", yes[i]);
        struct config *config = config_test_added(added);
        ck_assert(config->http2);
        config_free(config);
        snprintf(added, sizeof added, "http2: %s", no[i]);
        config = config_test_added(added);
        ck_assert(!config->http2);
        config_free(config);
    }
}
END_TEST

START_TEST(addresses_have_three_forms)
{
    struct config *config =
        config_test_good(ENDPOINTS KAFKA "listen:\n- address: bridge.example.org:8443\n"
                                         "- address: '[fe80::1%eth0]:8443'\n- address: :65535\n"
                                         "- address: 127.0.0.1:0\n- address: 127.0.0.1:0\n  tls: null\n");
    ck_assert_uint_eq(config->listener_count, 5);
    ck_assert_str_eq(config->listeners[0].address.host, "bridge.example.org");
    ck_assert_str_eq(config->listeners[1].address.host, "fe80::1%eth0");
    ck_assert_str_eq(config->listeners[1].address.text, "[fe80::1%eth0]:8443");
    ck_assert_str_eq(config->listeners[2].address.host, "");
    ck_assert_uint_eq(config->listeners[2].address.port, 65535);
    ck_assert_uint_eq(config->listeners[4].address.port, 0);
    config_free(config);
}
END_TEST

START_TEST(empty_sections_are_as_good_as_none)
{
    struct config *config = config_test_added("topics:\nlimits: ~\ninstances:\nrecord: {headers: }\n");
    ck_assert_uint_eq(config->limits.body, 4 << 20);
    config_free(config);
}
END_TEST

START_TEST(bootstrap_servers_are_needed_unless_embedded)
{
    config_expect_errors(LISTEN ENDPOINTS "kafka:\n  linger.ms: 5\n",
                         "f:4:3: kafka.bootstrap.servers is missing: write the addresses of the brokers, as "
                         "host:port,host:port\n");
    config_expect_errors(LISTEN ENDPOINTS,
                         "f:1:1: kafka.bootstrap.servers is missing: write the addresses of the brokers, as "
                         "host:port,host:port\n");
    config_expect_errors(LISTEN ENDPOINTS "kafka: {bootstrap.servers: ''}\n",
                         "f:3:9: kafka.bootstrap.servers: must not be empty\n");
    char *errors_text;
    struct config *config = config_test_load(LISTEN ENDPOINTS, strlen(LISTEN ENDPOINTS), false, &errors_text);
    ck_assert_ptr_nonnull(config);
    ck_assert_uint_eq(config->kafka_count, 0);
    free(errors_text);
    config_free(config);
}
END_TEST

START_TEST(values_come_from_the_environment_and_from_files)
{
    config_test_write(config_secret_path, "from-a-file\n\n",
                      13); /* one newline is taken off, the other refused */
    setenv("CHECK_A", "one", 1);
    setenv("CHECK_B", "${CHECK_A}", 1);
    setenv("CHECK_N", "12", 1);
    setenv("CHECK_EMPTY", "", 1);
    char added[512];
    snprintf(added, sizeof added,
             "topics: {partitions: \"${CHECK_N}\", prefix: 'a${CHECK_EMPTY}${CHECK_A}-${CHECK_N}'}\n"
             "admin: {token: '${CHECK_B}$${x}$$$'}");
    struct config *config = config_test_added(added);
    ck_assert_int_eq(config->topics.partitions, 12);
    ck_assert_str_eq(config->topics.prefix, "aone-12");
    ck_assert_str_eq(config->admin_token, "${CHECK_A}${x}$$$");
    config_free(config);

    snprintf(added, sizeof added, "admin: {token: '${file:%s}'}", config_secret_path);
    config_expect_error(
        added, "4:16: admin.token: must have no control character (a second line?) and no blank at its ends");
    static const char *const contents[] = {"from-a-file", "from-a-file\n", "from-a-file\r\n"};
    for (size_t i = 0; i < 3; i++) {
        config_test_write(config_secret_path, contents[i], strlen(contents[i]));
        config = config_test_added(added);
        ck_assert_str_eq(config->admin_token, "from-a-file");
        config_free(config);
    }
}
END_TEST

/* ---- what is shipped ---- */

START_TEST(the_sample_in_deploy_loads)
{
    static const char path[] = SOURCE_ROOT "/deploy/bridge.yaml";
    static const char *const names[] = {"ACTIVITY_TOKEN", "ADOBE_CLIENT_ID", "KAFKA_BROKERS", "KAFKA_USER",
                                        "KAFKA_PASSWORD"};
    for (size_t i = 0; i < 5; i++)
        setenv(names[i], "some-text:9092", 1);
    struct config_errors errors = {0};
    struct config *config = config_load(path, true, NULL, &errors, NULL);
    config_errors_print(&errors, path, stderr);
    ck_assert_msg(config != NULL, "%s", path);
    ck_assert_str_eq(config->endpoints[0].tokens[0], "some-text:9092");
    ck_assert_str_eq(config->listeners[0].key, "/etc/marketo-bridge/key.pem");
    config_free(config);

    /* Each variable is used, and is asked for by name. */
    for (size_t i = 0; i < 5; i++)
        unsetenv(names[i]);
    ck_assert_ptr_null(config_load(path, true, NULL, &errors, NULL));
    ck_assert_uint_eq(errors.count, 5);
    for (size_t i = 0; i < 5; i++)
        ck_assert_ptr_nonnull(strstr(errors.items[i].message, names[i]));
    config_errors_free(&errors);
}
END_TEST

START_TEST(the_reference_has_every_option)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(out);
    config_print_reference(out);
    ck_assert_int_eq(fclose(out), 0);
    static const char *const parts[] = {
        "### on their own\n\n| option | type | default | meaning |\n",
        "\n### topics\n\nThe topics, and how missing ones are created.\n\n| option |",
        "| `http2` | boolean | `true` | ",
        " and you want the smaller attack surface. *Restart.* |\n| `durability` |",
        "\n\nA change takes effect at SIGHUP; where *Restart.* stands, only at the next start.\n\n",
        "| `listen[].tls.client_ca` | text | `null` | ",
        "| `endpoints[].auth.tokens[]` | list: text, 8 characters or more | none | ",
        "| `endpoints[].auth.oauth` | section | none | ",
        "| `endpoints[].auth.oauth.issuer` | URL without query | `null` | ",
        "| `endpoints[].auth.oauth.jwks_url` | URL | `null` | ",
        "| `endpoints[].auth.oauth.client_secret` | text | `null` | ",
        "| `endpoints[].auth.key_base` | URL without path | `https://static.adobeioevents.com` | ",
        "| `endpoints[].auth.recipients[]` | list: text | none | ",
        "a lead's events of all types in order. *Restart.* |\n",
        "| `listen[].address` | address | required | ",
        "| `admin.token` | text, 8 characters or more | `null` | ",
        "| `endpoints[].deadline` | duration, 2s to 19s | `17s` (activity-push), `7s` (adobe-io) | ",
        "| `kafka.*` | mapping: text | librdkafka's own | ",
        "| `topics.replication` | integer, -1, or 1 to 32767 | `-1` | ",
        "| `topics.override.*.partitions` | integer, 1 to 1000 | as `topics.partitions` | ",
        "| `limits.body` | size, 1KiB to 64MiB | `4MiB` | ",
        "| `log.level` | one of `error`, `warning`, `info`, `debug` | `info` | ",
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        ck_assert_msg(strstr(text, parts[i]) != NULL, "%s\nis not in\n%s", parts[i], text);
    free(text);
}
END_TEST

Suite *suite_config(void)
{
    Suite *suite = suite_create("config");
    TCase *tcase = tcase_create("config");
    tcase_add_checked_fixture(tcase, config_test_setup, config_test_teardown);
    tcase_add_test(tcase, defaults_are_those_of_the_interface);
    tcase_add_test(tcase, path_and_deadline_depend_on_the_sender);
    tcase_add_test(tcase, the_sample_of_the_interface_is_accepted);
    tcase_add_test(tcase, everything_can_be_set);
    tcase_add_test(tcase, sizes_and_durations_have_units);
    tcase_add_test(tcase, booleans_have_the_words_of_yaml);
    tcase_add_test(tcase, addresses_have_three_forms);
    tcase_add_test(tcase, empty_sections_are_as_good_as_none);
    tcase_add_test(tcase, bootstrap_servers_are_needed_unless_embedded);
    tcase_add_test(tcase, values_come_from_the_environment_and_from_files);
    tcase_add_test(tcase, the_sample_in_deploy_loads);
    tcase_add_test(tcase, the_reference_has_every_option);
    suite_add_tcase(suite, tcase);
    return suite;
}
