// SPDX-License-Identifier: Apache-2.0
//
// What the commands that read a configuration share. Main thread.
#ifndef BRIDGE_COMMAND_SETUP_H
#define BRIDGE_COMMAND_SETUP_H

#include <stdbool.h>

#include "config/config.h"
#include "intake/routes.h"

struct setup {
    struct config *config;
    struct routes *routes;
};

/* Reads and judges the configuration and makes the routes; everything that is wrong
 * stands in *errors. False when anything is, with nothing left to free but errors and files. files: as for
 * config_load. */
bool setup_load(struct setup *setup, const char *path, bool embedded, struct config_errors *errors,
                struct config_files *files) __attribute__((warn_unused_result));
void setup_free(struct setup *setup);

#endif
