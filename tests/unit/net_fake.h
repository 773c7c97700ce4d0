// SPDX-License-Identifier: MIT
/*
 * The host's side of a network interface that the test holds both ends of: what the guest sends is
 * recorded, what the test puts in is received. Implements all of net_backend.h, so that the real
 * one is not linked.
 *
 * Queues may be on loops of their own; everything here is for the test's thread.
 */
#pragma once

#include <pthread.h>

#include "devices/net/net_backend.h"

#define NET_FAKE_FRAMES 1024u /* kept, each way */

struct net_fake_frame {
	unsigned int queue;
	struct virtio_net_hdr_v1 header;
	uint32_t len;
	uint8_t *bytes;
};

struct net_queue {
	struct net_backend *backend;
	unsigned int index;
	struct loop *loop; /* NULL: not started */
	const struct net_queue_ops *ops;
	void *ctx;
	void (*stopped)(void *ctx);
	void *stopped_ctx;
	struct net_tx *held;
	struct loop_task wake, finish;
	/* To be received, a queue. */
	struct net_fake_frame in[NET_FAKE_FRAMES];
	unsigned int in_first, in_count;
};

struct net_backend {
	pthread_mutex_t lock;
	struct net_backend_info info;
	_Atomic bool link;
	bool hold;    /* frames that are sent stay in flight */
	int result;   /* of sending */
	int refuse;   /* of starting a queue */
	bool discard; /* what is sent is only counted */
	/* As many frames are there to be received without being put, of so many bytes each. */
	_Atomic uint64_t flood;
	uint32_t flood_len;
	struct net_offloads offloads;
	struct net_counters counters;
	struct net_queue queues[NET_QUEUES_MAX];
	/* What was sent. */
	struct net_fake_frame out[NET_FAKE_FRAMES];
	unsigned int out_count;
	_Atomic unsigned int started;
};

void net_fake_init(struct net_backend *fake, unsigned int queues);
/* Its queues are stopped. */
void net_fake_finish(struct net_backend *fake);

/* A frame for the guest. @header NULL: nothing special about it. */
void net_fake_put(struct net_backend *fake, unsigned int queue,
		  const struct virtio_net_hdr_v1 *header, const void *frame, uint32_t len);
/* How many frames were sent; and one of them, which stays until it is forgotten. */
unsigned int net_fake_sent(struct net_backend *fake);
const struct net_fake_frame *net_fake_frame(struct net_backend *fake, unsigned int index);
void net_fake_forget(struct net_backend *fake);
/* Frames without end; they are broadcasts. Their number can be added to. */
void net_fake_flood(struct net_backend *fake, uint64_t count);
/* How many wait to be received. */
unsigned int net_fake_waiting(struct net_backend *fake, unsigned int queue);
/* Those that wait are lost. No queue is started. */
void net_fake_drop(struct net_backend *fake);
/* From now on frames stay in flight, or go; those in flight do. */
void net_fake_hold(struct net_backend *fake, bool hold);
void net_fake_link(struct net_backend *fake, bool up);
struct net_offloads net_fake_offloads(struct net_backend *fake);
