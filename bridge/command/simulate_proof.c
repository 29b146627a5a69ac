// SPDX-License-Identifier: Apache-2.0
//
// What a request of a simulation shows so that it is let in: a token, of the
// command line, of a file or of an identity provider; Adobe's signatures; main thread. What stands in files
// may be replaced while the simulation runs.
#include "command/simulate.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <unistd.h>

#define FILE_MAX (64U << 10)
#define LOOK_US 1000000

struct pair {
    const char *fixed_path; /* NULL: in a file */
    struct watched_file key_file, path_file;
    EVP_PKEY *key;
    char path[PROOF_PATH_MAX + 1];
};

struct proof {
    const struct proof_options *options;
    struct watched_file token_file;
    struct oauth *oauth; /* NULL: none */
    struct proof_line *authorization;
    struct pair pairs[PROOF_PAIRS];
    size_t pair_count;
    uint64_t look_us; /* when files are looked at next */
};

static bool wrong(char *errstr, size_t errstr_size, const char *words)
{
    snprintf(errstr, errstr_size, "%s", words);
    return false;
}

static bool oauth_options_check(const struct proof_options *options, char *errstr, size_t errstr_size)
{
    const struct oauth_options *oauth = &options->oauth;
    bool secret = oauth->client_secret != NULL, secret_file = options->oauth_client_secret_file != NULL;
    if (oauth->token_url == NULL) {
        if (oauth->client_id != NULL || secret || secret_file || oauth->resource != NULL ||
            oauth->audience != NULL || oauth->scope != NULL || oauth->renew_ms > 0)
            return wrong(errstr, errstr_size, "the --oauth options need --oauth-token-url");
        return true;
    }
    if (options->token != NULL || options->token_file != NULL)
        return wrong(errstr, errstr_size,
                     "--oauth-token-url and a token of its own: the Authorization header holds one of them");
    if (oauth->client_id == NULL)
        return wrong(errstr, errstr_size, "--oauth-token-url needs --oauth-client-id");
    if (secret && secret_file)
        return wrong(errstr, errstr_size,
                     "--oauth-client-secret and --oauth-client-secret-file: one of them");
    if (!secret && !secret_file)
        return wrong(errstr, errstr_size,
                     "--oauth-token-url needs the client's secret: --oauth-client-secret-file, or "
                     "OAUTH_CLIENT_SECRET in the environment");
    return true;
}

bool proof_options_check(const struct proof_options *options, const struct sender_rule *rule, bool https,
                         char *errstr, size_t errstr_size)
{
    if (options->token != NULL && options->token_file != NULL)
        return wrong(errstr, errstr_size, "--token and --token-file: one of them");
    if (!oauth_options_check(options, errstr, errstr_size))
        return false;
    if (options->key_count != options->path_count) {
        snprintf(errstr, errstr_size, "--sign and --key-path belong together, but there are %zu and %zu",
                 options->key_count, options->path_count);
        return false;
    }
    if (options->key_count > 0 && rule->sender != SENDER_ADOBE_IO) {
        snprintf(errstr, errstr_size, "--sign: %s signs nothing", rule->name);
        return false;
    }
    if (options->cert_key != NULL && options->cert == NULL)
        return wrong(errstr, errstr_size, "--cert-key needs --cert");
    if (options->cert != NULL && !https)
        return wrong(errstr, errstr_size, "--cert: certificates are shown in TLS, and the URL is not https");
    return true;
}

void proof_line_release(struct proof_line *line)
{
    if (line == NULL || --line->users > 0)
        return;
    OPENSSL_cleanse(line->text, strlen(line->text));
    free(line);
}

struct proof_line *proof_hold_authorization(struct proof *proof)
{
    if (proof->authorization != NULL)
        proof->authorization->users++;
    return proof->authorization;
}

/* The token itself is not repeated in messages. */
static bool proof_take_token(struct proof *proof, struct slice token, const char *from, char *errstr,
                             size_t errstr_size)
{
    static const char head[] = "authorization: Bearer ";
    if (!token_is_well_formed(token)) {
        snprintf(errstr, errstr_size,
                 "%s: a token of 1 to %d characters is needed, all of which can stand in a header", from,
                 TOKEN_MAX);
        return false;
    }
    struct proof_line *line = malloc(sizeof *line + sizeof head + token.len);
    if (line == NULL)
        return wrong(errstr, errstr_size, "out of memory");
    line->users = 1;
    memcpy(line->text, head, sizeof head - 1);
    memcpy(line->text + sizeof head - 1, token.ptr, token.len);
    line->text[sizeof head - 1 + token.len] = '\0';
    proof_line_release(proof->authorization);
    proof->authorization = line;
    return true;
}

static bool proof_read_token_file(struct proof *proof, char *errstr, size_t errstr_size)
{
    watched_file_note(&proof->token_file);
    struct slice text = file_read(proof->token_file.path, FILE_MAX, errstr, errstr_size);
    bool ok = slice_present(text) &&
              proof_take_token(proof, file_first_line(text), proof->token_file.path, errstr, errstr_size);
    file_free(text);
    return ok;
}

/* Without it OpenSSL asks at the terminal. */
static int no_passphrase(char *out, int size, int writing, void *data)
{
    (void)out, (void)size, (void)writing, (void)data;
    return 0;
}

static EVP_PKEY *read_key(const char *path, char *errstr, size_t errstr_size)
{
    struct slice text = file_read(path, FILE_MAX, errstr, errstr_size);
    if (!slice_present(text))
        return NULL;
    EVP_PKEY *key = NULL;
    BIO *bio = BIO_new_mem_buf(text.ptr, (int)text.len);
    if (bio != NULL)
        key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    file_free(text);
    ERR_clear_error();
    if (key != NULL && EVP_PKEY_is_a(key, "RSA") == 1 &&
        (size_t)EVP_PKEY_get_size(key) < PROOF_SIGNATURE_MAX / 4 * 3)
        return key;
    snprintf(errstr, errstr_size, "%s: no RSA private key in PEM without a passphrase", path);
    EVP_PKEY_free(key);
    return NULL;
}

/* Takes the pair over only when all of it is there. */
static bool pair_read(struct pair *pair, char *errstr, size_t errstr_size)
{
    struct slice text = SLICE_ABSENT, path = slice_of(pair->fixed_path);
    bool ok = false;

    watched_file_note(&pair->key_file);
    watched_file_note(&pair->path_file);
    EVP_PKEY *key = read_key(pair->key_file.path, errstr, errstr_size);
    if (key != NULL && !slice_present(path)) {
        text = file_read(pair->path_file.path, FILE_MAX, errstr, errstr_size);
        path = file_first_line(text);
    }
    if (key != NULL && slice_present(path)) {
        ok = path.len <= PROOF_PATH_MAX && token_is_well_formed(path);
        if (!ok)
            snprintf(errstr, errstr_size,
                     "--key-path: a path of 1 to %d characters is needed, all of which "
                     "can stand in a header",
                     PROOF_PATH_MAX);
    }
    if (ok) {
        memcpy(pair->path, path.ptr, path.len);
        pair->path[path.len] = '\0';
        EVP_PKEY_free(pair->key);
        pair->key = key;
    } else {
        EVP_PKEY_free(key);
    }
    file_free(text);
    return ok;
}

struct proof *proof_create(const struct proof_options *options, char *errstr, size_t errstr_size)
{
    struct proof *proof = calloc(1, sizeof *proof);
    if (proof == NULL) {
        wrong(errstr, errstr_size, "out of memory");
        return NULL;
    }
    proof->options = options;
    proof->token_file.path = options->token_file;
    if (options->token != NULL &&
        !proof_take_token(proof, slice_of(options->token), "--token", errstr, errstr_size))
        goto fail;
    if (options->token_file != NULL && !proof_read_token_file(proof, errstr, errstr_size))
        goto fail;
    for (size_t i = 0; i < options->key_count; i++) {
        struct pair *pair = &proof->pairs[proof->pair_count++];
        pair->key_file.path = options->keys[i];
        if (options->paths[i][0] == '@')
            pair->path_file.path = options->paths[i] + 1;
        else
            pair->fixed_path = options->paths[i];
        if (!pair_read(pair, errstr, errstr_size))
            goto fail;
    }
    if (options->cert != NULL) {
        const char *files[] = {options->cert, options->cert_key};
        for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
            if (files[i] != NULL && access(files[i], R_OK) != 0) {
                snprintf(errstr, errstr_size, "%s: %s", files[i], strerror(errno));
                goto fail;
            }
        }
    }
    if (options->oauth.token_url != NULL) {
        proof->oauth = oauth_create(&options->oauth);
        if (proof->oauth == NULL) {
            wrong(errstr, errstr_size, "--oauth-token-url: out of memory, or libcurl does not take it");
            goto fail;
        }
    }
    return proof;
fail:
    proof_free(proof);
    return NULL;
}

void proof_free(struct proof *proof)
{
    if (proof == NULL)
        return;
    for (size_t i = 0; i < proof->pair_count; i++)
        EVP_PKEY_free(proof->pairs[i].key);
    oauth_free(proof->oauth);
    proof_line_release(proof->authorization);
    free(proof);
}

/* A token that was just fetched. */
static bool proof_take_fetched(struct proof *proof, char *errstr, size_t errstr_size)
{
    struct slice token;
    return !oauth_take_token(proof->oauth, &token) ||
           proof_take_token(proof, token, "--oauth-token-url", errstr, errstr_size);
}

bool proof_begin(struct proof *proof, char *errstr, size_t errstr_size)
{
    if (proof->oauth == NULL)
        return true;
    return oauth_begin(proof->oauth, errstr, errstr_size) && proof_take_fetched(proof, errstr, errstr_size);
}

static void complain(bool ok, const char *errstr)
{
    if (!ok)
        fprintf(stderr, "marketo-bridge simulate: %s; the old one goes on\n", errstr);
}

/* Files that belong together are read when one has changed and none is changing. */
static bool pair_is_due(struct pair *pair)
{
    enum watched_state key = watched_file_look(&pair->key_file), path = watched_file_look(&pair->path_file);
    return key != WATCHED_MOVING && path != WATCHED_MOVING &&
           (key == WATCHED_CHANGED || path == WATCHED_CHANGED);
}

static void proof_look(struct proof *proof)
{
    char errstr[512] = "";
    if (watched_file_look(&proof->token_file) == WATCHED_CHANGED)
        complain(proof_read_token_file(proof, errstr, sizeof errstr), errstr);
    for (size_t i = 0; i < proof->pair_count; i++) {
        if (pair_is_due(&proof->pairs[i]))
            complain(pair_read(&proof->pairs[i], errstr, sizeof errstr), errstr);
    }
}

uint64_t proof_run(struct proof *proof, uint64_t now_us)
{
    uint64_t due_us = CLIENT_NEVER;
    char errstr[512] = "";
    if (proof->token_file.path != NULL || proof->pair_count > 0) {
        if (now_us >= proof->look_us) {
            proof_look(proof);
            proof->look_us = now_us + LOOK_US;
        }
        due_us = proof->look_us;
    }
    if (proof->oauth != NULL) {
        uint64_t oauth_us = oauth_run(proof->oauth, now_us);
        complain(proof_take_fetched(proof, errstr, sizeof errstr), errstr);
        due_us = oauth_us < due_us ? oauth_us : due_us;
    }
    return due_us;
}

size_t proof_signature_count(const struct proof *proof)
{
    return proof->pair_count;
}

bool proof_sign(const struct proof *proof, struct slice body, struct proof_signature signatures[PROOF_PAIRS])
{
    unsigned char raw[PROOF_SIGNATURE_MAX / 4 * 3];
    char encoded[PROOF_SIGNATURE_MAX + 1];
    bool ok = true;
    for (size_t i = 0; ok && i < proof->pair_count; i++) {
        struct proof_signature *signature = &signatures[i];
        size_t len = sizeof raw;
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        ok = context != NULL &&
             EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, proof->pairs[i].key) == 1 &&
             EVP_DigestSign(context, raw, &len, (const unsigned char *)body.ptr, body.len) == 1;
        EVP_MD_CTX_free(context);
        if (!ok)
            break;
        EVP_EncodeBlock((unsigned char *)encoded, raw, (int)len);
        snprintf(signature->signature, sizeof signature->signature, "x-adobe-digital-signature-%zu: %s",
                 i + 1, encoded);
        snprintf(signature->path, sizeof signature->path, "x-adobe-public-key%zu-path: %s", i + 1,
                 proof->pairs[i].path);
    }
    ERR_clear_error();
    return ok;
}
