// SPDX-License-Identifier: MIT
/* Channels of a storage controller: how many requests, sub-channels, closing, notices. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "storvsp_fake.h"

#define REQUESTS 256u

static struct storvsp_fake f;

static void setup(void)
{
	storvsp_fake_init(&f, STORVSP_SCSI, 0);
	storvsp_fake_start(&f, VMSTOR_PROTO_VERSION_WIN10);
}

static void teardown(void)
{
	storvsp_fake_finish(&f);
}

static const struct fake_srb read_one = {
	.cdb = {SCSI_READ_10, [8] = 1}, .data_in = VMSCSI_DATA_IN, .len = 512};

START_TEST(bounded)
{
	f.disk.deferred = true;
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < REQUESTS; i++)
			ck_assert_int_eq(storvsp_fake_send(&f, NULL, &read_one), 0);
		ck_assert_int_eq(storvsp_fake_send(&f, NULL, &read_one), -EBUSY);
		ck_assert_uint_eq(f.primary->resumes, round);
		/* The first that is over makes room, and says so once. */
		ck_assert(disk_fake_complete(&f.disk, 100 * round));
		ck_assert_uint_eq(f.primary->resumes, round + 1);
		ck_assert_int_eq(storvsp_fake_send(&f, NULL, &read_one), 0);
		while (f.disk.waiting)
			ck_assert(disk_fake_complete(&f.disk, f.disk.waiting / 3));
		ck_assert_uint_eq(f.primary->resumes, round + 1);
	}
	ck_assert_uint_eq(f.primary->outstanding, 0);
	ck_assert_uint_eq(counter_get(&storvsp_counters(f.storvsp)->busy), 3);
}
END_TEST

/* Each channel has requests of its own. */
START_TEST(sub_channels)
{
	struct channel *sub = channel_fake_open(&f.bus, 2);

	ck_assert_ptr_nonnull(sub);
	f.disk.deferred = true;
	for (unsigned int i = 0; i < REQUESTS; i++)
		ck_assert_int_eq(storvsp_fake_send(&f, NULL, &read_one), 0);
	ck_assert_int_eq(storvsp_fake_send(&f, NULL, &read_one), -EBUSY);
	ck_assert_int_eq(storvsp_fake_send(&f, sub, &read_one), 0);
	disk_fake_complete_all(&f.disk);
	ck_assert_uint_eq(sub->completions, 1);
	ck_assert_uint_eq(f.primary->completions, 4 + REQUESTS);
}
END_TEST

/* One that is open before the initialization is over waits for its end. */
START_TEST(sub_channel_too_early)
{
	struct channel *sub;

	ck_assert(channel_fake_close(&f.bus, 0));
	f.primary = channel_fake_open(&f.bus, 0);
	sub = channel_fake_open(&f.bus, 1);
	ck_assert_int_eq(storvsp_fake_send(&f, sub, &read_one), -EBUSY);
	for (uint32_t i = 0; i < 4; i++) {
		static const uint32_t operations[] = {VSTOR_OPERATION_BEGIN_INITIALIZATION,
						      VSTOR_OPERATION_QUERY_PROTOCOL_VERSION,
						      VSTOR_OPERATION_QUERY_PROPERTIES,
						      VSTOR_OPERATION_END_INITIALIZATION};
		struct vstor_packet packet = {.operation = operations[i],
					      .version = {.major_minor = 0x0602}};

		ck_assert_uint_eq(sub->resumes, 0);
		ck_assert_uint_eq(storvsp_fake_control(&f, packet, sizeof(packet))->status, 0);
	}
	ck_assert_uint_eq(sub->resumes, 1);
	ck_assert_int_eq(storvsp_fake_send(&f, sub, &read_one), 0);
}
END_TEST

START_TEST(close_waits)
{
	struct channel *sub = channel_fake_open(&f.bus, 1);

	f.disk.deferred = true;
	ck_assert_int_eq(storvsp_fake_send(&f, NULL, &read_one), 0);
	ck_assert_int_eq(storvsp_fake_send(&f, sub, &read_one), 0);
	ck_assert_int_eq(storvsp_fake_send(&f, sub, &read_one), 0);
	ck_assert(!channel_fake_close(&f.bus, 0));
	ck_assert(disk_fake_complete(&f.disk, 0));
	ck_assert_ptr_null(f.bus.device->channels[0]);
	ck_assert_ptr_nonnull(f.bus.device->channels[1]);
	disk_fake_complete_all(&f.disk);
	ck_assert_ptr_null(f.bus.device->channels[1]);
	f.disk.deferred = false;
	storvsp_fake_start(&f, VMSTOR_PROTO_VERSION_WIN8);
	ck_assert_uint_eq(storvsp_fake_srb(&f, &read_one)->status, 0);
}
END_TEST

/* A sub-channel alone; and a new primary channel while the old one's requests are in flight. */
START_TEST(close_some)
{
	ck_assert_ptr_nonnull(channel_fake_open(&f.bus, 1));
	ck_assert_ptr_nonnull(channel_fake_open(&f.bus, 2));
	ck_assert(channel_fake_close(&f.bus, 1));
	ck_assert_uint_eq(storvsp_fake_srb(&f, &read_one)->status, 0);
	ck_assert(channel_fake_close(&f.bus, 2));
	ck_assert_uint_eq(storvsp_fake_srb(&f, &read_one)->status, 0);
}
END_TEST

/* A request in steps does not keep a channel that is closing longer than the step in flight. */
START_TEST(close_ends_steps)
{
	struct fake_srb verify = {.cdb = {SCSI_VERIFY_10, [7] = 8}};

	f.disk.deferred = true;
	ck_assert_int_eq(storvsp_fake_send(&f, NULL, &verify), 0);
	ck_assert_int_eq(storvsp_fake_send(&f, NULL, &verify), 0);
	ck_assert(!channel_fake_close(&f.bus, 0));
	ck_assert(disk_fake_complete(&f.disk, 0));
	ck_assert_ptr_null(f.bus.device->channels[0]);
}
END_TEST

START_TEST(notice_waits_for_room)
{
	f.primary->full = true;
	ck_assert_int_eq(storvsp_attach(f.storvsp, 1, f.unit, NULL), 0);
	ck_assert_int_eq(storvsp_attach(f.storvsp, 2, f.unit, NULL), 0);
	ck_assert_uint_eq(f.primary->sent, 0);
	/* One tells of all. */
	channel_fake_room(f.primary);
	ck_assert_uint_eq(f.primary->sent, 1);
	channel_fake_room(f.primary);
	ck_assert_uint_eq(f.primary->sent, 1);
	/* A guest that closes the channel meanwhile does not have to be told. */
	f.primary->full = true;
	ck_assert_int_eq(storvsp_attach(f.storvsp, 3, f.unit, NULL), 0);
	ck_assert(channel_fake_close(&f.bus, 0));
	storvsp_fake_start(&f, VMSTOR_PROTO_VERSION_WIN10);
	channel_fake_room(f.primary);
	ck_assert_uint_eq(f.primary->sent, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("storvsp_channel");
	TCase *tc = tcase_create("channel");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, bounded);
	tcase_add_test(tc, sub_channels);
	tcase_add_test(tc, sub_channel_too_early);
	tcase_add_test(tc, close_waits);
	tcase_add_test(tc, close_some);
	tcase_add_test(tc, close_ends_steps);
	tcase_add_test(tc, notice_waits_for_room);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
