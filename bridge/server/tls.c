// SPDX-License-Identifier: Apache-2.0
//
// TLS: a listener's context, and the certificate that a client has shown. Contexts are made on
// main; certificates come in on the loop thread of their connection.
//
// h2o hands out neither its SSL object nor the peer's certificate. So the handshake never fails for a
// certificate: OpenSSL asks a function of ours instead of verifying, which finds the connection from the SSL
// object's BIO and keeps what was shown. It is judged when a request for an endpoint that wants one comes, so
// that other endpoints of the listener are not disturbed, and judged anew after a reload.
#include <openssl/err.h>
#include <stdio.h>

#include "auth/certificate.h"
#include "server/internal.h"
#include "telemetry/log.h"

/* Bytes of a client's chain: four certificates are half of it, and strangers can show one too. In memory
 * each certificate is its bytes, as much again for what they say, and what OpenSSL puts around it; so their
 * number counts, too. It is more than a chain has (certificate.c). */
#define CLIENT_CHAIN_MAX (16 * 1024)
#define CLIENT_CERTIFICATES_MAX 12
#define CERTIFICATE_OVERHEAD 3072

static const char *ssl_error(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(code);
    ERR_clear_error();
    return reason == NULL ? "unknown error" : reason;
}

/* In place of OpenSSL's own verification. Lets the handshake go on whatever the certificate is worth, but for
 * a chain that cannot be kept: its sender would be refused for good without it, and comes again like this. */
static int on_client_certificate(X509_STORE_CTX *context, void *data)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx());
    h2o_socket_t *socket = BIO_get_data(SSL_get_rbio(ssl));
    struct peer *peer = guard_peer(guard_connection_of(socket));
    STACK_OF(X509) *shown = X509_STORE_CTX_get0_untrusted(context);
    (void)data;
    tls_peer_forget(peer);
    X509_STORE_CTX_set_error(context, X509_V_ERR_CERT_CHAIN_TOO_LONG);
    if (sk_X509_num(shown) > CLIENT_CERTIFICATES_MAX)
        return 0;
    X509_STORE_CTX_set_error(context, X509_V_ERR_OUT_OF_MEM);
    STACK_OF(X509) *chain = X509_chain_up_ref(shown);
    X509 *leaf = X509_STORE_CTX_get0_cert(context);
    if (chain == NULL || X509_up_ref(leaf) != 1) {
        sk_X509_pop_free(chain, X509_free);
        return 0;
    }
    peer->leaf = leaf;
    peer->chain = chain;
    for (int i = 0; i < sk_X509_num(chain); i++) {
        int size = i2d_X509(sk_X509_value(chain, i), NULL);
        peer->bytes += CERTIFICATE_OVERHEAD + (size > 0 ? 2 * (size_t)size : 0);
    }
    X509_STORE_CTX_set_error(context, X509_V_OK);
    return 1;
}

/* Asks for a client certificate, without insisting. */
static bool ask_for_certificates(SSL_CTX *tls, const struct config_listener *listener, X509_STORE **clients,
                                 char *errstr, size_t errstr_size)
{
    *clients = certificate_store_load(listener->client_ca, listener->client_crl, errstr, errstr_size);
    if (*clients == NULL)
        return false;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(listener->client_ca);
    if (names == NULL) {
        snprintf(errstr, errstr_size, "client_ca %s: %s", listener->client_ca, ssl_error());
        return false;
    }
    SSL_CTX_set_client_CA_list(tls, names);
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(tls, on_client_certificate, NULL);
    SSL_CTX_set_max_cert_list(tls, CLIENT_CHAIN_MAX);
    /* A resumed session would bring a certificate that nobody has looked at since. */
    SSL_CTX_set_options(tls, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(tls, 0);
    return true;
}

SSL_CTX *tls_create(const struct config_listener *listener, bool http2, X509_STORE **clients, char *errstr,
                    size_t errstr_size)
{
    static const h2o_iovec_t http1_only[] = {{(char *)(uintptr_t) "http/1.1", 8}, {NULL, 0}};
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    *clients = NULL;
    if (tls == NULL) {
        snprintf(errstr, errstr_size, "TLS: out of memory");
        return NULL;
    }
    SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
    SSL_CTX_set_options(tls,
                        SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF); /* strangers would fill it; tickets remain */
    SSL_CTX_set_cipher_list(tls, "ECDHE+AESGCM:ECDHE+CHACHA20");
    if (SSL_CTX_use_certificate_chain_file(tls, listener->certificate) != 1) {
        snprintf(errstr, errstr_size, "certificate %s: %s", listener->certificate, ssl_error());
        goto fail;
    }
    if (SSL_CTX_use_PrivateKey_file(tls, listener->key, SSL_FILETYPE_PEM) != 1) {
        snprintf(errstr, errstr_size, "key %s: %s", listener->key, ssl_error());
        goto fail;
    }
    if (SSL_CTX_check_private_key(tls) != 1) {
        snprintf(errstr, errstr_size, "key %s does not belong to certificate %s", listener->key,
                 listener->certificate);
        ERR_clear_error();
        goto fail;
    }
    if (listener->client_ca != NULL && !ask_for_certificates(tls, listener, clients, errstr, errstr_size))
        goto fail;
    h2o_ssl_register_alpn_protocols(tls, http2 ? h2o_alpn_protocols : http1_only);
    return tls;

fail:
    X509_STORE_free(*clients);
    *clients = NULL;
    SSL_CTX_free(tls);
    return NULL;
}

double tls_certificate_expiry(SSL_CTX *tls)
{
    struct tm end;
    X509 *certificate = SSL_CTX_get0_certificate(tls);
    if (certificate == NULL || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1)
        return 0;
    return (double)timegm(&end);
}

void tls_peer_judge(struct peer *peer, const struct site *site, size_t listener)
{
    static struct log_limit limit;
    const char *detail = "";
    uint64_t suppressed;
    X509_STORE *clients = site->listeners[listener].clients;
    if (peer->leaf == NULL || peer->generation == site->generation)
        return;
    peer->generation = site->generation;
    if (clients == NULL) { /* asked for when the connection began, not any more */
        peer->verdict = AUTH_DENY;
        peer->reason = "bad_certificate";
        return;
    }
    bool spoilt = peer->verdict == AUTH_UNAVAILABLE && strcmp(peer->reason, "no_memory") == 0;
    if (spoilt && !certificate_renew(&peer->leaf, &peer->chain)) {
        peer->generation = 0;
        return;
    }
    peer->verdict = certificate_judge(clients, peer->leaf, peer->chain, &peer->reason, &detail);
    /* What could not be told may be told at the next request. Only a chain of our CA's is ever in doubt, or
     * memory is short, so that strangers do not have theirs judged again and again. */
    if (peer->verdict == AUTH_UNAVAILABLE)
        peer->generation = 0;
    if (peer->verdict != AUTH_ALLOW && log_limit_pass(&limit, &suppressed))
        log_warning("client certificate", LOG_TEXT("reason", peer->reason), LOG_TEXT("detail", detail),
                    LOG_INT("suppressed", suppressed));
}

void tls_peer_forget(struct peer *peer)
{
    X509_free(peer->leaf);
    sk_X509_pop_free(peer->chain, X509_free);
    *peer = (struct peer){.leaf = NULL};
}
