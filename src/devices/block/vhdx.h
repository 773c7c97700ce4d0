// SPDX-License-Identifier: MIT
/*
 * VHDX images, per MS-VHDX: opening one as a disk, making one, and the work that is done while no
 * VM uses it.
 *
 * Everything goes through struct file's calls and nothing else, so that what an image looks like
 * after a crash can be tested. The file is not locked here; whoever opened it did that.
 *
 * What a crash leaves, at any moment, is an image that opens, passes vhdx_check(), has everything
 * that was flushed, and for each sector written since its old or its new contents. The rules for
 * that are at the top of vhdx_flush.c.
 *
 * A VHDX is hostile input: every field is checked before it is used, and what the file may cost in
 * memory is bounded: the block allocation table, 4 bytes a block where it is not empty (8 MiB for
 * a full 64 TiB disk with 32 MiB blocks, 270 MiB with the smallest), and a bit a MiB of file.
 */
#pragma once

#include "devices/block/block.h"

#define VHDX_MAX_CHAIN 32u /* images in a chain of differencing disks */
#define VHDX_MAX_SIZE  (64ull << 40)

struct vhdx_open_options {
	bool read_only; /* the file is not written, not even to replay its log */
	bool unsafe;    /* a flush does nothing, and nothing waits for stable storage */
	/* How many children of this image are open already: 0, or what open_parent() was told. */
	unsigned int depth;
	/*
	 * Opens the parent of a differencing image, read-only: @path is one of those the image
	 * names, made absolute or relative to where this process is. -ENOENT: the next one is
	 * tried. To be given to vhdx_open() as its depth: @depth. NULL: differencing images are
	 * refused. What it returns is owned by the disk, and must be what vhdx_open() made and
	 * nothing around it, for its DataWriteGuid is compared.
	 */
	int (*open_parent)(void *ctx, const char *path, unsigned int depth, struct error *err,
			   struct block **ret);
	void *ctx;
};

/*
 * Opens an image, replaying its log first when it was not closed cleanly (in memory when
 * read_only). Owns @file when it succeeds; after a failure it is still the caller's. A file that
 * is read_only needs options that are. @loop: the one of @file; it may be NULL for an image that
 * is only closed again.
 *
 * -EINVAL: not a VHDX; -EUCLEAN: damaged; -ENOTSUP: a feature that is not known; -ENOENT: parents
 * that are missing; -ESTALE: a parent that was changed; -ELOOP: the chain is too long; and what the
 * file returned.
 *
 * The disk: BLOCK_FLUSH makes data and metadata durable; -ENOSPC fails only the request that
 * wanted the space; after an error of the log, a header or a sync, everything but reads fails with
 * -EIO, and the next open replays what had become durable. BLOCK_UNMAP and BLOCK_WRITE_ZEROES with
 * @unmap give whole blocks back: when they are done, the change is durable and the host has the
 * space. Internal work is always part of a request that is not done yet: with no requests in
 * flight, there is nothing in flight in the file.
 */
int vhdx_open(struct file *file, struct loop *loop, const struct vhdx_open_options *options,
	      struct error *err, struct block **ret) must_check;

/* True when @block was made by vhdx_open(). */
bool vhdx_is(const struct block *block);

/* True when the file begins as a VHDX does. False also when it cannot be read. */
bool vhdx_probe(struct file *file);

enum vhdx_type { VHDX_DYNAMIC, VHDX_FIXED, VHDX_DIFFERENCING };

struct vhdx_info {
	enum vhdx_type type;
	uint64_t size;             /* of the disk */
	uint32_t block_size;       /* bytes, 1 MiB to 256 MiB */
	uint32_t logical_sector;   /* 512 or 4096 */
	uint32_t physical_sector;  /* 512 or 4096 */
	uint64_t blocks;           /* payload blocks the disk has */
	uint64_t blocks_allocated; /* that have space in the file */
	uint64_t file_size;
	bool dirty; /* the log is to be replayed; the above is as it will be after that */
	uint8_t disk_id[16];
	uint8_t file_write_guid[16];
	uint8_t data_write_guid[16]; /* what a child notes as its parent_linkage */
	uint8_t parent_data_write_guid[16];
	char creator[256];      /* UTF-8, as the file has it */
	char parent_path[1024]; /* UTF-8, as the file has it; the relative one first */
};

/* Reads what there is to know about an image. Modifies nothing; errors as vhdx_open(). */
int vhdx_info(struct file *file, struct error *err, struct vhdx_info *ret) must_check;

struct vhdx_create_options {
	enum vhdx_type type;
	uint64_t size;       /* bytes, a multiple of logical_sector; at most VHDX_MAX_SIZE */
	uint32_t block_size; /* a power of two, 1 MiB to 256 MiB; 0: 32 MiB, 2 MiB with a parent */
	uint32_t logical_sector;  /* 512 or 4096; 0: 512, or the parent's */
	uint32_t physical_sector; /* 512 or 4096; 0: 4096 */
	/* VHDX_DIFFERENCING. */
	const char *parent_path;       /* UTF-8, relative to the directory the image is in */
	const char *parent_absolute;   /* UTF-8, or NULL */
	const uint8_t *parent_linkage; /* the parent's data_write_guid */
	const uint8_t *disk_id; /* 16 bytes; a differencing disk keeps its parent's. NULL: new */
};

/*
 * Writes a new image into @file, which must be empty and writable, and makes it durable. A fixed
 * image is as long as its disk; its blocks are not written (the host may keep the file sparse).
 * -EINVAL: options that do not go together, with text.
 */
int vhdx_create(struct file *file, const struct vhdx_create_options *options,
		struct error *err) must_check;

enum vhdx_finding_kind {
	VHDX_ERROR,  /* damaged: data are or will be wrong */
	VHDX_LEAK,   /* space that belongs to nothing; compacting gets it back */
	VHDX_NOTICE, /* harmless: the log is not empty, one of two copies is unusable */
};

struct vhdx_check_options {
	/* A finding, as one line of text. May be NULL. At most 100 come of each kind. */
	void (*found)(void *ctx, enum vhdx_finding_kind kind, const char *text);
	void *ctx;
};

struct vhdx_check_result {
	uint64_t errors, leaks, notices; /* also those not reported */
	uint64_t leaked_bytes;
	uint64_t blocks, blocks_allocated;
};

/*
 * Verifies all there is to verify without a parent: identifier, headers, region tables, metadata,
 * the log (as it will be replayed), every BAT entry, overlaps, sector bitmaps, and space that is
 * lost. Modifies nothing. 0 also when something was found; -errno when the file could not be read.
 */
int vhdx_check(struct file *file, const struct vhdx_check_options *options, struct error *err,
	       struct vhdx_check_result *ret) must_check;

/*
 * The offline changes below replay the log first, survive a crash at any moment, and leave a clean
 * image. They are for images nobody has open.
 */

/*
 * Makes the disk longer or shorter. -EBUSY: blocks above the new end hold data, and no @discard.
 * A fixed image keeps all its blocks allocated.
 */
int vhdx_resize(struct file *file, uint64_t new_size, bool discard, struct error *err) must_check;

struct vhdx_progress {
	/* @done of @total bytes; false ends the work early (-ECANCELED), with a good image. */
	bool (*step)(void *ctx, uint64_t done, uint64_t total);
	void *ctx;
};

/*
 * Moves blocks down into free space and truncates the file behind the last; blocks that hold only
 * zeroes are given up (not in a fixed image). @progress may be NULL.
 */
int vhdx_compact(struct file *file, const struct vhdx_progress *progress, struct error *err,
		 uint64_t *ret_saved) must_check;

/* Notes in a differencing image which parent it has: after the parent was moved or converted. */
int vhdx_set_parent(struct file *file, const char *parent_path, const char *parent_absolute,
		    const uint8_t *parent_linkage, struct error *err) must_check;
