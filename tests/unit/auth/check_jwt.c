// SPDX-License-Identifier: Apache-2.0
//
// Which tokens are good, and for what reason the others are not: each rule of RFC 8725
// section 3 that applies has one that breaks it and nothing else.
#include "auth/jwt.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "auth/jwt_fixture.h"
#include "suites.h"

#define RS256 "{\"alg\":\"RS256\",\"kid\":\"rsa\"}"

static struct jwks *jwks;
static char kid[300];
static struct jwt_rules rules;

static void set_up(void)
{
    char error[200];
    size_t ignored;
    jwt_keys_make();
    const char *set =
        jwt_format("{\"keys\":[%s,%s,%s,%s]}", jwt_jwk(KEY_RSA, "rsa", ""), jwt_jwk(KEY_P256, "p256", ""),
                   jwt_jwk(KEY_P384, "p384", ""), jwt_jwk(KEY_P521, "p521", ""));
    jwks = jwks_read(slice_of(set), &ignored, error, sizeof error);
    ck_assert_ptr_nonnull(jwks);
    rules = (struct jwt_rules){.issuer = JWT_ISSUER, .audience = JWT_AUDIENCE};
}

static void tear_down(void)
{
    jwks_release(jwks);
    jwt_keys_free();
}

static const char *judge_at(struct slice token, int64_t wall_ms)
{
    const char *reason = NULL;
    enum jwt_result result = jwt_judge(token, jwks, &rules, wall_ms, &reason, kid, sizeof kid);
    if (result == JWT_VALID)
        return "valid";
    ck_assert_ptr_nonnull(reason);
    ck_assert_int_eq(result == JWT_UNKNOWN_KEY, strcmp(reason, "unknown_kid") == 0);
    return reason;
}

static const char *judge(const char *token)
{
    return judge_at(slice_of(token), (int64_t)JWT_NOW_S * 1000);
}

static const char *judge_header(const char *header)
{
    return judge(jwt_token(KEY_RSA, "RS256", header, JWT_CLAIMS));
}

static const char *judge_claims(const char *claims)
{
    return judge(jwt_token(KEY_RSA, "RS256", RS256, claims));
}

static const struct {
    const char *alg, *kid;
    enum jwt_key key;
} algorithms[] = {
    {"RS256", "rsa", KEY_RSA},   {"RS384", "rsa", KEY_RSA},   {"RS512", "rsa", KEY_RSA},
    {"PS256", "rsa", KEY_RSA},   {"PS384", "rsa", KEY_RSA},   {"PS512", "rsa", KEY_RSA},
    {"ES256", "p256", KEY_P256}, {"ES384", "p384", KEY_P384}, {"ES512", "p521", KEY_P521},
};
#define ALGORITHMS (sizeof algorithms / sizeof algorithms[0])

START_TEST(every_algorithm_verifies)
{
    const char *header =
        jwt_format("{\"alg\":\"%s\",\"kid\":\"%s\"}", algorithms[_i].alg, algorithms[_i].kid);
    ck_assert_str_eq(judge(jwt_token(algorithms[_i].key, algorithms[_i].alg, header, JWT_CLAIMS)), "valid");
    header = jwt_format("{\"alg\":\"%s\"}", algorithms[_i].alg);
    ck_assert_str_eq(judge(jwt_token(algorithms[_i].key, algorithms[_i].alg, header, JWT_CLAIMS)), "valid");
}
END_TEST

START_TEST(a_signature_under_another_algorithm_is_none)
{
    /* Signed rightly in one way, announced as each of the others: alg and key are bound (section 3.1). */
    for (size_t i = 0; i < ALGORITHMS; i++) {
        const char *header =
            jwt_format("{\"alg\":\"%s\",\"kid\":\"%s\"}", algorithms[i].alg, algorithms[_i].kid);
        const char *token = jwt_token(algorithms[_i].key, algorithms[_i].alg, header, JWT_CLAIMS);
        const char *expected = i == (size_t)_i                           ? "valid"
                               : algorithms[i].key == algorithms[_i].key ? "bad_signature"
                                                                         : "wrong_algorithm";
        ck_assert_str_eq(judge(token), expected);
    }
}
END_TEST

START_TEST(every_bit_of_header_and_payload_is_signed)
{
    const char *good = jwt_token(KEY_P256, "ES256", "{\"alg\":\"ES256\",\"kid\":\"p256\"}", JWT_CLAIMS);
    char token[2048];
    size_t len = strlen(good);
    for (size_t i = 0; i < len; i++) {
        memcpy(token, good, len + 1);
        token[i] = token[i] == 'A' ? 'B' : 'A';
        if (good[i] != '.')
            ck_assert_str_ne(judge(token), "valid");
    }
    ck_assert_str_eq(judge(good), "valid");
}
END_TEST

/* RFC 7515 appendices A.2 and A.3. They name no audience, which is what stops them in the end. */
START_TEST(the_rfcs_own_tokens_verify)
{
    static const char set[] =
        "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_"
        "wWJcyQoTbji9k0l8W26mPddxHmfHQp-"
        "Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-"
        "bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_"
        "I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\",\"e\":\"AQAB\"},"
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
        "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";
#define RFC_PAYLOAD                                                                                          \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    static const char *const tokens[] = {
        "eyJhbGciOiJSUzI1NiJ9." RFC_PAYLOAD
        ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbd"
        "s9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZR"
        "mB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98"
        "rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
        "eyJhbGciOiJFUzI1NiJ9." RFC_PAYLOAD
        ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"};
    char error[200];
    size_t ignored;
    struct jwks *ours = jwks;
    jwks = jwks_read(slice_of(set), &ignored, error, sizeof error);
    ck_assert_ptr_nonnull(jwks);
    rules.issuer = "joe";
    ck_assert_str_eq(judge_at(slice_of(tokens[0]), (int64_t)1300819000 * 1000), "wrong_audience");
    ck_assert_str_eq(judge_at(slice_of(tokens[1]), (int64_t)1300819000 * 1000), "wrong_audience");
    jwks_release(jwks);
    jwks = ours;
    rules.issuer = JWT_ISSUER;
    ck_assert_str_eq(judge(tokens[0]), "unknown_kid");
    ck_assert_str_eq(judge(tokens[1]), "unknown_kid");
}
END_TEST

START_TEST(none_and_hmac_are_no_algorithms)
{
    static const char *const names[] = {"none",  "None",   "NONE", "nOnE",   "HS256",    "HS384",
                                        "HS512", "",       "RS1",  "rs256",  "RS25",     "EdDSA",
                                        "dir",   "A128KW", "ES",   "ES256K", "RSA-OAEP", "RS2560"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *header = jwt_format("{\"alg\":\"%s\",\"kid\":\"rsa\"}", names[i]);
        ck_assert_str_eq(judge_header(header), "wrong_algorithm");
        /* The form without a signature is none of ours either (RFC 7519 section 6). */
        ck_assert_str_eq(judge(jwt_with_signature(header, JWT_CLAIMS, "", 0)), "bad_jwt");
    }
    ck_assert_str_eq(judge(jwt_token(KEY_RSA, "HS256", "{\"alg\":\"HS256\",\"kid\":\"rsa\"}", JWT_CLAIMS)),
                     "wrong_algorithm");
    ck_assert_str_eq(judge(jwt_token(KEY_RSA, "HS256", RS256, JWT_CLAIMS)), "bad_signature");
}
END_TEST

START_TEST(a_header_must_be_understood)
{
    static const char *const bad[] = {
        "{}",
        "{\"kid\":\"rsa\"}",
        "{\"alg\":1}",
        "{\"alg\":null}",
        "{\"alg\":[\"RS256\"]}",
        "[\"alg\",\"RS256\"]",
        "\"RS256\"",
        "x",
        "{\"alg\":\"RS256\"",
        "{\"alg\":\"RS256\"}}",
        "{\"alg\":\"RS256\"} x",
        "{\"alg\":\"RS256\",\"alg\":\"RS256\"}",
        "{\"alg\":\"none\",\"kid\":\"rsa\",\"alg\":\"RS256\"}",
        "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"kid\":\"rsa\"}",
        "{\"alg\":\"none\",\"al\\u0067\":\"RS256\"}",
        "{\"alg\":\"RS256\\u0000\",\"kid\":\"rsa\"}",
        "{\"alg\\u0000\":\"none\",\"alg\":\"RS256\",\"kid\":\"rsa\"}",
        "{\"alg\":\"RS256\",\"kid\":\"rsa\\u0000x\"}",
        "{\"alg\":\"RS256\",\"kid\":1}",
        "{\"alg\":\"RS256\",\"kid\":null}",
        "{\"alg\":\"RS256\",\"kid\":[\"rsa\"]}",
        "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"crit\":[\"exp\"]}",
        "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"crit\":[]}",
        "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"crit\":null}",
        "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"b64\":false}",
        "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"b64\":true}",
        "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"dpop+jwt\"}",
        "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"secevent+jwt\"}",
        "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"\"}",
        "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"application/\"}",
        "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":1}",
        "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":null}",
        "\xEF\xBB\xBF{\"alg\":\"RS256\",\"kid\":\"rsa\"}",
        "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"x\":\"\xFF\"}",
        "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"x\":1e999}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(strcmp(judge_header(bad[i]), "bad_jwt") == 0, "%s: %s", bad[i], judge_header(bad[i]));

    static const char *const good[] = {
        "JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt", "application/jwt"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ck_assert_str_eq(
            judge_header(jwt_format("{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"%s\"}", good[i])), "valid");
    ck_assert_str_eq(judge_header(" {\"\\u0061lg\" : \"RS256\",\n\"kid\":\"\\u0072sa\"}"), "valid");
}
END_TEST

START_TEST(keys_in_a_header_are_never_looked_at)
{
    static const char *const headers[] = {
        "\"jku\":\"https://stranger.example/keys\"",
        "\"x5u\":\"https://stranger.example/cert\"",
        "\"x5c\":[\"MIIB\"],\"x5t\":\"x\"",
    };
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        const char *header = jwt_format("{\"alg\":\"RS256\",\"kid\":\"rsa\",%s}", headers[i]);
        ck_assert_str_eq(judge(jwt_token(KEY_UNKNOWN, "RS256", header, JWT_CLAIMS)), "bad_signature");
        ck_assert_str_eq(judge(jwt_token(KEY_RSA, "RS256", header, JWT_CLAIMS)), "valid");
    }
    const char *jwk = jwt_jwk(KEY_UNKNOWN, "rsa", "");
    const char *header = jwt_format("{\"alg\":\"RS256\",\"kid\":\"rsa\",\"jwk\":%s}", jwk);
    ck_assert_str_eq(judge(jwt_token(KEY_UNKNOWN, "RS256", header, JWT_CLAIMS)), "bad_signature");
    header = jwt_format("{\"alg\":\"RS256\",\"jwk\":%s}", jwk);
    ck_assert_str_eq(judge(jwt_token(KEY_UNKNOWN, "RS256", header, JWT_CLAIMS)), "unknown_kid");
}
END_TEST

START_TEST(a_key_is_found_by_its_kid)
{
    ck_assert_str_eq(judge_header("{\"alg\":\"RS256\",\"kid\":\"next\"}"), "unknown_kid");
    ck_assert_str_eq(kid, "next");
    ck_assert_str_eq(judge_header("{\"alg\":\"RS256\",\"kid\":\"\"}"), "unknown_kid");
    ck_assert_str_eq(kid, "");
    ck_assert_str_eq(judge_header("{\"alg\":\"RS256\",\"kid\":\"RSA\"}"), "unknown_kid");
    ck_assert_str_eq(judge(jwt_token(KEY_UNKNOWN, "RS256", "{\"alg\":\"RS256\"}", JWT_CLAIMS)),
                     "unknown_kid");
    ck_assert_str_eq(kid, "");
    ck_assert_str_eq(judge(jwt_token(KEY_UNKNOWN, "RS256", RS256, JWT_CLAIMS)), "bad_signature");
    ck_assert_str_eq(kid, "");

    char long_kid[258];
    memset(long_kid, 'k', sizeof long_kid);
    long_kid[257] = '\0';
    ck_assert_str_eq(judge_header(jwt_format("{\"alg\":\"RS256\",\"kid\":\"%s\"}", long_kid)), "bad_jwt");
    const char *token = jwt_token(KEY_RSA, "RS256",
                                  jwt_format("{\"alg\":\"RS256\",\"kid\":\"%s\"}", long_kid + 1), JWT_CLAIMS);
    ck_assert_str_eq(judge(token), "unknown_kid");
    ck_assert_str_eq(kid, long_kid + 1);

    char small[4] = "zzz";
    const char *reason;
    jwt_judge(slice_of(token), jwks, &rules, 0, &reason, small, sizeof small);
    ck_assert_str_eq(small, "kkk");
    ck_assert_int_eq(jwt_judge(slice_of(token), jwks, &rules, 0, &reason, NULL, 0), JWT_UNKNOWN_KEY);
}
END_TEST

START_TEST(only_the_strict_compact_form_is_read)
{
    const char *good = jwt_token(KEY_RSA, "RS256", RS256, JWT_CLAIMS);
    const char *claims = strchr(good, '.') + 1, *signature = strchr(claims, '.') + 1;
    int header_len = (int)(claims - good) - 1, claims_len = (int)(signature - claims) - 1;
    int len = (int)strlen(good);
    /* 256 bytes leave four bits of the last character unused, and they are 0 only in A, Q, g and w. */
    ck_assert_ptr_nonnull(strchr("AQgw", good[len - 1]));
    const char *const bad[] = {
        "",
        ".",
        "..",
        "...",
        jwt_format("%.*s", header_len, good),
        jwt_format("%.*s.%.*s", header_len, good, claims_len, claims),
        jwt_format("%.*s.%.*s.", header_len, good, claims_len, claims),
        jwt_format("%.*s..%s", header_len, good, signature),
        jwt_format(".%.*s.%s", claims_len, claims, signature),
        jwt_format("%s.", good),
        jwt_format("%s.x", good),
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(strcmp(judge(bad[i]), "bad_jwt") == 0, "%s", bad[i]);

    static const char *const ends[] = {"=", "==", " ", "\n", "A", "+", "/", "%3D", "\xC3\xA4"};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        good = jwt_token(KEY_RSA, "RS256", RS256, JWT_CLAIMS);
        ck_assert_str_ne(judge(jwt_format("%s%s", good, ends[i])), "valid");
        ck_assert_str_eq(judge(jwt_format("%s%s", ends[i], good)), "bad_jwt");
        claims = strchr(good, '.');
        ck_assert_str_ne(judge(jwt_format("%.*s%s%s", (int)(claims - good), good, ends[i], claims)), "valid");
    }
    /* Another text for the same bytes. */
    good = jwt_token(KEY_RSA, "RS256", RS256, JWT_CLAIMS);
    char twin[2048];
    memcpy(twin, good, strlen(good) + 1);
    twin[len - 1]++;
    ck_assert_str_eq(judge(twin), "bad_jwt");
    ck_assert_str_eq(judge(good), "valid");
    ck_assert_str_eq(judge_at(SLICE_ABSENT, 0), "bad_jwt");
    ck_assert_str_eq(judge_at((struct slice){good, strlen(good) - 1}, (int64_t)JWT_NOW_S * 1000), "bad_jwt");
}
END_TEST

START_TEST(a_token_has_a_maximum)
{
    char *claims = malloc(JWT_LENGTH_MAX + 1);
    size_t room = JWT_LENGTH_MAX / 4 * 3;
    int head = (int)strlen(JWT_CLAIMS) - 1;
    for (size_t len = room - 400; len < room; len++) {
        memset(claims, ' ', len);
        memcpy(claims, JWT_CLAIMS, (size_t)head);
        claims[len - 1] = '}';
        claims[len] = '\0';
        const char *token = jwt_token(KEY_P256, "ES256", "{\"alg\":\"ES256\"}", claims);
        ck_assert_str_eq(judge(token), strlen(token) <= JWT_LENGTH_MAX ? "valid" : "bad_jwt");
    }
    free(claims);

    char filler[8192];
    for (size_t len = 6000; len < 6200; len++) {
        memset(filler, 'x', len);
        filler[len] = '\0';
        const char *token =
            jwt_token(KEY_P256, "ES256", jwt_format("{\"alg\":\"ES256\",\"x\":\"%s\"}", filler), JWT_CLAIMS);
        ck_assert_str_eq(judge(token), strcspn(token, ".") <= 8192 ? "valid" : "bad_jwt");
    }
}
END_TEST

START_TEST(a_signature_has_one_length)
{
    static const char header[] = "{\"alg\":\"ES256\",\"kid\":\"p256\"}";
    unsigned char zeros[600] = {0};
    for (size_t len = 1; len < sizeof zeros; len++) {
        ck_assert_str_eq(judge(jwt_with_signature(header, JWT_CLAIMS, zeros, len)), "bad_signature");
        ck_assert_str_eq(judge(jwt_with_signature(RS256, JWT_CLAIMS, zeros, len)), "bad_signature");
    }
    /* r and s, each with a zero before it, are the same numbers; cjose halves any length. */
    const char *good = jwt_token(KEY_P256, "ES256", header, JWT_CLAIMS);
    unsigned char raw[72], wide[66] = {0};
    char padded[96];
    const char *signature = strrchr(good, '.') + 1;
    snprintf(padded, sizeof padded, "%s==", signature);
    for (char *at = padded; *at != '\0'; at++)
        *at = *at == '-' ? '+' : *at == '_' ? '/' : *at;
    ck_assert_int_eq(EVP_DecodeBlock(raw, (unsigned char *)padded, 88), 66);
    memcpy(wide + 1, raw, 32);
    memcpy(wide + 34, raw + 32, 32);
    ck_assert_str_eq(judge(jwt_with_signature(header, JWT_CLAIMS, raw, 64)), "valid");
    ck_assert_str_eq(judge(jwt_with_signature(header, JWT_CLAIMS, raw, 65)), "bad_signature");
    ck_assert_str_eq(judge(jwt_with_signature(header, JWT_CLAIMS, wide, 66)), "bad_signature");
}
END_TEST

#define REST ",\"exp\":1700000300}"
#define START "{\"iss\":\"" JWT_ISSUER "\",\"aud\":\"bridge\""

START_TEST(claims_say_who_and_for_whom)
{
    static const struct {
        const char *claims, *expected;
    } rows[] = {
        {START REST, "valid"},
        {"{\"aud\":\"bridge\"" REST, "wrong_issuer"},
        {"{\"iss\":\"https://idp.example\",\"aud\":\"bridge\"" REST, "wrong_issuer"},
        {"{\"iss\":\"https://IDP.example/\",\"aud\":\"bridge\"" REST, "wrong_issuer"},
        {"{\"iss\":[\"https://idp.example/\"],\"aud\":\"bridge\"" REST, "wrong_issuer"},
        {"{\"iss\":null,\"aud\":\"bridge\"" REST, "wrong_issuer"},
        {"{\"iss\":\"https://idp.example/\"" REST, "wrong_audience"},
        {"{\"iss\":\"https://idp.example/\",\"aud\":\"Bridge\"" REST, "wrong_audience"},
        {"{\"iss\":\"https://idp.example/\",\"aud\":\"bridge2\"" REST, "wrong_audience"},
        {"{\"iss\":\"https://idp.example/\",\"aud\":\"\"" REST, "wrong_audience"},
        {"{\"iss\":\"https://idp.example/\",\"aud\":null" REST, "wrong_audience"},
        {"{\"iss\":\"https://idp.example/\",\"aud\":{\"bridge\":1}" REST, "wrong_audience"},
        {"{\"iss\":\"https://idp.example/\",\"aud\":[]" REST, "wrong_audience"},
        {"{\"iss\":\"https://idp.example/\",\"aud\":[\"other\"]" REST, "wrong_audience"},
        {"{\"iss\":\"https://idp.example/\",\"aud\":[[\"bridge\"]]" REST, "wrong_audience"},
        {"{\"iss\":\"https://idp.example/\",\"aud\":[\"bridge\",1]" REST, "wrong_audience"},
        {"{\"iss\":\"https://idp.example/\",\"aud\":[\"bridge\"]" REST, "valid"},
        {"{\"iss\":\"https://idp.example/\",\"aud\":[\"other\",\"bridge\"]" REST, "valid"},
        {"{\"\\u0069ss\":\"https:\\/\\/idp.example/\",\"aud\":\"\\u0062ridge\"" REST, "valid"},
        /* What can be read in two ways is not read at all. */
        {START ",\"aud\":\"bridge\"" REST, "bad_jwt"},
        {START ",\"a\\u0075d\":\"other\"" REST, "bad_jwt"},
        {START ",\"sub\":\"a\",\"sub\":\"b\"" REST, "bad_jwt"},
        {START ",\"x\":{\"y\":1,\"y\":2}" REST, "bad_jwt"},
        {START ",\"iss\\u0000\":\"x\"" REST, "bad_jwt"},
        {START ",\"sub\":\"a\\u0000b\"" REST, "bad_jwt"},
        {START ",\"sub\":\"\\ud800\"" REST, "bad_jwt"},
        {START ",\"sub\":\"\xC0\x80\"" REST, "bad_jwt"},
        {START REST "x", "bad_jwt"},
        {START, "bad_jwt"},
        {"[" START REST "]", "bad_jwt"},
        {"\"x\"", "bad_jwt"},
        {"null", "bad_jwt"},
        {"x", "bad_jwt"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ck_assert_msg(strcmp(judge_claims(rows[i].claims), rows[i].expected) == 0, "%s: %s", rows[i].claims,
                      judge_claims(rows[i].claims));
}
END_TEST

START_TEST(times_are_numbers_with_a_minute_of_leeway)
{
    static const struct {
        const char *times, *expected;
    } rows[] = {
        {"\"exp\":1699999941", "valid"},
        {"\"exp\":1699999940.001", "valid"},
        {"\"exp\":1699999940", "expired"},
        {"\"exp\":1699999939", "expired"},
        {"\"exp\":0", "expired"},
        {"\"exp\":-1", "expired"},
        {"\"exp\":9223372036854775807", "valid"},
        {"\"exp\":-9223372036854775808", "expired"},
        {"\"exp\":1e300", "valid"},
        {"\"exp\":1e999", "bad_jwt"},
        {"\"exp\":1.7e308", "bad_jwt"},
        {"\"exp\":99999999999999999999", "bad_jwt"},
        {"\"exp\":\"1700000300\"", "bad_jwt"},
        {"\"exp\":null", "bad_jwt"},
        {"\"exp\":true", "bad_jwt"},
        {"\"exp\":[1700000300]", "bad_jwt"},
        {"\"sub\":\"x\"", "bad_jwt"},
        {"\"exp\":1700000300,\"nbf\":1700000060", "valid"},
        {"\"exp\":1700000300,\"nbf\":1700000060.5", "not_yet_valid"},
        {"\"exp\":1700000300,\"nbf\":1700000061", "not_yet_valid"},
        {"\"exp\":1700000300,\"nbf\":\"0\"", "bad_jwt"},
        {"\"exp\":1700000300,\"nbf\":null", "bad_jwt"},
        {"\"exp\":1700000300,\"iat\":1700000060", "valid"},
        {"\"exp\":1700000300,\"iat\":1700000061", "not_yet_valid"},
        {"\"exp\":1700000300,\"iat\":0", "valid"},
        {"\"exp\":1700000300,\"iat\":{}", "bad_jwt"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *claims = jwt_format(START ",%s}", rows[i].times);
        ck_assert_msg(strcmp(judge_claims(claims), rows[i].expected) == 0, "%s: %s", rows[i].times,
                      judge_claims(claims));
    }
}
END_TEST

START_TEST(clients_are_those_that_are_named)
{
    static char marketo[] = "marketo", second[] = "second";
    static char *const clients[] = {marketo, second};
    static const struct {
        const char *members, *expected;
    } rows[] = {
        {"", "wrong_client"},
        {",\"client_id\":\"marketo\"", "valid"},
        {",\"azp\":\"second\"", "valid"},
        {",\"azp\":\"marketo\",\"client_id\":\"second\"", "valid"},
        {",\"azp\":\"marketo\",\"client_id\":\"other\"", "wrong_client"},
        {",\"azp\":\"other\",\"client_id\":\"marketo\"", "wrong_client"},
        {",\"azp\":null,\"client_id\":\"marketo\"", "wrong_client"},
        {",\"client_id\":\"Marketo\"", "wrong_client"},
        {",\"client_id\":\"\"", "wrong_client"},
        {",\"client_id\":[\"marketo\"]", "wrong_client"},
        {",\"client_id\":1", "wrong_client"},
        {",\"appid\":\"marketo\",\"sub\":\"marketo\"", "wrong_client"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *claims = jwt_format(START "%s" REST, rows[i].members);
        rules.allowed_clients = clients;
        rules.allowed_client_count = 2;
        ck_assert_msg(strcmp(judge_claims(claims), rows[i].expected) == 0, "%s", rows[i].members);
        rules.allowed_client_count = 0;
        ck_assert_str_eq(judge_claims(claims), "valid");
    }
}
END_TEST

START_TEST(the_signature_comes_before_the_claims)
{
    ck_assert_str_eq(judge(jwt_token(KEY_UNKNOWN, "RS256", RS256, "{\"exp\":1}")), "bad_signature");
    ck_assert_str_eq(judge(jwt_token(KEY_UNKNOWN, "RS256", RS256, "x")), "bad_signature");
    ck_assert_str_eq(judge(jwt_token(KEY_UNKNOWN, "RS256", "{\"alg\":\"RS256\"}", "x")), "unknown_kid");
}
END_TEST

START_TEST(an_opaque_token_is_told_from_a_jwt)
{
    ck_assert(jwt_looks_like_one(slice_of(jwt_token(KEY_RSA, "RS256", RS256, JWT_CLAIMS))));
    ck_assert(jwt_looks_like_one(slice_of("eyJhbGciOiJub25lIn0.e30.AA")));
    ck_assert(jwt_looks_like_one(slice_of(jwt_with_signature("{}", "x", "y", 1))));
    static const char *const opaque[] = {"",
                                         "s3cret",
                                         "a.b",
                                         "aa.bb.cc",
                                         "ya29.a0Ae.4Gx_-",
                                         "eyJh.bb.",
                                         "eyJhbGciOiJub25lIn0.e30",
                                         "eyJhbGciOiJub25lIn0.e30.AA.AA.AA",
                                         "eyJhbGciOiJub25lIn0=.e30.AA"};
    for (size_t i = 0; i < sizeof opaque / sizeof opaque[0]; i++)
        ck_assert_msg(!jwt_looks_like_one(slice_of(opaque[i])), "%s", opaque[i]);
}
END_TEST

/* Many threads, one set: what cjose and OpenSSL keep with a key must not be written by them. */
static char shared_tokens[3][2048];
static atomic_uint failures;

static void *judge_many(void *data)
{
    (void)data;
    for (int i = 0; i < 150; i++) {
        const char *reason;
        struct jwks *held = jwks_retain(jwks);
        enum jwt_result expected = i % 3 == 2 ? JWT_INVALID : JWT_VALID;
        if (jwt_judge(slice_of(shared_tokens[i % 3]), held, &rules, (int64_t)JWT_NOW_S * 1000, &reason, NULL,
                      0) != expected)
            atomic_fetch_add(&failures, 1);
        jwks_release(held);
    }
    return NULL;
}

START_TEST(threads_share_a_set)
{
    pthread_t threads[4];
    snprintf(shared_tokens[0], sizeof shared_tokens[0], "%s",
             jwt_token(KEY_RSA, "PS256", "{\"alg\":\"PS256\"}", JWT_CLAIMS));
    snprintf(shared_tokens[1], sizeof shared_tokens[1], "%s",
             jwt_token(KEY_P256, "ES256", "{\"alg\":\"ES256\"}", JWT_CLAIMS));
    snprintf(shared_tokens[2], sizeof shared_tokens[2], "%s",
             jwt_token(KEY_UNKNOWN, "RS256", RS256, JWT_CLAIMS));
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, judge_many, NULL), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(atomic_load(&failures), 0);
}
END_TEST

Suite *suite_jwt(void)
{
    Suite *suite = suite_create("jwt");
    TCase *tcase = tcase_create("jwt");
    tcase_add_unchecked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, every_algorithm_verifies, 0, ALGORITHMS);
    tcase_add_loop_test(tcase, a_signature_under_another_algorithm_is_none, 0, ALGORITHMS);
    tcase_add_test(tcase, every_bit_of_header_and_payload_is_signed);
    tcase_add_test(tcase, the_rfcs_own_tokens_verify);
    tcase_add_test(tcase, none_and_hmac_are_no_algorithms);
    tcase_add_test(tcase, a_header_must_be_understood);
    tcase_add_test(tcase, keys_in_a_header_are_never_looked_at);
    tcase_add_test(tcase, a_key_is_found_by_its_kid);
    tcase_add_test(tcase, only_the_strict_compact_form_is_read);
    tcase_add_test(tcase, a_token_has_a_maximum);
    tcase_add_test(tcase, a_signature_has_one_length);
    tcase_add_test(tcase, claims_say_who_and_for_whom);
    tcase_add_test(tcase, times_are_numbers_with_a_minute_of_leeway);
    tcase_add_test(tcase, clients_are_those_that_are_named);
    tcase_add_test(tcase, the_signature_comes_before_the_claims);
    tcase_add_test(tcase, an_opaque_token_is_told_from_a_jwt);
    tcase_add_test(tcase, threads_share_a_set);
    suite_add_tcase(suite, tcase);
    return suite;
}
