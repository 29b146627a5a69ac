// SPDX-License-Identifier: Apache-2.0
//
// Tokens from strangers: one is valid only when OpenSSL alone, asked by a few lines here, finds its signature
// good for a key of the set, and its claims are ours. The input's first byte says what the rest is: a token;
// header and claims, a line each, to be signed here, so that the rules behind the signature are reached; or
// changes to a token that was made at the start, a position and a character each.
#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#include "auth/jwt.h"
#include "fuzz.h"
#include "auth/jwt_fixture.h"

#define TOKEN_MAX 8192

static const struct {
    enum jwt_key key;
    const char *alg, *kid;
} signers[] = {
    {KEY_P256, "ES256", "ec"},     {KEY_P384, "ES384", "ec3"}, {KEY_P521, "ES512", "ec5"},
    {KEY_RSA, "RS256", "rsa"},     {KEY_RSA, "RS384", "rsa"},  {KEY_RSA, "RS512", "rsa"},
    {KEY_RSA, "PS256", "rsa"},     {KEY_RSA, "PS384", "rsa"},  {KEY_RSA, "PS512", "rsa"},
    {KEY_UNKNOWN, "RS256", "rsa"},
};
#define SIGNERS (sizeof signers / sizeof signers[0])

static char *made[SIGNERS];
static EVP_PKEY *keys[SIGNERS];
static struct jwks *jwks;
static char client[] = "marketo", *clients[] = {client};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char errstr[128];
    size_t ignored;
    (void)argc, (void)argv;
    json_object_seed(1);
    jwt_keys_make();
    const char *text = jwt_format("{\"keys\":[%s,%s,%s,%s]}", jwt_jwk(KEY_RSA, "rsa", ""),
                                  jwt_jwk(KEY_P256, "ec", ",\"alg\":\"ES256\""), jwt_jwk(KEY_P384, "ec3", ""),
                                  jwt_jwk(KEY_P521, "ec5", ""));
    jwks = jwks_read(slice_of(text), &ignored, errstr, sizeof errstr);
    fuzz_check(jwks != NULL && ignored == 0);
    for (size_t i = 0; i < SIGNERS; i++) {
        const char *header = jwt_format("{\"alg\":\"%s\",\"kid\":\"%s\"}", signers[i].alg, signers[i].kid);
        made[i] = strdup(jwt_token(signers[i].key, signers[i].alg, header, JWT_CLAIMS));
        BIO *bio = BIO_new_mem_buf(jwt_pem(signers[i].key), -1);
        keys[i] = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
        BIO_free(bio);
        fuzz_check(made[i] != NULL && keys[i] != NULL);
    }
    return 0;
}

/* ---- a second opinion ---- */

/* What libcurl and others do: characters to those of RFC 4648 section 4, padded. The length. */
static size_t decode(struct slice text, unsigned char *out)
{
    unsigned char padded[TOKEN_MAX + 4];
    size_t length = (text.len + 3) / 4 * 4;
    fuzz_check(length <= TOKEN_MAX);
    for (size_t i = 0; i < length; i++) {
        char c = i < text.len ? text.ptr[i] : '=';
        padded[i] = (unsigned char)(c == '-' ? '+' : c == '_' ? '/' : c);
    }
    int decoded = EVP_DecodeBlock(out, padded, (int)length);
    fuzz_check(decoded >= 0);
    return (size_t)decoded - (length - text.len);
}

/* The two numbers, as DER. */
static size_t join(unsigned char *signature, size_t length)
{
    unsigned char *at = signature;
    ECDSA_SIG *parts = ECDSA_SIG_new();
    ECDSA_SIG_set0(parts, BN_bin2bn(signature, (int)(length / 2), NULL),
                   BN_bin2bn(signature + length / 2, (int)(length / 2), NULL));
    int size = i2d_ECDSA_SIG(parts, &at);
    ECDSA_SIG_free(parts);
    return (size_t)size;
}

static bool is_signed(const char *alg, EVP_PKEY *key, struct slice text, unsigned char *signature,
                      size_t length)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *parameters = NULL;
    const EVP_MD *md = strcmp(alg + 2, "256") == 0   ? EVP_sha256()
                       : strcmp(alg + 2, "384") == 0 ? EVP_sha384()
                                                     : EVP_sha512();
    fuzz_check(EVP_DigestVerifyInit(context, &parameters, md, NULL, key) == 1);
    if (alg[0] == 'P')
        fuzz_check(EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1);
    if (alg[0] == 'E')
        length = join(signature, length);
    bool good = EVP_DigestVerify(context, signature, length, (const unsigned char *)text.ptr, text.len) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

static void check_signed(struct slice token, const json_t *header, struct slice text, struct slice last)
{
    const char *alg = json_string_value(json_object_get(header, "alg"));
    const char *kid = json_string_value(json_object_get(header, "kid"));
    bool good = false;
    (void)token;
    fuzz_check(alg != NULL && json_object_get(header, "crit") == NULL);
    for (size_t i = 0; i + 1 < SIGNERS && !good; i++) {
        unsigned char signature[TOKEN_MAX + 64];
        size_t length = decode(last, signature);
        good = strcmp(alg, signers[i].alg) == 0 && (kid == NULL || strcmp(kid, signers[i].kid) == 0) &&
               is_signed(alg, keys[i], text, signature, length);
    }
    fuzz_check(good);
}

static void check_claims(const json_t *claims)
{
    const json_t *aud = json_object_get(claims, "aud"), *exp = json_object_get(claims, "exp"),
                 *nbf = json_object_get(claims, "nbf");
    const char *issuer = json_string_value(json_object_get(claims, "iss"));
    fuzz_check(issuer != NULL && strcmp(issuer, JWT_ISSUER) == 0);
    bool for_us = json_is_string(aud) && strcmp(json_string_value(aud), JWT_AUDIENCE) == 0;
    for (size_t i = 0; i < json_array_size(aud); i++)
        for_us |= strcmp(json_string_value(json_array_get(aud, i)), JWT_AUDIENCE) == 0;
    fuzz_check(for_us && json_number_value(exp) > JWT_NOW_S - JWT_LEEWAY_S);
    fuzz_check(nbf == NULL || json_number_value(nbf) <= JWT_NOW_S + JWT_LEEWAY_S);
    const char *azp = json_string_value(json_object_get(claims, "azp"));
    const char *client_id = json_string_value(json_object_get(claims, "client_id"));
    fuzz_check((azp != NULL && strcmp(azp, client) == 0) ||
               (client_id != NULL && strcmp(client_id, client) == 0));
}

static void check_valid(struct slice token)
{
    const char *end = token.ptr + token.len, *first = memchr(token.ptr, '.', token.len);
    fuzz_check(first != NULL);
    const char *second = memchr(first + 1, '.', (size_t)(end - first) - 1);
    fuzz_check(second != NULL && memchr(second + 1, '.', (size_t)(end - second) - 1) == NULL);
    unsigned char bytes[TOKEN_MAX + 4];
    size_t length = decode((struct slice){token.ptr, (size_t)(first - token.ptr)}, bytes);
    json_t *header = json_loadb((const char *)bytes, length, JSON_REJECT_DUPLICATES, NULL);
    check_signed(token, header, (struct slice){token.ptr, (size_t)(second - token.ptr)},
                 (struct slice){second + 1, (size_t)(end - second) - 1});
    length = decode((struct slice){first + 1, (size_t)(second - first) - 1}, bytes);
    json_t *claims = json_loadb((const char *)bytes, length, JSON_REJECT_DUPLICATES, NULL);
    check_claims(claims);
    json_decref(claims);
    json_decref(header);
}

/* ---- */

static enum jwt_result judge(struct slice token)
{
    static const struct jwt_rules rules = {.issuer = JWT_ISSUER,
                                           .audience = JWT_AUDIENCE,
                                           .allowed_clients = clients,
                                           .allowed_client_count = 1};
    char *text = fuzz_copy(token), kid[32];
    const char *reason = NULL;
    struct slice copy = {text, token.len};
    enum jwt_result result =
        jwt_judge(copy, jwks, &rules, (int64_t)JWT_NOW_S * 1000, &reason, kid, sizeof kid);
    fuzz_check(result != JWT_NO_MEMORY && strnlen(kid, sizeof kid) < sizeof kid);
    fuzz_check(result == JWT_VALID || reason != NULL);
    if (result == JWT_VALID)
        check_valid(copy);
    jwt_looks_like_one(copy);
    free(text);
    return result;
}

static void judge_signed(struct slice rest)
{
    const char *end = memchr(rest.ptr, '\n', rest.len);
    size_t length = end == NULL ? rest.len : (size_t)(end - rest.ptr);
    char *header = strndup(rest.ptr, length);
    char *claims = end == NULL ? strdup(JWT_CLAIMS) : strndup(end + 1, rest.len - length - 1);
    fuzz_check(header != NULL && claims != NULL);
    if (header[0] != '\0' && claims[0] != '\0')
        judge(slice_of(jwt_token(KEY_P256, "ES256", header, claims)));
    free(header);
    free(claims);
}

static void judge_changed(size_t signer, struct slice rest)
{
    char token[TOKEN_MAX];
    size_t length = strlen(made[signer]);
    bool changed = false;
    memcpy(token, made[signer], length);
    for (size_t i = 0; i + 3 <= rest.len; i += 3) {
        size_t at = ((size_t)(unsigned char)rest.ptr[i] << 8 | (unsigned char)rest.ptr[i + 1]) % length;
        changed |= token[at] != rest.ptr[i + 2];
        token[at] = rest.ptr[i + 2];
    }
    enum jwt_result result = judge((struct slice){token, length});
    fuzz_check(changed || (result == JWT_VALID) == (signers[signer].key != KEY_UNKNOWN));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return -1;
    struct slice rest = {(const char *)data + 1, size - 1};
    if (data[0] == 's')
        judge_signed(rest);
    else if (data[0] >= '0' && data[0] < '0' + (int)SIGNERS)
        judge_changed((size_t)data[0] - '0', rest);
    else
        judge(rest);
    return 0;
}
