// SPDX-License-Identifier: MIT
/*
 * Crashes at all moments of scripts: all short ones, and long random ones.
 */
#include "sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "pattern.h"

bool sweep_goes_on(const struct sweep *sweep, uint64_t done)
{
	if (sweep->options->count && done >= sweep->options->count)
		return false;
	return explore_goes_on(&sweep->options->explore);
}

void sweep_note(struct sweep *sweep, const struct verdict *verdict, const struct script *script,
		const char *how, uint64_t number)
{
	char text[2048];

	sweep->scripts++;
	if (!verdict->failures)
		return;
	if (sweep->failures++ < 5)
		printf("%s, %s %llu: %llu failures, first:\n  %s\n  script: %s\n", sweep->name, how,
		       (unsigned long long)number, (unsigned long long)verdict->failures,
		       verdict->first, script_text(script, text, sizeof(text)));
	fflush(stdout);
}

/* --- Crashes at all moments. ----------------------------------------------------------------- */

static void before_durable(struct rec_file *rec)
{
	explore(rec->ctx, rec);
}

static void flushed(struct run *run)
{
	explore(run->ctx, &run->image.rec);
}

static void attach(struct run *run, struct explorer *explorer)
{
	explorer->oracle = &run->oracle;
	run->ctx = explorer;
	run->flushed = flushed;
	run->image.rec.ctx = explorer;
	run->image.rec.before_durable = before_durable;
}

/* The process is killed, and another opens the image and goes on. The machine may still crash. */
static void go_on_after_kill(struct explorer *explorer, const struct run *killed, uint64_t seed)
{
	struct step steps[] = {
		{.kind = STEP_WRITE, .offset = KiB(40), .len = 8192},
		{.kind = STEP_FLUSH, .alone = true},
	};
	struct script script = {steps, ARRAY_SIZE(steps)};
	struct run run;

	run_init_killed(&run, killed, SIM_IN_ORDER, seed);
	explorer->explored = false;
	attach(&run, explorer);
	if (run_open(&run)) {
		run_script(&run, &script);
		run_close(&run);
	}
	run_finish(&run);
}

/* A run of one script on a new image, and its closing, or a kill. */
static void run_one(struct sweep *sweep, const struct script *script, enum sim_order order,
		    uint64_t seed, struct verdict *verdict)
{
	struct prng prng = {seed};
	struct explorer explorer;
	struct run run;
	bool kill = prng_once_in(&prng, 3);

	explorer_init(&explorer, sweep->made, &sweep->options->explore, script, seed, &sweep->stats,
		      verdict);
	run_init(&run, sweep->made, NULL, NULL, order, seed, verdict);
	run.leaves = kill && prng_once_in(&prng, 2);
	attach(&run, &explorer);
	if (run_open(&run)) {
		run_script(&run, script);
		explore(&explorer, &run.image.rec);
		if (kill)
			go_on_after_kill(&explorer, &run, seed);
		else
			run_close(&run);
	}
	run_finish(&run);
	explorer_finish(&explorer);
}

/* The scripts in an order that has some of every sort early: there may not be time for all. */
static uint64_t shuffled(uint64_t i, uint64_t count)
{
	uint64_t step = 2654435761u;

	/* Prime to the count, which has no factors but 2, 3 and what is small. */
	while (count % step == 0)
		step += 2;
	return (uint64_t)((unsigned __int128)i * step % count);
}

void sweep_short(struct sweep *sweep)
{
	const struct sweep_options *options = sweep->options;
	uint64_t count = scripts_count(options->operations);
	struct step steps[SCRIPT_MAX_STEPS];

	for (uint64_t i = 0; i < count && sweep_goes_on(sweep, i); i++) {
		uint64_t index = shuffled(i, count);
		struct verdict verdict = {};
		struct script script;

		if (options->only_given)
			index = options->only;
		scripts_get(options->operations, index, &sweep->made->kind, steps, &script);
		run_one(sweep, &script, (enum sim_order)(index % SIM_ORDERS), options->seed + index,
			&verdict);
		sweep_note(sweep, &verdict, &script, "short script", index);
		if (options->only_given)
			break;
	}
}

/* --- Long ones, and on after a crash. -------------------------------------------------------- */

/* Reads all of the disk: what is there is what there is from now on. */
static bool take_stock(const struct image_template *made, const struct pages *contents,
		       const struct oracle *oracle, struct verdict *verdict, uint32_t *ret)
{
	uint64_t size = made->kind.size;
	unsigned char *buf = xcalloc(1, size);
	struct block *block = NULL;
	struct image image;
	struct error err;
	bool good = false;

	image_init(&image, made, contents, SIM_IN_ORDER, 1, verdict);
	if (image_open(&image, true, &err, &block) < 0)
		verdict_fail(verdict, "after a crash: open: %s", err.text);
	else
		good = image_read(&image, block, buf, size, 0) == 0;
	for (uint64_t i = 0; i < size / PATTERN_UNIT && good; i++) {
		struct oracle_set set;
		uint64_t unit;

		oracle_crash(oracle, i, &set);
		good = pattern_decode(buf + i * PATTERN_UNIT, i, &unit, &ret[i]) == PATTERN_GOOD &&
		       oracle_has(&set, ret[i]);
		if (!good)
			verdict_fail(verdict, "after a crash: unit %llu has %u",
				     (unsigned long long)i, ret[i]);
	}
	if (block && image_close(&image, block, &err) < 0)
		good = false;
	image_finish(&image);
	free(buf);
	return good;
}

/* Any contents that a crash may leave now. */
static void crash_somehow(const struct rec_file *rec, struct prng *prng, struct pages *ret)
{
	uint8_t *keep = xcalloc(rec->pending_count, 1);
	size_t least = rec_file_min_sizes(rec);
	struct rec_crash crash = {
		.keep = keep,
		.sizes = least + prng_below(prng, rec->pending_count - least + 1),
		.torn_mask = prng_next(prng),
		.torn_part = prng_once_in(prng, 2) ? 4096 : 512,
	};

	for (size_t i = 0; i < rec->pending_count; i++)
		keep[i] = rec->pending[i]->must ? REC_KEPT : (uint8_t)prng_below(prng, 3);
	rec_file_crash(rec, &crash, ret);
	free(keep);
}

/* Where the next round begins. */
struct story {
	struct sweep *sweep;
	struct verdict verdict;
	struct prng prng;
	struct run runs[2], *killed; /* the one before, when it was killed */
	struct pages contents;
	uint32_t *initial, generation;
};

static void begin_round(struct story *story, struct run *run)
{
	uint64_t seed = prng_next(&story->prng);
	enum sim_order order = (enum sim_order)(seed % SIM_ORDERS);

	if (story->killed) {
		run_init_killed(run, story->killed, order, seed);
		run_finish(story->killed);
		story->killed = NULL;
	} else {
		run_init(run, story->sweep->made, &story->contents, story->initial, order, seed,
			 &story->verdict);
		run->generation = story->generation;
	}
	run->leaves = prng_once_in(&story->prng, 2);
}

/* The process is killed, or the machine crashes. */
static bool end_round(struct story *story, struct run *run)
{
	struct pages next;
	bool good;

	if (prng_once_in(&story->prng, 2)) {
		story->killed = run;
		return true;
	}
	crash_somehow(&run->image.rec, &story->prng, &next);
	good = take_stock(story->sweep->made, &next, &run->oracle, &story->verdict, story->initial);
	story->generation = run->generation;
	pages_finish(&story->contents);
	story->contents = next;
	run_finish(run);
	return good;
}

static bool one_round(struct story *story, const struct script *script, struct run *run)
{
	struct sweep *sweep = story->sweep;
	struct explorer explorer;
	bool good;

	explorer_init(&explorer, sweep->made, &sweep->options->explore, script,
		      prng_next(&story->prng), &sweep->stats, &story->verdict);
	begin_round(story, run);
	attach(run, &explorer);
	good = run_open(run) && run_script(run, script);
	explore(&explorer, &run->image.rec);
	run->image.rec.before_durable = NULL;
	run->flushed = NULL;
	explorer_finish(&explorer);
	if (good && !story->verdict.failures)
		return end_round(story, run);
	run_finish(run);
	return false;
}

static void random_one(struct sweep *sweep, uint64_t seed)
{
	const struct image_template *made = sweep->made;
	uint64_t units = made->kind.size / PATTERN_UNIT;
	struct story story = {.sweep = sweep, .prng = {seed}};
	struct step steps[SCRIPT_MAX_STEPS];
	struct script script;

	story.initial = xcalloc(units, sizeof(uint32_t));
	memcpy(story.initial, made->initial, units * sizeof(uint32_t));
	pages_copy(&story.contents, &made->contents);
	for (unsigned int round = 0; round < 4; round++) {
		if (prng_once_in(&story.prng, 16))
			scripts_long(&story.prng, &made->kind, steps, &script);
		else
			scripts_random(&story.prng, 40, &made->kind, steps, &script);
		if (!one_round(&story, &script, &story.runs[round % 2]))
			break;
	}
	if (story.killed)
		run_finish(story.killed);
	sweep_note(sweep, &story.verdict, &script, "random script", seed);
	pages_finish(&story.contents);
	free(story.initial);
}

void sweep_random(struct sweep *sweep)
{
	const struct sweep_options *options = sweep->options;

	for (uint64_t i = 0; sweep_goes_on(sweep, i); i++) {
		random_one(sweep, options->only_given ? options->only : options->seed + i);
		if (options->only_given)
			break;
	}
}

/* --- The tests of the tests. ----------------------------------------------------------------- */

/* A file that lies must be found out. */
static bool finds_lies(const struct sweep_options *options, const struct image_template *made,
		       bool sync, bool durable)
{
	struct step steps[] = {
		{.kind = STEP_WRITE, .offset = 8192, .len = 4096},
		{.kind = STEP_WRITE, .fua = true, .offset = MiB(1), .len = 4096},
		{.kind = STEP_FLUSH, .alone = true},
		{.kind = STEP_WRITE, .offset = MiB(2), .len = 4096},
	};
	struct script script = {steps, ARRAY_SIZE(steps)};
	struct explore_stats stats = {};
	struct verdict verdict = {};
	struct explorer explorer;
	struct run run;

	explorer_init(&explorer, made, &options->explore, &script, 1, &stats, &verdict);
	run_init(&run, made, NULL, NULL, SIM_IN_ORDER, 1, &verdict);
	attach(&run, &explorer);
	run.image.rec.lie_sync = sync;
	run.image.rec.lie_durable = durable;
	if (run_open(&run)) {
		run_script(&run, &script);
		run_close(&run);
	}
	run_finish(&run);
	explorer_finish(&explorer);
	return verdict.failures > 0;
}

bool sweep_self_test(const struct sweep_options *options, const struct image_kind *kind)
{
	struct image_template made;
	bool good;

	image_template_init(&made, kind);
	good = !finds_lies(options, &made, false, false) && finds_lies(options, &made, true, true);
	/* A format need not rely on durable writes; the plain one does. */
	if (kind->format == &image_raw)
		good &= finds_lies(options, &made, true, false) &&
			finds_lies(options, &made, false, true);
	image_template_finish(&made);
	return good;
}
