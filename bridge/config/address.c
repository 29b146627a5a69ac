// SPDX-License-Identifier: Apache-2.0
//
// Where something listens, and where something is to be found: addresses and URLs.
// The thread that loads the configuration runs it.
#include "config/options.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <strings.h>

/* An underscore is in no host's name, but in many a container's. */
#define HOST_NAME CONFIG_DIGITS CONFIG_LOWER CONFIG_UPPER "._-"
#define HOST_NAME_MAX_BYTES 253

static bool is_ip(int family, struct slice text)
{
    char address[INET6_ADDRSTRLEN];
    struct in6_addr parsed;
    if (text.len == 0 || text.len >= sizeof address)
        return false;
    memcpy(address, text.ptr, text.len);
    address[text.len] = '\0';
    return inet_pton(family, address, &parsed) == 1;
}

/* fe80::1%eth0: the part from % on names an interface. */
static bool is_ipv6(struct slice text)
{
    const char *zone = text.len == 0 ? NULL : memchr(text.ptr, '%', text.len);
    struct slice address = text;
    if (zone != NULL) {
        address.len = (size_t)(zone - text.ptr);
        struct slice name = {zone + 1, text.len - address.len - 1};
        if (name.len == 0 || name.len > 15 || !config_value_has_only(name, HOST_NAME))
            return false;
    }
    return is_ip(AF_INET6, address);
}

bool config_address_read(struct slice text, struct config_address *address, char *reason)
{
    struct slice host = {text.ptr, 0}, port = {text.ptr, 0};
    if (text.len > 0 && text.ptr[0] == '[') {
        const char *end = memchr(text.ptr, ']', text.len);
        if (end == NULL)
            return config_value_refuse(reason,
                                       "must be host:port, [IPv6 address]:port or :port; the ] is missing");
        host = (struct slice){text.ptr + 1, (size_t)(end - text.ptr) - 1};
        port = (struct slice){end + 1, text.len - host.len - 2};
        if (!is_ipv6(host))
            return config_value_refuse(reason, "must have an IPv6 address between [ and ]");
        if (port.len == 0 || port.ptr[0] != ':')
            return config_value_refuse(
                reason, "must be host:port, [IPv6 address]:port or :port; the port is missing");
    } else {
        const char *colon = text.len == 0 ? NULL : memchr(text.ptr, ':', text.len);
        if (colon == NULL)
            return config_value_refuse(
                reason, "must be host:port, [IPv6 address]:port or :port; the port is missing");
        host = (struct slice){text.ptr, (size_t)(colon - text.ptr)};
        port = (struct slice){colon, text.len - host.len};
        if (memchr(colon + 1, ':', port.len - 1) != NULL)
            return config_value_refuse(reason, "must have an IPv6 address in brackets, as in [::1]:8443");
        if (host.len > HOST_NAME_MAX_BYTES || !config_value_has_only(host, HOST_NAME))
            return config_value_refuse(reason, "must have a host name or an IP address before the port");
        if (host.len > 0 && config_value_has_only(host, CONFIG_DIGITS ".") && !is_ip(AF_INET, host))
            return config_value_refuse(reason, "must have a valid IPv4 address before the port");
    }
    uint64_t number;
    size_t used;
    port = (struct slice){port.ptr + 1, port.len - 1};
    if (!config_value_digits(port, &number, &used) || used != port.len || number > 65535)
        return config_value_refuse(reason, "must end in a port from 0 to 65535");

    char *text_copy = config_value_copy(text);
    char *host_copy = config_value_copy(host);
    if (text_copy == NULL || host_copy == NULL) {
        free(text_copy);
        free(host_copy);
        return config_value_refuse(reason, "does not fit: out of memory");
    }
    free(address->text);
    free(address->host);
    *address = (struct config_address){.text = text_copy, .host = host_copy, .port = (uint16_t)number};
    return true;
}

/* ---- URLs ---- */

/* host:port or [IPv6 address]:port, the port optional; *host is without brackets. */
static bool split_authority(struct slice authority, struct slice *host, char *reason)
{
    struct slice port;
    if (authority.len > 0 && authority.ptr[0] == '[') {
        const char *end = memchr(authority.ptr, ']', authority.len);
        *host = (struct slice){authority.ptr + 1, end == NULL ? 0 : (size_t)(end - authority.ptr) - 1};
        if (!is_ip(AF_INET6, *host))
            return config_value_refuse(reason, "must have an IPv6 address between [ and ]");
        port = (struct slice){end + 1, authority.len - host->len - 2};
    } else {
        const char *colon = authority.len == 0 ? NULL : memchr(authority.ptr, ':', authority.len);
        *host =
            (struct slice){authority.ptr, colon == NULL ? authority.len : (size_t)(colon - authority.ptr)};
        if (host->len == 0 || host->len > HOST_NAME_MAX_BYTES || !config_value_has_only(*host, HOST_NAME) ||
            (config_value_has_only(*host, CONFIG_DIGITS ".") && !is_ip(AF_INET, *host)))
            return config_value_refuse(reason, "must have a host name or an IP address after the //");
        port = (struct slice){authority.ptr + host->len, authority.len - host->len};
    }
    if (port.len == 0)
        return true;
    uint64_t number;
    size_t used;
    struct slice digits = {port.ptr + 1, port.len - 1};
    if (port.ptr[0] != ':' || !config_value_digits(digits, &number, &used) || used != digits.len ||
        number == 0 || number > 65535)
        return config_value_refuse(reason, "must have a port from 1 to 65535, or none, after the host");
    return true;
}

/* The host has been checked. */
static bool is_loopback(struct slice host)
{
    char text[HOST_NAME_MAX_BYTES + 1];
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    struct in_addr ipv4;
    struct in6_addr ipv6;
    if (inet_pton(AF_INET, text, &ipv4) == 1)
        return ntohl(ipv4.s_addr) >> 24 == IN_LOOPBACKNET;
    if (inet_pton(AF_INET6, text, &ipv6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&ipv6);
    return strcasecmp(text, "localhost") == 0;
}

static struct slice without_start(struct slice text, size_t length)
{
    return (struct slice){text.ptr + length, text.len - length};
}

bool config_url_check(enum option_type type, struct slice text, char *reason)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= 0x20 || text.ptr[i] >= 0x7f)
            return config_value_refuse(reason, "must have only printable ASCII characters and no blank");
    const struct slice https = SLICE_LITERAL("https://"), http = SLICE_LITERAL("http://");
    bool plain = slice_starts_with(text, http);
    if (!plain && !slice_starts_with(text, https))
        return config_value_refuse(reason, "must begin with https://");
    if (memchr(text.ptr, '#', text.len) != NULL)
        return config_value_refuse(reason, "must have no fragment (#)");

    struct slice rest = without_start(text, plain ? http.len : https.len);
    struct slice authority = {rest.ptr, 0}, host;
    while (authority.len < rest.len && rest.ptr[authority.len] != '/' && rest.ptr[authority.len] != '?')
        authority.len++;
    if (authority.len > 0 && memchr(authority.ptr, '@', authority.len) != NULL)
        return config_value_refuse(reason, "must have no user name or password before the host");
    if (!split_authority(authority, &host, reason))
        return false;
    if (plain && !is_loopback(host))
        return config_value_refuse(reason, "must begin with https://; plain http:// is for localhost, "
                                           "127.0.0.0/8 and [::1] only");

    rest = without_start(rest, authority.len);
    if (type != OPTION_URL && rest.len > 0 && memchr(rest.ptr, '?', rest.len) != NULL)
        return config_value_refuse(reason, "must have no query (?)");
    if (type == OPTION_BASE_URL && rest.len > 0 && !slice_equal(rest, SLICE_LITERAL("/")))
        return config_value_refuse(reason, "must have no path, only scheme, host and port");
    return true;
}
