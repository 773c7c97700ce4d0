// SPDX-License-Identifier: MIT
/*
 * Finding the parent of a differencing image, MS-VHDX 2.6.2.6.3: the paths it names are tried in
 * the order the specification gives, and what is there must be what the image was made from.
 * Blocks.
 */
#include <errno.h>
#include <stdlib.h>

#include "devices/block/vhdx_internal.h"
#include "devices/block/vhdx_locator.h"

static int check(struct vhdx *v, const struct vhdx_locator *locator, struct block *parent,
		 const char *path, struct error *err)
{
	const struct vhdx_guid *guid;

	if (!vhdx_is(parent))
		return error_set(err, -ENOTSUP, "%s: its parent %s is not a VHDX", v->file->name,
				 path);
	guid = &vhdx_of(parent)->image.header.data_write_guid;
	if (!vhdx_guid_equal(guid, &locator->linkage[0]) &&
	    !(locator->has_linkage[1] && vhdx_guid_equal(guid, &locator->linkage[1])))
		return error_set(err, -ESTALE,
				 "%s: its parent %s was changed after this image was made from it",
				 v->file->name, path);
	if (parent->info.logical_sector != v->image.logical_sector)
		return error_set(err, -EUCLEAN, "%s: its parent %s has other sectors",
				 v->file->name, path);
	v->parent = parent;
	return 0;
}

static int try(struct vhdx *v, const struct vhdx_open_options *options,
	       const struct vhdx_locator *locator, const char *named, struct error *err)
{
	char path[2 * VHDX_PATH_MAX];
	struct block *parent;
	int ret;

	if (!vhdx_locator_path(v->file->name, named, path, sizeof(path)))
		return -ENOENT;
	ret = options->open_parent(options->ctx, path, options->depth + 1, err, &parent);
	if (ret)
		return ret;
	ret = check(v, locator, parent, path, err);
	if (ret) {
		struct error ignored;

		/* It is read-only: closing it changes nothing. */
		if (block_close(parent, &ignored))
			return ret;
	}
	return ret;
}

int vhdx_parent_open(struct vhdx *v, const struct vhdx_open_options *options, struct error *err)
{
	struct vhdx_locator *locator;
	int ret;

	if (!options->open_parent)
		return error_set(err, -ENOTSUP, "%s: is based on another image", v->file->name);
	if (options->depth + 1 >= VHDX_MAX_CHAIN)
		return error_set(err, -ELOOP, "%s: more than %u images are based on each other",
				 v->file->name, VHDX_MAX_CHAIN);
	locator = malloc(sizeof(*locator));
	if (!locator)
		return error_errno(err, -ENOMEM, "%s", v->file->name);
	ret = vhdx_locator_read(&v->image, v->file, err, locator);
	if (ret == 0) {
		const char *paths[3] = {locator->relative, locator->volume, locator->absolute};

		ret = -ENOENT;
		for (int i = 0; ret == -ENOENT && i < 3; i++)
			ret = try(v, options, locator, paths[i], err);
		if (ret == -ENOENT)
			error_set(err, ret, "%s: its parent is not at \"%s\"%s%s%s", v->file->name,
				  locator->relative, *locator->absolute ? " nor at \"" : "",
				  locator->absolute, *locator->absolute ? "\"" : "");
	}
	free(locator);
	return ret;
}
