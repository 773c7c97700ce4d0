// SPDX-License-Identifier: MIT
/*
 * Opening and closing a VHDX as a disk. Blocks; what comes between is the loop's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/block/vhdx_internal.h"
#include "devices/block/vhdx_log_replay.h"
#include "devices/block/vhdx_overlay.h"

#define MAP_STEPS 4096u /* entries looked at in one answer */

bool vhdx_is(const struct block *block)
{
	return block->ops == &vhdx_ops;
}

/* --- Opening. ------------------------------------------------------------------------------ */

static bool claim(struct vhdx *v, const struct vhdx_extent *extent)
{
	return vhdx_space_claim(&v->space, extent->offset / VHDX_MIB, extent->len / VHDX_MIB);
}

/* What is taken before any block is. */
static int claim_regions(struct vhdx *v, struct error *err)
{
	const struct vhdx_image *image = &v->image;
	struct vhdx_extent headers = {0, VHDX_HEADER_SECTION_SIZE};
	uint64_t end = (image->file_size + VHDX_MIB - 1) / VHDX_MIB;
	bool good;
	int ret = vhdx_space_init(&v->space, end);

	if (ret)
		return error_errno(err, ret, "%s: %llu bytes long", v->file->name,
				   (unsigned long long)image->file_size);
	v->file_mib = v->durable_mib = image->file_size / VHDX_MIB;
	good = claim(v, &headers) && claim(v, &image->log) && claim(v, &image->bat) &&
	       claim(v, &image->metadata);
	for (unsigned int i = 0; good && i < image->other_count; i++)
		good = claim(v, &image->other[i]);
	return good ? 0 : error_set(err, -EUCLEAN, "%s: regions overlap", v->file->name);
}

/* The log, and where everything is. */
static int read_image(struct vhdx *v, struct file *file, bool read_only, struct error *err)
{
	int ret = vhdx_image_read_header(&v->image, file, err);

	v->file = file;
	if (ret == 0 && read_only) {
		ret = vhdx_overlay_create(&v->image, file, err, &v->file);
		if (ret == 0 && v->file)
			v->below = file;
		else
			v->file = file;
	} else if (ret == 0) {
		ret = vhdx_log_replay(&v->image, file, err);
	}
	return ret ? ret : vhdx_image_read_rest(&v->image, v->file, err);
}

static void fill_info(struct vhdx *v, bool read_only)
{
	const struct vhdx_image *image = &v->image;
	struct block_info *info = &v->block.info;

	v->block.ops = &vhdx_ops;
	v->block.name = v->file->name;
	*info = (struct block_info){.size = image->size,
				    .logical_sector = image->logical_sector,
				    .physical_sector =
					    max_of(image->physical_sector, image->logical_sector),
				    .read_only = read_only,
				    .unmap = !read_only && !image->leave_allocated,
				    .unmap_granularity = image->block_size,
				    .format = "vhdx"};
	memcpy(info->id, image->disk_id, sizeof(info->id));
}

/* All but the file, which may be the caller's still. */
void vhdx_destroy(struct vhdx *v)
{
	vhdx_alloc_finish(v);
	vhdx_trims_finish(v);
	vhdx_flusher_finish(&v->flusher);
	vhdx_bitmap_finish(&v->bitmaps);
	vhdx_bat_finish(&v->bat);
	vhdx_space_finish(&v->space);
	while (v->segments) {
		struct vhdx_segment *segment = v->segments;

		v->segments = segment->next;
		if (segment->iov != segment->inline_iov)
			free(segment->iov);
		free(segment);
	}
	if (v->below)
		file_destroy(v->file);
	free(v->header_page);
	free(v);
}

static int init(struct vhdx *v)
{
	int ret = vhdx_flusher_init(&v->flusher);

	vhdx_bitmap_init(&v->bitmaps);
	vhdx_trims_init(v);
	v->beginning_end = &v->beginning;
	v->header_page = aligned_alloc(PAGE_SIZE, sizeof(*v->header_page));
	return ret == 0 && v->header_page ? 0 : -ENOMEM;
}

int vhdx_open_image(struct file *file, struct loop *loop, const struct vhdx_open_options *options,
		    struct error *err, struct vhdx **ret)
{
	struct vhdx *v = calloc(1, sizeof(*v));
	int error;

	if (!v)
		return error_errno(err, -ENOMEM, "%s", file->name);
	v->loop = loop;
	v->unsafe = options->unsafe;
	error = init(v);
	if (error)
		error_errno(err, error, "%s", file->name);
	else if (file->read_only && !options->read_only)
		error = error_set(err, -EROFS, "%s: cannot be written", file->name);
	if (error == 0)
		error = read_image(v, file, options->read_only, err);
	if (error == 0)
		error = claim_regions(v, err);
	if (error == 0)
		error = vhdx_bat_load(v, err);
	if (error) {
		vhdx_destroy(v);
		return error;
	}
	fill_info(v, options->read_only);
	*ret = v;
	return 0;
}

int vhdx_open(struct file *file, struct loop *loop, const struct vhdx_open_options *options,
	      struct error *err, struct block **ret)
{
	struct vhdx *v;
	int error = vhdx_open_image(file, loop, options, err, &v);

	if (error)
		return error;
	if (v->image.has_parent) {
		error = vhdx_parent_open(v, options, err);
		if (error) {
			vhdx_destroy(v);
			return error;
		}
	}
	*ret = &v->block;
	return 0;
}

/* --- As a disk. ---------------------------------------------------------------------------- */

static int vhdx_close(struct block *block, struct error *err)
{
	struct vhdx *v = vhdx_of(block);
	struct file *below = v->below ? v->below : v->file;
	struct error ignored;
	int ret;

	vhdx_alloc_finish(v); /* space nobody wrote to is not in use */
	ret = vhdx_session_end(v, err);
	if (v->parent && block_close(v->parent, ret ? &ignored : err) && !ret)
		ret = -EIO;
	vhdx_destroy(v);
	file_destroy(below);
	return ret;
}

/* What a block is, for the question where data are. */
static enum block_map kind_of(const struct vhdx *v, uint64_t block)
{
	uint32_t entry = vhdx_bat_get(&v->bat, vhdx_bat_index(&v->image, block));

	return vhdx_state_has_space(vhdx_entry_state(entry)) ? BLOCK_MAPPED : BLOCK_UNMAPPED;
}

static bool is_parents(const struct vhdx *v, uint64_t block)
{
	uint32_t entry = vhdx_bat_get(&v->bat, vhdx_bat_index(&v->image, block));

	return v->parent && vhdx_entry_state(entry) == VHDX_BLOCK_NOT_PRESENT;
}

static enum block_map vhdx_map(struct block *block, uint64_t offset, uint64_t *ret_len)
{
	const struct vhdx *v = vhdx_of(block);
	uint64_t number = vhdx_block_of(v, offset), next = number + 1;
	uint64_t parent_size = v->parent ? v->parent->info.size : 0;
	enum block_map kind = kind_of(v, number);
	bool parents = is_parents(v, number);

	while (next < v->image.blocks && next - number < MAP_STEPS && kind_of(v, next) == kind &&
	       is_parents(v, next) == parents)
		next++;
	*ret_len = min_of(next << v->image.block_shift, v->image.size) - offset;
	if (parents && offset < parent_size) {
		uint64_t len;

		kind = block_map(v->parent, offset, &len);
		*ret_len = min_of(*ret_len, len);
	}
	return kind;
}

const struct block_ops vhdx_ops = {
	.submit = vhdx_submit,
	.map = vhdx_map,
	.close = vhdx_close,
};
