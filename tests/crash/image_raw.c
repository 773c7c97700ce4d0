// SPDX-License-Identifier: MIT
/*
 * Raw images, for the crash tests: the disk's bytes in a file, one to one. What the tests say about
 * them shows that they are right about what a file may lose.
 */
#include "devices/block/raw.h"
#include "image.h"

static int create_image(const struct image_template *made, bool parent, struct file *file,
			struct error *err)
{
	int r = file_truncate(file, made->kind.size);

	return r < 0 ? error_errno(err, r, "%s", file->name) : 0;
}

static int open_image(struct image *image, struct file *file, bool read_only, struct error *err,
		      struct block **ret)
{
	struct raw_options options = {
		.read_only = read_only,
		.logical_sector = image->made->kind.sector,
		.physical_sector = 4096,
		.unmap = true,
		.unmap_granularity = 4096,
	};

	return raw_open(file, false, &options, err, ret);
}

const struct image_format image_raw = {
	.name = "raw",
	.create = create_image,
	.open = open_image,
};
