// SPDX-License-Identifier: MIT
/*
 * For tests of files and disks: requests that are submitted and waited for, and patterns by which
 * data are known again. Each test program has its own copy.
 */
#pragma once

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/block/block.h"

#define RUN_PENDING 12345 /* a result that is none */

static struct loop *run_loop;
static unsigned int run_left; /* requests that are not done */

static inline void run_done_one(void)
{
	if (--run_left == 0)
		loop_stop(run_loop);
}

struct run_file_request {
	struct file_request req;
	int result;
};

struct run_block_request {
	struct block_request req;
	int result;
};

static void run_file_done(struct file_request *req, int result)
{
	struct run_file_request *run = container_of(req, struct run_file_request, req);

	ck_assert_int_eq(run->result, RUN_PENDING);
	run->result = result;
	run_done_one();
}

static void run_block_done(struct block_request *req, int result)
{
	struct run_block_request *run = container_of(req, struct run_block_request, req);

	ck_assert_int_eq(run->result, RUN_PENDING);
	run->result = result;
	run_done_one();
}

static inline void run_file_start(struct file *file, struct run_file_request *run)
{
	run->result = RUN_PENDING;
	run->req.done = run_file_done;
	run_left++;
	file_submit(file, &run->req);
	ck_assert_int_eq(run->result, RUN_PENDING);
}

static inline void run_block_start(struct block *block, struct run_block_request *run)
{
	run->result = RUN_PENDING;
	run->req.done = run_block_done;
	run_left++;
	block_submit(block, &run->req);
}

/* Until all that was started is done. */
static inline void run_all(void)
{
	/* What completed from inside block_submit() has stopped a loop that was not running. */
	while (run_left)
		ck_assert_int_eq(loop_run(run_loop), 0);
}

static inline int run_file_iov(struct file *file, enum file_op op, uint64_t offset,
			       const struct iovec *iov, unsigned int count, uint64_t len)
{
	struct run_file_request run = {
		.req = {.op = op, .offset = offset, .len = len, .iov = iov, .iov_count = count}};

	run_file_start(file, &run);
	run_all();
	return run.result;
}

static inline int run_file(struct file *file, enum file_op op, uint64_t offset, void *buf,
			   uint64_t len)
{
	struct iovec iov = {.iov_base = buf, .iov_len = len};

	return run_file_iov(file, op, offset, &iov, 1, len);
}

static inline int run_block(struct block *block, enum block_op op, uint64_t offset, void *buf,
			    uint64_t len)
{
	struct iovec iov = {.iov_base = buf, .iov_len = len};
	struct run_block_request run = {
		.req = {.op = op, .offset = offset, .len = len, .iov = &iov, .iov_count = 1}};

	run_block_start(block, &run);
	run_all();
	return run.result;
}

/* Bytes that depend on @seed and their position, none of them zero for long. */
static inline void run_fill(void *buf, size_t len, uint32_t seed)
{
	unsigned char *bytes = buf;
	uint32_t v = seed * 2654435761u + 1;

	for (size_t i = 0; i < len; i++) {
		v = v * 1664525u + 1013904223u;
		bytes[i] = (unsigned char)(v >> 24);
	}
}

static inline void run_check(const void *buf, size_t len, uint32_t seed)
{
	unsigned char *expected = malloc(len);

	ck_assert_ptr_nonnull(expected);
	run_fill(expected, len, seed);
	ck_assert_msg(memcmp(buf, expected, len) == 0, "not the data of seed %u", seed);
	free(expected);
}

static inline void run_check_zero(const void *buf, size_t len)
{
	const unsigned char *bytes = buf;
	size_t i = 0;

	while (i < len && bytes[i] == 0)
		i++;
	ck_assert_msg(i == len, "byte %zu is 0x%02x", i, i < len ? bytes[i] : 0);
}

static inline void *run_memory(size_t len)
{
	void *memory = NULL;

	ck_assert_int_eq(posix_memalign(&memory, 4096, len), 0);
	memset(memory, 0xee, len);
	return memory;
}

static inline void run_setup(void)
{
	struct error err;

	run_left = 0;
	ck_assert_int_eq(loop_create(0, &err, &run_loop), 0);
}

static inline void run_teardown(void)
{
	loop_destroy(run_loop);
}
