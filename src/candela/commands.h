// SPDX-License-Identifier: MIT
/*
 * The subcommands, one file each (cmd_NAME.c). argv[0] is the subcommand's name; the return value
 * is the process' exit status.
 */
#pragma once

int cmd_run(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_host(int argc, char **argv);
