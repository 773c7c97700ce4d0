// SPDX-License-Identifier: MIT
/* Where control sockets are: names, modes, locks, and what is left over. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "candela/control_path.h"

static char top[64], path[CONTROL_PATH_MAX];
static struct control_socket s = {.fd = -1, .lock_fd = -1}, other = {.fd = -1, .lock_fd = -1};
static struct error err;

static void setup(void)
{
	strcpy(top, "/tmp/control-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top));
	setenv("XDG_RUNTIME_DIR", top, 1);
	ck_assert_int_eq(control_make_dir(&err), 0);
	ck_assert_int_eq(control_path("a", path, &err), 0);
}

static void teardown(void)
{
	char dir[CONTROL_PATH_MAX];

	control_socket_close(&s);
	control_socket_close(&other);
	ck_assert_int_eq(control_dir(dir, &err), 0);
	/* Nothing is left in it. */
	ck_assert_int_eq(rmdir(dir), 0);
	ck_assert_int_eq(rmdir(top), 0);
}

static mode_t mode_of(const char *name)
{
	struct stat st;

	ck_assert_int_eq(lstat(name, &st), 0);
	return st.st_mode & 07777;
}

static bool exists(const char *name)
{
	return access(name, F_OK) == 0;
}

static int try_connect(const char *name)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int r, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, name);
	r = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
	close(fd);
	return r;
}

START_TEST(names)
{
	char long_name[120], text[CONTROL_PATH_MAX], expected[CONTROL_PATH_MAX + 32];

	snprintf(expected, sizeof(expected), "%s/candela/a.sock", top);
	ck_assert_str_eq(path, expected);
	ck_assert_int_eq(control_path("./x/y", text, &err), 0);
	ck_assert_str_eq(text, "./x/y");
	memset(long_name, 'n', sizeof(long_name));
	long_name[sizeof(long_name) - 1] = '\0';
	ck_assert_int_eq(control_path(long_name, text, &err), -ENAMETOOLONG);
	ck_assert_ptr_nonnull(strstr(err.text, "at most 107 bytes"));
	long_name[0] = '/';
	ck_assert_int_eq(control_path(long_name, text, &err), -ENAMETOOLONG);
	ck_assert_int_eq(control_socket_open(&s, long_name, "it", &err), -ENAMETOOLONG);
	long_name[CONTROL_PATH_MAX - 1] = '\0';
	ck_assert_int_eq(control_path(long_name, text, &err), 0);
	setenv("XDG_RUNTIME_DIR", long_name, 1);
	ck_assert_int_eq(control_dir(text, &err), -ENAMETOOLONG);
	unsetenv("XDG_RUNTIME_DIR");
	if (geteuid() == 0) {
		ck_assert_int_eq(control_dir(text, &err), 0);
		ck_assert_str_eq(text, "/run/candela");
	} else {
		ck_assert_int_eq(control_dir(text, &err), -ENOENT);
	}
	setenv("XDG_RUNTIME_DIR", top, 1);
}
END_TEST

START_TEST(modes)
{
	char dir[CONTROL_PATH_MAX], lock[CONTROL_PATH_MAX + 8];

	umask(0);
	ck_assert_int_eq(control_dir(dir, &err), 0);
	ck_assert_uint_eq(mode_of(dir), 0700);
	ck_assert_int_eq(chmod(dir, 0755), 0);
	ck_assert_int_eq(control_make_dir(&err), 0);
	ck_assert_uint_eq(mode_of(dir), 0700);
	ck_assert_msg(control_socket_open(&s, path, "it", &err) == 0, "%s", err.text);
	snprintf(lock, sizeof(lock), "%s.lock", path);
	ck_assert_uint_eq(mode_of(path), 0600);
	ck_assert_uint_eq(mode_of(lock), 0600);
	ck_assert_int_eq(try_connect(path), 0);
	control_socket_close(&s);
	ck_assert(!exists(path) && !exists(lock));
	control_socket_close(&s);
}
END_TEST

START_TEST(taken)
{
	char expected[32];

	ck_assert_int_eq(control_socket_open(&s, path, "a VM named a", &err), 0);
	ck_assert_int_eq(control_socket_open(&other, path, "a VM named a", &err), -EADDRINUSE);
	snprintf(expected, sizeof(expected), "(PID %ld,", (long)getpid());
	ck_assert_msg(strstr(err.text, "a VM named a is running already"), "%s", err.text);
	ck_assert_ptr_nonnull(strstr(err.text, expected));
	ck_assert_int_eq(other.fd, -1);
	control_socket_close(&other);
	ck_assert_int_eq(try_connect(path), 0);
	ck_assert(!control_remove_stale(path));
	ck_assert_int_eq(try_connect(path), 0);
}
END_TEST

/* Somebody else's socket, and what is no socket, stay as they are. */
START_TEST(foreign)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	FILE *file;

	strcpy(addr.sun_path, path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert_int_eq(control_socket_open(&s, path, "it", &err), -EADDRINUSE);
	ck_assert_ptr_nonnull(strstr(err.text, "another program listens there"));
	ck_assert(exists(path));
	close(fd);
	ck_assert_msg(control_socket_open(&s, path, "it", &err) == 0, "%s", err.text);
	control_socket_close(&s);
	file = fopen(path, "w");
	fclose(file);
	ck_assert_int_eq(control_socket_open(&s, path, "it", &err), -EEXIST);
	ck_assert_int_eq(unlink(path), 0);
}
END_TEST

/* A VM that is killed, at the end of this. */
static void make_stale(const char *name)
{
	char where[CONTROL_PATH_MAX];
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (control_path(name, where, &err) == 0 &&
		    control_socket_open(&s, where, "it", &err) == 0)
			raise(SIGKILL);
		_exit(1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
}

START_TEST(stale_is_replaced)
{
	make_stale("a");
	ck_assert(exists(path));
	ck_assert_int_eq(try_connect(path), -ECONNREFUSED);
	ck_assert_msg(control_socket_open(&s, path, "it", &err) == 0, "%s", err.text);
	ck_assert_int_eq(try_connect(path), 0);
}
END_TEST

static char found[256];

static void note(void *ctx, const char *name, const char *where)
{
	strcat(found, name);
	strcat(found, ";");
	ck_assert(exists(where));
}

START_TEST(each)
{
	char lock[CONTROL_PATH_MAX + 8], b[CONTROL_PATH_MAX];

	ck_assert_int_eq(control_socket_open(&s, path, "it", &err), 0);
	make_stale("b");
	make_stale("c.d");
	ck_assert_int_eq(control_path("b", b, &err), 0);
	/* Of one that was killed before it had a socket. */
	snprintf(lock, sizeof(lock), "%s.lock", b);
	ck_assert_int_eq(unlink(b), 0);
	ck_assert_int_eq(control_each(note, NULL, &err), 0);
	ck_assert_str_eq(found, "a;");
	ck_assert(!exists(b) && !exists(lock));
	ck_assert(exists(path));
}
END_TEST

START_TEST(no_directory)
{
	char dir[CONTROL_PATH_MAX];

	ck_assert_int_eq(control_dir(dir, &err), 0);
	ck_assert_int_eq(rmdir(dir), 0);
	ck_assert_int_eq(control_each(note, NULL, &err), 0);
	ck_assert_str_eq(found, "");
	ck_assert_int_eq(symlink("/tmp", dir), 0);
	ck_assert_int_eq(control_make_dir(&err), -EPERM);
	ck_assert_int_eq(unlink(dir), 0);
	ck_assert_int_eq(control_make_dir(&err), 0);
}
END_TEST

/* Many start under one name at once, while others clean up: there is never more than one. */
START_TEST(race)
{
	enum { RACERS = 8 };
	int fds[2], won = 0;
	pid_t winner, last;

	make_stale("a");
	ck_assert_int_eq(pipe(fds), 0);
	for (int i = 0; i < RACERS; i++) {
		if (fork() != 0)
			continue;
		close(fds[0]);
		control_remove_stale(path);
		if (control_socket_open(&s, path, "it", &err) < 0)
			_exit(0);
		winner = getpid();
		if (write(fds[1], &winner, sizeof(winner)) != sizeof(winner))
			_exit(1);
		pause();
	}
	close(fds[1]);
	ck_assert_int_eq(read(fds[0], &winner, sizeof(winner)), sizeof(winner));
	/* All others end by themselves. */
	for (int left = RACERS - 1; left; left--) {
		last = wait(NULL);
		ck_assert_int_gt(last, 0);
		ck_assert_int_ne(last, winner);
	}
	ck_assert_int_eq(try_connect(path), 0);
	kill(winner, SIGKILL);
	ck_assert_int_eq(wait(NULL), winner);
	while (read(fds[0], &last, sizeof(last)) == sizeof(last))
		won++;
	ck_assert_int_eq(won, 0);
	ck_assert(control_remove_stale(path));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control_path");
	TCase *t = tcase_create("control_path");
	SRunner *r = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, names);
	tcase_add_test(t, modes);
	tcase_add_test(t, taken);
	tcase_add_test(t, foreign);
	tcase_add_test(t, stale_is_replaced);
	tcase_add_test(t, each);
	tcase_add_test(t, no_directory);
	tcase_add_test(t, race);
	suite_add_tcase(suite, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
