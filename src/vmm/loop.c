// SPDX-License-Identifier: MIT
/*
 * The event loop. All state belongs to the loop's thread but the task stack and the stop flag,
 * which other threads reach through loop_post() and loop_stop() and announce on an eventfd.
 */
#include "vmm/loop.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_ENTRIES 256

struct loop {
	struct io_uring ring;
	bool enabled; /* loop_run() has been called: its thread is the one that submits */
	bool restricted;
	struct loop_timer timers;      /* sentinel of the list, soonest first */
	struct loop_deferred deferred; /* sentinel of the list, in order */
	int wake_fd;
	struct loop_op wake_op;
	uint64_t wake_value;
	_Atomic(struct loop_task *) tasks; /* newest first */
	_Atomic bool stop;
};

uint64_t loop_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* --- One io_uring operation. --------------------------------------------------------------- */

struct io_uring_sqe *loop_sqe(struct loop *loop, struct loop_op *op)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&loop->ring);

	if (!sqe) {
		io_uring_submit(&loop->ring);
		sqe = io_uring_get_sqe(&loop->ring);
		if (!sqe)
			return NULL;
	}
	io_uring_sqe_set_data(sqe, op);
	return sqe;
}

static void ignore_done(struct loop_op *op, int res, unsigned int flags)
{
}

/* Completions of cancel requests carry nothing of interest: the cancelled operation reports. */
static struct loop_op ignore_op = {.done = ignore_done};

void loop_cancel(struct loop *loop, struct loop_op *op)
{
	struct io_uring_sqe *sqe = loop_sqe(loop, &ignore_op);

	/* Only a kernel that takes no submissions at all leaves no entry here. */
	if (sqe)
		io_uring_prep_cancel(sqe, op, 0);
}

/* --- File descriptors. --------------------------------------------------------------------- */

static void fd_arm(struct loop_fd *lfd)
{
	struct io_uring_sqe *sqe = loop_sqe(lfd->loop, &lfd->op);

	lfd->active = sqe != NULL;
	if (sqe)
		io_uring_prep_poll_multishot(sqe, lfd->fd, lfd->events);
}

static void fd_done(struct loop_op *op, int res, unsigned int flags)
{
	struct loop_fd *lfd = container_of(op, struct loop_fd, op);

	lfd->active = flags & IORING_CQE_F_MORE;
	if (lfd->closing) {
		if (!lfd->active && lfd->closed)
			lfd->closed(lfd);
		return;
	}
	if (!lfd->active)
		fd_arm(lfd);
	lfd->ready(lfd, res < 0 ? POLLERR : (uint32_t)res);
}

int loop_fd_add(struct loop *loop, struct loop_fd *lfd, int fd, uint32_t events,
		void (*ready)(struct loop_fd *lfd, uint32_t revents))
{
	*lfd = (struct loop_fd){
		.op = {.done = fd_done}, .loop = loop, .fd = fd, .events = events, .ready = ready};
	fd_arm(lfd);
	return lfd->active ? 0 : -EBUSY;
}

static void fd_closed_nop(struct loop_op *op, int res, unsigned int flags)
{
	struct loop_fd *lfd = container_of(op, struct loop_fd, op);

	if (lfd->closed)
		lfd->closed(lfd);
}

void loop_fd_close(struct loop_fd *lfd, void (*closed)(struct loop_fd *lfd))
{
	struct io_uring_sqe *sqe;

	assert(!lfd->closing);
	lfd->closing = true;
	lfd->closed = closed;
	if (lfd->active) {
		loop_cancel(lfd->loop, &lfd->op);
		return;
	}
	/* Nothing in flight: still answer from the loop, never from inside the call. */
	lfd->op.done = fd_closed_nop;
	sqe = loop_sqe(lfd->loop, &lfd->op);
	if (sqe)
		io_uring_prep_nop(sqe);
}

/* --- Timers. ------------------------------------------------------------------------------- */

void loop_timer_cancel(struct loop *loop, struct loop_timer *timer)
{
	if (!timer->next)
		return;
	timer->prev->next = timer->next;
	timer->next->prev = timer->prev;
	timer->prev = timer->next = NULL;
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t expiry_ns)
{
	struct loop_timer *after = loop->timers.prev;

	loop_timer_cancel(loop, timer);
	if (after == timer)
		after = loop->timers.prev;
	timer->expiry_ns = expiry_ns;
	while (after != &loop->timers && after->expiry_ns > expiry_ns)
		after = after->prev;
	timer->prev = after;
	timer->next = after->next;
	after->next->prev = timer;
	after->next = timer;
}

/*
 * What is due moves to a list of its own first, so that a callback which sets a timer to a time
 * already past cannot keep us here: that one fires in the next pass.
 */
static void run_timers(struct loop *loop)
{
	struct loop_timer due = {.prev = &due, .next = &due};
	struct loop_timer *end = &loop->timers, *last = loop->timers.prev;
	uint64_t now;

	if (end->next == end)
		return;
	now = loop_now();
	while (last != end && last->expiry_ns > now)
		last = last->prev;
	if (last == end)
		return;
	due.next = end->next;
	due.prev = last;
	end->next = last->next;
	last->next->prev = end;
	due.next->prev = &due;
	last->next = &due;
	while (due.next != &due) {
		struct loop_timer *timer = due.next;

		loop_timer_cancel(loop, timer);
		timer->fired(timer);
	}
}

/* --- At the end of a pass. ----------------------------------------------------------------- */

void loop_defer(struct loop *loop, struct loop_deferred *deferred)
{
	struct loop_deferred *end = &loop->deferred;

	if (deferred->next)
		return;
	deferred->prev = end->prev;
	deferred->next = end;
	end->prev->next = deferred;
	end->prev = deferred;
}

void loop_defer_cancel(struct loop_deferred *deferred)
{
	if (!deferred->next)
		return;
	deferred->prev->next = deferred->next;
	deferred->next->prev = deferred->prev;
	deferred->prev = deferred->next = NULL;
}

static void run_deferred(struct loop *loop)
{
	while (loop->deferred.next != &loop->deferred) {
		struct loop_deferred *deferred = loop->deferred.next;

		loop_defer_cancel(deferred);
		deferred->run(deferred);
	}
}

/* --- From other threads. ------------------------------------------------------------------- */

static void wake(struct loop *loop)
{
	uint64_t one = 1;

	/* Fails only when 2^64 - 2 wakes are pending, which is a wake. */
	if (write(loop->wake_fd, &one, sizeof(one)) < 0)
		return;
}

void loop_post(struct loop *loop, struct loop_task *task)
{
	struct loop_task *head;

	if (atomic_exchange(&task->queued, true))
		return;
	head = atomic_load(&loop->tasks);
	do {
		task->next = head;
	} while (!atomic_compare_exchange_weak(&loop->tasks, &head, task));
	/* Whoever made the stack non-empty wakes the loop; the others ride along. */
	if (!head)
		wake(loop);
}

void loop_stop(struct loop *loop)
{
	atomic_store(&loop->stop, true);
	wake(loop);
}

static void run_tasks(struct loop *loop)
{
	struct loop_task *task = atomic_exchange(&loop->tasks, NULL);
	struct loop_task *ordered = NULL, *next;

	for (; task; task = next) {
		next = task->next;
		task->next = ordered;
		ordered = task;
	}
	for (; ordered; ordered = next) {
		next = ordered->next;
		atomic_store(&ordered->queued, false);
		ordered->run(ordered);
	}
}

static bool wake_arm(struct loop *loop)
{
	struct io_uring_sqe *sqe = loop_sqe(loop, &loop->wake_op);

	if (!sqe)
		return false;
	io_uring_prep_read(sqe, loop->wake_fd, &loop->wake_value, sizeof(loop->wake_value), 0);
	return true;
}

static void wake_done(struct loop_op *op, int res, unsigned int flags)
{
	struct loop *loop = container_of(op, struct loop, wake_op);

	wake_arm(loop);
	run_tasks(loop);
}

/* --- The loop itself. ---------------------------------------------------------------------- */

/*
 * Completions run as task work of this thread: with DEFER_TASKRUN only when we wait for them, so
 * they come in batches. Older kernels lack the flags; the loop only gets less batching from them.
 * The ring begins disabled because the single issuer is to be the thread that runs the loop, not
 * the one that creates it.
 */
static int ring_init(struct io_uring *ring, unsigned int entries)
{
	static const unsigned int flags[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
		IORING_SETUP_COOP_TASKRUN,
		0,
	};
	int r = -EINVAL;

	for (size_t i = 0; i < ARRAY_SIZE(flags) && r == -EINVAL; i++)
		r = io_uring_queue_init(entries, ring, flags[i] | IORING_SETUP_R_DISABLED);
	return r;
}

/* What anything in candela asks of a loop. A ring takes nothing else once it is enabled. */
static const uint8_t ring_operations[] = {
	IORING_OP_NOP,     IORING_OP_READ,         IORING_OP_WRITE,    IORING_OP_READV,
	IORING_OP_WRITEV,  IORING_OP_FSYNC,        IORING_OP_POLL_ADD, IORING_OP_SEND,
	IORING_OP_SENDMSG, IORING_OP_ASYNC_CANCEL, IORING_OP_ACCEPT,   IORING_OP_FALLOCATE,
};

/*
 * The kernel carries out what stands in a ring past any filter of system calls: opening, connecting
 * and renaming as well. So the ring is told what it may be asked for; registering anything is not
 * among it. -EINVAL: a kernel that does not know how.
 */
static int ring_restrict(struct io_uring *ring)
{
	struct io_uring_restriction rows[ARRAY_SIZE(ring_operations) + 1] = {
		{.opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED, .sqe_flags = IOSQE_ASYNC},
	};

	for (size_t i = 0; i < ARRAY_SIZE(ring_operations); i++)
		rows[i + 1] = (struct io_uring_restriction){.opcode = IORING_RESTRICTION_SQE_OP,
							    .sqe_op = ring_operations[i]};
	/* By the system call, for the same reason as in enable(). */
	return syscall(__NR_io_uring_register, ring->ring_fd, IORING_REGISTER_RESTRICTIONS, rows,
		       ARRAY_SIZE(rows)) < 0
		       ? -errno
		       : 0;
}

int loop_create(unsigned int entries, struct error *err, struct loop **ret)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	int r;

	if (!loop)
		return error_set(err, -ENOMEM, "out of memory");
	loop->timers.prev = loop->timers.next = &loop->timers;
	loop->deferred.prev = loop->deferred.next = &loop->deferred;
	loop->wake_op.done = wake_done;
	loop->wake_fd = eventfd(0, EFD_CLOEXEC);
	if (loop->wake_fd < 0) {
		r = error_errno(err, -errno, "cannot create an eventfd");
		goto free;
	}
	r = ring_init(&loop->ring, entries ? entries : DEFAULT_ENTRIES);
	if (r < 0) {
		error_errno(err, r,
			    "cannot set up io_uring (Linux 5.13 or later; see "
			    "kernel.io_uring_disabled)");
		goto close;
	}
	r = ring_restrict(&loop->ring);
	loop->restricted = r == 0;
	if (r < 0 && r != -EINVAL) {
		error_errno(err, r, "cannot restrict io_uring");
		goto exit_ring;
	}
	wake_arm(loop);
	*ret = loop;
	return 0;

exit_ring:
	io_uring_queue_exit(&loop->ring);
close:
	close(loop->wake_fd);
free:
	free(loop);
	return r;
}

bool loop_is_restricted(const struct loop *loop)
{
	return loop->restricted;
}

void loop_destroy(struct loop *loop)
{
	if (!loop)
		return;
	io_uring_queue_exit(&loop->ring);
	close(loop->wake_fd);
	free(loop);
}

static int submit_and_wait(struct loop *loop)
{
	struct loop_timer *first = loop->timers.next;
	struct __kernel_timespec ts;
	struct io_uring_cqe *cqe;
	uint64_t now, left;
	int r;

	if (first == &loop->timers)
		return io_uring_submit_and_wait(&loop->ring, 1);
	now = loop_now();
	left = first->expiry_ns > now ? first->expiry_ns - now : 0;
	ts.tv_sec = (int64_t)(left / NSEC_PER_SEC);
	ts.tv_nsec = (int64_t)(left % NSEC_PER_SEC);
	r = io_uring_submit_and_wait_timeout(&loop->ring, &cqe, 1, &ts, NULL);
	return r == -ETIME ? 0 : r;
}

static void run_completions(struct loop *loop)
{
	struct io_uring_cqe *cqe;
	/* What the callbacks bring about is the next pass's: timers get their turn in between. */
	unsigned int budget = io_uring_cq_ready(&loop->ring);

	while (budget-- && io_uring_peek_cqe(&loop->ring, &cqe) == 0) {
		struct loop_op *op = io_uring_cqe_get_data(cqe);
		int res = cqe->res;
		unsigned int flags = cqe->flags;

		io_uring_cqe_seen(&loop->ring, cqe);
		op->done(op, res, flags);
	}
}

/*
 * By the system call: liburing 2.3 declares io_uring_enable_rings() and does not export it, nor
 * io_uring_register_restrictions().
 */
static int enable(struct loop *loop)
{
	if (!loop->enabled && syscall(__NR_io_uring_register, loop->ring.ring_fd,
				      IORING_REGISTER_ENABLE_RINGS, NULL, 0) < 0)
		return -errno;
	loop->enabled = true;
	return 0;
}

int loop_run(struct loop *loop)
{
	int err = enable(loop);

	if (err < 0)
		return err;
	while (!atomic_exchange(&loop->stop, false)) {
		int r;

		run_deferred(loop);
		r = submit_and_wait(loop);
		if (r < 0 && r != -EINTR && r != -EAGAIN && r != -EBUSY)
			return r;
		run_completions(loop);
		run_timers(loop);
	}
	return 0;
}
