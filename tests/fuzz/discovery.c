// SPDX-License-Identifier: Apache-2.0
//
// What a provider says of the place of its keys. The input: the issuer's URL on the first line, then the
// document. A place is taken only from a document of this issuer, and only one that may be fetched.
#include <jansson.h>
#include <stdlib.h>
#include <strings.h>

#include "auth/fetch.h"
#include "auth/issuer_discovery.h"
#include "fuzz.h"

#define URL_MAX 128 /* short, so that longer ones are met */

static void check_document_url(const char *issuer, bool rfc8414)
{
    static const char known[] = "/.well-known/";
    char *url = fuzz_alloc(URL_MAX);
    issuer_discovery_url(issuer, rfc8414, url, URL_MAX);
    size_t length = strnlen(url, URL_MAX), issuer_length = strlen(issuer);
    fuzz_check(length < URL_MAX);
    if (length > 0) {
        /* Nothing of the issuer is lost but a slash at its end. */
        bool slash = issuer[issuer_length - 1] == '/';
        const char *words = rfc8414 ? "oauth-authorization-server" : "openid-configuration";
        fuzz_check(strstr(url, known) != NULL && strstr(url, words) != NULL);
        fuzz_check(length == issuer_length - slash + strlen(known) + strlen(words));
    }
    free(url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *end = memchr(data, '\n', size);
    size_t issuer_length = end == NULL ? 0 : (size_t)(end - (const char *)data);
    if (end == NULL || issuer_length == 0 || memchr(data, '\0', issuer_length) != NULL)
        return -1;
    char *issuer = strndup((const char *)data, issuer_length);
    fuzz_check(issuer != NULL);
    struct slice document = {end + 1, size - issuer_length - 1};
    char *text = fuzz_copy(document);
    document.ptr = text;
    check_document_url(issuer, false);
    check_document_url(issuer, true);

    char *url = fuzz_alloc(URL_MAX), errstr[64] = "";
    bool found = issuer_discovery_read(document, issuer, url, URL_MAX, errstr, sizeof errstr);
    fuzz_check(found == (errstr[0] == '\0'));
    json_t *json = json_loadb(document.ptr, document.len, JSON_REJECT_DUPLICATES, NULL);
    const char *named = json_string_value(json_object_get(json, "issuer"));
    const char *place = json_string_value(json_object_get(json, "jwks_uri"));
    bool expected =
        named != NULL && place != NULL && strcmp(named, issuer) == 0 && strlen(place) < URL_MAX &&
        (strncasecmp(place, "https://", 8) == 0 || (fetch_url_is_local(place) && fetch_url_is_local(issuer)));
    fuzz_check(found == expected);
    fuzz_check(!found || strcmp(url, place) == 0);
    json_decref(json);
    free(url);
    free(text);
    free(issuer);
    return 0;
}
