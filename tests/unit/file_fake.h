// SPDX-License-Identifier: MIT
/*
 * A file in memory that tests put in the place of a real one: requests complete on the loop, in
 * order or not, and can be made to fail. Each request is recorded.
 */
#pragma once

#include "devices/block/file.h"

#define FILE_FAKE_LOG 4096u

struct file_fake_entry {
	enum file_op op;
	bool durable;
	uint64_t offset, len;
};

struct file_fake {
	struct file file;
	struct loop *loop;
	char *data;
	uint64_t size, capacity;
	bool no_discard; /* FILE_DISCARD answers -EOPNOTSUPP */
	bool newest_first;
	bool held; /* nothing completes until file_fake_release() */

	/* The request with this number (from 1 on), and @fail_count in all, fail so. 0: none. */
	uint64_t fail_at, fail_count;
	int fail_result;
	enum file_op fail_op; /* only these count for fail_at, when fail_any_op is false */
	bool fail_any_op;

	struct file_fake_entry log[FILE_FAKE_LOG];
	uint64_t requests; /* all there were; the log has the first ones */
	uint64_t counted;  /* those that fail_at counts */
	struct file_request *head;
	struct loop_deferred deferred;
	unsigned int destroyed;
};

/* @capacity: what the file can grow to; past it -ENOSPC. Not freed by file_destroy(). */
void file_fake_init(struct file_fake *fake, struct loop *loop, uint64_t capacity);
void file_fake_finish(struct file_fake *fake);
void file_fake_release(struct file_fake *fake);
/* The next @count requests of kind @op from now on, after @skip that succeed, fail. */
void file_fake_fail(struct file_fake *fake, enum file_op op, uint64_t skip, uint64_t count,
		    int result);
