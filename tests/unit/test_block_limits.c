// SPDX-License-Identifier: MIT
/*
 * Limits: how many pass at once, in which order, and how long the others wait. Upper bounds on
 * time are generous: the machine may be busy.
 */
#include "block_fake.h"

#include "devices/block/block_limits.h"

static struct block_fake fake;
static struct block *block;
static struct error err;

static void setup(void)
{
	run_setup();
	block_fake_init(&fake);
	fake.at_once = true;
	block = NULL;
}

static void teardown(void)
{
	ck_assert_int_eq(block_close(block, &err), 0);
	ck_assert(fake.closed);
	run_teardown();
}

static void create(uint64_t iops, uint64_t burst_ios, uint64_t bytes, uint64_t burst_bytes)
{
	struct block_limits limits = {.iops = iops,
				      .burst_ios = burst_ios,
				      .bytes_per_second = bytes,
				      .burst_bytes = burst_bytes};

	ck_assert_int_eq(block_limits_create(&fake.block, &limits, run_loop, &err, &block), 0);
}

static struct run_block_request runs[64];

static void start(unsigned int count, enum block_op op, uint64_t len)
{
	for (unsigned int i = 0; i < count; i++) {
		runs[i].req = (struct block_request){.op = op, .len = len};
		run_block_start(block, &runs[i]);
	}
}

/* In the order in which they were submitted. */
static void check_order(unsigned int count)
{
	ck_assert_uint_eq(fake.count, count);
	for (unsigned int i = 0; i < count; i++) {
		ck_assert_ptr_eq(fake.seen[i], &runs[i].req);
		ck_assert_int_eq(runs[i].result, 0);
	}
}

START_TEST(requests)
{
	uint64_t begin = loop_now(), took;

	create(100, 5, 0, 0);
	start(15, BLOCK_READ, 4096);
	ck_assert_uint_ge(fake.count, 5);
	ck_assert_uint_lt(fake.count, 15);
	run_all();
	check_order(15);
	took = fake.seen_ns[14] - begin;
	/* Ten of them at 100 a second. */
	ck_assert_uint_ge(took, 90 * NSEC_PER_MSEC);
	ck_assert_uint_le(took, 1500 * NSEC_PER_MSEC);
}
END_TEST

START_TEST(bytes)
{
	uint64_t begin = loop_now(), took;

	create(0, 0, MiB(1), KiB(64));
	start(12, BLOCK_WRITE, KiB(16));
	ck_assert_uint_ge(fake.count, 4);
	ck_assert_uint_lt(fake.count, 12);
	run_all();
	check_order(12);
	took = fake.seen_ns[11] - begin;
	/* 11 had to be paid before the last: 112 KiB at 1 MiB a second. */
	ck_assert_uint_ge(took, 100 * NSEC_PER_MSEC);
	ck_assert_uint_le(took, 1500 * NSEC_PER_MSEC);
}
END_TEST

/* What is larger than the bucket passes all the same, and the next one pays. */
START_TEST(large)
{
	create(0, 0, MiB(10), 1);
	start(2, BLOCK_WRITE, MiB(1));
	ck_assert_uint_eq(fake.count, 1);
	run_all();
	check_order(2);
	ck_assert_uint_ge(fake.seen_ns[1] - fake.seen_ns[0], 90 * NSEC_PER_MSEC);
}
END_TEST

/* What moves no data has no bytes, and a flush is free; but nobody overtakes. */
START_TEST(kinds)
{
	create(20, 1, 1, 1);
	start(1, BLOCK_UNMAP, MiB(1));
	start(1, BLOCK_FLUSH, 0);
	ck_assert_uint_eq(fake.count, 2);
	fake.count = fake.finished = 0;
	for (unsigned int i = 0; i < 3; i++) {
		runs[i].req = (struct block_request){.op = i == 1 ? BLOCK_FLUSH : BLOCK_UNMAP};
		run_block_start(block, &runs[i]);
	}
	run_all();
	check_order(3);
	ck_assert_uint_ge(fake.seen_ns[2] - fake.seen_ns[0], 40 * NSEC_PER_MSEC);
	ck_assert_uint_le(fake.seen_ns[1] - fake.seen_ns[0], 40 * NSEC_PER_MSEC);
}
END_TEST

/* The burst is what a tenth of a second allows, unless said otherwise; and is saved up again. */
START_TEST(burst)
{
	create(100, 0, 0, 0);
	start(20, BLOCK_READ, 512);
	ck_assert_uint_ge(fake.count, 10);
	ck_assert_uint_le(fake.count, 15);
	run_all();
	check_order(20);
}
END_TEST

/* Numbers at the end of their range. */
START_TEST(extremes)
{
	create(UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX);
	start(5, BLOCK_READ, UINT64_MAX);
	run_all();
	check_order(5);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("block_limits");
	TCase *t = tcase_create("block_limits");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, requests);
	tcase_add_test(t, bytes);
	tcase_add_test(t, large);
	tcase_add_test(t, kinds);
	tcase_add_test(t, burst);
	tcase_add_test(t, extremes);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
