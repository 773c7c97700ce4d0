// SPDX-License-Identifier: MIT
/*
 * Blocks of which sectors are missing, as other programs make them: what is missing reads as zero,
 * and the block is filled before it is written to.
 */
#include "vhd_images.h"

#include "devices/block/vhd_image.h"

#define BLOCKS 40u
#define SIZE   (BLOCKS * VHD_TEST_BLOCK)

static char *buf;

/* Where the bitmap of a block is. */
static uint8_t *bits_of(uint32_t block)
{
	return (uint8_t *)vhd_fake.data + (uint64_t)be32toh(vhd_table()[block]) * 512;
}

/* All blocks are there, sector 8n+0 to 8n+3 of each is, and the others hold rubbish. */
static void make_partial(uint32_t count)
{
	vhd_make(VHD_DYNAMIC, SIZE);
	vhd_must_open(false);
	for (uint32_t i = 0; i < count; i++) {
		run_fill(buf, VHD_TEST_BLOCK, i);
		ck_assert_int_eq(
			run_block(vhd_disk, BLOCK_WRITE, i * VHD_TEST_BLOCK, buf, VHD_TEST_BLOCK),
			0);
	}
	vhd_must_close();
	for (uint32_t i = 0; i < count; i++)
		memset(bits_of(i), 0xf0, VHD_TEST_BLOCK / 512 / 8);
	vhd_must_open(false);
}

/* What is in the sectors of a block that nobody wrote to since. */
static void check_partial(uint32_t block)
{
	char *model = malloc(VHD_TEST_BLOCK);

	run_fill(model, VHD_TEST_BLOCK, block);
	for (uint64_t at = 2048; at < VHD_TEST_BLOCK; at += 4096)
		memset(model + at, 0, 2048);
	ck_assert_int_eq(
		run_block(vhd_disk, BLOCK_READ, block * VHD_TEST_BLOCK, buf, VHD_TEST_BLOCK), 0);
	ck_assert_mem_eq(buf, model, VHD_TEST_BLOCK);
	free(model);
}

static void setup(void)
{
	buf = run_memory(VHD_TEST_BLOCK);
}

static void teardown(void)
{
	free(buf);
}

START_TEST(find_runs)
{
	uint8_t bits[] = {0xff, 0xff, 0xf0, 0x00, 0x01};
	uint64_t run = 0;

	ck_assert(vhd_find_run(bits, 0, 40, &run));
	ck_assert_uint_eq(run, 20);
	ck_assert(vhd_find_run(bits, 3, 5, &run));
	ck_assert_uint_eq(run, 5);
	ck_assert(!vhd_find_run(bits, 20, 20, &run));
	ck_assert_uint_eq(run, 19);
	ck_assert(vhd_find_run(bits, 39, 1, &run));
	ck_assert_uint_eq(run, 1);
}
END_TEST

START_TEST(reads)
{
	make_partial(2);
	check_partial(0);
	check_partial(1);
	/* Looking at it changes nothing. */
	ck_assert_uint_eq(bits_of(0)[0], 0xf0);
	ck_assert_int_eq(run_block(vhd_disk, BLOCK_UNMAP, 2048, buf, 2048), 0);
	check_partial(0);
}
END_TEST

START_TEST(fills)
{
	make_partial(2);
	run_fill(buf, 512, 77);
	ck_assert_int_eq(run_block(vhd_disk, BLOCK_WRITE, 2048 + 512, buf, 512), 0);
	ck_assert_uint_eq(bits_of(0)[0], 0xff);
	ck_assert_uint_eq(bits_of(1)[0], 0xf0);
	ck_assert_int_eq(run_block(vhd_disk, BLOCK_READ, 0, buf, 8192), 0);
	run_check_zero(buf + 2048, 512);
	run_check(buf + 2560, 512, 77);
	run_check_zero(buf + 3072, 1024);
	run_check_zero(buf + 6144, 2048);
	vhd_must_close();
	vhd_must_be_sound();
	vhd_must_open(true);
	ck_assert_int_eq(run_block(vhd_disk, BLOCK_READ, 0, buf, 8192), 0);
	run_check(buf + 2560, 512, 77);
	run_check_zero(buf + 6144, 2048);
	check_partial(1);
}
END_TEST

/* A fill that fails at each of its steps leaves the block as it was. */
START_TEST(failing_fill)
{
	make_partial(1);
	vhd_fake.fail_any_op = true;
	vhd_fake.fail_at = (uint64_t)_i + 2; /* the first reads the bitmap for the write */
	vhd_fake.fail_count = 1;
	vhd_fake.fail_result = -EIO;
	vhd_fake.counted = 0;
	ck_assert_int_eq(run_block(vhd_disk, BLOCK_WRITE, 2048, buf, 512), -EIO);
	vhd_fake.fail_at = 0;
	check_partial(0);
	run_fill(buf, 512, 7);
	ck_assert_int_eq(run_block(vhd_disk, BLOCK_WRITE, 2048, buf, 512), 0);
	ck_assert_int_eq(run_block(vhd_disk, BLOCK_READ, 2048, buf, 1024), 0);
	run_check(buf, 512, 7);
	run_check_zero(buf + 512, 512);
}
END_TEST

/* More blocks at once than bitmaps are kept. */
START_TEST(many)
{
	struct run_block_request *runs = calloc(BLOCKS, sizeof(*runs));
	struct iovec *iov = calloc(BLOCKS, sizeof(*iov));
	char *data = run_memory(BLOCKS * 4096);

	make_partial(BLOCKS);
	for (uint32_t round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < BLOCKS; i++) {
			iov[i] = (struct iovec){data + i * 4096, 4096};
			runs[i].req = (struct block_request){.op = BLOCK_READ,
							     .offset = i * VHD_TEST_BLOCK,
							     .len = 4096,
							     .iov = &iov[i],
							     .iov_count = 1};
			run_block_start(vhd_disk, &runs[i]);
		}
		run_all();
		for (uint32_t i = 0; i < BLOCKS; i++) {
			ck_assert_int_eq(runs[i].result, 0);
			run_check(data + i * 4096, 2048, i);
			run_check_zero(data + i * 4096 + 2048, 2048);
		}
	}
	free(runs);
	free(iov);
	free(data);
}
END_TEST

START_TEST(unreadable)
{
	make_partial(1);
	file_fake_fail(&vhd_fake, FILE_READ, 0, 1, -EIO);
	ck_assert_int_eq(run_block(vhd_disk, BLOCK_READ, 0, buf, 4096), -EIO);
	check_partial(0);
}
END_TEST

/* What a differencing image lacks is its parent's, which may be shorter. */
START_TEST(differencing)
{
	static struct file_fake parent;
	struct vhd_create_options create = {
		.type = VHD_DYNAMIC, .size = VHD_TEST_BLOCK, .id = (const uint8_t[16]){1, 2, 3}};
	struct vhd_open_options options = {0};
	struct block *below;

	file_fake_init(&parent, run_loop, MiB(4));
	ck_assert_int_eq(vhd_create(&parent.file, &create, &vhd_err), 0);
	ck_assert_int_eq(vhd_open(&parent.file, run_loop, &options, &vhd_err, &below), 0);
	run_fill(buf, VHD_TEST_BLOCK, 1);
	ck_assert_int_eq(run_block(below, BLOCK_WRITE, 0, buf, VHD_TEST_BLOCK), 0);
	/* The child was a dynamic image with blocks of which half is there. */
	make_partial(2);
	vhd_must_close();
	vhd_footer_at(0)->disk_type = vhd_footer_at(vhd_fake.size - 512)->disk_type =
		htobe32(VHD_DISK_DIFFERENCING);
	memcpy(vhd_header()->parent_unique_id, create.id, 16);
	vhd_seal();
	vhd_must_open_below(below);
	for (uint32_t block = 0; block < 3; block++) {
		uint64_t at = block * VHD_TEST_BLOCK;
		char *model = calloc(1, VHD_TEST_BLOCK), *own = malloc(VHD_TEST_BLOCK);

		if (block == 0)
			run_fill(model, VHD_TEST_BLOCK, 1);
		run_fill(own, VHD_TEST_BLOCK, block);
		for (uint64_t i = 0; block < 2 && i < VHD_TEST_BLOCK; i += 4096)
			memcpy(model + i, own + i, 2048);
		ck_assert_int_eq(run_block(vhd_disk, BLOCK_READ, at, buf, VHD_TEST_BLOCK), 0);
		ck_assert_mem_eq(buf, model, VHD_TEST_BLOCK);
		free(model);
		free(own);
	}
	vhd_must_close();
	ck_assert_uint_eq(parent.destroyed, 1);
	file_fake_finish(&parent);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vhd_bitmap");
	TCase *t = tcase_create("vhd_bitmap");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, vhd_setup, vhd_teardown);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, find_runs);
	tcase_add_test(t, reads);
	tcase_add_test(t, fills);
	tcase_add_loop_test(t, failing_fill, 0, 5);
	tcase_add_test(t, many);
	tcase_add_test(t, unreadable);
	tcase_add_test(t, differencing);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
