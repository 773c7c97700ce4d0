// SPDX-License-Identifier: MIT
/*
 * candela list: the VMs that run. All are asked before the first answer is awaited, so one that
 * does not answer holds up nobody else's line. Main thread.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "candela/command_args.h"
#include "candela/commands.h"
#include "candela/control_client.h"
#include "candela/control_path.h"
#include "candela/exit_status.h"
#include "candela/show.h"
#include "vmm/json_build.h"
#include "vmm/log.h"
#include "vmm/loop.h"

#define ANSWERS_MS 2000 /* for all of them */

struct vm {
	char *name;
	struct control_client *client; /* NULL: it went before it could be asked */
	struct json_object *status;    /* NULL: it did not answer */
};

struct vms {
	struct vm *vms;
	size_t count;
	int result;
};

static void add_vm(void *ctx, const char *name, const char *path)
{
	struct vms *all = ctx;
	struct vm *grown = realloc(all->vms, (all->count + 1) * sizeof(*grown));
	char *copy = strdup(name);

	if (grown)
		all->vms = grown;
	if (!grown || !copy) {
		free(copy);
		all->result = -ENOMEM;
		return;
	}
	all->vms[all->count++] = (struct vm){.name = copy};
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct vm *)a)->name, ((const struct vm *)b)->name);
}

static void ask_all(struct vms *all)
{
	const uint64_t deadline = loop_now() + ANSWERS_MS * NSEC_PER_MSEC;

	for (size_t i = 0; i < all->count; i++) {
		struct vm *vm = &all->vms[i];

		if (control_connect(vm->name, NULL, &vm->client) == 0)
			(void)!control_send(vm->client, "status", NULL, NULL);
	}
	for (size_t i = 0; i < all->count; i++) {
		const uint64_t now = loop_now();
		const int ms = now < deadline ? (int)((deadline - now) / NSEC_PER_MSEC) : 0;
		struct vm *vm = &all->vms[i];
		/* One that ended meanwhile is not running, so it is not listed. */
		if (vm->client && control_answer(vm->client, ms, NULL, &vm->status) == -EPIPE) {
			control_disconnect(vm->client);
			vm->client = NULL;
		}
	}
}

static void show_line(const struct vm *vm)
{
	char memory[32] = "-", uptime[32] = "-", pid[24] = "-", cpus[24] = "-";
	const char *heartbeat = "-";

	if (vm->status) {
		show_bytes(show_number(vm->status, "memory"), memory);
		show_duration(show_number(vm->status, "uptime_ns"), uptime);
		snprintf(pid, sizeof(pid), "%llu",
			 (unsigned long long)show_number(vm->status, "pid"));
		snprintf(cpus, sizeof(cpus), "%llu",
			 (unsigned long long)show_number(vm->status, "cpus"));
	}
	if (vm->status && *show_text(vm->status, "heartbeat"))
		heartbeat = show_text(vm->status, "heartbeat");
	printf("%-24s %-14s %8s %5s %10s %10s %9s\n", vm->name,
	       vm->status ? show_text(vm->status, "state") : "no answer", pid, cpus, memory, uptime,
	       heartbeat);
}

static void show_text_list(const struct vms *all)
{
	printf("%-24s %-14s %8s %5s %10s %10s %9s\n", "NAME", "STATE", "PID", "CPUS", "MEMORY",
	       "UPTIME", "HEARTBEAT");
	for (size_t i = 0; i < all->count; i++)
		if (all->vms[i].client)
			show_line(&all->vms[i]);
}

/* An array of what "status" answers; of one that does not, its name and state. */
static int show_json_list(struct vms *all, struct error *err)
{
	struct json_object *array = json_object_new_array();
	int r = array ? 0 : -ENOMEM;

	for (size_t i = 0; i < all->count && r == 0; i++) {
		struct vm *vm = &all->vms[i];
		struct json_object *o;

		if (!vm->client)
			continue;
		o = vm->status ? json_object_get(vm->status) : json_object_new_object();
		r = json_append(array, o);
		if (r == 0 && !vm->status)
			r = json_put_string(o, "name", vm->name);
		if (r == 0 && !vm->status)
			r = json_put_string(o, "state", "no answer");
	}
	r = r < 0 ? error_set(err, r, "out of memory") : json_write(array, stdout, err);
	json_object_put(array);
	return r;
}

static int list(bool json, struct error *err)
{
	struct vms all = {0};
	int r = control_each(add_vm, &all, err);

	if (r == 0 && all.result < 0)
		r = error_set(err, all.result, "out of memory");
	if (r == 0) {
		if (all.count)
			qsort(all.vms, all.count, sizeof(all.vms[0]), by_name);
		ask_all(&all);
		if (json)
			r = show_json_list(&all, err);
		else
			show_text_list(&all);
	}
	for (size_t i = 0; i < all.count; i++) {
		control_disconnect(all.vms[i].client);
		json_object_put(all.vms[i].status);
		free(all.vms[i].name);
	}
	free(all.vms);
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
