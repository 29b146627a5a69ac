// SPDX-License-Identifier: Apache-2.0
//
// Reads a set of public keys (RFC 7517) and finds keys in it; any thread.
//
// cjose makes the keys, but it checks little: it takes a modulus of any size and, where a private member is
// there, makes the public key of an elliptic curve from that. So each key is looked at first, and cjose is
// given its public members and nothing else. cjose counts references without a lock: a key has one, the
// set's.
#include "auth/jwks.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>

#include "auth/jose.h"
#include "auth/secret_memory.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192
/* OpenSSL takes no longer exponent with a large modulus; work for strangers' signatures grows with it. */
#define RSA_EXPONENT_MAX 8
#define KID_MAX 256

struct key {
    cjose_jwk_t *jwk;
    char *kid;       /* NULL: it has none */
    const char *alg; /* a literal: the only one it is published for; NULL: any that fits */
};

struct jwks {
    atomic_uint references;
    size_t count;
    struct key keys[JWKS_KEYS_MAX];
};

static const struct algorithm {
    const char *name;
    cjose_jwk_kty_t kty;
    cjose_jwk_ec_curve curve; /* RFC 7518 section 3.4 binds each ES* to one */
} algorithms[] = {
    {"RS256", CJOSE_JWK_KTY_RSA, CJOSE_JWK_EC_INVALID}, {"RS384", CJOSE_JWK_KTY_RSA, CJOSE_JWK_EC_INVALID},
    {"RS512", CJOSE_JWK_KTY_RSA, CJOSE_JWK_EC_INVALID}, {"PS256", CJOSE_JWK_KTY_RSA, CJOSE_JWK_EC_INVALID},
    {"PS384", CJOSE_JWK_KTY_RSA, CJOSE_JWK_EC_INVALID}, {"PS512", CJOSE_JWK_KTY_RSA, CJOSE_JWK_EC_INVALID},
    {"ES256", CJOSE_JWK_KTY_EC, CJOSE_JWK_EC_P_256},    {"ES384", CJOSE_JWK_KTY_EC, CJOSE_JWK_EC_P_384},
    {"ES512", CJOSE_JWK_KTY_EC, CJOSE_JWK_EC_P_521},
};

static const struct algorithm *find_algorithm(const char *name)
{
    for (size_t i = 0; i < sizeof algorithms / sizeof algorithms[0]; i++) {
        if (strcmp(algorithms[i].name, name) == 0)
            return &algorithms[i];
    }
    return NULL;
}

static bool fits(const struct algorithm *algorithm, const cjose_jwk_t *jwk)
{
    if (cjose_jwk_get_kty(jwk, NULL) != algorithm->kty)
        return false;
    return algorithm->kty != CJOSE_JWK_KTY_EC || cjose_jwk_EC_get_curve(jwk, NULL) == algorithm->curve;
}

/* A member that is base64url; NULL when it is not. */
static const char *octets_of(json_t *key, const char *name)
{
    json_t *value = json_object_get(key, name);
    struct slice text = {json_string_value(value), json_string_length(value)};
    return jose_is_base64url(text) ? text.ptr : NULL;
}

/* The size in bits of an unsigned, big-endian number without its leading zeros, and whether it is odd. */
static size_t bits_of(const uint8_t *octets, size_t len, bool *odd)
{
    while (len > 0 && octets[0] == 0) {
        octets++;
        len--;
    }
    *odd = len > 0 && (octets[len - 1] & 1) != 0;
    return len == 0 ? 0 : len * 8 - (size_t)__builtin_clz((unsigned)octets[0] << 24);
}

/* False, too, when out of memory. */
static bool number_within(const char *text, size_t bits_min, size_t bits_max)
{
    uint8_t *octets = NULL;
    size_t len = 0;
    bool odd = false;
    if (!cjose_base64url_decode(text, strlen(text), &octets, &len, NULL))
        return false;
    size_t bits = bits_of(octets, len, &odd);
    cjose_get_dealloc()(octets);
    return odd && bits >= bits_min && bits <= bits_max;
}

/* The public members of the key and no others; NULL when they are not right or out of memory. */
static json_t *public_part(json_t *key)
{
    const char *kty = json_string_value(json_object_get(key, "kty"));
    if (kty == NULL)
        return NULL;
    if (strcmp(kty, "RSA") == 0) {
        const char *n = octets_of(key, "n"), *e = octets_of(key, "e");
        /* An odd number of at least 2 bits is at least 3; RSA with 1 leaves every message as it is. */
        if (n == NULL || e == NULL || !number_within(n, RSA_BITS_MIN, RSA_BITS_MAX) ||
            !number_within(e, 2, RSA_EXPONENT_MAX * 8))
            return NULL;
        return json_pack("{s:s, s:s, s:s}", "kty", kty, "n", n, "e", e);
    }
    if (strcmp(kty, "EC") == 0) {
        /* cjose wants coordinates of full length, and OpenSSL a point that is on the curve. */
        const char *x = octets_of(key, "x"), *y = octets_of(key, "y");
        const char *crv = json_string_value(json_object_get(key, "crv"));
        if (x == NULL || y == NULL || crv == NULL)
            return NULL;
        return json_pack("{s:s, s:s, s:s, s:s}", "kty", kty, "crv", crv, "x", x, "y", y);
    }
    return NULL;
}

/* RFC 7517 sections 4.2 and 4.3. */
static bool is_for_verification(json_t *key)
{
    json_t *use = json_object_get(key, "use"), *key_ops = json_object_get(key, "key_ops");
    if (use != NULL && (!json_is_string(use) || strcmp(json_string_value(use), "sig") != 0))
        return false;
    if (key_ops == NULL)
        return true;
    for (size_t i = 0; i < json_array_size(key_ops); i++) {
        const char *operation = json_string_value(json_array_get(key_ops, i));
        if (operation != NULL && strcmp(operation, "verify") == 0)
            return true;
    }
    return false;
}

static void key_clear(struct key *key)
{
    if (key->jwk != NULL)
        cjose_jwk_release(key->jwk);
    secret_free(key->kid);
}

/* False: it is left out, or memory was short. */
static bool key_read(json_t *json, struct key *key)
{
    json_t *kid = json_object_get(json, "kid"), *alg = json_object_get(json, "alg");
    const struct algorithm *algorithm = NULL;

    if (!json_is_object(json) || !is_for_verification(json))
        return false;
    if (kid != NULL && (!json_is_string(kid) || json_string_length(kid) > KID_MAX))
        return false;
    if (alg != NULL) {
        algorithm = json_is_string(alg) ? find_algorithm(json_string_value(alg)) : NULL;
        if (algorithm == NULL)
            return false;
        key->alg = algorithm->name;
    }

    json_t *part = public_part(json);
    if (part == NULL)
        return false;
    key->jwk = cjose_jwk_import_json(part, NULL);
    json_decref(part);
    if (key->jwk == NULL || (algorithm != NULL && !fits(algorithm, key->jwk)))
        return false;
    if (kid == NULL)
        return true;
    key->kid = secret_strdup(json_string_value(kid));
    return key->kid != NULL;
}

static struct jwks *keys_read(json_t *keys, size_t *ignored, const char **problem)
{
    struct jwks *jwks = secret_calloc(1, sizeof *jwks);
    if (jwks == NULL)
        return NULL;
    atomic_init(&jwks->references, 1);
    for (size_t i = 0; i < json_array_size(keys); i++) {
        struct key key = {NULL, NULL, NULL};
        if (jwks->count < JWKS_KEYS_MAX && key_read(json_array_get(keys, i), &key)) {
            jwks->keys[jwks->count++] = key;
            continue;
        }
        key_clear(&key);
        ++*ignored;
    }
    if (jwks->count > 0)
        return jwks;
    *problem = "no key in it can verify a signature";
    jwks_release(jwks);
    return NULL;
}

static struct jwks *document_read(struct slice document, size_t *ignored, char *errstr, size_t errstr_size)
{
    json_error_t error;
    json_t *json = json_loadb(document.ptr, document.len, JSON_REJECT_DUPLICATES, &error);
    if (json == NULL) {
        snprintf(errstr, errstr_size, "not JSON, or a member stands twice (line %d, column %d)", error.line,
                 error.column);
        return NULL;
    }
    const char *problem = "no array \"keys\" in it";
    struct jwks *jwks = NULL;
    json_t *keys = json_object_get(json, "keys");
    if (json_is_array(keys))
        jwks = keys_read(keys, ignored, &problem);
    if (jwks == NULL)
        snprintf(errstr, errstr_size, "%s", problem);
    json_decref(json);
    return jwks;
}

struct jwks *jwks_read(struct slice document, size_t *ignored, char *errstr, size_t errstr_size)
{
    *ignored = 0;
    if (document.len > JWKS_DOCUMENT_MAX) {
        snprintf(errstr, errstr_size, "larger than %zu bytes", JWKS_DOCUMENT_MAX);
        return NULL;
    }
    if (document.ptr == NULL)
        document = SLICE_LITERAL("");
    if (!jose_begin(0)) {
        snprintf(errstr, errstr_size, "out of memory");
        return NULL;
    }
    struct jwks *jwks = document_read(document, ignored, errstr, errstr_size);
    /* A set that lacks a key for lack of memory would refuse the key's tokens for good. */
    if (jose_out_of_memory()) {
        jwks_release(jwks);
        jwks = NULL;
        snprintf(errstr, errstr_size, "out of memory");
    }
    jose_end();
    return jwks;
}

struct jwks *jwks_retain(struct jwks *jwks)
{
    atomic_fetch_add_explicit(&jwks->references, 1, memory_order_relaxed);
    return jwks;
}

void jwks_release(struct jwks *jwks)
{
    if (jwks == NULL || atomic_fetch_sub_explicit(&jwks->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < jwks->count; i++)
        key_clear(&jwks->keys[i]);
    secret_free(jwks);
}

size_t jwks_count(const struct jwks *jwks)
{
    return jwks->count;
}

static bool has_kid(const struct key *key, struct slice kid)
{
    return key->kid != NULL && slice_equal(slice_of(key->kid), kid);
}

const cjose_jwk_t *jwks_next(const struct jwks *jwks, struct slice kid, const char *alg, size_t *at)
{
    const struct algorithm *algorithm = find_algorithm(alg);
    while (algorithm != NULL && *at < jwks->count) {
        const struct key *key = &jwks->keys[(*at)++];
        if (slice_present(kid) && !has_kid(key, kid))
            continue;
        if (fits(algorithm, key->jwk) && (key->alg == NULL || key->alg == algorithm->name))
            return key->jwk;
    }
    return NULL;
}

bool jwks_has(const struct jwks *jwks, struct slice kid)
{
    for (size_t i = 0; i < jwks->count; i++) {
        if (has_kid(&jwks->keys[i], kid))
            return true;
    }
    return false;
}
