// SPDX-License-Identifier: MIT
/* A DVD drive: reading, the tray, and what happens to it. */
#include <check.h>
#include <stdlib.h>

#include "scsi_fake.h"

static struct scsi_fake f;

static void setup(void)
{
	scsi_fake_dvd(&f, MiB(1) + 512);
	for (unsigned int i = 0; i < MiB(1); i++)
		f.disk.data[i] = (uint8_t)(i / 2048 + i);
}

static void teardown(void)
{
	scsi_fake_finish(&f);
}

static uint32_t not_ready(void)
{
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_TEST_UNIT_READY), SCSI_CHECK_CONDITION);
	return scsi_fake_sense(&f);
}

/* The event that is told, and what state the drive is in. */
static unsigned int event(uint8_t *ret_state)
{
	ck_assert_uint_eq(scsi_fake_in(&f, 8, SCSI_GET_EVENT_STATUS, 1, 0, 0, 0x10, [8] = 8),
			  SCSI_GOOD);
	ck_assert_uint_eq(f.req.transferred, 8);
	ck_assert_uint_eq(be16_at(f.data), 6);
	ck_assert_uint_eq(f.data[2], 4);
	ck_assert_uint_eq(f.data[3], 0x10);
	*ret_state = f.data[5];
	return f.data[4];
}

START_TEST(reading)
{
	ck_assert_uint_eq(scsi_fake_in(&f, 8, SCSI_READ_CAPACITY_10), SCSI_GOOD);
	/* What is no whole sector is not there. */
	ck_assert_uint_eq(be32_at(f.data), 511);
	ck_assert_uint_eq(be32_at(f.data + 4), 2048);
	ck_assert_uint_eq(scsi_fake_in(&f, 4096, SCSI_READ_10, [5] = 7, [8] = 2), SCSI_GOOD);
	ck_assert_mem_eq(f.data, f.disk.data + 7 * 2048ul, 4096);
	ck_assert_uint_eq(scsi_fake_in(&f, 4096, SCSI_READ_12, [5] = 7, [9] = 2), SCSI_GOOD);
	ck_assert_uint_eq(scsi_fake_in(&f, 4096, SCSI_READ_10, [4] = 2, [8] = 1),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_sense(&f),
			  SENSE(SCSI_ILLEGAL_REQUEST, SCSI_ASC_LBA_OUT_OF_RANGE));
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_SEEK_10, [4] = 1), SCSI_GOOD);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_SEEK_10, [4] = 2), SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_out(&f, 2048, SCSI_WRITE_10, [8] = 1), SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_sense(&f),
			  SENSE(SCSI_ILLEGAL_REQUEST, SCSI_ASC_INVALID_OPERATION_CODE));
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_SET_CD_SPEED, 0, 0xff, 0xff), SCSI_GOOD);
}
END_TEST

START_TEST(eject_and_load)
{
	uint8_t state;

	ck_assert_uint_eq(event(&state), 0);
	ck_assert_uint_eq(state, 2);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_START_STOP_UNIT, 0, 0, 0, 2), SCSI_GOOD);
	ck_assert(scsi_dvd_open(f.device));
	ck_assert_uint_eq(not_ready(), SENSE(SCSI_NOT_READY, SCSI_ASC_NO_MEDIUM_TRAY_OPEN));
	ck_assert_uint_eq(scsi_fake_in(&f, 2048, SCSI_READ_10, [8] = 1), SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_in(&f, 18, SCSI_REQUEST_SENSE, [4] = 18), SCSI_GOOD);
	ck_assert_uint_eq(be16_at(f.data + 12), SCSI_ASC_NO_MEDIUM_TRAY_OPEN);
	ck_assert_uint_eq(event(&state), 3);
	ck_assert_uint_eq(state, 1);
	ck_assert_uint_eq(event(&state), 0);
	ck_assert_uint_eq(scsi_fake_in(&f, 8, SCSI_MECHANISM_STATUS, [9] = 8), SCSI_GOOD);
	ck_assert_uint_eq(f.data[1], 0x10);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_START_STOP_UNIT, 0, 0, 0, 2), SCSI_GOOD);
	/* In again. */
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_START_STOP_UNIT, 0, 0, 0, 3), SCSI_GOOD);
	ck_assert(!scsi_dvd_open(f.device));
	ck_assert_uint_eq(not_ready(),
			  SENSE(SCSI_UNIT_ATTENTION, SCSI_ASC_MEDIUM_MAY_HAVE_CHANGED));
	ck_assert_uint_eq(scsi_fake_in(&f, 2048, SCSI_READ_10, [8] = 1), SCSI_GOOD);
	ck_assert_uint_eq(event(&state), 2);
	ck_assert_uint_eq(state, 2);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_START_STOP_UNIT, 0, 0, 0, 3), SCSI_GOOD);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_START_STOP_UNIT, 0, 0, 0, 1), SCSI_GOOD);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_START_STOP_UNIT, 0, 0, 0, 0x22), SCSI_GOOD);
	ck_assert(!scsi_dvd_open(f.device));
}
END_TEST

/* A request that was in flight when the tray opened ends with the disc that it began with. */
START_TEST(eject_in_flight)
{
	struct scsi_request eject = {.cdb = {SCSI_START_STOP_UNIT, 0, 0, 0, 2}};

	f.disk.deferred = true;
	scsi_fake_submit(&f, SCSI_FROM_DEVICE, 2048, CDB(SCSI_READ_10, [8] = 1));
	eject.done = f.req.done;
	eject.nexus = f.req.nexus;
	/* done() counts in whatever holds the request: give it one of its own. */
	static struct scsi_fake other;
	other.req = eject;
	scsi_submit(f.device, &other.req);
	ck_assert_uint_eq(other.done, 1);
	ck_assert(scsi_dvd_open(f.device));
	ck_assert_int_eq(scsi_dvd_insert(f.device, NULL, true), -EBUSY);
	ck_assert(disk_fake_complete(&f.disk, 0));
	ck_assert_uint_eq(f.done, 1);
	ck_assert_uint_eq(f.req.status, SCSI_GOOD);
	ck_assert_int_eq(scsi_dvd_insert(f.device, NULL, false), 0);
}
END_TEST

START_TEST(locked)
{
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_PREVENT_ALLOW_REMOVAL, 0, 0, 0, 1), SCSI_GOOD);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_START_STOP_UNIT, 0, 0, 0, 2),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_sense(&f),
			  SENSE(SCSI_ILLEGAL_REQUEST, SCSI_ASC_MEDIUM_REMOVAL_PREVENTED));
	ck_assert_int_eq(scsi_dvd_insert(f.device, NULL, false), -EBUSY);
	ck_assert_int_eq(scsi_dvd_insert(f.device, NULL, true), 0);
	ck_assert_uint_eq(not_ready(), SENSE(SCSI_NOT_READY, SCSI_ASC_NO_MEDIUM_TRAY_CLOSED));
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_PREVENT_ALLOW_REMOVAL, 0, 0, 0, 1), SCSI_GOOD);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_PREVENT_ALLOW_REMOVAL, 0, 0, 0, 0), SCSI_GOOD);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_START_STOP_UNIT, 0, 0, 0, 2), SCSI_GOOD);
}
END_TEST

START_TEST(insert)
{
	struct disk_fake second;
	uint8_t state;

	disk_fake_init(&second, KiB(64), 512);
	second.block.info.read_only = true;
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_TEST_UNIT_READY), SCSI_GOOD);
	ck_assert_int_eq(scsi_dvd_insert(f.device, &second.block, false), 0);
	ck_assert_ptr_eq(scsi_block(f.device), &second.block);
	ck_assert_uint_eq(event(&state), 2);
	ck_assert_uint_eq(not_ready(),
			  SENSE(SCSI_UNIT_ATTENTION, SCSI_ASC_MEDIUM_MAY_HAVE_CHANGED));
	ck_assert_uint_eq(scsi_fake_in(&f, 8, SCSI_READ_CAPACITY_10), SCSI_GOOD);
	ck_assert_uint_eq(be32_at(f.data), 31);
	second.block.info.logical_sector = 4096;
	ck_assert_int_eq(scsi_dvd_insert(f.device, &second.block, false), -EINVAL);
	ck_assert_int_eq(scsi_dvd_insert(f.device, NULL, false), 0);
	ck_assert_uint_eq(event(&state), 3);
	disk_fake_finish(&second);
}
END_TEST

START_TEST(events_refused)
{
	ck_assert_uint_eq(scsi_fake_in(&f, 8, SCSI_GET_EVENT_STATUS, 0, 0, 0, 0x10, [8] = 8),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_in(&f, 8, SCSI_GET_EVENT_STATUS, 1, 0, 0, 0x02, [8] = 8),
			  SCSI_GOOD);
	ck_assert_uint_eq(f.req.transferred, 4);
	ck_assert_uint_eq(f.data[2], 0x80);
}
END_TEST

START_TEST(create)
{
	struct block block = {.name = "x", .info = {.size = 8192, .logical_sector = 4096}};
	struct scsi_config config = {.block = &block};
	struct scsi_device *device = NULL;
	struct error err;

	ck_assert_int_eq(scsi_dvd_create(&config, &err, &device), -EINVAL);
	ck_assert_str_eq(err.text, "disc x: sectors of 4096 bytes: a disc has 2048");
	config.block = NULL;
	ck_assert_int_eq(scsi_dvd_create(&config, &err, &device), 0);
	scsi_destroy(device);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("scsi_dvd");
	TCase *tc = tcase_create("dvd");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, reading);
	tcase_add_test(tc, eject_and_load);
	tcase_add_test(tc, eject_in_flight);
	tcase_add_test(tc, locked);
	tcase_add_test(tc, insert);
	tcase_add_test(tc, events_refused);
	tcase_add_test(tc, create);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
