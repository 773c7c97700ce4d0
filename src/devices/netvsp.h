// SPDX-License-Identifier: MIT
/*
 * A network interface on VMBus: the host's end of netvsc. NVSP 1, 2, 4, 5, 6 and 6.1
 * (nvsp_proto.h) with RNDIS inside (rndis_proto.h), on a primary channel and one sub-channel for
 * each further queue.
 *
 * netvsp_create(), _destroy() and what configures a NIC that runs are the machine's loop's, which
 * is the bus' loop too. Channel and queue of the same number share a loop of @config->loops.
 */
#pragma once

#include "devices/net/net_backend.h"
#include "vmbus/channel.h"

struct netvsp;

struct netvsp_config {
	struct vmbus *bus;
	const char *vm;     /* the machine's name, which with @index makes the instance GUID */
	unsigned int index; /* of the NIC in the machine */
	struct net_backend *backend; /* the caller's, until netvsp_destroy() is done */
	uint8_t mac[6];
	uint32_t mtu; /* that the guest is told, without the Ethernet header: 68 to 65521 */
	bool link_up; /* at the beginning */
	/* The link, of the cable and of the backend, is another. May be NULL; on loops[0]. */
	void (*link_changed)(void *ctx, bool up);
	void *link_ctx;
	/* Queue i is served by loops[i % loop_count]. */
	struct loop *const *loops;
	unsigned int loop_count;
	unsigned int queues_max; /* at most the backend's; the guest asks for as many as it likes */
};

/* Offers the NIC to the guest. -EINVAL, -ENOMEM, -ENOSPC, -EEXIST. */
int netvsp_create(const struct netvsp_config *config, struct error *err,
		  struct netvsp **ret) must_check;
/*
 * Takes it away from the guest; then @removed (may be NULL): it is freed, its queues are stopped.
 * Threads of @loops may still be on their way out of telling so: they end before the bus' loop is
 * destroyed.
 */
void netvsp_destroy(struct netvsp *netvsp, void (*removed)(void *ctx), void *ctx);

/* As pulling the cable out and putting it in. The guest sees the backend's link and this. */
void netvsp_set_link(struct netvsp *netvsp, bool up);

/*
 * No frame moves any more until netvsp_resume(); @paused (may be NULL) once none is in flight,
 * later. Not again before that.
 */
void netvsp_pause(struct netvsp *netvsp, void (*paused)(void *ctx), void *ctx);
void netvsp_resume(struct netvsp *netvsp);

/* Readable from any thread. */
struct netvsp_counters {
	struct counter tx_packets, tx_bytes, tx_dropped;
	struct counter rx_packets, rx_bytes, rx_dropped;
	struct counter rx_no_buffer; /* times that frames waited for the guest to give space back */
	struct counter tx_batches, rx_batches;
	struct counter copied;  /* bytes of frames that were copied by us: headers, with offloads */
	struct counter control; /* NVSP and RNDIS control messages served */
	struct counter refused; /* and those that were answered with a failure */
};

const struct netvsp_counters *netvsp_counters(const struct netvsp *netvsp);
const struct channel_counters *netvsp_channel_counters(const struct netvsp *netvsp);
/* NVSP_PROTOCOL_VERSION_*; 0 while the guest has not initialized the NIC. Any thread. */
uint32_t netvsp_protocol_version(const struct netvsp *netvsp);
