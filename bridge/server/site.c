// SPDX-License-Identifier: Apache-2.0
//
// A configuration as it is served, and how another one takes its place. Made and
// published on main, taken over and let go of by the loops.
#include <stdio.h>
#include <stdlib.h>

#include "intake/intake.h"
#include "server/internal.h"

static void site_free(struct site *site)
{
    for (size_t i = 0; site->endpoints != NULL && i < site->endpoint_count; i++)
        if (site->endpoints[i].auth != NULL)
            auth_free(site->endpoints[i].auth);
    for (size_t i = 0; site->listeners != NULL && i < site->listener_count; i++) {
        SSL_CTX_free(site->listeners[i].tls);
        X509_STORE_free(site->listeners[i].clients);
    }
    if (site->intake != NULL)
        intake_free(site->intake);
    if (site->owns_config)
        config_free(site->config);
    free(site->listeners);
    free(site->endpoints);
    free(site);
}

struct site *site_retain(struct site *site)
{
    atomic_fetch_add(&site->references, 1);
    return site;
}

void site_release(struct site *site)
{
    if (site != NULL && atomic_fetch_sub(&site->references, 1) == 1)
        site_free(site);
}

static bool load_endpoints(struct server *server, struct site *site)
{
    const struct config *config = site->config;
    site->endpoint_count = config->endpoint_count;
    site->endpoints = calloc(site->endpoint_count, sizeof *site->endpoints);
    if (site->endpoints == NULL)
        return false;
    for (size_t i = 0; i < site->endpoint_count; i++) {
        struct endpoint *endpoint = &site->endpoints[i];
        endpoint->config = &config->endpoints[i];
        endpoint->rules = sender_rules(endpoint->config->sender);
        endpoint->auth = auth_create(server->auth, endpoint->config);
        if (endpoint->auth == NULL)
            return false;
        endpoint_metrics_register(server->metrics, endpoint);
    }
    return true;
}

/* The listeners are those of the start; a reload can give them other files. */
static const struct config_listener *find_listener(const struct config *config,
                                                   const struct config_listener *running)
{
    for (size_t i = 0; i < config->listener_count; i++)
        if (strcmp(config->listeners[i].address.text, running->address.text) == 0)
            return &config->listeners[i];
    return NULL;
}

static bool load_listeners(struct server *server, struct site *site, char *errstr, size_t errstr_size)
{
    const struct config *start = server->config;
    site->listener_count = start->listener_count;
    site->listeners = calloc(site->listener_count, sizeof *site->listeners);
    if (site->listeners == NULL) {
        snprintf(errstr, errstr_size, "out of memory");
        return false;
    }
    for (size_t i = 0; i < site->listener_count; i++) {
        const struct config_listener *running = &start->listeners[i];
        const struct config_listener *wanted = find_listener(site->config, running);
        struct site_listener *listener = &site->listeners[i];
        if (running->certificate == NULL)
            continue;
        /* Gone or without TLS in the new configuration: that needs a restart, until then it stays as it is.
         */
        if (wanted == NULL || wanted->certificate == NULL)
            wanted = running;
        listener->tls = tls_create(wanted, start->http2, &listener->clients, errstr, errstr_size);
        if (listener->tls == NULL)
            return false;
    }
    return true;
}

/* Endpoints change at once and listeners at a restart: in between nobody could show what is wanted, and would
 * be refused for good. */
static bool certificates_can_be_shown(const struct site *site, char *errstr, size_t errstr_size)
{
    bool wanted = false, asked = false;
    for (size_t i = 0; i < site->config->endpoint_count; i++)
        wanted = wanted || site->config->endpoints[i].client_name_count > 0;
    for (size_t i = 0; i < site->listener_count; i++)
        asked = asked || site->listeners[i].clients != NULL;
    if (wanted && !asked)
        snprintf(errstr, errstr_size,
                 "client_names: no listener that is open asks for certificates, and to "
                 "open another one needs a restart");
    return asked || !wanted;
}

struct site *site_create(struct server *server, struct config *config, bool owns_config, char *errstr,
                         size_t errstr_size)
{
    struct site *site = calloc(1, sizeof *site);
    if (site == NULL) {
        if (owns_config)
            config_free(config);
        snprintf(errstr, errstr_size, "out of memory");
        return NULL;
    }
    atomic_init(&site->references, 1);
    site->config = config;
    site->owns_config = owns_config;
    config->limits = server->config->limits; /* what they bound was made at the start */
    snprintf(errstr, errstr_size, "out of memory");
    site->intake = intake_create(config, server->routes);
    site->admin_guarded = config->admin_token != NULL;
    if (site->intake == NULL || !load_endpoints(server, site) ||
        (site->admin_guarded && !token_digest(slice_of(config->admin_token), &site->admin_token)) ||
        !load_listeners(server, site, errstr, errstr_size) ||
        !certificates_can_be_shown(site, errstr, errstr_size)) {
        site_free(site);
        return NULL;
    }
    config_forget_secrets(config);
    return site;
}

static void set_expiry(struct server *server, const struct site *site)
{
    for (size_t i = 0; i < site->listener_count; i++) {
        struct metric_label label = {"listener", server->config->listeners[i].address.text};
        if (site->listeners[i].tls != NULL)
            gauge_set(metrics_gauge(server->metrics, "certificate_expiry_timestamp_seconds",
                                    "When the certificate of a listener ends.", &label, 1),
                      tls_certificate_expiry(site->listeners[i].tls));
    }
}

void site_publish(struct server *server, struct site *site)
{
    set_expiry(server, site);
    pthread_mutex_lock(&server->site_lock);
    struct site *old = server->site;
    site->generation = old == NULL ? 1 : old->generation + 1;
    server->site = site;
    atomic_store(&server->generation, site->generation);
    pthread_mutex_unlock(&server->site_lock);
    site_release(old);
}

void site_follow(struct loop *loop)
{
    struct server *server = loop->server;
    if (loop->site != NULL && loop->site->generation == atomic_load(&server->generation))
        return;
    pthread_mutex_lock(&server->site_lock);
    struct site *site = site_retain(server->site);
    pthread_mutex_unlock(&server->site_lock);
    site_release(loop->site);
    loop->site = site;
    for (size_t i = 0; i < loop->acceptor_count; i++) {
        struct acceptor *acceptor = &loop->acceptors[i];
        /* The admin listener stands behind the configured ones. */
        acceptor->context.ssl_ctx =
            acceptor->listener < site->listener_count ? site->listeners[acceptor->listener].tls : NULL;
    }
    atomic_store(&loop->generation, site->generation);
}
