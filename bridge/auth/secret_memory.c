// SPDX-License-Identifier: Apache-2.0
//
// Memory for tokens and passwords, overwritten when it is freed; any thread.
#include "auth/secret_memory.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local bool was_short;

static void *noted(void *ptr)
{
    if (ptr == NULL)
        was_short = true;
    return ptr;
}

void *secret_malloc(size_t size)
{
    return noted(malloc(size > 0 ? size : 1));
}

void *secret_calloc(size_t count, size_t size)
{
    return noted(calloc(count > 0 ? count : 1, size > 0 ? size : 1));
}

void secret_free(void *ptr)
{
    if (ptr == NULL)
        return;
    OPENSSL_cleanse(ptr, malloc_usable_size(ptr));
    free(ptr);
}

void *secret_realloc(void *ptr, size_t size)
{
    size_t old = ptr == NULL ? 0 : malloc_usable_size(ptr);
    if (ptr != NULL && size > 0 && size <= old)
        return ptr;
    /* Not realloc: it leaves a copy behind where it moves. */
    void *moved = secret_malloc(size);
    if (moved == NULL)
        return NULL;
    if (ptr != NULL)
        memcpy(moved, ptr, old < size ? old : size);
    secret_free(ptr);
    return moved;
}

char *secret_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = secret_malloc(size);
    if (copy != NULL)
        memcpy(copy, text, size);
    return copy;
}

/* --- OpenSSL's --- */

#define PIECES 32
#define PIECE_SIZE 32

static _Thread_local struct {
    void *pieces[PIECES];
    size_t count;
} reserve;

bool secret_memory_reserve(void)
{
    while (reserve.count < PIECES) {
        void *piece = secret_malloc(PIECE_SIZE);
        if (piece == NULL) {
            secret_memory_end_reserve();
            return false;
        }
        reserve.pieces[reserve.count++] = piece;
    }
    return true;
}

void secret_memory_end_reserve(void)
{
    while (reserve.count > 0)
        free(reserve.pieces[--reserve.count]);
}

static void *crypto_take(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    void *ptr = noted(malloc(size > 0 ? size : 1));
    if (ptr == NULL && size <= PIECE_SIZE && reserve.count > 0)
        ptr = reserve.pieces[--reserve.count];
    return ptr;
}

static void *crypto_retake(void *ptr, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    if (size > 0)
        return noted(realloc(ptr, size));
    free(ptr);
    return NULL;
}

static void crypto_give_back(void *ptr, const char *file, int line)
{
    (void)file, (void)line;
    free(ptr);
}

/* OpenSSL takes these only before it has allocated anything, so before main. */
__attribute__((constructor)) void secret_memory_watch_openssl(void)
{
    CRYPTO_set_mem_functions(crypto_take, crypto_retake, crypto_give_back);
}

bool secret_memory_was_short(void)
{
    bool result = was_short;
    was_short = false;
    return result;
}
