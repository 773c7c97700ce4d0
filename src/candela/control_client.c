// SPDX-License-Identifier: MIT
/* A client of the control socket. See control_client.h. */
#include "candela/control_client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "candela/control_path.h"
#include "vmm/loop.h"

/* More than a VM with all the disks there can be has to say. */
#define ANSWER_MAX MiB(4)

struct control_client {
	int fd;
	int last_id;
	char name[CONTROL_PATH_MAX];
	char *buf;
	size_t len, size;
};

/* --- The connection. ------------------------------------------------------------------------- */

static int no_such_vm(const char *name, const char *path, struct error *err)
{
	if (strchr(name, '/'))
		return error_set(err, -ENOENT, "%s: no VM has its control socket there", name);
	return error_set(err, -ENOENT, "no VM named \"%.64s\" is running (see candela list); %s",
			 name, path);
}

static int connect_to(int fd, const char *name, const char *path, int timeout_ms, struct error *err)
{
	/* A VM that is stopped altogether takes neither connections nor requests. */
	const struct timeval limit = {.tv_sec = timeout_ms / 1000,
				      .tv_usec = timeout_ms % 1000 * 1000};
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	memcpy(addr.sun_path, path, strlen(path) + 1);
	if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0)
		return 0;
	if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR)
		return no_such_vm(name, path, err);
	return error_errno(err, -errno, "cannot connect to %s", path);
}

static int connect_within(const char *name, int timeout_ms, struct error *err,
			  struct control_client **ret)
{
	char path[CONTROL_PATH_MAX];
	struct control_client *client;
	int r = control_path(name, path, err);

	if (r < 0)
		return r;
	client = calloc(1, sizeof(*client));
	if (!client)
		return error_set(err, -ENOMEM, "out of memory");
	snprintf(client->name, sizeof(client->name), "%s", name);
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client->fd < 0)
		r = error_errno(err, -errno, "cannot create a socket");
	else
		r = connect_to(client->fd, name, path, timeout_ms, err);
	if (r < 0) {
		control_disconnect(client);
		return r;
	}
	*ret = client;
	return 0;
}

int control_connect(const char *name, struct error *err, struct control_client **ret)
{
	return connect_within(name, CONTROL_ANSWER_MS, err, ret);
}

int control_connect_now(const char *name, struct error *err, struct control_client **ret)
{
	return connect_within(name, 1, err, ret);
}

void control_disconnect(struct control_client *client)
{
	if (!client)
		return;
	if (client->fd >= 0)
		close(client->fd);
	free(client->buf);
	free(client);
}

/* --- Lines. ---------------------------------------------------------------------------------- */

static uint64_t deadline_of(int timeout_ms)
{
	return timeout_ms < 0 ? UINT64_MAX : loop_now() + (uint64_t)timeout_ms * NSEC_PER_MSEC;
}

static int wait_readable(struct control_client *client, uint64_t deadline, struct error *err)
{
	struct pollfd pfd = {.fd = client->fd, .events = POLLIN};
	int n;

	do {
		const uint64_t now = loop_now();
		int ms = -1;

		if (deadline != UINT64_MAX)
			ms = now < deadline ? (int)((deadline - now) / NSEC_PER_MSEC) + 1 : 0;
		n = poll(&pfd, 1, ms);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return error_set(err, -ETIMEDOUT, "%s does not answer", client->name);
	return n < 0 ? error_errno(err, -errno, "poll") : 0;
}

static int grow(struct control_client *client, struct error *err)
{
	const size_t size = client->size ? 2 * client->size : KiB(4);
	char *grown = size <= ANSWER_MAX ? realloc(client->buf, size) : NULL;

	if (!grown)
		return error_set(err, -ENOMEM, "%s: no memory for the answer", client->name);
	client->buf = grown;
	client->size = size;
	return 0;
}

static int read_more(struct control_client *client, uint64_t deadline, struct error *err)
{
	ssize_t n;
	int r = client->len == client->size ? grow(client, err) : 0;

	if (r == 0)
		r = wait_readable(client, deadline, err);
	if (r < 0)
		return r;
	n = recv(client->fd, client->buf + client->len, client->size - client->len, 0);
	if (n > 0) {
		client->len += (size_t)n;
		return 0;
	}
	if (n == 0 || errno == ECONNRESET)
		return error_set(err, -EPIPE, "%s has ended", client->name);
	return errno == EINTR ? 0 : error_errno(err, -errno, "%s", client->name);
}

/* The next message, an object. */
static int next_message(struct control_client *client, uint64_t deadline, struct error *err,
			struct json_object **ret)
{
	char *end;
	int r = 0;

	while (!(end = client->len ? memchr(client->buf, '\n', client->len) : NULL) && r == 0)
		r = read_more(client, deadline, err);
	if (r < 0)
		return r;
	*end = '\0';
	*ret = json_tokener_parse(client->buf);
	client->len -= (size_t)(end + 1 - client->buf);
	memmove(client->buf, end + 1, client->len);
	if (json_object_is_type(*ret, json_type_object))
		return 0;
	json_object_put(*ret);
	return error_set(err, -EPROTO, "%s: what came is no answer", client->name);
}

/* --- Requests and answers. ------------------------------------------------------------------- */

static int send_all(struct control_client *client, const char *line, struct error *err)
{
	size_t len = strlen(line);

	while (len) {
		ssize_t n = send(client->fd, line, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EPIPE)
			return error_set(err, -EPIPE, "%s has ended", client->name);
		if (n < 0 && errno != EINTR)
			return error_errno(err, -errno, "%s", client->name);
		if (n > 0) {
			line += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

int control_send(struct control_client *client, const char *method, struct json_object *params,
		 struct error *err)
{
	char *line = control_request_line(++client->last_id, method, params);
	int r;

	if (!line)
		return error_set(err, -ENOMEM, "out of memory");
	r = send_all(client, line, err);
	free(line);
	return r;
}

static int remote_error(const struct control_client *client, struct json_object *error,
			struct error *err)
{
	struct json_object *text = NULL;

	json_object_object_get_ex(error, "message", &text);
	return error_set(err, -EREMOTEIO, "%s: %s", client->name,
			 text ? json_object_get_string(text) : "it says that something is wrong");
}

int control_answer(struct control_client *client, int timeout_ms, struct error *err,
		   struct json_object **ret)
{
	const uint64_t deadline = deadline_of(timeout_ms);
	struct json_object *message, *id, *member;
	int r;

	for (;;) {
		r = next_message(client, deadline, err, &message);
		if (r < 0)
			return r;
		/* An error without an id is about the connection as a whole. */
		if (json_object_object_get_ex(message, "error", &member) ||
		    (json_object_object_get_ex(message, "id", &id) &&
		     json_object_get_int(id) == client->last_id))
			break;
		json_object_put(message);
	}
	if (json_object_object_get_ex(message, "error", &member))
		r = remote_error(client, member, err);
	else if (json_object_object_get_ex(message, "result", &member))
		*ret = json_object_get(member);
	else
		r = error_set(err, -EPROTO, "%s: what came is no answer", client->name);
	json_object_put(message);
	return r;
}

int control_ask(struct control_client *client, const char *method, struct json_object *params,
		int timeout_ms, struct error *err, struct json_object **ret)
{
	int r = control_send(client, method, params, err);

	return r < 0 ? r : control_answer(client, timeout_ms, err, ret);
}

int control_next_event(struct control_client *client, int timeout_ms, struct error *err,
		       struct json_object **ret)
{
	const uint64_t deadline = deadline_of(timeout_ms);
	struct json_object *message, *params;
	int r;

	while ((r = next_message(client, deadline, err, &message)) == 0) {
		const bool is_event = !json_object_object_get_ex(message, "id", NULL) &&
				      json_object_object_get_ex(message, "params", &params);

		if (is_event)
			*ret = json_object_get(params);
		json_object_put(message);
		if (is_event)
			break;
	}
	return r;
}

int control_stream(struct control_client *client, const char **ret_data, size_t *ret_len)
{
	*ret_data = client->buf;
	*ret_len = client->len;
	return client->fd;
}

int control_wait_gone(struct control_client *client, int timeout_ms, struct error *err)
{
	const uint64_t deadline = deadline_of(timeout_ms);
	int r;

	do {
		client->len = 0;
		r = read_more(client, deadline, err);
	} while (r == 0);
	return r == -EPIPE ? 0 : r;
}
