// SPDX-License-Identifier: MIT
/* A heap sort of indices. See policy_order.h. */
#include "balancer/policy_order.h"

static bool is_less(const struct policy_slot *slots, uint32_t a, uint32_t b)
{
	return slots[a].key != slots[b].key ? slots[a].key < slots[b].key : a < b;
}

/* Lets what is at @root sink to its place among the first @n. */
static void sink(struct policy_slot *slots, size_t root, size_t n)
{
	const uint32_t moved = slots[root].order;

	for (size_t child; (child = 2 * root + 1) < n; root = child) {
		if (child + 1 < n && is_less(slots, slots[child].order, slots[child + 1].order))
			child++;
		if (!is_less(slots, moved, slots[child].order))
			break;
		slots[root].order = slots[child].order;
	}
	slots[root].order = moved;
}

void policy_order(struct policy_slot *slots, size_t n)
{
	for (size_t i = 0; i < n; i++)
		slots[i].order = (uint32_t)i;
	for (size_t i = n / 2; i-- > 0;)
		sink(slots, i, n);
	for (size_t end = n; end > 1; end--) {
		const uint32_t largest = slots[0].order;

		slots[0].order = slots[end - 1].order;
		slots[end - 1].order = largest;
		sink(slots, 0, end - 1);
	}
}
