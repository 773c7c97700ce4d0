// SPDX-License-Identifier: MIT
/*
 * Fuzzes the control socket's server: the input is what a client sends, in two pieces. Beyond not
 * crashing:
 *
 *   - whatever is answered is a line of JSON, a version 2.0 object with an id and either a result
 *     or an error, or an event;
 *   - another client is served all the same, and clients that leave are forgotten.
 *
 * A connection may be handed over to a console, which what follows is typed into.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "candela/control.h"
#include "devices/char/console.h"
#include "vmm/json_scan.h"

#define PASSES 4 /* of the loop without news: nothing more comes */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct loop *loop;
static struct control *control;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static socklen_t address_len;
static struct control_call *later[CONTROL_CALLS_MAX];
static unsigned int later_count;
static struct console *console;

static void require(bool truth, const char *what, const char *detail)
{
	if (truth)
		return;
	fprintf(stderr, "%s: %s\n", what, detail);
	abort();
}

/* --- Methods. --------------------------------------------------------------------------------- */

static void run_say(void *ctx, struct control_call *call, struct json_object *params)
{
	struct control_error error;
	uint32_t number = 0;

	if (control_param_uint(params, "number", 1000, &number, &error) < 0)
		control_refuse(call, error.code, error.text);
	else
		control_reply(call, json_object_new_int((int)number));
}

static void run_any(void *ctx, struct control_call *call, struct json_object *params)
{
	control_reply(call, params ? json_object_get(params) : json_object_new_object());
}

static void run_refuse(void *ctx, struct control_call *call, struct json_object *params)
{
	control_refuse(call, CONTROL_REFUSED, "no \xff");
}

static void run_later(void *ctx, struct control_call *call, struct json_object *params)
{
	if (later_count < CONTROL_CALLS_MAX)
		later[later_count++] = call;
	else
		control_reply(call, NULL);
}

static void run_tell(void *ctx, struct control_call *call, struct json_object *params)
{
	control_event(control, json_object_new_object());
	control_reply(call, json_object_new_object());
}

static void take(void *arg, int fd, const char *early, size_t len)
{
	const struct console_options *options = arg;

	if (fd >= 0)
		console_attach(console, fd, options, early, len);
}

static void run_stream(void *ctx, struct control_call *call, struct json_object *params)
{
	static struct console_options options = {.lines = CONSOLE_LINES_ALL};

	struct json_object *result = json_object_new_object();

	if (control_hand_over(call, result, take, &options))
		return;
	json_object_put(result);
	control_refuse(call, CONTROL_REFUSED, "not now");
}

static const char *const say_params[] = {"number", "word", NULL};

static const struct control_method methods[] = {
	{.name = "say", .run = run_say, .params = say_params},
	{.name = "any", .run = run_any, .any_params = true},
	{.name = "refuse", .run = run_refuse},
	{.name = "later", .run = run_later},
	{.name = "tell", .run = run_tell},
	{.name = "stream", .run = run_stream},
};

/* --- The loop, for a while. ----------------------------------------------------------------- */

static char received[MiB(2)];
static size_t received_len;
static int watched = -1;
static unsigned int idle;

static void on_pass(struct loop_timer *timer)
{
	ssize_t n = -1;

	if (watched >= 0)
		n = recv(watched, received + received_len, sizeof(received) - received_len,
			 MSG_DONTWAIT);
	if (n > 0)
		received_len += (size_t)n;
	idle = n > 0 ? 0 : idle + 1;
	if (idle >= PASSES)
		loop_stop(loop);
	else
		loop_timer_set(loop, timer, loop_now());
}

static void run_loop(int fd)
{
	struct loop_timer timer = {.fired = on_pass};

	watched = fd;
	idle = 0;
	loop_timer_set(loop, &timer, loop_now());
	require(loop_run(loop) == 0, "loop_run", "failed");
	loop_timer_cancel(loop, &timer);
}

static int connect_client(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	require(connect(fd, (struct sockaddr *)&address, address_len) == 0, "connect",
		strerror(errno));
	return fd;
}

/* --- What comes back. ----------------------------------------------------------------------- */

static void check_line(const char *line, size_t len)
{
	struct json_object *o, *value;
	struct error err = {.text = ""};
	bool has_id, is_answer;
	char *copy;

	require(json_scan(line, len, &err) == 0 || strstr(err.text, "deep"), "no JSON", err.text);
	copy = strndup(line, len);
	o = json_tokener_parse(copy);
	require(json_object_object_get_ex(o, "jsonrpc", &value), "no version", copy);
	has_id = json_object_object_get_ex(o, "id", NULL);
	is_answer = json_object_object_get_ex(o, "result", NULL) !=
		    json_object_object_get_ex(o, "error", NULL);
	require(has_id == is_answer, "neither answer nor event", copy);
	json_object_put(o);
	free(copy);
}

static void check_received(void)
{
	size_t start = 0;
	char *end;

	while ((end = memchr(received + start, '\n', received_len - start))) {
		check_line(received + start, (size_t)(end - received) - start);
		start = (size_t)(end - received) + 1;
	}
	require(start == received_len, "an unfinished line", "");
	received_len = 0;
}

static void send_some(int fd, const uint8_t *data, size_t size)
{
	/* Closed, or full: then that was it. */
	if (send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		errno = 0;
}

static void check_other(void)
{
	static const char ask[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"say\"}\n";
	static const char expected[] = "{\"jsonrpc\":\"2.0\",\"result\":0,\"id\":1}\n";
	int fd = connect_client();

	send_some(fd, (const uint8_t *)ask, sizeof(ask) - 1);
	run_loop(fd);
	require(received_len == sizeof(expected) - 1 &&
			memcmp(received, expected, received_len) == 0,
		"another client was not served", received);
	received_len = 0;
	close(fd);
}

/* A guest that takes what it is given. */
static size_t on_input(void *ctx, const uint8_t *data, size_t len)
{
	return len;
}

static bool on_break(void *ctx)
{
	return true;
}

static void on_written(void *ctx)
{
}

static void create_console(void)
{
	static const struct chardev_user user = {
		.input = on_input, .input_break = on_break, .written = on_written};
	const struct chardev_config inner = {.kind = CHARDEV_NULL};
	struct console_config config = {.loop = loop, .size = CONSOLE_SIZE_MIN};
	struct error err;

	require(chardev_create(loop, &inner, &err, &config.inner) == 0, "chardev", err.text);
	require(console_create(&config, &err, &console) == 0, "console", err.text);
	chardev_start(console_chardev(console), &user, NULL);
}

static void create(void)
{
	struct control_config config = {.methods = methods, .method_count = ARRAY_SIZE(methods)};
	struct error err;

	require(loop_create(0, &err, &loop) == 0, "loop", err.text);
	config.loop = loop;
	config.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	require(bind(config.fd, (struct sockaddr *)&address, sizeof(sa_family_t)) == 0, "bind", "");
	address_len = sizeof(address);
	require(getsockname(config.fd, (struct sockaddr *)&address, &address_len) == 0, "name", "");
	require(listen(config.fd, 8) == 0, "listen", "");
	require(control_create(&config, &err, &control) == 0, "control", err.text);
	create_console();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t first = size ? data[0] % size : 0;
	int fd;

	if (!control)
		create();
	fd = connect_client();
	send_some(fd, data, first);
	run_loop(fd);
	send_some(fd, data + first, size - first);
	run_loop(fd);
	check_received();
	check_other();
	if (size & 1)
		shutdown(fd, SHUT_WR);
	else
		close(fd);
	run_loop(size & 1 ? fd : -1);
	while (later_count)
		control_reply(later[--later_count], json_object_new_object());
	run_loop(size & 1 ? fd : -1);
	check_received();
	if (size & 1)
		close(fd);
	run_loop(-1);
	require(control_client_count(control) == 0 || size > CONTROL_LINE_MAX, "not forgotten", "");
	require(console_client_count(console) == 0 || size > CONTROL_LINE_MAX, "still typed", "");
	return 0;
}
