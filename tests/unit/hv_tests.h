// SPDX-License-Identifier: MIT
/*
 * What the test programs of the hypervisor interface share: running a list of cases, each in a
 * process of its own.
 */
#pragma once

#include <check.h>
#include <stdlib.h>

#include "vmm/base.h"

/* What main() returns. @setup and @teardown run in the case's process. */
static inline int hv_run_tests(const char *name, void (*setup)(void), void (*teardown)(void),
			       const TTest *const *tests, size_t count)
{
	Suite *s = suite_create(name);
	TCase *t = tcase_create(name);
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	for (size_t i = 0; i < count; i++)
		tcase_add_test(t, tests[i]);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
