// SPDX-License-Identifier: MIT
/*
 * Tries what a crash may leave of an image, at one moment: makes the contents, opens them, and
 * holds what is there against the oracle.
 *
 * Of each contents: the image opens, also for reading only, and with the same in it; every sector
 * looked at has something the oracle allows; it passes its check before and after; closed and
 * opened again it has the same in it. Of some, opening and closing is recorded too, and crashes.
 */
#pragma once

#include "image.h"
#include "oracle.h"
#include "run.h"

struct explore_options {
	unsigned int subset_bits;   /* with up to so many operations pending, all their subsets */
	unsigned int random_states; /* with more, so many random ones */
	unsigned int torn_states;   /* of each pending operation of more than one sector */
	unsigned int replay_every;  /* of so many contents one has its replay crashed; 0: none */
	unsigned int full_every;    /* of so many contents one is looked at whole; 0: none */
	uint64_t deadline_ns;       /* of CLOCK_MONOTONIC: from then on nothing is tried; 0: none */
};

struct explore_stats {
	uint64_t points;        /* moments that were explored */
	uint64_t states;        /* contents that were tried, at first hand */
	uint64_t replay_states; /* and while opening and closing those */
	uint64_t most_pending;
};

struct explorer {
	const struct image_template *made;
	const struct explore_options *options;
	struct explore_stats *stats;
	struct verdict *verdict;
	const struct oracle *oracle;
	struct prng prng;
	unsigned int depth; /* 1: in what a replay leaves */
	uint64_t version;   /* of what was explored last */
	uint64_t flushes;
	bool explored;
	uint64_t every; /* of so many moments one is explored */
	/* The sectors that are looked at, and what they may have at this moment. */
	uint64_t *samples;
	size_t sample_count;
	struct oracle_set *sets; /* for each 512 bytes of them */
	const uint32_t
		*generations; /* depth 1: what the first look saw, and nothing else will do */
};

/* Looks near the edges of each of @script's steps (it may be NULL), and into each block. */
void explorer_init(struct explorer *explorer, const struct image_template *made,
		   const struct explore_options *options, const struct script *script,
		   uint64_t seed, struct explore_stats *stats, struct verdict *verdict);
void explorer_finish(struct explorer *explorer);

/* Explores a crash now, unless nothing changed since; of long scripts, only now and then. */
void explore(struct explorer *explorer, const struct rec_file *rec);

/* False once the time is over. */
bool explore_goes_on(const struct explore_options *options);

/* One contents. Explore.c has the choice of contents, and look.c this. */
void explore_state(struct explorer *explorer, const struct pages *contents);
