// SPDX-License-Identifier: MIT
/*
 * A cable to another VM: who listens, who connects, and what happens when one goes. State belongs
 * to the queue's loop while it is started; nobody looks for a peer while it is not.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/net/net_peer.h"
#include "devices/net/net_socket.h"

#define RETRY_NS    (200 * NSEC_PER_MSEC)
#define LOCK_SUFFIX ".lock"
#define LOCK_MAX    (NET_SOCKET_PATH_MAX + sizeof(LOCK_SUFFIX))
#define BACKLOG     4

static_assert(NET_SOCKET_PATH_MAX == sizeof(((struct sockaddr_un *)0)->sun_path), "sun_path");

struct net_socket {
	struct net_peer peer;
	struct sockaddr_un addr;
	int lock_fd;   /* -1: not ours */
	int listen_fd; /* -1: somebody else listens, or nobody */
	dev_t dev;     /* of the socket that we made */
	ino_t ino;
	struct loop *loop; /* NULL: not started */
	struct loop_fd watch;
	bool watched;
	struct loop_timer retry;
};

static struct net_socket *socket_of(struct net_peer *peer)
{
	return container_of(peer, struct net_socket, peer);
}

/* --- The lock. ------------------------------------------------------------------------------ */

static void lock_name(const struct net_socket *s, char name[LOCK_MAX])
{
	snprintf(name, LOCK_MAX, "%s" LOCK_SUFFIX, s->addr.sun_path);
}

/* Is the file that is open the one that has the name? Else somebody has removed it meanwhile. */
static bool is_named(int fd, const char *name)
{
	struct stat open_st, name_st;

	return fstat(fd, &open_st) == 0 && lstat(name, &name_st) == 0 &&
	       open_st.st_dev == name_st.st_dev && open_st.st_ino == name_st.st_ino;
}

/* -EWOULDBLOCK: somebody has it. */
static int take_lock(struct net_socket *s)
{
	char name[LOCK_MAX];
	int fd, r;

	lock_name(s, name);
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
	if (r == 0 && !is_named(fd, name))
		r = -EWOULDBLOCK;
	if (r < 0)
		close(fd);
	else
		s->lock_fd = fd;
	return r;
}

static void drop_lock(struct net_socket *s)
{
	char name[LOCK_MAX];

	if (s->lock_fd < 0)
		return;
	lock_name(s, name);
	unlink(name);
	close(s->lock_fd);
	s->lock_fd = -1;
}

/* --- Both ends. ----------------------------------------------------------------------------- */

static int new_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

static int connect_to(struct net_socket *s)
{
	int fd = new_socket(), r;

	if (fd < 0)
		return fd;
	if (connect(fd, (const struct sockaddr *)&s->addr, sizeof(s->addr)) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	net_peer_enlarge_buffer(fd);
	net_peer_connected(&s->peer, fd);
	return 0;
}

/* With the lock: what is at the path is left over from somebody, unless it is no socket at all. */
static int clear_path(const struct net_socket *s)
{
	struct stat st;

	if (lstat(s->addr.sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	return unlink(s->addr.sun_path) < 0 ? -errno : 0;
}

static int bind_and_listen(struct net_socket *s)
{
	const char *path = s->addr.sun_path;
	struct stat st;

	if (bind(s->listen_fd, (const struct sockaddr *)&s->addr, sizeof(s->addr)) < 0 ||
	    lstat(path, &st) < 0)
		return -errno;
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	/* Nobody can connect before listen(), so the mode is never wider than this. */
	return chmod(path, 0600) < 0 || listen(s->listen_fd, BACKLOG) < 0 ? -errno : 0;
}

static void stop_listening(struct net_socket *s)
{
	const char *path = s->addr.sun_path;
	struct stat st;

	if (s->ino && lstat(path, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->ino)
		unlink(path);
	s->ino = 0;
	if (s->listen_fd >= 0)
		close(s->listen_fd);
	s->listen_fd = -1;
	drop_lock(s);
}

static int listen_there(struct net_socket *s)
{
	int r = take_lock(s);

	if (r < 0)
		return r;
	r = clear_path(s);
	if (r == 0)
		r = s->listen_fd = new_socket();
	if (r >= 0)
		r = bind_and_listen(s);
	if (r < 0)
		stop_listening(s);
	return r;
}

/* Connects, or listens; -EAGAIN and others: neither now. */
static int find_peer(struct net_socket *s)
{
	int r = connect_to(s);

	if (r == -ENOENT || r == -ECONNREFUSED)
		r = listen_there(s);
	return r;
}

/* --- While the queue runs. ------------------------------------------------------------------ */

static void on_connection(struct loop_fd *watch, uint32_t revents)
{
	struct net_socket *s = container_of(watch, struct net_socket, watch);
	int fd;

	while ((fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		if (s->peer.fd >= 0) {
			close(fd); /* it tries again */
			continue;
		}
		net_peer_enlarge_buffer(fd);
		net_peer_connected(&s->peer, fd);
	}
}

static void look_for_peer(struct net_socket *s)
{
	if (s->listen_fd < 0 && s->peer.fd < 0)
		(void)find_peer(s);
	if (s->listen_fd >= 0 && !s->watched)
		s->watched =
			loop_fd_add(s->loop, &s->watch, s->listen_fd, POLLIN, on_connection) == 0;
	if (!s->watched && s->peer.fd < 0)
		loop_timer_set(s->loop, &s->retry, loop_now() + RETRY_NS);
}

static void on_retry(struct loop_timer *timer)
{
	look_for_peer(container_of(timer, struct net_socket, retry));
}

static void socket_start(struct net_peer *peer, struct loop *loop)
{
	struct net_socket *s = socket_of(peer);

	s->loop = loop;
	look_for_peer(s);
}

static void on_unwatched(struct loop_fd *watch)
{
	struct net_socket *s = container_of(watch, struct net_socket, watch);

	s->watched = false;
	net_peer_stopped(&s->peer);
}

static void socket_stop(struct net_peer *peer)
{
	struct net_socket *s = socket_of(peer);

	loop_timer_cancel(s->loop, &s->retry);
	s->loop = NULL;
	if (s->watched)
		loop_fd_close(&s->watch, on_unwatched);
	else
		net_peer_stopped(peer);
}

/* At once, and not from inside: the other may be about to make a new socket. */
static void socket_gone(struct net_peer *peer)
{
	struct net_socket *s = socket_of(peer);

	loop_timer_set(s->loop, &s->retry, loop_now());
}

/* --- Life. ---------------------------------------------------------------------------------- */

static void socket_destroy(struct net_peer *peer)
{
	struct net_socket *s = socket_of(peer);

	net_peer_finish(peer);
	stop_listening(s);
	free(s);
}

static const struct net_peer_ops socket_ops = {
	.start = socket_start,
	.stop = socket_stop,
	.gone = socket_gone,
	.destroy = socket_destroy,
};

static int first_attempt(struct net_socket *s, struct error *err)
{
	const char *path = s->addr.sun_path;
	int r = find_peer(s);

	switch (r) {
	case -EEXIST:
		return error_set(err, r, "%s: exists and is not a socket; choose another path",
				 path);
	case -EPROTOTYPE:
		return error_set(err, r, "%s: the socket of another program", path);
	case -EAGAIN: /* which is -EWOULDBLOCK, too: somebody is about to come */
		return 0;
	default:
		return r < 0 ? error_errno(err, r,
					   "%s: cannot make a socket there, or connect to it", path)
			     : 0;
	}
}

int net_socket_create(const char *path, struct error *err, struct net_backend **ret)
{
	struct net_socket *s;
	int r;

	if (strlen(path) >= NET_SOCKET_PATH_MAX)
		return error_set(err, -ENAMETOOLONG,
				 "%s: a socket's path has at most %d bytes, this one has %zu", path,
				 NET_SOCKET_PATH_MAX - 1, strlen(path));
	s = calloc(1, sizeof(*s));
	if (!s)
		return error_set(err, -ENOMEM, "out of memory");
	net_peer_init(&s->peer, &socket_ops, NET_MTU_MAX);
	s->addr.sun_family = AF_UNIX;
	memcpy(s->addr.sun_path, path, strlen(path) + 1);
	s->lock_fd = s->listen_fd = -1;
	s->retry.fired = on_retry;
	r = first_attempt(s, err);
	if (r < 0) {
		socket_destroy(&s->peer);
		return r;
	}
	*ret = &s->peer.backend;
	return 0;
}
