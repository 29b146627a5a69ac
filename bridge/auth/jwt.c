// SPDX-License-Identifier: Apache-2.0
//
// Judges one access token: its form, its header, its signature, then what it says;
// any thread.
//
// Nothing but form and header is looked at before the signature is good, and a signature costs at most
// TRIES_MAX verifications. The rules are those of RFC 8725, the sections are named where they are kept.
#include "auth/jwt.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <strings.h>

#include "auth/jose.h"

/* base64url; with a chain of certificates in it, which some put there. What is in a header costs work before
 * the signature does. */
#define HEADER_MAX 8192
#define KID_MAX 256
#define TRIES_MAX 8

struct parts {
    struct slice header, payload, signature;
};

/* Everything in one place while a token is judged. */
struct judgement {
    cjose_jws_t *jws;
    json_t *header; /* the one that cjose goes by; the jws's */
    const char *alg;
    struct slice kid; /* absent: it has none */
    size_t signature_len;
    const char *reason;
};

static bool split(struct slice token, struct parts *parts)
{
    struct slice *const part[] = {&parts->header, &parts->payload, &parts->signature};
    const char *at = token.ptr, *end = token.ptr + token.len;

    if (token.len == 0 || token.len > JWT_LENGTH_MAX)
        return false;
    for (size_t i = 0; i < 3; i++) {
        /* The last part reaches to the end; a dot in it is outside the alphabet. */
        const char *dot = i < 2 ? memchr(at, '.', (size_t)(end - at)) : end;
        if (dot == NULL)
            return false;
        *part[i] = (struct slice){at, (size_t)(dot - at)};
        if (!jose_is_base64url(*part[i]))
            return false;
        at = dot < end ? dot + 1 : end;
    }
    return parts->header.len <= HEADER_MAX;
}

bool jwt_looks_like_one(struct slice token)
{
    struct parts parts;
    /* What '{' becomes with whatever follows it. White space before it is allowed in JSON, but nobody writes
     * a header like that, and an opaque token may have dots. */
    return split(token, &parts) && parts.header.ptr[0] == 'e' && parts.header.len > 1 &&
           ((parts.header.ptr[1] >= 'w' && parts.header.ptr[1] <= 'z') ||
            (parts.header.ptr[1] >= '0' && parts.header.ptr[1] <= '9') || parts.header.ptr[1] == '-' ||
            parts.header.ptr[1] == '_');
}

static bool is_asymmetric(const char *alg)
{
    static const char *const allowed[] = {"RS256", "RS384", "RS512", "PS256", "PS384",
                                          "PS512", "ES256", "ES384", "ES512"};
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
        if (strcmp(alg, allowed[i]) == 0)
            return true;
    }
    return false;
}

/* What cjose would not look for, or not say: names that stand twice, and algorithms that are not of our own
 * choice (RFC 8725 section 3.1); none and HS* are not. */
static bool check_form(struct judgement *judgement, const struct parts *parts)
{
    uint8_t *text = NULL;
    size_t len = 0;

    if (!cjose_base64url_decode(parts->header.ptr, parts->header.len, &text, &len, NULL))
        return false;
    json_t *header = json_loadb((const char *)text, len, JSON_REJECT_DUPLICATES, NULL);
    cjose_get_dealloc()(text);
    const char *alg = json_string_value(json_object_get(header, "alg"));
    bool right = alg != NULL && is_asymmetric(alg);
    if (alg != NULL && !right)
        judgement->reason = "wrong_algorithm";
    json_decref(header);
    return right;
}

/* RFC 8725 section 3.11: not a token that was made for something else. Names of media types are compared
 * without regard to case and may be without "application/" (RFC 7515 section 4.1.9). */
static bool is_access_token(json_t *typ)
{
    static const char prefix[] = "application/";
    if (typ == NULL)
        return true;
    const char *name = json_string_value(typ);
    if (name == NULL)
        return false;
    if (strncasecmp(name, prefix, sizeof prefix - 1) == 0)
        name += sizeof prefix - 1;
    return strcasecmp(name, "JWT") == 0 || strcasecmp(name, "at+jwt") == 0;
}

/* What else is in the header: jwk, jku, x5c and x5u name a key of the sender's choice and are never looked at
 * (section 3.10). No extension is understood, so none may be critical (RFC 7515 section 4.1.11); b64 changes
 * what is signed (RFC 7797). */
static bool check_header(struct judgement *judgement)
{
    json_t *kid = json_object_get(judgement->header, "kid");
    judgement->alg = json_string_value(json_object_get(judgement->header, "alg"));
    if (judgement->alg == NULL || !is_asymmetric(judgement->alg) ||
        json_object_get(judgement->header, "crit") != NULL ||
        json_object_get(judgement->header, "b64") != NULL)
        return false;
    if (!is_access_token(json_object_get(judgement->header, "typ")))
        return false;
    if (kid != NULL) {
        if (!json_is_string(kid) || json_string_length(kid) > KID_MAX)
            return false;
        judgement->kid = (struct slice){json_string_value(kid), json_string_length(kid)};
    }
    return true;
}

/* Two numbers of the curve's size, or one of the modulus's: cjose would halve whatever it is given. */
static size_t signature_len_of(const cjose_jwk_t *jwk)
{
    size_t octets = (cjose_jwk_get_keysize(jwk, NULL) + 7) / 8;
    return cjose_jwk_get_kty(jwk, NULL) == CJOSE_JWK_KTY_EC ? 2 * octets : octets;
}

static enum jwt_result check_signature(struct judgement *judgement, const struct jwks *jwks)
{
    const cjose_jwk_t *jwk;
    unsigned tries = 0;
    for (size_t at = 0;
         tries < TRIES_MAX && (jwk = jwks_next(jwks, judgement->kid, judgement->alg, &at)) != NULL; tries++) {
        if (signature_len_of(jwk) != judgement->signature_len)
            continue;
        if (cjose_jws_verify(judgement->jws, jwk, NULL))
            return JWT_VALID;
    }
    if (!slice_present(judgement->kid) || !jwks_has(jwks, judgement->kid)) {
        judgement->reason = "unknown_kid";
        return JWT_UNKNOWN_KEY;
    }
    judgement->reason = tries == 0 ? "wrong_algorithm" : "bad_signature";
    return JWT_INVALID;
}

static bool is_text(json_t *value, const char *text)
{
    const char *string = json_string_value(value);
    return string != NULL && text != NULL && strcmp(string, text) == 0;
}

static bool is_for(json_t *aud, const char *audience)
{
    if (!json_is_array(aud))
        return is_text(aud, audience);
    bool found = false;
    for (size_t i = 0; i < json_array_size(aud); i++) {
        if (!json_is_string(json_array_get(aud, i)))
            return false;
        found = found || is_text(json_array_get(aud, i), audience);
    }
    return found;
}

/* Seconds since 1970, perhaps with a fraction (RFC 7519 section 2). False when it is something else; `given`
 * says whether it is there. */
static bool read_time(json_t *claims, const char *name, bool *given, double *ms)
{
    json_t *value = json_object_get(claims, name);
    *given = value != NULL;
    *ms = json_number_value(value) * 1000;
    return !*given || (json_is_number(value) && isfinite(*ms));
}

static const char *check_times(json_t *claims, int64_t wall_ms)
{
    const double now = (double)wall_ms, leeway = JWT_LEEWAY_S * 1000.0;
    bool has_exp, has_nbf, has_iat;
    double exp, nbf, iat;

    if (!read_time(claims, "exp", &has_exp, &exp) || !read_time(claims, "nbf", &has_nbf, &nbf) ||
        !read_time(claims, "iat", &has_iat, &iat) || !has_exp)
        return "bad_jwt";
    if (now >= exp + leeway)
        return "expired";
    if ((has_nbf && now < nbf - leeway) || (has_iat && now < iat - leeway))
        return "not_yet_valid";
    return NULL;
}

static bool is_from_allowed(json_t *claims, const struct jwt_rules *rules)
{
    static const char *const names[] = {"azp", "client_id"};
    bool given = false;
    if (rules->allowed_client_count == 0)
        return true;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        json_t *client = json_object_get(claims, names[i]);
        bool allowed = client == NULL;
        for (size_t j = 0; j < rules->allowed_client_count && !allowed; j++)
            allowed = is_text(client, rules->allowed_clients[j]);
        if (!allowed)
            return false;
        given = given || client != NULL;
    }
    return given;
}

/* Sections 3.8, 3.9: who has issued it and for whom. NULL: all is right. */
static const char *check_claims(json_t *claims, const struct jwt_rules *rules, int64_t wall_ms)
{
    if (!json_is_object(claims))
        return "bad_jwt";
    if (!is_text(json_object_get(claims, "iss"), rules->issuer))
        return "wrong_issuer";
    if (!is_for(json_object_get(claims, "aud"), rules->audience))
        return "wrong_audience";
    const char *wrong = check_times(claims, wall_ms);
    if (wrong != NULL)
        return wrong;
    return is_from_allowed(claims, rules) ? NULL : "wrong_client";
}

static enum jwt_result check_payload(struct judgement *judgement, const struct jwt_rules *rules,
                                     int64_t wall_ms)
{
    uint8_t *payload = NULL;
    size_t len = 0;
    if (!cjose_jws_get_plaintext(judgement->jws, &payload, &len, NULL))
        return JWT_INVALID;
    json_t *claims = json_loadb((const char *)payload, len, JSON_REJECT_DUPLICATES, NULL);
    if (claims == NULL)
        return JWT_INVALID;
    judgement->reason = check_claims(claims, rules, wall_ms);
    json_decref(claims);
    return judgement->reason == NULL ? JWT_VALID : JWT_INVALID;
}

static enum jwt_result judge(struct judgement *judgement, struct slice token, const struct parts *parts,
                             const struct jwks *jwks, const struct jwt_rules *rules, int64_t wall_ms)
{
    if (!check_form(judgement, parts))
        return JWT_INVALID;
    judgement->jws = cjose_jws_import(token.ptr, token.len, NULL);
    if (judgement->jws == NULL)
        return JWT_INVALID;
    /* From here on only the header that cjose verifies by, so that nothing can be read in two ways. */
    judgement->header = (json_t *)cjose_jws_get_protected(judgement->jws);
    if (!check_header(judgement))
        return JWT_INVALID;
    enum jwt_result result = check_signature(judgement, jwks);
    return result == JWT_VALID ? check_payload(judgement, rules, wall_ms) : result;
}

enum jwt_result jwt_judge(struct slice token, const struct jwks *jwks, const struct jwt_rules *rules,
                          int64_t wall_ms, const char **reason, char *kid, size_t kid_size)
{
    struct judgement judgement = {.reason = "bad_jwt"};
    struct parts parts;

    if (kid_size > 0)
        kid[0] = '\0';
    *reason = "bad_jwt";
    if (!split(token, &parts))
        return JWT_INVALID;
    judgement.signature_len = parts.signature.len * 3 / 4;
    enum jwt_result result = JWT_NO_MEMORY;
    if (jose_begin(jose_room(token.len))) {
        result = judge(&judgement, token, &parts, jwks, rules, wall_ms);
        /* Whatever it seemed to be: without memory jansson can leave out a member and not say so. */
        if (jose_out_of_memory())
            result = JWT_NO_MEMORY;
        if (result == JWT_UNKNOWN_KEY && slice_present(judgement.kid) && kid_size > 0)
            snprintf(kid, kid_size, "%s", judgement.kid.ptr);
        cjose_jws_release(judgement.jws);
        jose_end();
    }
    *reason = result == JWT_NO_MEMORY ? "no_memory" : judgement.reason;
    return result;
}
