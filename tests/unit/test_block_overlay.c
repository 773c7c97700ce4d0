// SPDX-License-Identifier: MIT
/*
 * The throw-away layer: what is written is read, the disk below is not touched, and reads of both
 * kinds of sectors come from the right places.
 */
#include "block_run.h"

#include "devices/block/block_overlay.h"
#include "devices/block/raw.h"
#include "file_fake.h"

#define SIZE (MiB(5) + KiB(4))

static struct file_fake below, above;
static struct block *block;
static struct error err;
static char *model, *buf;

static void open_overlay(uint32_t sector)
{
	struct raw_options options = {
		.read_only = true, .logical_sector = sector, .physical_sector = 4096};
	struct block *lower;

	ck_assert_int_eq(raw_open(&below.file, false, &options, &err, &lower), 0);
	ck_assert_int_eq(block_overlay_create(lower, &above.file, run_loop, &err, &block), 0);
}

static void setup(void)
{
	run_setup();
	file_fake_init(&below, run_loop, SIZE);
	file_fake_init(&above, run_loop, SIZE);
	below.size = SIZE;
	run_fill(below.data, SIZE, 99);
	model = malloc(SIZE);
	memcpy(model, below.data, SIZE);
	buf = run_memory(SIZE);
}

static void teardown(void)
{
	ck_assert_int_eq(block_close(block, &err), 0);
	ck_assert_uint_eq(below.destroyed, 1);
	ck_assert_uint_eq(above.destroyed, 1);
	run_check(below.data, SIZE, 99);
	file_fake_finish(&below);
	file_fake_finish(&above);
	free(model);
	free(buf);
	run_teardown();
}

static void must(enum block_op op, uint64_t offset, uint64_t len)
{
	ck_assert_int_eq(run_block(block, op, offset, buf, len), 0);
}

START_TEST(facts)
{
	uint64_t len = 0;

	open_overlay(512);
	ck_assert_uint_eq(block->info.size, SIZE);
	ck_assert(!block->info.read_only);
	ck_assert_int_eq(block_map(block, 0, &len), BLOCK_MAPPED);
	ck_assert_uint_eq(len, SIZE);
	memset(below.data, 0, SIZE);
	ck_assert_int_eq(block_map(block, 0, &len), BLOCK_UNMAPPED);
	must(BLOCK_WRITE, KiB(64), 512);
	ck_assert_int_eq(block_map(block, 0, &len), BLOCK_UNMAPPED);
	ck_assert_uint_eq(len, KiB(64));
	ck_assert_int_eq(block_map(block, KiB(64), &len), BLOCK_MAPPED);
	ck_assert_uint_eq(len, 512);
	run_fill(below.data, SIZE, 99);
	ck_assert_int_eq(run_block(block, BLOCK_WRITE, SIZE, buf, 512), -EINVAL);
	must(BLOCK_FLUSH, 0, 0);
}
END_TEST

/* Requests that need no splitting are handed down as they are. */
START_TEST(whole)
{
	open_overlay(512);
	must(BLOCK_READ, 0, MiB(1));
	ck_assert_mem_eq(buf, model, MiB(1));
	ck_assert_uint_eq(below.requests, 1);
	run_fill(buf, MiB(3), 1);
	must(BLOCK_WRITE, KiB(512), MiB(3));
	ck_assert_uint_eq(above.requests, 1);
	memset(buf, 0, MiB(3));
	must(BLOCK_READ, KiB(512), MiB(3));
	run_check(buf, MiB(3), 1);
	ck_assert_uint_eq(above.requests, 2);
	ck_assert_uint_eq(below.requests, 1);
}
END_TEST

static void random_step(unsigned int *seed, uint32_t i, uint32_t sector)
{
	uint64_t offset = (uint64_t)rand_r(seed) % (SIZE / sector) * sector;
	uint64_t max = i % 10 ? KiB(32) : MiB(3);
	uint64_t len = (1 + (uint64_t)rand_r(seed) % (max / sector)) * sector;
	char *check;

	len = min_of(len, SIZE - offset);
	if (i % 7 == 3) {
		memset(model + offset, 0, len);
		must(BLOCK_WRITE_ZEROES, offset, len);
	} else if (i % 2) {
		run_fill(model + offset, len, i);
		memcpy(buf, model + offset, len);
		must(BLOCK_WRITE, offset, len);
	}
	offset = offset > KiB(40) / sector * sector ? offset - KiB(40) / sector * sector : 0;
	len = min_of(len + KiB(80), SIZE - offset);
	check = run_memory(len);
	/* In elements that do not end with the sectors. */
	struct iovec iov[200];
	unsigned int count = 0;
	uint64_t at = 0;

	while (at < len && count < 199) {
		iov[count] = (struct iovec){check + at, min_of(len - at, 700 + count * 13u)};
		at += iov[count++].iov_len;
	}
	iov[count++] = (struct iovec){check + at, len - at};
	struct run_block_request run = {.req = {.op = BLOCK_READ,
						.offset = offset,
						.len = len,
						.iov = iov,
						.iov_count = count}};

	run_block_start(block, &run);
	run_all();
	ck_assert_int_eq(run.result, 0);
	ck_assert_mem_eq(check, model + offset, len);
	free(check);
}

START_TEST(random_work)
{
	uint32_t sector = _i ? 4096 : 512;
	unsigned int seed = 5;

	open_overlay(sector);
	above.no_discard = _i;
	for (uint32_t i = 0; i < 300; i++)
		random_step(&seed, i, sector);
	must(BLOCK_READ, 0, SIZE);
	ck_assert_mem_eq(buf, model, SIZE);
}
END_TEST

/* More split reads at once than there is room for. */
START_TEST(many_splits)
{
	enum { N = 200 };
	struct run_block_request *runs = calloc(N, sizeof(*runs));
	struct iovec *iov = calloc(N, sizeof(*iov));

	open_overlay(512);
	for (unsigned int i = 0; i < N; i++) {
		run_fill(model + i * 2048 + 512, 512, i);
		memcpy(buf, model + i * 2048 + 512, 512);
		must(BLOCK_WRITE, i * 2048 + 512, 512);
	}
	for (unsigned int i = 0; i < N; i++) {
		iov[i] = (struct iovec){buf + i * 2048, 2048};
		runs[i].req = (struct block_request){.op = BLOCK_READ,
						     .offset = i * 2048,
						     .len = 2048,
						     .iov = &iov[i],
						     .iov_count = 1};
		run_block_start(block, &runs[i]);
	}
	run_all();
	ck_assert_mem_eq(buf, model, N * 2048);
	free(runs);
	free(iov);
}
END_TEST

START_TEST(failures)
{
	open_overlay(512);
	/* A write that failed was none. */
	file_fake_fail(&above, FILE_WRITE, 0, 1, -ENOSPC);
	ck_assert_int_eq(run_block(block, BLOCK_WRITE, 0, buf, 4096), -ENOSPC);
	must(BLOCK_READ, 0, 4096);
	ck_assert_mem_eq(buf, model, 4096);
	memcpy(model + 512, buf, 512);
	must(BLOCK_WRITE, 512, 512);
	file_fake_fail(&above, FILE_READ, 0, 1, -EIO);
	ck_assert_int_eq(run_block(block, BLOCK_READ, 0, buf, 4096), -EIO);
	file_fake_fail(&below, FILE_READ, 1, 1, -EIO);
	ck_assert_int_eq(run_block(block, BLOCK_READ, 0, buf, 4096), -EIO);
	must(BLOCK_READ, 0, 4096);
	ck_assert_mem_eq(buf, model, 4096);
}
END_TEST

START_TEST(unmap)
{
	open_overlay(512);
	must(BLOCK_WRITE, 4096, 4096);
	must(BLOCK_UNMAP, 0, 16384);
	must(BLOCK_READ, 0, 16384);
	ck_assert_mem_eq(buf, model, 4096);
	run_check_zero(buf + 4096, 4096);
	ck_assert_mem_eq(buf + 8192, model + 8192, 8192);
	above.no_discard = true;
	must(BLOCK_UNMAP, 0, 16384);
}
END_TEST

START_TEST(too_large)
{
	struct raw_options options = {
		.read_only = true, .logical_sector = 512, .physical_sector = 4096};
	struct block *lower;

	ck_assert_int_eq(raw_open(&below.file, false, &options, &err, &lower), 0);
	above.capacity = MiB(1);
	ck_assert_int_eq(block_overlay_create(lower, &above.file, run_loop, &err, &block), -ENOSPC);
	above.capacity = SIZE;
	ck_assert_int_eq(block_overlay_create(lower, &above.file, run_loop, &err, &block), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("block_overlay");
	TCase *t = tcase_create("block_overlay");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, facts);
	tcase_add_test(t, whole);
	tcase_add_loop_test(t, random_work, 0, 2);
	tcase_add_test(t, many_splits);
	tcase_add_test(t, failures);
	tcase_add_test(t, unmap);
	tcase_add_test(t, too_large);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
