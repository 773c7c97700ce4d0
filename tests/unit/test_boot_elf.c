// SPDX-License-Identifier: MIT
/* ELF images: what is accepted, what is refused and how, and loading. */
#include <check.h>
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "boot_images.h"
#include "vmm/boot_elf.h"
#include "vmm/layout.h"

#define NAME "kernel.elf"

static struct boot_elf parsed;

/* Parses the first @head_len bytes of an image. */
static int parse(struct bytes *b, size_t head_len, struct error *err)
{
	void *head = malloc(head_len);
	int r;

	memcpy(head, b->data, head_len);
	memset(&parsed, 0, sizeof(parsed));
	r = boot_elf_parse(NAME, head, head_len, b->len, err, &parsed);
	free(head);
	return r;
}

static void accepted(const struct image_elf *elf)
{
	struct bytes b = image_elf_build(elf);
	struct error err = {0};

	ck_assert_msg(parse(&b, min_of(b.len, BOOT_HEAD_MAX), &err) == 0, "%s", err.text);
	bytes_finish(&b);
}

static void refused_bytes(struct bytes *b, const char *text)
{
	struct error err = {0};

	ck_assert_int_eq(parse(b, min_of(b->len, BOOT_HEAD_MAX), &err), -ENOEXEC);
	ck_assert_msg(strncmp(err.text, NAME ": ", strlen(NAME) + 2) == 0 && strstr(err.text, text),
		      "%s", err.text);
	ck_assert_uint_eq(parsed.segment_count, 0);
}

static void refused(const struct image_elf *elf, const char *text)
{
	struct bytes b = image_elf_build(elf);

	refused_bytes(&b, text);
	bytes_finish(&b);
}

START_TEST(simple)
{
	struct image_elf elf = image_elf_simple(0x100000, 0x2345);

	elf.phdrs[0].memsz = 0x10000;
	accepted(&elf);
	ck_assert(parsed.is_64);
	ck_assert_uint_eq(parsed.entry, 0x100000);
	ck_assert_uint_eq(parsed.end, 0x110000);
	ck_assert_uint_eq(parsed.segment_count, 1);
	ck_assert_uint_eq(parsed.segments[0].offset, 0x1000);
	ck_assert_uint_eq(parsed.segments[0].filesz, 0x2345);
	ck_assert_uint_eq(parsed.segments[0].gpa, 0x100000);
	ck_assert_uint_eq(parsed.segments[0].memsz, 0x10000);
	ck_assert(!boot_elf_contains(&parsed, 0xfffff));
	ck_assert(boot_elf_contains(&parsed, 0x100000));
	ck_assert(boot_elf_contains(&parsed, 0x10ffff));
	ck_assert(!boot_elf_contains(&parsed, 0x110000));
}
END_TEST

START_TEST(kinds)
{
	struct image_elf elf = image_elf_simple(0x100000, 0x1000);

	elf.type = ET_DYN;
	accepted(&elf);
	elf.is_32 = true;
	accepted(&elf);
	ck_assert(!parsed.is_64);
	ck_assert_uint_eq(parsed.segments[0].gpa, 0x100000);
	elf.type = ET_REL;
	refused(&elf, "relocatable object");
	elf.type = ET_CORE;
	refused(&elf, "not an executable");
}
END_TEST

START_TEST(machines)
{
	static const struct {
		uint16_t machine;
		const char *text;
	} rows[] = {{EM_AARCH64, "is for aarch64, this VM is x86-64"},
		    {EM_RISCV, "is for riscv"},
		    {EM_PPC64, "is for ppc64"},
		    {4711, "is for ELF machine 4711"}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct image_elf elf = image_elf_simple(0x100000, 0x1000);

		elf.machine = rows[i].machine;
		refused(&elf, rows[i].text);
	}
}
END_TEST

START_TEST(identity)
{
	struct image_elf elf = image_elf_simple(0x100000, 0x1000);
	struct bytes b = image_elf_build(&elf);
	struct error err = {0};

	ck_assert(boot_elf_is(b.data, b.len));
	ck_assert(!boot_elf_is(b.data, 3));
	b.data[EI_DATA] = ELFDATA2MSB;
	refused_bytes(&b, "big-endian");
	b.data[EI_DATA] = ELFDATA2LSB;
	b.data[EI_CLASS] = 9;
	refused_bytes(&b, "ELF class 9");
	b.data[EI_CLASS] = ELFCLASS64;
	for (size_t len = SELFMAG; len < sizeof(Elf64_Ehdr); len++)
		ck_assert_int_eq(parse(&b, len, &err), -ENOEXEC);
	ck_assert_ptr_nonnull(strstr(err.text, "truncated in the ELF header"));
	bytes_finish(&b);
}
END_TEST

START_TEST(header_places)
{
	struct image_elf elf = image_elf_simple(0x100000, 0x20000);
	struct bytes b = image_elf_build(&elf);
	Elf64_Ehdr *ehdr = (Elf64_Ehdr *)b.data;

	ehdr->e_phoff = BOOT_HEAD_MAX - 8;
	refused_bytes(&b, "headers");
	ehdr->e_phoff = UINT64_MAX - 8;
	refused_bytes(&b, "headers");
	ehdr->e_phoff = sizeof(*ehdr);
	ehdr->e_phnum = PN_XNUM;
	refused_bytes(&b, "program headers lie outside the first 64 KiB");
	ehdr->e_phnum = 0;
	refused_bytes(&b, "no loadable segment");
	ehdr->e_phnum = 1;
	/* Section headers may be nonsense: nobody looks at them. */
	ehdr->e_shoff = UINT64_MAX - 1;
	ehdr->e_shnum = 0;
	ehdr->e_shstrndx = SHN_XINDEX;
	ck_assert_int_eq(parse(&b, BOOT_HEAD_MAX, NULL), 0);
	bytes_finish(&b);
}
END_TEST

START_TEST(segment_sizes)
{
	struct image_elf good = image_elf_simple(0x100000, 0x1000), elf = good;

	elf.phdrs[0].filesz++;
	elf.phdrs[0].memsz++;
	refused(&elf, "truncated: 8192 bytes, but a segment needs 4097 at offset 4096");
	elf = good;
	elf.phdrs[0].memsz--;
	refused(&elf, "more bytes in the file (4096) than in memory (4095)");
	elf.phdrs[0].memsz = 0;
	refused(&elf, "more bytes in the file (4096) than in memory (0)");
	elf = good;
	elf.phdrs[0].offset = UINT64_MAX - 1;
	refused(&elf, "truncated");
	elf = good;
	elf.phdrs[0].gpa = UINT64_MAX - 0x800;
	refused(&elf, "wraps around");
	/* Nothing from the file: where in the file does not matter. */
	elf = good;
	elf.phdr_count = 2;
	elf.phdrs[1] = (struct image_phdr){PT_LOAD, UINT64_MAX, 0, 0x200000, 0x1000, 1};
	accepted(&elf);
	ck_assert_uint_eq(parsed.end, 0x201000);
}
END_TEST

START_TEST(segments_apart)
{
	struct image_elf elf = image_elf_simple(0x100000, 0x1000);

	elf.phdr_count = 2;
	elf.phdrs[1] = elf.phdrs[0];
	elf.phdrs[1].gpa += 0x1000;
	accepted(&elf);
	elf.phdrs[1].gpa--;
	refused(&elf, "segments at 0x100000 and 0x100fff overlap");
	elf.phdrs[1].gpa = 0xff001;
	refused(&elf, "overlap");
	/* Empty ones are nowhere. */
	elf.phdrs[1] = (struct image_phdr){PT_LOAD, 0x1000, 0, 0x100800, 0, 1};
	accepted(&elf);
	ck_assert_uint_eq(parsed.segment_count, 1);
}
END_TEST

START_TEST(many_segments)
{
	struct image_elf elf = image_elf_simple(0x100000, 0x2000);

	ck_assert_uint_gt(IMAGE_PHDRS_MAX, BOOT_SEGMENTS_MAX);
	elf.phdr_count = BOOT_SEGMENTS_MAX;
	for (size_t i = 0; i <= BOOT_SEGMENTS_MAX; i++)
		elf.phdrs[i] = (struct image_phdr){PT_LOAD, 0x1000, 0x1000, 0x100000 + i * 0x1000,
						   0x1000,  1};
	accepted(&elf);
	ck_assert_uint_eq(parsed.segment_count, BOOT_SEGMENTS_MAX);
	elf.phdr_count++;
	refused(&elf, "more than 64 loadable segments");
}
END_TEST

START_TEST(notes)
{
	struct image_elf elf = image_elf_simple(0x100000, 0x2000);

	elf.phdr_count = 12;
	for (size_t i = 1; i < elf.phdr_count; i++)
		elf.phdrs[i] = (struct image_phdr){PT_NOTE, 0x1000 + i, 0x20, 0, 0, i == 2 ? 8 : 1};
	accepted(&elf);
	ck_assert_uint_eq(parsed.note_count, BOOT_NOTES_MAX);
	ck_assert_uint_eq(parsed.notes[0].offset, 0x1001);
	ck_assert_uint_eq(parsed.notes[0].len, 0x20);
	ck_assert_uint_eq(parsed.notes[0].alignment, 4);
	ck_assert_uint_eq(parsed.notes[1].alignment, 8);
	elf.phdrs[3].filesz = 0x10000;
	refused(&elf, "truncated");
}
END_TEST

START_TEST(layout)
{
	static const struct {
		uint64_t gpa, len;
		bool long_mode, protected_mode;
	} rows[] = {
		{0x100000, 0x1000, true, true},   {0xff000, 0x1000, false, false},
		{0x9fc00, 0x10, false, false},    {0x9fbf0, 0x10, true, true},
		{0x40000, 0x5fc00, true, true},   {0x3ffff, 0x10, false, false},
		{0x8000, 0x28000, false, true},   {0x7fff, 0x10, false, false},
		{0x8000, 0x28001, false, false},  {0, 1, false, false},
		{0x1000, 0x200000, false, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct image_elf elf = image_elf_simple(rows[i].gpa, 0);
		struct error err = {0};

		elf.phdrs[0].memsz = rows[i].len;
		accepted(&elf);
		ck_assert_int_eq(boot_elf_check_layout(NAME, &parsed, true, &err),
				 rows[i].long_mode ? 0 : -ENOEXEC);
		ck_assert_int_eq(boot_elf_check_layout(NAME, &parsed, false, &err),
				 rows[i].protected_mode ? 0 : -ENOEXEC);
	}
}
END_TEST

START_TEST(memory)
{
	struct mem *mem = image_mem(GiB(3) + MiB(1));
	static const struct {
		uint64_t gpa, len, limit;
		const char *text;
	} rows[] = {
		{GiB(3) - 0x1000, 0x1000, GiB(30), NULL},
		{GiB(3) - 0xfff, 0x1000, GiB(30),
		 "needs memory at 0xbffff001-0xc0000001, the VM has"},
		{GiB(4), MiB(1), GiB(30), NULL},
		{GiB(4), MiB(1), GiB(4) + 1, "lies above 4 GiB"},
		{GiB(4), MiB(1) + 1, GiB(30), "needs memory"},
		{UINT64_MAX - 5, 2, UINT64_MAX, "needs memory"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct image_elf elf = image_elf_simple(rows[i].gpa, 0);
		struct error err = {0};
		int r;

		elf.phdrs[0].memsz = rows[i].len;
		accepted(&elf);
		r = boot_elf_check_memory(NAME, &parsed, mem, rows[i].limit, &err);
		ck_assert_int_eq(r, rows[i].text ? -ENOSPC : 0);
		if (rows[i].text)
			ck_assert_msg(strstr(err.text, rows[i].text), "%s", err.text);
	}
	mem_destroy(mem);
}
END_TEST

START_TEST(load)
{
	struct mem *mem = image_mem(MiB(16));
	struct image_elf elf = image_elf_simple(0x100123, 0x5000);
	struct image_file file;
	struct boot_file f;
	struct bytes b;
	struct error err = {0};
	uint8_t back[0x8000];

	elf.phdr_count = 2;
	elf.phdrs[0].filesz = 0x2000;
	elf.phdrs[1] = (struct image_phdr){PT_LOAD, 0x3333, 0x1111, 0x400000, 0x3000, 1};
	b = image_elf_build(&elf);
	accepted(&elf);
	image_file_init(&file, b.data, b.len);
	ck_assert_int_eq(boot_file_open(&f, file.path, &err), 0);
	ck_assert_int_eq(boot_elf_load(&parsed, &f, mem, &err), 0);
	ck_assert_int_eq(mem_read(mem, 0x100123, back, 0x5000), 0);
	ck_assert_mem_eq(back, b.data + 0x1000, 0x2000);
	for (size_t i = 0x2000; i < 0x5000; i++)
		ck_assert_uint_eq(back[i], 0);
	ck_assert_int_eq(mem_read(mem, 0x400000, back, 0x3000), 0);
	ck_assert_mem_eq(back, b.data + 0x3333, 0x1111);
	ck_assert_uint_eq(back[0x1111], 0);
	boot_file_close(&f);
	image_file_finish(&file);
	bytes_finish(&b);
	mem_destroy(mem);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("boot_elf");
	TCase *t = tcase_create("boot_elf");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, simple);
	tcase_add_test(t, kinds);
	tcase_add_test(t, machines);
	tcase_add_test(t, identity);
	tcase_add_test(t, header_places);
	tcase_add_test(t, segment_sizes);
	tcase_add_test(t, segments_apart);
	tcase_add_test(t, many_segments);
	tcase_add_test(t, notes);
	tcase_add_test(t, layout);
	tcase_add_test(t, memory);
	tcase_add_test(t, load);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
