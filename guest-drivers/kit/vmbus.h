// SPDX-License-Identifier: MIT
/*
 * VMBus from a guest's side: connecting, offers, GPADLs, channels and their rings. By polling: the
 * message slot, the rings. For CPU 0, after hv_init(); names are those of the wire headers.
 *
 * It does what it is told, right or wrong: what a test sends is the test's. Physical = virtual.
 */
#pragma once

#include "kit/base.h"
#include "vmbus/ring_proto.h"
#include "vmbus/vmbus_proto.h"

#define VMBUS_MS 20000 /* how long an answer may take */

union vmbus_message {
	struct vmbus_channel_message_header header;
	struct vmbus_channel_version_response2 version;
	struct vmbus_channel_offer_channel offer;
	struct vmbus_channel_relid relid;
	struct vmbus_channel_open_result open;
	struct vmbus_channel_gpadl_created created;
	struct vmbus_channel_gpadl_torndown torndown;
	uint8_t bytes[VMBUS_MESSAGE_SIZE_MAX];
};

/* SynIC on, with a vector for VMBUS_MESSAGE_SINT whose handler does no more than end it. */
void vmbus_init(void);

/* --- Messages. ----------------------------------------------------------------------------- */

/* Where messages are posted: what was agreed on last. */
extern uint32_t vmbus_connection_id;

/* Tries again while the host has no buffers, reading what it sends; the status in the end. */
uint16_t vmbus_post(const void *message, size_t len);
uint16_t vmbus_post_header(uint32_t type);
uint16_t vmbus_post_relid(uint32_t type, uint32_t relid);
/* The next message; false when none comes in time. */
bool vmbus_next(union vmbus_message *ret, uint64_t ms);
/* The next of @type; others are dropped. */
bool vmbus_await(uint32_t type, union vmbus_message *ret);
/* Reads until nothing comes any more. */
void vmbus_skip(void);

/* INITIATE_CONTACT and its answer: true when @version is supported. */
bool vmbus_contact(uint32_t version);
/* REQUESTOFFERS; how many came, the first @max of them in @ret. */
unsigned int vmbus_offers(struct vmbus_channel_offer_channel *ret, unsigned int max);
bool vmbus_unload(void);

/* The bytes of a GPADL header with a range of @pages (at most 26) from @pa on; their length. */
size_t vmbus_gpadl_header(union vmbus_message *ret, uint32_t relid, uint32_t gpadl, uint64_t pa,
			  unsigned int pages);
/* Posts that and waits: the status of its creation. */
uint32_t vmbus_lend(uint32_t relid, uint32_t gpadl, uint64_t pa, unsigned int pages);
void vmbus_post_teardown(uint32_t relid, uint32_t gpadl);
/* And waits. */
bool vmbus_take_back(uint32_t relid, uint32_t gpadl);

/* --- Channels. ----------------------------------------------------------------------------- */

struct vmbus_ring {
	struct hv_ring_buffer *control;
	uint8_t *data;
	uint32_t len;   /* of the data */
	uint32_t index; /* our own: of the packet to come */
};

struct vmbus_channel {
	uint32_t relid, connection_id, gpadl;
	unsigned int pages; /* of each ring, control page included; both at most 26 */
	struct vmbus_ring out, in;
};

/* Pages for both rings, once. */
void vmbus_channel_init(struct vmbus_channel *channel,
			const struct vmbus_channel_offer_channel *offer, unsigned int pages);
/* The rings empty, then GPADL and OPENCHANNEL; the status. */
uint32_t vmbus_open(struct vmbus_channel *channel);
void vmbus_post_open(struct vmbus_channel *channel);
/* CLOSECHANNEL, and the GPADL taken back. */
bool vmbus_close(struct vmbus_channel *channel);

uint16_t vmbus_signal(struct vmbus_channel *channel);

/* Bytes of a ring, wherever they wrap. */
void vmbus_ring_put(struct vmbus_ring *ring, uint32_t at, const void *bytes, uint32_t len);
void vmbus_ring_get(const struct vmbus_ring *ring, uint32_t at, void *bytes, uint32_t len);
/*
 * A packet as @head says: @len bytes follow the descriptor, then a trailer. Not signalled. False:
 * no room.
 */
bool vmbus_write(struct vmbus_channel *channel, const struct vmpacket_descriptor *head,
		 const void *bytes, uint32_t len);
/* In-band, with a completion wanted, and the signal. */
bool vmbus_send(struct vmbus_channel *channel, uint64_t trans_id, const void *payload,
		uint32_t len);
/* The next packet with its descriptor, at most @max bytes of it; 0: none came in time. */
uint32_t vmbus_receive(struct vmbus_channel *channel, void *packet, uint32_t max, uint64_t ms);
