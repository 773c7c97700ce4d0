// SPDX-License-Identifier: MIT
/*
 * A sparse file in memory, and requests that complete when the test says so, in order or not.
 * Without a loop, for tests of src/devices/block/vhdx*.c and fuzz_vhdx; its own checks are
 * asserts.
 */
#pragma once

#include "devices/block/block.h"

#define FAKE_CHUNK   65536u
#define FAKE_BUCKETS 1024u

struct fake_chunk {
	struct fake_chunk *next;
	uint64_t number;
	uint8_t data[FAKE_CHUNK];
};

struct vhdx_fake {
	struct file file;
	struct fake_chunk *buckets[FAKE_BUCKETS];
	uint64_t size;
	uint64_t chunks;     /* that hold data */
	uint64_t max_chunks; /* -ENOSPC beyond; 0: no limit */
	uint64_t max_size;   /* -EFBIG beyond; 0: no limit */
	bool no_discard;
	bool kept;              /* file_destroy() leaves it as it is */
	struct vhdx_fake *also; /* a parent's file: its requests complete with these */
	bool destroyed;

	struct file_request *first, **end; /* submitted */
	unsigned int submitted[FILE_ZERO + 1];
	uint64_t order; /* not 0: the seed for which completes next */

	/*
	 * Requests and calls of @fail_op fail once @fail_after of them were done, @fail_count
	 * times.
	 */
	int fail_result;
	enum file_op fail_op;
	unsigned int fail_after, fail_count;
};

void vhdx_fake_init(struct vhdx_fake *fake);
void vhdx_fake_finish(struct vhdx_fake *fake);
/* Completes one request; false when there is none. */
bool vhdx_fake_step(struct vhdx_fake *fake);
void vhdx_fake_run(struct vhdx_fake *fake);
/* Writes all of it to a file of the host. */
void vhdx_fake_save(struct vhdx_fake *fake, const char *path);
/* Makes @to the same. */
void vhdx_fake_copy(struct vhdx_fake *fake, struct vhdx_fake *to);

/* One request to @block, run to its end. */
int vhdx_fake_do(struct vhdx_fake *fake, struct block *block, enum block_op op, uint64_t offset,
		 void *data, uint64_t len, bool fua);
