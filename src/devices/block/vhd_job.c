// SPDX-License-Identifier: MIT
/*
 * Changes of an image's structure, one at a time; whoever needs one waits. Two kinds:
 *
 * - Blocks are added at the end: a footer behind them, which makes the file longer; their bitmaps,
 *   with all bits set, since what the file gained reads as zero; all that made durable; and then
 *   the sector of the table that names them. Should we die between, the copy of the footer at the
 *   beginning is good.
 * - A block of which sectors are missing (others make such) is filled: those are zeroed, that is
 *   made durable, and then all bits are set. From then on it is written to like any other.
 *
 * So the table and bitmaps never promise what is not on stable storage. State belongs to the
 * loop's thread.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>

#include "devices/block/vhd_image.h"

#define ENTRIES_PER_SECTOR (VHD_SECTOR / (uint32_t)sizeof(uint32_t))

static void start(struct vhd *vhd);

/* --- steps ---------------------------------------------------------------------------------- */

static bool is_in_job(const struct vhd_job *job, uint32_t block)
{
	for (unsigned int i = 0; i < job->count; i++)
		if (job->blocks[i] == block)
			return true;
	return false;
}

/* Who waited for these blocks goes on or fails; the others wait again, if they still must. */
static void end(struct vhd *vhd, int result)
{
	struct vhd_job *job = &vhd->job;
	struct vhd_io_queue waiting = job->waiting;
	struct vhd_job done = *job;
	struct vhd_io *io;

	job->waiting.head = NULL;
	while ((io = vhd_io_take(&waiting)))
		vhd_io_continue(io, is_in_job(&done, io->block) ? result : 0);
	job->running = false;
	if (job->waiting.head)
		start(vhd);
}

static void step_done(struct file_request *req, int result)
{
	struct vhd *vhd = container_of(req, struct vhd, job.req);

	if (result == 0) {
		vhd->job.next(vhd);
		return;
	}
	/* What was begun behind the end stays there. */
	vhd->tail_dirty = true;
	end(vhd, result);
}

static void submit(struct vhd *vhd, enum file_op op, uint64_t offset, void *data, uint64_t len,
		   void (*next)(struct vhd *vhd))
{
	struct vhd_job *job = &vhd->job;

	job->next = next;
	job->iov = (struct iovec){.iov_base = data, .iov_len = data ? (size_t)len : 0};
	job->req = (struct file_request){.op = op,
					 .offset = offset,
					 .len = len,
					 .iov = &job->iov,
					 .iov_count = 1,
					 .done = step_done};
	file_submit(vhd->file, &job->req);
}

/* --- adding blocks -------------------------------------------------------------------------- */

/*
 * Data begin where the host's pages do, which costs less than a page a block. What was a footer is
 * left in the gap.
 */
static uint64_t place_of(const struct vhd *vhd, unsigned int i)
{
	uint32_t bitmap_size = vhd->layout.bitmap_size;
	uint64_t unit = align_up(vhd_unit(&vhd->layout), VHD_ALIGNMENT);

	return align_up(vhd->end + bitmap_size, VHD_ALIGNMENT) - bitmap_size + i * unit;
}

/* Where the last of the job's blocks ends, and the footer begins. */
static uint64_t new_end(const struct vhd *vhd)
{
	return place_of(vhd, vhd->job.count - 1) + vhd_unit(&vhd->layout);
}

static void add_published(struct vhd *vhd)
{
	struct vhd_job *job = &vhd->job;
	uint64_t end_of_blocks = new_end(vhd);

	for (unsigned int i = 0; i < job->count; i++) {
		uint32_t block = job->blocks[i];

		vhd->table[block] = (uint32_t)(place_of(vhd, i) / VHD_SECTOR);
		vhd->state[block] = VHD_FULL;
	}
	vhd->end = end_of_blocks;
	vhd->changes++;
	end(vhd, 0);
}

static void add_publish(struct vhd *vhd)
{
	struct vhd_job *job = &vhd->job;
	uint32_t first = job->blocks[0] / ENTRIES_PER_SECTOR * ENTRIES_PER_SECTOR;
	uint32_t *entries = (uint32_t *)(void *)job->sector;

	for (uint32_t i = 0; i < ENTRIES_PER_SECTOR; i++)
		entries[i] = first + i < vhd->layout.blocks ? htobe32(vhd->table[first + i])
							    : VHD_BLOCK_UNUSED;
	for (unsigned int i = 0; i < job->count; i++)
		entries[job->blocks[i] - first] =
			htobe32((uint32_t)(place_of(vhd, i) / VHD_SECTOR));
	submit(vhd, FILE_WRITE, vhd->layout.table_offset + first * sizeof(uint32_t), job->sector,
	       VHD_SECTOR, add_published);
}

static void add_sync(struct vhd *vhd)
{
	submit(vhd, FILE_SYNC, 0, NULL, 0, add_publish);
}

static void add_bitmaps(struct vhd *vhd)
{
	struct vhd_job *job = &vhd->job;
	unsigned int i = job->step++;

	submit(vhd, FILE_WRITE, place_of(vhd, i), job->ones, vhd->layout.bitmap_size,
	       job->step == job->count ? add_sync : add_bitmaps);
}

static void add_footer(struct vhd *vhd)
{
	vhd->tail_dirty = false;
	memcpy(vhd->job.sector, &vhd->layout.footer, VHD_FOOTER_SIZE);
	submit(vhd, FILE_WRITE, new_end(vhd), vhd->job.sector, VHD_FOOTER_SIZE, add_bitmaps);
}

static void start_adding(struct vhd *vhd)
{
	struct vhd_job *job = &vhd->job;
	uint32_t sector = job->waiting.head->block / ENTRIES_PER_SECTOR;
	struct vhd_io *io;

	/* All that wait for one, and have their entries in the same sector of the table. */
	for (io = job->waiting.head; io && job->count < VHD_JOB_BLOCKS; io = io->next) {
		if (io->block / ENTRIES_PER_SECTOR == sector && !is_in_job(job, io->block) &&
		    vhd->table[io->block] == VHD_BLOCK_UNUSED)
			job->blocks[job->count++] = io->block;
	}
	if (new_end(vhd) / VHD_SECTOR >= VHD_BLOCK_UNUSED)
		end(vhd, -ENOSPC); /* entries have 32 bits */
	else if (vhd->tail_dirty)
		submit(vhd, FILE_TRUNCATE, vhd->end, NULL, 0, add_footer);
	else
		add_footer(vhd);
}

/* --- filling a block ------------------------------------------------------------------------ */

static void fill_published(struct vhd *vhd)
{
	vhd->state[vhd->job.blocks[0]] = VHD_FULL;
	vhd->changes++;
	end(vhd, 0);
}

static void fill_publish(struct vhd *vhd)
{
	uint64_t offset = (uint64_t)vhd->table[vhd->job.blocks[0]] * VHD_SECTOR;

	submit(vhd, FILE_WRITE, offset, vhd->job.ones, vhd->layout.bitmap_size, fill_published);
}

static void fill_zero(struct vhd *vhd)
{
	struct vhd_job *job = &vhd->job;
	uint32_t block = job->blocks[0];
	uint64_t sectors = vhd->layout.block_size / VHD_SECTOR, at, run;

	while (job->cursor < sectors) {
		at = job->cursor;
		if (vhd_find_run(job->bits, at, sectors - at, &run)) {
			job->cursor += run;
			continue;
		}
		job->cursor += run;
		submit(vhd, FILE_ZERO, vhd_data_offset(vhd, block) + at * VHD_SECTOR, NULL,
		       run * VHD_SECTOR, fill_zero);
		return;
	}
	submit(vhd, FILE_SYNC, 0, NULL, 0, fill_publish);
}

static void start_filling(struct vhd *vhd)
{
	struct vhd_job *job = &vhd->job;

	job->blocks[job->count++] = job->waiting.head->block;
	job->cursor = 0;
	submit(vhd, FILE_READ, (uint64_t)vhd->table[job->blocks[0]] * VHD_SECTOR, job->bits,
	       vhd->layout.bitmap_size, fill_zero);
}

/* --- from outside --------------------------------------------------------------------------- */

static void start(struct vhd *vhd)
{
	struct vhd_job *job = &vhd->job;

	job->running = true;
	job->count = job->step = 0;
	if (vhd->table[job->waiting.head->block] == VHD_BLOCK_UNUSED)
		start_adding(vhd);
	else
		start_filling(vhd);
}

void vhd_job_want(struct vhd *vhd, uint32_t block, struct vhd_io *io)
{
	io->block = block;
	vhd_io_add(&vhd->job.waiting, io);
	if (!vhd->job.running)
		start(vhd);
}

int vhd_job_init(struct vhd *vhd)
{
	struct vhd_job *job = &vhd->job;
	size_t size = vhd->layout.bitmap_size;
	void *memory;

	if (posix_memalign(&memory, PAGE_SIZE, 2 * size + VHD_SECTOR))
		return -ENOMEM;
	job->ones = memory;
	job->bits = job->ones + size;
	job->sector = job->bits + size;
	memset(job->ones, 0xff, size);
	return 0;
}

void vhd_job_finish(struct vhd *vhd)
{
	free(vhd->job.ones);
}
