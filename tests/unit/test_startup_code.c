// SPDX-License-Identifier: MIT
/* Code that was used leaves the process, and is there again when it is wanted. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "candela/startup_code.h"

/* Of pages that are mapped from files, in KiB. */
static long resident(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	long kib = -1;

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, "RssFile:", 8))
			kib = strtol(line + 8, NULL, 10);
	fclose(f);
	return kib;
}

static int by_number(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

START_TEST(leaves)
{
	int numbers[] = {3, 1, 2};
	char text[64];
	long before, after;

	/* Something of the C library that formatting and the test itself do not use. */
	qsort(numbers, 3, sizeof(*numbers), by_number);
	before = resident();
	startup_code_release();
	after = resident();
	ck_assert_int_gt(before, 0);
	ck_assert_int_lt(after, before);
	/* All of it still works, what was changed is still so. */
	qsort(numbers, 3, sizeof(*numbers), by_number);
	ck_assert_int_eq(numbers[0], 1);
	snprintf(text, sizeof(text), "%d %s", numbers[2], "words");
	ck_assert_str_eq(text, "3 words");
	startup_code_release();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("startup_code");
	TCase *t = tcase_create("startup_code");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, leaves);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
