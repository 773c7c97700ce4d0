// SPDX-License-Identifier: MIT
/*
 * Hyper-V sockets on the wire: what an offer of a connection says, and how bytes are framed. Each
 * connection is a channel in byte pipe mode, offered for it alone. No logic.
 */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

/* The beginning of an offer's user data, with VMBUS_CHANNEL_TLNPI_PROVIDER_OFFER. */
struct hvsock_offer_params {
	uint32_t pipe_type;          /* VMBUS_PIPE_TYPE_BYTE */
	uint8_t is_for_guest_accept; /* the host connects */
	uint8_t is_for_guest_container;
	uint32_t version; /* HVSOCK_PARAMS_VERSION */
	uint8_t silo_id[16];
	uint8_t padding[2];
} __attribute__((packed));
static_assert(sizeof(struct hvsock_offer_params) == 28, "offer parameters");

#define HVSOCK_PARAMS_VERSION 1u

#define HVSOCK_PIPE_DATA 1u

/* In front of the bytes of a packet; no bytes: there will be none from this side any more. */
struct vmpipe_proto_header {
	uint32_t pkt_type; /* HVSOCK_PIPE_DATA */
	uint32_t data_size;
};
static_assert(sizeof(struct vmpipe_proto_header) == 8, "pipe header");

/* The most bytes in a packet. */
#define HVSOCK_MTU 16384u

/*
 * Ports of AF_VSOCK are services whose GUID is {PORT-facb-11e6-bd58-64006a7986d3}, the port as
 * eight hexadecimal digits: these are its last twelve bytes.
 */
#define HVSOCK_VSOCK_TEMPLATE                                                                      \
	{                                                                                          \
		0xcb, 0xfa, 0xe6, 0x11, 0xbd, 0x58, 0x64, 0x00, 0x6a, 0x79, 0x86, 0xd3,            \
	}
