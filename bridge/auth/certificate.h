// SPDX-License-Identifier: Apache-2.0
//
// Client certificates: the chain that a peer has shown, against a CA file and a CRL; its names
// against those that an endpoint wants. Any thread.
#ifndef BRIDGE_AUTH_CERTIFICATE_H
#define BRIDGE_AUTH_CERTIFICATE_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

#include "auth/verdict.h"

/* CA certificates, and CRLs when there are any. NULL, with the reason and the file in errstr, when one cannot
 * be read, is empty, or a CRL belongs to none of the CAs. crl NULL: none are asked for. */
X509_STORE *certificate_store_load(const char *ca, const char *crl, char *errstr, size_t errstr_size);

/* Verifies the chain for TLS client authentication. Reasons: AUTH_DENY "bad_certificate" (chain, purpose),
 * "certificate_expired", "certificate_revoked"; AUTH_UNAVAILABLE "crl_unusable" (out of date, or none of the
 * issuer's), "no_memory". detail: OpenSSL's words, a literal. */
enum auth_verdict certificate_judge(X509_STORE *store, X509 *leaf, STACK_OF(X509) * chain,
                                    const char **reason, const char **detail);

/* OpenSSL looks into a certificate once: what it cannot read in it for lack of memory makes it invalid for
 * good. Puts copies in the place of what was judged so. False when out of memory; all is as it was then. */
bool certificate_renew(X509 **leaf, STACK_OF(X509) * *chain);

/* Whether one of its names is among `names`: subject alternative names of the types DNS (letters in any case)
 * and URI (byte for byte), whole and without wildcards; the subject's common name only when there is no
 * subject alternative name at all (RFC 6125 section 6.4.4), and of several the last. *no_memory: it could not
 * be told, which is no refusal. */
bool certificate_has_name(X509 *leaf, char *const *names, size_t count, bool *no_memory);

#endif
