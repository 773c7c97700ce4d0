// SPDX-License-Identifier: MIT
/* What the tests of the control socket's server share: a server, and clients of it. */
#pragma once

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "candela/control.h"
#include "pc_fake.h"

static struct loop *loop;
static struct control *control;
static struct error err;
static int listener;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static socklen_t address_len;

/* A server with @config's methods. */
static inline void start_server(struct control_config *config)
{
	loop = new_loop();
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* The kernel finds an abstract name. */
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
	address_len = sizeof(address);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &address_len), 0);
	ck_assert_int_eq(listen(listener, 200), 0);
	config->loop = loop;
	config->fd = listener;
	ck_assert_msg(control_create(config, &err, &control) == 0, "%s", err.text);
}

static inline void stop_server(void)
{
	loop_destroy(loop);
	control_destroy(control);
	close(listener);
}

static inline int new_client(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, address_len), 0);
	return fd;
}

static inline void say_bytes(int fd, const char *text, size_t len)
{
	ck_assert_int_eq(send(fd, text, len, MSG_NOSIGNAL), (ssize_t)len);
}

static inline void say(int fd, const char *text)
{
	say_bytes(fd, text, strlen(text));
}

static inline void ask(int fd, const char *method, int id)
{
	char line[128];

	snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"%s\"}\n", id,
		 method);
	say(fd, line);
}

struct reading {
	int fd;
	char *text;
	size_t len, size;
	bool ended;
};

/* True: a line is complete, or the end has come. */
static inline bool read_line(void *ctx)
{
	struct reading *r = ctx;
	char c;

	for (;;) {
		ssize_t n = recv(r->fd, &c, 1, 0);

		if (n < 0 && errno == EAGAIN)
			return false;
		r->ended = n <= 0;
		if (n <= 0)
			return true;
		if (r->len + 2 > r->size) {
			r->size = r->size ? 2 * r->size : 256;
			r->text = realloc(r->text, r->size);
		}
		r->text[r->len++] = c;
		r->text[r->len] = '\0';
		if (c == '\n')
			return true;
	}
}

/* The next line, to be freed; NULL: the end. */
static inline char *next_line(int fd)
{
	struct reading r = {.fd = fd};

	ck_assert(run_until(loop, read_line, &r, 5000));
	if (!r.ended)
		return r.text;
	free(r.text);
	return NULL;
}

static inline void expect(int fd, const char *line)
{
	char *text = next_line(fd);

	ck_assert_ptr_nonnull(text);
	ck_assert_str_eq(text, line);
	free(text);
}

static inline void expect_code(int fd, enum control_code code)
{
	char *text = next_line(fd), expected[32];

	ck_assert_ptr_nonnull(text);
	snprintf(expected, sizeof(expected), "\"code\":%d,", code);
	ck_assert_msg(strstr(text, expected) != NULL, "%s", text);
	free(text);
}

static inline void expect_end(int fd)
{
	char *text = next_line(fd);

	ck_assert_msg(!text, "%s", text);
	close(fd);
}

static inline bool count_is(void *ctx)
{
	return control_client_count(control) == *(unsigned int *)ctx;
}

static inline void expect_count(unsigned int count)
{
	ck_assert(run_until(loop, count_is, &count, 5000));
}

static inline struct json_object *event(const char *text)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "e", json_object_new_string(text));
	return o;
}

#define OK(id) "{\"jsonrpc\":\"2.0\",\"result\":{},\"id\":" #id "}\n"
