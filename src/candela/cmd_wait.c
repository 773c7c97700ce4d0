// SPDX-License-Identifier: MIT
/*
 * candela wait: until a VM has ended, to end as it did. Main thread.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "candela/command_args.h"
#include "candela/commands.h"
#include "candela/control_client.h"
#include "candela/exit_status.h"
#include "candela/show.h"
#include "vmm/json_build.h"
#include "vmm/log.h"

#define GONE_MS 60000

static int show_outcome(struct json_object *outcome, bool json, struct error *err)
{
	if (json)
		return json_write(outcome, stdout, err);
	printf("%s%s%s\n", show_text(outcome, "outcome"), *show_text(outcome, "detail") ? ": " : "",
	       show_text(outcome, "detail"));
	return 0;
}

/* A status that nobody reported is a failure, never a success. */
static int wait_for(const char *name, bool json, struct error *err, int *ret_status)
{
	struct control_client *client = NULL;
	struct json_object *outcome = NULL, *status;
	struct error ignored;
	int r = control_connect(name, err, &client);

	if (r == 0)
		r = control_ask(client, "wait", NULL, CONTROL_FOREVER, err, &outcome);
	if (r == -EPIPE)
		error_set(err, r, "%s has ended without saying how", name);
	if (r == 0) {
		*ret_status = STATUS_INTERNAL;
		if (json_object_object_get_ex(outcome, "status", &status))
			*ret_status = json_object_get_int(status);
		r = show_outcome(outcome, json, err);
		/* What ran under this name may be started again right away. */
		(void)!control_wait_gone(client, GONE_MS, &ignored);
	}
	json_object_put(outcome);
	control_disconnect(client);
	return r;
}

int cmd_wait(int argc, char **argv)
{
	bool json = false;
	const struct command_option options[] = {
		{.name = "json", .flag = &json, .help = "print the outcome as a JSON object"},
	};
	const struct command_spec spec = {
		.name = "wait",
		.synopsis = "[--json] VM",
		.about = "Wait until a VM has ended, and say how it did.\n",
		.exit_status = "the VM's own, as \"candela run\" has it; also 1 there is no such\n"
			       "VM, or it ended without saying how; 2 bad usage.",
		.options = options,
		.option_count = ARRAY_SIZE(options),
		.words_min = 1,
		.words_max = 1,
	};
	int count, status = EXIT_FAILURE;
	struct error err;
	char **words;
	int r = command_parse(&spec, argc, argv, &words, &count, &err);

	if (r == 1)
		return EXIT_SUCCESS;
	if (r < 0) {
		log_error("%s", err.text);
		return STATUS_USAGE;
	}
	r = wait_for(words[0], json, &err, &status);
	if (r < 0) {
		log_error("wait: %s", err.text);
		return EXIT_FAILURE;
	}
	return show_flush("wait") == EXIT_SUCCESS ? status : STATUS_INTERNAL;
}
