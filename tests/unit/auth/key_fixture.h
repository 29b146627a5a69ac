// SPDX-License-Identifier: Apache-2.0
//
// A key host behind the fetcher's seam, which answers when the test says so; RSA keys made for the test, and
// signatures by them. The clock is the test's.
#ifndef TESTS_UNIT_AUTH_KEY_FIXTURE_H
#define TESTS_UNIT_AUTH_KEY_FIXTURE_H

#include <openssl/evp.h>
#include <pthread.h>

#include "auth/fetch.h"
#include "auth/verdict.h"

#define KEY_BASE "https://keys.example"
#define HOUR_MS ((uint64_t)3600 * 1000)

#define HOST_FETCHES_MAX 64

struct host {
    struct fetcher fetcher;
    pthread_mutex_t lock;
    struct fetch *under_way[HOST_FETCHES_MAX];
    size_t count;
    size_t started; /* since the beginning */
    struct fetch_task *task;
};

void host_open(struct host *host);
void host_close(struct host *host); /* fails the test when something is under way still */
size_t host_started(struct host *host);

/* Ends the fetch of this path, or the oldest one (NULL). False when there is none. status 0: no answer. */
bool host_answer(struct host *host, const char *path, long status, const char *body);
void host_run_task(struct host *host, uint64_t now_ms);

/* A request that waits. */
struct request {
    struct auth_wait wait;
    _Atomic unsigned woken;
};
void request_open(struct request *request);

/* RSA keys of 2048 bits, and their PEM. Made once for all tests of the process. */
#define TEST_KEYS 3
void test_keys_make(void);
EVP_PKEY *test_key(size_t i);
const char *test_pem(size_t i);

/* The PEM of a public key, to be freed. */
char *pem_of(EVP_PKEY *key);

/* base64, with room for 1024 bytes. */
#define SIGNATURE_TEXT_MAX 1400
void sign_body(EVP_PKEY *key, struct slice body, char text[SIGNATURE_TEXT_MAX]);

#endif
