// SPDX-License-Identifier: Apache-2.0
//
// Addresses: bound before the loops start. Runs on main.
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/internal.h"
#include "telemetry/log.h"

#define BACKLOG 1024

static int bind_address(const struct config_address *address, char *errstr, size_t errstr_size)
{
    char port[8];
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int fd = -1, one = 1;
    snprintf(port, sizeof port, "%u", address->port);
    int err = getaddrinfo(address->host[0] == '\0' ? NULL : address->host, port, &hints, &found);
    if (err != 0) {
        snprintf(errstr, errstr_size, "cannot listen on %s: %s", address->text, gai_strerror(err));
        return -1;
    }
    fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) != 0) {
        snprintf(errstr, errstr_size, "cannot listen on %s: %s", address->text, strerror(errno));
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

void server_check(const struct config *config, struct config_errors *errors)
{
    char errstr[512];
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct config_listener *listener = &config->listeners[i];
        if (listener->certificate == NULL || listener->key == NULL)
            continue;
        X509_STORE *clients;
        SSL_CTX *tls = tls_create(listener, config->http2, &clients, errstr, sizeof errstr);
        if (tls == NULL)
            config_errors_add(errors, listener->mark, "listen: %s", errstr);
        X509_STORE_free(clients);
        SSL_CTX_free(tls);
    }
}

bool listeners_open(struct server *server, char *errstr, size_t errstr_size)
{
    const struct config *config = server->config;
    server->listeners = calloc(config->listener_count + 1, sizeof *server->listeners);
    if (server->listeners == NULL) {
        snprintf(errstr, errstr_size, "out of memory");
        return false;
    }
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct config_listener *wanted = &config->listeners[i];
        struct listener *listener = &server->listeners[server->listener_count];
        listener->address = &wanted->address;
        server->listener_count++;
        if ((listener->fd = bind_address(&wanted->address, errstr, errstr_size)) < 0)
            return false;
    }
    struct listener *admin = &server->listeners[server->listener_count++];
    admin->admin = true;
    admin->address = &config->admin_address;
    admin->fd = bind_address(admin->address, errstr, errstr_size);
    return admin->fd >= 0;
}

bool listeners_listen(struct server *server, char *errstr, size_t errstr_size)
{
    for (size_t i = 0; i < server->listener_count; i++) {
        const struct listener *listener = &server->listeners[i];
        if (listen(listener->fd, BACKLOG) != 0) {
            snprintf(errstr, errstr_size, "cannot listen on %s: %s", listener->address->text,
                     strerror(errno));
            return false;
        }
        struct sockaddr_storage bound;
        socklen_t length = sizeof bound;
        char host[64] = "", port[8] = "";
        if (getsockname(listener->fd, (struct sockaddr *)&bound, &length) == 0)
            getnameinfo((struct sockaddr *)&bound, length, host, sizeof host, port, sizeof port,
                        NI_NUMERICHOST | NI_NUMERICSERV);
        log_info(listener->admin ? "admin listener" : "listening", LOG_TEXT("host", host),
                 LOG_INT("port", strtol(port, NULL, 10)),
                 LOG_TEXT("tls", !listener->admin && server->config->listeners[i].certificate != NULL
                                     ? "yes"
                                     : "no"));
    }
    return true;
}

void listeners_close(struct server *server)
{
    for (size_t i = 0; i < server->listener_count; i++)
        if (server->listeners[i].fd >= 0)
            close(server->listeners[i].fd);
    free(server->listeners);
}
