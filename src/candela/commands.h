// SPDX-License-Identifier: MIT
/*
 * The subcommands, one file each (cmd_NAME.c). argv[0] is the subcommand's name; the return value
 * is the process' exit status.
 */
#pragma once

#include <stddef.h>

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help; /* one line */
};

/* All of them: main.c. */
extern const struct command candela_commands[];
extern const size_t candela_command_count;

int cmd_run(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_host(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_stat(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_memory(int argc, char **argv);
int cmd_cpu(int argc, char **argv);
int cmd_console(int argc, char **argv);
int cmd_wait(int argc, char **argv);
int cmd_events(int argc, char **argv);
int cmd_control(int argc, char **argv); /* pause, resume, reset, nmi, reopen-log, kill */
int cmd_stop(int argc, char **argv);
int cmd_kvp(int argc, char **argv);
int cmd_freeze(int argc, char **argv);
int cmd_thaw(int argc, char **argv);
int cmd_attach_disk(int argc, char **argv);
int cmd_detach_disk(int argc, char **argv);
int cmd_attach_net(int argc, char **argv);
int cmd_detach_net(int argc, char **argv);
int cmd_set_net(int argc, char **argv);
int cmd_disk(int argc, char **argv);
int cmd_balance(int argc, char **argv);
int cmd_help(int argc, char **argv);
int cmd_completion(int argc, char **argv);
