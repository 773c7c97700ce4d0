// SPDX-License-Identifier: MIT
/* REPORT SUPPORTED OPERATION CODES, held against what the unit really does. */
#include <check.h>
#include <stdlib.h>

#include "scsi_fake.h"

static struct scsi_fake f;

static void setup(void)
{
	scsi_fake_disk(&f, MiB(1), 512);
}

static void teardown(void)
{
	scsi_fake_finish(&f);
}

#define REPORT SCSI_MAINTENANCE_IN, SCSI_SA_REPORT_OPCODES

/* The command exists, says the unit when it is given. */
static bool served(uint8_t code, uint8_t service)
{
	scsi_fake_none(&f, code, service);
	return scsi_fake_sense(&f) != SENSE(SCSI_ILLEGAL_REQUEST, SCSI_ASC_INVALID_OPERATION_CODE);
}

START_TEST(all)
{
	static uint8_t list[4096];
	uint8_t known[256] = {0};
	uint32_t len;

	ck_assert_uint_eq(scsi_fake_in(&f, 4096, REPORT, 0, 0, 0, 0, 0, 0, 0x10), SCSI_GOOD);
	len = be32_at(f.data);
	ck_assert_uint_eq(f.req.transferred, len + 4);
	ck_assert_uint_eq(len % 8, 0);
	memcpy(list, f.data, len + 4);
	for (uint32_t at = 4; at < len; at += 8) {
		static const uint8_t lengths[] = {6, 10, 10, 0, 16, 12};

		known[list[at]] = 1;
		ck_assert_uint_eq(be16_at(list + at + 6), lengths[list[at] >> 5]);
		ck_assert(served(list[at], list[at + 3]));
	}
	for (unsigned int i = 0; i < 256; i++)
		ck_assert(known[i] == served((uint8_t)i, 0));
	/* With timeouts, of which none is known. */
	ck_assert_uint_eq(scsi_fake_in(&f, 4096, REPORT, 0x80, 0, 0, 0, 0, 0, 0x10), SCSI_GOOD);
	ck_assert_uint_eq(be32_at(f.data), len / 8 * 20ul);
	ck_assert_uint_eq(f.data[4 + 5], 2);
	ck_assert_uint_eq(be16_at(f.data + 12), 10);
}
END_TEST

START_TEST(one)
{
	ck_assert_uint_eq(scsi_fake_in(&f, 64, REPORT, 1, SCSI_READ_10, 0, 0, 0, 0, 0, 64),
			  SCSI_GOOD);
	ck_assert_uint_eq(f.req.transferred, 14);
	ck_assert_uint_eq(f.data[1], 3);
	ck_assert_uint_eq(be16_at(f.data + 2), 10);
	ck_assert_uint_eq(f.data[4], SCSI_READ_10);
	ck_assert_uint_eq(f.data[5], 0x18);
	ck_assert_uint_eq(
		scsi_fake_in(&f, 64, REPORT, 0x82, SCSI_SERVICE_ACTION_IN_16, 0, 0x12, 0, 0, 0, 64),
		SCSI_GOOD);
	ck_assert_uint_eq(f.data[1], 0x83);
	ck_assert_uint_eq(f.req.transferred, 4 + 16 + 12);
	ck_assert_uint_eq(scsi_fake_in(&f, 64, REPORT, 3, SCSI_WRITE_16, 0, 0, 0, 0, 0, 64),
			  SCSI_GOOD);
	ck_assert_uint_eq(f.data[1], 3);
	/* None such; and those that are asked for in the wrong way. */
	ck_assert_uint_eq(scsi_fake_in(&f, 64, REPORT, 1, 0xff, 0, 0, 0, 0, 0, 64), SCSI_GOOD);
	ck_assert_uint_eq(f.data[1], 1);
	ck_assert_uint_eq(
		scsi_fake_in(&f, 64, REPORT, 2, SCSI_SERVICE_ACTION_IN_16, 0, 1, 0, 0, 0, 64),
		SCSI_GOOD);
	ck_assert_uint_eq(f.data[1], 1);
	ck_assert_uint_eq(
		scsi_fake_in(&f, 64, REPORT, 1, SCSI_SERVICE_ACTION_IN_16, 0, 0x12, 0, 0, 0, 64),
		SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_in(&f, 64, REPORT, 2, SCSI_READ_10, 0, 0, 0, 0, 0, 64),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_in(&f, 64, REPORT, 4, SCSI_READ_10, 0, 0, 0, 0, 0, 64),
			  SCSI_CHECK_CONDITION);
	f.disk.block.info.unmap = false;
	ck_assert_uint_eq(scsi_fake_in(&f, 64, REPORT, 1, SCSI_UNMAP, 0, 0, 0, 0, 0, 64),
			  SCSI_GOOD);
	ck_assert_uint_eq(f.data[1], 1);
}
END_TEST

START_TEST(task_functions)
{
	ck_assert_uint_eq(
		scsi_fake_in(&f, 64, SCSI_MAINTENANCE_IN, SCSI_SA_REPORT_TASK_FUNCTIONS, [9] = 64),
		SCSI_GOOD);
	ck_assert_uint_eq(f.req.transferred, 4);
	ck_assert_uint_eq(f.data[0], 8);
	ck_assert_uint_eq(scsi_fake_in(&f, 64, SCSI_MAINTENANCE_IN, SCSI_SA_REPORT_TASK_FUNCTIONS,
				       0x80, [9] = 64),
			  SCSI_GOOD);
	ck_assert_uint_eq(f.req.transferred, 16);
}
END_TEST

START_TEST(dvd)
{
	scsi_fake_finish(&f);
	scsi_fake_dvd(&f, 4096);
	ck_assert_uint_eq(scsi_fake_in(&f, 64, REPORT, 1, SCSI_WRITE_10, 0, 0, 0, 0, 0, 64),
			  SCSI_GOOD);
	ck_assert_uint_eq(f.data[1], 1);
	ck_assert_uint_eq(scsi_fake_in(&f, 64, REPORT, 1, SCSI_READ_TOC, 0, 0, 0, 0, 0, 64),
			  SCSI_GOOD);
	ck_assert_uint_eq(f.data[1], 3);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("scsi_opcodes");
	TCase *tc = tcase_create("opcodes");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, all);
	tcase_add_test(tc, one);
	tcase_add_test(tc, task_functions);
	tcase_add_test(tc, dvd);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
