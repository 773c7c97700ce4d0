// SPDX-License-Identifier: MIT
/*
 * Opens a disk from its image file: finds out the format, opens its parents, and puts the layers
 * that were asked for on top. Used by the machine and by `candela disk`.
 *
 * A file that is open for writing is locked against every other process that asks for the lock (OFD
 * locks, as qemu-img does too); one open for reading is shared with readers only.
 */
#pragma once

#include "devices/block/block.h"

enum block_format { BLOCK_FORMAT_AUTO, BLOCK_FORMAT_RAW, BLOCK_FORMAT_VHD, BLOCK_FORMAT_VHDX };

enum block_cache {
	BLOCK_CACHE_NONE,      /* O_DIRECT where the file system can do it */
	BLOCK_CACHE_WRITEBACK, /* through the host's page cache; a flush is a flush */
	BLOCK_CACHE_UNSAFE,    /* as writeback, and a flush does nothing */
};

enum block_on_error {
	BLOCK_ERROR_REPORT,
	BLOCK_ERROR_STOP_ENOSPC, /* -ENOSPC pauses the VM; it is tried again when it resumes */
};

struct block_limits {
	uint64_t iops, bytes_per_second; /* 0: no limit */
	uint64_t burst_ios, burst_bytes; /* saved up at most; 0: one tenth of a second's worth */
};

struct block_config {
	const char *path;
	enum block_format format;
	enum block_cache cache;
	bool read_only;
	bool ephemeral; /* what is written is kept until the disk is closed, not in the image */
	uint32_t logical_sector; /* of a raw image: 512 or 4096; 0: 512 */
	struct block_limits limits;
	enum block_on_error on_error;
	/* BLOCK_ERROR_STOP_ENOSPC: asks for the VM to be paused. On the loop. May be NULL. */
	void (*stop)(void *ctx, const char *why);
	void *ctx;
};

/* -errno with text: no such file, locked, not an image, damaged, a parent is missing or changed. */
int block_open(const struct block_config *config, struct loop *loop, struct error *err,
	       struct block **ret) must_check;

/*
 * What waits because of BLOCK_ERROR_STOP_ENOSPC: it is tried again, or answered -ENOSPC, as is all
 * that would come to wait later; for ending a VM that is paused. On the disk's loop.
 */
void block_retry(struct block *block);
void block_give_up(struct block *block);

/* The format that a file's name says it has: by its ending; raw when that is none of ours. */
enum block_format block_format_of_name(const char *path);

/*
 * The format of a file at @path, when @wanted is what was asked for. BLOCK_FORMAT_AUTO: what its
 * name says. -EINVAL with text: the contents are another one's.
 */
int block_find_format(struct file *file, const char *path, enum block_format wanted,
		      struct error *err, enum block_format *ret) must_check;
