// SPDX-License-Identifier: MIT
/*
 * The command line of the subcommands that build a VM: options from the tables of config_table.c.
 *
 * GNU style: --option=VALUE, --option VALUE, -mVALUE, -m VALUE, -vv; --option and --no-option for
 * booleans; --no-option also empties a string, a path or an array; "--" ends the options. Options
 * are never abbreviated, so that a script means the same after an option was added. At most one
 * argument is not an option: the configuration file. Wherever it stands, options override it, in
 * their order; an option of an array adds an item to the file's (--no-option first: replaces them).
 */
#pragma once

#include "vmm/config.h"

/* What the command line said that is no part of the VM. Owns nothing: pointers are into argv. */
struct config_cli_result {
	const char *file; /* the configuration file; NULL: none */
	bool help;        /* --help: nothing else was looked at */
	bool effective;
	bool detach;
	bool print_schema;
	uint32_t verbose; /* how often -v was given */

	/* Of verbs that take a command: what stands behind "--". Else none. */
	int command_argc;
	char **command_argv;
};

/*
 * Reads the arguments of a subcommand, whose name is argv[0], into an initialised @config: first
 * the file, then the options. @ret is always set. -EINVAL, or what reading the file gave, with
 * text; then @config holds a part of it all: finish it.
 */
int config_parse_args(struct vm_config *config, int argc, char **argv,
		      struct config_cli_result *ret, struct error *err) must_check;

/* Writes the help text of @verb, 80 columns wide. */
void config_help(FILE *out, const char *verb);
