// SPDX-License-Identifier: Apache-2.0
//
// The commands of marketo-bridge, one file each; main chooses. Each runs on the
// main thread and returns the process's exit status: 0, 1 (failed), 2 (bad usage
// or configuration).
#ifndef BRIDGE_COMMAND_H
#define BRIDGE_COMMAND_H

/* argv[0] is the name of the command, the options follow. */
int command_serve(int argc, char **argv);
int command_check(int argc, char **argv);
int command_topics(int argc, char **argv);
int command_simulate(int argc, char **argv);
int command_health(int argc, char **argv);
int command_version(int argc, char **argv);

#endif
