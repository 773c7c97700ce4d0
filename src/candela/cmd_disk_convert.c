// SPDX-License-Identifier: MIT
/*
 * candela disk convert. Main thread.
 */
#include <errno.h>
#include <stdlib.h>

#include "candela/cmd_disk.h"
#include "candela/exit_status.h"

struct convert {
	const struct disk_args *args;
	struct loop *loop;
	struct block *source;
	struct disk_target target;
	struct disk_new new;
};

static int open_source(struct convert *c, struct error *err)
{
	struct block_config config = {
		.path = c->args->words[0],
		.format = c->args->source_format,
		.cache = BLOCK_CACHE_WRITEBACK,
		.read_only = true,
	};

	return block_open(&config, c->loop, err, &c->source);
}

/* What the target is to be: of the source's size, and with its sectors. */
static int plan(struct convert *c, struct error *err)
{
	const struct block_info *info = &c->source->info;
	struct disk_new *new = &c->new;
	int r;

	r = disk_new_from_args(c->args, c->args->words[1], new, err);
	if (r)
		return r;
	if (new->format == BLOCK_FORMAT_VHD && info->logical_sector != 512)
		return error_set(err, -EINVAL,
				 "%s: has sectors of %u bytes, and a VHD can only have 512",
				 c->source->name, info->logical_sector);
	if (new->format == BLOCK_FORMAT_VHDX &&new->logical_sector == 0)
		new->logical_sector = info->logical_sector;
	new->size = align_up(info->size, max_of(new->logical_sector, (uint32_t)512));
	return 0;
}

/* The new image is made and opened again, as a disk. A device is written as it is. */
static int open_target(struct convert *c, struct error *err, struct block **ret)
{
	bool device = !c->target.temporary[0];
	struct block_config config = {
		.path = device ? c->target.path : c->target.temporary,
		.format = c->new.format,
		.cache = device ? BLOCK_CACHE_NONE : BLOCK_CACHE_UNSAFE,
	};
	struct block *block;
	int r = 0;

	if (device && c->new.format != BLOCK_FORMAT_RAW)
		return error_set(err, -EINVAL, "%s: only a raw image can be on a block device",
				 c->target.path);
	if (!device)
		r = disk_make(c->target.file, c->target.path, &c->new, err);
	file_destroy(c->target.file);
	c->target.file = NULL;
	if (r == 0)
		r = block_open(&config, c->loop, err, &block);
	if (r)
		return r;
	if (block->info.size < c->source->info.size) {
		r = block_close(block, err);
		return error_set(err, r ? r : -EINVAL, "%s: smaller than the disk in %s",
				 c->target.path, c->source->name);
	}
	*ret = block;
	return 0;
}

static int fill_target(struct convert *c, struct error *err)
{
	bool device = !c->target.temporary[0];
	struct block *block = NULL;
	int r, closed;

	r = open_target(c, err, &block);
	if (r)
		return r;
	r = disk_copy(c->loop, c->source, block, device, c->target.path, err);
	closed = block_close(block, r ? NULL : err);
	return r ? r : closed;
}

static int convert(struct convert *c, struct error *err)
{
	int r;

	r = loop_create(0, err, &c->loop);
	if (r == 0)
		r = open_source(c, err);
	if (r == 0)
		r = plan(c, err);
	if (r == 0)
		r = disk_target_open(&c->target, c->args->words[1], c->args->force, NULL, err);
	if (r == 0)
		r = fill_target(c, err);
	if (r == 0)
		r = disk_target_commit(&c->target, err);
	return r;
}

int cmd_disk_convert(const struct disk_args *args)
{
	struct convert c = {.args = args};
	struct error err;
	int r = convert(&c, &err), closed;

	disk_target_finish(&c.target);
	closed = block_close(c.source, NULL);
	(void)closed; /* it was only read */
	loop_destroy(c.loop);
	if (r == -EINTR)
		return disk_fail(r, &err), STATUS_SIGNAL_BASE + disk_interrupted();
	return r ? disk_fail(r, &err) : EXIT_SUCCESS;
}
