// SPDX-License-Identifier: Apache-2.0
//
// Whether what is written about who may come in makes sense together: the ways of
// an endpoint, and what they need of each other and of the listeners. The thread that
// loads the configuration runs it, also when errors were found before. So what
// counts is mostly what is written, not what could be read.
#include "config/options.h"

/* The value when it is written; NULL when it is left out or null, an empty list being as good as that. */
static yaml_node_t *written(struct loader *loader, yaml_node_t *section, const char *name)
{
    yaml_node_t *node = config_node_member(loader, section, name);
    if (node == NULL || config_node_is_null(node))
        return NULL;
    if (node->type == YAML_SEQUENCE_NODE && node->data.sequence.items.top == node->data.sequence.items.start)
        return NULL;
    return node;
}

/* Whether the value itself could not be read: then nothing can be said of what it was meant to be. */
static bool was_refused(struct loader *loader, const yaml_node_t *node)
{
    struct config_mark mark = config_mark_of(node);
    for (size_t i = 0; i < loader->errors->count; i++) {
        const struct config_error *error = &loader->errors->items[i];
        if (error->mark.line == mark.line && error->mark.column == mark.column)
            return true;
    }
    return false;
}

/* ---- OAuth ---- */

static void check_introspection(struct loader *loader, yaml_node_t *oauth)
{
    yaml_node_t *url = written(loader, oauth, "introspection_url");
    yaml_node_t *id = written(loader, oauth, "client_id");
    yaml_node_t *secret = written(loader, oauth, "client_secret");
    if (url != NULL && (id == NULL || secret == NULL))
        config_errors_add(loader->errors, config_mark_of(url),
                          "endpoints[].auth.oauth.introspection_url: write %s%s%s beside it: the provider "
                          "answers only whom it knows",
                          id == NULL ? "client_id" : "", id == NULL && secret == NULL ? " and " : "",
                          secret == NULL ? "client_secret" : "");
    if (url == NULL && id != NULL)
        config_errors_add(loader->errors, config_mark_of(id),
                          "endpoints[].auth.oauth.client_id: is for introspection_url; write that beside it, "
                          "or leave client_id out");
    if (url == NULL && secret != NULL)
        config_errors_add(loader->errors, config_mark_of(secret),
                          "endpoints[].auth.oauth.client_secret: is for introspection_url; write that beside "
                          "it, or leave client_secret out");
}

static void check_oauth(struct loader *loader, yaml_node_t *oauth)
{
    if (oauth->type != YAML_MAPPING_NODE)
        return; /* reported as such */
    yaml_node_t *issuer = written(loader, oauth, "issuer");
    yaml_node_t *jwks_url = written(loader, oauth, "jwks_url");
    check_introspection(loader, oauth);
    if (issuer == NULL && jwks_url != NULL)
        config_errors_add(loader->errors, config_mark_of(jwks_url),
                          "endpoints[].auth.oauth.jwks_url: write issuer beside it, which a token's iss is "
                          "compared with (RFC 9068 section 4)");
    if (issuer != NULL && written(loader, oauth, "audience") == NULL)
        config_errors_add(loader->errors, config_mark_of(issuer),
                          "endpoints[].auth.oauth.issuer: write audience beside it, or tokens made for "
                          "others would be let in (RFC 8725 section 3.9)");
    /* Each of the others has been told what it needs. */
    if (issuer == NULL && jwks_url == NULL && written(loader, oauth, "introspection_url") == NULL &&
        written(loader, oauth, "client_id") == NULL && written(loader, oauth, "client_secret") == NULL)
        config_errors_add(loader->errors, config_mark_of(oauth),
                          "endpoints[].auth.oauth: write issuer and audience for JWTs, or introspection_url, "
                          "client_id and client_secret for opaque tokens");
}

/* ---- Adobe's signature ---- */

static void check_signature(struct loader *loader, const struct config_endpoint *endpoint, yaml_node_t *auth)
{
    yaml_node_t *signature = written(loader, auth, "signature");
    yaml_node_t *recipients = written(loader, auth, "recipients");
    bool refused = signature != NULL && was_refused(loader, signature);
    bool known_sender = endpoint->sender < SENDER_COUNT;
    if (endpoint->signature && known_sender && endpoint->sender != SENDER_ADOBE_IO)
        config_errors_add(loader->errors, config_mark_of(signature),
                          "endpoints[].auth.signature: only adobe-io signs; for %s write tokens, oauth or "
                          "client_names",
                          config_sender_name(endpoint->sender));
    else if (endpoint->signature && recipients == NULL)
        config_errors_add(loader->errors, config_mark_of(signature),
                          "endpoints[].auth.signature: write your client ids at Adobe as recipients beside "
                          "it: all of Adobe's customers share its signing keys");
    if (recipients != NULL && !endpoint->signature && !refused)
        config_errors_add(loader->errors, config_mark_of(recipients),
                          "endpoints[].auth.recipients: are compared in signed events only; write "
                          "`signature: true` beside them, or leave them out");
    if (endpoint->confirm_validation && known_sender && endpoint->sender != SENDER_ADOBE_IO)
        config_errors_add(loader->errors,
                          config_mark_of(config_node_member(loader, auth, "confirm_validation")),
                          "endpoints[].auth.confirm_validation: only adobe-io sends a validation URL; leave "
                          "it out for %s",
                          config_sender_name(endpoint->sender));
}

/* ---- all of an endpoint ---- */

static void check_endpoint(struct loader *loader, size_t i)
{
    yaml_node_t *auth = config_node_member(loader, config_node_entry(loader, "endpoints", i), "auth");
    if (auth == NULL || auth->type != YAML_MAPPING_NODE)
        return;
    const struct config_endpoint *endpoint = &loader->config->endpoints[i];
    yaml_node_t *oauth = written(loader, auth, "oauth");
    yaml_node_t *signature = written(loader, auth, "signature");
    if (oauth != NULL)
        check_oauth(loader, oauth);
    check_signature(loader, endpoint, auth);
    bool some = written(loader, auth, "tokens") != NULL || oauth != NULL ||
                written(loader, auth, "client_names") != NULL || endpoint->signature ||
                (signature != NULL && was_refused(loader, signature));
    if (!some)
        config_errors_add(loader->errors, config_mark_of(auth),
                          "endpoints[].auth: write at least one of tokens, oauth, `signature: true` and "
                          "client_names, or `auth: none` to let everybody in");
}

/* ---- client certificates ---- */

/* What asks for certificates and what wants them must both be there. */
static void check_certificates(struct loader *loader)
{
    const struct config *config = loader->config;
    bool asked = false, wanted = false;
    for (size_t i = 0; i < config->listener_count; i++) {
        yaml_node_t *tls = config_node_member(loader, config_node_entry(loader, "listen", i), "tls");
        yaml_node_t *crl = written(loader, tls, "client_crl");
        bool has_ca = written(loader, tls, "client_ca") != NULL;
        asked = asked || has_ca;
        if (crl != NULL && !has_ca)
            config_errors_add(loader->errors, config_mark_of(crl),
                              "listen[].tls.client_crl: write client_ca beside it, whose certificates it "
                              "revokes");
    }
    for (size_t i = 0; i < config->endpoint_count; i++) {
        yaml_node_t *auth = config_node_member(loader, config_node_entry(loader, "endpoints", i), "auth");
        yaml_node_t *names = written(loader, auth, "client_names");
        wanted = wanted || names != NULL;
        if (names != NULL && !asked)
            config_errors_add(loader->errors, config_mark_of(names),
                              "endpoints[].auth.client_names: no listener asks for a certificate; write "
                              "client_ca in the tls section of one");
    }
    for (size_t i = 0; i < config->listener_count && !wanted; i++) {
        yaml_node_t *tls = config_node_member(loader, config_node_entry(loader, "listen", i), "tls");
        yaml_node_t *ca = written(loader, tls, "client_ca");
        if (ca != NULL)
            config_errors_add(loader->errors, config_mark_of(ca),
                              "listen[].tls.client_ca: no endpoint wants a certificate; write client_names "
                              "in the auth section of one, or leave client_ca out");
    }
}

void config_check_auth(struct loader *loader)
{
    for (size_t i = 0; i < loader->config->endpoint_count; i++)
        check_endpoint(loader, i);
    check_certificates(loader);
}
