// SPDX-License-Identifier: MIT
/* Multiboot kernels: finding the header, what it may ask for, and the information handed over. */
#include <check.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot_images.h"
#include "vmm/boot_memmap.h"
#include "vmm/layout.h"
#include "vmm/multiboot_proto.h"

#define KERNEL_GPA 0x400000u

static void put_header(struct bytes *b, size_t at, struct multiboot_header h)
{
	h.magic = MULTIBOOT_HEADER_MAGIC;
	h.checksum = 0 - (h.magic + h.flags);
	memcpy(b->data + at, &h, min_of(sizeof(h), b->len - at));
}

/* A 32-bit ELF kernel with a header that asks for @flags at @at. */
static struct bytes elf_kernel(size_t at, uint32_t flags)
{
	struct image_elf elf = image_elf_simple(KERNEL_GPA, 0x3000);
	struct bytes b;

	elf.is_32 = true;
	b = image_elf_build(&elf);
	put_header(&b, at, (struct multiboot_header){.flags = flags});
	return b;
}

static void refused(struct bytes b, const char *text)
{
	struct boot_image *image;
	struct error err = {0};

	ck_assert_int_eq(image_open(&b, &err, &image), -ENOEXEC);
	ck_assert(image_error_has(&err, text));
	bytes_finish(&b);
}

static struct boot_entry load(struct bytes b, struct mem *mem)
{
	struct boot_image *image;
	struct boot_entry entry;
	struct error err = {0};

	ck_assert_msg(image_open(&b, &err, &image) == 0, "%s", err.text);
	ck_assert_msg(boot_load(image, mem, 0xe0000, &err, &entry) == 0, "%s", err.text);
	boot_close(image);
	bytes_finish(&b);
	ck_assert_int_eq(entry.protocol, BOOT_MULTIBOOT);
	ck_assert(!entry.long_mode);
	ck_assert_uint_eq(entry.rax, 0x2badb002);
	ck_assert_uint_eq(entry.rbx, LAYOUT_BOOT_PARAMS);
	return entry;
}

START_TEST(header_places)
{
	struct mem *mem = image_mem(MiB(16));
	static const size_t good[] = {0x100, 0x1000, 8192 - 12}, bad[] = {0x102, 8192 - 8, 8192};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		ck_assert_uint_eq(load(elf_kernel(good[i], 3), mem).rip, KERNEL_GPA);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		refused(elf_kernel(bad[i], 3), "neither a multiboot header nor a PVH note");
	mem_destroy(mem);
}
END_TEST

START_TEST(wrong_checksum)
{
	struct bytes b = elf_kernel(0x100, 3);

	b.data[0x108]++;
	refused(b, "neither a multiboot header");
}
END_TEST

START_TEST(flags)
{
	struct mem *mem = image_mem(MiB(16));

	refused(elf_kernel(0x100, 7), "asks for a video mode");
	for (int bit = 3; bit < 16; bit++)
		refused(elf_kernel(0x100, 1u << bit), "requires unknown features 0x");
	for (int bit = 17; bit < 32; bit++)
		load(elf_kernel(0x100, 1u << bit), mem);
	mem_destroy(mem);
}
END_TEST

START_TEST(elf_64)
{
	struct mem *mem = image_mem(MiB(16));
	struct image_elf elf = image_elf_simple(KERNEL_GPA, 0x3000);
	struct bytes b = image_elf_build(&elf);

	put_header(&b, 0x200, (struct multiboot_header){0});
	ck_assert_uint_eq(load(b, mem).rip, KERNEL_GPA);

	elf = image_elf_simple(GiB(4), 0x3000);
	b = image_elf_build(&elf);
	put_header(&b, 0x200, (struct multiboot_header){0});
	refused(b, "above 4 GiB");
	mem_destroy(mem);
}
END_TEST

/* A flat file of 0x3000 bytes with its header at 0x400. */
static struct bytes flat_kernel(struct multiboot_header h)
{
	struct image_elf elf = {.size = 0x3000};
	struct bytes b = image_elf_build(&elf);

	memset(b.data, 0x90, sizeof(Elf64_Ehdr));
	h.flags |= MULTIBOOT_AOUT_KLUDGE;
	put_header(&b, 0x400, h);
	return b;
}

START_TEST(addresses)
{
	struct mem *mem = image_mem(MiB(16));
	struct multiboot_header h = {.header_addr = 0x500300,
				     .load_addr = 0x500000,
				     .load_end_addr = 0x501000,
				     .bss_end_addr = 0x502000,
				     .entry_addr = 0x500010};
	struct bytes b = flat_kernel(h);
	uint8_t want[0x1000], back[0x2000];

	memcpy(want, b.data + 0x100, sizeof(want));
	ck_assert_uint_eq(load(b, mem).rip, 0x500010);
	ck_assert_int_eq(mem_read(mem, 0x500000, back, sizeof(back)), 0);
	ck_assert_mem_eq(back, want, sizeof(want));
	ck_assert_uint_eq(back[0x1000], 0);
	/* No end: all of the file, and no bss. */
	h.load_end_addr = h.bss_end_addr = 0;
	h.entry_addr = 0x500000 + 0x2eff;
	load(flat_kernel(h), mem);
	h.entry_addr++;
	refused(flat_kernel(h), "entry 0x502f00 lies in no segment");
	mem_destroy(mem);
}
END_TEST

START_TEST(bad_addresses)
{
	const struct multiboot_header good = {.header_addr = 0x500400,
					      .load_addr = 0x500000,
					      .load_end_addr = 0x503000,
					      .entry_addr = 0x500000};
	struct multiboot_header h = good;

	h.load_end_addr++;
	refused(flat_kernel(h),
		"truncated: 12288 bytes, its multiboot header loads up to 0x503001");
	h.load_end_addr = 0x4fffff;
	refused(flat_kernel(h), "truncated");
	h = good;
	h.load_addr--;
	refused(flat_kernel(h),
		"header at offset 1024 loads at 0x4fffff but calls itself 0x500400");
	h.load_addr = 0x500401;
	refused(flat_kernel(h), "calls itself");
	h = good;
	h.load_end_addr = h.load_addr;
	refused(flat_kernel(h), "loads nothing");
	h = good;
	h.header_addr = 0xffff0400;
	h.load_addr = 0xffff0000;
	h.load_end_addr = 0;
	h.bss_end_addr = 0;
	refused(flat_kernel(h), "lies in no segment");
	h = good;
	h.header_addr = 0xf0400;
	h.load_addr = h.entry_addr = 0xf0000;
	h.load_end_addr = 0;
	refused(flat_kernel(h), "lies where boot data belongs");
}
END_TEST

START_TEST(no_addresses)
{
	struct bytes b = flat_kernel((struct multiboot_header){0});

	put_header(&b, 0x400, (struct multiboot_header){.flags = 3});
	refused(b, "multiboot header without addresses in a file that is not ELF");
	/* A header cut off by the end of the file. */
	b = (struct bytes){.data = calloc(1, 16), .len = 16};
	put_header(&b, 4, (struct multiboot_header){.flags = MULTIBOOT_AOUT_KLUDGE});
	refused(b, "not a kernel");
}
END_TEST

static struct multiboot_info read_info(struct mem *mem)
{
	struct multiboot_info info;

	ck_assert_int_eq(mem_read(mem, LAYOUT_BOOT_PARAMS, &info, sizeof(info)), 0);
	ck_assert_uint_eq(info.flags, 0x24d);
	return info;
}

static void check_string(struct mem *mem, uint64_t gpa, const char *text)
{
	char back[256];

	ck_assert_int_eq(mem_read(mem, gpa, back, sizeof(back)), 0);
	ck_assert_str_eq(back, text);
}

START_TEST(information)
{
	struct mem *mem = image_mem(GiB(5));
	struct boot_memmap want;
	struct multiboot_info info;

	load(elf_kernel(0x100, 3), mem);
	info = read_info(mem);
	ck_assert_uint_eq(info.mem_lower, 639);
	ck_assert_uint_eq(info.mem_upper, (GiB(3) - MiB(1)) >> 10);
	ck_assert_uint_eq(info.mods_count, 0);
	check_string(mem, info.boot_loader_name, "candela");
	boot_memmap_build(mem, &want);
	ck_assert_uint_eq(info.mmap_length, want.count * 24);
	for (size_t i = 0; i < want.count; i++) {
		struct multiboot_mmap_entry e;

		ck_assert_int_eq(mem_read(mem, info.mmap_addr + i * 24, &e, sizeof(e)), 0);
		ck_assert_uint_eq(e.size, 20);
		ck_assert_uint_eq(e.addr, want.entries[i].start);
		ck_assert_uint_eq(e.len, want.entries[i].len);
		ck_assert_uint_eq(e.type, want.entries[i].type);
	}
	mem_destroy(mem);
}
END_TEST

START_TEST(modules_and_cmdline)
{
	struct mem *mem = image_mem(MiB(16));
	struct bytes b = elf_kernel(0x100, 3);
	struct image_file kernel, initrd, module;
	struct boot_module modules[] = {{.cmdline = "mod args"}};
	struct boot_config config = {.cmdline = "a b", .modules = modules, .module_count = 1};
	struct multiboot_module list[2];
	struct multiboot_info info;
	struct boot_image *image;
	struct boot_entry entry;
	struct error err = {0};
	char line[128];

	image_file_init(&kernel, b.data, b.len);
	image_file_init(&initrd, "ENV=1\n", 6);
	image_file_init(&module, "module", 6);
	config.kernel = kernel.path;
	config.initrd = initrd.path;
	modules[0].path = module.path;
	ck_assert_msg(boot_open(&config, &err, &image) == 0, "%s", err.text);
	ck_assert_msg(boot_load(image, mem, 0, &err, &entry) == 0, "%s", err.text);
	info = read_info(mem);
	snprintf(line, sizeof(line), "%s a b", kernel.path);
	check_string(mem, info.cmdline, line);
	ck_assert_uint_eq(info.mods_count, 2);
	ck_assert_int_eq(mem_read(mem, info.mods_addr, list, sizeof(list)), 0);
	ck_assert_uint_eq(list[0].mod_start, KERNEL_GPA + 0x3000);
	ck_assert_uint_eq(list[0].mod_end, KERNEL_GPA + 0x3006);
	ck_assert_uint_eq(list[1].mod_start, KERNEL_GPA + 0x4000);
	check_string(mem, list[0].mod_start, "ENV=1\n");
	check_string(mem, list[0].cmdline, initrd.path);
	check_string(mem, list[1].cmdline, "mod args");
	boot_close(image);
	image_file_finish(&kernel);
	image_file_finish(&initrd);
	image_file_finish(&module);
	bytes_finish(&b);
	mem_destroy(mem);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("boot_multiboot");
	TCase *t = tcase_create("boot_multiboot");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, header_places);
	tcase_add_test(t, wrong_checksum);
	tcase_add_test(t, flags);
	tcase_add_test(t, elf_64);
	tcase_add_test(t, addresses);
	tcase_add_test(t, bad_addresses);
	tcase_add_test(t, no_addresses);
	tcase_add_test(t, information);
	tcase_add_test(t, modules_and_cmdline);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
