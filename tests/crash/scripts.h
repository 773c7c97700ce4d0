// SPDX-License-Identifier: MIT
/*
 * Scripts for the crash tests: every short one, by number, and random ones, by seed.
 */
#pragma once

#include "prng.h"
#include "run.h"

#define SCRIPT_MAX_STEPS 600u

/*
 * How many scripts there are of up to @operations operations that allocate, fill, overwrite, trim
 * and reuse blocks, with and without a flush after each, one after the other or at once.
 */
uint64_t scripts_count(unsigned int operations);
/* Number @index of them. @steps has room for SCRIPT_MAX_STEPS. */
void scripts_get(unsigned int operations, uint64_t index, const struct image_kind *kind,
		 struct step *steps, struct script *ret);

/* Any steps, anywhere, @count of them at most. */
void scripts_random(struct prng *prng, size_t count, const struct image_kind *kind,
		    struct step *steps, struct script *ret);
/* So many, with so many flushes, that a log is filled and begins again at its start. */
void scripts_long(struct prng *prng, const struct image_kind *kind, struct step *steps,
		  struct script *ret);
