// SPDX-License-Identifier: Apache-2.0
//
// A provider's answers about a token, read and judged. jansson reads them a second time, and
// the rules are asked one by one.
#include <jansson.h>
#include <stdlib.h>

#include "auth/introspection_internal.h"
#include "fuzz.h"

#define WALL_S 1700000000

static char client_one[] = "a", client_two[] = "marketo";
static char *clients[] = {client_one, client_two};

static bool is_text_or_none(const json_t *value)
{
    return value == NULL || json_is_null(value) || json_is_string(value);
}

static bool is_time_or_none(const json_t *value)
{
    return value == NULL || json_is_null(value) || json_is_number(value);
}

static size_t count_audiences(const json_t *aud)
{
    return aud == NULL || json_is_null(aud) ? 0 : json_is_array(aud) ? json_array_size(aud) : 1;
}

static bool are_texts(const json_t *aud)
{
    for (size_t i = 0; i < json_array_size(aud); i++)
        if (!json_is_string(json_array_get(aud, i)))
            return false;
    return json_is_array(aud) || is_text_or_none(aud);
}

static bool equals(const char *text, const json_t *value)
{
    const char *expected = json_string_value(value);
    return text == NULL || expected == NULL ? text == expected : strcmp(text, expected) == 0;
}

static void check_answer(const struct introspection_answer *answer, const json_t *json)
{
    const json_t *aud = json_object_get(json, "aud");
    fuzz_check(equals(answer->issuer, json_object_get(json, "iss")));
    fuzz_check(equals(answer->client_id, json_object_get(json, "client_id")));
    fuzz_check(equals(answer->azp, json_object_get(json, "azp")));
    fuzz_check(answer->has_exp == json_is_number(json_object_get(json, "exp")));
    fuzz_check(answer->has_nbf == json_is_number(json_object_get(json, "nbf")));
    fuzz_check(answer->audience_count == count_audiences(aud));
    for (size_t i = 0; i < answer->audience_count; i++)
        fuzz_check(equals(answer->audiences[i], json_is_array(aud) ? json_array_get(aud, i) : aud));
}

static bool is_client(const char *client)
{
    return client == NULL || strcmp(client, client_one) == 0 || strcmp(client, client_two) == 0;
}

/* Whether a token that is let in may be. */
static void check_allowed(const struct introspection_answer *answer, const json_t *json,
                          const struct jwt_rules *rules)
{
    bool for_us = rules->audience == NULL;
    for (size_t i = 0; i < answer->audience_count; i++)
        for_us |= strcmp(answer->audiences[i], "bridge") == 0;
    fuzz_check(for_us);
    fuzz_check(rules->issuer == NULL || answer->issuer == NULL || strcmp(answer->issuer, rules->issuer) == 0);
    fuzz_check(rules->allowed_client_count == 0 || (is_client(answer->client_id) && is_client(answer->azp) &&
                                                    (answer->client_id != NULL || answer->azp != NULL)));
    fuzz_check(!answer->has_exp ||
               json_number_value(json_object_get(json, "exp")) > WALL_S - JWT_LEEWAY_S - 1);
    fuzz_check(!answer->has_nbf ||
               json_number_value(json_object_get(json, "nbf")) <= WALL_S + JWT_LEEWAY_S + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct jwt_rules open_rules,
        rules = {.issuer = "i", .audience = "bridge", .allowed_clients = clients, .allowed_client_count = 2};
    char *text = fuzz_copy((struct slice){(const char *)data, size});
    struct introspection_answer *answer = NULL;
    const char *error = NULL;
    enum introspection_kind kind = introspection_answer_read((struct slice){text, size}, &answer, &error);
    fuzz_check((kind == INTROSPECTION_ACTIVE) == (answer != NULL));

    json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    const json_t *active = json_object_get(json, "active"), *aud = json_object_get(json, "aud");
    bool well = is_text_or_none(json_object_get(json, "iss")) &&
                is_text_or_none(json_object_get(json, "client_id")) &&
                is_text_or_none(json_object_get(json, "azp")) &&
                is_time_or_none(json_object_get(json, "exp")) &&
                is_time_or_none(json_object_get(json, "nbf")) && are_texts(aud) &&
                count_audiences(aud) <= INTROSPECTION_AUDIENCES_MAX; /* longer texts there are none here */
    fuzz_check((kind == INTROSPECTION_INACTIVE) == json_is_false(active));
    fuzz_check((kind == INTROSPECTION_ACTIVE) == (json_is_true(active) && well));
    if (answer != NULL) {
        check_answer(answer, json);
        const struct jwt_rules *const all[] = {&open_rules, &rules};
        for (size_t i = 0; i < 2; i++)
            if (introspection_answer_judge(answer, all[i], (int64_t)WALL_S * 1000) == NULL)
                check_allowed(answer, json, all[i]);
    }
    json_decref(json);
    free(answer);
    free(text);
    return 0;
}
