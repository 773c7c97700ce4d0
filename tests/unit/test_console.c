// SPDX-License-Identifier: MIT
/* A console that is attached to: what clients get, what they type, how they leave, and its end. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "chardev_fake.h"
#include "devices/char/console.h"

#define SIZE KiB(4)

static struct console *console;

static void create_console(void)
{
	const struct chardev_config inner = {.kind = CHARDEV_UNIX, .path = path};
	struct console_config config = {.size = SIZE};

	setup();
	config.loop = loop;
	ck_assert_msg(chardev_create(loop, &inner, &err, &config.inner) == 0, "%s", err.text);
	ck_assert_msg(console_create(&config, &err, &console) == 0, "%s", err.text);
	cd = console_chardev(console);
	ck_assert_str_eq(chardev_path(cd), path);
	chardev_start(cd, &user_ops, &user);
}

/* Our end of a new client's connection. */
static int attach_with(const struct console_options *options, const char *early)
{
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
			 0);
	console_attach(console, fds[0], options, early, strlen(early));
	return fds[1];
}

static int attach(void)
{
	const struct console_options options = {.lines = CONSOLE_LINES_ALL};

	return attach_with(&options, "");
}

static bool clients_are(void *ctx)
{
	return console_client_count(console) == *(unsigned int *)ctx;
}

static void expect_clients(unsigned int count)
{
	ck_assert(run_until(loop, clients_are, &count, 2000));
}

START_TEST(scrollback_and_live)
{
	int fd;

	send_text("before\n");
	fd = attach();
	expect_at(fd, "before\n");
	send_text("live\n");
	expect_at(fd, "live\n");
	close(fd);
	expect_clients(0);
	send_text("meanwhile\n");
	fd = attach();
	expect_at(fd, "before\nlive\nmeanwhile\n");
	close(fd);
	expect_clients(0);
	ck_assert_uint_eq(counter_get(&console_counters(console)->attaches), 2);
}
END_TEST

START_TEST(some_lines)
{
	const struct console_options two = {.lines = 2}, none = {.lines = 0};
	int fd;

	send_text("one\ntwo\nthree\n");
	ck_assert_uint_eq(console_kept(console, &two), 10);
	ck_assert_uint_eq(console_kept(console, &none), 0);
	fd = attach_with(&two, "");
	expect_at(fd, "two\nthree\n");
	close(fd);
	fd = attach_with(&none, "");
	run_for(loop, 5);
	send_text("four\n");
	expect_at(fd, "four\n");
	close(fd);
}
END_TEST

START_TEST(many_type)
{
	int first, second;

	first = attach();
	second = attach();
	type_at(first, "one ");
	expect_input("one ");
	type_at(second, "two ");
	expect_input("two ");
	close(first);
	type_at(second, "three");
	expect_input("three");
	close(second);
}
END_TEST

START_TEST(early_input)
{
	const struct console_options options = {.lines = 0};
	static char large[3000];
	int fd = attach_with(&options, "poweroff\n");

	type_at(fd, "more");
	expect_input("poweroff\nmore");
	close(fd);
	memset(large, 'x', sizeof(large) - 1);
	fd = attach_with(&options, large);
	expect_input(large);
	close(fd);
}
END_TEST

/* Room for one byte at a time: whoever gets it is the last the next time. */
START_TEST(turns)
{
	size_t want = 1;
	int first, second;

	user.room = 0;
	first = attach();
	second = attach();
	type_at(first, "aaaa");
	type_at(second, "bbbb");
	run_for(loop, 10);
	for (int i = 0; i < 8; i++, want++) {
		user.room = 1;
		chardev_input_resume(cd);
		ck_assert(run_until(loop, has_input, &want, 1000));
	}
	ck_assert_msg(!memcmp(user.input, "abababab", 8) || !memcmp(user.input, "babababa", 8),
		      "%.8s", user.input);
	close(first);
	close(second);
}
END_TEST

START_TEST(left_with_input)
{
	int fd;

	user.room = 2;
	fd = attach();
	type_at(fd, "bye");
	close(fd);
	run_for(loop, 10);
	/* It stays until the guest has taken its last byte. */
	ck_assert_uint_eq(console_client_count(console), 1);
	user.room = 10;
	chardev_input_resume(cd);
	expect_input("bye");
	expect_clients(0);
}
END_TEST

START_TEST(read_only)
{
	const struct console_options options = {.lines = CONSOLE_LINES_ALL, .read_only = true};
	int fd = attach_with(&options, "early");

	run_for(loop, 5);
	ck_assert_int_eq(send(fd, "x", 1, MSG_NOSIGNAL), -1);
	ck_assert_int_eq(errno, EPIPE);
	send_text("seen");
	expect_at(fd, "seen");
	ck_assert_uint_eq(user.len, 0);
	close(fd);
	expect_clients(0);
}
END_TEST

START_TEST(once)
{
	const struct console_options options = {.lines = CONSOLE_LINES_ALL, .once = true};
	int fd;

	send_text("kept");
	user.room = 0;
	fd = attach_with(&options, "");
	type_at(fd, "in");
	shutdown(fd, SHUT_WR);
	expect_at(fd, "kept");
	run_for(loop, 10);
	ck_assert_uint_eq(console_client_count(console), 1);
	user.room = 10;
	chardev_input_resume(cd);
	expect_input("in");
	expect_end_at(fd);
	close(fd);
}
END_TEST

/* It no longer sends, and still listens. */
START_TEST(half_closed)
{
	int fd = attach();

	shutdown(fd, SHUT_WR);
	run_for(loop, 10);
	send_text("still");
	expect_at(fd, "still");
	close(fd);
	expect_clients(0);
}
END_TEST

/* The guest is not held up, and who falls behind is told how far. */
START_TEST(slow_reader)
{
	const struct console_options options = {.lines = 0};
	static uint8_t line[100];
	unsigned long long skipped;
	uint64_t sent = 0;
	char *notice;
	size_t tail;
	int fd = attach_with(&options, ""), size = 4096;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\n';
	run_for(loop, 5);
	while (sent < MiB(2)) {
		send_bytes(line, sizeof(line));
		sent += sizeof(line);
	}
	send_text("the end\n");
	sent += 8;
	peer = (struct peer){.fd = fd, .want = sizeof(peer.text)};
	run_until(loop, peer_has, &peer, 200);
	ck_assert_uint_lt(peer.len, sizeof(peer.text));
	peer.text[peer.len] = 0;
	notice = strstr(peer.text, "\r\n[candela: ");
	ck_assert_ptr_nonnull(notice);
	ck_assert_int_eq(sscanf(notice, "\r\n[candela: %llu bytes skipped]", &skipped), 1);
	ck_assert_uint_eq(skipped, counter_get(&console_counters(console)->skipped));
	/* Before and behind the notice it is what the guest sent, and lines begin behind it. */
	tail = strlen(strstr(notice, "]\r\n") + 3);
	ck_assert_uint_eq((uint64_t)(notice - peer.text) + skipped + tail, sent);
	ck_assert_str_eq(peer.text + peer.len - 8, "the end\n");
	ck_assert_uint_eq((tail - 8) % sizeof(line), 0);
	ck_assert_uint_ge(tail, SIZE / 2 - sizeof(line));
	close(fd);
}
END_TEST

START_TEST(as_many_as_there_may_be)
{
	int fds[CONSOLE_CLIENTS_MAX], one;

	for (unsigned int i = 0; i < CONSOLE_CLIENTS_MAX; i++) {
		ck_assert_int_eq(console_check(console), 0);
		fds[i] = attach();
	}
	ck_assert_int_eq(console_check(console), -EBUSY);
	one = attach();
	expect_end_at(one);
	close(one);
	send_text("all");
	for (unsigned int i = 0; i < CONSOLE_CLIENTS_MAX; i++) {
		expect_at(fds[i], "all");
		close(fds[i]);
	}
	expect_clients(0);
	ck_assert_int_eq(console_check(console), 0);
}
END_TEST

START_TEST(break_key)
{
	ck_assert(console_break(console));
	ck_assert_uint_eq(user.breaks, 1);
	user.room = 0;
	ck_assert(!console_break(console));
}
END_TEST

/* The character device behind it sees and types as if nobody were attached. */
START_TEST(behind_it)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = attach(), inner = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, path);
	ck_assert_int_eq(connect(inner, (struct sockaddr *)&addr, sizeof(addr)), 0);
	send_text("both");
	expect_at(fd, "both");
	expect_at(inner, "both");
	type_at(inner, "from inner");
	expect_input("from inner");
	user.room = 3;
	type_at(inner, "123456");
	run_for(loop, 10);
	type_at(fd, "abc");
	run_for(loop, 10);
	user.room = 100;
	chardev_input_resume(cd);
	expect_input("123456abc");
	close(inner);
	close(fd);
}
END_TEST

static bool is_closing_done(void *ctx)
{
	return is_closed;
}

START_TEST(the_end)
{
	const struct console_options options = {.lines = CONSOLE_LINES_ALL};
	int reader = attach(), stuck = attach(), late;
	static uint8_t big[MiB(1)];

	memset(big, 'x', sizeof(big));
	while (console_client_count(console) && !counter_get(&console_counters(console)->skipped)) {
		send_bytes(big, SIZE);
		peer = (struct peer){.fd = reader, .want = SIZE};
		ck_assert(run_until(loop, peer_has, &peer, 2000));
		ck_assert_uint_eq(peer.len, SIZE);
	}
	send_text("last words");
	chardev_close(cd, set_flag, &is_closed);
	ck_assert_int_eq(console_check(console), -ESHUTDOWN);
	late = attach_with(&options, "");
	expect_at(reader, "last words");
	expect_end_at(reader);
	/* One that does not take what is left does not hold it up for long. */
	ck_assert(run_until(loop, is_closing_done, NULL, 2000));
	expect_end_at(late);
	chardev_destroy(cd);
	cd = NULL;
	close(reader);
	close(stuck);
	close(late);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("console");
	TCase *tc = tcase_create("console");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, create_console, teardown);
	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, scrollback_and_live);
	tcase_add_test(tc, some_lines);
	tcase_add_test(tc, many_type);
	tcase_add_test(tc, early_input);
	tcase_add_test(tc, turns);
	tcase_add_test(tc, left_with_input);
	tcase_add_test(tc, read_only);
	tcase_add_test(tc, once);
	tcase_add_test(tc, half_closed);
	tcase_add_test(tc, slow_reader);
	tcase_add_test(tc, as_many_as_there_may_be);
	tcase_add_test(tc, break_key);
	tcase_add_test(tc, behind_it);
	tcase_add_test(tc, the_end);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
