// SPDX-License-Identifier: MIT
/*
 * The network protocol of VMBus on the wire, with the names that guest drivers use in public; there
 * is no published specification. Little-endian. No logic.
 *
 * Every message begins with its type. It is as long as the longest of its version (NVSP_SIZE*),
 * zeroes behind what it means; some guests send all of them in the longest size. A message that
 * asks for a completion gets one (VM_PKT_COMP): with the message named below, or an empty one.
 *
 * RNDIS messages (rndis_proto.h) travel in NVSP_MSG1_TYPE_SEND_RNDIS_PKT. To the host: in a section
 * of the send buffer, in pages named in the packet (VM_PKT_DATA_USING_GPA_DIRECT), or the first
 * part in the one and the rest in the other. To the guest: in the receive buffer; the packet
 * (VM_PKT_DATA_USING_XFER_PAGES) has a range for each, and the guest's completion gives them all
 * back.
 */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define NVSP_PROTOCOL_VERSION_1  0x00002u
#define NVSP_PROTOCOL_VERSION_2  0x30002u
#define NVSP_PROTOCOL_VERSION_4  0x40000u
#define NVSP_PROTOCOL_VERSION_5  0x50000u
#define NVSP_PROTOCOL_VERSION_6  0x60000u
#define NVSP_PROTOCOL_VERSION_61 0x60001u

#define NVSP_INVALID_PROTOCOL_VERSION 0xffffffffu

enum nvsp_message_type {
	NVSP_MSG_TYPE_INIT = 1,
	NVSP_MSG_TYPE_INIT_COMPLETE = 2,

	NVSP_MSG1_TYPE_SEND_NDIS_VER = 100,
	NVSP_MSG1_TYPE_SEND_RECV_BUF = 101,
	NVSP_MSG1_TYPE_SEND_RECV_BUF_COMPLETE = 102,
	NVSP_MSG1_TYPE_REVOKE_RECV_BUF = 103,
	NVSP_MSG1_TYPE_SEND_SEND_BUF = 104,
	NVSP_MSG1_TYPE_SEND_SEND_BUF_COMPLETE = 105,
	NVSP_MSG1_TYPE_REVOKE_SEND_BUF = 106,
	NVSP_MSG1_TYPE_SEND_RNDIS_PKT = 107,
	NVSP_MSG1_TYPE_SEND_RNDIS_PKT_COMPLETE = 108,

	NVSP_MSG2_TYPE_SEND_NDIS_CONFIG = 125,

	NVSP_MSG4_TYPE_SEND_VF_ASSOCIATION = 128,
	NVSP_MSG4_TYPE_SWITCH_DATA_PATH = 129,

	NVSP_MSG5_TYPE_OID_QUERY_EX = 131,
	NVSP_MSG5_TYPE_OID_QUERY_EX_COMP = 132,
	NVSP_MSG5_TYPE_SUBCHANNEL = 133, /* and its completion */
	NVSP_MSG5_TYPE_SEND_INDIRECTION_TABLE = 134,

	NVSP_MSG6_TYPE_PD_API = 135, /* and its completion */
	NVSP_MSG6_TYPE_PD_POST_BATCH = 136,
};

enum nvsp_status {
	NVSP_STAT_NONE = 0,
	NVSP_STAT_SUCCESS = 1,
	NVSP_STAT_FAIL = 2,
	NVSP_STAT_INVALID_RNDIS_PKT = 5,
	NVSP_STAT_BUSY = 6,
};

struct nvsp_message_init {
	uint32_t min_protocol_ver;
	uint32_t max_protocol_ver;
};
static_assert(sizeof(struct nvsp_message_init) == 8, "init");

struct nvsp_message_init_complete {
	uint32_t negotiated_protocol_ver; /* of version 1 only */
	uint32_t max_mdl_chain_len;       /* pieces of guest memory that a packet may name */
	uint32_t status;
};
static_assert(sizeof(struct nvsp_message_init_complete) == 12, "init complete");

struct nvsp_1_message_send_ndis_version {
	uint32_t ndis_major_ver;
	uint32_t ndis_minor_ver;
};
static_assert(sizeof(struct nvsp_1_message_send_ndis_version) == 8, "ndis version");

/* Also of SEND_SEND_BUF. */
struct nvsp_1_message_send_buffer {
	uint32_t gpadl_handle;
	uint16_t id; /* of a receive buffer: the page set that packets to the guest name */
	uint16_t reserved;
};
static_assert(sizeof(struct nvsp_1_message_send_buffer) == 8, "buffer");

struct nvsp_1_receive_buffer_section {
	uint32_t offset;
	uint32_t sub_alloc_size;
	uint32_t num_sub_allocs;
	uint32_t end_offset;
};
static_assert(sizeof(struct nvsp_1_receive_buffer_section) == 16, "section");

struct nvsp_1_message_send_receive_buffer_complete {
	uint32_t status;
	uint32_t num_sections;
	struct nvsp_1_receive_buffer_section sections[1];
};
static_assert(sizeof(struct nvsp_1_message_send_receive_buffer_complete) == 24,
	      "receive buffer complete");

struct nvsp_1_message_send_send_buffer_complete {
	uint32_t status;
	uint32_t section_size;
};
static_assert(sizeof(struct nvsp_1_message_send_send_buffer_complete) == 8, "send buffer complete");

struct nvsp_1_message_revoke_buffer {
	uint16_t id;
	uint16_t reserved;
};
static_assert(sizeof(struct nvsp_1_message_revoke_buffer) == 4, "revoke");

/* RNDIS knows two channels; here they share one. */
#define RMC_DATA    0u
#define RMC_CONTROL 1u

#define NVSP_SECTION_NONE 0xffffffffu

struct nvsp_1_message_send_rndis_packet {
	uint32_t channel_type; /* RMC_* */
	uint32_t send_buf_section_index;
	uint32_t send_buf_section_size; /* bytes that are used of it */
};
static_assert(sizeof(struct nvsp_1_message_send_rndis_packet) == 12, "rndis packet");

struct nvsp_1_message_send_rndis_packet_complete {
	uint32_t status;
};
static_assert(sizeof(struct nvsp_1_message_send_rndis_packet_complete) == 4,
	      "rndis packet complete");

#define NVSP_CAPABILITY_VMQ            (1u << 0)
#define NVSP_CAPABILITY_CHIMNEY        (1u << 1)
#define NVSP_CAPABILITY_SRIOV          (1u << 2)
#define NVSP_CAPABILITY_IEEE8021Q      (1u << 3)
#define NVSP_CAPABILITY_CORRELATION_ID (1u << 4)
#define NVSP_CAPABILITY_TEAMING        (1u << 5)
#define NVSP_CAPABILITY_VSUBNETID      (1u << 6)
#define NVSP_CAPABILITY_RSC            (1u << 7)

struct nvsp_2_send_ndis_config {
	uint32_t mtu; /* with the Ethernet header */
	uint32_t reserved;
	uint32_t capabilities; /* NVSP_CAPABILITY_* */
	uint32_t capabilities_high;
};
static_assert(sizeof(struct nvsp_2_send_ndis_config) == 16, "ndis config");

struct nvsp_5_oid_query_ex_complete {
	uint32_t status; /* of RNDIS */
	uint32_t bytes;
};
static_assert(sizeof(struct nvsp_5_oid_query_ex_complete) == 8, "oid query");

#define NVSP_SUBCHANNEL_ALLOCATE 1u

struct nvsp_5_subchannel_request {
	uint32_t op;
	uint32_t num_subchannels;
};
static_assert(sizeof(struct nvsp_5_subchannel_request) == 8, "subchannel request");

struct nvsp_5_subchannel_complete {
	uint32_t status;
	uint32_t num_subchannels;
};
static_assert(sizeof(struct nvsp_5_subchannel_complete) == 8, "subchannel complete");

#define NVSP_SEND_TABLE_SIZE 16u

/* Which channel each of so many flows is to be sent on; behind the message, 32 bits each. */
struct nvsp_5_send_indirect_table {
	uint32_t count;
	uint32_t offset; /* from the message's type on */
};
static_assert(sizeof(struct nvsp_5_send_indirect_table) == 8, "send table");

struct nvsp_6_pd_api_complete {
	uint32_t op;     /* as in the request, which begins with it */
	uint32_t status; /* NTSTATUS */
};
static_assert(sizeof(struct nvsp_6_pd_api_complete) == 8, "pd api");

#define NVSP_SIZE    28u /* of a message */
#define NVSP_SIZE_61 40u /* from version 6.1 on */

struct nvsp_message {
	uint32_t msg_type;
	union {
		struct nvsp_message_init init;
		struct nvsp_message_init_complete init_complete;
		struct nvsp_1_message_send_ndis_version send_ndis_ver;
		struct nvsp_1_message_send_buffer send_buf;
		struct nvsp_1_message_send_receive_buffer_complete send_recv_buf_complete;
		struct nvsp_1_message_send_send_buffer_complete send_send_buf_complete;
		struct nvsp_1_message_revoke_buffer revoke_buf;
		struct nvsp_1_message_send_rndis_packet send_rndis_pkt;
		struct nvsp_1_message_send_rndis_packet_complete send_rndis_pkt_complete;
		struct nvsp_2_send_ndis_config send_ndis_config;
		struct nvsp_5_oid_query_ex_complete oid_query_ex_complete;
		struct nvsp_5_subchannel_request subchn_req;
		struct nvsp_5_subchannel_complete subchn_comp;
		struct nvsp_5_send_indirect_table send_table;
		struct nvsp_6_pd_api_complete pd_api;
		uint8_t bytes[NVSP_SIZE_61 - 4];
	};
};
static_assert(sizeof(struct nvsp_message) == NVSP_SIZE_61, "message");
static_assert(offsetof(struct nvsp_message, bytes) == 4, "message body");
