// SPDX-License-Identifier: MIT
/*
 * The result file. Keys are stable: scripts read them.
 */
#include "candela/result.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hv-enlight/hv_counters.h"
#include "vmm/vcpu.h"

static void add_ns(struct json_object *object, const char *key, uint64_t from, uint64_t to)
{
	if (from && to >= from)
		json_object_object_add(object, key, json_object_new_uint64(to - from));
}

static void add_counter(void *ctx, const char *name, uint64_t value)
{
	/* What never happened is left out. */
	if (value)
		json_object_object_add(ctx, name, json_object_new_uint64(value));
}

static void add_hyperv(struct json_object *object, const struct hv *hv)
{
	struct json_object *hyperv = json_object_new_object();
	struct json_object *counters = json_object_new_object();

	json_object_object_add(hyperv, "engine", json_object_new_string(hv_engine_name(hv)));
	json_object_object_add(hyperv, "reference_tsc",
			       json_object_new_boolean(hv_has_reference_tsc(hv)));
	hv_each_counter(hv, HV_ALL_VPS, add_counter, counters);
	json_object_object_add(hyperv, "counters", counters);
	json_object_object_add(object, "hyperv", hyperv);
}

void result_add_counters(struct json_object *object, const struct machine *machine)
{
	struct json_object *exits = json_object_new_object();
	struct json_object *ticks = json_object_new_object();

	for (unsigned int i = 0; i < VCPU_EXIT_KINDS; i++)
		json_object_object_add(exits, vcpu_exit_names[i],
				       json_object_new_uint64(machine_exits(machine, i)));
	for (unsigned int i = 0; i < VCPU_EXIT_KINDS; i++)
		json_object_object_add(ticks, vcpu_exit_names[i],
				       json_object_new_uint64(machine_exit_ticks(machine, i)));
	json_object_object_add(object, "exits", exits);
	json_object_object_add(object, "exit_ticks", ticks);
	json_object_object_add(object, "unclaimed",
			       json_object_new_uint64(machine_unclaimed(machine)));
	json_object_object_add(object, "resets", json_object_new_uint64(machine_resets(machine)));
	if (machine_hv(machine))
		add_hyperv(object, machine_hv(machine));
}

static int replace_file(const char *path, const char *text, struct error *err)
{
	char *temporary;
	FILE *file;
	int r = 0;

	if (asprintf(&temporary, "%s.tmp.%d", path, (int)getpid()) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	file = fopen(temporary, "we");
	if (!file) {
		r = error_errno(err, -errno, "%s", path);
		goto free;
	}
	fprintf(file, "%s\n", text);
	if (ferror(file))
		r = -EIO;
	if (fclose(file) != 0 && r == 0)
		r = -errno;
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0) {
		error_errno(err, r, "%s", path);
		unlink(temporary);
	}
free:
	free(temporary);
	return r;
}

static struct json_object *new_result(const struct vm_config *config, const char *outcome,
				      int status, const char *detail)
{
	struct json_object *object = json_object_new_object();

	if (config->name)
		json_object_object_add(object, "name", json_object_new_string(config->name));
	json_object_object_add(object, "outcome", json_object_new_string(outcome));
	json_object_object_add(object, "status", json_object_new_int(status));
	json_object_object_add(object, "detail", json_object_new_string(detail));
	return object;
}

#define DETAIL_MARK "\x01"
#define DETAIL_JSON "\\u0001"

int result_split(const struct vm_config *config, const char *outcome, int status, char **ret_before,
		 char **ret_after)
{
	struct json_object *object = new_result(config, outcome, status, DETAIL_MARK);
	const char *text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY);
	const char *mark = text ? strstr(text, DETAIL_JSON) : NULL;
	char *before = mark ? strndup(text, (size_t)(mark - text)) : NULL, *after = NULL;
	int r = 0;

	if (!before || asprintf(&after, "%s\n", mark + strlen(DETAIL_JSON)) < 0) {
		free(before);
		r = -ENOMEM;
	} else {
		*ret_before = before;
		*ret_after = after;
	}
	json_object_put(object);
	return r;
}

int result_write(const char *path, const struct vm_config *config, const char *outcome, int status,
		 const char *detail, const struct result_times *times,
		 const struct machine *machine, struct error *err)
{
	struct json_object *object = new_result(config, outcome, status, detail);
	int r;

	add_ns(object, "setup_ns", times->process, times->guest);
	add_ns(object, "run_ns", times->guest, times->end);
	if (machine)
		result_add_counters(object, machine);
	r = replace_file(path, json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY),
			 err);
	json_object_put(object);
	return r;
}
