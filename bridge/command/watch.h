// SPDX-License-Identifier: Apache-2.0
//
// Notices that one of a set of files has changed, by looking at them from time to time:
// that sees through symbolic links that are exchanged, as Kubernetes does it, and on any file
// system. Main thread.
#ifndef BRIDGE_COMMAND_WATCH_H
#define BRIDGE_COMMAND_WATCH_H

#include <stdbool.h>

#include "config/config.h"

/* Zero-initialise. */
struct watch {
    struct config_files files; /* as last seen */
    bool settling;             /* they were different at the last look */
};

/* Watches these files from now on, instead of those before; takes them over. */
void watch_set(struct watch *watch, struct config_files *files);

/* Whether something has changed since the last true, or since the files of watch_set were read, and has stood
 * still between two looks: a file is not taken half-written. To be called every second. */
bool watch_look(struct watch *watch);

void watch_free(struct watch *watch);

#endif
