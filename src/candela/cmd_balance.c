// SPDX-License-Identifier: MIT
/*
 * candela balance: gives running VMs the memory that they need, as a policy says. Main thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "candela/cmd_balance_daemon.h"
#include "candela/command_args.h"
#include "candela/commands.h"
#include "candela/exit_status.h"
#include "candela/show.h"
#include "vmm/log.h"

struct arguments {
	struct balance_options options;
	bool schema;
	const char *config;
};

static int balance(const struct arguments *args, struct error *err)
{
	struct balance_config config;
	int r = 0;

	if (args->schema)
		return balance_config_print_schema(err);
	balance_config_init(&config);
	if (args->config)
		r = balance_config_load(&config, args->config, err);
	return r < 0 ? r : balance_run(&config, &args->options, err);
}

int cmd_balance(int argc, char **argv)
{
	struct arguments args = {.schema = false};
	const struct command_option options[] = {
		{.name = "once", .flag = &args.options.once, .help = "decide once, and end"},
		{.name = "dry-run",
		 .letter = 'n',
		 .flag = &args.options.dry_run,
		 .help = "decide, and tell no VM"},
		{.name = "history",
		 .metavar = "FILE",
		 .value = &args.options.history,
		 .help = "write what is seen and decided to FILE"},
		{.name = "json", .flag = &args.options.json, .help = "print a JSON object a line"},
		{.name = "print-schema",
		 .flag = &args.schema,
		 .help = "print the JSON Schema of policy files"},
	};
	const struct command_spec spec = {
		.name = "balance",
		.synopsis = "[OPTION]... [POLICY.json]",
		.about =
			"Give the VMs that run the memory that they need, and take back what they\n"
			"do not, until a signal comes. Without a policy, everything has its\n"
			"default.\n",
		.exit_status = "0 done, or ended by a signal; 1 failed; 2 bad usage or policy.",
		.options = options,
		.option_count = ARRAY_SIZE(options),
		.words_max = 1,
	};
	struct error err;
	char **words;
	int count, r = command_parse(&spec, argc, argv, &words, &count, &err);

	if (r == 1)
		return EXIT_SUCCESS;
	if (r < 0) {
		log_error("%s", err.text);
		return STATUS_USAGE;
	}
	args.config = count ? words[0] : NULL;
	r = balance(&args, &err);
	if (r == 0)
		return show_flush("balance");
	log_error("balance: %s", err.text);
	return r == -EINVAL ? STATUS_USAGE : EXIT_FAILURE;
}
