// SPDX-License-Identifier: MIT
/*
 * What vhd_check() finds, and that it finds nothing in sound images.
 */
#include "vhd_images.h"

#define SIZE (VHD_TEST_BLOCK * 4)

static char last[256];

static void note(void *ctx, enum vhd_finding_kind kind, const char *text)
{
	/* The last error; and without one, the first of anything. */
	if (kind == VHD_ERROR || !last[0])
		snprintf(last, sizeof(last), "%s", text);
}

static struct vhd_check_result check(void)
{
	struct vhd_check_options options = {.found = note};
	struct vhd_check_result result;

	last[0] = '\0';
	ck_assert_int_eq(vhd_check(&vhd_fake.file, &options, &vhd_err, &result), 0);
	return result;
}

static void finds(uint64_t errors, uint64_t leaks, uint64_t notices, const char *text)
{
	struct vhd_check_result result = check();

	ck_assert_uint_eq(result.errors, errors);
	ck_assert_uint_eq(result.leaks, leaks);
	ck_assert_uint_eq(result.notices, notices);
	ck_assert_msg(strstr(last, text) != NULL, "%s", last);
}

static void make(void)
{
	char sector[512] = "x";

	vhd_make(VHD_DYNAMIC, SIZE);
	vhd_must_open(false);
	for (uint64_t i = 0; i < 3; i++)
		ck_assert_int_eq(run_block(vhd_disk, BLOCK_WRITE, i * VHD_TEST_BLOCK, sector, 512),
				 0);
	vhd_must_close();
}

START_TEST(sound)
{
	struct vhd_check_result result;

	make();
	finds(0, 0, 0, "");
	result = check();
	ck_assert_uint_eq(result.blocks, 4);
	ck_assert_uint_eq(result.blocks_allocated, 3);
}
END_TEST

START_TEST(damaged)
{
	uint32_t entry;

	make();
	entry = vhd_table()[1];
	vhd_table()[1] = vhd_table()[0];
	finds(1, 1, 0, "blocks 0 and 1 overlap");
	ck_assert_uint_ge(check().leaked_bytes, VHD_TEST_BLOCK);
	vhd_table()[1] = htobe32(3);
	ck_assert_uint_ge(check().errors, 1);
	vhd_table()[1] = htobe32(0x100000);
	finds(1, 1, 0, "block 1 is past the end of the file");
	vhd_table()[1] = entry;
	vhd_table()[2] = htobe32((uint32_t)(vhd_fake.size / 512 - 8));
	finds(1, 1, 0, "reaches into the footer");
}
END_TEST

START_TEST(leaks)
{
	make();
	vhd_table()[2] = 0xffffffff;
	finds(0, 1, 0, "belong to nothing");
}
END_TEST

START_TEST(footers)
{
	make();
	memset(vhd_footer_at(vhd_fake.size - 512), 0, 512);
	finds(0, 0, 1, "the footer and its copy are not the same");
	vhd_footer_at(0)->checksum = 0;
	finds(1, 0, 0, "the checksum of the footer is wrong");
}
END_TEST

START_TEST(no_image)
{
	struct vhd_check_options options = {0};
	struct vhd_check_result result;

	vhd_fake.size = 4096;
	ck_assert_int_eq(vhd_check(&vhd_fake.file, &options, &vhd_err, &result), -EINVAL);
	ck_assert_str_eq(vhd_err.text, "dir/image: not a VHD image");
}
END_TEST

static unsigned int told;

static void count(void *ctx, enum vhd_finding_kind kind, const char *text)
{
	told++;
}

START_TEST(limited)
{
	struct vhd_check_options options = {.found = count};
	struct vhd_check_result result;

	vhd_make(VHD_DYNAMIC, VHD_TEST_BLOCK * 300);
	for (unsigned int i = 0; i < 300; i++)
		vhd_table()[i] = htobe32(3);
	ck_assert_int_eq(vhd_check(&vhd_fake.file, &options, &vhd_err, &result), 0);
	ck_assert_uint_ge(result.errors, 300);
	ck_assert_uint_eq(told, 100);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vhd_check");
	TCase *t = tcase_create("vhd_check");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, vhd_setup, vhd_teardown);
	tcase_add_test(t, sound);
	tcase_add_test(t, damaged);
	tcase_add_test(t, leaks);
	tcase_add_test(t, footers);
	tcase_add_test(t, no_image);
	tcase_add_test(t, limited);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
