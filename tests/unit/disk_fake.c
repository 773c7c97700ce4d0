// SPDX-License-Identifier: MIT
/* See disk_fake.h. */
#include "disk_fake.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct disk_fake *fake_of(struct block *block)
{
	return container_of(block, struct disk_fake, block);
}

static uint64_t vector_len(const struct block_request *req)
{
	uint64_t len = 0;

	for (unsigned int i = 0; i < req->iov_count; i++)
		len += req->iov[i].iov_len;
	return len;
}

static void check(const struct disk_fake *fake, const struct block_request *req)
{
	const struct block_info *info = &fake->block.info;

	assert(req->done);
	if (req->op == BLOCK_FLUSH)
		return;
	assert(req->len && req->len % info->logical_sector == 0);
	assert(req->offset % info->logical_sector == 0);
	assert(fake->shrunk || range_within(req->offset, req->len, info->size));
	assert(req->op == BLOCK_READ || !info->read_only);
	if (req->op == BLOCK_READ || req->op == BLOCK_WRITE)
		assert(vector_len(req) == req->len);
}

static void move(struct disk_fake *fake, const struct block_request *req)
{
	uint8_t *at = fake->data + req->offset;

	for (unsigned int i = 0; i < req->iov_count; i++) {
		if (req->op == BLOCK_READ)
			memcpy(req->iov[i].iov_base, at, req->iov[i].iov_len);
		else
			memcpy(at, req->iov[i].iov_base, req->iov[i].iov_len);
		at += req->iov[i].iov_len;
	}
}

static void mark(struct disk_fake *fake, const struct block_request *req, bool mapped)
{
	uint32_t sector = fake->block.info.logical_sector;

	memset(fake->mapped + req->offset / sector, mapped, req->len / sector);
}

static void finish(struct disk_fake *fake, struct block_request *req)
{
	int result = 0;

	if (req->op != BLOCK_FLUSH && !range_within(req->offset, req->len, fake->block.info.size))
		result = -EINVAL;
	else if (fake->fail && !fake->fail_after)
		result = fake->fail;
	else if (fake->fail_after)
		fake->fail_after--;
	if (!result) {
		switch (req->op) {
		case BLOCK_READ:
			move(fake, req);
			break;
		case BLOCK_WRITE:
			move(fake, req);
			mark(fake, req, true);
			break;
		case BLOCK_UNMAP:
		case BLOCK_WRITE_ZEROES:
			memset(fake->data + req->offset, 0, req->len);
			mark(fake, req, req->op == BLOCK_WRITE_ZEROES && !req->unmap);
			break;
		case BLOCK_FLUSH:
			break;
		}
	}
	req->done(req, result);
}

static void submit(struct block *block, struct block_request *req)
{
	struct disk_fake *fake = fake_of(block);

	check(fake, req);
	if (fake->count < FAKE_OPS)
		fake->ops[fake->count] = (struct fake_op){
			.op = req->op,
			.fua = req->fua,
			.unmap = req->unmap,
			.offset = req->offset,
			.len = req->len,
			.iov_count = req->iov_count,
		};
	fake->count++;
	if (!fake->deferred) {
		finish(fake, req);
		return;
	}
	req->next = NULL;
	*fake->last = req;
	fake->last = &req->next;
	fake->waiting++;
}

bool disk_fake_complete(struct disk_fake *fake, unsigned int which)
{
	struct block_request **at = &fake->first, *req;

	if (!fake->waiting)
		return false;
	for (which %= fake->waiting; which; which--)
		at = &(*at)->next;
	req = *at;
	assert(req);
	*at = req->next;
	if (!req->next)
		fake->last = at;
	fake->waiting--;
	finish(fake, req);
	return true;
}

void disk_fake_complete_all(struct disk_fake *fake)
{
	while (disk_fake_complete(fake, 0))
		;
}

const struct fake_op *disk_fake_last(const struct disk_fake *fake)
{
	assert(fake->count && fake->count <= FAKE_OPS);
	return &fake->ops[fake->count - 1];
}

static enum block_map map(struct block *block, uint64_t offset, uint64_t *ret_len)
{
	struct disk_fake *fake = fake_of(block);
	uint32_t sector = block->info.logical_sector;
	uint64_t end = offset / sector;
	uint8_t kind = fake->mapped[end];

	assert(offset < block->info.size);
	while (end < block->info.size / sector && fake->mapped[end] == kind)
		end++;
	*ret_len = end * sector - offset;
	return kind ? BLOCK_MAPPED : BLOCK_UNMAPPED;
}

static int close_fake(struct block *block, struct error *err)
{
	(void)err;
	assert(!fake_of(block)->waiting);
	return 0;
}

static const struct block_ops fake_ops = {.submit = submit, .map = map, .close = close_fake};

void disk_fake_init(struct disk_fake *fake, uint64_t size, uint32_t sector)
{
	*fake = (struct disk_fake){
		.block = {.ops = &fake_ops,
			  .name = "fake",
			  .info = {.size = size,
				   .logical_sector = sector,
				   .physical_sector = 4096,
				   .unmap = true,
				   .unmap_granularity = 65536,
				   .format = "fake"}},
	};
	fake->last = &fake->first;
	fake->data = calloc(1, size);
	fake->mapped = calloc(1, size / sector);
	assert(fake->data && fake->mapped);
}

void disk_fake_finish(struct disk_fake *fake)
{
	assert(!fake->waiting);
	free(fake->data);
	free(fake->mapped);
}
