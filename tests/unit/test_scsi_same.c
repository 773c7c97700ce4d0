// SPDX-License-Identifier: MIT
/* WRITE SAME: zeroes at once, anything else again and again. */
#include <check.h>
#include <stdlib.h>

#include "scsi_fake.h"

static struct scsi_fake f;

static void setup(void)
{
	scsi_fake_disk(&f, MiB(1), 512);
	memset(f.disk.data, 0x77, MiB(1));
}

static void teardown(void)
{
	scsi_fake_finish(&f);
}

static bool all(uint64_t from, uint64_t len, uint8_t byte)
{
	for (uint64_t i = from; i < from + len; i++)
		if (f.disk.data[i] != byte)
			return false;
	return true;
}

START_TEST(zeroes)
{
	memset(f.data, 0, 512);
	ck_assert_uint_eq(scsi_fake_out(&f, 512, SCSI_WRITE_SAME_16, 0, [9] = 3, [12] = 1),
			  SCSI_GOOD);
	ck_assert_uint_eq(f.req.transferred, 512);
	ck_assert_uint_eq(f.disk.count, 1);
	ck_assert_uint_eq(f.disk.ops[0].op, BLOCK_WRITE_ZEROES);
	ck_assert_uint_eq(f.disk.ops[0].offset, 3 * SECTOR);
	ck_assert_uint_eq(f.disk.ops[0].len, 256 * SECTOR);
	ck_assert(!f.disk.ops[0].unmap && !f.disk.ops[0].fua);
	ck_assert(all(3 * SECTOR, 256 * SECTOR, 0));
	ck_assert_uint_eq(scsi_fake_out(&f, 512, SCSI_WRITE_SAME_10, 8, [8] = 1), SCSI_GOOD);
	ck_assert_uint_eq(f.disk.ops[1].op, BLOCK_WRITE_ZEROES);
	ck_assert(f.disk.ops[1].unmap);
	ck_assert_uint_eq(counter_get(&scsi_counters(f.device)->requests[SCSI_KIND_UNMAP]), 2);
}
END_TEST

START_TEST(no_data)
{
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_WRITE_SAME_16, 0x09, [9] = 8, [13] = 8),
			  SCSI_GOOD);
	ck_assert_uint_eq(f.disk.ops[0].op, BLOCK_WRITE_ZEROES);
	ck_assert(f.disk.ops[0].unmap);
	ck_assert(all(8 * SECTOR, 8 * SECTOR, 0));
	/* The shorter command has no such bit. */
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_WRITE_SAME_10, 0x01, [8] = 1),
			  SCSI_CHECK_CONDITION);
}
END_TEST

START_TEST(pattern)
{
	for (unsigned int i = 0; i < 512; i++)
		f.data[i] = (uint8_t)(i * 3 + 1);
	ck_assert_uint_eq(
		scsi_fake_out(&f, 512, SCSI_WRITE_SAME_16, 8, [9] = 1, [12] = 1, [13] = 1),
		SCSI_GOOD);
	/* 257 sectors: two buffers full and one. */
	ck_assert_uint_eq(f.disk.count, 3);
	ck_assert_uint_eq(f.disk.ops[2].len, 512);
	ck_assert(all(0, 512, 0x77));
	for (unsigned int i = 1; i < 258; i++)
		ck_assert_mem_eq(f.disk.data + (size_t)i * SECTOR, f.data, 512);
	ck_assert(all(258 * SECTOR, 512, 0x77));
	/* Not all zero: only the last byte says so. */
	memset(f.data, 0, 512);
	f.data[511] = 1;
	ck_assert_uint_eq(scsi_fake_out(&f, 512, SCSI_WRITE_SAME_10, [8] = 2), SCSI_GOOD);
	ck_assert_uint_eq(disk_fake_last(&f.disk)->op, BLOCK_WRITE);
	ck_assert_uint_eq(f.disk.data[1023], 1);
}
END_TEST

START_TEST(errors)
{
	f.data[0] = 1;
	f.disk.fail = -ENOSPC;
	f.disk.fail_after = 1;
	ck_assert_uint_eq(scsi_fake_out(&f, 512, SCSI_WRITE_SAME_16, [12] = 1),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_sense(&f),
			  SENSE(SCSI_DATA_PROTECT, SCSI_ASC_SPACE_ALLOCATION_FAILED));
	ck_assert_uint_eq(f.disk.count, 2);
}
END_TEST

START_TEST(refused)
{
	/* No blocks; too many; none of ours; anchored; no block given. */
	ck_assert_uint_eq(scsi_fake_out(&f, 512, SCSI_WRITE_SAME_16), SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_out(&f, 512, SCSI_WRITE_SAME_16, [8] = 8, [13] = 1),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_out(&f, 512, SCSI_WRITE_SAME_16, 0x10, [13] = 1),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_out(&f, 512, SCSI_WRITE_SAME_10, 0x02, [8] = 1),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_out(&f, 511, SCSI_WRITE_SAME_10, [8] = 1),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_sense(&f),
			  SENSE(SCSI_ILLEGAL_REQUEST, SCSI_ASC_PARAMETER_LIST_LENGTH_ERROR));
	ck_assert_uint_eq(scsi_fake_in(&f, 512, SCSI_WRITE_SAME_10, [8] = 1), SCSI_CHECK_CONDITION);
	f.disk.block.info.read_only = true;
	ck_assert_uint_eq(scsi_fake_out(&f, 512, SCSI_WRITE_SAME_10, [8] = 1),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_sense(&f), SENSE(SCSI_DATA_PROTECT, SCSI_ASC_WRITE_PROTECTED));
	ck_assert_uint_eq(f.disk.count, 0);
}
END_TEST

START_TEST(too_many)
{
	scsi_fake_finish(&f);
	scsi_fake_disk(&f, MiB(130), 512);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_WRITE_SAME_16, 9, [11] = 4, [13] = 1),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_WRITE_SAME_16, 9, [11] = 4), SCSI_GOOD);
	ck_assert_uint_eq(f.disk.ops[0].len, MiB(128));
}
END_TEST

START_TEST(big_sectors)
{
	scsi_fake_finish(&f);
	scsi_fake_disk(&f, MiB(1), 4096);
	memset(f.data, 0x42, 4096);
	ck_assert_uint_eq(scsi_fake_out(&f, 4096, SCSI_WRITE_SAME_10, [5] = 2, [8] = 20),
			  SCSI_GOOD);
	ck_assert(all(0, 8192, 0) && all(8192, 20 * 4096ul, 0x42) && all(22 * 4096ul, 4096, 0));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("scsi_same");
	TCase *tc = tcase_create("same");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, zeroes);
	tcase_add_test(tc, no_data);
	tcase_add_test(tc, pattern);
	tcase_add_test(tc, errors);
	tcase_add_test(tc, refused);
	tcase_add_test(tc, too_many);
	tcase_add_test(tc, big_sectors);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
