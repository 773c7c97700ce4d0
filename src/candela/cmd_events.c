// SPDX-License-Identifier: MIT
/*
 * candela events: what happens to a VM, a line each, as it happens. Main thread.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "candela/command_args.h"
#include "candela/commands.h"
#include "candela/control_client.h"
#include "candela/exit_status.h"
#include "candela/show.h"
#include "vmm/log.h"

#define JSON_STYLE (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

static void show_line(struct json_object *event)
{
	struct json_object *when = NULL;
	char text[40] = "";
	struct tm tm;
	time_t t;

	json_object_object_get_ex(event, "time", &when);
	t = (time_t)json_object_get_double(when);
	if (localtime_r(&t, &tm))
		strftime(text, sizeof(text), "%F %T", &tm);
	printf("%s %s", text, show_text(event, "event"));
	if (*show_text(event, "outcome"))
		printf(" (%s, status %llu)", show_text(event, "outcome"),
		       (unsigned long long)show_number(event, "status"));
	if (*show_text(event, "path"))
		printf(" %llu:%llu %s", (unsigned long long)show_number(event, "controller"),
		       (unsigned long long)show_number(event, "lun"), show_text(event, "path"));
	if (*show_text(event, "detail"))
		printf(": %s", show_text(event, "detail"));
	putchar('\n');
}

/* Until the VM is gone, or nobody reads any more. */
static int follow(struct control_client *client, bool json, struct error *err)
{
	struct json_object *event;
	int r;

	while ((r = control_next_event(client, CONTROL_FOREVER, err, &event)) == 0) {
		if (json)
			printf("%s\n", json_object_to_json_string_ext(event, JSON_STYLE));
		else
			show_line(event);
		json_object_put(event);
		if (fflush(stdout) != 0)
			return 0;
	}
	return r == -EPIPE ? 0 : r;
}

static int events_of(const char *name, bool json, struct error *err)
{
	struct control_client *client = NULL;
	struct json_object *result;
	int r = control_connect(name, err, &client);

	if (r == 0)
		r = control_ask(client, "subscribe", NULL, CONTROL_ANSWER_MS, err, &result);
	if (r == 0) {
		json_object_put(result);
		r = follow(client, json, err);
	}
	control_disconnect(client);
	return r;
}

int cmd_events(int argc, char **argv)
{
	bool json = false;
	const struct command_option options[] = {
		{.name = "json", .flag = &json, .help = "print a JSON object a line"},
	};
	const struct command_spec spec = {
		.name = "events",
		.synopsis = "[--json] VM",
		.about = "Show what happens to a VM from now on, until it has ended.\n",
		.exit_status = "0 it has ended; 1 there is no such VM; 2 bad usage.",
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
	if (events_of(words[0], json, &err) == 0)
		return show_flush("events");
	log_error("events: %s", err.text);
	return EXIT_FAILURE;
}
