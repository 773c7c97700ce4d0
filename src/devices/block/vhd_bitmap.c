// SPDX-License-Identifier: MIT
/*
 * Bitmaps of blocks, which say of each sector whether it is there; the last few that were needed
 * are kept. Most blocks have all their sectors, which is remembered of all. State belongs to the
 * loop's thread.
 */
#include <errno.h>
#include <stdlib.h>

#include "devices/block/vhd_image.h"

bool vhd_find_run(const uint8_t *bits, uint64_t sector, uint64_t max, uint64_t *ret_run)
{
	bool first = vhd_bit(bits, sector);
	uint64_t run = 1;

	while (run < max) {
		uint64_t at = sector + run;

		/* Bytes at a time, where that goes. */
		if (at % 8 == 0 && max - run >= 8 && bits[at / 8] == (first ? 0xff : 0x00))
			run += 8;
		else if (vhd_bit(bits, at) == first)
			run++;
		else
			break;
	}
	*ret_run = run;
	return first;
}

uint64_t vhd_block_sectors(const struct vhd *vhd, uint32_t block)
{
	uint64_t start = (uint64_t)block * vhd->layout.block_size;

	return min_of(vhd->layout.size - start, vhd->layout.block_size) / VHD_SECTOR;
}

static struct vhd_bitmap *find(struct vhd *vhd, uint32_t block)
{
	for (unsigned int i = 0; i < VHD_BITMAP_COUNT; i++) {
		struct vhd_bitmap *bitmap = &vhd->bitmaps[i];

		if ((bitmap->valid || bitmap->loading) && bitmap->block == block)
			return bitmap;
	}
	return NULL;
}

/* The one that was not needed for longest; NULL: all are being read. */
static struct vhd_bitmap *find_room(struct vhd *vhd)
{
	struct vhd_bitmap *oldest = NULL;

	for (unsigned int i = 0; i < VHD_BITMAP_COUNT; i++) {
		struct vhd_bitmap *bitmap = &vhd->bitmaps[i];

		if (!bitmap->loading && (!oldest || bitmap->used < oldest->used))
			oldest = bitmap;
	}
	return oldest;
}

static void loaded(struct file_request *req, int result)
{
	struct vhd_bitmap *bitmap = container_of(req, struct vhd_bitmap, req);
	struct vhd *vhd = bitmap->vhd;
	struct vhd_io_queue waiting = bitmap->waiting, others = vhd->bitmap_waiting;
	uint64_t run, sectors = vhd_block_sectors(vhd, bitmap->block);
	struct vhd_io *io;

	bitmap->loading = false;
	bitmap->valid = result == 0;
	bitmap->waiting.head = vhd->bitmap_waiting.head = NULL;
	if (result == 0 && vhd->state[bitmap->block] == VHD_UNKNOWN) {
		bool full = vhd_find_run(bitmap->bits, 0, sectors, &run) && run == sectors;

		vhd->state[bitmap->block] = full ? VHD_FULL : VHD_PARTIAL;
	}
	while ((io = vhd_io_take(&waiting)))
		vhd_io_continue(io, result);
	/* Those that found no room have some now. */
	while ((io = vhd_io_take(&others)))
		vhd_io_continue(io, 0);
}

static void load(struct vhd_bitmap *bitmap, uint32_t block)
{
	struct vhd *vhd = bitmap->vhd;

	bitmap->block = block;
	bitmap->valid = false;
	bitmap->loading = true;
	bitmap->iov = (struct iovec){.iov_base = bitmap->bits, .iov_len = vhd->layout.bitmap_size};
	bitmap->req = (struct file_request){.op = FILE_READ,
					    .offset = (uint64_t)vhd->table[block] * VHD_SECTOR,
					    .len = vhd->layout.bitmap_size,
					    .iov = &bitmap->iov,
					    .iov_count = 1,
					    .done = loaded};
	file_submit(vhd->file, &bitmap->req);
}

const uint8_t *vhd_bitmap_get(struct vhd *vhd, uint32_t block, struct vhd_io *io)
{
	struct vhd_bitmap *bitmap = find(vhd, block);

	if (!bitmap) {
		bitmap = find_room(vhd);
		if (!bitmap) {
			vhd_io_add(&vhd->bitmap_waiting, io);
			return NULL;
		}
		bitmap->vhd = vhd;
		if (!bitmap->bits &&
		    posix_memalign((void **)&bitmap->bits, PAGE_SIZE, vhd->layout.bitmap_size)) {
			bitmap->bits = NULL;
			vhd_io_continue(io, -ENOMEM);
			return NULL;
		}
		load(bitmap, block);
	}
	bitmap->used = ++vhd->clock;
	if (bitmap->valid)
		return bitmap->bits;
	vhd_io_add(&bitmap->waiting, io);
	return NULL;
}

void vhd_bitmap_finish(struct vhd *vhd)
{
	for (unsigned int i = 0; i < VHD_BITMAP_COUNT; i++)
		free(vhd->bitmaps[i].bits);
}
