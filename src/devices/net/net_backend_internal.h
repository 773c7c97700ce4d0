// SPDX-License-Identifier: MIT
/*
 * What a backend is made of, and a layer over one: for the files of this directory alone.
 *
 * A backend's struct begins with a struct net_backend, that of its queues with a struct net_queue.
 * Threads are as in net_backend.h.
 */
#pragma once

#include "devices/net/net_backend.h"

/* All are mandatory; each is as the function of the same name in net_backend.h. */
struct net_backend_ops {
	/* @common is what the queue's struct net_queue is to hold. */
	int (*start)(struct net_backend *backend, const struct net_queue *common, struct error *err,
		     struct net_queue **ret_queue);
	/* Ends with net_queue_stopped(), at once or later; the queue's memory goes before that. */
	void (*stop)(struct net_queue *queue);
	void (*send)(struct net_queue *queue, struct net_tx *tx);
	int64_t (*receive)(struct net_queue *queue, struct virtio_net_hdr_v1 *header,
			   const struct iovec *iov, unsigned int iov_count);
	void (*set_offloads)(struct net_backend *backend, const struct net_offloads *offloads);
	bool (*link)(const struct net_backend *backend);
	const struct net_counters *(*counters)(const struct net_backend *backend,
					       unsigned int index);
	void (*destroy)(struct net_backend *backend);
};

struct net_backend {
	const struct net_backend_ops *ops;
	struct net_backend_info info;
};

struct net_queue {
	struct net_backend *backend;
	unsigned int index;
	struct loop *loop;
	const struct net_queue_ops *ops;
	void *ctx;
	void (*stopped)(void *ctx);
	void *stopped_ctx;
};

/* Tells the frontend, unless the queue is being stopped. */
void net_queue_readable(struct net_queue *queue);

/* The end of ops->stop(): @common is a copy of the queue, whose memory is free by now. */
void net_queue_stopped(const struct net_queue *common);

/* The end of a frame: counts it, and tells who sent it. Never two times. */
void net_tx_finish(struct net_tx *tx, struct net_counters *counters, int result);
