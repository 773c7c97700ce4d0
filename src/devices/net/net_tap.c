// SPDX-License-Identifier: MIT
/*
 * TAP devices: their queues. Opening one is in net_tap_open.c.
 *
 * A queue's descriptor stays open between a guest's stopping and starting it. The link is watched
 * by the first queue's loop; what it is may be asked on any thread.
 */
#include <errno.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/net/net_fd.h"
#include "devices/net/net_tap_internal.h"

struct tap_queue {
	struct net_queue queue;
	struct net_fd nfd;
	struct loop_fd link_watch; /* of the first queue */
	bool link_watched, nfd_closed;
};

static struct net_tap *tap_of(const struct net_backend *backend)
{
	return (struct net_tap *)(uintptr_t)backend;
}

/* --- The link. ------------------------------------------------------------------------------ */

bool net_tap_look_at_link(struct net_tap *tap)
{
	struct ifreq ifr = {0};
	bool link = true, before;

	/*
	 * Not IFF_RUNNING, which says up to a second late that somebody, we, has attached to the
	 * device: a guest that is told of it while its driver registers the interface forgets it.
	 * One that came as a descriptor may be in a network namespace that we do not see.
	 */
	if (ioctl(tap->fds[0], TUNGETIFF, &ifr) == 0 &&
	    ioctl(tap->link_fd, SIOCGIFFLAGS, &ifr) == 0)
		link = ifr.ifr_flags & IFF_UP;
	before = atomic_exchange(&tap->link, link);
	return link != before;
}

static void on_link_news(struct loop_fd *watch, uint32_t revents)
{
	struct tap_queue *queue = container_of(watch, struct tap_queue, link_watch);
	char news[8192];

	/* Whatever they say: a look at the device tells. */
	while (recv(watch->fd, news, sizeof(news), MSG_DONTWAIT) > 0)
		continue;
	if (net_tap_look_at_link(tap_of(queue->queue.backend)))
		net_queue_readable(&queue->queue);
}

static bool tap_link(const struct net_backend *backend)
{
	return atomic_load(&tap_of(backend)->link);
}

/* --- Queues. -------------------------------------------------------------------------------- */

static void on_readable(struct net_fd *nfd)
{
	net_queue_readable(&container_of(nfd, struct tap_queue, nfd)->queue);
}

static const struct net_fd_ops fd_ops = {.readable = on_readable};

static void free_queue(struct tap_queue *queue)
{
	net_fd_finish(&queue->nfd);
	free(queue);
}

static int open_queue(struct tap_queue *queue, struct error *err)
{
	struct net_tap *tap = tap_of(queue->queue.backend);
	const unsigned int index = queue->queue.index;
	int r = net_fd_init(&queue->nfd, queue->queue.loop, &fd_ops, &tap->counters[index]);

	if (r < 0)
		return error_set(err, -ENOMEM, "out of memory");
	if (index == 0) {
		r = loop_fd_add(queue->queue.loop, &queue->link_watch, tap->link_fd, POLLIN,
				on_link_news);
		queue->link_watched = r == 0;
		(void)net_tap_look_at_link(tap);
	}
	if (r == 0)
		r = net_fd_open(&queue->nfd, tap->fds[index]);
	return r < 0 ? error_errno(err, r, "cannot watch the TAP device %s", tap->name) : 0;
}

static int tap_start(struct net_backend *backend, const struct net_queue *common, struct error *err,
		     struct net_queue **ret)
{
	struct tap_queue *queue = calloc(1, sizeof(*queue));
	int r;

	if (!queue)
		return error_set(err, -ENOMEM, "out of memory");
	queue->queue = *common;
	r = open_queue(queue, err);
	if (r < 0) {
		/* A loop whose submission queue has no entry at all serves nobody any more. */
		if (!queue->link_watched)
			free_queue(queue);
		return r;
	}
	*ret = &queue->queue;
	return 0;
}

static void try_end(struct tap_queue *queue)
{
	const struct net_queue common = queue->queue;

	if (queue->link_watched || !queue->nfd_closed)
		return;
	free_queue(queue);
	net_queue_stopped(&common);
}

static void on_link_unwatched(struct loop_fd *watch)
{
	struct tap_queue *queue = container_of(watch, struct tap_queue, link_watch);

	queue->link_watched = false;
	try_end(queue);
}

static void on_closed(struct net_fd *nfd)
{
	struct tap_queue *queue = container_of(nfd, struct tap_queue, nfd);

	queue->nfd_closed = true;
	try_end(queue);
}

static void tap_stop(struct net_queue *queue)
{
	struct tap_queue *tq = container_of(queue, struct tap_queue, queue);

	if (tq->link_watched)
		loop_fd_close(&tq->link_watch, on_link_unwatched);
	net_fd_close(&tq->nfd, on_closed);
}

static void tap_send(struct net_queue *queue, struct net_tx *tx)
{
	net_fd_send(&container_of(queue, struct tap_queue, queue)->nfd, tx);
}

static int64_t tap_receive(struct net_queue *queue, struct virtio_net_hdr_v1 *header,
			   const struct iovec *iov, unsigned int iov_count)
{
	return net_fd_receive(&container_of(queue, struct tap_queue, queue)->nfd, header, iov,
			      iov_count);
}

/* --- The whole. ----------------------------------------------------------------------------- */

static void tap_set_offloads(struct net_backend *backend, const struct net_offloads *offloads)
{
	struct net_tap *tap = tap_of(backend);
	unsigned int flags = 0;

	/* The kernel splits and sums up what it may not hand us. */
	if (offloads->checksum)
		flags = TUN_F_CSUM | (offloads->tso4 ? TUN_F_TSO4 : 0) |
			(offloads->tso6 ? TUN_F_TSO6 : 0) |
			(offloads->uso && backend->info.uso ? TUN_F_USO4 | TUN_F_USO6 : 0);
	(void)ioctl(tap->fds[0], TUNSETOFFLOAD, flags);
}

static const struct net_counters *tap_counters(const struct net_backend *backend,
					       unsigned int index)
{
	return &tap_of(backend)->counters[index];
}

static void tap_destroy(struct net_backend *backend)
{
	struct net_tap *tap = tap_of(backend);

	for (unsigned int i = 0; i < backend->info.queues; i++)
		close(tap->fds[i]);
	if (tap->link_fd >= 0)
		close(tap->link_fd);
	free(tap);
}

const struct net_backend_ops net_tap_ops = {
	.start = tap_start,
	.stop = tap_stop,
	.send = tap_send,
	.receive = tap_receive,
	.set_offloads = tap_set_offloads,
	.link = tap_link,
	.counters = tap_counters,
	.destroy = tap_destroy,
};
