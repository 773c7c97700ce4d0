// SPDX-License-Identifier: MIT
/* The client of control sockets, against servers that answer well, badly, late and not at all. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "candela/control_client.h"
#include "candela/control_path.h"

static char dir[64], path[CONTROL_PATH_MAX];
static struct control_socket s = {.fd = -1, .lock_fd = -1};
static struct control_client *client;
static struct json_object *result;
static struct error err;
static pid_t server;

static void setup(void)
{
	strcpy(dir, "/tmp/client-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	ck_assert_int_eq(control_socket_open(&s, path, "it", &err), 0);
}

static void teardown(void)
{
	control_disconnect(client);
	json_object_put(result);
	if (server) {
		kill(server, SIGKILL);
		ck_assert_int_eq(waitpid(server, NULL, 0), server);
	}
	control_socket_close(&s);
	ck_assert_int_eq(rmdir(dir), 0);
}

/* Reads a line for each of @answers, and says that one. */
static void serve(const char *const *answers, bool stays)
{
	int fd;
	char c;

	server = fork();
	ck_assert_int_ge(server, 0);
	if (server > 0)
		return;
	while ((fd = accept(s.fd, NULL, NULL)) < 0)
		usleep(1000);
	for (; *answers; answers++) {
		do {
			if (read(fd, &c, 1) != 1)
				_exit(1);
		} while (c != '\n');
		if (write(fd, *answers, strlen(*answers)) < 0)
			_exit(1);
	}
	while (stays)
		pause();
	_exit(0);
}

static int ask(int timeout_ms)
{
	int r;

	ck_assert_msg(control_connect(path, &err, &client) == 0, "%s", err.text);
	r = control_ask(client, "status", NULL, timeout_ms, &err, &result);
	return r;
}

START_TEST(answer)
{
	static const char *const answers[] = {
		"{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{\"event\":\"x\"}}\n"
		"{\"jsonrpc\":\"2.0\",\"id\":77,\"result\":{\"old\":1}}\n"
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":5}}\n",
		"{\"jsonrpc\":\"2.0\",\"id\":2,"
		"\"error\":{\"code\":-32000,\"message\":\"not now\"}}\n",
		NULL};
	struct json_object *second;

	serve(answers, false);
	ck_assert_msg(ask(5000) == 0, "%s", err.text);
	ck_assert_str_eq(json_object_to_json_string(result), "{ \"a\": 5 }");
	ck_assert_int_eq(control_ask(client, "x", NULL, 5000, &err, &second), -EREMOTEIO);
	ck_assert_ptr_nonnull(strstr(err.text, "not now"));
	ck_assert_int_eq(control_wait_gone(client, 5000, &err), 0);
}
END_TEST

START_TEST(events)
{
	static const char *const answers[] = {
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n"
		"{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{\"event\":\"x\"}}\n"
		"{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{\"event\":\"y\"}}\n",
		NULL};
	struct json_object *event;

	serve(answers, false);
	ck_assert_int_eq(ask(5000), 0);
	for (const char *name = "x\0y"; *name; name += 2) {
		struct json_object *value;

		ck_assert_int_eq(control_next_event(client, 5000, &err, &event), 0);
		ck_assert(json_object_object_get_ex(event, "event", &value));
		ck_assert_str_eq(json_object_get_string(value), name);
		json_object_put(event);
		if (*name == 'y')
			break;
	}
	ck_assert_int_eq(control_next_event(client, 5000, &err, &event), -EPIPE);
}
END_TEST

struct bad_row {
	const char *answer;
	int r;
};

static const struct bad_row bad_rows[] = {
	{"hello\n", -EPROTO},
	{"[]\n", -EPROTO},
	{"{\"id\":1}\n", -EPROTO},
	{"{\"id\":1,\"error\":7}\n", -EREMOTEIO},
	{"{\"id\":1,\"error\":{\"message\":null}}\n", -EREMOTEIO},
	{"{\"id\":1,\"result\":", -EPIPE},
	{"", -EPIPE},
};

START_TEST(bad)
{
	const char *const answers[] = {bad_rows[_i].answer, NULL};

	serve(answers, false);
	ck_assert_int_eq(ask(5000), bad_rows[_i].r);
	ck_assert_uint_gt(strlen(err.text), 0);
}
END_TEST

START_TEST(silent)
{
	static const char *const answers[] = {"{\"id\"", NULL};

	serve(answers, true);
	ck_assert_int_eq(ask(50), -ETIMEDOUT);
	ck_assert_int_eq(control_wait_gone(client, 20, &err), -ETIMEDOUT);
}
END_TEST

/* More than any VM has to say ends it. */
START_TEST(endless)
{
	static char flood[MiB(5)];
	const char *const answers[] = {flood, NULL};

	memset(flood, 'x', sizeof(flood) - 1);
	serve(answers, false);
	ck_assert_int_eq(ask(20000), -ENOMEM);
}
END_TEST

START_TEST(nobody)
{
	control_socket_close(&s);
	ck_assert_int_eq(control_connect(path, &err, &client), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "no VM has its control socket there"));
	setenv("XDG_RUNTIME_DIR", dir, 1);
	ck_assert_int_eq(control_connect("web9", &err, &client), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "no VM named \"web9\" is running"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("control_client");
	TCase *t = tcase_create("control_client");
	SRunner *r = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, answer);
	tcase_add_test(t, events);
	tcase_add_loop_test(t, bad, 0, (int)ARRAY_SIZE(bad_rows));
	tcase_add_test(t, silent);
	tcase_add_test(t, endless);
	tcase_add_test(t, nobody);
	suite_add_tcase(suite, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
