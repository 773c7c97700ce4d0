// SPDX-License-Identifier: MIT
/* bzImages: the setup header, unpacked and self-unpacking kernels, initrd, and the zero page. */
#include <check.h>
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot_images.h"
#include "vmm/boot_memmap.h"
#include "vmm/layout.h"
#include "vmm/linux_boot_proto.h"

#define RSDP       0xe0040u
#define KERNEL_GPA 0x1000000u

/* A payload that no host can unpack. */
static struct bytes foreign_payload(void)
{
	static const uint8_t magic[] = {'B', 'Z', 'h', '9'};
	struct bytes payload = {.data = calloc(1, 0x5000), .len = 0x5000};

	memcpy(payload.data, magic, sizeof(magic));
	return payload;
}

static struct bytes self_unpacking(void)
{
	struct bytes payload = foreign_payload(), b = image_bzimage(&payload);

	bytes_finish(&payload);
	return b;
}

static void refused(const struct bytes *b, const char *text)
{
	struct boot_image *image = NULL;
	struct error err = {0};

	ck_assert_int_lt(image_open(b, &err, &image), 0);
	ck_assert(image_error_has(&err, text));
	ck_assert_ptr_null(image);
}

/* What to load, and what came of it. */
struct run {
	const struct bytes *kernel;
	uint64_t initrd_len; /* 0: none */
	const char *cmdline;
	struct mem *mem;
	int result;
	struct error err;
	struct boot_entry entry;
	struct boot_params params;
};

static void run(struct run *r)
{
	struct image_file kernel, initrd;
	struct boot_config config = {.kernel = kernel.path, .cmdline = r->cmdline};
	struct boot_image *image;

	image_file_init(&kernel, r->kernel->data, r->kernel->len);
	image_file_init(&initrd, "INITRD", 6);
	ck_assert_int_eq(ftruncate(initrd.fd, (off_t)r->initrd_len), 0);
	if (r->initrd_len)
		config.initrd = initrd.path;
	ck_assert_msg(boot_open(&config, &r->err, &image) == 0, "%s", r->err.text);
	r->result = boot_load(image, r->mem, RSDP, &r->err, &r->entry);
	boot_close(image);
	image_file_finish(&kernel);
	image_file_finish(&initrd);
	if (r->result == 0)
		ck_assert_int_eq(
			mem_read(r->mem, LAYOUT_BOOT_PARAMS, &r->params, sizeof(r->params)), 0);
}

static void run_well(struct run *r)
{
	run(r);
	ck_assert_msg(r->result == 0, "%s", r->err.text);
	ck_assert(r->entry.long_mode);
	ck_assert_uint_eq(r->entry.rsi, LAYOUT_BOOT_PARAMS);
	ck_assert_uint_eq(r->entry.rdi, 0);
	ck_assert_uint_eq(r->entry.rbx, 0);
}

START_TEST(header_refusals)
{
	struct bytes b = self_unpacking(), whole = b;
	struct setup_header *hdr = image_header(&b), good = *hdr;

	hdr->boot_flag = 0;
	refused(&b, "not a kernel");
	*hdr = good;
	hdr->version = 0x0205;
	refused(&b, "boot protocol 2.05: 2.06 (Linux 2.6.22) or later is needed");
	*hdr = good;
	hdr->loadflags = 0;
	refused(&b, "is a zImage");
	*hdr = good;
	hdr->xloadflags = 0;
	refused(&b, "has no 64-bit entry");
	*hdr = good;
	/* A field that this version does not have yet. */
	hdr->version = 0x020b;
	refused(&b, "has no 64-bit entry");
	*hdr = good;
	hdr->payload_offset++;
	b.len -= b.len % 16;
	hdr->payload_length = (uint32_t)(b.len - 2048 - hdr->payload_offset + 1);
	refused(&b, "the payload lies outside the file");
	hdr->payload_offset = 0xffffffff;
	refused(&b, "the payload lies outside the file");
	*hdr = good;
	hdr->syssize = 0;
	refused(&b, "damaged setup header: no code");
	bytes_finish(&whole);
}
END_TEST

START_TEST(truncated)
{
	struct bytes b = self_unpacking();
	size_t whole = b.len;

	b.len -= 16;
	refused(&b, "truncated: 23536 bytes, setup header says 23552");
	b.len = 2048;
	refused(&b, "truncated");
	b.len = 0x26b;
	refused(&b, "truncated: 619 bytes, the setup header alone ends at 620");
	b.len = 0x208;
	refused(&b, "truncated");
	b.len = 0x207;
	refused(&b, "not a kernel");
	image_header(&b)->syssize = 0xffffffff;
	b.len = whole;
	refused(&b, "setup header says 68719478768");
	bytes_finish(&b);
}
END_TEST

START_TEST(modules_refused)
{
	struct bytes b = self_unpacking();
	struct image_file file;
	struct boot_module modules[] = {{.path = file.path}};
	struct boot_config config = {.kernel = file.path, .modules = modules, .module_count = 1};
	struct boot_image *image;
	struct error err = {0};

	image_file_init(&file, b.data, b.len);
	ck_assert_int_eq(boot_open(&config, &err, &image), -EINVAL);
	ck_assert(image_error_has(&err, "takes an initrd but no modules"));
	image_file_finish(&file);
	bytes_finish(&b);
}
END_TEST

START_TEST(self_unpack)
{
	struct bytes b = self_unpacking();
	struct run r = {.kernel = &b, .mem = image_mem(MiB(64))};
	uint8_t *back = malloc(b.len);
	size_t len = b.len - 2048;

	run_well(&r);
	ck_assert_int_eq(r.entry.protocol, BOOT_LINUX_SELF_UNPACK);
	ck_assert_uint_eq(r.entry.rip, 0x1000200);
	ck_assert_uint_eq(r.params.hdr.code32_start, 0x1000000);
	ck_assert_int_eq(mem_read(r.mem, 0x1000000, back, len), 0);
	ck_assert_mem_eq(back, b.data + 2048, len);
	free(back);
	mem_destroy(r.mem);
	bytes_finish(&b);
}
END_TEST

START_TEST(self_unpack_places)
{
	static const struct {
		uint64_t pref;
		uint32_t alignment;
		uint8_t relocatable;
		uint64_t want; /* 0: refused */
		const char *text;
	} rows[] = {
		{0x1000000, 0x200000, 0, 0x100000, NULL},
		{0x1100000, 0x200000, 1, 0x1200000, NULL},
		{0x8000, 0x200000, 1, 0x200000, NULL},
		{0, 0, 1, 0x100000, NULL},
		{0x1000000, 0, 1, 0, "damaged setup header: kernel_alignment"},
		{0x1000000, 0x300000, 1, 0, "damaged setup header: kernel_alignment"},
		{0x3900000, 0x200000, 1, 0, "needs 8 MiB of memory at 0x3a00000 to unpack itself"},
		{UINT64_MAX, 0x200000, 1, 0, "needs 8 MiB of memory at 0"},
		{GiB(40), 0x200000, 1, 0, "needs 8 MiB"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct bytes b = self_unpacking();
		struct run r = {.kernel = &b, .mem = image_mem(MiB(64))};

		image_header(&b)->pref_address = rows[i].pref;
		image_header(&b)->kernel_alignment = rows[i].alignment;
		image_header(&b)->relocatable_kernel = rows[i].relocatable;
		run(&r);
		if (rows[i].want) {
			ck_assert_msg(r.result == 0, "%s", r.err.text);
			ck_assert_uint_eq(r.entry.rip, rows[i].want + 0x200);
		} else {
			ck_assert_int_lt(r.result, 0);
			ck_assert(image_error_has(&r.err, rows[i].text));
		}
		mem_destroy(r.mem);
		bytes_finish(&b);
	}
}
END_TEST

START_TEST(zero_page)
{
	struct bytes b = self_unpacking();
	struct run r = {.kernel = &b, .cmdline = "console=ttyS0", .mem = image_mem(GiB(5))};
	static const uint8_t zero[0x1f0];
	struct boot_memmap want;
	char line[32];

	run_well(&r);
	ck_assert_uint_eq(r.params.acpi_rsdp_addr, RSDP);
	ck_assert_uint_eq(r.params.hdr.header, LINUX_SETUP_MAGIC);
	ck_assert_uint_eq(r.params.hdr.version, 0x020f);
	ck_assert_uint_eq(r.params.hdr.type_of_loader, 0xff);
	ck_assert_uint_eq(r.params.hdr.loadflags, LINUX_LOADED_HIGH);
	ck_assert_uint_eq(r.params.hdr.cmd_line_ptr, LAYOUT_CMDLINE);
	ck_assert_uint_eq(r.params.hdr.ramdisk_image, 0);
	ck_assert_uint_eq(r.params.hdr.ramdisk_size, 0);
	ck_assert_uint_eq(r.params.alt_mem_k, (GiB(3) - MiB(1)) >> 10);
	ck_assert_uint_eq(r.params.sentinel, 0);
	ck_assert_mem_eq(r.params.screen_info, zero, sizeof(r.params.screen_info));
	ck_assert_int_eq(mem_read(r.mem, LAYOUT_CMDLINE, line, sizeof(line)), 0);
	ck_assert_str_eq(line, "console=ttyS0");
	boot_memmap_build(r.mem, &want);
	ck_assert_uint_eq(r.params.e820_entries, want.count);
	for (size_t i = 0; i < want.count; i++) {
		ck_assert_uint_eq(r.params.e820_table[i].addr, want.entries[i].start);
		ck_assert_uint_eq(r.params.e820_table[i].size, want.entries[i].len);
		ck_assert_uint_eq(r.params.e820_table[i].type, want.entries[i].type);
	}
	mem_destroy(r.mem);
	bytes_finish(&b);
}
END_TEST

/* Another one for each start. */
START_TEST(seed)
{
	struct bytes b = self_unpacking();
	struct run r = {.kernel = &b, .mem = image_mem(MiB(64))};
	struct {
		struct setup_data head;
		uint8_t seed[LINUX_SETUP_RNG_SEED_LEN];
	} node[2];
	static const uint8_t zero[LINUX_SETUP_RNG_SEED_LEN];
	uint64_t at;

	for (int i = 0; i < 2; i++) {
		run_well(&r);
		at = r.params.hdr.setup_data;
		ck_assert_uint_ge(at, LAYOUT_BOOT_PARAMS + sizeof(r.params));
		ck_assert_uint_le(at + sizeof(node[i]), LAYOUT_BOOT_MEMMAP);
		ck_assert_int_eq(mem_read(r.mem, at, &node[i], sizeof(node[i])), 0);
		ck_assert_uint_eq(node[i].head.next, 0);
		ck_assert_uint_eq(node[i].head.type, 9);
		ck_assert_uint_eq(node[i].head.len, 32);
		ck_assert_mem_ne(node[i].seed, zero, sizeof(zero));
	}
	ck_assert_mem_ne(node[0].seed, node[1].seed, sizeof(zero));
	mem_destroy(r.mem);
	bytes_finish(&b);
}
END_TEST

/* Only as much of the header is taken over as this kernel's protocol has. */
START_TEST(short_header)
{
	struct bytes b = self_unpacking();
	struct run r = {.kernel = &b, .mem = image_mem(MiB(64))};

	b.data[LINUX_JUMP_LEN_OFFSET] = 0x260 - 0x202;
	run_well(&r);
	ck_assert_uint_eq(r.params.hdr.pref_address, 0x1000000);
	ck_assert_uint_eq(r.params.hdr.init_size, 0);
	mem_destroy(r.mem);
	bytes_finish(&b);
}
END_TEST

START_TEST(cmdline_limits)
{
	struct bytes b = self_unpacking();
	struct run r = {.kernel = &b, .mem = image_mem(MiB(64))};
	char line[2049];

	memset(line, 'x', sizeof(line));
	line[2048] = 0;
	r.cmdline = line;
	run(&r);
	ck_assert_int_eq(r.result, -E2BIG);
	ck_assert(image_error_has(&r.err, "command line of 2048 bytes: this kernel takes at most "
					  "2047"));
	r.cmdline = line + 1;
	run_well(&r);
	mem_destroy(r.mem);
	bytes_finish(&b);
}
END_TEST

START_TEST(initrd_places)
{
	static const struct {
		uint64_t memory, initrd, max, want; /* want 0: refused */
	} rows[] = {
		{MiB(64), 6, 0x7fffffff, MiB(64) - 4096},
		{MiB(64), 4097, 0x7fffffff, MiB(64) - 8192},
		/* Up to the limit, which is the last address that may be used. */
		{MiB(64), 4096, 0x2ffffff, 0x2fff000},
		{MiB(64), 4096, 0x2fffffe, 0x2ffe000},
		/* The kernel's init_size reaches to 24 MiB. */
		{MiB(64), MiB(40), 0x7fffffff, MiB(24)},
		{MiB(64), MiB(40) + 1, 0x7fffffff, 0},
		{MiB(64), 1, MiB(24) - 1, 0},
		{MiB(64), MiB(100), 0x7fffffff, 0},
		{GiB(5), 4096, 0xffffffff, GiB(3) - 4096},
		{GiB(5), 4096, 0x7fffffff, GiB(2) - 4096},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct bytes b = self_unpacking();
		struct run r = {.kernel = &b,
				.initrd_len = rows[i].initrd,
				.mem = image_mem(rows[i].memory)};
		char back[6];

		image_header(&b)->initrd_addr_max = (uint32_t)rows[i].max;
		run(&r);
		if (rows[i].want) {
			ck_assert_msg(r.result == 0, "%s", r.err.text);
			ck_assert_uint_eq(r.params.hdr.ramdisk_image, rows[i].want);
			ck_assert_uint_eq(r.params.hdr.ramdisk_size, rows[i].initrd);
			ck_assert_uint_eq(r.params.ext_ramdisk_image, 0);
			ck_assert_int_eq(mem_read(r.mem, rows[i].want, back, 6), 0);
			ck_assert_mem_eq(back, "INITRD", 6);
		} else {
			ck_assert_int_eq(r.result, -ENOSPC);
			ck_assert(image_error_has(&r.err, "KiB does not fit"));
		}
		mem_destroy(r.mem);
		bytes_finish(&b);
	}
}
END_TEST

/* What does not fit below may go above 4 GiB if the kernel says so. */
START_TEST(initrd_above_4g)
{
	struct bytes b = self_unpacking();
	struct run r = {.kernel = &b, .initrd_len = MiB(1), .mem = image_mem(GiB(4))};
	char back[6];

	image_header(&b)->initrd_addr_max = MiB(25) - 1;
	run_well(&r);
	ck_assert_uint_eq(r.params.hdr.ramdisk_image, MiB(24));
	r.initrd_len++;
	run_well(&r);
	ck_assert_uint_eq(r.params.ext_ramdisk_image, 1);
	ck_assert_uint_eq(r.params.hdr.ramdisk_image, GiB(1) - MiB(1) - 4096);
	ck_assert_uint_eq(r.params.ext_ramdisk_size, 0);
	ck_assert_int_eq(mem_read(r.mem, GiB(5) - MiB(1) - 4096, back, 6), 0);
	ck_assert_mem_eq(back, "INITRD", 6);
	image_header(&b)->xloadflags = LINUX_XLF_KERNEL_64;
	run(&r);
	ck_assert_int_eq(r.result, -ENOSPC);
	ck_assert(image_error_has(&r.err,
				  "initrd of 1025 KiB does not fit: between the kernel's end "
				  "and its limit for an initrd there are 1024 KiB"));
	mem_destroy(r.mem);
	bytes_finish(&b);
}
END_TEST

#ifdef HAVE_LZ4

/* Two segments moved by different distances, and a bss, as in a real vmlinux. */
static struct image_elf vmlinux(void)
{
	struct image_elf elf = image_elf_simple(KERNEL_GPA, 0x8000);

	elf.size = 0x10000;
	elf.phdr_count = 2;
	elf.phdrs[1] =
		(struct image_phdr){PT_LOAD, 0xa000, 0x4000, KERNEL_GPA + 0x20000, 0x9000, 1};
	return elf;
}

static struct bytes pack_elf(const struct image_elf *elf)
{
	struct bytes image = image_elf_build(elf), payload = image_pack(&image, PACK_LZ4);
	struct bytes b = image_bzimage(&payload);

	bytes_finish(&image);
	bytes_finish(&payload);
	return b;
}

START_TEST(unpacked)
{
	struct image_elf elf = vmlinux();
	struct bytes b = pack_elf(&elf), image = image_elf_build(&elf);
	struct run r = {.kernel = &b, .initrd_len = 6, .mem = image_mem(MiB(64))};
	uint8_t back[0x9000];

	/* Twice, as for a reboot. */
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(mem_release_all(r.mem), 0);
		run_well(&r);
		ck_assert_int_eq(r.entry.protocol, BOOT_LINUX);
		ck_assert_uint_eq(r.entry.rip, KERNEL_GPA);
		ck_assert_uint_eq(r.params.hdr.code32_start, 0x100000);
		ck_assert_uint_eq(r.params.hdr.ramdisk_image, MiB(64) - 4096);
		ck_assert_int_eq(mem_read(r.mem, KERNEL_GPA, back, 0x8000), 0);
		ck_assert_mem_eq(back, image.data + 0x1000, 0x8000);
		ck_assert_int_eq(mem_read(r.mem, KERNEL_GPA + 0x20000, back, 0x9000), 0);
		ck_assert_mem_eq(back, image.data + 0xa000, 0x4000);
		for (size_t j = 0x4000; j < 0x9000; j++)
			ck_assert_uint_eq(back[j], 0);
	}
	mem_destroy(r.mem);
	bytes_finish(&b);
	bytes_finish(&image);
}
END_TEST

/* Its 64-bit entry may be missing: it is not used. */
START_TEST(unpacked_old_protocol)
{
	struct image_elf elf = vmlinux();
	struct bytes b = pack_elf(&elf);
	struct run r = {.kernel = &b, .mem = image_mem(MiB(64))};

	image_header(&b)->version = 0x0208;
	image_header(&b)->xloadflags = 0;
	run_well(&r);
	ck_assert_int_eq(r.entry.protocol, BOOT_LINUX);
	/* Nor does it know of setup data. */
	ck_assert_uint_eq(r.params.hdr.setup_data, 0);
	mem_destroy(r.mem);
	bytes_finish(&b);
}
END_TEST

START_TEST(unpacked_refusals)
{
	struct image_elf elf = vmlinux();
	struct bytes b;

	elf.is_32 = true;
	b = pack_elf(&elf);
	refused(&b, "(unpacked): is a 32-bit kernel, a 64-bit one is needed");
	bytes_finish(&b);
	elf = vmlinux();
	elf.entry = 0xffffffff81000000;
	b = pack_elf(&elf);
	refused(&b, "(unpacked): entry 0xffffffff81000000 lies in no segment");
	bytes_finish(&b);
	elf = vmlinux();
	elf.phdrs[1].gpa = 0x20000;
	b = pack_elf(&elf);
	refused(&b, "(unpacked): segment 0x20000-0x29000 lies where boot data belongs");
	bytes_finish(&b);
	elf = vmlinux();
	elf.phdrs[1].filesz = elf.phdrs[1].memsz = 0x9000;
	b = pack_elf(&elf);
	refused(&b, "(unpacked): truncated: 65536 bytes, but a segment needs 36864");
	bytes_finish(&b);
}
END_TEST

/* Something else inside that the kernel's own code may know what to do with. */
START_TEST(not_elf_inside)
{
	uint8_t data[5000] = "not ELF";
	struct bytes image = {.data = data, .len = sizeof(data)};
	struct bytes payload = image_pack(&image, PACK_LZ4), b = image_bzimage(&payload);
	struct run r = {.kernel = &b, .mem = image_mem(MiB(64))};

	run_well(&r);
	ck_assert_int_eq(r.entry.protocol, BOOT_LINUX_SELF_UNPACK);
	mem_destroy(r.mem);
	bytes_finish(&payload);
	bytes_finish(&b);
}
END_TEST

START_TEST(unpacked_damaged)
{
	struct image_elf elf = vmlinux();
	struct bytes b;
	struct run r = {.kernel = &b, .mem = image_mem(MiB(64))};
	struct boot_entry before;

	/* Behind the part that opening looks at: the image's headers are in its first 64 KiB. */
	elf.size = 0x40000;
	b = pack_elf(&elf);
	memset(b.data + b.len - 200, 0, 100);
	memset(&r.entry, 0x77, sizeof(r.entry));
	before = r.entry;
	run(&r);
	ck_assert_int_eq(r.result, -EBADMSG);
	ck_assert(image_error_has(&r.err, "the LZ4 payload is damaged"));
	ck_assert_mem_eq(&r.entry, &before, sizeof(before));
	mem_destroy(r.mem);
	bytes_finish(&b);
}
END_TEST

START_TEST(unpacked_no_room)
{
	struct image_elf elf = vmlinux();
	struct bytes b = pack_elf(&elf);
	struct run r = {.kernel = &b, .mem = image_mem(KERNEL_GPA + 0x28000)};

	run(&r);
	ck_assert_int_eq(r.result, -ENOSPC);
	ck_assert(
		image_error_has(&r.err, "needs memory at 0x1020000-0x1029000, the VM has 16 MiB"));
	/* The kernel needs init_size only while unpacking itself. */
	mem_destroy(r.mem);
	r.mem = image_mem(KERNEL_GPA + 0x29000);
	run_well(&r);
	mem_destroy(r.mem);
	bytes_finish(&b);
}
END_TEST

#endif

int main(void)
{
	Suite *s = suite_create("boot_linux");
	TCase *t = tcase_create("boot_linux");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, header_refusals);
	tcase_add_test(t, truncated);
	tcase_add_test(t, modules_refused);
	tcase_add_test(t, self_unpack);
	tcase_add_test(t, self_unpack_places);
	tcase_add_test(t, zero_page);
	tcase_add_test(t, seed);
	tcase_add_test(t, short_header);
	tcase_add_test(t, cmdline_limits);
	tcase_add_test(t, initrd_places);
	tcase_add_test(t, initrd_above_4g);
#ifdef HAVE_LZ4
	tcase_add_test(t, unpacked);
	tcase_add_test(t, unpacked_old_protocol);
	tcase_add_test(t, unpacked_refusals);
	tcase_add_test(t, not_elf_inside);
	tcase_add_test(t, unpacked_damaged);
	tcase_add_test(t, unpacked_no_room);
#endif
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
