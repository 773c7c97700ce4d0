// SPDX-License-Identifier: MIT
/*
 * The balancer's connection to one VM: asks for its memory, tells it its target, and waits for
 * nothing. At most one question and one order are unanswered at a time, and what comes is bounded,
 * so a VM that hangs or babbles costs its own share of attention and nobody else's.
 *
 * Owner: the loop's thread. Callbacks come from the loop, never from inside a call.
 */
#pragma once

#include "candela/cmd_balance_sample.h"
#include "candela/control_path.h"
#include "vmm/loop.h"

#define BALANCE_LINE_MAX KiB(8) /* of what a VM says: far more than any answer to us has */

struct balance_vm;

struct balance_vm_ops {
	/* "memory" has been answered, well or not (then there is no new sample). */
	void (*answered)(struct balance_vm *vm, void *ctx);
	/* The target vm->ordered has been answered. @taken: what the VM made of it; 0: nothing. */
	void (*ordered)(struct balance_vm *vm, uint64_t taken, void *ctx);
	/* Comes before that when it was refused. @text is harmless. */
	void (*refused)(struct balance_vm *vm, const char *text, void *ctx);
	/* The connection has ended, and balance_vm_destroy() may be called. */
	void (*closed)(struct balance_vm *vm, void *ctx);
};

struct balance_vm {
	char name[CONTROL_PATH_MAX];
	struct loop *loop;
	const struct balance_vm_ops *ops;
	void *ctx;

	struct loop_fd lfd;
	int fd;
	bool closing;
	int last_id;
	int ask_id, order_id; /* unanswered; 0: none */
	uint64_t ordered;     /* the last target that was sent */
	uint64_t ask_ns;      /* when it was asked */
	bool has_method;      /* false: it knows nothing of "memory" */
	char buf[BALANCE_LINE_MAX];
	size_t len;

	/* What is known of it. */
	bool has_sample;
	struct balance_sample sample;
	uint64_t sample_ns;

	/* The balancer's own, not touched here. */
	struct policy_state state;
	struct policy_decision decision;
	bool decided, silent;
	bool counted;        /* this round waits for it */
	uint64_t written_ns; /* into the history */
	uint64_t pressed_ns; /* above the set point since; 0: not */
	bool alerted;
};

/* -ECONNREFUSED and others of connect(): try again later. */
int balance_vm_create(struct loop *loop, const char *name, const char *path,
		      const struct balance_vm_ops *ops, void *ctx,
		      struct balance_vm **ret) must_check;
/* Ends the connection; closed comes when that is done. */
void balance_vm_close(struct balance_vm *vm);
void balance_vm_destroy(struct balance_vm *vm);

/* False: it has not answered the last question yet, or cannot be asked. */
bool balance_vm_ask(struct balance_vm *vm);
/*
 * Sends a target, unless it has not answered the last one. False: not now. From here on the sample
 * has this target: what was granted must not be granted again, however late the VM answers.
 */
bool balance_vm_order(struct balance_vm *vm, uint64_t bytes, const char *reason);
