// SPDX-License-Identifier: MIT
/* Connections of the control socket that become something else, and who asked for what. */
#include "control_fake.h"

static unsigned int said, requests;
static struct control_call *held;

/* What was handed over: the last connection, or -1 when its client had gone. */
static int taken_fd;
static unsigned int taken;
static char taken_early[32];

static void take(void *arg, int fd, const char *early, size_t len)
{
	ck_assert_ptr_eq(arg, taken_early);
	taken++;
	taken_fd = fd;
	ck_assert_uint_lt(len, sizeof(taken_early));
	if (len)
		memcpy(taken_early, early, len);
	taken_early[len] = '\0';
}

static void run_stream(void *ctx, struct control_call *call, struct json_object *params)
{
	struct json_object *result = json_object_new_object();

	if (control_hand_over(call, result, take, taken_early))
		return;
	json_object_put(result);
	control_refuse(call, CONTROL_REFUSED, "busy");
}

static void run_say(void *ctx, struct control_call *call, struct json_object *params)
{
	said++;
	control_reply(call, json_object_new_object());
}

static void run_hold(void *ctx, struct control_call *call, struct json_object *params)
{
	held = call;
}

/* More than a connection takes at once. */
static void run_large(void *ctx, struct control_call *call, struct json_object *params)
{
	struct json_object *array = json_object_new_array();

	for (int i = 0; i < 8000; i++)
		json_object_array_add(array, json_object_new_int(1000000 + i));
	control_reply(call, array);
}

static const struct control_method methods[] = {
	{.name = "say", .run = run_say},       {.name = "change", .run = run_say, .changes = true},
	{.name = "hold", .run = run_hold},     {.name = "large", .run = run_large},
	{.name = "stream", .run = run_stream},
};

static void on_request(void *ctx, const char *method, pid_t pid, uid_t uid)
{
	ck_assert_ptr_eq(ctx, &said);
	ck_assert_str_eq(method, "change");
	ck_assert_int_eq(pid, getpid());
	ck_assert_uint_eq(uid, getuid());
	requests++;
}

static void setup(void)
{
	struct control_config config = {.methods = methods,
					.method_count = ARRAY_SIZE(methods),
					.requested = on_request,
					.ctx = &said};

	start_server(&config);
}

static void teardown(void)
{
	if (held)
		control_reply(held, json_object_new_object());
	stop_server();
}

static bool is_taken(void *ctx)
{
	return taken == *(unsigned int *)ctx;
}

static void expect_taken(unsigned int count)
{
	ck_assert(run_until(loop, is_taken, &count, 5000));
}

START_TEST(hand_over)
{
	int fd = new_client();

	say(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"stream\"}\nraw \n bytes");
	expect(fd, OK(1));
	expect_taken(1);
	ck_assert_str_eq(taken_early, "raw \n bytes");
	expect_count(0);
	/* What is said from now on is nobody's request. */
	ask(fd, "say", 2);
	ck_assert_int_eq(write(taken_fd, "x\n", 2), 2);
	expect(fd, "x\n");
	ck_assert_uint_eq(said, 0);
	close(taken_fd);
	close(fd);
}
END_TEST

START_TEST(hand_over_refused)
{
	int fd = new_client();

	ask(fd, "hold", 1);
	ask(fd, "stream", 2);
	expect_code(fd, CONTROL_REFUSED);
	close(fd);
	fd = new_client();
	ask(fd, "subscribe", 1);
	expect(fd, OK(1));
	ask(fd, "stream", 2);
	expect_code(fd, CONTROL_REFUSED);
	ask(fd, "say", 3);
	expect(fd, OK(3));
	ck_assert_uint_eq(taken, 0);
	close(fd);
}
END_TEST

/* What one that has left asked for is done; its connection then says that it has left. */
START_TEST(hand_over_to_nobody)
{
	int fd = new_client();
	char byte;

	ask(fd, "stream", 1);
	say(fd, "last");
	close(fd);
	expect_taken(1);
	ck_assert_str_eq(taken_early, "last");
	ck_assert_int_ge(taken_fd, 0);
	ck_assert_int_eq(recv(taken_fd, &byte, 1, MSG_DONTWAIT), 0);
	close(taken_fd);
}
END_TEST

/* The answer cannot leave before the server ends. */
START_TEST(hand_over_never)
{
	int fd = new_client(), i;

	for (i = 1; i < CONTROL_CALLS_MAX; i++)
		ask(fd, "large", i);
	ask(fd, "stream", i);
	run_for(loop, 20);
	ck_assert_uint_eq(taken, 0);
	loop_destroy(loop);
	control_destroy(control);
	loop = new_loop();
	control = NULL;
	close(fd);
}
END_TEST

/* Who asks for a change is known; a question is nobody's business. */
START_TEST(who_asks)
{
	int fd = new_client();

	ask(fd, "say", 1);
	expect(fd, OK(1));
	ck_assert_uint_eq(requests, 0);
	ask(fd, "change", 2);
	expect(fd, OK(2));
	ck_assert_uint_eq(requests, 1);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("control_stream");
	TCase *tc = tcase_create("control_stream");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, hand_over);
	tcase_add_test(tc, hand_over_refused);
	tcase_add_test(tc, hand_over_to_nobody);
	tcase_add_test(tc, hand_over_never);
	tcase_add_test(tc, who_asks);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
