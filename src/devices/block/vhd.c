// SPDX-License-Identifier: MIT
/*
 * VHD images as disks: opening with their parents, closing. State belongs to the loop's thread.
 */
#include "devices/block/vhd.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>

#include "devices/block/raw.h"
#include "devices/block/vhd_image.h"

/* --- what is where -------------------------------------------------------------------------- */

/* Blocks that are not in the file, from @block on, up to the end of the disk. */
static uint64_t unused_run(const struct vhd *vhd, uint64_t block)
{
	uint64_t n = 0;

	while (block + n < vhd->layout.blocks && vhd->table[block + n] == VHD_BLOCK_UNUSED)
		n++;
	return n;
}

static enum block_map vhd_map(struct block *block, uint64_t offset, uint64_t *ret_len)
{
	struct vhd *vhd = container_of(block, struct vhd, block);
	uint64_t size = vhd->layout.size, index, inside, run;

	if (vhd->raw)
		return block_map(vhd->raw, offset, ret_len);
	index = offset / vhd->layout.block_size;
	inside = offset % vhd->layout.block_size;
	run = unused_run(vhd, index);
	*ret_len =
		min_of(max_of(run, (uint64_t)1) * vhd->layout.block_size - inside, size - offset);
	if (run == 0)
		return BLOCK_MAPPED; /* its sectors may be the parent's, which is as good */
	if (!vhd->parent || offset >= vhd->parent->info.size)
		return BLOCK_UNMAPPED;
	size = *ret_len;
	if (block_map(vhd->parent, offset, ret_len) == BLOCK_MAPPED) {
		*ret_len = min_of(*ret_len, size);
		return BLOCK_MAPPED;
	}
	*ret_len = min_of(*ret_len, size);
	return BLOCK_UNMAPPED;
}

/* --- closing -------------------------------------------------------------------------------- */

/* What is behind the last block is cut off, and the footer and its copy are made good. */
static int mend_tail(struct vhd *vhd)
{
	int r;

	r = file_truncate(vhd->file, vhd->end);
	if (r == 0)
		r = file_pwrite(vhd->file, &vhd->layout.footer, VHD_FOOTER_SIZE, vhd->end);
	if (r == 0)
		r = file_pwrite(vhd->file, &vhd->layout.footer, VHD_FOOTER_SIZE, 0);
	return r;
}

static void free_vhd(struct vhd *vhd)
{
	vhd_bitmap_finish(vhd);
	vhd_job_finish(vhd);
	free(vhd->table);
	free(vhd->state);
	free(vhd);
}

static int vhd_close(struct block *block, struct error *err)
{
	struct vhd *vhd = container_of(block, struct vhd, block);
	int r = 0, below;

	assert(!vhd->head && !vhd->job.running);
	if (vhd->raw) {
		r = block_close(vhd->raw, err);
		free_vhd(vhd);
		return r;
	}
	if (!block->info.read_only) {
		if (vhd->tail_dirty)
			r = mend_tail(vhd);
		if (r == 0)
			r = file_sync(vhd->file);
		if (r)
			error_errno(err, r, "%s: what was written last may be lost",
				    vhd->file->name);
	}
	below = block_close(vhd->parent, r ? NULL : err);
	file_destroy(vhd->file);
	free_vhd(vhd);
	return r ? r : below;
}

static const struct block_ops vhd_ops = {
	.submit = vhd_submit,
	.map = vhd_map,
	.close = vhd_close,
};

bool vhd_is(const struct block *block)
{
	return block->ops == &vhd_ops;
}

/* --- opening -------------------------------------------------------------------------------- */

/* A parent that was found must be the one that the image was made of. */
static int check_parent(struct vhd *vhd, struct block *parent, struct error *err)
{
	struct vhd *other = container_of(parent, struct vhd, block);

	if (!vhd_is(parent))
		return error_set(err, -EINVAL, "%s: its parent %s is not a VHD", vhd->file->name,
				 parent->name);
	if (memcmp(other->layout.footer.unique_id, vhd->layout.header.parent_unique_id,
		   sizeof(other->layout.footer.unique_id)) != 0)
		return error_set(err, -ESTALE,
				 "%s: %s is not the image that it was made of, but another one",
				 vhd->file->name, parent->name);
	return 0;
}

static int open_parent(struct vhd *vhd, const struct vhd_open_options *options, struct error *err)
{
	char path[VHD_PATH_MAX] = "", name[VHD_PATH_MAX];
	struct block *parent = NULL;
	int r = -ENOENT;

	if (!options->open_parent)
		return error_set(err, -ENOTSUP, "%s: a differencing image cannot be used here",
				 vhd->file->name);
	if (options->depth + 1 >= VHD_MAX_CHAIN)
		return error_set(err, -ELOOP, "%s: more than %u images in a chain", vhd->file->name,
				 VHD_MAX_CHAIN);
	for (unsigned int n = 0; r == -ENOENT; n++) {
		if (!vhd_parent_path(vhd->file, &vhd->layout, n, path))
			break;
		r = options->open_parent(options->ctx, path, options->depth + 1, err, &parent);
	}
	if (r == -ENOENT) {
		vhd_parent_name(vhd->file, &vhd->layout, name);
		return error_set(err, r, "%s: its parent %s is missing", vhd->file->name,
				 *name ? name : "(it names none)");
	}
	if (r)
		return r;
	/* Whoever closes us closes it, whether it is the right one or not. */
	vhd->parent = parent;
	return check_parent(vhd, parent, err);
}

static int open_fixed(struct vhd *vhd, const struct vhd_open_options *options, struct error *err)
{
	struct raw_options raw = {
		.read_only = options->read_only,
		.size = vhd->layout.size,
		.logical_sector = VHD_SECTOR,
		.physical_sector = PAGE_SIZE,
		.unmap = true,
		.unmap_granularity = PAGE_SIZE,
	};

	return raw_open(vhd->file, false, &raw, err, &vhd->raw);
}

static int open_dynamic(struct vhd *vhd, const struct vhd_open_options *options, struct error *err)
{
	int r;

	r = vhd_read_table(vhd->file, &vhd->layout, err, &vhd->table, &vhd->end);
	if (r)
		return r;
	vhd->tail_dirty = vhd->layout.dirty || vhd->layout.file_size != vhd->end + VHD_FOOTER_SIZE;
	vhd->state = calloc(vhd->layout.blocks, 1);
	if (!vhd->state || vhd_job_init(vhd))
		return error_set(err, -ENOMEM, "out of memory");
	if (vhd->layout.type == VHD_DIFFERENCING)
		return open_parent(vhd, options, err);
	return 0;
}

static void fill_info(struct vhd *vhd, bool read_only)
{
	struct block_info *info = &vhd->block.info;

	*info = (struct block_info){
		.size = vhd->layout.size,
		.logical_sector = VHD_SECTOR,
		.physical_sector = PAGE_SIZE,
		.read_only = read_only || vhd->file->read_only,
		.unmap = true,
		.unmap_granularity = PAGE_SIZE,
		.format = "vhd",
	};
	memcpy(info->id, vhd->layout.footer.unique_id, sizeof(info->id));
}

int vhd_open(struct file *file, struct loop *loop, const struct vhd_open_options *options,
	     struct error *err, struct block **ret)
{
	struct vhd *vhd = calloc(1, sizeof(*vhd));
	int r;

	if (!vhd)
		return error_set(err, -ENOMEM, "out of memory");
	vhd->file = file;
	vhd->loop = loop;
	vhd->block.ops = &vhd_ops;
	vhd->block.name = file->name;
	r = vhd_read_layout(file, err, &vhd->layout);
	if (r == 0 && vhd->layout.type == VHD_DIFFERENCING && !options->read_only)
		r = error_set(err, -ENOTSUP,
			      "%s: a differencing VHD can only be read: use it read-only or "
			      "ephemeral, or convert it",
			      file->name);
	if (r == 0)
		r = vhd->layout.type == VHD_FIXED ? open_fixed(vhd, options, err)
						  : open_dynamic(vhd, options, err);
	if (r) {
		int closed = block_close(vhd->parent, NULL);

		(void)closed; /* it was only read */
		free_vhd(vhd);
		return r;
	}
	vhd_init_ios(vhd);
	fill_info(vhd, options->read_only);
	*ret = &vhd->block;
	return 0;
}

int vhd_info(struct file *file, struct error *err, struct vhd_info *ret)
{
	struct vhd_layout layout;
	struct vhd_info info = {0};
	uint32_t *table;
	uint64_t end;
	int r;

	r = vhd_read_layout(file, err, &layout);
	if (r)
		return r;
	info.type = layout.type;
	info.size = layout.size;
	info.block_size = layout.block_size;
	info.blocks = layout.blocks;
	info.file_size = layout.file_size;
	info.dirty = layout.dirty;
	info.timestamp = be32toh(layout.footer.time_stamp);
	memcpy(info.id, layout.footer.unique_id, sizeof(info.id));
	memcpy(info.creator, layout.footer.creator_application,
	       sizeof(layout.footer.creator_application));
	if (layout.type != VHD_FIXED) {
		r = vhd_read_table(file, &layout, err, &table, &end);
		if (r)
			return r;
		for (uint64_t i = 0; i < layout.blocks; i++)
			info.blocks_allocated += table[i] != VHD_BLOCK_UNUSED;
		free(table);
	}
	if (layout.type == VHD_DIFFERENCING) {
		memcpy(info.parent_id, layout.header.parent_unique_id, sizeof(info.parent_id));
		vhd_parent_name(file, &layout, info.parent_path);
	}
	*ret = info;
	return 0;
}
