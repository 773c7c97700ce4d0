// SPDX-License-Identifier: MIT
/*
 * One contents that a crash may leave: opens it in every way, and looks at what is there.
 */
#include <stdlib.h>
#include <string.h>

#include "explore.h"
#include "memory.h"
#include "pattern.h"

#define FULL_READ (64u * 1024)

static unsigned int units_per_sector(const struct explorer *e)
{
	return e->made->kind.sector / PATTERN_UNIT;
}

/* The unit's generation; false: it is in the verdict what is wrong with it. */
static bool decode(const struct explorer *e, const unsigned char *buf, uint64_t unit,
		   const char *when, uint32_t *ret)
{
	uint64_t found;

	switch (pattern_decode(buf, unit, &found, ret)) {
	case PATTERN_GOOD:
		return true;
	case PATTERN_ELSEWHERE:
		verdict_fail(e->verdict, "%s: unit %llu has what belongs to unit %llu (%u)", when,
			     (unsigned long long)unit, (unsigned long long)found, *ret);
		return false;
	case PATTERN_GARBAGE:
		break;
	}
	verdict_fail(e->verdict, "%s: unit %llu has garbage", when, (unsigned long long)unit);
	return false;
}

static bool check_unit(const struct explorer *e, const struct oracle_set *set, uint64_t unit,
		       uint32_t generation, const char *when)
{
	char text[128];

	if (oracle_has(set, generation))
		return true;
	verdict_fail(e->verdict, "%s: unit %llu has %u, not one of %s", when,
		     (unsigned long long)unit, generation, oracle_text(set, text, sizeof(text)));
	return false;
}

static bool read_failed(const struct explorer *e, const char *when, int r)
{
	if (r < 0)
		verdict_fail(e->verdict, "%s: a read failed (%s)", when, strerror(-r));
	return r < 0;
}

/* What the sampled sectors have, into @ret, which is checked against the oracle. */
static bool look_first(const struct explorer *e, struct image *image, struct block *block,
		       const char *when, uint32_t *ret)
{
	unsigned int units = units_per_sector(e);
	unsigned char buf[4096];

	for (size_t i = 0; i < e->sample_count; i++) {
		int r = image_read(image, block, buf, e->made->kind.sector, e->samples[i]);

		if (read_failed(e, when, r))
			return false;
		for (unsigned int n = 0; n < units; n++) {
			uint64_t unit = e->samples[i] / PATTERN_UNIT + n;
			uint32_t *generation = &ret[i * units + n];

			if (!decode(e, buf + (size_t)n * PATTERN_UNIT, unit, when, generation) ||
			    !check_unit(e, &e->sets[i * units + n], unit, *generation, when))
				return false;
		}
	}
	return true;
}

/* They have to have @generations. */
static bool look_again(const struct explorer *e, struct image *image, struct block *block,
		       const char *when, const uint32_t *generations)
{
	unsigned int units = units_per_sector(e);
	unsigned char buf[4096];

	for (size_t i = 0; i < e->sample_count; i++) {
		int r = image_read(image, block, buf, e->made->kind.sector, e->samples[i]);

		if (read_failed(e, when, r))
			return false;
		for (unsigned int n = 0; n < units; n++) {
			uint64_t unit = e->samples[i] / PATTERN_UNIT + n;
			uint32_t generation;

			if (!decode(e, buf + (size_t)n * PATTERN_UNIT, unit, when, &generation))
				return false;
			if (generation != generations[i * units + n]) {
				verdict_fail(e->verdict, "%s: unit %llu has %u, and had %u", when,
					     (unsigned long long)unit, generation,
					     generations[i * units + n]);
				return false;
			}
		}
	}
	return true;
}

/* All of the disk. */
static bool look_whole(const struct explorer *e, struct image *image, struct block *block)
{
	unsigned char *buf = xcalloc(1, FULL_READ);
	uint64_t size = e->made->kind.size;
	bool good = true;

	for (uint64_t offset = 0; offset < size && good; offset += FULL_READ) {
		uint64_t len = min_of((uint64_t)FULL_READ, size - offset);

		good = !read_failed(e, "all of it", image_read(image, block, buf, len, offset));
		for (uint64_t i = 0; i < len / PATTERN_UNIT && good; i++) {
			uint64_t unit = offset / PATTERN_UNIT + i;
			struct oracle_set set;
			uint32_t generation;

			oracle_crash(e->oracle, unit, &set);
			good = decode(e, buf + i * PATTERN_UNIT, unit, "all of it", &generation) &&
			       check_unit(e, &set, unit, generation, "all of it");
		}
	}
	free(buf);
	return good;
}

static bool open_it(const struct explorer *e, struct image *image, bool read_only, const char *when,
		    struct block **ret)
{
	struct error err;

	if (image_open(image, read_only, &err, ret) == 0)
		return true;
	verdict_fail(e->verdict, "%s: open: %s", when, err.text);
	return false;
}

static bool close_it(const struct explorer *e, struct image *image, const char *when,
		     struct block *block)
{
	struct error err;

	if (image_close(image, block, &err) == 0)
		return true;
	verdict_fail(e->verdict, "%s: close: %s", when, err.text);
	return false;
}

/* A sector of each block is written: that must not change what another has. */
static void write_all_over(const struct explorer *e, struct image *image, uint32_t *generations)
{
	unsigned int units = units_per_sector(e);
	unsigned char buf[4096];
	struct iovec iov = {.iov_base = buf, .iov_len = e->made->kind.sector};
	struct block *block;

	if (!open_it(e, image, false, "to write", &block))
		return;
	for (size_t i = 0; i < e->sample_count; i += 3) {
		struct block_request req = {.op = BLOCK_WRITE,
					    .offset = e->samples[i],
					    .len = iov.iov_len,
					    .iov = &iov,
					    .iov_count = 1};
		uint64_t unit = e->samples[i] / PATTERN_UNIT;

		pattern_fill(buf, unit, units, 0xeeeeee);
		if (image_do(image, block, &req) < 0)
			verdict_fail(e->verdict, "a write after the crash failed");
		for (unsigned int n = 0; n < units; n++)
			generations[i * units + n] = 0xeeeeee;
	}
	look_again(e, image, block, "after writing", generations);
	close_it(e, image, "after writing", block);
	image_check(image);
	if (!open_it(e, image, true, "after writing", &block))
		return;
	look_again(e, image, block, "after writing, opened again", generations);
	close_it(e, image, "after writing, read-only", block);
}

static bool once_in(struct explorer *e, unsigned int n)
{
	return n && prng_once_in(&e->prng, n);
}

/* Crashes in the replay. */
static void in_replay(struct rec_file *rec)
{
	explore(rec->ctx, rec);
}

/* Opens it to write, which replays the log, and closes it: it is clean then. */
static void try_to_write(struct explorer *e, struct image *image, uint32_t *generations)
{
	struct block *block;

	if (!open_it(e, image, false, "after the crash", &block))
		return;
	look_again(e, image, block, "after the crash", generations);
	if (e->depth == 0 && once_in(e, e->options->full_every)) {
		look_whole(e, image, block);
		if (!close_it(e, image, "after the crash", block))
			return;
		image->rec.before_durable = NULL;
		write_all_over(e, image, generations);
		return;
	}
	if (!close_it(e, image, "after the crash", block))
		return;
	image_check(image);
	if (e->depth || !open_it(e, image, true, "opened again", &block))
		return;
	look_again(e, image, block, "opened again", generations);
	close_it(e, image, "opened again", block);
}

static void explore_replay(struct explorer *e, struct image *image, uint32_t *generations)
{
	struct explorer replay = *e;

	replay.depth = 1;
	replay.explored = false;
	replay.generations = generations;
	replay.prng.state = prng_next(&e->prng);
	image->rec.ctx = &replay;
	image->rec.before_durable = in_replay;
	try_to_write(e, image, generations);
	image->rec.before_durable = NULL;
}

static void explore_first(struct explorer *e, const struct pages *contents, uint32_t *generations)
{
	struct image image;
	struct block *block;
	bool good;

	image_init(&image, e->made, contents, SIM_IN_ORDER, 1, e->verdict);
	image_check(&image);
	good = open_it(e, &image, true, "read-only after the crash", &block);
	if (good) {
		good = look_first(e, &image, block, "read-only after the crash", generations);
		close_it(e, &image, "read-only after the crash", block);
	}
	image_finish(&image);
	if (!good)
		return;
	image_init(&image, e->made, contents, SIM_IN_ORDER, 1, e->verdict);
	if (once_in(e, e->options->replay_every))
		explore_replay(e, &image, generations);
	else
		try_to_write(e, &image, generations);
	image_finish(&image);
}

static void explore_second(struct explorer *e, const struct pages *contents)
{
	size_t count = e->sample_count * units_per_sector(e);
	uint32_t *generations = xcalloc(count, sizeof(uint32_t));
	struct image image;

	memcpy(generations, e->generations, count * sizeof(uint32_t));
	image_init(&image, e->made, contents, SIM_IN_ORDER, 1, e->verdict);
	try_to_write(e, &image, generations);
	image_finish(&image);
	free(generations);
}

void explore_state(struct explorer *e, const struct pages *contents)
{
	uint32_t *generations;

	if (e->depth) {
		e->stats->replay_states++;
		explore_second(e, contents);
		return;
	}
	e->stats->states++;
	generations = xcalloc(e->sample_count * units_per_sector(e), sizeof(uint32_t));
	explore_first(e, contents, generations);
	free(generations);
}
