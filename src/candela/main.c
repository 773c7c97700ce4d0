// SPDX-License-Identifier: MIT
/*
 * candela: a virtual machine monitor for KVM that speaks Hyper-V. This file only picks the
 * subcommand.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "candela/commands.h"
#include "candela/exit_status.h"
#include "vmm/base.h"

const struct command candela_commands[] = {
	{"run", cmd_run, "run a VM"},
	{"check", cmd_check, "validate a configuration file"},
	{"disk", cmd_disk, "make, show, verify and change disk images"},
	{"host", cmd_host, "show what this host can do, and what is missing"},
	{"list", cmd_list, "show the VMs that run"},
	{"status", cmd_status, "show one of them"},
	{"stat", cmd_stat, "show what VMs do, and how fast"},
	{"top", cmd_top, "show what all VMs do, on one screen"},
	{"stop", cmd_stop, "ask a guest to shut down"},
	{"memory", cmd_memory, "show the memory that VMs have and need, or set its limits"},
	{"cpu", cmd_cpu, "show the share of the host's processors that VMs get, or set it"},
	{"pause", cmd_control, "stop a VM's processors"},
	{"resume", cmd_control, "let them go on"},
	{"reset", cmd_control, "reset a VM"},
	{"nmi", cmd_control, "interrupt a VM"},
	{"kill", cmd_control, "end a VM at once"},
	{"console", cmd_console, "see and type what a VM's serial console does"},
	{"wait", cmd_wait, "wait until a VM has ended"},
	{"events", cmd_events, "show what happens to a VM"},
	{"reopen-log", cmd_control, "go on in a new event log, after the old one was moved"},
	{"kvp", cmd_kvp, "read and change values that a VM shares with its host"},
	{"freeze", cmd_freeze, "freeze a VM's file systems, for a copy of its disks"},
	{"thaw", cmd_thaw, "thaw them"},
	{"attach-disk", cmd_attach_disk, "add a disk to a VM that runs"},
	{"detach-disk", cmd_detach_disk, "take one away"},
	{"balance", cmd_balance, "move memory between the VMs that run"},
	{"attach-net", cmd_attach_net, "add a network interface to a VM that runs"},
	{"detach-net", cmd_detach_net, "take one away"},
	{"set-net", cmd_set_net, "pull its cable, or change its limits"},
	{"help", cmd_help, "say more about a command"},
	{"completion", cmd_completion, "print a script by which a shell completes all this"},
};

const size_t candela_command_count = ARRAY_SIZE(candela_commands);

static void usage(FILE *out)
{
	fprintf(out, "Usage: candela COMMAND [ARGUMENT]...\n\nCommands:\n");
	for (size_t i = 0; i < candela_command_count; i++)
		fprintf(out, "  %-11s %s\n", candela_commands[i].name, candela_commands[i].help);
	fprintf(out, "\n\"candela COMMAND --help\" says more about one of them.\n");
}

/*
 * A caller may have closed descriptors 0 to 2. What is opened next would take their numbers, and
 * the guest's console or a log line would go into it.
 */
static void open_standard_streams(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	open_standard_streams();
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 ||
	    (strcmp(name, "help") == 0 && argc == 2)) {
		usage(stdout);
		return EXIT_SUCCESS;
	}
	if (strcmp(name, "--version") == 0) {
		printf("candela %s\n", CANDELA_VERSION);
		return EXIT_SUCCESS;
	}
	for (size_t i = 0; i < candela_command_count; i++)
		if (strcmp(name, candela_commands[i].name) == 0)
			return candela_commands[i].run(argc - 1, argv + 1);
	if (*name)
		fprintf(stderr, "candela: unknown command \"%s\"\n", name);
	usage(stderr);
	return STATUS_USAGE;
}
