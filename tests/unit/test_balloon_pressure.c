// SPDX-License-Identifier: MIT
/* What reports mean: the published example, and that moving memory does not move demand. */
#include <check.h>
#include <stdlib.h>

#include "devices/balloon_pressure.h"

START_TEST(worked_example)
{
	/* 4 GiB visible at 150 is 6 GiB committed. */
	ck_assert_uint_eq(balloon_committed(150, GiB(4)), GiB(6));
	ck_assert_uint_eq(balloon_pressure(GiB(6), GiB(4)), 150);
	/* And with the 8 GiB that it gets then, there is no pressure. */
	ck_assert_uint_eq(balloon_pressure(GiB(6), GiB(8)), 75);
}
END_TEST

START_TEST(edges)
{
	ck_assert_uint_eq(balloon_pressure(0, GiB(4)), 0);
	ck_assert_uint_eq(balloon_pressure(GiB(4), GiB(4)), 100);
	ck_assert_uint_eq(balloon_pressure(0, 0), 0);
	ck_assert_uint_gt(balloon_pressure(1, 0), 1000000);
	/* A guest that claims all there is. */
	ck_assert_uint_eq(balloon_pressure(UINT64_MAX, GiB(1)), (BALLOON_REPORT_MAX >> 30) * 100);
	ck_assert_uint_eq(balloon_committed(UINT32_MAX, UINT64_MAX / UINT32_MAX) > 0, 1);
}
END_TEST

START_TEST(claims)
{
	struct balloon_report r = balloon_report_of(UINT64_MAX, UINT64_MAX);

	ck_assert_uint_eq(r.available, BALLOON_REPORT_MAX);
	ck_assert_uint_eq(r.committed, BALLOON_REPORT_MAX);
	r = balloon_report_of(3, 5);
	ck_assert_uint_eq(r.available, 3 * PAGE_SIZE);
	ck_assert_uint_eq(r.committed, 5 * PAGE_SIZE);
}
END_TEST

START_TEST(guest_floor)
{
	static const struct {
		uint64_t visible, floor;
	} rows[] = {{0, 8}, {128, 72}, {512, 168}, {2048, 360}, {8192, 744}, {32768, 1512}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		ck_assert_uint_eq(balloon_guest_floor(MiB(rows[i].visible)), MiB(rows[i].floor));
}
END_TEST

/* What Linux reports with @committed bytes of its programs. */
static struct balloon_report linux_report(uint64_t programs, const struct balloon_view *view)
{
	return (struct balloon_report){.committed = programs + view->ballooned +
						    balloon_guest_floor(view->visible)};
}

START_TEST(moving_does_not_move_demand)
{
	const uint64_t startup = GiB(4), programs = MiB(700);
	struct balloon_view view = {.visible = startup, .startup = startup, .linux_guest = true};
	struct balloon_report report = linux_report(programs, &view);
	uint64_t at_first = balloon_demand(&report, &view, 0);

	ck_assert_uint_eq(at_first, programs + balloon_guest_floor(startup));
	for (uint64_t mib = 64; mib <= 3584; mib += 64) {
		view.visible = startup - MiB(mib);
		view.ballooned = MiB(mib);
		report = linux_report(programs, &view);
		ck_assert_uint_eq(balloon_demand(&report, &view, 0), at_first);
	}
	view.ballooned = 0;
	for (uint64_t mib = 64; mib <= 8192; mib += 64) {
		view.visible = startup + MiB(mib);
		report = linux_report(programs, &view);
		ck_assert_uint_eq(balloon_demand(&report, &view, 0), at_first);
	}
}
END_TEST

START_TEST(other_guests)
{
	const struct balloon_view view = {
		.visible = GiB(3), .ballooned = GiB(1), .startup = GiB(4)};
	struct balloon_report report = {.committed = GiB(3)};

	ck_assert_uint_eq(balloon_demand(&report, &view, 0), GiB(2));
	report.committed = MiB(1);
	ck_assert_uint_eq(balloon_demand(&report, &view, 0), 0);
}
END_TEST

/* A report that comes while pages are on the way: some of them are counted, nobody knows which. */
START_TEST(underway)
{
	const struct balloon_view view = {
		.visible = GiB(4), .underway = MiB(128), .startup = GiB(4)};
	struct balloon_report report = {.committed = GiB(1) + MiB(50)};

	ck_assert_uint_eq(balloon_demand(&report, &view, GiB(1)), GiB(1));
	ck_assert_uint_eq(balloon_demand(&report, &view, GiB(2)), GiB(1) + MiB(50));
	ck_assert_uint_eq(balloon_demand(&report, &view, MiB(1)), GiB(1) + MiB(50) - MiB(128));
}
END_TEST

START_TEST(take_floor)
{
	struct balloon_view view = {.visible = MiB(512), .startup = MiB(512)};
	struct balloon_report report = {.available = MiB(400)};

	/* 400 less the guest's own floor of 168 can go. */
	ck_assert_uint_eq(balloon_take_floor(&report, &view, MiB(64)), MiB(280));
	ck_assert_uint_eq(balloon_take_floor(&report, &view, MiB(300)), MiB(300));
	report.available = MiB(100);
	ck_assert_uint_eq(balloon_take_floor(&report, &view, MiB(64)), MiB(512));
	report.available = GiB(100);
	ck_assert_uint_eq(balloon_take_floor(&report, &view, MiB(64)), MiB(64));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("balloon_pressure");
	TCase *tc = tcase_create("balloon_pressure");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, worked_example);
	tcase_add_test(tc, edges);
	tcase_add_test(tc, claims);
	tcase_add_test(tc, guest_floor);
	tcase_add_test(tc, moving_does_not_move_demand);
	tcase_add_test(tc, other_guests);
	tcase_add_test(tc, underway);
	tcase_add_test(tc, take_floor);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
