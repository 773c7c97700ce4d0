// SPDX-License-Identifier: MIT
/*
 * The command line of the subcommands that work on running VMs: a few flags and options, and words,
 * by table, which also gives the help text. GNU style: --option=VALUE, --option VALUE, -o VALUE,
 * "--" ends the options. Main thread.
 */
#pragma once

#include <stdio.h>

#include "vmm/error.h"

struct command_option {
	const char *name;    /* without dashes */
	char letter;         /* 0: none */
	const char *metavar; /* of its value; NULL: it has none, and @flag is set */
	const char *help;
	bool *flag;
	const char **value;
};

struct command_spec {
	const char *name;
	const char *synopsis; /* behind "candela NAME" */
	const char *about;    /* lines of the help text, of at most 80 columns, with their ends */
	const char *exit_status;
	const struct command_option *options; /* --help is not among them */
	size_t option_count;
	int words_min, words_max;
};

/*
 * 0: options are set and *ret_words points to the words in @argv, moved to its end; 1: there was
 * --help, and the text is out; -EINVAL with text.
 */
int command_parse(const struct command_spec *spec, int argc, char **argv, char ***ret_words,
		  int *ret_count, struct error *err) must_check;

void command_help(const struct command_spec *spec, FILE *out);
