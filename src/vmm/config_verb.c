// SPDX-License-Identifier: MIT
/*
 * The subcommands that take a VM's options, and how their help begins and ends. Constant; any
 * thread.
 */
#include "vmm/config_verb.h"

#include <assert.h>
#include <string.h>

static const struct config_verb_info verbs[] = {
	{
		.name = "run",
		.bit = CONFIG_VERB_RUN,
		.synopsis = "[OPTION]... [FILE.json]",
		.about = "Runs a virtual machine until its guest ends it. FILE.json describes it; "
			 "options override the file, wherever they stand.",
		.exit_status =
			"0 the guest powered off; 1 internal error; 2 bad usage or configuration; "
			"3 this host cannot run it; 32 the guest asked for a reset and --on-reset "
			"is exit; 33 the guest crashed; 34 its kernel panicked; 36 --timeout; "
			"128 + N signal N.",
	},
	{
		.name = "check",
		.bit = CONFIG_VERB_CHECK,
		.synopsis = "[OPTION]... [FILE.json]",
		.about = "Checks the configuration that \"candela run\" with the same arguments "
			 "would use: FILE.json (\"-\": standard input), and options, which "
			 "override the file. Whether the files that it names exist is not looked "
			 "at.",
		.exit_status =
			"0 it is good; 1 internal error; 2 it is not (standard error says why).",
	},
	{
		.name = "test",
		.bit = CONFIG_VERB_TEST,
		.takes_command = true,
		.synopsis = "[OPTION]... [FILE.json] -- COMMAND [ARG]...",
		.about = "Runs a command inside a virtual machine that lives as long as the "
			 "command. FILE.json describes the machine; options override the file, "
			 "wherever they stand.",
		.exit_status =
			"the command's own; 124 --timeout; 125 candela or the guest failed before "
			"the command had ended; 126 it cannot be executed; 127 it was not found.",
	},
};

const struct config_verb_info *config_verb_find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	}
	assert(!"a subcommand without a row");
	return &verbs[0];
}

bool config_verb_has(const struct config_verb_info *verb, const struct config_row *row)
{
	return row->option && (row->verbs == 0 || (row->verbs & verb->bit));
}
