// SPDX-License-Identifier: MIT
/*
 * candela attach-disk and detach-disk: disks of a VM that runs. Main thread.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "candela/command_args.h"
#include "candela/commands.h"
#include "candela/control_client.h"
#include "candela/exit_status.h"
#include "candela/hotplug_params.h"
#include "candela/show.h"
#include "vmm/config.h"
#include "vmm/config_table.h"
#include "vmm/json_build.h"
#include "vmm/log.h"

#define CHANGE_MS 60000 /* a large image is looked through when it was not closed well */

static int disk_params(const char *text, struct error *err, struct json_object **ret)
{
	struct config_disk disk;

	return hotplug_params(&config_disk_table, &disk, text, err, ret);
}

/* "LUN", or "CONTROLLER:LUN". */
static int place_params(const char *text, struct error *err, struct json_object **ret)
{
	struct json_object *o = json_object_new_object();
	unsigned int controller = 0, lun;
	int end = 0;

	if ((sscanf(text, "%3u:%3u%n", &controller, &lun, &end) != 2 || text[end]) &&
	    (controller = 0, sscanf(text, "%3u%n", &lun, &end) != 1 || text[end])) {
		json_object_put(o);
		return error_set(err, -EINVAL,
				 "expected LUN or CONTROLLER:LUN, as candela status shows it, got "
				 "\"%.40s\"",
				 text);
	}
	if (!o || json_put_integer(o, "controller", controller) < 0 ||
	    json_put_integer(o, "lun", lun) < 0) {
		json_object_put(o);
		return error_set(err, -ENOMEM, "out of memory");
	}
	*ret = o;
	return 0;
}

struct verb {
	struct command_spec spec;
	const char *method;
	int (*params)(const char *text, struct error *err, struct json_object **ret);
};

#define EXIT_TEXT "0 done; 1 not (standard error says why); 2 bad usage."

static const struct verb attach_verb = {
	.spec = {.name = "attach-disk",
		 .synopsis = "VM FILE[,KEY=VALUE]...",
		 .about = "Add a disk to a VM that runs; the argument is that of\n"
			  "\"candela run --disk\". Prints where the disk is, CONTROLLER:LUN.\n",
		 .exit_status = EXIT_TEXT,
		 .words_min = 2,
		 .words_max = 2},
	.method = "disk.add",
	.params = disk_params,
};

static const struct verb detach_verb = {
	.spec = {.name = "detach-disk",
		 .synopsis = "VM [CONTROLLER:]LUN",
		 .about = "Take a disk away from a VM that runs, whether the guest uses it or\n"
			  "not. What the guest has written is in the image when this returns.\n",
		 .exit_status = EXIT_TEXT,
		 .words_min = 2,
		 .words_max = 2},
	.method = "disk.remove",
	.params = place_params,
};

static int change(const struct verb *verb, const char *name, struct json_object *params,
		  struct error *err)
{
	struct control_client *client = NULL;
	struct json_object *result;
	int r = control_connect(name, err, &client);

	if (r < 0)
		json_object_put(params);
	else
		r = control_ask(client, verb->method, params, CHANGE_MS, err, &result);
	if (r == 0) {
		if (verb == &attach_verb)
			printf("%llu:%llu\n", (unsigned long long)show_number(result, "controller"),
			       (unsigned long long)show_number(result, "lun"));
		json_object_put(result);
	}
	control_disconnect(client);
	return r;
}

static int run(const struct verb *verb, int argc, char **argv)
{
	struct json_object *params = NULL;
	struct error err;
	char **words;
	int count, r = command_parse(&verb->spec, argc, argv, &words, &count, &err);

	if (r == 1)
		return EXIT_SUCCESS;
	if (r < 0) {
		log_error("%s", err.text);
		return STATUS_USAGE;
	}
	r = verb->params(words[1], &err, &params);
	if (r < 0) {
		log_error("%s: %s", verb->spec.name, err.text);
		return STATUS_USAGE;
	}
	if (change(verb, words[0], params, &err) == 0)
		return show_flush(verb->spec.name);
	log_error("%s: %s", verb->spec.name, err.text);
	return EXIT_FAILURE;
}

int cmd_attach_disk(int argc, char **argv)
{
	return run(&attach_verb, argc, argv);
}

int cmd_detach_disk(int argc, char **argv)
{
	return run(&detach_verb, argc, argv);
}
