// SPDX-License-Identifier: MIT
/*
 * What differs between the subcommands that take a VM's options: inside of config_cli.c and
 * config_help.c. Constant; any thread.
 */
#pragma once

#include "vmm/config_table.h"

struct config_verb_info {
	const char *name;
	enum config_verb bit;    /* rows name it */
	bool takes_command;      /* what stands behind "--" is a command, not a file */
	const char *synopsis;    /* behind "candela NAME" */
	const char *about;       /* paragraphs, a line each */
	const char *exit_status; /* likewise */
};

/* @name must be one of those there are. */
const struct config_verb_info *config_verb_find(const char *name);

/* Does this subcommand have the row as an option? */
bool config_verb_has(const struct config_verb_info *verb, const struct config_row *row);
