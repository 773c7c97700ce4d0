// SPDX-License-Identifier: MIT
/*
 * How VMBus reaches the guest: control messages and signals both ways over the partition's SynIC.
 * The only part of it that knows the hypervisor interface.
 *
 * What VPs post is copied into a bounded queue on their threads and handled on the loop; a VP that
 * posts to a full queue is told to try again (TLFS 11.10.3).
 */
#pragma once

#include <stddef.h>

#include "vmm/counter.h"
#include "vmm/loop.h"

struct hv;
struct transport;

struct transport_ops {
	/*
	 * A message of the guest's, a private copy, in the order of arrival. -EAGAIN: keep it, and
	 * offer it again after flush().
	 */
	int (*message)(void *ctx, uint32_t connection_id, const void *message, size_t len);
	/* The guest has read messages: what waits may be sent. True when nothing waits any more. */
	bool (*flush)(void *ctx);
};

struct transport_counters {
	struct counter queued;
	struct counter full;    /* posts that were told to try again */
	struct counter foreign; /* messages that are not VMBus's; dropped */
};

/* Opens both message connections. @ops and @ctx must outlive it. Callbacks come on @loop. */
int transport_create(struct loop *loop, struct hv *hv, const struct transport_ops *ops, void *ctx,
		     struct transport **ret) must_check;
/* NULL is fine. */
void transport_destroy(struct transport *transport);

/* Forgets what was received and not handled. While no VP runs. */
void transport_reset(struct transport *transport);

/* False: VP @vp has no room, flush() comes when it has. On the loop. */
bool transport_send(struct transport *transport, unsigned int vp, unsigned int sint,
		    const void *message, size_t len) must_check;

/* Sets event flag @flag and interrupts the VP unless it was set. Any thread. */
void transport_signal(struct transport *transport, unsigned int vp, unsigned int sint,
		      unsigned int flag);

/*
 * The guest's signals to connection @id go to @eventfd, which stays the caller's. -EEXIST the id is
 * in use; -EINVAL, -ENOSPC. Any thread.
 */
int transport_open_event(struct transport *transport, uint32_t id, int eventfd) must_check;
/* Nothing goes to the eventfd any more. */
void transport_close_event(struct transport *transport, uint32_t id);

const struct transport_counters *transport_counters(const struct transport *transport);
