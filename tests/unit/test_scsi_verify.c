// SPDX-License-Identifier: MIT
/* VERIFY and WRITE AND VERIFY: through the unit's one buffer, in turns. */
#include <check.h>
#include <stdlib.h>

#include "scsi_fake.h"

static struct scsi_fake f;

static void setup(void)
{
	scsi_fake_disk(&f, MiB(1), 512);
	for (unsigned int i = 0; i < MiB(1); i++)
		f.disk.data[i] = (uint8_t)(i / 512 + i);
}

static void teardown(void)
{
	scsi_fake_finish(&f);
}

START_TEST(medium)
{
	/* 200 KiB from sector 3 on, in pieces of the buffer's size. */
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_VERIFY_10, 0, 0, 0, 0, 3, 0, 0x01, 0x90),
			  SCSI_GOOD);
	ck_assert_uint_eq(f.disk.count, 4);
	ck_assert_uint_eq(f.disk.ops[0].offset, 3 * SECTOR);
	ck_assert_uint_eq(f.disk.ops[3].len, 200ul * 1024ul - 3ul * 65536);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_VERIFY_12, [9] = 1), SCSI_GOOD);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_VERIFY_16, [13] = 1), SCSI_GOOD);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_VERIFY_16), SCSI_GOOD);
	ck_assert_uint_eq(f.disk.count, 6);
	f.disk.fail = -EIO;
	f.disk.fail_after = 2;
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_VERIFY_10, 0, 0, 0, 0, 3, 0, 0x01, 0x90),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_sense(&f),
			  SENSE(SCSI_MEDIUM_ERROR, SCSI_ASC_UNRECOVERED_READ_ERROR));
	ck_assert_uint_eq(f.disk.count, 9);
}
END_TEST

START_TEST(compare)
{
	const uint32_t len = 300 * SECTOR;

	memcpy(f.data, f.disk.data + 5 * SECTOR, len);
	ck_assert_uint_eq(scsi_fake_out(&f, len, SCSI_VERIFY_10, 2, 0, 0, 0, 5, 0, 1, 44),
			  SCSI_GOOD);
	ck_assert_uint_eq(f.req.transferred, len);
	for (unsigned int i = 0; i < 3; i++) {
		static const uint32_t at[] = {0, 70000, 300 * SECTOR - 1};

		f.data[at[i]] ^= 1;
		ck_assert_uint_eq(scsi_fake_out(&f, len, SCSI_VERIFY_10, 2, 0, 0, 0, 5, 0, 1, 44),
				  SCSI_CHECK_CONDITION);
		ck_assert_uint_eq(scsi_fake_sense(&f),
				  SENSE(SCSI_MISCOMPARE, SCSI_ASC_MISCOMPARE_DURING_VERIFY));
		f.data[at[i]] ^= 1;
	}
}
END_TEST

START_TEST(refused)
{
	ck_assert_uint_eq(scsi_fake_out(&f, 512, SCSI_VERIFY_10, 2, [8] = 2), SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_in(&f, 512, SCSI_VERIFY_10, 2, [8] = 1), SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_out(&f, 512, SCSI_VERIFY_10, 6, [8] = 1), SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_out(&f, 512, SCSI_VERIFY_10, 0x20, [8] = 1),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_VERIFY_10, 0, 0, 0, 8, 0, 0, 0, 1),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_sense(&f),
			  SENSE(SCSI_ILLEGAL_REQUEST, SCSI_ASC_LBA_OUT_OF_RANGE));
	ck_assert_uint_eq(f.disk.count, 0);
}
END_TEST

START_TEST(write_and_verify)
{
	const uint8_t *cdbs[] = {
		CDB(SCSI_WRITE_AND_VERIFY_10, 2, [5] = 9, [8] = 3),
		CDB(SCSI_WRITE_AND_VERIFY_12, 0, [5] = 9, [9] = 3),
		CDB(SCSI_WRITE_AND_VERIFY_16, 2, [9] = 9, [13] = 3),
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cdbs); i++) {
		memset(f.data, (int)(0x60 + i), 2048);
		f.disk.count = 0;
		ck_assert_uint_eq(scsi_fake_run(&f, SCSI_TO_DEVICE, 2048, cdbs[i]), SCSI_GOOD);
		ck_assert_uint_eq(f.req.transferred, 1536);
		ck_assert_uint_eq(f.disk.count, 2);
		ck_assert_uint_eq(f.disk.ops[0].op, BLOCK_WRITE);
		ck_assert(f.disk.ops[0].fua);
		ck_assert_uint_eq(f.disk.ops[1].op, BLOCK_READ);
		ck_assert_mem_eq(f.disk.data + 9 * SECTOR, f.data, 1536);
		ck_assert_uint_eq(f.disk.data[12 * SECTOR + 1], 13);
	}
	f.disk.fail = -EIO;
	ck_assert_uint_eq(scsi_fake_run(&f, SCSI_TO_DEVICE, 2048, cdbs[0]), SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_sense(&f), SENSE(SCSI_MEDIUM_ERROR, SCSI_ASC_WRITE_ERROR));
	f.disk.block.info.read_only = true;
	ck_assert_uint_eq(scsi_fake_run(&f, SCSI_TO_DEVICE, 2048, cdbs[0]), SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_sense(&f), SENSE(SCSI_DATA_PROTECT, SCSI_ASC_WRITE_PROTECTED));
}
END_TEST

/* --- In turns. ------------------------------------------------------------------------------- */

#define MANY 2000u

static struct scsi_request many[MANY];
static unsigned int ended, aborted;

static void on_done(struct scsi_request *req)
{
	ended++;
	aborted += req->status == SCSI_TASK_ABORTED;
}

static void submit_many(void)
{
	for (unsigned int i = 0; i < MANY; i++) {
		many[i] = (struct scsi_request){.cdb = {SCSI_VERIFY_10, [8] = 1}, .done = on_done};
		scsi_submit(f.device, &many[i]);
	}
}

/*
 * All wait for the first; when the disk then answers at once, the stack does not grow with their
 * number.
 */
START_TEST(turns)
{
	f.disk.deferred = true;
	submit_many();
	ck_assert_uint_eq(f.disk.count, 1);
	f.disk.deferred = false;
	ck_assert(disk_fake_complete(&f.disk, 0));
	ck_assert_uint_eq(ended, MANY);
	ck_assert_uint_eq(f.disk.count, MANY);
	ck_assert_uint_eq(aborted, 0);
}
END_TEST

START_TEST(aborted_in_turn)
{
	f.disk.deferred = true;
	submit_many();
	for (unsigned int i = 0; i < MANY; i++)
		scsi_abort(&many[i]);
	ck_assert_uint_eq(ended, 0);
	ck_assert(disk_fake_complete(&f.disk, 0));
	ck_assert_uint_eq(ended, MANY);
	ck_assert_uint_eq(aborted, MANY);
	ck_assert_uint_eq(f.disk.count, 1);
	/* And the buffer is free. */
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_VERIFY_10, [8] = 1), SCSI_GOOD);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("scsi_verify");
	TCase *tc = tcase_create("verify");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, medium);
	tcase_add_test(tc, compare);
	tcase_add_test(tc, refused);
	tcase_add_test(tc, write_and_verify);
	tcase_add_test(tc, turns);
	tcase_add_test(tc, aborted_in_turn);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
