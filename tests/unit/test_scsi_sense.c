// SPDX-License-Identifier: MIT
/* Unit attentions and REQUEST SENSE, for one initiator and for many. */
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

START_TEST(no_sense)
{
	static const uint8_t none[SCSI_SENSE_SIZE] = {0x70, [7] = 10};

	ck_assert_uint_eq(scsi_fake_in(&f, 252, SCSI_REQUEST_SENSE, 0, 0, 0, 252), SCSI_GOOD);
	ck_assert_uint_eq(f.req.transferred, SCSI_SENSE_SIZE);
	ck_assert_mem_eq(f.data, none, sizeof(none));
	ck_assert_uint_eq(scsi_fake_in(&f, 252, SCSI_REQUEST_SENSE, 0, 0, 0, 8), SCSI_GOOD);
	ck_assert_uint_eq(f.req.transferred, 8);
	/* In descriptors: not here. */
	ck_assert_uint_eq(scsi_fake_in(&f, 252, SCSI_REQUEST_SENSE, 1, 0, 0, 252),
			  SCSI_CHECK_CONDITION);
}
END_TEST

START_TEST(attention_by_command)
{
	scsi_appeared(f.device);
	/* Questions about the unit are answered. */
	ck_assert_uint_eq(scsi_fake_in(&f, 96, SCSI_INQUIRY, 0, 0, 0, 96), SCSI_GOOD);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_TEST_UNIT_READY), SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_sense(&f),
			  SENSE(SCSI_UNIT_ATTENTION, SCSI_ASC_POWER_ON_OR_RESET));
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_TEST_UNIT_READY), SCSI_GOOD);
	/* And another who comes later learns it, too. */
	f.nexus = 9;
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_TEST_UNIT_READY), SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_TEST_UNIT_READY), SCSI_GOOD);
}
END_TEST

START_TEST(attention_by_request_sense)
{
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_TEST_UNIT_READY), SCSI_GOOD);
	scsi_appeared(f.device);
	f.disk.block.info.size = KiB(512);
	ck_assert_uint_eq(scsi_fake_in(&f, 18, SCSI_REQUEST_SENSE, 0, 0, 0, 18), SCSI_GOOD);
	ck_assert_uint_eq(f.data[2], SCSI_UNIT_ATTENTION);
	ck_assert_uint_eq(be16_at(f.data + 12), SCSI_ASC_POWER_ON_OR_RESET);
	ck_assert_uint_eq(scsi_fake_in(&f, 18, SCSI_REQUEST_SENSE, 0, 0, 0, 18), SCSI_GOOD);
	ck_assert_uint_eq(be16_at(f.data + 12), SCSI_ASC_CAPACITY_CHANGED);
	ck_assert_uint_eq(scsi_fake_in(&f, 18, SCSI_REQUEST_SENSE, 0, 0, 0, 18), SCSI_GOOD);
	ck_assert_uint_eq(f.data[2], SCSI_NO_SENSE);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_TEST_UNIT_READY), SCSI_GOOD);
	f.disk.block.info.size = MiB(1);
}
END_TEST

START_TEST(kept)
{
	ck_assert_uint_eq(scsi_fake_none(&f, 0xff), SCSI_CHECK_CONDITION);
	scsi_keep_sense(f.device, &f.req);
	ck_assert_uint_eq(scsi_fake_in(&f, 18, SCSI_REQUEST_SENSE, 0, 0, 0, 18), SCSI_GOOD);
	ck_assert_uint_eq(f.data[2], SCSI_ILLEGAL_REQUEST);
	/* Nothing to keep. */
	scsi_keep_sense(f.device, &f.req);
	ck_assert_uint_eq(scsi_fake_in(&f, 18, SCSI_REQUEST_SENSE, 0, 0, 0, 18), SCSI_GOOD);
	ck_assert_uint_eq(f.data[2], SCSI_NO_SENSE);
}
END_TEST

/* Who starts again finds nothing that it left but what was to persist. */
START_TEST(forgotten)
{
	static const uint8_t reserve[] = {[8 + 7] = 9};

	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_RESERVE_6), SCSI_GOOD);
	ck_assert_uint_eq(scsi_fake_none(&f, 0xff), SCSI_CHECK_CONDITION);
	scsi_keep_sense(f.device, &f.req);
	memset(f.data, 0, 64);
	f.data[4] = SCSI_MODE_CACHING;
	f.data[5] = 18;
	ck_assert_uint_eq(scsi_fake_out(&f, 24, SCSI_MODE_SELECT_6, 0x10, 0, 0, 24), SCSI_GOOD);
	scsi_appeared(f.device);
	scsi_forget(f.device, 77);
	f.nexus = 1;
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_TEST_UNIT_READY), SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_RESERVE_6), SCSI_RESERVATION_CONFLICT);
	scsi_forget(f.device, 0);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_RESERVE_6), SCSI_GOOD);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_RELEASE_6), SCSI_GOOD);
	f.nexus = 0;
	ck_assert_uint_eq(scsi_fake_in(&f, 18, SCSI_REQUEST_SENSE, 0, 0, 0, 18), SCSI_GOOD);
	ck_assert_uint_eq(f.data[2], SCSI_NO_SENSE);
	ck_assert_uint_eq(scsi_fake_out(&f, 512, SCSI_WRITE_10, [8] = 1), SCSI_GOOD);
	ck_assert(!disk_fake_last(&f.disk)->fua);
	memset(f.data, 0, 24);
	memcpy(f.data, reserve, sizeof(reserve));
	ck_assert_uint_eq(scsi_fake_out(&f, 24, SCSI_PERSISTENT_RESERVE_OUT, [8] = 24), SCSI_GOOD);
	scsi_forget(f.device, 0);
	ck_assert_uint_eq(scsi_fake_in(&f, 64, SCSI_PERSISTENT_RESERVE_IN, [8] = 64), SCSI_GOOD);
	ck_assert_uint_eq(f.req.transferred, 16);
}
END_TEST

/* More initiators than there is memory for share the last. */
START_TEST(many_initiators)
{
	for (f.nexus = 0; f.nexus < 100; f.nexus++)
		ck_assert_uint_eq(scsi_fake_none(&f, SCSI_TEST_UNIT_READY), SCSI_GOOD);
	scsi_appeared(f.device);
	for (f.nexus = 0; f.nexus < SCSI_NEXUS_MAX; f.nexus++)
		ck_assert_uint_eq(scsi_fake_none(&f, SCSI_TEST_UNIT_READY), SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_TEST_UNIT_READY), SCSI_GOOD);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("scsi_sense");
	TCase *tc = tcase_create("sense");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, no_sense);
	tcase_add_test(tc, attention_by_command);
	tcase_add_test(tc, attention_by_request_sense);
	tcase_add_test(tc, kept);
	tcase_add_test(tc, forgotten);
	tcase_add_test(tc, many_initiators);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
