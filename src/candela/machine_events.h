// SPDX-License-Identifier: MIT
/*
 * Where a machine's events go: to its event log, to those that listen on the control socket, and to
 * standard error (with --verbose).
 *
 * Any thread may emit; everything else is the machine's loop's, or of who builds the machine.
 * Events of the loop's own thread are delivered at once, those of others follow from the loop, in
 * their order.
 */
#pragma once

#include "candela/machine_internal.h"

struct json_object;

/* Opens the log, where the configuration wants one. */
int machine_create_events(struct machine *m, struct error *err) must_check;
/* There is a loop from now on. */
void machine_start_events(struct machine *m);
/* Nothing runs any more: what was emitted is delivered, and what was suppressed counted. */
void machine_settle_events(struct machine *m);
/* While the loop exists, and does not run: what was emitted is delivered, and the log closed. */
void machine_end_events(struct machine *m);
/* Once nobody emits any more. */
void machine_destroy_events(struct machine *m);

/* Method of the control socket. */
void machine_run_reopen_log(void *ctx, struct control_call *call, struct json_object *params);
/* Who asks for what: for struct control_config. */
void machine_note_request(void *ctx, const char *method, pid_t pid, uid_t uid);
