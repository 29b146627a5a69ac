// SPDX-License-Identifier: Apache-2.0
//
// An introspection endpoint's answer (RFC 7662 section 2.2): read once, judged by
// the rules of any endpoint; any thread.
#include "auth/introspection_internal.h"

#include <jansson.h>
#include <stdlib.h>

#include "auth/jose.h"

/* Times are cut here, so that a leeway can be added to any of them. */
#define TIME_MAX_S ((int64_t)1 << 50)

/* A member that may be missing; null counts as missing. False when it is of another type. */
static bool text_member(const json_t *object, const char *name, const char **text)
{
    const json_t *value = json_object_get(object, name);
    *text = NULL;
    if (value == NULL || json_is_null(value))
        return true;
    *text = json_string_value(value);
    return *text != NULL;
}

/* A NumericDate (RFC 7519 section 2), which may have a fraction. */
static bool time_member(const json_t *object, const char *name, bool *there, int64_t *ms)
{
    const json_t *value = json_object_get(object, name);
    *there = value != NULL && !json_is_null(value);
    *ms = 0;
    if (!*there)
        return true;
    if (!json_is_number(value))
        return false;
    double seconds = json_number_value(value);
    if (seconds > (double)TIME_MAX_S)
        *ms = TIME_MAX_S * 1000;
    else if (seconds < (double)-TIME_MAX_S)
        *ms = -TIME_MAX_S * 1000;
    else
        *ms = json_is_integer(value) ? json_integer_value(value) * 1000 : (int64_t)(seconds * 1000);
    return true;
}

/* The audience number i; `aud` is one string or an array of them. */
static const char *audience_at(const json_t *audience, size_t i)
{
    return json_string_value(json_is_array(audience) ? json_array_get(audience, i) : audience);
}

/* Copies a text behind those that are there. */
static const char *keep(char **free_space, const char *text)
{
    if (text == NULL)
        return NULL;
    size_t size = strlen(text) + 1;
    char *kept = memcpy(*free_space, text, size);
    *free_space += size;
    return kept;
}

static size_t kept_size(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

static struct introspection_answer *answer_make(const json_t *object, const char **error)
{
    struct introspection_answer said = {.audience_count = 0};
    const json_t *audience = json_object_get(object, "aud");
    size_t texts = 0, count = 0;

    *error = "a member of the wrong type";
    if (!text_member(object, "iss", &said.issuer) || !text_member(object, "client_id", &said.client_id) ||
        !text_member(object, "azp", &said.azp) || !time_member(object, "exp", &said.has_exp, &said.exp_ms) ||
        !time_member(object, "nbf", &said.has_nbf, &said.nbf_ms))
        return NULL;
    if (audience != NULL && !json_is_null(audience))
        count = json_is_array(audience) ? json_array_size(audience) : 1;
    for (size_t i = 0; i < count; i++) {
        const char *text = audience_at(audience, i);
        if (text == NULL)
            return NULL;
        texts += kept_size(text);
    }
    texts += kept_size(said.issuer) + kept_size(said.client_id) + kept_size(said.azp);
    if (texts > INTROSPECTION_KEPT_MAX || count > INTROSPECTION_AUDIENCES_MAX) {
        *error = "more audiences or longer names than are kept";
        return NULL;
    }

    struct introspection_answer *answer = malloc(sizeof *answer + count * sizeof(const char *) + texts);
    if (answer == NULL) {
        *error = "out of memory";
        return NULL;
    }
    *answer = said;
    answer->audience_count = count;
    char *space = (char *)&answer->audiences[count];
    for (size_t i = 0; i < count; i++)
        answer->audiences[i] = keep(&space, audience_at(audience, i));
    answer->issuer = keep(&space, said.issuer);
    answer->client_id = keep(&space, said.client_id);
    answer->azp = keep(&space, said.azp);
    return answer;
}

enum introspection_kind introspection_answer_read(struct slice body, struct introspection_answer **answer,
                                                  const char **error)
{
    enum introspection_kind kind = INTROSPECTION_UNUSABLE;

    *answer = NULL;
    *error = "out of memory";
    if (!jose_begin(0))
        return kind;
    json_t *object = json_loadb(body.ptr != NULL ? body.ptr : "", body.len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *active = json_object_get(object, "active"); /* NULL of anything but an object */
    *error = "no JSON object with a boolean \"active\"";
    if (json_is_false(active)) {
        kind = INTROSPECTION_INACTIVE;
    } else if (json_is_true(active)) {
        *answer = answer_make(object, error);
        if (*answer != NULL)
            kind = INTROSPECTION_ACTIVE;
    }
    json_decref(object);
    /* Short of memory, jansson can leave a member out without a word. */
    if (jose_out_of_memory()) {
        free(*answer);
        *answer = NULL;
        *error = "out of memory";
        kind = INTROSPECTION_UNUSABLE;
    }
    jose_end();
    return kind;
}

static bool has_audience(const struct introspection_answer *answer, const char *audience)
{
    for (size_t i = 0; i < answer->audience_count; i++) {
        if (strcmp(answer->audiences[i], audience) == 0)
            return true;
    }
    return false;
}

/* A client that the answer does not name is no objection. */
static bool client_is_allowed(const char *client, const struct jwt_rules *rules)
{
    for (size_t i = 0; i < rules->allowed_client_count; i++) {
        if (client == NULL || strcmp(rules->allowed_clients[i], client) == 0)
            return true;
    }
    return false;
}

const char *introspection_answer_judge(const struct introspection_answer *answer,
                                       const struct jwt_rules *rules, int64_t wall_ms)
{
    const int64_t leeway_ms = (int64_t)JWT_LEEWAY_S * 1000;

    if (rules->issuer != NULL && answer->issuer != NULL && strcmp(answer->issuer, rules->issuer) != 0)
        return "wrong_issuer";
    if (rules->audience != NULL && !has_audience(answer, rules->audience))
        return "wrong_audience";
    if (answer->has_exp && wall_ms >= answer->exp_ms + leeway_ms)
        return "expired";
    if (answer->has_nbf && wall_ms < answer->nbf_ms - leeway_ms)
        return "not_yet_valid";
    if (rules->allowed_client_count > 0 &&
        ((answer->client_id == NULL && answer->azp == NULL) || !client_is_allowed(answer->client_id, rules) ||
         !client_is_allowed(answer->azp, rules)))
        return "wrong_client";
    return NULL;
}
