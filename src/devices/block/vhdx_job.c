// SPDX-License-Identifier: MIT
/*
 * Requests on their way through an open VHDX. One that lies in one block with space goes to the
 * file as it is, in the request's own file_request and memory; all others are done in segments out
 * of a pool, a bounded number at a time. Owner: the disk's loop.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/block/iov.h"
#include "devices/block/vhdx_internal.h"

#define MAX_SEGMENTS 64u /* of one request at a time */

void vhdx_complete(struct vhdx *v, struct block_request *req, int result)
{
	req->done(req, result);
}

/* --- Epochs. ------------------------------------------------------------------------------- */

uint8_t vhdx_epoch_enter(struct vhdx *v)
{
	uint8_t slot = v->epoch & 1;

	v->inside[slot]++;
	return slot;
}

void vhdx_epoch_leave(struct vhdx *v, uint8_t slot)
{
	v->inside[slot]--;
	if (v->trims.waiting)
		vhdx_trims_run(v);
}

/* --- Segments. ----------------------------------------------------------------------------- */

struct vhdx_segment *vhdx_segment_get(struct vhdx *v, struct block_request *req, uint64_t offset,
				      uint64_t len)
{
	struct vhdx_segment *segment = v->segments;

	if (segment) {
		v->segments = segment->next;
	} else {
		segment = malloc(sizeof(*segment));
		if (!segment) {
			vhdx_job(req)->result = -ENOMEM;
			return NULL;
		}
		segment->iov = segment->inline_iov;
		segment->iov_capacity = VHDX_INLINE_IOV;
	}
	segment->v = v;
	segment->req = req;
	segment->offset = offset;
	segment->len = len;
	segment->alloc = NULL;
	segment->pin_len = 0;
	vhdx_job(req)->pending++;
	return segment;
}

int vhdx_segment_iov(struct vhdx_segment *segment, unsigned int *ret_count)
{
	const struct block_request *req = segment->req;
	uint64_t skip = segment->offset - req->offset, got;
	unsigned int count = iov_slice(req->iov, req->iov_count, skip, segment->len, segment->iov,
				       segment->iov_capacity, &got);

	if (got < segment->len) {
		struct iovec *more = malloc(req->iov_count * sizeof(*more));

		if (!more)
			return -ENOMEM;
		if (segment->iov != segment->inline_iov)
			free(segment->iov);
		segment->iov = more;
		segment->iov_capacity = req->iov_count;
		count = iov_slice(req->iov, req->iov_count, skip, segment->len, more,
				  req->iov_count, &got);
	}
	*ret_count = count;
	return 0;
}

/* --- Requests. ----------------------------------------------------------------------------- */

static void advance(struct vhdx *v, struct block_request *req);

/* All that was begun of the request has ended. */
static void settle(struct vhdx *v, struct block_request *req)
{
	struct vhdx_job *job = vhdx_job(req);
	bool writes = req->op != BLOCK_READ;

	if (job->result) {
		vhdx_complete(v, req, job->result);
	} else if (job->stalled) {
		job->stalled = false;
		vhdx_flush(v, req);
	} else if (writes && ((req->fua && !v->unsafe) || job->free_seq ||
			      v->flusher.dirty_count >= VHDX_DIRTY_THRESHOLD)) {
		vhdx_flush(v, req);
	} else {
		vhdx_complete(v, req, 0);
	}
}

static bool can_advance(const struct block_request *req, const struct vhdx_job *job)
{
	return !job->result && !job->blocked && !job->stalled && job->cursor < req->len &&
	       job->pending <= MAX_SEGMENTS;
}

static void advance(struct vhdx *v, struct block_request *req)
{
	struct vhdx_job *job = vhdx_job(req);

	job->pending++;
	job->advancing = true;
	while (can_advance(req, job)) {
		if (req->op == BLOCK_READ)
			vhdx_read_piece(v, req);
		else if (req->op == BLOCK_WRITE)
			vhdx_write_piece(v, req, vhdx_piece_len(v, req));
		else
			vhdx_trim_piece(v, req);
	}
	job->advancing = false;
	if (--job->pending == 0)
		settle(v, req);
}

void vhdx_segment_done(struct vhdx_segment *segment, int result)
{
	struct vhdx *v = segment->v;
	struct block_request *req = segment->req;
	struct vhdx_job *job = vhdx_job(req);

	segment->next = v->segments;
	v->segments = segment;
	if (result && !job->result)
		job->result = result;
	job->pending--;
	if (job->advancing)
		return;
	if (can_advance(req, job))
		advance(v, req);
	else if (job->pending == 0)
		settle(v, req);
}

void vhdx_flushed(struct vhdx *v, struct block_request *req, int result)
{
	struct vhdx_job *job = vhdx_job(req);

	if (req->op == BLOCK_FLUSH || result)
		vhdx_complete(v, req, result);
	else if (job->cursor < req->len)
		advance(v, req);
	else if (job->free_seq)
		vhdx_trims_wait(v, req);
	else
		vhdx_complete(v, req, 0);
}

uint64_t vhdx_piece_len(struct vhdx *v, struct block_request *req)
{
	uint64_t cursor = vhdx_job(req)->cursor;
	uint64_t in_block = (req->offset + cursor) & (v->image.block_size - 1);

	return min_of(req->len - cursor, v->image.block_size - in_block);
}

/* --- One request, one block, one place in the file. ---------------------------------------- */

static void direct_done(struct file_request *file, int result)
{
	struct block_request *req = container_of(file, struct block_request, file);
	struct vhdx *v = vhdx_of(req->block);
	struct vhdx_job *job = vhdx_job(req);

	vhdx_epoch_leave(v, job->epoch);
	job->result = result;
	if (!result && job->flush)
		vhdx_flush(v, req);
	else
		vhdx_complete(v, req, result);
}

/* True when the request was taken. */
static bool start_direct(struct vhdx *v, struct block_request *req)
{
	struct vhdx_job *job = vhdx_job(req);
	uint64_t index = vhdx_bat_index(&v->image, vhdx_block_of(v, req->offset));
	uint32_t entry = vhdx_bat_get(&v->bat, index);
	uint64_t inside = req->offset & (v->image.block_size - 1);
	bool fua = req->op == BLOCK_WRITE && req->fua && !v->unsafe;

	if (vhdx_piece_len(v, req) < req->len)
		return false;
	if (vhdx_entry_state(entry) != VHDX_BLOCK_FULLY_PRESENT) {
		if (req->op != BLOCK_READ ||
		    (v->image.has_parent && vhdx_entry_state(entry) != VHDX_BLOCK_ZERO &&
		     vhdx_entry_state(entry) != VHDX_BLOCK_UNMAPPED))
			return false;
		iov_zero(req->iov, req->iov_count, 0, req->len);
		vhdx_complete(v, req, 0);
		return true;
	}
	job->cursor = req->len;
	/* Where its place is not durable yet, its data alone being so is not enough. */
	job->flush = fua && !vhdx_bat_is_durable(v, index);
	job->epoch = vhdx_epoch_enter(v);
	req->file = (struct file_request){.op = req->op == BLOCK_READ ? FILE_READ : FILE_WRITE,
					  .durable = fua && !job->flush,
					  .offset = vhdx_entry_offset(entry) + inside,
					  .len = req->len,
					  .iov = req->iov,
					  .iov_count = req->iov_count,
					  .done = direct_done};
	file_submit(v->file, &req->file);
	return true;
}

void vhdx_job_start(struct vhdx *v, struct block_request *req)
{
	if ((req->op == BLOCK_READ || req->op == BLOCK_WRITE) && start_direct(v, req))
		return;
	advance(v, req);
}

void vhdx_submit(struct block *block, struct block_request *req)
{
	struct vhdx *v = vhdx_of(block);
	int result = block_check(block, req);

	*vhdx_job(req) = (struct vhdx_job){0};
	if (!result && req->op != BLOCK_READ && v->failed)
		result = -EIO;
	if (result) {
		vhdx_complete(v, req, result);
	} else if (req->op == BLOCK_FLUSH) {
		/* Before the session has begun nothing was written. */
		if (v->unsafe || v->session != VHDX_BEGUN)
			vhdx_complete(v, req, 0);
		else
			vhdx_flush(v, req);
	} else if (req->len == 0 || (req->op == BLOCK_UNMAP && !block->info.unmap)) {
		vhdx_complete(v, req, 0);
	} else if (req->op != BLOCK_READ && v->session != VHDX_BEGUN) {
		vhdx_session_begin(v, req);
	} else {
		vhdx_job_start(v, req);
	}
}
