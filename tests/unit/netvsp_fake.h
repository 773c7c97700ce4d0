// SPDX-License-Identifier: MIT
/*
 * A guest that uses a network interface, on a real bus (bus_guest.h) and over net_fake.h: for the
 * tests of src/devices/netvsp*.c. What cannot go wrong is asserted. Everything is the test's
 * thread's.
 */
#pragma once

#include "bus_guest.h"
#include "devices/netvsp.h"
#include "devices/nvsp_proto.h"
#include "devices/rndis_proto.h"
#include "net_fake.h"

#define NETVSP_FAKE_SUBS   4u
#define NETVSP_FAKE_LOOPS  2u
#define NETVSP_FAKE_FRAMES 64u
#define NETVSP_FAKE_MAX    65600u

struct netvsp_fake_config {
	bool pumped;
	unsigned int queues; /* 0: 1 */
	unsigned int loops;  /* of queues' own; 0: the bus' */
	uint32_t mtu;        /* 0: 1500 */
	bool link_down;
	uint32_t version;         /* of NVSP; 0: 6.1 */
	uint32_t frame_max;       /* that the guest says; 0: 1514 */
	uint32_t recv_pages;      /* 0: 512 */
	uint32_t send_pages;      /* 0: 16 */
	bool no_checksum, no_tso; /* of the backend */
};

/* A packet for the guest, RNDIS data or control. */
struct netvsp_fake_packet {
	uint16_t type;
	uint64_t trans_id;
	uint32_t msg_type; /* of NVSP */
	uint32_t channel_type;
	uint32_t payload_len;
	uint32_t payload[40];
	unsigned int range_count;
	struct vmtransfer_page_range ranges[512];
};

struct netvsp_fake {
	struct netvsp_fake_config config;
	struct bus_guest guest;
	struct loop_thread loops[NETVSP_FAKE_LOOPS];
	struct net_backend net;
	struct netvsp *netvsp;
	_Atomic unsigned int links_up, links_down; /* what the host was told */
	struct bus_guest_channel ch, subs[NETVSP_FAKE_SUBS];
	struct vmbus_channel_offer_channel offer;
	uint64_t recv_gpa, send_gpa, data_gpa; /* the latter 32 pages */
	uint32_t recv_gpadl, send_gpadl;
	uint32_t section_size, section_count;
	uint32_t req_id;
	uint64_t trans_id;
	bool destroyed;
	_Atomic bool removed, paused;
};

extern const uint8_t netvsp_fake_mac[6];

/*
 * To and from guest memory. The host's end orders its accesses by rings that are mapped elsewhere,
 * which ThreadSanitizer cannot know.
 */
void netvsp_fake_copy(void *to, const void *from, uint32_t len);

/* The NIC is offered, its channel not yet open. @config NULL: the defaults. */
void netvsp_fake_init(struct netvsp_fake *f, const struct netvsp_fake_config *config);
void netvsp_fake_finish(struct netvsp_fake *f);
void netvsp_fake_call(struct netvsp_fake *f, void (*function)(void *arg));
void netvsp_fake_destroy_nic(struct netvsp_fake *f);

/* Steps of a driver's beginning. */
void netvsp_fake_open(struct netvsp_fake *f);
void netvsp_fake_agree(struct netvsp_fake *f);
void netvsp_fake_lend(struct netvsp_fake *f);
void netvsp_fake_initialize(struct netvsp_fake *f);
/* All of them, and a packet filter. */
void netvsp_fake_start(struct netvsp_fake *f, uint32_t filter);
void netvsp_fake_close(struct netvsp_fake *f);
/* Asks for as many sub-channels, and opens them. */
void netvsp_fake_open_subs(struct netvsp_fake *f, unsigned int count);

/* --- NVSP. ------------------------------------------------------------------------------------ */

/* Sends a message; the completion's payload into @ret. Its length. */
uint32_t netvsp_fake_ask(struct netvsp_fake *f, const struct nvsp_message *in,
			 struct nvsp_message *ret);
void netvsp_fake_tell(struct netvsp_fake *f, const struct nvsp_message *in);
/* The channel has been ended by the host. */
bool netvsp_fake_dead(struct netvsp_fake *f);

/* --- RNDIS control. --------------------------------------------------------------------------- */

/* A message of @len bytes in guest memory, sent and completed; its NVSP status. */
uint32_t netvsp_fake_control(struct netvsp_fake *f, const void *message, uint32_t len);
/* The next packet that is no completion; false: none comes. */
bool netvsp_fake_next(struct netvsp_fake *f, struct bus_guest_channel *ch,
		      struct netvsp_fake_packet *ret, unsigned int ms);
/* Gives a packet's sections back. */
void netvsp_fake_return(struct bus_guest_channel *ch, uint64_t trans_id);
/* The next RNDIS control message of the host, given back; its length. */
uint32_t netvsp_fake_message(struct netvsp_fake *f, void *ret, uint32_t max);
/* The status of a query; the information into @ret. */
uint32_t netvsp_fake_query(struct netvsp_fake *f, uint32_t oid, void *ret, uint32_t max,
			   uint32_t *ret_len);
uint32_t netvsp_fake_set(struct netvsp_fake *f, uint32_t oid, const void *info, uint32_t len);
/* Sets what offloads there are in both directions; takes the indication. */
void netvsp_fake_offload(struct netvsp_fake *f, bool rsc);

/* --- Data. ------------------------------------------------------------------------------------ */

struct netvsp_fake_info {
	uint32_t type, value;
};

/* An RNDIS packet around a frame, at @to; its length. */
uint32_t netvsp_fake_wrap(uint8_t *to, const void *frame, uint32_t len,
			  const struct netvsp_fake_info *infos, unsigned int count);
/* Sends @len bytes of RNDIS in a section, or in pages; the completion's status. */
void netvsp_fake_post_section(struct netvsp_fake *f, struct bus_guest_channel *ch, uint64_t id,
			      const void *bytes, uint32_t len, uint32_t section);
void netvsp_fake_post_pages(struct netvsp_fake *f, struct bus_guest_channel *ch, uint64_t id,
			    const void *bytes, uint32_t len);
/* 0xffffffff: another packet came. */
uint32_t netvsp_fake_status(struct bus_guest_channel *ch, uint64_t id);
/* Both, of one frame. */
uint32_t netvsp_fake_send(struct netvsp_fake *f, const void *frame, uint32_t len,
			  const struct netvsp_fake_info *infos, unsigned int count);

/* A frame as it came: one range of @packet, or all of them. */
struct netvsp_fake_rx {
	uint32_t len;
	uint8_t frame[NETVSP_FAKE_MAX];
	bool has_checksum, has_vlan, has_id;
	uint32_t checksum, vlan;
	struct rndis_pktinfo_id id;
};
void netvsp_fake_range(struct netvsp_fake *f, const struct netvsp_fake_packet *packet,
		       unsigned int range, struct netvsp_fake_rx *ret);
/* The next packet is one frame of one range, and given back. */
bool netvsp_fake_receive(struct netvsp_fake *f, struct bus_guest_channel *ch,
			 struct netvsp_fake_rx *ret);

/* --- Frames. ---------------------------------------------------------------------------------- */

/* A broadcast of @len bytes that depend on @seed. */
void netvsp_fake_frame(uint8_t *to, uint32_t len, unsigned int seed);
/*
 * IPv4 or IPv6, TCP or UDP, to the NIC's address, @payload bytes; checksums are 0. The length of it
 * all. The transport's header begins at 34 or 54.
 */
uint32_t netvsp_fake_segment(uint8_t *to, bool ip6, bool udp, uint32_t payload);
/* Are the transport's checksum and the IPv4 header's right? */
bool netvsp_fake_checksum_right(const uint8_t *frame, uint32_t len);
