// SPDX-License-Identifier: MIT
/*
 * Raw images: what a request becomes at the file, sizes, and what the host cannot do.
 */
#include "block_run.h"

#include "devices/block/raw.h"
#include "file_fake.h"

static struct file_fake fake;
static struct block *block;
static struct error err;
static const struct raw_options options = {
	.logical_sector = 512, .physical_sector = 4096, .unmap = true, .unmap_granularity = 4096};

static void setup(void)
{
	run_setup();
	file_fake_init(&fake, run_loop, MiB(2));
	fake.size = MiB(1);
	block = NULL;
}

static void teardown(void)
{
	if (block)
		ck_assert_int_eq(block_close(block, &err), 0);
	ck_assert_uint_eq(fake.destroyed, block ? 1 : 0);
	file_fake_finish(&fake);
	run_teardown();
}

static void open_raw(bool is_device, const struct raw_options *o)
{
	ck_assert_msg(raw_open(&fake.file, is_device, o, &err, &block) == 0, "%s", err.text);
}

/* Looks at the last entry of the log. */
static void check_last(enum file_op op, bool durable, uint64_t offset, uint64_t len)
{
	const struct file_fake_entry *entry = &fake.log[fake.requests - 1];

	ck_assert_int_eq(entry->op, op);
	ck_assert_int_eq(entry->durable, durable);
	ck_assert_uint_eq(entry->offset, offset);
	ck_assert_uint_eq(entry->len, len);
}

static int run_op(enum block_op op, bool fua, bool unmap, uint64_t offset, uint64_t len)
{
	struct run_block_request run = {
		.req = {.op = op, .fua = fua, .unmap = unmap, .offset = offset, .len = len}};

	run_block_start(block, &run);
	run_all();
	return run.result;
}

START_TEST(info)
{
	struct raw_options o = options;

	open_raw(false, &o);
	ck_assert_uint_eq(block->info.size, MiB(1));
	ck_assert_uint_eq(block->info.logical_sector, 512);
	ck_assert_uint_eq(block->info.physical_sector, 4096);
	ck_assert(block->info.unmap && !block->info.read_only);
	ck_assert_str_eq(block->info.format, "raw");
	ck_assert_str_eq(block->name, "dir/image");
}
END_TEST

START_TEST(odd_sizes)
{
	struct raw_options o = options;

	fake.size = 0;
	ck_assert_int_eq(raw_open(&fake.file, false, &o, &err, &block), -EINVAL);
	ck_assert_str_eq(err.text, "dir/image: empty, so there is no disk in it");
	fake.size = 511;
	ck_assert_int_eq(raw_open(&fake.file, true, &o, &err, &block), -EINVAL);
	fake.size = 513;
	open_raw(true, &o);
	ck_assert_uint_eq(block->info.size, 512);
	ck_assert_int_eq(block_close(block, &err), 0);
	fake.destroyed = 0;
	o.logical_sector = 4096;
	o.physical_sector = 512;
	open_raw(false, &o);
	ck_assert_uint_eq(block->info.size, 4096);
	ck_assert_uint_eq(block->info.physical_sector, 4096);
}
END_TEST

START_TEST(data)
{
	char buf[4096];

	open_raw(false, &options);
	run_fill(buf, sizeof(buf), 1);
	ck_assert_int_eq(run_block(block, BLOCK_WRITE, 8192, buf, sizeof(buf)), 0);
	check_last(FILE_WRITE, false, 8192, 4096);
	memset(buf, 0, sizeof(buf));
	ck_assert_int_eq(run_block(block, BLOCK_READ, 8192, buf, sizeof(buf)), 0);
	check_last(FILE_READ, false, 8192, 4096);
	run_check(buf, sizeof(buf), 1);
	ck_assert_uint_eq(fake.requests, 2);
}
END_TEST

START_TEST(operations)
{
	open_raw(false, &options);
	ck_assert_int_eq(run_op(BLOCK_FLUSH, false, false, 0, 0), 0);
	check_last(FILE_SYNC, false, 0, 0);
	ck_assert_int_eq(run_op(BLOCK_UNMAP, false, false, 4096, 8192), 0);
	check_last(FILE_DISCARD, false, 4096, 8192);
	ck_assert_int_eq(run_op(BLOCK_WRITE_ZEROES, false, false, 4096, 8192), 0);
	check_last(FILE_ZERO, false, 4096, 8192);
	ck_assert_int_eq(run_op(BLOCK_WRITE_ZEROES, false, true, 4096, 8192), 0);
	check_last(FILE_DISCARD, false, 4096, 8192);
	ck_assert_uint_eq(fake.requests, 4);
	ck_assert_int_eq(run_op(BLOCK_WRITE_ZEROES, true, true, 4096, 8192), 0);
	check_last(FILE_SYNC, false, 4096, 8192);
	ck_assert_uint_eq(fake.requests, 6);
}
END_TEST

START_TEST(durable)
{
	char buf[512] = "x";
	struct iovec iov = {buf, sizeof(buf)};
	struct run_block_request run = {
		.req = {.op = BLOCK_WRITE, .fua = true, .len = 512, .iov = &iov, .iov_count = 1}};

	open_raw(false, &options);
	run_block_start(block, &run);
	run_all();
	ck_assert_int_eq(run.result, 0);
	check_last(FILE_WRITE, true, 0, 512);
}
END_TEST

START_TEST(no_discard)
{
	open_raw(false, &options);
	fake.no_discard = true;
	memset(fake.data, 1, 16384);
	ck_assert_int_eq(run_op(BLOCK_UNMAP, false, false, 0, 4096), 0);
	ck_assert_int_eq(fake.data[0], 1);
	ck_assert_int_eq(run_op(BLOCK_WRITE_ZEROES, false, true, 4096, 4096), 0);
	check_last(FILE_ZERO, false, 4096, 4096);
	run_check_zero(fake.data + 4096, 4096);
	ck_assert_int_eq(fake.data[8192], 1);
}
END_TEST

START_TEST(failures)
{
	static const enum file_op ops[] = {FILE_READ, FILE_WRITE, FILE_SYNC, FILE_DISCARD,
					   FILE_ZERO};
	static const enum block_op block_ops[] = {BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH, BLOCK_UNMAP,
						  BLOCK_WRITE_ZEROES};
	char buf[512] = "";

	open_raw(false, &options);
	file_fake_fail(&fake, ops[_i], 0, 1, -EIO);
	ck_assert_int_eq(run_block(block, block_ops[_i], 0, buf, sizeof(buf)), -EIO);
	ck_assert_int_eq(run_block(block, block_ops[_i], 0, buf, sizeof(buf)), 0);
}
END_TEST

/* What never gets to the file. */
START_TEST(refused)
{
	struct raw_options o = options;
	struct iovec iov[] = {{fake.data, 512}, {fake.data, SIZE_MAX}};
	struct run_block_request run = {
		.req = {.op = BLOCK_READ, .len = 512, .iov = iov, .iov_count = 2}};

	open_raw(false, &options);
	ck_assert_int_eq(run_op(BLOCK_UNMAP, false, false, MiB(1), 512), -EINVAL);
	ck_assert_int_eq(run_op(BLOCK_UNMAP, false, false, MiB(1) - 512, 1024), -EINVAL);
	ck_assert_int_eq(run_op(BLOCK_UNMAP, false, false, UINT64_MAX - 511, 512), -EINVAL);
	ck_assert_int_eq(run_op(BLOCK_UNMAP, false, false, 1, 512), -EINVAL);
	ck_assert_int_eq(run_op(BLOCK_UNMAP, false, false, 512, 1), -EINVAL);
	run_block_start(block, &run);
	run_all();
	ck_assert_int_eq(run.result, -EINVAL);
	ck_assert_int_eq(block_close(block, &err), 0);
	fake.destroyed = 0;
	o.read_only = true;
	open_raw(false, &o);
	ck_assert(block->info.read_only);
	ck_assert_int_eq(run_block(block, BLOCK_WRITE, 0, fake.data, 512), -EROFS);
	ck_assert_int_eq(run_op(BLOCK_UNMAP, false, false, 0, 512), -EROFS);
	ck_assert_int_eq(run_op(BLOCK_WRITE_ZEROES, false, false, 0, 512), -EROFS);
	ck_assert_int_eq(run_op(BLOCK_FLUSH, false, false, 0, 0), 0);
	ck_assert_uint_eq(fake.requests, 1);
}
END_TEST

START_TEST(map)
{
	uint64_t len = 0;

	open_raw(false, &options);
	memset(fake.data + 65536, 1, 8192);
	ck_assert_int_eq(block_map(block, 0, &len), BLOCK_UNMAPPED);
	ck_assert_uint_eq(len, 65536);
	ck_assert_int_eq(block_map(block, 65536 + 512, &len), BLOCK_MAPPED);
	ck_assert_uint_eq(len, 8192 - 512);
	ck_assert_int_eq(block_map(block, 65536 + 8192, &len), BLOCK_UNMAPPED);
	ck_assert_uint_eq(len, MiB(1) - 65536 - 8192);
}
END_TEST

/* A hole that begins or ends inside a sector. */
START_TEST(map_partial)
{
	struct raw_options o = options;
	uint64_t len = 0;

	fake.size = 10000;
	memset(fake.data + 8192, 1, 10000 - 8192);
	o.logical_sector = 4096;
	open_raw(false, &o);
	ck_assert_uint_eq(block->info.size, 12288);
	ck_assert_int_eq(block_map(block, 8192, &len), BLOCK_MAPPED);
	ck_assert_uint_eq(len, 4096);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("raw");
	TCase *t = tcase_create("raw");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, info);
	tcase_add_test(t, odd_sizes);
	tcase_add_test(t, data);
	tcase_add_test(t, operations);
	tcase_add_test(t, durable);
	tcase_add_test(t, no_discard);
	tcase_add_loop_test(t, failures, 0, 5);
	tcase_add_test(t, refused);
	tcase_add_test(t, map);
	tcase_add_test(t, map_partial);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
