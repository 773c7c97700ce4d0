// SPDX-License-Identifier: MIT
/*
 * src/devices/block/vhdx_create.c, and vhdx_info.c and vhdx_check.c on what it made.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vhdx_model.h"

static struct error err;
static const uint8_t linkage[16] = {1, 2, 3};

static const struct vhdx_create_options good[] = {
	{.size = 512},
	{.size = MiB(100), .block_size = MiB(1)},
	{.size = VHDX_MAX_SIZE, .block_size = MiB(1)},
	{.size = GiB(5) - 4096, .block_size = MiB(256), .logical_sector = 4096},
	{.type = VHDX_FIXED, .size = MiB(65)},
	{.type = VHDX_FIXED, .size = GiB(300), .block_size = MiB(1), .physical_sector = 512},
	{.type = VHDX_DIFFERENCING,
	 .size = MiB(64),
	 .parent_path = "a/b.vhdx",
	 .parent_linkage = linkage,
	 .parent_absolute = "/a/b.vhdx",
	 .disk_id = linkage},
};

START_TEST(made)
{
	const struct vhdx_create_options *o = &good[_i];
	uint32_t block = o->type == VHDX_DIFFERENCING ? MiB(2) : MiB(32);
	struct vhdx_fake fake;
	struct vhdx_info info;

	vhdx_fake_init(&fake);
	ck_assert_msg(vhdx_create(&fake.file, o, &err) == 0, "%s", err.text);
	ck_assert(vhdx_probe(&fake.file));
	model_check(&fake, false);
	ck_assert_int_eq(vhdx_info(&fake.file, &err, &info), 0);
	ck_assert_int_eq(info.type, o->type);
	ck_assert_uint_eq(info.size, o->size);
	ck_assert_uint_eq(info.block_size, o->block_size ? o->block_size : block);
	ck_assert_uint_eq(info.logical_sector, o->logical_sector ? o->logical_sector : 512);
	ck_assert_uint_eq(info.physical_sector, o->physical_sector ? o->physical_sector : 4096);
	ck_assert_uint_eq(info.blocks, (info.size + info.block_size - 1) / info.block_size);
	ck_assert_uint_eq(info.blocks_allocated, o->type == VHDX_FIXED ? info.blocks : 0);
	ck_assert_uint_eq(info.file_size, fake.size);
	ck_assert_str_eq(info.creator, "candela");
	ck_assert(!info.dirty);
	if (o->type == VHDX_DIFFERENCING) {
		ck_assert_str_eq(info.parent_path, "a\\b.vhdx");
		ck_assert_mem_eq(info.parent_data_write_guid, linkage, 16);
		ck_assert_mem_eq(info.disk_id, linkage, 16);
	}
	ck_assert_int_eq(vhdx_create(&fake.file, o, &err), -EEXIST);
	vhdx_fake_finish(&fake);
}
END_TEST

static const struct vhdx_create_options bad[] = {
	{.size = 0},
	{.size = 511},
	{.size = VHDX_MAX_SIZE + 512},
	{.size = MiB(1) + 512, .logical_sector = 4096},
	{.size = MiB(1), .block_size = MiB(3)},
	{.size = MiB(1), .block_size = MiB(1) / 2},
	{.size = MiB(1), .block_size = MiB(512)},
	{.size = MiB(1), .logical_sector = 1024},
	{.size = MiB(1), .logical_sector = 4096, .physical_sector = 512},
	{.size = MiB(1), .type = VHDX_DIFFERENCING},
	{.size = MiB(1), .type = VHDX_DIFFERENCING, .parent_path = "x"},
};

START_TEST(refused)
{
	struct vhdx_fake fake;

	vhdx_fake_init(&fake);
	ck_assert_int_eq(vhdx_create(&fake.file, &bad[_i], &err), -EINVAL);
	ck_assert_uint_eq(fake.size, 0);
	vhdx_fake_finish(&fake);
}
END_TEST

/* Until it is all there it is not a VHDX. */
START_TEST(interrupted)
{
	static const enum file_op ops[] = {FILE_WRITE, FILE_SYNC, FILE_TRUNCATE};
	int ret = -EIO;

	for (unsigned int n = 0; ret; n++) {
		struct vhdx_fake fake;

		ck_assert_uint_lt(n, 40);
		vhdx_fake_init(&fake);
		fake.fail_result = -EIO;
		fake.fail_op = ops[_i];
		fake.fail_after = n;
		fake.fail_count = 1;
		ret = vhdx_create(&fake.file, &good[4], &err);
		if (ret) {
			ck_assert_int_eq(ret, -EIO);
			ck_assert(ops[_i] == FILE_SYNC || !vhdx_probe(&fake.file));
		}
		vhdx_fake_finish(&fake);
	}
}
END_TEST

static uint64_t kinds[3];

static void found(void *ctx, enum vhdx_finding_kind kind, const char *text)
{
	ck_assert_str_ne(text, "");
	kinds[kind]++;
}

/* Space nobody has, and an image that was not closed. */
START_TEST(findings)
{
	struct vhdx_check_options options = {.found = found};
	struct vhdx_check_result result;
	struct vhdx_info info;
	struct model m;

	model_init(&m, &good[1], 0, 1);
	model_write(&m, 0, MiB(3), false);
	model_flush(&m);
	ck_assert_int_eq(vhdx_check(&m.fake.file, &options, &err, &result), 0);
	ck_assert_uint_eq(result.notices, 1);
	ck_assert_uint_eq(result.blocks_allocated, 3);
	ck_assert_uint_eq(result.leaks, 1); /* what the file is longer by, to grow into */
	ck_assert_uint_eq(kinds[VHDX_NOTICE], 1);
	ck_assert_uint_eq(kinds[VHDX_LEAK], 1);
	ck_assert_uint_eq(kinds[VHDX_ERROR], 0);
	ck_assert_int_eq(vhdx_info(&m.fake.file, &err, &info), 0);
	ck_assert(info.dirty);
	ck_assert_uint_eq(info.blocks_allocated, 3);
	model_finish(&m);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vhdx_create");
	TCase *tc = tcase_create("vhdx_create");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, made, 0, (int)ARRAY_SIZE(good));
	tcase_add_loop_test(tc, refused, 0, (int)ARRAY_SIZE(bad));
	tcase_add_loop_test(tc, interrupted, 0, 3);
	tcase_add_test(tc, findings);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
