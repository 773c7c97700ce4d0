// SPDX-License-Identifier: MIT
/*
 * candela run: one VM, from options and a configuration file to an exit status, in the foreground
 * or in the background.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "candela/commands.h"
#include "candela/detach.h"
#include "candela/inherited_fds.h"
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
	struct detach detach;
	struct inherited_fds inherited;
};

static void set_log_level(uint32_t verbose)
{
	log_set_level((enum log_level)min_of(LOG_WARNING + verbose, (uint32_t)LOG_DEBUG));
}

/* A result nobody can read counts as a failure of ours, but never hides one of the guest's. */
static int finish(struct run *run, const char *outcome, int status, const char *detail)
{
	struct error err;

	if (run->config.result && result_write(run->config.result, &run->config, outcome, status,
					       detail, &run->times, run->machine, &err) < 0) {
		log_error("cannot write the result: %s", err.text);
		status = status == STATUS_POWER_OFF ? STATUS_INTERNAL : status;
	}
	machine_announce_end(run->machine, outcome, status, detail);
	return status;
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

/* Prints the name: it is what the VM is reached by from now on. */
static void on_running(void *ctx)
{
	struct run *run = ctx;

	printf("%s\n", run->config.name);
	detach_done(&run->detach);
}

static int prepare_detached(struct run *run, struct error *err)
{
	if (!run->cli.detach)
		return 0;
	if (run->config.control.kind != CONFIG_CONTROL_NONE && !machine_control_path(run->machine))
		return error_set(err, -ENOENT,
				 "--detach: there is no place for a control socket to reach the VM "
				 "by (--verbose says why); give one with --control, or "
				 "--control=none");
	machine_when_running(run->machine, on_running, run);
	return 0;
}

static bool is_configured(const void *ctx, int fd)
{
	const struct vm_config *config = ctx;

	for (size_t i = 0; i < config->net_count; i++)
		for (size_t k = 0; k < config->nets[i].fd_count; k++)
			if (config->nets[i].fds[k].fd == (uint32_t)fd)
				return true;
	return false;
}

static int run_vm(struct run *run)
{
	struct machine_outcome outcome = {.end = MACHINE_FAILED};
	enum exit_status status = STATUS_INTERNAL;
	struct error err;
	int code;

	if (machine_create(&run->config, &err, &status, &run->machine) < 0)
		return fail(run, (int)status, &err);
	/* Not before: the shell gives files by /dev/fd/N. */
	inherited_fds_close(&run->inherited, is_configured, &run->config);
	if (prepare_detached(run, &err) < 0)
		return fail(run, STATUS_USAGE, &err);
	if (machine_run(run->machine, &outcome, &err) < 0)
		return fail(run, STATUS_INTERNAL, &err);
	run->times.guest = machine_started_at(run->machine);
	run->times.end = loop_now();
	report(&outcome);
	code = finish(run, machine_end_name(outcome.end), machine_exit_status(&outcome),
		      outcome.detail);
	return code;
}

/* The child of a VM that is to run in the background, or the VM itself. */
static int run_here(struct run *run)
{
	struct error err;

	set_log_level(run->cli.verbose);
	if (config_default_name(&run->config, NULL) < 0) {
		error_set(&err, -ENOMEM, "out of memory");
		return fail(run, STATUS_INTERNAL, &err);
	}
	return run_vm(run);
}

/* Nobody is in front of it: its console is kept for who comes later, by "candela console". */
static int run_detached(struct run *run)
{
	struct error err;
	int r, status = EXIT_SUCCESS;

	if (run->config.serial.kind == CONFIG_SERIAL_STDIO)
		run->config.serial.kind = CONFIG_SERIAL_NULL;
	r = detach_begin(&run->detach, &status, &err);
	if (r < 0)
		return fail(run, STATUS_INTERNAL, &err);
	return r > 0 ? status : run_here(run);
}

int cmd_run(int argc, char **argv)
{
	struct run run = {.times.process = loop_now()};
	struct error err;
	int status;

	config_init(&run.config);
	if (inherited_fds_note(&run.inherited) < 0) {
		error_set(&err, -ENOMEM, "out of memory");
		status = fail(&run, STATUS_INTERNAL, &err);
	} else if (config_parse_args(&run.config, argc, argv, &run.cli, &err) < 0) {
		status = fail(&run, STATUS_USAGE, &err);
	} else if (run.cli.help) {
		config_help(stdout, "run");
		status = EXIT_SUCCESS;
	} else if (config_check(&run.config, &err) < 0) {
		status = fail(&run, STATUS_USAGE, &err);
	} else {
		status = run.cli.detach ? run_detached(&run) : run_here(&run);
	}
	machine_destroy(run.machine);
	inherited_fds_finish(&run.inherited);
	config_finish(&run.config);
	return status;
}
