// SPDX-License-Identifier: MIT
/* Landlock, on a kernel that has it: a process that has entered reaches what it was left. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "candela/landlock.h"

static char dir[] = "/tmp/test-landlock-XXXXXX";
static char inside[64], outside[64], file[128], name[128];
static const char *place = inside; /* what is left */
static struct error err;

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(inside, sizeof(inside), "%s/in", dir);
	snprintf(outside, sizeof(outside), "%s/out", dir);
	ck_assert_int_eq(mkdir(inside, 0700), 0);
	ck_assert_int_eq(mkdir(outside, 0700), 0);
	for (int i = 0; i < 2; i++) {
		snprintf(file, sizeof(file), "%s/file", i ? inside : outside);
		close(open(file, O_WRONLY | O_CREAT, 0600));
	}
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

/* In a child that has @uses of @place left: 0, or what became of it. */
static int confined(uint32_t uses, int (*act)(void))
{
	int status;

	if (fork() == 0) {
		const int fd = landlock_open();

		if (fd < 0 || landlock_allow(fd, place, uses, &err) < 0 ||
		    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || landlock_enter(fd) < 0)
			_exit(255);
		_exit(act());
	}
	wait(&status);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int open_error(const char *where, const char *what, int flags)
{
	int fd;

	snprintf(name, sizeof(name), "%s/%s", where, what);
	fd = open(name, flags, 0600);
	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int read_inside(void)
{
	return open_error(inside, "file", O_RDONLY);
}

static int write_inside(void)
{
	return open_error(inside, "file", O_WRONLY | O_TRUNC);
}

static int create_inside(void)
{
	return open_error(inside, "new", O_WRONLY | O_CREAT);
}

static int read_outside(void)
{
	return open_error(outside, "file", O_RDONLY);
}

static int unlink_inside(void)
{
	snprintf(name, sizeof(name), "%s/file", inside);
	return unlink(name) < 0 ? errno : 0;
}

static int bind_inside(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/socket", inside);
	return bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0 ? errno : 0;
}

START_TEST(each_use)
{
	const uint32_t create = LANDLOCK_WRITE | LANDLOCK_CREATE;

	ck_assert_int_eq(confined(LANDLOCK_READ, read_inside), 0);
	ck_assert_int_eq(confined(LANDLOCK_WRITE, read_inside), EACCES);
	ck_assert_int_eq(confined(LANDLOCK_WRITE, write_inside), 0);
	ck_assert_int_eq(confined(LANDLOCK_READ, write_inside), EACCES);
	ck_assert_int_eq(confined(LANDLOCK_WRITE, create_inside), EACCES);
	ck_assert_int_eq(confined(create, create_inside), 0);
	ck_assert_int_eq(confined(create, bind_inside), EACCES);
	ck_assert_int_eq(confined(LANDLOCK_SOCKETS, bind_inside), 0);
	ck_assert_int_eq(confined(create, unlink_inside), EACCES);
	ck_assert_int_eq(confined(LANDLOCK_REMOVE, unlink_inside), 0);
	ck_assert_int_eq(confined(UINT32_MAX, read_outside), EACCES);
}
END_TEST

static int already_open;

static int use_open_file(void)
{
	return write(already_open, "x", 1) != 1 || ftruncate(already_open, 0) < 0 ? errno : 0;
}

START_TEST(what_is_open_stays_open)
{
	snprintf(name, sizeof(name), "%s/file", outside);
	already_open = open(name, O_RDWR);
	ck_assert_int_eq(confined(0, use_open_file), 0);
	close(already_open);
}
END_TEST

static int read_one(void)
{
	int fd = open(file, O_RDONLY);

	return fd < 0 ? errno : 0;
}

/* With rights that only directories have, which a file is not refused for. */
START_TEST(one_file)
{
	snprintf(file, sizeof(file), "%s/file", inside);
	snprintf(name, sizeof(name), "%s/file", inside);
	place = name;
	ck_assert_int_eq(confined(UINT32_MAX, read_one), 0);
	snprintf(file, sizeof(file), "%s/file", outside);
	ck_assert_int_eq(confined(UINT32_MAX, read_one), EACCES);
}
END_TEST

START_TEST(what_is_not_there)
{
	const int fd = landlock_open();

	ck_assert_int_eq(landlock_allow(fd, "/nowhere", LANDLOCK_READ, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "/nowhere: "));
	close(fd);
}
END_TEST

static int run_suite(void)
{
	Suite *s = suite_create("landlock");
	TCase *t = tcase_create("landlock");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, each_use);
	tcase_add_test(t, what_is_open_stays_open);
	tcase_add_test(t, one_file);
	tcase_add_test(t, what_is_not_there);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(void)
{
	const int fd = landlock_open();

	if (fd == -ENOTSUP)
		return 77; /* a kernel without it */
	close(fd);
	return run_suite();
}
