// SPDX-License-Identifier: MIT
/*
 * What there is to know about an image, without changing it. Plain calls.
 */
#include <errno.h>
#include <string.h>

#include "devices/block/vhdx_internal.h"
#include "devices/block/vhdx_locator.h"
#include "devices/block/vhdx_overlay.h"

struct counter_ctx {
	const struct vhdx_image *image;
	struct vhdx_info *info;
};

static int count_entry(void *ctx, uint64_t index, uint64_t raw)
{
	struct counter_ctx *c = ctx;

	c->info->blocks_allocated += !vhdx_index_is_bitmap(c->image, index) &&
				     !vhdx_index_is_beyond(c->image, index) &&
				     vhdx_state_has_space(raw & VHDX_BAT_STATE);
	return 0;
}

static void fill(const struct vhdx_image *image, struct vhdx_info *info)
{
	info->type = image->has_parent        ? VHDX_DIFFERENCING
		     : image->leave_allocated ? VHDX_FIXED
					      : VHDX_DYNAMIC;
	info->size = image->size;
	info->block_size = image->block_size;
	info->logical_sector = image->logical_sector;
	info->physical_sector = image->physical_sector;
	info->blocks = image->blocks;
	info->dirty = !vhdx_guid_is_zero(&image->header.log_guid);
	memcpy(info->disk_id, image->disk_id, 16);
	memcpy(info->file_write_guid, &image->header.file_write_guid, 16);
	memcpy(info->data_write_guid, &image->header.data_write_guid, 16);
}

static int fill_parent(const struct vhdx_image *image, struct file *file, struct error *err,
		       struct vhdx_info *info)
{
	struct vhdx_locator locator;
	const char *path;
	int ret = vhdx_locator_read(image, file, err, &locator);

	if (ret)
		return ret;
	path = *locator.relative ? locator.relative
	       : *locator.volume ? locator.volume
				 : locator.absolute;
	_Static_assert(sizeof(info->parent_path) == VHDX_PATH_MAX, "the same");
	memcpy(info->parent_path, path, VHDX_PATH_MAX);
	memcpy(info->parent_data_write_guid, &locator.linkage[0], 16);
	return 0;
}

int vhdx_info(struct file *file, struct error *err, struct vhdx_info *ret)
{
	struct vhdx_file_identifier identifier;
	struct counter_ctx c;
	struct vhdx_image image;
	struct file *overlay = NULL, *view;
	struct vhdx_info info = {.size = 0};
	int error = vhdx_image_read_header(&image, file, err);

	if (error == 0)
		error = vhdx_overlay_create(&image, file, err, &overlay);
	view = overlay ? overlay : file;
	if (error == 0)
		error = vhdx_image_read_rest(&image, view, err);
	if (error)
		goto out;
	fill(&image, &info);
	c = (struct counter_ctx){&image, &info};
	error = vhdx_bat_scan(&image, view, count_entry, &c);
	if (error == 0)
		error = file_pread(file, &identifier, sizeof(identifier), VHDX_IDENTIFIER_OFFSET);
	if (error == 0)
		error = file_size(file, &info.file_size);
	if (error) {
		error_errno(err, error, "%s: cannot be read", file->name);
		goto out;
	}
	vhdx_utf8(identifier.creator, VHDX_CREATOR_UNITS, info.creator, sizeof(info.creator));
	if (image.has_parent)
		error = fill_parent(&image, view, err, &info);
out:
	file_destroy(overlay);
	if (error == 0)
		*ret = info;
	return error;
}
