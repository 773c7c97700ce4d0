// SPDX-License-Identifier: MIT
/* A storage controller's life, and units that come and go. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "storvsp_fake.h"
#include "vmbus/vmbus_proto.h"

static struct storvsp_fake f;

static void setup(void)
{
	storvsp_fake_init(&f, STORVSP_SCSI, 0);
}

static void setup_ide(void)
{
	storvsp_fake_init(&f, STORVSP_IDE, 3);
}

static void teardown(void)
{
	storvsp_fake_finish(&f);
}

static void set(void *ctx)
{
	*(bool *)ctx = true;
}

static const struct fake_srb ready = {.cdb_len = 6};
static const struct fake_srb read_one = {
	.cdb = {SCSI_READ_10, [8] = 1}, .data_in = VMSCSI_DATA_IN, .len = 512};

START_TEST(offer)
{
	const struct vmbus_device_config *config = &f.bus.device->config;
	struct vmbus_guid id = vmbus_instance_guid("vm", "scsi", 0);

	ck_assert(vmbus_guid_equal(&config->instance_id, &id));
	ck_assert_uint_eq(config->class_id.b[0], 0xd9);
	ck_assert_uint_eq(config->class_id.b[15], 0x7f);
	ck_assert_uint_eq(config->flags, VMBUS_CHANNEL_ENUMERATE_DEVICE_INTERFACE);
	ck_assert_uint_eq(config->sub_channels_max, 3);
	ck_assert_uint_eq(config->ops->packet_max % 8, 0);
	ck_assert_uint_eq(config->ops->completion_max, 64);
}
END_TEST

START_TEST(ide)
{
	const struct vmbus_device_config *config = &f.bus.device->config;
	static const uint8_t id[16] = {1, 0, 0, 0, 1, 0, 0x99, 0x88};
	struct vstor_offer_properties properties;
	struct fake_srb srb = ready;

	ck_assert_mem_eq(config->instance_id.b, id, 16);
	ck_assert_uint_eq(config->class_id.b[0], 0x32);
	memcpy(&properties, config->user_data, sizeof(properties));
	ck_assert_uint_eq(properties.path_id, 1);
	ck_assert_uint_eq(properties.target_id, 1);
	ck_assert_uint_eq(properties.flags, VSTOR_OFFER_EMULATED_IDE);
	ck_assert_uint_eq(config->sub_channels_max, 0);
	ck_assert_int_eq(storvsp_attach(f.storvsp, 1, f.unit, NULL), -EINVAL);

	/* Linux names path 0 whatever the channel is, others the channel. */
	storvsp_fake_start(&f, VMSTOR_PROTO_VERSION_WIN10);
	srb.target = 1;
	ck_assert_uint_eq(storvsp_fake_srb(&f, &srb)->status, 0);
	srb.path = 1;
	ck_assert_uint_eq(storvsp_fake_srb(&f, &srb)->status, 0);
	srb.target = 0;
	ck_assert_uint_eq(storvsp_fake_srb(&f, &srb)->vm_srb.srb_status, SRB_STATUS_INVALID_LUN);
}
END_TEST

START_TEST(refused)
{
	struct storvsp_config config = {.kind = STORVSP_IDE, .index = 4, .vm = "vm"};
	struct vmbus bus = {.add_result = -ENOSPC};
	struct storvsp *storvsp = NULL;
	struct error err;

	config.bus = &bus;
	config.loop = f.loop;
	ck_assert_int_eq(storvsp_create(&config, &err, &storvsp), -EINVAL);
	ck_assert_str_eq(err.text, "IDE disk 4: there are four, from 0");
	config.kind = STORVSP_SCSI;
	ck_assert_int_eq(storvsp_create(&config, &err, &storvsp), -ENOSPC);
	ck_assert_ptr_null(storvsp);
}
END_TEST

START_TEST(destroy_nothing)
{
	bool removed = false;

	storvsp_destroy(NULL, set, &removed);
	ck_assert(removed);
	storvsp_destroy(NULL, NULL, NULL);
}
END_TEST

START_TEST(attach_errors)
{
	struct error err;

	ck_assert_int_eq(storvsp_attach(f.storvsp, 64, f.unit, &err), -EINVAL);
	ck_assert_str_eq(err.text, "SCSI unit 64: numbers go from 0 to 63");
	ck_assert_int_eq(storvsp_attach(f.storvsp, 0, f.unit, &err), -EBUSY);
	ck_assert_int_eq(storvsp_detach(f.storvsp, 1, NULL, NULL, &err), -ENOENT);
	ck_assert_int_eq(storvsp_detach(f.storvsp, 64, NULL, NULL, &err), -ENOENT);
	ck_assert_ptr_eq(storvsp_unit(f.storvsp, 0), f.unit);
	ck_assert_ptr_null(storvsp_unit(f.storvsp, 63));
	ck_assert_ptr_null(storvsp_unit(f.storvsp, 64));
}
END_TEST

static uint32_t last_operation(void)
{
	const struct fake_record *record = &f.primary->message[f.primary->sent - 1];

	ck_assert_uint_eq(record->trans_id, 0);
	ck_assert_uint_eq(record->len, 64);
	return ((const struct vstor_packet *)record->payload)->operation;
}

/* A unit that appears says so with the first command that is no question about it. */
START_TEST(hot_add)
{
	struct scsi_config config = {.block = &f.disk.block};
	struct fake_srb srb = ready;
	struct scsi_device *unit;
	const struct vstor_packet *answer;

	ck_assert_int_eq(scsi_disk_create(&config, NULL, &unit), 0);
	storvsp_fake_start(&f, VMSTOR_PROTO_VERSION_WIN10);
	ck_assert_uint_eq(f.primary->sent, 0);
	ck_assert_uint_eq(storvsp_fake_srb(&f, &srb)->status, 0);
	ck_assert_int_eq(storvsp_attach(f.storvsp, 7, unit, NULL), 0);
	ck_assert_uint_eq(f.primary->sent, 1);
	ck_assert_uint_eq(last_operation(), VSTOR_OPERATION_ENUMERATE_BUS);
	srb.lun = 7;
	answer = storvsp_fake_srb(&f, &srb);
	ck_assert_uint_eq(answer->vm_srb.sense_data[2], SCSI_UNIT_ATTENTION);
	ck_assert_uint_eq(answer->vm_srb.sense_data[12], 0x29);
	ck_assert_uint_eq(storvsp_fake_srb(&f, &srb)->status, 0);
	ck_assert_uint_eq(counter_get(&storvsp_counters(f.storvsp)->notified), 1);

	ck_assert_int_eq(storvsp_detach(f.storvsp, 7, NULL, NULL, NULL), 0);
	ck_assert_uint_eq(f.primary->sent, 2);
	ck_assert_uint_eq(last_operation(), VSTOR_OPERATION_ENUMERATE_BUS);
	ck_assert_uint_eq(storvsp_fake_srb(&f, &srb)->vm_srb.srb_status, SRB_STATUS_INVALID_LUN);
	storvsp_fake_pass(&f);
	scsi_destroy(unit);
}
END_TEST

/* A guest that looks finds out what has changed. */
START_TEST(rescan)
{
	struct fake_srb srb = ready;
	const struct vstor_packet *answer;

	storvsp_rescan(f.storvsp);
	storvsp_fake_start(&f, VMSTOR_PROTO_VERSION_WIN10);
	ck_assert_uint_eq(storvsp_fake_srb(&f, &srb)->status, 0);
	ck_assert_uint_eq(f.primary->sent, 0);
	f.disk.block.info.size /= 2;
	storvsp_rescan(f.storvsp);
	ck_assert_uint_eq(f.primary->sent, 1);
	ck_assert_uint_eq(last_operation(), VSTOR_OPERATION_ENUMERATE_BUS);
	answer = storvsp_fake_srb(&f, &srb);
	ck_assert_uint_eq(answer->vm_srb.sense_data[2], SCSI_UNIT_ATTENTION);
	ck_assert_uint_eq(answer->vm_srb.sense_data[12], 0x2a);
	ck_assert_uint_eq(answer->vm_srb.sense_data[13], 0x09);
	f.disk.block.info.size *= 2;
}
END_TEST

/* Not to guests that would not understand it, or have not looked yet. */
START_TEST(no_notice)
{
	ck_assert_int_eq(storvsp_attach(f.storvsp, 1, f.unit, NULL), 0);
	storvsp_fake_start(&f, VMSTOR_PROTO_VERSION_WIN6);
	ck_assert_int_eq(storvsp_attach(f.storvsp, 2, f.unit, NULL), 0);
	ck_assert_uint_eq(f.primary->sent, 0);
}
END_TEST

START_TEST(detach_waits)
{
	bool done = false;
	struct error err;

	storvsp_fake_start(&f, VMSTOR_PROTO_VERSION_WIN10);
	f.disk.deferred = true;
	ck_assert_int_eq(storvsp_fake_send(&f, NULL, &read_one), 0);
	ck_assert_int_eq(storvsp_detach(f.storvsp, 0, set, &done, NULL), 0);
	ck_assert_ptr_null(storvsp_unit(f.storvsp, 0));
	ck_assert_int_eq(storvsp_detach(f.storvsp, 0, set, &done, &err), -ENOENT);
	ck_assert_int_eq(storvsp_attach(f.storvsp, 0, f.unit, &err), -EBUSY);
	storvsp_fake_pass(&f);
	ck_assert(!done);
	disk_fake_complete_all(&f.disk);
	ck_assert_uint_eq(storvsp_fake_answer(&f, NULL)->status, 0);
	ck_assert(!done);
	storvsp_fake_pass(&f);
	ck_assert(done);
	/* And its number is free. */
	ck_assert_int_eq(storvsp_attach(f.storvsp, 0, f.unit, NULL), 0);
}
END_TEST

START_TEST(pause_and_resume)
{
	bool paused = false;

	storvsp_fake_start(&f, VMSTOR_PROTO_VERSION_WIN10);
	f.disk.deferred = true;
	ck_assert_int_eq(storvsp_fake_send(&f, NULL, &read_one), 0);
	storvsp_pause(f.storvsp, set, &paused);
	ck_assert(!paused);
	ck_assert_int_eq(storvsp_fake_send(&f, NULL, &read_one), -EBUSY);
	disk_fake_complete_all(&f.disk);
	ck_assert(paused);
	ck_assert_uint_eq(f.primary->resumes, 0);
	ck_assert_int_eq(storvsp_fake_send(&f, NULL, &ready), -EBUSY);
	storvsp_resume(f.storvsp);
	ck_assert_uint_eq(f.primary->resumes, 1);
	ck_assert_uint_eq(storvsp_fake_srb(&f, &ready)->status, 0);
	/* With nothing in flight: at once. */
	paused = false;
	storvsp_pause(f.storvsp, set, &paused);
	ck_assert(paused);
	storvsp_pause(f.storvsp, NULL, NULL);
	storvsp_resume(f.storvsp);
}
END_TEST

/* What is in flight when the controller goes is waited for: see teardown(). */
START_TEST(destroy_in_flight)
{
	storvsp_fake_start(&f, VMSTOR_PROTO_VERSION_WIN10);
	f.disk.deferred = true;
	for (unsigned int i = 0; i < 10; i++)
		ck_assert_int_eq(storvsp_fake_send(&f, NULL, &read_one), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("storvsp");
	TCase *tc = tcase_create("scsi"), *tc_ide = tcase_create("ide");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, offer);
	tcase_add_test(tc, refused);
	tcase_add_test(tc, destroy_nothing);
	tcase_add_test(tc, attach_errors);
	tcase_add_test(tc, hot_add);
	tcase_add_test(tc, rescan);
	tcase_add_test(tc, no_notice);
	tcase_add_test(tc, detach_waits);
	tcase_add_test(tc, pause_and_resume);
	tcase_add_test(tc, destroy_in_flight);
	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc_ide, setup_ide, teardown);
	tcase_add_test(tc_ide, ide);
	suite_add_tcase(s, tc_ide);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
