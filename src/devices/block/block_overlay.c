// SPDX-License-Identifier: MIT
/*
 * The throw-away layer. The file has the disk's own layout, with holes where nothing was written,
 * so all that is to be known of a sector is whether it was written. Areas of sectors have a bitmap
 * each while they are partly written, and none when they were not at all, or wholly.
 *
 * A sector counts as written when its write is done; until then its old contents are read. State
 * belongs to the loop's thread.
 */
#include "devices/block/block_overlay.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/block/iov.h"

#define AREA_SECTORS 4096u
#define SPLIT_COUNT  32u
#define SPLIT_IOVS   64u

struct area {
	uint32_t written; /* bits that are set */
	uint64_t bits[AREA_SECTORS / 64];
};

/* A read that is partly from above and partly from below, one piece after the other. */
struct split {
	struct overlay *overlay;
	struct block_request *req;
	uint64_t moved;
	uint64_t piece; /* length of what is under way */
	struct iovec iov[SPLIT_IOVS];
	struct file_request upper;
	struct block_request lower;
	struct split *next_free;
};

struct overlay {
	struct block block;
	struct block *lower;
	struct file *file;
	uint32_t sector;
	struct area **areas;
	uint64_t area_count;
	struct split splits[SPLIT_COUNT];
	struct split *free_split;
	struct block_request *head, *tail; /* reads that wait for one */
};

/* What stands for an area that is written wholly. */
static struct area *const full_area = (struct area *)(uintptr_t)1;

/* --- which sectors were written ------------------------------------------------------------- */

/* Sectors from @index on, at most @max > 0, that are all written or all not: *ret_run of them. */
static bool find_run(const struct overlay *o, uint64_t index, uint64_t max, uint64_t *ret_run)
{
	uint64_t run = 0;
	bool first = false;

	while (run < max) {
		uint64_t at = index + run;
		const struct area *area = o->areas[at / AREA_SECTORS];
		uint32_t bit = at % AREA_SECTORS;
		bool written =
			area == full_area || (area && (area->bits[bit / 64] >> bit % 64 & 1));

		if (run && written != first)
			break;
		first = written;
		run += area && area != full_area ? 1 : AREA_SECTORS - bit;
	}
	*ret_run = min_of(run, max);
	return first;
}

/* Makes sure that mark() needs no memory. */
static int reserve(struct overlay *o, uint64_t offset, uint64_t len)
{
	uint64_t first = offset / o->sector / AREA_SECTORS;
	uint64_t last = (offset + len - 1) / o->sector / AREA_SECTORS;

	for (; first <= last; first++) {
		if (!o->areas[first])
			o->areas[first] = calloc(1, sizeof(struct area));
		if (!o->areas[first])
			return -ENOMEM;
	}
	return 0;
}

static void mark(struct overlay *o, uint64_t offset, uint64_t len)
{
	uint64_t at = offset / o->sector, end = (offset + len) / o->sector;

	while (at < end) {
		struct area **slot = &o->areas[at / AREA_SECTORS], *area = *slot;
		uint32_t bit = at % AREA_SECTORS;

		if (area == full_area) {
			at += AREA_SECTORS - bit;
			continue;
		}
		if (!(area->bits[bit / 64] >> bit % 64 & 1)) {
			area->bits[bit / 64] |= 1ull << bit % 64;
			area->written++;
		}
		if (area->written == AREA_SECTORS) {
			free(area);
			*slot = full_area;
		}
		at++;
	}
}

/* --- reads of both kinds -------------------------------------------------------------------- */

static void split_step(struct split *split);
static void start_split(struct overlay *o, struct block_request *req);

static void split_end(struct split *split, int result)
{
	struct overlay *o = split->overlay;
	struct block_request *req = split->req, *waiting = o->head;

	split->next_free = o->free_split;
	o->free_split = split;
	if (waiting) {
		o->head = waiting->next;
		start_split(o, waiting);
	}
	req->done(req, result);
}

static void piece_done(struct split *split, int result)
{
	split->moved += split->piece;
	if (result || split->moved == split->req->len)
		split_end(split, result);
	else
		split_step(split);
}

static void upper_done(struct file_request *req, int result)
{
	piece_done(container_of(req, struct split, upper), result);
}

static void lower_done(struct block_request *req, int result)
{
	piece_done(container_of(req, struct split, lower), result);
}

static void split_step(struct split *split)
{
	struct overlay *o = split->overlay;
	struct block_request *req = split->req;
	uint64_t offset = req->offset + split->moved, left = req->len - split->moved, run, len;
	bool written = find_run(o, offset / o->sector, left / o->sector, &run);
	unsigned int count;

	len = run * o->sector;
	count = iov_slice(req->iov, req->iov_count, split->moved, len, split->iov, SPLIT_IOVS,
			  &split->piece);
	if (split->piece < len) {
		/* Whole sectors, of as many elements as there is room for. */
		len = align_down(split->piece, o->sector);
		count = iov_slice(req->iov, req->iov_count, split->moved, len, split->iov,
				  SPLIT_IOVS, &split->piece);
	}
	if (len == 0) {
		split_end(split, -EINVAL);
	} else if (written) {
		split->upper = (struct file_request){.op = FILE_READ,
						     .offset = offset,
						     .len = len,
						     .iov = split->iov,
						     .iov_count = count,
						     .done = upper_done};
		file_submit(o->file, &split->upper);
	} else {
		split->lower = (struct block_request){.op = BLOCK_READ,
						      .offset = offset,
						      .len = len,
						      .iov = split->iov,
						      .iov_count = count,
						      .done = lower_done};
		block_submit(o->lower, &split->lower);
	}
}

static void start_split(struct overlay *o, struct block_request *req)
{
	struct split *split = o->free_split;

	if (!split) {
		req->next = NULL;
		if (o->head)
			o->tail->next = req;
		else
			o->head = req;
		o->tail = req;
		return;
	}
	o->free_split = split->next_free;
	split->overlay = o;
	split->req = req;
	split->moved = 0;
	split_step(split);
}

/* --- requests ------------------------------------------------------------------------------- */

static void file_done(struct file_request *file_req, int result)
{
	struct block_request *req = container_of(file_req, struct block_request, file);

	req->done(req, result);
}

static void unmap_done(struct file_request *file_req, int result)
{
	file_done(file_req, result == -EOPNOTSUPP ? 0 : result);
}

static void write_done(struct file_request *file_req, int result)
{
	struct block_request *req = container_of(file_req, struct block_request, file);

	if (result == 0)
		mark(container_of(req->block, struct overlay, block), req->offset, req->len);
	req->done(req, result);
}

static void discard_done(struct file_request *file_req, int result)
{
	if (result != -EOPNOTSUPP) {
		write_done(file_req, result);
		return;
	}
	file_req->op = FILE_ZERO;
	file_req->done = write_done;
	file_submit(file_req->file, file_req);
}

static void to_file(struct overlay *o, struct block_request *req, enum file_op op,
		    void (*done)(struct file_request *req, int result))
{
	req->file = (struct file_request){.op = op,
					  .offset = req->offset,
					  .len = req->len,
					  .iov = req->iov,
					  .iov_count = req->iov_count,
					  .done = done};
	file_submit(o->file, &req->file);
}

static void overlay_read(struct overlay *o, struct block_request *req)
{
	uint64_t count = req->len / o->sector, run;
	bool written = find_run(o, req->offset / o->sector, count, &run);

	if (run < count)
		start_split(o, req);
	else if (written)
		to_file(o, req, FILE_READ, file_done);
	else
		block_submit(o->lower, req);
}

static void overlay_submit(struct block *block, struct block_request *req)
{
	struct overlay *o = container_of(block, struct overlay, block);
	int r = block_check(block, req);

	if (r == 0 && (req->op == BLOCK_WRITE || req->op == BLOCK_WRITE_ZEROES) && req->len)
		r = reserve(o, req->offset, req->len);
	/* What is thrown away in the end need not be durable. */
	if (r || req->op == BLOCK_FLUSH || req->len == 0) {
		req->done(req, r);
		return;
	}
	switch (req->op) {
	case BLOCK_READ:
		overlay_read(o, req);
		break;
	case BLOCK_WRITE:
		to_file(o, req, FILE_WRITE, write_done);
		break;
	case BLOCK_WRITE_ZEROES:
		/* Zeroes cost no space as a hole. */
		to_file(o, req, FILE_DISCARD, discard_done);
		break;
	case BLOCK_UNMAP:
		/* What was written reads as zero; the rest, as before. */
		to_file(o, req, FILE_DISCARD, unmap_done);
		break;
	case BLOCK_FLUSH:
		break;
	}
}

static enum block_map overlay_map(struct block *block, uint64_t offset, uint64_t *ret_len)
{
	struct overlay *o = container_of(block, struct overlay, block);
	uint64_t left = block->info.size - offset, run, len;
	enum block_map map = BLOCK_MAPPED;

	len = left;
	if (!find_run(o, offset / o->sector, left / o->sector, &run))
		map = block_map(o->lower, offset, &len);
	*ret_len = min_of(len, run * o->sector);
	return map;
}

static int overlay_close(struct block *block, struct error *err)
{
	struct overlay *o = container_of(block, struct overlay, block);
	int r = block_close(o->lower, err);

	assert(!o->head);
	for (uint64_t i = 0; i < o->area_count; i++)
		if (o->areas[i] != full_area)
			free(o->areas[i]);
	file_destroy(o->file);
	free(o->areas);
	free(o);
	return r;
}

static const struct block_ops overlay_ops = {
	.submit = overlay_submit,
	.map = overlay_map,
	.close = overlay_close,
};

int block_overlay_create(struct block *lower, struct file *file, struct loop *loop,
			 struct error *err, struct block **ret)
{
	uint64_t sectors = lower->info.size / lower->info.logical_sector;
	struct overlay *o;
	int r;

	r = file_truncate(file, lower->info.size);
	if (r)
		return error_errno(err, r, "%s: cannot make a file as large as the disk there",
				   file->name);
	o = calloc(1, sizeof(*o));
	if (!o)
		return error_set(err, -ENOMEM, "out of memory");
	o->area_count = sectors / AREA_SECTORS + 1;
	o->areas = calloc(o->area_count, sizeof(struct area *));
	if (!o->areas) {
		free(o);
		return error_set(err, -ENOMEM, "out of memory");
	}
	o->lower = lower;
	o->file = file;
	o->sector = lower->info.logical_sector;
	o->block = (struct block){.ops = &overlay_ops, .info = lower->info, .name = lower->name};
	o->block.info.read_only = false;
	o->block.info.unmap = true;
	o->block.info.unmap_granularity = max_of(o->sector, PAGE_SIZE);
	for (unsigned int i = 0; i < SPLIT_COUNT; i++) {
		o->splits[i].next_free = o->free_split;
		o->free_split = &o->splits[i];
	}
	*ret = &o->block;
	return 0;
}
