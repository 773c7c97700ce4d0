// SPDX-License-Identifier: MIT
/*
 * The sweeps of crash_sweep: what each runs, and over what.
 */
#pragma once

#include "explore.h"
#include "scripts.h"

struct sweep_options {
	unsigned int operations; /* of the short scripts, at most */
	uint64_t seed;
	uint64_t count;   /* scripts; 0: until the time is over, or all there are */
	uint64_t seconds; /* 0: no limit */
	uint64_t only;    /* a single script, by number */
	bool only_given;
	bool verbose;
	struct explore_options explore;
};

struct sweep {
	const struct sweep_options *options;
	const struct image_template *made;
	const char *name; /* of the kind of image */
	struct explore_stats stats;
	uint64_t scripts;
	uint64_t failures;
};

/* Runs of a script, with crashes at all moments. */
void sweep_short(struct sweep *sweep);  /* all short scripts, or as many as there is time for */
void sweep_random(struct sweep *sweep); /* long scripts, and on after a crash */
/* Runs with faults, and a crash at the end. */
void sweep_faults(struct sweep *sweep);
void sweep_memory(struct sweep *sweep);
/* Crashes while an image is compacted or resized. */
void sweep_offline(struct sweep *sweep);
/* Whether the tests find what is wrong when something is. */
bool sweep_self_test(const struct sweep_options *options, const struct image_kind *kind);

/* For the above: true when there is time and count left. */
bool sweep_goes_on(const struct sweep *sweep, uint64_t done);
/* Counts a script, and prints what was found; @how says how to get there again. */
void sweep_note(struct sweep *sweep, const struct verdict *verdict, const struct script *script,
		const char *how, uint64_t number);
