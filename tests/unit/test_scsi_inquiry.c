// SPDX-License-Identifier: MIT
/* INQUIRY: what guests know the units by, and the pages that they read. */
#include <check.h>
#include <stdlib.h>

#include "scsi_fake.h"

static struct scsi_fake f;

static void setup(void)
{
	scsi_fake_disk(&f, MiB(8), 512);
}

static void teardown(void)
{
	scsi_fake_finish(&f);
}

static uint32_t page(uint8_t code)
{
	memset(f.data, 0xee, 256);
	if (scsi_fake_in(&f, 255, SCSI_INQUIRY, SCSI_INQUIRY_EVPD, code, 0, 255) != SCSI_GOOD)
		return 0;
	ck_assert_uint_eq(f.data[1], code);
	ck_assert_uint_eq(be16_at(f.data + 2) + 4u, f.req.transferred);
	return f.req.transferred;
}

START_TEST(standard)
{
	ck_assert_uint_eq(scsi_fake_in(&f, 255, SCSI_INQUIRY, 0, 0, 0, 255), SCSI_GOOD);
	ck_assert_uint_eq(f.req.transferred, SCSI_INQUIRY_SIZE);
	ck_assert_uint_eq(f.data[0], SCSI_TYPE_DISK);
	ck_assert_uint_eq(f.data[1], 0);
	ck_assert_uint_eq(f.data[2], SCSI_VERSION_SPC_3);
	ck_assert_uint_eq(f.data[3], 2);
	ck_assert_uint_eq(f.data[4], SCSI_INQUIRY_SIZE - 5);
	ck_assert_uint_eq(f.data[7], 2);
	ck_assert_mem_eq(f.data + 8, "Msft    Virtual Disk    1.0 ", 28);
	/* Linux asks for 36 bytes first. */
	ck_assert_uint_eq(scsi_fake_in(&f, 36, SCSI_INQUIRY, 0, 0, 0, 36), SCSI_GOOD);
	ck_assert_uint_eq(f.req.transferred, 36);
	ck_assert_uint_eq(scsi_fake_in(&f, 36, SCSI_INQUIRY, 0, 0, 0, 0), SCSI_GOOD);
	ck_assert_uint_eq(f.req.transferred, 0);
}
END_TEST

START_TEST(refused)
{
	const uint8_t *cdbs[] = {
		CDB(SCSI_INQUIRY, 0, 0x80, 0, 36),
		CDB(SCSI_INQUIRY, SCSI_INQUIRY_CMDDT, 0, 0, 36),
		CDB(SCSI_INQUIRY, SCSI_INQUIRY_EVPD, 0x81, 0, 36),
		CDB(SCSI_INQUIRY, SCSI_INQUIRY_EVPD, 0xc0, 0, 36),
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cdbs); i++) {
		ck_assert_uint_eq(scsi_fake_run(&f, SCSI_FROM_DEVICE, 36, cdbs[i]),
				  SCSI_CHECK_CONDITION);
		ck_assert_uint_eq(scsi_fake_sense(&f),
				  SENSE(SCSI_ILLEGAL_REQUEST, SCSI_ASC_INVALID_FIELD_IN_CDB));
	}
}
END_TEST

START_TEST(supported_pages)
{
	static const uint8_t all[] = {0, 0x80, 0x83, 0xb0, 0xb1, 0xb2};

	ck_assert_uint_eq(page(0), 4 + sizeof(all));
	ck_assert_mem_eq(f.data + 4, all, sizeof(all));
	for (unsigned int i = 0; i < sizeof(all); i++)
		ck_assert_uint_ne(page(all[i]), 0);
}
END_TEST

START_TEST(names)
{
	static const uint8_t naa[] = {0x01, 0x03, 0, 16, 0x60, 0x02, 0x24, 0x80};
	uint8_t id[16];

	ck_assert_uint_eq(page(SCSI_VPD_SERIAL_NUMBER), 4 + 6);
	ck_assert_mem_eq(f.data + 4, "SERIAL", 6);
	ck_assert_uint_eq(page(SCSI_VPD_DEVICE_ID), 4 + 28 + 20);
	ck_assert_mem_eq(f.data + 8, "Msft    ", 8);
	memcpy(id, f.data + 16, 16);
	ck_assert_mem_eq(f.data + 32, naa, sizeof(naa));
	ck_assert_mem_eq(f.data + 40, id, 6);
	ck_assert_mem_eq(f.data + 46, id + 10, 6);
}
END_TEST

/* From what is told, or from the image, or from its name: always the same, never none. */
START_TEST(identity)
{
	struct scsi_config config = {.block = &f.disk.block};
	struct scsi_device *mine = f.device;
	uint8_t by_name[16];

	for (unsigned int i = 0; i < 3; i++) {
		if (i == 1)
			memset(f.disk.block.info.id, 0x11, 16);
		if (i == 2)
			memset(config.id, 0x2f, 16);
		ck_assert_int_eq(scsi_disk_create(&config, NULL, &f.device), 0);
		ck_assert_uint_ne(page(SCSI_VPD_DEVICE_ID), 0);
		if (i == 0)
			memcpy(by_name, f.data + 16, 16);
		else
			ck_assert_uint_eq(f.data[16], i == 1 ? 0x11 : 0x2f);
		ck_assert_uint_eq(page(SCSI_VPD_SERIAL_NUMBER), 4 + 32);
		if (i == 2)
			ck_assert_mem_eq(f.data + 4, "2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f2f", 32);
		scsi_destroy(f.device);
	}
	f.device = mine;
	ck_assert_uint_ne(page(SCSI_VPD_DEVICE_ID), 0);
	memset(f.disk.block.info.id, 0, 16);
	/* That of the disk that was made first had the same name. */
	ck_assert_mem_eq(f.data + 16, by_name, 16);
}
END_TEST

START_TEST(limits)
{
	ck_assert_uint_eq(page(SCSI_VPD_BLOCK_LIMITS), 64);
	ck_assert_uint_eq(f.data[4], 1);
	ck_assert_uint_eq(be16_at(f.data + 6), 8);
	ck_assert_uint_eq(be32_at(f.data + 8), MiB(1) / 512);
	ck_assert_uint_eq(be32_at(f.data + 20), UINT32_MAX);
	ck_assert_uint_eq(be32_at(f.data + 24), 256);
	ck_assert_uint_eq(be32_at(f.data + 28), 128);
	ck_assert_uint_eq(be32_at(f.data + 32), 0x80000000);
	ck_assert_uint_eq(be64_at(f.data + 36), MiB(128) / 512);
	ck_assert_uint_eq(page(SCSI_VPD_CHARACTERISTICS), 64);
	ck_assert_uint_eq(be16_at(f.data + 4), 1);
	ck_assert_uint_eq(page(SCSI_VPD_PROVISIONING), 8);
	ck_assert_uint_eq(f.data[5], 0xe0);
	ck_assert_uint_eq(f.data[6], 2);
	f.disk.block.info.unmap_granularity = 1;
	ck_assert_uint_eq(page(SCSI_VPD_BLOCK_LIMITS), 64);
	ck_assert_uint_eq(be32_at(f.data + 28), 1);
}
END_TEST

START_TEST(limits_without_unmap)
{
	f.disk.block.info.unmap = false;
	ck_assert_uint_eq(page(SCSI_VPD_BLOCK_LIMITS), 64);
	ck_assert_uint_eq(be32_at(f.data + 20), 0);
	ck_assert_uint_eq(be32_at(f.data + 24), 0);
	ck_assert_uint_eq(page(SCSI_VPD_PROVISIONING), 8);
	ck_assert_uint_eq(f.data[5], 0);
}
END_TEST

START_TEST(dvd)
{
	scsi_fake_finish(&f);
	scsi_fake_dvd(&f, 0);
	ck_assert_uint_eq(scsi_fake_in(&f, 255, SCSI_INQUIRY, 0, 0, 0, 255), SCSI_GOOD);
	ck_assert_uint_eq(f.data[0], SCSI_TYPE_CD_DVD);
	ck_assert_uint_eq(f.data[1], 0x80);
	ck_assert_mem_eq(f.data + 8, "Msft    Virtual DVD-ROM 1.0 ", 28);
	ck_assert_uint_eq(page(0), 4 + 3);
	ck_assert_uint_ne(page(SCSI_VPD_DEVICE_ID), 0);
	ck_assert_uint_eq(page(SCSI_VPD_BLOCK_LIMITS), 0);
	ck_assert_uint_eq(page(SCSI_VPD_CHARACTERISTICS), 0);
	ck_assert_uint_eq(page(SCSI_VPD_PROVISIONING), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("scsi_inquiry");
	TCase *tc = tcase_create("inquiry");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, standard);
	tcase_add_test(tc, refused);
	tcase_add_test(tc, supported_pages);
	tcase_add_test(tc, names);
	tcase_add_test(tc, identity);
	tcase_add_test(tc, limits);
	tcase_add_test(tc, limits_without_unmap);
	tcase_add_test(tc, dvd);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
