// SPDX-License-Identifier: MIT
/*
 * candela list: the VMs that run. Main thread.
 */
#include <stdio.h>
#include <stdlib.h>

#include "candela/command_args.h"
#include "candela/commands.h"
#include "candela/cpu_home.h"
#include "candela/exit_status.h"
#include "candela/show.h"
#include "candela/vm_list.h"
#include "vmm/log.h"

static void show_line(const struct vm_listed *vm)
{
	char assigned[32], demand[32], pressure[32];
	char uptime[32] = "-", pid[24] = "-", cpus[24] = "-";
	const char *heartbeat = "-";

	show_known_bytes(vm->answer, "assigned", assigned);
	show_known_bytes(vm->answer, "demand", demand);
	show_known_percent(vm->answer, "pressure", pressure);
	if (vm->answer) {
		show_duration(show_number(vm->answer, "uptime_ns"), uptime);
		snprintf(pid, sizeof(pid), "%llu",
			 (unsigned long long)show_number(vm->answer, "pid"));
		snprintf(cpus, sizeof(cpus), "%llu",
			 (unsigned long long)show_number(vm->answer, "cpus"));
	}
	if (vm->answer && *show_text(vm->answer, "heartbeat"))
		heartbeat = show_text(vm->answer, "heartbeat");
	printf("%-24s %-14s %8s %5s %10s %10s %9s %10s %9s\n", vm->name,
	       vm->answer ? show_text(vm->answer, "state") : "no answer", pid, cpus, assigned,
	       demand, pressure, uptime, heartbeat);
}

static void show_text_list(const struct vm_list *all)
{
	printf("%-24s %-14s %8s %5s %10s %10s %9s %10s %9s\n", "NAME", "STATE", "PID", "CPUS",
	       "MEMORY", "DEMAND", "PRESSURE", "UPTIME", "HEARTBEAT");
	for (size_t i = 0; i < all->count; i++)
		if (all->vms[i].client)
			show_line(&all->vms[i]);
}

static int list(bool json, struct error *err)
{
	struct vm_list all;
	int r;

	/* Sockets that VMs left are removed as they are looked for; so are these. */
	cpu_home_tidy();
	r = vm_list_ask(&all, "status", err);

	if (r == 0 && json)
		r = vm_list_print_json(&all, stdout, err);
	else if (r == 0)
		show_text_list(&all);
	vm_list_free(&all);
	return r;
}

int cmd_list(int argc, char **argv)
{
	bool json = false;
	const struct command_option options[] = {
		{.name = "json", .flag = &json, .help = "print a JSON array of status objects"},
	};
	const struct command_spec spec = {
		.name = "list",
		.synopsis = "[--json]",
		.about = "Show the VMs that run: those of this user that have a control\n"
			 "socket in the usual place.\n",
		.exit_status = "0 done; 1 failed; 2 bad usage.",
		.options = options,
		.option_count = ARRAY_SIZE(options),
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
	r = list(json, &err);
	if (r == 0)
		return show_flush("list");
	log_error("list: %s", err.text);
	return EXIT_FAILURE;
}
