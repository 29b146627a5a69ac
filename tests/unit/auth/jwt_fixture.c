// SPDX-License-Identifier: Apache-2.0
//
// Keys, key sets and tokens for the tests of OAuth.
#include "auth/jwt_fixture.h"

#include <check.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TEXTS 64
#define TEXT_SIZE 40960

static EVP_PKEY *keys[KEY_COUNT];
static const char *const curves[KEY_COUNT] = {
    [KEY_P256] = "P-256", [KEY_P384] = "P-384", [KEY_P521] = "P-521"};

static char *text_next(void)
{
    static char texts[TEXTS][TEXT_SIZE];
    static size_t at;
    at = (at + 1) % TEXTS;
    return texts[at];
}

const char *jwt_format(const char *format, ...)
{
    char *text = text_next();
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(text, TEXT_SIZE, format, arguments);
    va_end(arguments);
    ck_assert(len >= 0 && len < TEXT_SIZE);
    return text;
}

const char *jwt_base64url(const void *bytes, size_t len)
{
    char *text = text_next();
    ck_assert(len < TEXT_SIZE / 2);
    size_t text_len = (size_t)EVP_EncodeBlock((unsigned char *)text, bytes, (int)len);
    while (text_len > 0 && text[text_len - 1] == '=')
        text[--text_len] = '\0';
    for (char *at = text; *at != '\0'; at++)
        *at = *at == '+' ? '-' : *at == '/' ? '_' : *at;
    return text;
}

void jwt_keys_make(void)
{
    keys[KEY_RSA] = EVP_RSA_gen(2048);
    keys[KEY_UNKNOWN] = EVP_RSA_gen(2048);
    keys[KEY_RSA_1024] = EVP_RSA_gen(1024);
    for (int i = 0; i < KEY_COUNT; i++) {
        if (curves[i] != NULL)
            keys[i] = EVP_EC_gen(curves[i]);
        ck_assert_ptr_nonnull(keys[i]);
    }
}

void jwt_keys_free(void)
{
    for (int i = 0; i < KEY_COUNT; i++) {
        EVP_PKEY_free(keys[i]);
        keys[i] = NULL;
    }
}

/* A number of the key, padded to size; 0: as short as it can be. */
static const char *number(enum jwt_key key, const char *name, int size)
{
    BIGNUM *bn = NULL;
    unsigned char bytes[1024];
    ck_assert_int_eq(EVP_PKEY_get_bn_param(keys[key], name, &bn), 1);
    int len = BN_bn2binpad(bn, bytes, size > 0 ? size : BN_num_bytes(bn));
    ck_assert_int_gt(len, 0);
    BN_free(bn);
    return jwt_base64url(bytes, (size_t)len);
}

static int coordinate_size(enum jwt_key key)
{
    return (EVP_PKEY_get_bits(keys[key]) + 7) / 8;
}

const char *jwt_jwk(enum jwt_key key, const char *kid, const char *more)
{
    const char *named = kid == NULL ? "" : jwt_format(",\"kid\":\"%s\"", kid);
    if (curves[key] == NULL)
        return jwt_format("{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"%s%s}",
                          number(key, OSSL_PKEY_PARAM_RSA_N, 0), number(key, OSSL_PKEY_PARAM_RSA_E, 0), named,
                          more);
    int size = coordinate_size(key);
    return jwt_format("{\"kty\":\"EC\",\"crv\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"%s%s}", curves[key],
                      number(key, OSSL_PKEY_PARAM_EC_PUB_X, size),
                      number(key, OSSL_PKEY_PARAM_EC_PUB_Y, size), named, more);
}

const char *jwt_pem(enum jwt_key key)
{
    char *data = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    ck_assert_int_eq(PEM_write_bio_PUBKEY(bio, keys[key]), 1);
    long len = BIO_get_mem_data(bio, &data);
    const char *text = jwt_format("%.*s", (int)len, data);
    BIO_free(bio);
    return text;
}

/* DER becomes the two numbers side by side (RFC 7518 section 3.4). */
static size_t flatten(enum jwt_key key, unsigned char *signature, size_t len)
{
    const unsigned char *at = signature;
    ECDSA_SIG *parts = d2i_ECDSA_SIG(NULL, &at, (long)len);
    int size = coordinate_size(key);
    ck_assert_ptr_nonnull(parts);
    BN_bn2binpad(ECDSA_SIG_get0_r(parts), signature, size);
    BN_bn2binpad(ECDSA_SIG_get0_s(parts), signature + size, size);
    ECDSA_SIG_free(parts);
    return 2 * (size_t)size;
}

static size_t sign(enum jwt_key key, const char *alg, const char *text, unsigned char *signature, size_t size)
{
    const EVP_MD *md = strstr(alg, "256") != NULL   ? EVP_sha256()
                       : strstr(alg, "384") != NULL ? EVP_sha384()
                                                    : EVP_sha512();
    if (alg[0] == 'H') {
        const char *pem = jwt_pem(key);
        unsigned len = 0;
        HMAC(md, pem, (int)strlen(pem), (const unsigned char *)text, strlen(text), signature, &len);
        return len;
    }
    EVP_PKEY_CTX *parameters = NULL;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    ck_assert_int_eq(EVP_DigestSignInit(context, &parameters, md, NULL, keys[key]), 1);
    if (alg[0] == 'P') {
        EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST);
    }
    ck_assert_int_eq(EVP_DigestSign(context, signature, &size, (const unsigned char *)text, strlen(text)), 1);
    EVP_MD_CTX_free(context);
    return alg[0] == 'E' ? flatten(key, signature, size) : size;
}

const char *jwt_token(enum jwt_key key, const char *alg, const char *header, const char *claims)
{
    unsigned char signature[1024];
    const char *signed_text =
        jwt_format("%s.%s", jwt_base64url(header, strlen(header)), jwt_base64url(claims, strlen(claims)));
    size_t len = sign(key, alg, signed_text, signature, sizeof signature);
    return jwt_format("%s.%s", signed_text, jwt_base64url(signature, len));
}

const char *jwt_with_signature(const char *header, const char *claims, const void *signature, size_t len)
{
    return jwt_format("%s.%s.%s", jwt_base64url(header, strlen(header)),
                      jwt_base64url(claims, strlen(claims)), jwt_base64url(signature, len));
}
