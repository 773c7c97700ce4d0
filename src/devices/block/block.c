// SPDX-License-Identifier: MIT
/*
 * What all disks have in common. No state.
 */
#include "devices/block/block.h"

#include <errno.h>

#include "devices/block/iov.h"

int block_check(const struct block *block, const struct block_request *req)
{
	const struct block_info *info = &block->info;
	bool data = req->op == BLOCK_READ || req->op == BLOCK_WRITE;

	if (req->op == BLOCK_FLUSH)
		return 0;
	if (!range_within(req->offset, req->len, info->size) ||
	    !is_aligned(req->offset | req->len, info->logical_sector))
		return -EINVAL;
	if (data && iov_length(req->iov, req->iov_count) != req->len)
		return -EINVAL;
	return req->op != BLOCK_READ && info->read_only ? -EROFS : 0;
}

int block_close(struct block *block, struct error *err)
{
	return block ? block->ops->close(block, err) : 0;
}
