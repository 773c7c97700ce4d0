// SPDX-License-Identifier: MIT
/*
 * The method "stop": the guest is asked to end, and whoever asked is told what it says to that.
 * Owner: the machine's loop.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "candela/machine_services.h"
#include "devices/pc/pm.h"
#include "vmm/json_build.h"

const char *const machine_stop_params[] = {"action", "force", "reason", "timeout", "wait", NULL};

struct action {
	const char *name;
	enum ic_shutdown_kind kind;
};

static const struct action actions[] = {
	{"power-off", IC_SHUTDOWN_POWER_OFF},
	{"reboot", IC_SHUTDOWN_REBOOT},
	{"hibernate", IC_SHUTDOWN_HIBERNATION},
};

static const char *action_name(enum ic_shutdown_kind kind)
{
	size_t i = 0;

	while (actions[i].kind != kind)
		i++;
	return actions[i].name;
}

static void answer(struct control_call *call, const char *state)
{
	struct json_object *o = json_object_new_object();

	machine_reply(call, o, o ? json_put_string(o, "state", state) : -ENOMEM);
}

/* One that is to end, and does, whatever it is that ends it. */
static void answer_ending(struct control_call *call, enum ic_shutdown_kind kind)
{
	if (kind == IC_SHUTDOWN_POWER_OFF)
		answer(call, "ending");
	else
		control_refuse(call, CONTROL_REFUSED, "the VM is ending");
}

static void answer_result(const struct machine_services *s, struct control_call *call, int result)
{
	switch (result) {
	case 0:
		answer(call, "accepted");
		break;
	case -EREMOTEIO:
		control_refuse(call, CONTROL_FAILED, "the guest refuses");
		break;
	case -EOPNOTSUPP:
		control_refuse(call, CONTROL_FAILED,
			       "the guest's driver is too old for this action");
		break;
	default:
		answer_ending(call, s->stop_kind);
	}
}

/* The guest has said what it will do, or never will. */
static void on_done(void *ctx, int result)
{
	struct machine_services *s = ctx;
	struct stop_waiter *waiter = s->stop_waiters;

	s->stop_waiters = NULL;
	if (result == 0)
		machine_event(s->machine, EVENT_STOP_ACCEPTED, action_name(s->stop_kind));
	else if (result == -EREMOTEIO || result == -EOPNOTSUPP)
		machine_event(s->machine, EVENT_STOP_REFUSED,
			      result == -EREMOTEIO ? "the guest refuses"
						   : "the guest's driver is too old");
	while (waiter) {
		struct stop_waiter *next = waiter->next;

		answer_result(s, waiter->call, result);
		free(waiter);
		waiter = next;
	}
}

static void add_waiter(struct machine_services *s, struct control_call *call)
{
	struct stop_waiter *waiter = malloc(sizeof(*waiter));

	if (!waiter) {
		control_refuse(call, CONTROL_INTERNAL, "out of memory");
		return;
	}
	*waiter = (struct stop_waiter){.next = s->stop_waiters, .call = call};
	s->stop_waiters = waiter;
}

/* Without the service there is the power button, which asks for one thing only. */
static void press_button(struct machine *m, struct control_call *call, enum ic_shutdown_kind kind)
{
	if (kind != IC_SHUTDOWN_POWER_OFF)
		control_refuse(call, CONTROL_REFUSED,
			       "the VM has no shutdown service, only a power button");
	else if (!pm_press_power_button(m->pm))
		control_refuse(call, CONTROL_REFUSED,
			       "the VM has no shutdown service, and the guest does not listen to "
			       "its power button");
	else
		answer(call, "accepted");
}

/* One that asks for what is being asked for already is told the same answer. */
static void ask(struct machine_services *s, struct control_call *call,
		struct ic_shutdown_request *request, bool wait)
{
	const struct ic_shutdown_request *pending = ic_shutdown_pending(s->shutdown);

	if (pending && pending->kind != request->kind) {
		struct error err;

		error_set(&err, -EBUSY, "the guest is being asked for another action: %s",
			  action_name(pending->kind));
		control_refuse(call, CONTROL_REFUSED, err.text);
		return;
	}
	if (wait)
		add_waiter(s, call);
	else
		answer(call, ic_shutdown_is_up(s->shutdown) ? "asked" : "kept");
	if (!pending) {
		s->stop_kind = request->kind;
		request->done = on_done;
		request->ctx = s;
		/* There is none pending. */
		(void)!ic_shutdown_ask(s->shutdown, request);
		machine_event(s->machine, EVENT_STOP_ASKED, action_name(s->stop_kind));
	}
}

static bool read_action(struct control_call *call, struct json_object *params,
			struct ic_shutdown_request *request)
{
	const char *name = actions[0].name;

	if (!machine_param_text(call, params, "action", &name))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		if (strcmp(actions[i].name, name) == 0) {
			request->kind = actions[i].kind;
			return true;
		}
	}
	control_refuse(call, CONTROL_INVALID_PARAMS,
		       "action: expected power-off, reboot or hibernate");
	return false;
}

void machine_run_stop(void *ctx, struct control_call *call, struct json_object *params)
{
	struct ic_shutdown_request request = {.seconds = 60};
	struct machine *m = ctx;
	bool wait = true;

	if (!read_action(call, params, &request) ||
	    !machine_param_bool(call, params, "force", &request.force) ||
	    !machine_param_text(call, params, "reason", &request.reason) ||
	    !machine_param_uint(call, params, "timeout", UINT32_MAX, &request.seconds) ||
	    !machine_param_bool(call, params, "wait", &wait))
		return;
	if (m->ended)
		answer_ending(call, request.kind);
	else if (m->services && m->services->shutdown)
		ask(m->services, call, &request, wait);
	else
		press_button(m, call, request.kind);
}

void machine_end_stop(struct machine *m)
{
	if (m->services->shutdown)
		ic_shutdown_cancel(m->services->shutdown);
}
