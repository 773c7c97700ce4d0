// SPDX-License-Identifier: MIT
/*
 * src/devices/block/vhdx_open.c, vhdx_header.c, vhdx_region.c, vhdx_metadata.c, vhdx_bat.c, and
 * vhdx_check.c on the same files: every field that can be wrong.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/block/vhdx_crc.h"
#include "devices/block/vhdx_internal.h"
#include "vhdx_model.h"

#define METADATA MiB(2) /* where vhdx_create() puts things */
#define BAT      MiB(3)
#define ITEMS    (METADATA + 65536)

static struct error err;

static void create(struct vhdx_fake *fake, enum vhdx_type type)
{
	static const uint8_t linkage[16] = {1};
	struct vhdx_create_options options = {.type = type,
					      .size = MiB(64),
					      .block_size = MiB(1),
					      .parent_path = "parent.vhdx",
					      .parent_linkage = linkage};

	vhdx_fake_init(fake);
	ck_assert_int_eq(vhdx_create(&fake->file, &options, &err), 0);
}

static void put(struct vhdx_fake *fake, uint64_t offset, const void *data, size_t len)
{
	ck_assert_int_eq(file_pwrite(&fake->file, data, len, offset), 0);
}

static void put64(struct vhdx_fake *fake, uint64_t offset, uint64_t value)
{
	put(fake, offset, &value, 8);
}

static void put32(struct vhdx_fake *fake, uint64_t offset, uint32_t value)
{
	put(fake, offset, &value, 4);
}

/* Makes the checksums of both headers and region tables right. */
static void seal(struct vhdx_fake *fake)
{
	static const uint32_t places[4][2] = {{VHDX_HEADER1_OFFSET, VHDX_HEADER_SIZE},
					      {VHDX_HEADER2_OFFSET, VHDX_HEADER_SIZE},
					      {VHDX_REGION_TABLE1, VHDX_REGION_TABLE_SIZE},
					      {VHDX_REGION_TABLE2, VHDX_REGION_TABLE_SIZE}};
	uint8_t *buf = malloc(VHDX_REGION_TABLE_SIZE);

	for (int i = 0; i < 4; i++) {
		uint32_t crc;

		ck_assert_int_eq(file_pread(&fake->file, buf, places[i][1], places[i][0]), 0);
		crc = vhdx_crc_without(buf, places[i][1], 4);
		put32(fake, places[i][0] + 4, crc);
	}
	free(buf);
}

static int try(struct vhdx_fake *fake)
{
	struct vhdx_open_options options = {.read_only = true};
	struct block *block;
	int ret;

	err.text[0] = '\0';
	ret = vhdx_open(&fake->file, NULL, &options, &err, &block);
	if (ret == 0)
		ck_assert_int_eq(block_close(block, &err), 0);
	else
		ck_assert_str_ne(err.text, "");
	return ret;
}

/* What vhdx_check() says: its errors, or what it returned. */
static int check(struct vhdx_fake *fake)
{
	struct vhdx_check_options options = {NULL, NULL};
	struct vhdx_check_result result;
	int ret = vhdx_check(&fake->file, &options, &err, &result);

	return ret ? ret : (int)result.errors;
}

struct change {
	uint64_t offset;
	uint64_t value;
	unsigned int len;
	int ret; /* of opening; the checker finds an error when it is -EUCLEAN */
};

static void apply(struct vhdx_fake *fake, const struct change *change)
{
	put(fake, change->offset, &change->value, change->len);
	seal(fake);
}

static void expect(struct vhdx_fake *fake, int ret)
{
	ck_assert_msg(try(fake) == ret, "%s", err.text);
	if (ret == -EUCLEAN)
		ck_assert_int_ge(check(fake), 1);
	else
		ck_assert_int_eq(check(fake), ret);
}

static const struct change headers[] = {
	{0, 0, 8, -EINVAL},
	{VHDX_HEADER1_OFFSET + 66, 2, 2, 0}, /* the older header does not matter */
	{VHDX_HEADER2_OFFSET + 66, 2, 2, -ENOTSUP},
	{VHDX_HEADER2_OFFSET + 64, 1, 2, -ENOTSUP},
	{VHDX_HEADER2_OFFSET + 8, UINT64_MAX, 8, -EUCLEAN},
	{VHDX_HEADER2_OFFSET + 68, 0, 4, -EUCLEAN}, /* log length */
	{VHDX_HEADER2_OFFSET + 68, 4096, 4, -EUCLEAN},
	{VHDX_HEADER2_OFFSET + 68, 0xfff00000, 4, -EUCLEAN},
	{VHDX_HEADER2_OFFSET + 68, MiB(2), 4, -EUCLEAN}, /* over the metadata */
	{VHDX_HEADER2_OFFSET + 72, 0, 8, -EUCLEAN},
	{VHDX_HEADER2_OFFSET + 72, MiB(1) + 4096, 8, -EUCLEAN},
	{VHDX_HEADER2_OFFSET + 72, MiB(100), 8, -EUCLEAN},
	{VHDX_HEADER2_OFFSET + 72, UINT64_MAX - MiB(1) + 1, 8, -EUCLEAN},
	{VHDX_HEADER2_OFFSET + 48, 1, 1, -EUCLEAN}, /* log GUID without log */
	{VHDX_REGION_TABLE1 + 8, 2048, 4, 0},       /* one table is bad */
	{VHDX_REGION_TABLE1 + 8, 1, 4, -EUCLEAN},
	{VHDX_REGION_TABLE1 + 8, 0, 4, -EUCLEAN},
	{VHDX_REGION_TABLE1 + 12, 1, 4, -EUCLEAN},
	{VHDX_REGION_TABLE1 + 16, 1, 1, -ENOTSUP}, /* the BAT's GUID */
	{VHDX_REGION_TABLE1 + 32, MiB(2), 8, -EUCLEAN},
	{VHDX_REGION_TABLE1 + 32, MiB(1), 8, -EUCLEAN},
	{VHDX_REGION_TABLE1 + 32, 0, 8, -EUCLEAN},
	{VHDX_REGION_TABLE1 + 32, MiB(3) + 4096, 8, -EUCLEAN},
	{VHDX_REGION_TABLE1 + 32, MiB(4), 8, -EUCLEAN},
	{VHDX_REGION_TABLE1 + 32, UINT64_MAX - MiB(1) + 1, 8, -EUCLEAN},
	{VHDX_REGION_TABLE1 + 40, 0, 4, -EUCLEAN},
	{VHDX_REGION_TABLE1 + 40, 0xfff00000, 4, -EUCLEAN},
	{VHDX_REGION_TABLE1 + 44, 3, 4, -EUCLEAN},
};

START_TEST(header_fields)
{
	struct vhdx_fake fake;

	create(&fake, VHDX_DYNAMIC);
	ck_assert_int_eq(try(&fake), 0);
	apply(&fake, &headers[_i]);
	expect(&fake, headers[_i].ret);
	vhdx_fake_finish(&fake);
}
END_TEST

/* Table entries: file parameters, size, id, logical, physical, in this order. */
#define ENTRY(n) (METADATA + 32 + (n)*32)

static const struct change metadata[] = {
	{METADATA, 0, 8, -EUCLEAN},
	{METADATA + 8, 1, 2, -EUCLEAN},
	{METADATA + 10, 2048, 2, -EUCLEAN},
	{METADATA + 10, 4, 2, -EUCLEAN}, /* no physical sector size */
	{METADATA + 10, 0, 2, -EUCLEAN},
	{METADATA + 12, 1, 1, -EUCLEAN},
	{ENTRY(0), 0, 1, -ENOTSUP},      /* unknown and required */
	{ENTRY(0) + 16, 0, 4, -EUCLEAN}, /* offset */
	{ENTRY(0) + 16, 65535, 4, -EUCLEAN},
	{ENTRY(0) + 16, 65540, 4, -EUCLEAN}, /* overlaps */
	{ENTRY(0) + 16, 0xfffffffc, 4, -EUCLEAN},
	{ENTRY(0) + 20, 0, 4, -EUCLEAN}, /* length */
	{ENTRY(0) + 20, 4, 4, -EUCLEAN},
	{ENTRY(0) + 20, 0xffffffff, 4, -EUCLEAN},
	{ENTRY(0) + 24, 0x8, 4, -EUCLEAN},
	{ENTRY(0) + 28, 1, 4, -EUCLEAN},
	{ENTRY(1), 0xcaa16737, 4, -ENOTSUP},
	{ITEMS, 0, 4, -EUCLEAN}, /* block size */
	{ITEMS, 3 << 20, 4, -EUCLEAN},
	{ITEMS, 1 << 19, 4, -EUCLEAN},
	{ITEMS, 1 << 29, 4, -EUCLEAN},
	{ITEMS + 4, 4, 4, -EUCLEAN},
	{ITEMS + 4, 2, 4, -EUCLEAN}, /* a parent, and no locator */
	{ITEMS + 8, 0, 8, -EUCLEAN}, /* size */
	{ITEMS + 8, MiB(64) + 1, 8, -EUCLEAN},
	{ITEMS + 8, VHDX_MAX_SIZE + 512, 8, -EUCLEAN},
	{ITEMS + 8, VHDX_MAX_SIZE, 8, -EUCLEAN}, /* more entries than the BAT has */
	{ITEMS + 32, 513, 4, -EUCLEAN},
	{ITEMS + 36, 0, 4, -EUCLEAN},
};

START_TEST(metadata_fields)
{
	struct vhdx_fake fake;

	create(&fake, VHDX_DYNAMIC);
	apply(&fake, &metadata[_i]);
	expect(&fake, metadata[_i].ret);
	vhdx_fake_finish(&fake);
}
END_TEST

static const struct {
	enum vhdx_type type;
	uint64_t entry;
	uint64_t index;
	int ret;
} entries[] = {
	{VHDX_DYNAMIC, MiB(1) * 4 | 6, 0, -EUCLEAN}, /* the end of the file is there */
	{VHDX_DYNAMIC, MiB(3) | 6, 0, -EUCLEAN},     /* the BAT */
	{VHDX_DYNAMIC, MiB(1) | 6, 0, -EUCLEAN},     /* the log */
	{VHDX_DYNAMIC, 6, 0, -EUCLEAN},
	{VHDX_DYNAMIC, 4, 0, -EUCLEAN},
	{VHDX_DYNAMIC, 5, 0, -EUCLEAN},
	{VHDX_DYNAMIC, MiB(4) | 8, 0, -EUCLEAN},
	{VHDX_DYNAMIC, MiB(4) | 7, 0, -EUCLEAN},
	{VHDX_DYNAMIC, ~0xfffffull | 6, 0, -EUCLEAN},
	{VHDX_FIXED, MiB(5) | 6, 0, -EUCLEAN}, /* where the second block is */
	{VHDX_FIXED, MiB(67) | 6, 0, -EUCLEAN},
	{VHDX_DYNAMIC, MiB(4) | 3, 0, 0}, /* unmapped, and names space */
	{VHDX_DYNAMIC, MiB(999) | 2, 0, 0},
	{VHDX_DYNAMIC, 1, 0, 0},
	{VHDX_DYNAMIC, 1, 64, 0}, /* behind the last */
};

START_TEST(bat_entries)
{
	struct vhdx_fake fake;

	create(&fake, entries[_i].type);
	put64(&fake, BAT + entries[_i].index * 8, entries[_i].entry);
	expect(&fake, entries[_i].ret);
	vhdx_fake_finish(&fake);
}
END_TEST

/* Two blocks in one place; a bitmap that is missing. */
START_TEST(bat_of_a_child)
{
	uint64_t bitmap = BAT + 4096ull * 8;
	struct vhdx_fake fake;

	create(&fake, VHDX_DIFFERENCING);
	fake.size += MiB(4);
	ck_assert_int_eq(try(&fake), -ENOTSUP); /* no way to its parent; but all else is read */
	put64(&fake, BAT, MiB(4) << 3 | 7);
	ck_assert_int_ge(check(&fake), 1);
	put64(&fake, BAT, fake.size - MiB(3) + 7);
	ck_assert_int_ge(check(&fake), 1);
	ck_assert_int_eq(try(&fake), -EUCLEAN);
	put64(&fake, bitmap, fake.size - MiB(2) + 6);
	ck_assert_int_eq(check(&fake), 0);
	ck_assert_int_eq(try(&fake), -ENOTSUP);
	put64(&fake, BAT + 64 * 8, fake.size - MiB(3) + 6); /* behind the end: nobody's */
	ck_assert_int_eq(check(&fake), 0);
	ck_assert_int_eq(try(&fake), -ENOTSUP);
	put64(&fake, bitmap, fake.size - MiB(2) + 7);
	ck_assert_int_eq(try(&fake), -EUCLEAN);
	vhdx_fake_finish(&fake);
}
END_TEST

/* One of the two headers, or tables, is enough; with none the image is lost. */
START_TEST(copies)
{
	static const uint64_t pairs[2][2] = {{VHDX_HEADER1_OFFSET, VHDX_HEADER2_OFFSET},
					     {VHDX_REGION_TABLE1, VHDX_REGION_TABLE2}};
	struct vhdx_fake fake;

	for (int first = 0; first < 2; first++) {
		create(&fake, VHDX_DYNAMIC);
		put32(&fake, pairs[_i][first] + 100, 1);
		ck_assert_int_eq(try(&fake), 0);
		ck_assert_int_eq(check(&fake), 0);
		put32(&fake, pairs[_i][!first] + 100, 1);
		expect(&fake, -EUCLEAN);
		vhdx_fake_finish(&fake);
	}
}
END_TEST

START_TEST(not_one)
{
	struct vhdx_fake fake;

	vhdx_fake_init(&fake);
	ck_assert(!vhdx_probe(&fake.file));
	expect(&fake, -EINVAL);
	fake.size = MiB(4);
	expect(&fake, -EINVAL);
	put64(&fake, 0, VHDX_IDENTIFIER_SIGNATURE);
	ck_assert(vhdx_probe(&fake.file));
	expect(&fake, -EUCLEAN);
	vhdx_fake_finish(&fake);
}
END_TEST

/* The image is cut off, a MiB at a time. */
START_TEST(cut_off)
{
	struct vhdx_fake fake;

	create(&fake, VHDX_FIXED);
	while (fake.size > MiB(1)) {
		ck_assert_int_eq(file_truncate(&fake.file, fake.size - MiB(1)), 0);
		expect(&fake, -EUCLEAN);
	}
	vhdx_fake_finish(&fake);
}
END_TEST

/* Reads fail while it is opened: each of them. */
START_TEST(read_errors)
{
	struct vhdx_fake fake;
	int ret = -EIO;

	create(&fake, VHDX_FIXED);
	for (unsigned int n = 0; ret; n++) {
		ck_assert_uint_lt(n, 100);
		fake.fail_result = -EIO;
		fake.fail_op = FILE_READ;
		fake.fail_after = n;
		fake.fail_count = 1;
		ret = try(&fake);
		ck_assert(ret == 0 || ret == -EIO || (n == 0 && ret == -EINVAL));
	}
	vhdx_fake_finish(&fake);
}
END_TEST

START_TEST(map)
{
	struct vhdx_create_options options = {.size = MiB(64), .block_size = MiB(1)};
	struct model m;
	uint64_t len;

	model_init(&m, &options, 0, 1);
	model_write(&m, MiB(3), MiB(2), false);
	ck_assert_int_eq(block_map(m.block, 0, &len), BLOCK_UNMAPPED);
	ck_assert_uint_eq(len, MiB(3));
	ck_assert_int_eq(block_map(m.block, MiB(3) + 512, &len), BLOCK_MAPPED);
	ck_assert_uint_eq(len, MiB(2) - 512);
	ck_assert_int_eq(block_map(m.block, MiB(5), &len), BLOCK_UNMAPPED);
	ck_assert_uint_eq(len, MiB(59));
	model_finish(&m);
}
END_TEST

START_TEST(refusals)
{
	struct vhdx_open_options options = {.read_only = false};
	struct vhdx_fake fake;
	struct block *block;
	uint8_t data[512];

	create(&fake, VHDX_DYNAMIC);
	fake.file.read_only = true;
	ck_assert_int_eq(vhdx_open(&fake.file, NULL, &options, &err, &block), -EROFS);
	options.read_only = true;
	ck_assert_int_eq(vhdx_open(&fake.file, NULL, &options, &err, &block), 0);
	ck_assert_int_eq(vhdx_fake_do(&fake, block, BLOCK_WRITE, 0, data, 512, false), -EROFS);
	ck_assert_int_eq(vhdx_fake_do(&fake, block, BLOCK_UNMAP, 0, NULL, MiB(1), false), -EROFS);
	ck_assert_int_eq(vhdx_fake_do(&fake, block, BLOCK_READ, 256, data, 512, false), -EINVAL);
	ck_assert_int_eq(vhdx_fake_do(&fake, block, BLOCK_READ, MiB(64), data, 512, false),
			 -EINVAL);
	ck_assert_int_eq(vhdx_fake_do(&fake, block, BLOCK_FLUSH, 0, NULL, 0, false), 0);
	ck_assert_int_eq(block_close(block, &err), 0);
	vhdx_fake_finish(&fake);
}
END_TEST

/* 64 TiB: opening costs little, the ends can be written, a hole is a hole. */
START_TEST(largest)
{
	struct vhdx_create_options create = {.size = VHDX_MAX_SIZE, .block_size = MiB(1) << _i};
	struct vhdx_open_options options = {.read_only = false};
	uint8_t data[512] = {7}, back[512];
	struct vhdx_fake fake;
	struct block *block;

	vhdx_fake_init(&fake);
	ck_assert_int_eq(vhdx_create(&fake.file, &create, &err), 0);
	ck_assert_int_eq(vhdx_open(&fake.file, NULL, &options, &err, &block), 0);
	ck_assert_int_eq(vhdx_fake_do(&fake, block, BLOCK_WRITE, 0, data, 512, true), 0);
	ck_assert_int_eq(
		vhdx_fake_do(&fake, block, BLOCK_WRITE, VHDX_MAX_SIZE - 512, data, 512, true), 0);
	ck_assert_int_eq(vhdx_fake_do(&fake, block, BLOCK_UNMAP, MiB(256), NULL,
				      VHDX_MAX_SIZE - MiB(512), false),
			 0);
	ck_assert_int_eq(block_close(block, &err), 0);
	ck_assert_int_eq(vhdx_open(&fake.file, NULL, &options, &err, &block), 0);
	ck_assert_int_eq(
		vhdx_fake_do(&fake, block, BLOCK_READ, VHDX_MAX_SIZE - 512, back, 512, false), 0);
	ck_assert_mem_eq(data, back, 512);
	ck_assert_int_eq(block_close(block, &err), 0);
	model_check(&fake, false);
	vhdx_fake_finish(&fake);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vhdx_open");
	TCase *tc = tcase_create("vhdx_open");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, header_fields, 0, (int)ARRAY_SIZE(headers));
	tcase_add_loop_test(tc, metadata_fields, 0, (int)ARRAY_SIZE(metadata));
	tcase_add_loop_test(tc, bat_entries, 0, (int)ARRAY_SIZE(entries));
	tcase_add_test(tc, bat_of_a_child);
	tcase_add_loop_test(tc, copies, 0, 2);
	tcase_add_test(tc, not_one);
	tcase_add_test(tc, cut_off);
	tcase_add_test(tc, read_errors);
	tcase_add_test(tc, map);
	tcase_add_test(tc, refusals);
	tcase_add_loop_test(tc, largest, 0, 9);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
