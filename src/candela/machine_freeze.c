// SPDX-License-Identifier: MIT
/*
 * The methods "freeze" and "thaw". Owner: the machine's loop.
 */
#include <errno.h>

#include "candela/machine_services.h"
#include "vmm/json_build.h"

/* How long it lasts if nobody thaws it, in seconds. */
#define HOLD_DEFAULT 60u
#define HOLD_MAX     3600u

const char *const machine_freeze_params[] = {"timeout", NULL};

static void on_done(void *ctx, int result)
{
	switch (result) {
	case 0:
		control_reply(ctx, json_object_new_object());
		break;
	case -EREMOTEIO:
		control_refuse(ctx, CONTROL_FAILED, "the guest cannot do it");
		break;
	case -ETIMEDOUT:
		control_refuse(ctx, CONTROL_FAILED, "the guest does not answer");
		break;
	default:
		control_refuse(ctx, CONTROL_REFUSED, "the guest has gone");
	}
}

static struct ic_vss *service_of(struct machine *m, struct control_call *call)
{
	struct ic_vss *vss = m->services ? m->services->vss : NULL;

	if (m->ended)
		control_refuse(call, CONTROL_REFUSED, "the VM is ending");
	else if (!vss)
		control_refuse(call, CONTROL_REFUSED, "the VM has no snapshot service");
	return m->ended ? NULL : vss;
}

void machine_run_freeze(void *ctx, struct control_call *call, struct json_object *params)
{
	struct ic_vss *vss = service_of(ctx, call);
	uint32_t seconds = HOLD_DEFAULT;
	int r;

	if (!vss || !machine_param_uint(call, params, "timeout", HOLD_MAX, &seconds))
		return;
	r = ic_vss_freeze(vss, seconds * NSEC_PER_SEC, on_done, call);
	if (r == -EBUSY)
		control_refuse(call, CONTROL_REFUSED,
			       "the guest's file systems are frozen, or "
			       "about to be: thaw them first");
	else if (r < 0)
		control_refuse(call, CONTROL_REFUSED,
			       "the guest's driver or daemon for it (hv_vss_daemon) does not run");
}

void machine_run_thaw(void *ctx, struct control_call *call, struct json_object *params)
{
	struct ic_vss *vss = service_of(ctx, call);
	int r;

	if (!vss)
		return;
	r = ic_vss_thaw(vss, on_done, call);
	if (r == -EALREADY)
		control_refuse(call, CONTROL_REFUSED,
			       "the guest's file systems are not frozen "
			       "(any more)");
	else if (r < 0)
		control_refuse(call, CONTROL_REFUSED,
			       "the guest is freezing or thawing: try again");
}

const char *machine_freeze_state(const struct ic_vss *vss)
{
	static const char *const names[] = {
		[IC_VSS_THAWED] = "thawed",
		[IC_VSS_FREEZING] = "freezing",
		[IC_VSS_FROZEN] = "frozen",
		[IC_VSS_THAWING] = "thawing",
	};

	return names[ic_vss_state(vss)];
}
