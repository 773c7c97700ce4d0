// SPDX-License-Identifier: MIT
/* When interrupts wait for more answers, and for how long. */
#include <check.h>
#include <stdlib.h>

#include "vmbus/gather.h"

static struct gather g;

static void setup(void)
{
	gather_init(&g);
}

START_TEST(a_silent_guest_is_tried_ever_more_rarely)
{
	unsigned int held = 0;

	for (unsigned int i = 0; i < 10000; i++) {
		if (!gather_hold(&g))
			continue;
		held++;
		ck_assert(gather_over(&g));
	}
	/* 2 + 4 + ... + 512 go by untried at first, then 512 each time. */
	ck_assert_uint_ge(held, 9);
	ck_assert_uint_le(held, 30);
}
END_TEST

START_TEST(a_busy_guest_is_left_alone_until_it_falls_silent)
{
	ck_assert(gather_hold(&g));
	for (unsigned int i = 0; i < 10; i++) {
		gather_packets(&g, 1, i * 1000);
		/* What comes meanwhile does not begin anew. */
		ck_assert(gather_hold(&g));
		ck_assert(!gather_over(&g));
	}
	ck_assert(gather_over(&g));
	ck_assert(!g.holding);
	/* It paid: the next is held back, too. */
	ck_assert(gather_hold(&g));
}
END_TEST

START_TEST(a_guest_that_never_falls_silent_is_interrupted)
{
	unsigned int moments = 1;

	ck_assert(gather_hold(&g));
	for (;; moments++) {
		gather_packets(&g, 1, moments * 1000);
		if (gather_over(&g))
			break;
		ck_assert_uint_lt(moments, 100);
	}
	ck_assert(gather_hold(&g));
}
END_TEST

START_TEST(a_hit_after_misses_is_a_new_beginning)
{
	for (unsigned int i = 0; i < 100; i++)
		if (gather_hold(&g))
			(void)gather_over(&g);
	while (!gather_hold(&g))
		;
	gather_packets(&g, 3, 1000);
	ck_assert(!gather_over(&g));
	ck_assert(gather_over(&g));
	ck_assert(gather_hold(&g));
}
END_TEST

START_TEST(moments_follow_the_guest)
{
	uint64_t now = 0;

	ck_assert_uint_eq(gather_moment_ns(&g), 40000);
	for (unsigned int i = 0; i < 200; i++)
		gather_packets(&g, 1, now += 100000);
	ck_assert_uint_ge(gather_moment_ns(&g), 190000);
	ck_assert_uint_le(gather_moment_ns(&g), 200000);
	for (unsigned int i = 0; i < 200; i++)
		gather_packets(&g, 1, now += NSEC_PER_SEC);
	ck_assert_uint_eq(gather_moment_ns(&g), 400000);
	for (unsigned int i = 0; i < 200; i++)
		gather_packets(&g, 16, now += 16000);
	ck_assert_uint_eq(gather_moment_ns(&g), 20000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("gather");
	TCase *t = tcase_create("gather");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, a_silent_guest_is_tried_ever_more_rarely);
	tcase_add_test(t, a_busy_guest_is_left_alone_until_it_falls_silent);
	tcase_add_test(t, a_guest_that_never_falls_silent_is_interrupted);
	tcase_add_test(t, a_hit_after_misses_is_a_new_beginning);
	tcase_add_test(t, moments_follow_the_guest);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
