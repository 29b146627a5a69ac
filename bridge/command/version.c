// SPDX-License-Identifier: Apache-2.0
//
// `version`. Main thread.
#include <stdio.h>

#include "command/command.h"
#include "version.h"

int command_version(int argc, char **argv)
{
    if (argc > 1) {
        fprintf(stderr, "marketo-bridge version: unexpected argument '%s'\n", argv[1]);
        return 2;
    }
    printf("marketo-bridge %s\n", BRIDGE_VERSION);
    return 0;
}
