// SPDX-License-Identifier: Apache-2.0
//
// Opaque tokens: the cache of what the provider has said, and the calls that ask it; any
// thread judges, the fetcher's thread brings the answers. One lock, held for look-ups and links only:
// texts are made and read outside it.
//
// No clock is read here. A call's answer is as old as its beginning, which its judge has told; when it
// ended is not known, so that what begins with the end (how long a failure speaks, for whom an answer is
// new) begins when it is first looked at.
#include "auth/introspection.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/introspection_internal.h"
#include "auth/token.h"
#include "telemetry/log.h"

#define BUCKET_BITS 11
#define BUCKETS ((size_t)1 << BUCKET_BITS)

/* What ended longer ago than this has not been waited for by the request that looks at it first. */
#define NEWS_MS (FETCH_TIMEOUT_MS + INTROSPECTION_FAILED_MS)

/* After a failure the next call may take FETCH_TIMEOUT_MS to fail; until then the provider counts as away. */
#define AWAY_MS (INTROSPECTION_FAILED_MS + FETCH_TIMEOUT_MS + 1000)

/* Whose budget and places a call takes; so many may be under way for it and those before it. */
enum caller { CALLER_STRANGER, CALLER_PEER, CALLER_PROVEN, CALLERS };
static const struct {
    size_t calls_max;
    struct auth_budget budget;
} callers[CALLERS] = {
    [CALLER_STRANGER] = {INTROSPECTION_STRANGER_CALLS_MAX,
                         {.burst = INTROSPECTION_STRANGER_BURST,
                          .every_ms = INTROSPECTION_STRANGER_EVERY_MS}},
    [CALLER_PEER] = {INTROSPECTION_PEER_CALLS_MAX,
                     {.burst = INTROSPECTION_PEER_BURST, .every_ms = INTROSPECTION_PEER_EVERY_MS}},
    [CALLER_PROVEN] = {INTROSPECTION_CALLS_MAX,
                       {.burst = INTROSPECTION_PROVEN_BURST, .every_ms = INTROSPECTION_PROVEN_EVERY_MS}},
};

enum entry_state { ENTRY_UNKNOWN, ENTRY_INACTIVE, ENTRY_ACTIVE };

struct entry {
    struct entry *chained;       /* in its bucket */
    struct entry *newer, *older; /* in its list: by their last use */
    struct token_digest digest;

    enum entry_state state;
    bool proven;                         /* somebody's rules have let it in; says which list it is in */
    struct introspection_answer *answer; /* when active */
    uint64_t answered_ms;                /* when the call that has told the state began */
    uint64_t seen_ms;                    /* when that was first looked at; 0: not yet */

    bool failed; /* the last call came to nothing */
    uint64_t failed_ms, failed_seen_ms;

    bool asking; /* a call is under way: the entry stays */
    struct auth_queue waiting;
};

struct entry_list {
    struct entry *newest, *oldest;
    size_t count;
};

struct introspection {
    struct fetcher *fetcher;
    char *url;
    struct introspection_secret authorization;
    uint64_t spread; /* random and odd: nobody outside knows which digests share a bucket */

    pthread_mutex_t lock;
    struct entry *buckets[BUCKETS];
    struct entry_list proven, others;
    struct auth_budget budgets[CALLERS];
    size_t calls[CALLERS];
    bool away;   /* the last call to end came to nothing */
    bool closed; /* the last call to end frees everything */

    struct log_limit limit;
    _Atomic bool complained; /* the log says that it does not work */
};

struct call {
    struct fetch fetch; /* first: found again by it */
    struct introspection *introspection;
    struct entry *entry;
    enum caller caller;
    uint64_t began_ms;
};

/* Two threads' readings may come in the other order. */
static uint64_t age(uint64_t now_ms, uint64_t then_ms)
{
    return now_ms > then_ms ? now_ms - then_ms : 0;
}

/* --- the cache; with the lock held --- */

static struct entry **bucket_of(struct introspection *introspection, const struct token_digest *digest)
{
    uint64_t number;
    memcpy(&number, digest->bytes, sizeof number);
    return &introspection->buckets[number * introspection->spread >> (64 - BUCKET_BITS)];
}

static struct entry *entry_find(struct introspection *introspection, const struct token_digest *digest)
{
    struct entry *entry = *bucket_of(introspection, digest);
    while (entry != NULL && CRYPTO_memcmp(entry->digest.bytes, digest->bytes, TOKEN_DIGEST_SIZE) != 0)
        entry = entry->chained;
    return entry;
}

static struct entry_list *list_of(struct introspection *introspection, const struct entry *entry)
{
    return entry->proven ? &introspection->proven : &introspection->others;
}

static void list_add(struct entry_list *list, struct entry *entry)
{
    entry->newer = NULL;
    entry->older = list->newest;
    *(list->newest != NULL ? &list->newest->newer : &list->oldest) = entry;
    list->newest = entry;
    list->count++;
}

static void list_remove(struct entry_list *list, struct entry *entry)
{
    *(entry->newer != NULL ? &entry->newer->older : &list->newest) = entry->older;
    *(entry->older != NULL ? &entry->older->newer : &list->oldest) = entry->newer;
    list->count--;
}

static void entry_free(struct entry *entry)
{
    free(entry->answer);
    free(entry);
}

/* Makes room for one more, if need be; those with a call under way stay, and they are few. */
static void list_make_room(struct introspection *introspection, struct entry_list *list, size_t max)
{
    struct entry *entry = list->oldest;
    while (entry != NULL && list->count >= max) {
        struct entry *newer = entry->newer;
        if (!entry->asking) {
            struct entry **link = bucket_of(introspection, &entry->digest);
            while (*link != entry)
                link = &(*link)->chained;
            *link = entry->chained;
            list_remove(list, entry);
            entry_free(entry);
        }
        entry = newer;
    }
}

static struct entry *entry_add(struct introspection *introspection, const struct token_digest *digest)
{
    struct entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL)
        return NULL;
    list_make_room(introspection, &introspection->others, INTROSPECTION_OTHER_MAX);
    struct entry **bucket = bucket_of(introspection, digest);
    entry->digest = *digest;
    entry->chained = *bucket;
    *bucket = entry;
    list_add(&introspection->others, entry);
    return entry;
}

/* Also moves it to the front. */
static void entry_set_proven(struct introspection *introspection, struct entry *entry, bool proven)
{
    list_remove(list_of(introspection, entry), entry);
    if (proven && !entry->proven)
        list_make_room(introspection, &introspection->proven, INTROSPECTION_PROVEN_MAX);
    if (!proven && entry->proven)
        list_make_room(introspection, &introspection->others, INTROSPECTION_OTHER_MAX);
    entry->proven = proven;
    list_add(list_of(introspection, entry), entry);
}

/* --- what an entry is good for; with the lock held --- */

/* Whether the last call has failed, and less than so long ago. */
static bool entry_failed(struct entry *entry, uint64_t now_ms, uint64_t within_ms)
{
    if (entry->failed && entry->failed_seen_ms == 0) {
        entry->failed_seen_ms = now_ms;
        entry->failed = age(now_ms, entry->failed_ms) <= NEWS_MS;
    }
    return entry->failed && age(now_ms, entry->failed_seen_ms) < within_ms;
}

/* Whether the request has waited for what the entry says: it is as new as can be had, and decides
 * even where it is not to be kept. */
static bool entry_is_news(struct entry *entry, const struct auth_now *now, const struct auth_wait *wait)
{
    if (entry->seen_ms == 0)
        entry->seen_ms = now->ms;
    return wait->rounds > 0 && wait->since_ms <= entry->seen_ms &&
           age(now->ms, entry->answered_ms) <= NEWS_MS;
}

/* Whether it is active, let in before, and old, yet not older than an outage may make it. */
static bool entry_is_stale(const struct entry *entry, const struct auth_now *now)
{
    return entry->state == ENTRY_ACTIVE && entry->proven &&
           !(entry->answer->has_exp && now->wall_ms >= entry->answer->exp_ms) &&
           age(now->ms, entry->answered_ms) < INTROSPECTION_POSITIVE_MS + INTROSPECTION_STALE_MS;
}

enum use {
    USE,         /* what it says decides */
    USE_AND_ASK, /* and a newer answer is wanted */
    ASK          /* it says nothing that counts now */
};

static enum use entry_use(struct entry *entry, const struct auth_now *now, const struct auth_wait *wait)
{
    if (entry->state == ENTRY_UNKNOWN)
        return ASK;
    uint64_t age_ms = age(now->ms, entry->answered_ms);
    if (entry_is_news(entry, now, wait))
        return USE;
    if (entry->state == ENTRY_INACTIVE)
        return age_ms < INTROSPECTION_NEGATIVE_MS ? USE : ASK;

    const struct introspection_answer *answer = entry->answer;
    if (answer->has_exp && now->wall_ms >= answer->exp_ms) {
        /* Past the leeway it is refused by its own time: not asked about again at once either. */
        bool over = now->wall_ms >= answer->exp_ms + (int64_t)JWT_LEEWAY_S * 1000;
        return over && age_ms < INTROSPECTION_NEGATIVE_MS ? USE : ASK;
    }
    if (age_ms < INTROSPECTION_REFRESH_MS)
        return USE;
    if (age_ms < INTROSPECTION_POSITIVE_MS)
        return entry->proven ? USE_AND_ASK : USE;
    return entry_is_stale(entry, now) && entry_failed(entry, now->ms, AWAY_MS) ? USE_AND_ASK : ASK;
}

static enum auth_verdict entry_judge(struct introspection *introspection, struct entry *entry,
                                     const struct jwt_rules *rules, const struct auth_now *now,
                                     const char **reason)
{
    const char *objection = entry->state == ENTRY_ACTIVE
                                ? introspection_answer_judge(entry->answer, rules, now->wall_ms)
                                : "inactive_token";
    entry_set_proven(introspection, entry, entry->proven || objection == NULL);
    if (objection == NULL)
        return AUTH_ALLOW;
    *reason = objection;
    return AUTH_DENY;
}

/* --- calls --- */

static size_t calls_under_way(const struct introspection *introspection, enum caller last)
{
    size_t count = 0;
    for (size_t i = 0; i <= (size_t)last; i++)
        count += introspection->calls[i];
    return count;
}

/* Takes one out of the caller's budget, and a place. With the lock held. */
static bool take_place(struct introspection *introspection, enum caller caller, uint64_t now_ms)
{
    for (enum caller other = caller; other < CALLERS; other++)
        if (calls_under_way(introspection, other) >= callers[other].calls_max)
            return false;
    return auth_budget_take(&introspection->budgets[caller], now_ms);
}

static void introspection_destroy(struct introspection *introspection)
{
    struct entry_list *lists[] = {&introspection->proven, &introspection->others};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct entry *entry = lists[i]->oldest;
        while (entry != NULL) {
            struct entry *newer = entry->newer;
            entry_free(entry);
            entry = newer;
        }
    }
    introspection_secret_free(introspection->authorization);
    pthread_mutex_destroy(&introspection->lock);
    free(introspection->url);
    free(introspection);
}

/* An outage is told once a second, its end once. */
static void report(struct introspection *introspection, const struct fetch *fetch, const char *error)
{
    uint64_t suppressed;
    if (error == NULL) {
        if (atomic_exchange(&introspection->complained, false))
            log_info("introspection works again", LOG_TEXT("url", introspection->url));
    } else if (log_limit_pass(&introspection->limit, &suppressed)) {
        atomic_store(&introspection->complained, true);
        log_warning("introspection failed", LOG_TEXT("url", introspection->url),
                    LOG_INT("status", fetch->status), LOG_TEXT("error", error),
                    LOG_INT("suppressed", suppressed));
    }
}

/* What the answer says; *error is NULL when it is usable. */
static enum introspection_kind read_result(const struct fetch *fetch, struct introspection_answer **answer,
                                           const char **error)
{
    *answer = NULL;
    if (fetch->status == 200) {
        enum introspection_kind kind = introspection_answer_read(fetch->body, answer, error);
        if (kind != INTROSPECTION_UNUSABLE)
            *error = NULL;
        return kind;
    }
    if (fetch->status == 0)
        *error = fetch->error;
    else if (fetch->status == 401)
        *error = "the provider refuses client_id and client_secret";
    else
        *error = "not status 200";
    return INTROSPECTION_UNUSABLE;
}

/* With the lock held. Takes the answer over. */
static void entry_take(struct introspection *introspection, struct entry *entry, uint64_t began_ms,
                       enum introspection_kind kind, struct introspection_answer *answer)
{
    introspection->away = kind == INTROSPECTION_UNUSABLE;
    entry->failed = kind == INTROSPECTION_UNUSABLE;
    if (entry->failed) {
        /* What was known before stays; for how long, entry_use says. */
        entry->failed_ms = began_ms;
        entry->failed_seen_ms = 0;
        return;
    }
    free(entry->answer);
    entry->answer = answer;
    entry->answered_ms = began_ms;
    entry->seen_ms = 0;
    entry->state = kind == INTROSPECTION_ACTIVE ? ENTRY_ACTIVE : ENTRY_INACTIVE;
    if (entry->state == ENTRY_INACTIVE)
        entry_set_proven(introspection, entry, false);
}

static void on_done(struct fetch *fetch)
{
    struct call *call = (struct call *)fetch;
    struct introspection *introspection = call->introspection;
    struct introspection_answer *answer;
    const char *error;

    enum introspection_kind kind = read_result(fetch, &answer, &error);
    report(introspection, fetch, error);

    pthread_mutex_lock(&introspection->lock);
    entry_take(introspection, call->entry, call->began_ms, kind, answer);
    call->entry->asking = false;
    struct auth_wait *waiting = auth_queue_take(&call->entry->waiting);
    introspection->calls[call->caller]--;
    bool last = introspection->closed && calls_under_way(introspection, CALLER_PROVEN) == 0;
    pthread_mutex_unlock(&introspection->lock);

    auth_wake_all(waiting);
    introspection_form_free(fetch->form);
    free(call);
    if (last)
        introspection_destroy(introspection);
}

/* Outside the lock. The call may have ended when it returns. */
static void call_start(struct call *call, struct slice token)
{
    struct introspection *introspection = call->introspection;
    call->fetch.form = introspection_form(token);
    if (!slice_present(call->fetch.form)) {
        snprintf(call->fetch.error, sizeof call->fetch.error, "out of memory");
        on_done(&call->fetch);
        return;
    }
    fetcher_start(introspection->fetcher, &call->fetch);
}

/* Prepares a call, with the lock held; a place was taken. NULL when out of memory: the place is
 * given back. entry NULL: a new one is made. */
static struct call *call_make(struct introspection *introspection, struct entry *entry,
                              const struct token_digest *digest, enum caller caller, uint64_t now_ms)
{
    struct call *call = calloc(1, sizeof *call);
    if (call != NULL && entry == NULL)
        entry = entry_add(introspection, digest);
    if (call == NULL || entry == NULL) {
        free(call);
        return NULL;
    }
    introspection->calls[caller]++;
    entry->asking = true;
    call->introspection = introspection;
    call->entry = entry;
    call->caller = caller;
    call->began_ms = now_ms;
    call->fetch.kind = "introspection";
    call->fetch.url = introspection->url;
    call->fetch.authorization = introspection->authorization.text;
    call->fetch.accept = "application/json";
    call->fetch.limit = INTROSPECTION_ANSWER_MAX;
    call->fetch.done = on_done;
    return call;
}

/* --- judging --- */

static enum auth_verdict unavailable(const char *why, const char **reason)
{
    *reason = why;
    return AUTH_UNAVAILABLE;
}

/* With the lock held. *call is to be started once it is released. */
static enum auth_verdict judge(struct introspection *introspection, const struct token_digest *digest,
                               const struct jwt_rules *rules, bool known_peer, const struct auth_now *now,
                               struct auth_wait *wait, struct call **call, const char **reason)
{
    struct entry *entry = entry_find(introspection, digest);
    enum use use = entry != NULL ? entry_use(entry, now, wait) : ASK;
    bool failed = entry != NULL && entry_failed(entry, now->ms, INTROSPECTION_FAILED_MS);
    bool asking = entry != NULL && entry->asking;
    enum caller caller = entry != NULL && entry->proven ? CALLER_PROVEN
                         : known_peer                   ? CALLER_PEER
                                                        : CALLER_STRANGER;

    if (use == USE_AND_ASK && !asking && !failed && take_place(introspection, caller, now->ms))
        *call = call_make(introspection, entry, digest, caller, now->ms);
    if (use != ASK)
        return entry_judge(introspection, entry, rules, now, reason);

    if (!asking) {
        if (failed || wait->rounds >= AUTH_ROUNDS_MAX)
            return unavailable("introspection_unavailable", reason);
        if (!take_place(introspection, caller, now->ms)) {
            /* Too many have to be asked about at once while the provider hangs: this one was vouched for. */
            if (entry != NULL && introspection->away && entry_is_stale(entry, now))
                return entry_judge(introspection, entry, rules, now, reason);
            return unavailable("fetch_budget", reason);
        }
        *call = call_make(introspection, entry, digest, caller, now->ms);
        if (*call == NULL)
            return unavailable("introspection_unavailable", reason);
        entry = (*call)->entry;
    }
    if (!auth_queue_add(&entry->waiting, wait))
        return unavailable("introspection_unavailable", reason);
    return AUTH_PENDING;
}

/* RFC 6750 section 2.1: a bearer token has neither blanks nor controls, and only ASCII. */
static bool can_be_a_token(struct slice token)
{
    for (size_t i = 0; i < token.len; i++)
        if (token.ptr[i] <= ' ' || token.ptr[i] > '~')
            return false;
    return token.len > 0 && token.len <= INTROSPECTION_TOKEN_MAX;
}

enum auth_verdict introspection_judge(struct introspection *introspection, struct slice token,
                                      const struct jwt_rules *rules, bool known_peer,
                                      const struct auth_now *now, struct auth_wait *wait, const char **reason)
{
    struct token_digest digest;
    struct call *call = NULL;

    if (wait->since_ms == 0)
        wait->since_ms = now->ms;
    if (!can_be_a_token(token)) {
        *reason = "inactive_token";
        return AUTH_DENY;
    }
    if (!token_digest(token, &digest))
        return unavailable("introspection_unavailable", reason);

    pthread_mutex_lock(&introspection->lock);
    enum auth_verdict verdict = judge(introspection, &digest, rules, known_peer, now, wait, &call, reason);
    pthread_mutex_unlock(&introspection->lock);

    /* With somebody else's call a pending request may be woken already, and be judged on another thread;
     * with this one it is not before the token has been copied. */
    if (call != NULL)
        call_start(call, token);
    return verdict;
}

struct introspection *introspection_create(struct fetcher *fetcher, const char *url, const char *client_id,
                                           const char *client_secret)
{
    struct introspection *introspection = calloc(1, sizeof *introspection);
    if (introspection == NULL)
        return NULL;
    pthread_mutex_init(&introspection->lock, NULL);
    introspection->fetcher = fetcher;
    for (size_t i = 0; i < CALLERS; i++)
        introspection->budgets[i] = callers[i].budget;
    introspection->url = strdup(url);
    introspection->authorization = introspection_secret_make(slice_of(client_id), slice_of(client_secret));
    if (introspection->url == NULL || introspection->authorization.text == NULL ||
        RAND_bytes((unsigned char *)&introspection->spread, sizeof introspection->spread) != 1) {
        introspection_destroy(introspection);
        return NULL;
    }
    introspection->spread |= 1;
    return introspection;
}

void introspection_free(struct introspection *introspection)
{
    if (introspection == NULL)
        return;
    struct auth_queue all = {.first = NULL};

    pthread_mutex_lock(&introspection->lock);
    introspection->closed = true;
    struct entry_list *lists[] = {&introspection->proven, &introspection->others};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        for (struct entry *entry = lists[i]->oldest; entry != NULL; entry = entry->newer) {
            struct auth_wait *wait = auth_queue_take(&entry->waiting);
            while (wait != NULL) {
                struct auth_wait *next = wait->next;
                wait->next = all.first;
                all.first = wait;
                wait = next;
            }
        }
    }
    bool last = calls_under_way(introspection, CALLER_PROVEN) == 0;
    pthread_mutex_unlock(&introspection->lock);

    /* With a call under way its end may free everything from here on. */
    auth_wake_all(all.first);
    if (last)
        introspection_destroy(introspection);
}
