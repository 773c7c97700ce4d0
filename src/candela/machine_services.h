// SPDX-License-Identifier: MIT
/*
 * The integration services of a machine, for machine_services.c and the files beside it that serve
 * the control socket's methods about them. Everything is the machine's loop's.
 */
#pragma once

#include "candela/control.h"
#include "candela/machine_internal.h"
#include "devices/hvsock/hvsock.h"
#include "devices/ic/heartbeat.h"
#include "devices/ic/kvp.h"
#include "devices/ic/shutdown.h"
#include "devices/ic/timesync.h"
#include "devices/ic/vss.h"

/* A call of "stop" that is answered when the guest has. */
struct stop_waiter {
	struct stop_waiter *next;
	struct control_call *call;
};

struct machine_services {
	struct machine *machine;
	struct ic_shutdown *shutdown; /* any of them NULL: not wanted */
	struct ic_heartbeat *heartbeat;
	struct ic_timesync *timesync;
	struct ic_kvp *kvp;
	struct ic_vss *vss;
	struct hvsock *hvsock;
	struct stop_waiter *stop_waiters;
	enum ic_shutdown_kind stop_kind; /* that they wait for */
};

/* --- machine_services.c. --------------------------------------------------------------------- */

/* Members of the answer to "status". 0 or -ENOMEM. */
int machine_put_services(struct json_object *o, const struct machine *m) must_check;

/*
 * Parameters of a method: true, with @ret as it was when there is none; false when it is of
 * another type, and @call is answered.
 */
bool machine_param_bool(struct control_call *call, struct json_object *params, const char *name,
			bool *ret);
bool machine_param_text(struct control_call *call, struct json_object *params, const char *name,
			const char **ret);
bool machine_param_uint(struct control_call *call, struct json_object *params, const char *name,
			uint32_t max, uint32_t *ret);
/* Answers with @object, which it takes over, if @r is 0 and it is there. */
void machine_reply(struct control_call *call, struct json_object *object, int r);

/* --- machine_stop.c. ------------------------------------------------------------------------- */

extern const char *const machine_stop_params[];
void machine_run_stop(void *ctx, struct control_call *call, struct json_object *params);
/* The VM is over: whoever waits for the guest's answer is told. */
void machine_end_stop(struct machine *m);

/* --- machine_kvp.c. -------------------------------------------------------------------------- */

extern const char *const machine_kvp_set_params[], *const machine_kvp_delete_params[];
void machine_run_kvp_list(void *ctx, struct control_call *call, struct json_object *params);
void machine_run_kvp_set(void *ctx, struct control_call *call, struct json_object *params);
void machine_run_kvp_delete(void *ctx, struct control_call *call, struct json_object *params);
/* What the guest says of itself, as member "guest"; nothing when it has said nothing. */
int machine_put_guest(struct json_object *o, struct ic_kvp *kvp) must_check;

/* --- machine_freeze.c. ----------------------------------------------------------------------- */

extern const char *const machine_freeze_params[];
void machine_run_freeze(void *ctx, struct control_call *call, struct json_object *params);
void machine_run_thaw(void *ctx, struct control_call *call, struct json_object *params);
const char *machine_freeze_state(const struct ic_vss *vss);
