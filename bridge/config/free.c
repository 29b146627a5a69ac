// SPDX-License-Identifier: Apache-2.0
//
// The end of a configuration: its memory, and before that its secrets. The thread
// that owns it runs this, once no other reads what it takes away.
#include "config/options.h"

#include <stdlib.h>

static void address_free(struct config_address *address)
{
    free(address->text);
    free(address->host);
}

static void secret_forget(char *secret)
{
    if (secret != NULL)
        explicit_bzero(secret, strlen(secret));
}

static void secret_free(char *secret)
{
    secret_forget(secret);
    free(secret);
}

static void texts_free(char **texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(texts[i]);
    free(texts);
}

static void endpoint_free(struct config_endpoint *endpoint)
{
    free(endpoint->path);
    for (size_t i = 0; i < endpoint->token_count; i++)
        secret_free(endpoint->tokens[i]);
    free(endpoint->tokens);
    struct config_oauth *oauth = &endpoint->oauth;
    free(oauth->issuer);
    free(oauth->audience);
    free(oauth->jwks_url);
    free(oauth->introspection_url);
    free(oauth->client_id);
    secret_free(oauth->client_secret);
    texts_free(oauth->allowed_clients, oauth->allowed_client_count);
    free(endpoint->key_base);
    texts_free(endpoint->recipients, endpoint->recipient_count);
    texts_free(endpoint->client_names, endpoint->client_name_count);
}

void config_forget_secrets(struct config *config)
{
    secret_forget(config->admin_token);
    for (size_t i = 0; i < config->endpoint_count; i++) {
        struct config_endpoint *endpoint = &config->endpoints[i];
        for (size_t k = 0; k < endpoint->token_count; k++)
            secret_forget(endpoint->tokens[k]);
        secret_forget(endpoint->oauth.client_secret);
    }
}

void config_free(struct config *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < config->listener_count; i++) {
        address_free(&config->listeners[i].address);
        free(config->listeners[i].certificate);
        free(config->listeners[i].key);
        free(config->listeners[i].client_ca);
        free(config->listeners[i].client_crl);
    }
    free(config->listeners);
    address_free(&config->admin_address);
    secret_free(config->admin_token);
    for (size_t i = 0; i < config->endpoint_count; i++)
        endpoint_free(&config->endpoints[i]);
    free(config->endpoints);
    /* A property can be a password. */
    for (size_t i = 0; i < config->kafka_count; i++) {
        free(config->kafka[i].name);
        secret_free(config->kafka[i].value);
    }
    free(config->kafka);
    for (size_t i = 0; i < config->instance_count; i++) {
        free(config->instances[i].munchkin_id);
        free(config->instances[i].name);
    }
    free(config->instances);
    free(config->topics.prefix);
    for (size_t i = 0; i < config->topics.override_count; i++)
        free(config->topics.overrides[i].topic);
    free(config->topics.overrides);
    free(config->topics.custom);
    free(config->topics.dead_letter);
    texts_free(config->record.headers, config->record.header_count);
    free(config);
}
