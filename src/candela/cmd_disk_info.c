// SPDX-License-Identifier: MIT
/*
 * candela disk info. Main thread.
 */
#include <stdlib.h>
#include <sys/stat.h>

#include "candela/cmd_disk.h"

static void add_files(struct disk_facts *f, const char *path, uint64_t file_size)
{
	struct stat st;

	disk_add_bytes(f, "file-size", "file size", file_size);
	if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
		disk_add_bytes(f, "space-used", "space on the host", (uint64_t)st.st_blocks * 512);
}

static void vhdx_facts(struct disk_facts *f, const char *path, const struct vhdx_info *info)
{
	static const char *const types[] = {
		[VHDX_DYNAMIC] = "dynamic",
		[VHDX_FIXED] = "fixed",
		[VHDX_DIFFERENCING] = "differencing",
	};

	disk_add_text(f, "subformat", "subformat", types[info->type]);
	disk_add_bytes(f, "size", "disk size", info->size);
	add_files(f, path, info->file_size);
	disk_add_number(f, "logical-sector", "logical sector", info->logical_sector);
	disk_add_number(f, "physical-sector", "physical sector", info->physical_sector);
	disk_add_bytes(f, "block-size", "block size", info->block_size);
	disk_add_number(f, "blocks", "blocks", info->blocks);
	disk_add_number(f, "blocks-allocated", "blocks allocated", info->blocks_allocated);
	disk_add_yes_no(f, "dirty", "log to be replayed", info->dirty);
	disk_add_id(f, "id", "id", info->disk_id, true);
	disk_add_text(f, "creator", "creator", info->creator);
	if (info->type == VHDX_DIFFERENCING)
		disk_add_text(f, "parent", "parent", info->parent_path);
}

static void vhd_facts(struct disk_facts *f, const char *path, const struct vhd_info *info)
{
	static const char *const types[] = {
		[VHD_FIXED] = "fixed",
		[VHD_DYNAMIC] = "dynamic",
		[VHD_DIFFERENCING] = "differencing",
	};

	disk_add_text(f, "subformat", "subformat", types[info->type]);
	disk_add_bytes(f, "size", "disk size", info->size);
	add_files(f, path, info->file_size);
	disk_add_number(f, "logical-sector", "logical sector", 512);
	if (info->type != VHD_FIXED) {
		disk_add_bytes(f, "block-size", "block size", info->block_size);
		disk_add_number(f, "blocks", "blocks", info->blocks);
		disk_add_number(f, "blocks-allocated", "blocks allocated", info->blocks_allocated);
		disk_add_yes_no(f, "dirty", "to be mended", info->dirty);
	}
	disk_add_id(f, "id", "id", info->id, false);
	disk_add_text(f, "creator", "creator", info->creator);
	if (info->type == VHD_DIFFERENCING)
		disk_add_text(f, "parent", "parent", info->parent_path);
}

static int show_info(const struct disk_args *args, struct file *file, enum block_format format,
		     struct error *err)
{
	const char *path = args->words[0];
	struct disk_facts f = {0};
	struct vhdx_info vhdx;
	struct vhd_info vhd;
	uint64_t size = 0;
	int r;

	disk_add_text(&f, "path", "image", path);
	disk_add_text(&f, "format", "format", disk_format_name(format));
	if (format == BLOCK_FORMAT_VHDX) {
		r = vhdx_info(file, err, &vhdx);
		if (r == 0)
			vhdx_facts(&f, path, &vhdx);
	} else if (format == BLOCK_FORMAT_VHD) {
		r = vhd_info(file, err, &vhd);
		if (r == 0)
			vhd_facts(&f, path, &vhd);
	} else {
		r = file_size(file, &size);
		if (r)
			error_errno(err, r, "%s: cannot find out its size", path);
		disk_add_bytes(&f, "size", "disk size", size);
		add_files(&f, path, size);
	}
	return r ? r : disk_print_facts(&f, args->json, NULL, err);
}

int cmd_disk_info(const struct disk_args *args)
{
	enum block_format format;
	struct error err;
	struct file *file;
	int r;

	r = disk_open_file(args->words[0], args->format, true, &err, &file, &format);
	if (r == 0) {
		r = show_info(args, file, format, &err);
		file_destroy(file);
	}
	return r ? disk_fail(r, &err) : EXIT_SUCCESS;
}
