// SPDX-License-Identifier: Apache-2.0
//
// An identity provider's keys: found, fetched, refreshed, kept. Any thread judges; fetches end
// on the fetcher's thread, which also runs the timer.
//
// A look is one attempt to get the set: where it is not known by configuration, the document that names its
// place, then the set itself. There is one look at a time; who needs it waits in the queue. The lock is held
// for a few words only: tokens are judged against a set that was retained under it.
#include "auth/issuer.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/issuer_discovery.h"
#include "clock.h"
#include "telemetry/log.h"

#define RETRY_FIRST_MS 1000
#define RETRY_LAST_MS 30000
#define MISSED_MAX 64
#define DIGEST_SIZE 32
/* A set that arrives while a token is judged against the one before: so often it is judged anew. */
#define JUDGEMENTS_MAX 3

struct digest {
    unsigned char bytes[DIGEST_SIZE];
};

enum look { LOOK_NONE, LOOK_OPENID, LOOK_OAUTH, LOOK_KEYS };

struct issuer {
    struct fetch_task task;
    struct fetch fetch; /* the look's */
    struct fetcher *fetcher;
    char *issuer_url;
    char *jwks_url;           /* configured; NULL: to be found */
    char url[ISSUER_URL_MAX]; /* of a document that names the place of the set */

    pthread_mutex_t lock; /* guards the rest */
    unsigned references;  /* the owner's and the look's */
    bool closed;          /* the owner's is gone */
    enum look look;
    char found_url[ISSUER_URL_MAX]; /* by discovery; "": nothing yet. The look's while there is one */
    uint64_t seen_ms;               /* the latest time that anybody has brought: never ahead of the clock */
    uint64_t look_began_ms;         /* when the set itself began to be fetched */
    uint64_t next_ms;               /* refresh or retry */
    uint64_t retry_ms;              /* 0: the last look was good */
    uint64_t unknown_look_ms;       /* when a look for an unknown key began last; 0: never */
    struct auth_queue queue;

    struct jwks *jwks; /* NULL: none so far */
    struct digest jwks_digest;
    uint64_t jwks_began_ms;           /* look_began_ms of its look */
    struct digest missed[MISSED_MAX]; /* tokens whose key that look should have found */
    size_t missed_count;

    struct log_limit failures, successes;
};

static void issuer_release(struct issuer *issuer)
{
    pthread_mutex_lock(&issuer->lock);
    bool last = --issuer->references == 0;
    pthread_mutex_unlock(&issuer->lock);
    if (!last)
        return;
    jwks_release(issuer->jwks);
    pthread_mutex_destroy(&issuer->lock);
    free(issuer->issuer_url);
    free(issuer->jwks_url);
    free(issuer);
}

/* ---- A look ---- */

static const char *keys_url(const struct issuer *issuer)
{
    if (issuer->jwks_url != NULL)
        return issuer->jwks_url;
    return issuer->found_url[0] != '\0' ? issuer->found_url : NULL;
}

/* The look's next step; with the lock. */
static void look_prepare(struct issuer *issuer, enum look look)
{
    issuer->look = look;
    issuer->look_began_ms = issuer->seen_ms;
    if (look != LOOK_KEYS)
        issuer_discovery_url(issuer->issuer_url, look == LOOK_OAUTH, issuer->url, sizeof issuer->url);
    issuer->fetch.kind = look == LOOK_KEYS ? "jwks" : "discovery";
    issuer->fetch.url = look == LOOK_KEYS ? keys_url(issuer) : issuer->url;
    issuer->fetch.limit = look == LOOK_KEYS ? JWKS_DOCUMENT_MAX : ISSUER_DISCOVERY_MAX;
}

/* With the lock, when there is none under way; once it is released, the fetch must be started. */
static void look_begin(struct issuer *issuer)
{
    issuer->references++;
    look_prepare(issuer, keys_url(issuer) != NULL ? LOOK_KEYS : LOOK_OPENID);
}

static void log_failure(struct issuer *issuer, const struct fetch *fetch, const char *problem)
{
    uint64_t suppressed;
    if (log_limit_pass(&issuer->failures, &suppressed))
        log_warning("keys of an identity provider cannot be fetched", LOG_TEXT("issuer", issuer->issuer_url),
                    LOG_TEXT("url", fetch->url), LOG_TEXT("error", problem),
                    LOG_INT("keys", issuer->jwks == NULL ? 0 : jwks_count(issuer->jwks)));
}

static void log_set(struct issuer *issuer, const char *message, size_t count, size_t ignored)
{
    uint64_t suppressed;
    if (log_limit_pass(&issuer->successes, &suppressed))
        log_info(message, LOG_TEXT("issuer", issuer->issuer_url), LOG_INT("keys", count),
                 LOG_INT("ignored", ignored));
}

/* What a step has brought, read without the lock. */
struct finding {
    bool found;
    char problem[FETCH_ERROR_MAX];
    char url[ISSUER_URL_MAX];
    struct jwks *jwks;
    size_t ignored;
    struct digest digest;
};

static void finding_read(const struct issuer *issuer, enum look look, const struct fetch *fetch,
                         struct finding *finding)
{
    if (fetch->status == 0) {
        snprintf(finding->problem, sizeof finding->problem, "%s", fetch->error);
    } else if (fetch->status != 200) {
        snprintf(finding->problem, sizeof finding->problem, "status %ld", fetch->status);
    } else if (look == LOOK_KEYS) {
        finding->jwks = jwks_read(fetch->body, &finding->ignored, finding->problem, sizeof finding->problem);
        finding->found = finding->jwks != NULL;
        /* Only what is logged depends on it: without memory it is another set. */
        if (EVP_Digest(fetch->body.ptr, fetch->body.len, finding->digest.bytes, NULL, EVP_sha256(), NULL) !=
            1)
            finding->digest = (struct digest){{0}};
    } else {
        finding->found =
            issuer_discovery_read(fetch->body, issuer->issuer_url, finding->url, sizeof finding->url,
                                  finding->problem, sizeof finding->problem);
    }
}

/* The look is over and has brought nothing. With the lock. */
static void look_fail(struct issuer *issuer, const struct fetch *fetch, const char *problem)
{
    if (issuer->retry_ms == 0 && !issuer->closed)
        log_failure(issuer, fetch, problem);
    issuer->retry_ms = issuer->retry_ms == 0 ? RETRY_FIRST_MS : issuer->retry_ms * 2;
    if (issuer->retry_ms > RETRY_LAST_MS)
        issuer->retry_ms = RETRY_LAST_MS;
    issuer->next_ms = issuer->seen_ms + issuer->retry_ms;
}

/* The look is over and has brought a set; `finding` gets the one before it. With the lock. */
static void look_succeed(struct issuer *issuer, struct finding *finding)
{
    struct jwks *before = issuer->jwks;
    const char *message = NULL;

    if (before == NULL)
        message = "keys of an identity provider fetched";
    else if (memcmp(&finding->digest, &issuer->jwks_digest, sizeof finding->digest) != 0)
        message = "keys of an identity provider have changed";
    else if (issuer->retry_ms != 0)
        message = "keys of an identity provider can be fetched again";
    if (message != NULL && !issuer->closed)
        log_set(issuer, message, jwks_count(finding->jwks), finding->ignored);

    issuer->jwks = finding->jwks;
    finding->jwks = before;
    issuer->jwks_digest = finding->digest;
    issuer->jwks_began_ms = issuer->look_began_ms;
    issuer->missed_count = 0;
    issuer->retry_ms = 0;
    issuer->next_ms = issuer->seen_ms + ISSUER_REFRESH_MS;
}

/* True: there is another step. With the lock. */
static bool look_go_on(struct issuer *issuer, struct fetch *fetch, struct finding *finding)
{
    if (issuer->look == LOOK_KEYS) {
        if (finding->found) {
            look_succeed(issuer, finding);
            return false;
        }
        look_fail(issuer, fetch, finding->problem);
        /* An answer that is no set: it may have moved. */
        if (fetch->status != 0)
            issuer->found_url[0] = '\0';
        return false;
    }
    if (finding->found) {
        memcpy(issuer->found_url, finding->url, sizeof issuer->found_url);
        look_prepare(issuer, LOOK_KEYS);
        return true;
    }
    /* Who has not answered at all will not know the other document. */
    if (issuer->look == LOOK_OPENID && fetch->status != 0) {
        look_prepare(issuer, LOOK_OAUTH);
        return true;
    }
    look_fail(issuer, fetch, finding->problem);
    return false;
}

static void look_done(struct fetch *fetch)
{
    struct issuer *issuer = (struct issuer *)((char *)fetch - offsetof(struct issuer, fetch));
    struct finding finding = {.found = false};
    struct auth_wait *waiting = NULL;

    pthread_mutex_lock(&issuer->lock);
    enum look look = issuer->look;
    pthread_mutex_unlock(&issuer->lock);
    finding_read(issuer, look, fetch, &finding);

    pthread_mutex_lock(&issuer->lock);
    bool more = look_go_on(issuer, fetch, &finding) && !issuer->closed;
    if (!more) {
        issuer->look = LOOK_NONE;
        waiting = auth_queue_take(&issuer->queue);
    }
    pthread_mutex_unlock(&issuer->lock);

    jwks_release(finding.jwks);
    if (more) {
        fetcher_start(issuer->fetcher, fetch);
        return;
    }
    auth_wake_all(waiting);
    issuer_release(issuer);
}

static void see(struct issuer *issuer, uint64_t now_ms)
{
    if (issuer->seen_ms < now_ms)
        issuer->seen_ms = now_ms;
}

static void task_run(struct fetch_task *task, uint64_t now_ms)
{
    struct issuer *issuer = (struct issuer *)((char *)task - offsetof(struct issuer, task));
    pthread_mutex_lock(&issuer->lock);
    see(issuer, now_ms);
    bool due = issuer->look == LOOK_NONE && now_ms >= issuer->next_ms;
    if (due)
        look_begin(issuer);
    pthread_mutex_unlock(&issuer->lock);
    if (due)
        fetcher_start(issuer->fetcher, &issuer->fetch);
}

/* ---- Judging ---- */

/* What is to be done for a token that could not be decided. */
enum step { STEP_JUDGE_AGAIN, STEP_DENY, STEP_UNAVAILABLE, STEP_WAIT, STEP_WAIT_FOR_NEW };

static enum step step_wait(struct issuer *issuer, struct auth_wait *wait, bool begin)
{
    if (!auth_queue_add(&issuer->queue, wait))
        return STEP_UNAVAILABLE;
    if (!begin)
        return STEP_WAIT;
    look_begin(issuer);
    return STEP_WAIT_FOR_NEW;
}

/* With the lock. */
static enum step step_without_keys(struct issuer *issuer, const struct auth_now *now, struct auth_wait *wait)
{
    if (issuer->jwks != NULL)
        return STEP_JUDGE_AGAIN;
    if (issuer->look != LOOK_NONE)
        return step_wait(issuer, wait, false);
    /* Who comes before the retry is due need not wait to hear the same. */
    return now->ms >= issuer->next_ms ? step_wait(issuer, wait, true) : STEP_UNAVAILABLE;
}

static bool was_missed(const struct issuer *issuer, const struct digest *token)
{
    for (size_t i = 0; i < issuer->missed_count; i++) {
        if (memcmp(&issuer->missed[i], token, sizeof *token) == 0)
            return true;
    }
    return false;
}

/* No key of this set is the token's. The set can be out of date, so it is final only when its look began
 * after the token was there. That is remembered of the token, not of its kid: a kid can be guessed, and a
 * stranger who names the provider's next one in time must not have its first tokens refused. digest NULL:
 * there is none. With the lock. */
static enum step step_unknown(struct issuer *issuer, const struct jwks *jwks, const struct digest *digest,
                              const struct auth_now *now, struct auth_wait *wait)
{
    if (issuer->jwks != jwks)
        return STEP_JUDGE_AGAIN;
    if (issuer->jwks_began_ms >= wait->since_ms) {
        if (digest != NULL && issuer->missed_count < MISSED_MAX && !was_missed(issuer, digest))
            issuer->missed[issuer->missed_count++] = *digest;
        return STEP_DENY;
    }
    if (digest != NULL && now->ms < issuer->jwks_began_ms + ISSUER_REFETCH_MS && was_missed(issuer, digest))
        return STEP_DENY;
    if (issuer->look != LOOK_NONE)
        return step_wait(issuer, wait, false);
    /* The one it has waited for came to nothing; the next would too, and take as long. */
    if (wait->rounds > 0 && issuer->retry_ms != 0 && now->ms < issuer->next_ms)
        return STEP_UNAVAILABLE;
    if (issuer->unknown_look_ms != 0 && now->ms < issuer->unknown_look_ms + ISSUER_REFETCH_MS)
        return STEP_UNAVAILABLE;
    enum step step = step_wait(issuer, wait, true);
    if (step == STEP_WAIT_FOR_NEW)
        issuer->unknown_look_ms = now->ms;
    return step;
}

static enum step judge_unknown(struct issuer *issuer, struct slice token, const struct jwks *jwks,
                               const struct auth_now *now, struct auth_wait *wait)
{
    struct digest digest;
    bool digested = EVP_Digest(token.ptr, token.len, digest.bytes, NULL, EVP_sha256(), NULL) == 1;
    pthread_mutex_lock(&issuer->lock);
    enum step step = step_unknown(issuer, jwks, digested ? &digest : NULL, now, wait);
    pthread_mutex_unlock(&issuer->lock);
    return step;
}

/* A key has the token's kid and has not made its signature: the provider may have exchanged the key and not
 * the kid. While no look may be made for that the refusal stands: kids are public, so anybody can have this.
 */
static enum step judge_bad_signature(struct issuer *issuer, const struct jwks *jwks,
                                     const struct auth_now *now, struct auth_wait *wait)
{
    pthread_mutex_lock(&issuer->lock);
    bool looking = issuer->look != LOOK_NONE;
    enum step step = step_unknown(issuer, jwks, NULL, now, wait);
    pthread_mutex_unlock(&issuer->lock);
    return step == STEP_UNAVAILABLE && !looking ? STEP_DENY : step;
}

static struct jwks *take_keys(struct issuer *issuer, const struct auth_now *now)
{
    pthread_mutex_lock(&issuer->lock);
    see(issuer, now->ms);
    struct jwks *jwks = issuer->jwks == NULL ? NULL : jwks_retain(issuer->jwks);
    pthread_mutex_unlock(&issuer->lock);
    return jwks;
}

static enum step judge_without_keys(struct issuer *issuer, const struct auth_now *now, struct auth_wait *wait)
{
    pthread_mutex_lock(&issuer->lock);
    enum step step = step_without_keys(issuer, now, wait);
    pthread_mutex_unlock(&issuer->lock);
    return step;
}

static enum auth_verdict verdict_of(struct issuer *issuer, enum step step, const char **reason)
{
    *reason = step == STEP_DENY ? "unknown_kid" : "keys_unavailable";
    if (step == STEP_DENY)
        return AUTH_DENY;
    if (step == STEP_WAIT_FOR_NEW)
        fetcher_start(issuer->fetcher, &issuer->fetch);
    return step == STEP_WAIT || step == STEP_WAIT_FOR_NEW ? AUTH_PENDING : AUTH_UNAVAILABLE;
}

enum auth_verdict issuer_judge(struct issuer *issuer, struct slice token, const struct jwt_rules *rules,
                               const struct auth_now *now, struct auth_wait *wait, const char **reason)
{
    enum step step = STEP_JUDGE_AGAIN;
    if (wait->since_ms == 0)
        wait->since_ms = now->ms;
    for (unsigned i = 0; i < JUDGEMENTS_MAX && step == STEP_JUDGE_AGAIN; i++) {
        struct jwks *jwks = take_keys(issuer, now);
        if (jwks == NULL) {
            step = judge_without_keys(issuer, now, wait);
            continue;
        }
        enum jwt_result result = jwt_judge(token, jwks, rules, now->wall_ms, reason, NULL, 0);
        if (result == JWT_UNKNOWN_KEY)
            step = judge_unknown(issuer, token, jwks, now, wait);
        else if (result == JWT_INVALID)
            step = strcmp(*reason, "bad_signature") == 0 ? judge_bad_signature(issuer, jwks, now, wait)
                                                         : STEP_DENY;
        jwks_release(jwks);
        switch (result) {
        case JWT_VALID:
            return AUTH_ALLOW;
        case JWT_INVALID:
            if (step == STEP_DENY)
                return AUTH_DENY;
            break;
        case JWT_NO_MEMORY:
            return AUTH_UNAVAILABLE;
        case JWT_UNKNOWN_KEY:
            break;
        }
    }
    return verdict_of(issuer, step, reason);
}

/* ---- Its life ---- */

struct issuer *issuer_create(struct fetcher *fetcher, const char *issuer_url, const char *jwks_url)
{
    struct issuer *issuer = calloc(1, sizeof *issuer);
    if (issuer == NULL)
        return NULL;
    issuer->issuer_url = strdup(issuer_url);
    issuer->jwks_url = jwks_url == NULL ? NULL : strdup(jwks_url);
    if (issuer->issuer_url == NULL || (jwks_url != NULL && issuer->jwks_url == NULL)) {
        free(issuer->issuer_url);
        free(issuer->jwks_url);
        free(issuer);
        return NULL;
    }
    pthread_mutex_init(&issuer->lock, NULL);
    issuer->fetcher = fetcher;
    issuer->references = 1;
    issuer->task.run = task_run;
    issuer->fetch.done = look_done;
    issuer->fetch.accept = "application/json";
    see(issuer, clock_monotonic_ms());
    look_begin(issuer);
    fetcher_start(fetcher, &issuer->fetch);
    fetcher->add_task(fetcher, &issuer->task);
    return issuer;
}

void issuer_free(struct issuer *issuer)
{
    if (issuer == NULL)
        return;
    issuer->fetcher->remove_task(issuer->fetcher, &issuer->task);
    pthread_mutex_lock(&issuer->lock);
    issuer->closed = true;
    struct auth_wait *waiting = auth_queue_take(&issuer->queue);
    pthread_mutex_unlock(&issuer->lock);
    auth_wake_all(waiting);
    issuer_release(issuer);
}
