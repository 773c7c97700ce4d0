// SPDX-License-Identifier: MIT
/*
 * Writes that are not one request to the file: across blocks, into blocks without space, into
 * blocks of a child that are present in part. Owner: the disk's loop.
 *
 * A write goes through what it needs one after the other, beginning anew each time it had to wait:
 * space for the sector bitmap, the bitmap in memory, space for the block; then the data. Only when
 * those are written does the BAT entry or the bitmap change, in memory; a crash before the next
 * flush leaves the block as it was. Zeroes are written the same way.
 */
#include <errno.h>

#include "devices/block/vhdx_internal.h"

/* The bytes of the disk in the block of @offset. */
static void block_range(const struct vhdx *v, uint64_t offset, uint64_t *ret_offset,
			uint64_t *ret_len)
{
	*ret_offset = align_down(offset, v->image.block_size);
	*ret_len = min_of((uint64_t)v->image.block_size, v->image.size - *ret_offset);
}

static bool is_whole(const struct vhdx_segment *segment)
{
	uint64_t offset, len;

	block_range(segment->v, segment->offset, &offset, &len);
	return segment->offset == offset && segment->len == len;
}

/* True when sectors that are not written will be the parent's. */
static bool needs_bitmap(const struct vhdx_segment *segment, uint32_t entry)
{
	return segment->v->image.has_parent && vhdx_entry_state(entry) == VHDX_BLOCK_NOT_PRESENT &&
	       !is_whole(segment);
}

/* --- The data are written. ----------------------------------------------------------------- */

static void publish_space(struct vhdx_segment *segment, uint64_t index, uint32_t entry)
{
	struct vhdx *v = segment->v;
	struct vhdx_alloc *alloc = segment->alloc;
	bool partial = needs_bitmap(segment, entry);

	if (partial) {
		/* What the bitmap said of this block before is worth nothing. */
		vhdx_bitmap_mark(v, segment->pin_offset, segment->pin_len, false);
		vhdx_bitmap_mark(v, segment->offset, segment->len, true);
	}
	if (!alloc->fresh ||
	    (v->image.has_parent && vhdx_entry_state(entry) == VHDX_BLOCK_NOT_PRESENT))
		v->flusher.sync_first = true;
	vhdx_bat_set(v, index,
		     vhdx_entry(partial ? VHDX_BLOCK_PARTIALLY_PRESENT : VHDX_BLOCK_FULLY_PRESENT,
				alloc->mib));
	alloc->published = true;
}

static void publish(struct vhdx_segment *segment)
{
	struct vhdx *v = segment->v;
	uint64_t index = vhdx_bat_index(&v->image, vhdx_block_of(v, segment->offset));
	uint32_t entry = vhdx_bat_get(&v->bat, index);

	if (segment->alloc && !segment->alloc->published) {
		publish_space(segment, index, entry);
	} else if (vhdx_entry_state(entry) == VHDX_BLOCK_PARTIALLY_PRESENT) {
		/* All of it was written while others wrote parts: no bitmap is needed any more. */
		if (!segment->pin_len) {
			v->flusher.sync_first = true;
			vhdx_bat_set(v, index,
				     vhdx_entry(VHDX_BLOCK_FULLY_PRESENT, vhdx_entry_mib(entry)));
		} else if (vhdx_bitmap_mark(v, segment->offset, segment->len, true)) {
			v->flusher.sync_first = true;
		}
	}
}

static void write_done(struct file_request *file, int result)
{
	struct vhdx_segment *segment = container_of(file, struct vhdx_segment, file);
	struct vhdx *v = segment->v;

	if (v->failed)
		result = -EIO;
	if (!result)
		publish(segment);
	if (segment->pin_len)
		vhdx_bitmap_unpin(v, segment->pin_offset, segment->pin_len);
	if (segment->alloc)
		vhdx_alloc_put(segment->alloc);
	vhdx_epoch_leave(v, segment->epoch);
	vhdx_segment_done(segment, result);
}

/* --- On the way there. --------------------------------------------------------------------- */

static void write_data(struct vhdx_segment *segment, uint64_t place)
{
	struct vhdx *v = segment->v;
	uint64_t inside = segment->offset & (v->image.block_size - 1);
	bool data = segment->req->op == BLOCK_WRITE;
	unsigned int count = 0;
	int ret = data ? vhdx_segment_iov(segment, &count) : 0;

	if (ret) {
		if (segment->alloc)
			vhdx_alloc_put(segment->alloc);
		vhdx_segment_done(segment, ret);
		return;
	}
	if (segment->pin_len)
		vhdx_bitmap_pin(v, segment->pin_offset, segment->pin_len);
	segment->epoch = vhdx_epoch_enter(v);
	segment->file = (struct file_request){.op = data ? FILE_WRITE : FILE_ZERO,
					      .offset = place + inside,
					      .len = segment->len,
					      .iov = data ? segment->iov : NULL,
					      .iov_count = count,
					      .done = write_done};
	file_submit(v->file, &segment->file);
}

/* 0: all it needs is there, the bitmap's part of it. */
static int prepare_bitmap(struct vhdx_segment *segment, uint32_t entry)
{
	struct vhdx *v = segment->v;
	uint64_t chunk = vhdx_block_of(v, segment->offset) / v->image.chunk_ratio;
	uint64_t index = vhdx_bitmap_index(&v->image, chunk);
	int ret;

	if (vhdx_entry_state(entry) == VHDX_BLOCK_PARTIALLY_PRESENT) {
		segment->pin_offset = segment->offset;
		segment->pin_len = segment->len;
		return vhdx_bitmap_get(segment, segment->offset, segment->len);
	}
	if (!needs_bitmap(segment, entry)) {
		segment->pin_len = 0;
		return 0;
	}
	if (vhdx_entry_state(vhdx_bat_get(&v->bat, index)) != VHDX_BITMAP_PRESENT) {
		ret = vhdx_alloc_bitmap(segment, index);
		if (ret)
			return ret;
	}
	block_range(v, segment->offset, &segment->pin_offset, &segment->pin_len);
	return vhdx_bitmap_get(segment, segment->pin_offset, segment->pin_len);
}

/* From the beginning, or after it waited. */
static void write_segment(struct vhdx_segment *segment, int result)
{
	struct vhdx *v = segment->v;
	uint64_t index = vhdx_bat_index(&v->image, vhdx_block_of(v, segment->offset));
	uint32_t entry = vhdx_bat_get(&v->bat, index);
	int ret = result;

	if (ret == 0 && v->failed)
		ret = -EIO;
	if (ret == 0)
		ret = prepare_bitmap(segment, entry);
	if (ret == 0 && !vhdx_state_has_space(vhdx_entry_state(entry)))
		ret = vhdx_alloc_get(segment, index);
	if (ret == -EINPROGRESS)
		return;
	if (ret)
		vhdx_segment_done(segment, ret);
	else
		write_data(segment, segment->alloc ? segment->alloc->mib * VHDX_MIB
						   : vhdx_entry_offset(entry));
}

void vhdx_write_piece(struct vhdx *v, struct block_request *req, uint64_t len)
{
	struct vhdx_job *job = vhdx_job(req);
	struct vhdx_segment *segment = vhdx_segment_get(v, req, req->offset + job->cursor, len);

	if (!segment)
		return;
	job->cursor += len;
	segment->resume = write_segment;
	write_segment(segment, 0);
}
