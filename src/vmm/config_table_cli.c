// SPDX-License-Identifier: MIT
/* What the command line has that no file can say. Constant data; any thread. */
#include "vmm/config_cli.h"
#include "vmm/config_table.h"

#define CLI struct config_cli_result

static const struct config_row cli_rows[] = {
	{
		.kind = CONFIG_ASSIGN,
		.option = "set",
		.metavar = "KEY=VALUE",
		.help = "set any key of the file by its JSON path: --set cpus.count=4, --set "
			"boot.modules[0].cmdline=quiet; KEY[]=ITEM adds to an array",
		.group = CONFIG_GROUP_PROGRAM,
	},
	{
		CONFIG_AT_COUNT(CLI, verbose),
		.option = "verbose",
		.letter = 'v',
		.help = "say what is being done; twice: every detail",
		.group = CONFIG_GROUP_PROGRAM,
		.verbs = CONFIG_VERB_RUN | CONFIG_VERB_TEST,
	},
	{
		CONFIG_AT_BOOL(CLI, detach),
		.option = "detach",
		.letter = 'd',
		.help = "leave the VM running in the background once it has started; its serial "
			"console is for \"candela console\" instead of stdio",
		.group = CONFIG_GROUP_PROGRAM,
		.verbs = CONFIG_VERB_RUN,
	},
	{
		CONFIG_AT_BOOL(CLI, effective),
		.option = "effective",
		.help = "print the whole configuration, with defaults, as JSON",
		.group = CONFIG_GROUP_PROGRAM,
		.verbs = CONFIG_VERB_CHECK,
	},
	{
		CONFIG_AT_BOOL(CLI, print_schema),
		.option = "print-schema",
		.help = "print the JSON Schema of the file, and do nothing else",
		.group = CONFIG_GROUP_PROGRAM,
		.verbs = CONFIG_VERB_CHECK,
	},
	{
		CONFIG_AT_BOOL(CLI, help),
		.option = "help",
		.letter = 'h',
		.help = "print this text",
		.group = CONFIG_GROUP_PROGRAM,
	},
};

const struct config_table config_cli_table = {
	.rows = cli_rows,
	.row_count = ARRAY_SIZE(cli_rows),
	.size = sizeof(struct config_cli_result),
};
