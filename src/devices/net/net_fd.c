// SPDX-License-Identifier: MIT
/* Frames over a descriptor that keeps messages apart. State belongs to the loop's thread. */
#include "devices/net/net_fd.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static_assert(NET_FD_IOV_MAX + 1 <= IOV_MAX, "a frame with its header fits");
static_assert(sizeof(struct virtio_net_hdr_v1) == 12, "as TUNSETVNETHDRSZ is told");

#define RETRY_NS  NSEC_PER_MSEC /* a submission queue that took nothing */
#define STALE_MAX 4096          /* frames that are thrown away at the beginning */

/* --- Vectors of frames on their way: header and pieces. ------------------------------------- */

#define SMALL_PIECES 40u /* a large segment in pages of 4 KiB, and its headers */
#define SMALL_COUNT  256u
#define LARGE_COUNT  4u

struct net_fd_vector {
	struct net_fd_vector *next;
	struct msghdr message;
	bool large;
	struct iovec iov[];
};

struct small_vector {
	struct net_fd_vector vector;
	struct iovec iov[SMALL_PIECES];
};

struct large_vector {
	struct net_fd_vector vector;
	struct iovec iov[NET_FD_IOV_MAX + 1];
};

/* Zero pages until they are used, and those that were used last are used again first. */
struct net_fd_memory {
	struct small_vector small[SMALL_COUNT];
	struct large_vector large[LARGE_COUNT];
	struct iovec receive[NET_FD_IOV_MAX + 1];
};

static struct net_fd_vector *vector_get(struct net_fd *nfd, unsigned int pieces)
{
	const bool large = pieces > SMALL_PIECES;
	struct net_fd_vector **list = large ? &nfd->large_free : &nfd->small_free;
	struct net_fd_vector *v = *list;

	if (v) {
		*list = v->next;
		return v;
	}
	if (large && nfd->large_used < LARGE_COUNT)
		v = &nfd->memory->large[nfd->large_used++].vector;
	else if (!large && nfd->small_used < SMALL_COUNT)
		v = &nfd->memory->small[nfd->small_used++].vector;
	if (v)
		v->large = large;
	return v;
}

static void vector_put(struct net_fd *nfd, struct net_fd_vector *v)
{
	struct net_fd_vector **list = v->large ? &nfd->large_free : &nfd->small_free;

	v->next = *list;
	*list = v;
}

/* --- Lists of frames. ----------------------------------------------------------------------- */

static void list_init(struct net_fd_list *list)
{
	list->head = NULL;
	list->tail = &list->head;
}

static void list_add(struct net_fd_list *list, struct net_tx *tx)
{
	tx->next = NULL;
	*list->tail = tx;
	list->tail = &tx->next;
}

static void list_drop_first(struct net_fd_list *list)
{
	list->head = list->head->next;
	if (!list->head)
		list->tail = &list->head;
}

/* By their numbers: the kernel reports those that it refused in an order of its own. */
static void list_add_sorted(struct net_fd_list *list, struct net_tx *tx)
{
	struct net_tx **p = &list->head;

	while (*p && (*p)->private[2] < tx -> private[2])
		p = &(*p)->next;
	tx->next = *p;
	*p = tx;
	if (!tx->next)
		list->tail = &tx->next;
}

static void lose_all(struct net_fd *nfd, struct net_fd_list *list, int result)
{
	struct net_tx *tx;

	while ((tx = list->head)) {
		list_drop_first(list);
		net_tx_finish(tx, nfd->counters, result);
	}
}

/* --- Sending. ------------------------------------------------------------------------------- */

static void send_soon(struct net_fd *nfd)
{
	if (nfd->sending == NET_FD_GOES && nfd->in_flight == 0 &&
	    (nfd->refused.head || nfd->waiting.head))
		loop_defer(nfd->loop, &nfd->batch);
}

static void try_end(struct net_fd *nfd);

static void ask_for_room(struct net_fd *nfd)
{
	struct io_uring_sqe *sqe;

	if (nfd->room_asked)
		return;
	sqe = loop_sqe(nfd->loop, &nfd->room);
	if (!sqe)
		return; /* the timer tries again */
	io_uring_prep_poll_add(sqe, nfd->fd, POLLOUT);
	nfd->room_asked = true;
}

static void wait_for_room(struct net_fd *nfd)
{
	if (nfd->sending != NET_FD_BLOCKED)
		loop_timer_set(nfd->loop, &nfd->timer, loop_now() + NET_FD_PATIENCE_NS);
	nfd->sending = NET_FD_BLOCKED;
	ask_for_room(nfd);
}

static void tx_done(struct loop_op *op, int res, unsigned int flags)
{
	struct net_tx *tx = container_of(op, struct net_tx, op);
	struct net_fd *nfd = (struct net_fd *)(uintptr_t)tx->private[0];

	nfd->in_flight--;
	vector_put(nfd, (struct net_fd_vector *)(uintptr_t)tx->private[1]);
	if (res == -EAGAIN && !nfd->closing) {
		list_add_sorted(&nfd->refused, tx);
		wait_for_room(nfd);
		return;
	}
	if (res >= 0)
		res = (uint64_t)res == sizeof(tx->header) + tx->len ? 0 : -EIO;
	net_tx_finish(tx, nfd->counters, res);
	if (nfd->closing)
		try_end(nfd);
	else
		send_soon(nfd);
}

/* False: not now. Then something is in flight, or the timer is set. */
static bool issue(struct net_fd *nfd, struct net_tx *tx)
{
	struct net_fd_vector *v = vector_get(nfd, tx->iov_count + 1);
	struct io_uring_sqe *sqe;

	if (!v)
		return false;
	sqe = loop_sqe(nfd->loop, &tx->op);
	if (!sqe) {
		vector_put(nfd, v);
		nfd->sending = NET_FD_RETRIES;
		loop_timer_set(nfd->loop, &nfd->timer, loop_now() + RETRY_NS);
		return false;
	}
	tx->op.done = tx_done;
	tx->private[0] = (uintptr_t)nfd;
	tx->private[1] = (uintptr_t)v;
	tx->private[2] = nfd->issued++;
	v->iov[0] = (struct iovec){&tx->header, sizeof(tx->header)};
	memcpy(&v->iov[1], tx->iov, tx->iov_count * sizeof(v->iov[0]));
	/*
	 * Of a socket we want to hear that it is full: what waits in the kernel cannot be lost. A
	 * TAP device does not get full.
	 */
	v->message = (struct msghdr){.msg_iov = v->iov, .msg_iovlen = tx->iov_count + 1};
	if (nfd->ops->gone)
		io_uring_prep_sendmsg(sqe, nfd->fd, &v->message, MSG_DONTWAIT | MSG_NOSIGNAL);
	else
		io_uring_prep_writev(sqe, nfd->fd, v->iov, tx->iov_count + 1, 0);
	nfd->in_flight++;
	return true;
}

static void send_list(struct net_fd *nfd, struct net_fd_list *list)
{
	struct net_tx *tx;

	while (nfd->sending == NET_FD_GOES && (tx = list->head)) {
		if (!issue(nfd, tx))
			return;
		list_drop_first(list);
	}
}

static void on_batch(struct loop_deferred *deferred)
{
	struct net_fd *nfd = container_of(deferred, struct net_fd, batch);

	/* Some of another batch may be on their way by now, or the other end be full. */
	if (nfd->in_flight || nfd->sending != NET_FD_GOES)
		return;
	send_list(nfd, &nfd->refused);
	if (!nfd->refused.head)
		send_list(nfd, &nfd->waiting);
	if (nfd->in_flight)
		counter_add(&nfd->counters->calls, 1);
}

static void unblock(struct net_fd *nfd)
{
	nfd->sending = NET_FD_GOES;
	loop_timer_cancel(nfd->loop, &nfd->timer);
	send_soon(nfd);
}

static void on_room(struct loop_op *op, int res, unsigned int flags)
{
	struct net_fd *nfd = container_of(op, struct net_fd, room);

	nfd->room_asked = false;
	if (nfd->closing)
		try_end(nfd);
	else
		unblock(nfd);
}

static void on_timer(struct loop_timer *timer)
{
	struct net_fd *nfd = container_of(timer, struct net_fd, timer);

	if (nfd->sending == NET_FD_RETRIES) {
		unblock(nfd);
		return;
	}
	nfd->sending = NET_FD_LOSES;
	lose_all(nfd, &nfd->refused, -ENOBUFS);
	lose_all(nfd, &nfd->waiting, -ENOBUFS);
	ask_for_room(nfd);
	if (!nfd->room_asked)
		loop_timer_set(nfd->loop, timer, loop_now() + NET_FD_PATIENCE_NS);
}

void net_fd_send(struct net_fd *nfd, struct net_tx *tx)
{
	if (nfd->fd < 0 || nfd->closing)
		net_tx_finish(tx, nfd->counters, -ENETDOWN);
	else if (nfd->sending == NET_FD_LOSES)
		net_tx_finish(tx, nfd->counters, -ENOBUFS);
	else if (tx->iov_count > NET_FD_IOV_MAX)
		net_tx_finish(tx, nfd->counters, -EINVAL);
	else {
		list_add(&nfd->waiting, tx);
		send_soon(nfd);
	}
}

/* --- Receiving. ----------------------------------------------------------------------------- */

static void set_gone(struct net_fd *nfd)
{
	if (nfd->is_gone || !nfd->ops->gone)
		return;
	nfd->is_gone = true;
	loop_defer(nfd->loop, &nfd->tell_gone);
}

static void on_gone(struct loop_deferred *deferred)
{
	struct net_fd *nfd = container_of(deferred, struct net_fd, tell_gone);

	nfd->ops->gone(nfd);
}

static int64_t receive_error(struct net_fd *nfd, int error)
{
	/* A device that was removed, or a peer that is not there any more: nothing was lost. */
	if (error != EAGAIN && error != EINTR)
		set_gone(nfd);
	return -EAGAIN;
}

/*
 * The last piece is a byte of ours: it is written when the frame is longer than the others, which
 * the kernel does not tell otherwise.
 */
int64_t net_fd_receive(struct net_fd *nfd, struct virtio_net_hdr_v1 *header,
		       const struct iovec *iov, unsigned int iov_count)
{
	struct iovec *all;
	uint64_t room = 0;
	uint8_t spare;
	ssize_t n;

	if (nfd->fd < 0 || nfd->closing || nfd->is_gone)
		return -EAGAIN;
	if (iov_count > NET_FD_IOV_MAX - 1)
		return -EINVAL;
	all = nfd->memory->receive;
	memset(header, 0, sizeof(*header));
	all[0] = (struct iovec){header, sizeof(*header)};
	for (unsigned int i = 0; i < iov_count; i++) {
		all[i + 1] = iov[i];
		room += iov[i].iov_len;
	}
	all[iov_count + 1] = (struct iovec){&spare, 1};
	n = readv(nfd->fd, all, (int)iov_count + 2);
	counter_add(&nfd->counters->calls, 1);
	if (n < 0)
		return receive_error(nfd, errno);
	if (n == 0) {
		set_gone(nfd);
		return -EAGAIN;
	}
	if ((uint64_t)n < sizeof(*header) || (uint64_t)n - sizeof(*header) > room) {
		counter_add(&nfd->counters->rx_lost, 1);
		return (uint64_t)n < sizeof(*header) ? -EPROTO : -EMSGSIZE;
	}
	counter_add(&nfd->counters->rx_frames, 1);
	counter_add(&nfd->counters->rx_bytes, (uint64_t)n - sizeof(*header));
	return n - (ssize_t)sizeof(*header);
}

static void on_ready(struct loop_fd *watch, uint32_t revents)
{
	struct net_fd *nfd = container_of(watch, struct net_fd, watch);

	nfd->ops->readable(nfd);
}

/* --- Life. ---------------------------------------------------------------------------------- */

int net_fd_init(struct net_fd *nfd, struct loop *loop, const struct net_fd_ops *ops,
		struct net_counters *counters)
{
	*nfd = (struct net_fd){
		.loop = loop,
		.fd = -1,
		.ops = ops,
		.counters = counters,
		.tell_gone = {.run = on_gone},
		.batch = {.run = on_batch},
		.room = {.done = on_room},
		.timer = {.fired = on_timer},
		.memory = calloc(1, sizeof(*nfd->memory)),
	};
	list_init(&nfd->refused);
	list_init(&nfd->waiting);
	return nfd->memory ? 0 : -ENOMEM;
}

void net_fd_finish(struct net_fd *nfd)
{
	assert(nfd->fd < 0);
	if (nfd->loop)
		loop_defer_cancel(&nfd->batch);
	free(nfd->memory);
	nfd->memory = NULL;
}

static void drop_stale(int fd)
{
	char beginning[64]; /* a TAP device wants room for the header at least */

	for (int i = 0; i < STALE_MAX && read(fd, beginning, sizeof(beginning)) > 0; i++)
		continue;
}

int net_fd_open(struct net_fd *nfd, int fd)
{
	int r;

	assert(nfd->fd < 0 && !nfd->closing);
	drop_stale(fd);
	r = loop_fd_add(nfd->loop, &nfd->watch, fd, POLLIN, on_ready);
	if (r < 0)
		return r;
	nfd->watched = true;
	nfd->is_gone = false;
	nfd->fd = fd;
	return 0;
}

static void try_end(struct net_fd *nfd)
{
	if (nfd->in_flight || nfd->room_asked || nfd->watched)
		return;
	nfd->closing = false;
	nfd->fd = -1;
	nfd->closed(nfd);
}

static void on_unwatched(struct loop_fd *watch)
{
	struct net_fd *nfd = container_of(watch, struct net_fd, watch);

	nfd->watched = false;
	try_end(nfd);
}

void net_fd_close(struct net_fd *nfd, void (*closed)(struct net_fd *nfd))
{
	assert(nfd->fd >= 0 && !nfd->closing);
	nfd->closing = true;
	nfd->closed = closed;
	nfd->sending = NET_FD_GOES;
	loop_timer_cancel(nfd->loop, &nfd->timer);
	loop_defer_cancel(&nfd->tell_gone);
	if (nfd->room_asked)
		loop_cancel(nfd->loop, &nfd->room);
	lose_all(nfd, &nfd->refused, -ENETDOWN);
	lose_all(nfd, &nfd->waiting, -ENETDOWN);
	/* Descriptors are non-blocking: what is in flight does not wait for the other end. */
	loop_fd_close(&nfd->watch, on_unwatched);
}
