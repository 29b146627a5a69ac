// SPDX-License-Identifier: Apache-2.0
//
// OpenSSL says "no" and "out of memory" with the same return value; its queue of errors, one a
// thread, tells which, but not always: some of its functions queue nothing (EVP_MD_CTX_new), and the queue
// itself needs memory. So its allocations are watched, too. Clear before a call, ask after one that failed.
// Both leave the queue empty: what lies there would be taken for a TLS connection's. Any thread.
#ifndef BRIDGE_AUTH_CRYPTO_ERRORS_H
#define BRIDGE_AUTH_CRYPTO_ERRORS_H

#include <openssl/err.h>
#include <stdbool.h>

#include "auth/secret_memory.h"

static inline void crypto_errors_clear(void)
{
    ERR_clear_error();
    secret_memory_was_short();
}

static inline bool crypto_errors_say_no_memory(void)
{
    bool no_memory = secret_memory_was_short();
    unsigned long error;
    while ((error = ERR_get_error()) != 0)
        no_memory |= ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE;
    return no_memory;
}

#endif
