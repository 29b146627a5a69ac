// SPDX-License-Identifier: Apache-2.0
//
// The configuration: what is refused, with which words and at which place.
#include <stdlib.h>
#include <string.h>

#include "config_fixture.h"
#include "suites.h"

START_TEST(what_cannot_be_replaced_is_named)
{
    unsetenv("CHECK_UNSET");
    unsetenv("CHECK_UNSET_2");
    config_expect_errors(
        MINIMAL
        "admin: {token: 'x${CHECK_UNSET}y${CHECK_UNSET_2}'}\nlog: {level: \"${file:/nonexistent/x}\"}\n",
        "f:4:16: admin.token: the environment variable CHECK_UNSET is not set\n"
        "f:4:16: admin.token: the environment variable CHECK_UNSET_2 is not set\n"
        "f:5:14: log.level: cannot read the file /nonexistent/x: No such file or directory\n");
    static const struct pair pairs[] = {
        {"admin: {token: 'hunter22${abc'}", "4:16: admin.token: ${ without }; a literal ${ is written $${"},
        {"admin: {token: 'hunter22${hunter 2}'}", "4:16: admin.token: between ${ and } there must be the "
                                                  "name of an environment variable, or file: and a "
                                                  "path; a literal ${ is written $${"},
        {"log: {level: '${file:}'}", "4:14: log.level: between ${ and } there must be the name of an "
                                     "environment variable, or file: and a path; "
                                     "a literal ${ is written $${"},
        {"log: {level: '${file:/tmp}'}", "4:14: log.level: cannot read the file /tmp: Is a directory"},
        {"kafka.x: ${HOME}", "4:1: unknown key 'kafka.x'; did you mean 'kafka'?"},
        {"instances: {'${HOME}': a}",
         "4:13: instances: ${...} is replaced in values only, not in the key '${HOME}'"},
    };
    EXPECT_EACH(pairs);
}
END_TEST

START_TEST(a_secret_file_has_at_most_64KiB)
{
    static char content[65537];
    memset(content, 'x', sizeof content);
    char text[512], expected[256];
    snprintf(text, sizeof text, MINIMAL "kafka_: 1\nadmin: {token: '${file:%s}'}\n", config_secret_path);
    config_test_write(config_secret_path, content, 65536);
    config_expect_errors(text, "f:4:1: unknown key 'kafka_'; did you mean 'kafka'?\n"
                               "f:5:16: admin.token: must have at most 4096 bytes\n");
    config_test_write(config_secret_path, content, 65537);
    snprintf(expected, sizeof expected,
             "f:4:1: unknown key 'kafka_'; did you mean 'kafka'?\n"
             "f:5:16: admin.token: cannot read the file %s: larger than 64KiB\n",
             config_secret_path);
    config_expect_errors(text, expected);
    config_test_write(config_secret_path, "abcdefgh\0ijkl", 13);
    snprintf(expected, sizeof expected,
             "f:4:1: unknown key 'kafka_'; did you mean 'kafka'?\n"
             "f:5:16: admin.token: cannot read the file %s: it contains a NUL character\n",
             config_secret_path);
    config_expect_errors(text, expected);
}
END_TEST

START_TEST(secrets_are_never_in_a_message)
{
    setenv("CHECK_SECRET", "hunter2", 1);
    config_expect_errors(
        LISTEN "endpoints:\n- sender: adobe-io\n  auth: {tokens: [hunter2, '${CHECK_SECRET}']}\n"
               "kafka: {bootstrap.servers: k, sasl.password: \"a\\0hunter2\"}\n"
               "log: {level: '${CHECK_SECRET}'}\n"
               "topics: {partitions: '${CHECK_SECRET}', prefix: 'a b${CHECK_SECRET}'}\n",
        "f:4:19: endpoints[].auth.tokens[]: must have at least 8 characters\n"
        "f:4:28: endpoints[].auth.tokens[]: must have at least 8 characters\n"
        "f:5:46: kafka.sasl.password: must not contain a NUL character\n"
        "f:6:14: log.level: must be one of error, warning, info, debug, not '${CHECK_SECRET}'\n"
        "f:7:22: topics.partitions: must be a whole number in decimal digits, not '${CHECK_SECRET}'\n"
        "f:7:49: topics.prefix: must have only letters, digits, '.', '_' and '-', besides one {instance}, "
        "not 'a b${CHECK_SECRET}'\n");
}
END_TEST

/* ---- what is refused ---- */

START_TEST(every_error_is_told_in_the_order_of_the_file)
{
    config_expect_errors(
        "lisen: []\n"
        "http2: maybe\n"
        "endpoints:\n"
        "  - path: marketo\n"
        "    sender: adobe\n"
        "    deadline: 1s\n"
        "  - path: /a\n"
        "kafka: [x]\n"
        "limits: { body: 4MB, bodytime: 4s, body: 1KiB, events: 0 }\n"
        "shutdown: 5s\n",
        "f:1:1: unknown key 'lisen'; did you mean 'listen'?\n"
        "f:1:1: listen is missing: write at least one entry with an address\n"
        "f:2:8: http2: must be true or false, not 'maybe'\n"
        "f:4:5: endpoints[].auth is missing: write a mapping with tokens, oauth, signature or client_names, "
        "or `auth: none` to let everybody in\n"
        "f:4:11: endpoints[].path: must begin with / and have only ASCII characters, no ?, # or blank, not "
        "'marketo'\n"
        "f:5:13: endpoints[].sender: must be one of activity-push, adobe-io, not 'adobe'\n"
        "f:6:15: endpoints[].deadline: must be 2s to 19s, not '1s'\n"
        "f:7:5: endpoints[].sender is missing\n"
        "f:7:5: endpoints[].auth is missing: write a mapping with tokens, oauth, signature or client_names, "
        "or `auth: none` to let everybody in\n"
        "f:8:8: kafka: must be a mapping\n"
        "f:9:22: limits: unknown key 'bodytime'; did you mean 'body_time'?\n"
        "f:9:36: limits: 'body' is there twice\n"
        "f:9:56: limits.events: must be 1 to 1000000, not '0'\n"
        "f:10:11: shutdown: must be a mapping of options\n");
}
END_TEST

START_TEST(wrong_values_are_refused)
{
    static const struct pair pairs[] = {
        {"http2: null", "4:8: http2: needs a value, null is none"},
        {"http2: [true]", "4:8: http2: must be a single value, not a list"},
        {"admin: {address: '1:2:3'}",
         "4:18: admin.address: must have an IPv6 address in brackets, as in [::1]:8443, not '1:2:3'"},
        {"admin: {address: localhost}", "4:18: admin.address: must be host:port, [IPv6 address]:port or "
                                        ":port; the port is missing, not 'localhost'"},
        {"admin: {address: '[::1]'}", "4:18: admin.address: must be host:port, [IPv6 address]:port or :port; "
                                      "the port is missing, not '[::1]'"},
        {"admin: {address: '[::1:80'}", "4:18: admin.address: must be host:port, [IPv6 address]:port or "
                                        ":port; the ] is missing, not '[::1:80'"},
        {"admin: {address: '[1.2.3.4]:80'}",
         "4:18: admin.address: must have an IPv6 address between [ and ], not '[1.2.3.4]:80'"},
        {"admin: {address: '300.1.1.1:80'}",
         "4:18: admin.address: must have a valid IPv4 address before the port, not '300.1.1.1:80'"},
        {"admin: {address: 'a b:80'}",
         "4:18: admin.address: must have a host name or an IP address before the port, not 'a b:80'"},
        {"admin: {address: 'a:65536'}",
         "4:18: admin.address: must end in a port from 0 to 65535, not 'a:65536'"},
        {"admin: {address: 'a:'}", "4:18: admin.address: must end in a port from 0 to 65535, not 'a:'"},
        {"admin: {token: ''}", "4:16: admin.token: must not be empty"},
        {"admin: {token: [a]}", "4:16: admin.token: must be a single value, not a list"},
        {"instances: {a: Prod}",
         "4:16: instances.a: must be a name of small letters, digits and '-', not 'Prod'"},
        {"instances: {'a b': x}",
         "4:13: instances: a key has 1 to 249 characters and no blanks, unlike 'a b'"},
        {"topics: {prefix: 'a{instance}{instance}'}",
         "4:18: topics.prefix: must have only letters, digits, '.', '_' and '-', besides one {instance}, not "
         "'a{instance}{instance}'"},
        {"topics: {prefix: ''}", "4:18: topics.prefix: must not be empty"},
        {"topics: {prefix: '{instance}'}",
         "4:18: topics.prefix: {instance} needs at least one entry in instances"},
        {"topics: {route: types}", "4:17: topics.route: must be one of type, stream, not 'types'"},
        {"topics: {partitions: 0}", "4:22: topics.partitions: must be 1 to 1000, not '0'"},
        {"topics: {partitions: 1001}", "4:22: topics.partitions: must be 1 to 1000, not '1001'"},
        {"topics: {partitions: 010}",
         "4:22: topics.partitions: must be a whole number in decimal digits, not '010'"},
        {"topics: {partitions: 99999999999999999999}",
         "4:22: topics.partitions: must be a whole number in decimal digits, not '99999999999999999999'"},
        {"topics: {replication: 0}", "4:23: topics.replication: must be -1, or 1 to 32767, not '0'"},
        {"topics: {replication: -2}", "4:23: topics.replication: must be -1, or 1 to 32767, not '-2'"},
        {"topics: {retention: 30}", "4:21: topics.retention: must be a duration with its unit, such as 24h "
                                    "or 30d, or -1 or forever, not '30'"},
        {"topics: {retention: 0}", "4:21: topics.retention: must be 1s to 36500d, not '0'"},
        {"topics: {retention: 999999999999999999d}", "4:21: topics.retention: must be a duration with its "
                                                     "unit, such as 24h or 30d, or -1 or forever, not "
                                                     "'999999999999999999d'"},
        {"topics: {override: {x: {partition: 1}}}",
         "4:25: topics.override.*: unknown key 'partition'; did you mean 'partitions'?"},
        {"topics: {override: {x: {partitions: 0}}}",
         "4:37: topics.override.*.partitions: must be 1 to 1000, not '0'"},
        {"topics: {override: {x: {replication: 0}}}",
         "4:38: topics.override.*.replication: must be -1, or 1 to 32767, not '0'"},
        {"topics: {override: {x: 6}}", "4:24: topics.override.*: must be a mapping of options"},
        {"topics: {override: {'': {}}}",
         "4:21: topics.override: a key has 1 to 249 characters and no blanks, unlike ''"},
        {"topics: {override: {x: {}, x: {}}}", "4:28: topics.override: 'x' is there twice"},
        {"topics: {custom: [99999]}", "4:19: topics.custom[]: must be 100000 or more, not '99999'"},
        {"topics: {custom: [100001, 100002, 100001]}", "4:35: topics.custom: '100001' is there twice"},
        {"topics: {custom: 100001}", "4:18: topics.custom: must be a list"},
        {"topics: {dead_letter: a/b}",
         "4:23: topics.dead_letter: must have only letters, digits, '.', '_' and '-', not 'a/b'"},
        {"topics: {dead_letter: ..}", "4:23: topics.dead_letter: must not be . or .., not '..'"},
        {"durability: lax", "4:13: durability: must be one of strict, relaxed, not 'lax'"},
        {"record: {format: flat}",
         "4:18: record.format: must be one of structured, binary, original, not 'flat'"},
        {"record: {headers: [time, ce_time]}", "4:26: record.headers: 'ce_time' is there twice"},
        {"dedupe: {window: 24h}", "4:9: dedupe: must be false: this version does not have it"},
        {"dedupe: true", "4:9: dedupe: must be false: this version does not have it, not 'true'"},
        {"dedupe: null", "4:9: dedupe: needs a value, null is none"},
        {"limits: {body: 1023}", "4:16: limits.body: must be 1KiB to 64MiB, not '1023'"},
        {"limits: {body: 65MiB}", "4:16: limits.body: must be 1KiB to 64MiB, not '65MiB'"},
        {"limits: {body: 4 MiB}", "4:16: limits.body: must be a size such as 64KiB, 4MiB, 1GiB, 2MB or a "
                                  "number of bytes, not '4 MiB'"},
        {"limits: {events: 1000001}", "4:18: limits.events: must be 1 to 1000000, not '1000001'"},
        {"limits: {body_time: 4}", "4:21: limits.body_time: must be a duration with its unit, such as 50ms, "
                                   "17s, 5m, 24h, 30d or 0, not '4'"},
        {"log: {format: xml}", "4:15: log.format: must be one of auto, logfmt, json, not 'xml'"},
        {"kafka_: 1\n", "4:1: unknown key 'kafka_'; did you mean 'kafka'?"},
        {"completely_different: 1", "4:1: unknown key 'completely_different'"},
        {"? [a]\n: b", "4:3: a key must be a single word"},
        {"<<: {http2: true}", "4:1: merge keys (<<) are not supported"},
        {"listen: []", "4:1: 'listen' is there twice"},
    };
    EXPECT_EACH(pairs);
}
END_TEST

START_TEST(headers_must_be_known)
{
    config_expect_error(
        "record: {headers: [colour]}",
        "4:20: record.headers[]: must be one of specversion, type, source, id, time, originaltime, subject, "
        "datacontenttype, dataschema, munchkinid, leadid, eventid, recipientclientid, eventaction, subtype, "
        "sourceapplication, messageid, messagecreateddate, x-request-id, not 'colour'");
}
END_TEST

START_TEST(options_must_fit_each_other)
{
    static const struct pair pairs[] = {
        {"limits: {body: 64MiB}",
         "4:16: limits.in_flight: 256MiB (the default) is less than 8 times limits.body, 64MiB"},
        {"limits: {in_flight: 31MiB}",
         "4:21: limits.in_flight: 31MiB is less than 8 times limits.body, 4MiB"},
        {"limits: {body_time: 16s}",
         "4:21: limits.body_time: 16s is too long for the shortest deadline, 17s: it must "
         "be less than the deadline minus 1s"},
        {"instances: {a: x, b: y, c: x}", "4:25: instances: the instance on line 4 has the same name"},
        {"admin: {address: ':8080'}", "1:20: listen[].address: admin.address is the same"},
    };
    EXPECT_EACH(pairs);
    config_free(config_test_added("limits: {body: 32MiB, body_time: 15999ms}"));
    config_expect_errors(
        OPEN_ENDPOINT "  deadline: 5s\n" KAFKA,
        "f:5:13: limits.body_time: 4s (the default) is too long for the shortest deadline, 5s: it must be "
        "less than the deadline minus 1s\n");
    config_expect_errors(
        OPEN_ENDPOINT "  deadline: 10s\n" KAFKA,
        "f:5:13: endpoints[].deadline: must be at most 9s for adobe-io, which waits 1s longer, not 10s\n");
    config_expect_errors(OPEN_ENDPOINT "- {sender: adobe-io, auth: none}\n"
                                       "- {sender: activity-push, auth: none, path: /adobe/events}\n" KAFKA,
                         "f:5:3: endpoints[].path: the endpoint on line 3 has the same path\n"
                         "f:6:45: endpoints[].path: the endpoint on line 3 has the same path\n");
    config_expect_errors(ENDPOINTS KAFKA
                         "listen:\n- address: LOCALHOST:1\n- address: '[::]:1'\n- address: localhost:1\n",
                         "f:6:12: listen[].address: the address on line 4 is the same\n");
}
END_TEST

START_TEST(endpoints_need_a_way_to_authenticate)
{
    static const struct pair pairs[] = {
        {"  auth: null\n", "f:4:9: endpoints[].auth: needs a value, null is none\n"},
        {"  auth: {tokens: ['', '12345678']}\n", "f:4:19: endpoints[].auth.tokens[]: must not be empty\n"},
        {"  auth: {tokens: [null]}\n", "f:4:19: endpoints[].auth.tokens[]: needs a value, null is none\n"},
        {"  auth: {signatures: true, tokens: [12345678]}\n",
         "f:4:10: endpoints[].auth: unknown key 'signatures'; did you mean 'signature'?\n"},
        {"  auth: hunter22\n", "f:4:9: endpoints[].auth: must be none or a mapping with tokens, oauth, "
                               "signature or client_names\n"},
        {"  auth: none\n  path: /a?b\n", "f:5:9: endpoints[].path: must begin with / and have only ASCII "
                                         "characters, no ?, # or blank, not '/a?b'\n"},
        {"  auth: none\n  path: '/a b'\n", "f:5:9: endpoints[].path: must begin with / and have only ASCII "
                                           "characters, no ?, # or blank, not '/a b'\n"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char text[512];
        snprintf(text, sizeof text, LISTEN "endpoints:\n- sender: adobe-io\n%s" KAFKA, pairs[i].added);
        config_expect_errors(text, pairs[i].expected);
    }
    config_expect_errors(LISTEN KAFKA "endpoints: []\n",
                         "f:3:12: endpoints: write at least one entry with sender and auth\n");
}
END_TEST

START_TEST(tls_needs_certificate_and_key)
{
    config_expect_errors(ENDPOINTS KAFKA
                         "listen: [{address: ':1', tls: {key: k}}, {tls: {certificate: '', client_ca: x}}]\n",
                         "f:3:31: listen[].tls.certificate is missing\n"
                         "f:3:42: listen[].address is missing\n"
                         "f:3:48: listen[].tls.key is missing\n"
                         "f:3:62: listen[].tls.certificate: must not be empty\n"
                         "f:3:77: listen[].tls.client_ca: no endpoint wants a certificate; write "
                         "client_names in the auth section of one, or leave client_ca out\n");
}
END_TEST

START_TEST(kafka_properties_are_plain_values)
{
    config_expect_errors(
        LISTEN ENDPOINTS
        "kafka:\n  bootstrap.servers: k\n  a: null\n  b: {c: d}\n  a: 1\n  bootstrap.servers: j\n",
        "f:5:6: kafka.a: needs a value, null is none\n"
        "f:6:6: kafka.b: must be a single value, not a mapping\n"
        "f:7:3: kafka: 'a' is there twice\n"
        "f:8:3: kafka: 'bootstrap.servers' is there twice\n");
}
END_TEST

/* ---- files that are not even that ---- */

START_TEST(broken_yaml_is_told_with_its_place)
{
    config_expect_errors("", "f:1:1: the file is empty: at least listen, endpoints and kafka are needed\n");
    config_expect_errors("# nothing\n",
                         "f:1:1: the file is empty: at least listen, endpoints and kafka are needed\n");
    config_expect_errors("- a\n", "f:1:1: the file must be a mapping of options\n");
    config_expect_errors("just words\n", "f:1:1: the file must be a mapping of options\n");
    config_expect_errors("a: [1, 2\nb: 3\n",
                         "f:2:2: invalid YAML: did not find expected ',' or ']' while parsing a flow "
                         "sequence (from line 1 on)\n");
    config_expect_errors("a: 1\n\tb: 2\n",
                         "f:2:1: invalid YAML: found a tab character that violates indentation while "
                         "scanning a plain scalar (from line 1 on)\n");
    config_expect_errors("a: b\nc: \xc3\xa4\xff\n", "f:2:5: invalid YAML: invalid leading UTF-8 octet\n");
    config_expect_errors(MINIMAL "---\nhttp2: true\n",
                         "f:4:1: a second document begins here; there must be only one\n");
    config_expect_errors(
        LISTEN KAFKA "endpoints: [&e {sender: adobe-io, auth: none}, *e]\nhttp2: !!bool true\nlog: *x\n",
        "f:3:13: anchors (&name) are not supported\nf:3:48: aliases (*name) are not supported\n"
        "f:4:8: tags (!name) are not supported\nf:5:6: aliases (*name) are not supported\n");
    config_expect_errors("a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\n",
                         "f:1:35: nested more than 32 levels deep\n");
}
END_TEST

START_TEST(large_and_unreadable_files_are_refused)
{
    size_t length = ((size_t)1 << 20) + 1;
    char *bytes = malloc(length);
    ck_assert_ptr_nonnull(bytes);
    memset(bytes, '#', length);
    memcpy(bytes, MINIMAL, strlen(MINIMAL));
    char *errors_text;
    ck_assert_ptr_null(config_test_load(bytes, length, true, &errors_text));
    ck_assert_str_eq(errors_text, "f: cannot read the configuration: larger than 1MiB\n");
    free(errors_text);
    struct config *config = config_test_load(bytes, length - 1, true, &errors_text);
    ck_assert_ptr_nonnull(config);
    config_free(config);
    free(errors_text);
    free(bytes);

    struct config_errors errors = {0};
    ck_assert_ptr_null(config_load("/nonexistent/bridge.yaml", true, NULL, &errors, NULL));
    ck_assert_uint_eq(errors.count, 1);
    ck_assert_uint_eq(errors.items[0].mark.line, 0);
    ck_assert_str_eq(errors.items[0].message, "cannot read the configuration: No such file or directory");
    config_errors_free(&errors);
}
END_TEST

START_TEST(errors_keep_the_order_of_the_file)
{
    struct config_errors errors = {0};
    for (unsigned i = 0; i < 20; i++)
        config_errors_add(&errors, (struct config_mark){1 + i * 7 % 20, 5}, "%u", i);
    config_errors_add(&errors, (struct config_mark){3, 4}, "before");
    config_errors_add(&errors, (struct config_mark){3, 5}, "after");
    ck_assert_uint_eq(errors.count, 22);
    for (size_t i = 1; i < errors.count; i++)
        ck_assert_uint_le(errors.items[i - 1].mark.line, errors.items[i].mark.line);
    ck_assert_str_eq(errors.items[2].message, "before");
    ck_assert_str_eq(errors.items[4].message, "after");
    config_errors_free(&errors);
    ck_assert_uint_eq(errors.count, 0);
}
END_TEST

Suite *suite_config_errors(void)
{
    Suite *suite = suite_create("config_errors");
    TCase *tcase = tcase_create("config_errors");
    tcase_add_checked_fixture(tcase, config_test_setup, config_test_teardown);
    tcase_add_test(tcase, what_cannot_be_replaced_is_named);
    tcase_add_test(tcase, a_secret_file_has_at_most_64KiB);
    tcase_add_test(tcase, secrets_are_never_in_a_message);
    tcase_add_test(tcase, every_error_is_told_in_the_order_of_the_file);
    tcase_add_test(tcase, wrong_values_are_refused);
    tcase_add_test(tcase, headers_must_be_known);
    tcase_add_test(tcase, options_must_fit_each_other);
    tcase_add_test(tcase, endpoints_need_a_way_to_authenticate);
    tcase_add_test(tcase, tls_needs_certificate_and_key);
    tcase_add_test(tcase, kafka_properties_are_plain_values);
    tcase_add_test(tcase, broken_yaml_is_told_with_its_place);
    tcase_add_test(tcase, large_and_unreadable_files_are_refused);
    tcase_add_test(tcase, errors_keep_the_order_of_the_file);
    suite_add_tcase(suite, tcase);
    return suite;
}
