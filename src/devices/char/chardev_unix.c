// SPDX-License-Identifier: MIT
/*
 * Character device on a listening Unix stream socket, for one client at a time; further ones are
 * told so and turned away. Owner: the loop's thread.
 *
 * Whoever can connect controls the guest's console: the socket is made for its owner only.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/char/chardev_session.h"

/* After a failed accept (no descriptors left, say), so that it does not spin. */
#define ACCEPT_RETRY_NS (200 * NSEC_PER_MSEC)

#define BACKLOG 4

static const char refusal[] = "candela: another client is attached to this console\r\n";

struct unix_socket {
	struct chardev_session session;
	struct chardev_io accept;
	struct loop_timer accept_retry;
	int listener;
	int client; /* -1: none */
	int next;   /* takes over when the last operations on that one end; -1: none */
	/* What we made at the path, to remove only that. */
	bool bound;
	dev_t dev;
	ino_t ino;
};

static struct unix_socket *to_unix(struct chardev *cd)
{
	return container_of(cd, struct unix_socket, session.cd);
}

/* --- Clients. ------------------------------------------------------------------------------ */

static void refuse(struct unix_socket *u, int fd)
{
	counter_add(&u->session.cd.counters.refused, 1);
	/* A courtesy: it is not worth waiting for, nor does its failure matter. */
	if (send(fd, refusal, sizeof(refusal) - 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		errno = 0;
	close(fd);
}

static void attach(struct unix_socket *u, int fd)
{
	u->client = fd;
	chardev_session_attach(&u->session, fd);
}

static void check_closed(struct unix_socket *u)
{
	if (u->session.cd.closing && !u->accept.busy && !u->session.attached)
		chardev_finish_close(&u->session.cd);
}

static void unix_detached(struct chardev_session *s)
{
	struct unix_socket *u = container_of(s, struct unix_socket, session);
	int next = u->next;

	close(u->client);
	u->client = -1;
	u->next = -1;
	if (next >= 0 && !s->cd.closing)
		attach(u, next);
	else if (next >= 0)
		close(next);
	check_closed(u);
}

static void new_client(struct unix_socket *u, int fd)
{
	chardev_session_check(&u->session);
	if (!u->session.attached) {
		attach(u, fd);
	} else if (!u->session.connected && u->next < 0) {
		/* The last client is on its way out. */
		u->next = fd;
		chardev_session_detach(&u->session);
	} else {
		refuse(u, fd);
	}
}

static void accept_done(struct chardev_io *io, int res)
{
	struct unix_socket *u = container_of(io, struct unix_socket, accept);

	if (u->session.cd.closing) {
		if (res >= 0)
			close(res);
		check_closed(u);
		return;
	}
	if (res < 0) {
		counter_add(&u->session.cd.counters.errors, 1);
		loop_timer_set(io->loop, &u->accept_retry, loop_now() + ACCEPT_RETRY_NS);
		return;
	}
	new_client(u, res);
	chardev_io_accept(io);
}

static void accept_retry_fired(struct loop_timer *timer)
{
	struct unix_socket *u = container_of(timer, struct unix_socket, accept_retry);

	chardev_io_accept(&u->accept);
}

/* --- Life. --------------------------------------------------------------------------------- */

static void unix_start(struct chardev *cd)
{
	struct unix_socket *u = to_unix(cd);

	chardev_io_accept(&u->accept);
}

static void unix_close(struct chardev *cd)
{
	struct unix_socket *u = to_unix(cd);

	loop_timer_cancel(cd->loop, &u->accept_retry);
	if (u->accept.busy)
		chardev_io_cancel(&u->accept);
	if (u->session.attached)
		chardev_session_detach(&u->session);
	else
		check_closed(u);
}

static void unix_destroy(struct chardev *cd)
{
	struct unix_socket *u = to_unix(cd);
	struct stat st;

	if (u->bound && lstat(cd->path, &st) == 0 && st.st_dev == u->dev && st.st_ino == u->ino)
		unlink(cd->path);
	if (u->listener >= 0)
		close(u->listener);
	chardev_session_finish(&u->session);
	free(u);
}

static const struct chardev_ops unix_ops = {
	.name = "unix",
	.start = unix_start,
	.write = chardev_session_write,
	.input_resume = chardev_session_input_resume,
	.close = unix_close,
	.destroy = unix_destroy,
};

/* --- The socket. --------------------------------------------------------------------------- */

/* Removes a socket that nobody answers on. */
static int remove_stale(const struct sockaddr_un *addr, struct error *err)
{
	struct stat st;
	int fd, r;

	if (lstat(addr->sun_path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return error_set(err, -EEXIST, "%s exists and is not a socket; choose another path",
				 addr->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_errno(err, -errno, "cannot create a socket");
	r = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0 ? -errno : 0;
	close(fd);
	/* Anything but a clear refusal (a full backlog, no permission) may be somebody alive. */
	if (r != -ECONNREFUSED && r != -ENOENT)
		return error_set(err, -EADDRINUSE,
				 "%s: another process listens there; choose another path",
				 addr->sun_path);
	if (unlink(addr->sun_path) < 0 && errno != ENOENT)
		return error_errno(err, -errno, "cannot remove the stale socket %s",
				   addr->sun_path);
	return 0;
}

static int bind_path(struct unix_socket *u, const struct sockaddr_un *addr, struct error *err)
{
	const struct sockaddr *sa = (const struct sockaddr *)addr;
	struct stat st;
	int r;

	if (bind(u->listener, sa, sizeof(*addr)) < 0) {
		if (errno != EADDRINUSE)
			return error_errno(err, -errno, "cannot create the socket %s",
					   addr->sun_path);
		r = remove_stale(addr, err);
		if (r < 0)
			return r;
		if (bind(u->listener, sa, sizeof(*addr)) < 0)
			return error_errno(err, -errno, "cannot create the socket %s",
					   addr->sun_path);
	}
	if (lstat(addr->sun_path, &st) == 0) {
		u->bound = true;
		u->dev = st.st_dev;
		u->ino = st.st_ino;
	}
	/* Before listen(), so that nobody slips in under a wider umask. */
	if (chmod(addr->sun_path, 0600) < 0 || listen(u->listener, BACKLOG) < 0)
		return error_errno(err, -errno, "cannot listen on the socket %s", addr->sun_path);
	return 0;
}

static int check_path(const char *path, struct sockaddr_un *addr, struct error *err)
{
	size_t len = strlen(path);

	*addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (len == 0)
		return error_set(err, -EINVAL, "the socket's path is empty; give one");
	if (len >= sizeof(addr->sun_path))
		return error_set(
			err, -ENAMETOOLONG,
			"%s: a socket's path has at most %zu bytes, this one has %zu; choose "
			"a shorter one",
			path, sizeof(addr->sun_path) - 1, len);
	memcpy(addr->sun_path, path, len);
	return 0;
}

int chardev_unix_create(struct loop *loop, const struct chardev_config *config, struct error *err,
			struct chardev **ret)
{
	struct unix_socket *u;
	struct sockaddr_un addr;
	int r = check_path(config->path, &addr, err);

	if (r < 0)
		return r;
	u = calloc(1, sizeof(*u));
	if (!u)
		return error_set(err, -ENOMEM, "out of memory");
	u->client = u->next = u->listener = -1;
	u->accept_retry.fired = accept_retry_fired;
	chardev_io_init(&u->accept, loop, CHARDEV_IO_ACCEPT, accept_done);
	r = chardev_session_init(&u->session, &unix_ops, loop, config->path, CHARDEV_IO_SEND,
				 unix_detached);
	if (r < 0) {
		error_set(err, r, "out of memory");
		goto fail;
	}
	u->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (u->listener < 0) {
		r = error_errno(err, -errno, "cannot create a socket");
		goto fail;
	}
	chardev_io_set_fd(&u->accept, u->listener);
	r = bind_path(u, &addr, err);
	if (r < 0)
		goto fail;
	*ret = &u->session.cd;
	return 0;

fail:
	unix_destroy(&u->session.cd);
	return r;
}
