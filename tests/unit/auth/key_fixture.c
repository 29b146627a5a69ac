// SPDX-License-Identifier: Apache-2.0
//
// See key_fixture.h. Any thread may start a fetch; the test's answer it.
#include "auth/key_fixture.h"

#include <check.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "telemetry/log.h"

static void start(struct fetcher *fetcher, struct fetch *fetch)
{
    struct host *host = (struct host *)fetcher;
    pthread_mutex_lock(&host->lock);
    ck_assert_uint_lt(host->count, HOST_FETCHES_MAX);
    host->under_way[host->count++] = fetch;
    host->started++;
    pthread_mutex_unlock(&host->lock);
}

static void add_task(struct fetcher *fetcher, struct fetch_task *task)
{
    ((struct host *)fetcher)->task = task;
}

static void remove_task(struct fetcher *fetcher, struct fetch_task *task)
{
    ck_assert_ptr_eq(((struct host *)fetcher)->task, task);
    ((struct host *)fetcher)->task = NULL;
}

void host_open(struct host *host)
{
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT, 2); /* failures are this host's trade */
    memset(host, 0, sizeof *host);
    pthread_mutex_init(&host->lock, NULL);
    host->fetcher.start = start;
    host->fetcher.add_task = add_task;
    host->fetcher.remove_task = remove_task;
}

void host_close(struct host *host)
{
    ck_assert_uint_eq(host->count, 0);
    ck_assert_ptr_null(host->task);
    pthread_mutex_destroy(&host->lock);
}

size_t host_started(struct host *host)
{
    pthread_mutex_lock(&host->lock);
    size_t started = host->started;
    pthread_mutex_unlock(&host->lock);
    return started;
}

bool host_answer(struct host *host, const char *path, long status, const char *body)
{
    struct fetch *fetch = NULL;
    pthread_mutex_lock(&host->lock);
    for (size_t i = 0; i < host->count && fetch == NULL; i++) {
        const char *url = host->under_way[i]->url;
        ck_assert_int_eq(strncmp(url, KEY_BASE, strlen(KEY_BASE)), 0);
        if (path != NULL && strcmp(url + strlen(KEY_BASE), path) != 0)
            continue;
        fetch = host->under_way[i];
        host->count--;
        memmove(host->under_way + i, host->under_way + i + 1, (host->count - i) * sizeof fetch);
    }
    pthread_mutex_unlock(&host->lock);
    if (fetch == NULL)
        return false;

    /* In memory of just its size, and gone after `done`. */
    size_t size = body != NULL ? strlen(body) : 0;
    char *copy = malloc(size > 0 ? size : 1);
    if (size > 0)
        memcpy(copy, body, size);
    fetch->status = status;
    fetch->body = body != NULL ? (struct slice){copy, size} : SLICE_ABSENT;
    if (status == 0)
        snprintf(fetch->error, sizeof fetch->error, "no answer");
    fetch->done(fetch);
    free(copy);
    return true;
}

void host_run_task(struct host *host, uint64_t now_ms)
{
    host->task->run(host->task, now_ms);
}

static void on_wake(struct auth_wait *wait)
{
    ((struct request *)wait)->woken++;
}

void request_open(struct request *request)
{
    memset(request, 0, sizeof *request);
    request->wait.wake = on_wake;
}

static EVP_PKEY *keys[TEST_KEYS];
static char *pems[TEST_KEYS];

static void free_test_keys(void)
{
    for (size_t i = 0; i < TEST_KEYS; i++) {
        EVP_PKEY_free(keys[i]);
        free(pems[i]);
    }
}

void test_keys_make(void)
{
    if (keys[0] != NULL)
        return;
    for (size_t i = 0; i < TEST_KEYS; i++) {
        keys[i] = EVP_RSA_gen(2048);
        pems[i] = pem_of(keys[i]);
    }
    atexit(free_test_keys);
}

EVP_PKEY *test_key(size_t i)
{
    return keys[i];
}

const char *test_pem(size_t i)
{
    return pems[i];
}

char *pem_of(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    ck_assert_int_eq(PEM_write_bio_PUBKEY(bio, key), 1);
    char *data;
    size_t size = (size_t)BIO_get_mem_data(bio, &data);
    char *pem = strndup(data, size);
    BIO_free(bio);
    return pem;
}

void sign_body(EVP_PKEY *key, struct slice body, char text[SIGNATURE_TEXT_MAX])
{
    unsigned char signature[1024];
    size_t size = sizeof signature;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    ck_assert_int_eq(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key), 1);
    ck_assert_int_eq(EVP_DigestSign(context, signature, &size, (const unsigned char *)body.ptr, body.len), 1);
    EVP_MD_CTX_free(context);
    EVP_EncodeBlock((unsigned char *)text, signature, (int)size);
}
