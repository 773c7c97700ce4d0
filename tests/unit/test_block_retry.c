// SPDX-License-Identifier: MIT
/*
 * Requests without space wait, and the VM is paused once for all of them.
 */
#include "block_fake.h"

#include "devices/block/block_retry.h"

static struct block_fake fake;
static struct block *block;
static struct error err;
static unsigned int stops;
static char reason[256];

static void stop(void *ctx, const char *why)
{
	ck_assert_ptr_eq(ctx, &fake);
	stops++;
	snprintf(reason, sizeof(reason), "%s", why);
}

static void setup(void)
{
	run_setup();
	block_fake_init(&fake);
	stops = 0;
	ck_assert_int_eq(block_retry_create(&fake.block, stop, &fake, &err, &block), 0);
}

static void teardown(void)
{
	fake.result = 0;
	ck_assert_int_eq(block_close(block, &err), 0);
	ck_assert(fake.closed);
	run_teardown();
}

static struct run_block_request make(enum block_op op)
{
	return (struct run_block_request){.req = {.op = op, .len = 512}};
}

START_TEST(passes)
{
	struct run_block_request run = make(BLOCK_WRITE);
	static const int results[] = {0, -EIO, -EROFS};
	uint64_t len;

	ck_assert_uint_eq(block->info.size, MiB(64));
	ck_assert_str_eq(block->name, "fake");
	ck_assert_int_eq(block_map(block, 0, &len), BLOCK_UNMAPPED);
	ck_assert_uint_eq(len, 4096);
	for (size_t i = 0; i < ARRAY_SIZE(results); i++) {
		run_block_start(block, &run);
		ck_assert_int_eq(run.result, RUN_PENDING);
		block_fake_finish_one(&fake, results[i]);
		ck_assert_int_eq(run.result, results[i]);
		ck_assert(run.req.done == run_block_done);
		ck_assert_ptr_eq(run.req.block, block);
	}
	ck_assert_uint_eq(stops, 0);
	block_retry(block);
	block_retry(&fake.block); /* has no such layer */
	block_give_up(&fake.block);
	ck_assert_uint_eq(fake.count, 3);
}
END_TEST

START_TEST(waits)
{
	struct run_block_request a = make(BLOCK_WRITE), b = make(BLOCK_WRITE_ZEROES);

	run_block_start(block, &a);
	run_block_start(block, &b);
	block_fake_finish_one(&fake, -ENOSPC);
	block_fake_finish_one(&fake, -ENOSPC);
	ck_assert_uint_eq(stops, 1);
	ck_assert_str_eq(reason, "fake: the host has no space left");
	ck_assert_int_eq(a.result, RUN_PENDING);
	/* Again, and one of them fails again. */
	block_retry(block);
	ck_assert_uint_eq(fake.count, 4);
	ck_assert_ptr_eq(fake.seen[2], &a.req);
	ck_assert_ptr_eq(fake.seen[3], &b.req);
	block_fake_finish_one(&fake, 0);
	ck_assert_int_eq(a.result, 0);
	block_fake_finish_one(&fake, -ENOSPC);
	ck_assert_uint_eq(stops, 2);
	block_retry(block);
	block_fake_finish_one(&fake, 0);
	ck_assert_int_eq(b.result, 0);
}
END_TEST

START_TEST(completes_at_once)
{
	struct run_block_request a = make(BLOCK_WRITE);

	fake.at_once = true;
	fake.result = -ENOSPC;
	run_block_start(block, &a);
	ck_assert_uint_eq(stops, 1);
	block_retry(block);
	ck_assert_uint_eq(stops, 2);
	ck_assert_uint_eq(fake.count, 2);
	fake.result = 0;
	block_retry(block);
	ck_assert_int_eq(a.result, 0);
}
END_TEST

START_TEST(gives_up)
{
	struct run_block_request a = make(BLOCK_WRITE), b = make(BLOCK_WRITE);

	run_block_start(block, &a);
	block_fake_finish_one(&fake, -ENOSPC);
	block_give_up(block);
	ck_assert_int_eq(a.result, -ENOSPC);
	run_block_start(block, &b);
	block_fake_finish_one(&fake, -ENOSPC);
	ck_assert_int_eq(b.result, -ENOSPC);
	ck_assert_uint_eq(stops, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("block_retry");
	TCase *t = tcase_create("block_retry");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, passes);
	tcase_add_test(t, waits);
	tcase_add_test(t, completes_at_once);
	tcase_add_test(t, gives_up);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
