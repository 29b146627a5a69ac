// SPDX-License-Identifier: Apache-2.0
//
// Adobe's signature: signatures, paths and keys from strangers, and whatever a key host may answer. The
// input: a line each for the first signature, its path, the second and its path; the body on one line; then
// what the host answers for paths with an 'a' in their name, and behind a line `%%%` for all others. A
// request is let in exactly when OpenSSL alone, asked by a few lines here, finds one of the pairs good.
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#include "auth/signature.h"
#include "fuzz.h"

#define SEPARATOR "\n%%%\n"
#define NAME_AT 10 /* of the slash before the name in "/prod/keys/" */

static struct slice answers[2];

static struct slice answer_for(struct slice path)
{
    return memchr(path.ptr + NAME_AT, 'a', path.len - NAME_AT - 4) != NULL ? answers[0] : answers[1];
}

static void start(struct fetcher *fetcher, struct fetch *fetch)
{
    static const char base[] = "https://keys.example";
    (void)fetcher;
    fuzz_check(strncmp(fetch->url, base, sizeof base - 1) == 0);
    struct slice path = slice_of(fetch->url + sizeof base - 1);
    fuzz_check(signature_path_is_known_form(path) && fetch->limit == KEY_STORE_PEM_MAX);
    struct slice answer = answer_for(path);
    char *copy = fuzz_copy(answer);
    fetch->status = answer.len == 0 ? 404 : 200;
    fetch->body = (struct slice){copy, answer.len};
    fetch->done(fetch);
    free(copy);
}

static void on_task(struct fetcher *fetcher, struct fetch_task *task)
{
    (void)fetcher, (void)task;
}

static struct fetcher fetcher = {.start = start, .add_task = on_task, .remove_task = on_task};
static unsigned woken;

static void on_wake(struct auth_wait *wait)
{
    (void)wait;
    woken++;
}

/* ---- a second opinion ---- */

static struct slice trim(struct slice s)
{
    for (; s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'); s.len--)
        s.ptr++;
    for (; s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'); s.len--)
        ;
    return s;
}

/* The length, 0 when it is not what OpenSSL writes for these bytes. */
static size_t decode(struct slice text, unsigned char *out)
{
    size_t padding = 0;
    while (padding < 2 && padding < text.len && text.ptr[text.len - 1 - padding] == '=')
        padding++;
    int length = EVP_DecodeBlock(out, (const unsigned char *)text.ptr, (int)text.len);
    if (length < (int)padding)
        return 0;
    char *again = fuzz_alloc(text.len + 8);
    int size = EVP_EncodeBlock((unsigned char *)again, out, length - (int)padding);
    bool same = slice_equal(text, (struct slice){again, (size_t)size});
    free(again);
    return same ? (size_t)length - padding : 0;
}

static bool is_good(struct slice signature, struct slice path, struct slice body)
{
    if (!signature_path_is_known_form(path) || signature.len == 0)
        return false;
    struct slice pem = answer_for(path), text = trim(signature);
    unsigned char *bytes = fuzz_alloc(text.len + 8);
    size_t length = decode(text, bytes);
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    EVP_PKEY *key = length == 0 || pem.len == 0 ? NULL : PEM_read_bio_PUBKEY(bio, NULL, NULL, "");
    bool good = false;
    if (key != NULL && EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) >= 2048) {
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        good = EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
               EVP_DigestVerify(context, bytes, length, (const unsigned char *)body.ptr, body.len) == 1;
        EVP_MD_CTX_free(context);
    }
    EVP_PKEY_free(key);
    BIO_free(bio);
    ERR_clear_error();
    free(bytes);
    return good;
}

/* ---- */

static struct slice take_line(struct slice *rest)
{
    const char *end = rest->len == 0 ? NULL : memchr(rest->ptr, '\n', rest->len);
    struct slice line = {rest->ptr, end == NULL ? rest->len : (size_t)(end - rest->ptr)};
    size_t taken = line.len + (end != NULL);
    *rest = (struct slice){rest->ptr + taken, rest->len - taken};
    return line;
}

/* Every second line that is just "-" is no header at all. */
static struct slice header_of(struct slice line)
{
    return slice_equal(line, SLICE_LITERAL("-")) ? SLICE_ABSENT : line;
}

static void check_verdict(enum auth_verdict verdict, const char *reason, const struct signature_shown *shown)
{
    bool good = false, complete = false;
    for (size_t i = 0; i < SIGNATURES; i++) {
        complete |= slice_present(shown->signature[i]) && slice_present(shown->key_path[i]);
        good |= slice_present(shown->signature[i]) && slice_present(shown->key_path[i]) &&
                is_good(shown->signature[i], shown->key_path[i], shown->body);
    }
    fuzz_check((verdict == AUTH_ALLOW) == good);
    fuzz_check(verdict == AUTH_ALLOW || reason != NULL);
    fuzz_check(verdict != AUTH_DENY || (strcmp(reason, "no_signature") == 0) == !complete);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = {(const char *)data, size};
    struct signature_shown shown;
    for (size_t i = 0; i < SIGNATURES; i++) {
        shown.signature[i] = header_of(take_line(&rest));
        shown.key_path[i] = header_of(take_line(&rest));
    }
    shown.body = take_line(&rest);
    const char *end = rest.len == 0 ? NULL : memmem(rest.ptr, rest.len, SEPARATOR, strlen(SEPARATOR));
    answers[0] = answers[1] = rest;
    if (end != NULL) {
        answers[0].len = (size_t)(end - rest.ptr) + 1;
        answers[1] =
            (struct slice){end + strlen(SEPARATOR), rest.len - answers[0].len - strlen(SEPARATOR) + 1};
    }

    struct key_store *store = key_store_create(&fetcher, "https://keys.example");
    fuzz_check(store != NULL);
    /* Twice: the second time the keys are there, and some are proven. */
    for (int i = 0; i < 2; i++) {
        const struct auth_now now = {.ms = 100000, .wall_ms = 1};
        struct auth_wait wait = {.wake = on_wake};
        enum auth_verdict verdict = AUTH_PENDING;
        const char *reason = NULL;
        unsigned pending = 0;
        woken = 0;
        for (; verdict == AUTH_PENDING && pending <= AUTH_ROUNDS_MAX; pending += verdict == AUTH_PENDING)
            verdict = signature_judge(store, &shown, i == 1, &now, &wait, &reason);
        fuzz_check(verdict != AUTH_PENDING && woken == pending);
        check_verdict(verdict, reason, &shown);
    }
    key_store_free(store);
    return 0;
}
