// SPDX-License-Identifier: MIT
/*
 * candela disk resize. Main thread.
 */
#include <errno.h>
#include <stdlib.h>

#include "candela/cmd_disk.h"
#include "devices/block/file_uring.h"

static int current_size(struct file *file, enum block_format format, struct error *err,
			uint64_t *ret)
{
	struct vhdx_info vhdx;
	struct vhd_info vhd;
	int r;

	if (format == BLOCK_FORMAT_VHDX) {
		r = vhdx_info(file, err, &vhdx);
		*ret = r ? 0 : vhdx.size;
		return r;
	}
	if (format == BLOCK_FORMAT_VHD) {
		r = vhd_info(file, err, &vhd);
		*ret = r ? 0 : vhd.size;
		return r;
	}
	r = file_size(file, ret);
	return r ? error_errno(err, r, "%s: cannot find out its size", file->name) : 0;
}

/* "10G", "+10G", "-10G" */
static int new_size(const char *text, uint64_t size, struct error *err, uint64_t *ret)
{
	uint64_t number;
	int r;

	r = disk_size_parse(text + (*text == '+' || *text == '-'), &number, err);
	if (r)
		return r;
	if (*text == '-' && number >= size)
		return error_set(err, -EINVAL, "disk resize: nothing would be left");
	if (*text == '+')
		number = size + number;
	else if (*text == '-')
		number = size - number;
	if (number > DISK_SIZE_MAX)
		return error_set(err, -EINVAL, "disk resize: a disk can be as large as 64T");
	*ret = number;
	return 0;
}

static int resize_raw(struct file *file, uint64_t size, struct error *err)
{
	int r;

	if (file_uring_info(file)->block_device)
		return error_set(err, -EINVAL, "%s: a block device has the size that it has",
				 file->name);
	r = file_truncate(file, size);
	if (r == 0)
		r = file_sync(file);
	return r ? error_errno(err, r, "%s: cannot resize it", file->name) : 0;
}

static int resize(const struct disk_args *args, struct file *file, enum block_format format,
		  struct error *err)
{
	uint64_t old, size = 0;
	int r;

	r = current_size(file, format, err, &old);
	if (r == 0)
		r = new_size(args->words[1], old, err, &size);
	if (r)
		return r;
	/* A VHDX knows whether there is anything behind the new end. */
	if (size < old && !args->shrink && format != BLOCK_FORMAT_VHDX)
		return error_set(err, -EINVAL,
				 "%s: would lose what is behind the new end; --shrink does that",
				 file->name);
	if (format == BLOCK_FORMAT_VHDX) {
		r = vhdx_resize(file, size, args->shrink, err);
		if (r == -EBUSY)
			error_set(err, r, "%s: has data behind the new end; --shrink cuts them off",
				  file->name);
		return r;
	}
	if (format == BLOCK_FORMAT_VHD)
		return vhd_resize(file, size, err);
	return resize_raw(file, size, err);
}

int cmd_disk_resize(const struct disk_args *args)
{
	enum block_format format;
	struct error err;
	struct file *file;
	int r;

	r = disk_open_file(args->words[0], args->format, false, &err, &file, &format);
	if (r == 0) {
		r = resize(args, file, format, &err);
		file_destroy(file);
	}
	return r ? disk_fail(r, &err) : EXIT_SUCCESS;
}
