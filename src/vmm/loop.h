// SPDX-License-Identifier: MIT
/*
 * The event loop: one loop, one thread, one io_uring. The only loop in the project.
 *
 * Everything here except loop_post() and loop_stop() belongs to the loop's thread. Callbacks run on
 * it, never from inside the call that started the operation. What a callback queues is submitted
 * once, after all callbacks of the pass: completions, then timers, then what was deferred.
 *
 * Objects (struct loop_fd, loop_timer, loop_op, loop_deferred, loop_task) are embedded in their
 * owner's memory. Closing is asynchronous: the memory may be reused only from the closed callback
 * on.
 */
#pragma once

#include <liburing.h>
#include <stdatomic.h>

#include "vmm/error.h"

struct loop;

/* @entries: size of the submission queue, a power of two; 0 for the default. */
int loop_create(unsigned int entries, struct error *err, struct loop **ret) must_check;
/* Whether the kernel refuses operations that are not candela's. */
bool loop_is_restricted(const struct loop *loop);
/* The loop must have nothing left open. */
void loop_destroy(struct loop *loop);

/*
 * Runs until loop_stop(). 0, or -errno when io_uring itself fails. The first call settles which
 * thread is the loop's: until then it is whoever has the loop.
 */
int loop_run(struct loop *loop) must_check;
/* Any thread, and signal handlers. loop_run() returns after the current pass. */
void loop_stop(struct loop *loop);

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t loop_now(void);

/* --- One io_uring operation. --------------------------------------------------------------- */

struct loop_op {
	/* @res and @flags as in the completion. Called once, or for each shot of a multishot. */
	void (*done)(struct loop_op *op, int res, unsigned int flags);
};

/*
 * A submission entry whose completion goes to @op; prepare it at once with io_uring_prep_*(), which
 * keeps the user data. NULL when the queue is full even after submitting: stop consuming and try
 * again in a later pass. Before the loop runs nothing is submitted. The kernel refuses operations
 * that are not in loop.c's list with -EACCES: a new one is added there.
 */
struct io_uring_sqe *loop_sqe(struct loop *loop, struct loop_op *op);

/* Asks for @op to be cancelled; it still completes, with -ECANCELED or its real result. */
void loop_cancel(struct loop *loop, struct loop_op *op);

/* --- File descriptors. --------------------------------------------------------------------- */

struct loop_fd {
	struct loop_op op;
	struct loop *loop;
	int fd;
	uint32_t events;
	bool active; /* a poll is in flight */
	bool closing;
	void (*ready)(struct loop_fd *lfd, uint32_t revents);
	void (*closed)(struct loop_fd *lfd);
};

/*
 * Watches @fd for @events (POLLIN, POLLOUT, ...), edge-like: ready() comes at least once for every
 * change, so it must read or write until -EAGAIN or be content with the next call. The descriptor
 * stays the caller's.
 */
int loop_fd_add(struct loop *loop, struct loop_fd *lfd, int fd, uint32_t events,
		void (*ready)(struct loop_fd *lfd, uint32_t revents)) must_check;
/* Stops watching; closed (may be NULL) comes when no callback can run any more. */
void loop_fd_close(struct loop_fd *lfd, void (*closed)(struct loop_fd *lfd));

/* --- Timers. ------------------------------------------------------------------------------- */

struct loop_timer {
	struct loop_timer *prev, *next; /* the loop's list, by expiry; NULL when not armed */
	uint64_t expiry_ns;
	void (*fired)(struct loop_timer *timer);
};

/* One shot at @expiry_ns of loop_now(); setting an armed timer moves it. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t expiry_ns);
/* The callback does not run any more after this. Harmless when not armed. */
void loop_timer_cancel(struct loop *loop, struct loop_timer *timer);

/* --- At the end of a pass. ----------------------------------------------------------------- */

struct loop_deferred {
	struct loop_deferred *prev, *next; /* the loop's list, in order; NULL when not on it */
	void (*run)(struct loop_deferred *deferred);
};

/*
 * Has @deferred->run called once, after the other callbacks of this pass and before what they
 * queued is submitted; from inside a deferred callback, in this pass still. For work that is done
 * once for many events. Harmless when it is on the list already.
 */
void loop_defer(struct loop *loop, struct loop_deferred *deferred);
/* The callback does not run any more after this. Harmless when not deferred. */
void loop_defer_cancel(struct loop_deferred *deferred);

/* --- From other threads. ------------------------------------------------------------------- */

struct loop_task {
	struct loop_task *next;
	_Atomic bool queued;
	void (*run)(struct loop_task *task);
};

/*
 * Any thread: has @task->run called on the loop's thread. A task that is queued already is not
 * queued twice; one that is posted while it runs runs again.
 */
void loop_post(struct loop *loop, struct loop_task *task);
