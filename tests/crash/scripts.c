// SPDX-License-Identifier: MIT
/*
 * Scripts for the crash tests. A script by number: how many operations it has, then for each which
 * one, whether it has the disk to itself, and whether a flush (or fua, for a write) follows.
 */
#include "scripts.h"

#include <assert.h>

/* The disk has 4 blocks, the last is half a one; at first there are data in block 0 only. */
struct operation {
	enum step_kind kind;
	bool unmap;
	unsigned int block; /* where it begins */
	int32_t offset;     /* bytes from there; < 0: from the block's end */
	uint32_t len;       /* bytes; 0: the whole block */
};

static const struct operation operations[] = {
	{STEP_WRITE, false, 1, 8 * 1024, 4096},  /* allocates, and leaves most of it */
	{STEP_WRITE, false, 2, 0, 0},            /* allocates, and fills it */
	{STEP_WRITE, false, 0, 20 * 1024, 8192}, /* writes over */
	{STEP_WRITE, false, 1, -4096, 8192},     /* allocates two */
	{STEP_UNMAP, false, 0, 0, 0},            /* trims what has data */
	{STEP_UNMAP, false, 1, 0, 0},            /* trims what may have */
	{STEP_ZEROES, true, 0, 0, 0},
	{STEP_ZEROES, false, 0, 16 * 1024, 32 * 1024},
};

#define FLUSHES  3u /* none, a flush, and a flush while it is under way (or fua) */
#define ALONE    2u
#define VARIANTS (ARRAY_SIZE(operations) * FLUSHES * ALONE)

uint64_t scripts_count(unsigned int max_operations)
{
	uint64_t count = 0, of_length = 1;

	for (unsigned int n = 1; n <= max_operations; n++) {
		of_length *= VARIANTS;
		count += of_length / ALONE; /* the first has nothing before it */
	}
	return count;
}

static void add_flush(struct script *script, struct step *steps, uint64_t flush)
{
	struct step *last = &steps[script->count - 1];

	if (flush == 0)
		return;
	if (flush == 2 && last->kind != STEP_UNMAP) {
		last->fua = true;
		return;
	}
	steps[script->count++] = (struct step){.kind = STEP_FLUSH, .alone = flush == 1};
}

static void add_operation(struct script *script, struct step *steps, const struct operation *op,
			  const struct image_kind *kind, bool alone)
{
	uint64_t offset = (uint64_t)op->block * kind->block_size;
	uint64_t len = op->len ? op->len : kind->block_size;

	offset += op->offset < 0 ? kind->block_size + (uint64_t)op->offset : (uint64_t)op->offset;
	steps[script->count++] = (struct step){
		.kind = op->kind, .unmap = op->unmap, .alone = alone, .offset = offset, .len = len};
}

void scripts_get(unsigned int max_operations, uint64_t index, const struct image_kind *kind,
		 struct step *steps, struct script *ret)
{
	uint64_t of_length = VARIANTS;
	unsigned int count = 1;

	while (index >= of_length / ALONE) {
		index -= of_length / ALONE;
		of_length *= VARIANTS;
		count++;
	}
	assert(count <= max_operations);
	*ret = (struct script){.steps = steps};
	for (unsigned int n = 0; n < count; n++) {
		uint64_t op = index % ARRAY_SIZE(operations), flush, alone = 1;

		index /= ARRAY_SIZE(operations);
		flush = index % FLUSHES;
		index /= FLUSHES;
		if (n > 0) {
			alone = index % ALONE;
			index /= ALONE;
		}
		add_operation(ret, steps, &operations[op], kind, alone);
		add_flush(ret, steps, flush);
	}
}

/* --- Random ones. ---------------------------------------------------------------------------- */

/* Mostly small, often at a block's edge, sometimes whole blocks. */
static void random_range(struct prng *prng, const struct image_kind *kind, struct step *step)
{
	uint64_t sectors = kind->size / kind->sector, first, count;
	uint64_t in_block = kind->block_size / kind->sector;

	first = prng_below(prng, sectors);
	count = 1 + prng_below(prng, 64);
	switch (prng_below(prng, 8)) {
	case 0:
	case 1: /* a whole block, or two */
		first = align_down(first, in_block);
		count = in_block * (1 + prng_below(prng, 2));
		break;
	case 2: /* across an edge */
		first = align_down(first, in_block);
		first -= min_of(first, 1 + prng_below(prng, 8));
		count = 16;
		break;
	case 3: /* anything */
		count = 1 + prng_below(prng, sectors);
		break;
	default: /* where others are */
		first = align_down(first, in_block) + prng_below(prng, 128);
		break;
	}
	first = min_of(first, sectors - 1);
	step->offset = first * kind->sector;
	step->len = min_of(count, sectors - first) * kind->sector;
}

static void random_step(struct prng *prng, const struct image_kind *kind, struct step *step)
{
	static const enum step_kind kinds[] = {
		STEP_WRITE, STEP_WRITE, STEP_WRITE, STEP_WRITE, STEP_WRITE,  STEP_READ,
		STEP_FLUSH, STEP_FLUSH, STEP_UNMAP, STEP_UNMAP, STEP_ZEROES,
	};

	*step = (struct step){.kind = kinds[prng_below(prng, ARRAY_SIZE(kinds))]};
	step->alone = prng_once_in(prng, 3);
	if (step->kind != STEP_FLUSH)
		random_range(prng, kind, step);
	step->unmap = step->kind == STEP_ZEROES && prng_once_in(prng, 2);
	step->fua =
		(step->kind == STEP_WRITE || step->kind == STEP_ZEROES) && prng_once_in(prng, 5);
}

void scripts_random(struct prng *prng, size_t count, const struct image_kind *kind,
		    struct step *steps, struct script *ret)
{
	assert(count <= SCRIPT_MAX_STEPS);
	*ret = (struct script){.steps = steps, .count = 1 + prng_below(prng, count)};
	for (size_t i = 0; i < ret->count; i++)
		if (prng_once_in(prng, 24))
			steps[i] = (struct step){.kind = STEP_REOPEN};
		else
			random_step(prng, kind, &steps[i]);
}

void scripts_long(struct prng *prng, const struct image_kind *kind, struct step *steps,
		  struct script *ret)
{
	*ret = (struct script){.steps = steps, .count = SCRIPT_MAX_STEPS};
	for (size_t i = 0; i < ret->count; i++)
		if (i % 2)
			steps[i] =
				(struct step){.kind = STEP_FLUSH, .alone = prng_once_in(prng, 2)};
		else
			random_step(prng, kind, &steps[i]);
}
