// SPDX-License-Identifier: MIT
/*
 * A disk in memory for tests and fuzz targets of what is above disks: requests complete at once, or
 * when they are told to, in any order and with any result; all are recorded. What a frontend may
 * not ask for is asserted.
 */
#pragma once

#include "devices/block/block.h"

#define FAKE_OPS 512u

struct fake_op {
	enum block_op op;
	bool fua, unmap;
	uint64_t offset, len;
	unsigned int iov_count;
};

struct disk_fake {
	struct block block;
	uint8_t *data;
	uint8_t *mapped;         /* a byte for each sector */
	bool deferred;           /* requests wait for disk_fake_complete() */
	bool shrunk;             /* has been larger: what is beyond may be asked for, in vain */
	int fail;                /* result of the requests from here on; 0: what is right */
	unsigned int fail_after; /* as many are right first */
	struct block_request *first, **last;
	unsigned int waiting;
	unsigned int count;           /* requests made */
	struct fake_op ops[FAKE_OPS]; /* the first of them */
};

void disk_fake_init(struct disk_fake *fake, uint64_t size, uint32_t sector);
/* Nothing may wait. */
void disk_fake_finish(struct disk_fake *fake);

/*
 * Completes the waiting request number @which, modulo their number, counted from the oldest. False:
 * there is none.
 */
bool disk_fake_complete(struct disk_fake *fake, unsigned int which);
/* All, and those that come meanwhile. */
void disk_fake_complete_all(struct disk_fake *fake);

/* The op that came last; asserts that there is one. */
const struct fake_op *disk_fake_last(const struct disk_fake *fake);
