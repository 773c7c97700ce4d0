// SPDX-License-Identifier: MIT
/* Simulated guests: demand within limits, and sizes that follow their targets at a guest's pace. */
#include <check.h>
#include <stdlib.h>

#include "balancer/simulate_guest.h"

static struct sim_guest g;

START_TEST(generated)
{
	bool kinds[SIM_KIND_COUNT] = {false};

	for (uint64_t seed = 0; seed < 100; seed++) {
		uint64_t low = UINT64_MAX, high = 0;

		sim_guest_generate(&g, seed);
		kinds[g.kind] = true;
		for (uint64_t t = 60; t <= 24 * 3600; t += 60) {
			sim_guest_live(&g, t * NSEC_PER_SEC, 60 * NSEC_PER_SEC);
			low = min_of(low, g.demand);
			high = max_of(high, g.demand);
		}
		ck_assert_uint_le(high, g.maximum);
		ck_assert_uint_gt(high, low);
	}
	ck_assert(kinds[SIM_STEADY] && kinds[SIM_DAILY] && kinds[SIM_BURSTY] && kinds[SIM_BATCH]);
}
END_TEST

START_TEST(pace)
{
	sim_guest_generate(&g, 1);
	g.demand = GiB(1);
	g.maximum = g.assigned = g.target = g.most = GiB(4);
	sim_guest_order(&g, GiB(3));
	sim_guest_move(&g, NSEC_PER_SEC);
	ck_assert_uint_ge(g.assigned, GiB(4) - MiB(512));
	ck_assert_uint_le(g.assigned, GiB(4) - MiB(511));
	ck_assert_uint_eq(g.counts.remove_operations, 1);
	sim_guest_move(&g, 10 * NSEC_PER_SEC);
	ck_assert_uint_eq(g.assigned, GiB(3));
	ck_assert_uint_eq(g.counts.remove_bytes, GiB(1));
	/* What it uses is given slowly. */
	g.demand = GiB(3);
	sim_guest_order(&g, GiB(1));
	sim_guest_move(&g, 10 * NSEC_PER_SEC);
	ck_assert_uint_gt(g.assigned, GiB(1) + MiB(800));
	/* Back at once, beyond that slowly. */
	g.assigned = GiB(3);
	g.most = GiB(3) + MiB(100);
	sim_guest_order(&g, GiB(4));
	sim_guest_move(&g, NSEC_PER_SEC);
	ck_assert_uint_gt(g.assigned, GiB(3) + MiB(340));
	ck_assert_uint_lt(g.assigned, GiB(3) + MiB(360));
	ck_assert_uint_eq(g.counts.add_operations, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("simulate_guest");
	TCase *tc = tcase_create("simulate_guest");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, generated);
	tcase_add_test(tc, pace);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
