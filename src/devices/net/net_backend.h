// SPDX-License-Identifier: MIT
/*
 * The host's side of a network interface as its frontend (netvsp) sees it: queues of Ethernet
 * frames, whatever is behind them (TAP, user mode, another VM, nothing) and whatever lies between
 * (limits, a capture).
 *
 * Frames travel with a virtio network header, as Linux' TAP devices understand it: which checksum
 * is still to be filled in, and what size the segments of a large one shall have. All its fields
 * are in host byte order; num_buffers is not used. Frames have their VLAN tag in them.
 *
 * A queue belongs to one loop, and so do its callbacks and everything here that takes a queue.
 * Everything that takes a backend is the machine's loop's, except net_backend_counters().
 */
#pragma once

#include <linux/virtio_net.h>
#include <sys/uio.h>

#include "vmm/counter.h"
#include "vmm/error.h"
#include "vmm/loop.h"

struct net_backend;
struct net_queue;

#define NET_FRAME_MAX  (65535u + 14u + 4u) /* a large one, with Ethernet header and VLAN tag */
#define NET_MTU_MAX    65521u              /* with its Ethernet header, 65535 */
#define NET_QUEUES_MAX 16u

/* What the backend can do without being asked; the frontend offers the guest no more. */
struct net_backend_info {
	unsigned int queues; /* at least 1 */
	/*
	 * Takes frames whose TCP or UDP checksum is missing (VIRTIO_NET_HDR_F_NEEDS_CSUM), and
	 * large ones (VIRTIO_NET_HDR_GSO_TCPV4, _TCPV6, _UDP_L4). Without, all must be whole.
	 */
	bool checksum;
	bool tso, uso;
	uint32_t mtu_max; /* without the Ethernet header */
};

/* What Linux calls it since 6.2: UDP datagrams to be split, all but the last of gso_size bytes. */
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

/* Which of these a guest takes: what it has not agreed to is not given to it. */
struct net_offloads {
	bool checksum; /* frames whose checksum is missing or known to be good */
	bool tso4, tso6, uso;
};

/*
 * A frame on its way out. The sender's, with what @iov points to, from net_queue_send() until
 * done(), which may come from inside net_queue_send().
 */
struct net_tx {
	struct virtio_net_hdr_v1 header;
	const struct iovec *iov; /* the frame, from its Ethernet header on */
	unsigned int iov_count;
	uint32_t len;
	/* 0, or -errno: the frame is lost (and counted). */
	void (*done)(struct net_tx *tx, int result);

	/* The backend's. */
	struct net_queue *queue;
	struct net_tx *next;
	struct loop_op op;
	uint64_t private[4];
};

struct net_queue_ops {
	/*
	 * Frames can be received, or the link has changed. Comes at least once after every
	 * net_queue_receive() that said -EAGAIN when there is something again.
	 */
	void (*readable)(void *ctx, struct net_queue *queue);
};

/* What the frontends use; each calls the backend's row of the same name. */
const struct net_backend_info *net_backend_info(const struct net_backend *backend);

/*
 * The queue @index (below info.queues) belongs to @loop from now on, until net_queue_stop().
 * Called on that loop, or before it runs.
 */
int net_queue_start(struct net_backend *backend, unsigned int index, struct loop *loop,
		    const struct net_queue_ops *ops, void *ctx, struct error *err,
		    struct net_queue **ret) must_check;
/*
 * No callback any more but done() of frames that are on their way, and @stopped (may be NULL) after
 * the last of them, never from inside.
 */
void net_queue_stop(struct net_queue *queue, void (*stopped)(void *ctx), void *ctx);

/* Never refused: what cannot be sent is lost, as on a wire. At most @iov_count IOV_MAX - 1. */
void net_queue_send(struct net_queue *queue, struct net_tx *tx);

/*
 * Takes one frame into @iov. Its length, or -EAGAIN: none now, readable() comes; -EMSGSIZE: it was
 * longer than @iov and is lost; other -errno: one was lost. A frame in more pieces than one is
 * never given out.
 */
int64_t net_queue_receive(struct net_queue *queue, struct virtio_net_hdr_v1 *header,
			  const struct iovec *iov, unsigned int iov_count) must_check;

/* What the guest agreed to. Any queue's loop; holds for all queues. */
void net_backend_set_offloads(struct net_backend *backend, const struct net_offloads *offloads);
/* Is there anybody at the other end? Any thread. */
bool net_backend_link(const struct net_backend *backend);

/* Of one queue, for the life of the backend; readable from any thread. */
struct net_counters {
	struct counter tx_frames, tx_bytes, tx_lost;
	struct counter rx_frames, rx_bytes, rx_lost; /* what the other end could not hand us */
	struct counter calls;                        /* of the kernel, for frames */
};

/* @index below NET_QUEUES_MAX: those of queues that there are not stay 0. */
const struct net_counters *net_backend_counters(const struct net_backend *backend,
						unsigned int index);

/* All queues are stopped. NULL is fine. */
void net_backend_destroy(struct net_backend *backend);
