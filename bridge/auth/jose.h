// SPDX-License-Identifier: Apache-2.0
//
// How cjose and jansson are used here: what they allocate is overwritten when it is
// freed, lack of memory is told from all other errors, and base64url is taken strictly. Any thread.
#ifndef BRIDGE_AUTH_JOSE_H
#define BRIDGE_AUTH_JOSE_H

#include <stdbool.h>
#include <stddef.h>

#include "slice.h"

/* Before cjose or jansson is used on a thread. room: bytes that cjose takes from a block of their own until
 * jose_end; 0: none. False when out of memory; then there is no jose_end. */
bool jose_begin(size_t room) __attribute__((warn_unused_result));
/* Whether memory was short since then, so that what has come out says nothing about the input. */
bool jose_out_of_memory(void);
/* Overwrites and frees the block; all that cjose has made since must have been released. */
void jose_end(void);

/* Bytes that cjose takes to import and verify a token of this length, generously. */
static inline size_t jose_room(size_t token_len)
{
    return 2 * token_len + 8192;
}

/* Not empty, nothing but the alphabet (RFC 4648 section 5), no padding, and the only text for its bytes:
 * bits that are not used are 0. cjose would let all of that pass. */
bool jose_is_base64url(struct slice text);

#endif
