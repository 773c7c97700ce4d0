// SPDX-License-Identifier: MIT
/* Capture files, as draft-ietf-opsawg-pcapng has them; in the byte order of who writes. */
#pragma once

#include <assert.h>
#include <stdint.h>

#define PCAPNG_SECTION_HEADER    0x0a0d0d0au
#define PCAPNG_INTERFACE         1u
#define PCAPNG_STATISTICS        5u
#define PCAPNG_PACKET            6u
#define PCAPNG_BYTE_ORDER        0x1a2b3c4du
#define PCAPNG_LINKTYPE_ETHERNET 1u

/* Options of an interface, of its statistics, and of a packet. */
#define PCAPNG_IF_TSRESOL    9u
#define PCAPNG_ISB_IFDROP    5u
#define PCAPNG_EPB_FLAGS     2u
#define PCAPNG_FLAG_INBOUND  1u
#define PCAPNG_FLAG_OUTBOUND 2u

struct pcapng_section_header {
	uint32_t type;
	uint32_t total_length;
	uint32_t byte_order;
	uint16_t major, minor;
	uint64_t section_length;
	uint32_t total_length_again;
} __attribute__((packed));
static_assert(sizeof(struct pcapng_section_header) == 28, "size");

struct pcapng_option32 {
	uint16_t code;
	uint16_t length;
	uint32_t value;
	uint32_t end; /* opt_endofopt */
} __attribute__((packed));
static_assert(sizeof(struct pcapng_option32) == 12, "size");

struct pcapng_interface {
	uint32_t type;
	uint32_t total_length;
	uint16_t link_type;
	uint16_t reserved;
	uint32_t snap_length;
	struct pcapng_option32 resolution; /* of one byte */
	uint32_t total_length_again;
} __attribute__((packed));
static_assert(sizeof(struct pcapng_interface) == 32, "size");

/* What is before a packet's data, and behind it and its padding. */
struct pcapng_packet {
	uint32_t type;
	uint32_t total_length;
	uint32_t interface;
	uint32_t time_high, time_low;
	uint32_t captured, original;
} __attribute__((packed));
static_assert(sizeof(struct pcapng_packet) == 28, "size");

struct pcapng_packet_end {
	struct pcapng_option32 flags;
	uint32_t total_length;
} __attribute__((packed));
static_assert(sizeof(struct pcapng_packet_end) == 16, "size");

struct pcapng_statistics {
	uint32_t type;
	uint32_t total_length;
	uint32_t interface;
	uint32_t time_high, time_low;
	uint16_t drop_code, drop_length;
	uint64_t dropped;
	uint32_t end;
	uint32_t total_length_again;
} __attribute__((packed));
static_assert(sizeof(struct pcapng_statistics) == 40, "size");
