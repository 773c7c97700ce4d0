// SPDX-License-Identifier: MIT
/*
 * An image file on the host, as the formats see it: requests that complete on a loop, and plain
 * calls for opening, closing and offline work.
 *
 * Implementations: file_uring.h (the real one), and what tests put in its place to record, reorder
 * and fail. A file belongs to one loop; requests and their callbacks are that loop's. The plain
 * calls block; use them before the VM runs, after it, or where no VM is.
 *
 * Memory that a request points to may be a guest's: its contents can change at any time.
 */
#pragma once

#include <sys/uio.h>

#include "vmm/error.h"
#include "vmm/loop.h"

struct file;

enum file_op {
	FILE_READ,     /* what is past the end of the file reads as zero */
	FILE_WRITE,    /* past the end of the file extends it */
	FILE_SYNC,     /* all that completed before is on stable storage, the file's size too; once
			* one failed, none succeeds until the file is opened again */
	FILE_TRUNCATE, /* to @offset bytes, longer or shorter */
	/* Gives the range back to the host: it reads as zero, the size stays. -EOPNOTSUPP. */
	FILE_DISCARD,
	/*
	 * As FILE_WRITE of zeroes, past the end too, but without moving them where the host can do
	 * that; the range stays allocated where it can do that.
	 */
	FILE_ZERO,
};

struct file_request {
	/* The caller's, unchanged by the file. */
	enum file_op op;
	bool durable; /* FILE_WRITE: on stable storage when done */
	uint64_t offset;
	uint64_t len;            /* of FILE_READ and FILE_WRITE: what @iov holds in all */
	const struct iovec *iov; /* must stay until done */
	unsigned int iov_count;
	/* All done (0), or -errno and it is unknown what was. Not from inside file_submit(). */
	void (*done)(struct file_request *req, int result);

	/* The implementation's. */
	struct loop_op loop_op;
	struct file *file;
	struct file_request *next;
	uint64_t moved;
	void *bounce;
	int mode;
};

struct file_ops {
	void (*submit)(struct file *file, struct file_request *req);
	/* 0 or -errno; all bytes or an error. */
	int (*pread)(struct file *file, void *buf, size_t len, uint64_t offset);
	int (*pwrite)(struct file *file, const void *buf, size_t len, uint64_t offset);
	int (*sync)(struct file *file);
	int (*truncate)(struct file *file, uint64_t size);
	int (*discard)(struct file *file, uint64_t offset, uint64_t len);
	int (*size)(struct file *file, uint64_t *ret);
	/*
	 * Where from @offset on data and holes are, as SEEK_DATA and SEEK_HOLE have it: *ret_len
	 * bytes are all of one kind. A file that cannot tell says it is all data.
	 */
	int (*extent)(struct file *file, uint64_t offset, bool *ret_data, uint64_t *ret_len);
	void (*destroy)(struct file *file); /* nothing may be in flight */
};

/* The head of every implementation's struct. */
struct file {
	const struct file_ops *ops;
	const char *name; /* for messages; the implementation's */
	bool read_only;
};

/* Any number of requests may be in flight; those whose ranges overlap are in no order. */
static inline void file_submit(struct file *file, struct file_request *req)
{
	file->ops->submit(file, req);
}

static inline int file_pread(struct file *file, void *buf, size_t len, uint64_t offset)
{
	return file->ops->pread(file, buf, len, offset);
}

static inline int file_pwrite(struct file *file, const void *buf, size_t len, uint64_t offset)
{
	return file->ops->pwrite(file, buf, len, offset);
}

static inline int file_sync(struct file *file)
{
	return file->ops->sync(file);
}

static inline int file_truncate(struct file *file, uint64_t size)
{
	return file->ops->truncate(file, size);
}

static inline int file_discard(struct file *file, uint64_t offset, uint64_t len)
{
	return file->ops->discard(file, offset, len);
}

static inline int file_size(struct file *file, uint64_t *ret)
{
	return file->ops->size(file, ret);
}

static inline int file_extent(struct file *file, uint64_t offset, bool *ret_data, uint64_t *ret_len)
{
	return file->ops->extent(file, offset, ret_data, ret_len);
}

static inline void file_destroy(struct file *file)
{
	if (file)
		file->ops->destroy(file);
}
