// SPDX-License-Identifier: MIT
/* MODE SENSE and MODE SELECT, and the write cache that can be switched off. */
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

START_TEST(all_pages)
{
	ck_assert_uint_eq(scsi_fake_in(&f, 255, SCSI_MODE_SENSE_6, 0, 0x3f, 0, 255), SCSI_GOOD);
	ck_assert_uint_eq(f.req.transferred, 4 + 8 + 20 + 12);
	ck_assert_uint_eq(f.data[0], f.req.transferred - 1);
	ck_assert_uint_eq(f.data[2], SCSI_MODE_DPOFUA);
	ck_assert_uint_eq(f.data[3], 8);
	ck_assert_uint_eq(be32_at(f.data + 4), 2048);
	ck_assert_uint_eq(be32_at(f.data + 8), 512);
	ck_assert_uint_eq(f.data[12], SCSI_MODE_CACHING);
	ck_assert_uint_eq(f.data[13], 18);
	ck_assert_uint_eq(f.data[14], 4);
	ck_assert_uint_eq(f.data[32], SCSI_MODE_CONTROL);
	ck_assert_uint_eq(f.data[33], 10);
	f.disk.block.info.read_only = true;
	ck_assert_uint_eq(scsi_fake_in(&f, 255, SCSI_MODE_SENSE_6, 8, 0x3f, 0xff, 255), SCSI_GOOD);
	ck_assert_uint_eq(f.req.transferred, 4 + 20 + 12);
	ck_assert_uint_eq(f.data[2], SCSI_MODE_DPOFUA | SCSI_MODE_WP);
}
END_TEST

START_TEST(ten_bytes)
{
	ck_assert_uint_eq(scsi_fake_in(&f, 255, SCSI_MODE_SENSE_10, 0x10, 8, [8] = 255), SCSI_GOOD);
	ck_assert_uint_eq(f.req.transferred, 8 + 16 + 20);
	ck_assert_uint_eq(be16_at(f.data), f.req.transferred - 2);
	ck_assert_uint_eq(f.data[3], SCSI_MODE_DPOFUA);
	ck_assert_uint_eq(f.data[4], 1);
	ck_assert_uint_eq(be16_at(f.data + 6), 16);
	ck_assert_uint_eq(be64_at(f.data + 8), 2048);
	ck_assert_uint_eq(be32_at(f.data + 20), 512);
	ck_assert_uint_eq(scsi_fake_in(&f, 255, SCSI_MODE_SENSE_10, 0, 8, [8] = 10), SCSI_GOOD);
	ck_assert_uint_eq(f.req.transferred, 10);
	ck_assert_uint_eq(be16_at(f.data + 6), 8);
}
END_TEST

START_TEST(controls)
{
	/* What can be changed; what it was; what was saved. */
	ck_assert_uint_eq(scsi_fake_in(&f, 255, SCSI_MODE_SENSE_6, 8, 0x40 | 0x3f, 0, 255),
			  SCSI_GOOD);
	ck_assert_uint_eq(f.data[4 + 2], 4);
	ck_assert_uint_eq(f.data[24 + 3], 0);
	ck_assert_uint_eq(scsi_fake_in(&f, 255, SCSI_MODE_SENSE_6, 8, 0x80 | 0x08, 0, 255),
			  SCSI_GOOD);
	ck_assert_uint_eq(f.data[4 + 2], 4);
	ck_assert_uint_eq(scsi_fake_in(&f, 255, SCSI_MODE_SENSE_6, 8, 0xc0 | 0x08, 0, 255),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_sense(&f),
			  SENSE(SCSI_ILLEGAL_REQUEST, SCSI_ASC_SAVING_PARAMETERS_UNSUPPORTED));
	/* Linux asks for 0x1c; and a subpage. */
	ck_assert_uint_eq(scsi_fake_in(&f, 255, SCSI_MODE_SENSE_6, 8, 0x1c, 0, 255),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_in(&f, 255, SCSI_MODE_SENSE_6, 8, 0x0a, 2, 255),
			  SCSI_CHECK_CONDITION);
}
END_TEST

/* The caching page as it is sent back, with a header of six or ten. */
static uint8_t select_cache(bool ten, uint8_t flags)
{
	unsigned int at = ten ? 8 : 4, len = at + 20;

	memset(f.data, 0, 64);
	f.data[at] = SCSI_MODE_CACHING;
	f.data[at + 1] = 18;
	f.data[at + 2] = flags;
	if (ten)
		return scsi_fake_out(&f, len, SCSI_MODE_SELECT_10, 0x10, [8] = (uint8_t)len);
	return scsi_fake_out(&f, len, SCSI_MODE_SELECT_6, 0x10, 0, 0, (uint8_t)len);
}

static bool write_is_durable(void)
{
	ck_assert_uint_eq(scsi_fake_out(&f, 512, SCSI_WRITE_10, [8] = 1), SCSI_GOOD);
	return disk_fake_last(&f.disk)->fua;
}

START_TEST(cache)
{
	ck_assert(!write_is_durable());
	/* Off: what was written before is made durable first. */
	f.disk.deferred = true;
	ck_assert_uint_eq(select_cache(false, 0), SCSI_GOOD);
	ck_assert_uint_eq(disk_fake_last(&f.disk)->op, BLOCK_FLUSH);
	ck_assert(write_is_durable());
	ck_assert_uint_eq(scsi_fake_in(&f, 255, SCSI_MODE_SENSE_6, 8, 8, 0, 255), SCSI_GOOD);
	ck_assert_uint_eq(f.data[4 + 2], 0);
	ck_assert_uint_eq(scsi_fake_out(&f, 512, SCSI_WRITE_SAME_10, [8] = 1), SCSI_GOOD);
	ck_assert(disk_fake_last(&f.disk)->fua);
	ck_assert_uint_eq(select_cache(true, 4), SCSI_GOOD);
	ck_assert(!write_is_durable());
	/* It is off, though that could not be made true of what was before. */
	f.disk.fail = -EIO;
	ck_assert_uint_eq(select_cache(true, 0), SCSI_CHECK_CONDITION);
	f.disk.fail = 0;
	ck_assert(write_is_durable());
}
END_TEST

START_TEST(others_are_told)
{
	f.nexus = 5;
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_TEST_UNIT_READY), SCSI_GOOD);
	f.nexus = 6;
	ck_assert_uint_eq(select_cache(true, 0), SCSI_GOOD);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_TEST_UNIT_READY), SCSI_GOOD);
	f.nexus = 5;
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_TEST_UNIT_READY), SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_sense(&f),
			  SENSE(SCSI_UNIT_ATTENTION, SCSI_ASC_MODE_PARAMETERS_CHANGED));
}
END_TEST

START_TEST(select_refused)
{
	/* Not in the standard's format; to be saved. */
	ck_assert_uint_eq(scsi_fake_out(&f, 24, SCSI_MODE_SELECT_6, 0, 0, 0, 24),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_out(&f, 24, SCSI_MODE_SELECT_6, 0x11, 0, 0, 24),
			  SCSI_CHECK_CONDITION);
	/* Nothing at all is fine. */
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_MODE_SELECT_6, 0x10), SCSI_GOOD);
	/* Other bits of the page than may change, and where. */
	ck_assert_uint_eq(select_cache(false, 1), SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_sense(&f),
			  SENSE(SCSI_ILLEGAL_REQUEST, SCSI_ASC_INVALID_FIELD_IN_PARAMETERS));
	ck_assert_uint_eq(f.req.sense[15], 0x80);
	ck_assert_uint_eq(f.req.sense[17], 6);
	ck_assert(!write_is_durable());
	/* Lengths: of the list, of the header, of a page, of the descriptors. */
	ck_assert_uint_eq(scsi_fake_out(&f, 10, SCSI_MODE_SELECT_6, 0x10, 0, 0, 24),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_out(&f, 3, SCSI_MODE_SELECT_6, 0x10, 0, 0, 3),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_out(&f, 200, SCSI_MODE_SELECT_6, 0x10, 0, 0, 200),
			  SCSI_CHECK_CONDITION);
	memset(f.data, 0, 64);
	f.data[3] = 200;
	ck_assert_uint_eq(scsi_fake_out(&f, 24, SCSI_MODE_SELECT_6, 0x10, 0, 0, 24),
			  SCSI_CHECK_CONDITION);
	memset(f.data, 0, 64);
	f.data[4] = SCSI_MODE_CACHING;
	f.data[5] = 18;
	ck_assert_uint_eq(scsi_fake_out(&f, 20, SCSI_MODE_SELECT_6, 0x10, 0, 0, 20),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_sense(&f),
			  SENSE(SCSI_ILLEGAL_REQUEST, SCSI_ASC_PARAMETER_LIST_LENGTH_ERROR));
	f.data[5] = 17;
	ck_assert_uint_eq(scsi_fake_out(&f, 24, SCSI_MODE_SELECT_6, 0x10, 0, 0, 24),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_out(&f, 5, SCSI_MODE_SELECT_6, 0x10, 0, 0, 5),
			  SCSI_CHECK_CONDITION);
	/* A page that there is not. */
	f.data[4] = 0x1c;
	ck_assert_uint_eq(scsi_fake_out(&f, 24, SCSI_MODE_SELECT_6, 0x10, 0, 0, 24),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_sense(&f),
			  SENSE(SCSI_ILLEGAL_REQUEST, SCSI_ASC_INVALID_FIELD_IN_PARAMETERS));
	ck_assert(!write_is_durable());
}
END_TEST

/* One page wrong: none takes effect. */
START_TEST(all_or_none)
{
	ck_assert_uint_eq(scsi_fake_in(&f, 36, SCSI_MODE_SENSE_6, 8, 0x3f, 0, 36), SCSI_GOOD);
	f.data[0] = 0;
	f.data[2] = 0;
	f.data[4 + 2] = 0;
	f.data[24 + 4] ^= 0x40;
	ck_assert_uint_eq(scsi_fake_out(&f, 36, SCSI_MODE_SELECT_6, 0x10, 0, 0, 36),
			  SCSI_CHECK_CONDITION);
	ck_assert(!write_is_durable());
	ck_assert_uint_eq(scsi_fake_in(&f, 36, SCSI_MODE_SENSE_6, 8, 0x3f, 0, 36), SCSI_GOOD);
	f.data[4 + 2] = 0;
	ck_assert_uint_eq(scsi_fake_out(&f, 36, SCSI_MODE_SELECT_6, 0x10, 0, 0, 36), SCSI_GOOD);
	ck_assert(write_is_durable());
}
END_TEST

START_TEST(dvd)
{
	scsi_fake_finish(&f);
	scsi_fake_dvd(&f, 0);
	ck_assert_uint_eq(scsi_fake_in(&f, 255, SCSI_MODE_SENSE_10, 0, 0x2a, [8] = 255), SCSI_GOOD);
	ck_assert_uint_eq(f.req.transferred, 8 + 22);
	ck_assert_uint_eq(f.data[8], SCSI_MODE_CAPABILITIES);
	ck_assert_uint_eq(f.data[9], 20);
	ck_assert_uint_eq(scsi_fake_in(&f, 255, SCSI_MODE_SENSE_10, 0, 0x08, [8] = 255),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_in(&f, 255, SCSI_MODE_SENSE_6, 0, 0x3f, 0, 255), SCSI_GOOD);
	ck_assert_uint_eq(f.req.transferred, 4 + 12 + 22);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("scsi_mode");
	TCase *tc = tcase_create("mode");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, all_pages);
	tcase_add_test(tc, ten_bytes);
	tcase_add_test(tc, controls);
	tcase_add_test(tc, cache);
	tcase_add_test(tc, others_are_told);
	tcase_add_test(tc, select_refused);
	tcase_add_test(tc, all_or_none);
	tcase_add_test(tc, dvd);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
