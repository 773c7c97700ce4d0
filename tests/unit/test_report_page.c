// SPDX-License-Identifier: MIT
/* The page about a series: everything is on it, and nothing that is in it breaks it. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balancer/report.h"
#include "balancer/report_chart.h"

static char *text;
static size_t len;

static void page(const struct series *series)
{
	FILE *out = open_memstream(&text, &len);

	report_write(out, series);
	ck_assert_int_eq(fclose(out), 0);
}

static size_t count(const char *what)
{
	size_t n = 0;

	for (const char *p = text; (p = strstr(p, what)); p++)
		n++;
	return n;
}

static void add_vm(struct series *series, const char *name, unsigned int points)
{
	size_t at;

	ck_assert_int_eq(series_find_vm(series, name, &at), 0);
	for (unsigned int i = 0; i < points; i++) {
		const struct series_point point = {.time_ms = 1700000000000ull + i * 1000ull,
						   .assigned = GiB(1) + i * MiB(1),
						   .demand = GiB(1),
						   .pressure = 100 + i % 50,
						   .counts = {.add_operations = i}};

		ck_assert_int_eq(series_add_point(series, at, &point), 0);
	}
	ck_assert_int_eq(series_add_move(series, &(struct series_move){.vm = at, .from = GiB(1)}),
			 0);
}

START_TEST(empty)
{
	struct series series;

	series_init(&series);
	page(&series);
	ck_assert_uint_eq(count("<svg"), 0);
	ck_assert_uint_eq(count("</html>"), 1);
	free(text);
}
END_TEST

START_TEST(pictures)
{
	struct series series;

	series_init(&series);
	for (unsigned int i = 0; i < 3000; i++)
		ck_assert_int_eq(
			series_add_host(&series, &(struct series_host){.time_ms = i * 1000ull,
								       .total = GiB(64),
								       .available = GiB(i % 60),
								       .pressure = 80}),
			0);
	add_vm(&series, "web1", 2000);
	add_vm(&series, "<script>alert('\"&')</script>", 1);
	add_vm(&series, "a\x01\xff\xc2", 2);
	page(&series);
	/* One for the host, two for each VM. */
	ck_assert_uint_eq(count("<svg"), 7);
	ck_assert_uint_eq(count("web1"), 3);
	ck_assert_uint_eq(count("<script"), 0);
	ck_assert_uint_eq(count("&lt;script&gt;alert(&#39;&quot;&amp;&#39;)"), 3);
	ck_assert_uint_eq(count("a???"), 3);
	ck_assert_uint_eq(count("nan"), 0);
	/* Points that cannot be seen are left out. */
	ck_assert_uint_lt(len, 200000);
	series_finish(&series);
	free(text);
}
END_TEST

START_TEST(many)
{
	struct series series;
	char name[16];

	series_init(&series);
	for (unsigned int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "vm%u", i);
		add_vm(&series, name, 1 + i % 100);
	}
	page(&series);
	ck_assert_uint_eq(count("<svg"), 2 * REPORT_VMS);
	ck_assert_uint_eq(count("64 VMs of 200"), 1);
	series_finish(&series);
	free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("report_page");
	TCase *tc = tcase_create("report_page");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, empty);
	tcase_add_test(tc, pictures);
	tcase_add_test(tc, many);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
