// SPDX-License-Identifier: Apache-2.0
//
// What the simulator shows to be let in: tokens, signatures, files that are replaced, options that cannot
// be meant.
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <unistd.h>

#include "command/simulate.h"
#include "suites.h"

static char folder[] = "/tmp/check-simulate-XXXXXX";
static char names[4][64]; /* of files in it */
static EVP_PKEY *keys[2];
static char errstr[512];
static uint64_t now_us;

static FILE *real_stderr, *told_stream;
static char *told; /* what was written to standard error */
static size_t told_size;

/* Whether something was told since the last time. */
static bool was_told(const char *words)
{
    ck_assert_int_eq(fflush(told_stream), 0);
    bool found = strstr(told, words) != NULL;
    rewind(told_stream);
    memset(told, 0, told_size);
    return found;
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
}

static void write_key(const char *path, EVP_PKEY *key)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    ck_assert_int_eq(fclose(file), 0);
}

static void setup_files(void)
{
    memcpy(strchr(folder, '\0') - 6, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        snprintf(names[i], sizeof names[i], "%s/%zu", folder, i);
    for (size_t i = 0; i < 2; i++) {
        keys[i] = EVP_RSA_gen(2048);
        ck_assert_ptr_nonnull(keys[i]);
    }
    now_us = 1000000000;
    told_stream = open_memstream(&told, &told_size);
    ck_assert_ptr_nonnull(told_stream);
    real_stderr = stderr;
    stderr = told_stream;
}

static void teardown_files(void)
{
    stderr = real_stderr;
    fclose(told_stream);
    free(told);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlink(names[i]);
    rmdir(folder);
    for (size_t i = 0; i < 2; i++)
        EVP_PKEY_free(keys[i]);
}

static struct proof *make_proof(const struct proof_options *options)
{
    struct proof *proof = proof_create(options, errstr, sizeof errstr);
    ck_assert_msg(proof != NULL, "%s", errstr);
    return proof;
}

/* A change is seen by the second look, at the latest after two seconds. */
static void look_twice(struct proof *proof)
{
    for (int i = 0; i < 3; i++) {
        uint64_t due_us = proof_run(proof, now_us);
        ck_assert_uint_le(due_us, now_us + 1000000);
        now_us = due_us;
    }
}

static void check_authorization(struct proof *proof, const char *expected)
{
    struct proof_line *line = proof_hold_authorization(proof);
    ck_assert_ptr_nonnull(line);
    ck_assert_str_eq(line->text, expected);
    proof_line_release(line);
}

START_TEST(tokens_stand_in_one_header)
{
    struct proof_options options = {.token = NULL};
    struct proof *proof = make_proof(&options);
    ck_assert_ptr_null(proof_hold_authorization(proof));
    ck_assert_uint_eq(proof_signature_count(proof), 0);
    ck_assert_uint_eq(proof_run(proof, now_us), CLIENT_NEVER);
    ck_assert(proof_begin(proof, errstr, sizeof errstr));
    proof_free(proof);

    options.token = "abc";
    proof = make_proof(&options);
    check_authorization(proof, "authorization: Bearer abc");
    proof_free(proof);

    static const char *const bad[] = {"", "a b", "a\nb", "\x7F", "\xC3\xA4"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        options.token = bad[i];
        ck_assert_ptr_null(proof_create(&options, errstr, sizeof errstr));
        ck_assert_int_eq(strncmp(errstr, "--token: a token of 1 to 8192 characters", 40), 0);
    }
}
END_TEST

START_TEST(a_token_file_may_be_replaced)
{
    write_text(names[0], "first\r\nrest\n");
    struct proof_options options = {.token_file = names[0]};
    struct proof *proof = make_proof(&options);
    check_authorization(proof, "authorization: Bearer first");
    struct proof_line *held = proof_hold_authorization(proof);

    look_twice(proof);
    check_authorization(proof, "authorization: Bearer first");
    write_text(names[0], "the second");
    ck_assert(!was_told("the old one goes on"));
    look_twice(proof);
    ck_assert(was_told("a token of 1 to 8192 characters is needed"));
    check_authorization(proof, "authorization: Bearer first");
    ck_assert_int_eq(unlink(names[0]), 0);
    look_twice(proof);
    ck_assert(was_told("No such file or directory; the old one goes on"));
    look_twice(proof);
    ck_assert(!was_told("the old one goes on")); /* once */
    check_authorization(proof, "authorization: Bearer first");
    write_text(names[0], "third");
    look_twice(proof);
    check_authorization(proof, "authorization: Bearer third");

    /* A request under way keeps what it began with. */
    ck_assert_str_eq(held->text, "authorization: Bearer first");
    proof_free(proof);
    ck_assert_str_eq(held->text, "authorization: Bearer first");
    proof_line_release(held);
}
END_TEST

START_TEST(a_file_that_still_changes_is_not_read)
{
    write_text(names[0], "first");
    struct proof_options options = {.token_file = names[0]};
    struct proof *proof = make_proof(&options);
    for (unsigned i = 0; i < 5; i++) {
        char text[32];
        snprintf(text, sizeof text, "half-written%0*d", (int)i + 1, 0);
        write_text(names[0], text);
        now_us = proof_run(proof, now_us);
        check_authorization(proof, "authorization: Bearer first");
    }
    now_us = proof_run(proof, now_us);
    check_authorization(proof, "authorization: Bearer half-written00000");
    proof_free(proof);
}
END_TEST

/* The lines of pair `i` name this path and verify with this key. */
static void check_signature(const struct proof *proof, size_t i, const char *path, EVP_PKEY *key)
{
    static struct proof_signature signatures[PROOF_PAIRS];
    struct slice body = SLICE_LITERAL("[{\"eventid\":\"\xC3\xA4\"},\n {}]");
    unsigned char raw[1024];
    char head[64], expected[128];

    ck_assert(proof_sign(proof, body, signatures));
    snprintf(expected, sizeof expected, "x-adobe-public-key%zu-path: %s", i + 1, path);
    ck_assert_str_eq(signatures[i].path, expected);
    int head_len = snprintf(head, sizeof head, "x-adobe-digital-signature-%zu: ", i + 1);
    ck_assert_int_eq(strncmp(signatures[i].signature, head, (size_t)head_len), 0);
    const char *encoded = signatures[i].signature + head_len;
    ck_assert_uint_eq(strlen(encoded), 344); /* as Adobe's, with keys of 2048 bits */
    ck_assert_int_eq(EVP_DecodeBlock(raw, (const unsigned char *)encoded, 344), 258);

    EVP_MD_CTX *context = EVP_MD_CTX_new();
    ck_assert_int_eq(EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key), 1);
    ck_assert_int_eq(EVP_DigestVerify(context, raw, 256, (const unsigned char *)body.ptr, body.len), 1);
    EVP_MD_CTX_free(context);
}

START_TEST(bodies_are_signed_by_each_key)
{
    write_key(names[0], keys[0]);
    write_key(names[1], keys[1]);
    struct proof_options options = {.keys = {names[0], names[1]},
                                    .paths = {"/prod/keys/a.pem", "/prod/keys/b.pem"},
                                    .key_count = 2,
                                    .path_count = 2};
    struct proof *proof = make_proof(&options);
    ck_assert_uint_eq(proof_signature_count(proof), 2);
    check_signature(proof, 0, "/prod/keys/a.pem", keys[0]);
    check_signature(proof, 1, "/prod/keys/b.pem", keys[1]);
    proof_free(proof);
}
END_TEST

START_TEST(a_key_and_its_path_change_together)
{
    write_key(names[0], keys[0]);
    write_text(names[1], "/prod/keys/old.pem\n");
    char at_file[80];
    snprintf(at_file, sizeof at_file, "@%s", names[1]);
    struct proof_options options = {.keys = {names[0]}, .paths = {at_file}, .key_count = 1, .path_count = 1};
    struct proof *proof = make_proof(&options);
    check_signature(proof, 0, "/prod/keys/old.pem", keys[0]);

    now_us = proof_run(proof, now_us);
    write_key(names[0], keys[1]);
    now_us = proof_run(proof, now_us);
    write_text(names[1], "/prod/keys/new.pem\n");
    now_us = proof_run(proof, now_us);
    check_signature(proof, 0, "/prod/keys/old.pem", keys[0]);
    now_us = proof_run(proof, now_us);
    check_signature(proof, 0, "/prod/keys/new.pem", keys[1]);

    /* What cannot be read leaves both as they are. */
    write_key(names[0], keys[0]);
    write_text(names[1], "");
    look_twice(proof);
    ck_assert(was_told("--key-path: a path of 1 to 512 characters is needed"));
    check_signature(proof, 0, "/prod/keys/new.pem", keys[1]);
    proof_free(proof);
}
END_TEST

START_TEST(unusable_keys_are_refused)
{
    EVP_PKEY *other = EVP_EC_gen("P-256");
    write_key(names[0], other);
    EVP_PKEY_free(other);
    write_text(names[1], "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n");
    FILE *file = fopen(names[2], "w");
    ck_assert_int_eq(PEM_write_PKCS8PrivateKey(file, keys[0], EVP_aes_128_cbc(), "secret", 6, NULL, NULL), 1);
    fclose(file);
    for (size_t i = 0; i < 4; i++) { /* the last one is not there */
        struct proof_options options = {
            .keys = {names[i]}, .paths = {"/k.pem"}, .key_count = 1, .path_count = 1};
        ck_assert_ptr_null(proof_create(&options, errstr, sizeof errstr));
        ck_assert_ptr_nonnull(strstr(errstr, names[i]));
    }
}
END_TEST

START_TEST(token_answers_are_read)
{
    static const struct {
        const char *body, *token; /* token NULL: refused */
        uint64_t expires_ms;
    } cases[] = {
        {"{\"access_token\":\"abc\",\"token_type\":\"Bearer\",\"expires_in\":3600}", "abc", 3600000},
        {" {\"expires_in\": \"60\", \"scope\": [\"a\", {}], \"access_token\" : \"a.b-c_d~+=\"} ",
         "a.b-c_d~+=", 60000},
        {"{\"access_token\":\"a\\/b\"}", "a/b", 0},
        {"{\"access_token\":\"a\",\"expires_in\":0.5}", "a", 500},
        {"{\"access_token\":\"a\",\"expires_in\":-1}", "a", 0},
        {"{\"access_token\":\"a\",\"expires_in\":null}", "a", 0},
        {"{\"access_token\":\"a\",\"expires_in\":1e300}", "a", UINT64_C(1000000000000)},
        {"", NULL, 0},
        {"[]", NULL, 0},
        {"abc", NULL, 0},
        {"{}", NULL, 0},
        {"{\"access_token\":\"abc\"", NULL, 0},
        {"{\"access_token\":\"abc\"}}", NULL, 0},
        {"{\"access_token\":\"\"}", NULL, 0},
        {"{\"access_token\":7}", NULL, 0},
        {"{\"access_token\":\"a b\"}", NULL, 0},
        {"{\"access_token\":\"a\\u0041\"}", NULL, 0},
        {"{\"error\":\"invalid_client\"}", NULL, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct oauth_answer answer;
        const char *words = NULL;
        char *body = strdup(cases[i].body);
        bool ok = oauth_read_answer(body, strlen(body), &answer, &words);
        ck_assert_msg(ok == (cases[i].token != NULL), "%s", cases[i].body);
        if (ok) {
            ck_assert_msg(slice_equal(answer.token, slice_of(cases[i].token)), "%s", cases[i].body);
            ck_assert_uint_eq(answer.expires_ms, cases[i].expires_ms);
        } else {
            ck_assert_ptr_nonnull(words);
        }
        free(body);
    }
}
END_TEST

START_TEST(tokens_are_asked_for_as_the_rfc_says)
{
    struct oauth_options options = {.client_id = "a:b c", .client_secret = "s&c/+"};
    char *form = oauth_make_form(&options);
    ck_assert_str_eq(form, "grant_type=client_credentials");
    free(form);
    options.resource = "urn:x y";
    options.audience = "a&b";
    options.scope = "one two";
    form = oauth_make_form(&options);
    ck_assert_str_eq(form,
                     "grant_type=client_credentials&resource=urn%3Ax%20y&audience=a%26b&scope=one%20two");
    free(form);
    char *line = oauth_make_authorization(&options);
    /* a%3Ab%20c:s%26c%2F%2B */
    ck_assert_str_eq(line, "authorization: Basic YSUzQWIlMjBjOnMlMjZjJTJGJTJC");
    free(line);
}
END_TEST

START_TEST(tokens_are_renewed_before_they_expire)
{
    struct oauth_options options = {.renew_ms = 0};
    ck_assert_uint_eq(oauth_renew_after_ms(&options, 3600000), 3540000);
    ck_assert_uint_eq(oauth_renew_after_ms(&options, 60000), 45000);
    ck_assert_uint_eq(oauth_renew_after_ms(&options, 4000), 3000);
    ck_assert_uint_eq(oauth_renew_after_ms(&options, 0), 0);
    options.renew_ms = 5000;
    ck_assert_uint_eq(oauth_renew_after_ms(&options, 3600000), 5000);
    ck_assert_uint_eq(oauth_renew_after_ms(&options, 0), 5000);
}
END_TEST

/* Enough to fetch tokens. */
#define OAUTH                                                                                                \
    {                                                                                                        \
        .token_url = "http://x/", .client_id = "a", .client_secret = "b"                                     \
    }

START_TEST(what_cannot_be_meant_is_refused)
{
    static const struct {
        struct proof_options options;
        const char *sender, *words; /* NULL: accepted */
        bool http;
    } cases[] = {
        {{.token = NULL}, "activity-push", NULL, true},
        {{.token = "a"}, "activity-push", NULL, true},
        {{.oauth = OAUTH}, "activity-push", NULL, true},
        {{.oauth = {.token_url = "http://x/", .client_id = "a"}, .oauth_client_secret_file = "f"},
         "activity-push",
         NULL,
         true},
        {{.oauth = OAUTH, .keys = {"k"}, .paths = {"p"}, .key_count = 1, .path_count = 1, .cert = "c"},
         "adobe-io",
         NULL,
         false},
        {{.token = "a", .token_file = "f"}, "activity-push", "--token and --token-file", true},
        {{.token = "a", .oauth = OAUTH}, "activity-push", "holds one of them", true},
        {{.token_file = "f", .oauth = OAUTH}, "activity-push", "holds one of them", true},
        {{.oauth = {.scope = "s"}}, "activity-push", "need --oauth-token-url", true},
        {{.oauth = {.renew_ms = 1}}, "activity-push", "need --oauth-token-url", true},
        {{.oauth = {.token_url = "u", .client_secret = "s"}}, "activity-push", "--oauth-client-id", true},
        {{.oauth = {.token_url = "u", .client_id = "c"}},
         "activity-push",
         "--oauth-client-secret-file",
         true},
        {{.oauth = OAUTH, .oauth_client_secret_file = "f"}, "activity-push", "one of them", true},
        {{.keys = {"k"}, .key_count = 1}, "adobe-io", "there are 1 and 0", true},
        {{.paths = {"p"}, .path_count = 1}, "adobe-io", "there are 0 and 1", true},
        {{.keys = {"k"}, .paths = {"p"}, .key_count = 1, .path_count = 1},
         "activity-push",
         "activity-push signs nothing",
         true},
        {{.cert_key = "k"}, "adobe-io", "--cert-key needs --cert", false},
        {{.cert = "c"}, "adobe-io", "not https", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct sender_rule *rule = sender_rule_find(cases[i].sender);
        errstr[0] = '\0';
        bool ok = proof_options_check(&cases[i].options, rule, !cases[i].http, errstr, sizeof errstr);
        ck_assert_msg(ok == (cases[i].words == NULL), "case %zu: %s", i, errstr);
        if (!ok)
            ck_assert_msg(strstr(errstr, cases[i].words) != NULL, "case %zu: %s", i, errstr);
    }
}
END_TEST

Suite *suite_simulate_proof(void)
{
    Suite *suite = suite_create("simulate_proof");
    TCase *tcase = tcase_create("files");
    tcase_add_checked_fixture(tcase, setup_files, teardown_files);
    tcase_add_test(tcase, tokens_stand_in_one_header);
    tcase_add_test(tcase, a_token_file_may_be_replaced);
    tcase_add_test(tcase, a_file_that_still_changes_is_not_read);
    tcase_add_test(tcase, bodies_are_signed_by_each_key);
    tcase_add_test(tcase, a_key_and_its_path_change_together);
    tcase_add_test(tcase, unusable_keys_are_refused);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("texts");
    tcase_add_test(tcase, token_answers_are_read);
    tcase_add_test(tcase, tokens_are_asked_for_as_the_rfc_says);
    tcase_add_test(tcase, tokens_are_renewed_before_they_expire);
    tcase_add_test(tcase, what_cannot_be_meant_is_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
