// SPDX-License-Identifier: MIT
/* Water-filling by bisection of the level: 48 sums, whatever the numbers. See policy_share.h. */
#include "balancer/policy_share.h"

/* Bytes for each unit of weight. The largest size for a weight of 1. */
#define LEVEL_MAX POLICY_BYTES_MAX

/* Cannot wrap: 2^46 x 10,000 < 2^60. */
static uint64_t at_level(const struct policy_slot *s, uint64_t level)
{
	const uint64_t share = level * s->weight;

	return share < s->lo ? s->lo : share > s->hi ? s->hi : share;
}

static uint64_t sum_at(const struct policy_slot *slots, size_t n, uint64_t level)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += at_level(&slots[i], level);
	return sum;
}

uint64_t policy_share(struct policy_slot *slots, size_t n, uint64_t supply)
{
	uint64_t low = 0, high = LEVEL_MAX, sum = 0;

	if (sum_at(slots, n, high) <= supply)
		low = high;
	while (high - low > 1) {
		const uint64_t middle = low + (high - low) / 2;

		if (sum_at(slots, n, middle) <= supply)
			low = middle;
		else
			high = middle;
	}
	for (size_t i = 0; i < n; i++) {
		slots[i].share = at_level(&slots[i], low);
		sum += slots[i].share;
	}
	return sum;
}
