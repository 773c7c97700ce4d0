// SPDX-License-Identifier: MIT
/*
 * Giving blocks back. A block's entry changes in memory at once; its space becomes free, for other
 * blocks and for the host, only when no crash can bring the entry back (the flush that logged the
 * change is done) and nobody is still using the space (all requests that were under way when the
 * entry changed are done). The request that gave it back waits for both, and for the host.
 *
 * Parts of blocks are not given back: zeroes are written there when they must be seen.
 * Owner: the disk's loop.
 */
#include <errno.h>
#include <stdlib.h>

#include "devices/block/vhdx_internal.h"

void vhdx_trims_init(struct vhdx *v)
{
	v->trims.end = &v->trims.first;
	v->trims.waiting_end = &v->trims.waiting;
}

static void free_list(struct vhdx_freed *freed)
{
	while (freed) {
		struct vhdx_freed *next = freed->next;

		free(freed);
		freed = next;
	}
}

void vhdx_trims_finish(struct vhdx *v)
{
	free_list(v->trims.first);
	free_list(v->trims.pool);
}

/* --- The pieces of a request. -------------------------------------------------------------- */

static int note_freed(struct vhdx *v, struct vhdx_job *job, uint64_t mib)
{
	struct vhdx_trims *t = &v->trims;
	struct vhdx_freed *freed = t->pool;

	if (freed)
		t->pool = freed->next;
	else
		freed = malloc(sizeof(*freed));
	if (!freed)
		return -ENOMEM;
	*freed = (struct vhdx_freed){.mib = mib,
				     .count = vhdx_block_mib(v),
				     .epoch = v->epoch,
				     .cycle = v->flusher.cycle + 1,
				     .seq = ++t->seq};
	*t->end = freed;
	t->end = &freed->next;
	job->free_seq = freed->seq;
	return 0;
}

static bool reads_as_zero(const struct vhdx *v, unsigned int state)
{
	return state == VHDX_BLOCK_ZERO || state == VHDX_BLOCK_UNMAPPED ||
	       state == VHDX_BLOCK_UNDEFINED || (state == VHDX_BLOCK_NOT_PRESENT && !v->parent);
}

/* A whole block. */
static int trim_block(struct vhdx *v, struct block_request *req, uint64_t index)
{
	uint32_t entry = vhdx_bat_get(&v->bat, index);
	unsigned int state = vhdx_entry_state(entry);
	bool zeroes = req->op == BLOCK_WRITE_ZEROES;
	int ret = 0;

	if (vhdx_state_has_space(state))
		ret = note_freed(v, vhdx_job(req), vhdx_entry_mib(entry));
	else if (!zeroes || state == VHDX_BLOCK_ZERO ||
		 (state == VHDX_BLOCK_NOT_PRESENT && !v->parent))
		return 0; /* nothing to give back, and it reads as zero if it has to */
	if (ret == 0)
		ret = vhdx_bat_reserve(v, index);
	if (ret == 0)
		vhdx_bat_set(v, index,
			     vhdx_entry(zeroes ? VHDX_BLOCK_ZERO : VHDX_BLOCK_UNMAPPED, 0));
	return ret;
}

/* Whole blocks from the cursor on whose entries are all on a page that is not there. */
static uint64_t skip_empty(struct vhdx *v, struct block_request *req, uint64_t index)
{
	struct vhdx_job *job = vhdx_job(req);
	uint64_t left = (req->len - job->cursor) >> v->image.block_shift;
	uint64_t in_page = VHDX_ENTRIES_PER_PAGE - index % VHDX_ENTRIES_PER_PAGE;
	uint64_t to_bitmap = v->image.chunk_ratio - index % (v->image.chunk_ratio + 1ull);
	uint64_t blocks = min_of(in_page, to_bitmap);

	if (v->parent || v->bat.pages[index / VHDX_ENTRIES_PER_PAGE])
		return 0;
	return min_of(left, blocks) << v->image.block_shift;
}

void vhdx_trim_piece(struct vhdx *v, struct block_request *req)
{
	struct vhdx_job *job = vhdx_job(req);
	uint64_t offset = req->offset + job->cursor, len = vhdx_piece_len(v, req);
	uint64_t index = vhdx_bat_index(&v->image, vhdx_block_of(v, offset));
	uint64_t in_block = min_of((uint64_t)v->image.block_size, v->image.size - offset);
	bool whole = is_aligned(offset, v->image.block_size) && len == in_block;
	unsigned int state = vhdx_entry_state(vhdx_bat_get(&v->bat, index));
	bool busy = vhdx_alloc_find(v, index);

	if (whole && !busy && !v->image.leave_allocated &&
	    (req->op == BLOCK_UNMAP || req->unmap || !vhdx_state_has_space(state))) {
		uint64_t skip = skip_empty(v, req, index);

		if (skip) {
			job->cursor += skip;
			return;
		}
		if (v->flusher.dirty_count >= VHDX_DIRTY_THRESHOLD) {
			job->stalled = true;
			return;
		}
		job->result = trim_block(v, req, index);
		job->cursor += len;
	} else if (req->op == BLOCK_UNMAP || (!busy && reads_as_zero(v, state))) {
		job->cursor += len;
	} else {
		vhdx_write_piece(v, req, len);
	}
}

/* --- Releasing. ---------------------------------------------------------------------------- */

static bool may_release(const struct vhdx *v, const struct vhdx_freed *freed)
{
	return freed->cycle <= v->flusher.durable_cycle && v->epoch >= freed->epoch + 2;
}

/* Epochs go on when nobody is left in the one before. */
static void advance_epoch(struct vhdx *v, const struct vhdx_freed *freed)
{
	while (v->epoch < freed->epoch + 2 && v->inside[(v->epoch + 1) & 1] == 0)
		v->epoch++;
}

/* Those whose space is free now, or that will not see it free. */
static void complete_waiting(struct vhdx *v)
{
	struct vhdx_trims *t = &v->trims;
	struct block_request *req = t->waiting, *done = NULL, **done_end = &done;

	t->waiting = NULL;
	t->waiting_end = &t->waiting;
	while (req) {
		struct block_request *next = req->next;

		req->next = NULL;
		if ((v->failed && !t->discarding) || vhdx_job(req)->free_seq <= t->released_seq) {
			*done_end = req;
			done_end = &req->next;
		} else {
			*t->waiting_end = req;
			t->waiting_end = &req->next;
		}
		req = next;
	}
	while (done) {
		struct block_request *next = done->next;

		vhdx_complete(v, done, v->failed ? -EIO : 0);
		done = next;
	}
}

static void release_all(struct vhdx *v)
{
	struct vhdx_trims *t = &v->trims;

	while (t->releasing) {
		struct vhdx_freed *freed = t->releasing;

		t->releasing = freed->next;
		vhdx_space_release(&v->space, freed->mib, freed->count);
		t->released_seq = freed->seq;
		freed->next = t->pool;
		t->pool = freed;
	}
	complete_waiting(v);
	vhdx_trims_run(v);
}

/* That the host keeps the space, because it cannot do otherwise, is no error. */
static void discard_done(struct file_request *file, int result)
{
	struct vhdx *v = container_of(file, struct vhdx_discard, file)->v;

	if (--v->trims.discarding == 0)
		release_all(v);
}

/* Takes what may be released off the list, in runs; their number. */
static unsigned int take_runs(struct vhdx *v)
{
	struct vhdx_trims *t = &v->trims;
	struct vhdx_freed **end = &t->releasing;
	struct file_request *run = NULL;
	unsigned int count = 0;

	for (;;) {
		struct vhdx_freed *freed = t->first;

		if (!freed)
			break;
		advance_epoch(v, freed);
		if (!may_release(v, freed))
			break;
		if (run && run->offset + run->len == freed->mib * VHDX_MIB) {
			run->len += freed->count * VHDX_MIB;
		} else {
			if (count == VHDX_DISCARD_BATCH)
				break;
			t->discard[count].v = v;
			run = &t->discard[count++].file;
			*run = (struct file_request){.op = FILE_DISCARD,
						     .offset = freed->mib * VHDX_MIB,
						     .len = freed->count * VHDX_MIB,
						     .done = discard_done};
		}
		t->first = freed->next;
		if (!t->first)
			t->end = &t->first;
		freed->next = NULL;
		*end = freed;
		end = &freed->next;
	}
	return count;
}

void vhdx_trims_run(struct vhdx *v)
{
	struct vhdx_trims *t = &v->trims;
	unsigned int count;

	if (t->discarding || !t->waiting)
		return;
	if (v->failed) {
		complete_waiting(v);
		return;
	}
	count = take_runs(v);
	t->discarding = count;
	for (unsigned int i = 0; i < count; i++)
		file_submit(v->file, &t->discard[i].file);
}

void vhdx_trims_wait(struct vhdx *v, struct block_request *req)
{
	struct vhdx_trims *t = &v->trims;

	req->next = NULL;
	*t->waiting_end = req;
	t->waiting_end = &req->next;
	complete_waiting(v);
	vhdx_trims_run(v);
}
