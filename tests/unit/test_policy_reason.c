// SPDX-License-Identifier: MIT
/* Reasons: names that programs read, and text with the numbers. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "balancer/policy.h"

START_TEST(names)
{
	enum policy_reason reason;

	for (int i = 0; i < POLICY_REASON_COUNT; i++) {
		ck_assert_int_eq(
			policy_reason_parse(policy_reason_name((enum policy_reason)i), &reason), 0);
		ck_assert_int_eq(reason, i);
	}
	ck_assert_int_eq(policy_reason_parse("", &reason), -EINVAL);
	ck_assert_int_eq(policy_reason_parse("starve", &reason), -EINVAL);
}
END_TEST

START_TEST(texts)
{
	struct policy_decision d = {.demand = GiB(60),
				    .assigned = GiB(40),
				    .ideal = GiB(72),
				    .share = MiB(100),
				    .pressure = 150};
	char buf[256], tiny[8];

	for (int i = 0; i < POLICY_REASON_COUNT; i++) {
		d.reason = (enum policy_reason)i;
		policy_reason_text(&d, buf, sizeof(buf));
		ck_assert_uint_gt(strlen(buf), 10);
		policy_reason_text(&d, tiny, sizeof(tiny));
		ck_assert_uint_eq(strlen(tiny), 7);
	}
	d.reason = POLICY_STARVED;
	policy_reason_text(&d, buf, sizeof(buf));
	ck_assert_str_eq(buf, "it uses more than it has: pressure 150 (60.0 GiB committed, "
			      "40.0 GiB visible), ideal 72.0 GiB, share 100 MiB");
	d.demand = d.assigned = d.ideal = d.share = UINT64_MAX;
	d.pressure = UINT32_MAX;
	policy_reason_text(&d, buf, sizeof(buf));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy_reason");
	TCase *tc = tcase_create("policy_reason");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, names);
	tcase_add_test(tc, texts);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
