// SPDX-License-Identifier: MIT
/*
 * The dynamic memory protocol of VMBus on the wire, with the names that guest drivers use in
 * public; there is no published specification. Little-endian. No logic.
 *
 * All messages are in-band packets that ask for no completion; what a message answers is told by
 * its type alone, because transaction ids are their senders' own.
 */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define DYNMEM_VERSION(major, minor) ((uint32_t)(major) << 16 | (minor))
#define DYNMEM_PROTOCOL_VERSION_1    DYNMEM_VERSION(0, 3) /* Windows 7 */
#define DYNMEM_PROTOCOL_VERSION_2    DYNMEM_VERSION(1, 0) /* Windows 8 */
#define DYNMEM_PROTOCOL_VERSION_3    DYNMEM_VERSION(2, 0) /* Windows 10 */

enum dm_message_type {
	DM_ERROR = 0,
	DM_VERSION_REQUEST = 1,
	DM_VERSION_RESPONSE = 2,
	DM_CAPABILITIES_REPORT = 3,
	DM_CAPABILITIES_RESPONSE = 4,
	DM_STATUS_REPORT = 5,
	DM_BALLOON_REQUEST = 6,
	DM_BALLOON_RESPONSE = 7,
	DM_UNBALLOON_REQUEST = 8,
	DM_UNBALLOON_RESPONSE = 9,
	DM_MEM_HOT_ADD_REQUEST = 10,
	DM_MEM_HOT_ADD_RESPONSE = 11,
	DM_INFO_MESSAGE = 12, /* from DYNMEM_PROTOCOL_VERSION_2 on */
};

struct dm_header {
	uint16_t type;
	uint16_t size; /* of the whole message */
	uint32_t trans_id;
};

struct dm_version_request {
	struct dm_header hdr;
	uint32_t version;
	uint32_t flags; /* bit 0: the guest knows no lower one */
};

/* Also the answer to the capabilities. */
struct dm_accepted {
	struct dm_header hdr;
	uint64_t is_accepted; /* bit 0 */
};

#define DM_CAP_BALLOON                 (1ull << 0)
#define DM_CAP_HOT_ADD                 (1ull << 1)
#define DM_CAP_HOT_ADD_ALIGNMENT_SHIFT 2
#define DM_CAP_HOT_ADD_ALIGNMENT_MASK  0xfull /* n: 2^n MiB */

struct dm_capabilities {
	struct dm_header hdr;
	uint64_t caps;
	uint64_t min_page_cnt;
	uint64_t max_page_number;
};

struct dm_status {
	struct dm_header hdr;
	uint64_t num_avail;      /* pages */
	uint64_t num_committed;  /* pages, with those in the balloon */
	uint64_t page_file_size; /* what follows is Windows' */
	uint64_t zero_free;
	uint32_t page_file_writes;
	uint32_t io_diff;
};

/* Old guests may have less behind these. */
#define DM_STATUS_LEN_MIN offsetof(struct dm_status, page_file_size)

struct dm_balloon_request {
	struct dm_header hdr;
	uint32_t num_pages;
	uint32_t reserved;
};

/* A run of pages: bits 0-39 are the first page's number, bits 40-63 how many there are. */
#define DM_RANGE_START_BITS 40
#define DM_RANGE_START_MASK ((1ull << DM_RANGE_START_BITS) - 1)
#define DM_RANGE_COUNT_MAX  ((1u << 24) - 1)

struct dm_balloon_response {
	struct dm_header hdr;
	uint32_t reserved;
	uint32_t more_and_count; /* bit 0: another message follows; bits 1-31: ranges */
				 /* uint64_t ranges[] */
};

struct dm_unballoon_request {
	struct dm_header hdr;
	uint32_t more; /* bit 0 */
	uint32_t range_count;
	/* uint64_t ranges[] */
};

struct dm_unballoon_response {
	struct dm_header hdr;
};

/* Without @region the message is 8 bytes shorter. */
struct dm_hot_add_request {
	struct dm_header hdr;
	uint64_t range;
	uint64_t region; /* a place for this and later ranges, aligned as the guest wants it */
};

struct dm_hot_add_response {
	struct dm_header hdr;
	uint32_t page_count;
	uint32_t result; /* 1: all or some; or, with no pages, there never will be */
};

#define DM_INFO_MAX_PAGE_COUNT 0u

struct dm_info_max_pages {
	struct dm_header hdr;
	uint32_t reserved;
	uint32_t info_size; /* of what follows */
	uint32_t type;
	uint32_t data_size; /* of what follows */
	uint64_t max_page_count;
};

/* Guests take no longer message. */
#define DM_MESSAGE_MAX 4096u

static_assert(sizeof(struct dm_header) == 8, "as hv_balloon has it");
static_assert(sizeof(struct dm_version_request) == 16, "as hv_balloon has it");
static_assert(sizeof(struct dm_accepted) == 16, "as hv_balloon has it");
static_assert(sizeof(struct dm_capabilities) == 32, "as hv_balloon has it");
static_assert(sizeof(struct dm_status) == 48, "as hv_balloon has it");
static_assert(DM_STATUS_LEN_MIN == 24, "as hv_balloon has it");
static_assert(sizeof(struct dm_balloon_request) == 16, "as hv_balloon has it");
static_assert(sizeof(struct dm_balloon_response) == 16, "as hv_balloon has it");
static_assert(sizeof(struct dm_unballoon_request) == 16, "as hv_balloon has it");
static_assert(sizeof(struct dm_unballoon_response) == 8, "as hv_balloon has it");
static_assert(sizeof(struct dm_hot_add_request) == 24, "as hv_balloon has it");
static_assert(offsetof(struct dm_hot_add_request, region) == 16, "as hv_balloon has it");
static_assert(sizeof(struct dm_hot_add_response) == 16, "as hv_balloon has it");
static_assert(sizeof(struct dm_info_max_pages) == 32, "as hv_balloon has it");
