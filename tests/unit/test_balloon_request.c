// SPDX-License-Identifier: MIT
/* Requests and their answers, from guests that do as they should and others. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "balloon_fake.h"

#define WINDOW (GiB(4) >> PAGE_SHIFT)

static struct balloon_fake f;

static const struct balloon_counters *counters(void)
{
	return balloon_counters(f.balloon);
}

static void setup(void)
{
	balloon_fake_init(&f, 0, BALLOON_ANSWER_NS);
	balloon_fake_start(&f, DYNMEM_PROTOCOL_VERSION_3);
	balloon_fake_report(&f, MiB(440), MiB(200));
}

static void teardown(void)
{
	balloon_fake_finish(&f);
}

static void ask_for(uint64_t mib, uint32_t pages)
{
	const struct dm_balloon_request *request;

	balloon_set_target(f.balloon, MiB(512 - mib));
	request = balloon_fake_next(&f, DM_BALLOON_REQUEST);
	ck_assert_uint_eq(request->num_pages, pages);
}

/* --- Taking. --------------------------------------------------------------------------------- */

START_TEST(really_released)
{
	char byte = 1;

	for (uint64_t gpa = MiB(128); gpa < MiB(192); gpa += PAGE_SIZE)
		ck_assert_int_eq(mem_write(f.mem, gpa, &byte, 1), 0);
	ck_assert_uint_ge(mem_resident(f.mem), MiB(64));
	balloon_set_target(f.balloon, MiB(448));
	balloon_fake_take(&f, MiB(128) >> PAGE_SHIFT);
	ck_assert_uint_eq(mem_resident(f.mem), 0);
	ck_assert_int_eq(mem_read(f.mem, MiB(128), &byte, 1), 0);
	ck_assert_int_eq(byte, 0);
}
END_TEST

/* A guest that has no large pages left: one page a range, many messages. */
START_TEST(small_pages)
{
	const uint32_t pages = MiB(64) >> PAGE_SHIFT;
	uint64_t ranges[500];

	ask_for(64, pages);
	for (uint32_t done = 0; done < pages;) {
		unsigned int n = 0;

		for (; n < 500 && done < pages; n++, done++)
			ranges[n] = balloon_fake_range(0x8000 + 2 * done, 1);
		ck_assert_int_eq(balloon_fake_give(&f, ranges, n, done < pages), 0);
		if (done < pages)
			ck_assert(balloon_fake_state(&f).moving);
	}
	ck_assert_uint_eq(balloon_fake_state(&f).assigned, MiB(448));
	ck_assert_uint_eq(counter_get(&counters()->removes), 1);
	/* They come back in as many ranges, in messages that follow each other. */
	balloon_set_target(f.balloon, MiB(512));
	for (unsigned int left = pages; left;) {
		const struct dm_unballoon_request *r = balloon_fake_next(&f, DM_UNBALLOON_REQUEST);

		ck_assert_uint_le(r->range_count, left);
		ck_assert_uint_le(r->hdr.size, DM_MESSAGE_MAX);
		left -= r->range_count;
		ck_assert_uint_eq(r->more, left != 0);
	}
	ck_assert(balloon_fake_silent(&f));
	ck_assert_int_eq(balloon_fake_given(&f), 0);
	ck_assert_uint_eq(balloon_fake_state(&f).assigned, MiB(512));
}
END_TEST

START_TEST(gives_less)
{
	const uint64_t range = balloon_fake_range(0x8000, 512);

	ask_for(128, MiB(64) >> PAGE_SHIFT);
	ck_assert_int_eq(balloon_fake_give(&f, &range, 1, true), 0);
	ck_assert_int_eq(balloon_fake_give(&f, NULL, 0, false), 0);
	ck_assert_uint_eq(balloon_fake_state(&f).assigned, MiB(510));
	ck_assert_uint_eq(counter_get(&counters()->refusals), 1);
	ck_assert_uint_eq(f.refused, 1);
	/* It is left alone for a while. */
	balloon_fake_report(&f, MiB(440), MiB(200));
	ck_assert(balloon_fake_silent(&f));
	ck_assert(!balloon_fake_state(&f).moving);
}
END_TEST

START_TEST(not_its_own)
{
	const uint64_t bad[] = {
		balloon_fake_range(0x20000, 512),             /* right behind RAM */
		balloon_fake_range(0x1ff00, 512),             /* half of it */
		balloon_fake_range(WINDOW, 512),              /* not added yet */
		balloon_fake_range(DM_RANGE_START_MASK, 1),   /* the last page there is */
		balloon_fake_range(DM_RANGE_START_MASK, 512), /* and beyond */
		balloon_fake_range(0, DM_RANGE_COUNT_MAX),    /* more than was asked for */
		balloon_fake_range(0x8000, 0),
	};

	ask_for(64, MiB(64) >> PAGE_SHIFT);
	ck_assert_int_eq(balloon_fake_give(&f, bad, ARRAY_SIZE(bad), true), 0);
	ck_assert_uint_eq(counter_get(&counters()->bad_ranges), ARRAY_SIZE(bad));
	ck_assert_uint_eq(balloon_fake_state(&f).assigned, MiB(512));
}
END_TEST

START_TEST(twice)
{
	const uint64_t same[] = {balloon_fake_range(0x8000, 512), balloon_fake_range(0x8000, 512),
				 balloon_fake_range(0x81ff, 2)};

	ask_for(64, MiB(64) >> PAGE_SHIFT);
	ck_assert_int_eq(balloon_fake_give(&f, same, ARRAY_SIZE(same), false), 0);
	ck_assert_uint_eq(counter_get(&counters()->bad_ranges), 2);
	ck_assert_uint_eq(balloon_fake_state(&f).assigned, MiB(510));
	/* The same answer again, when nobody waits for it. */
	ck_assert_int_eq(balloon_fake_give(&f, same, ARRAY_SIZE(same), false), 0);
	ck_assert_uint_eq(counter_get(&counters()->unexpected), 1);
	ck_assert_uint_eq(balloon_fake_state(&f).assigned, MiB(510));
}
END_TEST

START_TEST(more_than_it_says)
{
	struct dm_balloon_response message = {.more_and_count = 5 << 1};

	ask_for(64, MiB(64) >> PAGE_SHIFT);
	ck_assert_int_eq(balloon_fake_send(&f, DM_BALLOON_RESPONSE, &message, sizeof(message)),
			 -EINVAL);
	balloon_fake_start(&f, DYNMEM_PROTOCOL_VERSION_3);
	message.more_and_count = UINT32_MAX;
	ck_assert_int_eq(balloon_fake_send(&f, DM_BALLOON_RESPONSE, &message, sizeof(message)),
			 -EINVAL);
}
END_TEST

/* Messages without end are taken, and change nothing. */
START_TEST(more_for_ever)
{
	ask_for(64, MiB(64) >> PAGE_SHIFT);
	for (int i = 0; i < 10000; i++)
		ck_assert_int_eq(balloon_fake_give(&f, NULL, 0, true), 0);
	ck_assert_uint_eq(balloon_fake_state(&f).assigned, MiB(512));
	ck_assert(balloon_fake_silent(&f));
}
END_TEST

/* Nothing else is asked of a guest that does not answer, whatever is wished and reported. */
START_TEST(never_answers)
{
	ask_for(128, MiB(64) >> PAGE_SHIFT);
	for (uint64_t mib = 256; mib <= 1024; mib += 64) {
		balloon_set_target(f.balloon, MiB(mib));
		balloon_fake_report(&f, MiB(440), MiB(200));
	}
	ck_assert(balloon_fake_silent(&f));
	ck_assert(balloon_fake_state(&f).moving);
	ck_assert_uint_eq(balloon_fake_state(&f).assigned, MiB(512));
	/* When it does after all, the last wish counts. */
	ck_assert_int_eq(balloon_fake_give(&f, NULL, 0, false), 0);
	(void)balloon_fake_next(&f, DM_MEM_HOT_ADD_REQUEST);
}
END_TEST

/* After so long it is said, once; the answer is good whenever it comes. */
START_TEST(answers_late)
{
	const uint64_t begin = loop_now();

	balloon_fake_finish(&f);
	balloon_fake_init(&f, 0, 30 * NSEC_PER_MSEC);
	balloon_fake_start(&f, DYNMEM_PROTOCOL_VERSION_3);
	balloon_fake_report(&f, MiB(440), MiB(200));
	ask_for(128, MiB(64) >> PAGE_SHIFT);
	while (balloon_fake_state(&f).moving) {
		ck_assert_uint_lt(loop_now() - begin, 30 * NSEC_PER_SEC);
		usleep(1000);
		balloon_fake_pass(&f);
	}
	ck_assert_uint_ge(loop_now() - begin, 30 * NSEC_PER_MSEC);
	ck_assert_uint_eq(counter_get(&counters()->refusals), 1);
	ck_assert_uint_eq(f.refused, 1);
	balloon_set_target(f.balloon, MiB(1024));
	balloon_fake_pass(&f);
	ck_assert(balloon_fake_silent(&f));
	ck_assert_uint_eq(balloon_fake_state(&f).assigned, MiB(512));
	balloon_set_target(f.balloon, MiB(448));
	ck_assert_int_eq(
		balloon_fake_give(
			&f, (const uint64_t[]){balloon_fake_range(0x8000, MiB(64) >> PAGE_SHIFT)},
			1, false),
		0);
	ck_assert_uint_eq(balloon_fake_state(&f).assigned, MiB(448));
	ck_assert(!balloon_fake_state(&f).moving && balloon_fake_silent(&f));
}
END_TEST

START_TEST(unasked)
{
	const uint64_t range = balloon_fake_range(0x8000, 512);

	ck_assert_int_eq(balloon_fake_give(&f, &range, 1, false), 0);
	ck_assert_int_eq(balloon_fake_given(&f), 0);
	ck_assert_int_eq(balloon_fake_added(&f, 1000, 1), 0);
	ck_assert_uint_eq(counter_get(&counters()->unexpected), 3);
	ck_assert_uint_eq(balloon_fake_state(&f).assigned, MiB(512));
	/* The answer to another question than was asked. */
	ask_for(64, MiB(64) >> PAGE_SHIFT);
	ck_assert_int_eq(balloon_fake_given(&f), 0);
	ck_assert_int_eq(balloon_fake_added(&f, UINT32_MAX, 1), 0);
	ck_assert_uint_eq(counter_get(&counters()->unexpected), 5);
	ck_assert_uint_eq(balloon_fake_state(&f).assigned, MiB(512));
}
END_TEST

/* --- Giving back. ---------------------------------------------------------------------------- */

START_TEST(gives_while_there_is_room)
{
	const uint32_t pages = MiB(64) >> PAGE_SHIFT;
	const struct dm_unballoon_request *request;
	uint64_t ranges[500];

	ask_for(64, pages);
	for (uint32_t done = 0; done < pages;) {
		unsigned int n = 0;

		for (; n < 500 && done < pages; n++, done++)
			ranges[n] = balloon_fake_range(0x8000 + 2 * done, 1);
		ck_assert_int_eq(balloon_fake_give(&f, ranges, n, done < pages), 0);
	}
	f.channel->full = true;
	balloon_set_target(f.balloon, MiB(512));
	ck_assert(balloon_fake_silent(&f));
	ck_assert_uint_eq(balloon_fake_state(&f).assigned, MiB(448));
	/* An answer that comes too soon is none. */
	ck_assert_int_eq(balloon_fake_given(&f), 0);
	channel_fake_room(f.channel);
	request = balloon_fake_next(&f, DM_UNBALLOON_REQUEST);
	ck_assert_uint_eq(request->more, 1);
	while (request->more)
		request = balloon_fake_next(&f, DM_UNBALLOON_REQUEST);
	ck_assert_int_eq(balloon_fake_given(&f), 0);
	ck_assert_int_eq(balloon_fake_given(&f), 0);
	ck_assert_uint_eq(counter_get(&counters()->unexpected), 2);
	ck_assert_uint_eq(balloon_fake_state(&f).assigned, MiB(512));
}
END_TEST

/* --- Adding. --------------------------------------------------------------------------------- */

static const struct dm_hot_add_request *added(uint64_t start_mib, uint64_t mib)
{
	const struct dm_hot_add_request *request = balloon_fake_next(&f, DM_MEM_HOT_ADD_REQUEST);

	ck_assert_uint_eq(request->range, balloon_fake_range(WINDOW + start_mib * 256, mib * 256));
	ck_assert(mem_is_ram(f.mem, GiB(4) + MiB(start_mib), MiB(mib)));
	return request;
}

START_TEST(in_whole_blocks)
{
	balloon_set_target(f.balloon, MiB(512 + 64));
	ck_assert_uint_eq(added(0, 64)->hdr.size, sizeof(struct dm_hot_add_request));
	ck_assert_int_eq(balloon_fake_added(&f, 64 * 256, 1), 0);
	/* The block that it knows is filled first. */
	balloon_set_target(f.balloon, MiB(512 + 192));
	ck_assert_uint_eq(added(64, 64)->hdr.size, offsetof(struct dm_hot_add_request, region));
	ck_assert_int_eq(balloon_fake_added(&f, 64 * 256, 1), 0);
	ck_assert_uint_eq(added(128, 64)->region,
			  balloon_fake_range(WINDOW + 128 * 256, 128 * 256));
	ck_assert_int_eq(balloon_fake_added(&f, 64 * 256, 1), 0);
	ck_assert_uint_eq(balloon_fake_state(&f).assigned, MiB(512 + 192));
	ck_assert_uint_eq(f.settled, 2);
}
END_TEST

START_TEST(added_may_be_taken)
{
	const uint64_t range = balloon_fake_range(WINDOW, 64 * 256);

	balloon_set_target(f.balloon, MiB(512 + 64));
	(void)added(0, 64);
	ck_assert_int_eq(balloon_fake_added(&f, 64 * 256, 1), 0);
	ask_for(0, 64 * 256);
	ck_assert_int_eq(balloon_fake_give(&f, &range, 1, false), 0);
	ck_assert_uint_eq(balloon_fake_state(&f).assigned, MiB(512));
	ck_assert_uint_eq(counter_get(&counters()->bad_ranges), 0);
}
END_TEST

START_TEST(takes_some)
{
	balloon_set_target(f.balloon, MiB(1024));
	(void)added(0, 64);
	ck_assert_int_eq(balloon_fake_added(&f, 10 * 256, 1), 0);
	ck_assert_uint_eq(balloon_fake_state(&f).assigned, MiB(522));
	ck_assert_uint_eq(f.refused, 1);
	ck_assert_uint_eq(counter_get(&counters()->refusals), 1);
	/* What it did not take is not its own. */
	ask_for(0, 10 * 256);
	const uint64_t range = balloon_fake_range(WINDOW + 10 * 256, 256);

	ck_assert_int_eq(balloon_fake_give(&f, &range, 1, false), 0);
	ck_assert_uint_eq(counter_get(&counters()->bad_ranges), 1);
}
END_TEST

START_TEST(takes_more_than_there_is)
{
	balloon_set_target(f.balloon, MiB(576));
	(void)added(0, 64);
	ck_assert_int_eq(balloon_fake_added(&f, UINT32_MAX, 1), 0);
	ck_assert_uint_eq(balloon_fake_state(&f).assigned, MiB(576));
}
END_TEST

START_TEST(host_has_none)
{
	f.grow_fails = true;
	balloon_set_target(f.balloon, MiB(576));
	ck_assert(balloon_fake_silent(&f));
	ck_assert_uint_eq(f.refused, 1);
	ck_assert_uint_eq(balloon_fake_state(&f).assigned, MiB(512));
}
END_TEST

START_TEST(up_to_the_maximum)
{
	uint64_t mib = 0;

	balloon_set_target(f.balloon, UINT64_MAX);
	for (; mib < 512; mib += 64) {
		(void)added(mib, 64);
		ck_assert_int_eq(balloon_fake_added(&f, 64 * 256, 1), 0);
	}
	ck_assert(balloon_fake_silent(&f));
	ck_assert_uint_eq(balloon_fake_state(&f).assigned, MiB(1024));
	ck_assert_uint_eq(f.settled, 1);
}
END_TEST

/* --- Guests that use what they have given away. ---------------------------------------------- */

START_TEST(taken_again)
{
	char byte = 1;

	balloon_set_target(f.balloon, MiB(256));
	for (uint64_t page = 0x8000; page < 0x18000; page += 0x4000)
		balloon_fake_take(&f, page);
	/* Some of its own, and some that it has given: in all more than it has. */
	for (uint64_t gpa = 0; gpa < MiB(272); gpa += PAGE_SIZE)
		ck_assert_int_eq(mem_write(f.mem, gpa, &byte, 1), 0);
	balloon_fake_report(&f, MiB(440), MiB(200));
	ck_assert_uint_eq(mem_resident(f.mem), MiB(128));
	ck_assert_uint_eq(counter_get(&counters()->retaken), MiB(144));
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_test(tc, really_released);
	tcase_add_test(tc, small_pages);
	tcase_add_test(tc, gives_less);
	tcase_add_test(tc, not_its_own);
	tcase_add_test(tc, twice);
	tcase_add_test(tc, more_than_it_says);
	tcase_add_test(tc, more_for_ever);
	tcase_add_test(tc, never_answers);
	tcase_add_test(tc, answers_late);
	tcase_add_test(tc, unasked);
	tcase_add_test(tc, gives_while_there_is_room);
	tcase_add_test(tc, in_whole_blocks);
	tcase_add_test(tc, added_may_be_taken);
	tcase_add_test(tc, takes_some);
	tcase_add_test(tc, takes_more_than_there_is);
	tcase_add_test(tc, host_has_none);
	tcase_add_test(tc, up_to_the_maximum);
	tcase_add_test(tc, taken_again);
}

int main(void)
{
	Suite *s = suite_create("balloon_request");
	TCase *tc = tcase_create("balloon_request");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	add_tests(tc);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
