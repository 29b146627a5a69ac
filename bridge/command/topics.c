// SPDX-License-Identifier: Apache-2.0
//
// `topics`: the topics the bridge will use, as wanted and as found. Main thread.
#include <getopt.h>
#include <stdio.h>

#include "command/command.h"
#include "command/setup.h"
#include "kafka/kafka.h"

static int usage(FILE *out, int status)
{
    fprintf(out, "usage: marketo-bridge topics --config FILE [--create]\n\n"
                 "  --config FILE   the bridge's configuration\n"
                 "  --create        create the topics that are missing; existing ones are never altered\n");
    return status;
}

int command_topics(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"create", no_argument, NULL, 'm'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *path = NULL;
    bool create = false;
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            path = optarg;
            break;
        case 'm':
            create = true;
            break;
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
    if (!setup_load(&setup, path, false, &errors, NULL)) {
        config_errors_print(&errors, path, stderr);
        config_errors_free(&errors);
        return 2;
    }
    config_errors_free(&errors);
    /* The table is the answer; the log tells only of trouble. */
    log_configure(LOG_LEVEL_WARNING, setup.config->log.format, 2);
    int status = kafka_topics_command(setup.config, setup.routes, create, stdout);
    setup_free(&setup);
    return status;
}
