// SPDX-License-Identifier: MIT
/* Threads with loops: whose the loop is before, while and after the thread runs. */
#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/io_thread.h"

static struct io_thread *thread;
static struct error err;
static pthread_t ran_on;
static char name_seen[16];
static _Atomic unsigned int runs;

static void setup(void)
{
	runs = 0;
	ck_assert_int_eq(io_thread_create("disk0", &err, &thread), 0);
}

static void teardown(void)
{
	io_thread_destroy(thread);
}

static void on_task(struct loop_task *task)
{
	ran_on = pthread_self();
	pthread_getname_np(ran_on, name_seen, sizeof(name_seen));
	runs++;
}

static void wait_for_runs(unsigned int count)
{
	for (int i = 0; i < 2000 && runs < count; i++)
		usleep(1000);
	ck_assert_uint_ge(runs, count);
}

START_TEST(runs_on_its_own_thread)
{
	struct loop_task task = {.run = on_task};

	ck_assert_int_eq(io_thread_start(thread, &err), 0);
	loop_post(io_thread_loop(thread), &task);
	wait_for_runs(1);
	ck_assert(!pthread_equal(ran_on, pthread_self()));
	ck_assert_str_eq(name_seen, "disk0");
	ck_assert_int_eq(io_thread_stop(thread), 0);
}
END_TEST

static void on_ready(struct loop_fd *lfd, uint32_t revents)
{
	uint64_t value;

	ck_assert_int_eq(read(lfd->fd, &value, sizeof(value)), sizeof(value));
	ran_on = pthread_self();
	runs++;
}

/* What the creator queued is submitted by the thread, which alone may. */
START_TEST(what_was_queued_before_it_runs)
{
	int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	struct loop_fd lfd;

	ck_assert_int_eq(loop_fd_add(io_thread_loop(thread), &lfd, fd, POLLIN, on_ready), 0);
	ck_assert_int_eq(io_thread_start(thread, &err), 0);
	wait_for_runs(1);
	ck_assert(!pthread_equal(ran_on, pthread_self()));
	ck_assert_int_eq(io_thread_stop(thread), 0);
	close(fd);
}
END_TEST

START_TEST(stopped_twice_or_never_started)
{
	ck_assert_int_eq(io_thread_stop(thread), 0);
	ck_assert_int_eq(io_thread_start(thread, &err), 0);
	ck_assert_int_eq(io_thread_stop(thread), 0);
	ck_assert_int_eq(io_thread_stop(thread), 0);
	io_thread_destroy(NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("io_thread");
	TCase *t = tcase_create("io_thread");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, runs_on_its_own_thread);
	tcase_add_test(t, what_was_queued_before_it_runs);
	tcase_add_test(t, stopped_twice_or_never_started);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
