// SPDX-License-Identifier: MIT
/*
 * candela attach-net, detach-net and set-net: network interfaces of a VM that runs. Main thread.
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
#include "vmm/json_build.h"
#include "vmm/log.h"

#define CHANGE_MS 60000

#define EXIT_TEXT "0 done; 1 not (standard error says why); 2 bad usage."

static int nic_params(char **words, int count, struct error *err, struct json_object **ret)
{
	struct config_net net;

	return hotplug_params(&config_net_table, &net, words[0], err, ret);
}

static int index_params(char **words, int count, struct error *err, struct json_object **ret)
{
	struct json_object *o = json_object_new_object();
	unsigned int index;
	int end = 0;

	if (sscanf(words[0], "%2u%n", &index, &end) != 1 || words[0][end]) {
		json_object_put(o);
		return error_set(err, -EINVAL,
				 "expected the INDEX of a network interface, as candela status "
				 "shows it, got \"%.40s\"",
				 words[0]);
	}
	if (!o || json_put_integer(o, "index", index) < 0) {
		json_object_put(o);
		return error_set(err, -ENOMEM, "out of memory");
	}
	*ret = o;
	return 0;
}

/* INDEX KEY=VALUE... */
static int change_params(char **words, int count, struct error *err, struct json_object **ret)
{
	struct json_object *o = NULL;
	int r = index_params(words, 1, err, &o);

	for (int i = 1; i < count && r == 0; i++) {
		char *equals = strchr(words[i], '=');

		if (!equals) {
			r = error_set(err, -EINVAL, "expected KEY=VALUE, got \"%.60s\"", words[i]);
			continue;
		}
		*equals = '\0';
		if (json_put(o, words[i], control_text(equals + 1)) < 0)
			r = error_set(err, -ENOMEM, "out of memory");
	}
	if (r < 0)
		json_object_put(o);
	else
		*ret = o;
	return r;
}

struct verb {
	struct command_spec spec;
	const char *method;
	int (*params)(char **words, int count, struct error *err, struct json_object **ret);
	bool shows_index;
};

static const struct verb attach_verb = {
	.spec = {.name = "attach-net",
		 .synopsis = "VM MODE[,KEY=VALUE]...",
		 .about = "Add a network interface to a VM that runs; the argument is that of\n"
			  "\"candela run --net\". Prints its number.\n",
		 .exit_status = EXIT_TEXT,
		 .words_min = 2,
		 .words_max = 2},
	.method = "net.add",
	.params = nic_params,
	.shows_index = true,
};

static const struct verb detach_verb = {
	.spec = {.name = "detach-net",
		 .synopsis = "VM INDEX",
		 .about = "Take a network interface away from a VM that runs.\n",
		 .exit_status = EXIT_TEXT,
		 .words_min = 2,
		 .words_max = 2},
	.method = "net.remove",
	.params = index_params,
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
		if (verb->shows_index)
			printf("%llu\n", (unsigned long long)show_number(result, "index"));
		json_object_put(result);
	}
	control_disconnect(client);
	return r;
}

static int run(const struct verb *verb, const char **link, int argc, char **argv)
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
	r = verb->params(words + 1, count - 1, &err, &params);
	if (r == 0 && link && *link && json_put(params, "link", control_text(*link)) < 0)
		r = error_set(&err, -ENOMEM, "out of memory");
	if (r < 0) {
		log_error("%s: %s", verb->spec.name, err.text);
		return STATUS_USAGE;
	}
	if (change(verb, words[0], params, &err) == 0)
		return show_flush(verb->spec.name);
	log_error("%s: %s", verb->spec.name, err.text);
	return EXIT_FAILURE;
}

int cmd_attach_net(int argc, char **argv)
{
	return run(&attach_verb, NULL, argc, argv);
}

int cmd_detach_net(int argc, char **argv)
{
	return run(&detach_verb, NULL, argc, argv);
}

static const char set_about[] =
	"Change a network interface of a VM that runs. Keys are limits, as in the\n"
	"file: tx-bandwidth, tx-packets, rx-bandwidth, rx-packets, and each of them\n"
	"with -burst behind it; 0 is no limit.\n";

int cmd_set_net(int argc, char **argv)
{
	const char *link = NULL;
	const struct command_option options[] = {
		{.name = "link",
		 .metavar = "up|down",
		 .help = "put the cable in, or pull it out",
		 .value = &link},
	};
	const struct verb verb = {
		.spec = {.name = "set-net",
			 .synopsis = "[--link up|down] VM INDEX [KEY=VALUE]...",
			 .about = set_about,
			 .exit_status = EXIT_TEXT,
			 .options = options,
			 .option_count = ARRAY_SIZE(options),
			 .words_min = 2,
			 .words_max = 12},
		.method = "net.set",
		.params = change_params,
	};

	return run(&verb, &link, argc, argv);
}
