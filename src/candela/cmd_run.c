// SPDX-License-Identifier: MIT
/*
 * candela run: one VM in the foreground, from options and a configuration file to an exit status.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "candela/commands.h"
#include "candela/machine.h"
#include "candela/result.h"
#include "vmm/config_cli.h"
#include "vmm/log.h"
#include "vmm/loop.h"

struct run {
	struct vm_config config;
	struct config_cli_result cli;
	struct machine *machine;
	struct result_times times;
};

static void set_log_level(uint32_t verbose)
{
	log_set_level((enum log_level)min_of(LOG_WARNING + verbose, (uint32_t)LOG_DEBUG));
}

/* A result nobody can read counts as a failure of ours, but never hides one of the guest's. */
static int finish(struct run *run, const char *outcome, int status, const char *detail)
{
	struct error err;

	if (!run->config.result)
		return status;
	if (result_write(run->config.result, &run->config, outcome, status, detail, &run->times,
			 run->machine, &err) == 0)
		return status;
	log_error("cannot write the result: %s", err.text);
	return status == STATUS_POWER_OFF ? STATUS_INTERNAL : status;
}

static int fail(struct run *run, int status, const struct error *err)
{
	log_error("%s", err->text);
	return finish(run, "error", status, err->text);
}

static void report(const struct machine_outcome *outcome)
{
	if (outcome->end == MACHINE_POWER_OFF || outcome->end == MACHINE_DEBUG_EXIT)
		log_info("VM ended: %s %s", machine_end_name(outcome->end), outcome->detail);
	else
		log_warning("VM ended: %s%s%s", machine_end_name(outcome->end),
			    *outcome->detail ? ": " : "", outcome->detail);
}

static int run_vm(struct run *run)
{
	struct machine_outcome outcome = {.end = MACHINE_FAILED};
	enum exit_status status = STATUS_INTERNAL;
	struct error err;
	int code;

	if (machine_create(&run->config, &err, &status, &run->machine) < 0)
		return fail(run, (int)status, &err);
	if (machine_run(run->machine, &outcome, &err) < 0)
		return fail(run, STATUS_INTERNAL, &err);
	run->times.guest = machine_started_at(run->machine);
	run->times.end = loop_now();
	report(&outcome);
	code = finish(run, machine_end_name(outcome.end), machine_exit_status(&outcome),
		      outcome.detail);
	return code;
}

int cmd_run(int argc, char **argv)
{
	struct run run = {.times.process = loop_now()};
	struct error err;
	int status;

	config_init(&run.config);
	if (config_parse_args(&run.config, argc, argv, &run.cli, &err) < 0) {
		status = fail(&run, STATUS_USAGE, &err);
	} else if (run.cli.help) {
		config_help(stdout, "run");
		status = EXIT_SUCCESS;
	} else if (config_check(&run.config, &err) < 0 ||
		   config_default_name(&run.config, NULL) < 0) {
		status = fail(&run, STATUS_USAGE, &err);
	} else {
		set_log_level(run.cli.verbose);
		status = run_vm(&run);
	}
	machine_destroy(run.machine);
	config_finish(&run.config);
	return status;
}
