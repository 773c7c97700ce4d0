// SPDX-License-Identifier: MIT
/*
 * Compacting: blocks of zeroes are given up, the others move down into free space, and the file is
 * cut off behind the last. Blocks.
 *
 * Crash-safe in batches: a block's data are copied, and durable, before the entry that says so
 * goes to the log; where it was is free only when that is durable and in its place.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/block/vhdx_offline.h"

#define BATCH 64u /* blocks between commits */

struct placed {
	uint32_t mib;
	uint32_t index; /* of the BAT entry */
};

struct compactor {
	struct vhdx *v;
	const struct vhdx_progress *progress;
	struct placed *blocks; /* highest in the file first */
	uint64_t count;
	struct placed left[BATCH]; /* space given up since the last commit */
	unsigned int left_count;
	uint64_t done, total;
	uint8_t *buf;
};

static int by_place(const void *a, const void *b)
{
	const struct placed *x = a, *y = b;

	return x->mib > y->mib ? -1 : x->mib < y->mib;
}

static uint64_t mib_of(const struct compactor *c, uint32_t index)
{
	return vhdx_index_is_bitmap(&c->v->image, index) ? 1 : vhdx_block_mib(c->v);
}

static int collect(struct compactor *c)
{
	struct vhdx *v = c->v;
	uint64_t capacity = 0;

	for (uint64_t index = 0; index < v->image.entries; index++) {
		uint32_t entry = vhdx_bat_get(&v->bat, index);

		if (!vhdx_state_has_space(vhdx_entry_state(entry)))
			continue;
		if (c->count == capacity) {
			struct placed *more;

			capacity = capacity ? 2 * capacity : 1024;
			more = reallocarray(c->blocks, capacity, sizeof(*more));
			if (!more)
				return -ENOMEM;
			c->blocks = more;
		}
		c->blocks[c->count++] =
			(struct placed){(uint32_t)vhdx_entry_mib(entry), (uint32_t)index};
		c->total += mib_of(c, (uint32_t)index) * VHDX_MIB;
	}
	if (c->count)
		qsort(c->blocks, c->count, sizeof(*c->blocks), by_place);
	return 0;
}

/* The entries as they are now, durably; then what was left is free. */
static int commit(struct compactor *c)
{
	int ret = vhdx_session_commit(c->v);

	if (ret)
		return ret;
	for (unsigned int i = 0; i < c->left_count; i++)
		vhdx_space_release(&c->v->space, c->left[i].mib, mib_of(c, c->left[i].index));
	c->left_count = 0;
	return 0;
}

static int leave(struct compactor *c, const struct placed *block, uint32_t entry)
{
	vhdx_bat_set(c->v, block->index, entry);
	c->left[c->left_count++] = *block;
	return c->left_count == BATCH ? commit(c) : 0;
}

/* --- Blocks of zeroes. --------------------------------------------------------------------- */

static bool all_zero(const uint8_t *bytes, uint64_t len)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0;
}

static int is_zero(struct compactor *c, const struct placed *block, bool *ret)
{
	uint64_t at = block->mib * (uint64_t)VHDX_MIB, end = at + c->v->image.block_size;

	*ret = false;
	while (at < end) {
		uint64_t len;
		bool data;
		int error = file_extent(c->v->file, at, &data, &len);

		if (error)
			return error;
		len = min_of(len, end - at);
		if (data) {
			len = min_of(len, (uint64_t)65536);
			error = file_pread(c->v->file, c->buf, len, at);
			if (error)
				return error;
			if (!all_zero(c->buf, len))
				return 0;
		}
		at += len;
	}
	*ret = true;
	return 0;
}

static int give_up_zeroes(struct compactor *c, const struct placed *block, bool *ret_gone)
{
	struct vhdx *v = c->v;
	unsigned int state = vhdx_entry_state(vhdx_bat_get(&v->bat, block->index));
	int ret;

	*ret_gone = false;
	if (v->image.leave_allocated || vhdx_index_is_bitmap(&v->image, block->index) ||
	    state != VHDX_BLOCK_FULLY_PRESENT)
		return 0;
	ret = is_zero(c, block, ret_gone);
	if (ret || !*ret_gone)
		return ret;
	return leave(c, block, vhdx_entry(VHDX_BLOCK_ZERO, 0));
}

/* --- Moving. ------------------------------------------------------------------------------- */

static int move_down(struct compactor *c, const struct placed *block)
{
	struct vhdx *v = c->v;
	uint64_t count = mib_of(c, block->index), to;
	uint32_t entry = vhdx_bat_get(&v->bat, block->index);
	int ret;

	if (vhdx_space_take_below(&v->space, count, block->mib, &to))
		return 0; /* no room below: it stays */
	ret = vhdx_offline_copy(v, block->mib * (uint64_t)VHDX_MIB, to * VHDX_MIB,
				count * VHDX_MIB);
	if (ret) {
		vhdx_space_release(&v->space, to, count);
		return ret;
	}
	return leave(c, block, vhdx_entry(vhdx_entry_state(entry), to));
}

static int step(struct compactor *c, uint64_t mib)
{
	c->done += mib * VHDX_MIB;
	if (c->progress && c->progress->step &&
	    !c->progress->step(c->progress->ctx, c->done, c->total))
		return -ECANCELED;
	return 0;
}

/* Zeroes go first, so that there is room for the others. */
static int compact(struct compactor *c)
{
	uint64_t kept = 0;
	int ret = 0;

	for (uint64_t i = 0; ret == 0 && i < c->count; i++) {
		bool gone;

		ret = give_up_zeroes(c, &c->blocks[i], &gone);
		if (ret == 0)
			ret = step(c, gone ? 2 * mib_of(c, c->blocks[i].index)
					   : mib_of(c, c->blocks[i].index));
		if (!gone)
			c->blocks[kept++] = c->blocks[i];
	}
	if (ret == 0)
		ret = commit(c);
	for (uint64_t i = 0; ret == 0 && i < kept; i++) {
		ret = move_down(c, &c->blocks[i]);
		if (ret == 0)
			ret = step(c, mib_of(c, c->blocks[i].index));
	}
	if (ret == 0 || ret == -ECANCELED) {
		int error = commit(c);

		ret = error ? error : ret;
	}
	return ret;
}

int vhdx_compact(struct file *file, const struct vhdx_progress *progress, struct error *err,
		 uint64_t *ret_saved)
{
	struct compactor c = {.progress = progress};
	uint64_t before, after = 0;
	int ret = file_size(file, &before);

	if (ret)
		return error_errno(err, ret, "%s: no size", file->name);
	ret = vhdx_offline_open(file, err, &c.v);
	if (ret)
		return ret;
	ret = vhdx_offline_begin(c.v, false, err);
	if (ret == 0) {
		c.buf = malloc(65536);
		ret = c.buf ? collect(&c) : -ENOMEM;
		c.total *= 2; /* each is looked at and moved */
		if (ret == 0)
			ret = compact(&c);
		if (ret)
			error_errno(err, ret, "%s: not compacted", file->name);
	}
	ret = vhdx_offline_end(c.v, ret, err);
	free(c.blocks);
	free(c.buf);
	if (ret == 0)
		ret = file_size(file, &after);
	if (ret == 0)
		*ret_saved = before > after ? before - after : 0;
	return ret;
}
