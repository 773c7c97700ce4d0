// SPDX-License-Identifier: MIT
/*
 * Images of the formats that the crash tests are run on: how each is made, opened and checked, and
 * what is in it at first.
 */
#pragma once

#include "devices/block/block.h"
#include "recording_file.h"

enum image_type { IMAGE_DYNAMIC, IMAGE_FIXED, IMAGE_DIFFERENCING, IMAGE_TYPES };

struct image_kind {
	const struct image_format *format;
	enum image_type type;
	uint32_t sector;
	uint32_t block_size;
	uint64_t size;
};

/* An image as the tests find it, made once and copied. */
struct image_template {
	struct image_kind kind;
	struct pages contents;
	struct pages parent; /* IMAGE_DIFFERENCING */
	uint32_t *initial;   /* the generation of each 512 bytes of the disk */
};

/* One copy of it, which may be open. */
struct image {
	const struct image_template *made;
	struct loop *loop;
	struct rec_file rec;
	struct rec_file parent;
	struct verdict *verdict;
};

struct image_format {
	const char *name;
	/* Writes an empty image into @file; @made says what it is to be. */
	int (*create)(const struct image_template *made, bool parent, struct file *file,
		      struct error *err);
	/* Owns the file when it succeeds. */
	int (*open)(struct image *image, struct file *file, bool read_only, struct error *err,
		    struct block **ret);
	/* What is wrong with the image, into @verdict. NULL: nothing can be. */
	void (*check)(struct file *file, struct verdict *verdict);
};

extern const struct image_format image_raw; /* the disk's bytes, one to one */
extern const struct image_format image_vhd; /* dynamic and fixed ones, sectors of 512 bytes */
extern const struct image_format image_vhdx;

/* Aborts when the image cannot be made: there is nothing to test then. */
void image_template_init(struct image_template *made, const struct image_kind *kind);
void image_template_finish(struct image_template *made);

/* @contents NULL: the template's. The loop is made with @order and @seed. */
void image_init(struct image *image, const struct image_template *made,
		const struct pages *contents, enum sim_order order, uint64_t seed,
		struct verdict *verdict);
void image_finish(struct image *image);
/* What failed is in @err, and the file is closed again. */
int image_open(struct image *image, bool read_only, struct error *err, struct block **ret);
/* As block_close(), and looks whether the file is closed then. */
int image_close(struct image *image, struct block *block, struct error *err);
/* Into the verdict. The image is not open. */
void image_check(struct image *image);

/* Submits @req and runs the loop until it is done. */
int image_do(struct image *image, struct block *block, struct block_request *req);
int image_read(struct image *image, struct block *block, void *buf, uint64_t len, uint64_t offset);
