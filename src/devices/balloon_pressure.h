// SPDX-License-Identifier: MIT
/*
 * What a guest's report of its memory means. Pure functions; bytes throughout.
 *
 * Memory pressure = committed / visible x 100: below 100 the guest has more than it has committed,
 * above it pages. What guests report as committed needs correcting first, or taking memory would
 * raise it: it has the pages in the balloon in it, so that the host does not take those again. And
 * Linux adds a floor for the kernel itself, which shrinks and grows with the memory that it sees.
 */
#pragma once

#include "vmm/base.h"

/* More than any guest has: what is reported beyond is this much. */
#define BALLOON_REPORT_MAX (1ull << 52)

struct balloon_report {
	uint64_t available; /* free, or to be had without paging */
	uint64_t committed; /* as reported */
};

/* Of a report in pages, whatever it claims. */
struct balloon_report balloon_report_of(uint64_t available_pages, uint64_t committed_pages);

/* What Linux' driver keeps for the kernel when @visible bytes are there; a sound choice for all. */
uint64_t balloon_guest_floor(uint64_t visible);

struct balloon_view {
	uint64_t visible;   /* that the guest had at the time of the report */
	uint64_t ballooned; /* and that were in the balloon, as far as the host knew */
	uint64_t underway;  /* that the guest may have counted as well: with a request */
	uint64_t startup;   /* that the guest had at first */
	bool linux_guest;
};

/*
 * The bytes that the guest has committed: the same, however much of its memory is taken or added.
 * Between what is known for sure it stays as @before (0: nothing was known).
 */
uint64_t balloon_demand(const struct balloon_report *report, const struct balloon_view *view,
			uint64_t before);

/* In percent, rounded; and the other way. 0 of 0 is 0. */
uint64_t balloon_pressure(uint64_t committed, uint64_t visible);
uint64_t balloon_committed(uint64_t pressure, uint64_t visible);

/*
 * Below how many bytes visible nothing may be taken: what the guest says is available, but for its
 * floor, can go; @minimum stays in any case.
 */
uint64_t balloon_take_floor(const struct balloon_report *report, const struct balloon_view *view,
			    uint64_t minimum);
