// SPDX-License-Identifier: MIT
/*
 * candela cpu: what share of the host's processors VMs get, and where they run. Main thread.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "candela/command_args.h"
#include "candela/commands.h"
#include "candela/control_client.h"
#include "candela/cpu_home.h"
#include "candela/exit_status.h"
#include "candela/show.h"
#include "candela/vm_list.h"
#include "vmm/config.h"
#include "vmm/config_item.h"
#include "vmm/config_table.h"
#include "vmm/config_tree.h"
#include "vmm/cpu_share.h"
#include "vmm/json_build.h"
#include "vmm/log.h"

struct settings {
	uint32_t weight, limit, reserve; /* CONFIG_UINT_UNSET: as it is */
	const char *affinity;            /* NULL: as it is */
};

struct request {
	const char *vm; /* NULL: all */
	const char *set;
	bool all, json;
};

/* --- --set ----------------------------------------------------------------------------------- */

#define UINT_ROW(name, least, most)                                                                \
	{                                                                                          \
		.key = #name, CONFIG_AT_UINT(struct settings, name), .min = (least),               \
		.max = (most), .help = #name,                                                      \
	}

static const struct config_row settings_rows[] = {
	UINT_ROW(weight, 1, CPU_WEIGHT_MAX),
	UINT_ROW(limit, 1, CPU_PERCENT_MAX),
	UINT_ROW(reserve, 0, CPU_PERCENT_MAX),
	{
		.key = "affinity",
		CONFIG_AT_STRING(struct settings, affinity),
		.min = 1,
		.max = CONFIG_AFFINITY_MAX,
		.chars = "0-9a-z,:-",
		.help = "affinity",
	},
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
				 "--set: expected KEY=VALUE with KEY weight, limit, reserve or "
				 "affinity, got \"%.40s\"",
				 text);
	return config_item_parse(&settings_table, settings, text, NULL, err);
}

static int put_number(struct json_object *o, const char *key, uint32_t value)
{
	return value != CONFIG_UINT_UNSET ? json_put_integer(o, key, value) : 0;
}

static struct json_object *params_of(const struct settings *s)
{
	struct json_object *o = json_object_new_object();
	int r = o ? put_number(o, "weight", s->weight) : -ENOMEM;

	if (r == 0)
		r = put_number(o, "limit", s->limit);
	if (r == 0)
		r = put_number(o, "reserve", s->reserve);
	if (r == 0 && s->affinity)
		r = json_put_string(o, "affinity", s->affinity);
	if (r == 0)
		return o;
	json_object_put(o);
	return NULL;
}

static int set(const char *vm, const struct settings *settings, struct error *err)
{
	struct json_object *params = params_of(settings), *result = NULL;
	struct control_client *client = NULL;
	int r = params ? control_connect(vm, err, &client)
		       : error_set(err, -ENOMEM, "out of memory");

	if (r < 0)
		json_object_put(params);
	else
		r = control_ask(client, "cpus.set", params, CONTROL_ANSWER_MS, err, &result);
	json_object_put(result);
	control_disconnect(client);
	return r;
}

/* --- One VM. --------------------------------------------------------------------------------- */

static unsigned long long number(struct json_object *o, const char *key)
{
	return (unsigned long long)show_number(o, key);
}

static const char *text_or(struct json_object *o, const char *key, const char *otherwise)
{
	const char *text = show_text(o, key);

	return *text ? text : otherwise;
}

static void show_vp(struct json_object *vp)
{
	char used[32], throttled[32];

	show_duration(show_number(vp, "used_ns"), used);
	show_duration(show_number(vp, "throttled_ns"), throttled);
	printf("  vp %-7llu on %s, used %s, held back %s, effective weight %llu\n",
	       number(vp, "index"), show_text(vp, "cpus"), used, throttled,
	       number(vp, "effective-weight"));
}

static void show_vm(const char *name, struct json_object *o)
{
	struct json_object *vps;
	char used[32], throttled[32];

	show_duration(show_number(o, "used_ns"), used);
	show_duration(show_number(o, "throttled_ns"), throttled);
	printf("%s\n", name);
	printf("  %-10s %llu\n", "vps", number(o, "count"));
	printf("  %-10s %llu\n", "weight", number(o, "weight"));
	printf("  %-10s %llu %%\n", "reserve", number(o, "reserve"));
	printf("  %-10s %llu %%\n", "limit", number(o, "limit"));
	printf("  %-10s %s\n", "affinity", text_or(o, "affinity", "all"));
	if (*show_text(o, "nodes"))
		printf("  %-10s %s, memory %s\n", "nodes", show_text(o, "nodes"),
		       show_text(o, "node-memory"));
	printf("  %-10s %s\n", "used", used);
	printf("  %-10s %s, in %llu of %llu periods\n", "held back", throttled,
	       number(o, "throttled-periods"), number(o, "periods"));
	printf("  %-10s %s\n", "group", text_or(o, "group", "none"));
	if (!json_object_object_get_ex(o, "vps", &vps) ||
	    !json_object_is_type(vps, json_type_array))
		return;
	for (size_t i = 0; i < json_object_array_length(vps); i++)
		show_vp(json_object_array_get_idx(vps, i));
}

static int print_vm(const struct request *request, struct error *err)
{
	struct control_client *client = NULL;
	struct json_object *o = NULL;
	int r = control_connect(request->vm, err, &client);

	if (r == 0)
		r = control_ask(client, "cpus", NULL, CONTROL_ANSWER_MS, err, &o);
	if (r == 0 && request->json)
		r = json_write(o, stdout, err);
	else if (r == 0)
		show_vm(request->vm, o);
	json_object_put(o);
	control_disconnect(client);
	return r;
}

/* --- All. ------------------------------------------------------------------------------------ */

static void show_line(const struct vm_listed *vm)
{
	struct json_object *o = vm->answer;
	char used[32], throttled[32];

	if (!o) {
		printf("%-24s no answer\n", vm->name);
		return;
	}
	show_duration(show_number(o, "used_ns"), used);
	show_duration(show_number(o, "throttled_ns"), throttled);
	printf("%-24s %5llu %7llu %6llu %% %4llu %% %10s %10s  %s\n", vm->name, number(o, "count"),
	       number(o, "weight"), number(o, "reserve"), number(o, "limit"), used, throttled,
	       text_or(o, "affinity", "all"));
}

static int print_all(const struct request *request, struct error *err)
{
	struct vm_list all;
	int r;

	/* Sockets that VMs left are removed as they are looked for; so are these. */
	cpu_home_tidy();
	r = vm_list_ask(&all, "cpus", err);

	if (r == 0 && request->json) {
		r = vm_list_print_json(&all, stdout, err);
	} else if (r == 0) {
		printf("%-24s %5s %7s %8s %6s %10s %10s  %s\n", "NAME", "VPS", "WEIGHT", "RESERVE",
		       "LIMIT", "USED", "HELD BACK", "AFFINITY");
		for (size_t i = 0; i < all.count; i++)
			if (all.vms[i].client)
				show_line(&all.vms[i]);
	}
	vm_list_free(&all);
	return r;
}

/* --- The command. ---------------------------------------------------------------------------- */

static int read_words(struct request *request, char **words, int count, struct error *err)
{
	if (request->all && request->set)
		return error_set(err, -EINVAL, "cpu: --set is for one VM, not for --all");
	if (request->all && count)
		return error_set(err, -EINVAL, "cpu: a VM, or --all, but not both");
	if (!request->all && !count)
		return error_set(err, -EINVAL, "cpu: which VM? Name one, or say --all");
	request->vm = count ? words[0] : NULL;
	return 0;
}

static int run(const struct request *request, const struct settings *settings, struct error *err)
{
	int r = request->set ? set(request->vm, settings, err) : 0;

	if (r < 0 || (request->set && !request->json))
		return r;
	return request->vm ? print_vm(request, err) : print_all(request, err);
}

static int finish(const struct request *request, const struct settings *settings)
{
	struct error err;

	if (run(request, settings, &err) == 0)
		return show_flush("cpu");
	log_error("cpu: %s", err.text);
	return EXIT_FAILURE;
}

int cmd_cpu(int argc, char **argv)
{
	struct request request = {0};
	const struct command_option options[] = {
		{.name = "all", .letter = 'a', .flag = &request.all, .help = "a line for each VM"},
		{.name = "set",
		 .metavar = "KEY=VALUE,...",
		 .value = &request.set,
		 .help = "set weight, reserve, limit, affinity (a comma in it twice)"},
		{.name = "json", .flag = &request.json, .help = "print what the VM answers"},
	};
	const struct command_spec spec = {
		.name = "cpu",
		.synopsis = "[OPTION]... VM | --all",
		.about = "Show the share of the host's processors that the virtual processors of\n"
			 "a VM that runs get, and where they run, or set it. docs/cpu.md says\n"
			 "what the words mean.\n",
		.exit_status = "0 done; 1 not (standard error says why); 2 bad usage.",
		.options = options,
		.option_count = ARRAY_SIZE(options),
		.words_max = 1,
	};
	struct settings settings;
	struct error err;
	char **words;
	int count, status, r = command_parse(&spec, argc, argv, &words, &count, &err);

	if (r == 1)
		return EXIT_SUCCESS;
	config_tree_init(&settings_table, &settings);
	if (r == 0)
		r = read_words(&request, words, count, &err);
	if (r == 0 && request.set)
		r = parse_settings(request.set, &settings, &err);
	if (r < 0) {
		log_error("%s", err.text);
		status = STATUS_USAGE;
	} else {
		status = finish(&request, &settings);
	}
	config_tree_finish(&settings_table, &settings);
	return status;
}
