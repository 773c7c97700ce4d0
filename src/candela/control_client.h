// SPDX-License-Identifier: MIT
/*
 * The other end of a control socket, for the subcommands: blocking, one request at a time, with
 * deadlines. One thread.
 */
#pragma once

#include "candela/control_rpc.h"

struct control_client;

#define CONTROL_ANSWER_MS 10000 /* so long a VM may take for most that is asked of it */
#define CONTROL_FOREVER   -1

/* @name as for control_path(). -ENOENT with text: there is no such VM. */
int control_connect(const char *name, struct error *err, struct control_client **ret) must_check;
/* The same, of a VM that takes it at once: neither this nor control_send() waits for another. */
int control_connect_now(const char *name, struct error *err,
			struct control_client **ret) must_check;
void control_disconnect(struct control_client *client);

/* Sends a request, with @params (may be NULL), which it takes over. */
int control_send(struct control_client *client, const char *method, struct json_object *params,
		 struct error *err) must_check;

/*
 * What was answered to the last request: its result, the caller's. What else comes is thrown away.
 * -EREMOTEIO: an error, whose text @err has; -ETIMEDOUT; -EPIPE: the VM is gone.
 */
int control_answer(struct control_client *client, int timeout_ms, struct error *err,
		   struct json_object **ret) must_check;

/* Both at once. */
int control_ask(struct control_client *client, const char *method, struct json_object *params,
		int timeout_ms, struct error *err, struct json_object **ret) must_check;

/* The parameters of the next notification, the caller's. Errors as control_answer(). */
int control_next_event(struct control_client *client, int timeout_ms, struct error *err,
		       struct json_object **ret) must_check;

/*
 * The connection itself, once what was answered has made it another kind of stream: its descriptor,
 * still @client's, and what has come behind the answer.
 */
int control_stream(struct control_client *client, const char **ret_data, size_t *ret_len);

/* Waits until the VM has gone and its name is free. -ETIMEDOUT. */
int control_wait_gone(struct control_client *client, int timeout_ms, struct error *err) must_check;
