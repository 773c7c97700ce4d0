// SPDX-License-Identifier: MIT
/*
 * VMBus rings on the wire: the control page, packet descriptors and the page lists behind them,
 * with the names that Linux gives them. Little-endian; indices and lengths as noted. No logic.
 *
 * A ring is one control page and whole pages of data. The producer moves write_index, the consumer
 * read_index; equal means empty, so a ring is never filled to its last byte. A packet takes a
 * multiple of 8 bytes and goes on at the start of the data where the end cuts it:
 *
 *	descriptor | page list, for types that have one | payload | trailer
 *	<------------- offset8 * 8 ------------------->
 *	<------------------- len8 * 8 ------------------------->
 *
 * so a packet without payload has offset8 == len8, and the trailer is not in len8.
 */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

/* --- The control page. --------------------------------------------------------------------- */

#define HV_RING_PAGE_SIZE 4096

struct hv_ring_buffer {
	uint32_t write_index; /* bytes from the start of the data; the producer's */
	uint32_t read_index;  /* the consumer's */
	/* The consumer's: not 0, it wants no signal when the ring is not empty any more. */
	uint32_t interrupt_mask;
	/*
	 * The producer's: not 0, it waits for more free bytes than this, and wants a signal when
	 * they are there.
	 */
	uint32_t pending_send_sz;
	uint32_t reserved1[12];
	/* The producer's: what it does. Each end sets it in the ring that it writes. */
	uint32_t feature_bits;
	uint8_t reserved2[HV_RING_PAGE_SIZE - 68];
};
static_assert(sizeof(struct hv_ring_buffer) == HV_RING_PAGE_SIZE, "control page");
static_assert(offsetof(struct hv_ring_buffer, interrupt_mask) == 8, "interrupt_mask");
static_assert(offsetof(struct hv_ring_buffer, pending_send_sz) == 12, "pending_send_sz");
static_assert(offsetof(struct hv_ring_buffer, feature_bits) == 64, "feature_bits");

/*
 * Uses pending_send_sz in the ring it writes, and heeds it in the one it reads. An end that does
 * not say so polls when its ring is full, and must not be signalled for room.
 */
#define HV_RING_FEAT_PENDING_SEND_SZ (1u << 0)

/* --- Packets. ------------------------------------------------------------------------------ */

#define VM_PKT_DATA_INBAND           0x6 /* no page list */
#define VM_PKT_DATA_USING_XFER_PAGES 0x7 /* vmtransfer_page_list */
#define VM_PKT_DATA_USING_GPA_DIRECT 0x9 /* vmdata_gpa_direct_list */
#define VM_PKT_COMP                  0xb /* answers the packet of the same trans_id */

#define VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED 1

struct vmpacket_descriptor {
	uint16_t type;    /* VM_PKT_* */
	uint16_t offset8; /* where the payload begins, in units of 8 bytes */
	uint16_t len8;    /* of everything but the trailer, likewise */
	uint16_t flags;
	uint64_t trans_id; /* the sender's; comes back in the completion */
};
static_assert(sizeof(struct vmpacket_descriptor) == 16, "descriptor");

/* What follows each packet: where it began. Nobody is known to read it. */
struct vmpacket_trailer {
	uint32_t reserved;
	uint32_t offset; /* bytes from the start of the data */
};
static_assert(sizeof(struct vmpacket_trailer) == 8, "trailer");

#define VMPACKET_LEN_MAX (UINT16_MAX * 8u)

/* --- Page lists. --------------------------------------------------------------------------- */

struct vmtransfer_page_range {
	uint32_t byte_count;
	uint32_t byte_offset; /* in the pages of the set */
};
static_assert(sizeof(struct vmtransfer_page_range) == 8, "transfer page range");

/* Ranges of a GPADL that both ends know by number. */
struct vmtransfer_page_list {
	uint16_t xfer_pageset_id;
	uint8_t sender_owns_set;
	uint8_t reserved; /* may be anything */
	uint32_t range_cnt;
	struct vmtransfer_page_range ranges[];
};
static_assert(sizeof(struct vmtransfer_page_list) == 8, "transfer page list");

/* Also the range buffer of a GPADL: as many page numbers as the bytes touch. */
struct gpa_range {
	uint32_t byte_count;
	uint32_t byte_offset; /* in the first page */
	uint64_t pfn_array[];
};
static_assert(sizeof(struct gpa_range) == 8, "gpa range");

/* Pages named in the packet itself; range_cnt times struct gpa_range and its pages follow. */
struct vmdata_gpa_direct_list {
	uint32_t reserved; /* may be anything */
	uint32_t range_cnt;
};
static_assert(sizeof(struct vmdata_gpa_direct_list) == 8, "gpa direct list");
