// SPDX-License-Identifier: MIT
/* See gather.h. Owner: the channel's loop. */
#include "vmbus/gather.h"

#define MOMENT_MIN_NS (20 * 1000ull)
#define MOMENT_MAX_NS (400 * 1000ull)
#define MOMENTS_MAX   32u /* then it interrupts, whatever comes */
#define MISSES_MAX    9u  /* 512 interrupts go by untried then */

void gather_init(struct gather *g)
{
	*g = (struct gather){.gap_ns = MOMENT_MIN_NS};
}

void gather_packets(struct gather *g, unsigned int count, uint64_t now_ns)
{
	const uint64_t since = min_of(now_ns - g->last_ns, MOMENT_MAX_NS * count);

	g->gap_ns = (7 * g->gap_ns + since / count) / 8;
	g->last_ns = now_ns;
	g->arrived = true;
}

bool gather_hold(struct gather *g)
{
	if (g->holding)
		return true;
	if (g->skip) {
		g->skip--;
		return false;
	}
	g->holding = true;
	g->arrived = g->gained = false;
	g->moments = 0;
	return true;
}

/* Twice the gap: a guest that is merely a little late has not fallen silent. */
uint64_t gather_moment_ns(const struct gather *g)
{
	return max_of(min_of(2 * g->gap_ns, MOMENT_MAX_NS), MOMENT_MIN_NS);
}

bool gather_over(struct gather *g)
{
	if (g->arrived && ++g->moments < MOMENTS_MAX) {
		g->arrived = false;
		g->gained = true;
		return false;
	}
	g->holding = false;
	if (g->gained || g->arrived) {
		g->misses = 0;
	} else {
		g->misses = min_of(g->misses + 1, MISSES_MAX);
		g->skip = 1u << g->misses;
	}
	return true;
}
