// SPDX-License-Identifier: Apache-2.0
//
// Adobe's digital signature (Adobe I/O Events, "Digital Signature"): RSASSA-PKCS1-v1_5 with SHA-256 over the
// raw body, twice, by two keys; either one suffices. Any thread.
#ifndef BRIDGE_AUTH_SIGNATURE_H
#define BRIDGE_AUTH_SIGNATURE_H

#include "auth/key_store.h"
#include "auth/verdict.h"
#include "slice.h"

#define SIGNATURES 2

/* As the headers x-adobe-digital-signature-1/-2 and x-adobe-public-key1-path/-key2-path have them. */
struct signature_shown {
    struct slice signature[SIGNATURES]; /* base64; absent: no such header */
    struct slice key_path[SIGNATURES];
    struct slice body; /* raw, as received */
};

/* Reasons: AUTH_DENY "no_signature" (no pair of signature and path is complete), "bad_signature";
 * AUTH_UNAVAILABLE "unknown_key" (a path outside the known form, and no other pair is good),
 * "key_unavailable" (a key could not be fetched), "fetch_budget", "no_memory". Nothing is hashed unless a key
 * for it is there, and nothing fetched for a signature that cannot be one. */
enum auth_verdict signature_judge(struct key_store *keys, const struct signature_shown *shown,
                                  bool known_peer, const struct auth_now *now, struct auth_wait *wait,
                                  const char **reason);

/* Whether the path has the documented form: /prod/keys/ and a name of [A-Za-z0-9._-] that ends in .pem. */
bool signature_path_is_known_form(struct slice path);

#endif
