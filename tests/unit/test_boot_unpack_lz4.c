// SPDX-License-Identifier: MIT
/* LZ4 payloads of several blocks, whole and damaged. */
#include <check.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "boot_images.h"
#include "vmm/boot_unpack.h"

#ifdef HAVE_LZ4

/* A block and a bit. */
#define IMAGE_LEN (MiB(8) + 12345)

static struct bytes image, packed;
static struct boot_elf elf;
static struct mem *mem;
static struct error err;

static void setup(void)
{
	image = (struct bytes){.data = malloc(IMAGE_LEN), .len = IMAGE_LEN};
	for (size_t i = 0; i < IMAGE_LEN; i++)
		image.data[i] = image_pattern(i);
	packed = image_pack(&image, PACK_LZ4);
	/* One segment over the block boundary, one elsewhere. */
	elf = (struct boot_elf){.segment_count = 2,
				.segments = {{MiB(1), MiB(7) + 5, MiB(1), MiB(8)},
					     {MiB(8) + 100, 200, MiB(12), 200}}};
	mem = image_mem(MiB(20));
	memset(&err, 0, sizeof(err));
}

static void teardown(void)
{
	bytes_finish(&image);
	bytes_finish(&packed);
	mem_destroy(mem);
}

static int load(void)
{
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

static void loads(void)
{
	ck_assert_msg(load() == 0, "%s", err.text);
	for (size_t i = 0; i < elf.segment_count; i++) {
		const struct boot_segment *s = &elf.segments[i];

		ck_assert_mem_eq(mem_map(mem, s->gpa, s->filesz), image.data + s->offset,
				 s->filesz);
	}
}

static void damaged(void)
{
	ck_assert_int_eq(load(), -EBADMSG);
	ck_assert(image_error_has(&err, "the LZ4 payload is damaged"));
}

/* Where the length of block @i is. */
static size_t block_at(size_t i)
{
	size_t at = 4;

	while (i--)
		at += 4 + (packed.data[at] | (size_t)packed.data[at + 1] << 8 |
			   (size_t)packed.data[at + 2] << 16);
	return at;
}

START_TEST(blocks)
{
	loads();
}
END_TEST

START_TEST(one_cpu)
{
	cpu_set_t cpus;
	int cpu = 0;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	while (!CPU_ISSET(cpu, &cpus))
		cpu++;
	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(cpus), &cpus), 0);
	loads();
}
END_TEST

/* As in a process that may start no more threads. */
START_TEST(no_threads)
{
	struct rlimit none = {0};

	/* Root is not limited; the result is the same. */
	ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &none), 0);
	loads();
}
END_TEST

START_TEST(head)
{
	static const size_t lens[] = {1, 64, 4096, 65536};
	uint8_t *buf = malloc(65536);
	struct image_file file;
	struct boot_file f;
	struct boot_unpack unpack;

	image_file_init(&file, packed.data, packed.len);
	ck_assert_int_eq(boot_file_open(&f, file.path, &err), 0);
	ck_assert_int_eq(boot_unpack_open(&f, 0, packed.len, &err, &unpack), 0);
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		size_t got = 0;

		memset(buf, 0, 65536);
		ck_assert_int_eq(boot_unpack_head(&unpack, buf, lens[i], &err, &got), 0);
		ck_assert_uint_eq(got, lens[i]);
		ck_assert_mem_eq(buf, image.data, lens[i]);
	}
	boot_file_close(&f);
	image_file_finish(&file);
	free(buf);
}
END_TEST

START_TEST(bad_lengths)
{
	static const uint32_t lengths[] = {0, 0xffffffff, 0x800000 + 0x10000};
	uint8_t *at = packed.data + block_at(1);

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		memcpy(at, &lengths[i], 4);
		damaged();
	}
}
END_TEST

START_TEST(bad_data)
{
	size_t at = block_at(1) + 4;

	/* An offset before the block's beginning: token 0, match offset 0xffff. */
	packed.data[at] = 0;
	packed.data[at + 1] = packed.data[at + 2] = 0xff;
	damaged();
}
END_TEST

START_TEST(wrong_size)
{
	/* One byte less, one more, and a block more than there is. */
	static const uint32_t sizes[] = {IMAGE_LEN - 1, IMAGE_LEN + 1, MiB(16) + 1, MiB(8)};

	for (size_t i = 0; i < ARRAY_SIZE(sizes) - 1; i++) {
		memcpy(packed.data + packed.len - 4, &sizes[i], 4);
		damaged();
	}
	/* Whole blocks behind the end are nobody's. */
	elf.segments[0].filesz = MiB(7);
	elf.segment_count = 1;
	memcpy(packed.data + packed.len - 4, &sizes[3], 4);
	loads();
}
END_TEST

START_TEST(truncated)
{
	size_t at = block_at(1);

	/* In the data, in the length, and before it. */
	for (size_t cut = at + 100; cut >= at; cut -= 50) {
		memmove(packed.data + cut, packed.data + packed.len - 4, 4);
		packed.len = cut + 4;
		damaged();
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("boot_unpack_lz4");
	TCase *t = tcase_create("boot_unpack_lz4");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, blocks);
	tcase_add_test(t, one_cpu);
	tcase_add_test(t, no_threads);
	tcase_add_test(t, head);
	tcase_add_test(t, bad_lengths);
	tcase_add_test(t, bad_data);
	tcase_add_test(t, wrong_size);
	tcase_add_test(t, truncated);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#else

/* 77: skipped. */
int main(void)
{
	return 77;
}

#endif
