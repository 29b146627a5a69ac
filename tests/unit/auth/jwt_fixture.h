// SPDX-License-Identifier: Apache-2.0
//
// Keys, key sets and tokens for the tests of OAuth, made with OpenSSL alone, so that cjose is
// not judged by itself.
#ifndef TESTS_UNIT_AUTH_JWT_FIXTURE_H
#define TESTS_UNIT_AUTH_JWT_FIXTURE_H

#include <openssl/evp.h>

#include "slice.h"

enum jwt_key { KEY_RSA, KEY_UNKNOWN, KEY_RSA_1024, KEY_P256, KEY_P384, KEY_P521, KEY_COUNT };

#define JWT_NOW_S 1700000000
#define JWT_ISSUER "https://idp.example/"
#define JWT_AUDIENCE "bridge"
#define JWT_CLAIMS                                                                                           \
    "{\"iss\":\"" JWT_ISSUER "\",\"aud\":\"" JWT_AUDIENCE                                                    \
    "\",\"exp\":1700000300,\"nbf\":1699999900,\"iat\":1699999900,\"client_id\":\"marketo\"}"

/* Make and free the keys; once for a test case. */
void jwt_keys_make(void);
void jwt_keys_free(void);

/* All texts are static and good for some ten calls more. */

const char *jwt_base64url(const void *bytes, size_t len);
const char *jwt_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The public key as JSON; kid NULL: none; more: further members, ",..." */
const char *jwt_jwk(enum jwt_key key, const char *kid, const char *more);
/* The key's PEM. */
const char *jwt_pem(enum jwt_key key);

/* header and claims are signed as they are; alg says how, whatever the header says. HS256: with the PEM of
 * the key as the secret. */
const char *jwt_token(enum jwt_key key, const char *alg, const char *header, const char *claims);
const char *jwt_with_signature(const char *header, const char *claims, const void *signature, size_t len);

#endif
