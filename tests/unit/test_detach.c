// SPDX-License-Identifier: MIT
/* Into the background: what the parent says of a child that runs, fails or dies. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "candela/detach.h"

static struct detach d;
static struct error err;
static int fds[2]; /* the child says through it what it sees */

static void setup(void)
{
	ck_assert_int_eq(pipe(fds), 0);
}

/* What the child does between the two calls, and after. */
static int run(void (*child)(void))
{
	int status = -1, r = detach_begin(&d, &status, &err);

	ck_assert_int_ge(r, 0);
	if (r == 0) {
		child();
		_exit(0);
	}
	return status;
}

static void succeed(void)
{
	detach_done(&d);
	usleep(100000);
}

static void exit_3(void)
{
	_exit(3);
}

static void die(void)
{
	raise(SIGKILL);
}

START_TEST(statuses)
{
	ck_assert_int_eq(run(succeed), 0);
	ck_assert_int_eq(run(exit_3), 3);
	ck_assert_int_eq(run(die), 128 + SIGKILL);
}
END_TEST

static void look(void)
{
	char target[64] = "", text[sizeof(target) + 32];
	pid_t before = getsid(0);

	detach_done(&d);
	if (readlink("/proc/self/fd/0", target, sizeof(target) - 1) < 0)
		target[0] = '\0';
	snprintf(text, sizeof(text), "%s %d", target, before != getpid() && getsid(0) == getpid());
	if (write(fds[1], text, strlen(text)) < 0)
		_exit(1);
}

START_TEST(lets_go)
{
	char text[64] = "";

	ck_assert_int_eq(run(look), 0);
	close(fds[1]);
	ck_assert_int_gt(read(fds[0], text, sizeof(text) - 1), 0);
	ck_assert_str_eq(text, "/dev/null 1");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("detach");
	TCase *t = tcase_create("detach");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, statuses);
	tcase_add_test(t, lets_go);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
