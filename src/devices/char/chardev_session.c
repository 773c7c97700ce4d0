// SPDX-License-Identifier: MIT
/*
 * A peer that comes and goes, and what is kept for it meanwhile. Owner: the loop's thread.
 */
#include "devices/char/chardev_session.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- The scrollback. ----------------------------------------------------------------------- */

static void keep(struct chardev_session *s, const uint8_t *data, size_t len)
{
	size_t end, part;

	if (len > CHARDEV_SCROLLBACK) {
		counter_add(&s->cd.counters.discarded, len - CHARDEV_SCROLLBACK);
		data += len - CHARDEV_SCROLLBACK;
		len = CHARDEV_SCROLLBACK;
	}
	if (s->kept_len + len > CHARDEV_SCROLLBACK) {
		size_t lost = s->kept_len + len - CHARDEV_SCROLLBACK;

		counter_add(&s->cd.counters.discarded, lost);
		s->kept_start = (s->kept_start + lost) % CHARDEV_SCROLLBACK;
		s->kept_len -= lost;
	}
	end = (s->kept_start + s->kept_len) % CHARDEV_SCROLLBACK;
	part = min_of(len, CHARDEV_SCROLLBACK - end);
	memcpy(s->kept + end, data, part);
	memcpy(s->kept, data + part, len - part);
	s->kept_len += len;
}

static void send_kept(struct chardev_session *s)
{
	s->sending_kept = true;
	chardev_io_write(&s->out, s->kept + s->kept_start,
			 min_of(s->kept_len, CHARDEV_SCROLLBACK - s->kept_start));
}

static void drop_kept(struct chardev_session *s, size_t len)
{
	s->kept_start = (s->kept_start + len) % CHARDEV_SCROLLBACK;
	s->kept_len -= len;
	/* From the start again, so that a short text touches little memory. */
	if (s->kept_len == 0)
		s->kept_start = 0;
}

/* --- Output. ------------------------------------------------------------------------------- */

bool chardev_session_write(struct chardev *cd, const uint8_t *data, size_t len)
{
	struct chardev_session *s = container_of(cd, struct chardev_session, cd);

	if (s->out.busy) {
		/* The scrollback is on its way: to this peer, or it returns from one that left. */
		s->waiting = data;
		s->waiting_len = len;
		return false;
	}
	if (!s->connected) {
		keep(s, data, len);
		return true;
	}
	s->sending_kept = false;
	chardev_io_write(&s->out, data, len);
	return false;
}

/* The user's waiting write, if there is one, takes its turn. True: written() is due. */
static bool next_waiting(struct chardev_session *s)
{
	const uint8_t *data = s->waiting;

	s->waiting = NULL;
	return data && chardev_session_write(&s->cd, data, s->waiting_len);
}

static void check_detached(struct chardev_session *s)
{
	if (!s->attached || s->connected || !s->input_ended)
		return;
	if (s->hangup.busy)
		chardev_io_cancel(&s->hangup);
	if (s->in.busy || s->out.busy || s->hangup.busy)
		return;
	s->attached = false;
	s->detached(s);
}

static void end_input(struct chardev_session *s)
{
	s->input_ended = true;
	if (s->in.busy)
		chardev_io_cancel(&s->in);
}

/*
 * It listens no more. What it sent before is still read as fast as the user takes it; once the user
 * has no room, the rest is given up, or a guest that reads nothing would keep the next peer away.
 */
static void disconnect(struct chardev_session *s)
{
	s->connected = false;
	if (s->out.busy)
		chardev_io_cancel(&s->out);
	if (s->no_end_of_input || !s->in.busy)
		end_input(s);
}

static bool peer_is_gone(const struct chardev_session *s)
{
	struct pollfd pollfd = {.fd = s->fd};

	return poll(&pollfd, 1, 0) > 0 && (pollfd.revents & (POLLHUP | POLLERR));
}

void chardev_session_check(struct chardev_session *s)
{
	if (!s->attached)
		return;
	if (s->connected && peer_is_gone(s))
		disconnect(s);
	check_detached(s);
}

static void output_done(struct chardev_io *io, int res)
{
	struct chardev_session *s = container_of(io, struct chardev_session, out);
	bool user_done = !s->sending_kept;

	counter_add(&s->cd.counters.bytes_out, io->moved);
	if (s->sending_kept)
		drop_kept(s, io->moved);
	else if (res < 0)
		keep(s, io->out, io->len);
	s->sending_kept = false;
	if (res < 0) {
		if (res != -ECANCELED)
			counter_add(&s->cd.counters.errors, 1);
		disconnect(s);
	}
	if (s->connected && s->kept_len)
		send_kept(s);
	else
		user_done |= next_waiting(s);
	if (user_done)
		chardev_push_written(&s->cd);
	check_detached(s);
}

/* --- Input. -------------------------------------------------------------------------------- */

static bool deliver(struct chardev_session *s)
{
	s->input_start += chardev_push_input(&s->cd, s->input + s->input_start,
					     s->input_end - s->input_start);
	return s->input_start == s->input_end;
}

static void read_more(struct chardev_session *s)
{
	if (s->attached && !s->input_ended && !s->in.busy)
		chardev_io_read(&s->in, s->input, sizeof(s->input));
}

static void input_done(struct chardev_io *io, int res)
{
	struct chardev_session *s = container_of(io, struct chardev_session, in);
	bool gone;

	if (res > 0) {
		s->input_start = 0;
		s->input_end = (size_t)res;
		if (deliver(s))
			read_more(s);
		else if (!s->connected)
			s->input_ended = true;
		check_detached(s);
		return;
	}
	gone = s->connected && peer_is_gone(s);
	/* A pseudo-terminal that was closed and has been opened again meanwhile. */
	if (res == -EIO && s->connected && !gone) {
		read_more(s);
		return;
	}
	s->input_ended = true;
	if (gone)
		disconnect(s);
	check_detached(s);
}

void chardev_session_input_resume(struct chardev *cd)
{
	struct chardev_session *s = container_of(cd, struct chardev_session, cd);

	if (!s->in.busy && deliver(s))
		read_more(s);
}

/* --- Life. --------------------------------------------------------------------------------- */

/*
 * io_uring also reports half a hangup (POLLRDHUP), at once and again and again; then the watch is
 * not renewed, and that a peer which only listens has left is noticed by a failing write.
 */
static void hangup_done(struct chardev_io *io, int res)
{
	struct chardev_session *s = container_of(io, struct chardev_session, hangup);

	if (s->connected && peer_is_gone(s))
		disconnect(s);
	else if (s->connected && res > 0 && (res & (POLLHUP | POLLERR)))
		chardev_io_hangup(io); /* gone and back already */
	check_detached(s);
}

void chardev_session_attach(struct chardev_session *s, int fd)
{
	assert(!s->attached);
	counter_add(&s->cd.counters.attaches, 1);
	s->attached = s->connected = true;
	s->input_ended = false;
	s->fd = fd;
	chardev_io_set_fd(&s->in, fd);
	chardev_io_set_fd(&s->out, fd);
	chardev_io_set_fd(&s->hangup, fd);
	chardev_io_hangup(&s->hangup);
	if (s->kept_len)
		send_kept(s);
	/* What the last peer sent and the user had no room for comes first. */
	if (s->input_start == s->input_end)
		read_more(s);
}

void chardev_session_read_now(struct chardev_session *s, int fd)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};
	ssize_t n;

	assert(!s->attached);
	while (s->input_start == s->input_end && poll(&pollfd, 1, 0) > 0 &&
	       (pollfd.revents & POLLIN)) {
		n = read(fd, s->input, sizeof(s->input));
		if (n <= 0)
			return;
		s->input_start = 0;
		s->input_end = (size_t)n;
		deliver(s);
	}
}

void chardev_session_detach(struct chardev_session *s)
{
	if (!s->attached)
		return;
	disconnect(s);
	end_input(s);
	check_detached(s);
}

int chardev_session_init(struct chardev_session *s, const struct chardev_ops *ops,
			 struct loop *loop, const char *path, enum chardev_io_kind out_kind,
			 void (*detached)(struct chardev_session *s))
{
	chardev_io_init(&s->in, loop, CHARDEV_IO_READ, input_done);
	chardev_io_init(&s->out, loop, out_kind, output_done);
	chardev_io_init(&s->hangup, loop, CHARDEV_IO_HANGUP, hangup_done);
	s->detached = detached;
	s->kept = malloc(CHARDEV_SCROLLBACK);
	if (!s->kept)
		return -ENOMEM;
	return chardev_init(&s->cd, ops, loop, path);
}

void chardev_session_finish(struct chardev_session *s)
{
	free(s->kept);
	chardev_finish(&s->cd);
}
