// SPDX-License-Identifier: MIT
/* SCSI requests of a guest: there and back, what is wrong with them, and absent units. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "storvsp_fake.h"

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

static uint8_t *page(unsigned int n)
{
	return f.bus.memory + (size_t)n * PAGE_SIZE;
}

static const struct storvsp_counters *counters(void)
{
	return storvsp_counters(f.storvsp);
}

static void check_sense(const struct vstor_packet *answer, uint8_t srb_status, uint8_t key,
			uint16_t asc)
{
	const struct vmscsi_request *srb = &answer->vm_srb;

	ck_assert_uint_eq(srb->srb_status, srb_status | SRB_STATUS_AUTOSENSE_VALID);
	ck_assert_uint_eq(srb->scsi_status, SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(srb->sense_info_length, VMSCSI_SENSE_SIZE);
	ck_assert_uint_eq(srb->sense_data[0], 0x70);
	ck_assert_uint_eq(srb->sense_data[2], key);
	ck_assert_uint_eq(srb->sense_data[12] << 8 | srb->sense_data[13], asc);
	ck_assert_uint_eq(srb->data_transfer_length, 0);
}

START_TEST(read_and_write)
{
	struct fake_srb srb = {.cdb = {SCSI_WRITE_10, [5] = 3, [8] = 16},
			       .cdb_len = 10,
			       .data_in = VMSCSI_DATA_OUT,
			       .len = 8192,
			       .pfn = 5};
	const struct vstor_packet *answer;

	memset(page(5), 0xa5, 8192);
	answer = storvsp_fake_srb(&f, &srb);
	ck_assert_uint_eq(answer->operation, VSTOR_OPERATION_COMPLETE_IO);
	ck_assert_uint_eq(answer->status, VSTOR_STATUS_SUCCESS);
	ck_assert_uint_eq(answer->vm_srb.srb_status, SRB_STATUS_SUCCESS);
	ck_assert_uint_eq(answer->vm_srb.scsi_status, SCSI_GOOD);
	ck_assert_uint_eq(answer->vm_srb.data_transfer_length, 8192);
	ck_assert_uint_eq(f.disk.data[3 * 512ul], 0xa5);
	ck_assert_uint_eq(f.disk.data[3 * 512ul - 1], 0);
	ck_assert_uint_eq(disk_fake_last(&f.disk)->iov_count, 1);

	srb.cdb[0] = SCSI_READ_10;
	srb.data_in = VMSCSI_DATA_IN;
	srb.pfn = 9;
	answer = storvsp_fake_srb(&f, &srb);
	ck_assert_uint_eq(answer->vm_srb.data_transfer_length, 8192);
	ck_assert_mem_eq(page(9), page(5), 8192);
	ck_assert_uint_eq(counter_get(&scsi_counters(f.unit)->read_bytes), 8192);
	ck_assert_uint_eq(counter_get(&scsi_counters(f.unit)->write_bytes), 8192);
	ck_assert_uint_eq(counter_get(&counters()->srbs), 2);
	ck_assert_uint_eq(counter_get(&counters()->failed), 0);
}
END_TEST

/* The guest's buffer goes down as it is: pages here and there, more than is wanted. */
START_TEST(scattered)
{
	struct vstor_packet packet = {.operation = VSTOR_OPERATION_EXECUTE_SRB,
				      .vm_srb = {.cdb_length = 10,
						 .data_in = VMSCSI_DATA_IN,
						 .data_transfer_length = 5000,
						 .cdb = {SCSI_READ_10, [8] = 9}}};
	const uint64_t list[] = {(uint64_t)1 << 32, 6000 | (uint64_t)512 << 32, 40, 7};
	struct ring_packet ring = {.type = VM_PKT_DATA_USING_GPA_DIRECT,
				   .wants_completion = true,
				   .trans_id = 3,
				   .list = list,
				   .list_len = sizeof(list),
				   .payload = &packet,
				   .payload_len = sizeof(packet)};

	for (unsigned int i = 0; i < 9 * 512ul; i++)
		f.disk.data[i] = (uint8_t)(i * 7);
	memset(page(40), 0xee, PAGE_SIZE);
	memset(page(7), 0xee, PAGE_SIZE);
	ck_assert_int_eq(channel_fake_send(f.primary, &ring), 0);
	f.trans_id = 3;
	ck_assert_uint_eq(storvsp_fake_answer(&f, NULL)->vm_srb.data_transfer_length, 9 * 512ul);
	ck_assert_uint_eq(disk_fake_last(&f.disk)->iov_count, 2);
	ck_assert_uint_eq(page(40)[511], 0xee);
	ck_assert_mem_eq(page(40) + 512, f.disk.data, 3584);
	ck_assert_mem_eq(page(7), f.disk.data + 3584, 1024);
	ck_assert_uint_eq(page(7)[1024], 0xee);
}
END_TEST

START_TEST(sense)
{
	struct fake_srb srb = {
		.cdb = {SCSI_READ_10, [2] = 1, [8] = 1}, .data_in = VMSCSI_DATA_IN, .len = 512};

	check_sense(storvsp_fake_srb(&f, &srb), SRB_STATUS_INVALID_REQUEST, SCSI_ILLEGAL_REQUEST,
		    SCSI_ASC_LBA_OUT_OF_RANGE);
	srb.cdb[2] = 0;
	f.disk.fail = -EIO;
	check_sense(storvsp_fake_srb(&f, &srb), SRB_STATUS_ERROR, SCSI_MEDIUM_ERROR,
		    SCSI_ASC_UNRECOVERED_READ_ERROR);
	ck_assert_uint_eq(storvsp_fake_answer(&f, NULL)->status, VSTOR_STATUS_IO_DEVICE_ERROR);
	f.disk.fail = -ENOSPC;
	srb.cdb[0] = SCSI_WRITE_10;
	srb.data_in = VMSCSI_DATA_OUT;
	check_sense(storvsp_fake_srb(&f, &srb), SRB_STATUS_ERROR, SCSI_DATA_PROTECT,
		    SCSI_ASC_SPACE_ALLOCATION_FAILED);
	ck_assert_uint_eq(counter_get(&counters()->failed), 3);
}
END_TEST

/* Who does not want sense data with the answer asks for it. */
START_TEST(sense_later)
{
	struct fake_srb srb = {.cdb = {0xff}, .flags = SRB_FLAGS_DISABLE_AUTOSENSE};
	struct fake_srb ask = {.cdb = {SCSI_REQUEST_SENSE, [4] = 18},
			       .data_in = VMSCSI_DATA_IN,
			       .len = 18,
			       .pfn = 2};
	const struct vstor_packet *answer = storvsp_fake_srb(&f, &srb);
	const uint8_t *got = page(2);

	ck_assert_uint_eq(answer->vm_srb.srb_status, SRB_STATUS_INVALID_REQUEST);
	ck_assert_uint_eq(answer->vm_srb.scsi_status, SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(answer->vm_srb.sense_data[0], 0);
	storvsp_fake_srb(&f, &ask);
	ck_assert_uint_eq(got[2], SCSI_ILLEGAL_REQUEST);
	ck_assert_uint_eq(got[12], 0x20);
	storvsp_fake_srb(&f, &ask);
	ck_assert_uint_eq(got[2], SCSI_NO_SENSE);
}
END_TEST

START_TEST(reservation_status)
{
	struct fake_srb srb = {.cdb = {SCSI_PERSISTENT_RESERVE_OUT, SCSI_PR_RESERVE, 3, [8] = 24},
			       .data_in = VMSCSI_DATA_OUT,
			       .len = 24};
	const struct vstor_packet *answer = storvsp_fake_srb(&f, &srb);

	ck_assert_uint_eq(answer->vm_srb.srb_status, SRB_STATUS_ERROR);
	ck_assert_uint_eq(answer->vm_srb.scsi_status, SCSI_RESERVATION_CONFLICT);
}
END_TEST

/* --- Who is there. --------------------------------------------------------------------------- */

START_TEST(absent)
{
	struct fake_srb inquiry = {.lun = 5,
				   .cdb = {SCSI_INQUIRY, [4] = 96},
				   .cdb_len = 6,
				   .data_in = VMSCSI_DATA_IN,
				   .len = 96,
				   .pfn = 3};
	struct fake_srb ready = {.lun = 5, .cdb_len = 6};
	const struct vstor_packet *answer = storvsp_fake_srb(&f, &inquiry);

	ck_assert_uint_eq(answer->vm_srb.srb_status, SRB_STATUS_SUCCESS);
	ck_assert_uint_eq(answer->vm_srb.data_transfer_length, 96);
	ck_assert_uint_eq(page(3)[0], SCSI_TYPE_NOT_PRESENT);
	inquiry.cdb[1] = SCSI_INQUIRY_EVPD;
	check_sense(storvsp_fake_srb(&f, &inquiry), SRB_STATUS_INVALID_REQUEST,
		    SCSI_ILLEGAL_REQUEST, SCSI_ASC_INVALID_FIELD_IN_CDB);
	answer = storvsp_fake_srb(&f, &ready);
	ck_assert_uint_eq(answer->vm_srb.srb_status, SRB_STATUS_INVALID_LUN);
	ck_assert_uint_eq(answer->status, VSTOR_STATUS_DEVICE_DOES_NOT_EXIST);
	/* Linux looks at every target of eight paths, and takes each number up to 255. */
	for (unsigned int i = 0; i < 3; i++) {
		ready = (struct fake_srb){
			.path = i == 0, .target = i == 1, .lun = i == 2 ? 255 : 0};
		answer = storvsp_fake_srb(&f, &ready);
		ck_assert_uint_eq(answer->vm_srb.srb_status, SRB_STATUS_INVALID_LUN);
	}
	ck_assert_uint_eq(counter_get(&counters()->no_unit), 6);
}
END_TEST

START_TEST(report_luns)
{
	struct fake_srb srb = {.cdb = {SCSI_REPORT_LUNS, [8] = 2},
			       .data_in = VMSCSI_DATA_IN,
			       .len = 512,
			       .pfn = 3};
	const uint8_t *data = page(3);

	ck_assert_int_eq(storvsp_attach(f.storvsp, 63, f.unit, NULL), 0);
	ck_assert_uint_eq(storvsp_fake_srb(&f, &srb)->vm_srb.data_transfer_length, 24);
	ck_assert_uint_eq(data[3], 16);
	ck_assert_uint_eq(data[9], 0);
	ck_assert_uint_eq(data[17], 63);
	/* Another target has none, and says so. */
	srb.target = 1;
	ck_assert_uint_eq(storvsp_fake_srb(&f, &srb)->vm_srb.data_transfer_length, 8);
	ck_assert_uint_eq(data[3], 0);
	/* No more than there is room for. */
	srb.target = 0;
	srb.len = 12;
	ck_assert_uint_eq(storvsp_fake_srb(&f, &srb)->vm_srb.data_transfer_length, 12);
	srb.cdb[2] = 3;
	check_sense(storvsp_fake_srb(&f, &srb), SRB_STATUS_INVALID_REQUEST, SCSI_ILLEGAL_REQUEST,
		    SCSI_ASC_INVALID_FIELD_IN_CDB);
	ck_assert_int_eq(storvsp_detach(f.storvsp, 63, NULL, NULL, NULL), 0);
	storvsp_fake_pass(&f);
}
END_TEST

/* --- What is wrong. -------------------------------------------------------------------------- */

static int send_raw(uint16_t type, bool wants, const void *list, uint32_t list_len,
		    const void *payload, uint32_t len)
{
	struct ring_packet packet = {.type = type,
				     .wants_completion = wants,
				     .trans_id = 9,
				     .list = list,
				     .list_len = list_len,
				     .payload = payload,
				     .payload_len = len};

	return channel_fake_send(f.primary, &packet);
}

/* Ends the channel; another one can be opened. */
START_TEST(violations)
{
	const uint64_t none[] = {0}, no_pages[] = {(uint64_t)1 << 32, 4096};
	const uint64_t far_offset[] = {(uint64_t)1 << 32, 8 | (uint64_t)4096 << 32, 0, 1};
	struct vstor_packet p = {.operation = VSTOR_OPERATION_EXECUTE_SRB,
				 .vm_srb = {.data_transfer_length = 8}};

	for (unsigned int i = 0; i < 8; i++) {
		int r = 0;

		switch (i) {
		case 0:
			r = send_raw(VM_PKT_COMP, true, NULL, 0, &p, sizeof(p));
			break;
		case 1:
			r = send_raw(VM_PKT_DATA_USING_XFER_PAGES, true, none, 8, &p, sizeof(p));
			break;
		case 2:
			r = send_raw(VM_PKT_DATA_INBAND, false, NULL, 0, &p, sizeof(p));
			break;
		case 3:
			r = send_raw(VM_PKT_DATA_INBAND, true, NULL, 0, &p, 8);
			break;
		case 4:
			r = send_raw(VM_PKT_DATA_INBAND, true, NULL, 0, &p, 40);
			break;
		case 5:
			r = send_raw(VM_PKT_DATA_USING_GPA_DIRECT, true, none, 8, &p, sizeof(p));
			break;
		case 6:
			r = send_raw(VM_PKT_DATA_USING_GPA_DIRECT, true, no_pages, 16, &p,
				     sizeof(p));
			break;
		case 7:
			r = send_raw(VM_PKT_DATA_USING_GPA_DIRECT, true, far_offset, 32, &p,
				     sizeof(p));
			break;
		}
		ck_assert_int_eq(r, -EINVAL);
		ck_assert_ptr_null(f.bus.device->channels[0]);
		storvsp_fake_start(&f, VMSTOR_PROTO_VERSION_WIN10);
	}
	ck_assert_uint_eq(counter_get(&storvsp_channel_counters(f.storvsp)->failures), 8);
}
END_TEST

static void check_refused(int r)
{
	const struct vstor_packet *answer;

	ck_assert_int_eq(r, 0);
	f.trans_id = 9;
	answer = storvsp_fake_answer(&f, NULL);
	ck_assert_uint_eq(answer->vm_srb.srb_status, SRB_STATUS_INVALID_REQUEST);
	ck_assert_uint_eq(answer->vm_srb.data_transfer_length, 0);
	ck_assert_uint_ne(answer->status, VSTOR_STATUS_SUCCESS);
}

START_TEST(refusals)
{
	struct vstor_packet p = {.operation = VSTOR_OPERATION_EXECUTE_SRB,
				 .vm_srb = {.cdb_length = 6, .data_transfer_length = 8}};
	uint64_t list[4 + STORVSP_LUNS * 8] = {(uint64_t)1 << 32, 8, 1ull << 40};

	/* Data that no memory is named for; or too little; or what is not RAM. */
	check_refused(send_raw(VM_PKT_DATA_INBAND, true, NULL, 0, &p, sizeof(p)));
	p.vm_srb.data_transfer_length = 9;
	check_refused(send_raw(VM_PKT_DATA_USING_GPA_DIRECT, true, list, 24, &p, sizeof(p)));
	p.vm_srb.data_transfer_length = 8;
	check_refused(send_raw(VM_PKT_DATA_USING_GPA_DIRECT, true, list, 24, &p, sizeof(p)));
	/* More pieces than a request has vectors. */
	list[1] = 300ul * PAGE_SIZE;
	for (unsigned int i = 0; i < 300; i++)
		list[2 + i] = 2ul * i;
	check_refused(
		send_raw(VM_PKT_DATA_USING_GPA_DIRECT, true, list, 16 + 300 * 8, &p, sizeof(p)));
	/* A CDB longer than there is room for. */
	p.vm_srb.data_transfer_length = 0;
	p.vm_srb.cdb_length = 17;
	check_refused(send_raw(VM_PKT_DATA_INBAND, true, NULL, 0, &p, sizeof(p)));
	ck_assert_uint_eq(counter_get(&counters()->refused), 5);
}
END_TEST

/* Bytes beyond the CDB's length are not the guest's wish. */
START_TEST(cdb_length)
{
	struct fake_srb srb = {.cdb = {SCSI_READ_10, [8] = 2}, .cdb_len = 8};

	ck_assert_uint_eq(storvsp_fake_srb(&f, &srb)->vm_srb.srb_status, SRB_STATUS_SUCCESS);
	ck_assert_uint_eq(f.disk.count, 0);
}
END_TEST

/* Old Windows: packets without what was added later. */
START_TEST(short_packet)
{
	struct vstor_packet p = {.operation = VSTOR_OPERATION_EXECUTE_SRB,
				 .vm_srb = {.cdb_length = 6}};

	ck_assert_int_eq(send_raw(VM_PKT_DATA_INBAND, true, NULL, 0, &p, 48), 0);
	ck_assert_uint_eq(channel_fake_completion(f.primary, 9)->len, 48);
	f.trans_id = 9;
	ck_assert_uint_eq(storvsp_fake_answer(&f, NULL)->vm_srb.srb_status, SRB_STATUS_SUCCESS);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("storvsp_srb");
	TCase *tc = tcase_create("srb");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, read_and_write);
	tcase_add_test(tc, scattered);
	tcase_add_test(tc, sense);
	tcase_add_test(tc, sense_later);
	tcase_add_test(tc, reservation_status);
	tcase_add_test(tc, absent);
	tcase_add_test(tc, report_luns);
	tcase_add_test(tc, violations);
	tcase_add_test(tc, refusals);
	tcase_add_test(tc, cdb_length);
	tcase_add_test(tc, short_packet);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
