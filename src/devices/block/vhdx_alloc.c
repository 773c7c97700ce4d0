// SPDX-License-Identifier: MIT
/*
 * Space for blocks that have none. What a block gets reads as zero before anything is written to
 * it: because the file was made longer for it, or because the range was discarded. Writes to a
 * block that is getting space wait for that, not for each other. Owner: the disk's loop.
 */
#include <errno.h>
#include <stdlib.h>

#include "devices/block/vhdx_internal.h"

#define SLACK_BLOCKS 8u  /* the file is made longer by so many more, */
#define SLACK_MIB    64u /* but not more than this */

static struct vhdx_alloc **bucket_of(struct vhdx *v, uint64_t index)
{
	return &v->allocs[index % VHDX_ALLOC_BUCKETS];
}

struct vhdx_alloc *vhdx_alloc_find(struct vhdx *v, uint64_t index)
{
	struct vhdx_alloc *alloc = *bucket_of(v, index);

	while (alloc && alloc->index != index)
		alloc = alloc->next;
	return alloc;
}

/* Back to the pool; space that no BAT entry has is free again. */
static void drop(struct vhdx_alloc *alloc)
{
	struct vhdx *v = alloc->v;
	struct vhdx_alloc **place = bucket_of(v, alloc->index);

	if (!alloc->published)
		vhdx_space_release(&v->space, alloc->mib, alloc->count);
	while (*place != alloc)
		place = &(*place)->next;
	*place = alloc->next;
	alloc->next = v->alloc_pool;
	v->alloc_pool = alloc;
}

void vhdx_alloc_put(struct vhdx_alloc *alloc)
{
	if (--alloc->writes == 0 && !alloc->waiting)
		drop(alloc);
}

static void resume_all(struct vhdx_segment *segment, int result)
{
	while (segment) {
		struct vhdx_segment *next = segment->next;

		segment->resume(segment, result);
		segment = next;
	}
}

static void failed(struct vhdx_alloc *alloc, int result)
{
	struct vhdx_segment *waiting = alloc->waiting;

	alloc->waiting = NULL;
	drop(alloc);
	resume_all(waiting, result);
}

/* A bitmap's block is published at once: all its bits are zero. */
static void publish_bitmap(struct vhdx_alloc *alloc)
{
	struct vhdx *v = alloc->v;

	vhdx_bat_set(v, alloc->index, vhdx_entry(VHDX_BITMAP_PRESENT, alloc->mib));
	if (!alloc->fresh)
		v->flusher.sync_first = true;
	alloc->published = true;
}

static bool is_bitmap(const struct vhdx_alloc *alloc)
{
	return vhdx_index_is_bitmap(&alloc->v->image, alloc->index);
}

static void ready(struct vhdx_alloc *alloc)
{
	struct vhdx_segment *waiting = alloc->waiting;

	alloc->state = VHDX_ALLOC_READY;
	alloc->waiting = NULL;
	if (is_bitmap(alloc)) {
		publish_bitmap(alloc);
		drop(alloc);
	}
	resume_all(waiting, 0);
}

/* --- Making used space read as zero. ------------------------------------------------------- */

static void zeroed(struct file_request *file, int result)
{
	struct vhdx_alloc *alloc = container_of(file, struct vhdx_alloc, file);

	if (result)
		failed(alloc, result);
	else
		ready(alloc);
}

static void clean(struct vhdx_alloc *alloc, enum file_op op,
		  void (*done)(struct file_request *file, int result))
{
	alloc->state = VHDX_ALLOC_CLEANING;
	alloc->file = (struct file_request){.op = op,
					    .offset = alloc->mib * VHDX_MIB,
					    .len = alloc->count * VHDX_MIB,
					    .done = done};
	file_submit(alloc->v->file, &alloc->file);
}

static void discarded(struct file_request *file, int result)
{
	struct vhdx_alloc *alloc = container_of(file, struct vhdx_alloc, file);

	/* A host that cannot punch holes can write zeroes. */
	if (result)
		clean(alloc, FILE_ZERO, zeroed);
	else
		ready(alloc);
}

/* --- Making the file longer. --------------------------------------------------------------- */

static void extend(struct vhdx *v);

/* The file is long enough. */
static void placed(struct vhdx_alloc *alloc)
{
	/* Pages of a bitmap are put into place later, and must find the host has space for them. */
	if (is_bitmap(alloc))
		clean(alloc, FILE_ZERO, zeroed);
	else if (alloc->fresh)
		ready(alloc);
	else
		clean(alloc, FILE_DISCARD, discarded);
}

static void extended(struct file_request *file, int result)
{
	struct vhdx *v = container_of(file, struct vhdx, extend);
	struct vhdx_alloc *alloc = v->extending, *later = NULL;

	v->extending = NULL;
	if (result == 0)
		v->file_mib = v->target_mib;
	/* What came meanwhile may need more: it waits for another round. */
	v->target_mib = 0;
	while (alloc) {
		struct vhdx_alloc *next = alloc->next_extending;

		if (result) {
			failed(alloc, result);
		} else if (alloc->mib + alloc->count > v->file_mib) {
			alloc->next_extending = later;
			later = alloc;
		} else {
			placed(alloc);
		}
		alloc = next;
	}
	while (later) {
		struct vhdx_alloc *next = later->next_extending;

		later->next_extending = v->extending;
		v->extending = later;
		later = next;
	}
	if (v->extending && !v->target_mib)
		extend(v);
}

static void extend(struct vhdx *v)
{
	uint64_t slack = min_of(SLACK_BLOCKS * vhdx_block_mib(v), SLACK_MIB);

	v->target_mib = v->space.frontier + slack;
	v->extend = (struct file_request){
		.op = FILE_TRUNCATE, .offset = v->target_mib * VHDX_MIB, .done = extended};
	file_submit(v->file, &v->extend);
}

/* --- The parts together. ------------------------------------------------------------------- */

static int create(struct vhdx *v, uint64_t index, struct vhdx_alloc **ret)
{
	struct vhdx_alloc *alloc;
	int error = vhdx_bat_reserve(v, index);

	if (error)
		return error;
	alloc = v->alloc_pool;
	if (alloc) {
		v->alloc_pool = alloc->next;
	} else {
		alloc = malloc(sizeof(*alloc));
		if (!alloc)
			return -ENOMEM;
	}
	*alloc = (struct vhdx_alloc){.v = v, .index = index};
	alloc->count = vhdx_index_is_bitmap(&v->image, index) ? 1 : vhdx_block_mib(v);
	error = vhdx_space_take(&v->space, alloc->count, &alloc->mib, &alloc->fresh);
	if (error) {
		alloc->next = v->alloc_pool;
		v->alloc_pool = alloc;
		return error;
	}
	alloc->next = *bucket_of(v, index);
	*bucket_of(v, index) = alloc;
	*ret = alloc;
	return 0;
}

/* Ready at once, or under way; nothing waits for it yet. */
static void start(struct vhdx_alloc *alloc)
{
	struct vhdx *v = alloc->v;

	if (alloc->mib + alloc->count <= v->file_mib) {
		if (alloc->fresh && !is_bitmap(alloc))
			alloc->state = VHDX_ALLOC_READY;
		else
			placed(alloc);
		return;
	}
	alloc->state = VHDX_ALLOC_EXTENDING;
	alloc->next_extending = v->extending;
	v->extending = alloc;
	if (!v->target_mib)
		extend(v);
}

static int get(struct vhdx_segment *segment, uint64_t index, struct vhdx_alloc **ret)
{
	struct vhdx_alloc *alloc = vhdx_alloc_find(segment->v, index);

	if (!alloc) {
		int error = create(segment->v, index, &alloc);

		if (error)
			return error;
		start(alloc);
	}
	*ret = alloc;
	if (alloc->state == VHDX_ALLOC_READY)
		return 0;
	segment->next = alloc->waiting;
	alloc->waiting = segment;
	return -EINPROGRESS;
}

int vhdx_alloc_get(struct vhdx_segment *segment, uint64_t index)
{
	struct vhdx_alloc *alloc;
	int ret = get(segment, index, &alloc);

	if (ret == 0) {
		segment->alloc = alloc;
		alloc->writes++;
	}
	return ret;
}

int vhdx_alloc_bitmap(struct vhdx_segment *segment, uint64_t index)
{
	struct vhdx_alloc *alloc;
	int ret = get(segment, index, &alloc);

	if (ret == 0) {
		publish_bitmap(alloc);
		drop(alloc);
	}
	return ret;
}

void vhdx_alloc_finish(struct vhdx *v)
{
	for (unsigned int i = 0; i < VHDX_ALLOC_BUCKETS; i++)
		while (v->allocs[i])
			drop(v->allocs[i]);
	while (v->alloc_pool) {
		struct vhdx_alloc *alloc = v->alloc_pool;

		v->alloc_pool = alloc->next;
		free(alloc);
	}
}
