// SPDX-License-Identifier: MIT
/* READ and WRITE of every size, their bounds, FUA, and SYNCHRONIZE CACHE. */
#include <check.h>
#include <stdlib.h>

#include "scsi_fake.h"

#define DISK MiB(1) /* 2048ul sectors */

static struct scsi_fake f;

static void setup(void)
{
	scsi_fake_disk(&f, DISK, 512);
	for (unsigned int i = 0; i < DISK; i++)
		f.disk.data[i] = (uint8_t)(i / SECTOR * 5 + i);
}

static void teardown(void)
{
	scsi_fake_finish(&f);
}

START_TEST(read_sizes)
{
	const uint8_t *cdbs[] = {
		CDB(SCSI_READ_6, 0, 0x01, 0x02, 3),
		CDB(SCSI_READ_10, 0, 0, 0, 0x01, 0x02, 0, 0, 3),
		CDB(SCSI_READ_12, 0, 0, 0, 0x01, 0x02, 0, 0, 0, 3),
		CDB(SCSI_READ_16, 0, 0, 0, 0, 0, 0, 0, 0x01, 0x02, 0, 0, 0, 3),
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cdbs); i++) {
		memset(f.data, 0, sizeof(f.data));
		ck_assert_uint_eq(scsi_fake_run(&f, SCSI_FROM_DEVICE, 4096, cdbs[i]), SCSI_GOOD);
		ck_assert_uint_eq(f.req.transferred, 3 * SECTOR);
		ck_assert_mem_eq(f.data, f.disk.data + 0x102 * SECTOR, 3 * SECTOR);
		ck_assert_uint_eq(f.data[3 * SECTOR], 0);
	}
	ck_assert_uint_eq(counter_get(&scsi_counters(f.device)->requests[SCSI_KIND_READ]), 4);
	ck_assert_uint_eq(counter_get(&scsi_counters(f.device)->read_bytes), 4ul * 3ul * SECTOR);
	ck_assert_uint_gt(counter_get(&scsi_counters(f.device)->ticks[SCSI_KIND_READ]), 0);
}
END_TEST

START_TEST(write_sizes)
{
	const uint8_t *cdbs[] = {
		CDB(SCSI_WRITE_6, 0, 0x01, 0x02, 3),
		CDB(SCSI_WRITE_10, 0, 0, 0, 0x01, 0x02, 0, 0, 3),
		CDB(SCSI_WRITE_12, 0, 0, 0, 0x01, 0x02, 0, 0, 0, 3),
		CDB(SCSI_WRITE_16, 0, 0, 0, 0, 0, 0, 0, 0x01, 0x02, 0, 0, 0, 3),
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cdbs); i++) {
		memset(f.data, (int)(0x10 + i), sizeof(f.data));
		ck_assert_uint_eq(scsi_fake_run(&f, SCSI_TO_DEVICE, 3 * SECTOR, cdbs[i]),
				  SCSI_GOOD);
		ck_assert_uint_eq(f.req.transferred, 3 * SECTOR);
		ck_assert_mem_eq(f.disk.data + 0x102 * SECTOR, f.data, 3 * SECTOR);
		ck_assert(!disk_fake_last(&f.disk)->fua);
	}
}
END_TEST

/* A length of 0 is 256 blocks in the shortest command, and none in the others. */
START_TEST(zero_blocks)
{
	ck_assert_uint_eq(scsi_fake_in(&f, 256 * SECTOR, SCSI_READ_6), SCSI_GOOD);
	ck_assert_uint_eq(f.req.transferred, 256 * SECTOR);
	ck_assert_uint_eq(scsi_fake_in(&f, 512, SCSI_READ_10), SCSI_GOOD);
	ck_assert_uint_eq(f.req.transferred, 0);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_WRITE_16), SCSI_GOOD);
	ck_assert_uint_eq(f.disk.count, 1);
}
END_TEST

START_TEST(out_of_range)
{
	const uint8_t *cdbs[] = {
		CDB(SCSI_READ_6, 0x1f, 0xff, 0xff, 1),
		CDB(SCSI_READ_6, 0, 0x07, 0xff, 2),
		CDB(SCSI_READ_10, 0, 0, 0, 0x08, 0x00, 0, 0, 1),
		CDB(SCSI_READ_10, 0, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff),
		CDB(SCSI_READ_12, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff),
		CDB(SCSI_READ_16, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1),
		CDB(SCSI_READ_16, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		    0xff, 0xff),
		CDB(SCSI_READ_16, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
		CDB(SCSI_READ_16, 0, 0, 0, 0, 0, 0, 0, 8, 1, 0, 0, 0, 0),
		CDB(SCSI_SYNCHRONIZE_CACHE_10, 0, 0, 0, 8, 1),
		CDB(SCSI_SYNCHRONIZE_CACHE_16, 0, 1),
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cdbs); i++) {
		ck_assert_uint_eq(scsi_fake_run(&f, SCSI_FROM_DEVICE, 4096, cdbs[i]),
				  SCSI_CHECK_CONDITION);
		ck_assert_uint_eq(scsi_fake_sense(&f),
				  SENSE(SCSI_ILLEGAL_REQUEST, SCSI_ASC_LBA_OUT_OF_RANGE));
		ck_assert_uint_eq(f.req.transferred, 0);
	}
	ck_assert_uint_eq(f.disk.count, 0);
	/* The last one. */
	ck_assert_uint_eq(scsi_fake_in(&f, 512, SCSI_READ_10, 0, 0, 0, 7, 0xff, 0, 0, 1),
			  SCSI_GOOD);
}
END_TEST

/* Less room than blocks; the wrong way; protection information. */
START_TEST(wrong_buffers)
{
	ck_assert_uint_eq(scsi_fake_in(&f, 1023, SCSI_READ_10, 0, 0, 0, 0, 0, 0, 0, 2),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_sense(&f),
			  SENSE(SCSI_ILLEGAL_REQUEST, SCSI_ASC_INVALID_FIELD_IN_CDB));
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_READ_10, 0, 0, 0, 0, 0, 0, 0, 2),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_out(&f, 1024, SCSI_READ_10, 0, 0, 0, 0, 0, 0, 0, 2),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_in(&f, 1024, SCSI_WRITE_10, 0, 0, 0, 0, 0, 0, 0, 2),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_in(&f, 1024, SCSI_READ_10, 0x20, 0, 0, 0, 0, 0, 0, 2),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(
		scsi_fake_in(&f, 512, SCSI_READ_16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0),
		SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(f.disk.count, 0);
	/* Bits that were a number of the unit, once. */
	ck_assert_uint_eq(scsi_fake_in(&f, 512, SCSI_READ_6, 0xe0, 0, 0, 1), SCSI_GOOD);
}
END_TEST

START_TEST(fua)
{
	ck_assert_uint_eq(scsi_fake_out(&f, 512, SCSI_WRITE_10, 0x08, 0, 0, 0, 0, 0, 0, 1),
			  SCSI_GOOD);
	ck_assert(disk_fake_last(&f.disk)->fua);
	ck_assert_uint_eq(scsi_fake_out(&f, 512, SCSI_WRITE_10, 0x10, 0, 0, 0, 0, 0, 0, 1),
			  SCSI_GOOD);
	ck_assert(!disk_fake_last(&f.disk)->fua);
	ck_assert_uint_eq(scsi_fake_in(&f, 512, SCSI_READ_10, 0x18, 0, 0, 0, 0, 0, 0, 1),
			  SCSI_GOOD);
	ck_assert(!disk_fake_last(&f.disk)->fua);
	ck_assert_uint_eq(scsi_fake_out(&f, 512, SCSI_WRITE_6, 0x08, 0, 0, 1),
			  SCSI_CHECK_CONDITION);
}
END_TEST

START_TEST(read_only)
{
	f.disk.block.info.read_only = true;
	ck_assert_uint_eq(scsi_fake_out(&f, 512, SCSI_WRITE_10, 0, 0, 0, 0, 0, 0, 0, 1),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_sense(&f), SENSE(SCSI_DATA_PROTECT, SCSI_ASC_WRITE_PROTECTED));
	ck_assert_uint_eq(scsi_fake_in(&f, 512, SCSI_READ_10, 0, 0, 0, 0, 0, 0, 0, 1), SCSI_GOOD);
}
END_TEST

START_TEST(flush)
{
	const uint8_t *cdbs[] = {
		CDB(SCSI_SYNCHRONIZE_CACHE_10),
		CDB(SCSI_SYNCHRONIZE_CACHE_10, 2, 0, 0, 0, 5, 0, 0, 9),
		CDB(SCSI_SYNCHRONIZE_CACHE_16),
		CDB(SCSI_START_STOP_UNIT, 0, 0, 0, 0),
	};

	f.disk.deferred = true;
	for (unsigned int i = 0; i < ARRAY_SIZE(cdbs); i++) {
		scsi_fake_submit(&f, SCSI_NO_DATA, 0, cdbs[i]);
		ck_assert_uint_eq(f.done, 0);
		ck_assert_uint_eq(disk_fake_last(&f.disk)->op, BLOCK_FLUSH);
		ck_assert(disk_fake_complete(&f.disk, 0));
		ck_assert_uint_eq(f.done, 1);
		ck_assert_uint_eq(f.req.status, SCSI_GOOD);
	}
	f.disk.fail = -EIO;
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_SYNCHRONIZE_CACHE_10), SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_sense(&f), SENSE(SCSI_MEDIUM_ERROR, SCSI_ASC_WRITE_ERROR));
	ck_assert_uint_eq(counter_get(&scsi_counters(f.device)->errors[SCSI_KIND_FLUSH]), 1);
}
END_TEST

START_TEST(results)
{
	static const struct {
		int result;
		uint32_t sense;
	} rows[] = {
		{-EIO, SENSE(SCSI_MEDIUM_ERROR, SCSI_ASC_WRITE_ERROR)},
		{-ENOSPC, SENSE(SCSI_DATA_PROTECT, SCSI_ASC_SPACE_ALLOCATION_FAILED)},
		{-EDQUOT, SENSE(SCSI_DATA_PROTECT, SCSI_ASC_SPACE_ALLOCATION_FAILED)},
		{-EROFS, SENSE(SCSI_DATA_PROTECT, SCSI_ASC_WRITE_PROTECTED)},
		{-EINVAL, SENSE(SCSI_ILLEGAL_REQUEST, SCSI_ASC_INVALID_FIELD_IN_CDB)},
		{-ENOMEM, SENSE(SCSI_ABORTED_COMMAND, SCSI_ASC_INSUFFICIENT_RESOURCES)},
		{-ESTALE, SENSE(SCSI_HARDWARE_ERROR, SCSI_ASC_INTERNAL_TARGET_FAILURE)},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		f.disk.fail = rows[i].result;
		ck_assert_uint_eq(scsi_fake_out(&f, 512, SCSI_WRITE_10, 0, 0, 0, 0, 0, 0, 0, 1),
				  SCSI_CHECK_CONDITION);
		ck_assert_uint_eq(scsi_fake_sense(&f), rows[i].sense);
	}
}
END_TEST

START_TEST(big_sectors)
{
	scsi_fake_finish(&f);
	scsi_fake_disk(&f, DISK, 4096);
	ck_assert_uint_eq(scsi_fake_out(&f, 8192, SCSI_WRITE_10, 0, 0, 0, 0, 5, 0, 0, 2),
			  SCSI_GOOD);
	ck_assert_uint_eq(disk_fake_last(&f.disk)->offset, 5 * 4096ul);
	ck_assert_uint_eq(disk_fake_last(&f.disk)->len, 8192);
	ck_assert_uint_eq(scsi_fake_in(&f, 4096, SCSI_READ_10, 0, 0, 0, 1, 0, 0, 0, 1),
			  SCSI_CHECK_CONDITION);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("scsi_rw");
	TCase *tc = tcase_create("rw");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, read_sizes);
	tcase_add_test(tc, write_sizes);
	tcase_add_test(tc, zero_blocks);
	tcase_add_test(tc, out_of_range);
	tcase_add_test(tc, wrong_buffers);
	tcase_add_test(tc, fua);
	tcase_add_test(tc, read_only);
	tcase_add_test(tc, flush);
	tcase_add_test(tc, results);
	tcase_add_test(tc, big_sectors);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
