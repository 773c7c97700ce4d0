// SPDX-License-Identifier: MIT
/* Payloads: recognising them, and what reaches guest memory. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "boot_images.h"
#include "vmm/boot_unpack_formats.h"

static int open_bytes(const void *data, size_t len)
{
	struct image_file file;
	struct boot_file f;
	struct boot_unpack unpack;
	struct error err = {0};
	int r;

	image_file_init(&file, data, len);
	ck_assert_int_eq(boot_file_open(&f, file.path, &err), 0);
	r = boot_unpack_open(&f, 0, len, &err, &unpack);
	if (r == -ENOTSUP)
		ck_assert_str_eq(err.text, "");
	boot_file_close(&f);
	image_file_finish(&file);
	return r;
}

START_TEST(unknown)
{
	ck_assert_int_eq(open_bytes("BZh91AY&SY\1\0\0\0", 14), -ENOTSUP);
	ck_assert_int_eq(open_bytes("\x89LZO\0\1\0\0\0", 9), -ENOTSUP);
	ck_assert_int_eq(open_bytes("\177ELF\2\1\1\0", 8), -ENOTSUP);
	ck_assert_int_eq(open_bytes("\2\41\114\30\1\1\1", 7), -ENOTSUP);
}
END_TEST

static const char *name_of(const struct bytes *image, enum image_packing packing)
{
	struct bytes packed = image_pack(image, packing);
	struct image_file file;
	struct boot_file f;
	struct boot_unpack unpack;
	struct error err = {0};

	image_file_init(&file, packed.data, packed.len);
	ck_assert_int_eq(boot_file_open(&f, file.path, &err), 0);
	ck_assert_int_eq(boot_unpack_open(&f, 0, packed.len, &err, &unpack), 0);
	ck_assert_uint_eq(unpack.size, image->len);
	boot_file_close(&f);
	image_file_finish(&file);
	bytes_finish(&packed);
	return unpack.format->name;
}

START_TEST(recognised)
{
	uint8_t data[1000] = {1, 2, 3};
	struct bytes image = {.data = data, .len = sizeof(data)};

	(void)image;
#ifdef HAVE_LZ4
	ck_assert_str_eq(name_of(&image, PACK_LZ4), "LZ4");
#endif
#ifdef HAVE_ZLIB
	ck_assert_str_eq(name_of(&image, PACK_GZIP), "gzip");
#endif
#ifdef HAVE_LZMA
	ck_assert_str_eq(name_of(&image, PACK_XZ), "xz");
	ck_assert_str_eq(name_of(&image, PACK_LZMA), "LZMA");
#endif
#ifdef HAVE_ZSTD
	ck_assert_str_eq(name_of(&image, PACK_ZSTD), "zstd");
#endif
	(void)name_of;
}
END_TEST

START_TEST(size_zero)
{
#ifdef HAVE_LZ4
	ck_assert_int_eq(open_bytes("\2\41\114\30\1\1\1\1\0\0\0\0", 12), -EBADMSG);
#endif
}
END_TEST

#ifdef HAVE_LZ4

/* An image of 1 MiB: zero, but for the bytes at a few places. */
static const size_t places[] = {0x1000, 0x1fff, 0x5000, 0x10800, 0x20fff, 0x30000, 0xfffff};

static struct bytes sparse_image(void)
{
	struct bytes image = {.data = calloc(1, MiB(1)), .len = MiB(1)};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		image.data[places[i]] = (uint8_t)(i + 1);
	return image;
}

static uint64_t used(const struct mem *mem)
{
	struct stat st;

	ck_assert_int_eq(fstat(mem_fd(mem), &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

/* Packs and loads @image into 8 MiB of memory. */
static int load(const struct bytes *image, const struct boot_elf *elf, struct mem *mem,
		struct error *err)
{
	struct bytes packed = image_pack(image, PACK_LZ4);
	struct image_file file;
	struct boot_file f;
	struct boot_unpack unpack;
	int r;

	image_file_init(&file, packed.data, packed.len);
	ck_assert_int_eq(boot_file_open(&f, file.path, err), 0);
	ck_assert_int_eq(boot_unpack_open(&f, 0, packed.len, err, &unpack), 0);
	r = boot_unpack_load(&unpack, elf, mem, err);
	boot_file_close(&f);
	image_file_finish(&file);
	bytes_finish(&packed);
	return r;
}

/* Several segments, aligned to pages in every way, with the same bytes in two of them. */
START_TEST(segments)
{
	struct mem *mem = image_mem(MiB(8));
	struct bytes image = sparse_image();
	struct boot_elf elf = {.segment_count = 4,
			       .segments = {{0x1000, 0x8000, 0x100000, 0x8000},
					    {0x10001, 0x20fff, 0x200f00, 0x30000},
					    {0x5000, 1, 0x400fff, 1},
					    {0xff000, 0x1000, 0x500000, 0x2000}}};
	struct error err = {0};
	uint8_t *back = malloc(MiB(1));

	ck_assert_msg(load(&image, &elf, mem, &err) == 0, "%s", err.text);
	for (size_t i = 0; i < elf.segment_count; i++) {
		const struct boot_segment *s = &elf.segments[i];

		ck_assert_int_eq(mem_read(mem, s->gpa, back, s->memsz), 0);
		ck_assert_mem_eq(back, image.data + s->offset, s->filesz);
		for (size_t j = s->filesz; j < s->memsz; j++)
			ck_assert_uint_eq(back[j], 0);
	}
	/* Nothing beside them. */
	ck_assert_int_eq(mem_read(mem, 0x200e00, back, 0x100), 0);
	for (size_t i = 0; i < 0x100; i++)
		ck_assert_uint_eq(back[i], 0);
	free(back);
	bytes_finish(&image);
	mem_destroy(mem);
}
END_TEST

START_TEST(zero_pages_stay_unused)
{
	struct mem *mem = image_mem(MiB(8));
	struct bytes image = sparse_image();
	struct boot_elf elf = {.segment_count = 1, .segments = {{0, MiB(1), MiB(2), MiB(2)}}};
	struct error err = {0};
	uint64_t before = used(mem);

	ck_assert_int_eq(load(&image, &elf, mem, &err), 0);
	/* The first two places share a page. */
	ck_assert_uint_eq(used(mem) - before, (ARRAY_SIZE(places) - 1) * PAGE_SIZE);
	bytes_finish(&image);
	mem_destroy(mem);
}
END_TEST

START_TEST(larger_than_memory)
{
	struct mem *mem = image_mem(MiB(2));
	struct bytes image = {.data = calloc(1, MiB(2) + 1), .len = MiB(2) + 1};
	struct boot_elf elf = {.segment_count = 1, .segments = {{0, 16, MiB(1), 16}}};
	struct error err = {0};

	ck_assert_int_eq(load(&image, &elf, mem, &err), -ENOSPC);
	ck_assert(image_error_has(&err, "unpacks to 2 MiB, the VM has 2 MiB of memory"));
	image.len--;
	ck_assert_int_eq(load(&image, &elf, mem, &err), 0);
	bytes_finish(&image);
	mem_destroy(mem);
}
END_TEST

#endif

int main(void)
{
	Suite *s = suite_create("boot_unpack");
	TCase *t = tcase_create("boot_unpack");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, unknown);
	tcase_add_test(t, recognised);
	tcase_add_test(t, size_zero);
#ifdef HAVE_LZ4
	tcase_add_test(t, segments);
	tcase_add_test(t, zero_pages_stay_unused);
	tcase_add_test(t, larger_than_memory);
#endif
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
