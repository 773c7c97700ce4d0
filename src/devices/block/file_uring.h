// SPDX-License-Identifier: MIT
/*
 * Files and block devices of the host through io_uring.
 *
 * Data go straight between the file and the memory of the request. With FILE_URING_DIRECT they also
 * go around the host's page cache (O_DIRECT); then, what the file system cannot take as it is goes
 * another way: memory that is not aligned through a buffer of ours, and a range of a write that is
 * not through the page cache, while no other write is under way. Files whose file system has no
 * O_DIRECT use the page cache. Nothing is allocated per request; FILE_TRUNCATE is done at once and
 * may block for a moment.
 *
 * Everything belongs to the loop's thread.
 */
#pragma once

#include "devices/block/file.h"
#include "vmm/counter.h"

enum file_uring_flag {
	FILE_URING_READ_ONLY = 1 << 0,
	FILE_URING_DIRECT = 1 << 1,
	FILE_URING_NO_SYNC = 1 << 2, /* FILE_SYNC and durable do nothing; file_sync() still does */
	FILE_URING_CREATE = 1 << 3,  /* a new file: -EEXIST when there is one */
};

struct file_uring_info {
	bool block_device;
	bool direct;
	uint32_t memory_alignment; /* of memory; and of ranges: what needs no detour. 1 or more */
	uint32_t range_alignment;
	uint32_t logical_sector;  /* of a block device; 512 of a file */
	uint32_t physical_sector; /* what the host writes at once: a power of two, 512 to 4096 */
	bool discard;
	uint32_t discard_granularity;
};

struct file_uring_counters {
	struct counter requests;
	struct counter bounced;   /* pieces that went through a buffer */
	struct counter detours;   /* writes that went through the page cache */
	struct counter continued; /* short reads and writes */
	struct counter retried;   /* EINTR, EAGAIN, and the queue was full */
};

/*
 * Opens the file, and locks it (file_lock.h). @loop may be NULL when no requests are made, but only
 * plain calls. -errno with text.
 */
int file_uring_open(const char *path, unsigned int flags, struct loop *loop, struct error *err,
		    struct file **ret) must_check;

/* A new file without a name in the directory @dir, for both reading and writing. */
int file_uring_open_temporary(const char *dir, struct loop *loop, struct error *err,
			      struct file **ret) must_check;

/*
 * Has requests go through the page cache from here on. For a format whose data are not aligned as
 * O_DIRECT would want them to be. Nothing may be in flight.
 */
void file_uring_use_cache(struct file *file);

/* Of a file that one of these opened. */
const struct file_uring_info *file_uring_info(struct file *file);
const struct file_uring_counters *file_uring_counters(struct file *file);
