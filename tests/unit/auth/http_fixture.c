// SPDX-License-Identifier: Apache-2.0
//
// A small HTTP server on loopback for the tests of what fetches.
#include "auth/http_fixture.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_SIZE 8192
#define SILENT_MAX 64

struct http_server {
    int listener, silent[SILENT_MAX];
    size_t silent_count;
    unsigned port;
    SSL_CTX *tls;
    pthread_t thread;
    sem_t silence;
    atomic_uint count;
    char request[REQUEST_SIZE];
};

struct connection {
    int fd;
    SSL *ssl;
};

static long take(struct connection *connection, char *buffer, size_t size)
{
    return connection->ssl != NULL ? SSL_read(connection->ssl, buffer, (int)size)
                                   : recv(connection->fd, buffer, size, 0);
}

/* A peer that has gone is part of the tests. */
static void give(struct connection *connection, const char *text, size_t len)
{
    while (len > 0) {
        long n = connection->ssl != NULL ? SSL_write(connection->ssl, text, (int)len)
                                         : send(connection->fd, text, len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        text += n;
        len -= (size_t)n;
    }
}

static void give_text(struct connection *connection, const char *text)
{
    give(connection, text, strlen(text));
}

static bool request_is_whole(const char *request)
{
    const char *end = strstr(request, "\r\n\r\n");
    const char *length = strcasestr(request, "\r\nContent-Length:");
    if (end == NULL)
        return false;
    return length == NULL || strlen(end + 4) >= strtoul(length + 17, NULL, 10);
}

static bool read_request(struct http_server *server, struct connection *connection)
{
    size_t len = 0;
    server->request[0] = '\0';
    while (!request_is_whole(server->request)) {
        long n = take(connection, server->request + len, REQUEST_SIZE - 1 - len);
        if (n <= 0)
            return false;
        len += (size_t)n;
        server->request[len] = '\0';
    }
    return true;
}

static void give_body(struct connection *connection, size_t len, bool announced)
{
    char head[128];
    char *body = malloc(len + 1);
    memset(body, 'x', len);
    if (announced)
        snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", len);
    else
        snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    give_text(connection, head);
    give(connection, body, len);
    free(body);
}

/* False: the connection is to stay open. */
static bool answer(struct http_server *server, struct connection *connection)
{
    char path[128] = "";
    sscanf(server->request, "%*s %127s", path);
    if (strcmp(path, "/silent") == 0)
        return false;
    server->count++; /* before the answer: the test looks once it has it */
    if (strcmp(path, "/missing") == 0)
        give_text(connection, "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone");
    else if (strcmp(path, "/moved") == 0)
        give_text(connection, "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n");
    else if (strcmp(path, "/empty") == 0)
        give_text(connection, "HTTP/1.1 204 No Content\r\n\r\n");
    else if (strncmp(path, "/sized/", 7) == 0)
        give_body(connection, strtoul(path + 7, NULL, 10), true);
    else if (strncmp(path, "/streamed/", 10) == 0)
        give_body(connection, strtoul(path + 10, NULL, 10), false);
    else if (strcmp(path, "/garbage") == 0)
        give_text(connection, "SSH-2.0-no HTTP at all\r\n\r\n");
    else if (strcmp(path, "/cut") == 0)
        give_text(connection, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhel");
    else
        give_text(connection, "HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 5\r\n\r\nhello");
    return true;
}

static void serve(struct http_server *server, int fd)
{
    struct connection connection = {fd, NULL};
    bool ended = true;
    if (server->tls != NULL) {
        connection.ssl = SSL_new(server->tls);
        SSL_set_fd(connection.ssl, fd);
        if (SSL_accept(connection.ssl) != 1)
            goto end;
    }
    if (read_request(server, &connection))
        ended = answer(server, &connection);
end:
    if (connection.ssl != NULL) {
        SSL_shutdown(connection.ssl);
        SSL_free(connection.ssl);
    }
    if (ended) {
        close(fd);
        return;
    }
    ck_assert_uint_lt(server->silent_count, SILENT_MAX);
    server->silent[server->silent_count++] = fd;
    sem_post(&server->silence);
}

static void *run(void *data)
{
    struct http_server *server = data;
    sigset_t broken;
    sigemptyset(&broken);
    sigaddset(&broken, SIGPIPE); /* OpenSSL writes without MSG_NOSIGNAL */
    pthread_sigmask(SIG_BLOCK, &broken, NULL);
    for (int fd; (fd = accept(server->listener, NULL, NULL)) >= 0;)
        serve(server, fd);
    return NULL;
}

static void make_certificate(struct http_server *server, enum http_certificate certificate,
                             const char *ca_path)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x509 = X509_new();
    X509_NAME *name = X509_get_subject_name(x509);
    long until = certificate == HTTP_TLS_EXPIRED ? -60 : 3600;
    const char *san = certificate == HTTP_TLS_OTHER_NAME ? "DNS:other.example" : "IP:127.0.0.1";

    X509_set_version(x509, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
    X509_gmtime_adj(X509_getm_notBefore(x509), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x509), until);
    X509_set_pubkey(x509, key);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0);
    X509_set_issuer_name(x509, name);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san);
    X509_add_ext(x509, extension, -1);
    X509_EXTENSION_free(extension);
    ck_assert_int_gt(X509_sign(x509, key, EVP_sha256()), 0);

    server->tls = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(server->tls, x509);
    SSL_CTX_use_PrivateKey(server->tls, key);
    if (ca_path != NULL) {
        FILE *file = fopen(ca_path, "w");
        ck_assert_ptr_nonnull(file);
        PEM_write_X509(file, x509);
        fclose(file);
    }
    X509_free(x509);
    EVP_PKEY_free(key);
}

struct http_server *http_server_start(enum http_certificate certificate, const char *ca_path)
{
    struct http_server *server = calloc(1, sizeof *server);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;

    if (certificate != HTTP_PLAIN)
        make_certificate(server, certificate, ca_path);
    sem_init(&server->silence, 0, 0);
    server->listener = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(server->listener, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(server->listener, 128), 0);
    ck_assert_int_eq(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
    ck_assert_int_eq(pthread_create(&server->thread, NULL, run, server), 0);
    return server;
}

void http_server_stop(struct http_server *server)
{
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listener);
    for (size_t i = 0; i < server->silent_count; i++)
        close(server->silent[i]);
    SSL_CTX_free(server->tls);
    sem_destroy(&server->silence);
    free(server);
}

const char *http_server_url(const struct http_server *server, const char *path)
{
    static char url[256];
    snprintf(url, sizeof url, "http%s://127.0.0.1:%u%s", server->tls != NULL ? "s" : "", server->port, path);
    return url;
}

const char *http_server_request(const struct http_server *server)
{
    return server->request;
}

unsigned http_server_count(const struct http_server *server)
{
    return server->count;
}

void http_server_await_silent(struct http_server *server)
{
    while (sem_wait(&server->silence) != 0)
        continue;
}
