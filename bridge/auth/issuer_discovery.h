// SPDX-License-Identifier: Apache-2.0
//
// Where an identity provider's key set is, found through its issuer: OpenID Connect
// Discovery 1.0, or RFC 8414. Pure functions; any thread.
#ifndef BRIDGE_AUTH_ISSUER_DISCOVERY_H
#define BRIDGE_AUTH_ISSUER_DISCOVERY_H

#include <stdbool.h>
#include <stddef.h>

#include "slice.h"

#define ISSUER_URL_MAX 2048
#define ISSUER_DISCOVERY_MAX ((size_t)64 * 1024) /* bytes of the document */

/* The document's URL: OpenID's, at the end of the issuer's path, or RFC 8414's, before it. An issuer that is
 * too long gives "". */
void issuer_discovery_url(const char *issuer, bool rfc8414, char *url, size_t url_size);

/* Takes the set's URL out of the document. False, with words in errstr, when it is not of this issuer, byte
 * for byte (RFC 8414 section 3.3), or names no URL that may be fetched: https, or http on this machine when
 * the issuer itself is that. */
bool issuer_discovery_read(struct slice document, const char *issuer, char *url, size_t url_size,
                           char *errstr, size_t errstr_size);

#endif
