// SPDX-License-Identifier: MIT
/* Frames to and from another process. State belongs to the queue's loop while it is started. */
#include "devices/net/net_peer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/net/net_fd.h"
#include "devices/net/net_frame.h"

#define SEND_BUFFER MiB(1)

enum {
	TAKES_CHECKSUM = 1 << 0,
	TAKES_TSO4 = 1 << 1,
	TAKES_TSO6 = 1 << 2,
	TAKES_USO = 1 << 3,
	TAKES_ALL = 15,
};

struct net_peer_queue {
	struct net_queue queue;
	struct net_peer *peer;
	struct net_fd nfd;
	bool open, closing; /* the descriptor */
	bool stopping, connector_stopped;
	struct loop_deferred end;
	struct net_splitter splitter; /* of a frame in @whole */
	uint8_t *whole;               /* NET_FRAME_MAX bytes */
};

static struct net_peer *peer_of(const struct net_backend *backend)
{
	return (struct net_peer *)(uintptr_t)backend;
}

static struct net_peer_queue *queue_of(struct net_queue *queue)
{
	return container_of(queue, struct net_peer_queue, queue);
}

/* --- The end. ------------------------------------------------------------------------------- */

static void free_queue(struct net_peer_queue *queue)
{
	net_fd_finish(&queue->nfd);
	free(queue->whole);
	free(queue);
}

static void on_end(struct loop_deferred *deferred)
{
	struct net_peer_queue *queue = container_of(deferred, struct net_peer_queue, end);
	const struct net_queue common = queue->queue;

	if (queue->open || queue->closing || !queue->connector_stopped)
		return;
	queue->peer->queue = NULL;
	free_queue(queue);
	net_queue_stopped(&common);
}

static void try_end(struct net_peer_queue *queue)
{
	if (queue->stopping)
		loop_defer(queue->queue.loop, &queue->end);
}

void net_peer_stopped(struct net_peer *peer)
{
	peer->queue->connector_stopped = true;
	try_end(peer->queue);
}

/* The connection stays, for the guest's next start. */
static void on_closed(struct net_fd *nfd)
{
	struct net_peer_queue *queue = container_of(nfd, struct net_peer_queue, nfd);

	queue->closing = false;
	try_end(queue);
}

static void peer_stop(struct net_queue *net_queue)
{
	struct net_peer_queue *queue = queue_of(net_queue);

	queue->stopping = true;
	if (queue->open) {
		queue->open = false;
		queue->closing = true;
		net_fd_close(&queue->nfd, on_closed);
	}
	if (queue->peer->ops->stop)
		queue->peer->ops->stop(queue->peer);
	else
		net_peer_stopped(queue->peer);
}

/* --- Coming and going. ---------------------------------------------------------------------- */

static void on_gone_closed(struct net_fd *nfd)
{
	struct net_peer_queue *queue = container_of(nfd, struct net_peer_queue, nfd);
	struct net_peer *peer = queue->peer;

	queue->closing = false;
	close(peer->fd);
	peer->fd = -1;
	atomic_store(&peer->link, false);
	net_queue_readable(&queue->queue);
	if (queue->stopping)
		try_end(queue);
	else
		peer->ops->gone(peer);
}

static void on_gone(struct net_fd *nfd)
{
	struct net_peer_queue *queue = container_of(nfd, struct net_peer_queue, nfd);

	queue->open = false;
	queue->closing = true;
	net_fd_close(nfd, on_gone_closed);
}

static void on_readable(struct net_fd *nfd)
{
	net_queue_readable(&container_of(nfd, struct net_peer_queue, nfd)->queue);
}

static const struct net_fd_ops fd_ops = {.readable = on_readable, .gone = on_gone};

void net_peer_connected(struct net_peer *peer, int fd)
{
	struct net_peer_queue *queue = peer->queue;

	assert(peer->fd < 0 && (!queue || !queue->closing));
	if (queue && net_fd_open(&queue->nfd, fd) < 0) {
		close(fd);
		return;
	}
	peer->fd = fd;
	atomic_store(&peer->link, true);
	if (queue) {
		queue->open = true;
		net_queue_readable(&queue->queue);
	}
}

static int peer_start(struct net_backend *backend, const struct net_queue *common,
		      struct error *err, struct net_queue **ret)
{
	struct net_peer *peer = peer_of(backend);
	struct net_peer_queue *queue = calloc(1, sizeof(*queue));
	int r;

	assert(!peer->queue);
	if (!queue)
		return error_set(err, -ENOMEM, "out of memory");
	queue->queue = *common;
	queue->peer = peer;
	queue->end.run = on_end;
	queue->whole = malloc(NET_FRAME_MAX);
	r = net_fd_init(&queue->nfd, common->loop, &fd_ops, &peer->counters[0]);
	if (r < 0 || !queue->whole) {
		free_queue(queue);
		return error_set(err, -ENOMEM, "out of memory");
	}
	r = peer->fd >= 0 ? net_fd_open(&queue->nfd, peer->fd) : 0;
	if (r < 0) {
		free_queue(queue);
		return error_errno(err, r, "cannot watch a socket");
	}
	queue->open = peer->fd >= 0;
	peer->queue = queue;
	if (peer->ops->start)
		peer->ops->start(peer, common->loop);
	*ret = &queue->queue;
	return 0;
}

/* --- Frames. -------------------------------------------------------------------------------- */

static void peer_send(struct net_queue *queue, struct net_tx *tx)
{
	net_fd_send(&queue_of(queue)->nfd, tx);
}

static int64_t refuse(struct net_peer_queue *queue, int64_t r)
{
	counter_add(&queue->peer->counters[0].rx_lost, 1);
	return r;
}

static int64_t receive_large(struct net_peer_queue *queue, unsigned int takes)
{
	const struct net_offloads offloads = {
		.checksum = takes & TAKES_CHECKSUM,
		.tso4 = takes & TAKES_TSO4,
		.tso6 = takes & TAKES_TSO6,
		.uso = takes & TAKES_USO,
	};
	const struct iovec iov = {queue->whole, NET_FRAME_MAX};
	struct virtio_net_hdr_v1 header;
	int64_t len = net_fd_receive(&queue->nfd, &header, &iov, 1);

	if (len < 0)
		return len;
	if (net_frame_check(&header, queue->whole, (size_t)len, (uint32_t)len) < 0)
		return refuse(queue, -EPROTO);
	net_splitter_begin(&queue->splitter, &header, queue->whole, (uint32_t)len, &offloads);
	return 0;
}

static size_t copy_head(const struct iovec *iov, unsigned int iov_count, int64_t len,
			uint8_t head[NET_FRAME_HEAD])
{
	size_t done = 0, room = (size_t)min_of(len, (int64_t)NET_FRAME_HEAD);

	for (unsigned int i = 0; i < iov_count && done < room; i++) {
		size_t n = min_of(iov[i].iov_len, room - done);

		memcpy(head + done, iov[i].iov_base, n);
		done += n;
	}
	return done;
}

/* A guest that takes all we know of gets frames without a copy by us. */
static int64_t receive_direct(struct net_peer_queue *queue, struct virtio_net_hdr_v1 *header,
			      const struct iovec *iov, unsigned int iov_count)
{
	int64_t len = net_fd_receive(&queue->nfd, header, iov, iov_count);
	uint8_t head[NET_FRAME_HEAD];

	if (len < 0)
		return len;
	if (net_frame_check(header, head, copy_head(iov, iov_count, len, head), (uint32_t)len) < 0)
		return refuse(queue, -EPROTO);
	return len;
}

static int64_t peer_receive(struct net_queue *net_queue, struct virtio_net_hdr_v1 *header,
			    const struct iovec *iov, unsigned int iov_count)
{
	struct net_peer_queue *queue = queue_of(net_queue);
	const unsigned int takes =
		atomic_load_explicit(&queue->peer->offloads, memory_order_relaxed);
	int64_t r;

	if (!queue->splitter.frame && takes == TAKES_ALL)
		return receive_direct(queue, header, iov, iov_count);
	if (!queue->splitter.frame) {
		r = receive_large(queue, takes);
		if (r < 0)
			return r;
	}
	r = net_splitter_next(&queue->splitter, header, iov, iov_count);
	return r < 0 ? refuse(queue, r == -ENODATA ? -EPROTO : r) : r;
}

/* --- The whole. ----------------------------------------------------------------------------- */

static void peer_set_offloads(struct net_backend *backend, const struct net_offloads *offloads)
{
	unsigned int takes = 0;

	/* A large frame has its checksum missing. */
	if (offloads->checksum)
		takes = TAKES_CHECKSUM | (offloads->tso4 ? TAKES_TSO4 : 0) |
			(offloads->tso6 ? TAKES_TSO6 : 0) | (offloads->uso ? TAKES_USO : 0);
	atomic_store_explicit(&peer_of(backend)->offloads, takes, memory_order_relaxed);
}

static bool peer_link(const struct net_backend *backend)
{
	return atomic_load(&peer_of(backend)->link);
}

static const struct net_counters *peer_counters(const struct net_backend *backend,
						unsigned int index)
{
	return &peer_of(backend)->counters[index];
}

static void peer_destroy(struct net_backend *backend)
{
	struct net_peer *peer = peer_of(backend);

	assert(!peer->queue);
	peer->ops->destroy(peer);
}

static const struct net_backend_ops peer_ops = {
	.start = peer_start,
	.stop = peer_stop,
	.send = peer_send,
	.receive = peer_receive,
	.set_offloads = peer_set_offloads,
	.link = peer_link,
	.counters = peer_counters,
	.destroy = peer_destroy,
};

void net_peer_init(struct net_peer *peer, const struct net_peer_ops *ops, uint32_t mtu_max)
{
	peer->backend = (struct net_backend){
		.ops = &peer_ops,
		.info = {.queues = 1,
			 .checksum = true,
			 .tso = true,
			 .uso = true,
			 .mtu_max = mtu_max},
	};
	peer->ops = ops;
	peer->fd = -1;
}

void net_peer_finish(struct net_peer *peer)
{
	if (peer->fd >= 0)
		close(peer->fd);
	peer->fd = -1;
}

void net_peer_enlarge_buffer(int fd)
{
	const int size = (int)SEND_BUFFER;

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}
