// SPDX-License-Identifier: MIT
/* Items of the configuration that are little more than a path. Constant data; any thread. */
#include "vmm/config.h"
#include "vmm/config_table.h"
#include "vmm/layout.h"

static const struct config_row module_rows[] = {
	{
		.key = "path",
		CONFIG_AT_PATH(struct boot_module, path),
		.required = true,
		.help = "the file",
	},
	{
		.key = "cmdline",
		CONFIG_AT_STRING(struct boot_module, cmdline),
		.max = LAYOUT_CMDLINE_MAX - 1,
		.help = "its arguments",
	},
};

const struct config_table config_module_table = {
	.rows = module_rows,
	.row_count = ARRAY_SIZE(module_rows),
	.size = sizeof(struct boot_module),
	.syntax = CONFIG_ITEM_WORDS,
};

static const struct config_row sandbox_path_rows[] = {
	{
		CONFIG_AT_PATH(struct config_sandbox_path, path),
		.help = "a directory, or one file",
	},
};

const struct config_table config_sandbox_path_table = {
	.rows = sandbox_path_rows,
	.row_count = ARRAY_SIZE(sandbox_path_rows),
	.size = sizeof(struct config_sandbox_path),
	.syntax = CONFIG_ITEM_VALUE,
};
