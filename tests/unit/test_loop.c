// SPDX-License-Identifier: MIT
/* The event loop: descriptors, timers, posts from other threads, closing. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/loop.h"

static struct loop *loop;
static struct loop_timer deadline;
static bool timed_out;

static void on_deadline(struct loop_timer *timer)
{
	timed_out = true;
	loop_stop(loop);
}

/* Every test ends: a loop that never stops is stopped after two seconds, which is a failure. */
static void run(void)
{
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert(!timed_out);
}

static void setup(void)
{
	struct error err;

	timed_out = false;
	ck_assert_int_eq(loop_create(0, &err, &loop), 0);
	deadline = (struct loop_timer){.fired = on_deadline};
	loop_timer_set(loop, &deadline, loop_now() + 2 * NSEC_PER_SEC);
}

static void teardown(void)
{
	loop_destroy(loop);
}

/* --- Descriptors. --------------------------------------------------------------------------- */

static struct loop_fd lfd;
static int pipe_fds[2];
static unsigned int ready_calls;

static void closed_stop(struct loop_fd *f)
{
	ck_assert_ptr_eq(f, &lfd);
	loop_stop(loop);
}

static void on_ready(struct loop_fd *f, uint32_t revents)
{
	char c;

	ck_assert(revents & POLLIN);
	ck_assert_int_eq(read(f->fd, &c, 1), 1);
	if (++ready_calls == 3)
		loop_fd_close(f, closed_stop);
	else
		ck_assert_int_eq(write(pipe_fds[1], "x", 1), 1);
}

START_TEST(fd_events)
{
	ready_calls = 0;
	ck_assert_int_eq(pipe(pipe_fds), 0);
	ck_assert_int_eq(loop_fd_add(loop, &lfd, pipe_fds[0], POLLIN, on_ready), 0);
	ck_assert_int_eq(write(pipe_fds[1], "x", 1), 1);
	run();
	ck_assert_uint_eq(ready_calls, 3);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}
END_TEST

START_TEST(fd_close_at_once)
{
	ck_assert_int_eq(pipe(pipe_fds), 0);
	ck_assert_int_eq(loop_fd_add(loop, &lfd, pipe_fds[0], POLLIN, on_ready), 0);
	loop_fd_close(&lfd, closed_stop);
	run();
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}
END_TEST

/* --- Operations. ---------------------------------------------------------------------------- */

static char op_buf[8];
static int op_res;

static void op_done(struct loop_op *op, int res, unsigned int flags)
{
	op_res = res;
	loop_stop(loop);
}

START_TEST(operation)
{
	struct loop_op op = {.done = op_done};
	struct io_uring_sqe *sqe = loop_sqe(loop, &op);

	ck_assert_ptr_nonnull(sqe);
	ck_assert_int_eq(pipe(pipe_fds), 0);
	io_uring_prep_read(sqe, pipe_fds[0], op_buf, sizeof(op_buf), 0);
	ck_assert_int_eq(write(pipe_fds[1], "hello", 5), 5);
	run();
	ck_assert_int_eq(op_res, 5);
	ck_assert_int_eq(memcmp(op_buf, "hello", 5), 0);
}
END_TEST

/* What no part of candela asks for, a ring does not do: opening a file, registering one. */
START_TEST(operation_that_is_none_of_ours)
{
	struct loop_op op = {.done = op_done};
	struct io_uring_sqe *sqe = loop_sqe(loop, &op);

	if (!loop_is_restricted(loop))
		return;
	io_uring_prep_openat(sqe, AT_FDCWD, "/dev/null", O_RDONLY, 0);
	run();
	ck_assert_int_eq(op_res, -EACCES);
}
END_TEST

START_TEST(operation_cancelled)
{
	struct loop_op op = {.done = op_done};
	struct io_uring_sqe *sqe = loop_sqe(loop, &op);

	ck_assert_int_eq(pipe(pipe_fds), 0);
	io_uring_prep_read(sqe, pipe_fds[0], op_buf, sizeof(op_buf), 0);
	loop_cancel(loop, &op);
	run();
	ck_assert_int_eq(op_res, -ECANCELED);
}
END_TEST

static unsigned int nops_done;

static void nop_done(struct loop_op *op, int res, unsigned int flags)
{
	if (++nops_done == 5000)
		loop_stop(loop);
}

static void queue_nops(struct loop_deferred *deferred)
{
	static struct loop_op ops[5000];

	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		struct io_uring_sqe *sqe;

		ops[i].done = nop_done;
		sqe = loop_sqe(loop, &ops[i]);
		ck_assert_ptr_nonnull(sqe);
		io_uring_prep_nop(sqe);
	}
}

/* More operations than the queue has entries. */
START_TEST(many_operations)
{
	struct loop_deferred start = {.run = queue_nops};

	nops_done = 0;
	loop_defer(loop, &start);
	run();
	ck_assert_uint_eq(nops_done, 5000);
}
END_TEST

/* Before it runs nothing is submitted: what does not fit in the queue is refused. */
START_TEST(full_before_it_runs)
{
	static struct loop_op ops[5000];
	unsigned int queued = 0;
	struct io_uring_sqe *sqe;

	for (; queued < ARRAY_SIZE(ops) && (sqe = loop_sqe(loop, &ops[queued])); queued++) {
		ops[queued].done = nop_done;
		io_uring_prep_nop(sqe);
	}
	ck_assert_uint_ge(queued, 128);
	ck_assert_uint_lt(queued, 5000);
	nops_done = 5000 - queued;
	run();
	ck_assert_uint_eq(nops_done, 5000);
}
END_TEST

/* --- Timers. -------------------------------------------------------------------------------- */

static char order[8];
static struct loop_timer timers[4];

static void on_timer(struct loop_timer *timer)
{
	char name = (char)('a' + (timer - timers));

	strncat(order, &name, 1);
	if (name == 'd')
		loop_stop(loop);
}

START_TEST(timer_order)
{
	uint64_t now = loop_now();

	order[0] = 0;
	for (size_t i = 0; i < 4; i++)
		timers[i] = (struct loop_timer){.fired = on_timer};
	loop_timer_set(loop, &timers[3], now + 30 * NSEC_PER_MSEC);
	loop_timer_set(loop, &timers[1], now + 10 * NSEC_PER_MSEC);
	loop_timer_set(loop, &timers[0], now + 50 * NSEC_PER_MSEC);
	loop_timer_set(loop, &timers[2], now + 20 * NSEC_PER_MSEC);
	/* Moved to the front, and one cancelled. */
	loop_timer_set(loop, &timers[0], now + 5 * NSEC_PER_MSEC);
	loop_timer_cancel(loop, &timers[1]);
	loop_timer_cancel(loop, &timers[1]);
	run();
	ck_assert_str_eq(order, "acd");
	ck_assert_uint_ge(loop_now(), now + 30 * NSEC_PER_MSEC);
}
END_TEST

static unsigned int spins;

static void on_spin(struct loop_timer *timer)
{
	/* Always overdue; the pipe must get its turn all the same. */
	if (++spins < 100000)
		loop_timer_set(loop, timer, 1);
}

START_TEST(overdue_timer_starves_nobody)
{
	spins = 0;
	ready_calls = 2;
	timers[0] = (struct loop_timer){.fired = on_spin};
	ck_assert_int_eq(pipe(pipe_fds), 0);
	ck_assert_int_eq(loop_fd_add(loop, &lfd, pipe_fds[0], POLLIN, on_ready), 0);
	loop_timer_set(loop, &timers[0], 1);
	ck_assert_int_eq(write(pipe_fds[1], "x", 1), 1);
	run();
	ck_assert_uint_lt(spins, 100000);
}
END_TEST

static void on_first(struct loop_timer *timer)
{
	loop_timer_cancel(loop, &timers[1]);
	loop_timer_set(loop, &timers[3], loop_now() + 10 * NSEC_PER_MSEC);
	order[0] = 'x';
}

/* A callback may cancel a timer that is due in the same pass. */
START_TEST(timer_cancelled_by_neighbour)
{
	uint64_t now = loop_now();

	memset(order, 0, sizeof(order));
	for (size_t i = 0; i < 4; i++)
		timers[i] = (struct loop_timer){.fired = on_timer};
	timers[0].fired = on_first;
	loop_timer_set(loop, &timers[0], now);
	loop_timer_set(loop, &timers[1], now);
	run();
	ck_assert_str_eq(order, "xd");
}
END_TEST

/* --- From other threads. -------------------------------------------------------------------- */

#define POSTERS 4
#define POSTS   2000

struct poster {
	struct loop_task task;
	pthread_t thread;
	_Atomic unsigned int posted;
	unsigned int seen;
};

static struct poster posters[POSTERS];

static void on_post(struct loop_task *task)
{
	struct poster *p = container_of(task, struct poster, task);

	p->seen = p->posted;
	for (size_t i = 0; i < POSTERS; i++)
		if (posters[i].seen != POSTS)
			return;
	loop_stop(loop);
}

static void *post(void *arg)
{
	struct poster *p = arg;

	for (unsigned int i = 0; i < POSTS; i++) {
		p->posted++;
		loop_post(loop, &p->task);
	}
	return NULL;
}

START_TEST(posts)
{
	for (size_t i = 0; i < POSTERS; i++) {
		posters[i] = (struct poster){.task = {.run = on_post}};
		ck_assert_int_eq(pthread_create(&posters[i].thread, NULL, post, &posters[i]), 0);
	}
	run();
	for (size_t i = 0; i < POSTERS; i++)
		pthread_join(posters[i].thread, NULL);
}
END_TEST

/* --- At the end of a pass. ----------------------------------------------------------------- */

static struct loop_deferred first, second, dropped;
static unsigned int deferred_calls, posted_calls;

static void run_second(struct loop_deferred *d)
{
	ck_assert_uint_eq(deferred_calls, 1);
	loop_stop(loop);
}

static void run_first(struct loop_deferred *d)
{
	ck_assert_uint_eq(posted_calls, 2);
	deferred_calls++;
	loop_defer(loop, &second);
}

static void run_dropped(struct loop_deferred *d)
{
	ck_abort_msg("ran after it was cancelled");
}

static void run_posted(struct loop_task *task)
{
	posted_calls++;
	loop_defer(loop, &first);
	loop_defer(loop, &first);
	loop_defer(loop, &dropped);
	loop_defer_cancel(&dropped);
}

/* Once a pass, after everything else of it, and what is deferred from there still in it. */
START_TEST(deferred_once_a_pass)
{
	static struct loop_task tasks[2] = {{.run = run_posted}, {.run = run_posted}};

	first.run = run_first;
	second.run = run_second;
	dropped.run = run_dropped;
	loop_post(loop, &tasks[0]);
	loop_post(loop, &tasks[1]);
	run();
	ck_assert_uint_eq(deferred_calls, 1);
}
END_TEST

static void run_stop(struct loop_deferred *d)
{
	loop_stop(loop);
}

START_TEST(deferred_before_the_loop_runs)
{
	first.run = run_stop;
	loop_defer(loop, &first);
	run();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("loop");
	TCase *t = tcase_create("loop");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, fd_events);
	tcase_add_test(t, fd_close_at_once);
	tcase_add_test(t, operation);
	tcase_add_test(t, operation_that_is_none_of_ours);
	tcase_add_test(t, operation_cancelled);
	tcase_add_test(t, many_operations);
	tcase_add_test(t, full_before_it_runs);
	tcase_add_test(t, timer_order);
	tcase_add_test(t, overdue_timer_starves_nobody);
	tcase_add_test(t, timer_cancelled_by_neighbour);
	tcase_add_test(t, posts);
	tcase_add_test(t, deferred_once_a_pass);
	tcase_add_test(t, deferred_before_the_loop_runs);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
