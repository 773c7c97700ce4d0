// SPDX-License-Identifier: MIT
/*
 * Crashes while an image is compacted or resized that nobody has open: at every moment it has all
 * that was in it, but what a shorter disk has no room for.
 */
#include "devices/block/vhdx.h"
#include "sweep.h"

enum work { COMPACT, GROW, SHRINK, WORKS };

static void before_durable(struct rec_file *rec)
{
	explore(rec->ctx, rec);
}

/* Something was written and trimmed, and the image closed, or left behind by a kill. */
static bool prepare(struct sweep *sweep, struct prng *prng, const struct script *script,
		    struct run *run, struct verdict *verdict)
{
	bool good, kill = prng_once_in(prng, 2);

	run_init(run, sweep->made, NULL, NULL, SIM_RANDOM, prng_next(prng), verdict);
	run->leaves = kill && prng_once_in(prng, 2);
	good = run_open(run) && run_script(run, script);
	if (!kill)
		good = run_close(run) && good;
	return good;
}

static int work_on(struct image *image, enum work work, uint64_t size, struct error *err)
{
	struct file *file = rec_file_open(&image->rec, false);
	uint64_t saved = 0;
	int r;

	if (work == COMPACT)
		r = vhdx_compact(file, NULL, err, &saved);
	else
		r = vhdx_resize(file, size, true, err);
	file_destroy(file);
	return r;
}

static void check_size(struct image *image, enum work work, uint64_t size, struct verdict *verdict)
{
	struct block *block;
	struct error err;

	if (work == COMPACT)
		return;
	if (image_open(image, true, &err, &block) < 0) {
		verdict_fail(verdict, "afterwards: open: %s", err.text);
		return;
	}
	if (block->info.size != size)
		verdict_fail(verdict, "afterwards the disk has %llu bytes, not %llu",
			     (unsigned long long)block->info.size, (unsigned long long)size);
	if (image_close(image, block, &err) < 0)
		verdict_fail(verdict, "afterwards: close: %s", err.text);
}

static void work_one(struct sweep *sweep, enum work work, const struct script *script,
		     const struct run *run, uint64_t seed, struct verdict *verdict)
{
	/* What is looked at is what the disk has before and after. */
	struct image_template made = *sweep->made;
	uint64_t size = made.kind.size;
	struct explorer explorer;
	struct oracle oracle = {};
	struct image image;
	struct error err = {};

	if (work == GROW)
		size += MiB(5);
	if (work == SHRINK)
		size = made.kind.size = MiB(1) + KiB(256);
	oracle_copy_killed(&oracle, &run->oracle);
	explorer_init(&explorer, &made, &sweep->options->explore, script, seed, &sweep->stats,
		      verdict);
	explorer.oracle = &oracle;
	image_init(&image, &made, NULL, SIM_IN_ORDER, seed, verdict);
	rec_file_copy_killed(&image.rec, &run->image.rec);
	image.rec.ctx = &explorer;
	image.rec.before_durable = before_durable;
	if (work_on(&image, work, size, &err) < 0)
		verdict_fail(verdict, "the work failed: %s", err.text);
	explore(&explorer, &image.rec);
	image.rec.before_durable = NULL;
	image_check(&image);
	check_size(&image, work, size, verdict);
	image_finish(&image);
	explorer_finish(&explorer);
	oracle_finish(&oracle);
}

static void offline_one(struct sweep *sweep, uint64_t seed)
{
	static const char *const names[] = {"compact after", "grow after", "shrink after"};
	struct step steps[SCRIPT_MAX_STEPS];
	struct prng prng = {seed};
	struct script script;

	scripts_random(&prng, 20, &sweep->made->kind, steps, &script);
	for (int work = 0; work < WORKS; work++) {
		struct verdict verdict = {};
		struct run run;

		if (prepare(sweep, &prng, &script, &run, &verdict))
			work_one(sweep, (enum work)work, &script, &run, seed, &verdict);
		run_finish(&run);
		sweep_note(sweep, &verdict, &script, names[work], seed);
	}
}

void sweep_offline(struct sweep *sweep)
{
	const struct sweep_options *options = sweep->options;

	if (sweep->made->kind.format != &image_vhdx)
		return;
	for (uint64_t i = 0; sweep_goes_on(sweep, i); i++) {
		offline_one(sweep, options->only_given ? options->only : options->seed + i);
		if (options->only_given)
			break;
	}
}
