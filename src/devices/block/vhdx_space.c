// SPDX-License-Identifier: MIT
/*
 * Which MiB of the file are taken. Below the frontier there is a bit for each; above it nothing has
 * ever been, so what is taken there reads as zero. Free space below may hold anything.
 * Owner: the disk's loop, or an offline tool.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/block/vhdx_internal.h"

#define MAX_MIB (VHDX_MAX_FILE / VHDX_MIB)

static bool is_used(const struct vhdx_space *space, uint64_t mib)
{
	return space->used[mib / 64] >> mib % 64 & 1;
}

static int grow(struct vhdx_space *space, uint64_t mib)
{
	uint64_t capacity = space->capacity ? space->capacity : 1024;
	uint64_t *used;

	while (capacity < mib)
		capacity *= 2;
	if (capacity == space->capacity)
		return 0;
	/* Fresh memory, which costs nothing until it is used: a file may claim to be very long. */
	used = calloc(capacity / 64, sizeof(*used));
	if (!used)
		return -ENOMEM;
	if (space->used)
		memcpy(used, space->used, space->capacity / 8);
	free(space->used);
	space->used = used;
	space->capacity = capacity;
	return 0;
}

int vhdx_space_init(struct vhdx_space *space, uint64_t frontier)
{
	*space = (struct vhdx_space){.frontier = frontier, .free = frontier};
	return frontier <= MAX_MIB ? grow(space, frontier) : -EFBIG;
}

void vhdx_space_finish(struct vhdx_space *space)
{
	free(space->used);
}

/* The bits of word @word that stand for [@mib, @mib + @count). */
static uint64_t mask_of(uint64_t word, uint64_t mib, uint64_t count)
{
	uint64_t from = max_of(mib, word * 64) - word * 64;
	uint64_t to = min_of(mib + count, (word + 1) * 64) - word * 64;

	return (to == 64 ? UINT64_MAX : (1ull << to) - 1) & ~((1ull << from) - 1);
}

static void take(struct vhdx_space *space, uint64_t mib, uint64_t count)
{
	for (uint64_t word = mib / 64; word * 64 < mib + count; word++)
		space->used[word] |= mask_of(word, mib, count);
	space->free -= count;
}

bool vhdx_space_claim(struct vhdx_space *space, uint64_t mib, uint64_t count)
{
	if (!range_within(mib, count, space->frontier))
		return false;
	for (uint64_t word = mib / 64; word * 64 < mib + count; word++)
		if (space->used[word] & mask_of(word, mib, count))
			return false;
	take(space, mib, count);
	return true;
}

bool vhdx_space_next_free(const struct vhdx_space *space, uint64_t from, uint64_t *ret_mib,
			  uint64_t *ret_count)
{
	uint64_t mib = from, end;

	while (mib < space->frontier && is_used(space, mib))
		mib = space->used[mib / 64] == UINT64_MAX ? (mib / 64 + 1) * 64 : mib + 1;
	for (end = mib; end < space->frontier && !is_used(space, end);)
		end = space->used[end / 64] == 0 ? (end / 64 + 1) * 64 : end + 1;
	*ret_mib = mib;
	*ret_count = min_of(end, space->frontier) - mib;
	return mib < space->frontier;
}

/* The first run of @count below @limit; false when there is none. */
static bool find_run(struct vhdx_space *space, uint64_t count, uint64_t limit, uint64_t *ret)
{
	uint64_t run = 0, mib = space->hint;

	/* The hint moves up to the first that is free. */
	while (mib < limit && is_used(space, mib))
		mib = space->used[mib / 64] == UINT64_MAX ? (mib / 64 + 1) * 64 : mib + 1;
	space->hint = mib;
	for (; mib < limit; mib++) {
		if (space->used[mib / 64] == UINT64_MAX) {
			run = 0;
			mib |= 63;
			continue;
		}
		run = is_used(space, mib) ? 0 : run + 1;
		if (run == count) {
			*ret = mib + 1 - count;
			return true;
		}
	}
	return false;
}

int vhdx_space_take_below(struct vhdx_space *space, uint64_t count, uint64_t limit,
			  uint64_t *ret_mib)
{
	limit = min_of(limit, space->frontier);
	if (space->free < count || !find_run(space, count, limit, ret_mib))
		return -ENOENT;
	take(space, *ret_mib, count);
	return 0;
}

int vhdx_space_take(struct vhdx_space *space, uint64_t count, uint64_t *ret_mib, bool *ret_fresh)
{
	if (space->no_run_of == 0 || count < space->no_run_of) {
		if (vhdx_space_take_below(space, count, UINT64_MAX, ret_mib) == 0) {
			*ret_fresh = false;
			return 0;
		}
		space->no_run_of = count;
	}
	if (space->frontier + count > MAX_MIB)
		return -ENOSPC;
	if (grow(space, space->frontier + count))
		return -ENOMEM;
	*ret_mib = space->frontier;
	*ret_fresh = true;
	space->frontier += count;
	space->free += count;
	take(space, *ret_mib, count);
	return 0;
}

void vhdx_space_release(struct vhdx_space *space, uint64_t mib, uint64_t count)
{
	for (uint64_t word = mib / 64; word * 64 < mib + count; word++)
		space->used[word] &= ~mask_of(word, mib, count);
	space->free += count;
	space->hint = min_of(space->hint, mib);
	space->no_run_of = 0;
}

uint64_t vhdx_space_end(const struct vhdx_space *space)
{
	uint64_t end = space->frontier;

	while (end > 0 && !is_used(space, end - 1))
		end = end % 64 == 0 && space->used[end / 64 - 1] == 0 ? end - 64 : end - 1;
	return end;
}
