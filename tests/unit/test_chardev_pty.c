// SPDX-License-Identifier: MIT
/* The pseudo-terminal: readers that come late, leave, return, do not read. */
#include <termios.h>

#include "chardev_fake.h"

/* --- Pseudo-terminal. ---------------------------------------------------------------------- */

static int open_pty(void)
{
	int fd = open(chardev_path(cd), O_RDWR | O_NOCTTY);

	ck_assert_int_ge(fd, 0);
	return fd;
}

START_TEST(pty)
{
	struct termios settings;
	int fd;

	create(CHARDEV_PTY);
	send_text("before anybody came\r\n");
	run_for(loop, 5);
	fd = open_pty();
	ck_assert_int_eq(tcgetattr(fd, &settings), 0);
	ck_assert_uint_eq(settings.c_lflag & (ECHO | ICANON | ISIG), 0);
	expect_at(fd, "before anybody came\r\n");
	send_text("live");
	expect_at(fd, "live");
	type_at(fd, "typed\x01x");
	expect_input("typed\x01x");
	/* Gone, and back. */
	close(fd);
	run_for(loop, 5);
	send_text("meanwhile");
	fd = open_pty();
	expect_at(fd, "meanwhile");
	type_at(fd, "again");
	expect_input("again");
	ck_assert_uint_eq(COUNT(attaches), 2);
	close(fd);
}
END_TEST

START_TEST(pty_somebody_writes_and_leaves)
{
	int fd;

	create(CHARDEV_PTY);
	run_for(loop, 5);
	fd = open_pty();
	type_at(fd, "reboot\n");
	close(fd);
	expect_input("reboot\n");
	/* Output was not lost to the one who left. */
	send_text("later");
	fd = open_pty();
	expect_at(fd, "later");
	close(fd);
}
END_TEST

/* The last one leaves and the next one comes in no time, again and again. */
START_TEST(pty_quick_changes)
{
	char text[16];
	int fd = -1;

	create(CHARDEV_PTY);
	for (unsigned int i = 0; i < 6; i++) {
		close(fd);
		fd = open_pty();
		snprintf(text, sizeof(text), "in %u", i);
		type_at(fd, text);
		if (i % 3 == 0) {
			/* Leaves before the loop has seen anything of it. */
			close(fd);
			fd = -1;
		}
		expect_input(text);
		if (i % 3 == 0)
			fd = open_pty();
		snprintf(text, sizeof(text), "out %u", i);
		send_text(text);
		expect_at(fd, text);
	}
	close(fd);
}
END_TEST

START_TEST(pty_reader_that_does_not_read)
{
	static uint8_t big[100000];
	unsigned int next = 1;
	int fd;

	create(CHARDEV_PTY);
	fd = open_pty();
	run_for(loop, 250);
	/* It holds the output back ... */
	ck_assert(!chardev_write(cd, big, sizeof(big)));
	run_for(loop, 20);
	ck_assert_uint_eq(user.written, 0);
	/* ... until it leaves. */
	close(fd);
	ck_assert(run_until(loop, is_written, &next, 1000));
	send_text("x");
}
END_TEST

START_TEST(pty_input_that_nobody_takes)
{
	char text[2000];
	int fd;

	memset(text, 'x', sizeof(text));
	create(CHARDEV_PTY);
	user.room = 0;
	fd = open_pty();
	ck_assert_int_eq(write(fd, text, sizeof(text)), sizeof(text));
	run_for(loop, 250);
	close(fd);
	run_for(loop, 20);
	/* Does not keep the next one from listening. */
	send_text("hello");
	fd = open_pty();
	expect_at(fd, "hello");
	user.room = 10;
	chardev_input_resume(cd);
	expect_input("xxxxxxxxxx");
	close(fd);
}
END_TEST

START_TEST(pty_scrollback_is_bounded)
{
	static uint8_t chunk[5000];
	size_t total = 0;
	int fd;

	create(CHARDEV_PTY);
	for (unsigned int i = 0; i < 30; i++) {
		memset(chunk, 'a' + (int)i % 26, sizeof(chunk));
		ck_assert(chardev_write(cd, chunk, sizeof(chunk)));
		total += sizeof(chunk);
	}
	ck_assert_uint_eq(COUNT(discarded), total - CHARDEV_SCROLLBACK);
	fd = open_pty();
	peer = (struct peer){.fd = fd, .want = CHARDEV_SCROLLBACK};
	ck_assert(run_until(loop, peer_has, &peer, 2000));
	ck_assert_uint_eq(peer.len, CHARDEV_SCROLLBACK);
	for (size_t i = 0; i < peer.len; i++) {
		size_t at = total - peer.len + i;

		if (peer.text[i] != (char)('a' + at / sizeof(chunk) % 26))
			ck_abort_msg("byte %zu is wrong", i);
	}
	close(fd);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("chardev_pty");
	TCase *tc = tcase_create("chardev_pty");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, pty);
	tcase_add_test(tc, pty_somebody_writes_and_leaves);
	tcase_add_test(tc, pty_quick_changes);
	tcase_add_test(tc, pty_reader_that_does_not_read);
	tcase_add_test(tc, pty_input_that_nobody_takes);
	tcase_add_test(tc, pty_scrollback_is_bounded);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
