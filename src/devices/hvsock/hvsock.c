// SPDX-License-Identifier: MIT
/*
 * Hyper-V sockets: who connects to whom. Owner: the bus' loop.
 */
#include "devices/hvsock/hvsock.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/hvsock/hvsock_internal.h"
#include "vmbus/vmbus_proto.h"

#define PATIENCE_NS (10 * NSEC_PER_SEC)
#define BACKLOG     128
/* After a failed accept (no descriptors left, say), so that it does not spin. */
#define ACCEPT_RETRY_NS (200 * NSEC_PER_MSEC)
/* The host's ports of connections that it makes begin here: nobody's well-known one. */
#define FIRST_PORT 0x40000000u

/* --- The guest connects. --------------------------------------------------------------------- */

static int set_path(const struct hvsock *h, const char *suffix, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (snprintf(ret->sun_path, sizeof(ret->sun_path), "%s%s", h->path, suffix) >=
	    (int)sizeof(ret->sun_path))
		return -ENAMETOOLONG;
	return 0;
}

/* A Unix socket is connected at once or not at all; a full backlog refuses. */
static int connect_to(const struct hvsock *h, const struct vmbus_guid *service)
{
	char name[HVSOCK_NAME_MAX], suffix[HVSOCK_NAME_MAX + 1];
	struct sockaddr_un address;
	int fd, r;

	hvsock_guid_name(service, name);
	snprintf(suffix, sizeof(suffix), "_%s", name);
	r = set_path(h, suffix, &address);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

static int on_connect(void *ctx, const struct vmbus_guid *endpoint,
		      const struct vmbus_guid *service)
{
	struct hvsock *h = ctx;
	struct hvsock_conn *c;
	int fd = -EBUSY, r;

	if (h->count < HVSOCK_CONNECTIONS_MAX)
		fd = connect_to(h, service);
	if (fd < 0) {
		counter_add(&h->counters.refused_guest, 1);
		return fd;
	}
	c = hvsock_conn_create(h, fd, false);
	r = c ? hvsock_conn_offer(c, service, endpoint) : -ENOMEM;
	if (r < 0)
		counter_add(&h->counters.refused_guest, 1);
	return r;
}

/* Those that end take themselves off the list, though not always at once. */
static void on_disconnected(void *ctx)
{
	struct hvsock *h = ctx;

	for (struct hvsock_conn *c = h->conns.next, *next; c != &h->conns; c = next) {
		next = c->next;
		if (c->state == HVSOCK_OFFERED || c->state == HVSOCK_OPEN)
			hvsock_conn_end(c);
	}
}

static const struct vmbus_tl_ops tl_ops = {
	.connect = on_connect,
	.disconnected = on_disconnected,
};

/* --- The host connects. ---------------------------------------------------------------------- */

/* The line, without its end, or NULL when it is not whole. What follows it stays in the socket. */
static int read_line(struct hvsock_conn *c)
{
	const size_t room = sizeof(c->line) - c->line_len;
	char *start = c->line + c->line_len, *end;
	ssize_t n = recv(c->fd, start, room, MSG_DONTWAIT | MSG_PEEK);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? -EAGAIN : -errno;
	if (n == 0)
		return -ECONNRESET;
	end = memchr(start, '\n', (size_t)n);
	n = recv(c->fd, start, end ? (size_t)(end - start) + 1 : (size_t)n, MSG_DONTWAIT);
	if (n <= 0)
		return -ECONNRESET;
	c->line_len += (size_t)n;
	if (end)
		return 0;
	return c->line_len == sizeof(c->line) ? -EINVAL : -EAGAIN;
}

void hvsock_asked(struct hvsock_conn *c)
{
	struct hvsock *h = c->hvsock;
	struct vmbus_guid service, instance;
	int r = read_line(c);

	if (r == -EAGAIN)
		return;
	if (r == 0)
		r = hvsock_parse_connect(c->line, c->line_len - 1, &service);
	if (r < 0) {
		counter_add(&h->counters.refused_host, 1);
		hvsock_conn_end(c);
		return;
	}
	/* One that is in use would be refused; so many are never. */
	if (++h->last_port < FIRST_PORT)
		h->last_port = FIRST_PORT;
	c->host_port = h->last_port;
	instance = hvsock_port_guid(c->host_port);
	loop_timer_set(h->config.loop, &c->timer, loop_now() + h->config.patience_ns);
	if (hvsock_conn_offer(c, &service, &instance) < 0)
		counter_add(&h->counters.refused_host, 1);
}

static void new_client(struct hvsock *h, int fd)
{
	struct hvsock_conn *c;

	if (h->count >= HVSOCK_CONNECTIONS_MAX) {
		counter_add(&h->counters.refused_host, 1);
		close(fd);
		return;
	}
	c = hvsock_conn_create(h, fd, true);
	/* What it has written already is seen by the watch. */
	if (c)
		(void)!hvsock_conn_watch(c);
}

static void accept_all(struct hvsock *h)
{
	int fd;

	while ((fd = accept4(h->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
		new_client(h, fd);
	if (errno != EAGAIN && errno != ECONNABORTED)
		loop_timer_set(h->config.loop, &h->accept_retry, loop_now() + ACCEPT_RETRY_NS);
}

static void on_accept(struct loop_fd *watch, uint32_t revents)
{
	accept_all(container_of(watch, struct hvsock, watch));
}

static void on_retry(struct loop_timer *timer)
{
	accept_all(container_of(timer, struct hvsock, accept_retry));
}

/* --- The listening socket. ------------------------------------------------------------------- */

/* A socket that nobody listens on any more is in nobody's way. */
static bool is_stale(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r;

	if (fd < 0)
		return false;
	r = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? errno : 0;
	close(fd);
	return r == ECONNREFUSED;
}

static int bind_to(struct hvsock *h, const struct sockaddr_un *address)
{
	const mode_t mask = umask(0177);
	int r = bind(h->listener, (const struct sockaddr *)address, sizeof(*address));

	if (r < 0 && errno == EADDRINUSE && is_stale(address)) {
		unlink(address->sun_path);
		r = bind(h->listener, (const struct sockaddr *)address, sizeof(*address));
	}
	r = r < 0 ? -errno : 0;
	umask(mask);
	return r;
}

static int listen_at(struct hvsock *h)
{
	struct sockaddr_un address;
	struct stat st;
	int r = set_path(h, "", &address);

	if (r < 0)
		return r;
	h->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (h->listener < 0)
		return -errno;
	r = bind_to(h, &address);
	if (r < 0)
		return r;
	if (stat(h->path, &st) == 0) {
		h->bound = true;
		h->dev = st.st_dev;
		h->ino = st.st_ino;
	}
	if (listen(h->listener, BACKLOG) < 0)
		return -errno;
	return loop_fd_add(h->config.loop, &h->watch, h->listener, POLLIN, on_accept);
}

static void remove_socket(const struct hvsock *h)
{
	struct stat st;

	if (h->bound && stat(h->path, &st) == 0 && st.st_dev == h->dev && st.st_ino == h->ino)
		unlink(h->path);
}

/* --- Life. ----------------------------------------------------------------------------------- */

int hvsock_create(const struct hvsock_config *config, struct error *err, struct hvsock **ret)
{
	struct hvsock *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return error_set(err, -ENOMEM, "hvsocket: out of memory");
	h->config = *config;
	if (!h->config.patience_ns)
		h->config.patience_ns = PATIENCE_NS;
	h->listener = -1;
	h->last_port = FIRST_PORT - 1;
	h->accept_retry.fired = on_retry;
	h->conns.prev = h->conns.next = &h->conns;
	h->path = strdup(config->path);
	r = h->path ? listen_at(h) : -ENOMEM;
	if (r < 0) {
		hvsock_destroy(h);
		return error_errno(err, r, "hvsocket: cannot listen on %s", config->path);
	}
	vmbus_serve_tl(config->bus, &tl_ops, h);
	*ret = h;
	return 0;
}

void hvsock_destroy(struct hvsock *h)
{
	if (!h)
		return;
	while (h->conns.next != &h->conns)
		hvsock_conn_free(h->conns.next);
	if (h->path)
		remove_socket(h);
	if (h->listener >= 0)
		close(h->listener);
	free(h->path);
	free(h);
}

unsigned int hvsock_connections(const struct hvsock *h)
{
	return h->count;
}

const struct hvsock_counters *hvsock_counters(const struct hvsock *h)
{
	return &h->counters;
}
