// SPDX-License-Identifier: MIT
/*
 * candela kvp: values that a guest and its host share. Main thread.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "candela/command_args.h"
#include "candela/commands.h"
#include "candela/control_client.h"
#include "candela/exit_status.h"
#include "candela/show.h"
#include "vmm/json_build.h"
#include "vmm/log.h"

#define ANSWER_MS 60000 /* guests have daemons that answer */

struct options {
	bool json;
	const char *pool;
};

struct verb {
	const char *name;
	int words; /* behind it */
	int (*run)(struct control_client *client, const struct options *o, char **words,
		   struct error *err);
};

/* --- list, get ------------------------------------------------------------------------------- */

static int ask_items(struct control_client *client, struct error *err, struct json_object **ret)
{
	struct json_object *items;
	int r = control_ask(client, "kvp.list", NULL, ANSWER_MS, err, ret);

	if (r == 0 && (!json_object_object_get_ex(*ret, "items", &items) ||
		       !json_object_is_type(items, json_type_array))) {
		json_object_put(*ret);
		return error_set(err, -EPROTO, "the answer has no items");
	}
	return r;
}

static struct json_object *items_of(struct json_object *result)
{
	return json_object_object_get(result, "items");
}

static bool is_wanted(struct json_object *item, const struct options *o)
{
	return !o->pool || strcmp(show_text(item, "pool"), o->pool) == 0;
}

/* Only those of the pool. */
static int write_items(struct json_object *items, const struct options *o, struct error *err)
{
	struct json_object *array = json_object_new_array();
	int r = array ? 0 : -ENOMEM;

	for (size_t i = 0; i < json_object_array_length(items) && r == 0; i++) {
		struct json_object *item = json_object_array_get_idx(items, i);

		if (is_wanted(item, o))
			r = json_append(array, json_object_get(item));
	}
	r = r < 0 ? error_set(err, r, "out of memory") : json_write(array, stdout, err);
	json_object_put(array);
	return r;
}

static int run_list(struct control_client *client, const struct options *o, char **words,
		    struct error *err)
{
	struct json_object *result, *items;
	int r = ask_items(client, err, &result);

	if (r < 0)
		return r;
	items = items_of(result);
	if (o->json)
		r = write_items(items, o, err);
	for (size_t i = 0; !o->json && i < json_object_array_length(items); i++) {
		struct json_object *item = json_object_array_get_idx(items, i);

		if (is_wanted(item, o))
			printf("%-8s %-28s %s\n", show_text(item, "pool"), show_text(item, "key"),
			       show_text(item, "value"));
	}
	if (!json_object_get_boolean(json_object_object_get(result, "complete")))
		log_warning("kvp: the guest's driver or daemon for it (hv_kvp_daemon) does not "
			    "run: these are the host's items alone");
	json_object_put(result);
	return r;
}

static int run_get(struct control_client *client, const struct options *o, char **words,
		   struct error *err)
{
	struct json_object *result, *items, *found = NULL;
	int r = ask_items(client, err, &result);

	if (r < 0)
		return r;
	items = items_of(result);
	for (size_t i = 0; i < json_object_array_length(items) && !found; i++) {
		struct json_object *item = json_object_array_get_idx(items, i);

		if (is_wanted(item, o) && strcmp(show_text(item, "key"), words[0]) == 0)
			found = item;
	}
	if (!found)
		r = error_set(err, -ENOENT, "there is no item %s", words[0]);
	else if (o->json)
		r = json_write(found, stdout, err);
	else
		printf("%s\n", show_text(found, "value"));
	json_object_put(result);
	return r;
}

/* --- set, delete ----------------------------------------------------------------------------- */

static int change(struct control_client *client, const char *method, const char *key,
		  const char *value, const struct options *o, struct error *err)
{
	struct json_object *params = json_object_new_object(), *result = NULL;
	int r = params ? json_put(params, "key", control_text(key)) : -ENOMEM;

	if (r == 0 && value)
		r = json_put(params, "value", control_text(value));
	if (r < 0) {
		json_object_put(params);
		return error_set(err, r, "out of memory");
	}
	r = control_ask(client, method, params, ANSWER_MS, err, &result);
	if (r == 0 && o->json)
		r = json_write(result, stdout, err);
	json_object_put(result);
	return r;
}

static int run_set(struct control_client *client, const struct options *o, char **words,
		   struct error *err)
{
	return change(client, "kvp.set", words[0], words[1], o, err);
}

static int run_delete(struct control_client *client, const struct options *o, char **words,
		      struct error *err)
{
	return change(client, "kvp.delete", words[0], NULL, o, err);
}

/* --- The command line. ----------------------------------------------------------------------- */

static const struct verb verbs[] = {
	{"list", 0, run_list},
	{"get", 1, run_get},
	{"set", 2, run_set},
	{"delete", 1, run_delete},
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static int run(const struct options *o, char **words, int count)
{
	const struct verb *verb = find_verb(count > 1 ? words[1] : "list");
	struct control_client *client = NULL;
	struct error err;
	int r;

	if (!verb || (count > 1 ? count - 2 : 0) != verb->words) {
		log_error("kvp: expected VM, and then list, get KEY, set KEY VALUE or delete KEY");
		return STATUS_USAGE;
	}
	r = control_connect(words[0], &err, &client);
	if (r == 0)
		r = verb->run(client, o, words + 2, &err);
	control_disconnect(client);
	if (r == 0)
		return show_flush("kvp");
	log_error("kvp: %s", err.text);
	return EXIT_FAILURE;
}

int cmd_kvp(int argc, char **argv)
{
	struct options o = {0};
	const struct command_option options[] = {
		{.name = "json", .flag = &o.json, .help = "print items as JSON objects"},
		{.name = "pool",
		 .metavar = "POOL",
		 .value = &o.pool,
		 .help = "list and get: host, machine, guest or system"},
	};
	const struct command_spec spec = {
		.name = "kvp",
		.synopsis = "[OPTION]... VM [list | get KEY | set KEY VALUE | delete KEY]",
		.about = "Show and change named values that a guest and its host share: what\n"
			 "the host gives the guest (pool host; Linux has them in\n"
			 "/var/lib/hyperv/.kvp_pool_0), what the guest's software left for the\n"
			 "host (guest), and what its system says of itself (system). The host's\n"
			 "items are kept until the VM ends, and given to the guest once it can\n"
			 "take them.\n",
		.exit_status =
			"0 done; 1 not (standard error says why), or there is no such item;\n"
			"2 bad usage.",
		.options = options,
		.option_count = ARRAY_SIZE(options),
		.words_min = 1,
		.words_max = 4,
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
	return run(&o, words, count);
}
