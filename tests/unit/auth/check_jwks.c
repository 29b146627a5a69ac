// SPDX-License-Identifier: Apache-2.0
//
// Which keys of a set are taken, and which algorithm may use which.
#include "auth/jwks.h"

#include <stdlib.h>

#include "auth/jwt_fixture.h"
#include "suites.h"

static char error[200];
static size_t ignored;

static struct jwks *read_keys(const char *keys)
{
    return jwks_read(slice_of(jwt_format("{\"keys\":[%s]}", keys)), &ignored, error, sizeof error);
}

/* Whether a set with only this key is one. */
static bool is_taken(const char *key)
{
    struct jwks *jwks = read_keys(key);
    bool taken = jwks != NULL;
    if (!taken) {
        ck_assert_str_eq(error, "no key in it can verify a signature");
        ck_assert_uint_eq(ignored, 1);
    }
    jwks_release(jwks);
    return taken;
}

static size_t fitting(const struct jwks *jwks, struct slice kid, const char *alg)
{
    size_t at = 0, count = 0;
    while (jwks_next(jwks, kid, alg, &at) != NULL)
        count++;
    return count;
}

START_TEST(keys_are_bound_to_their_algorithms)
{
    static const struct {
        enum jwt_key key;
        const char *more, *algs; /* those that may use it */
    } rows[] = {
        {KEY_RSA, "", "RS256 RS384 RS512 PS256 PS384 PS512"},
        {KEY_RSA, ",\"alg\":\"RS256\"", "RS256"},
        {KEY_RSA, ",\"alg\":\"PS512\"", "PS512"},
        {KEY_P256, "", "ES256"},
        {KEY_P256, ",\"alg\":\"ES256\",\"use\":\"sig\",\"key_ops\":[\"sign\",\"verify\"]", "ES256"},
        {KEY_P384, "", "ES384"},
        {KEY_P521, ",\"key_ops\":[\"verify\"],\"x5c\":[1],\"unknown\":{}", "ES512"},
    };
    static const char *const algs[] = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
                                       "ES256", "ES384", "ES512", "HS256", "none",  ""};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct jwks *jwks = read_keys(jwt_jwk(rows[i].key, "k", rows[i].more));
        ck_assert_ptr_nonnull(jwks);
        for (size_t j = 0; j < sizeof algs / sizeof algs[0]; j++) {
            size_t expected = algs[j][0] != '\0' && strstr(rows[i].algs, algs[j]) != NULL;
            ck_assert_uint_eq(fitting(jwks, SLICE_ABSENT, algs[j]), expected);
            ck_assert_uint_eq(fitting(jwks, SLICE_LITERAL("k"), algs[j]), expected);
            ck_assert_uint_eq(fitting(jwks, SLICE_LITERAL("other"), algs[j]), 0);
        }
        jwks_release(jwks);
    }
}
END_TEST

START_TEST(keys_for_something_else_are_left_out)
{
    static const char *const more[] = {
        ",\"use\":\"enc\"",
        ",\"use\":1",
        ",\"use\":null",
        ",\"key_ops\":[\"sign\"]",
        ",\"key_ops\":[]",
        ",\"key_ops\":\"verify\"",
        ",\"key_ops\":null",
        ",\"alg\":\"HS256\"",
        ",\"alg\":\"ES256\"",
        ",\"alg\":\"none\"",
        ",\"alg\":\"RSA-OAEP\"",
        ",\"alg\":1",
        ",\"kid\":1",
        ",\"kid\":null",
    };
    ck_assert(is_taken(jwt_jwk(KEY_RSA, NULL, "")));
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++)
        ck_assert_msg(!is_taken(jwt_jwk(KEY_RSA, NULL, more[i])), "%s", more[i]);
    ck_assert(!is_taken(jwt_jwk(KEY_P256, NULL, ",\"alg\":\"ES384\"")));
    ck_assert(!is_taken(jwt_jwk(KEY_P256, NULL, ",\"alg\":\"RS256\"")));
    static const char *const others[] = {
        "{\"kty\":\"oct\",\"k\":\"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA\",\"alg\":\"HS256\"}",
        "{\"kty\":\"oct\",\"k\":\"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA\",\"kid\":\"rsa\"}",
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
        "{\"kty\":\"rsa\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
        "{}",
        "[]",
        "1",
        "null",
        "\"RSA\"",
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        ck_assert_msg(!is_taken(others[i]), "%s", others[i]);
}
END_TEST

/* A number of so many bits, all of them 1 but perhaps the last. */
static const char *number(size_t bits, bool odd)
{
    unsigned char bytes[2048];
    size_t len = (bits + 7) / 8;
    memset(bytes, 0xFF, len);
    if (bits % 8 != 0)
        bytes[0] = (unsigned char)((1u << bits % 8) - 1);
    if (!odd)
        bytes[len - 1] &= 0xFE;
    return jwt_base64url(bytes, len);
}

static bool rsa_is_taken(const char *n, const char *e)
{
    return is_taken(jwt_format("{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"}", n, e));
}

START_TEST(rsa_keys_have_a_size_and_an_exponent)
{
    ck_assert(!is_taken(jwt_jwk(KEY_RSA_1024, NULL, "")));
    ck_assert(!rsa_is_taken(number(2047, true), "AQAB"));
    ck_assert(rsa_is_taken(number(2048, true), "AQAB"));
    ck_assert(rsa_is_taken(number(8192, true), "AQAB"));
    ck_assert(!rsa_is_taken(number(8193, true), "AQAB"));
    ck_assert(!rsa_is_taken(number(2048, false), "AQAB"));
    ck_assert(!rsa_is_taken("", "AQAB"));
    ck_assert(!rsa_is_taken("AA", "AQAB"));

    ck_assert(rsa_is_taken(number(2048, true), "Aw"));  /* 3 */
    ck_assert(!rsa_is_taken(number(2048, true), "AQ")); /* 1 */
    ck_assert(!rsa_is_taken(number(2048, true), "AAAB"));
    ck_assert(!rsa_is_taken(number(2048, true), "AA"));
    ck_assert(!rsa_is_taken(number(2048, true), "AQAA")); /* 65536 */
    ck_assert(!rsa_is_taken(number(2048, true), ""));
    ck_assert(rsa_is_taken(number(2048, true), number(64, true)));
    ck_assert(!rsa_is_taken(number(2048, true), number(65, true)));
    ck_assert(!rsa_is_taken(number(2048, true), "AQAB="));
    ck_assert(!rsa_is_taken(number(2048, true), "AQ+B"));

    /* Leading zeros are not counted: cjose would take this for 2048 bits. */
    unsigned char padded[256];
    memset(padded, 0xFF, sizeof padded);
    padded[0] = 0;
    ck_assert(!rsa_is_taken(jwt_base64url(padded, sizeof padded), "AQAB"));
}
END_TEST

START_TEST(a_point_must_be_on_its_curve)
{
    const char *good = jwt_jwk(KEY_P256, NULL, "");
    ck_assert(is_taken(good));
    char key[1024];
    snprintf(key, sizeof key, "%s", good);
    char *x = strstr(key, "\"x\":\"") + 5;
    x[5] = x[5] == 'A' ? 'B' : 'A';
    ck_assert(!is_taken(key));
    static const char *const others[] = {
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
        "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
        "{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
        "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
        "{\"kty\":\"EC\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
        "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        ck_assert_msg(!is_taken(others[i]), "%s", others[i]);
}
END_TEST

/* With `d` there, cjose would make the public key from it: another one than the set says. */
START_TEST(private_members_are_left_behind)
{
    struct jwks *jwks =
        read_keys(jwt_jwk(KEY_P256, NULL, ",\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\""));
    size_t at = 0;
    const cjose_jwk_t *key = jwks_next(jwks, SLICE_ABSENT, "ES256", &at);
    ck_assert_ptr_nonnull(key);
    char *json = cjose_jwk_to_json(key, true, NULL);
    ck_assert_ptr_null(strstr(json, "\"d\""));
    const char *x = strstr(jwt_jwk(KEY_P256, NULL, ""), "\"x\":");
    ck_assert_ptr_nonnull(strstr(json, jwt_format("%.*s", (int)strlen("\"x\":") + 45, x)));
    cjose_get_dealloc()(json);
    jwks_release(jwks);
}
END_TEST

START_TEST(good_keys_are_taken_from_among_others)
{
    struct jwks *jwks = read_keys(jwt_format("{\"kty\":\"OKP\"},%s,7,%s,%s", jwt_jwk(KEY_RSA, "a", ""),
                                             jwt_jwk(KEY_P256, "a", ""), jwt_jwk(KEY_P384, NULL, "")));
    ck_assert_ptr_nonnull(jwks);
    ck_assert_uint_eq(ignored, 2);
    ck_assert_uint_eq(jwks_count(jwks), 3);
    ck_assert(jwks_has(jwks, SLICE_LITERAL("a")));
    ck_assert(!jwks_has(jwks, SLICE_LITERAL("")));
    ck_assert(!jwks_has(jwks, SLICE_LITERAL("A")));
    ck_assert(!jwks_has(jwks, SLICE_LITERAL("a\0")));
    ck_assert_uint_eq(fitting(jwks, SLICE_LITERAL("a"), "RS256"), 1);
    ck_assert_uint_eq(fitting(jwks, SLICE_LITERAL("a"), "ES256"), 1);
    ck_assert_uint_eq(fitting(jwks, SLICE_LITERAL("a"), "ES384"), 0);
    ck_assert_uint_eq(fitting(jwks, SLICE_ABSENT, "ES384"), 1);
    ck_assert_ptr_eq(jwks_retain(jwks), jwks);
    jwks_release(jwks);
    ck_assert_uint_eq(jwks_count(jwks), 3);
    jwks_release(jwks);
    jwks_release(NULL);
}
END_TEST

START_TEST(a_set_has_a_maximum)
{
    char *keys = malloc(64 * 1024);
    size_t len = 0;
    for (int i = 0; i < JWKS_KEYS_MAX + 6; i++)
        len += (size_t)snprintf(keys + len, 64 * 1024 - len, "%s%s", i > 0 ? "," : "",
                                jwt_jwk(KEY_P256, NULL, ""));
    struct jwks *jwks = read_keys(keys);
    ck_assert_ptr_nonnull(jwks);
    ck_assert_uint_eq(jwks_count(jwks), JWKS_KEYS_MAX);
    ck_assert_uint_eq(ignored, 6);
    jwks_release(jwks);
    free(keys);

    char *large = malloc(JWKS_DOCUMENT_MAX + 1);
    memset(large, ' ', JWKS_DOCUMENT_MAX + 1);
    const char *small = jwt_format("{\"keys\":[%s]}", jwt_jwk(KEY_P256, NULL, ""));
    memcpy(large, small, strlen(small));
    jwks = jwks_read((struct slice){large, JWKS_DOCUMENT_MAX}, &ignored, error, sizeof error);
    ck_assert_ptr_nonnull(jwks);
    jwks_release(jwks);
    jwks = jwks_read((struct slice){large, JWKS_DOCUMENT_MAX + 1}, &ignored, error, sizeof error);
    ck_assert_ptr_null(jwks);
    ck_assert_str_eq(error, "larger than 262144 bytes");
    free(large);
}
END_TEST

START_TEST(what_is_no_set_is_said_to_be_none)
{
    static const struct {
        const char *document, *error;
    } rows[] = {
        {"", "not JSON, or a member stands twice (line 1, column 0)"},
        {"<html>", "not JSON, or a member stands twice (line 1, column 1)"},
        {"{\"keys\":[]} x", "not JSON, or a member stands twice (line 1, column 13)"},
        {"{\"keys\":[],\n\"keys\":[]}", "not JSON, or a member stands twice (line 2, column 6)"},
        {"{\"keys\":[{\"kty\":\"RSA\",\"kty\":\"EC\"}]}",
         "not JSON, or a member stands twice (line 1, column 27)"},
        {"[]", "no array \"keys\" in it"},
        {"{}", "no array \"keys\" in it"},
        {"{\"keys\":{}}", "no array \"keys\" in it"},
        {"{\"keys\":null}", "no array \"keys\" in it"},
        {"{\"kty\":\"RSA\"}", "no array \"keys\" in it"},
        {"{\"keys\":[]}", "no key in it can verify a signature"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_ptr_null(jwks_read(slice_of(rows[i].document), &ignored, error, sizeof error));
        ck_assert_str_eq(error, rows[i].error);
    }
    ck_assert_ptr_null(jwks_read(SLICE_ABSENT, &ignored, error, sizeof error));
}
END_TEST

Suite *suite_jwks(void)
{
    Suite *suite = suite_create("jwks");
    TCase *tcase = tcase_create("jwks");
    tcase_add_unchecked_fixture(tcase, jwt_keys_make, jwt_keys_free);
    tcase_add_test(tcase, keys_are_bound_to_their_algorithms);
    tcase_add_test(tcase, keys_for_something_else_are_left_out);
    tcase_add_test(tcase, rsa_keys_have_a_size_and_an_exponent);
    tcase_add_test(tcase, a_point_must_be_on_its_curve);
    tcase_add_test(tcase, private_members_are_left_behind);
    tcase_add_test(tcase, good_keys_are_taken_from_among_others);
    tcase_add_test(tcase, a_set_has_a_maximum);
    tcase_add_test(tcase, what_is_no_set_is_said_to_be_none);
    suite_add_tcase(suite, tcase);
    return suite;
}
