// SPDX-License-Identifier: MIT
/* Towards a target: what is asked for, in which order, and what is not. */
#include <check.h>
#include <stdlib.h>
#include <unistd.h>

#include "balloon_fake.h"

static struct balloon_fake f;

static void setup(void)
{
	balloon_fake_init(&f, 0, BALLOON_ANSWER_NS);
	balloon_fake_start(&f, DYNMEM_PROTOCOL_VERSION_3);
}

static void teardown(void)
{
	balloon_fake_finish(&f);
}

START_TEST(at_rest)
{
	const struct balloon_state s = balloon_fake_state(&f);

	ck_assert(s.driver && !s.moving && !s.reported);
	ck_assert_uint_eq(s.version, DYNMEM_PROTOCOL_VERSION_3);
	ck_assert_uint_eq(s.assigned, MiB(512));
	ck_assert_uint_eq(s.target, MiB(512));
	ck_assert_uint_eq(s.grace_left_ns, 0);
	ck_assert(balloon_fake_silent(&f));
}
END_TEST

START_TEST(clamped)
{
	ck_assert_uint_eq(balloon_set_target(f.balloon, 1), MiB(256));
	ck_assert_uint_eq(balloon_set_target(f.balloon, UINT64_MAX), MiB(1024));
	ck_assert_uint_eq(balloon_set_target(f.balloon, MiB(300) + 1), MiB(302));
}
END_TEST

START_TEST(nothing_without_report)
{
	balloon_set_target(f.balloon, MiB(256));
	ck_assert(balloon_fake_silent(&f));
	ck_assert_uint_eq(balloon_fake_state(&f).floor, MiB(512));
	balloon_fake_report(&f, MiB(440), MiB(200));
	ck_assert(!balloon_fake_silent(&f));
}
END_TEST

START_TEST(down_and_up)
{
	struct balloon_state s;

	balloon_fake_report(&f, MiB(440), MiB(200));
	balloon_set_target(f.balloon, MiB(384));
	for (unsigned int i = 0; i < 2; i++) {
		ck_assert(balloon_fake_state(&f).moving);
		balloon_fake_take(&f, 0x8000 + i * 0x4000);
	}
	s = balloon_fake_state(&f);
	ck_assert(balloon_fake_silent(&f) && !s.moving);
	ck_assert_uint_eq(s.assigned, MiB(384));
	ck_assert_uint_eq(f.settled, 1);
	ck_assert_uint_eq(counter_get(&balloon_counters(f.balloon)->removes), 2);
	ck_assert_uint_eq(counter_get(&balloon_counters(f.balloon)->remove_bytes), MiB(128));

	balloon_set_target(f.balloon, MiB(512));
	for (unsigned int i = 0; i < 2; i++) {
		(void)balloon_fake_next(&f, DM_UNBALLOON_REQUEST);
		ck_assert(balloon_fake_silent(&f));
		ck_assert_int_eq(balloon_fake_given(&f), 0);
	}
	s = balloon_fake_state(&f);
	ck_assert_uint_eq(s.assigned, MiB(512));
	ck_assert_uint_eq(f.settled, 2);
	ck_assert_uint_eq(counter_get(&balloon_counters(f.balloon)->adds), 2);
	/* The guest had more than it needed when it got more. */
	ck_assert_uint_eq(counter_get(&balloon_counters(f.balloon)->buffer_hits), 2);
	ck_assert_uint_eq(counter_get(&balloon_counters(f.balloon)->buffer_misses), 0);
}
END_TEST

START_TEST(buffer_miss)
{
	balloon_fake_report(&f, MiB(10), MiB(900));
	ck_assert_uint_eq(balloon_fake_state(&f).pressure, 176);
	balloon_set_target(f.balloon, MiB(576));
	(void)balloon_fake_next(&f, DM_MEM_HOT_ADD_REQUEST);
	ck_assert_int_eq(balloon_fake_added(&f, MiB(64) >> PAGE_SHIFT, 1), 0);
	ck_assert_uint_eq(counter_get(&balloon_counters(f.balloon)->buffer_misses), 1);
	ck_assert_uint_eq(balloon_fake_state(&f).pressure, 156);
}
END_TEST

START_TEST(given_before_added)
{
	balloon_fake_report(&f, MiB(440), MiB(200));
	balloon_set_target(f.balloon, MiB(480));
	balloon_fake_take(&f, 0x8000);
	balloon_set_target(f.balloon, MiB(540));
	(void)balloon_fake_next(&f, DM_UNBALLOON_REQUEST);
	ck_assert_int_eq(balloon_fake_given(&f), 0);
	(void)balloon_fake_next(&f, DM_MEM_HOT_ADD_REQUEST);
	ck_assert_int_eq(balloon_fake_added(&f, MiB(28) >> PAGE_SHIFT, 1), 0);
	ck_assert_uint_eq(balloon_fake_state(&f).assigned, MiB(540));
	ck_assert(balloon_fake_silent(&f));
}
END_TEST

START_TEST(new_target_underway)
{
	balloon_fake_report(&f, MiB(440), MiB(200));
	balloon_set_target(f.balloon, MiB(256));
	/* The request that is out is answered; then the other way. */
	balloon_set_target(f.balloon, MiB(512));
	balloon_fake_take(&f, 0x8000);
	(void)balloon_fake_next(&f, DM_UNBALLOON_REQUEST);
	ck_assert_int_eq(balloon_fake_given(&f), 0);
	ck_assert_uint_eq(balloon_fake_state(&f).assigned, MiB(512));
	ck_assert_uint_eq(f.settled, 1);
}
END_TEST

START_TEST(respects_the_guests_floor)
{
	/* 200 available, 168 of which it keeps. */
	balloon_fake_report(&f, MiB(200), MiB(300));
	ck_assert_uint_eq(balloon_fake_state(&f).floor, MiB(480));
	balloon_set_target(f.balloon, MiB(256));
	balloon_fake_take(&f, 0x8000);
	ck_assert(balloon_fake_silent(&f));
	ck_assert(!balloon_fake_state(&f).moving);
	ck_assert_uint_eq(balloon_fake_state(&f).assigned, MiB(480));
	ck_assert_uint_eq(f.refused, 1);
	/* Reports alone do not tell it again. */
	balloon_fake_report(&f, MiB(160), MiB(332));
	ck_assert_uint_eq(f.refused, 1);
	/* Nor does the same wish. */
	balloon_set_target(f.balloon, MiB(256));
	ck_assert_uint_eq(f.refused, 1);
	/* Once the guest has more to spare, more is taken. */
	balloon_fake_report(&f, MiB(440), MiB(100));
	ck_assert(!balloon_fake_silent(&f));
}
END_TEST

START_TEST(never_below_minimum)
{
	uint64_t page = 0x8000;

	balloon_fake_report(&f, MiB(512), MiB(20));
	balloon_set_target(f.balloon, 1);
	while (!balloon_fake_silent(&f)) {
		balloon_fake_take(&f, page);
		page += 0x4000;
		balloon_fake_report(&f, MiB(512), MiB(20));
	}
	ck_assert_uint_eq(balloon_fake_state(&f).assigned, MiB(256));
	ck_assert_uint_eq(f.settled, 1);
}
END_TEST

START_TEST(raised_limits)
{
	const struct dm_info_max_pages *info;

	balloon_set_target(f.balloon, UINT64_MAX);
	(void)balloon_fake_next(&f, DM_MEM_HOT_ADD_REQUEST);
	balloon_set_limits(f.balloon, MiB(128), MiB(1024));
	info = balloon_fake_next(&f, DM_INFO_MESSAGE);
	ck_assert_uint_eq(info->max_page_count, MiB(1024) >> PAGE_SHIFT);
	ck_assert_uint_eq(balloon_set_target(f.balloon, 1), MiB(128));
}
END_TEST

START_TEST(forgets_when_closed)
{
	struct balloon_state s;

	balloon_fake_report(&f, MiB(440), MiB(200));
	balloon_set_target(f.balloon, MiB(448));
	balloon_fake_take(&f, 0x8000);
	balloon_set_target(f.balloon, MiB(256));
	ck_assert(channel_fake_close(&f.bus, 0));
	s = balloon_fake_state(&f);
	ck_assert(!s.driver && !s.moving && !s.reported);
	ck_assert_uint_eq(s.assigned, MiB(512));
	ck_assert_uint_eq(s.target, MiB(256));
	/* A driver that comes next is asked anew, and may give the same pages. */
	balloon_fake_start(&f, DYNMEM_PROTOCOL_VERSION_1);
	balloon_fake_report(&f, MiB(440), MiB(200));
	balloon_fake_take(&f, 0x8000);
	ck_assert_uint_eq(balloon_fake_state(&f).assigned, MiB(448));
}
END_TEST

START_TEST(as_at_first_after_reset)
{
	balloon_set_target(f.balloon, MiB(576));
	(void)balloon_fake_next(&f, DM_MEM_HOT_ADD_REQUEST);
	ck_assert_int_eq(balloon_fake_added(&f, MiB(64) >> PAGE_SHIFT, 1), 0);
	ck_assert(channel_fake_close(&f.bus, 0));
	mem_shrink(f.mem);
	balloon_reset(f.balloon);
	ck_assert_uint_eq(balloon_fake_state(&f).assigned, MiB(512));
	ck_assert_uint_eq(balloon_fake_state(&f).target, MiB(512));
	balloon_fake_start(&f, DYNMEM_PROTOCOL_VERSION_3);
	balloon_set_target(f.balloon, MiB(576));
	(void)balloon_fake_next(&f, DM_MEM_HOT_ADD_REQUEST);
	ck_assert_int_eq(balloon_fake_added(&f, MiB(64) >> PAGE_SHIFT, 1), 0);
	ck_assert_uint_eq(balloon_fake_state(&f).assigned, MiB(576));
}
END_TEST

START_TEST(grace)
{
	const uint64_t begin = loop_now();

	balloon_fake_finish(&f);
	balloon_fake_init(&f, 40 * NSEC_PER_MSEC, BALLOON_ANSWER_NS);
	ck_assert_uint_eq(balloon_fake_state(&f).grace_left_ns, 40 * NSEC_PER_MSEC);
	balloon_fake_start(&f, DYNMEM_PROTOCOL_VERSION_3);
	balloon_fake_report(&f, MiB(440), MiB(200));
	balloon_set_target(f.balloon, MiB(448));
	while (balloon_fake_silent(&f)) {
		ck_assert(balloon_fake_state(&f).moving);
		usleep(1000);
		balloon_fake_pass(&f);
		ck_assert_uint_lt(loop_now() - begin, 30 * NSEC_PER_SEC);
	}
	ck_assert_uint_ge(loop_now() - begin, 40 * NSEC_PER_MSEC);
	ck_assert_uint_eq(balloon_fake_state(&f).grace_left_ns, 0);
	balloon_fake_take(&f, 0x8000);
	ck_assert_uint_eq(balloon_fake_state(&f).assigned, MiB(448));
}
END_TEST

START_TEST(destroy_nothing)
{
	balloon_destroy(NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("balloon");
	TCase *tc = tcase_create("balloon");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, at_rest);
	tcase_add_test(tc, clamped);
	tcase_add_test(tc, nothing_without_report);
	tcase_add_test(tc, down_and_up);
	tcase_add_test(tc, buffer_miss);
	tcase_add_test(tc, given_before_added);
	tcase_add_test(tc, new_target_underway);
	tcase_add_test(tc, respects_the_guests_floor);
	tcase_add_test(tc, never_below_minimum);
	tcase_add_test(tc, raised_limits);
	tcase_add_test(tc, forgets_when_closed);
	tcase_add_test(tc, as_at_first_after_reset);
	tcase_add_test(tc, grace);
	tcase_add_test(tc, destroy_nothing);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
