// SPDX-License-Identifier: MIT
/* How a guest and a controller come to terms: versions, order, sizes, sub-channels, resets. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "storvsp_fake.h"

static struct storvsp_fake f;

static void setup(void)
{
	storvsp_fake_init(&f, STORVSP_SCSI, 0);
}

static void teardown(void)
{
	storvsp_fake_finish(&f);
}

static uint32_t status_of(uint32_t operation)
{
	struct vstor_packet packet = {.operation = operation};
	const struct vstor_packet *answer = storvsp_fake_control(&f, packet, sizeof(packet));

	ck_assert_uint_eq(answer->operation, VSTOR_OPERATION_COMPLETE_IO);
	return answer->status;
}

static uint32_t version_status(uint16_t version)
{
	struct vstor_packet packet = {.operation = VSTOR_OPERATION_QUERY_PROTOCOL_VERSION,
				      .version = {.major_minor = version}};

	return storvsp_fake_control(&f, packet, sizeof(packet))->status;
}

static uint32_t sub_channels_status(uint16_t count)
{
	struct vstor_packet packet = {.operation = VSTOR_OPERATION_CREATE_SUB_CHANNELS,
				      .sub_channel_count = count};

	return storvsp_fake_control(&f, packet, sizeof(packet))->status;
}

static const uint16_t versions[] = {
	VMSTOR_PROTO_VERSION_WIN6,   VMSTOR_PROTO_VERSION_WIN7,  VMSTOR_PROTO_VERSION_WIN8,
	VMSTOR_PROTO_VERSION_WIN8_1, VMSTOR_PROTO_VERSION_WIN10,
};

START_TEST(every_version)
{
	uint16_t version = versions[_i];
	bool multi = version >= VMSTOR_PROTO_VERSION_WIN8;
	const struct vmstorage_channel_properties *p;

	ck_assert_uint_eq(storvsp_protocol_version(f.storvsp), 0);
	f.primary = channel_fake_open(&f.bus, 0);
	storvsp_fake_ask(&f, VSTOR_OPERATION_BEGIN_INITIALIZATION);
	/* As Linux does: from the newest down, and what is not known is refused. */
	ck_assert_uint_eq(version_status(VMSTOR_PROTO_VERSION(7, 0)),
			  VSTOR_STATUS_REVISION_MISMATCH);
	ck_assert_uint_eq(version_status(0), VSTOR_STATUS_REVISION_MISMATCH);
	ck_assert_uint_eq(version_status(version), VSTOR_STATUS_SUCCESS);
	ck_assert_uint_eq(storvsp_protocol_version(f.storvsp), version);
	p = &storvsp_fake_ask(&f, VSTOR_OPERATION_QUERY_PROPERTIES)->storage_channel_properties;
	ck_assert_uint_eq(p->max_transfer_bytes, MiB(1));
	ck_assert_uint_eq(p->flags, multi ? STORAGE_CHANNEL_SUPPORTS_MULTI_CHANNEL : 0);
	ck_assert_uint_eq(p->max_channel_cnt, multi ? 3 : 0);
	storvsp_fake_ask(&f, VSTOR_OPERATION_END_INITIALIZATION);
	ck_assert_uint_eq(counter_get(&storvsp_counters(f.storvsp)->negotiated), 1);
	ck_assert_uint_eq(sub_channels_status(2),
			  multi ? VSTOR_STATUS_SUCCESS : VSTOR_STATUS_INVALID_PARAMETER);
	ck_assert_uint_eq(f.bus.device->offered, multi ? 2 : 0);
}
END_TEST

START_TEST(order)
{
	f.primary = channel_fake_open(&f.bus, 0);
	ck_assert_uint_eq(status_of(VSTOR_OPERATION_END_INITIALIZATION),
			  VSTOR_STATUS_INVALID_DEVICE_STATE);
	ck_assert_uint_eq(status_of(VSTOR_OPERATION_QUERY_PROPERTIES),
			  VSTOR_STATUS_INVALID_DEVICE_STATE);
	ck_assert_uint_eq(version_status(VMSTOR_PROTO_VERSION_WIN10),
			  VSTOR_STATUS_INVALID_DEVICE_STATE);
	ck_assert_uint_eq(status_of(VSTOR_OPERATION_EXECUTE_SRB),
			  VSTOR_STATUS_INVALID_DEVICE_STATE);
	ck_assert_uint_eq(status_of(VSTOR_OPERATION_RESET_BUS), VSTOR_STATUS_INVALID_DEVICE_STATE);
	ck_assert_uint_eq(sub_channels_status(1), VSTOR_STATUS_INVALID_DEVICE_STATE);
	storvsp_fake_ask(&f, VSTOR_OPERATION_BEGIN_INITIALIZATION);
	ck_assert_uint_eq(status_of(VSTOR_OPERATION_BEGIN_INITIALIZATION),
			  VSTOR_STATUS_INVALID_DEVICE_STATE);
	ck_assert_uint_eq(version_status(VMSTOR_PROTO_VERSION_WIN10), 0);
	ck_assert_uint_eq(version_status(VMSTOR_PROTO_VERSION_WIN8),
			  VSTOR_STATUS_INVALID_DEVICE_STATE);
	storvsp_fake_ask(&f, VSTOR_OPERATION_QUERY_PROPERTIES);
	ck_assert_uint_eq(sub_channels_status(1), 0);
	storvsp_fake_ask(&f, VSTOR_OPERATION_END_INITIALIZATION);
	ck_assert_uint_eq(status_of(VSTOR_OPERATION_END_INITIALIZATION),
			  VSTOR_STATUS_INVALID_DEVICE_STATE);
	/* And once more from the beginning, as a guest does that starts again. */
	ck_assert(channel_fake_close(&f.bus, 0));
	ck_assert_uint_eq(storvsp_protocol_version(f.storvsp), 0);
	storvsp_fake_start(&f, VMSTOR_PROTO_VERSION_WIN8);
	ck_assert_uint_eq(storvsp_protocol_version(f.storvsp), VMSTOR_PROTO_VERSION_WIN8);
}
END_TEST

START_TEST(not_served)
{
	storvsp_fake_start(&f, VMSTOR_PROTO_VERSION_WIN10);
	ck_assert_uint_eq(status_of(VSTOR_OPERATION_FCHBA_DATA),
			  VSTOR_STATUS_INVALID_DEVICE_REQUEST);
	ck_assert_uint_eq(status_of(0), VSTOR_STATUS_INVALID_DEVICE_REQUEST);
	ck_assert_uint_eq(status_of(VSTOR_OPERATION_COMPLETE_IO),
			  VSTOR_STATUS_INVALID_DEVICE_REQUEST);
	ck_assert_uint_eq(status_of(0xffffffff), VSTOR_STATUS_INVALID_DEVICE_REQUEST);
	ck_assert_uint_eq(counter_get(&storvsp_counters(f.storvsp)->unknown), 4);
}
END_TEST

START_TEST(sub_channel_limits)
{
	storvsp_fake_start(&f, VMSTOR_PROTO_VERSION_WIN10);
	ck_assert_uint_eq(sub_channels_status(4), VSTOR_STATUS_INVALID_PARAMETER);
	ck_assert_uint_eq(sub_channels_status(0xffff), VSTOR_STATUS_INVALID_PARAMETER);
	ck_assert_uint_eq(f.bus.device->offered, 0);
	ck_assert_uint_eq(sub_channels_status(0), VSTOR_STATUS_SUCCESS);
	ck_assert_uint_eq(f.bus.device->offered, 0);
	ck_assert_uint_eq(sub_channels_status(3), VSTOR_STATUS_SUCCESS);
	ck_assert_uint_eq(f.bus.device->offered, 3);
}
END_TEST

/* An answer is as long as the question, between the sizes that packets have. */
START_TEST(reply_length)
{
	static const uint32_t lens[][2] = {{16, 48}, {48, 48}, {56, 56}, {64, 64}, {128, 64}};
	uint8_t packet[128] = {VSTOR_OPERATION_BEGIN_INITIALIZATION};

	for (unsigned int i = 0; i < ARRAY_SIZE(lens); i++) {
		const struct fake_record *record;

		f.primary = channel_fake_open(&f.bus, 0);
		ck_assert_int_eq(channel_fake_inband(f.primary, 77, packet, lens[i][0]), 0);
		record = channel_fake_completion(f.primary, 77);
		ck_assert_ptr_nonnull(record);
		ck_assert_uint_eq(record->len, lens[i][1]);
		ck_assert(channel_fake_close(&f.bus, 0));
	}
}
END_TEST

START_TEST(resets)
{
	storvsp_fake_start(&f, VMSTOR_PROTO_VERSION_WIN10);
	for (uint32_t op = VSTOR_OPERATION_RESET_LUN; op <= VSTOR_OPERATION_RESET_BUS; op++)
		ck_assert_uint_eq(status_of(op), VSTOR_STATUS_SUCCESS);
	ck_assert_uint_eq(counter_get(&storvsp_counters(f.storvsp)->resets), 3);
}
END_TEST

/* A request in steps does not go on; one that is with the disk ends as it does. */
START_TEST(reset_ends_steps)
{
	struct fake_srb verify = {.cdb = {SCSI_VERIFY_10, [7] = 4}};
	struct fake_srb read = {
		.cdb = {SCSI_READ_10, [8] = 1}, .len = 512, .data_in = VMSCSI_DATA_IN};
	struct vstor_packet reset = {.operation = VSTOR_OPERATION_RESET_LUN};
	uint64_t verify_id, read_id;

	storvsp_fake_start(&f, VMSTOR_PROTO_VERSION_WIN10);
	f.disk.deferred = true;
	ck_assert_int_eq(storvsp_fake_send(&f, NULL, &verify), 0);
	verify_id = f.trans_id;
	ck_assert_int_eq(storvsp_fake_send(&f, NULL, &read), 0);
	read_id = f.trans_id;
	/* Of another unit, and of none. */
	reset.vm_srb.lun = 1;
	storvsp_fake_control(&f, reset, sizeof(reset));
	reset.vm_srb.lun = 200;
	storvsp_fake_control(&f, reset, sizeof(reset));
	disk_fake_complete(&f.disk, 0);
	ck_assert_ptr_null(channel_fake_completion(f.primary, verify_id));
	reset.vm_srb.lun = 0;
	storvsp_fake_control(&f, reset, sizeof(reset));
	disk_fake_complete_all(&f.disk);
	f.trans_id = verify_id;
	ck_assert_uint_eq(storvsp_fake_answer(&f, NULL)->vm_srb.srb_status, SRB_STATUS_ABORTED);
	ck_assert_uint_eq(storvsp_fake_answer(&f, NULL)->status, VSTOR_STATUS_CANCELLED);
	f.trans_id = read_id;
	ck_assert_uint_eq(storvsp_fake_answer(&f, NULL)->vm_srb.srb_status, SRB_STATUS_SUCCESS);
}
END_TEST

START_TEST(control_on_sub_channel)
{
	struct vstor_packet packet = {.operation = VSTOR_OPERATION_RESET_BUS};
	const struct fake_record *record;
	struct channel *sub;

	storvsp_fake_start(&f, VMSTOR_PROTO_VERSION_WIN10);
	sub = channel_fake_open(&f.bus, 1);
	for (packet.operation = VSTOR_OPERATION_RESET_LUN;
	     packet.operation <= VSTOR_OPERATION_CREATE_SUB_CHANNELS; packet.operation++) {
		ck_assert_int_eq(channel_fake_inband(sub, 5, &packet, sizeof(packet)), 0);
		record = channel_fake_completion(sub, 5);
		ck_assert_uint_ne(((const struct vstor_packet *)record->payload)->status, 0);
	}
	ck_assert_uint_eq(f.bus.device->offered, 0);
	ck_assert_uint_eq(counter_get(&storvsp_counters(f.storvsp)->resets), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("storvsp_control");
	TCase *tc = tcase_create("control");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, every_version, 0, ARRAY_SIZE(versions));
	tcase_add_test(tc, order);
	tcase_add_test(tc, not_served);
	tcase_add_test(tc, sub_channel_limits);
	tcase_add_test(tc, reply_length);
	tcase_add_test(tc, resets);
	tcase_add_test(tc, reset_ends_steps);
	tcase_add_test(tc, control_on_sub_channel);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
