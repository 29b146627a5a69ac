// SPDX-License-Identifier: Apache-2.0
//
// A set of public keys (RFC 7517), as an identity provider publishes it. Immutable
// once made and reference-counted; any thread.
#ifndef BRIDGE_AUTH_JWKS_H
#define BRIDGE_AUTH_JWKS_H

#include <cjose/cjose.h>
#include <stdbool.h>
#include <stddef.h>

#include "slice.h"

/* Bytes of a document, keys taken from it. */
#define JWKS_DOCUMENT_MAX ((size_t)256 * 1024)
#define JWKS_KEYS_MAX 64

struct jwks;

/* Reads the document. Keys that cannot verify a signature of ours are left out and counted in *ignored:
 * symmetric ones, other types and curves, RSA under 2048 or over 8192 bits, `use` other than "sig", `key_ops`
 * without "verify", an `alg` that does not fit the type. NULL, with words in errstr, when it is no key set,
 * or none of its keys is left. */
struct jwks *jwks_read(struct slice document, size_t *ignored, char *errstr, size_t errstr_size);
struct jwks *jwks_retain(struct jwks *jwks);
void jwks_release(struct jwks *jwks); /* may be NULL */

size_t jwks_count(const struct jwks *jwks);

/* The next key that may verify `alg` (RS*, PS*, ES* of 256, 384, 512): of the type and curve that
 * alg is bound to, not published for another one. kid absent: any; else only those with that kid.
 * *at is 0 before the first call. NULL when there is none left. */
const cjose_jwk_t *jwks_next(const struct jwks *jwks, struct slice kid, const char *alg, size_t *at);

/* Whether any key has this kid. */
bool jwks_has(const struct jwks *jwks, struct slice kid);

#endif
