// SPDX-License-Identifier: MIT
/*
 * A guest in process: memory, a SynIC, and the guest's side of VMBus, around a bus whose loop runs
 * on a thread of its own (or is pumped). For tests, fuzz targets and benchmarks; what cannot go
 * wrong is asserted, what a test looks at is returned.
 *
 * Everything belongs to the caller's thread.
 */
#pragma once

#include "loop_thread.h"
#include "ring_guest.h"
#include "synic_fake.h"
#include "vmbus/bus.h"
#include "vmbus/channel.h"
#include "vmbus/vmbus_proto.h"

/* How long an answer may take; and how long is long enough to see that none comes. */
#define BUS_GUEST_MS       20000u
#define BUS_GUEST_QUIET_MS 30u

struct bus_guest_config {
	unsigned int vps; /* 0: 4 */
	uint64_t memory;  /* 0: 32 MiB */
	uint32_t max_version;
	bool pumped; /* no thread; deterministic */
};

struct bus_guest {
	bool pumped;
	unsigned int vps;
	struct loop_thread thread;
	struct loop_thread *devices; /* another, on which devices run; NULL: there is none */
	struct mem *mem;
	struct hv *hv;
	struct vmbus *bus;

	uint64_t next_gpa;
	uint32_t next_gpadl;
	_Atomic bool is_reset;
	/* Of the connection. */
	uint32_t version, features;
	uint32_t post_id;        /* where messages are posted */
	unsigned int message_vp; /* and where they come */
	uint64_t interrupt_gpa;  /* of old protocols */
};

union bus_guest_message {
	struct vmbus_channel_message_header header;
	struct vmbus_channel_version_response2 version;
	struct vmbus_channel_offer_channel offer;
	struct vmbus_channel_relid relid; /* also of rescinds */
	struct vmbus_channel_open_result open;
	struct vmbus_channel_gpadl_created created;
	struct vmbus_channel_gpadl_torndown torndown;
	struct vmbus_channel_modifychannel_response modify;
	uint8_t bytes[VMBUS_MESSAGE_SIZE_MAX];
};

/* @config NULL: the defaults. */
void bus_guest_create(struct bus_guest *g, const struct bus_guest_config *config);
/* As the machine's end does: reset first. */
void bus_guest_destroy(struct bus_guest *g);
/* vmbus_reset(), and waits for its end; and the parts of it. */
void bus_guest_reset(struct bus_guest *g);
void bus_guest_begin_reset(struct bus_guest *g);
void bus_guest_end_reset(struct bus_guest *g);

/* @function on the bus' loop; waits until it is over. */
void bus_guest_call(struct bus_guest *g, void (*function)(void *arg), void *arg);
/* A device is added, on the bus' loop. */
struct vmbus_device *bus_guest_add(struct bus_guest *g, const struct vmbus_device_config *config);

/* Whole pages of guest memory, contiguous, zero, never given back. */
uint64_t bus_guest_pages(struct bus_guest *g, unsigned int count);
void *bus_guest_host(struct bus_guest *g, uint64_t gpa, uint64_t len);

/* --- Control messages. --------------------------------------------------------------------- */

/* Tries again while the host's queue is full. */
void bus_guest_post(struct bus_guest *g, const void *message, size_t len);
void bus_guest_post_header(struct bus_guest *g, uint32_t type);
void bus_guest_post_relid(struct bus_guest *g, uint32_t type, uint32_t relid);

/* The next message, of whatever type; false when none comes in time. */
bool bus_guest_next(struct bus_guest *g, union bus_guest_message *ret, unsigned int ms);
/* It must be of @type. @ret may be NULL. */
bool bus_guest_expect(struct bus_guest *g, uint32_t type, union bus_guest_message *ret);
/* Nothing came, or comes. */
bool bus_guest_silent(struct bus_guest *g);

/* INITIATE_CONTACT on VP 0, and its answer: whether @version is supported. */
bool bus_guest_contact(struct bus_guest *g, uint32_t version, uint32_t features);
/* REQUESTOFFERS; how many came, the first @max of them in @ret. */
unsigned int bus_guest_offers(struct bus_guest *g, struct vmbus_channel_offer_channel *ret,
			      unsigned int max);
/* Both, and there must be as many as @count. */
void bus_guest_connect(struct bus_guest *g, uint32_t version,
		       struct vmbus_channel_offer_channel *ret, unsigned int count);
void bus_guest_unload(struct bus_guest *g);

/* A GPADL of whole pages; the status of its creation. */
void bus_guest_post_gpadl(struct bus_guest *g, uint32_t relid, uint32_t handle,
			  const uint64_t *pfns, unsigned int count);
uint32_t bus_guest_gpadl(struct bus_guest *g, uint32_t relid, uint32_t handle, uint64_t gpa,
			 unsigned int pages);
void bus_guest_post_teardown(struct bus_guest *g, uint32_t relid, uint32_t handle);

/* --- Channels. ----------------------------------------------------------------------------- */

struct bus_guest_channel {
	struct bus_guest *guest;
	uint32_t relid, connection_id, gpadl;
	uint16_t event_flag;
	unsigned int vp; /* that is interrupted; 0 before 2.4 */
	unsigned int pages;
	uint64_t gpa; /* of both rings, the one that the guest writes first */
	struct ring_memory up, down;
	struct ring_guest out, in;
	uint64_t signals; /* to the host */
};

/*
 * @channel for @offer, with rings of @pages pages each, control page included; from 6.0 on with
 * the offer's connection id and the relid as event flag, unless they are changed before opening.
 * Its pages are allocated here, once.
 */
void bus_guest_channel_init(struct bus_guest *g, struct bus_guest_channel *channel,
			    const struct vmbus_channel_offer_channel *offer, unsigned int pages,
			    unsigned int vp);
/* GPADL and OPENCHANNEL; the status. After a failure the GPADL is gone, too. */
uint32_t bus_guest_open(struct bus_guest_channel *channel);
/* The parts of it. */
uint32_t bus_guest_lend(struct bus_guest_channel *channel);
void bus_guest_post_open(struct bus_guest_channel *channel);
/* CLOSECHANNEL and GPADL_TEARDOWN, and waits for its end. */
void bus_guest_close(struct bus_guest_channel *channel);

/* Signals the host, as the version says. */
void bus_guest_signal(struct bus_guest_channel *channel);
/* As ring_guest_send(), and the signal if there has to be one. */
bool bus_guest_send_list(struct bus_guest_channel *channel, uint16_t type, uint16_t flags,
			 uint64_t trans_id, const void *list, uint32_t list_len,
			 const void *payload, uint32_t payload_len);
/* In-band. */
bool bus_guest_send(struct bus_guest_channel *channel, bool want_completion, uint64_t trans_id,
		    const void *payload, uint32_t len);
/*
 * The next packet with its descriptor; 0 when none comes in time. It is given back at once, with
 * the signal if there has to be one.
 */
uint32_t bus_guest_receive(struct bus_guest_channel *channel, void *buf, uint32_t max,
			   unsigned int ms);
/* It must be a completion of @trans_id. Returns its length with descriptor, or 0. */
uint32_t bus_guest_completion(struct bus_guest_channel *channel, uint64_t trans_id, void *buf,
			      uint32_t max);
/* Waits for the channel's interrupt. */
bool bus_guest_interrupted(struct bus_guest_channel *channel, unsigned int ms);
