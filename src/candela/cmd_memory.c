// SPDX-License-Identifier: MIT
/*
 * candela memory: what memory VMs have and need, and its limits. Main thread.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "candela/command_args.h"
#include "candela/commands.h"
#include "candela/control_client.h"
#include "candela/exit_status.h"
#include "candela/show.h"
#include "candela/vm_list.h"
#include "vmm/config.h"
#include "vmm/config_item.h"
#include "vmm/config_table.h"
#include "vmm/config_tree.h"
#include "vmm/json_build.h"
#include "vmm/log.h"

#define WATCH_SECONDS     2u
#define WATCH_SECONDS_MAX 86400u

struct settings {
	uint64_t minimum, maximum, target; /* 0: as it is */
	uint32_t buffer, weight;           /* CONFIG_UINT_UNSET: as it is */
};

struct request {
	const char *vm; /* NULL: all */
	const char *set;
	bool all, watch, json;
	unsigned int seconds;
};

/* --- --set ----------------------------------------------------------------------------------- */

#define SIZE_ROW(name)                                                                             \
	{                                                                                          \
		.key = #name, CONFIG_AT_SIZE(struct settings, name), .min = MiB(16),               \
		.max = GiB(64 * 1024), .step = MiB(2), .help = #name,                              \
	}
#define UINT_ROW(name, most)                                                                       \
	{                                                                                          \
		.key = #name, CONFIG_AT_UINT(struct settings, name), .max = (most), .help = #name, \
	}

static const struct config_row settings_rows[] = {
	SIZE_ROW(minimum),
	SIZE_ROW(maximum),
	SIZE_ROW(target),
	UINT_ROW(buffer, CONFIG_MEMORY_BUFFER_MAX),
	UINT_ROW(weight, CONFIG_MEMORY_WEIGHT_MAX),
};

static const struct config_table settings_table = {
	.rows = settings_rows,
	.row_count = ARRAY_SIZE(settings_rows),
	.size = sizeof(struct settings),
};

static int parse_settings(const char *text, struct settings *settings, struct error *err)
{
	config_tree_init(&settings_table, settings);
	if (!strchr(text, '='))
		return error_set(err, -EINVAL,
				 "--set: expected KEY=VALUE with KEY minimum, maximum, target, "
				 "buffer or weight, got \"%.40s\"",
				 text);
	return config_item_parse(&settings_table, settings, text, NULL, err);
}

static int put_set(struct json_object *o, const char *key, bool set, uint64_t value)
{
	return set ? json_put_integer(o, key, value) : 0;
}

static int ask_and_forget(struct control_client *client, const char *method,
			  struct json_object *params, struct error *err)
{
	struct json_object *result;
	int r = control_ask(client, method, params, CONTROL_ANSWER_MS, err, &result);

	if (r == 0)
		json_object_put(result);
	return r;
}

static int set_limits(struct control_client *client, const struct settings *s, struct error *err)
{
	struct json_object *o = json_object_new_object();
	int r = o ? put_set(o, "minimum", s->minimum, s->minimum) : -ENOMEM;

	if (r == 0)
		r = put_set(o, "maximum", s->maximum, s->maximum);
	if (r == 0)
		r = put_set(o, "buffer", s->buffer != CONFIG_UINT_UNSET, s->buffer);
	if (r == 0)
		r = put_set(o, "weight", s->weight != CONFIG_UINT_UNSET, s->weight);
	if (r < 0 || json_object_object_length(o) == 0) {
		json_object_put(o);
		return r < 0 ? error_set(err, r, "out of memory") : 0;
	}
	return ask_and_forget(client, "memory.set", o, err);
}

static int set_target(struct control_client *client, uint64_t bytes, struct error *err)
{
	struct json_object *o = json_object_new_object();

	if (!o || json_put_integer(o, "bytes", bytes) < 0 ||
	    json_put_string(o, "reason", "set by hand") < 0) {
		json_object_put(o);
		return error_set(err, -ENOMEM, "out of memory");
	}
	return ask_and_forget(client, "memory.target", o, err);
}

static int set(const char *vm, const char *text, struct error *err)
{
	struct control_client *client = NULL;
	struct settings settings;
	int r = parse_settings(text, &settings, err);

	if (r == 0)
		r = control_connect(vm, err, &client);
	if (r == 0)
		r = set_limits(client, &settings, err);
	if (r == 0 && settings.target)
		r = set_target(client, settings.target, err);
	control_disconnect(client);
	return r;
}

/* --- One VM. --------------------------------------------------------------------------------- */

static void bytes_row(struct json_object *o, const char *label, const char *key)
{
	char text[32];

	show_known_bytes(o, key, text);
	printf("  %-10s %s\n", label, text);
}

static void moved_row(struct json_object *o, const char *label, const char *operations,
		      const char *bytes)
{
	char text[32];

	show_bytes(show_number(o, bytes), text);
	printf("  %-10s %llu operations, %s\n", label,
	       (unsigned long long)show_number(o, operations), text);
}

static bool is_true(struct json_object *o, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(o, key, &value) && json_object_get_boolean(value);
}

static void show_driver(struct json_object *o)
{
	const uint64_t grace = show_number(o, "grace-left-ns");
	char text[32];

	if (!is_true(o, "driver")) {
		printf("  %-10s %s\n", "driver", "none: the guest's memory stays as it is");
		return;
	}
	printf("  %-10s version %s\n", "driver", show_text(o, "version"));
	if (!grace)
		return;
	show_duration(grace, text);
	printf("  %-10s %s\n", "grace", text);
}

static void show_vm(const char *name, struct json_object *o)
{
	char minimum[32], startup[32], maximum[32], target[32], pressure[32];

	show_bytes(show_number(o, "minimum"), minimum);
	show_bytes(show_number(o, "startup"), startup);
	show_bytes(show_number(o, "maximum"), maximum);
	show_bytes(show_number(o, "target"), target);
	show_known_percent(o, "pressure", pressure);
	printf("%s\n", name);
	bytes_row(o, "assigned", "assigned");
	printf("  %-10s %s%s\n", "target", target, is_true(o, "moving") ? " (on the way)" : "");
	bytes_row(o, "demand", "demand");
	printf("  %-10s %s\n", "pressure", pressure);
	bytes_row(o, "available", "available");
	printf("  %-10s minimum %s, startup %s, maximum %s%s\n", "limits", minimum, startup,
	       maximum, is_true(o, "static") ? " (static)" : "");
	bytes_row(o, "floor", "floor");
	printf("  %-10s %llu %%, %llu hits, %llu misses\n", "buffer",
	       (unsigned long long)show_number(o, "buffer"),
	       (unsigned long long)show_number(o, "buffer-hits"),
	       (unsigned long long)show_number(o, "buffer-misses"));
	printf("  %-10s %llu\n", "weight", (unsigned long long)show_number(o, "weight"));
	moved_row(o, "added", "add-operations", "add-bytes");
	moved_row(o, "removed", "remove-operations", "remove-bytes");
	printf("  %-10s %llu\n", "refusals", (unsigned long long)show_number(o, "refusals"));
	bytes_row(o, "on host", "host-rss");
	show_driver(o);
}

static int print_vm(const struct request *request, struct error *err)
{
	struct control_client *client = NULL;
	struct json_object *o = NULL;
	int r = control_connect(request->vm, err, &client);

	if (r == 0)
		r = control_ask(client, "memory", NULL, CONTROL_ANSWER_MS, err, &o);
	if (r == 0 && request->json)
		r = json_write(o, stdout, err);
	else if (r == 0)
		show_vm(request->vm, o);
	json_object_put(o);
	control_disconnect(client);
	return r;
}

/* --- All. ------------------------------------------------------------------------------------ */

#define LINE "%-24s %10s %10s %10s %9s %10s %10s %6s %6s %10s\n"

static void show_line(const struct vm_listed *vm)
{
	char assigned[32], target[32], demand[32], pressure[32], minimum[32], maximum[32];
	char adds[24], removes[24], rss[32];
	struct json_object *o = vm->answer;

	if (!o) {
		printf("%-24s no answer\n", vm->name);
		return;
	}
	show_known_bytes(o, "assigned", assigned);
	show_known_bytes(o, "target", target);
	show_known_bytes(o, "demand", demand);
	show_known_percent(o, "pressure", pressure);
	show_known_bytes(o, "minimum", minimum);
	show_known_bytes(o, "maximum", maximum);
	show_known_bytes(o, "host-rss", rss);
	snprintf(adds, sizeof(adds), "%llu", (unsigned long long)show_number(o, "add-operations"));
	snprintf(removes, sizeof(removes), "%llu",
		 (unsigned long long)show_number(o, "remove-operations"));
	printf(LINE, vm->name, assigned, target, demand, pressure, minimum, maximum, adds, removes,
	       rss);
}

static int print_all(const struct request *request, struct error *err)
{
	struct vm_list all;
	int r = vm_list_ask(&all, "memory", err);

	if (r == 0 && request->json) {
		r = vm_list_print_json(&all, stdout, err);
	} else if (r == 0) {
		printf(LINE, "NAME", "ASSIGNED", "TARGET", "DEMAND", "PRESSURE", "MINIMUM",
		       "MAXIMUM", "ADDS", "REMS", "ON HOST");
		for (size_t i = 0; i < all.count; i++)
			if (all.vms[i].client)
				show_line(&all.vms[i]);
	}
	vm_list_free(&all);
	return r;
}

/* --- The command. ---------------------------------------------------------------------------- */

static int print(const struct request *request, struct error *err)
{
	const struct timespec pause = {.tv_sec = request->seconds};
	int r;

	for (;;) {
		r = request->vm ? print_vm(request, err) : print_all(request, err);
		if (r < 0 || !request->watch || fflush(stdout) != 0)
			return r;
		/* A signal ends the command, which is how it ends. */
		(void)nanosleep(&pause, NULL);
		if (!request->json)
			putchar('\n');
	}
}

/* The words: VM unless --all, and SECONDS with --watch. */
static int read_words(struct request *request, char **words, int count, struct error *err)
{
	const int names = request->all ? 0 : 1;
	char *end = NULL;

	if (count < names)
		return error_set(err, -EINVAL, "memory: which VM? Name one, or say --all");
	if (count > names + (request->watch ? 1 : 0))
		return error_set(err, -EINVAL, "memory: too many words: \"%.40s\"",
				 words[count - 1]);
	if (request->all && request->set)
		return error_set(err, -EINVAL, "memory: --set is for one VM, not for --all");
	request->vm = names ? words[0] : NULL;
	request->seconds = WATCH_SECONDS;
	if (count > names) {
		const unsigned long seconds = strtoul(words[names], &end, 10);

		if (*end || seconds < 1 || seconds > WATCH_SECONDS_MAX)
			return error_set(err, -EINVAL,
					 "memory: --watch: expected 1 to %u seconds, got \"%.40s\"",
					 WATCH_SECONDS_MAX, words[names]);
		request->seconds = (unsigned int)seconds;
	}
	return 0;
}

static int run(const struct request *request, struct error *err)
{
	int r = 0;

	if (request->set)
		r = set(request->vm, request->set, err);
	if (r == 0 && (!request->set || request->json || request->watch))
		r = print(request, err);
	return r;
}

int cmd_memory(int argc, char **argv)
{
	struct request request = {0};
	const struct command_option options[] = {
		{.name = "all", .letter = 'a', .flag = &request.all, .help = "a line for each VM"},
		{.name = "watch",
		 .letter = 'w',
		 .flag = &request.watch,
		 .help = "again and again, every SECONDS (2)"},
		{.name = "set",
		 .metavar = "KEY=VALUE,...",
		 .value = &request.set,
		 .help = "set minimum (down), maximum (up), buffer, weight, target"},
		{.name = "json", .flag = &request.json, .help = "print what the VM answers"},
	};
	const struct command_spec spec = {
		.name = "memory",
		.synopsis = "[OPTION]... VM | --all [--watch [SECONDS]]",
		.about = "Show the memory that a VM that runs has and needs, or set its limits.\n"
			 "docs/memory.md says what the words mean.\n",
		.exit_status = "0 done; 1 not (standard error says why); 2 bad usage.",
		.options = options,
		.option_count = ARRAY_SIZE(options),
		.words_max = 2,
	};
	struct settings ignored;
	struct error err;
	char **words;
	int count, r = command_parse(&spec, argc, argv, &words, &count, &err);

	if (r == 1)
		return EXIT_SUCCESS;
	if (r == 0)
		r = read_words(&request, words, count, &err);
	if (r == 0 && request.set)
		r = parse_settings(request.set, &ignored, &err);
	if (r < 0) {
		log_error("%s", err.text);
		return STATUS_USAGE;
	}
	if (run(&request, &err) == 0)
		return show_flush("memory");
	log_error("memory: %s", err.text);
	return EXIT_FAILURE;
}
