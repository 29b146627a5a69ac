// SPDX-License-Identifier: Apache-2.0
//
// Adobe's signature: two pairs of a signature and a key's path, of which one must be good. Any thread.
//
// The path comes from a stranger, and so does the signature; what is well-formed costs him one digest
// of the body and a verification a pair, and a fetch only within the key store's budgets.
#include "auth/signature.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdatomic.h>

#include "auth/crypto_errors.h"

/* Keys of 2048 to 8192 bits. */
#define SIGNATURE_MIN 256
#define SIGNATURE_MAX 1024

#define DIGEST_SIZE 32

enum pair_state {
    PAIR_ABSENT,
    PAIR_BAD,     /* no key could make it good */
    PAIR_STRANGE, /* its path is not of the known form */
    PAIR_OPEN,
    PAIR_GOOD,
    PAIR_PENDING,
    PAIR_UNFETCHED,
    PAIR_BUDGET,
    PAIR_NO_MEMORY
};

struct pair {
    enum pair_state state;
    struct slice path;
    unsigned char signature[SIGNATURE_MAX];
    size_t length;
    bool tried; /* it was bad with the key that was fetched then */
    uint64_t fetched_ms;
};

struct judgement {
    struct key_store *keys;
    struct slice body;
    enum key_origin origin;
    uint64_t now_ms;
    struct auth_wait *wait;
    bool digested;
    unsigned char digest[DIGEST_SIZE];
    struct pair pairs[SIGNATURES];
};

/* --- what is shown --- */

static bool is_name_character(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

bool signature_path_is_known_form(struct slice path)
{
    static const struct slice folder = SLICE_LITERAL("/prod/keys/");
    static const struct slice ending = SLICE_LITERAL(".pem");

    if (!slice_present(path) || path.len > KEY_STORE_PATH_MAX || path.len <= folder.len + ending.len ||
        !slice_starts_with(path, folder) ||
        memcmp(path.ptr + path.len - ending.len, ending.ptr, ending.len) != 0)
        return false;
    for (size_t i = folder.len; i < path.len; i++) {
        if (!is_name_character(path.ptr[i]) || (path.ptr[i] == '.' && path.ptr[i - 1] == '.'))
            return false;
    }
    return true;
}

static struct slice trim(struct slice s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t')) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* RFC 4648 section 4, with padding, nothing between, and bits that are left over 0. */
static bool read_signature(struct slice text, struct pair *pair)
{
    if (text.len % 4 != 0 || text.len < SIGNATURE_MIN / 3 * 4 || text.len > (SIGNATURE_MAX + 2) / 3 * 4)
        return false;
    size_t padding = 0;
    while (padding < 2 && text.ptr[text.len - 1 - padding] == '=')
        padding++;
    size_t length = text.len / 4 * 3 - padding;
    if (length < SIGNATURE_MIN || length > SIGNATURE_MAX)
        return false;

    uint32_t bits = 0;
    unsigned bit_count = 0;
    pair->length = 0;
    for (size_t i = 0; i < text.len - padding; i++) {
        int value = base64_value(text.ptr[i]);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            pair->signature[pair->length++] = (unsigned char)(bits >> bit_count);
            bits &= (1u << bit_count) - 1;
        }
    }
    return bits == 0;
}

static void read_pair(const struct signature_shown *shown, size_t i, struct pair *pair)
{
    pair->path = shown->key_path[i];
    pair->tried = false;
    if (!slice_present(shown->signature[i]) || !slice_present(pair->path))
        pair->state = PAIR_ABSENT;
    else if (!read_signature(trim(shown->signature[i]), pair))
        pair->state = PAIR_BAD;
    else
        pair->state = signature_path_is_known_form(pair->path) ? PAIR_OPEN : PAIR_STRANGE;
}

/* --- verifying --- */

/* Looked up once: a look-up for each request costs as much as the digest of a small body. */
static EVP_MD *sha256(void)
{
    static _Atomic(EVP_MD *) kept;
    EVP_MD *md = atomic_load(&kept);
    if (md != NULL)
        return md;
    EVP_MD *expected = NULL;
    md = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (md != NULL && !atomic_compare_exchange_strong(&kept, &expected, md)) {
        EVP_MD_free(md);
        md = expected;
    }
    return md;
}

/* PAIR_GOOD, PAIR_BAD or PAIR_NO_MEMORY. */
static enum pair_state verify(struct judgement *judgement, const struct pair *pair, EVP_PKEY *key)
{
    if ((size_t)EVP_PKEY_get_size(key) != pair->length)
        return PAIR_BAD;
    EVP_MD *md = sha256();
    if (md == NULL)
        return PAIR_NO_MEMORY;
    if (!judgement->digested) {
        if (EVP_Digest(judgement->body.ptr, judgement->body.len, judgement->digest, NULL, md, NULL) != 1)
            return PAIR_NO_MEMORY;
        judgement->digested = true;
    }

    enum pair_state state = PAIR_NO_MEMORY;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    if (context != NULL && EVP_PKEY_verify_init(context) == 1 &&
        EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1 &&
        EVP_PKEY_CTX_set_signature_md(context, md) == 1) {
        crypto_errors_clear();
        if (EVP_PKEY_verify(context, pair->signature, pair->length, judgement->digest, DIGEST_SIZE) == 1)
            state = PAIR_GOOD;
        else if (!crypto_errors_say_no_memory())
            state = PAIR_BAD;
    }
    EVP_PKEY_CTX_free(context);
    crypto_errors_clear();
    return state;
}

/* --- judging --- */

/* Verifies with the key that is there; one that was fetched before the request came and does not fit may be
 * out of date, and so is asked for again. fetch false: only looks at what is there. */
static enum pair_state try_pair(struct judgement *judgement, struct pair *pair, bool fetch)
{
    uint64_t since_ms = judgement->wait->since_ms;
    struct auth_wait *wait = fetch ? judgement->wait : NULL;

    while (!pair->tried || pair->fetched_ms < since_ms) {
        EVP_PKEY *key = NULL;
        uint64_t fetched_ms = 0;
        switch (key_store_get(judgement->keys, pair->path, judgement->origin, pair->tried ? since_ms : 0,
                              judgement->now_ms, wait, &key, &fetched_ms)) {
        case KEY_GOOD:
            break;
        case KEY_MISSING:
            return PAIR_OPEN;
        case KEY_PENDING:
            return PAIR_PENDING;
        case KEY_FAILED:
            return PAIR_UNFETCHED;
        case KEY_BUDGET:
            return PAIR_BUDGET;
        }
        enum pair_state state = verify(judgement, pair, key);
        EVP_PKEY_free(key);
        if (state != PAIR_BAD)
            return state;
        pair->tried = true;
        pair->fetched_ms = fetched_ms;
    }
    return PAIR_BAD;
}

static void accept(struct judgement *judgement, size_t good)
{
    key_store_prove(judgement->keys, judgement->pairs[good].path);
    for (size_t i = 0; i < SIGNATURES; i++) {
        if (i != good && signature_path_is_known_form(judgement->pairs[i].path))
            key_store_prefetch(judgement->keys, judgement->pairs[i].path, judgement->now_ms);
    }
}

/* Nothing is good and nothing pending. */
static enum auth_verdict refuse(const struct judgement *judgement, const char **reason)
{
    /* What cannot be told yet, the first that holds. */
    static const struct {
        enum pair_state state;
        const char *reason;
    } unavailable[] = {
        {PAIR_NO_MEMORY, "no_memory"},
        {PAIR_STRANGE, "unknown_key"},
        {PAIR_UNFETCHED, "key_unavailable"},
        {PAIR_BUDGET, "fetch_budget"},
    };
    bool complete = false;

    for (size_t i = 0; i < sizeof unavailable / sizeof unavailable[0]; i++) {
        for (size_t j = 0; j < SIGNATURES; j++) {
            complete |= judgement->pairs[j].state != PAIR_ABSENT;
            if (judgement->pairs[j].state != unavailable[i].state)
                continue;
            *reason = unavailable[i].reason;
            return AUTH_UNAVAILABLE;
        }
    }
    *reason = complete ? "bad_signature" : "no_signature";
    return AUTH_DENY;
}

enum auth_verdict signature_judge(struct key_store *keys, const struct signature_shown *shown,
                                  bool known_peer, const struct auth_now *now, struct auth_wait *wait,
                                  const char **reason)
{
    struct judgement judgement;
    judgement.keys = keys;
    judgement.body = shown->body;
    judgement.origin = known_peer ? KEY_VOUCHED : KEY_STRANGER;
    judgement.now_ms = now->ms;
    judgement.wait = wait;
    judgement.digested = false;
    if (wait->since_ms == 0)
        wait->since_ms = now->ms;
    for (size_t i = 0; i < SIGNATURES; i++)
        read_pair(shown, i, &judgement.pairs[i]);

    /* First with the keys that are there: while one can be used, nobody waits for the other. */
    for (int fetch = 0; fetch <= 1; fetch++) {
        for (size_t i = 0; i < SIGNATURES; i++) {
            struct pair *pair = &judgement.pairs[i];
            if (pair->state != PAIR_OPEN)
                continue;
            pair->state = try_pair(&judgement, pair, fetch == 1);
            if (pair->state == PAIR_GOOD) {
                accept(&judgement, i);
                return AUTH_ALLOW;
            }
            /* A wait stands in one queue at a time, so the other pair has its turn after it. */
            if (pair->state == PAIR_PENDING)
                return AUTH_PENDING;
        }
    }
    return refuse(&judgement, reason);
}
