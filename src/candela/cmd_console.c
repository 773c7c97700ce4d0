// SPDX-License-Identifier: MIT
/*
 * candela console: a VM's serial console at this terminal, or between pipes. Main thread, on a loop
 * of its own; what a terminal needs is what "candela run" uses, too.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "candela/command_args.h"
#include "candela/commands.h"
#include "candela/control_client.h"
#include "candela/exit_status.h"
#include "candela/show.h"
#include "devices/char/chardev.h"
#include "vmm/json_build.h"
#include "vmm/log.h"
#include "vmm/loop.h"

/* More lines than can be kept are all of them. */
#define LINES_MAX 1000000000ul

struct console_args {
	bool read_only, no_follow;
	const char *lines;
};

struct session {
	const char *name;
	struct loop *loop;
	struct chardev *stdio;
	struct loop_fd socket;
	uint8_t buf[KiB(16)];
	bool writing;     /* `buf`, or what came early, is being written */
	bool input_waits; /* the socket has had no room for all of it */
	bool finishing;
	bool ended; /* the other end has closed the connection */
};

/* --- The end. -------------------------------------------------------------------------------- */

static void on_stdio_closed(void *ctx)
{
	struct session *s = ctx;

	loop_stop(s->loop);
}

static void on_socket_closed(struct loop_fd *lfd)
{
	struct session *s = container_of(lfd, struct session, socket);

	chardev_close(s->stdio, on_stdio_closed, s);
}

static void finish(struct session *s)
{
	if (s->finishing)
		return;
	s->finishing = true;
	loop_fd_close(&s->socket, on_socket_closed);
}

static void on_quit(void *ctx)
{
	finish(ctx);
}

/* --- Both ways. ------------------------------------------------------------------------------ */

static void receive(struct session *s)
{
	ssize_t n = 1;

	while (!s->writing && !s->finishing) {
		n = recv(s->socket.fd, s->buf, sizeof(s->buf), MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			s->ended = true;
			finish(s);
			return;
		}
		s->writing = !chardev_write(s->stdio, s->buf, (size_t)n);
	}
}

static void on_ready(struct loop_fd *lfd, uint32_t revents)
{
	struct session *s = container_of(lfd, struct session, socket);

	if (s->finishing)
		return;
	if (s->input_waits) {
		s->input_waits = false;
		chardev_input_resume(s->stdio);
	}
	receive(s);
}

static void on_written(void *ctx)
{
	struct session *s = ctx;

	s->writing = false;
	receive(s);
}

static size_t on_input(void *ctx, const uint8_t *data, size_t len)
{
	struct session *s = ctx;
	ssize_t n;

	do {
		n = send(s->socket.fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	/* One that is closed is seen by receive(). */
	if (n < 0)
		n = errno == EAGAIN ? 0 : (ssize_t)len;
	s->input_waits = (size_t)n < len;
	return (size_t)n;
}

/* The console's stream has bytes alone, so this goes another way. */
static bool on_break(void *ctx)
{
	struct session *s = ctx;
	struct control_client *client = NULL;
	struct json_object *answer = NULL;
	struct error err;
	int r = control_connect(s->name, &err, &client);

	if (r == 0)
		r = control_ask(client, "console.break", NULL, CONTROL_ANSWER_MS, &err, &answer);
	if (r < 0)
		log_error("break: %s", err.text);
	json_object_put(answer);
	control_disconnect(client);
	return true;
}

static void on_input_ended(void *ctx)
{
	struct session *s = ctx;

	if (isatty(STDIN_FILENO))
		finish(s);
	else
		shutdown(s->socket.fd, SHUT_WR);
}

static int start(struct session *s, const struct console_args *args, struct control_client *client,
		 struct error *err)
{
	static const struct chardev_user user = {.input = on_input,
						 .input_break = on_break,
						 .written = on_written,
						 .input_ended = on_input_ended,
						 .output_ended = on_quit};
	const struct chardev_config config = {.kind = CHARDEV_STDIO,
					      .quit = on_quit,
					      .quit_ctx = s,
					      .client = true,
					      .output_only = args->read_only};
	const char *early;
	size_t len;
	int fd = control_stream(client, &early, &len);
	int r = chardev_create(s->loop, &config, err, &s->stdio);

	if (r < 0)
		return r;
	r = loop_fd_add(s->loop, &s->socket, fd, POLLIN | POLLOUT | POLLRDHUP, on_ready);
	if (r < 0) {
		chardev_destroy(s->stdio);
		return error_errno(err, r, "cannot watch the connection");
	}
	if (!args->read_only && isatty(STDIN_FILENO))
		fprintf(stderr, "%s: Ctrl-A d detaches, Ctrl-A h tells more\r\n", s->name);
	chardev_start(s->stdio, &user, s);
	if (len)
		s->writing = !chardev_write(s->stdio, (const uint8_t *)early, len);
	return 0;
}

/* Until one of both ends is over. */
static int relay(struct session *s, const struct console_args *args, struct control_client *client,
		 struct error *err)
{
	int r = loop_create(0, err, &s->loop);

	if (r < 0)
		return r;
	r = start(s, args, client, err);
	if (r == 0) {
		r = loop_run(s->loop);
		if (r < 0)
			error_errno(err, r, "io_uring");
		chardev_destroy(s->stdio);
	}
	loop_destroy(s->loop);
	return r;
}

/* --- The connections. ------------------------------------------------------------------------ */

static struct json_object *parameters(const struct console_args *args, uint32_t lines)
{
	struct json_object *o = json_object_new_object();
	int r = o ? 0 : -ENOMEM;

	if (r == 0 && args->lines)
		r = json_put_integer(o, "lines", lines);
	if (r == 0 && args->read_only)
		r = json_put(o, "read-only", json_object_new_boolean(true));
	if (r == 0 && args->no_follow)
		r = json_put(o, "once", json_object_new_boolean(true));
	if (r == 0)
		return o;
	json_object_put(o);
	return NULL;
}

static int attach(const char *name, const struct console_args *args, uint32_t lines,
		  struct error *err, struct control_client **ret)
{
	struct json_object *params = parameters(args, lines), *answer = NULL;
	int r = control_connect(name, err, ret);

	if (r == 0 && !params)
		r = error_set(err, -ENOMEM, "out of memory");
	if (r < 0) {
		json_object_put(params);
		return r;
	}
	r = control_ask(*ret, "console", params, CONTROL_ANSWER_MS, err, &answer);
	json_object_put(answer);
	return r;
}

/* How the VM ended. A status that nobody reported is a failure, never a success. */
static int tell_end(const char *name, struct control_client *waiter)
{
	struct json_object *outcome = NULL, *status;
	struct error err;
	int result = STATUS_INTERNAL;

	if (control_answer(waiter, CONTROL_ANSWER_MS, &err, &outcome) < 0) {
		log_error("console: %s has closed it without saying how the VM ended", name);
		return STATUS_INTERNAL;
	}
	if (json_object_object_get_ex(outcome, "status", &status))
		result = json_object_get_int(status);
	fprintf(stderr, "%s has ended: %s%s%s\n", name, show_text(outcome, "outcome"),
		*show_text(outcome, "detail") ? ": " : "", show_text(outcome, "detail"));
	json_object_put(outcome);
	return result;
}

static int console(const char *name, const struct console_args *args, uint32_t lines,
		   struct error *err, int *ret_status)
{
	struct control_client *waiter = NULL, *client = NULL;
	struct session s = {.name = name};
	int r = control_connect(name, err, &waiter);

	if (r == 0)
		r = control_send(waiter, "wait", NULL, err);
	if (r == 0)
		r = attach(name, args, lines, err, &client);
	if (r == 0)
		r = relay(&s, args, client, err);
	if (r == 0)
		*ret_status = s.ended && !args->no_follow ? tell_end(name, waiter) : EXIT_SUCCESS;
	control_disconnect(client);
	control_disconnect(waiter);
	return r;
}

/* --- The command line. ----------------------------------------------------------------------- */

static int read_lines(const char *text, uint32_t *ret, struct error *err)
{
	unsigned long n = 0;
	char *end;

	if (text) {
		errno = 0;
		n = strtoul(text, &end, 10);
		if (*text < '0' || *text > '9' || *end || errno || n > LINES_MAX)
			return error_set(err, -EINVAL,
					 "console: --lines: expected 0 to %lu, got \"%.40s\"",
					 LINES_MAX, text);
	}
	*ret = (uint32_t)n;
	return 0;
}

static int parse(int argc, char **argv, struct console_args *args, const char **ret_name,
		 uint32_t *ret_lines, struct error *err)
{
	const struct command_option options[] = {
		{.name = "lines",
		 .letter = 'n',
		 .metavar = "N",
		 .value = &args->lines,
		 .help = "show the last N lines of what was kept, not all"},
		{.name = "read-only", .flag = &args->read_only, .help = "type nothing"},
		{.name = "no-follow",
		 .flag = &args->no_follow,
		 .help = "end when the input has ended and what was kept is shown"},
	};
	const struct command_spec spec = {
		.name = "console",
		.synopsis = "[OPTION]... VM",
		.about =
			"Attach to a VM's serial console: show what it has kept, then what comes,\n"
			"and type into it. At a terminal Ctrl-A d detaches, Ctrl-A h shows the\n"
			"other keys; from a pipe every byte is the guest's, and the end of input\n"
			"just ends the input:\n"
			"\n"
			"  echo poweroff | candela console web1\n"
			"\n"
			"Several may be attached at once, and all may type. One that is too slow\n"
			"loses output, and is told how much.\n",
		.exit_status = "when the VM has ended, its own, as \"candela run\" has it; 0\n"
			       "detached; 1 there is no such VM, or it ended without saying\n"
			       "how; 2 bad usage.",
		.options = options,
		.option_count = ARRAY_SIZE(options),
		.words_min = 1,
		.words_max = 1,
	};
	int count, r;
	char **words;

	r = command_parse(&spec, argc, argv, &words, &count, err);
	if (r != 0)
		return r;
	*ret_name = words[0];
	return read_lines(args->lines, ret_lines, err);
}

int cmd_console(int argc, char **argv)
{
	struct console_args args = {0};
	int status = EXIT_FAILURE, r;
	const char *name = NULL;
	uint32_t lines = 0;
	struct error err;

	r = parse(argc, argv, &args, &name, &lines, &err);
	if (r == 1)
		return EXIT_SUCCESS;
	if (r < 0) {
		log_error("%s", err.text);
		return STATUS_USAGE;
	}
	r = console(name, &args, lines, &err, &status);
	if (r < 0) {
		log_error("console: %s", err.text);
		return EXIT_FAILURE;
	}
	return status;
}
