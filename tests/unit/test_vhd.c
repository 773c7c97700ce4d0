// SPDX-License-Identifier: MIT
/*
 * VHD images as disks: what is written is read, also later, whatever goes wrong on the way.
 */
#include "vhd_images.h"

#define SIZE (VHD_TEST_BLOCK * 9 + 1024)

static const enum vhd_type types[] = {VHD_FIXED, VHD_DYNAMIC};

START_TEST(information)
{
	struct vhd_info info;

	vhd_make(types[_i], SIZE);
	ck_assert(vhd_probe(&vhd_fake.file));
	ck_assert_int_eq(vhd_info(&vhd_fake.file, &vhd_err, &info), 0);
	ck_assert_int_eq(info.type, types[_i]);
	ck_assert_uint_eq(info.size, SIZE);
	ck_assert_uint_eq(info.block_size, _i ? VHD_TEST_BLOCK : 0);
	ck_assert_uint_eq(info.blocks, _i ? 10 : 0);
	ck_assert_uint_eq(info.blocks_allocated, 0);
	ck_assert(!info.dirty);
	ck_assert_str_eq(info.creator, "win ");
	vhd_must_open(false);
	ck_assert(vhd_is(vhd_disk));
	ck_assert_uint_eq(vhd_disk->info.size, SIZE);
	ck_assert_uint_eq(vhd_disk->info.logical_sector, 512);
	ck_assert_str_eq(vhd_disk->info.format, "vhd");
	ck_assert_mem_eq(vhd_disk->info.id, info.id, 16);
	vhd_must_be_sound();
}
END_TEST

/* Random work, against a copy in memory; closed and opened again now and then. */
static void work(uint32_t rounds, unsigned int seed)
{
	char *model = calloc(1, SIZE), *buf = run_memory(SIZE);

	for (uint32_t i = 0; i < rounds; i++) {
		uint64_t offset = (uint64_t)rand_r(&seed) % (SIZE / 512) * 512;
		uint64_t max = (i % 8 ? KiB(16) : VHD_TEST_BLOCK * 3) / 512;
		uint64_t len = (1 + (uint64_t)rand_r(&seed) % max) * 512;

		len = min_of(len, SIZE - offset);
		if (i % 16 == 5) {
			memset(model + offset, 0, len);
			ck_assert_int_eq(run_block(vhd_disk, BLOCK_WRITE_ZEROES, offset, NULL, len),
					 0);
		} else if (i % 3) {
			run_fill(model + offset, len, i);
			memcpy(buf, model + offset, len);
			ck_assert_int_eq(run_block(vhd_disk, BLOCK_WRITE, offset, buf, len), 0);
		} else {
			ck_assert_int_eq(run_block(vhd_disk, BLOCK_READ, offset, buf, len), 0);
			ck_assert_mem_eq(buf, model + offset, len);
		}
		if (i % 64 == 63) {
			vhd_must_close();
			vhd_must_be_sound();
			vhd_must_open(false);
		}
	}
	ck_assert_int_eq(run_block(vhd_disk, BLOCK_READ, 0, buf, SIZE), 0);
	ck_assert_mem_eq(buf, model, SIZE);
	free(model);
	free(buf);
}

START_TEST(random_work)
{
	vhd_make(types[_i], SIZE);
	vhd_must_open(false);
	work(400, 1);
}
END_TEST

/* All at once: many requests need new blocks, and the same ones. */
START_TEST(parallel)
{
	enum { N = 300 };
	struct run_block_request *runs = calloc(N, sizeof(*runs));
	struct iovec *iov = calloc(N, sizeof(*iov));
	char *buf = run_memory(N * 1024);

	vhd_make(VHD_DYNAMIC, SIZE);
	vhd_must_open(false);
	vhd_fake.newest_first = _i;
	for (uint32_t i = 0; i < N; i++) {
		iov[i] = (struct iovec){buf + i * 1024, 1024};
		run_fill(buf + i * 1024, 1024, i);
		runs[i].req = (struct block_request){.op = BLOCK_WRITE,
						     .fua = i % 7 == 0,
						     .offset = i * (SIZE / N / 512 * 512),
						     .len = 1024,
						     .iov = &iov[i],
						     .iov_count = 1};
		run_block_start(vhd_disk, &runs[i]);
	}
	run_all();
	memset(buf, 0, N * 1024);
	for (uint32_t i = 0; i < N; i++) {
		ck_assert_int_eq(runs[i].result, 0);
		runs[i].req.op = BLOCK_READ;
		run_block_start(vhd_disk, &runs[i]);
	}
	run_all();
	for (uint32_t i = 0; i < N; i++)
		run_check(buf + i * 1024, 1024, i);
	vhd_must_close();
	vhd_must_be_sound();
	free(runs);
	free(iov);
	free(buf);
}
END_TEST

/* The table names a block only after what it needs is on stable storage. */
START_TEST(order)
{
	uint64_t first, synced = 0, table = 0;
	char buf[512] = "x";

	vhd_make(VHD_DYNAMIC, SIZE);
	vhd_must_open(false);
	first = vhd_fake.requests;
	ck_assert_int_eq(run_block(vhd_disk, BLOCK_WRITE, 0, buf, 512), 0);
	for (uint64_t i = first; i < vhd_fake.requests; i++) {
		const struct file_fake_entry *entry = &vhd_fake.log[i];

		if (entry->op == FILE_SYNC)
			synced = i;
		if (entry->op == FILE_WRITE && entry->offset == 1536)
			table = i;
		ck_assert(entry->op != FILE_WRITE || entry->len != 512 || entry->offset != 1536 ||
			  synced);
	}
	ck_assert_uint_gt(table, synced);
	ck_assert_uint_gt(synced, first);
	/* Now it is one request, and none of it waits. */
	first = vhd_fake.requests;
	ck_assert_int_eq(run_block(vhd_disk, BLOCK_WRITE, 512, buf, 512), 0);
	ck_assert_uint_eq(vhd_fake.requests, first + 1);
	ck_assert_uint_eq(vhd_fake.log[first].offset % 4096, 512);
}
END_TEST

/* A write that must be durable, in a block whose entry in the table is not yet. */
START_TEST(durable)
{
	char buf[512] = "x";
	struct iovec iov = {buf, sizeof(buf)};
	struct run_block_request run = {
		.req = {.op = BLOCK_WRITE, .fua = true, .len = 512, .iov = &iov, .iov_count = 1}};

	vhd_make(VHD_DYNAMIC, SIZE);
	vhd_must_open(false);
	run_block_start(vhd_disk, &run);
	run_all();
	ck_assert_int_eq(run.result, 0);
	ck_assert_int_eq(vhd_fake.log[vhd_fake.requests - 1].op, FILE_SYNC);
	run_block_start(vhd_disk, &run);
	run_all();
	ck_assert_int_eq(vhd_fake.log[vhd_fake.requests - 1].op, FILE_SYNC);
	ck_assert_int_eq(run_block(vhd_disk, BLOCK_FLUSH, 0, NULL, 0), 0);
	run_block_start(vhd_disk, &run);
	run_all();
	ck_assert_int_eq(vhd_fake.log[vhd_fake.requests - 1].op, FILE_WRITE);
	ck_assert(vhd_fake.log[vhd_fake.requests - 1].durable);
}
END_TEST

/* Each request to the file that adding a block takes fails once; afterwards all is well. */
START_TEST(failing)
{
	char *buf = run_memory(4096);
	uint64_t failures = 0;

	vhd_make(VHD_DYNAMIC, SIZE);
	vhd_must_open(false);
	for (uint64_t at = 0; at < 8; at++) {
		uint64_t offset = at * VHD_TEST_BLOCK + 4096;
		int r;

		vhd_fake.counted = 0;
		vhd_fake.fail_any_op = true;
		vhd_fake.fail_at = at + 1;
		vhd_fake.fail_count = 1;
		vhd_fake.fail_result = -EIO;
		run_fill(buf, 4096, (uint32_t)at);
		r = run_block(vhd_disk, BLOCK_WRITE, offset, buf, 4096);
		failures += r != 0;
		ck_assert(r == 0 || r == -EIO);
		vhd_fake.fail_at = 0;
		if (r)
			ck_assert_int_eq(run_block(vhd_disk, BLOCK_WRITE, offset, buf, 4096), 0);
		memset(buf, 0, 4096);
		ck_assert_int_eq(run_block(vhd_disk, BLOCK_READ, offset, buf, 4096), 0);
		run_check(buf, 4096, (uint32_t)at);
		/* What was left behind the end by what failed is not seen. */
		ck_assert_int_eq(run_block(vhd_disk, BLOCK_READ, offset + 4096, buf, 4096), 0);
		run_check_zero(buf, 4096);
	}
	ck_assert_uint_ge(failures, 4);
	vhd_must_close();
	ck_assert_uint_eq(vhd_findings().errors, 0);
	vhd_must_open(true);
	for (uint32_t at = 0; at < 8; at++) {
		ck_assert_int_eq(
			run_block(vhd_disk, BLOCK_READ, at * VHD_TEST_BLOCK + 4096, buf, 4096), 0);
		run_check(buf, 4096, at);
	}
	free(buf);
}
END_TEST

START_TEST(full_host)
{
	char buf[512] = "x";

	vhd_fake.capacity = VHD_TEST_BLOCK * 3;
	vhd_make(VHD_DYNAMIC, SIZE);
	vhd_must_open(false);
	ck_assert_int_eq(run_block(vhd_disk, BLOCK_WRITE, 0, buf, 512), 0);
	ck_assert_int_eq(run_block(vhd_disk, BLOCK_WRITE, VHD_TEST_BLOCK, buf, 512), 0);
	ck_assert_int_eq(run_block(vhd_disk, BLOCK_WRITE, VHD_TEST_BLOCK * 2, buf, 512), -ENOSPC);
	ck_assert_int_eq(run_block(vhd_disk, BLOCK_WRITE, VHD_TEST_BLOCK, buf, 512), 0);
	vhd_must_close();
	vhd_must_be_sound();
}
END_TEST

START_TEST(unmap)
{
	char *buf = run_memory(8192);

	vhd_make(VHD_DYNAMIC, SIZE);
	vhd_must_open(false);
	ck_assert_int_eq(run_block(vhd_disk, BLOCK_WRITE, 0, buf, 8192), 0);
	ck_assert_int_eq(run_block(vhd_disk, BLOCK_UNMAP, 4096, NULL, VHD_TEST_BLOCK * 2), 0);
	ck_assert_int_eq(run_block(vhd_disk, BLOCK_READ, 0, buf, 8192), 0);
	ck_assert_int_eq(buf[4095], (char)0xee);
	run_check_zero(buf + 4096, 4096);
	vhd_fake.no_discard = true;
	ck_assert_int_eq(run_block(vhd_disk, BLOCK_UNMAP, 0, NULL, 4096), 0);
	free(buf);
}
END_TEST

START_TEST(map)
{
	char buf[512] = "x";
	uint64_t len = 0;

	vhd_make(VHD_DYNAMIC, SIZE);
	vhd_must_open(false);
	ck_assert_int_eq(block_map(vhd_disk, 1024, &len), BLOCK_UNMAPPED);
	ck_assert_uint_eq(len, SIZE - 1024);
	ck_assert_int_eq(run_block(vhd_disk, BLOCK_WRITE, VHD_TEST_BLOCK, buf, 512), 0);
	ck_assert_int_eq(block_map(vhd_disk, 1024, &len), BLOCK_UNMAPPED);
	ck_assert_uint_eq(len, VHD_TEST_BLOCK - 1024);
	ck_assert_int_eq(block_map(vhd_disk, VHD_TEST_BLOCK + 512, &len), BLOCK_MAPPED);
	ck_assert_uint_eq(len, VHD_TEST_BLOCK - 512);
}
END_TEST

/* The footer was lost: its copy is good, and makes it good again. */
START_TEST(lost_footer)
{
	char buf[512] = "x";

	vhd_make(VHD_DYNAMIC, SIZE);
	vhd_must_open(false);
	ck_assert_int_eq(run_block(vhd_disk, BLOCK_WRITE, 0, buf, 512), 0);
	vhd_must_close();
	memset(vhd_footer_at(vhd_fake.size - 512), 0xff, 512);
	ck_assert_uint_eq(vhd_findings().notices, 1);
	vhd_must_open(true);
	ck_assert_int_eq(run_block(vhd_disk, BLOCK_READ, 0, buf, 512), 0);
	ck_assert_int_eq(buf[0], 'x');
	vhd_must_close();
	ck_assert_uint_eq(vhd_findings().notices, 1);
	vhd_must_open(false);
	vhd_must_close();
	vhd_must_be_sound();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vhd");
	TCase *t = tcase_create("vhd");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, vhd_setup, vhd_teardown);
	tcase_add_loop_test(t, information, 0, 2);
	tcase_add_loop_test(t, random_work, 0, 2);
	tcase_add_loop_test(t, parallel, 0, 2);
	tcase_add_test(t, order);
	tcase_add_test(t, durable);
	tcase_add_test(t, failing);
	tcase_add_test(t, full_host);
	tcase_add_test(t, unmap);
	tcase_add_test(t, map);
	tcase_add_test(t, lost_footer);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
