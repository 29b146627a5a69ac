// SPDX-License-Identifier: Apache-2.0
//
// Public keys by their path on one host (Adobe's static host): fetched when a request names them, kept
// KEY_STORE_MAX_AGE_MS, PEM read once. One for each key_base in the configuration; it survives a reload. Any
// thread.
//
// A key is proven once a signature was good with it. Strangers name any path they like, so: proven keys
// stand apart and are pushed out by proven ones only; they are refreshed out of a budget of their own; a path
// that came beside a good signature, or from a peer that has proved itself on its connection before, has
// others; what is left for strangers is little, and when it is spent the answer is 503.
#ifndef BRIDGE_AUTH_KEY_STORE_H
#define BRIDGE_AUTH_KEY_STORE_H

#include <openssl/evp.h>

#include "auth/fetch.h"
#include "auth/verdict.h"
#include "slice.h"

#define KEY_STORE_MAX_AGE_MS ((uint64_t)24 * 3600 * 1000)     /* Adobe: cache for not more than 24 h */
#define KEY_STORE_REFRESH_AGE_MS ((uint64_t)12 * 3600 * 1000) /* from then on in the background */
#define KEY_STORE_PEM_MAX ((size_t)16 * 1024)
#define KEY_STORE_PATH_MAX 128

struct key_store;

/* key_base: scheme, host and perhaps a port, without a path; copied. NULL when out of memory. */
struct key_store *key_store_create(struct fetcher *fetcher, const char *key_base);
/* Begins no fetch any more and wakes everybody who waits; what is there can still be asked for, what is not
 * is KEY_FAILED. Before fetcher_stop, and not from inside a task. */
void key_store_stop(struct key_store *store);
void key_store_free(struct key_store *store); /* as issuer_free; stops it first */

enum key_result {
    KEY_GOOD,    /* *key is the caller's, to be freed */
    KEY_MISSING, /* not there, and nothing was asked for */
    KEY_PENDING, /* being fetched, the wait is queued */
    KEY_FAILED,  /* could not be fetched, not long ago */
    KEY_BUDGET   /* may not be fetched now */
};

enum key_origin { KEY_STRANGER, KEY_VOUCHED };

/* The key of a path of the known form. fetched_since_ms 0: any age up to the maximum will do; else only a key
 * whose fetch began at that monotonic time or later (a signature has failed with the one that is there: the
 * same path may have a new key). wait NULL: nothing is fetched. *fetched_ms: when its fetch began. */
enum key_result key_store_get(struct key_store *store, struct slice path, enum key_origin origin,
                              uint64_t fetched_since_ms, uint64_t now_ms, struct auth_wait *wait,
                              EVP_PKEY **key, uint64_t *fetched_ms);

/* A signature was good with the key of this path. */
void key_store_prove(struct key_store *store, struct slice path);

/* Fetches a path in the background, out of a budget of its own, unless it is there, under way, or was tried
 * this way less than a minute ago. Its own, since whoever has a body that Adobe has signed, be it for
 * somebody else, can name any path beside it. */
void key_store_prefetch(struct key_store *store, struct slice path, uint64_t now_ms);

#endif
