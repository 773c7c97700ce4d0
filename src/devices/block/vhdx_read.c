// SPDX-License-Identifier: MIT
/*
 * Reads that are not one request to the file: across blocks, from sectors present in part, from the
 * parent. Owner: the disk's loop.
 */
#include <errno.h>

#include "devices/block/iov.h"
#include "devices/block/vhdx_internal.h"

static void zero_piece(struct block_request *req, uint64_t len)
{
	struct vhdx_job *job = vhdx_job(req);

	iov_zero(req->iov, req->iov_count, job->cursor, len);
	job->cursor += len;
}

/* --- From the file. ------------------------------------------------------------------------ */

static void file_done(struct file_request *file, int result)
{
	struct vhdx_segment *segment = container_of(file, struct vhdx_segment, file);

	vhdx_epoch_leave(segment->v, segment->epoch);
	vhdx_segment_done(segment, result);
}

static void read_file(struct vhdx_segment *segment, uint32_t entry)
{
	struct vhdx *v = segment->v;
	uint64_t inside = segment->offset & (v->image.block_size - 1);
	unsigned int count;
	int ret = vhdx_segment_iov(segment, &count);

	if (ret) {
		vhdx_segment_done(segment, ret);
		return;
	}
	segment->epoch = vhdx_epoch_enter(v);
	segment->file = (struct file_request){.op = FILE_READ,
					      .offset = vhdx_entry_offset(entry) + inside,
					      .len = segment->len,
					      .iov = segment->iov,
					      .iov_count = count,
					      .done = file_done};
	file_submit(v->file, &segment->file);
}

/* --- From the parent. ---------------------------------------------------------------------- */

static void parent_done(struct block_request *parent, int result)
{
	vhdx_segment_done(container_of(parent, struct vhdx_segment, parent), result);
}

static void read_parent(struct vhdx_segment *segment)
{
	unsigned int count;
	int ret = vhdx_segment_iov(segment, &count);

	if (ret) {
		vhdx_segment_done(segment, ret);
		return;
	}
	segment->parent = (struct block_request){.op = BLOCK_READ,
						 .offset = segment->offset,
						 .len = segment->len,
						 .iov = segment->iov,
						 .iov_count = count,
						 .done = parent_done};
	block_submit(segment->v->parent, &segment->parent);
}

static void parent_piece(struct vhdx *v, struct block_request *req, uint64_t len)
{
	struct vhdx_job *job = vhdx_job(req);
	uint64_t offset = req->offset + job->cursor;
	struct vhdx_segment *segment;

	/* What the parent is too short for reads as zero. */
	if (offset >= v->parent->info.size) {
		zero_piece(req, len);
		return;
	}
	len = min_of(len, v->parent->info.size - offset);
	segment = vhdx_segment_get(v, req, offset, len);
	if (segment) {
		job->cursor += len;
		read_parent(segment);
	}
}

/* --- From both. ---------------------------------------------------------------------------- */

/* The bitmap is there now: the cursor goes on at the same place. */
static void bitmap_came(struct vhdx_segment *segment, int result)
{
	vhdx_job(segment->req)->blocked = false;
	vhdx_segment_done(segment, result);
}

static void partial_piece(struct vhdx *v, struct block_request *req, uint32_t entry, uint64_t len)
{
	struct vhdx_job *job = vhdx_job(req);
	uint64_t offset = req->offset + job->cursor;
	uint64_t page_bytes = (uint64_t)VHDX_BITMAP_PAGE_BITS * v->image.logical_sector;
	struct vhdx_segment *segment;
	bool present;
	int ret;

	len = min_of(len, page_bytes - offset % page_bytes);
	segment = vhdx_segment_get(v, req, offset, len);
	if (!segment)
		return;
	segment->resume = bitmap_came;
	ret = vhdx_bitmap_get(segment, offset, len);
	if (ret == -EINPROGRESS) {
		job->blocked = true;
		return;
	}
	if (ret) {
		vhdx_segment_done(segment, ret);
		return;
	}
	present = vhdx_bitmap_run(v, offset, len, &segment->len);
	if (present) {
		job->cursor += segment->len;
		read_file(segment, entry);
		return;
	}
	len = segment->len;
	vhdx_segment_done(segment, 0);
	parent_piece(v, req, len);
}

void vhdx_read_piece(struct vhdx *v, struct block_request *req)
{
	struct vhdx_job *job = vhdx_job(req);
	uint64_t offset = req->offset + job->cursor, len = vhdx_piece_len(v, req);
	uint64_t index = vhdx_bat_index(&v->image, vhdx_block_of(v, offset));
	uint32_t entry = vhdx_bat_get(&v->bat, index);
	struct vhdx_segment *segment;

	switch ((enum vhdx_payload_state)vhdx_entry_state(entry)) {
	case VHDX_BLOCK_FULLY_PRESENT:
		segment = vhdx_segment_get(v, req, offset, len);
		if (segment) {
			job->cursor += len;
			read_file(segment, entry);
		}
		return;
	case VHDX_BLOCK_PARTIALLY_PRESENT:
		partial_piece(v, req, entry, len);
		return;
	case VHDX_BLOCK_NOT_PRESENT:
		if (v->parent) {
			parent_piece(v, req, len);
			return;
		}
		break;
	case VHDX_BLOCK_UNDEFINED:
	case VHDX_BLOCK_ZERO:
	case VHDX_BLOCK_UNMAPPED:
		break;
	}
	zero_piece(req, len);
}
