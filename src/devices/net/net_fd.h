// SPDX-License-Identifier: MIT
/*
 * Frames over a descriptor that keeps messages apart: each is a virtio network header with a frame
 * behind it. A TAP device is such a descriptor, and so is a Unix socket of type SOCK_SEQPACKET.
 *
 * What is sent in one pass of the loop goes to the kernel with one system call, from the sender's
 * memory; what comes then waits until that is done, so frames stay in their order. When the other
 * end takes no more, frames wait for NET_FD_PATIENCE_NS; then they are lost, and so are all that
 * come until it takes some again: nobody's memory is held for longer.
 *
 * All of it belongs to the loop's thread.
 */
#pragma once

#include "devices/net/net_backend_internal.h"

#define NET_FD_PATIENCE_NS (100 * NSEC_PER_MSEC)
#define NET_FD_IOV_MAX     1023u /* pieces of a frame, both ways */

struct net_fd;

struct net_fd_ops {
	void (*readable)(struct net_fd *nfd);
	/*
	 * The other end is gone: to be closed. Once, and at the end of a pass. NULL: there is no
	 * other end that could go, and this is no socket.
	 */
	void (*gone)(struct net_fd *nfd);
};

/* Frames in their order, linked by next. */
struct net_fd_list {
	struct net_tx *head, **tail;
};

struct net_fd_vector;
struct net_fd_memory;

struct net_fd {
	struct loop *loop;
	int fd; /* -1: none */
	const struct net_fd_ops *ops;
	struct net_counters *counters;

	struct loop_fd watch;
	bool watched, closing, is_gone;
	void (*closed)(struct net_fd *nfd);
	struct loop_deferred tell_gone;

	unsigned int in_flight;
	uint64_t issued;            /* numbers them */
	struct net_fd_list refused; /* the descriptor took them not: they go before the others */
	struct net_fd_list waiting;
	enum {
		NET_FD_GOES,
		NET_FD_RETRIES, /* the loop takes no operation now */
		NET_FD_BLOCKED, /* there is no room at the other end */
		NET_FD_LOSES,   /* and there has been none for too long */
	} sending;
	struct loop_op room;
	bool room_asked; /* @room is in flight */
	struct loop_timer timer;
	struct loop_deferred batch; /* sends what waits, once a pass */

	struct net_fd_memory *memory;
	struct net_fd_vector *small_free, *large_free;
	unsigned int small_used, large_used; /* of @memory's, ever */
};

/* Without a descriptor yet. -ENOMEM. */
int net_fd_init(struct net_fd *nfd, struct loop *loop, const struct net_fd_ops *ops,
		struct net_counters *counters) must_check;
/* Without a descriptor again. */
void net_fd_finish(struct net_fd *nfd);

/*
 * @fd, non-blocking, is used from here on, and stays the caller's. What has come before is thrown
 * away: it was meant for somebody who is not there any more.
 */
int net_fd_open(struct net_fd *nfd, int fd) must_check;
/* Frames that are on their way are over first; then @closed. Not from inside. */
void net_fd_close(struct net_fd *nfd, void (*closed)(struct net_fd *nfd));

/* As net_queue_send() and net_queue_receive(). */
void net_fd_send(struct net_fd *nfd, struct net_tx *tx);
int64_t net_fd_receive(struct net_fd *nfd, struct virtio_net_hdr_v1 *header,
		       const struct iovec *iov, unsigned int iov_count) must_check;
