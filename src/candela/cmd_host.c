// SPDX-License-Identifier: MIT
/*
 * candela host: what this host offers, what is missing, and what that costs. Fails when no VM can
 * run here, with the line that `candela run` would give.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "candela/commands.h"
#include "candela/exit_status.h"
#include "candela/host_report.h"
#include "vmm/log.h"

static const char help_text[] =
	"Usage: candela host [--json]\n"
	"\n"
	"Show what this host offers for running VMs, what is missing, and what that costs.\n"
	"\n"
	"      --json  print one JSON object: \"conclusion\" sums up, \"missing\" lists what\n"
	"              has a cost, the other members hold the facts (null or\n"
	"              absent: unknown)\n"
	"  -h, --help  print this text\n"
	"\n"
	"Exit status: 0 VMs can run here; 3 they cannot: standard error says why; 2 bad usage.\n";

static int show(enum report_form form)
{
	const struct error *obstacle;
	struct host_probe probe;
	struct report *report;
	struct host host;

	host_read(&host, "");
	host_probe(&probe);
	obstacle = host_obstacle(&probe);
	if (obstacle)
		log_error("%s", obstacle->text);
	report = report_create(form, stdout);
	if (!report) {
		log_error("out of memory");
		return STATUS_INTERNAL;
	}
	host_report(report, &host, &probe);
	if (!report_destroy(report)) {
		log_error("cannot write to standard output");
		return STATUS_INTERNAL;
	}
	return obstacle ? STATUS_HOST : EXIT_SUCCESS;
}

int cmd_host(int argc, char **argv)
{
	enum report_form form = REPORT_TEXT;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			fputs(help_text, stdout);
			return EXIT_SUCCESS;
		}
		if (strcmp(argv[i], "--json") != 0) {
			log_error("host: unknown argument \"%s\" (see candela host --help)",
				  argv[i]);
			return STATUS_USAGE;
		}
		form = REPORT_JSON;
	}
	return show(form);
}
