// SPDX-License-Identifier: MIT
/*
 * Hostile and damaged VHD images are refused, with a reason.
 */
#include "vhd_images.h"

#include "devices/block/vhd_image.h"

#define SIZE (VHD_TEST_BLOCK * 4)

static struct vhd_footer *footer;

static void refuse(int result, const char *text)
{
	*vhd_err.text = '\0';
	ck_assert_int_eq(vhd_try_open(true), result);
	ck_assert_msg(strstr(vhd_err.text, text) != NULL, "%s", vhd_err.text);
	ck_assert_int_eq(strncmp(vhd_err.text, "dir/image: ", 11), 0);
	ck_assert_uint_eq(vhd_fake.destroyed, 0);
}

/* Changes to both copies of the footer. */
#define CHANGE(field, value)                                                                       \
	do {                                                                                       \
		vhd_footer_at(0)->field = value;                                                   \
		footer->field = value;                                                             \
		vhd_seal();                                                                        \
	} while (0)

static void make(void)
{
	vhd_make(VHD_DYNAMIC, SIZE);
	footer = vhd_footer_at(vhd_fake.size - 512);
}

START_TEST(no_image)
{
	vhd_fake.size = 100;
	refuse(-EINVAL, "not a VHD image: too short");
	ck_assert(!vhd_probe(&vhd_fake.file));
	vhd_fake.size = 4096;
	refuse(-EINVAL, "not a VHD image");
	ck_assert(!vhd_probe(&vhd_fake.file));
}
END_TEST

START_TEST(footers)
{
	make();
	footer->checksum ^= 1;
	/* The copy will do. */
	vhd_must_open(true);
	vhd_must_close();
	vhd_fake.destroyed = 0;
	vhd_footer_at(0)->checksum ^= 1;
	refuse(-EUCLEAN, "the checksum of the footer is wrong");
	vhd_seal();
	CHANGE(file_format_version, htobe32(0x20000));
	refuse(-ENOTSUP, "version 2.0 of the VHD format is not known");
	CHANGE(file_format_version, htobe32(VHD_VERSION));
	CHANGE(disk_type, htobe32(7));
	refuse(-ENOTSUP, "a VHD of type 7 is not known");
	CHANGE(disk_type, htobe32(VHD_DISK_DYNAMIC));
	CHANGE(current_size, htobe64(511));
	refuse(-EUCLEAN, "a disk of 0 bytes");
	CHANGE(current_size, htobe64(UINT64_MAX));
	refuse(-EUCLEAN, "a disk of 18446744073709551104 bytes");
	CHANGE(current_size, htobe64(SIZE + VHD_TEST_BLOCK));
	refuse(-EUCLEAN, "its table has 4 entries, and the disk 5 blocks");
	CHANGE(current_size, htobe64(SIZE));
	CHANGE(data_offset, htobe64(UINT64_MAX - 511));
	refuse(-EUCLEAN, "its header is outside the file");
	CHANGE(data_offset, htobe64(513));
	refuse(-EUCLEAN, "its header is outside the file");
	CHANGE(data_offset, htobe64(1024));
	refuse(-EUCLEAN, "it has no header");
}
END_TEST

START_TEST(fixed_too_short)
{
	vhd_make(VHD_FIXED, SIZE);
	footer = vhd_footer_at(vhd_fake.size - 512);
	footer->current_size = htobe64(SIZE + 512);
	footer->checksum = vhd_sum(footer, 512, offsetof(struct vhd_footer, checksum));
	refuse(-EUCLEAN, "the file is shorter than the disk in it");
}
END_TEST

START_TEST(headers)
{
	struct vhd_header *header;

	make();
	header = vhd_header();
	header->checksum ^= 1;
	refuse(-EUCLEAN, "the checksum of the header is wrong");
	header->header_version = htobe32(0x20000);
	vhd_seal();
	refuse(-ENOTSUP, "its header has a version that is not known");
	header->header_version = htobe32(VHD_VERSION);
	for (uint32_t size = 0; size < 512; size += 73) {
		header->block_size = htobe32(size);
		vhd_seal();
		refuse(-EUCLEAN, "blocks of");
	}
	header->block_size = htobe32(3 << 20);
	vhd_seal();
	refuse(-EUCLEAN, "blocks of 3145728 bytes");
	header->block_size = htobe32(1u << 31);
	vhd_seal();
	refuse(-EUCLEAN, "blocks of 2147483648 bytes");
	header->block_size = htobe32((uint32_t)VHD_TEST_BLOCK);
	header->table_offset = htobe64(MiB(1));
	vhd_seal();
	refuse(-EUCLEAN, "its table is outside the file");
	header->table_offset = htobe64(UINT64_MAX - 511);
	vhd_seal();
	refuse(-EUCLEAN, "its table is outside the file");
	header->table_offset = htobe64(0);
	vhd_seal();
	refuse(-EUCLEAN, "its table is outside the file");
}
END_TEST

/* Tables that would need more memory than there is for them. */
START_TEST(too_many_blocks)
{
	make();
	vhd_header()->block_size = htobe32(512);
	vhd_header()->max_table_entries = htobe32(UINT32_MAX);
	CHANGE(current_size, htobe64(1ull << 40));
	refuse(-ENOTSUP, "2147483648 blocks are too many");
}
END_TEST

START_TEST(entries)
{
	static const uint32_t bad[] = {0, 1, 2, 3, 0x10000000, 0xfffffffe};

	make();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		vhd_table()[2] = htobe32(bad[i]);
		refuse(-EUCLEAN, "block 2 is at byte");
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vhd_layout");
	TCase *t = tcase_create("vhd_layout");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, vhd_setup, vhd_teardown);
	tcase_add_test(t, no_image);
	tcase_add_test(t, footers);
	tcase_add_test(t, fixed_too_short);
	tcase_add_test(t, headers);
	tcase_add_test(t, too_many_blocks);
	tcase_add_test(t, entries);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
