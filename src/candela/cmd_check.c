// SPDX-License-Identifier: MIT
/*
 * candela check: is this configuration good, and what is it with all defaults? It builds the
 * configuration exactly as candela run does, and stops there. Main thread.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "candela/commands.h"
#include "candela/exit_status.h"
#include "vmm/config_cli.h"
#include "vmm/config_cpus.h"
#include "vmm/cpu_place.h"
#include "vmm/log.h"

static void warn(void *ctx, const char *text)
{
	(void)ctx;
	log_warning("%s", text);
}

/* Checks what was read, and prints it when asked to. */
static int check(const struct vm_config *config, const struct config_cli_result *cli,
		 struct error *err)
{
	int r;

	r = config_check(config, err);
	if (r == 0) {
		config_cpus_warn(&config->cpus, warn, NULL);
		cpu_place_warn(&config->cpus, "", warn, NULL);
	}
	if (r == 0 && cli->effective)
		return config_print(config, stdout, err);
	if (r && cli->file)
		error_prefix(err, "%s", strcmp(cli->file, "-") ? cli->file : "standard input");
	return r;
}

static int check_arguments(struct vm_config *config, int argc, char **argv, struct error *err)
{
	struct config_cli_result cli;
	int r;

	if (argc < 2)
		return error_set(err, -EINVAL,
				 "check: name a configuration file, or give the options "
				 "of a VM; see candela check --help");
	r = config_parse_args(config, argc, argv, &cli, err);
	if (r)
		return r;
	if (cli.help) {
		config_help(stdout, "check");
		return 0;
	}
	if (cli.print_schema)
		return config_print_schema(stdout, err);
	return check(config, &cli, err);
}

int cmd_check(int argc, char **argv)
{
	struct vm_config config;
	struct error err;
	int r;

	config_init(&config);
	r = check_arguments(&config, argc, argv, &err);
	config_finish(&config);
	if (r == 0)
		return EXIT_SUCCESS;
	log_error("%s", err.text);
	return r == -ENOMEM || r == -EIO ? STATUS_INTERNAL : STATUS_USAGE;
}
