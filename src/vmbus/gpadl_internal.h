// SPDX-License-Identifier: MIT
/* What gpadl.c and gpadl_ring.c share. See gpadl.h for threads and the contract. */
#pragma once

#include "vmbus/gpadl.h"

enum gpadl_state {
	GPADL_FILLING, /* the guest has bodies to send */
	GPADL_READY,   /* checked; the guest was told so */
	GPADL_TEARING, /* the guest wants it back, and waits for the last hold to end */
	GPADL_DROPPED, /* in no table any more; the guest expects nothing, the last hold frees it */
};

struct gpadl_span {
	uint32_t bytes;
	uint32_t offset; /* of the first, in the first page */
	uint32_t first;  /* page, as an index into the list */
	uint32_t pages;
};

struct gpadl {
	struct gpadl_table *table;
	struct gpadl *next; /* of the same bucket */
	uint32_t channel;
	uint32_t handle;
	enum gpadl_state state;
	uint32_t holds;
	uint32_t filled; /* bytes of the list */
	uint32_t words;  /* of the list in all */
	uint32_t ranges;
	struct gpadl_span *spans; /* since it is READY */
	uint64_t list[];          /* the range buffer */
};

#define GPADL_BUCKETS 256

struct gpadl_table {
	struct mem *mem;
	struct gpadl_limits limits;
	void (*torn_down)(void *ctx, uint32_t channel, uint32_t handle);
	void *ctx;
	/* In use, by GPADLs of all states. */
	uint32_t words;
	uint32_t gpadls;
	uint32_t mappings;
	struct gpadl_counters counters;
	struct gpadl *buckets[GPADL_BUCKETS];
};
