// SPDX-License-Identifier: MIT
/* Command lines and modules at their limits. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "boot_images.h"
#include "vmm/boot_internal.h"
#include "vmm/layout.h"

static struct boot_image image;
static struct mem *mem;
static struct error err;
static char path[] = "/proc/self/fd/kernel";

static void setup(void)
{
	memset(&image, 0, sizeof(image));
	memset(&err, 0, sizeof(err));
	image.kernel.path = path;
	mem = image_mem(MiB(4));
}

static void teardown(void)
{
	mem_destroy(mem);
}

/* A string of @len characters. */
static char *line(size_t len)
{
	char *text = malloc(len + 1);

	memset(text, 'x', len);
	text[len] = 0;
	return text;
}

static void add_module(struct image_file *file, char *cmdline)
{
	struct boot_image_module *m = &image.modules[image.module_count++];

	ck_assert_int_eq(boot_file_open(&m->file, file->path, &err), 0);
	m->cmdline = cmdline;
}

static void close_modules(void)
{
	for (size_t i = 0; i < image.module_count; i++)
		boot_file_close(&image.modules[i].file);
}

START_TEST(cmdline_length)
{
	char *text = line(LAYOUT_CMDLINE_MAX);
	char last[2];

	ck_assert_int_eq(boot_write_cmdline(&image, text + LAYOUT_CMDLINE_MAX - 100, 99, mem, &err),
			 -E2BIG);
	ck_assert(image_error_has(&err, "command line of 100 bytes: this kernel takes at most 99"));
	ck_assert_int_eq(
		boot_write_cmdline(&image, text + LAYOUT_CMDLINE_MAX - 100, 100, mem, &err), 0);
	ck_assert_int_eq(boot_write_cmdline(&image, text, UINT64_MAX, mem, &err), -E2BIG);
	ck_assert(image_error_has(&err, "of 65536 bytes: this kernel takes at most 65535"));
	ck_assert_int_eq(boot_write_cmdline(&image, text + 1, UINT64_MAX, mem, &err), 0);
	ck_assert_int_eq(mem_read(mem, LAYOUT_CMDLINE + LAYOUT_CMDLINE_MAX - 2, last, 2), 0);
	ck_assert_int_eq(last[0], 'x');
	ck_assert_int_eq(last[1], 0);
	free(text);
}
END_TEST

START_TEST(strings_full)
{
	struct boot_placed placed[BOOT_MODULES_MAX];
	char *text = line(BOOT_STRINGS_END - BOOT_STRINGS - 2), one[] = "", two[] = "!";
	struct image_file file;

	image_file_init(&file, "x", 1);
	add_module(&file, text);
	add_module(&file, one);
	ck_assert_int_eq(boot_load_modules(&image, false, mem, &err, placed), 0);
	ck_assert_uint_eq(placed[0].cmdline, BOOT_STRINGS);
	ck_assert_uint_eq(placed[1].cmdline, BOOT_STRINGS_END - 1);
	image.modules[1].cmdline = two;
	ck_assert_int_eq(boot_load_modules(&image, false, mem, &err, placed), -E2BIG);
	ck_assert(image_error_has(&err, "module command lines exceed 12288 bytes"));
	close_modules();
	image_file_finish(&file);
	free(text);
}
END_TEST

START_TEST(strings_always)
{
	struct boot_placed placed[BOOT_MODULES_MAX];
	struct image_file file;
	char back[64];

	image_file_init(&file, "x", 1);
	add_module(&file, NULL);
	ck_assert_int_eq(boot_load_modules(&image, false, mem, &err, placed), 0);
	ck_assert_uint_eq(placed[0].cmdline, 0);
	ck_assert_int_eq(boot_load_modules(&image, true, mem, &err, placed), 0);
	ck_assert_int_eq(mem_read(mem, placed[0].cmdline, back, sizeof(back)), 0);
	ck_assert_str_eq(back, file.path);
	close_modules();
	image_file_finish(&file);
}
END_TEST

START_TEST(memory_full)
{
	struct boot_placed placed[BOOT_MODULES_MAX];
	struct image_file file;
	char *data = line(MiB(1));

	image_file_init(&file, data, MiB(1));
	add_module(&file, NULL);
	add_module(&file, NULL);
	image.elf.end = MiB(2) - 0xfff;
	ck_assert_int_eq(boot_load_modules(&image, false, mem, &err, placed), 0);
	ck_assert_uint_eq(placed[0].start, MiB(2));
	ck_assert_uint_eq(placed[1].start, MiB(3));
	image.elf.end = MiB(2) + 1;
	ck_assert_int_eq(boot_load_modules(&image, false, mem, &err, placed), -ENOSPC);
	ck_assert(image_error_has(&err, "1048576 bytes do not fit into memory between the kernel's "
					"end (0x301000) and 0x400000"));
	/* A kernel that lies above the hole leaves nothing. */
	image.elf.end = GiB(4) + MiB(1);
	ck_assert_int_eq(boot_load_modules(&image, false, mem, &err, placed), -ENOSPC);
	/* One that lies below 1 MiB gets its modules above. */
	image.elf.end = 0x50000;
	ck_assert_int_eq(boot_load_modules(&image, false, mem, &err, placed), 0);
	ck_assert_uint_eq(placed[0].start, MiB(1));
	close_modules();
	image_file_finish(&file);
	free(data);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("boot_modules");
	TCase *t = tcase_create("boot_modules");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, cmdline_length);
	tcase_add_test(t, strings_full);
	tcase_add_test(t, strings_always);
	tcase_add_test(t, memory_full);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
