// SPDX-License-Identifier: MIT
/*
 * candela stop: asks guests to shut down, and waits until they have. All are asked before the first
 * is waited for. Main thread.
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
#include "vmm/loop.h"

#define STATUS_STILL_RUNNING 124 /* as timeout(1) has it */
#define GONE_MS              60000
#define TIMEOUT_MAX          (7 * 24 * 3600)

struct options {
	bool reboot, hibernate, force, kill, no_wait;
	const char *reason, *timeout;
	uint32_t seconds;
};

struct target {
	const char *name;
	struct control_client *client; /* NULL: over and done with */
	struct control_client *events; /* with --reboot */
};

static int left_ms(uint64_t deadline)
{
	const uint64_t now = loop_now();

	return now < deadline ? (int)((deadline - now) / NSEC_PER_MSEC) : 0;
}

/* --- Asking. --------------------------------------------------------------------------------- */

static const char *action_of(const struct options *o)
{
	return o->reboot ? "reboot" : o->hibernate ? "hibernate" : "power-off";
}

static struct json_object *build_params(const struct options *o)
{
	struct json_object *params = json_object_new_object();
	int r = params ? json_put_string(params, "action", action_of(o)) : -ENOMEM;

	if (r == 0)
		r = json_put(params, "force", json_object_new_boolean(o->force));
	if (r == 0)
		r = json_put(params, "wait", json_object_new_boolean(!o->no_wait));
	if (r == 0)
		r = json_put_integer(params, "timeout", o->seconds);
	if (r == 0 && o->reason)
		r = json_put(params, "reason", control_text(o->reason));
	if (r == 0)
		return params;
	json_object_put(params);
	return NULL;
}

/* What happens from now on is to be heard of. */
static int listen_to(struct target *t, struct error *err)
{
	struct json_object *result = NULL;
	int r = control_connect(t->name, err, &t->events);

	if (r == 0)
		r = control_ask(t->events, "subscribe", NULL, CONTROL_ANSWER_MS, err, &result);
	json_object_put(result);
	return r;
}

static int ask(struct target *t, const struct options *o, struct error *err)
{
	struct json_object *params;
	int r = control_connect(t->name, err, &t->client);

	if (r == 0 && o->reboot)
		r = listen_to(t, err);
	if (r < 0)
		return r;
	params = build_params(o);
	if (!params)
		return error_set(err, -ENOMEM, "out of memory");
	return control_send(t->client, "stop", params, err);
}

/* --- Waiting. -------------------------------------------------------------------------------- */

static int await_reset(struct target *t, uint64_t deadline, struct error *err)
{
	bool over = false;
	int r = 0;

	while (!over && r == 0) {
		struct json_object *event = NULL;

		r = control_next_event(t->events, left_ms(deadline), err, &event);
		over = r == 0 && (strcmp(show_text(event, "event"), "reset") == 0 ||
				  strcmp(show_text(event, "event"), "ended") == 0);
		json_object_put(event);
	}
	return r == -EPIPE ? 0 : r;
}

static int await_guest(struct target *t, const struct options *o, uint64_t deadline,
		       struct error *err)
{
	struct json_object *answer = NULL;
	int r = control_answer(t->client, left_ms(deadline), err, &answer);

	json_object_put(answer);
	if (r == -EPIPE)
		return 0; /* it has gone, which is what was asked for */
	if (r == -ETIMEDOUT)
		return error_set(err, r,
				 "%s: the guest has not taken the request: its driver for it is "
				 "not there, or not yet, or the VM is paused",
				 t->name);
	if (r < 0 || o->no_wait)
		return r;
	if (o->reboot)
		r = await_reset(t, deadline, err);
	else
		r = control_wait_gone(t->client, left_ms(deadline), err);
	if (r == -ETIMEDOUT)
		error_set(err, r, "%s: the guest has not %s within %u seconds", t->name,
			  o->reboot ? "restarted" : "ended", o->seconds);
	return r;
}

static int kill_it(struct target *t, struct error *err)
{
	struct json_object *result = NULL;
	struct error ignored;
	int r;

	/* Its answer would be taken for that to the request before. */
	control_disconnect(t->client);
	t->client = NULL;
	r = control_connect(t->name, &ignored, &t->client);
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = control_ask(t->client, "kill", NULL, CONTROL_ANSWER_MS, err, &result);
	json_object_put(result);
	if (r == -EPIPE)
		return 0;
	return r < 0 ? r : control_wait_gone(t->client, GONE_MS, err);
}

static int finish(struct target *t, const struct options *o, uint64_t deadline, struct error *err)
{
	int r = await_guest(t, o, deadline, err);

	if (r < 0 && o->kill) {
		log_warning("stop: %s; ending it", err->text);
		r = kill_it(t, err);
	}
	return r;
}

static int stop_all(struct target *targets, int count, const struct options *o)
{
	const uint64_t deadline = loop_now() + o->seconds * NSEC_PER_SEC;
	int status = EXIT_SUCCESS, r;
	struct error err;

	for (int i = 0; i < count; i++) {
		if (ask(&targets[i], o, &err) == 0)
			continue;
		log_error("stop: %s", err.text);
		control_disconnect(targets[i].client);
		targets[i].client = NULL;
		status = EXIT_FAILURE;
	}
	for (int i = 0; i < count; i++) {
		struct target *t = &targets[i];

		r = t->client ? finish(t, o, deadline, &err) : 0;
		if (r < 0)
			log_error("stop: %s", err.text);
		if (r == -ETIMEDOUT && status == EXIT_SUCCESS)
			status = STATUS_STILL_RUNNING;
		else if (r < 0 && r != -ETIMEDOUT)
			status = EXIT_FAILURE;
		control_disconnect(t->client);
		control_disconnect(t->events);
	}
	return status;
}

/* --- The command line. ----------------------------------------------------------------------- */

static int check(struct options *o, struct error *err)
{
	char *end = NULL;
	unsigned long seconds = 60;

	if (o->reboot && o->hibernate)
		return error_set(err, -EINVAL, "stop: --reboot and --hibernate: choose one");
	if (o->kill && (o->reboot || o->no_wait))
		return error_set(err, -EINVAL,
				 "stop: --kill goes with neither --reboot nor "
				 "--no-wait");
	if (o->timeout) {
		seconds = strtoul(o->timeout, &end, 10);
		if (*o->timeout < '0' || *o->timeout > '9' || *end || seconds > TIMEOUT_MAX)
			return error_set(err, -EINVAL,
					 "stop: --timeout: expected seconds, at most %u",
					 TIMEOUT_MAX);
	}
	o->seconds = (uint32_t)seconds;
	return 0;
}

static int run(const struct options *o, char **words, int count)
{
	struct target *targets = calloc((size_t)count, sizeof(*targets));
	int status;

	if (!targets) {
		log_error("stop: out of memory");
		return EXIT_FAILURE;
	}
	for (int i = 0; i < count; i++)
		targets[i].name = words[i];
	status = stop_all(targets, count, o);
	free(targets);
	return status;
}

int cmd_stop(int argc, char **argv)
{
	struct options o = {0};
	const struct command_option options[] = {
		{.name = "timeout",
		 .letter = 't',
		 .metavar = "SECONDS",
		 .value = &o.timeout,
		 .help = "how long to wait (default 60)"},
		{.name = "kill",
		 .letter = 'k',
		 .flag = &o.kill,
		 .help = "end it as \"candela kill\" does if it is still there then"},
		{.name = "force",
		 .letter = 'f',
		 .flag = &o.force,
		 .help = "the guest is not to wait for what runs in it"},
		{.name = "reboot", .letter = 'r', .flag = &o.reboot, .help = "restart instead"},
		{.name = "hibernate", .flag = &o.hibernate, .help = "hibernate instead"},
		{.name = "reason",
		 .metavar = "TEXT",
		 .value = &o.reason,
		 .help = "why, for the guest's log"},
		{.name = "no-wait", .flag = &o.no_wait, .help = "ask, and do not wait"},
	};
	const struct command_spec spec = {
		.name = "stop",
		.synopsis = "[OPTION]... VM...",
		.about = "Ask guests to shut down, as their own command would, and wait until\n"
			 "they have. A guest that is still starting is asked once it listens.\n",
		.exit_status =
			"0 done; 1 not, for at least one of them (standard error says why);\n"
			"2 bad usage; 124 it was still there after the time-out.",
		.options = options,
		.option_count = ARRAY_SIZE(options),
		.words_min = 1,
		.words_max = 1024,
	};
	struct error err;
	char **words;
	int count, r = command_parse(&spec, argc, argv, &words, &count, &err);

	if (r == 1)
		return EXIT_SUCCESS;
	if (r == 0)
		r = check(&o, &err);
	if (r < 0) {
		log_error("%s", err.text);
		return STATUS_USAGE;
	}
	return run(&o, words, count);
}
