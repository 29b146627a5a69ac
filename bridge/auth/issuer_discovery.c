// SPDX-License-Identifier: Apache-2.0
//
// Where an identity provider's key set is; any thread.
#include "auth/issuer_discovery.h"

#include <jansson.h>
#include <stdio.h>
#include <strings.h>

#include "auth/fetch.h"
#include "auth/jose.h"

static const char openid[] = "/.well-known/openid-configuration";
static const char oauth[] = "/.well-known/oauth-authorization-server";

void issuer_discovery_url(const char *issuer, bool rfc8414, char *url, size_t url_size)
{
    size_t len = strlen(issuer);
    if (len > 0 && issuer[len - 1] == '/')
        len--;
    if (len + sizeof oauth > url_size) {
        snprintf(url, url_size, "%s", "");
        return;
    }
    const char *host = strstr(issuer, "://");
    size_t before = len;
    if (rfc8414 && host != NULL && (size_t)(host + 3 - issuer) < len)
        before = (size_t)(host + 3 - issuer) + strcspn(host + 3, "/");
    if (before > len)
        before = len;
    snprintf(url, url_size, "%.*s%s%.*s", (int)before, issuer, rfc8414 ? oauth : openid, (int)(len - before),
             issuer + before);
}

static bool may_be_fetched(const char *url, const char *issuer)
{
    static const char https[] = "https://";
    if (strncasecmp(url, https, sizeof https - 1) == 0)
        return true;
    return fetch_url_is_local(url) && fetch_url_is_local(issuer);
}

static const char *read_members(json_t *json, const char *issuer, char *url, size_t url_size)
{
    const char *named = json_string_value(json_object_get(json, "issuer"));
    const char *jwks_uri = json_string_value(json_object_get(json, "jwks_uri"));

    if (named == NULL || strcmp(named, issuer) != 0)
        return "the document is of another issuer";
    if (jwks_uri == NULL)
        return "no jwks_uri in the document";
    if (strlen(jwks_uri) >= url_size)
        return "the document's jwks_uri is too long";
    if (!may_be_fetched(jwks_uri, issuer))
        return "the document's jwks_uri is not https";
    snprintf(url, url_size, "%s", jwks_uri);
    return NULL;
}

bool issuer_discovery_read(struct slice document, const char *issuer, char *url, size_t url_size,
                           char *errstr, size_t errstr_size)
{
    const char *problem = "out of memory";
    if (jose_begin(0)) {
        json_t *json =
            json_loadb(document.ptr != NULL ? document.ptr : "", document.len, JSON_REJECT_DUPLICATES, NULL);
        problem = json == NULL ? "the document is not JSON, or a member stands twice in it"
                               : read_members(json, issuer, url, url_size);
        json_decref(json);
        if (jose_out_of_memory())
            problem = "out of memory";
        jose_end();
    }
    if (problem != NULL)
        snprintf(errstr, errstr_size, "%s", problem);
    return problem == NULL;
}
