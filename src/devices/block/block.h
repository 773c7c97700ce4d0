// SPDX-License-Identifier: MIT
/*
 * A disk as its frontends see it (SCSI now): bytes that are read, written, flushed and unmapped,
 * whatever is behind them (raw, VHD, VHDX, a throw-away layer, limits).
 *
 * A disk belongs to one loop: requests are submitted and completed on it. Frontends check ranges
 * against the disk's size before they submit; the disk checks again and answers -EINVAL.
 *
 * What is acknowledged may be lost in a crash until a BLOCK_FLUSH that was submitted after it is
 * done, or when it had @fua set. A sector that was not flushed holds its old or its new contents.
 */
#pragma once

#include "devices/block/file.h"

struct block;

enum block_op {
	BLOCK_READ,
	BLOCK_WRITE,
	BLOCK_FLUSH,
	BLOCK_UNMAP, /* contents do not matter any more; reads as zero or as before. A hint. */
	BLOCK_WRITE_ZEROES,
};

/* The first eight are the format's, the others those of the layers on top of it. */
#define BLOCK_PRIVATE_WORDS 10u
#define BLOCK_PRIVATE_RETRY 8u /* and the next: those of block_retry.c */

struct block_request {
	/* The frontend's, unchanged by the disk. */
	enum block_op op;
	bool fua;        /* BLOCK_WRITE, BLOCK_WRITE_ZEROES: durable when done */
	bool unmap;      /* BLOCK_WRITE_ZEROES: the space may be given back */
	uint64_t offset; /* bytes, a multiple of the logical sector; so is @len */
	uint64_t len;
	const struct iovec *iov; /* BLOCK_READ, BLOCK_WRITE: @len bytes; stays until done */
	unsigned int iov_count;
	/*
	 * 0, or -errno: -ENOSPC (the host has no space), -EROFS, -EINVAL, -EIO and others. May come
	 * from inside block_submit(). The request is the frontend's again.
	 */
	void (*done)(struct block_request *req, int result);

	/* The disk's: for the request that goes to the file, and for what the layers note. */
	struct block *block;
	struct block_request *next;
	struct file_request file;
	uint64_t private[BLOCK_PRIVATE_WORDS];
};

struct block_info {
	uint64_t size; /* bytes, a multiple of logical_sector */
	uint32_t logical_sector;
	uint32_t physical_sector;
	bool read_only;
	bool unmap;                 /* BLOCK_UNMAP gives space back */
	uint32_t unmap_granularity; /* bytes; what is smaller or not aligned is not given back */
	uint8_t id[16];             /* the same for as long as the image exists; zero: none */
	const char *format;         /* "raw", "vhd", "vhdx" */
};

enum block_map { BLOCK_MAPPED, BLOCK_UNMAPPED };

struct block_ops {
	void (*submit)(struct block *block, struct block_request *req);
	/* *ret_len bytes from @offset on (> 0) are all mapped or all not. Answers at once. */
	enum block_map (*map)(struct block *block, uint64_t offset, uint64_t *ret_len);
	/*
	 * Makes what was written durable and the image clean, and frees the disk. Nothing may be in
	 * flight. Blocks. -errno: something may not be on disk, @err says what.
	 */
	int (*close)(struct block *block, struct error *err);
};

/* The head of every implementation's struct. */
struct block {
	const struct block_ops *ops;
	struct block_info info; /* fixed while the disk is open, but for size */
	const char *name;       /* for messages; the implementation's */
};

static inline void block_submit(struct block *block, struct block_request *req)
{
	req->block = block;
	block->ops->submit(block, req);
}

static inline enum block_map block_map(struct block *block, uint64_t offset, uint64_t *ret_len)
{
	return block->ops->map(block, offset, ret_len);
}

/*
 * What every implementation answers a request with before it looks further: 0, -EINVAL (range,
 * alignment, a vector that is not as long as it says) or -EROFS.
 */
int block_check(const struct block *block, const struct block_request *req) must_check;

/* NULL is fine. */
int block_close(struct block *block, struct error *err) must_check;
