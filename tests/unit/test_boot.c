// SPDX-License-Identifier: MIT
/* Opening and recognising. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot_images.h"
#include "vmm/boot_internal.h"
#include "vmm/layout.h"

/* The descriptors open now, to see that none is left behind. */
static int open_files(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += dup2(fd, fd) == fd;
	return count;
}

START_TEST(not_a_kernel)
{
	static const char *const contents[] = {"x", "\177EL", "#!/bin/sh\n"};

	for (size_t i = 0; i < ARRAY_SIZE(contents); i++) {
		struct bytes b = {.data = (uint8_t *)strdup(contents[i]),
				  .len = strlen(contents[i])};
		struct boot_image *image = NULL;
		struct error err = {0};

		ck_assert_int_eq(image_open(&b, &err, &image), -ENOEXEC);
		ck_assert(image_error_has(&err, "not a kernel: neither a Linux bzImage nor a "
						"multiboot or ELF file"));
		ck_assert_ptr_null(image);
		bytes_finish(&b);
	}
}
END_TEST

START_TEST(missing_files)
{
	struct image_elf elf = image_elf_simple(MiB(1), 0x1000);
	struct bytes b = image_elf_build(&elf);
	struct image_file file;
	struct boot_module modules[] = {{.path = "/nonexistent/module"}};
	struct boot_config config = {.kernel = "/nonexistent/kernel"};
	struct boot_image *image;
	struct error err = {0};
	int before;

	image_file_init(&file, b.data, b.len);
	before = open_files();
	ck_assert_int_eq(boot_open(&config, &err, &image), -ENOENT);
	ck_assert_str_eq(err.text, "/nonexistent/kernel: No such file or directory");
	config.kernel = file.path;
	config.initrd = "/nonexistent/initrd";
	ck_assert_int_eq(boot_open(&config, &err, &image), -ENOENT);
	ck_assert_str_eq(err.text, "/nonexistent/initrd: No such file or directory");
	config.initrd = NULL;
	config.modules = modules;
	config.module_count = 1;
	ck_assert_int_eq(boot_open(&config, &err, &image), -ENOENT);
	ck_assert_str_eq(err.text, "/nonexistent/module: No such file or directory");
	ck_assert_int_eq(open_files(), before);
	image_file_finish(&file);
	bytes_finish(&b);
}
END_TEST

START_TEST(many_modules)
{
	struct image_elf elf = image_elf_simple(MiB(1), 0x1000);
	struct bytes b = image_elf_build(&elf);
	struct mem *mem = image_mem(MiB(4));
	struct image_file file;
	struct boot_module modules[BOOT_MODULES_MAX + 1];
	struct boot_config config = {.modules = modules, .module_count = BOOT_MODULES_MAX};
	struct boot_image *image;
	struct boot_entry entry;
	struct error err = {0};
	int before;

	image_file_init(&file, b.data, b.len);
	before = open_files();
	config.kernel = file.path;
	for (size_t i = 0; i < ARRAY_SIZE(modules); i++)
		modules[i] = (struct boot_module){.path = file.path, .cmdline = "x"};
	ck_assert_int_eq(boot_open(&config, &err, &image), 0);
	ck_assert_int_eq(boot_load(image, mem, 0, &err, &entry), 0);
	boot_close(image);
	config.module_count++;
	ck_assert_int_eq(boot_open(&config, &err, &image), -E2BIG);
	ck_assert(image_error_has(&err, "more than 64 modules"));
	config.module_count--;
	config.initrd = file.path;
	ck_assert_int_eq(boot_open(&config, &err, &image), -E2BIG);
	ck_assert_int_eq(open_files(), before);
	image_file_finish(&file);
	bytes_finish(&b);
	mem_destroy(mem);
}
END_TEST

/* The caller's strings may go, and the paths too. */
START_TEST(keeps_nothing)
{
	struct image_elf elf = image_elf_simple(MiB(1), 0x1000);
	struct bytes b = image_elf_build(&elf);
	struct mem *mem = image_mem(MiB(4));
	struct image_file file;
	char cmdline[] = "original", path[64], back[16];
	struct boot_config config = {.kernel = path, .cmdline = cmdline};
	struct boot_image *image;
	struct boot_entry entry;
	struct error err = {0};

	image_file_init(&file, b.data, b.len);
	memcpy(path, file.path, sizeof(path));
	ck_assert_int_eq(boot_open(&config, &err, &image), 0);
	memset(cmdline, 'X', sizeof(cmdline) - 1);
	memset(path, 'X', sizeof(path));
	image_file_finish(&file);
	ck_assert_int_eq(boot_load(image, mem, 0, &err, &entry), 0);
	ck_assert_int_eq(mem_read(mem, LAYOUT_CMDLINE, back, sizeof(back)), 0);
	ck_assert_str_eq(back, "original");
	boot_close(image);
	bytes_finish(&b);
	mem_destroy(mem);
}
END_TEST

START_TEST(names)
{
	ck_assert_str_eq(boot_protocol_name(BOOT_LINUX), "linux");
	ck_assert_str_eq(boot_protocol_name(BOOT_LINUX_SELF_UNPACK), "linux-self-unpack");
	ck_assert_str_eq(boot_protocol_name(BOOT_MULTIBOOT), "multiboot");
	ck_assert_str_eq(boot_protocol_name(BOOT_PVH), "pvh");
	ck_assert_str_eq(boot_protocol_name(BOOT_ELF64), "elf64");
	boot_close(NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("boot");
	TCase *t = tcase_create("boot");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, not_a_kernel);
	tcase_add_test(t, missing_files);
	tcase_add_test(t, many_modules);
	tcase_add_test(t, keeps_nothing);
	tcase_add_test(t, names);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
