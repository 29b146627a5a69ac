// SPDX-License-Identifier: Apache-2.0
//
// Certificates and CRLs made for a test, and files of them.
#ifndef TESTS_UNIT_AUTH_CERTIFICATE_FIXTURE_H
#define TESTS_UNIT_AUTH_CERTIFICATE_FIXTURE_H

#include <openssl/x509v3.h>
#include <stdbool.h>

#define DAY_S (24 * 3600)

/* A certificate with the key it was made for. */
struct identity {
    X509 *certificate;
    EVP_PKEY *key;
};

struct certificate_wish {
    const char *name;              /* common name; NULL: an empty subject */
    const struct identity *issuer; /* NULL: itself */
    bool ca;
    const char *purpose; /* extendedKeyUsage; NULL: none */
    const char *names;   /* subjectAltName, as openssl-x509v3_config(5); NULL: none */
    long serial;
    long from_s, to_s;    /* from now; both 0: from yesterday to tomorrow */
    const char *key_type; /* "P-256"; "RSA-1024" */
    const EVP_MD *digest; /* NULL: SHA-256 */
};

struct identity identity_make(const struct certificate_wish *wish);
void identity_free(struct identity *identity);

/* serial 0: nothing is revoked. */
X509_CRL *crl_make(const struct identity *issuer, long serial, long from_s, long to_s);

/* A new, empty file; to be removed and freed by file_remove. */
char *file_make(void);
void file_add_certificate(const char *path, X509 *certificate);
void file_add_crl(const char *path, X509_CRL *crl); /* frees the CRL */
void file_add_text(const char *path, const char *text);
void file_remove(char *path);

#endif
