// SPDX-License-Identifier: Apache-2.0
//
// The configuration: who may come in. OAuth, Adobe's signature, client certificates;
// what is accepted, what is refused and with which words.
#include <stdlib.h>
#include <string.h>

#include "config_fixture.h"
#include "suites.h"

#define TLS_LISTEN "listen: [{address: ':1', tls: {certificate: c, key: k, client_ca: a}}]\n"

/* The configuration with this `auth` on line 4 of an endpoint for this sender; exactly these errors. */
static void expect(const char *listen, const char *sender, const char *auth, const char *expected)
{
    char *text = NULL;
    ck_assert_int_gt(asprintf(&text, "%sendpoints:\n- sender: %s\n  auth: %s\n" KAFKA, listen, sender, auth),
                     0);
    config_expect_errors(text, expected);
    free(text);
}

static struct config *accept_auth(const char *listen, const char *sender, const char *auth)
{
    char *text = NULL;
    ck_assert_int_gt(asprintf(&text, "%sendpoints:\n- sender: %s\n  auth: %s\n" KAFKA, listen, sender, auth),
                     0);
    struct config *config = config_test_good(text);
    free(text);
    return config;
}

static void expect_pairs(const char *sender, const struct pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        expect(LISTEN, sender, pairs[i].added, pairs[i].expected);
}

#define EXPECT_PAIRS(sender, pairs) expect_pairs(sender, pairs, sizeof(pairs) / sizeof((pairs)[0]))

/* ---- what is accepted ---- */

START_TEST(nothing_is_asked_for_that_is_not_written)
{
    struct config *config = accept_auth(LISTEN, "adobe-io", "{tokens: [12345678]}");
    const struct config_endpoint *endpoint = &config->endpoints[0];
    ck_assert(!endpoint->auth_none);
    ck_assert_ptr_null(endpoint->oauth.issuer);
    ck_assert_ptr_null(endpoint->oauth.audience);
    ck_assert_ptr_null(endpoint->oauth.jwks_url);
    ck_assert_ptr_null(endpoint->oauth.introspection_url);
    ck_assert_ptr_null(endpoint->oauth.client_id);
    ck_assert_ptr_null(endpoint->oauth.client_secret);
    ck_assert_uint_eq(endpoint->oauth.allowed_client_count, 0);
    ck_assert(!endpoint->signature);
    ck_assert_str_eq(endpoint->key_base, "https://static.adobeioevents.com");
    ck_assert_uint_eq(endpoint->recipient_count, 0);
    ck_assert_uint_eq(endpoint->client_name_count, 0);
    ck_assert(!endpoint->confirm_validation);
    ck_assert_ptr_null(config->listeners[0].client_ca);
    ck_assert_ptr_null(config->listeners[0].client_crl);
    config_free(config);
}
END_TEST

START_TEST(every_way_can_be_written)
{
    struct config *config = config_test_good(
        KAFKA
        "listen:\n"
        "- {address: ':1'}\n"
        "- {address: ':2', tls: {certificate: c.pem, key: k.pem, client_ca: ca.pem, client_crl: crl.pem}}\n"
        "endpoints:\n"
        "- sender: activity-push\n"
        "  auth:\n"
        "    oauth:\n"
        "      issuer: https://idp.example.org:8443/realms/a%20b\n"
        "      audience: urn:bridge\n"
        "      jwks_url: http://127.0.0.1:8080/jwks?all=1\n"
        "      introspection_url: http://[::1]:8080/introspect\n"
        "      client_id: bridge\n"
        "      client_secret: a secret\n"
        "      allowed_clients: [one, two]\n"
        "- sender: adobe-io\n"
        "  auth:\n"
        "    signature: true\n"
        "    key_base: http://localhost:9000/\n"
        "    recipients: [r-1, r-2, r-3]\n"
        "    client_names: [adobe.example.org, 'spiffe://example.org/adobe']\n"
        "    confirm_validation: true\n");
    ck_assert_ptr_null(config->listeners[0].client_ca);
    ck_assert_str_eq(config->listeners[1].client_ca, "ca.pem");
    ck_assert_str_eq(config->listeners[1].client_crl, "crl.pem");
    const struct config_oauth *oauth = &config->endpoints[0].oauth;
    ck_assert_str_eq(oauth->issuer, "https://idp.example.org:8443/realms/a%20b");
    ck_assert_str_eq(oauth->audience, "urn:bridge");
    ck_assert_str_eq(oauth->jwks_url, "http://127.0.0.1:8080/jwks?all=1");
    ck_assert_str_eq(oauth->introspection_url, "http://[::1]:8080/introspect");
    ck_assert_str_eq(oauth->client_id, "bridge");
    ck_assert_str_eq(oauth->client_secret, "a secret");
    ck_assert_uint_eq(oauth->allowed_client_count, 2);
    ck_assert_str_eq(oauth->allowed_clients[1], "two");
    const struct config_endpoint *adobe = &config->endpoints[1];
    ck_assert_uint_eq(adobe->token_count, 0);
    ck_assert(adobe->signature);
    ck_assert_str_eq(adobe->key_base, "http://localhost:9000");
    ck_assert_uint_eq(adobe->recipient_count, 3);
    ck_assert_str_eq(adobe->recipients[2], "r-3");
    ck_assert_uint_eq(adobe->client_name_count, 2);
    ck_assert_str_eq(adobe->client_names[1], "spiffe://example.org/adobe");
    ck_assert(adobe->confirm_validation);
    config_free(config);
}
END_TEST

START_TEST(one_way_is_enough)
{
    static const char *const ways[] = {
        "{tokens: [12345678]}",
        "{oauth: {issuer: 'https://a', audience: b}}",
        "{tokens: [], oauth: {introspection_url: 'https://a', client_id: b, client_secret: c}}",
        "{signature: true, recipients: [a]}",
        "{client_names: [a], oauth: null, recipients: null}",
    };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        bool names = strstr(ways[i], "client_names") != NULL;
        config_free(accept_auth(names ? TLS_LISTEN : LISTEN, "adobe-io", ways[i]));
    }
}
END_TEST

/* ---- what is refused ---- */

START_TEST(no_way_at_all_is_refused)
{
#define NO_WAY                                                                                               \
    "f:4:9: endpoints[].auth: write at least one of tokens, oauth, `signature: true` and client_names, or "  \
    "`auth: none` to let everybody in\n"
    static const struct pair pairs[] = {
        {"{}", NO_WAY},
        {"{tokens: []}", NO_WAY},
        {"{tokens: null, oauth: ~, client_names: [], recipients: []}", NO_WAY},
        {"{signature: false, key_base: 'https://a', confirm_validation: true}", NO_WAY},
        {"{recipients: [a]}",
         NO_WAY "f:4:22: endpoints[].auth.recipients: are compared in signed events only; write "
                "`signature: true` beside them, or leave them out\n"},
        /* What could not be read is told once. */
        {"{signature: maybe}", "f:4:21: endpoints[].auth.signature: must be true or false, not 'maybe'\n"},
        {"{signature: maybe, recipients: [a]}",
         "f:4:21: endpoints[].auth.signature: must be true or false, not 'maybe'\n"},
        {"{oauth: yes}", "f:4:17: endpoints[].auth.oauth: must be a mapping of options\n"},
        {"{client_names: a}",
         "f:4:24: endpoints[].auth.client_names: must be a list\n"
         "f:4:24: endpoints[].auth.client_names: no listener asks for a certificate; write client_ca in the "
         "tls section of one\n"},
    };
    EXPECT_PAIRS("adobe-io", pairs);
}
END_TEST

START_TEST(oauth_must_be_whole)
{
    static const struct pair pairs[] = {
        {"{oauth: {}}", "f:4:17: endpoints[].auth.oauth: write issuer and audience for JWTs, or "
                        "introspection_url, client_id and client_secret for opaque tokens\n"},
        {"{oauth: {audience: a, allowed_clients: [b]}}",
         "f:4:17: endpoints[].auth.oauth: write issuer and audience for JWTs, or introspection_url, "
         "client_id and client_secret for opaque tokens\n"},
        {"{oauth: {jwks_url: 'https://a'}}",
         "f:4:28: endpoints[].auth.oauth.jwks_url: write issuer beside it, which a token's iss is compared "
         "with (RFC 9068 section 4)\n"},
        {"{oauth: {issuer: 'https://a', audience: null}}",
         "f:4:26: endpoints[].auth.oauth.issuer: write audience beside it, or tokens made for others would "
         "be let in (RFC 8725 section 3.9)\n"},
        {"{oauth: {introspection_url: 'https://a'}}",
         "f:4:37: endpoints[].auth.oauth.introspection_url: write client_id and client_secret beside it: the "
         "provider answers only whom it knows\n"},
        {"{oauth: {introspection_url: 'https://a', client_id: b}}",
         "f:4:37: endpoints[].auth.oauth.introspection_url: write client_secret beside it: the provider "
         "answers only whom it knows\n"},
        {"{oauth: {introspection_url: 'https://a', client_secret: b}}",
         "f:4:37: endpoints[].auth.oauth.introspection_url: write client_id beside it: the provider answers "
         "only whom it knows\n"},
        {"{oauth: {client_id: a, client_secret: b}}",
         "f:4:29: endpoints[].auth.oauth.client_id: is for introspection_url; write that beside it, or leave "
         "client_id out\n"
         "f:4:47: endpoints[].auth.oauth.client_secret: is for introspection_url; write that beside it, or "
         "leave client_secret out\n"},
        {"{oauth: {isuer: 'https://a', issuer: 'https://a', audience: b}}",
         "f:4:18: endpoints[].auth.oauth: unknown key 'isuer'; did you mean 'issuer'?\n"},
        {"{oauth: {issuer: 'https://a', audience: b, allowed_clients: [c, d, c]}}",
         "f:4:76: endpoints[].auth.oauth.allowed_clients: 'c' is there twice\n"},
        {"{oauth: {issuer: 'https://a', audience: [b]}}",
         "f:4:49: endpoints[].auth.oauth.audience: must be a single value, not a list\n"},
        {"{oauth: {issuer: 'https://a', audience: ' b'}}",
         "f:4:49: endpoints[].auth.oauth.audience: must have no control character (a second line?) and no "
         "blank at its ends, not ' b'\n"},
    };
    EXPECT_PAIRS("activity-push", pairs);
}
END_TEST

START_TEST(signatures_need_recipients)
{
    static const struct pair pairs[] = {
        {"{signature: true}",
         "f:4:21: endpoints[].auth.signature: write your client ids at Adobe as recipients beside it: all of "
         "Adobe's customers share its signing keys\n"},
        {"{signature: true, recipients: []}",
         "f:4:21: endpoints[].auth.signature: write your client ids at Adobe as recipients beside it: all of "
         "Adobe's customers share its signing keys\n"},
        {"{tokens: [12345678], recipients: [a]}",
         "f:4:42: endpoints[].auth.recipients: are compared in signed events only; write `signature: true` "
         "beside them, or leave them out\n"},
        {"{signature: true, recipients: [a, b, a]}",
         "f:4:46: endpoints[].auth.recipients: 'a' is there twice\n"},
        {"{signature: true, recipients: [null]}",
         "f:4:40: endpoints[].auth.recipients[]: needs a value, null is none\n"},
        {"{signature: true, recipients: ['']}", "f:4:40: endpoints[].auth.recipients[]: must not be empty\n"},
        {"{signature: true, recipients: [\"a\\nb\"]}",
         "f:4:40: endpoints[].auth.recipients[]: must have no control character (a second line?) and no "
         "blank at its ends, not 'a?b'\n"},
    };
    EXPECT_PAIRS("adobe-io", pairs);
    static const struct pair others[] = {
        {"{signature: true, recipients: [a], confirm_validation: true}",
         "f:4:21: endpoints[].auth.signature: only adobe-io signs; for activity-push write tokens, oauth or "
         "client_names\n"
         "f:4:64: endpoints[].auth.confirm_validation: only adobe-io sends a validation URL; leave it out "
         "for activity-push\n"},
        {"{signature: true}", "f:4:21: endpoints[].auth.signature: only adobe-io signs; for activity-push "
                              "write tokens, oauth or client_names\n"},
    };
    EXPECT_PAIRS("activity-push", others);
    expect(LISTEN, "adobe", "{signature: true}",
           "f:3:11: endpoints[].sender: must be one of activity-push, adobe-io, not 'adobe'\n"
           "f:4:21: endpoints[].auth.signature: write your client ids at Adobe as recipients beside it: all "
           "of Adobe's customers share its signing keys\n");
}
END_TEST

START_TEST(certificates_are_asked_for_and_wanted)
{
    expect(LISTEN, "adobe-io", "{client_names: [a]}",
           "f:4:24: endpoints[].auth.client_names: no listener asks for a certificate; write client_ca in "
           "the tls section of one\n");
    expect(TLS_LISTEN, "adobe-io", "none",
           "f:1:67: listen[].tls.client_ca: no endpoint wants a certificate; write client_names in the auth "
           "section of one, or leave client_ca out\n");
    expect(TLS_LISTEN, "adobe-io", "{tokens: [12345678], client_names: []}",
           "f:1:67: listen[].tls.client_ca: no endpoint wants a certificate; write client_names in the auth "
           "section of one, or leave client_ca out\n");
    expect("listen: [{address: ':1', tls: {certificate: c, key: k, client_ca: null, client_crl: r}}]\n",
           "adobe-io", "none",
           "f:1:85: listen[].tls.client_crl: write client_ca beside it, whose certificates it revokes\n");
    expect("listen: [{address: ':1', tls: {certificate: c, key: k, client_ca: '', client_crl: r}}]\n",
           "adobe-io", "{client_names: [a, a]}",
           "f:1:67: listen[].tls.client_ca: must not be empty\n"
           "f:4:28: endpoints[].auth.client_names: 'a' is there twice\n");
}
END_TEST

/* ---- texts and URLs ---- */

/* The errors of one member of oauth that is the last on its line, column 61. */
static void expect_url(const char *url, const char *reason)
{
    char *auth = NULL, *expected = NULL;
    ck_assert_int_gt(asprintf(&auth, "{oauth: {issuer: 'https://a', audience: b, jwks_url: \"%s\"}}", url),
                     0);
    ck_assert_int_gt(asprintf(&expected, "f:4:62: endpoints[].auth.oauth.jwks_url: %s\n", reason), 0);
    expect(LISTEN, "activity-push", auth, expected);
    free(auth);
    free(expected);
}

START_TEST(wrong_urls_are_told_why)
{
    static const struct {
        const char *url, *reason;
    } urls[] = {
        {"", "must not be empty"},
        {"idp.example.org", "must begin with https://, not 'idp.example.org'"},
        {"HTTPS://a", "must begin with https://, not 'HTTPS://a'"},
        {"ftp://a", "must begin with https://, not 'ftp://a'"},
        {"https:/a", "must begin with https://, not 'https:/a'"},
        {"https://a/#", "must have no fragment (#), not 'https://a/#'"},
        {"https://a/b c", "must have only printable ASCII characters and no blank, not 'https://a/b c'"},
        {"https://a/\\tb", "must have only printable ASCII characters and no blank, not 'https://a/?b'"},
        {"https://\xc3\xa4", "must have only printable ASCII characters and no blank, not "
                             "'https://\xc3\xa4'"},
        /* A password is not repeated. */
        {"https://user:hunter2@a/", "must have no user name or password before the host"},
        {"https://@a/", "must have no user name or password before the host"},
        {"https://hunter2@", "must have no user name or password before the host"},
        {"ftp://user:hunter2@a/", "must begin with https://"},
        {"https://", "must have a host name or an IP address after the //, not 'https://'"},
        {"https:///a", "must have a host name or an IP address after the //, not 'https:///a'"},
        {"https://?a", "must have a host name or an IP address after the //, not 'https://?a'"},
        {"https://:443", "must have a host name or an IP address after the //, not 'https://:443'"},
        {"https://a\\\\b", "must have a host name or an IP address after the //, not 'https://a\\b'"},
        {"https://a%2eb", "must have a host name or an IP address after the //, not 'https://a%2eb'"},
        {"https://1.2.3", "must have a host name or an IP address after the //, not 'https://1.2.3'"},
        {"https://1.2.3.256", "must have a host name or an IP address after the //, not 'https://1.2.3.256'"},
        {"https://::1", "must have a host name or an IP address after the //, not 'https://::1'"},
        {"https://[::1", "must have an IPv6 address between [ and ], not 'https://[::1'"},
        {"https://[]", "must have an IPv6 address between [ and ], not 'https://[]'"},
        {"https://[1.2.3.4]", "must have an IPv6 address between [ and ], not 'https://[1.2.3.4]'"},
        {"https://[::1]a", "must have a port from 1 to 65535, or none, after the host, not 'https://[::1]a'"},
        {"https://a:", "must have a port from 1 to 65535, or none, after the host, not 'https://a:'"},
        {"https://a:0", "must have a port from 1 to 65535, or none, after the host, not 'https://a:0'"},
        {"https://a:65536",
         "must have a port from 1 to 65535, or none, after the host, not 'https://a:65536'"},
        {"https://a:b", "must have a port from 1 to 65535, or none, after the host, not 'https://a:b'"},
        {"https://a:1:2", "must have a port from 1 to 65535, or none, after the host, not 'https://a:1:2'"},
    };
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++)
        expect_url(urls[i].url, urls[i].reason);
    /* Neither is what stands in place of it. */
    ck_assert_int_eq(setenv("CHECK_URL", "https://user:hunter2@a", 1), 0);
    expect_url("${CHECK_URL}", "must have no user name or password before the host, not '${CHECK_URL}'");
}
END_TEST

START_TEST(plain_http_is_for_this_machine_only)
{
    static const char *const good[] = {
        "http://localhost", "http://LocalHost:1/a",  "http://127.0.0.1:80/?a=b", "http://127.255.255.1",
        "http://[::1]/a",   "http://[0:0::1]:65535", "https://[2001:db8::1]/",   "https://a_b.c-d.:443?a=/"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        char auth[256];
        snprintf(auth, sizeof auth, "{oauth: {issuer: 'https://a', audience: b, jwks_url: '%s'}}", good[i]);
        struct config *config = accept_auth(LISTEN, "adobe-io", auth);
        ck_assert_str_eq(config->endpoints[0].oauth.jwks_url, good[i]);
        config_free(config);
    }
    static const char *const bad[] = {"http://a",           "http://127.0.0.1.a", "http://localhost.a",
                                      "http://128.0.0.1",   "http://[::2]",       "http://[::ffff:127.0.0.1]",
                                      "http://126.255.0.1", "http://0.0.0.0"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char reason[256];
        snprintf(reason, sizeof reason,
                 "must begin with https://; plain http:// is for localhost, 127.0.0.0/8 and [::1] only, not "
                 "'%s'",
                 bad[i]);
        expect_url(bad[i], reason);
    }
}
END_TEST

START_TEST(some_urls_are_tighter)
{
    static const struct pair pairs[] = {
        {"{oauth: {issuer: 'https://a/?b', audience: c}}",
         "f:4:26: endpoints[].auth.oauth.issuer: must have no query (?), not 'https://a/?b'\n"},
        {"{oauth: {issuer: 'https://a?', audience: c}}",
         "f:4:26: endpoints[].auth.oauth.issuer: must have no query (?), not 'https://a?'\n"},
        {"{tokens: [12345678], key_base: 'https://a/b'}",
         "f:4:40: endpoints[].auth.key_base: must have no path, only scheme, host and port, not "
         "'https://a/b'\n"},
        {"{tokens: [12345678], key_base: 'https://a//'}",
         "f:4:40: endpoints[].auth.key_base: must have no path, only scheme, host and port, not "
         "'https://a//'\n"},
        {"{tokens: [12345678], key_base: 'https://a/?'}",
         "f:4:40: endpoints[].auth.key_base: must have no query (?), not 'https://a/?'\n"},
        {"{tokens: [12345678], key_base: null}",
         "f:4:40: endpoints[].auth.key_base: needs a value, null is none\n"},
    };
    EXPECT_PAIRS("adobe-io", pairs);
    struct config *config =
        accept_auth(LISTEN, "adobe-io", "{tokens: [12345678], key_base: 'https://a:8443/'}");
    ck_assert_str_eq(config->endpoints[0].key_base, "https://a:8443");
    config_free(config);
}
END_TEST

START_TEST(texts_have_a_longest_length)
{
    static const struct {
        const char *before, *after; /* what stands around the text */
        size_t longest;
    } texts[] = {
        {"{client_names: [b, '", "']}", 512},
        {"{client_names: [b], signature: true, recipients: ['", "']}", 256},
        {"{client_names: [b], oauth: {issuer: 'https://b', audience: '", "'}}", 2048},
        {"{client_names: [b], oauth: {audience: b, issuer: 'https://b/", "'}}", 2048 - 10},
        {"{client_names: [b], oauth: {audience: b, issuer: 'https://b', jwks_url: 'https://b/", "'}}",
         2048 - 10},
        {"{client_names: [b], oauth: {introspection_url: 'https://b', client_secret: c, client_id: '", "'}}",
         256},
        {"{client_names: [b], oauth: {introspection_url: 'https://b', client_id: b, client_secret: '", "'}}",
         4096},
        {"{client_names: [b], oauth: {issuer: 'https://b', audience: b, allowed_clients: ['", "']}}", 256},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char text[5000], *errors_text;
        for (size_t more = 0; more < 2; more++) {
            int length =
                snprintf(text, sizeof text, TLS_LISTEN KAFKA "endpoints:\n- sender: adobe-io\n  auth: %s",
                         texts[i].before);
            size_t fill = texts[i].longest + more;
            memset(text + length, 'a', fill);
            snprintf(text + length + fill, sizeof text - (size_t)length - fill, "%s\n", texts[i].after);
            struct config *config = config_test_load(text, strlen(text), true, &errors_text);
            ck_assert_msg((config != NULL) == (more == 0), "%s", errors_text);
            if (more == 1)
                ck_assert_ptr_nonnull(strstr(errors_text, ": must have at most "));
            free(errors_text);
            config_free(config);
        }
    }
}
END_TEST

START_TEST(secrets_are_not_quoted)
{
    static const struct pair pairs[] = {
        {"{oauth: {introspection_url: 'https://a', client_id: b, client_secret: \"hunter2\\n\"}}",
         "f:4:79: endpoints[].auth.oauth.client_secret: must have no control character (a second line?) and "
         "no blank at its ends\n"},
        {"{oauth: {introspection_url: 'https://a', client_id: b, client_secret: ''}}",
         "f:4:79: endpoints[].auth.oauth.client_secret: must not be empty\n"},
        {"{oauth: {introspection_url: 'https://a', client_id: b, client_secret: [hunter2]}}",
         "f:4:79: endpoints[].auth.oauth.client_secret: must be a single value, not a list\n"},
    };
    EXPECT_PAIRS("adobe-io", pairs);
}
END_TEST

Suite *suite_config_auth(void)
{
    Suite *suite = suite_create("config_auth");
    TCase *tcase = tcase_create("config_auth");
    tcase_add_checked_fixture(tcase, config_test_setup, config_test_teardown);
    tcase_add_test(tcase, nothing_is_asked_for_that_is_not_written);
    tcase_add_test(tcase, every_way_can_be_written);
    tcase_add_test(tcase, one_way_is_enough);
    tcase_add_test(tcase, no_way_at_all_is_refused);
    tcase_add_test(tcase, oauth_must_be_whole);
    tcase_add_test(tcase, signatures_need_recipients);
    tcase_add_test(tcase, certificates_are_asked_for_and_wanted);
    tcase_add_test(tcase, wrong_urls_are_told_why);
    tcase_add_test(tcase, plain_http_is_for_this_machine_only);
    tcase_add_test(tcase, some_urls_are_tighter);
    tcase_add_test(tcase, texts_have_a_longest_length);
    tcase_add_test(tcase, secrets_are_not_quoted);
    suite_add_tcase(suite, tcase);
    return suite;
}
