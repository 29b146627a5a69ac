// SPDX-License-Identifier: Apache-2.0
//
// Client certificates. A store is made at the start and at a reload, on the main thread, and only read
// afterwards; any thread.
//
// Every certificate of the CA file is trusted, an intermediate one too: who pins the CA that issues the
// certificates does not want those of its siblings. With CRLs, one of the leaf's issuer is demanded, so that
// CA must be in the file as well; those of CAs above it count when they are there.
#include "auth/certificate.h"

#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "auth/crypto_errors.h"

/* CAs between a leaf and a trusted one; a peer that is unknown yet pays for no more than that. */
#define CHAIN_DEPTH_MAX 8

/* As OpenSSL's security level 2, Debian's for TLS: RSA of 2048 bits, EC of 224, no SHA-1. */
#define STRENGTH_LEVEL 2

/* --- loading --- */

static int no_password(char *buffer, int size, int writing, void *data)
{
    (void)buffer, (void)size, (void)writing, (void)data;
    return -1; /* instead of asking on the terminal */
}

static void say(char *errstr, size_t errstr_size, const char *path, const char *words)
{
    snprintf(errstr, errstr_size, "%s: %s", path, words);
}

/* Whether the last read from a PEM file came to its end, and not to something that is broken. */
static bool is_end(void)
{
    unsigned long error = ERR_peek_last_error();
    return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

static bool load_cas(X509_STORE *store, const char *path, char *errstr, size_t errstr_size)
{
    size_t count = 0;
    bool added = true;
    X509 *ca;
    BIO *bio = BIO_new_file(path, "r");
    if (bio == NULL) {
        say(errstr, errstr_size, path, "cannot be read");
        return false;
    }
    ERR_clear_error(); /* that memory was short is told at the end, for both files */
    while (added && (ca = PEM_read_bio_X509(bio, NULL, no_password, NULL)) != NULL) {
        /* OpenSSL looks into a certificate once, and what it could not read for lack of memory then would
         * count as invalid for good. */
        X509_check_purpose(ca, -1, 0);
        added = X509_STORE_add_cert(store, ca) == 1;
        X509_free(ca);
        count++;
    }
    bool whole = added && is_end();
    BIO_free(bio);
    if (!whole)
        say(errstr, errstr_size, path, "has a certificate that cannot be read");
    else if (count == 0)
        say(errstr, errstr_size, path, "has no certificate in PEM");
    return whole && count > 0;
}

static bool is_issued_by(X509_CRL *crl, X509 *ca)
{
    EVP_PKEY *key = X509_get0_pubkey(ca);
    return key != NULL && X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_subject_name(ca)) == 0 &&
           X509_CRL_verify(crl, key) == 1;
}

static bool has_issuer(X509_CRL *crl, X509_STORE *store)
{
    STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);
    for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        X509 *ca = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
        if (ca != NULL && is_issued_by(crl, ca))
            return true;
    }
    return false;
}

static bool load_crls(X509_STORE *store, const char *path, char *errstr, size_t errstr_size)
{
    size_t count = 0;
    bool foreign = false, added = true;
    X509_CRL *crl;
    BIO *bio = BIO_new_file(path, "r");
    if (bio == NULL) {
        say(errstr, errstr_size, path, "cannot be read");
        return false;
    }
    ERR_clear_error();
    while (added && (crl = PEM_read_bio_X509_CRL(bio, NULL, no_password, NULL)) != NULL) {
        foreign = !has_issuer(crl, store);
        added = !foreign && X509_STORE_add_crl(store, crl) == 1;
        X509_CRL_free(crl);
        count++;
    }
    bool whole = added && is_end();
    BIO_free(bio);
    if (foreign)
        say(errstr, errstr_size, path, "has a CRL that none of the CAs has signed");
    else if (!whole)
        say(errstr, errstr_size, path, "has a CRL that cannot be read");
    else if (count == 0)
        say(errstr, errstr_size, path, "has no CRL in PEM");
    return whole && count > 0;
}

/* --- verifying --- */

struct course {
    int crl_error; /* the first, X509_V_OK: none */
};

static bool is_crl_error(int error)
{
    switch (error) {
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_UNABLE_TO_DECRYPT_CRL_SIGNATURE:
    case X509_V_ERR_CRL_SIGNATURE_FAILURE:
    case X509_V_ERR_CRL_NOT_YET_VALID:
    case X509_V_ERR_CRL_HAS_EXPIRED:
    case X509_V_ERR_ERROR_IN_CRL_LAST_UPDATE_FIELD:
    case X509_V_ERR_ERROR_IN_CRL_NEXT_UPDATE_FIELD:
    case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
    case X509_V_ERR_KEYUSAGE_NO_CRL_SIGN:
    case X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION:
    case X509_V_ERR_DIFFERENT_CRL_SCOPE:
    case X509_V_ERR_CRL_PATH_VALIDATION_ERROR:
        return true;
    default:
        return false;
    }
}

/* OpenSSL looks at CRLs before it looks at signatures and times. It is let go on over an unusable CRL, so
 * that a certificate that is forged or out of date is refused for good all the same. The last of the chain is
 * trusted because it stands in the file: an intermediate there has no issuer in the chain that a CRL about it
 * could be verified with. */
static int on_error(int ok, X509_STORE_CTX *context)
{
    int error = X509_STORE_CTX_get_error(context);
    if (ok == 1 || !is_crl_error(error))
        return ok;
    struct course *course = X509_STORE_CTX_get_app_data(context);
    int depth = X509_STORE_CTX_get_error_depth(context);
    bool anchor = depth > 0 && depth + 1 == sk_X509_num(X509_STORE_CTX_get0_chain(context));
    bool needed = depth == 0 || (error != X509_V_ERR_UNABLE_TO_GET_CRL && !anchor);
    if (needed && course->crl_error == X509_V_OK)
        course->crl_error = error;
    X509_STORE_CTX_set_error(context, X509_V_OK);
    return 1;
}

X509_STORE *certificate_store_load(const char *ca, const char *crl, char *errstr, size_t errstr_size)
{
    crypto_errors_clear();
    X509_STORE *store = X509_STORE_new();
    unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN;
    if (crl != NULL)
        flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
    if (store == NULL || X509_STORE_set_flags(store, flags) != 1 ||
        X509_STORE_set_purpose(store, X509_PURPOSE_SSL_CLIENT) != 1 ||
        X509_STORE_set_depth(store, CHAIN_DEPTH_MAX) != 1) {
        say(errstr, errstr_size, ca, "out of memory");
        goto failed;
    }
    X509_VERIFY_PARAM_set_auth_level(X509_STORE_get0_param(store), STRENGTH_LEVEL);
    if (!load_cas(store, ca, errstr, errstr_size) ||
        (crl != NULL && !load_crls(store, crl, errstr, errstr_size)))
        goto failed;
    if (crypto_errors_say_no_memory()) {
        say(errstr, errstr_size, ca, "out of memory");
        goto failed;
    }
    return store;

failed:
    crypto_errors_clear();
    X509_STORE_free(store);
    return NULL;
}

static enum auth_verdict judge_error(int error, bool no_memory, const char **reason)
{
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        *reason = "certificate_expired";
        return AUTH_DENY;
    case X509_V_ERR_CERT_REVOKED:
        *reason = "certificate_revoked";
        return AUTH_DENY;
    default:
        if (is_crl_error(error)) {
            *reason = "crl_unusable";
            return AUTH_UNAVAILABLE;
        }
        *reason = no_memory ? "no_memory" : "bad_certificate";
        return no_memory ? AUTH_UNAVAILABLE : AUTH_DENY;
    }
}

bool certificate_renew(X509 **leaf, STACK_OF(X509) * *chain)
{
    X509 *new_leaf = X509_dup(*leaf);
    STACK_OF(X509) *new_chain = sk_X509_deep_copy(*chain, X509_dup, X509_free);
    crypto_errors_clear();
    if (new_leaf == NULL || new_chain == NULL) {
        X509_free(new_leaf);
        sk_X509_pop_free(new_chain, X509_free);
        return false;
    }
    X509_free(*leaf);
    sk_X509_pop_free(*chain, X509_free);
    *leaf = new_leaf;
    *chain = new_chain;
    return true;
}

enum auth_verdict certificate_judge(X509_STORE *store, X509 *leaf, STACK_OF(X509) * chain,
                                    const char **reason, const char **detail)
{
    struct course course = {.crl_error = X509_V_OK};
    int error = X509_V_ERR_OUT_OF_MEM;
    int result = -1;

    crypto_errors_clear();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    if (context != NULL && X509_STORE_CTX_init(context, store, leaf, chain) == 1 &&
        X509_STORE_CTX_set_app_data(context, &course) == 1) {
        X509_STORE_CTX_set_verify_cb(context, on_error);
        result = X509_verify_cert(context);
        error = X509_STORE_CTX_get_error(context);
    }
    X509_STORE_CTX_free(context);
    /* Below 0 it has not come to a result. */
    bool no_memory = crypto_errors_say_no_memory() || error == X509_V_ERR_OUT_OF_MEM || result < 0;
    if (result == 1)
        error = course.crl_error;
    if (result == 1 && error == X509_V_OK)
        return AUTH_ALLOW;
    *detail = X509_verify_cert_error_string(error);
    return judge_error(error, no_memory, reason);
}

/* --- names --- */

/* A length is compared first: a name with a NUL inside is longer than what stands before it. */
static bool is_among(const ASN1_STRING *value, char *const *names, size_t count, bool any_case)
{
    const char *text = (const char *)ASN1_STRING_get0_data(value);
    size_t length = (size_t)ASN1_STRING_length(value);
    for (size_t i = 0; i < count; i++) {
        if (length == 0 || strlen(names[i]) != length)
            continue;
        if (any_case ? strncasecmp(text, names[i], length) == 0 : memcmp(text, names[i], length) == 0)
            return true;
    }
    return false;
}

/* Of several common names, the last: the most specific one. */
static bool has_common_name(X509 *leaf, char *const *names, size_t count)
{
    const X509_NAME *subject = X509_get_subject_name(leaf);
    int last = -1;
    for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0;)
        last = at;
    if (last < 0)
        return false;
    const ASN1_STRING *value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, last));
    int type = ASN1_STRING_type(value);
    return (type == V_ASN1_UTF8STRING || type == V_ASN1_PRINTABLESTRING) &&
           is_among(value, names, count, false);
}

bool certificate_has_name(X509 *leaf, char *const *names, size_t count, bool *no_memory)
{
    *no_memory = false;
    if (X509_get_ext_by_NID(leaf, NID_subject_alt_name, -1) < 0)
        return has_common_name(leaf, names, count);

    crypto_errors_clear();
    GENERAL_NAMES *alternatives = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    *no_memory = alternatives == NULL && crypto_errors_say_no_memory();
    bool found = false;
    for (int i = 0; i < sk_GENERAL_NAME_num(alternatives) && !found; i++) {
        int type = 0;
        const ASN1_STRING *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(alternatives, i), &type);
        if (type == GEN_DNS || type == GEN_URI)
            found = is_among(value, names, count, type == GEN_DNS);
    }
    GENERAL_NAMES_free(alternatives);
    return found;
}
