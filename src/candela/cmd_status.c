// SPDX-License-Identifier: MIT
/*
 * candela status: one VM, in detail. Main thread.
 */
#include <stdio.h>
#include <stdlib.h>

#include "candela/command_args.h"
#include "candela/commands.h"
#include "candela/control_client.h"
#include "candela/exit_status.h"
#include "candela/show.h"
#include "vmm/json_build.h"
#include "vmm/log.h"

static void row(const char *label, const char *text)
{
	if (*text)
		printf("  %-10s %s\n", label, text);
}

static void number_row(const char *label, uint64_t number)
{
	printf("  %-10s %llu\n", label, (unsigned long long)number);
}

static void show_disk(struct json_object *disk)
{
	struct json_object *counters = NULL;
	char size[32], rd[32], wr[32];

	json_object_object_get_ex(disk, "counters", &counters);
	show_bytes(show_number(disk, "size"), size);
	show_bytes(counters ? show_number(counters, "read_bytes") : 0, rd);
	show_bytes(counters ? show_number(counters, "write_bytes") : 0, wr);
	printf("  disk %llu:%-4llu %s, %s, %s; read %s, written %s, errors %llu\n",
	       (unsigned long long)show_number(disk, "controller"),
	       (unsigned long long)show_number(disk, "lun"), show_text(disk, "path"),
	       show_text(disk, "format"), size, rd, wr,
	       (unsigned long long)(counters ? show_number(counters, "errors") : 0));
}

static void show_network(struct json_object *nic)
{
	struct json_object *counters = NULL;
	char rx[32], tx[32];

	json_object_object_get_ex(nic, "counters", &counters);
	show_bytes(counters ? show_number(counters, "rx_bytes") : 0, rx);
	show_bytes(counters ? show_number(counters, "tx_bytes") : 0, tx);
	printf("  net %-6llu %s%s%s%s, %s, link %s; received %s, sent %s, lost %llu\n",
	       (unsigned long long)show_number(nic, "index"), show_text(nic, "mode"),
	       *show_text(nic, "name") || *show_text(nic, "path") ? " " : "",
	       show_text(nic, "name"), show_text(nic, "path"), show_text(nic, "mac"),
	       show_text(nic, "link"), rx, tx,
	       (unsigned long long)(counters ? show_number(counters, "rx_dropped") +
						       show_number(counters, "tx_dropped")
					     : 0));
}

static void show_each(struct json_object *status, const char *key,
		      void (*show_one)(struct json_object *object))
{
	struct json_object *array;

	if (!json_object_object_get_ex(status, key, &array) ||
	    !json_object_is_type(array, json_type_array))
		return;
	for (size_t i = 0; i < json_object_array_length(array); i++)
		show_one(json_object_array_get_idx(array, i));
}

static void show(struct json_object *status)
{
	char text[32];

	printf("%s\n", show_text(status, "name"));
	row("state", show_text(status, "state"));
	row("because", show_text(status, "reason"));
	number_row("pid", show_number(status, "pid"));
	show_duration(show_number(status, "uptime_ns"), text);
	row("uptime", text);
	number_row("cpus", show_number(status, "cpus"));
	show_bytes(show_number(status, "memory"), text);
	row("memory", text);
	row("engine", show_text(status, "engine"));
	number_row("resets", show_number(status, "resets"));
	row("serial", show_text(status, "serial"));
	row("candela", show_text(status, "version"));
	show_each(status, "disks", show_disk);
	show_each(status, "networks", show_network);
}

static int status_of(const char *name, bool json, struct error *err)
{
	struct control_client *client = NULL;
	struct json_object *status = NULL;
	int r = control_connect(name, err, &client);

	if (r == 0)
		r = control_ask(client, "status", NULL, CONTROL_ANSWER_MS, err, &status);
	if (r == 0 && json)
		r = json_write(status, stdout, err);
	else if (r == 0)
		show(status);
	json_object_put(status);
	control_disconnect(client);
	return r;
}

int cmd_status(int argc, char **argv)
{
	bool json = false;
	const struct command_option options[] = {
		{.name = "json", .flag = &json, .help = "print the status object"},
	};
	const struct command_spec spec = {
		.name = "status",
		.synopsis = "[--json] VM",
		.about = "Show one VM that runs. VM is its name, or the path of its control\n"
			 "socket.\n",
		.exit_status = "0 done; 1 there is no such VM, or it does not answer; 2 bad usage.",
		.options = options,
		.option_count = ARRAY_SIZE(options),
		.words_min = 1,
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
	if (status_of(words[0], json, &err) == 0)
		return show_flush("status");
	log_error("status: %s", err.text);
	return EXIT_FAILURE;
}
