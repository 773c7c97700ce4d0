// SPDX-License-Identifier: MIT
/*
 * The messages by which a guest and its VMBus host agree on versions, channels and shared memory.
 * The names are those that guest drivers use in public; there is no published specification. Every
 * message is the payload of one SynIC message (TLFS 11.8.1) of type VMBUS_MESSAGE_TYPE. No logic.
 */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define VMBUS_MESSAGE_TYPE     1u
#define VMBUS_MESSAGE_SINT     2u /* where messages and events go unless the guest names another */
#define VMBUS_MESSAGE_SIZE_MAX 240u /* of a SynIC message's payload */

/* Connections that the guest posts messages to: the first before version 5.0, then the second. */
#define VMBUS_MESSAGE_CONNECTION_ID   1u
#define VMBUS_MESSAGE_CONNECTION_ID_4 4u

#define VMBUS_RELID_MAX             2047u /* a relid is also the number of an event flag */
#define VMBUS_CONNECTION_ID_MAX     0xffffffu
#define VMBUS_USER_DATA_SIZE        120u
#define VMBUS_VP_INTERRUPT_DISABLED UINT32_MAX /* as a target VP: the host is never to interrupt */

#define VMBUS_VERSION(major, minor) ((uint32_t)(major) << 16 | (minor))
#define VERSION_WS2008              VMBUS_VERSION(0, 13)
#define VERSION_WIN7                VMBUS_VERSION(1, 1)
#define VERSION_WIN8                VMBUS_VERSION(2, 4)
#define VERSION_WIN8_1              VMBUS_VERSION(3, 0)
#define VERSION_WIN10               VMBUS_VERSION(4, 0)
#define VERSION_WIN10_V4_1          VMBUS_VERSION(4, 1)
#define VERSION_WIN10_V5            VMBUS_VERSION(5, 0)
#define VERSION_WIN10_V5_1          VMBUS_VERSION(5, 1)
#define VERSION_WIN10_V5_2          VMBUS_VERSION(5, 2)
#define VERSION_WIN10_V5_3          VMBUS_VERSION(5, 3)
#define VERSION_WIN_COPPER          VMBUS_VERSION(6, 0)

/* Features: asked for in INITIATE_CONTACT, granted in VERSION_RESPONSE, from version 6.0 on. */
#define VMBUS_FEATURE_GUEST_SIGNAL_PARAMETERS (1u << 0)
#define VMBUS_FEATURE_INTERRUPT_REDIRECTION   (1u << 1)
#define VMBUS_FEATURE_MODIFY_CONNECTION       (1u << 2)
#define VMBUS_FEATURE_CLIENT_ID               (1u << 3)
#define VMBUS_FEATURE_CONFIDENTIAL_CHANNELS   (1u << 4)
#define VMBUS_FEATURE_PAUSE_RESUME            (1u << 5)
#define VMBUS_FEATURE_SERVER_MONITOR_PAGES    (1u << 6)
#define VMBUS_FEATURE_GPA_PINNING             (1u << 7)

/* NTSTATUS values that travel in messages; those below zero are failures. */
#define VMBUS_STATUS_SUCCESS                0x00000000u
#define VMBUS_STATUS_UNSUCCESSFUL           0xc0000001u
#define VMBUS_STATUS_INVALID_PARAMETER      0xc000000du
#define VMBUS_STATUS_INSUFFICIENT_RESOURCES 0xc000009au
#define VMBUS_STATUS_CONNECTION_REFUSED     0xc0000236u

enum vmbus_channel_message_type {
	CHANNELMSG_INVALID = 0,
	CHANNELMSG_OFFERCHANNEL = 1,
	CHANNELMSG_RESCIND_CHANNELOFFER = 2,
	CHANNELMSG_REQUESTOFFERS = 3,
	CHANNELMSG_ALLOFFERS_DELIVERED = 4,
	CHANNELMSG_OPENCHANNEL = 5,
	CHANNELMSG_OPENCHANNEL_RESULT = 6,
	CHANNELMSG_CLOSECHANNEL = 7,
	CHANNELMSG_GPADL_HEADER = 8,
	CHANNELMSG_GPADL_BODY = 9,
	CHANNELMSG_GPADL_CREATED = 10,
	CHANNELMSG_GPADL_TEARDOWN = 11,
	CHANNELMSG_GPADL_TORNDOWN = 12,
	CHANNELMSG_RELID_RELEASED = 13,
	CHANNELMSG_INITIATE_CONTACT = 14,
	CHANNELMSG_VERSION_RESPONSE = 15,
	CHANNELMSG_UNLOAD = 16,
	CHANNELMSG_UNLOAD_RESPONSE = 17,
	CHANNELMSG_OPENRESERVED = 18,
	CHANNELMSG_CLOSERESERVED = 19,
	CHANNELMSG_CLOSERESERVED_RESPONSE = 20,
	CHANNELMSG_TL_CONNECT_REQUEST = 21,
	CHANNELMSG_MODIFYCHANNEL = 22,
	CHANNELMSG_TL_CONNECT_RESULT = 23,
	CHANNELMSG_MODIFYCHANNEL_RESPONSE = 24,
	CHANNELMSG_MODIFYCONNECTION = 25,
	CHANNELMSG_MODIFYCONNECTION_RESPONSE = 26,
	CHANNELMSG_PAUSE = 27,
	CHANNELMSG_PAUSE_RESPONSE = 28,
	CHANNELMSG_RESUME = 29,
	CHANNELMSG_COUNT
};

/* First of every message; those that are this alone have no structure of their own. */
struct vmbus_channel_message_header {
	uint32_t msgtype;
	uint32_t padding;
};

/* As Windows lays it out: the first three groups of its text form are little-endian. */
struct vmbus_guid {
	uint8_t b[16];
};

struct vmbus_channel_initiate_contact {
	struct vmbus_channel_message_header header;
	uint32_t vmbus_version_requested;
	uint32_t target_vcpu; /* from 3.0 on: the VP that messages go to */
	union {
		uint64_t interrupt_page; /* before 5.0; of use before 2.4 only */
		struct {
			uint8_t msg_sint; /* from 5.0 on */
			uint8_t msg_vtl;  /* from 5.1 on */
			uint8_t reserved[2];
			uint32_t feature_flags; /* from 6.0 on */
		};
	};
	uint64_t monitor_page1; /* host to guest; 0: none */
	uint64_t monitor_page2; /* guest to host */
};
static_assert(sizeof(struct vmbus_channel_initiate_contact) == 40, "initiate_contact");

/* With VMBUS_FEATURE_CLIENT_ID. */
struct vmbus_channel_initiate_contact2 {
	struct vmbus_channel_initiate_contact contact;
	struct vmbus_guid client_id;
};
static_assert(sizeof(struct vmbus_channel_initiate_contact2) == 56, "initiate_contact2");

enum vmbus_connection_state {
	VMBUS_CONNECTION_SUCCESSFUL = 0,
	VMBUS_CONNECTION_LOW_RESOURCES = 1,
	VMBUS_CONNECTION_UNKNOWN_FAILURE = 2,
};

struct vmbus_channel_version_response {
	struct vmbus_channel_message_header header;
	uint8_t version_supported;
	uint8_t connection_state;
	uint16_t padding;
	union {
		uint32_t selected_version; /* before 5.0 */
		uint32_t msg_conn_id;      /* what the guest posts to from now on */
	};
};
static_assert(sizeof(struct vmbus_channel_version_response) == 16, "version_response");

/* To a guest that asked for 6.0 or later, and gets it. */
struct vmbus_channel_version_response2 {
	struct vmbus_channel_version_response response;
	uint32_t feature_flags;
};
static_assert(sizeof(struct vmbus_channel_version_response2) == 20, "version_response2");

/* With VMBUS_FEATURE_SERVER_MONITOR_PAGES. */
struct vmbus_channel_version_response3 {
	struct vmbus_channel_version_response2 response2;
	uint32_t padding;
	uint64_t monitor_page1;
	uint64_t monitor_page2;
};
static_assert(sizeof(struct vmbus_channel_version_response3) == 40, "version_response3");

/* Flags of an offer. */
#define VMBUS_CHANNEL_ENUMERATE_DEVICE_INTERFACE   0x0001u
#define VMBUS_CHANNEL_CONFIDENTIAL_RING            0x0002u
#define VMBUS_CHANNEL_CONFIDENTIAL_EXTERNAL_MEMORY 0x0004u
#define VMBUS_CHANNEL_NAMED_PIPE_MODE              0x0010u
#define VMBUS_CHANNEL_TLNPI_PROVIDER_OFFER         0x2000u

/* First word of the user data of offers with VMBUS_CHANNEL_NAMED_PIPE_MODE. */
#define VMBUS_PIPE_TYPE_BYTE    0u
#define VMBUS_PIPE_TYPE_MESSAGE 4u

struct vmbus_channel_offer {
	struct vmbus_guid if_type;
	struct vmbus_guid if_instance;
	uint8_t reserved1[16];
	uint16_t chn_flags;
	uint16_t mmio_megabytes;
	uint8_t user_data[VMBUS_USER_DATA_SIZE];
	uint16_t sub_channel_index;
	uint16_t mmio_megabytes_optional;
};
static_assert(sizeof(struct vmbus_channel_offer) == 176, "offer");

struct vmbus_channel_offer_channel {
	struct vmbus_channel_message_header header;
	struct vmbus_channel_offer offer;
	uint32_t child_relid;
	uint8_t monitorid;
	uint8_t monitor_allocated;
	uint16_t is_dedicated_interrupt; /* from 1.1 on, as is connection_id */
	uint32_t connection_id;          /* what the guest signals */
};
static_assert(sizeof(struct vmbus_channel_offer_channel) == 196, "offer_channel");
static_assert(offsetof(struct vmbus_channel_offer_channel, child_relid) == 184, "child_relid");

/* RESCIND_CHANNELOFFER, CLOSECHANNEL, RELID_RELEASED, CLOSERESERVED_RESPONSE. */
struct vmbus_channel_relid {
	struct vmbus_channel_message_header header;
	uint32_t child_relid;
};
static_assert(sizeof(struct vmbus_channel_relid) == 12, "relid");

struct vmbus_channel_open_channel {
	struct vmbus_channel_message_header header;
	uint32_t child_relid;
	uint32_t openid;
	uint32_t ringbuffer_gpadlhandle;
	uint32_t target_vp; /* from 2.4 on */
	uint32_t downstream_ringbuffer_pageoffset;
	uint8_t userdata[VMBUS_USER_DATA_SIZE];
};
static_assert(sizeof(struct vmbus_channel_open_channel) == 148, "open_channel");

/* With VMBUS_FEATURE_GUEST_SIGNAL_PARAMETERS or VMBUS_FEATURE_INTERRUPT_REDIRECTION. */
struct vmbus_channel_open_channel2 {
	struct vmbus_channel_open_channel open;
	uint32_t connection_id;
	uint16_t event_flag;
	uint16_t flags;
};
static_assert(sizeof(struct vmbus_channel_open_channel2) == 156, "open_channel2");

struct vmbus_channel_open_result {
	struct vmbus_channel_message_header header;
	uint32_t child_relid;
	uint32_t openid;
	uint32_t status;
};
static_assert(sizeof(struct vmbus_channel_open_result) == 20, "open_result");

struct vmbus_channel_open_reserved {
	struct vmbus_channel_message_header header;
	uint32_t child_relid;
	uint32_t target_vp; /* where the answer goes */
	uint32_t target_sint;
	uint32_t ringbuffer_gpadlhandle;
	uint32_t downstream_ringbuffer_pageoffset;
};
static_assert(sizeof(struct vmbus_channel_open_reserved) == 28, "open_reserved");

struct vmbus_channel_close_reserved {
	struct vmbus_channel_message_header header;
	uint32_t child_relid;
	uint32_t target_vp;
	uint32_t target_sint;
};
static_assert(sizeof(struct vmbus_channel_close_reserved) == 20, "close_reserved");

struct vmbus_channel_modifychannel {
	struct vmbus_channel_message_header header;
	uint32_t child_relid;
	uint32_t target_vp;
};
static_assert(sizeof(struct vmbus_channel_modifychannel) == 16, "modifychannel");

struct vmbus_channel_modifychannel_response {
	struct vmbus_channel_message_header header;
	uint32_t child_relid;
	uint32_t status;
};
static_assert(sizeof(struct vmbus_channel_modifychannel_response) == 16, "modifychannel_response");

/*
 * Ranges follow: each its byte count and byte offset (32 bits each), then the numbers of the pages
 * it touches (64 bits each); more in GPADL_BODY messages until there are range_buflen bytes of
 * them.
 */
struct vmbus_channel_gpadl_header {
	struct vmbus_channel_message_header header;
	uint32_t child_relid;
	uint32_t gpadl;
	uint16_t range_buflen;
	uint16_t rangecount;
};
static_assert(sizeof(struct vmbus_channel_gpadl_header) == 20, "gpadl_header");

struct vmbus_channel_gpadl_body {
	struct vmbus_channel_message_header header;
	uint32_t msgnumber;
	uint32_t gpadl;
};
static_assert(sizeof(struct vmbus_channel_gpadl_body) == 16, "gpadl_body");

struct vmbus_channel_gpadl_created {
	struct vmbus_channel_message_header header;
	uint32_t child_relid;
	uint32_t gpadl;
	uint32_t creation_status;
};
static_assert(sizeof(struct vmbus_channel_gpadl_created) == 20, "gpadl_created");

struct vmbus_channel_gpadl_teardown {
	struct vmbus_channel_message_header header;
	uint32_t child_relid;
	uint32_t gpadl;
};
static_assert(sizeof(struct vmbus_channel_gpadl_teardown) == 16, "gpadl_teardown");

struct vmbus_channel_gpadl_torndown {
	struct vmbus_channel_message_header header;
	uint32_t gpadl;
};
static_assert(sizeof(struct vmbus_channel_gpadl_torndown) == 12, "gpadl_torndown");

/* A guest's connect() to a hvsocket service of the host. */
struct vmbus_channel_tl_connect_request {
	struct vmbus_channel_message_header header;
	struct vmbus_guid guest_endpoint_id;
	struct vmbus_guid host_service_id;
};
static_assert(sizeof(struct vmbus_channel_tl_connect_request) == 40, "tl_connect_request");

/* From 5.2 on, though some guests go on sending the short one. */
struct vmbus_channel_tl_connect_request2 {
	struct vmbus_channel_tl_connect_request request;
	struct vmbus_guid silo_id;
};
static_assert(sizeof(struct vmbus_channel_tl_connect_request2) == 56, "tl_connect_request2");

struct vmbus_channel_tl_connect_result {
	struct vmbus_channel_message_header header;
	struct vmbus_guid guest_endpoint_id;
	struct vmbus_guid host_service_id;
	uint32_t status;
};
static_assert(sizeof(struct vmbus_channel_tl_connect_result) == 44, "tl_connect_result");

/* With VMBUS_FEATURE_MODIFY_CONNECTION. */
struct vmbus_channel_modifyconnection {
	struct vmbus_channel_message_header header;
	uint64_t monitor_page1;
	uint64_t monitor_page2;
};
static_assert(sizeof(struct vmbus_channel_modifyconnection) == 24, "modifyconnection");

struct vmbus_channel_modifyconnection_response {
	struct vmbus_channel_message_header header;
	uint8_t connection_state;
	uint8_t padding[3];
};
static_assert(sizeof(struct vmbus_channel_modifyconnection_response) == 12,
	      "modifyconnection_response");
