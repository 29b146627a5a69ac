// SPDX-License-Identifier: Apache-2.0
//
// Memory for tokens and passwords, overwritten when it is freed; any thread.
#include "auth/secret_memory.h"

#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <openssl/crypto.h>
#include <stdatomic.h>
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

#define ROWS 64
#define PIECES 32
#define PIECE_SIZE 32

/* A row for each thread that has ever needed one. A piece is not handed out again before all of its row have
 * come back, from whatever thread: OpenSSL keeps some of what it allocates. */
static _Alignas(max_align_t) char pool[ROWS][PIECES][PIECE_SIZE];
static atomic_size_t pool_back[ROWS], pool_rows;
static _Thread_local struct {
    bool open;
    size_t row; /* counted from 1; 0: none yet */
    size_t taken;
} reserve;

void secret_memory_open_reserve(void)
{
    reserve.open = true;
}

void secret_memory_close_reserve(void)
{
    reserve.open = false;
}

static bool is_piece(const void *ptr)
{
    uintptr_t at = (uintptr_t)ptr, first = (uintptr_t)pool;
    return at >= first && at < first + sizeof pool;
}

static void *take_piece(void)
{
    if (reserve.row == 0)
        reserve.row = atomic_fetch_add(&pool_rows, 1) + 1;
    if (reserve.row > ROWS)
        return NULL;
    atomic_size_t *back = &pool_back[reserve.row - 1];
    if (atomic_load(back) == reserve.taken) {
        reserve.taken = 0;
        atomic_store(back, 0);
    }
    return reserve.taken < PIECES ? pool[reserve.row - 1][reserve.taken++] : NULL;
}

static void *crypto_take(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    void *ptr = noted(malloc(size > 0 ? size : 1));
    return ptr == NULL && size <= PIECE_SIZE && reserve.open ? take_piece() : ptr;
}

static void crypto_give_back(void *ptr, const char *file, int line)
{
    (void)file, (void)line;
    if (is_piece(ptr))
        atomic_fetch_add(&pool_back[((uintptr_t)ptr - (uintptr_t)pool) / sizeof pool[0]], 1);
    else
        free(ptr);
}

static void *crypto_retake(void *ptr, size_t size, const char *file, int line)
{
    if (size > 0 && !is_piece(ptr))
        return noted(realloc(ptr, size));
    void *moved = size > 0 ? noted(malloc(size)) : NULL;
    if (moved != NULL)
        memcpy(moved, ptr, size < PIECE_SIZE ? size : PIECE_SIZE);
    if (moved != NULL || size == 0)
        crypto_give_back(ptr, file, line);
    return moved;
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
