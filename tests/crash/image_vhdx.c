// SPDX-License-Identifier: MIT
/*
 * VHDX, for the crash tests.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/block/vhdx.h"
#include "image.h"
#include "memory.h"

/* What a child has to know of its parent. */
static int linkage_of(const struct image_template *made, uint8_t linkage[16], struct error *err)
{
	struct vhdx_info *info = xcalloc(1, sizeof(*info));
	struct verdict verdict = {};
	struct rec_file parent;
	int r;

	rec_file_init(&parent, &made->parent, NULL, 0, &verdict);
	r = vhdx_info(rec_file_open(&parent, true), err, info);
	if (r == 0)
		memcpy(linkage, info->data_write_guid, 16);
	rec_file_finish(&parent);
	free(info);
	return r;
}

static int create_image(const struct image_template *made, bool parent, struct file *file,
			struct error *err)
{
	const struct image_kind *kind = &made->kind;
	struct vhdx_create_options options = {
		.type = VHDX_DYNAMIC,
		.size = kind->size,
		.block_size = kind->block_size,
		.logical_sector = kind->sector,
	};
	uint8_t linkage[16];

	if (kind->type == IMAGE_FIXED)
		options.type = VHDX_FIXED;
	if (kind->type == IMAGE_DIFFERENCING && !parent) {
		int r = linkage_of(made, linkage, err);

		if (r < 0)
			return r;
		options.type = VHDX_DIFFERENCING;
		options.parent_path = "parent.vhdx";
		options.parent_linkage = linkage;
	}
	return vhdx_create(file, &options, err);
}

static int open_parent(void *ctx, const char *path, unsigned int depth, struct error *err,
		       struct block **ret)
{
	struct image *image = ctx;
	struct vhdx_open_options options = {.read_only = true, .depth = depth};
	struct file *file = rec_file_open(&image->parent, true);
	int r = vhdx_open(file, image->loop, &options, err, ret);

	if (r < 0)
		file_destroy(file);
	return r;
}

static int open_image(struct image *image, struct file *file, bool read_only, struct error *err,
		      struct block **ret)
{
	struct vhdx_open_options options = {
		.read_only = read_only, .open_parent = open_parent, .ctx = image};

	return vhdx_open(file, image->loop, &options, err, ret);
}

static void found(void *ctx, enum vhdx_finding_kind kind, const char *text)
{
	if (kind == VHDX_ERROR)
		verdict_fail(ctx, "check: %s", text);
}

static void check_image(struct file *file, struct verdict *verdict)
{
	struct vhdx_check_options options = {.found = found, .ctx = verdict};
	struct vhdx_check_result result = {};
	struct error err = {};
	int r = vhdx_check(file, &options, &err, &result);

	if (r < 0)
		verdict_fail(verdict, "check failed: %s", err.text);
	else if (result.errors)
		verdict_fail(verdict, "check: %llu errors", (unsigned long long)result.errors);
}

const struct image_format image_vhdx = {
	.name = "vhdx",
	.create = create_image,
	.open = open_image,
	.check = check_image,
};
