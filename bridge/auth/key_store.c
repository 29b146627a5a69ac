// SPDX-License-Identifier: Apache-2.0
//
// Public keys by their path: one table of slots, some proven, some not, all of them made at the start,
// so that a request allocates nothing here. Requests ask on their loop's thread; results come, and
// refreshes start, on the fetcher's. One lock, never held while something is fetched or woken.
#include "auth/key_store.h"

#include <assert.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/crypto_errors.h"
#include "auth/signature.h"
#include "telemetry/log.h"

/* Adobe signs with two keys at a time; the rest is for rotations. */
#define PROVEN_MAX 16
#define UNPROVEN_MAX 32
#define SLOTS (PROVEN_MAX + UNPROVEN_MAX)

/* A path that could not be fetched is not tried again for so long. */
#define FAILED_MS 2000
/* Background fetches of one path: not more often, however they end. */
#define BACKGROUND_EVERY_MS ((uint64_t)60 * 1000)

#define KEY_BITS_MIN 2048
#define KEY_BITS_MAX 8192
#define KEY_EXPONENT_BITS_MAX 64 /* a larger one only makes verifying dear */

/* On whose account a fetch goes: how many at once and then how often (a proven path has a budget of
 * its own), and how many may be under way at a time. */
enum account { STRANGER, VOUCHED, PREFETCH, PROVEN, ACCOUNTS };
static const struct {
    unsigned burst;
    uint64_t every_ms;
    unsigned at_a_time;
} limits[ACCOUNTS] = {
    [STRANGER] = {24, 2000, 4},
    [VOUCHED] = {8, 5000, 4},
    [PREFETCH] = {8, 5000, 2},
    [PROVEN] = {8, 1000, 8},
};

enum standing { FREE, UNPROVEN, PROVEN_ONCE };

struct slot {
    struct key_store *store;
    enum standing standing;
    char path[KEY_STORE_PATH_MAX];
    size_t path_len;
    uint64_t used; /* the store's `uses` then */

    EVP_PKEY *key; /* NULL: none */
    uint64_t fetched_ms;

    /* A slot keeps its path while a fetch is under way. */
    bool under_way;
    uint64_t begun_ms;
    enum account account;
    struct fetch fetch;
    char *url;

    uint64_t failed_until_ms;
    bool old;                    /* somebody was given a key over KEY_STORE_REFRESH_AGE_MS */
    uint64_t next_background_ms; /* not before */
    struct auth_budget budget;   /* once it is proven */
    struct auth_queue waiting;   /* for the fetch under way */
    struct auth_queue later;     /* for one that has not begun yet */
};

struct key_store {
    pthread_mutex_t lock;
    struct fetcher *fetcher;
    struct fetch_task task;
    char *key_base;
    char *urls; /* the slots' */
    size_t url_size;
    uint64_t now_ms; /* the latest that anybody has told; results come without a time */
    uint64_t uses;
    struct auth_budget budgets[PROVEN];
    unsigned under_way[ACCOUNTS];
    unsigned under_way_total;
    bool stopped; /* nothing begins, nobody waits */
    bool closing; /* the last result frees the store */
    struct slot slots[SLOTS];
};

static void run_task(struct fetch_task *task, uint64_t now_ms);

struct key_store *key_store_create(struct fetcher *fetcher, const char *key_base)
{
    struct key_store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return NULL;
    store->fetcher = fetcher;
    store->url_size = strlen(key_base) + KEY_STORE_PATH_MAX + 1;
    store->key_base = strdup(key_base);
    store->urls = calloc(SLOTS, store->url_size);
    if (store->key_base == NULL || store->urls == NULL || pthread_mutex_init(&store->lock, NULL) != 0) {
        free(store->key_base);
        free(store->urls);
        free(store);
        return NULL;
    }
    for (int i = 0; i < PROVEN; i++)
        store->budgets[i] = (struct auth_budget){.burst = limits[i].burst, .every_ms = limits[i].every_ms};
    for (size_t i = 0; i < SLOTS; i++) {
        store->slots[i].store = store;
        store->slots[i].url = store->urls + i * store->url_size;
    }
    store->task.run = run_task;
    fetcher->add_task(fetcher, &store->task);
    return store;
}

static void destroy(struct key_store *store)
{
    for (size_t i = 0; i < SLOTS; i++)
        EVP_PKEY_free(store->slots[i].key);
    pthread_mutex_destroy(&store->lock);
    free(store->key_base);
    free(store->urls);
    free(store);
}

void key_store_stop(struct key_store *store)
{
    struct auth_wait *woken[2 * SLOTS];
    size_t count = 0;

    pthread_mutex_lock(&store->lock);
    bool first = !store->stopped;
    store->stopped = true;
    for (size_t i = 0; i < SLOTS; i++) {
        woken[count++] = auth_queue_take(&store->slots[i].waiting);
        woken[count++] = auth_queue_take(&store->slots[i].later);
    }
    pthread_mutex_unlock(&store->lock);
    if (first)
        store->fetcher->remove_task(store->fetcher, &store->task);
    for (size_t i = 0; i < count; i++)
        auth_wake_all(woken[i]);
}

void key_store_free(struct key_store *store)
{
    if (store == NULL)
        return;
    key_store_stop(store);
    pthread_mutex_lock(&store->lock);
    store->closing = true;
    bool idle = store->under_way_total == 0;
    pthread_mutex_unlock(&store->lock);
    if (idle)
        destroy(store);
}

/* --- slots; under the lock --- */

/* Threads read the clock before they take the lock, so that times come out of order. The latest is true
 * for all: it was read before now. */
static uint64_t tell_time(struct key_store *store, uint64_t now_ms)
{
    if (store->now_ms < now_ms)
        store->now_ms = now_ms;
    return store->now_ms;
}

static struct slot *find(struct key_store *store, struct slice path)
{
    for (size_t i = 0; i < SLOTS; i++) {
        struct slot *slot = &store->slots[i];
        if (slot->standing != FREE && slice_equal(path, (struct slice){slot->path, slot->path_len}))
            return slot;
    }
    return NULL;
}

static uint64_t age_ms(const struct slot *slot, uint64_t now_ms)
{
    return now_ms > slot->fetched_ms ? now_ms - slot->fetched_ms : 0;
}

static bool has_key(const struct slot *slot, uint64_t fetched_since_ms, uint64_t now_ms)
{
    return slot->key != NULL && age_ms(slot, now_ms) < KEY_STORE_MAX_AGE_MS &&
           slot->fetched_ms >= fetched_since_ms;
}

/* Makes room among those of a standing when `max` of them are there already: the one that was used least
 * recently goes, unless it is being fetched. Returns whether there is room; *woken: who waited for it. */
static bool make_room(struct key_store *store, enum standing standing, size_t max, struct auth_wait **woken)
{
    struct slot *oldest = NULL;
    size_t count = 0;
    for (size_t i = 0; i < SLOTS; i++) {
        struct slot *slot = &store->slots[i];
        if (slot->standing != standing)
            continue;
        count++;
        if (!slot->under_way && (oldest == NULL || slot->used < oldest->used))
            oldest = slot;
    }
    if (count < max)
        return true;
    if (oldest == NULL)
        return false;
    *woken = auth_queue_take(&oldest->later);
    EVP_PKEY_free(oldest->key);
    *oldest = (struct slot){.store = store, .url = oldest->url};
    return true;
}

/* NULL: no room. */
static struct slot *take_slot(struct key_store *store, struct slice path)
{
    struct auth_wait *woken = NULL;
    if (!make_room(store, UNPROVEN, UNPROVEN_MAX, &woken))
        return NULL;
    assert(woken == NULL); /* only proven ones have requests that wait for later */
    for (size_t i = 0; i < SLOTS; i++) {
        struct slot *slot = &store->slots[i];
        if (slot->standing != FREE)
            continue;
        slot->standing = UNPROVEN;
        memcpy(slot->path, path.ptr, path.len);
        slot->path_len = path.len;
        slot->used = ++store->uses;
        return slot;
    }
    return NULL;
}

/* --- fetching --- */

static void on_fetched(struct fetch *fetch);

/* The caller starts the fetch once it has released the lock: results can come before the start returns. */
static struct fetch *begin(struct slot *slot, enum account account, uint64_t now_ms)
{
    struct key_store *store = slot->store;
    assert(!slot->under_way && slot->waiting.first == NULL);
    snprintf(slot->url, store->url_size, "%s%.*s", store->key_base, (int)slot->path_len, slot->path);
    slot->fetch =
        (struct fetch){.kind = "key", .url = slot->url, .limit = KEY_STORE_PEM_MAX, .done = on_fetched};
    slot->under_way = true;
    slot->begun_ms = now_ms;
    slot->account = account;
    store->under_way[account]++;
    store->under_way_total++;
    slot->waiting = slot->later;
    slot->later = (struct auth_queue){NULL, 0};
    return &slot->fetch;
}

static bool account_is_busy(const struct key_store *store, enum account account)
{
    return store->under_way[account] >= limits[account].at_a_time;
}

/* Takes it out of the account. slot: with PROVEN only. */
static bool may_begin(struct key_store *store, struct slot *slot, enum account account, uint64_t now_ms)
{
    struct auth_budget *budget = account == PROVEN ? &slot->budget : &store->budgets[account];
    return !account_is_busy(store, account) && auth_budget_take(budget, now_ms);
}

static int no_password(char *buffer, int size, int writing, void *data)
{
    (void)buffer, (void)size, (void)writing, (void)data;
    return -1; /* instead of asking on the terminal */
}

/* NULL, with *trouble, when it is no key that we would verify with. */
static EVP_PKEY *read_key(struct slice pem, const char **trouble)
{
    BIGNUM *exponent = NULL;
    EVP_PKEY *key = NULL;
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len); /* <= KEY_STORE_PEM_MAX */
    if (bio != NULL)
        key = PEM_read_bio_PUBKEY(bio, NULL, no_password, NULL);
    BIO_free(bio);
    if (key == NULL)
        *trouble = "not a public key in PEM";
    else if (!EVP_PKEY_is_a(key, "RSA"))
        *trouble = "not an RSA key";
    else if (EVP_PKEY_get_bits(key) < KEY_BITS_MIN || EVP_PKEY_get_bits(key) > KEY_BITS_MAX)
        *trouble = "an RSA key of fewer than 2048 or more than 8192 bits";
    else if (!EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent) || !BN_is_odd(exponent) ||
             BN_is_one(exponent) || BN_num_bits(exponent) > KEY_EXPONENT_BITS_MAX)
        *trouble = "an RSA key with an exponent that is even, 1 or huge";
    BN_free(exponent);
    crypto_errors_clear();
    if (*trouble != NULL) {
        EVP_PKEY_free(key);
        return NULL;
    }
    return key;
}

static void log_failure(struct slice path, long status, const char *trouble)
{
    static struct log_limit limit; /* strangers name paths as well */
    uint64_t suppressed;
    if (log_limit_pass(&limit, &suppressed))
        log_warning("a signature key could not be fetched", LOG_SLICE("path", path),
                    LOG_INT("status", status), LOG_TEXT("reason", trouble),
                    LOG_INT("suppressed", suppressed));
}

/* Takes over the key. */
static void settle(struct slot *slot, EVP_PKEY *key, long status, struct auth_wait *woken[2])
{
    bool news = key == NULL || slot->key == NULL || EVP_PKEY_eq(slot->key, key) != 1;
    if (key != NULL) {
        EVP_PKEY_free(slot->key);
        slot->key = key;
        slot->fetched_ms = slot->begun_ms;
        slot->failed_until_ms = 0;
        slot->old = false;
    } else {
        if (status == 404 || status == 410) { /* withdrawn */
            EVP_PKEY_free(slot->key);
            slot->key = NULL;
            slot->old = false;
        }
        slot->failed_until_ms = slot->store->now_ms + FAILED_MS;
    }
    woken[0] = auth_queue_take(&slot->waiting);
    /* These want one that is fetched later; the same key once more tells them nothing. */
    if (news)
        woken[1] = auth_queue_take(&slot->later);
}

static void on_fetched(struct fetch *fetch)
{
    struct slot *slot = (struct slot *)((char *)fetch - offsetof(struct slot, fetch));
    struct key_store *store = slot->store;
    struct auth_wait *woken[2] = {NULL, NULL};
    const char *trouble = NULL;
    EVP_PKEY *key = NULL;

    if (fetch->status == 200)
        key = read_key(fetch->body, &trouble);
    else
        trouble = fetch->status == 0 ? fetch->error : "another status than 200";

    /* Once the lock is released, the store may be freed at any time. */
    long status = fetch->status;
    char path[KEY_STORE_PATH_MAX], words[FETCH_ERROR_MAX];
    size_t path_len = slot->path_len;
    memcpy(path, slot->path, path_len);
    snprintf(words, sizeof words, "%s", trouble != NULL ? trouble : "");

    pthread_mutex_lock(&store->lock);
    slot->under_way = false;
    store->under_way[slot->account]--;
    store->under_way_total--;
    bool closing = store->closing;
    bool last = closing && store->under_way_total == 0;
    if (closing)
        EVP_PKEY_free(key);
    else
        settle(slot, key, status, woken);
    pthread_mutex_unlock(&store->lock);

    if (trouble != NULL && !closing)
        log_failure((struct slice){path, path_len}, status, words);
    auth_wake_all(woken[0]);
    auth_wake_all(woken[1]);
    if (last)
        destroy(store);
}

/* On the fetcher's thread: refreshes, and fetches that had to wait for the budget of their path. */
static void run_task(struct fetch_task *task, uint64_t now_ms)
{
    struct key_store *store = (struct key_store *)((char *)task - offsetof(struct key_store, task));
    struct fetch *begun[SLOTS];
    size_t count = 0;

    pthread_mutex_lock(&store->lock);
    now_ms = tell_time(store, now_ms);
    for (size_t i = 0; i < SLOTS && !store->stopped; i++) {
        struct slot *slot = &store->slots[i];
        if (slot->standing != PROVEN_ONCE || slot->under_way || now_ms < slot->failed_until_ms)
            continue;
        if (slot->later.first != NULL && may_begin(store, slot, PROVEN, now_ms)) {
            begun[count++] = begin(slot, PROVEN, now_ms);
        } else if (slot->old && now_ms >= slot->next_background_ms && !account_is_busy(store, PROVEN)) {
            slot->next_background_ms = now_ms + BACKGROUND_EVERY_MS;
            begun[count++] = begin(slot, PROVEN, now_ms);
        }
    }
    pthread_mutex_unlock(&store->lock);
    for (size_t i = 0; i < count; i++)
        fetcher_start(store->fetcher, begun[i]);
}

/* --- asking --- */

static enum key_result ask(struct key_store *store, struct slot *slot, struct slice path,
                           enum account account, uint64_t fetched_since_ms, uint64_t now_ms,
                           struct auth_wait *wait, struct fetch **begun)
{
    bool proven = slot != NULL && slot->standing == PROVEN_ONCE;
    if (store->stopped)
        return KEY_FAILED;
    if (slot != NULL && slot->under_way) {
        /* The one under way comes too early for a proven path's request: it would only have to ask again.
         * Of others, no later one is certain. */
        bool early = proven && slot->begun_ms < fetched_since_ms;
        return auth_queue_add(early ? &slot->later : &slot->waiting, wait) ? KEY_PENDING : KEY_BUDGET;
    }
    if (slot != NULL && now_ms < slot->failed_until_ms)
        return KEY_FAILED;
    if (proven) {
        if (!auth_queue_add(&slot->later, wait))
            return KEY_BUDGET;
        if (may_begin(store, slot, PROVEN, now_ms))
            *begun = begin(slot, PROVEN, now_ms);
        return KEY_PENDING; /* else the task begins, as soon as it may */
    }
    if (wait->rounds >= AUTH_ROUNDS_MAX || !may_begin(store, NULL, account, now_ms))
        return KEY_BUDGET;
    if (slot == NULL)
        slot = take_slot(store, path);
    if (slot == NULL || !auth_queue_add(&slot->later, wait))
        return KEY_BUDGET;
    *begun = begin(slot, account, now_ms);
    return KEY_PENDING;
}

enum key_result key_store_get(struct key_store *store, struct slice path, enum key_origin origin,
                              uint64_t fetched_since_ms, uint64_t now_ms, struct auth_wait *wait,
                              EVP_PKEY **key, uint64_t *fetched_ms)
{
    enum key_result result = KEY_MISSING;
    struct fetch *begun = NULL;

    assert(signature_path_is_known_form(path));
    pthread_mutex_lock(&store->lock);
    now_ms = tell_time(store, now_ms);
    struct slot *slot = find(store, path);
    /* Proven ones are "used" by good signatures only: strangers have no say in which of them goes. */
    if (slot != NULL && slot->standing == UNPROVEN)
        slot->used = ++store->uses;
    if (slot != NULL && has_key(slot, fetched_since_ms, now_ms) && EVP_PKEY_up_ref(slot->key) == 1) {
        slot->old = age_ms(slot, now_ms) >= KEY_STORE_REFRESH_AGE_MS;
        *key = slot->key;
        *fetched_ms = slot->fetched_ms;
        result = KEY_GOOD;
    } else if (wait != NULL) {
        result = ask(store, slot, path, origin == KEY_VOUCHED ? VOUCHED : STRANGER, fetched_since_ms, now_ms,
                     wait, &begun);
    }
    pthread_mutex_unlock(&store->lock);
    if (begun != NULL)
        fetcher_start(store->fetcher, begun);
    return result;
}

void key_store_prove(struct key_store *store, struct slice path)
{
    struct auth_wait *woken = NULL;
    bool first = false;

    pthread_mutex_lock(&store->lock);
    struct slot *slot = find(store, path);
    if (slot != NULL && slot->standing == UNPROVEN && make_room(store, PROVEN_ONCE, PROVEN_MAX, &woken)) {
        slot->standing = PROVEN_ONCE;
        slot->budget =
            (struct auth_budget){.burst = limits[PROVEN].burst, .every_ms = limits[PROVEN].every_ms};
        first = true;
    }
    if (slot != NULL)
        slot->used = ++store->uses;
    pthread_mutex_unlock(&store->lock);
    auth_wake_all(woken);
    if (first)
        log_info("a signature key was proven", LOG_SLICE("path", path));
}

void key_store_prefetch(struct key_store *store, struct slice path, uint64_t now_ms)
{
    struct fetch *begun = NULL;

    assert(signature_path_is_known_form(path));
    pthread_mutex_lock(&store->lock);
    now_ms = tell_time(store, now_ms);
    struct slot *slot = find(store, path);
    bool wanted = slot == NULL || (!slot->under_way && !has_key(slot, 0, now_ms) &&
                                   now_ms >= slot->failed_until_ms && now_ms >= slot->next_background_ms);
    enum account account = slot != NULL && slot->standing == PROVEN_ONCE ? PROVEN : PREFETCH;
    if (wanted && !store->stopped && may_begin(store, slot, account, now_ms)) {
        if (slot == NULL)
            slot = take_slot(store, path);
        if (slot != NULL) {
            slot->next_background_ms = now_ms + BACKGROUND_EVERY_MS;
            begun = begin(slot, account, now_ms);
        }
    }
    pthread_mutex_unlock(&store->lock);
    if (begun != NULL)
        fetcher_start(store->fetcher, begun);
}
