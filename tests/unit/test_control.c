// SPDX-License-Identifier: MIT
/* The control socket's server: clients that ask, listen, crowd, flood, stall and leave. */
#include "control_fake.h"

/* --- The owner's methods. --------------------------------------------------------------------- */

static struct control_call *held[CONTROL_CALLS_MAX];
static unsigned int held_count, said;

static void run_say(void *ctx, struct control_call *call, struct json_object *params)
{
	said++;
	ck_assert_ptr_eq(ctx, &held);
	control_reply(call, params ? json_object_get(params) : json_object_new_object());
}

static void run_refuse(void *ctx, struct control_call *call, struct json_object *params)
{
	control_refuse(call, CONTROL_REFUSED, "not now");
}

static void run_hold(void *ctx, struct control_call *call, struct json_object *params)
{
	held[held_count++] = call;
}

/* An answer as large as a status with many disks. */
static void run_large(void *ctx, struct control_call *call, struct json_object *params)
{
	struct json_object *array = json_object_new_array();

	for (int i = 0; i < 8000; i++)
		json_object_array_add(array, json_object_new_int(1000000 + i));
	control_reply(call, array);
}

static const char *const say_params[] = {"word", NULL};

static const struct control_method methods[] = {
	{.name = "say", .run = run_say, .params = say_params},
	{.name = "any", .run = run_say, .any_params = true},
	{.name = "refuse", .run = run_refuse},
	{.name = "hold", .run = run_hold},
	{.name = "large", .run = run_large},
};

static void setup(void)
{
	struct control_config config = {
		.methods = methods, .method_count = ARRAY_SIZE(methods), .ctx = &held};

	start_server(&config);
}

static void teardown(void)
{
	for (unsigned int i = 0; i < held_count; i++)
		control_reply(held[i], json_object_new_object());
	stop_server();
}

/* --- Requests. -------------------------------------------------------------------------------- */

START_TEST(answers)
{
	int fd = new_client();

	ask(fd, "say", 1);
	expect(fd, OK(1));
	say(fd, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"say\",\"params\":{\"word\":7}}\n");
	expect(fd, "{\"jsonrpc\":\"2.0\",\"result\":{\"word\":7},\"id\":2}\n");
	ask(fd, "refuse", 3);
	expect_code(fd, CONTROL_REFUSED);
	ask(fd, "nope", 4);
	expect_code(fd, CONTROL_NO_METHOD);
	say(fd, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"say\",\"params\":{\"words\":7}}\n");
	expect_code(fd, CONTROL_INVALID_PARAMS);
	say(fd, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"any\",\"params\":{\"words\":7}}\n");
	expect(fd, "{\"jsonrpc\":\"2.0\",\"result\":{\"words\":7},\"id\":2}\n");
	close(fd);
	expect_count(0);
}
END_TEST

/* Lines in pieces, several at once, blank, with both line ends; and notifications. */
START_TEST(lines)
{
	int fd = new_client();

	say(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,");
	run_for(loop, 5);
	say(fd, "\"method\":\"say\"}\r\n\n  \r\n{\"jsonrpc\":\"2.0\",\"method\":\"say\"}\n"
		"{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"say\"}\n{\"json");
	expect(fd, OK(1));
	expect(fd, OK(3));
	ck_assert_uint_eq(said, 3);
	say(fd, "rpc\":\"2.0\",\"method\":\"nope\"}\nwhat\n");
	expect_code(fd, CONTROL_PARSE_ERROR);
	ask(fd, "say", 9);
	expect(fd, OK(9));
	close(fd);
}
END_TEST

/* As "echo REQUEST | socat" does it: nothing more comes, but the answer is waited for. */
START_TEST(half_closed)
{
	int fd = new_client();

	ask(fd, "say", 1);
	ask(fd, "hold", 2);
	shutdown(fd, SHUT_WR);
	expect(fd, OK(1));
	ck_assert_uint_eq(held_count, 1);
	held_count = 0;
	control_reply(held[0], json_object_new_object());
	expect(fd, OK(2));
	expect_end(fd);
	expect_count(0);
}
END_TEST

/* A client that asks and leaves is heard. */
START_TEST(hit_and_run)
{
	int fd = new_client();

	ask(fd, "say", 1);
	ask(fd, "hold", 2);
	close(fd);
	expect_count(0);
	ck_assert_uint_eq(said, 1);
	ck_assert_uint_eq(held_count, 1);
	/* And what is answered later has nowhere to go. */
	held_count = 0;
	control_reply(held[0], json_object_new_object());
}
END_TEST

START_TEST(too_long)
{
	static char line[CONTROL_LINE_MAX + 2];
	int fd = new_client();

	memset(line, ' ', sizeof(line));
	memcpy(line, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"say\"}", 39);
	line[CONTROL_LINE_MAX] = '\n';
	say_bytes(fd, line, CONTROL_LINE_MAX + 1);
	expect(fd, OK(1));
	line[CONTROL_LINE_MAX] = ' ';
	say_bytes(fd, line, CONTROL_LINE_MAX + 1);
	expect_code(fd, CONTROL_INVALID_REQUEST);
	expect_end(fd);
}
END_TEST

START_TEST(too_many_calls)
{
	int fd = new_client(), next = new_client();

	for (int i = 0; i < CONTROL_CALLS_MAX; i++)
		ask(fd, "hold", i);
	ask(fd, "say", 99);
	expect_code(fd, CONTROL_REFUSED);
	/* Others are not concerned. */
	ask(next, "say", 1);
	expect(next, OK(1));
	held_count = 0;
	for (int i = 0; i < CONTROL_CALLS_MAX; i++) {
		control_reply(held[i], json_object_new_object());
		free(next_line(fd));
	}
	ask(fd, "say", 7);
	expect(fd, OK(7));
	close(fd);
	close(next);
}
END_TEST

START_TEST(too_many_clients)
{
	int fds[CONTROL_CLIENTS_MAX], extra;

	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		fds[i] = new_client();
		ask(fds[i], "say", 1);
	}
	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
		expect(fds[i], OK(1));
	extra = new_client();
	expect_code(extra, CONTROL_REFUSED);
	expect_end(extra);
	close(fds[0]);
	expect_count(CONTROL_CLIENTS_MAX - 1);
	extra = new_client();
	ask(extra, "say", 1);
	expect(extra, OK(1));
	close(extra);
	for (int i = 1; i < CONTROL_CLIENTS_MAX; i++)
		close(fds[i]);
	expect_count(0);
}
END_TEST

/* --- Events, and those who do not read. ---------------------------------------------------- */

START_TEST(events)
{
	int fd = new_client(), deaf = new_client();

	ask(fd, "subscribe", 1);
	expect(fd, OK(1));
	ask(deaf, "say", 2);
	expect(deaf, OK(2));
	control_event(control, event("x"));
	control_event(control, NULL);
	expect(fd, "{\"jsonrpc\":\"2.0\",\"params\":{\"e\":\"x\"},\"method\":\"event\"}\n");
	/* One that only listens from now on still does. */
	shutdown(fd, SHUT_WR);
	run_for(loop, 5);
	control_event(control, event("y"));
	expect(fd, "{\"jsonrpc\":\"2.0\",\"params\":{\"e\":\"y\"},\"method\":\"event\"}\n");
	ask(deaf, "say", 3);
	expect(deaf, OK(3));
	close(fd);
	expect_count(1);
	close(deaf);
	expect_count(0);
}
END_TEST

START_TEST(slow_subscriber)
{
	int slow = new_client(), fd = new_client();
	unsigned int sent = 0;

	ask(slow, "subscribe", 1);
	ask(fd, "say", 1);
	expect(fd, OK(1));
	while (control_client_count(control) == 2) {
		char text[1001];

		memset(text, 'x', sizeof(text) - 1);
		text[sizeof(text) - 1] = '\0';
		for (int i = 0; i < 100; i++)
			control_event(control, event(text));
		sent += 100;
		ck_assert_uint_lt(sent, 10000);
		run_for(loop, 1);
	}
	ask(fd, "say", 2);
	expect(fd, OK(2));
	close(slow);
	close(fd);
}
END_TEST

/* Asks without end and reads nothing: no longer listened to, until it reads. */
START_TEST(asks_and_never_reads)
{
	static const char line[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"large\"}\n";
	int flood = new_client(), fd = new_client();
	unsigned int sent = 0, got = 0;

	for (int i = 0; i < 50; i++) {
		while (send(flood, line, sizeof(line) - 1, MSG_NOSIGNAL) > 0 && sent < 400)
			sent++;
		run_for(loop, 1);
	}
	ck_assert_uint_gt(sent, 100);
	ask(fd, "say", 2);
	expect(fd, OK(2));
	ck_assert_uint_eq(control_client_count(control), 2);
	for (; got < 6; got++)
		free(next_line(flood));
	close(flood);
	close(fd);
	expect_count(0);
}
END_TEST

/* One that sends without end does not keep the others waiting. */
START_TEST(sends_without_end)
{
	static char junk[KiB(64)];
	int busy = new_client(), fd = new_client();

	memset(junk, '\n', sizeof(junk));
	for (int i = 0; i < 50; i++) {
		while (send(busy, junk, sizeof(junk), MSG_NOSIGNAL) > 0)
			;
		ask(fd, "say", 5);
		expect(fd, OK(5));
	}
	close(busy);
	close(fd);
	expect_count(0);
}
END_TEST

/* --- The end. --------------------------------------------------------------------------------- */

START_TEST(end)
{
	int waiter = new_client(), gone = new_client(), stuck = new_client();

	ask(waiter, "wait", 1);
	ask(waiter, "say", 2);
	expect(waiter, OK(2));
	ask(gone, "wait", 1);
	ask(gone, "say", 2);
	expect(gone, OK(2));
	close(gone);
	expect_count(2);
	for (int i = 0; i < 20; i++)
		ask(stuck, "large", i);
	run_for(loop, 5);
	control_end(control, event("over"));
	expect(waiter, "{\"jsonrpc\":\"2.0\",\"result\":{\"e\":\"over\"},\"id\":1}\n");
	close(waiter);
	close(stuck);
}
END_TEST

START_TEST(end_without_result)
{
	int waiter = new_client();

	ask(waiter, "wait", 1);
	ask(waiter, "say", 2);
	expect(waiter, OK(2));
	control_end(control, NULL);
	expect_code(waiter, CONTROL_INTERNAL);
	close(waiter);
}
END_TEST

/* Clients are there still when all is taken down. */
START_TEST(abandoned)
{
	int fd = new_client();

	ask(fd, "wait", 1);
	ask(fd, "subscribe", 2);
	expect(fd, OK(2));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("control");
	TCase *t = tcase_create("control");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, answers);
	tcase_add_test(t, lines);
	tcase_add_test(t, half_closed);
	tcase_add_test(t, hit_and_run);
	tcase_add_test(t, too_long);
	tcase_add_test(t, too_many_calls);
	tcase_add_test(t, too_many_clients);
	tcase_add_test(t, events);
	tcase_add_test(t, slow_subscriber);
	tcase_add_test(t, asks_and_never_reads);
	tcase_add_test(t, sends_without_end);
	tcase_add_test(t, end);
	tcase_add_test(t, end_without_result);
	tcase_add_test(t, abandoned);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
