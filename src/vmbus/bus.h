// SPDX-License-Identifier: MIT
/*
 * The VMBus of one partition, as the machine creates, resets and ends it. Devices are written
 * against channel.h.
 *
 * The bus has a loop, the control plane's; everything here belongs to it. Devices may have loops of
 * their own.
 */
#pragma once

#include "vmbus/server.h"
#include "vmbus/transport.h"
#include "vmm/error.h"
#include "vmm/event.h"
#include "vmm/loop.h"

struct vmbus;

struct vmbus_config {
	struct loop *loop;
	struct mem *mem;
	struct hv *hv; /* its guest must have a SynIC */
	unsigned int vp_count;
	uint32_t max_version;      /* VMBUS_VERSION(): 0 for the highest there is */
	struct event_sink *events; /* NULL: nobody wants to know */
};

int vmbus_create(const struct vmbus_config *config, struct error *err,
		 struct vmbus **ret) must_check;
/*
 * After a vmbus_reset(), or before anything ran; the loop must not run any more. Its devices are
 * gone with it. NULL is fine.
 */
void vmbus_destroy(struct vmbus *bus);

/*
 * Closes all channels and forgets the guest; then @done: no device touches guest memory any more.
 * While no VP runs. The devices' loops must run.
 */
void vmbus_reset(struct vmbus *bus, void (*done)(void *ctx), void *ctx);

/* Who serves hvsocket; both on the bus' loop, and they may add and remove devices. */
struct vmbus_tl_ops {
	/*
	 * The guest connects to @service from @endpoint. 0: a device of that class and instance was
	 * added, from inside; -errno: refused.
	 */
	int (*connect)(void *ctx, const struct vmbus_guid *endpoint,
		       const struct vmbus_guid *service);
	/* The guest has gone; channels that it had opened are closed. */
	void (*disconnected)(void *ctx);
};

/* @ops is to stay; NULL: nobody, every request is refused. */
void vmbus_serve_tl(struct vmbus *bus, const struct vmbus_tl_ops *ops, void *ctx);

const struct vmbus_server_counters *vmbus_counters(const struct vmbus *bus);
const struct transport_counters *vmbus_transport_counters(const struct vmbus *bus);
/* NULL while no guest is connected. */
const struct vmbus_connection *vmbus_connection(const struct vmbus *bus);
