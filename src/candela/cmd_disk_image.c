// SPDX-License-Identifier: MIT
/*
 * Images as the verbs of candela disk need them: opened by name, and new ones. Main thread.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "candela/cmd_disk.h"
#include "candela/exit_status.h"
#include "devices/block/file_uring.h"
#include "vmm/log.h"

int disk_fail(int code, const struct error *err)
{
	log_error("%s", err->text);
	switch (-code) {
	case EIO:
	case ENOSPC:
	case ENOMEM:
	case EDQUOT:
	case EFBIG:
		return STATUS_INTERNAL;
	default:
		return STATUS_USAGE;
	}
}

const char *disk_format_name(enum block_format format)
{
	static const char *const names[] = {
		[BLOCK_FORMAT_AUTO] = "auto",
		[BLOCK_FORMAT_RAW] = "raw",
		[BLOCK_FORMAT_VHD] = "vhd",
		[BLOCK_FORMAT_VHDX] = "vhdx",
	};

	return names[format];
}

int disk_open_file(const char *path, enum block_format wanted, bool read_only, struct error *err,
		   struct file **ret, enum block_format *ret_format)
{
	struct file *file;
	int r;

	r = file_uring_open(path, read_only ? FILE_URING_READ_ONLY : 0, NULL, err, &file);
	if (r)
		return r;
	r = block_find_format(file, path, wanted, err, ret_format);
	if (r) {
		file_destroy(file);
		return r;
	}
	*ret = file;
	return 0;
}

/* --- what a new image is to be -------------------------------------------------------------- */

static int check_new(const struct disk_args *args, const struct disk_new *new, struct error *err)
{
	bool raw = new->format == BLOCK_FORMAT_RAW;

	if (raw && new->parent)
		return error_set(err, -EINVAL, "a raw image can have no parent");
	if (raw && (new->block_size || new->subformat == DISK_SUBFORMAT_DYNAMIC))
		return error_set(err, -EINVAL,
				 "a raw image has no blocks; --subformat and --block-size are for "
				 "VHD and VHDX");
	if (args->sector_size == 4096 && new->format == BLOCK_FORMAT_VHD)
		return error_set(err, -EINVAL, "a VHD has sectors of 512 bytes");
	if (args->sector_size && raw)
		return error_set(err, -EINVAL,
				 "a raw image does not know its sectors; give sector-size where it "
				 "is used");
	if (new->subformat == DISK_SUBFORMAT_DIFFERENCING && !new->parent)
		return error_set(err, -EINVAL, "a differencing image needs --parent");
	if (new->parent &&new->subformat != DISK_SUBFORMAT_DIFFERENCING)
		return error_set(err, -EINVAL,
				 "an image with a parent is a differencing one, not as "
				 "--subformat says");
	if (new->block_size &&new->subformat == DISK_SUBFORMAT_FIXED &&new->format ==
	    BLOCK_FORMAT_VHD)
		return error_set(err, -EINVAL, "a fixed VHD has no blocks; leave out --block-size");
	return 0;
}

int disk_new_from_args(const struct disk_args *args, const char *path, struct disk_new *ret,
		       struct error *err)
{
	*ret = (struct disk_new){
		.format = args->format ? args->format : block_format_of_name(path),
		.subformat = args->subformat,
		.block_size = (uint32_t)args->block_size,
		.logical_sector = args->sector_size,
		.parent = args->parent,
	};
	if (ret->parent && ret->subformat == DISK_SUBFORMAT_DEFAULT)
		ret->subformat = DISK_SUBFORMAT_DIFFERENCING;
	return check_new(args, ret, err);
}

/* --- parents -------------------------------------------------------------------------------- */

/* Where @to (a file) is, seen from the directory that @from (a file that need not exist) is in. */
static int relative_path(const char *from, const char *to, char *ret, size_t size, char *absolute,
			 struct error *err)
{
	const char *slash = strrchr(from, '/'), *a, *b;
	char dir[PATH_MAX], real_dir[PATH_MAX];
	size_t common = 0, len = 0;

	snprintf(dir, sizeof(dir), "%.*s", slash ? (int)max_of(slash - from, (long)1) : 1,
		 slash ? from : ".");
	if (!realpath(dir, real_dir) || !realpath(to, absolute))
		return error_errno(err, -errno, "%s: cannot find it", to);
	/* Directories that both are in. */
	for (size_t i = 0; real_dir[i] == absolute[i] && real_dir[i]; i++)
		if (absolute[i] == '/')
			common = i;
	a = real_dir + common;
	b = absolute + common;
	if (strncmp(real_dir, absolute, strlen(real_dir)) == 0 &&
	    absolute[strlen(real_dir)] == '/') {
		a = "";
		b = absolute + strlen(real_dir);
	}
	ret[0] = '\0';
	for (; *a; a++)
		if (*a == '/' && a[1] && len + 4 < size)
			len += (size_t)snprintf(ret + len, size - len, "../");
	if ((size_t)snprintf(ret + len, size - len, "%s", b + 1) >= size - len)
		return error_set(err, -ENAMETOOLONG, "%s: too long a path", to);
	return 0;
}

static int make_vhdx(struct file *file, const char *path, const struct disk_new *new,
		     struct file *parent, struct error *err)
{
	static const enum vhdx_type types[] = {VHDX_DYNAMIC, VHDX_FIXED, VHDX_DYNAMIC,
					       VHDX_DIFFERENCING};
	struct vhdx_create_options options = {
		.type = types[new->subformat],
		.size = new->size,
		.block_size = new->block_size,
		.logical_sector = new->logical_sector,
		.disk_id = new->id,
	};
	char relative[PATH_MAX], absolute[PATH_MAX];
	struct vhdx_info info;
	int r;

	if (parent) {
		r = vhdx_info(parent, err, &info);
		if (r == 0)
			r = relative_path(path, new->parent, relative, sizeof(relative), absolute,
					  err);
		if (r)
			return r;
		if (options.size == 0)
			options.size = info.size;
		if (options.logical_sector == 0)
			options.logical_sector = info.logical_sector;
		options.parent_path = relative;
		options.parent_absolute = absolute;
		options.parent_linkage = info.data_write_guid;
		options.disk_id = info.disk_id;
	}
	return vhdx_create(file, &options, err);
}

static int make_vhd(struct file *file, const char *path, const struct disk_new *new,
		    struct file *parent, struct error *err)
{
	static const enum vhd_type types[] = {VHD_DYNAMIC, VHD_FIXED, VHD_DYNAMIC,
					      VHD_DIFFERENCING};
	struct vhd_create_options options = {
		.type = types[new->subformat],
		.size = new->size,
		.block_size = new->block_size,
		.id = new->id,
	};
	char relative[PATH_MAX], absolute[PATH_MAX];
	struct vhd_info info;
	int r;

	if (parent) {
		r = vhd_info(parent, err, &info);
		if (r == 0)
			r = relative_path(path, new->parent, relative, sizeof(relative), absolute,
					  err);
		if (r)
			return r;
		if (options.size == 0)
			options.size = info.size;
		options.parent_path = relative;
		options.parent_absolute = absolute;
		options.parent_id = info.id;
		options.parent_timestamp = info.timestamp;
	}
	return vhd_create(file, &options, err);
}

static int make_raw(struct file *file, const struct disk_new *new, struct error *err)
{
	int r;

	r = file_truncate(file, new->size);
	if (r == 0)
		r = file_sync(file);
	return r ? error_errno(err, r, "%s: cannot make it so long", file->name) : 0;
}

int disk_make(struct file *file, const char *path, const struct disk_new *new, struct error *err)
{
	enum block_format format;
	struct file *parent = NULL;
	int r = 0;

	if (new->parent) {
		r = disk_open_file(new->parent, BLOCK_FORMAT_AUTO, true, err, &parent, &format);
		if (r)
			return r;
		if (format != new->format) {
			file_destroy(parent);
			return error_set(err, -EINVAL,
					 "%s: the parent of a %s image is one, too, not %s",
					 new->parent, disk_format_name(new->format),
					 disk_format_name(format));
		}
	}
	if (new->format == BLOCK_FORMAT_VHDX)
		r = make_vhdx(file, path, new, parent, err);
	else if (new->format == BLOCK_FORMAT_VHD)
		r = make_vhd(file, path, new, parent, err);
	else
		r = make_raw(file, new, err);
	file_destroy(parent);
	return r;
}
