// SPDX-License-Identifier: MIT
/* What a DVD drive says of its disc: table of contents, features, disc, track and structure. */
#include <check.h>
#include <stdlib.h>

#include "scsi_fake.h"

static struct scsi_fake f;

static void setup(void)
{
	scsi_fake_dvd(&f, MiB(1));
}

static void teardown(void)
{
	scsi_fake_finish(&f);
}

/* A disc so large is a DVD; nothing reads it. */
static void make_dvd(void)
{
	struct disk_fake *disk = &f.disk;

	disk->block.info.size = GiB(4);
	ck_assert_int_eq(scsi_dvd_insert(f.device, &disk->block, false), 0);
}

START_TEST(toc)
{
	static const uint8_t lba[20] = {0, 18, 1, 1,    0,    0x14, 1, 0, 0, 0,
					0, 0,  0, 0x14, 0xaa, 0,    0, 0, 2, 0};
	static const uint8_t msf[20] = {0, 18, 1, 1,    0,    0x14, 1, 0, 0, 0,
					2, 0,  0, 0x14, 0xaa, 0,    0, 0, 8, 62};

	ck_assert_uint_eq(scsi_fake_in(&f, 804, SCSI_READ_TOC, [7] = 3, 0x24), SCSI_GOOD);
	ck_assert_uint_eq(f.req.transferred, 20);
	ck_assert_mem_eq(f.data, lba, 20);
	ck_assert_uint_eq(scsi_fake_in(&f, 804, SCSI_READ_TOC, 2, [7] = 3, 0x24), SCSI_GOOD);
	ck_assert_mem_eq(f.data, msf, 20);
	/* The lead-out alone; a track that there is not. */
	ck_assert_uint_eq(scsi_fake_in(&f, 804, SCSI_READ_TOC, [6] = 0xaa, 3, 0x24), SCSI_GOOD);
	ck_assert_uint_eq(f.req.transferred, 12);
	ck_assert_uint_eq(scsi_fake_in(&f, 804, SCSI_READ_TOC, [6] = 2, 3, 0x24),
			  SCSI_CHECK_CONDITION);
	/* Sessions, also as ATAPI asks; the whole; nothing else. */
	ck_assert_uint_eq(scsi_fake_in(&f, 804, SCSI_READ_TOC, 0, 1, [7] = 3, 0x24), SCSI_GOOD);
	ck_assert_uint_eq(f.req.transferred, 12);
	ck_assert_uint_eq(scsi_fake_in(&f, 804, SCSI_READ_TOC, [7] = 3, 0x24, 0x40), SCSI_GOOD);
	ck_assert_uint_eq(f.req.transferred, 12);
	ck_assert_uint_eq(f.data[1], 10);
	ck_assert_uint_eq(scsi_fake_in(&f, 804, SCSI_READ_TOC, 0, 2, [7] = 3, 0x24), SCSI_GOOD);
	ck_assert_uint_eq(f.req.transferred, 4 + 44);
	ck_assert_uint_eq(f.data[4 + 22 + 3], 0xa2);
	ck_assert_uint_eq(f.data[4 + 22 + 9], 8);
	ck_assert_uint_eq(scsi_fake_in(&f, 804, SCSI_READ_TOC, 0, 5, [7] = 3, 0x24),
			  SCSI_CHECK_CONDITION);
}
END_TEST

START_TEST(no_disc)
{
	scsi_fake_finish(&f);
	scsi_fake_dvd(&f, 0);
	ck_assert_uint_eq(scsi_fake_in(&f, 804, SCSI_READ_TOC, [7] = 3, 0x24),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_sense(&f),
			  SENSE(SCSI_NOT_READY, SCSI_ASC_NO_MEDIUM_TRAY_CLOSED));
	ck_assert_uint_eq(scsi_fake_in(&f, 512, SCSI_GET_CONFIGURATION, 1, [7] = 2), SCSI_GOOD);
	ck_assert_uint_eq(be16_at(f.data + 6), 0);
}
END_TEST

/* The features, checked for their form; those of this profile are current. */
static unsigned int features(uint16_t profile)
{
	uint32_t len;
	unsigned int n = 0;
	int last = -1;

	len = be32_at(f.data) + 4;
	ck_assert_uint_eq(len, f.req.transferred);
	ck_assert_uint_eq(be16_at(f.data + 6), profile);
	for (uint32_t at = 8; at < len; at += 4u + f.data[at + 3], n++) {
		ck_assert_int_gt(be16_at(f.data + at), last);
		ck_assert_uint_eq(f.data[at + 3] % 4, 0);
		last = be16_at(f.data + at);
		if (last == 0x1e)
			ck_assert_uint_eq(f.data[at + 2] & 1, profile == 8);
		if (last == 0x1f)
			ck_assert_uint_eq(f.data[at + 2] & 1, profile == 0x10);
	}
	return n;
}

START_TEST(configuration)
{
	ck_assert_uint_eq(scsi_fake_in(&f, 512, SCSI_GET_CONFIGURATION, 0, [7] = 2), SCSI_GOOD);
	ck_assert_uint_eq(features(8), 9);
	ck_assert_uint_eq(f.data[8 + 4 + 2], 0);
	ck_assert_uint_eq(f.data[8 + 8 + 2], 1);
	ck_assert_uint_eq(scsi_fake_in(&f, 512, SCSI_GET_CONFIGURATION, 1, [7] = 2), SCSI_GOOD);
	ck_assert_uint_eq(features(8), 8);
	ck_assert_uint_eq(scsi_fake_in(&f, 512, SCSI_GET_CONFIGURATION, 0, 0, 0x1e, [7] = 2),
			  SCSI_GOOD);
	ck_assert_uint_eq(features(8), 4);
	ck_assert_uint_eq(scsi_fake_in(&f, 512, SCSI_GET_CONFIGURATION, 2, 0, 3, [7] = 2),
			  SCSI_GOOD);
	ck_assert_uint_eq(features(8), 1);
	ck_assert_uint_eq(scsi_fake_in(&f, 512, SCSI_GET_CONFIGURATION, 2, 9, 9, [7] = 2),
			  SCSI_GOOD);
	ck_assert_uint_eq(features(8), 0);
	ck_assert_uint_eq(scsi_fake_in(&f, 512, SCSI_GET_CONFIGURATION, 3, [7] = 2),
			  SCSI_CHECK_CONDITION);
	make_dvd();
	ck_assert_uint_eq(scsi_fake_in(&f, 512, SCSI_GET_CONFIGURATION, 0, [7] = 2), SCSI_GOOD);
	ck_assert_uint_eq(features(0x10), 9);
	ck_assert_uint_eq(f.data[8 + 4 + 2], 1);
	ck_assert_uint_eq(scsi_fake_in(&f, 8, SCSI_GET_CONFIGURATION, 0, [8] = 8), SCSI_GOOD);
	ck_assert_uint_eq(f.req.transferred, 8);
}
END_TEST

START_TEST(disc_and_track)
{
	ck_assert_uint_eq(scsi_fake_in(&f, 34, SCSI_READ_DISC_INFORMATION, [8] = 34), SCSI_GOOD);
	ck_assert_uint_eq(be16_at(f.data), 32);
	ck_assert_uint_eq(f.data[2], 0x0e);
	ck_assert_uint_eq(scsi_fake_in(&f, 34, SCSI_READ_DISC_INFORMATION, 1, [8] = 34),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_in(&f, 36, SCSI_READ_TRACK_INFORMATION, 1, [5] = 1, [8] = 36),
			  SCSI_GOOD);
	ck_assert_uint_eq(be32_at(f.data + 24), 512);
	ck_assert_uint_eq(scsi_fake_in(&f, 36, SCSI_READ_TRACK_INFORMATION, 0, [5] = 9, [8] = 36),
			  SCSI_GOOD);
	ck_assert_uint_eq(scsi_fake_in(&f, 36, SCSI_READ_TRACK_INFORMATION, 0, [4] = 9, [8] = 36),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_in(&f, 36, SCSI_READ_TRACK_INFORMATION, 2, [5] = 2, [8] = 36),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_in(&f, 36, SCSI_READ_TRACK_INFORMATION, 3, [5] = 1, [8] = 36),
			  SCSI_CHECK_CONDITION);
}
END_TEST

START_TEST(structure)
{
	static const uint8_t formats[] = {0, 1, 4, 0xff};
	static const uint16_t lens[] = {2052, 8, 2052, 20};

	ck_assert_uint_eq(scsi_fake_in(&f, 2052, SCSI_READ_DISC_STRUCTURE, [8] = 0x10),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_sense(&f),
			  SENSE(SCSI_ILLEGAL_REQUEST, SCSI_ASC_INCOMPATIBLE_MEDIUM));
	make_dvd();
	ck_assert_uint_eq(scsi_fake_none(&f, SCSI_TEST_UNIT_READY), SCSI_CHECK_CONDITION);
	for (unsigned int i = 0; i < 4; i++) {
		ck_assert_uint_eq(
			scsi_fake_in(&f, 4096,
				     SCSI_READ_DISC_STRUCTURE, [7] = formats[i], [8] = 0x10),
			SCSI_GOOD);
		ck_assert_uint_eq(f.req.transferred, lens[i]);
		ck_assert_uint_eq(be16_at(f.data), lens[i] - 2);
	}
	ck_assert_uint_eq(scsi_fake_in(&f, 2052, SCSI_READ_DISC_STRUCTURE, [7] = 2, [8] = 0x10),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_in(&f, 2052, SCSI_READ_DISC_STRUCTURE, [6] = 1, [8] = 0x10),
			  SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(scsi_fake_in(&f, 2052, SCSI_READ_DISC_STRUCTURE, 1, [8] = 0x10),
			  SCSI_CHECK_CONDITION);
	f.disk.block.info.size = MiB(1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("scsi_dvd_info");
	TCase *tc = tcase_create("dvd_info");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, toc);
	tcase_add_test(tc, no_disc);
	tcase_add_test(tc, configuration);
	tcase_add_test(tc, disc_and_track);
	tcase_add_test(tc, structure);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
