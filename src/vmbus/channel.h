// SPDX-License-Identifier: MIT
/*
 * The VSP interface: what storage, network, balloon and integration services are written against.
 *
 * A device (struct vmbus_device) is offered to the guest as a primary channel and as many
 * sub-channels as it wants. A channel that the guest has opened has two rings and belongs to a
 * loop: every callback of struct channel_ops comes on that loop, and every function here belongs to
 * it, except where said.
 *
 * All channels of a device are on its loop, or they are spread over several. Then their callbacks
 * come in parallel, and in no order: a sub-channel may be opened or closed while the primary
 * channel is, or after it was.
 *
 * The layer below drains the guest's ring in batches, has room for the answer before it takes the
 * question, commits answers once a pass of the loop, and decides once a batch about an interrupt. A
 * ring that turns out corrupt, a packet longer than the device takes, and a packet that the device
 * calls a violation end the channel: close() comes as if the guest had closed it, it is counted,
 * and the guest finds its channel dead until it closes it.
 */
#pragma once

#include <sys/uio.h>

#include "vmbus/gpadl.h"
#include "vmbus/guid.h"
#include "vmbus/ring.h"
#include "vmm/event.h"
#include "vmm/loop.h"
#include "vmm/mem.h"

struct channel;
struct vmbus;
struct vmbus_device;

struct channel_ops {
	const char *name; /* for the log: "storvsp" */
	/* The longest packet taken, from its descriptor on; a multiple of 8. */
	uint32_t packet_max;
	/* The longest payload of a completion, for which room is reserved. */
	uint32_t completion_max;
	/* Interrupts for completions may wait for more of them (gather.h). */
	bool gather;

	/* The guest has opened the channel. -errno refuses. */
	int (*open)(void *ctx, struct channel *channel);
	/*
	 * May a packet be taken now? When this has said no, the device calls channel_resume() once
	 * it may. NULL: always.
	 */
	bool (*ready)(void *ctx, struct channel *channel);
	/*
	 * A packet, in memory that is private and of this call only. If it wants a completion,
	 * exactly one channel_complete() follows, from inside or later, unless the channel is
	 * closed first. -errno: a violation of the protocol, which ends the channel.
	 */
	int (*packet)(void *ctx, struct channel *channel, const struct ring_packet *packet);
	/*
	 * No packet comes any more, and what is sent goes nowhere. Once nothing of the channel is
	 * in use (guest memory of requests in flight!) the device calls channel_closed(), from
	 * inside or later.
	 */
	void (*close)(void *ctx, struct channel *channel);
	/* After channel_send() has said -EAGAIN: there may be room. May be NULL. */
	void (*room)(void *ctx, struct channel *channel);
};

struct vmbus_device_config {
	struct vmbus_guid class_id;
	struct vmbus_guid instance_id;
	uint16_t flags; /* VMBUS_CHANNEL_* (vmbus_proto.h) */
	uint16_t mmio_megabytes;
	uint8_t user_data[120];
	const struct channel_ops *ops;
	void *ctx;         /* the first argument of the callbacks */
	struct loop *loop; /* the device's; NULL: the bus's own */
	/* Or channel i is on loops[i % loop_count]; only read while the device is added. */
	struct loop *const *loops;
	unsigned int loop_count;
	unsigned int sub_channels_max;
	/* vmbus_device_remove() is done: nothing calls the device any more. On the bus' loop. */
	void (*removed)(void *ctx);
};

/* Any thread. */
struct loop *vmbus_loop(const struct vmbus *bus);

/* On the bus' loop, or before it runs. -ENOSPC, -EEXIST, -ENOMEM. */
int vmbus_device_add(struct vmbus *bus, const struct vmbus_device_config *config, struct error *err,
		     struct vmbus_device **ret) must_check;
/* Rescinds the offers and closes the channels, then removed(). On the bus' loop. */
void vmbus_device_remove(struct vmbus_device *device);

/*
 * Has @count sub-channels (1 .. @count) offered, as many of them as are not yet; at most
 * sub_channels_max. They go away when the primary channel is closed. Any thread.
 */
void vmbus_device_offer_sub_channels(struct vmbus_device *device, unsigned int count);

/* --- A channel that is open. ----------------------------------------------------------------- */

/* 0: the primary channel; else the sub-channel's number. */
unsigned int channel_index(const struct channel *channel);
struct loop *channel_loop(const struct channel *channel);
struct vmbus_device *channel_device(const struct channel *channel);
/* What the guest gave when it opened the channel: 120 bytes. */
const uint8_t *channel_user_data(const struct channel *channel);
/* The agreed VMBus version (VMBUS_VERSION_*). */
uint32_t channel_vmbus_version(const struct channel *channel);

/* A pointer for the device's use; NULL when open() is called. */
void channel_set_private(struct channel *channel, void *private);
void *channel_private(const struct channel *channel);

/*
 * Answers a packet that wants it. Shown to the guest with everything else of this pass of the loop.
 * @len is at most completion_max. Harmless on a channel that is closing.
 */
void channel_complete(struct channel *channel, uint64_t trans_id, const void *payload,
		      uint32_t len);

/*
 * Sends a packet of the host's own. -EAGAIN: no room now, room() comes; -EMSGSIZE: more than the
 * ring ever takes; -ENOTCONN: the channel is closing.
 */
int channel_send(struct channel *channel, const struct ring_message *message) must_check;

/* ready() would say yes again. Packets come later in this pass, never from inside. */
void channel_resume(struct channel *channel);

/* The answer to close(). */
void channel_closed(struct channel *channel);

/* Ends the channel as a packet() that fails does. Later, never from inside. */
void channel_fail(struct channel *channel, const char *why);

/*
 * The guest memory that a packet of type VM_PKT_DATA_USING_GPA_DIRECT names: adds to
 * @iov[*count], and to *ret_len the bytes. All ranges after each other are one buffer. Checked:
 * that the list is well-formed, that every byte is RAM, that the packet's length covers its page
 * numbers. -EINVAL malformed, -EFAULT not RAM, -E2BIG more than @max entries; nothing is changed
 * then.
 */
int channel_gpa_iov(const struct channel *channel, const struct ring_packet *packet,
		    struct iovec *iov, size_t max, size_t *count, uint64_t *ret_len) must_check;

/*
 * A buffer that the guest has lent to the channel as a GPADL: held from held() on, which says 0, to
 * channel_release(). Until then the guest's wish to have it back waits. Both answers come on the
 * channel's loop, never from inside; before channel_closed() everything must be released, and no
 * answer be outstanding.
 */
struct channel_hold {
	/*
	 * The device's. @result: 0; -ENOENT the channel has no such GPADL, or the guest wants it
	 * back; -EINVAL it has more ranges than one; -ENOMEM.
	 */
	void (*held)(struct channel_hold *hold, int result);
	void (*released)(struct channel_hold *hold);
	/* Once held. For any thread. */
	struct gpadl_view view;

	/* The channel's. */
	struct channel *channel;
	uint32_t handle;
	int result;
	bool busy;
	struct gpadl *gpadl; /* NULL: not held */
	struct loop_task task;
};

void channel_hold(struct channel *channel, struct channel_hold *hold, uint32_t handle);
void channel_release(struct channel_hold *hold);

/* Where what happens on the channel's bus is told; NULL: nobody wants to know. Any thread. */
struct event_sink *channel_events(const struct channel *channel);

/* Of all channels of the device, for the life of the device; readable from any thread. */
struct channel_counters {
	struct counter opens;
	struct counter closes;
	struct counter packets;
	struct counter completions;
	struct counter sent;
	struct counter wakes;      /* signals of the guest that woke us */
	struct counter interrupts; /* of the guest */
	struct counter failures;   /* channels ended for corruption or violation */
};

const struct channel_counters *vmbus_device_counters(const struct vmbus_device *device);
