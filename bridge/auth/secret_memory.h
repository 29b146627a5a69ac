// SPDX-License-Identifier: Apache-2.0
//
// Memory for tokens and passwords: what libraries that handle them allocate is overwritten when it is
// freed. Any thread. What malloc has allocated may be freed here, and the other way round.
#ifndef BRIDGE_AUTH_SECRET_MEMORY_H
#define BRIDGE_AUTH_SECRET_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

void *secret_malloc(size_t size);
void *secret_calloc(size_t count, size_t size);
void *secret_realloc(void *ptr, size_t size); /* what it moves away from is overwritten, too */
char *secret_strdup(const char *text);
void secret_free(void *ptr); /* may be NULL */

/* Whether one of the above, or OpenSSL, has had no memory to give on this thread since the last call:
 * libraries tell that from other errors only sometimes. */
bool secret_memory_was_short(void);

/* Has OpenSSL allocate where that is noted. Done before main; again by whoever has set other functions since,
 * before there are threads. */
void secret_memory_watch_openssl(void);

/* Between the two, this thread has pieces for the smallest of OpenSSL's allocations when there is no other
 * memory: not all who call it look whether it had any. It counts as short all the same. */
void secret_memory_open_reserve(void);
void secret_memory_close_reserve(void);

#endif
