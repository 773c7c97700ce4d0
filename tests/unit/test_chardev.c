// SPDX-License-Identifier: MIT
/*
 * Character devices: the life cycle, and the backends without a peer that comes and goes: null,
 * file and stdio. The terminal has tests of its own, test_chardev_tty.
 */
#include <errno.h>

#include "chardev_fake.h"

/* --- Life. --------------------------------------------------------------------------------- */

START_TEST(never_started)
{
	for (int kind = CHARDEV_NULL; kind <= CHARDEV_UNIX; kind++) {
		ck_assert_msg(try_create((enum chardev_kind)kind, path) == 0, "%s", err.text);
		chardev_destroy(cd);
		unlink(path);
		ck_assert_int_eq(try_create((enum chardev_kind)kind, path), 0);
		close_and_destroy();
		unlink(path);
	}
	chardev_destroy(NULL);
}
END_TEST

static unsigned int open_descriptors(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

START_TEST(descriptors_are_closed)
{
	unsigned int before = open_descriptors();

	for (int kind = CHARDEV_NULL; kind <= CHARDEV_UNIX; kind++) {
		create((enum chardev_kind)kind);
		run_for(loop, 2);
		close_and_destroy();
		unlink(path);
		ck_assert_uint_eq(open_descriptors(), before);
	}
	ck_assert_int_lt(try_create(CHARDEV_UNIX, "/none/x"), 0);
	ck_assert_int_lt(try_create(CHARDEV_FILE, "/none/x"), 0);
	ck_assert_uint_eq(open_descriptors(), before);
	cd = NULL;
}
END_TEST

START_TEST(null)
{
	create(CHARDEV_NULL);
	ck_assert(chardev_write(cd, (const uint8_t *)"abc", 3));
	ck_assert_uint_eq(COUNT(bytes_out), 3);
	chardev_input_resume(cd);
	ck_assert_ptr_null(chardev_path(cd));
}
END_TEST

START_TEST(writing_after_close)
{
	create(CHARDEV_NULL);
	chardev_close(cd, set_flag, &is_closed);
	ck_assert(chardev_write(cd, (const uint8_t *)"abc", 3));
	ck_assert_uint_eq(COUNT(discarded), 3);
	chardev_input_resume(cd);
	ck_assert(run_until(loop, flag_is_set, &is_closed, 1000));
	chardev_destroy(cd);
	cd = NULL;
}
END_TEST

/* --- File. --------------------------------------------------------------------------------- */

START_TEST(file)
{
	struct stat st;

	umask(022);
	create(CHARDEV_FILE);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0644);
	send_text("one ");
	send_text("two");
	expect_file("one two");
	close_and_destroy();
	create(CHARDEV_FILE);
	expect_file("");
	ck_assert_str_eq(chardev_path(cd), path);
}
END_TEST

START_TEST(file_on_a_full_disk)
{
	ck_assert_int_eq(try_create(CHARDEV_FILE, "/dev/full"), 0);
	chardev_start(cd, &user_ops, &user);
	send_text("lost");
	send_text("lost too");
	ck_assert_uint_eq(COUNT(discarded), 12);
	ck_assert_uint_eq(COUNT(errors), 2);
	ck_assert_uint_eq(COUNT(bytes_out), 0);
}
END_TEST

START_TEST(file_that_cannot_be_opened)
{
	snprintf(path, sizeof(path), "%s/none/x", dir);
	ck_assert_int_eq(try_create(CHARDEV_FILE, path), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, path));
	ck_assert_int_eq(try_create(CHARDEV_FILE, dir), -EISDIR);
}
END_TEST

START_TEST(file_is_a_named_pipe)
{
	int fd;

	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(try_create(CHARDEV_FILE, path), -ENXIO);
	ck_assert_ptr_nonnull(strstr(err.text, "reader"));
	fd = open(path, O_RDONLY | O_NONBLOCK);
	create(CHARDEV_FILE);
	send_text("through the pipe");
	expect_at(fd, "through the pipe");
	close(fd);
	send_text("gone");
	ck_assert_uint_eq(COUNT(discarded), 4);
}
END_TEST

/* --- Stdio, not on a terminal. ------------------------------------------------------------- */

static int stdin_end, stdout_end;

/* @flags of the ends that the process inherits. */
static void use_pipes(int flags)
{
	int in[2], out[2];

	ck_assert_int_eq(pipe2(in, O_CLOEXEC | flags), 0);
	ck_assert_int_eq(pipe2(out, O_CLOEXEC | flags), 0);
	dup2(in[0], STDIN_FILENO);
	dup2(out[1], STDOUT_FILENO);
	close(in[0]);
	close(out[1]);
	stdin_end = in[1];
	stdout_end = out[0];
}

static void type(const char *text)
{
	ck_assert_int_eq(write(stdin_end, text, strlen(text)), (ssize_t)strlen(text));
}

START_TEST(stdio_pipes)
{
	use_pipes(_i ? O_NONBLOCK : 0);
	create(CHARDEV_STDIO);
	send_text("out");
	expect_at(stdout_end, "out");
	run_for(loop, 10);
	/* Every byte is the guest's: no escape key off a terminal. */
	type("in \x01x");
	expect_input("in \x01x");
	/* Inherited descriptors are left as they were. */
	ck_assert_int_eq(fcntl(STDIN_FILENO, F_GETFL) & O_NONBLOCK, _i ? O_NONBLOCK : 0);
	ck_assert_int_eq(fcntl(STDOUT_FILENO, F_GETFL) & O_NONBLOCK, _i ? O_NONBLOCK : 0);
}
END_TEST

START_TEST(stdio_slow_reader)
{
	static uint8_t big[100000];
	unsigned int next = 1;

	use_pipes(_i ? O_NONBLOCK : 0);
	create(CHARDEV_STDIO);
	ck_assert(!chardev_write(cd, big, sizeof(big)));
	run_for(loop, 20);
	ck_assert_uint_eq(user.written, 0);
	peer = (struct peer){.fd = stdout_end, .want = sizeof(big)};
	ck_assert(run_until(loop, peer_has, &peer, 1000));
	ck_assert(run_until(loop, is_written, &next, 1000));
	ck_assert_uint_eq(COUNT(bytes_out), sizeof(big));
	/* One that never reads does not keep us from closing. */
	ck_assert(!chardev_write(cd, big, sizeof(big)));
	run_for(loop, 10);
	close_and_destroy();
	ck_assert_uint_eq(user.written, 1);
}
END_TEST

START_TEST(stdio_back_pressure)
{
	use_pipes(0);
	user.room = 3;
	create(CHARDEV_STDIO);
	type("abcdef");
	expect_input("abc");
	run_for(loop, 5);
	ck_assert_uint_eq(user.len, 0);
	user.room = 1;
	chardev_input_resume(cd);
	expect_input("d");
	user.room = 100;
	chardev_input_resume(cd);
	expect_input("ef");
	type("g");
	expect_input("g");
	close(stdin_end);
	run_for(loop, 5);
	chardev_input_resume(cd);
	send_text("still here");
	expect_at(stdout_end, "still here");
}
END_TEST

START_TEST(stdio_closed)
{
	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	create(CHARDEV_STDIO);
	send_text("nowhere");
	chardev_input_resume(cd);
	run_for(loop, 5);
	ck_assert_uint_eq(COUNT(discarded), 7);
	ck_assert_uint_eq(user.len, 0);
}
END_TEST

START_TEST(stdio_dev_null)
{
	int fd = open("/dev/null", O_RDWR);

	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	close(fd);
	create(CHARDEV_STDIO);
	send_text("nowhere");
	run_for(loop, 5);
	ck_assert_uint_eq(COUNT(bytes_out), 7);
}
END_TEST

START_TEST(stdio_input_file)
{
	int fd;

	write_file("commands\n");
	fd = open(path, O_RDONLY);
	dup2(fd, STDIN_FILENO);
	close(fd);
	create(CHARDEV_STDIO);
	expect_input("commands\n");
}
END_TEST

START_TEST(stdio_reader_leaves)
{
	use_pipes(0);
	create(CHARDEV_STDIO);
	close(stdout_end);
	send_text("one");
	ck_assert_uint_eq(user.written, 1);
	ck_assert(chardev_write(cd, (const uint8_t *)"two", 3));
	ck_assert_uint_eq(COUNT(discarded), 6);
	type("input goes on");
	expect_input("input goes on");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("chardev");
	TCase *tc = tcase_create("chardev");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, never_started);
	tcase_add_test(tc, descriptors_are_closed);
	tcase_add_test(tc, null);
	tcase_add_test(tc, writing_after_close);
	tcase_add_test(tc, file);
	tcase_add_test(tc, file_on_a_full_disk);
	tcase_add_test(tc, file_that_cannot_be_opened);
	tcase_add_test(tc, file_is_a_named_pipe);
	tcase_add_loop_test(tc, stdio_pipes, 0, 2);
	tcase_add_loop_test(tc, stdio_slow_reader, 0, 2);
	tcase_add_test(tc, stdio_back_pressure);
	tcase_add_test(tc, stdio_closed);
	tcase_add_test(tc, stdio_dev_null);
	tcase_add_test(tc, stdio_input_file);
	tcase_add_test(tc, stdio_reader_leaves);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
