// SPDX-License-Identifier: MIT
/* UNMAP and GET LBA STATUS. */
#include <check.h>
#include <stdlib.h>

#include "scsi_fake.h"

static struct scsi_fake f;

static void setup(void)
{
	scsi_fake_disk(&f, MiB(1), 512);
	memset(f.disk.data, 0x55, MiB(1));
	memset(f.disk.mapped, 1, 2048);
}

static void teardown(void)
{
	scsi_fake_finish(&f);
}

static void descriptor(unsigned int i, uint64_t lba, uint32_t count)
{
	uint8_t *p = f.data + 8 + 16ul * i;

	memset(p, 0, 16);
	put_be64(p, lba);
	put_be32(p + 8, count);
}

/* With @count descriptors. */
static uint8_t unmap(unsigned int count)
{
	uint16_t len = (uint16_t)(8 + 16ul * count);

	put_be16(f.data, (uint16_t)(len - 2));
	put_be16(f.data + 2, (uint16_t)(16ul * count));
	return scsi_fake_out(&f, len, SCSI_UNMAP, [7] = (uint8_t)(len >> 8), [8] = (uint8_t)len);
}

START_TEST(some)
{
	descriptor(0, 100, 8);
	descriptor(1, 0, 0);
	descriptor(2, 2047, 1);
	ck_assert_uint_eq(unmap(3), SCSI_GOOD);
	ck_assert_uint_eq(f.req.transferred, 56);
	ck_assert_uint_eq(f.disk.count, 2);
	ck_assert_uint_eq(f.disk.ops[0].op, BLOCK_UNMAP);
	ck_assert_uint_eq(f.disk.ops[0].offset, 100 * SECTOR);
	ck_assert_uint_eq(f.disk.ops[0].len, 8 * SECTOR);
	ck_assert_uint_eq(f.disk.ops[1].offset, 2047 * SECTOR);
	ck_assert_uint_eq(unmap(0), SCSI_GOOD);
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_UNMAP), SCSI_GOOD);
	ck_assert_uint_eq(f.disk.count, 2);
}
END_TEST

START_TEST(many)
{
	for (unsigned int i = 0; i < 257; i++)
		descriptor(i, i, 1);
	f.disk.deferred = true;
	ck_assert_uint_eq(unmap(256), SCSI_GOOD);
	ck_assert_uint_eq(f.disk.count, 256);
	f.disk.deferred = false;
	ck_assert_uint_eq(unmap(256), SCSI_GOOD);
	ck_assert_uint_eq(f.disk.count, 512);
	ck_assert_uint_eq(unmap(257), SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_sense(&f),
			  SENSE(SCSI_ILLEGAL_REQUEST, SCSI_ASC_INVALID_FIELD_IN_PARAMETERS));
	ck_assert_uint_eq(f.disk.count, 512);
}
END_TEST

START_TEST(refused)
{
	descriptor(0, 2047, 2);
	ck_assert_uint_eq(unmap(1), SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_sense(&f),
			  SENSE(SCSI_ILLEGAL_REQUEST, SCSI_ASC_LBA_OUT_OF_RANGE));
	descriptor(0, UINT64_MAX, 1);
	ck_assert_uint_eq(unmap(1), SCSI_CHECK_CONDITION);
	descriptor(0, UINT64_MAX, UINT32_MAX);
	ck_assert_uint_eq(unmap(1), SCSI_CHECK_CONDITION);
	/* Shorter than its header; longer than the buffer; anchored. */
	ck_assert_uint_eq(scsi_fake_out(&f, 7, SCSI_UNMAP, [8] = 7), SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_sense(&f),
			  SENSE(SCSI_ILLEGAL_REQUEST, SCSI_ASC_PARAMETER_LIST_LENGTH_ERROR));
	ck_assert_uint_eq(scsi_fake_out(&f, 23, SCSI_UNMAP, [8] = 24), SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_in(&f, 24, SCSI_UNMAP, [8] = 24), SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_out(&f, 24, SCSI_UNMAP, 1, [8] = 24), SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(f.disk.count, 0);
	/* A descriptor that is cut off does not count. */
	descriptor(0, 5, 1);
	put_be16(f.data + 2, 40);
	ck_assert_uint_eq(scsi_fake_out(&f, 48, SCSI_UNMAP, [8] = 30), SCSI_GOOD);
	ck_assert_uint_eq(f.disk.count, 1);
	f.disk.fail = -EIO;
	ck_assert_uint_eq(unmap(1), SCSI_CHECK_CONDITION);
	f.disk.block.info.read_only = true;
	ck_assert_uint_eq(unmap(1), SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_sense(&f), SENSE(SCSI_DATA_PROTECT, SCSI_ASC_WRITE_PROTECTED));
	f.disk.block.info.unmap = false;
	ck_assert_uint_eq(unmap(1), SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_sense(&f),
			  SENSE(SCSI_ILLEGAL_REQUEST, SCSI_ASC_INVALID_OPERATION_CODE));
}
END_TEST

START_TEST(status)
{
	static const struct {
		uint32_t lba, count;
		uint8_t status;
	} rows[] = {{5, 5, 0}, {10, 10, 1}, {20, 2028, 0}};

	memset(f.disk.mapped + 10, 0, 10);
	ck_assert_uint_eq(scsi_fake_in(&f, 512, SCSI_SERVICE_ACTION_IN_16,
				       SCSI_SA_GET_LBA_STATUS, [9] = 5, [12] = 2),
			  SCSI_GOOD);
	ck_assert_uint_eq(f.req.transferred, 8 + 3 * 16);
	ck_assert_uint_eq(be32_at(f.data), 4 + 3 * 16);
	for (unsigned int i = 0; i < 3; i++) {
		const uint8_t *p = f.data + 8 + 16ul * i;

		ck_assert_uint_eq(be64_at(p), rows[i].lba);
		ck_assert_uint_eq(be32_at(p + 8), rows[i].count);
		ck_assert_uint_eq(p[12], rows[i].status);
	}
	/* As many as were asked for. */
	ck_assert_uint_eq(scsi_fake_in(&f, 512, SCSI_SERVICE_ACTION_IN_16,
				       SCSI_SA_GET_LBA_STATUS, [9] = 5, [13] = 24),
			  SCSI_GOOD);
	ck_assert_uint_eq(be32_at(f.data), 4 + 16);
	ck_assert_uint_eq(scsi_fake_in(&f, 512, SCSI_SERVICE_ACTION_IN_16,
				       SCSI_SA_GET_LBA_STATUS, [8] = 8, [13] = 24),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_sense(&f),
			  SENSE(SCSI_ILLEGAL_REQUEST, SCSI_ASC_LBA_OUT_OF_RANGE));
}
END_TEST

/* A disk in very small pieces: the answer is bounded, and so is the work. */
START_TEST(status_in_pieces)
{
	for (unsigned int i = 0; i < 2048; i += 2)
		f.disk.mapped[i] = 0;
	ck_assert_uint_eq(scsi_fake_in(&f, 65536, SCSI_SERVICE_ACTION_IN_16,
				       SCSI_SA_GET_LBA_STATUS, [10] = 0xff, 0xff, 0xff, 0xff),
			  SCSI_GOOD);
	ck_assert_uint_eq(f.req.transferred, 8 + 32 * 16);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("scsi_unmap");
	TCase *tc = tcase_create("unmap");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, some);
	tcase_add_test(tc, many);
	tcase_add_test(tc, refused);
	tcase_add_test(tc, status);
	tcase_add_test(tc, status_in_pieces);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
