// SPDX-License-Identifier: MIT
/*
 * A disk that records what reaches it and completes when it is told to, for tests of layers. Each
 * test program has its own copy.
 */
#pragma once

#include "block_run.h"

struct block_fake {
	struct block block;
	struct block_request *seen[64];
	uint64_t seen_ns[64];
	unsigned int count, finished;
	bool at_once; /* completes from inside block_submit(), with @result */
	int result;
	bool closed;
};

static inline void block_fake_submit(struct block *block, struct block_request *req)
{
	struct block_fake *fake = container_of(block, struct block_fake, block);

	ck_assert_uint_lt(fake->count, ARRAY_SIZE(fake->seen));
	ck_assert_ptr_eq(req->block, block);
	fake->seen_ns[fake->count] = loop_now();
	fake->seen[fake->count++] = req;
	if (fake->at_once) {
		fake->finished++;
		req->done(req, fake->result);
	}
}

/* Completes the oldest that is not. */
static inline void block_fake_finish_one(struct block_fake *fake, int result)
{
	struct block_request *req = fake->seen[fake->finished++];

	req->done(req, result);
}

static inline enum block_map block_fake_map(struct block *block, uint64_t offset, uint64_t *ret_len)
{
	*ret_len = 4096;
	return BLOCK_UNMAPPED;
}

static inline int block_fake_close(struct block *block, struct error *err)
{
	struct block_fake *fake = container_of(block, struct block_fake, block);

	fake->closed = true;
	return fake->result;
}

static inline void block_fake_init(struct block_fake *fake)
{
	static const struct block_ops ops = {
		.submit = block_fake_submit, .map = block_fake_map, .close = block_fake_close};

	memset(fake, 0, sizeof(*fake));
	fake->block.ops = &ops;
	fake->block.name = "fake";
	fake->block.info = (struct block_info){
		.size = MiB(64), .logical_sector = 512, .physical_sector = 4096, .format = "fake"};
}
