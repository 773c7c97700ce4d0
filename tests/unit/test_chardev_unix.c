// SPDX-License-Identifier: MIT
/* The Unix socket: clients that come late, leave, return, crowd; and its path. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "chardev_fake.h"

/* --- Unix socket. -------------------------------------------------------------------------- */

static int try_connect(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, path);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	close(fd);
	return -1;
}

static int connect_client(void)
{
	int fd = try_connect();

	ck_assert_int_ge(fd, 0);
	return fd;
}

START_TEST(unix_client)
{
	struct stat st;
	int fd;

	create(CHARDEV_UNIX);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	ck_assert_str_eq(chardev_path(cd), path);
	send_text("before");
	send_text(" anybody");
	fd = connect_client();
	expect_at(fd, "before anybody");
	send_text("live");
	expect_at(fd, "live");
	type_at(fd, "typed");
	expect_input("typed");
	close(fd);
	run_for(loop, 5);
	send_text("meanwhile");
	fd = connect_client();
	expect_at(fd, "meanwhile");
	/* What it sent right before it left still arrives. */
	type_at(fd, "bye");
	close(fd);
	expect_input("bye");
	ck_assert_uint_eq(COUNT(attaches), 2);
	close_and_destroy();
	ck_assert_int_lt(stat(path, &st), 0);
}
END_TEST

START_TEST(unix_second_client)
{
	int first, second;

	create(CHARDEV_UNIX);
	first = connect_client();
	second = connect_client();
	expect_at(second, "candela: another client is attached to this console\r\n");
	expect_end_at(second);
	close(second);
	ck_assert_uint_eq(COUNT(refused), 1);
	send_text("hi");
	expect_at(first, "hi");
	/* When the first has left, the next may come at once. */
	close(first);
	second = connect_client();
	send_text("you");
	expect_at(second, "you");
	close(second);
}
END_TEST

START_TEST(unix_half_closed)
{
	int fd, next;

	create(CHARDEV_UNIX);
	fd = connect_client();
	type_at(fd, "cmd");
	shutdown(fd, SHUT_WR);
	expect_input("cmd");
	run_for(loop, 5);
	send_text("answer");
	expect_at(fd, "answer");
	/* A silent leave is noticed when somebody else comes, */
	close(fd);
	run_for(loop, 5);
	next = connect_client();
	send_text("next");
	expect_at(next, "next");
	/* or when there is something to tell, which is then kept. */
	shutdown(next, SHUT_WR);
	run_for(loop, 5);
	close(next);
	send_text("kept");
	fd = connect_client();
	expect_at(fd, "kept");
	close(fd);
}
END_TEST

START_TEST(unix_client_that_does_not_read)
{
	static uint8_t big[1 << 20];
	unsigned int next = 1;
	int fd;

	create(CHARDEV_UNIX);
	fd = connect_client();
	run_for(loop, 5);
	ck_assert(!chardev_write(cd, big, sizeof(big)));
	run_for(loop, 20);
	ck_assert_uint_eq(user.written, 0);
	close(fd);
	ck_assert(run_until(loop, is_written, &next, 1000));
	/* The end, with one attached and stuck. */
	fd = connect_client();
	run_for(loop, 5);
	ck_assert(!chardev_write(cd, big, sizeof(big)));
	run_for(loop, 5);
	close_and_destroy();
	close(fd);
}
END_TEST

START_TEST(unix_scrollback_goes_first)
{
	static uint8_t big[CHARDEV_SCROLLBACK];
	size_t total = 0;
	int fd;

	create(CHARDEV_UNIX);
	memset(big, 'a', sizeof(big));
	ck_assert(chardev_write(cd, big, sizeof(big) - 100));
	ck_assert(chardev_write(cd, big, 200)); /* wraps */
	fd = connect_client();
	while (!COUNT(attaches))
		run_for(loop, 1);
	memset(big, 'b', sizeof(big));
	send_bytes(big, 50000);
	total = sizeof(big) + 50000;
	peer = (struct peer){.fd = fd, .want = total};
	ck_assert(run_until(loop, peer_has, &peer, 2000));
	ck_assert_uint_eq(peer.len, total);
	for (size_t i = 0; i < total; i++) {
		if (peer.text[i] != (i < sizeof(big) ? 'a' : 'b'))
			ck_abort_msg("byte %zu is wrong", i);
	}
	close(fd);
}
END_TEST

START_TEST(unix_back_pressure)
{
	int fd;

	user.room = 2;
	create(CHARDEV_UNIX);
	fd = connect_client();
	type_at(fd, "abcd");
	expect_input("ab");
	close(fd);
	run_for(loop, 5);
	user.room = 10;
	chardev_input_resume(cd);
	expect_input("cd");
	fd = connect_client();
	type_at(fd, "ef");
	expect_input("ef");
	close(fd);
}
END_TEST

START_TEST(unix_stale_socket)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(addr.sun_path, path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	/* Somebody listens there. */
	ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert_int_eq(try_create(CHARDEV_UNIX, path), -EADDRINUSE);
	ck_assert_ptr_nonnull(strstr(err.text, path));
	/* Nobody does any more. */
	close(fd);
	create(CHARDEV_UNIX);
	close(connect_client());
}
END_TEST

START_TEST(unix_somebody_elses_file)
{
	struct stat st;

	write_file("precious");
	ck_assert_int_eq(try_create(CHARDEV_UNIX, path), -EEXIST);
	ck_assert_ptr_nonnull(strstr(err.text, "not a socket"));
	expect_file("precious");
	unlink(path);
	/* Ours was replaced while we ran: not ours to remove. */
	create(CHARDEV_UNIX);
	unlink(path);
	write_file("precious");
	close_and_destroy();
	ck_assert_int_eq(stat(path, &st), 0);
}
END_TEST

START_TEST(unix_bad_paths)
{
	char name[200];
	size_t len = strlen(dir);

	ck_assert_int_eq(try_create(CHARDEV_UNIX, ""), -EINVAL);
	memset(name, 'x', sizeof(name));
	memcpy(name, dir, len);
	name[len] = '/';
	name[108] = 0;
	ck_assert_int_eq(try_create(CHARDEV_UNIX, name), -ENAMETOOLONG);
	ck_assert_ptr_nonnull(strstr(err.text, "107"));
	ck_assert_ptr_nonnull(strstr(err.text, "108"));
	name[107] = 0;
	ck_assert_msg(try_create(CHARDEV_UNIX, name) == 0, "%s", err.text);
	chardev_destroy(cd);
	cd = NULL;
	snprintf(name, sizeof(name), "%s/none/x", dir);
	ck_assert_int_eq(try_create(CHARDEV_UNIX, name), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, name));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("chardev_unix");
	TCase *tc = tcase_create("chardev_unix");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, unix_client);
	tcase_add_test(tc, unix_second_client);
	tcase_add_test(tc, unix_half_closed);
	tcase_add_test(tc, unix_client_that_does_not_read);
	tcase_add_test(tc, unix_scrollback_goes_first);
	tcase_add_test(tc, unix_back_pressure);
	tcase_add_test(tc, unix_stale_socket);
	tcase_add_test(tc, unix_somebody_elses_file);
	tcase_add_test(tc, unix_bad_paths);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
