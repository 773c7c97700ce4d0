// SPDX-License-Identifier: MIT
/*
 * candela balance: gives running VMs the memory that they need, as a policy says. Main thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "candela/cmd_balance_daemon.h"
#include "candela/cmd_balance_report.h"
#include "candela/cmd_balance_simulate.h"
#include "candela/command_args.h"
#include "candela/commands.h"
#include "candela/exit_status.h"
#include "candela/show.h"
#include "vmm/log.h"

struct arguments {
	struct balance_options options;
	struct balance_simulation simulation;
	bool schema;
	const char *config;
};

/* Options that do not go together. */
static int check(const struct arguments *args, struct error *err)
{
	const bool simulates = args->simulation.trace != NULL;
	const bool works = args->options.once || args->options.dry_run;

	if (args->simulation.policy && !simulates)
		return error_set(err, -EINVAL, "--policy is for --simulate");
	if (simulates && (works || args->options.history))
		return error_set(err, -EINVAL,
				 "--simulate does not go with --once, --dry-run or --history");
	if (args->simulation.report && !simulates && (works || !args->options.history))
		return error_set(err, -EINVAL,
				 "--report needs a history (--history FILE) or a simulation "
				 "(--simulate TRACE)");
	return 0;
}

static int balance(const struct arguments *args, struct error *err)
{
	struct balance_config config;
	int r = check(args, err);

	if (r < 0)
		return r;
	if (args->schema)
		return balance_config_print_schema(err);
	if (args->simulation.report && !args->simulation.trace)
		return balance_report(args->simulation.report, args->options.history, err);
	balance_config_init(&config);
	if (args->config)
		r = balance_config_load(&config, args->config, err);
	if (r < 0)
		return r;
	return args->simulation.trace ? balance_simulate(&args->simulation, &config, err)
				      : balance_run(&config, &args->options, err);
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
		{.name = "report",
		 .metavar = "OUT.html",
		 .value = &args.simulation.report,
		 .help = "draw a history, or a simulation"},
		{.name = "simulate",
		 .metavar = "TRACE",
		 .value = &args.simulation.trace,
		 .help = "play a history, a description (.json) or generate:KEY=VALUE,..."},
		{.name = "policy",
		 .metavar = "NAME",
		 .value = &args.simulation.policy,
		 .help = "simulate with: candela, mom (oVirt's rule), both"},
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
			"default. With --report or --simulate, no VM is asked or told anything.\n",
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
	args.simulation.json = args.options.json;
	r = balance(&args, &err);
	if (r == 0)
		return show_flush("balance");
	log_error("balance: %s", err.text);
	return r == -EINVAL ? STATUS_USAGE : EXIT_FAILURE;
}
