// SPDX-License-Identifier: MIT
/*
 * A VHDX in a file in memory, beside the bytes its disk should hold, and random requests to both.
 * For the tests of src/devices/block/vhdx*.c.
 */
#pragma once

#include <check.h>

#include "devices/block/vhdx.h"
#include "vhdx_fake.h"

#define MODEL_OPS     12u
#define MODEL_PARENTS 3u

struct model;

struct model_op {
	struct block_request req;
	struct iovec iov[3];
	struct model *model;
	uint8_t *data;
	bool busy;
};

struct model {
	struct vhdx_create_options create;
	struct vhdx_open_options options;
	struct vhdx_fake fake;
	struct vhdx_fake parents[MODEL_PARENTS]; /* the nearest first */
	unsigned int parent_count;
	struct block *block;
	uint8_t *bytes; /* create.size of them */
	uint64_t rng;
	struct model_op ops[MODEL_OPS];
	unsigned int in_flight;
};

/* A new image, and open. With parents if there are any: each has random data. */
void model_init(struct model *m, const struct vhdx_create_options *create, unsigned int parents,
		uint64_t seed);
void model_finish(struct model *m);
void model_open(struct model *m);
void model_close(struct model *m);
/* As if the process were killed: what the file has stays. Opens it again. */
void model_kill(struct model *m);

uint64_t model_random(struct model *m);
/* Random requests, several at a time, which end in any order; reads are compared. */
void model_run(struct model *m, unsigned int count);
/* One request, to its end; data are random, and compared. */
void model_read(struct model *m, uint64_t offset, uint64_t len);
void model_write(struct model *m, uint64_t offset, uint64_t len, bool fua);
void model_zero(struct model *m, uint64_t offset, uint64_t len, bool unmap);
void model_unmap(struct model *m, uint64_t offset, uint64_t len);
void model_flush(struct model *m);

/* All of the disk is as it should be, and the file passes vhdx_check(). */
void model_verify(struct model *m);
/* vhdx_check() finds no errors, and no leaks unless @leaks. Works while the image is open, too. */
void model_check(struct vhdx_fake *fake, bool leaks);
