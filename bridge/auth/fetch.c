// SPDX-License-Identifier: Apache-2.0
//
// Fetches with libcurl. One thread, "fetch", owns the multi handle and all transfers and runs the tasks;
// any other thread only puts requests into the queue and wakes it.
#include "auth/fetch.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "auth/secret_memory.h"
#include "clock.h"

#define TRANSFERS_MAX 64
#define CONNECTIONS_MAX 64L
/* More than introspection and the key store each allow under way: what they keep free for proven tokens and
 * keys must not wait here for a connection. */
#define CONNECTIONS_HOST_MAX 24L
#define CONNECTIONS_IDLE_MAX 8L
#define CONNECT_TIMEOUT_MS (FETCH_TIMEOUT_MS - 500)
#define BODY_FIRST_SIZE 4096
#define STOPPED_ERROR "the bridge is ending"

/* A fetch under way. */
struct transfer {
    struct fetch *fetch;
    CURL *easy;
    struct curl_slist *headers;
    char *body;
    size_t body_len, body_size;
    bool too_large, no_memory;
    char error[CURL_ERROR_SIZE];
    struct transfer *next, *prev;
};

enum outcome { ANSWERED, FAILED, OUTCOMES };

static const char *const kinds[] = {"jwks", "discovery", "introspection", "key", "validation"};
#define KINDS (sizeof kinds / sizeof kinds[0])

struct curl_fetcher {
    struct fetcher super;
    struct counter *counters[KINDS][OUTCOMES];
    char *ca_file, *ca_path; /* NULL: not set */
    CURLM *multi;
    pthread_t thread;

    pthread_mutex_t lock; /* guards the queue and `stopping` */
    struct fetch *first, *last;
    bool stopping;

    pthread_mutex_t task_lock; /* held while tasks run, which is what remove_task waits for */
    struct fetch_task *tasks;

    /* The thread's. */
    struct transfer *transfers;
    size_t transfer_count;
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_state;

/* libcurl's buffers hold tokens and passwords; so what it frees is overwritten. */
static void curl_set_up(void)
{
    curl_state = curl_global_init_mem(CURL_GLOBAL_DEFAULT, secret_malloc, secret_free, secret_realloc,
                                      secret_strdup, secret_calloc);
}

static bool host_is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    char inner[INET6_ADDRSTRLEN];
    size_t len = strlen(host);

    /* libcurl resolves this name itself, to loopback. */
    if (strcasecmp(host, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    if (len < 3 || len - 2 >= sizeof inner || host[0] != '[')
        return false;
    memcpy(inner, host + 1, len - 2);
    inner[len - 2] = '\0';
    return inet_pton(AF_INET6, inner, &v6) == 1 && memcmp(&v6, &in6addr_loopback, sizeof v6) == 0;
}

/* Read by libcurl's own parser, so that what is looked at here is what it connects to. */
static bool url_read(const char *url, bool *http, bool *loopback)
{
    char *scheme = NULL, *host = NULL;
    CURLU *parts = curl_url();
    bool read = parts != NULL && curl_url_set(parts, CURLUPART_URL, url, CURLU_DISALLOW_USER) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK;
    if (read) {
        *http = strcasecmp(scheme, "http") == 0;
        *loopback = host_is_loopback(host);
    }
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(parts);
    return read;
}

bool fetch_url_is_local(const char *url)
{
    bool http = false, loopback = false;
    pthread_once(&curl_once, curl_set_up);
    return url_read(url, &http, &loopback) && http && loopback;
}

/* ---- One transfer ---- */

/* All at the start: to make a series takes memory, and without that the process ends. */
static void metrics_register(struct curl_fetcher *fetcher, struct metrics *metrics)
{
    static const char *const outcomes[OUTCOMES] = {"answered", "failed"};
    for (size_t i = 0; i < KINDS; i++) {
        for (size_t k = 0; k < OUTCOMES; k++) {
            const struct metric_label labels[] = {{"kind", kinds[i]}, {"outcome", outcomes[k]}};
            fetcher->counters[i][k] =
                metrics_counter(metrics, "auth_fetches_total",
                                "Requests made to identity providers and key hosts.", labels, 2);
        }
    }
}

static void count(struct curl_fetcher *fetcher, const struct fetch *fetch)
{
    for (size_t i = 0; i < KINDS; i++)
        if (strcmp(fetch->kind, kinds[i]) == 0)
            counter_add(fetcher->counters[i][fetch->status != 0 ? ANSWERED : FAILED], 1);
}

/* The fetch is its owner's again once `done` runs: not to be touched after that. */
static void finish(struct curl_fetcher *fetcher, struct fetch *fetch, long status, struct slice body,
                   const char *error)
{
    fetch->status = status;
    fetch->body = body;
    snprintf(fetch->error, sizeof fetch->error, "%.*s", FETCH_ERROR_MAX - 1, error);
    count(fetcher, fetch);
    fetch->done(fetch);
}

static void finish_failed(struct curl_fetcher *fetcher, struct fetch *fetch, const char *error)
{
    finish(fetcher, fetch, 0, SLICE_ABSENT, error);
}

static size_t take_body(char *ptr, size_t size, size_t count_of, void *data)
{
    struct transfer *transfer = data;
    size_t len = size * count_of, limit = transfer->fetch->limit;

    if (len > limit - transfer->body_len) {
        transfer->too_large = true;
        return 0;
    }
    if (len > transfer->body_size - transfer->body_len) {
        size_t grown = transfer->body_size > 0 ? transfer->body_size * 2 : BODY_FIRST_SIZE;
        if (grown < transfer->body_len + len)
            grown = transfer->body_len + len;
        if (grown > limit)
            grown = limit;
        char *body = secret_realloc(transfer->body, grown);
        if (body == NULL) {
            transfer->no_memory = true;
            return 0;
        }
        transfer->body = body;
        transfer->body_size = grown;
    }
    memcpy(transfer->body + transfer->body_len, ptr, len);
    transfer->body_len += len;
    return len;
}

static bool header_add(struct transfer *transfer, const char *name, const char *value)
{
    size_t size = strlen(name) + strlen(value) + 1;
    char *line = secret_malloc(size);
    if (line == NULL)
        return false;
    snprintf(line, size, "%s%s", name, value);
    struct curl_slist *headers = curl_slist_append(transfer->headers, line);
    secret_free(line);
    if (headers == NULL)
        return false;
    transfer->headers = headers;
    return true;
}

static bool headers_add(struct transfer *transfer)
{
    const struct fetch *fetch = transfer->fetch;
    return (fetch->accept == NULL || header_add(transfer, "Accept: ", fetch->accept)) &&
           (fetch->authorization == NULL || header_add(transfer, "Authorization: ", fetch->authorization)) &&
           (!slice_present(fetch->form) || header_add(transfer, "Expect:", ""));
}

#define SET(option, value) (curl_easy_setopt(transfer->easy, (option), (value)) == CURLE_OK)

static bool set_limits(struct transfer *transfer)
{
    return SET(CURLOPT_NOSIGNAL, 1L) && SET(CURLOPT_FOLLOWLOCATION, 0L) &&
           SET(CURLOPT_TIMEOUT_MS, (long)FETCH_TIMEOUT_MS) &&
           SET(CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS) &&
           /* Else a time-out waits for getaddrinfo, and with it all other transfers. */
           SET(CURLOPT_QUICK_EXIT, 1L) &&
           SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)transfer->fetch->limit) &&
           SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
           SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
}

static bool set_tls(struct curl_fetcher *fetcher, struct transfer *transfer)
{
    bool own = fetcher->ca_file != NULL || fetcher->ca_path != NULL;
    /* Without a folder libcurl keeps what it has read of the file (CURLOPT_CA_CACHE_TIMEOUT). */
    return SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) && SET(CURLOPT_SSL_VERIFYPEER, 1L) &&
           SET(CURLOPT_SSL_VERIFYHOST, 2L) && SET(CURLOPT_CAPATH, fetcher->ca_path) &&
           (!own || SET(CURLOPT_CAINFO, fetcher->ca_file));
}

static bool set_request(struct transfer *transfer)
{
    const struct fetch *fetch = transfer->fetch;
    bool http = false, loopback = false;

    /* A URL that cannot be read is libcurl's to explain. */
    url_read(fetch->url, &http, &loopback);
    if (loopback && !SET(CURLOPT_PROXY, ""))
        return false;
    if (slice_present(fetch->form) && !(SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)fetch->form.len) &&
                                        SET(CURLOPT_POSTFIELDS, fetch->form.ptr)))
        return false;
    return SET(CURLOPT_URL, fetch->url) && SET(CURLOPT_PROTOCOLS_STR, http && loopback ? "http" : "https") &&
           SET(CURLOPT_USERAGENT, "marketo-bridge") && headers_add(transfer) &&
           SET(CURLOPT_HTTPHEADER, transfer->headers);
}

static bool set_callbacks(struct transfer *transfer)
{
    return SET(CURLOPT_PRIVATE, transfer) && SET(CURLOPT_ERRORBUFFER, transfer->error) &&
           SET(CURLOPT_WRITEFUNCTION, take_body) && SET(CURLOPT_WRITEDATA, transfer);
}

static void transfer_free(struct transfer *transfer)
{
    curl_easy_cleanup(transfer->easy);
    curl_slist_free_all(transfer->headers); /* overwritten, too: curl_set_up */
    secret_free(transfer->body);
    free(transfer);
}

static struct transfer *transfer_create(struct curl_fetcher *fetcher, struct fetch *fetch)
{
    struct transfer *transfer = calloc(1, sizeof *transfer);
    if (transfer == NULL)
        return NULL;
    transfer->fetch = fetch;
    transfer->easy = curl_easy_init();
    if (transfer->easy == NULL || !set_callbacks(transfer) || !set_limits(transfer) ||
        !set_tls(fetcher, transfer) || !set_request(transfer)) {
        transfer_free(transfer);
        return NULL;
    }
    return transfer;
}

static void transfer_start(struct curl_fetcher *fetcher, struct fetch *fetch)
{
    struct transfer *transfer = transfer_create(fetcher, fetch);
    if (transfer == NULL) {
        finish_failed(fetcher, fetch, "out of memory");
        return;
    }
    if (curl_multi_add_handle(fetcher->multi, transfer->easy) != CURLM_OK) {
        transfer_free(transfer);
        finish_failed(fetcher, fetch, "out of memory");
        return;
    }
    transfer->next = fetcher->transfers;
    if (transfer->next != NULL)
        transfer->next->prev = transfer;
    fetcher->transfers = transfer;
    fetcher->transfer_count++;
}

static void transfer_unlink(struct curl_fetcher *fetcher, struct transfer *transfer)
{
    curl_multi_remove_handle(fetcher->multi, transfer->easy);
    if (transfer->next != NULL)
        transfer->next->prev = transfer->prev;
    if (transfer->prev != NULL)
        transfer->prev->next = transfer->next;
    else
        fetcher->transfers = transfer->next;
    fetcher->transfer_count--;
}

static void transfer_end(struct curl_fetcher *fetcher, struct transfer *transfer, CURLcode code)
{
    char too_large[48];
    const char *error = transfer->error[0] != '\0' ? transfer->error : curl_easy_strerror(code);
    long status = 0;

    if (code == CURLE_OK)
        curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    if (transfer->too_large || code == CURLE_FILESIZE_EXCEEDED) {
        snprintf(too_large, sizeof too_large, "larger than %zu bytes", transfer->fetch->limit);
        error = too_large;
    } else if (transfer->no_memory) {
        error = "out of memory";
    }
    transfer_unlink(fetcher, transfer);
    if (status != 0)
        finish(fetcher, transfer->fetch, status,
               (struct slice){transfer->body != NULL ? transfer->body : "", transfer->body_len}, "");
    else
        finish_failed(fetcher, transfer->fetch, error);
    transfer_free(transfer);
}

/* ---- The thread ---- */

static struct fetch *queue_take(struct curl_fetcher *fetcher)
{
    pthread_mutex_lock(&fetcher->lock);
    struct fetch *fetch = fetcher->first;
    if (fetch != NULL)
        fetcher->first = fetch->next;
    pthread_mutex_unlock(&fetcher->lock);
    return fetch;
}

static bool is_stopping(struct curl_fetcher *fetcher)
{
    pthread_mutex_lock(&fetcher->lock);
    bool stopping = fetcher->stopping;
    pthread_mutex_unlock(&fetcher->lock);
    return stopping;
}

static void start_queued(struct curl_fetcher *fetcher)
{
    struct fetch *fetch;
    while (fetcher->transfer_count < TRANSFERS_MAX && (fetch = queue_take(fetcher)) != NULL)
        transfer_start(fetcher, fetch);
}

/* Whether any has ended. */
static bool end_finished(struct curl_fetcher *fetcher)
{
    int left;
    bool ended = false;
    for (const CURLMsg *message; (message = curl_multi_info_read(fetcher->multi, &left)) != NULL;) {
        CURLcode code = message->data.result; /* the message goes with the handle */
        struct transfer *transfer = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        transfer_end(fetcher, transfer, code);
        ended = true;
    }
    return ended;
}

static void run_tasks(struct curl_fetcher *fetcher, uint64_t now_ms)
{
    pthread_mutex_lock(&fetcher->task_lock);
    for (struct fetch_task *task = fetcher->tasks, *next; task != NULL; task = next) {
        next = task->next;
        task->run(task, now_ms);
    }
    pthread_mutex_unlock(&fetcher->task_lock);
}

static void give_up_all(struct curl_fetcher *fetcher)
{
    struct fetch *fetch;
    while (fetcher->transfers != NULL) {
        struct transfer *transfer = fetcher->transfers;
        fetch = transfer->fetch;
        transfer_unlink(fetcher, transfer);
        transfer_free(transfer);
        finish_failed(fetcher, fetch, STOPPED_ERROR);
    }
    while ((fetch = queue_take(fetcher)) != NULL)
        finish_failed(fetcher, fetch, STOPPED_ERROR);
}

static void *run(void *data)
{
    struct curl_fetcher *fetcher = data;
    uint64_t tasks_at_ms = clock_monotonic_ms() + FETCH_TASK_MS;

    while (!is_stopping(fetcher)) {
        int running;
        start_queued(fetcher);
        curl_multi_perform(fetcher->multi, &running);
        bool ended = end_finished(fetcher);
        uint64_t now_ms = clock_monotonic_ms();
        if (now_ms >= tasks_at_ms) {
            run_tasks(fetcher, now_ms);
            tasks_at_ms = now_ms + FETCH_TASK_MS;
        }
        /* What has ended has left room for what waits. */
        int wait_ms = ended ? 0 : (int)(tasks_at_ms - now_ms);
        curl_multi_poll(fetcher->multi, NULL, 0, wait_ms, NULL);
    }
    give_up_all(fetcher);
    return NULL;
}

/* ---- Any thread ---- */

static void start(struct fetcher *super, struct fetch *fetch)
{
    struct curl_fetcher *fetcher = (struct curl_fetcher *)super;
    fetch->next = NULL;
    pthread_mutex_lock(&fetcher->lock);
    bool stopping = fetcher->stopping;
    if (!stopping) {
        if (fetcher->first == NULL)
            fetcher->first = fetch;
        else
            fetcher->last->next = fetch;
        fetcher->last = fetch;
        /* Under the lock, so that the multi handle is still there. */
        curl_multi_wakeup(fetcher->multi);
    }
    pthread_mutex_unlock(&fetcher->lock);
    if (stopping)
        finish_failed(fetcher, fetch, STOPPED_ERROR);
}

static void add_task(struct fetcher *super, struct fetch_task *task)
{
    struct curl_fetcher *fetcher = (struct curl_fetcher *)super;
    pthread_mutex_lock(&fetcher->task_lock);
    task->next = fetcher->tasks;
    fetcher->tasks = task;
    pthread_mutex_unlock(&fetcher->task_lock);
}

static void remove_task(struct fetcher *super, struct fetch_task *task)
{
    struct curl_fetcher *fetcher = (struct curl_fetcher *)super;
    pthread_mutex_lock(&fetcher->task_lock);
    for (struct fetch_task **at = &fetcher->tasks; *at != NULL; at = &(*at)->next) {
        if (*at == task) {
            *at = task->next;
            break;
        }
    }
    pthread_mutex_unlock(&fetcher->task_lock);
}

/* A copy of the variable's value; NULL when it is not set or empty. False when out of memory. */
static bool copy_environment(const char *name, char **copy)
{
    const char *value = getenv(name);
    *copy = NULL;
    if (value == NULL || value[0] == '\0')
        return true;
    *copy = strdup(value);
    return *copy != NULL;
}

static bool multi_create(struct curl_fetcher *fetcher)
{
    fetcher->multi = curl_multi_init();
    return fetcher->multi != NULL &&
           curl_multi_setopt(fetcher->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_IDLE_MAX) == CURLM_OK &&
           curl_multi_setopt(fetcher->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, CONNECTIONS_MAX) == CURLM_OK &&
           curl_multi_setopt(fetcher->multi, CURLMOPT_MAX_HOST_CONNECTIONS, CONNECTIONS_HOST_MAX) == CURLM_OK;
}

/* Signals are main's business: a new thread takes over what is blocked here. */
static int thread_start(struct curl_fetcher *fetcher)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int error = pthread_create(&fetcher->thread, NULL, run, fetcher);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error == 0)
        pthread_setname_np(fetcher->thread, "fetch");
    return error;
}

static void fetcher_release(struct curl_fetcher *fetcher)
{
    curl_multi_cleanup(fetcher->multi);
    pthread_mutex_destroy(&fetcher->lock);
    pthread_mutex_destroy(&fetcher->task_lock);
    free(fetcher->ca_file);
    free(fetcher->ca_path);
    free(fetcher);
}

struct fetcher *fetcher_create(struct metrics *metrics, char *errstr, size_t errstr_size)
{
    pthread_once(&curl_once, curl_set_up);
    if (curl_state != CURLE_OK) {
        snprintf(errstr, errstr_size, "libcurl cannot be used: %s", curl_easy_strerror(curl_state));
        return NULL;
    }
    struct curl_fetcher *fetcher = calloc(1, sizeof *fetcher);
    if (fetcher == NULL) {
        snprintf(errstr, errstr_size, "out of memory");
        return NULL;
    }
    fetcher->super = (struct fetcher){start, add_task, remove_task};
    metrics_register(fetcher, metrics);
    pthread_mutex_init(&fetcher->lock, NULL);
    pthread_mutex_init(&fetcher->task_lock, NULL);
    if (!copy_environment("SSL_CERT_FILE", &fetcher->ca_file) ||
        !copy_environment("SSL_CERT_DIR", &fetcher->ca_path) || !multi_create(fetcher)) {
        snprintf(errstr, errstr_size, "out of memory");
        fetcher_release(fetcher);
        return NULL;
    }
    int error = thread_start(fetcher);
    if (error != 0) {
        snprintf(errstr, errstr_size, "the thread that fetches cannot be started: %s", strerror(error));
        fetcher_release(fetcher);
        return NULL;
    }
    return &fetcher->super;
}

void fetcher_stop(struct fetcher *super)
{
    struct curl_fetcher *fetcher = (struct curl_fetcher *)super;
    pthread_mutex_lock(&fetcher->lock);
    bool stopped = fetcher->stopping;
    fetcher->stopping = true;
    curl_multi_wakeup(fetcher->multi);
    pthread_mutex_unlock(&fetcher->lock);
    if (!stopped)
        pthread_join(fetcher->thread, NULL);
}

void fetcher_free(struct fetcher *super)
{
    if (super == NULL)
        return;
    fetcher_stop(super);
    fetcher_release((struct curl_fetcher *)super);
}
