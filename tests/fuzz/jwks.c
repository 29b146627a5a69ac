// SPDX-License-Identifier: Apache-2.0
//
// Key sets: every key that is taken can verify what it is taken for, as OpenSSL sees it, and none is lost
// uncounted.
#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/objects.h>
#include <stdlib.h>

#include "auth/jwks.h"
#include "fuzz.h"

static BIGNUM *number_of(const json_t *key, const char *name)
{
    const char *text = json_string_value(json_object_get(key, name));
    uint8_t *bytes = NULL;
    size_t length = 0;
    fuzz_check(text != NULL && cjose_base64url_decode(text, strlen(text), &bytes, &length, NULL));
    BIGNUM *number = BN_bin2bn(bytes, (int)length, NULL);
    cjose_get_dealloc()(bytes);
    fuzz_check(number != NULL);
    return number;
}

static void check_rsa(const json_t *key)
{
    BIGNUM *n = number_of(key, "n"), *e = number_of(key, "e");
    fuzz_check(BN_num_bits(n) >= 2048 && BN_num_bits(n) <= 8192 && BN_is_odd(n));
    fuzz_check(BN_num_bits(e) >= 2 && BN_num_bits(e) <= 64 && BN_is_odd(e));
    BN_free(n);
    BN_free(e);
}

static void check_ec(const json_t *key, int nid)
{
    BIGNUM *x = number_of(key, "x"), *y = number_of(key, "y");
    EC_GROUP *group = EC_GROUP_new_by_curve_name(nid);
    EC_POINT *point = EC_POINT_new(group);
    fuzz_check(EC_POINT_set_affine_coordinates(group, point, x, y, NULL) == 1);
    fuzz_check(EC_POINT_is_on_curve(group, point, NULL) == 1);
    EC_POINT_free(point);
    EC_GROUP_free(group);
    BN_free(x);
    BN_free(y);
}

static void check_key(const cjose_jwk_t *jwk, const char *alg)
{
    static const struct {
        const char *alg;
        int nid;
    } curves[] = {{"ES256", NID_X9_62_prime256v1}, {"ES384", NID_secp384r1}, {"ES512", NID_secp521r1}};
    /* With its private part, if there were one. */
    char *text = cjose_jwk_to_json(jwk, true, NULL);
    fuzz_check(text != NULL);
    json_t *key = json_loads(text, 0, NULL);
    fuzz_check(json_object_get(key, "d") == NULL && json_object_get(key, "k") == NULL);
    if (alg[0] != 'E')
        check_rsa(key);
    for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++)
        if (strcmp(curves[i].alg, alg) == 0)
            check_ec(key, curves[i].nid);
    json_decref(key);
    cjose_get_dealloc()(text);
}

static void check_set(const struct jwks *jwks, size_t ignored, const json_t *json)
{
    static const char *const algs[] = {"RS256", "RS384", "RS512", "PS256", "PS384",
                                       "PS512", "ES256", "ES384", "ES512"};
    fuzz_check(jwks_count(jwks) >= 1 && jwks_count(jwks) <= JWKS_KEYS_MAX);
    fuzz_check(jwks_count(jwks) + ignored == json_array_size(json_object_get(json, "keys")));
    size_t found = 0;
    for (size_t i = 0; i < sizeof algs / sizeof algs[0]; i++) {
        const cjose_jwk_t *jwk;
        for (size_t at = 0; (jwk = jwks_next(jwks, SLICE_ABSENT, algs[i], &at)) != NULL; found++)
            check_key(jwk, algs[i]);
    }
    fuzz_check(found >= jwks_count(jwks)); /* each is good for something */
    size_t at = 0;
    const struct slice kid = SLICE_LITERAL("k");
    fuzz_check(jwks_has(jwks, kid) || jwks_next(jwks, kid, "RS256", &at) == NULL);
    for (const char *const *alg = (const char *const[]){"none", "HS256", "EdDSA", "", NULL}; *alg != NULL;
         alg++)
        fuzz_check((at = 0, jwks_next(jwks, SLICE_ABSENT, *alg, &at)) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_copy((struct slice){(const char *)data, size});
    char errstr[160] = "";
    size_t ignored = 0;
    struct jwks *jwks = jwks_read((struct slice){text, size}, &ignored, errstr, sizeof errstr);
    fuzz_check((jwks == NULL) == (errstr[0] != '\0'));
    if (jwks != NULL) {
        json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
        check_set(jwks, ignored, json);
        json_decref(json);
    }
    jwks_release(jwks);
    free(text);
    return 0;
}
