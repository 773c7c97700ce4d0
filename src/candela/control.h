// SPDX-License-Identifier: MIT
/*
 * The control socket's server: clients on a listening socket, JSON-RPC 2.0 in lines, and events to
 * those that have subscribed. What methods do is the owner's, by a const table.
 *
 * Everything belongs to the loop's thread. What a client sends is bounded (CONTROL_LINE_MAX a
 * request, CONTROL_CALLS_MAX of them unanswered), and so is what waits for it: one that does not
 * read is no longer listened to, and one that lets events pile up is disconnected.
 */
#pragma once

#include <sys/types.h>

#include "candela/control_rpc.h"
#include "vmm/loop.h"

struct control;
struct control_call;

#define CONTROL_CLIENTS_MAX 128
#define CONTROL_CALLS_MAX   32
/* Bytes that wait for a client: above the first it is not listened to, above the second it goes. */
#define CONTROL_OUTPUT_HIGH KiB(64)
#define CONTROL_OUTPUT_MAX  MiB(1)

struct control_method {
	const char *name;
	const char *const *params; /* names, the last NULL; NULL: it has none */
	bool any_params;           /* @run looks at them itself */
	bool changes;              /* it is not just a question */
	/*
	 * Answers @call once, now or later, with control_reply() or control_refuse(). @params (may
	 * be NULL) lives until it returns.
	 */
	void (*run)(void *ctx, struct control_call *call, struct json_object *params);
};

struct control_config {
	struct loop *loop;
	int fd; /* listens, non-blocking; the caller's */
	const struct control_method *methods;
	size_t method_count;
	/* Before a method that changes something is run: who wants it. May be NULL. */
	void (*requested)(void *ctx, const char *method, pid_t pid, uid_t uid);
	void *ctx;
};

/*
 * Serves as soon as the loop runs. Besides @config's methods there are "subscribe", after which
 * events come, and "wait", which control_end() answers.
 */
int control_create(const struct control_config *config, struct error *err,
		   struct control **ret) must_check;

/*
 * Frees it, once the loop will not run any more (and best once it is destroyed, since clients are
 * closed here). All calls must have been answered, but for "wait". NULL is fine.
 */
void control_destroy(struct control *control);

/* Takes over @result; NULL: no memory for it, and the answer says so. */
void control_reply(struct control_call *call, struct json_object *result);
void control_refuse(struct control_call *call, enum control_code code, const char *text);

/*
 * Takes what was a client's connection: the descriptor is the callee's, and non-blocking; @early
 * are the @len bytes that came behind the request. @fd -1: the client has gone before, and nothing
 * is to be done but free @arg.
 */
typedef void control_take(void *arg, int fd, const char *early, size_t len);

/*
 * Answers @call as control_reply() does, after which the connection is no longer the server's: once
 * the answer has left, from the loop or from control_destroy(), @take is called, once. False: the
 * client has other requests that wait, or events; nothing was done.
 */
bool control_hand_over(struct control_call *call, struct json_object *result, control_take *take,
		       void *arg) must_check;

/* Tells subscribers: a notification "event" with @params, which it takes over. NULL: it is lost. */
void control_event(struct control *control, struct json_object *params);

/*
 * The end: answers "wait" with @result, which it takes over, and sends what still waits for
 * clients, for CONTROL_END_NS at most. Blocks; the loop need not run any more.
 */
#define CONTROL_END_NS (500 * NSEC_PER_MSEC)
void control_end(struct control *control, struct json_object *result);

/* Those that are connected now. */
unsigned int control_client_count(const struct control *control);
