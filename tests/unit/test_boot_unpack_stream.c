// SPDX-License-Identifier: MIT
/* gzip, xz, LZMA and zstd payloads, whole and damaged. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "boot_images.h"
#include "vmm/boot_unpack.h"

/* More than two buffers, and not a whole number of them. */
#define IMAGE_LEN (KiB(1200) + 77)

static const enum image_packing formats[] = {
#ifdef HAVE_ZLIB
	PACK_GZIP,
#endif
#ifdef HAVE_LZMA
	PACK_XZ,
	PACK_LZMA,
#endif
#ifdef HAVE_ZSTD
	PACK_ZSTD,
#endif
};

static struct bytes image, packed;
static struct mem *mem;
static struct error err;

static void setup(void)
{
	image = (struct bytes){.data = malloc(IMAGE_LEN), .len = IMAGE_LEN};
	for (size_t i = 0; i < IMAGE_LEN; i++)
		image.data[i] = image_pattern(i);
	mem = image_mem(MiB(8));
	memset(&err, 0, sizeof(err));
}

static void teardown(void)
{
	bytes_finish(&image);
	bytes_finish(&packed);
	mem_destroy(mem);
}

/* Loads all but the first 4 KiB to 1 MiB. */
static int load(void)
{
	struct boot_elf elf = {.segment_count = 1,
			       .segments = {{0x1000, IMAGE_LEN - 0x1000, MiB(1), MiB(2)}}};
	struct image_file file;
	struct boot_file f;
	struct boot_unpack unpack;
	int r;

	image_file_init(&file, packed.data, packed.len);
	ck_assert_int_eq(boot_file_open(&f, file.path, &err), 0);
	ck_assert_int_eq(boot_unpack_open(&f, 0, packed.len, &err, &unpack), 0);
	r = boot_unpack_load(&unpack, &elf, mem, &err);
	boot_file_close(&f);
	image_file_finish(&file);
	return r;
}

static void damaged(void)
{
	ck_assert_int_eq(load(), -EBADMSG);
	ck_assert(image_error_has(&err, "payload is damaged"));
}

START_TEST(whole)
{
	packed = image_pack(&image, formats[_i]);
	ck_assert_msg(load() == 0, "%s", err.text);
	ck_assert_mem_eq(mem_map(mem, MiB(1), IMAGE_LEN), image.data + 0x1000, IMAGE_LEN - 0x1000);
	ck_assert_uint_eq(*(char *)mem_map(mem, MiB(1) + IMAGE_LEN - 0x1000, 1), 0);
}
END_TEST

START_TEST(head)
{
	static const size_t lens[] = {1, 4096, 65536, IMAGE_LEN, IMAGE_LEN + 100};
	uint8_t *buf = malloc(IMAGE_LEN + 100);
	struct image_file file;
	struct boot_file f;
	struct boot_unpack unpack;

	packed = image_pack(&image, formats[_i]);
	image_file_init(&file, packed.data, packed.len);
	ck_assert_int_eq(boot_file_open(&f, file.path, &err), 0);
	ck_assert_int_eq(boot_unpack_open(&f, 0, packed.len, &err, &unpack), 0);
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		size_t got = 0, want = min_of(lens[i], IMAGE_LEN);

		ck_assert_int_eq(boot_unpack_head(&unpack, buf, lens[i], &err, &got), 0);
		ck_assert_uint_eq(got, want);
		ck_assert_mem_eq(buf, image.data, want);
	}
	boot_file_close(&f);
	image_file_finish(&file);
	free(buf);
}
END_TEST

START_TEST(bad_data)
{
	packed = image_pack(&image, formats[_i]);
	for (size_t i = 0; i < 64; i++)
		packed.data[packed.len / 2 + i] ^= 0x55;
	damaged();
}
END_TEST

START_TEST(truncated)
{
	size_t len, cut;

	packed = image_pack(&image, formats[_i]);
	len = packed.len;
	for (cut = len / 2; cut > len / 4; cut -= len / 10) {
		uint32_t size = IMAGE_LEN;

		memcpy(packed.data + cut - 4, &size, 4);
		packed.len = cut;
		damaged();
	}
}
END_TEST

/* A bomb is one that unpacks to more than it says; one that says so is bounded by memory. */
START_TEST(wrong_size)
{
	static const uint32_t sizes[] = {1, 4096, IMAGE_LEN - 1, IMAGE_LEN + 1, MiB(8)};

	packed = image_pack(&image, formats[_i]);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		memcpy(packed.data + packed.len - 4, &sizes[i], 4);
		damaged();
	}
}
END_TEST

START_TEST(garbage)
{
	packed = image_pack(&image, formats[_i]);
	memset(packed.data + 6, 0xa5, packed.len - 10);
	damaged();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("boot_unpack_stream");
	TCase *t = tcase_create("boot_unpack_stream");
	SRunner *r = srunner_create(s);
	int failed, count = ARRAY_SIZE(formats);

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, whole, 0, count);
	tcase_add_loop_test(t, head, 0, count);
	tcase_add_loop_test(t, bad_data, 0, count);
	tcase_add_loop_test(t, truncated, 0, count);
	tcase_add_loop_test(t, wrong_size, 0, count);
	tcase_add_loop_test(t, garbage, 0, count);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
