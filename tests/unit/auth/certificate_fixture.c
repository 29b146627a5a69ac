// SPDX-License-Identifier: Apache-2.0
//
// See certificate_fixture.h.
#include "auth/certificate_fixture.h"

#include <check.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void add_extension(X509 *certificate, X509V3_CTX *context, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, context, nid, value);
    ck_assert_ptr_nonnull(extension);
    ck_assert_int_eq(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

struct identity identity_make(const struct certificate_wish *wish)
{
    bool small = wish->key_type != NULL && strcmp(wish->key_type, "RSA-1024") == 0;
    struct identity made = {X509_new(), small ? EVP_RSA_gen(1024) : EVP_EC_gen("P-256")};
    X509 *certificate = made.certificate;
    const struct identity *issuer = wish->issuer != NULL ? wish->issuer : &made;
    bool dated = wish->from_s != 0 || wish->to_s != 0;
    X509V3_CTX context;

    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), wish->serial != 0 ? wish->serial : 1);
    if (wish->name != NULL)
        X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                                   (const unsigned char *)wish->name, -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(issuer->certificate));
    X509_gmtime_adj(X509_getm_notBefore(certificate), dated ? wish->from_s : -DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(certificate), dated ? wish->to_s : DAY_S);
    X509_set_pubkey(certificate, made.key);
    X509V3_set_ctx(&context, issuer->certificate, certificate, NULL, NULL, 0);
    add_extension(certificate, &context, NID_basic_constraints,
                  wish->ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (wish->ca)
        add_extension(certificate, &context, NID_key_usage, "critical,keyCertSign,cRLSign");
    if (wish->purpose != NULL)
        add_extension(certificate, &context, NID_ext_key_usage, wish->purpose);
    if (wish->names != NULL)
        add_extension(certificate, &context, NID_subject_alt_name, wish->names);
    ck_assert_int_gt(X509_sign(certificate, issuer->key, wish->digest != NULL ? wish->digest : EVP_sha256()),
                     0);
    return made;
}

void identity_free(struct identity *identity)
{
    X509_free(identity->certificate);
    EVP_PKEY_free(identity->key);
}

X509_CRL *crl_make(const struct identity *issuer, long serial, long from_s, long to_s)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *time = ASN1_TIME_new();
    X509_CRL_set_version(crl, X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->certificate));
    X509_gmtime_adj(time, from_s);
    X509_CRL_set1_lastUpdate(crl, time);
    if (serial != 0) {
        X509_REVOKED *revoked = X509_REVOKED_new();
        ASN1_INTEGER *number = ASN1_INTEGER_new();
        ASN1_INTEGER_set(number, serial);
        X509_REVOKED_set_serialNumber(revoked, number);
        X509_REVOKED_set_revocationDate(revoked, time);
        X509_CRL_add0_revoked(crl, revoked);
        ASN1_INTEGER_free(number);
    }
    X509_gmtime_adj(time, to_s);
    X509_CRL_set1_nextUpdate(crl, time);
    ASN1_TIME_free(time);
    X509_CRL_sort(crl);
    ck_assert_int_gt(X509_CRL_sign(crl, issuer->key, EVP_sha256()), 0);
    return crl;
}

char *file_make(void)
{
    char *path = strdup("/tmp/check_certificate.XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    return path;
}

static FILE *append(const char *path)
{
    FILE *file = fopen(path, "a");
    ck_assert_ptr_nonnull(file);
    return file;
}

void file_add_certificate(const char *path, X509 *certificate)
{
    FILE *file = append(path);
    ck_assert_int_eq(PEM_write_X509(file, certificate), 1);
    fclose(file);
}

void file_add_crl(const char *path, X509_CRL *crl)
{
    FILE *file = append(path);
    ck_assert_int_eq(PEM_write_X509_CRL(file, crl), 1);
    fclose(file);
    X509_CRL_free(crl);
}

void file_add_text(const char *path, const char *text)
{
    FILE *file = append(path);
    fputs(text, file);
    fclose(file);
}

void file_remove(char *path)
{
    unlink(path);
    free(path);
}
