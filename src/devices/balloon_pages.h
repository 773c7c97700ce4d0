// SPDX-License-Identifier: MIT
/*
 * Which pages of a guest are in the balloon: a set of page numbers, a bit each. Memory that no bit
 * was set in costs nothing. One thread.
 */
#pragma once

#include "vmm/error.h"

struct balloon_pages {
	uint64_t *words;
	uint64_t limit; /* page numbers are below this */
	uint64_t count;
	uint64_t first; /* no page below this is in the set */
};

/* An empty set. -ENOMEM. */
int balloon_pages_init(struct balloon_pages *pages, uint64_t limit) must_check;
void balloon_pages_finish(struct balloon_pages *pages);

/* Adds [@start, @start + @count). -EINVAL: not below the limit; -EEXIST: some are there already. */
int balloon_pages_add(struct balloon_pages *pages, uint64_t start, uint64_t count) must_check;
/* Takes away a run that is in the set. */
void balloon_pages_remove(struct balloon_pages *pages, uint64_t start, uint64_t count);
void balloon_pages_clear(struct balloon_pages *pages);

/*
 * The first run of pages from @from on, of at most @max pages. False: there is none.
 */
bool balloon_pages_next(const struct balloon_pages *pages, uint64_t from, uint64_t max,
			uint64_t *ret_start, uint64_t *ret_count);
