// SPDX-License-Identifier: MIT
/*
 * VHD, for the crash tests. It has no log, and promises the same nevertheless.
 */
#include "devices/block/vhd.h"
#include "image.h"

static int create_image(const struct image_template *made, bool parent, struct file *file,
			struct error *err)
{
	struct vhd_create_options options = {
		.type = made->kind.type == IMAGE_FIXED ? VHD_FIXED : VHD_DYNAMIC,
		.size = made->kind.size,
	};

	if (options.type == VHD_DYNAMIC)
		options.block_size = made->kind.block_size;

	return vhd_create(file, &options, err);
}

static int open_image(struct image *image, struct file *file, bool read_only, struct error *err,
		      struct block **ret)
{
	struct vhd_open_options options = {.read_only = read_only};

	return vhd_open(file, image->loop, &options, err, ret);
}

static void found(void *ctx, enum vhd_finding_kind kind, const char *text)
{
	if (kind == VHD_ERROR)
		verdict_fail(ctx, "check: %s", text);
}

static void check_image(struct file *file, struct verdict *verdict)
{
	struct vhd_check_options options = {.found = found, .ctx = verdict};
	struct vhd_check_result result = {};
	struct error err = {};
	int r = vhd_check(file, &options, &err, &result);

	if (r < 0)
		verdict_fail(verdict, "check failed: %s", err.text);
	else if (result.errors)
		verdict_fail(verdict, "check: %llu errors", (unsigned long long)result.errors);
}

const struct image_format image_vhd = {
	.name = "vhd",
	.create = create_image,
	.open = open_image,
	.check = check_image,
};
