// SPDX-License-Identifier: MIT
/*
 * VHD images (Virtual PC, Hyper-V before VHDX), per Microsoft's "Virtual Hard Disk Image Format
 * Specification", version 1.0: fixed and dynamic ones to read and write, differencing ones to read.
 *
 * A VHD is hostile input: every field is checked before it is used. Memory is bounded by the block
 * allocation table, 4 bytes a block: 4 MiB for the largest disk with the usual blocks of 2 MiB,
 * never more than VHD_MAX_TABLE.
 *
 * Unlike VHDX, the format has no log. What a crash leaves is an image that opens and has everything
 * that was flushed, since a block is on stable storage before the table says that it is there; a
 * block that the table does not name yet is lost space, which vhd_check() reports and compacting
 * gets back.
 */
#pragma once

#include "devices/block/block.h"

#define VHD_SECTOR_SIZE 512u /* of every disk, and what everything in a file is a multiple of */
#define VHD_MAX_CHAIN   32u
#define VHD_MAX_SIZE    (2040ull << 30) /* bytes of a disk, as Hyper-V has it */
#define VHD_MAX_TABLE   MiB(64)

enum vhd_type { VHD_FIXED, VHD_DYNAMIC, VHD_DIFFERENCING };

struct vhd_open_options {
	bool read_only;
	bool unsafe; /* a flush does nothing, and nothing waits for stable storage */
	/* How many children of this image are open already: 0, or what open_parent() was told. */
	unsigned int depth;
	/*
	 * Opens the parent of a differencing image, read-only, to be given to vhd_open() as its
	 * depth: @depth. @path is one that the image names, made absolute or relative to where this
	 * process is; -ENOENT: the next one is tried. NULL: differencing images are refused. What
	 * it returns is owned by the disk and must be what vhd_open() made.
	 */
	int (*open_parent)(void *ctx, const char *path, unsigned int depth, struct error *err,
			   struct block **ret);
	void *ctx;
};

/*
 * Opens an image. Owns @file when it succeeds. @loop: the file's; NULL for one that is only closed
 * again. A differencing image is read-only, and opening it without read_only fails.
 *
 * -EINVAL: not a VHD; -EUCLEAN: damaged; -ENOTSUP: not known; -ENOENT: parents that are missing;
 * -ESTALE: a parent that is not the one it was; -ELOOP: the chain is too long; what the file
 * returned.
 */
int vhd_open(struct file *file, struct loop *loop, const struct vhd_open_options *options,
	     struct error *err, struct block **ret) must_check;

/* True when @block was made by vhd_open(). */
bool vhd_is(const struct block *block);

/* True when the file ends, or begins, as a VHD does. False also when it cannot be read. */
bool vhd_probe(struct file *file);

struct vhd_info {
	enum vhd_type type;
	uint64_t size;       /* of the disk */
	uint32_t block_size; /* 0 of a fixed one */
	uint64_t blocks, blocks_allocated;
	uint64_t file_size;
	bool dirty; /* the footer at the end is missing or differs from its copy */
	uint8_t id[16];
	uint8_t parent_id[16];
	char creator[8];
	uint32_t timestamp;     /* seconds since 2000-01-01 */
	char parent_path[1024]; /* UTF-8 */
};

/* Reads what there is to know about an image. Modifies nothing; errors as vhd_open(). */
int vhd_info(struct file *file, struct error *err, struct vhd_info *ret) must_check;

struct vhd_create_options {
	enum vhd_type type;
	uint64_t size;       /* bytes, a multiple of 512; at most VHD_MAX_SIZE */
	uint32_t block_size; /* a power of two, 512 KiB to 256 MiB; 0: 2 MiB */
	const uint8_t *id;   /* 16 bytes; NULL: a new one */
	/* VHD_DIFFERENCING. */
	const char *parent_path;     /* UTF-8, relative to the directory the image is in */
	const char *parent_absolute; /* UTF-8, or NULL */
	const uint8_t *parent_id;
	uint32_t parent_timestamp;
};

/* Writes a new image into @file, which must be empty and writable, and makes it durable. */
int vhd_create(struct file *file, const struct vhd_create_options *options,
	       struct error *err) must_check;

enum vhd_finding_kind { VHD_ERROR, VHD_LEAK, VHD_NOTICE };

struct vhd_check_options {
	/* A finding, as one line of text. At most 100 come of each kind. May be NULL. */
	void (*found)(void *ctx, enum vhd_finding_kind kind, const char *text);
	void *ctx;
};

struct vhd_check_result {
	uint64_t errors, leaks, notices;
	uint64_t leaked_bytes;
	uint64_t blocks, blocks_allocated;
};

/* Verifies all there is to verify without a parent. Modifies nothing; 0 also with findings. */
int vhd_check(struct file *file, const struct vhd_check_options *options, struct error *err,
	      struct vhd_check_result *ret) must_check;

/*
 * Makes a fixed image longer or shorter; the caller knows whether what is cut off matters. For an
 * image that nobody has open. -ENOTSUP with text: not a fixed one.
 */
int vhd_resize(struct file *file, uint64_t new_size, struct error *err) must_check;
