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
    if (setup_load(&setup, path, embedded, &errors)) {
        printf("%s: good: %zu listeners, %zu endpoints, %zu topics\n", path, setup.config->listener_count,
               setup.config->endpoint_count, setup.routes->topic_count);
        setup_free(&setup);
        config_errors_free(&errors);
        return 0;
    }
    config_errors_print(&errors, path, stderr);
    config_errors_free(&errors);
    return 1;
}
