// SPDX-License-Identifier: MIT
/* Series: what is kept, in what order, and how little of too much. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balancer/series.h"

static struct series s;

static void add(size_t vm, uint64_t time_ms)
{
	const struct series_point point = {.time_ms = time_ms, .assigned = time_ms};

	if (series_add_point(&s, vm, &point) != 0)
		ck_abort_msg("no memory");
}

START_TEST(names)
{
	char name[32], longest[200];
	size_t at, again;

	series_init(&s);
	for (unsigned int i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "vm%u", i);
		ck_assert_int_eq(series_find_vm(&s, name, &at), 0);
		ck_assert_uint_eq(at, i);
	}
	for (unsigned int i = 0; i < 2000; i += 77) {
		snprintf(name, sizeof(name), "vm%u", i);
		ck_assert_int_eq(series_find_vm(&s, name, &at), 0);
		ck_assert_uint_eq(at, i);
	}
	memset(longest, 'x', sizeof(longest));
	longest[199] = '\0';
	ck_assert_int_eq(series_find_vm(&s, longest, &at), 0);
	ck_assert_uint_eq(strlen(s.vms[at].name), SERIES_NAME_MAX);
	ck_assert_int_eq(series_find_vm(&s, longest, &again), 0);
	ck_assert_uint_eq(at, again);
	series_finish(&s);
	series_finish(&s);
}
END_TEST

START_TEST(in_order)
{
	size_t at;

	series_init(&s);
	ck_assert_int_eq(series_find_vm(&s, "a", &at), 0);
	add(at, 1000);
	add(at, 2000);
	add(at, 1500);
	add(at, 2000);
	ck_assert_uint_eq(s.vms[at].count, 3);
	ck_assert_int_eq(series_add_host(&s, &(struct series_host){.time_ms = 5}), 0);
	ck_assert_int_eq(series_add_host(&s, &(struct series_host){.time_ms = 4}), 0);
	ck_assert_uint_eq(s.host_count, 1);
	series_finish(&s);
}
END_TEST

START_TEST(thinned)
{
	size_t a, b;

	series_init(&s);
	ck_assert_int_eq(series_find_vm(&s, "a", &a), 0);
	ck_assert_int_eq(series_find_vm(&s, "b", &b), 0);
	for (uint64_t t = 0; t < SERIES_POINTS_MAX; t++) {
		add(a, t * 500);
		add(b, t * 500);
		if (series_add_host(&s, &(struct series_host){.time_ms = t * 500}) != 0)
			ck_abort_msg("no memory");
	}
	ck_assert_uint_le(s.points, SERIES_POINTS_MAX);
	ck_assert_uint_ge(s.points, SERIES_POINTS_MAX / 4);
	ck_assert_uint_eq(s.points, s.host_count + s.vms[a].count + s.vms[b].count);
	for (size_t i = 1; i < s.vms[a].count; i++)
		if (s.vms[a].points[i].time_ms - s.vms[a].points[i - 1].time_ms < s.spacing_ms)
			ck_abort_msg("too near");
	/* From the first to nearly the last. */
	ck_assert_uint_eq(s.vms[a].points[0].time_ms, 0);
	ck_assert_uint_ge(s.vms[a].points[s.vms[a].count - 1].time_ms,
			  (SERIES_POINTS_MAX - 100) * 500ull);
	series_finish(&s);
}
END_TEST

START_TEST(last_moves)
{
	series_init(&s);
	ck_assert_ptr_null(series_move(&s, 0));
	for (uint64_t t = 0; t < SERIES_MOVES_MAX + 7; t++)
		ck_assert_int_eq(series_add_move(&s, &(struct series_move){.time_ms = t}), 0);
	ck_assert_uint_eq(series_move(&s, 0)->time_ms, 7);
	ck_assert_uint_eq(series_move(&s, SERIES_MOVES_MAX - 1)->time_ms, SERIES_MOVES_MAX + 6);
	ck_assert_ptr_null(series_move(&s, SERIES_MOVES_MAX));
	series_finish(&s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("series");
	TCase *tc = tcase_create("series");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, names);
	tcase_add_test(tc, in_order);
	tcase_add_test(tc, thinned);
	tcase_add_test(tc, last_moves);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
