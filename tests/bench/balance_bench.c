// SPDX-License-Identifier: MIT
/*
 * How long a decision of the balancer takes: VMs of which a fifth wants more, on a host that has
 * too little, which is the longest way through the policy.
 *
 *	balance-bench [VMS [DECISIONS]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "balancer/policy.h"

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static uint64_t random_of(uint64_t limit)
{
	static uint64_t state = 88172645463325252ull;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % limit;
}

static void fill(struct policy_vm *vms, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		vms[i] = (struct policy_vm){.minimum = MiB(256),
					    .maximum = GiB(8),
					    .assigned = GiB(1) + random_of(GiB(2)),
					    .buffer = 20,
					    .weight = 1 + (uint32_t)random_of(POLICY_WEIGHT_MAX),
					    .driver = true,
					    .has_demand = true};
		vms[i].target = vms[i].rss = vms[i].assigned;
		vms[i].demand = i % 5 ? random_of(GiB(2)) : GiB(5);
	}
}

static int by_value(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	const size_t n = argc > 1 ? strtoul(argv[1], NULL, 0) : 1000;
	const size_t times = argc > 2 ? strtoul(argv[2], NULL, 0) : 1000;
	struct policy_host host = {.total = n * GiB(2), .available = n * MiB(140)};
	struct policy_vm *vms = calloc(n, sizeof(*vms));
	struct policy_state *states = calloc(n, sizeof(*states));
	struct policy_slot *slots = calloc(n, sizeof(*slots));
	struct policy_decision *decisions = calloc(n, sizeof(*decisions));
	uint64_t *took = calloc(times, sizeof(*took));
	struct policy_settings settings;
	struct policy_totals totals;

	if (!n || n > POLICY_VMS_MAX || !times || !vms || !states || !slots || !decisions || !took)
		return 2;
	policy_settings_init(&settings);
	fill(vms, n);
	for (size_t i = 0; i < times; i++) {
		const uint64_t from = now_ns();

		policy_decide(&settings, &host, (i + 1) * NSEC_PER_SEC, vms, states, n, slots,
			      decisions, &totals);
		took[i] = now_ns() - from;
	}
	qsort(took, times, sizeof(*took), by_value);
	printf("%zu VMs, %u moved: median %.3f ms, 99%% %.3f ms, %zu bytes of workspace\n", n,
	       totals.moved, (double)took[times / 2] / 1e6, (double)took[times * 99 / 100] / 1e6,
	       n * sizeof(*slots));
	free(vms);
	free(states);
	free(slots);
	free(decisions);
	free(took);
	return 0;
}
