// SPDX-License-Identifier: Apache-2.0
//
// Every allocation of the configuration failing, that of its routes included: it is loaded whole, or
// refused, and the errors are those of the file or say that memory was short.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check_torture.h"
#include "config/config.h"
#include "intake/routes.h"

/* libyaml 0.2.5 loses the entries of a list or mapping when its table of nodes cannot grow (loader.c,
 * yaml_parser_load_sequence): one block, a few times with these files. Anything else is a leak of ours. */
#define LOST_MAX 4

#define SECRET_PATH "/tmp/check_torture.secret.XXXXXX"

/* %s: the file with the secret. */
static const char config_text[] =
    "listen:\n"
    "- {address: '[::1]:8443', tls: {certificate: c.pem, key: k.pem, client_ca: a.pem, client_crl: l.pem}}\n"
    "- {address: 'localhost:${PORT}'}\n"
    "admin: {address: ':9464', token: 'a long token'}\n"
    "endpoints:\n"
    "- sender: activity-push\n"
    "  auth:\n"
    "    tokens: ['$${one long', 'and ${PORT} more', '${file:%s}']\n"
    "    oauth:\n"
    "      issuer: https://idp.example\n"
    "      audience: bridge\n"
    "      jwks_url: https://idp.example/keys\n"
    "      introspection_url: https://idp.example/introspect\n"
    "      client_id: bridge\n"
    "      client_secret: 'secret ${PORT}'\n"
    "      allowed_clients: [marketo, other]\n"
    "- sender: adobe-io\n"
    "  path: /x\n"
    "  deadline: 6s\n"
    "  auth: {signature: true, key_base: 'https://keys.example/', recipients: [r1, r2],\n"
    "    client_names: [adobe.example, 'spiffe://a/b'], confirm_validation: true}\n"
    "- {sender: adobe-io, path: /y, auth: none}\n"
    "kafka: {bootstrap.servers: 'k:9092', compression.type: lz4}\n"
    "instances: {M: one, N: two}\n"
    "topics: {prefix: 'p.{instance}', route: stream, override: {activity: "
    "{partitions: 6}}, dead_letter: dead}\n"
    "record: {format: binary, headers: [subject, ce_time, x-request-id]}\n"
    "limits: {body: 2MiB, events: 99}\n";

/* As it is asked for by whoever reloads. */
static const char other_text[] = "listen: [{address: ':8443', tls: {certificate: c.pem, key: k.pem}}]\n"
                                 "admin: {address: ':9465'}\n"
                                 "endpoints: [{sender: activity-push, auth: {tokens: [a long token]}}]\n"
                                 "kafka: {bootstrap.servers: 'k:9093'}\n"
                                 "topics: {override: {activity: {partitions: 7}}}\n";

/* The same and some mistakes of every kind. */
static const char wrong_text[] =
    "listen: [{address: 'localhost'}, {address: ':1', tls: {certificate: c, key: k, client_crl: l}}]\n"
    "endpoints:\n"
    "- {sender: adobe-io, auth: none, dedline: 5s, path: '${NOT_SET}'}\n"
    "- {sender: adobe-io, path: /x, auth: {signature: true, tokens: ['${file:/dev/null/no}']}}\n"
    "- {sender: activity-push, auth: {oauth: {issuer: 'ftp://x', client_id: y}}}\n"
    "kafka: &a {x: [y]}\n"
    "topics: {custom: [7, 100001, 100001]}\n";

static const char *const texts[] = {config_text, wrong_text};

static void put_text(FILE *out, const char *text)
{
    fprintf(out, text == NULL ? " -" : " '%s'", text);
}

static void put_texts(FILE *out, char *const *items, size_t count)
{
    fprintf(out, " %zu:", count);
    for (size_t i = 0; i < count; i++)
        put_text(out, items[i]);
    fputc('\n', out);
}

static void describe_topics(FILE *out, const struct config *config)
{
    put_text(out, config->topics.prefix);
    put_text(out, config->topics.dead_letter);
    fprintf(out, " %d %d %d %d %lld\n", (int)config->topics.route, config->topics.create,
            config->topics.partitions, config->topics.replication, (long long)config->topics.retention_ms);
    for (size_t i = 0; i < config->topics.override_count; i++) {
        const struct config_topic_override *override = &config->topics.overrides[i];
        put_text(out, override->topic);
        fprintf(out, " %d %d %lld\n", override->partitions, override->replication,
                (long long) override->retention_ms);
    }
    for (size_t i = 0; i < config->topics.custom_count; i++)
        fprintf(out, " %lld\n", (long long)config->topics.custom[i]);
}

static void describe_endpoint(FILE *out, const struct config_endpoint *endpoint)
{
    const struct config_oauth *oauth = &endpoint->oauth;
    put_text(out, endpoint->path);
    fprintf(out, " %d %d %llu %d %d\n", (int)endpoint->sender, endpoint->auth_none,
            (unsigned long long)endpoint->deadline_ms, endpoint->signature, endpoint->confirm_validation);
    put_texts(out, endpoint->tokens, endpoint->token_count);
    put_text(out, oauth->issuer);
    put_text(out, oauth->audience);
    put_text(out, oauth->jwks_url);
    put_text(out, oauth->introspection_url);
    put_text(out, oauth->client_id);
    put_text(out, oauth->client_secret);
    put_texts(out, oauth->allowed_clients, oauth->allowed_client_count);
    put_text(out, endpoint->key_base);
    put_texts(out, endpoint->recipients, endpoint->recipient_count);
    put_texts(out, endpoint->client_names, endpoint->client_name_count);
}

/* Every member, as text. */
static void describe_config(FILE *out, const struct config *config)
{
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct config_listener *listener = &config->listeners[i];
        put_text(out, listener->address.text);
        put_text(out, listener->address.host);
        put_text(out, listener->certificate);
        put_text(out, listener->key);
        put_text(out, listener->client_ca);
        put_text(out, listener->client_crl);
        fprintf(out, " %u\n", listener->address.port);
    }
    put_text(out, config->admin_address.text);
    put_text(out, config->admin_address.host);
    put_text(out, config->admin_token);
    fprintf(out, " %u %d\n", config->admin_address.port, config->http2);
    for (size_t i = 0; i < config->endpoint_count; i++)
        describe_endpoint(out, &config->endpoints[i]);
    for (size_t i = 0; i < config->kafka_count; i++) {
        put_text(out, config->kafka[i].name);
        put_text(out, config->kafka[i].value);
    }
    for (size_t i = 0; i < config->instance_count; i++) {
        put_text(out, config->instances[i].munchkin_id);
        put_text(out, config->instances[i].name);
    }
    describe_topics(out, config);
    put_texts(out, config->record.headers, config->record.header_count);
    fprintf(out, " %d %d %zu %zu %zu %zu %llu %llu %llu %llu %d %d\n", (int)config->durability,
            (int)config->record.format, config->limits.body, config->limits.events, config->limits.in_flight,
            config->limits.connections, (unsigned long long)config->limits.body_time_ms,
            (unsigned long long)config->limits.idle_time_ms, (unsigned long long)config->shutdown.delay_ms,
            (unsigned long long)config->shutdown.grace_ms, (int)config->log.level, (int)config->log.format);
}

static void judge(const struct config *config, struct config_errors *errors)
{
    if (!config_errors_any(errors))
        routes_free(routes_create(config, errors));
}

struct outcome {
    char *text; /* what was loaded, or the errors a line each; to be freed */
    bool loaded;
    bool failed; /* the n-th allocation was asked for */
    long left;
};

/* Loads the file with the n-th allocation failing. */
static struct outcome load(const char *path, size_t n, enum torture_mode mode)
{
    struct config_errors errors = {0};
    struct config_files files = {0};
    struct outcome outcome = {.text = NULL};
    size_t size;
    torture_begin(n, mode);
    struct config *config = config_load(path, true, judge, &errors, &files);
    torture_relent();
    FILE *out = open_memstream(&outcome.text, &size);
    outcome.loaded = config != NULL;
    if (outcome.loaded == config_errors_any(&errors))
        fprintf(out, "%s with %zu errors\n", outcome.loaded ? "loaded" : "refused", errors.count);
    if (outcome.loaded) {
        describe_config(out, config);
        put_texts(out, files.paths, files.count);
    }
    config_errors_print(&errors, "f", out);
    fclose(out);
    config_errors_free(&errors);
    config_files_free(&files);
    config_free(config);
    outcome.failed = torture_end(&outcome.left);
    outcome.left--; /* the text */
    return outcome;
}

/* Whether each line is one of the expected ones or says that memory was short. */
static bool says_only(const char *text, const char *expected)
{
    for (const char *end; *text != '\0'; text = end + 1) {
        char line[512];
        end = strchr(text, '\n');
        if (end == NULL || (size_t)(end - text) + 2 > sizeof line)
            return false;
        memcpy(line, text, (size_t)(end - text) + 1);
        line[end - text + 1] = '\0';
        if (strstr(line, "out of memory") == NULL && strstr(expected, line) == NULL)
            return false;
    }
    return true;
}

static void write_file(char *path, const char *text)
{
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void write_config(char *path, const char *text, const char *secret)
{
    const char *place = strstr(text, "%s");
    char *whole = NULL;
    if (place == NULL)
        place = text + strlen(text);
    ck_assert_int_gt(asprintf(&whole, "%.*s%s%s", (int)(place - text), text, *place == '\0' ? "" : secret,
                              *place == '\0' ? "" : place + 2),
                     0);
    write_file(path, whole);
    free(whole);
}

START_TEST(test_config_load)
{
    char path[] = "/tmp/check_torture.XXXXXX", secret[] = SECRET_PATH;
    const bool wrong = _i / 2 != 0;
    const enum torture_mode mode = (enum torture_mode)(_i % 2);
    write_file(secret, "a secret of many\n");
    write_config(path, texts[_i / 2], secret);
    ck_assert_int_eq(setenv("PORT", "8080", 1), 0);
    struct outcome expected = load(path, 0, TORTURE_ONCE), outcome;
    ck_assert_msg(expected.loaded != wrong && expected.left == 0, "%s", expected.text);
    size_t n = 0, refused = 0, lost = 0;
    do {
        ck_assert_uint_lt(++n, ALLOCATIONS_MAX);
        outcome = load(path, n, mode);
        if (outcome.loaded || !outcome.failed)
            ck_assert_msg(outcome.loaded != wrong && strcmp(outcome.text, expected.text) == 0,
                          "allocation %zu: '%s' instead of '%s'", n, outcome.text, expected.text);
        else
            ck_assert_msg(says_only(outcome.text, wrong ? expected.text : ""), "allocation %zu: '%s'", n,
                          outcome.text);
        ck_assert_msg(outcome.left == 0 || (outcome.left == 1 && !outcome.loaded),
                      "allocation %zu: %ld blocks left", n, outcome.left);
        refused += !outcome.loaded;
        lost += outcome.left != 0;
        free(outcome.text);
    } while (outcome.failed);
    ck_assert_uint_gt(refused, 100);
    ck_assert_uint_le(lost, LOST_MAX);
    free(expected.text);
    unlink(path);
    unlink(secret);
}
END_TEST

#define CHANGED_MAX 1024

static void put_option(void *data, const char *option)
{
    size_t length = strlen(data);
    snprintf((char *)data + length, CHANGED_MAX - length, "%s ", option);
}

/* A reload compares while memory is short. */
START_TEST(test_config_restart_options)
{
    char one[] = "/tmp/check_torture.XXXXXX", other[] = "/tmp/check_torture.XXXXXX", secret[] = SECRET_PATH;
    struct config_errors errors = {0};
    char expected[CHANGED_MAX] = "", changed[CHANGED_MAX] = "";
    long left;
    write_file(secret, "a secret of many\n");
    write_config(one, config_text, secret);
    write_config(other, other_text, secret);
    ck_assert_int_eq(setenv("PORT", "8080", 1), 0);
    struct config *running = config_load(one, true, NULL, &errors, NULL);
    struct config *wanted = config_load(other, true, NULL, &errors, NULL);
    ck_assert(running != NULL && wanted != NULL);
    config_restart_options(running, wanted, put_option, expected);
    ck_assert_ptr_nonnull(strstr(expected, "kafka"));
    torture_begin(1, TORTURE_ONWARDS);
    config_restart_options(running, wanted, put_option, changed);
    torture_end(&left);
    ck_assert_str_eq(changed, expected);
    ck_assert_int_eq(left, 0);
    config_free(running);
    config_free(wanted);
    unlink(one);
    unlink(other);
    unlink(secret);
}
END_TEST

TCase *tcase_torture_config(void)
{
    TCase *tcase = tcase_create("config");
    tcase_set_timeout(tcase, TORTURE_TIMEOUT_S);
    tcase_add_loop_test(tcase, test_config_load, 0, 2 * COUNT(texts));
    tcase_add_test(tcase, test_config_restart_options);
    return tcase;
}
