// SPDX-License-Identifier: Apache-2.0
//
// How cjose and jansson are used here: memory and base64url; any thread.
#include "auth/jose.h"

#include <cjose/cjose.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "auth/secret_memory.h"

/* While a token is judged, cjose's memory comes from one block that is there beforehand: without memory cjose
 * crashes while it copies a token (src/jws.c asks the wrong pointer), and so there is one thing to overwrite.
 * It uses what ECDSA_SIG_new and BN_new return without a look, so these have a reserve. jansson has its own:
 * it takes as much as the token likes, and can do without. */
static _Thread_local struct {
    char *ptr;
    size_t size, used;
} block;

static bool is_in_block(const void *ptr)
{
    uintptr_t at = (uintptr_t)ptr, first = (uintptr_t)block.ptr;
    return block.ptr != NULL && at >= first && at < first + block.size;
}

static void *cjose_take(size_t size)
{
    size_t taken;
    if (block.ptr != NULL && !__builtin_add_overflow(size, sizeof(max_align_t) - 1, &taken)) {
        taken -= taken % sizeof(max_align_t);
        if (taken <= block.size - block.used) {
            void *ptr = block.ptr + block.used;
            block.used += taken;
            return ptr;
        }
    }
    return secret_malloc(size);
}

static void cjose_give_back(void *ptr)
{
    if (!is_in_block(ptr))
        secret_free(ptr);
}

/* Before main: cjose sets OpenSSL's functions along with its own, and these must be put right again before
 * anybody uses them. */
__attribute__((constructor)) static void set_up(void)
{
    cjose_set_alloc_funcs(cjose_take, secret_realloc, cjose_give_back);
    secret_memory_watch_openssl();
    json_set_alloc_funcs(secret_malloc, secret_free);
}

bool jose_begin(size_t room)
{
    if (room > 0) {
        block.ptr = secret_malloc(room);
        if (block.ptr == NULL)
            return false;
        secret_memory_open_reserve();
        block.size = room;
        block.used = 0;
    }
    secret_memory_was_short();
    ERR_clear_error();
    return true;
}

bool jose_out_of_memory(void)
{
    bool result = secret_memory_was_short();
    for (unsigned long error; (error = ERR_get_error()) != 0;) {
        if (ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE)
            result = true;
    }
    return result;
}

void jose_end(void)
{
    /* A TLS connection on this thread would take an error that is left over for its own. */
    ERR_clear_error();
    if (block.ptr != NULL) {
        OPENSSL_cleanse(block.ptr, block.used);
        free(block.ptr);
        block.ptr = NULL;
        secret_memory_close_reserve();
    }
}

/* RFC 4648 section 5: the value of a character and 64 for being one; 0: it is none. */
static unsigned character(char c)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *found = c == '\0' ? NULL : strchr(alphabet, c);
    return found == NULL ? 0 : 64 + (unsigned)(found - alphabet);
}

static unsigned char characters[256];

/* A look into a table for each character: tokens are long, and everybody may send one. */
static void make_characters(void)
{
    for (unsigned c = 0; c < sizeof characters; c++)
        characters[c] = (unsigned char)character((char)c);
}

bool jose_is_base64url(struct slice text)
{
    static pthread_once_t made = PTHREAD_ONCE_INIT;
    pthread_once(&made, make_characters);
    if (text.len == 0 || text.len % 4 == 1)
        return false;
    unsigned all = 64;
    for (size_t i = 0; i < text.len; i++)
        all &= characters[(unsigned char)text.ptr[i]];
    unsigned unused = text.len % 4 == 2 ? 0x0F : text.len % 4 == 3 ? 0x03 : 0;
    return all >= 64 && (characters[(unsigned char)text.ptr[text.len - 1]] & unused) == 0;
}
