// SPDX-License-Identifier: Apache-2.0
//
// Client certificates, as DER one behind the other, leaf first: one is let in only when a key of the store,
// or of another certificate that was shown, has signed it. Its names are asked for, too. The same bytes are
// then a file of CAs and one of CRLs, which are loaded whole or not at all. Its CA was made for this,
// and nobody has its key any more.
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#include "auth/certificate.h"
#include "fuzz.h"
#include "certificate_ca.h"

#define CHAIN_MAX 8

static X509_STORE *stores[2]; /* without CRLs, with */
static char ca_path[32], input_path[32];
static int input_fd;
static X509 *ca;

static int make_file(char path[32], struct slice bytes)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    fuzz_check(fd >= 0 && write(fd, bytes.ptr, bytes.len) == (ssize_t)bytes.len);
    snprintf(path, 32, "/proc/self/fd/%d", fd);
    return fd;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char errstr[256], crl_path[32];
    (void)argc, (void)argv;
    make_file(ca_path, SLICE_LITERAL(CA_PEM));
    int crl_fd = make_file(crl_path, SLICE_LITERAL(CRL_PEM));
    input_fd = make_file(input_path, SLICE_LITERAL(""));
    stores[0] = certificate_store_load(ca_path, NULL, errstr, sizeof errstr);
    stores[1] = certificate_store_load(ca_path, crl_path, errstr, sizeof errstr);
    fuzz_check(stores[0] != NULL && stores[1] != NULL);
    close(crl_fd);
    BIO *bio = BIO_new_mem_buf(CA_PEM, -1);
    ca = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    fuzz_check(ca != NULL);
    return 0;
}

static bool has_signed(X509 *issuer, X509 *certificate)
{
    EVP_PKEY *key = X509_get0_pubkey(issuer);
    bool has = key != NULL && X509_verify(certificate, key) == 1;
    ERR_clear_error();
    return has;
}

static void check_allowed(X509 *leaf, STACK_OF(X509) * chain)
{
    bool is_signed = has_signed(ca, leaf);
    for (int i = 0; i < sk_X509_num(chain) && !is_signed; i++)
        is_signed = X509_check_ca(sk_X509_value(chain, i)) > 0 && has_signed(sk_X509_value(chain, i), leaf);
    fuzz_check(is_signed && X509_cmp_current_time(X509_get0_notAfter(leaf)) > 0);
}

static void check_names(X509 *leaf, struct slice der)
{
    static char dns[] = "sender.example", uri[] = "spiffe://example/sender";
    static char *const names[] = {dns, uri};
    bool no_memory = true;
    for (size_t i = 0; i < 2; i++) {
        if (!certificate_has_name(leaf, &names[i], 1, &no_memory))
            continue;
        /* Somewhere in it, as it is or in other letters. */
        bool found = false;
        size_t length = strlen(names[i]);
        for (size_t at = 0; at + length <= der.len && !found; at++)
            found = strncasecmp(der.ptr + at, names[i], length) == 0;
        fuzz_check(found);
    }
    fuzz_check(!no_memory);
}

static void judge(struct slice der)
{
    const unsigned char *at = (const unsigned char *)der.ptr, *end = at + der.len;
    STACK_OF(X509) *chain = sk_X509_new_null();
    X509 *one;
    while (sk_X509_num(chain) < CHAIN_MAX && at < end && (one = d2i_X509(NULL, &at, end - at)) != NULL)
        sk_X509_push(chain, one);
    ERR_clear_error();
    if (sk_X509_num(chain) > 0) {
        X509 *leaf = sk_X509_value(chain, 0);
        for (size_t i = 0; i < 2; i++) {
            const char *reason = NULL, *detail = NULL;
            enum auth_verdict verdict = certificate_judge(stores[i], leaf, chain, &reason, &detail);
            fuzz_check(verdict == AUTH_ALLOW || (reason != NULL && detail != NULL));
            fuzz_check(verdict != AUTH_UNAVAILABLE || strcmp(reason, "no_memory") != 0);
            if (verdict == AUTH_ALLOW)
                check_allowed(leaf, chain);
        }
        check_names(leaf, der);
    }
    fuzz_check(ERR_peek_error() == 0);
    sk_X509_pop_free(chain, X509_free);
}

static void load(struct slice bytes)
{
    char errstr[256] = "";
    fuzz_check(ftruncate(input_fd, 0) == 0);
    fuzz_check(pwrite(input_fd, bytes.ptr, bytes.len, 0) == (ssize_t)bytes.len);
    X509_STORE *store = certificate_store_load(input_path, NULL, errstr, sizeof errstr);
    fuzz_check((store == NULL) == (errstr[0] != '\0') && strstr(errstr, "memory") == NULL);
    fuzz_check(store == NULL || sk_X509_OBJECT_num(X509_STORE_get0_objects(store)) > 0);
    X509_STORE_free(store);
    errstr[0] = '\0';
    store = certificate_store_load(ca_path, input_path, errstr, sizeof errstr);
    fuzz_check((store == NULL) == (errstr[0] != '\0') && strstr(errstr, "memory") == NULL);
    X509_STORE_free(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return -1;
    char *copy = fuzz_copy((struct slice){(const char *)data, size});
    struct slice bytes = {copy, size};
    /* PEM, or DER. */
    if (memmem(copy, size, "-----", 5) != NULL)
        load(bytes);
    else
        judge(bytes);
    free(copy);
    return 0;
}
