// SPDX-License-Identifier: MIT
/*
 * Images for the crash tests: what is in them at first, and their life.
 */
#include "image.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "pattern.h"

/* Generations of what is there at first, far from those of the tests. */
#define GENERATION_PARENT 0xfff001u
#define GENERATION_CHILD  0xfff002u

/* --- Requests, one at a time. ---------------------------------------------------------------- */

struct waiting {
	struct block_request req;
	bool done;
	int result;
};

static void note_done(struct block_request *req, int result)
{
	struct waiting *w = container_of(req, struct waiting, req);

	w->done = true;
	w->result = result;
}

int image_do(struct image *image, struct block *block, struct block_request *req)
{
	struct waiting *w = xcalloc(1, sizeof(*w));
	int r;

	w->req = *req;
	w->req.done = note_done;
	block_submit(block, &w->req);
	while (!w->done && sim_loop_step(image->loop))
		;
	if (!w->done) {
		/* The disk still has it: that memory cannot be given back. */
		verdict_fail(image->verdict, "a request that is never done");
		return -ETIMEDOUT;
	}
	r = w->result;
	free(w);
	return r;
}

int image_read(struct image *image, struct block *block, void *buf, uint64_t len, uint64_t offset)
{
	struct iovec iov = {.iov_base = buf, .iov_len = len};
	struct block_request req = {
		.op = BLOCK_READ, .offset = offset, .len = len, .iov = &iov, .iov_count = 1};

	return image_do(image, block, &req);
}

/* --- One image. ------------------------------------------------------------------------------ */

void image_init(struct image *image, const struct image_template *made,
		const struct pages *contents, enum sim_order order, uint64_t seed,
		struct verdict *verdict)
{
	image->made = made;
	image->verdict = verdict;
	image->loop = sim_loop_create(order, seed);
	rec_file_init(&image->rec, contents ? contents : &made->contents, image->loop, seed,
		      verdict);
	rec_file_init(&image->parent, &made->parent, image->loop, seed, verdict);
}

void image_finish(struct image *image)
{
	rec_file_finish(&image->rec);
	rec_file_finish(&image->parent);
	loop_destroy(image->loop);
}

int image_open(struct image *image, bool read_only, struct error *err, struct block **ret)
{
	struct file *file = rec_file_open(&image->rec, read_only);
	int r;

	*err = (struct error){};
	r = image->made->kind.format->open(image, file, read_only, err, ret);
	if (r < 0) {
		file_destroy(file);
		if (!err->text[0])
			verdict_fail(image->verdict, "an open that failed (%s) without a text",
				     strerror(-r));
	}
	return r;
}

int image_close(struct image *image, struct block *block, struct error *err)
{
	int r;

	*err = (struct error){};
	r = block->ops->close(block, err);
	if (r < 0 && !err->text[0])
		verdict_fail(image->verdict, "a close that failed (%s) without a text",
			     strerror(-r));
	if (image->rec.open || image->parent.open)
		verdict_fail(image->verdict, "a file is still open after a close");
	return r;
}

void image_check(struct image *image)
{
	const struct image_format *format = image->made->kind.format;
	struct file *file;

	if (!format->check)
		return;
	file = rec_file_open(&image->rec, true);
	format->check(file, image->verdict);
	file_destroy(file);
}

/* --- The template. --------------------------------------------------------------------------- */

static void must(int r, const char *what, const struct error *err)
{
	if (r == 0)
		return;
	fprintf(stderr, "cannot %s an image to test with: %s\n", what, err->text);
	abort();
}

static void put(struct image *image, struct block *block, uint32_t *initial, uint64_t offset,
		uint64_t len, uint32_t generation)
{
	void *buf = xcalloc(1, len);
	struct iovec iov = {.iov_base = buf, .iov_len = len};
	struct block_request req = {
		.op = BLOCK_WRITE, .offset = offset, .len = len, .iov = &iov, .iov_count = 1};
	struct error err = {"a write failed"};

	pattern_fill(buf, offset / PATTERN_UNIT, len / PATTERN_UNIT, generation);
	must(image_do(image, block, &req), "fill", &err);
	for (uint64_t i = 0; i < len / PATTERN_UNIT; i++)
		initial[offset / PATTERN_UNIT + i] = generation;
	free(buf);
}

/* Makes one image, and puts into *contents what it looks like when closed. */
static void make(struct image_template *made, bool parent, struct pages *contents,
		 struct verdict *verdict)
{
	uint64_t block = made->kind.block_size;
	struct pages empty = {};
	struct image image;
	struct block *disk;
	struct error err;
	struct file *file;

	image_init(&image, made, &empty, SIM_IN_ORDER, 1, verdict);
	file = rec_file_open(&image.rec, false);
	must(made->kind.format->create(made, parent, file, &err), "create", &err);
	file_destroy(file);
	must(image_open(&image, false, &err, &disk), "open", &err);
	if (parent) {
		/* All of the first block, and some of the second and the last. */
		put(&image, disk, made->initial, 0, block, GENERATION_PARENT);
		put(&image, disk, made->initial, block + 64 * 1024, 64 * 1024, GENERATION_PARENT);
		put(&image, disk, made->initial, made->kind.size - 8192, 8192, GENERATION_PARENT);
	} else {
		put(&image, disk, made->initial, 16 * 1024, 64 * 1024, GENERATION_CHILD);
	}
	must(image_close(&image, disk, &err), "close", &err);
	pages_copy(contents, &image.rec.live);
	image_finish(&image);
}

void image_template_init(struct image_template *made, const struct image_kind *kind)
{
	struct verdict verdict = {};
	struct pages contents = {};

	*made = (struct image_template){
		.kind = *kind,
		.initial = xcalloc(kind->size / PATTERN_UNIT, sizeof(uint32_t)),
	};
	if (kind->type == IMAGE_DIFFERENCING) {
		make(made, true, &contents, &verdict);
		made->parent = contents;
	}
	make(made, false, &contents, &verdict);
	made->contents = contents;
	if (verdict.failures) {
		fprintf(stderr, "making an image: %s\n", verdict.first);
		abort();
	}
}

void image_template_finish(struct image_template *made)
{
	pages_finish(&made->contents);
	pages_finish(&made->parent);
	free(made->initial);
	*made = (struct image_template){};
}
