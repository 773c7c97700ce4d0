// SPDX-License-Identifier: MIT
/*
 * New VHD images, and fixed ones of another size.
 */
#include "vhd_images.h"

#include "devices/block/vhd_image.h"

static void refuse(const struct vhd_create_options *options, const char *text)
{
	ck_assert_int_eq(vhd_create(&vhd_fake.file, options, &vhd_err), -EINVAL);
	ck_assert_msg(strstr(vhd_err.text, text) != NULL, "%s", vhd_err.text);
}

START_TEST(bad_options)
{
	struct vhd_create_options o = {.type = VHD_DYNAMIC};

	refuse(&o, "multiple of 512 bytes, and more than 0");
	o.size = 513;
	refuse(&o, "multiple of 512 bytes");
	o.size = VHD_MAX_SIZE + 512;
	refuse(&o, "as large as 2040G");
	o.size = MiB(1);
	o.block_size = 3 << 20;
	refuse(&o, "power of two from 512K to 256M");
	o.block_size = 4096;
	refuse(&o, "power of two from 512K to 256M");
	o.type = VHD_FIXED;
	refuse(&o, "a fixed VHD has no blocks");
	o.type = VHD_DIFFERENCING;
	o.block_size = 0;
	refuse(&o, "a differencing VHD has a parent");
}
END_TEST

/* It never says more than there is, and not much less. */
START_TEST(geometry)
{
	static const struct {
		uint64_t size;
		uint8_t sectors;
	} rows[] = {
		{MiB(1), 17}, {MiB(40), 17},  {MiB(200), 31},   {MiB(512), 63},
		{GiB(1), 63}, {GiB(40), 255}, {GiB(2040), 255}, {KiB(16), 17},
	};
	struct vhd_footer footer;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t most = min_of(rows[i].size, VHD_GEOMETRY_MAX * 512), bytes;

		vhd_set_size(&footer, rows[i].size);
		ck_assert_uint_eq(be64toh(footer.current_size), rows[i].size);
		ck_assert_uint_eq(footer.sectors_per_track, rows[i].sectors);
		bytes = be16toh(footer.cylinders) * 512ull * footer.heads *
			footer.sectors_per_track;
		ck_assert_uint_le(bytes, most);
		ck_assert_uint_gt(bytes + 512ull * footer.heads * footer.sectors_per_track, most);
		ck_assert_uint_le(footer.heads, 16);
	}
}
END_TEST

START_TEST(same_id)
{
	const uint8_t id[16] = {9, 8, 7};
	struct vhd_create_options o = {.type = VHD_FIXED, .size = MiB(1), .id = id};
	struct vhd_info info;

	ck_assert_int_eq(vhd_create(&vhd_fake.file, &o, &vhd_err), 0);
	ck_assert_int_eq(vhd_info(&vhd_fake.file, &vhd_err, &info), 0);
	ck_assert_mem_eq(info.id, id, 16);
}
END_TEST

START_TEST(no_space)
{
	struct vhd_create_options o = {.type = VHD_FIXED, .size = GiB(1)};

	ck_assert_int_eq(vhd_create(&vhd_fake.file, &o, &vhd_err), -ENOSPC);
	ck_assert_ptr_nonnull(strstr(vhd_err.text, "dir/image: cannot write it: No space"));
}
END_TEST

START_TEST(resized)
{
	static const uint64_t sizes[] = {MiB(2), MiB(1) + 512, MiB(1), MiB(1) - 512, MiB(3), 512};
	struct vhd_info info;

	vhd_make(VHD_FIXED, MiB(1));
	run_fill(vhd_fake.data, 512, 1);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint64_t before = vhd_fake.size - 512;

		ck_assert_int_eq(vhd_resize(&vhd_fake.file, sizes[i], &vhd_err), 0);
		ck_assert_int_eq(vhd_info(&vhd_fake.file, &vhd_err, &info), 0);
		ck_assert_uint_eq(info.size, sizes[i]);
		ck_assert_uint_eq(vhd_fake.size, sizes[i] + 512);
		vhd_must_be_sound();
		run_check(vhd_fake.data, 512, 1);
		/* What was a footer is not in the disk. */
		if (sizes[i] > before)
			run_check_zero(vhd_fake.data + before, sizes[i] - before);
	}
	ck_assert_int_eq(vhd_resize(&vhd_fake.file, 0, &vhd_err), -EINVAL);
	ck_assert_int_eq(vhd_resize(&vhd_fake.file, 100, &vhd_err), -EINVAL);
	ck_assert_int_eq(vhd_resize(&vhd_fake.file, VHD_MAX_SIZE + 512, &vhd_err), -EINVAL);
}
END_TEST

START_TEST(dynamic_not_resized)
{
	vhd_make(VHD_DYNAMIC, MiB(1));
	ck_assert_int_eq(vhd_resize(&vhd_fake.file, MiB(2), &vhd_err), -ENOTSUP);
	ck_assert_ptr_nonnull(strstr(vhd_err.text, "only a fixed VHD can be resized"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vhd_create");
	TCase *t = tcase_create("vhd_create");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, vhd_setup, vhd_teardown);
	tcase_add_test(t, bad_options);
	tcase_add_test(t, geometry);
	tcase_add_test(t, same_id);
	tcase_add_test(t, no_space);
	tcase_add_test(t, resized);
	tcase_add_test(t, dynamic_not_resized);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
