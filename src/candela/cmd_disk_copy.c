// SPDX-License-Identifier: MIT
/*
 * Copying a disk: several pieces at a time, each read, looked at, and what of it is not zero
 * written. Parts that the source does not have are not read. One loop; main thread.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "candela/cmd_disk.h"

#define PIECE_SIZE  MiB(1)
#define PIECE_COUNT 8u
#define GRAIN       KiB(4) /* zeroes are looked for in units of this */

struct copy;

struct piece {
	struct copy *copy;
	struct block_request req;
	struct iovec iov;
	char *data;
	uint64_t offset, len, at; /* of the disk; what of it is dealt with */
	bool busy;
};

struct copy {
	struct loop *loop;
	struct block *from, *to;
	bool zero;
	uint64_t next; /* what is before it is being copied */
	struct piece pieces[PIECE_COUNT];
	unsigned int busy;
	int result;
	const char *failed; /* whose the result is */
	struct disk_progress progress;
};

static void start(struct piece *piece);

static bool is_zero(const char *data, uint64_t len)
{
	/* Every byte equals the one before it, and the first is zero. */
	return data[0] == 0 && memcmp(data, data + 1, len - 1) == 0;
}

static void piece_over(struct piece *piece)
{
	struct copy *copy = piece->copy;

	piece->busy = false;
	copy->busy--;
	disk_progress_step(&copy->progress, copy->next, copy->from->info.size);
	if (copy->result == 0 && !disk_interrupted())
		start(piece);
	if (copy->busy == 0)
		loop_stop(copy->loop);
}

static void fail(struct piece *piece, int result, const char *name)
{
	if (piece->copy->result == 0) {
		piece->copy->result = result;
		piece->copy->failed = name;
	}
	piece_over(piece);
}

static void submit(struct piece *piece, struct block *block, enum block_op op, uint64_t at,
		   uint64_t len, void (*done)(struct block_request *req, int result))
{
	piece->iov = (struct iovec){.iov_base = piece->data + at, .iov_len = (size_t)len};
	piece->req = (struct block_request){
		.op = op,
		.unmap = op == BLOCK_WRITE_ZEROES,
		.offset = piece->offset + at,
		.len = len,
		.iov = &piece->iov,
		.iov_count = 1,
		.done = done,
	};
	block_submit(block, &piece->req);
}

static void written(struct block_request *req, int result);

/* The next run of grains that are alike. */
static uint64_t next_run(const struct piece *piece, bool *ret_zero)
{
	uint64_t at = piece->at, len;
	bool first = true;

	while (at < piece->len) {
		bool zero;

		len = min_of(GRAIN, piece->len - at);
		zero = is_zero(piece->data + at, len);
		if (!first && zero != *ret_zero)
			break;
		*ret_zero = zero;
		first = false;
		at += len;
	}
	return at - piece->at;
}

static void write_next(struct piece *piece)
{
	struct copy *copy = piece->copy;

	while (piece->at < piece->len) {
		uint64_t at = piece->at, len;
		bool zero = false;

		len = next_run(piece, &zero);
		piece->at += len;
		if (zero && !copy->zero)
			continue;
		submit(piece, copy->to, zero ? BLOCK_WRITE_ZEROES : BLOCK_WRITE, at, len, written);
		return;
	}
	piece_over(piece);
}

static void written(struct block_request *req, int result)
{
	struct piece *piece = container_of(req, struct piece, req);

	if (result)
		fail(piece, result, piece->copy->to->name);
	else
		write_next(piece);
}

static void read_done(struct block_request *req, int result)
{
	struct piece *piece = container_of(req, struct piece, req);

	if (result) {
		fail(piece, result, piece->copy->from->name);
		return;
	}
	piece->at = 0;
	write_next(piece);
}

/* What the source does not have is zero: past it, or zeroed as one piece. */
static void start(struct piece *piece)
{
	struct copy *copy = piece->copy;
	uint64_t size = copy->from->info.size, len;

	while (copy->next < size) {
		enum block_map map = block_map(copy->from, copy->next, &len);

		piece->offset = copy->next;
		if (map == BLOCK_UNMAPPED && !copy->zero) {
			copy->next += len;
			continue;
		}
		piece->len = map == BLOCK_MAPPED ? min_of(len, PIECE_SIZE) : len;
		copy->next += piece->len;
		piece->busy = true;
		copy->busy++;
		if (map == BLOCK_MAPPED) {
			submit(piece, copy->from, BLOCK_READ, 0, piece->len, read_done);
		} else {
			piece->at = piece->len;
			submit(piece, copy->to, BLOCK_WRITE_ZEROES, 0, piece->len, written);
		}
		return;
	}
}

static int run(struct copy *copy)
{
	int r = 0;

	for (unsigned int i = 0; i < PIECE_COUNT; i++)
		start(&copy->pieces[i]);
	while (r == 0 && copy->busy)
		r = loop_run(copy->loop);
	return r;
}

static int verdict(const struct copy *copy, int r, struct error *err)
{
	if (r)
		return error_errno(err, r, "the event loop failed");
	if (copy->result)
		return error_errno(err, copy->result, "%s: cannot %s it", copy->failed,
				   copy->failed == copy->from->name ? "read" : "write");
	if (disk_interrupted())
		return error_set(err, -EINTR, "%s: ended by signal %d", copy->progress.what,
				 disk_interrupted());
	return 0;
}

int disk_copy(struct loop *loop, struct block *from, struct block *to, bool zero, const char *what,
	      struct error *err)
{
	struct copy *copy = calloc(1, sizeof(*copy));
	void *memory = NULL;
	int r;

	if (!copy || posix_memalign(&memory, PAGE_SIZE, PIECE_SIZE * PIECE_COUNT)) {
		free(copy);
		return error_set(err, -ENOMEM, "out of memory");
	}
	copy->loop = loop;
	copy->from = from;
	copy->to = to;
	copy->zero = zero;
	for (unsigned int i = 0; i < PIECE_COUNT; i++) {
		copy->pieces[i].copy = copy;
		copy->pieces[i].data = (char *)memory + i * PIECE_SIZE;
	}
	disk_progress_begin(&copy->progress, what);
	disk_interrupt_begin(loop);
	r = verdict(copy, run(copy), err);
	disk_interrupt_end();
	disk_progress_end(&copy->progress);
	free(memory);
	free(copy);
	return r;
}
