// SPDX-License-Identifier: Apache-2.0
//
// marketo-bridge: chooses the command, nothing else.
#include <stdio.h>
#include <string.h>

#include "command/command.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"serve", command_serve, "receive batches and write them to Kafka"},
    {"check", command_check, "say everything that is wrong with a configuration"},
    {"topics", command_topics, "list the topics and their settings, create them"},
    {"simulate", command_simulate, "play Adobe: send batches, honour its retry rules"},
    {"health", command_health, "ask a running bridge, for container health checks"},
    {"version", command_version, "versions of the program and its libraries"},
};

static void usage(FILE *out)
{
    fprintf(out, "usage: marketo-bridge COMMAND [OPTION...]\n\n");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].help);
    fprintf(out, "\nmarketo-bridge COMMAND --help tells the options of a command.\n");
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return 2;
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        usage(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0)
        return command_version(argc - 1, argv + 1);
    fprintf(stderr, "marketo-bridge: unknown command '%s'\n", argv[1]);
    usage(stderr);
    return 2;
}
