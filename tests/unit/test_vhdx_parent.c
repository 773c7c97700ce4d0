// SPDX-License-Identifier: MIT
/*
 * src/devices/block/vhdx_parent.c, vhdx_bitmap.c and vhdx_read.c: differencing images, their sector
 * bitmaps, and parents that are not there, changed, shorter, or go round in a circle.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/block/vhdx_internal.h"
#include "vhdx_model.h"

static struct error err;

static const struct vhdx_create_options child = {.size = MiB(24), .block_size = MiB(1)};

static struct vhdx *vhdx_in(struct model *m)
{
	return vhdx_of(m->block);
}

static unsigned int state_of(struct model *m, uint64_t block)
{
	struct vhdx *v = vhdx_in(m);

	return vhdx_entry_state(vhdx_bat_get(&v->bat, vhdx_bat_index(&v->image, block)));
}

/* A sector written leaves its neighbours the parent's; a whole block needs no bitmap. */
START_TEST(states)
{
	struct model m;

	model_init(&m, &child, 1, 7);
	model_write(&m, MiB(2) + 1024, 512, false);
	ck_assert_uint_eq(state_of(&m, 2), VHDX_BLOCK_PARTIALLY_PRESENT);
	model_write(&m, MiB(4), MiB(1), false);
	ck_assert_uint_eq(state_of(&m, 4), VHDX_BLOCK_FULLY_PRESENT);
	model_read(&m, MiB(1), MiB(5));
	model_zero(&m, MiB(6), MiB(1), true);
	ck_assert_uint_eq(state_of(&m, 6), VHDX_BLOCK_ZERO);
	model_unmap(&m, MiB(4), MiB(1));
	ck_assert_uint_eq(state_of(&m, 4), VHDX_BLOCK_UNMAPPED);
	model_write(&m, MiB(6) + 4096, 4096, false); /* zeroes around it, not the parent's */
	ck_assert_uint_eq(state_of(&m, 6), VHDX_BLOCK_FULLY_PRESENT);
	model_flush(&m);
	model_kill(&m);
	ck_assert_uint_eq(state_of(&m, 2), VHDX_BLOCK_PARTIALLY_PRESENT);
	model_verify(&m);
	model_finish(&m);
}
END_TEST

/* Sectors that were not there: their data are durable before anything says they are. */
START_TEST(data_before_bitmap)
{
	unsigned int syncs;
	struct model m;

	model_init(&m, &child, 1, 7);
	model_write(&m, MiB(2), 512, true);
	model_write(&m, MiB(2) + 1024, 512, false);
	syncs = m.fake.submitted[FILE_SYNC];
	model_flush(&m);
	ck_assert_uint_eq(m.fake.submitted[FILE_SYNC], syncs + 2);
	model_write(&m, MiB(2) + 1024, 512, false); /* is there already */
	model_flush(&m);
	ck_assert_uint_eq(m.fake.submitted[FILE_SYNC], syncs + 3);
	model_finish(&m);
}
END_TEST

/* More bitmap pages than are kept in memory. */
START_TEST(many_bitmaps)
{
	struct vhdx_create_options create = {
		.type = VHDX_DYNAMIC, .size = GiB(40), .block_size = MiB(1)};
	struct vhdx_open_options options = {.read_only = false};
	static struct model m; /* for its parents only */
	uint8_t data[512], back[1024];
	struct vhdx_info info;
	uint64_t pages = GiB(40) / MiB(16);

	vhdx_fake_init(&m.parents[0]);
	vhdx_fake_init(&m.fake);
	ck_assert_int_eq(vhdx_create(&m.parents[0].file, &create, &err), 0);
	ck_assert_int_eq(vhdx_info(&m.parents[0].file, &err, &info), 0);
	create.type = VHDX_DIFFERENCING;
	create.parent_path = "parent.vhdx";
	create.parent_linkage = info.data_write_guid;
	ck_assert_int_eq(vhdx_create(&m.fake.file, &create, &err), 0);
	m.parent_count = 1;
	m.options = options;
	m.fake.also = &m.parents[0];
	model_open(&m);
	for (unsigned int round = 0; round < 2; round++) {
		for (uint64_t i = 0; i < pages; i++) {
			memset(data, (int)i + 1, sizeof(data));
			if (round == 0)
				ck_assert_int_eq(vhdx_fake_do(&m.fake, m.block, BLOCK_WRITE,
							      i * MiB(16) + 512, data, 512, false),
						 0);
			ck_assert_int_eq(vhdx_fake_do(&m.fake, m.block, BLOCK_READ,
						      i * MiB(16) + 512, back, 1024, false),
					 0);
			ck_assert_mem_eq(data, back, 512);
			ck_assert_uint_eq(back[600], 0);
		}
		ck_assert_uint_le(vhdx_in(&m)->bitmaps.count, VHDX_BITMAP_CACHE + 64);
		model_flush(&m);
	}
	ck_assert_int_eq(block_close(m.block, &err), 0);
	model_check(&m.fake, false);
	vhdx_fake_finish(&m.fake);
	vhdx_fake_finish(&m.parents[0]);
}
END_TEST

/* What its parent is too short for reads as zero. */
START_TEST(shorter_parent)
{
	struct vhdx_create_options create = child;
	struct vhdx_info info;
	struct model m;

	model_init(&m, &child, 0, 7);
	model_run(&m, 50);
	model_close(&m);
	ck_assert_int_eq(vhdx_info(&m.fake.file, &err, &info), 0);
	vhdx_fake_init(&m.parents[0]);
	vhdx_fake_copy(&m.fake, &m.parents[0]);
	vhdx_fake_finish(&m.fake);
	vhdx_fake_init(&m.fake);
	create.type = VHDX_DIFFERENCING;
	create.size = MiB(32);
	create.parent_path = "parent.vhdx";
	create.parent_linkage = info.data_write_guid;
	ck_assert_int_eq(vhdx_create(&m.fake.file, &create, &err), 0);
	m.create = create;
	m.bytes = realloc(m.bytes, MiB(32));
	memset(m.bytes + MiB(24), 0, MiB(8));
	m.parent_count = 1;
	m.fake.also = &m.parents[0];
	model_open(&m);
	model_verify(&m);
	model_run(&m, 100);
	model_verify(&m);
	model_finish(&m);
}
END_TEST

START_TEST(changed_parent)
{
	struct model m;
	struct block *block;
	struct vhdx_info info;

	model_init(&m, &child, 1, 7);
	model_close(&m);
	m.parents[0].file.read_only = false;
	ck_assert_int_eq(vhdx_resize(&m.parents[0].file, MiB(40), false, &err), 0);
	ck_assert_int_eq(vhdx_open(&m.fake.file, NULL, &m.options, &err, &block), -ESTALE);
	/* Unless one says that it is right so. */
	ck_assert_int_eq(vhdx_info(&m.parents[0].file, &err, &info), 0);
	ck_assert_int_eq(
		vhdx_set_parent(&m.fake.file, "parent.vhdx", NULL, info.data_write_guid, &err), 0);
	model_check(&m.fake, true);
	model_open(&m);
	model_verify(&m);
	model_finish(&m);
}
END_TEST

static unsigned int tried;

static int no_parent(void *ctx, const char *path, unsigned int depth, struct error *e,
		     struct block **ret)
{
	tried++;
	return error_set(e, -ENOENT, "%s: is not there", path);
}

static int same_image(void *ctx, const char *path, unsigned int depth, struct error *e,
		      struct block **ret)
{
	struct vhdx_open_options options = {
		.read_only = true, .depth = depth, .open_parent = same_image, .ctx = ctx};

	ck_assert_uint_lt(depth, VHDX_MAX_CHAIN);
	return vhdx_open(ctx, NULL, &options, e, ret);
}

START_TEST(no_way_there)
{
	struct vhdx_open_options options = {.read_only = true, .open_parent = no_parent};
	struct block *block;
	struct model m;

	model_init(&m, &child, 1, 7);
	model_close(&m);
	ck_assert_int_eq(vhdx_open(&m.fake.file, NULL, &options, &err, &block), -ENOENT);
	ck_assert_uint_eq(tried, 1);
	ck_assert_ptr_nonnull(strstr(err.text, "parent.vhdx"));
	options.open_parent = NULL;
	ck_assert_int_eq(vhdx_open(&m.fake.file, NULL, &options, &err, &block), -ENOTSUP);
	options.open_parent = same_image;
	options.ctx = &m.fake.file;
	m.fake.file.read_only = true;
	ck_assert_int_eq(vhdx_open(&m.fake.file, NULL, &options, &err, &block), -ELOOP);
	m.fake.file.read_only = false;
	model_open(&m);
	model_finish(&m);
}
END_TEST

/* A read of the parent, or of a bitmap, fails: so does the request, and only that. */
START_TEST(read_errors)
{
	uint8_t *data = malloc(MiB(1));
	struct model m;

	model_init(&m, &child, 1, 7);
	model_write(&m, MiB(2) + 1024, 512, true);
	model_close(&m);
	model_open(&m);
	m.fake.fail_result = -EIO;
	m.fake.fail_op = FILE_READ;
	m.fake.fail_count = 1;
	ck_assert_int_eq(vhdx_fake_do(&m.fake, m.block, BLOCK_READ, MiB(2), data, 8192, false),
			 -EIO);
	model_read(&m, MiB(2), 8192);
	m.parents[0].fail_result = -EIO;
	m.parents[0].fail_op = FILE_READ;
	m.parents[0].fail_count = 1;
	for (unsigned int i = 0; i < 24 && m.parents[0].fail_count; i++)
		vhdx_fake_do(&m.fake, m.block, BLOCK_READ, MiB(i), data, MiB(1), false);
	ck_assert_uint_eq(m.parents[0].fail_count, 0);
	model_verify(&m);
	model_finish(&m);
	free(data);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vhdx_parent");
	TCase *tc = tcase_create("vhdx_parent");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, states);
	tcase_add_test(tc, data_before_bitmap);
	tcase_add_test(tc, many_bitmaps);
	tcase_add_test(tc, shorter_parent);
	tcase_add_test(tc, changed_parent);
	tcase_add_test(tc, no_way_there);
	tcase_add_test(tc, read_errors);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
