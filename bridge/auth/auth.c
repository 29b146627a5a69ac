// SPDX-License-Identifier: Apache-2.0
//
// An endpoint's guard, and what all guards share. Made on main, at the start and at a reload;
// asked by every loop thread.
//
// Keys, key sets and answers that were fetched belong to the service, by what they were fetched from: a guard
// that a reload makes finds those of the guard before it.
#include "auth/auth.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/certificate.h"
#include "auth/fetch.h"
#include "auth/introspection.h"
#include "auth/issuer.h"
#include "auth/token.h"
#include "auth/validation.h"

enum source_kind { SOURCE_ISSUER, SOURCE_INTROSPECTION, SOURCE_KEYS };

/* Something that fetches and caches, shared by the guards that want the same. */
struct source {
    struct source *next;
    enum source_kind kind;
    struct token_digest identity; /* of all that it was made from, a secret included */
    size_t guards;                /* that use it */
    union {
        struct issuer *issuer;
        struct introspection *introspection;
        struct key_store *keys;
    } is;
};

struct auth_service {
    struct fetcher *fetcher;
    struct validation *validation;
    pthread_mutex_t lock; /* guards the list and the counts */
    struct source *sources;
};

/* Texts of the guard's own. */
struct texts {
    char **items;
    size_t count;
};

struct auth {
    struct auth_service *service;
    bool none;
    size_t token_count;
    struct token_digest *tokens;
    struct source *issuer, *introspection, *keys; /* NULL: that way is not open */
    char *issuer_url, *audience;
    struct texts allowed_clients, recipients, client_names;
    struct jwt_rules rules; /* points to the three above */
    bool confirm_validation;
};

/* --- the service --- */

struct auth_service *auth_service_create(struct metrics *metrics, char *errstr, size_t errstr_size)
{
    struct auth_service *service = calloc(1, sizeof *service);
    if (service == NULL) {
        snprintf(errstr, errstr_size, "out of memory");
        return NULL;
    }
    pthread_mutex_init(&service->lock, NULL);
    service->fetcher = fetcher_create(metrics, errstr, errstr_size);
    if (service->fetcher == NULL)
        goto fail;
    service->validation = validation_create(service->fetcher);
    if (service->validation == NULL) {
        snprintf(errstr, errstr_size, "out of memory");
        goto fail;
    }
    return service;

fail:
    if (service->fetcher != NULL) {
        fetcher_stop(service->fetcher);
        fetcher_free(service->fetcher);
    }
    pthread_mutex_destroy(&service->lock);
    free(service);
    return NULL;
}

void auth_service_stop(struct auth_service *service)
{
    pthread_mutex_lock(&service->lock);
    for (struct source *source = service->sources; source != NULL; source = source->next)
        if (source->kind == SOURCE_KEYS)
            key_store_stop(source->is.keys);
    pthread_mutex_unlock(&service->lock);
    fetcher_stop(service->fetcher);
}

void auth_service_free(struct auth_service *service)
{
    validation_free(service->validation);
    fetcher_free(service->fetcher);
    pthread_mutex_destroy(&service->lock);
    free(service);
}

/* --- sources --- */

/* Each text with its length, so that no two sources have the same bytes. */
static bool make_identity(const char *const *texts, size_t count, struct token_digest *identity)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; i < count && good; i++) {
        size_t length = texts[i] == NULL ? SIZE_MAX : strlen(texts[i]);
        good = EVP_DigestUpdate(context, &length, sizeof length) == 1 &&
               (texts[i] == NULL || EVP_DigestUpdate(context, texts[i], length) == 1);
    }
    good = good && EVP_DigestFinal_ex(context, identity->bytes, NULL) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

static bool source_open(struct auth_service *service, struct source *source,
                        const struct config_endpoint *endpoint)
{
    const struct config_oauth *oauth = &endpoint->oauth;
    switch (source->kind) {
    case SOURCE_ISSUER:
        source->is.issuer = issuer_create(service->fetcher, oauth->issuer, oauth->jwks_url);
        return source->is.issuer != NULL;
    case SOURCE_INTROSPECTION:
        source->is.introspection = introspection_create(service->fetcher, oauth->introspection_url,
                                                        oauth->client_id, oauth->client_secret);
        return source->is.introspection != NULL;
    case SOURCE_KEYS:
        source->is.keys = key_store_create(service->fetcher, endpoint->key_base);
        return source->is.keys != NULL;
    }
    return false;
}

static void source_close(struct source *source)
{
    switch (source->kind) {
    case SOURCE_ISSUER:
        issuer_free(source->is.issuer);
        break;
    case SOURCE_INTROSPECTION:
        introspection_free(source->is.introspection);
        break;
    case SOURCE_KEYS:
        key_store_free(source->is.keys);
        break;
    }
    free(source);
}

/* The one that is there for what the endpoint names, or a new one; NULL when out of memory. */
static struct source *source_acquire(struct auth_service *service, enum source_kind kind,
                                     const struct config_endpoint *endpoint)
{
    const struct config_oauth *oauth = &endpoint->oauth;
    const char *const texts[][3] = {
        [SOURCE_ISSUER] = {oauth->issuer, oauth->jwks_url, NULL},
        [SOURCE_INTROSPECTION] = {oauth->introspection_url, oauth->client_id, oauth->client_secret},
        [SOURCE_KEYS] = {endpoint->key_base, NULL, NULL},
    };
    struct token_digest identity;
    if (!make_identity(texts[kind], 3, &identity))
        return NULL;
    pthread_mutex_lock(&service->lock);
    struct source *source = service->sources;
    while (source != NULL && (source->kind != kind || !token_is_known(&identity, &source->identity, 1)))
        source = source->next;
    if (source == NULL && (source = calloc(1, sizeof *source)) != NULL) {
        source->kind = kind;
        source->identity = identity;
        if (source_open(service, source, endpoint)) {
            source->next = service->sources;
            service->sources = source;
        } else {
            free(source);
            source = NULL;
        }
    }
    if (source != NULL)
        source->guards++;
    pthread_mutex_unlock(&service->lock);
    return source;
}

static void source_release(struct auth_service *service, struct source *source)
{
    if (source == NULL)
        return;
    pthread_mutex_lock(&service->lock);
    bool last = --source->guards == 0;
    if (last) {
        struct source **link = &service->sources;
        while (*link != source)
            link = &(*link)->next;
        *link = source->next;
    }
    pthread_mutex_unlock(&service->lock);
    if (last)
        source_close(source);
}

/* --- a guard --- */

static bool texts_copy(struct texts *texts, char *const *items, size_t count)
{
    texts->items = calloc(count + 1, sizeof *texts->items);
    for (size_t i = 0; texts->items != NULL && i < count; i++) {
        texts->items[i] = strdup(items[i]);
        if (texts->items[i] == NULL)
            return false;
        texts->count++;
    }
    return texts->items != NULL;
}

static void texts_free(struct texts *texts)
{
    for (size_t i = 0; i < texts->count; i++)
        free(texts->items[i]);
    free(texts->items);
}

static bool text_copy(char **copy, const char *text)
{
    *copy = text == NULL ? NULL : strdup(text);
    return text == NULL || *copy != NULL;
}

static bool open_ways(struct auth *auth, const struct config_endpoint *endpoint)
{
    const struct config_oauth *oauth = &endpoint->oauth;
    auth->none = endpoint->auth_none;
    auth->confirm_validation = endpoint->confirm_validation;
    auth->tokens = calloc(endpoint->token_count + 1, sizeof *auth->tokens);
    if (auth->tokens == NULL)
        return false;
    for (; auth->token_count < endpoint->token_count; auth->token_count++)
        if (!token_digest(slice_of(endpoint->tokens[auth->token_count]), &auth->tokens[auth->token_count]))
            return false;
    if (!text_copy(&auth->issuer_url, oauth->issuer) || !text_copy(&auth->audience, oauth->audience) ||
        !texts_copy(&auth->allowed_clients, oauth->allowed_clients, oauth->allowed_client_count) ||
        !texts_copy(&auth->recipients, endpoint->recipients, endpoint->recipient_count) ||
        !texts_copy(&auth->client_names, endpoint->client_names, endpoint->client_name_count))
        return false;
    auth->rules = (struct jwt_rules){.issuer = auth->issuer_url,
                                     .audience = auth->audience,
                                     .allowed_clients = auth->allowed_clients.items,
                                     .allowed_client_count = auth->allowed_clients.count};
    if (oauth->issuer != NULL &&
        (auth->issuer = source_acquire(auth->service, SOURCE_ISSUER, endpoint)) == NULL)
        return false;
    if (oauth->introspection_url != NULL &&
        (auth->introspection = source_acquire(auth->service, SOURCE_INTROSPECTION, endpoint)) == NULL)
        return false;
    return !endpoint->signature ||
           (auth->keys = source_acquire(auth->service, SOURCE_KEYS, endpoint)) != NULL;
}

struct auth *auth_create(struct auth_service *service, const struct config_endpoint *endpoint)
{
    struct auth *auth = calloc(1, sizeof *auth);
    if (auth == NULL)
        return NULL;
    auth->service = service;
    if (open_ways(auth, endpoint))
        return auth;
    auth_free(auth);
    return NULL;
}

void auth_free(struct auth *auth)
{
    source_release(auth->service, auth->issuer);
    source_release(auth->service, auth->introspection);
    source_release(auth->service, auth->keys);
    texts_free(&auth->allowed_clients);
    texts_free(&auth->recipients);
    texts_free(&auth->client_names);
    free(auth->issuer_url);
    free(auth->audience);
    free(auth->tokens);
    free(auth);
}

bool auth_wants_authorization(const struct auth *auth)
{
    return auth->token_count > 0 || auth->issuer != NULL || auth->introspection != NULL;
}

bool auth_wants_recipients(const struct auth *auth)
{
    return auth->recipients.count > 0;
}

bool auth_is_recipient(const struct auth *auth, struct slice recipient)
{
    for (size_t i = 0; i < auth->recipients.count; i++)
        if (slice_equal(recipient, slice_of(auth->recipients.items[i])))
            return true;
    return false;
}

void auth_confirm_validation(const struct auth *auth, struct slice url)
{
    if (auth->confirm_validation)
        validation_confirm(auth->service->validation, url);
}

/* --- the verdict --- */

static enum auth_verdict judge_certificate(const struct auth *auth, const struct auth_request *request,
                                           const char **reason)
{
    *reason = "no_certificate";
    if (request->certificate == NULL)
        return AUTH_DENY;
    *reason = request->certificate_reason;
    if (request->certificate_verdict != AUTH_ALLOW)
        return request->certificate_verdict;
    bool no_memory = false;
    if (certificate_has_name(request->certificate, auth->client_names.items, auth->client_names.count,
                             &no_memory))
        return AUTH_ALLOW;
    *reason = no_memory ? "no_memory" : "wrong_name";
    return no_memory ? AUTH_UNAVAILABLE : AUTH_DENY;
}

/* A configured token may itself begin with one of the words, so the value is tried as it is, too. */
static enum auth_verdict judge_tokens(const struct auth *auth, const struct token_offer *offer,
                                      const char **reason)
{
    const struct slice candidates[] = {offer->bare, offer->after_scheme};
    bool known = false;
    for (size_t i = 0; i < sizeof candidates / sizeof candidates[0]; i++) {
        struct token_digest digest;
        if (!slice_present(candidates[i]))
            continue;
        if (!token_digest(candidates[i], &digest)) {
            *reason = "no_memory";
            return AUTH_UNAVAILABLE;
        }
        known |= token_is_known(&digest, auth->tokens, auth->token_count);
    }
    *reason = "wrong_token";
    return known ? AUTH_ALLOW : AUTH_DENY;
}

static enum auth_verdict judge_authorization(const struct auth *auth, const struct auth_request *request,
                                             const struct auth_now *now, struct auth_wait *wait,
                                             const char **reason)
{
    struct token_offer offer = token_find(request->authorization);
    *reason = "repeated_header";
    if (request->repeated_authorization)
        return AUTH_DENY;
    *reason = "no_credentials";
    if (!slice_present(offer.bare))
        return AUTH_DENY;
    *reason = "wrong_token";
    if (auth->token_count > 0) {
        enum auth_verdict verdict = judge_tokens(auth, &offer, reason);
        if (verdict != AUTH_DENY)
            return verdict;
    }
    struct slice token = slice_present(offer.after_scheme) ? offer.after_scheme : offer.bare;
    if (auth->issuer != NULL && (auth->introspection == NULL || jwt_looks_like_one(token)))
        return issuer_judge(auth->issuer->is.issuer, token, &auth->rules, now, wait, reason);
    if (auth->introspection != NULL)
        return introspection_judge(auth->introspection->is.introspection, token, &auth->rules,
                                   request->known_peer, now, wait, reason);
    return AUTH_DENY;
}

static enum auth_verdict judge_signature(const struct auth *auth, const struct auth_request *request,
                                         const struct auth_now *now, struct auth_wait *wait,
                                         const char **reason)
{
    *reason = "repeated_header";
    if (request->repeated_signature)
        return AUTH_DENY;
    return signature_judge(auth->keys->is.keys, &request->signature, request->known_peer, now, wait, reason);
}

enum auth_verdict auth_judge(const struct auth *auth, const struct auth_request *request,
                             const struct auth_now *now, struct auth_wait *wait, const char **reason)
{
    enum auth_verdict verdict = AUTH_DENY;
    if (auth->none)
        return AUTH_ALLOW;
    *reason = "no_credentials";
    /* What costs least comes first. */
    if (auth->client_names.count > 0) {
        verdict = judge_certificate(auth, request, reason);
        if (verdict == AUTH_DENY && request->old_connection)
            return AUTH_UNAVAILABLE;
        if (verdict != AUTH_ALLOW)
            return verdict;
    }
    if (auth_wants_authorization(auth)) {
        verdict = judge_authorization(auth, request, now, wait, reason);
        if (verdict != AUTH_ALLOW)
            return verdict;
    }
    if (auth->keys != NULL)
        verdict = judge_signature(auth, request, now, wait, reason);
    return verdict;
}
