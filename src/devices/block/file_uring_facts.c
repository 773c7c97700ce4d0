// SPDX-License-Identifier: MIT
/*
 * What the host can do with a file: the alignment that O_DIRECT wants, and whether space can be
 * given back. Nothing here changes the file. Any thread; blocks.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "devices/block/file_uring_internal.h"

#define SECTOR_MIN 512u
#define SECTOR_MAX 4096u

static bool is_sector(uint64_t size)
{
	return size >= SECTOR_MIN && size <= SECTOR_MAX && is_aligned(size, size);
}

/* The kernel says it since Linux 6.1, for most file systems. False: it does not. */
static bool ask_statx(struct file_uring *f)
{
#ifdef STATX_DIOALIGN
	struct statx stx;

	if (statx(f->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) ||
	    !(stx.stx_mask & STATX_DIOALIGN) || stx.stx_dio_offset_align == 0)
		return false;
	f->info.memory_alignment = stx.stx_dio_mem_align;
	f->info.range_alignment = stx.stx_dio_offset_align;
	return true;
#else
	return false;
#endif
}

/* Tries a read. A file that is empty answers any: then it is the larger one. */
static void try_alignment(struct file_uring *f)
{
	void *buf = NULL;
	bool small;

	f->info.memory_alignment = f->info.range_alignment = SECTOR_MAX;
	if (posix_memalign(&buf, SECTOR_MAX, SECTOR_MAX))
		return;
	small = pread(f->fd, (char *)buf + SECTOR_MIN, SECTOR_MIN, 0) == SECTOR_MIN;
	free(buf);
	if (small)
		f->info.memory_alignment = f->info.range_alignment = SECTOR_MIN;
}

static void find_alignment(struct file_uring *f)
{
	if (ask_statx(f))
		return;
	if (f->info.block_device)
		f->info.memory_alignment = f->info.range_alignment = f->info.logical_sector;
	else
		try_alignment(f);
}

/* A number from what the kernel says about a block device; 0 when it says nothing. */
static uint64_t queue_fact(dev_t dev, const char *name)
{
	char path[128], text[32];
	uint64_t value = 0;
	FILE *in;

	/* A partition has no queue of its own, but its disk, which is one step up. */
	for (int up = 0; up < 2; up++) {
		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%squeue/%s", major(dev),
			 minor(dev), up ? "../" : "", name);
		in = fopen(path, "re");
		if (!in)
			continue;
		if (fgets(text, sizeof(text), in))
			value = strtoull(text, NULL, 10);
		fclose(in);
		break;
	}
	return value;
}

static void find_device_facts(struct file_uring *f, const struct stat *st)
{
	unsigned int physical;
	uint64_t granularity;
	int logical;

	if (ioctl(f->fd, BLKSSZGET, &logical) == 0 && logical > 0 && is_sector((uint32_t)logical))
		f->info.logical_sector = (uint32_t)logical;
	if (ioctl(f->fd, BLKPBSZGET, &physical) == 0 && is_sector(physical))
		f->info.physical_sector = physical;
	granularity = queue_fact(st->st_rdev, "discard_granularity");
	f->info.discard = granularity && queue_fact(st->st_rdev, "write_zeroes_max_bytes");
	if (f->info.discard && granularity <= MiB(1024))
		f->info.discard_granularity = (uint32_t)granularity;
}

/* Punches a hole where there is nothing: past the end, which stays where it is. */
static void find_file_facts(struct file_uring *f, const struct stat *st)
{
	off_t past = (off_t)align_up((uint64_t)st->st_size, MiB(1));

	if (st->st_blksize >= (long)SECTOR_MIN && st->st_blksize <= (long)MiB(1))
		f->info.discard_granularity = (uint32_t)st->st_blksize;
	f->info.discard = !f->file.read_only &&
			  fallocate(f->cache_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, past,
				    SECTOR_MAX) == 0;
}

void file_uring_find_facts(struct file_uring *f)
{
	struct stat st;

	f->info.memory_alignment = f->info.range_alignment = 1;
	f->info.logical_sector = SECTOR_MIN;
	f->info.physical_sector = f->info.discard_granularity = SECTOR_MAX;
	if (fstat(f->fd, &st))
		return;
	f->info.block_device = S_ISBLK(st.st_mode);
	if (f->info.block_device)
		find_device_facts(f, &st);
	else
		find_file_facts(f, &st);
	if (f->info.direct)
		find_alignment(f);
}
