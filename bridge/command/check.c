// SPDX-License-Identifier: Apache-2.0
//
// `check`: everything that is wrong with a configuration. Main thread.
#include <getopt.h>
#include <stdio.h>

#include "command/command.h"
#include "command/setup.h"

static int usage(FILE *out, int status)
{
    fprintf(out, "usage: marketo-bridge check --config FILE [--embedded-kafka]\n"
                 "       marketo-bridge check --reference\n\n"
                 "  --config FILE      the configuration to judge; exit 0 when it is good, else 1\n"
                 "  --embedded-kafka   as for serve --embedded-kafka: needs no bootstrap.servers\n"
                 "  --reference        print the reference of all options as Markdown\n");
    return status;
}

/* --- what an endpoint accepts, in words --- */

static void print_names(const char *before, char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        printf("%s%s", i == 0 ? before : i + 1 == count ? " or " : ", ", names[i]);
}

static void print_authorization(const struct config_endpoint *endpoint)
{
    const struct config_oauth *oauth = &endpoint->oauth;
    const char *between = "";
    printf("in Authorization ");
    if (endpoint->token_count > 0) {
        if (endpoint->token_count == 1)
            printf("the token");
        else
            printf("one of %zu tokens", endpoint->token_count);
        between = ", or ";
    }
    if (oauth->issuer != NULL) {
        printf("%sa JWT of %s for %s, its keys from %s", between, oauth->issuer, oauth->audience,
               oauth->jwks_url == NULL ? "the issuer's metadata" : oauth->jwks_url);
        between = ", or ";
    }
    if (oauth->introspection_url != NULL) {
        printf("%sa token that %s finds active", between, oauth->introspection_url);
        if (oauth->issuer == NULL && oauth->audience != NULL)
            printf(" for %s", oauth->audience);
    }
    print_names(", of client ", oauth->allowed_clients, oauth->allowed_client_count);
}

/* One line. All that is named must be shown (auth/auth.h). */
static void print_endpoint(const struct config_endpoint *endpoint)
{
    const char *between = "";
    printf("  POST %s from %s: ", endpoint->path, config_sender_name(endpoint->sender));
    if (endpoint->auth_none) {
        printf("everybody is let in");
        between = ", ";
    }
    if (endpoint->token_count > 0 || endpoint->oauth.issuer != NULL ||
        endpoint->oauth.introspection_url != NULL) {
        print_authorization(endpoint);
        between = "; and ";
    }
    if (endpoint->signature) {
        printf("%sAdobe's signature by a key of %s", between, endpoint->key_base);
        print_names(", for recipient ", endpoint->recipients, endpoint->recipient_count);
        between = "; and ";
    }
    if (endpoint->client_name_count > 0) {
        printf("%sa client certificate", between);
        print_names(" named ", endpoint->client_names, endpoint->client_name_count);
    }
    if (endpoint->confirm_validation)
        printf("; Adobe's validation URL is opened");
    printf("\n");
}

int command_check(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"embedded-kafka", no_argument, NULL, 'e'},
                                            {"reference", no_argument, NULL, 'r'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *path = NULL;
    bool embedded = false;
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            path = optarg;
            break;
        case 'e':
            embedded = true;
            break;
        case 'r':
            config_print_reference(stdout);
            return 0;
        case 'h':
            return usage(stdout, 0);
        default:
            return usage(stderr, 2);
        }
    }
    if (path == NULL || optind != argc)
        return usage(stderr, 2);

    struct config_errors errors = {0};
    struct setup setup;
    if (setup_load(&setup, path, embedded, &errors, NULL)) {
        printf("%s: good: %zu listeners, %zu endpoints, %zu topics\n", path, setup.config->listener_count,
               setup.config->endpoint_count, setup.routes->topic_count);
        for (size_t i = 0; i < setup.config->endpoint_count; i++)
            print_endpoint(&setup.config->endpoints[i]);
        setup_free(&setup);
        config_errors_free(&errors);
        return 0;
    }
    config_errors_print(&errors, path, stderr);
    config_errors_free(&errors);
    return 1;
}
