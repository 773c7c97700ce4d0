// SPDX-License-Identifier: MIT
/*
 * Opens disks: the file, its format, its parents, and the layers on top. No state.
 *
 * What a file is goes by its name, and its contents must agree. Contents alone would not do: a
 * guest writes those of a raw image, and could turn it into one that names any file of the host as
 * its parent, to be opened the next time.
 */
#include "devices/block/block_open.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "devices/block/block_limits.h"
#include "devices/block/block_overlay.h"
#include "devices/block/block_retry.h"
#include "devices/block/file_uring.h"
#include "devices/block/raw.h"
#include "devices/block/vhd.h"
#include "devices/block/vhdx.h"

/* What is the same for an image and its parents. */
struct chain {
	const struct block_config *config;
	struct loop *loop;
};

static unsigned int file_flags(const struct block_config *config, bool read_only)
{
	return (read_only ? FILE_URING_READ_ONLY : 0) |
	       (config->cache == BLOCK_CACHE_NONE ? FILE_URING_DIRECT : 0) |
	       (config->cache == BLOCK_CACHE_UNSAFE ? FILE_URING_NO_SYNC : 0);
}

/* --- formats -------------------------------------------------------------------------------- */

static bool ends_with(const char *name, const char *end)
{
	size_t len = strlen(name), end_len = strlen(end);

	return len > end_len && strcasecmp(name + len - end_len, end) == 0;
}

enum block_format block_format_of_name(const char *path)
{
	if (ends_with(path, ".vhdx") || ends_with(path, ".avhdx"))
		return BLOCK_FORMAT_VHDX;
	if (ends_with(path, ".vhd") || ends_with(path, ".avhd"))
		return BLOCK_FORMAT_VHD;
	return BLOCK_FORMAT_RAW;
}

int block_find_format(struct file *file, const char *path, enum block_format wanted,
		      struct error *err, enum block_format *ret)
{
	enum block_format named = block_format_of_name(path);

	if (wanted == BLOCK_FORMAT_AUTO && named == BLOCK_FORMAT_RAW) {
		if (vhdx_probe(file) || vhd_probe(file))
			return error_set(err, -EINVAL,
					 "%s: looks like a %s image, but is not named like one; "
					 "say which format it has (format=...)",
					 path, vhdx_probe(file) ? "VHDX" : "VHD");
	}
	*ret = wanted == BLOCK_FORMAT_AUTO ? named : wanted;
	if (*ret == BLOCK_FORMAT_VHDX && !vhdx_probe(file))
		return error_set(err, -EINVAL, "%s: not a VHDX image%s", path,
				 wanted == BLOCK_FORMAT_AUTO ? " (if it is raw, say format=raw)"
							     : "");
	if (*ret == BLOCK_FORMAT_VHD && !vhd_probe(file))
		return error_set(err, -EINVAL, "%s: not a VHD image%s", path,
				 wanted == BLOCK_FORMAT_AUTO ? " (if it is raw, say format=raw)"
							     : "");
	return 0;
}

/* --- parents: read-only, of the child's format ---------------------------------------------- */

static int open_vhdx(const struct chain *chain, struct file *file, bool read_only,
		     unsigned int depth, struct error *err, struct block **ret);
static int open_vhd(const struct chain *chain, struct file *file, bool read_only,
		    unsigned int depth, struct error *err, struct block **ret);

static int open_vhdx_parent(void *ctx, const char *path, unsigned int depth, struct error *err,
			    struct block **ret)
{
	const struct chain *chain = ctx;
	struct file *file;
	int r;

	r = file_uring_open(path, file_flags(chain->config, true), chain->loop, err, &file);
	if (r)
		return r;
	r = open_vhdx(chain, file, true, depth, err, ret);
	if (r)
		file_destroy(file);
	return r;
}

static int open_vhd_parent(void *ctx, const char *path, unsigned int depth, struct error *err,
			   struct block **ret)
{
	const struct chain *chain = ctx;
	struct file *file;
	int r;

	r = file_uring_open(path, file_flags(chain->config, true), chain->loop, err, &file);
	if (r)
		return r;
	r = open_vhd(chain, file, true, depth, err, ret);
	if (r)
		file_destroy(file);
	return r;
}

static int open_vhdx(const struct chain *chain, struct file *file, bool read_only,
		     unsigned int depth, struct error *err, struct block **ret)
{
	struct vhdx_open_options options = {
		.read_only = read_only,
		.unsafe = chain->config->cache == BLOCK_CACHE_UNSAFE,
		.depth = depth,
		.open_parent = open_vhdx_parent,
		.ctx = (void *)(uintptr_t)chain,
	};

	return vhdx_open(file, chain->loop, &options, err, ret);
}

static int open_vhd(const struct chain *chain, struct file *file, bool read_only,
		    unsigned int depth, struct error *err, struct block **ret)
{
	struct vhd_open_options options = {
		.read_only = read_only,
		.unsafe = chain->config->cache == BLOCK_CACHE_UNSAFE,
		.depth = depth,
		.open_parent = open_vhd_parent,
		.ctx = (void *)(uintptr_t)chain,
	};

	/* Most of an image could only be written by detours. */
	if (file_uring_info(file)->range_alignment > VHD_SECTOR_SIZE)
		file_uring_use_cache(file);
	return vhd_open(file, chain->loop, &options, err, ret);
}

/* --- the image ------------------------------------------------------------------------------ */

static int open_raw(const struct block_config *config, struct file *file, bool read_only,
		    struct error *err, struct block **ret)
{
	const struct file_uring_info *info = file_uring_info(file);
	struct raw_options options = {
		.read_only = read_only,
		.logical_sector =
			config->logical_sector ? config->logical_sector : info->logical_sector,
		.physical_sector = info->physical_sector,
		.unmap = info->discard,
		.unmap_granularity = info->discard_granularity,
	};

	return raw_open(file, info->block_device, &options, err, ret);
}

static int open_format(const struct chain *chain, struct file *file, bool read_only,
		       struct error *err, struct block **ret)
{
	const struct block_config *config = chain->config;
	enum block_format format = BLOCK_FORMAT_RAW;
	int r;

	r = block_find_format(file, config->path, config->format, err, &format);
	if (r)
		return r;
	if (format == BLOCK_FORMAT_VHDX)
		r = open_vhdx(chain, file, read_only, 0, err, ret);
	else if (format == BLOCK_FORMAT_VHD)
		r = open_vhd(chain, file, read_only, 0, err, ret);
	else
		r = open_raw(config, file, read_only, err, ret);
	return r;
}

static int open_image(const struct block_config *config, struct loop *loop, struct error *err,
		      struct block **ret)
{
	const struct chain chain = {.config = config, .loop = loop};
	bool read_only = config->read_only || config->ephemeral;
	struct block *block = NULL;
	struct file *file;
	uint32_t sector;
	int r;

	r = file_uring_open(config->path, file_flags(config, read_only), loop, err, &file);
	if (r)
		return r;
	r = open_format(&chain, file, read_only, err, &block);
	if (r) {
		file_destroy(file);
		return r;
	}
	sector = block->info.logical_sector;
	if (config->logical_sector && config->logical_sector != sector) {
		int closed = block_close(block, NULL);

		(void)closed; /* nothing was written */
		return error_set(err, -EINVAL,
				 "%s: has sectors of %u bytes, not of %u; only those of a raw "
				 "image can be chosen",
				 config->path, sector, config->logical_sector);
	}
	*ret = block;
	return 0;
}

/* --- layers --------------------------------------------------------------------------------- */

static int add_overlay(struct block *lower, struct loop *loop, struct error *err,
		       struct block **ret)
{
	const char *dir = getenv("TMPDIR");
	struct file *file;
	int r;

	r = file_uring_open_temporary(dir && *dir ? dir : "/var/tmp", loop, err, &file);
	if (r)
		return r;
	r = block_overlay_create(lower, file, loop, err, ret);
	if (r)
		file_destroy(file);
	return r;
}

int block_open(const struct block_config *config, struct loop *loop, struct error *err,
	       struct block **ret)
{
	struct block *block = NULL;
	int r;

	r = open_image(config, loop, err, &block);
	if (r)
		return r;
	if (config->ephemeral && !config->read_only)
		r = add_overlay(block, loop, err, &block);
	if (r == 0 && (config->limits.iops || config->limits.bytes_per_second))
		r = block_limits_create(block, &config->limits, loop, err, &block);
	/* On top, so that what is tried again waits for its turn again. */
	if (r == 0 && config->on_error == BLOCK_ERROR_STOP_ENOSPC)
		r = block_retry_create(block, config->stop, config->ctx, err, &block);
	if (r) {
		int closed = block_close(block, NULL);

		(void)closed; /* nothing was written */
		return r;
	}
	*ret = block;
	return 0;
}
