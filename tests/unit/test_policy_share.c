// SPDX-License-Identifier: MIT
/* Sharing by weight. */
#include <check.h>
#include <stdlib.h>

#include "balancer/policy_share.h"

static struct policy_slot slots[200];
static uint64_t random_state = 88172645463325252ull;

static uint64_t up_to(uint64_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return limit ? random_state % limit : 0;
}

static void set(size_t i, uint64_t lo, uint64_t hi, uint32_t weight)
{
	slots[i] = (struct policy_slot){.lo = lo, .hi = hi, .weight = weight};
}

START_TEST(by_weight)
{
	set(0, 0, 1000, 1);
	set(1, 0, 1000, 3);
	ck_assert_uint_eq(policy_share(slots, 2, 400), 400);
	ck_assert_uint_eq(slots[0].share, 100);
	ck_assert_uint_eq(slots[1].share, 300);
	/* What one does not want, the other gets. */
	set(1, 0, 50, 3);
	ck_assert_uint_eq(policy_share(slots, 2, 400), 400);
	ck_assert_uint_eq(slots[0].share, 350);
	/* Enough for all. */
	ck_assert_uint_eq(policy_share(slots, 2, 5000), 1050);
	/* Not even enough for the least. */
	set(0, 500, 1000, 1);
	ck_assert_uint_eq(policy_share(slots, 2, 400), 500);
	ck_assert_uint_eq(slots[0].share, 500);
	ck_assert_uint_eq(slots[1].share, 0);
	ck_assert_uint_eq(policy_share(slots, 0, 400), 0);
}
END_TEST

/* Nobody who lacks has less for their weight than one who has more than the least. */
START_TEST(any)
{
	for (int round = 0; round < 300; round++) {
		const size_t n = 1 + up_to(200);
		uint64_t lows = 0, highs = 0, supply, sum;
		double poorest = 1e30, richest = 0;

		for (size_t i = 0; i < n; i++) {
			const uint64_t lo = up_to(MiB(512));

			set(i, lo, lo + up_to(GiB(4)), 1 + (uint32_t)up_to(POLICY_WEIGHT_MAX));
			lows += slots[i].lo;
			highs += slots[i].hi;
		}
		supply = lows + up_to(highs - lows + 1);
		sum = policy_share(slots, n, supply);
		ck_assert_uint_le(sum, supply);
		ck_assert_uint_ge(sum + n * POLICY_WEIGHT_MAX, supply);
		for (size_t i = 0; i < n; i++) {
			const double level = (double)slots[i].share / slots[i].weight;

			ck_assert_uint_ge(slots[i].share, slots[i].lo);
			ck_assert_uint_le(slots[i].share, slots[i].hi);
			if (slots[i].share < slots[i].hi)
				poorest = min_of(poorest, level);
			if (slots[i].share > slots[i].lo)
				richest = max_of(richest, level);
		}
		ck_assert_double_le(richest, poorest + 1);
	}
}
END_TEST

START_TEST(largest)
{
	for (size_t i = 0; i < 200; i++)
		set(i, 0, POLICY_BYTES_MAX, i % 2 ? 1 : POLICY_WEIGHT_MAX);
	ck_assert_uint_eq(policy_share(slots, 200, UINT64_MAX), 200 * POLICY_BYTES_MAX);
	ck_assert_uint_le(policy_share(slots, 200, POLICY_BYTES_MAX), POLICY_BYTES_MAX);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy_share");
	TCase *tc = tcase_create("policy_share");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, by_weight);
	tcase_add_test(tc, any);
	tcase_add_test(tc, largest);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
