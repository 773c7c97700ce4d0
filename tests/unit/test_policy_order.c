// SPDX-License-Identifier: MIT
/* The order of taking: by key, and equals as they stand. */
#include <check.h>
#include <stdlib.h>

#include "balancer/policy_order.h"

static struct policy_slot slots[1000];

static void check_order(size_t n)
{
	static bool seen[1000];

	for (size_t i = 0; i < n; i++)
		seen[i] = false;
	policy_order(slots, n);
	for (size_t i = 0; i < n; i++) {
		const uint32_t at = slots[i].order, before = i ? slots[i - 1].order : 0;

		ck_assert_uint_lt(at, n);
		ck_assert(!seen[at]);
		seen[at] = true;
		if (i)
			ck_assert(slots[before].key < slots[at].key ||
				  (slots[before].key == slots[at].key && before < at));
	}
}

START_TEST(all_sizes)
{
	uint32_t key = 1;

	for (size_t n = 0; n < 1000; n += n < 20 ? 1 : 97) {
		for (size_t i = 0; i < n; i++)
			slots[i].key = (key = key * 1664525 + 1013904223) >> 24;
		check_order(n);
		for (size_t i = 0; i < n; i++)
			slots[i].key = (uint32_t)i;
		check_order(n);
		for (size_t i = 0; i < n; i++)
			slots[i].key = (uint32_t)(n - i);
		check_order(n);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy_order");
	TCase *tc = tcase_create("policy_order");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, all_sizes);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
