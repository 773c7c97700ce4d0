// SPDX-License-Identifier: MIT
/* Between machine_control.c and its parts: methods of the control socket. On the machine's loop. */
#pragma once

#include "candela/control.h"

struct machine;

/* Answers with @object, which it takes over, if it is whole (@r). */
void machine_control_reply(struct control_call *call, struct json_object *object, int r);
/* Most of what is asked of a VM that is over is refused. */
bool machine_control_refuse_ended(const struct machine *m, struct control_call *call);

/* machine_control_net.c: network interfaces. */
void machine_control_add_nic(void *ctx, struct control_call *call, struct json_object *params);
void machine_control_remove_nic(void *ctx, struct control_call *call, struct json_object *params);
void machine_control_set_nic(void *ctx, struct control_call *call, struct json_object *params);
extern const char *const machine_control_nic_params[];
/* What tells a network interface (struct nic, @ctx) from others. -ENOMEM. */
int machine_control_put_nic(struct json_object *o, const void *ctx) must_check;
/* The member "networks". */
int machine_control_put_nics(struct json_object *o, const struct machine *m) must_check;

/* machine_control_counters.c: "pid", "time_ns", "uptime_ns", "tsc_hz" and "cpu"; "channels". */
int machine_control_put_times(struct json_object *o, const struct machine *m) must_check;
int machine_control_put_channels(struct json_object *o, const struct machine *m) must_check;
