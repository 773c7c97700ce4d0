// SPDX-License-Identifier: MIT
/* src/devices/block/vhdx_resize.c: longer and shorter disks of each kind. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vhdx_model.h"

static struct error err;

static int resize(struct model *m, uint64_t size, bool discard)
{
	int ret;

	model_close(m);
	ret = vhdx_resize(&m->fake.file, size, discard, &err);
	model_check(&m->fake, true);
	if (ret == 0) {
		m->bytes = realloc(m->bytes, size);
		ck_assert_ptr_nonnull(m->bytes);
		if (size > m->create.size)
			memset(m->bytes + m->create.size, 0, size - m->create.size);
		m->create.size = size;
	}
	model_open(m);
	ck_assert_uint_eq(m->block->info.size, m->create.size);
	return ret;
}

static const struct {
	enum vhdx_type type;
	uint32_t block_mib, sector;
	unsigned int parents;
} kinds[] = {
	{VHDX_DYNAMIC, 1, 512, 0}, {VHDX_DYNAMIC, 4, 4096, 0}, {VHDX_FIXED, 1, 512, 0},
	{VHDX_FIXED, 8, 512, 0},   {VHDX_DYNAMIC, 2, 512, 1},
};

START_TEST(longer)
{
	struct vhdx_create_options create = {.type = kinds[_i].type,
					     .size = MiB(10) + 4096,
					     .block_size = kinds[_i].block_mib << 20,
					     .logical_sector = kinds[_i].sector};
	struct model m;

	model_init(&m, &create, kinds[_i].parents, 1);
	model_run(&m, 60);
	ck_assert_int_eq(resize(&m, MiB(10) + 8192, false), 0);
	model_verify(&m);
	ck_assert_int_eq(resize(&m, MiB(31), false), 0);
	model_verify(&m);
	model_run(&m, 60);
	model_verify(&m);
	model_finish(&m);
}
END_TEST

/* What was above the end does not come back when the disk is longer again. */
START_TEST(shorter_and_longer)
{
	struct vhdx_create_options create = {.type = kinds[_i].type,
					     .size = MiB(16),
					     .block_size = kinds[_i].block_mib << 20,
					     .logical_sector = kinds[_i].sector};
	struct model m;

	model_init(&m, &create, kinds[_i].parents, 1);
	model_write(&m, 0, MiB(16), false);
	ck_assert_int_eq(resize(&m, MiB(5) + 4096, false), -EBUSY);
	model_verify(&m);
	ck_assert_int_eq(resize(&m, MiB(5) + 4096, true), 0);
	model_verify(&m);
	model_close(&m);
	model_check(&m.fake, false);
	model_open(&m);
	ck_assert_uint_le(m.fake.size, MiB(5 + 4 + 8 + 2));
	if (!m.parent_count) { /* else it would be the parent's */
		ck_assert_int_eq(resize(&m, MiB(16), false), 0);
		model_verify(&m);
	}
	model_finish(&m);
}
END_TEST

START_TEST(shorter_without_data)
{
	struct vhdx_create_options create = {.size = MiB(64), .block_size = MiB(1)};
	struct model m;

	model_init(&m, &create, 0, 1);
	model_write(&m, 0, MiB(4), false);
	model_write(&m, MiB(40), MiB(2), false);
	ck_assert_int_eq(resize(&m, MiB(30), false), -EBUSY);
	model_unmap(&m, MiB(40), MiB(2));
	ck_assert_int_eq(resize(&m, MiB(30), false), 0);
	model_verify(&m);
	model_finish(&m);
}
END_TEST

/* The BAT's region is too short: it moves. */
START_TEST(bat_moves)
{
	struct vhdx_create_options create = {.size = GiB(100), .block_size = MiB(1)};
	struct vhdx_open_options options = {.read_only = false};
	uint64_t offset = GiB(200) - MiB(3);
	uint8_t data[4096], back[4096];
	struct vhdx_fake fake;
	struct vhdx_info info;
	struct block *block;

	vhdx_fake_init(&fake);
	ck_assert_int_eq(vhdx_create(&fake.file, &create, &err), 0);
	ck_assert_int_eq(vhdx_open(&fake.file, NULL, &options, &err, &block), 0);
	memset(data, 5, sizeof(data));
	ck_assert_int_eq(vhdx_fake_do(&fake, block, BLOCK_WRITE, GiB(99), data, 4096, false), 0);
	ck_assert_int_eq(block_close(block, &err), 0);
	ck_assert_int_eq(vhdx_resize(&fake.file, GiB(200), false, &err), 0);
	model_check(&fake, true);
	ck_assert_int_eq(vhdx_open(&fake.file, NULL, &options, &err, &block), 0);
	ck_assert_int_eq(vhdx_fake_do(&fake, block, BLOCK_READ, GiB(99), back, 4096, false), 0);
	ck_assert_mem_eq(data, back, 4096);
	ck_assert_int_eq(vhdx_fake_do(&fake, block, BLOCK_WRITE, offset, data, 4096, true), 0);
	ck_assert_int_eq(vhdx_fake_do(&fake, block, BLOCK_READ, offset, back, 4096, false), 0);
	ck_assert_mem_eq(data, back, 4096);
	ck_assert_int_eq(block_close(block, &err), 0);
	model_check(&fake, true);
	ck_assert_int_eq(vhdx_info(&fake.file, &err, &info), 0);
	ck_assert_uint_eq(info.size, GiB(200));
	ck_assert_uint_eq(info.blocks_allocated, 2);
	vhdx_fake_finish(&fake);
}
END_TEST

/* An error at any of its writes and syncs leaves the old disk or the new one. */
START_TEST(failures)
{
	struct vhdx_create_options create = {.size = MiB(10), .block_size = MiB(1)};
	bool shorter = _i % 2;

	for (unsigned int n = (unsigned int)_i; n < 100; n += 3) {
		struct model m;
		int ret;

		model_init(&m, &create, 0, 1);
		model_write(&m, 0, MiB(5), false);
		model_close(&m);
		m.fake.fail_result = -EIO;
		m.fake.fail_op = _i / 2 ? FILE_SYNC : FILE_WRITE;
		m.fake.fail_after = n;
		m.fake.fail_count = 1000;
		ret = vhdx_resize(&m.fake.file, shorter ? MiB(6) : MiB(20), false, &err);
		m.fake.fail_result = 0;
		model_open(&m);
		if (m.block->info.size != create.size)
			m.create.size = m.block->info.size;
		ck_assert(m.create.size == MiB(10) ||
			  m.create.size == (shorter ? MiB(6) : MiB(20)));
		m.bytes = realloc(m.bytes, MiB(20));
		memset(m.bytes + MiB(5), 0, MiB(15));
		model_verify(&m);
		model_finish(&m);
		if (ret == 0)
			return;
	}
	ck_abort_msg("never done");
}
END_TEST

START_TEST(bad_sizes)
{
	struct vhdx_create_options create = {.size = MiB(10), .block_size = MiB(1)};
	struct model m;

	model_init(&m, &create, 0, 1);
	ck_assert_int_eq(resize(&m, 0, true), -EINVAL);
	ck_assert_int_eq(resize(&m, MiB(4) + 100, true), -EINVAL);
	ck_assert_int_eq(resize(&m, VHDX_MAX_SIZE + 512, true), -EINVAL);
	ck_assert_int_eq(resize(&m, MiB(10), true), 0);
	model_finish(&m);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vhdx_resize");
	TCase *tc = tcase_create("vhdx_resize");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, longer, 0, (int)ARRAY_SIZE(kinds));
	tcase_add_loop_test(tc, shorter_and_longer, 0, (int)ARRAY_SIZE(kinds));
	tcase_add_test(tc, shorter_without_data);
	tcase_add_test(tc, bat_moves);
	tcase_add_loop_test(tc, failures, 0, 4);
	tcase_add_test(tc, bad_sizes);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
