// SPDX-License-Identifier: MIT
/*
 * Raw images. Each request is one request to the file; zeroes may be two. State belongs to the
 * loop's thread.
 */
#include "devices/block/raw.h"

#include <errno.h>
#include <stdlib.h>

struct raw {
	struct block block;
	struct file *file;
};

static void op_done(struct file_request *file_req, int result)
{
	struct block_request *req = container_of(file_req, struct block_request, file);

	req->done(req, result);
}

/* A hint that the host cannot follow is followed as well as it can be. */
static void unmap_done(struct file_request *file_req, int result)
{
	op_done(file_req, result == -EOPNOTSUPP ? 0 : result);
}

/* There is no zeroing that is durable at once. */
static void zero_done(struct file_request *file_req, int result)
{
	struct block_request *req = container_of(file_req, struct block_request, file);

	if (result || !req->fua) {
		req->done(req, result);
		return;
	}
	file_req->op = FILE_SYNC;
	file_req->done = op_done;
	file_submit(file_req->file, file_req);
}

static void zero_by_discard_done(struct file_request *file_req, int result)
{
	if (result != -EOPNOTSUPP) {
		zero_done(file_req, result);
		return;
	}
	file_req->op = FILE_ZERO;
	file_req->done = zero_done;
	file_submit(file_req->file, file_req);
}

/* What becomes of a request at the file. */
static void translate(const struct block_request *req, struct file_request *file_req)
{
	*file_req = (struct file_request){
		.offset = req->offset,
		.len = req->len,
		.iov = req->iov,
		.iov_count = req->iov_count,
		.done = op_done,
	};
	switch (req->op) {
	case BLOCK_READ:
		file_req->op = FILE_READ;
		break;
	case BLOCK_WRITE:
		file_req->op = FILE_WRITE;
		file_req->durable = req->fua;
		break;
	case BLOCK_FLUSH:
		file_req->op = FILE_SYNC;
		break;
	case BLOCK_UNMAP:
		file_req->op = FILE_DISCARD;
		file_req->done = unmap_done;
		break;
	case BLOCK_WRITE_ZEROES:
		file_req->op = req->unmap ? FILE_DISCARD : FILE_ZERO;
		file_req->done = req->unmap ? zero_by_discard_done : zero_done;
		break;
	}
}

static void raw_submit(struct block *block, struct block_request *req)
{
	struct raw *raw = container_of(block, struct raw, block);
	int r = block_check(block, req);

	if (r) {
		req->done(req, r);
		return;
	}
	translate(req, &req->file);
	file_submit(raw->file, &req->file);
}

static enum block_map raw_map(struct block *block, uint64_t offset, uint64_t *ret_len)
{
	struct raw *raw = container_of(block, struct raw, block);
	uint64_t left = block->info.size - offset, len;
	bool data;

	if (file_extent(raw->file, offset, &data, &len)) {
		*ret_len = left;
		return BLOCK_MAPPED;
	}
	/* Sectors are one kind: one that is partly data is data. */
	if (len < left)
		len = data ? align_up(len, block->info.logical_sector)
			   : align_down(len, block->info.logical_sector);
	if (len == 0) {
		data = true;
		len = block->info.logical_sector;
	}
	*ret_len = min_of(len, left);
	return data ? BLOCK_MAPPED : BLOCK_UNMAPPED;
}

static int raw_close(struct block *block, struct error *err)
{
	struct raw *raw = container_of(block, struct raw, block);
	int r = 0;

	if (!raw->file->read_only)
		r = file_sync(raw->file);
	if (r)
		error_errno(err, r, "%s: what was written last may be lost", raw->file->name);
	file_destroy(raw->file);
	free(raw);
	return r;
}

static const struct block_ops raw_ops = {
	.submit = raw_submit,
	.map = raw_map,
	.close = raw_close,
};

int raw_open(struct file *file, bool is_device, const struct raw_options *options,
	     struct error *err, struct block **ret)
{
	uint32_t sector = options->logical_sector;
	struct raw *raw;
	uint64_t size;
	int r;

	r = file_size(file, &size);
	if (r)
		return error_errno(err, r, "%s: cannot find out its size", file->name);
	if (options->size)
		size = options->size;
	size = is_device ? align_down(size, sector) : align_up(size, sector);
	if (size == 0)
		return error_set(err, -EINVAL, "%s: empty, so there is no disk in it", file->name);
	raw = calloc(1, sizeof(*raw));
	if (!raw)
		return error_set(err, -ENOMEM, "out of memory");
	raw->file = file;
	raw->block = (struct block){
		.ops = &raw_ops,
		.name = file->name,
		.info = {.size = size,
			 .logical_sector = sector,
			 .physical_sector = max_of(options->physical_sector, sector),
			 .read_only = options->read_only || file->read_only,
			 .unmap = options->unmap,
			 .unmap_granularity = max_of(options->unmap_granularity, sector),
			 .format = "raw"},
	};
	*ret = &raw->block;
	return 0;
}
