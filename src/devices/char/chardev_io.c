// SPDX-License-Identifier: MIT
/*
 * One direction of one descriptor over io_uring. Owner: the loop's thread.
 */
#include "devices/char/chardev_io.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* How long to wait when the kernel takes no submissions at the moment. */
#define RETRY_NS NSEC_PER_MSEC

/* Offset of reads and writes: the file's own position, where there is one. */
#define AT_POSITION UINT64_MAX

/* One write is limited so that a long one to a slow reader shows progress and can be cut off. */
#define WRITE_MAX KiB(64)

static void prepare(struct chardev_io *io, struct io_uring_sqe *sqe)
{
	unsigned int part = (unsigned int)min_of(io->len, (size_t)WRITE_MAX);

	switch (io->kind) {
	case CHARDEV_IO_READ:
		io_uring_prep_read(sqe, io->fd, io->in, part, AT_POSITION);
		break;
	case CHARDEV_IO_WRITE:
		io_uring_prep_write(sqe, io->fd, io->out, part, AT_POSITION);
		break;
	case CHARDEV_IO_SEND:
		io_uring_prep_send(sqe, io->fd, io->out, part, MSG_NOSIGNAL);
		break;
	case CHARDEV_IO_ACCEPT:
		io_uring_prep_accept(sqe, io->fd, NULL, NULL, SOCK_CLOEXEC);
		break;
	case CHARDEV_IO_HANGUP:
		io_uring_prep_poll_add(sqe, io->fd, POLLHUP | POLLERR);
		break;
	}
}

static bool is_output(const struct chardev_io *io)
{
	return io->kind == CHARDEV_IO_WRITE || io->kind == CHARDEV_IO_SEND;
}

static void submit(struct chardev_io *io)
{
	struct io_uring_sqe *sqe = loop_sqe(io->loop, &io->op);

	if (!sqe)
		loop_timer_set(io->loop, &io->retry, loop_now() + RETRY_NS);
	else if (io->polling)
		io_uring_prep_poll_add(sqe, io->fd, is_output(io) ? POLLOUT : POLLIN);
	else
		prepare(io, sqe);
	if (sqe && io->worker && !io->polling)
		io_uring_sqe_set_flags(sqe, IOSQE_ASYNC);
}

static void finish(struct chardev_io *io, int res)
{
	io->busy = false;
	io->polling = false;
	io->done(io, res);
}

static void retry_fired(struct loop_timer *timer)
{
	struct chardev_io *io = container_of(timer, struct chardev_io, retry);

	if (io->cancelled)
		finish(io, -ECANCELED);
	else
		submit(io);
}

/* True when the operation is over with *@res, false when it has to go on. */
static bool is_over(struct chardev_io *io, int *res)
{
	if (io->polling) {
		io->polling = false;
		if (*res >= 0)
			return false;
	} else if (*res == -EAGAIN) {
		io->polling = true;
		return false;
	} else if (is_output(io) && *res > 0) {
		io->out += *res;
		io->len -= (size_t)*res;
		io->moved += (size_t)*res;
		*res = 0;
		return io->len == 0;
	} else if (is_output(io) && *res == 0) {
		/* A write of some bytes that writes none: do not spin on it. */
		*res = -EIO;
	}
	return *res != -EINTR;
}

static void io_done(struct loop_op *op, int res, unsigned int flags)
{
	struct chardev_io *io = container_of(op, struct chardev_io, op);

	if (is_over(io, &res))
		finish(io, res);
	else if (io->cancelled)
		finish(io, -ECANCELED);
	else
		submit(io);
}

void chardev_io_init(struct chardev_io *io, struct loop *loop, enum chardev_io_kind kind,
		     void (*done)(struct chardev_io *io, int res))
{
	*io = (struct chardev_io){
		.op = {.done = io_done},
		.retry = {.fired = retry_fired},
		.loop = loop,
		.kind = kind,
		.fd = -1,
		.done = done,
	};
}

void chardev_io_set_fd(struct chardev_io *io, int fd)
{
	struct stat st;

	assert(!io->busy);
	io->fd = fd;
	io->worker = (io->kind == CHARDEV_IO_READ || io->kind == CHARDEV_IO_WRITE) &&
		     fstat(fd, &st) == 0 && S_ISCHR(st.st_mode);
}

static void begin(struct chardev_io *io, size_t len)
{
	assert(!io->busy);
	io->len = len;
	io->moved = 0;
	io->busy = true;
	io->cancelled = false;
	submit(io);
}

void chardev_io_read(struct chardev_io *io, uint8_t *buf, size_t len)
{
	assert(io->kind == CHARDEV_IO_READ && len > 0);
	io->in = buf;
	begin(io, len);
}

void chardev_io_write(struct chardev_io *io, const uint8_t *buf, size_t len)
{
	assert(is_output(io) && len > 0);
	io->out = buf;
	begin(io, len);
}

void chardev_io_accept(struct chardev_io *io)
{
	assert(io->kind == CHARDEV_IO_ACCEPT);
	begin(io, 0);
}

void chardev_io_hangup(struct chardev_io *io)
{
	assert(io->kind == CHARDEV_IO_HANGUP);
	begin(io, 0);
}

void chardev_io_cancel(struct chardev_io *io)
{
	assert(io->busy);
	if (io->cancelled)
		return;
	io->cancelled = true;
	if (io->retry.next)
		loop_timer_set(io->loop, &io->retry, 0);
	else
		loop_cancel(io->loop, &io->op);
}
