// SPDX-License-Identifier: MIT
/*
 * Scripts during which the file fails, or memory runs out: each operation in turn, once or from
 * then on. Nothing that was flushed may be lost, whether the machine crashes then or the image is
 * opened again as it is, and no request may be forgotten.
 */
#include <errno.h>
#include <stdio.h>

#include "memory.h"
#include "sweep.h"

struct trouble {
	struct rec_fault fault;
	bool memory; /* the nth allocation instead */
};

static void flushed(struct run *run)
{
	/* What is tried here is no part of the trouble. */
	uint64_t nth = memory_pause();

	explore(run->ctx, &run->image.rec);
	memory_resume(nth);
}

/* True when the trouble came. */
static bool run_in_trouble(struct sweep *sweep, const struct script *script, uint64_t seed,
			   const struct trouble *trouble, struct verdict *verdict)
{
	struct explorer explorer;
	struct run run;
	bool came;

	explorer_init(&explorer, sweep->made, &sweep->options->explore, script, seed, &sweep->stats,
		      verdict);
	run_init(&run, sweep->made, NULL, NULL, (enum sim_order)(seed % SIM_ORDERS), seed, verdict);
	explorer.oracle = &run.oracle;
	run.ctx = &explorer;
	run.flushed = flushed;
	if (trouble->memory)
		memory_fail(trouble->fault.nth, trouble->fault.forever);
	else
		run.image.rec.fault = trouble->fault;
	if (run_open(&run))
		run_script(&run, script);
	run_close(&run);
	came = run.image.rec.faulted || memory_failed();
	memory_fail(0, false);
	run.image.rec.fault = (struct rec_fault){};
	/* With nothing lost, this is also what the next one to open the image finds. */
	explore(&explorer, &run.image.rec);
	run_finish(&run);
	explorer_finish(&explorer);
	return came;
}

/* The operations in turn, until there is none of that number. */
static void all_in_turn(struct sweep *sweep, const struct script *script, uint64_t seed,
			struct trouble *trouble, const char *what)
{
	bool came = true;

	for (uint64_t nth = 1; came && sweep_goes_on(sweep, 0); nth++) {
		struct verdict verdict = {};

		trouble->fault.nth = nth;
		came = run_in_trouble(sweep, script, seed, trouble, &verdict);
		if (verdict.failures)
			snprintf(verdict.context, sizeof(verdict.context), "%s, number %llu%s%s",
				 what, (unsigned long long)nth,
				 trouble->fault.forever ? " and on" : "",
				 trouble->fault.partly ? ", partly" : "");
		sweep_note(sweep, &verdict, script, verdict.failures ? verdict.context : what,
			   seed);
	}
}

static void faults_one(struct sweep *sweep, const struct script *script, uint64_t seed)
{
	static const struct {
		const char *what;
		struct rec_fault fault;
	} rows[] = {
		{"EIO", {.error = -EIO, .kinds = ~0u}},
		{"EIO of a write", {.error = -EIO, .kinds = 1u << FILE_WRITE, .partly = true}},
		{"EIO of a sync", {.error = -EIO, .kinds = 1u << FILE_SYNC}},
		{"EOPNOTSUPP of a discard", {.error = -EOPNOTSUPP, .kinds = 1u << FILE_DISCARD}},
		{"ENOSPC",
		 {.error = -ENOSPC,
		  .kinds = 1u << FILE_WRITE | 1u << FILE_TRUNCATE | 1u << FILE_ZERO,
		  .partly = true}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (int forever = 0; forever < 2; forever++) {
			struct trouble trouble = {.fault = rows[i].fault};

			trouble.fault.forever = forever;
			all_in_turn(sweep, script, seed, &trouble, rows[i].what);
		}
}

static void memory_one(struct sweep *sweep, const struct script *script, uint64_t seed)
{
	for (int forever = 0; forever < 2; forever++) {
		struct trouble trouble = {.fault = {.forever = forever}, .memory = true};

		all_in_turn(sweep, script, seed, &trouble, "ENOMEM");
	}
}

static void sweep_trouble(struct sweep *sweep,
			  void (*one)(struct sweep *, const struct script *, uint64_t))
{
	const struct sweep_options *options = sweep->options;
	struct step steps[SCRIPT_MAX_STEPS];

	for (uint64_t i = 0; sweep_goes_on(sweep, i); i++) {
		uint64_t seed = options->only_given ? options->only : options->seed + i;
		struct prng prng = {seed};
		struct script script;

		scripts_random(&prng, 10, &sweep->made->kind, steps, &script);
		one(sweep, &script, seed);
		if (options->only_given)
			break;
	}
}

void sweep_faults(struct sweep *sweep)
{
	sweep_trouble(sweep, faults_one);
}

void sweep_memory(struct sweep *sweep)
{
	sweep_trouble(sweep, memory_one);
}
