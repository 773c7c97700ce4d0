// SPDX-License-Identifier: MIT
/*
 * The console's clients: connections of the control socket that become the console's. On the
 * machine's loop.
 */
#include <errno.h>
#include <stdlib.h>

#include "candela/control.h"
#include "candela/machine_internal.h"
#include "candela/machine_services.h"
#include "devices/char/console.h"
#include "vmm/json_build.h"

const char *const machine_console_params[] = {"lines", "once", "read-only", NULL};

/* What is to become of a connection, once its answer has left. */
struct attach {
	struct machine *machine;
	struct console_options options;
};

static void take(void *arg, int fd, const char *early, size_t len)
{
	struct attach *a = arg;

	if (fd >= 0)
		console_attach(a->machine->console, fd, &a->options, early, len);
	free(a);
}

static bool read_options(struct control_call *call, struct json_object *params,
			 struct console_options *options)
{
	uint32_t lines = UINT32_MAX;

	*options = (struct console_options){0};
	if (!machine_param_uint(call, params, "lines", UINT32_MAX - 1, &lines) ||
	    !machine_param_bool(call, params, "once", &options->once) ||
	    !machine_param_bool(call, params, "read-only", &options->read_only))
		return false;
	options->lines = lines == UINT32_MAX ? CONSOLE_LINES_ALL : lines;
	return true;
}

/* Takes over @a. */
static void attach(struct control_call *call, struct attach *a)
{
	struct json_object *result = json_object_new_object();

	if (!result ||
	    json_put_integer(result, "kept", console_kept(a->machine->console, &a->options)) < 0) {
		json_object_put(result);
		free(a);
		control_reply(call, NULL);
	} else if (!control_hand_over(call, result, take, a)) {
		json_object_put(result);
		free(a);
		control_refuse(call, CONTROL_REFUSED,
			       "this connection has other requests, or events; use another");
	}
}

void machine_run_console(void *ctx, struct control_call *call, struct json_object *params)
{
	struct machine *m = ctx;
	struct console_options options;
	struct attach *a;
	int r;

	if (!read_options(call, params, &options))
		return;
	r = console_check(m->console);
	if (r < 0) {
		control_refuse(call, CONTROL_REFUSED,
			       r == -EBUSY ? "too many are attached to the console already"
					   : "the VM is ending");
		return;
	}
	a = malloc(sizeof(*a));
	if (!a) {
		control_reply(call, NULL);
		return;
	}
	*a = (struct attach){.machine = m, .options = options};
	attach(call, a);
}

void machine_run_console_break(void *ctx, struct control_call *call, struct json_object *params)
{
	const struct machine *m = ctx;

	if (console_break(m->console))
		control_reply(call, json_object_new_object());
	else
		control_refuse(call, CONTROL_REFUSED, "the guest does not take it now");
}
