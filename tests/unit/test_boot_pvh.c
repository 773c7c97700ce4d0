// SPDX-License-Identifier: MIT
/* ELF kernels with and without a PVH note, and the start info they get. */
#include <check.h>
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot_images.h"
#include "vmm/boot_memmap.h"
#include "vmm/layout.h"
#include "vmm/pvh_proto.h"

#define RSDP       0xe0000u
#define NOTE_AT    0x1100u
#define NOTE_LEN   0x100u
#define KERNEL_GPA 0x200000u

/* A kernel with an empty note segment to put notes into. */
static struct bytes kernel_with_room(bool is_32)
{
	struct image_elf elf = image_elf_simple(KERNEL_GPA, 0x3000);
	struct bytes b;

	elf.is_32 = is_32;
	elf.phdr_count = 2;
	elf.phdrs[1] = (struct image_phdr){PT_NOTE, NOTE_AT, NOTE_LEN, 0, NOTE_LEN, 4};
	b = image_elf_build(&elf);
	memset(b.data + NOTE_AT, 0, NOTE_LEN);
	return b;
}

static struct bytes pvh_kernel(uint64_t entry, uint32_t desc_len)
{
	struct bytes b = kernel_with_room(false);
	size_t at = NOTE_AT;

	/* Not the first, and behind one whose lengths need padding. */
	at += image_note(&b, at, "GNU", 3, "abcdef", 6);
	at += image_note(&b, at, "Linux", 0x100, "x", 1);
	image_note(&b, at, "Xen", XEN_ELFNOTE_PHYS32_ENTRY, &entry, desc_len);
	return b;
}

static void refused(struct bytes b, const char *text)
{
	struct boot_image *image = NULL;
	struct error err = {0};

	ck_assert_int_eq(image_open(&b, &err, &image), -ENOEXEC);
	ck_assert(image_error_has(&err, text));
	ck_assert_ptr_null(image);
	bytes_finish(&b);
}

static struct boot_entry load(const struct bytes *b, struct mem *mem)
{
	struct boot_image *image;
	struct boot_entry entry;
	struct error err = {0};

	ck_assert_msg(image_open(b, &err, &image) == 0, "%s", err.text);
	ck_assert_msg(boot_load(image, mem, RSDP, &err, &entry) == 0, "%s", err.text);
	boot_close(image);
	return entry;
}

static struct hvm_start_info start_info(struct mem *mem)
{
	struct hvm_start_info info;

	ck_assert_int_eq(mem_read(mem, LAYOUT_BOOT_PARAMS, &info, sizeof(info)), 0);
	ck_assert_uint_eq(info.magic, XEN_HVM_START_MAGIC_VALUE);
	ck_assert_uint_eq(info.version, 1);
	ck_assert_uint_eq(info.flags, 0);
	ck_assert_uint_eq(info.rsdp_paddr, RSDP);
	ck_assert_uint_eq(info.reserved, 0);
	return info;
}

START_TEST(pvh)
{
	struct mem *mem = image_mem(MiB(16));
	static const uint32_t lens[] = {4, 8};

	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		struct bytes b = pvh_kernel(KERNEL_GPA + 0x850, lens[i]);
		struct boot_entry e = load(&b, mem);

		ck_assert_int_eq(e.protocol, BOOT_PVH);
		ck_assert(!e.long_mode);
		ck_assert_uint_eq(e.rip, KERNEL_GPA + 0x850);
		ck_assert_uint_eq(e.rbx, LAYOUT_BOOT_PARAMS);
		ck_assert_uint_eq(e.rdi, 0);
		bytes_finish(&b);
	}
	mem_destroy(mem);
}
END_TEST

START_TEST(pvh_32)
{
	struct mem *mem = image_mem(MiB(16));
	struct bytes b = kernel_with_room(true);
	uint32_t at = KERNEL_GPA;
	struct boot_entry e;

	image_note(&b, NOTE_AT, "Xen", XEN_ELFNOTE_PHYS32_ENTRY, &at, 4);
	e = load(&b, mem);
	ck_assert_int_eq(e.protocol, BOOT_PVH);
	ck_assert_uint_eq(e.rip, KERNEL_GPA);
	bytes_finish(&b);
	mem_destroy(mem);
}
END_TEST

START_TEST(freestanding)
{
	struct mem *mem = image_mem(MiB(16));
	struct bytes b = kernel_with_room(false);
	struct boot_entry e = load(&b, mem);
	uint8_t back[0x3000];

	ck_assert_int_eq(e.protocol, BOOT_ELF64);
	ck_assert(e.long_mode);
	ck_assert_uint_eq(e.rip, KERNEL_GPA);
	ck_assert_uint_eq(e.rdi, LAYOUT_BOOT_PARAMS);
	ck_assert_uint_eq(e.rbx, 0);
	ck_assert_uint_eq(e.rsp, 0);
	start_info(mem);
	ck_assert_int_eq(mem_read(mem, KERNEL_GPA, back, sizeof(back)), 0);
	ck_assert_mem_eq(back, b.data + 0x1000, sizeof(back));
	bytes_finish(&b);
	mem_destroy(mem);
}
END_TEST

START_TEST(refusals)
{
	struct bytes b = kernel_with_room(false);
	struct image_elf elf = image_elf_simple(KERNEL_GPA, 0x1000);

	image_note(&b, NOTE_AT, "Linux", 0x100, "x", 1);
	refused(b, "Linux kernel without a PVH entry");
	refused(kernel_with_room(true), "32-bit ELF file with neither a multiboot header nor");
	refused(pvh_kernel(KERNEL_GPA + 0x3000, 8), "entry 0x203000 lies in no segment");
	refused(pvh_kernel(GiB(4) + KERNEL_GPA, 8), "lies above 4 GiB");
	elf.entry = 0x100000;
	refused(image_elf_build(&elf), "entry 0x100000 lies in no segment");
	elf = image_elf_simple(0x9000, 0x1000);
	refused(image_elf_build(&elf), "lies where boot data belongs (0x8000-0x40000)");
	elf.machine = EM_AARCH64;
	refused(image_elf_build(&elf), "is for aarch64");
}
END_TEST

/* Below the page tables' end there is room without paging. */
START_TEST(low_pvh)
{
	struct image_elf elf = image_elf_simple(0x9000, 0x2000);
	struct mem *mem = image_mem(MiB(1));
	uint32_t at = 0x9010;
	struct bytes b;

	elf.phdr_count = 2;
	elf.phdrs[1] = (struct image_phdr){PT_NOTE, NOTE_AT, NOTE_LEN, 0, NOTE_LEN, 4};
	b = image_elf_build(&elf);
	image_note(&b, NOTE_AT, "Xen", XEN_ELFNOTE_PHYS32_ENTRY, &at, 4);
	ck_assert_uint_eq(load(&b, mem).rip, 0x9010);
	bytes_finish(&b);
	mem_destroy(mem);
}
END_TEST

/* Notes that lie about their lengths end the search. */
START_TEST(broken_notes)
{
	static const uint32_t lengths[][2] = {{0xffffffff, 4}, {4, 0xffffffff}, {0xfffffff0, 0xff},
					      {NOTE_LEN, 0},   {0, NOTE_LEN},   {4, 3}};

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		struct bytes b = pvh_kernel(KERNEL_GPA, 8);
		struct boot_image *image;
		struct error err = {0};
		Elf64_Nhdr note = {.n_namesz = lengths[i][0],
				   .n_descsz = lengths[i][1],
				   .n_type = XEN_ELFNOTE_PHYS32_ENTRY};

		memset(b.data + NOTE_AT, 0, NOTE_LEN);
		memcpy(b.data + NOTE_AT, &note, sizeof(note));
		memcpy(b.data + NOTE_AT + sizeof(note), "Xen", 4);
		ck_assert_msg(image_open(&b, &err, &image) == 0, "%s", err.text);
		boot_close(image);
		bytes_finish(&b);
	}
}
END_TEST

START_TEST(memory_map)
{
	struct mem *mem = image_mem(GiB(5));
	struct bytes b = pvh_kernel(KERNEL_GPA, 8);
	struct hvm_memmap_table_entry table[BOOT_MEMMAP_MAX];
	struct boot_memmap want;
	struct hvm_start_info info;

	load(&b, mem);
	info = start_info(mem);
	boot_memmap_build(mem, &want);
	ck_assert_uint_eq(info.memmap_entries, want.count);
	ck_assert_uint_eq(info.nr_modules, 0);
	ck_assert_uint_eq(info.modlist_paddr, 0);
	ck_assert_int_eq(mem_read(mem, info.memmap_paddr, table, want.count * sizeof(table[0])), 0);
	for (size_t i = 0; i < want.count; i++) {
		ck_assert_uint_eq(table[i].addr, want.entries[i].start);
		ck_assert_uint_eq(table[i].size, want.entries[i].len);
		ck_assert_uint_eq(table[i].type, want.entries[i].type);
		ck_assert_uint_eq(table[i].reserved, 0);
	}
	bytes_finish(&b);
	mem_destroy(mem);
}
END_TEST

static void check_string(struct mem *mem, uint64_t gpa, const char *text)
{
	char back[256];

	ck_assert_int_eq(mem_read(mem, gpa, back, sizeof(back)), 0);
	ck_assert_str_eq(back, text);
}

START_TEST(modules_and_cmdline)
{
	struct mem *mem = image_mem(MiB(16));
	struct bytes b = pvh_kernel(KERNEL_GPA, 8);
	struct image_file kernel, initrd, module;
	struct boot_module modules[] = {{.cmdline = "one two"}};
	struct boot_config config = {
		.cmdline = "console=ttyS0", .modules = modules, .module_count = 1};
	struct hvm_modlist_entry list[2];
	struct hvm_start_info info;
	struct boot_image *image;
	struct boot_entry entry;
	struct error err = {0};

	image_file_init(&kernel, b.data, b.len);
	image_file_init(&initrd, "the initrd", 10);
	image_file_init(&module, "module", 6);
	config.kernel = kernel.path;
	config.initrd = initrd.path;
	modules[0].path = module.path;
	ck_assert_msg(boot_open(&config, &err, &image) == 0, "%s", err.text);
	/* Twice: as after a reboot. */
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(mem_release_all(mem), 0);
		ck_assert_msg(boot_load(image, mem, RSDP, &err, &entry) == 0, "%s", err.text);
		info = start_info(mem);
		check_string(mem, info.cmdline_paddr, "console=ttyS0");
		ck_assert_uint_eq(info.nr_modules, 2);
		ck_assert_int_eq(mem_read(mem, info.modlist_paddr, list, sizeof(list)), 0);
		ck_assert_uint_eq(list[0].paddr, KERNEL_GPA + 0x3000);
		ck_assert_uint_eq(list[0].size, 10);
		ck_assert_uint_eq(list[0].cmdline_paddr, 0);
		ck_assert_uint_eq(list[1].paddr, KERNEL_GPA + 0x4000);
		ck_assert_uint_eq(list[1].size, 6);
		check_string(mem, list[0].paddr, "the initrd");
		check_string(mem, list[1].paddr, "module");
		check_string(mem, list[1].cmdline_paddr, "one two");
	}
	boot_close(image);
	image_file_finish(&kernel);
	image_file_finish(&initrd);
	image_file_finish(&module);
	bytes_finish(&b);
	mem_destroy(mem);
}
END_TEST

START_TEST(shrunk_since_open)
{
	struct mem *mem = image_mem(MiB(16));
	struct bytes b = pvh_kernel(KERNEL_GPA, 8);
	struct image_file file;
	struct boot_config config = {.kernel = file.path};
	struct boot_image *image;
	struct boot_entry entry = {.rip = 77};
	struct error err = {0};

	image_file_init(&file, b.data, b.len);
	ck_assert_int_eq(boot_open(&config, &err, &image), 0);
	ck_assert_int_eq(ftruncate(file.fd, 0x2000), 0);
	ck_assert_int_eq(boot_load(image, mem, RSDP, &err, &entry), -EIO);
	ck_assert(image_error_has(&err, "too short"));
	ck_assert_uint_eq(entry.rip, 77);
	boot_close(image);
	image_file_finish(&file);
	bytes_finish(&b);
	mem_destroy(mem);
}
END_TEST

START_TEST(no_room)
{
	struct mem *mem = image_mem(MiB(2) + 0x2000);
	struct bytes b = pvh_kernel(KERNEL_GPA, 8);
	struct boot_image *image;
	struct boot_entry entry;
	struct error err = {0};

	ck_assert_int_eq(image_open(&b, &err, &image), 0);
	ck_assert_int_eq(boot_load(image, mem, RSDP, &err, &entry), -ENOSPC);
	ck_assert(image_error_has(&err, "needs memory at 0x200000-0x203000, the VM has 2 MiB"));
	boot_close(image);
	bytes_finish(&b);
	mem_destroy(mem);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("boot_pvh");
	TCase *t = tcase_create("boot_pvh");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, pvh);
	tcase_add_test(t, pvh_32);
	tcase_add_test(t, freestanding);
	tcase_add_test(t, refusals);
	tcase_add_test(t, low_pvh);
	tcase_add_test(t, broken_notes);
	tcase_add_test(t, memory_map);
	tcase_add_test(t, modules_and_cmdline);
	tcase_add_test(t, shrunk_since_open);
	tcase_add_test(t, no_room);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
