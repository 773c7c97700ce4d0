// SPDX-License-Identifier: MIT
/* A disk: what it takes to be one, its size, and the small commands. */
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

static int create(uint64_t size, uint32_t logical, uint32_t physical, const char *serial)
{
	struct block block = {
		.name = "x",
		.info = {.size = size, .logical_sector = logical, .physical_sector = physical}};
	struct scsi_config config = {.block = &block, .serial = serial};
	struct scsi_device *device = NULL;
	struct error err = {""};
	int r = scsi_disk_create(&config, &err, &device);

	ck_assert(r ? !device && err.text[0] : device != NULL);
	scsi_destroy(device);
	return r;
}

START_TEST(what_can_be_one)
{
	ck_assert_int_eq(create(4096, 512, 512, NULL), 0);
	ck_assert_int_eq(create(4096, 512, 4096, NULL), 0);
	ck_assert_int_eq(create(4096, 4096, 4096, ""), 0);
	ck_assert_int_eq(create(4096, 512, 512, "12345678901234567890123456789012"), 0);
	ck_assert_int_eq(create(4096, 1024, 1024, NULL), -EINVAL);
	ck_assert_int_eq(create(4096, 0, 0, NULL), -EINVAL);
	ck_assert_int_eq(create(4096, 4096, 512, NULL), -EINVAL);
	ck_assert_int_eq(create(4096, 512, 1000, NULL), -EINVAL);
	ck_assert_int_eq(create(4096, 512, 1u << 30, NULL), -EINVAL);
	ck_assert_int_eq(create(0, 512, 512, NULL), -EINVAL);
	ck_assert_int_eq(create(4095, 512, 512, NULL), -EINVAL);
	ck_assert_int_eq(create(4096, 512, 512, "123456789012345678901234567890123"), -EINVAL);
	ck_assert_int_eq(create(4096, 512, 512, "a\tb"), -EINVAL);
	scsi_destroy(NULL);
}
END_TEST

START_TEST(capacity)
{
	static const uint8_t ten[8] = {0, 0, 7, 0xff, 0, 0, 2, 0};

	ck_assert_uint_eq(scsi_fake_in(&f, 8, SCSI_READ_CAPACITY_10), SCSI_GOOD);
	ck_assert_uint_eq(f.req.transferred, 8);
	ck_assert_mem_eq(f.data, ten, 8);
	ck_assert_uint_eq(scsi_fake_in(&f, 32, SCSI_SERVICE_ACTION_IN_16,
				       SCSI_SA_READ_CAPACITY_16, [13] = 32),
			  SCSI_GOOD);
	ck_assert_uint_eq(f.req.transferred, 32);
	ck_assert_uint_eq(be64_at(f.data), 2047);
	ck_assert_uint_eq(be32_at(f.data + 8), 512);
	ck_assert_uint_eq(f.data[13], 3);
	ck_assert_uint_eq(f.data[14], 0x80);
	/* As much as is asked for, and as there is room for. */
	ck_assert_uint_eq(scsi_fake_in(&f, 32, SCSI_SERVICE_ACTION_IN_16,
				       SCSI_SA_READ_CAPACITY_16, [13] = 12),
			  SCSI_GOOD);
	ck_assert_uint_eq(f.req.transferred, 12);
	ck_assert_uint_eq(scsi_fake_in(&f, 5, SCSI_READ_CAPACITY_10), SCSI_GOOD);
	ck_assert_uint_eq(f.req.transferred, 5);
	ck_assert_uint_eq(scsi_fake_out(&f, 8, SCSI_READ_CAPACITY_10), SCSI_CHECK_CONDITION);
	f.disk.block.info.unmap = false;
	ck_assert_uint_eq(scsi_fake_in(&f, 32, SCSI_SERVICE_ACTION_IN_16,
				       SCSI_SA_READ_CAPACITY_16, [13] = 32),
			  SCSI_GOOD);
	ck_assert_uint_eq(f.data[14], 0);
}
END_TEST

/* A disk of more sectors than the short command can tell says so. */
START_TEST(huge)
{
	f.disk.block.info.size = 1ull << 42;
	ck_assert_uint_eq(scsi_fake_in(&f, 8, SCSI_READ_CAPACITY_10), SCSI_GOOD);
	ck_assert_uint_eq(be32_at(f.data), UINT32_MAX);
	f.disk.block.info.size = MiB(1);
}
END_TEST

/* A disk that grows tells each initiator once, and is as large as it is at once. */
START_TEST(resized)
{
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_TEST_UNIT_READY), SCSI_GOOD);
	f.nexus = 1;
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_TEST_UNIT_READY), SCSI_GOOD);
	f.disk.block.info.size = KiB(512);
	for (f.nexus = 0; f.nexus < 2; f.nexus++) {
		ck_assert_uint_eq(scsi_fake_in(&f, 512, SCSI_READ_10, [8] = 1),
				  SCSI_CHECK_CONDITION);
		ck_assert_uint_eq(scsi_fake_sense(&f),
				  SENSE(SCSI_UNIT_ATTENTION, SCSI_ASC_CAPACITY_CHANGED));
		ck_assert_uint_eq(scsi_fake_in(&f, 512, SCSI_READ_10, [8] = 1), SCSI_GOOD);
		ck_assert_uint_eq(scsi_fake_in(&f, 512, SCSI_READ_10, [4] = 4, [8] = 1),
				  SCSI_CHECK_CONDITION);
	}
	f.disk.block.info.size = MiB(1);
}
END_TEST

START_TEST(small_commands)
{
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_TEST_UNIT_READY), SCSI_GOOD);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_PREVENT_ALLOW_REMOVAL, 0, 0, 0, 1), SCSI_GOOD);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_SEND_DIAGNOSTIC, 4), SCSI_GOOD);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_SEND_DIAGNOSTIC, 0x20), SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_SEND_DIAGNOSTIC, 4, 0, 0, 8),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_START_STOP_UNIT, 0, 0, 0, 1), SCSI_GOOD);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_START_STOP_UNIT, 0, 0, 0, 0x20), SCSI_GOOD);
	ck_assert_uint_eq(f.disk.count, 0);
}
END_TEST

START_TEST(unknown_commands)
{
	static const uint8_t codes[] = {0x01, 0x04, 0x24, 0x7f, 0x83, 0xa5, 0xc0, 0xff};

	for (unsigned int i = 0; i < ARRAY_SIZE(codes); i++) {
		ck_assert_uint_eq(scsi_fake_none(&f, codes[i]), SCSI_CHECK_CONDITION);
		ck_assert_uint_eq(scsi_fake_sense(&f),
				  SENSE(SCSI_ILLEGAL_REQUEST, SCSI_ASC_INVALID_OPERATION_CODE));
	}
	/* A code that is known, with a service action that is not. */
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_SERVICE_ACTION_IN_16, 0x1f),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_sense(&f),
			  SENSE(SCSI_ILLEGAL_REQUEST, SCSI_ASC_INVALID_FIELD_IN_CDB));
	ck_assert_uint_eq(f.req.sense[15], 0xc0);
	ck_assert_uint_eq(f.req.sense[17], 1);
}
END_TEST

START_TEST(block_of)
{
	ck_assert_ptr_eq(scsi_block(f.device), &f.disk.block);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("scsi_disk");
	TCase *tc = tcase_create("disk");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, what_can_be_one);
	tcase_add_test(tc, capacity);
	tcase_add_test(tc, huge);
	tcase_add_test(tc, resized);
	tcase_add_test(tc, small_commands);
	tcase_add_test(tc, unknown_commands);
	tcase_add_test(tc, block_of);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
