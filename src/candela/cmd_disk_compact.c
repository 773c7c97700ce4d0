// SPDX-License-Identifier: MIT
/*
 * candela disk compact. A VHDX is compacted in place, a dynamic VHD by making a new one that takes
 * its place, and what has one place for every sector gets holes where it is zero. Main thread.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "candela/cmd_disk.h"
#include "candela/exit_status.h"

#define CHUNK MiB(1)
#define GRAIN KiB(4)

/* --- VHDX ----------------------------------------------------------------------------------- */

static bool vhdx_step(void *ctx, uint64_t done, uint64_t total)
{
	disk_progress_step(ctx, done, total);
	return !disk_interrupted();
}

static int compact_vhdx(struct file *file, struct error *err)
{
	struct disk_progress progress;
	const struct vhdx_progress steps = {.step = vhdx_step, .ctx = &progress};
	uint64_t saved;
	int r;

	disk_progress_begin(&progress, file->name);
	disk_interrupt_begin(NULL);
	r = vhdx_compact(file, &steps, err, &saved);
	disk_interrupt_end();
	disk_progress_end(&progress);
	return r == -ECANCELED ? -EINTR : r;
}

/* --- holes ---------------------------------------------------------------------------------- */

static bool is_zero(const char *data, uint64_t len)
{
	return data[0] == 0 && memcmp(data, data + 1, len - 1) == 0;
}

/* Gives up the runs of zero grains in the @len bytes at @offset, which are in @data. */
static int punch(struct file *file, const char *data, uint64_t offset, uint64_t len)
{
	uint64_t at = 0, begin;
	int r = 0;

	while (r == 0 && at + GRAIN <= len) {
		begin = at;
		while (at + GRAIN <= len && is_zero(data + at, GRAIN))
			at += GRAIN;
		if (at > begin)
			r = file_discard(file, offset + begin, at - begin);
		else
			at += GRAIN;
	}
	return r;
}

static int punch_all(struct file *file, uint64_t size, struct disk_progress *progress, char *data)
{
	uint64_t at = 0, len;
	bool is_data;
	int r = 0;

	while (r == 0 && at < size && !disk_interrupted()) {
		r = file_extent(file, at, &is_data, &len);
		len = min_of(len, size - at);
		if (r == 0 && is_data) {
			/* Up to the end of a chunk, so that grains stay where they are. */
			len = min_of(len, CHUNK - at % CHUNK);
			r = file_pread(file, data, (size_t)len, at);
			if (r == 0)
				r = punch(file, data, at, len);
		}
		at += len;
		disk_progress_step(progress, at, size);
	}
	return r;
}

static int compact_flat(struct file *file, uint64_t size, struct error *err)
{
	struct disk_progress progress;
	char *data = malloc(CHUNK);
	int r;

	if (!data)
		return error_set(err, -ENOMEM, "out of memory");
	disk_progress_begin(&progress, file->name);
	disk_interrupt_begin(NULL);
	r = punch_all(file, size, &progress, data);
	disk_interrupt_end();
	disk_progress_end(&progress);
	free(data);
	if (r == -EOPNOTSUPP)
		return error_set(err, r, "%s: the host's file system has no holes", file->name);
	if (r)
		return error_errno(err, r, "%s: cannot compact it", file->name);
	return disk_interrupted() ? error_set(err, -EINTR, "%s: ended by signal %d", file->name,
					      disk_interrupted())
				  : 0;
}

/* --- VHD ------------------------------------------------------------------------------------ */

static int copy_vhd(struct disk_target *target, const struct vhd_info *info, struct loop *loop,
		    struct error *err)
{
	struct vhd_create_options create = {.type = VHD_DYNAMIC,
					    .size = info->size,
					    .block_size = info->block_size,
					    .id = info->id};
	struct vhd_open_options from_options = {.read_only = true}, to_options = {.unsafe = true};
	struct block *from = NULL, *to;
	int r, closed;

	r = vhd_create(target->file, &create, err);
	if (r == 0)
		r = vhd_open(target->file, loop, &to_options, err, &to);
	if (r)
		return r;
	target->file = NULL;
	r = vhd_open(target->old, loop, &from_options, err, &from);
	if (r == 0) {
		target->old = NULL;
		r = disk_copy(loop, from, to, false, target->path, err);
	}
	closed = block_close(to, r ? NULL : err);
	if (r == 0)
		r = closed;
	/* The old one stays locked until it is replaced. */
	if (r == 0)
		r = disk_target_commit(target, err);
	if (from)
		closed = block_close(from, NULL);
	(void)closed; /* the old one was only read */
	return r;
}

static int compact_vhd(const char *path, const struct vhd_info *info, struct error *err)
{
	struct disk_target target = {0};
	struct loop *loop;
	int r;

	r = loop_create(0, err, &loop);
	if (r)
		return r;
	r = disk_target_open(&target, path, true, loop, err);
	if (r == 0 && !target.temporary[0])
		r = error_set(err, -EINVAL, "%s: only a file can be compacted", path);
	if (r == 0)
		r = copy_vhd(&target, info, loop, err);
	disk_target_finish(&target);
	loop_destroy(loop);
	return r;
}

static int compact(const struct disk_args *args, struct error *err)
{
	const char *path = args->words[0];
	enum block_format format;
	struct vhd_info info = {0};
	struct file *file;
	uint64_t size;
	int r;

	r = disk_open_file(path, args->format, false, err, &file, &format);
	if (r)
		return r;
	if (format == BLOCK_FORMAT_VHD)
		r = vhd_info(file, err, &info);
	if (r == 0 && format == BLOCK_FORMAT_VHDX)
		r = compact_vhdx(file, err);
	else if (r == 0 && format == BLOCK_FORMAT_RAW)
		r = file_size(file, &size) ? error_set(err, -EIO, "%s: has no size", path)
					   : compact_flat(file, size, err);
	else if (r == 0 && info.type == VHD_FIXED)
		r = compact_flat(file, info.size, err);
	else if (r == 0 && info.type == VHD_DIFFERENCING)
		r = error_set(err, -ENOTSUP, "%s: a differencing VHD cannot be compacted", path);
	file_destroy(file);
	if (r == 0 && format == BLOCK_FORMAT_VHD && info.type == VHD_DYNAMIC)
		r = compact_vhd(path, &info, err);
	return r;
}

int cmd_disk_compact(const struct disk_args *args)
{
	struct error err;
	int r = compact(args, &err);

	if (r == -EINTR)
		return disk_fail(r, &err), STATUS_SIGNAL_BASE + disk_interrupted();
	return r ? disk_fail(r, &err) : EXIT_SUCCESS;
}
