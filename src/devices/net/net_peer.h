// SPDX-License-Identifier: MIT
/*
 * A backend whose other end is another process, behind a connected Unix socket of type
 * SOCK_SEQPACKET: one message is a virtio network header and a frame. One queue.
 *
 * The peer is not trusted: what it sends is checked, and what the guest has not agreed to is done
 * in software. It may send anything we say we can do ourselves.
 *
 * How a connection comes about is the business of the file that has the struct (net_socket.c,
 * net_user.c); it is called on the queue's loop between start and stop.
 */
#pragma once

#include <stdatomic.h>

#include "devices/net/net_backend_internal.h"

struct net_peer;
struct net_peer_queue;

struct net_peer_ops {
	/* The queue has a loop now. NULL: nothing to do. */
	void (*start)(struct net_peer *peer, struct loop *loop);
	/* It will have none: nothing may come any more after net_peer_stopped(). NULL: likewise. */
	void (*stop)(struct net_peer *peer);
	/* The peer is gone, and the connection closed. */
	void (*gone)(struct net_peer *peer);
	/* All that is not net_peer's, with the memory. */
	void (*destroy)(struct net_peer *peer);
};

struct net_peer {
	struct net_backend backend;
	const struct net_peer_ops *ops;
	struct net_counters counters[NET_QUEUES_MAX];
	int fd; /* -1: there is nobody */
	_Atomic bool link;
	_Atomic unsigned int offloads; /* what the guest takes, a bit each */
	struct net_peer_queue *queue;  /* NULL: not started */
};

void net_peer_init(struct net_peer *peer, const struct net_peer_ops *ops, uint32_t mtu_max);
/* Closes the connection. */
void net_peer_finish(struct net_peer *peer);

/*
 * Somebody is there now: @fd, which is taken over. Before the queue is started, or on its loop. At
 * most one at a time.
 */
void net_peer_connected(struct net_peer *peer, int fd);
/* The end of ops->stop(): at once, or later. */
void net_peer_stopped(struct net_peer *peer);

/* So much may be on its way to the peer: what the host allows. */
void net_peer_enlarge_buffer(int fd);
