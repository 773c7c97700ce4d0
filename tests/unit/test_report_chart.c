// SPDX-License-Identifier: MIT
/* Charts: times and numbers that a scale must bear. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balancer/report_chart.h"

static char *draw(const uint64_t *times, const double *values, size_t n, bool right)
{
	struct chart chart = {
		.title = "t & t",
		.left = "l",
		.right = right ? "r" : NULL,
		.times_ms = times,
		.n = n,
		.lines = {{"v", "c1", values, true, false}, {"w", "c2", values, false, right}},
		.line_count = 2,
		.mark = 100};
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	chart_write(out, &chart);
	fclose(out);
	return text;
}

START_TEST(any_numbers)
{
	static const double all[][3] = {
		{0, 0, 0}, {1e-9, 2e-9, 0}, {1e300, 1, 0}, {17179869184e9, 0, 3}, {99.5, 100, 101}};
	static const uint64_t times[][3] = {{0, 1, 2}, {5, 5, 5}, {0, UINT64_MAX / 2, UINT64_MAX}};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		for (size_t t = 0; t < ARRAY_SIZE(times); t++)
			for (size_t n = 0; n <= 3; n++) {
				char *text = draw(times[t], all[i], n, i % 2);

				ck_assert_int_eq(n == 0, *text == '\0');
				ck_assert_ptr_null(strstr(text, "nan"));
				ck_assert_ptr_null(strstr(text, "inf"));
				if (n)
					ck_assert_ptr_nonnull(strstr(text, "t &amp; t"));
				free(text);
			}
}
END_TEST

START_TEST(times)
{
	char buf[32];

	chart_time(1700000000000, 3600 * 1000, buf);
	ck_assert_str_eq(buf, "22:13");
	chart_time(1700000000000, 5 * 60 * 1000, buf);
	ck_assert_str_eq(buf, "22:13:20");
	chart_time(1700000000000, 72ull * 3600 * 1000, buf);
	ck_assert_str_eq(buf, "11-14 22:13");
	chart_time(26ull * 3600 * 1000, 72ull * 3600 * 1000, buf);
	ck_assert_str_eq(buf, "1d 02:00");
	chart_time(UINT64_MAX, 1, buf);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("report_chart");
	TCase *tc = tcase_create("report_chart");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, any_numbers);
	tcase_add_test(tc, times);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
