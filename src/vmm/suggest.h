// SPDX-License-Identifier: MIT
/*
 * "Did you mean": the nearest of some words to one that was not understood.
 *
 * Near is counted in letters added, dropped, changed or swapped with their neighbour; capitals do
 * not count. A third of the word may differ. The first of equally near words wins. No state.
 */
#pragma once

#include "vmm/base.h"

#define SUGGEST_MAX 64 /* longer words are never suggested and find nothing */

struct suggest {
	char word[SUGGEST_MAX];
	char best[SUGGEST_MAX];
	unsigned int distance; /* of best; the limit + 1 when there is none */
};

void suggest_init(struct suggest *s, const char *word);
void suggest_offer(struct suggest *s, const char *candidate);
/* The nearest of the words offered, or NULL when none is near. Lives as long as @s. */
const char *suggest_best(const struct suggest *s);
