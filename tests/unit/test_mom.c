// SPDX-License-Identifier: MIT
/* The rule of oVirt's manager: what is known of it. */
#include <check.h>
#include <stdlib.h>

#include "balancer/mom.h"

static struct policy_decision d;

static uint64_t decide(unsigned int free_percent, uint64_t assigned, uint64_t available)
{
	const struct policy_host host = {.total = GiB(100), .available = GiB(1) * free_percent};
	const struct policy_vm vm = {.minimum = MiB(256),
				     .maximum = GiB(8),
				     .assigned = assigned,
				     .target = assigned,
				     .available = available,
				     .has_available = true};

	mom_decide(&host, &vm, 1, &d);
	return d.target;
}

START_TEST(grows_when_there_is_plenty)
{
	ck_assert_uint_eq(decide(50, GiB(4), 0), GiB(4) + GiB(4) / 20);
	ck_assert_uint_eq(decide(50, GiB(4), GiB(3)), GiB(4) + GiB(4) / 20);
	ck_assert_uint_eq(decide(50, GiB(8), 0), GiB(8));
	ck_assert_int_eq(d.reason, POLICY_STEADY);
}
END_TEST

START_TEST(shrinks_under_pressure)
{
	/* By a twentieth, as long as a fifth stays free; less under less pressure. */
	ck_assert_uint_eq(decide(19, GiB(4), GiB(3)), GiB(4) - GiB(4) / 20);
	ck_assert_uint_eq(decide(15, GiB(4), MiB(200)), GiB(4));
	/* Critical: less than is used. */
	ck_assert_uint_lt(decide(2, GiB(4), 0), GiB(4));
	ck_assert_uint_ge(decide(2, GiB(4), 0), GiB(4) / 100 * 96);
	ck_assert_uint_eq(decide(2, MiB(256), 0), MiB(256));
}
END_TEST

/* 8 GiB to 4 takes 14 steps of 10 s. */
START_TEST(half_in_fourteen_steps)
{
	uint64_t size = GiB(8);
	int steps = 0;

	for (; size > GiB(4); steps++)
		size = decide(10, size, size - MiB(300));
	ck_assert_int_eq(steps, 14);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mom");
	TCase *tc = tcase_create("mom");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, grows_when_there_is_plenty);
	tcase_add_test(tc, shrinks_under_pressure);
	tcase_add_test(tc, half_in_fourteen_steps);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
