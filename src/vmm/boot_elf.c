// SPDX-License-Identifier: MIT
/*
 * ELF images: parsing (libelf) and loading. No state; any thread.
 *
 * libelf gets a private copy of the image's first bytes and nothing else. It neither maps the file
 * nor allocates by what a section count claims, because the section headers are cut off before.
 */
#include "vmm/boot_elf.h"

#include <errno.h>
#include <gelf.h>
#include <libelf.h>
#include <string.h>

#include "vmm/layout.h"

bool boot_elf_is(const void *head, size_t len)
{
	return len >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0;
}

bool boot_elf_contains(const struct boot_elf *elf, uint64_t gpa)
{
	for (size_t i = 0; i < elf->segment_count; i++)
		if (gpa >= elf->segments[i].gpa &&
		    gpa - elf->segments[i].gpa < elf->segments[i].memsz)
			return true;
	return false;
}

/* Removes what refers to section headers, see the top. */
static void cut_sections(void *head, bool is_64)
{
	if (is_64) {
		Elf64_Ehdr *ehdr = head;

		ehdr->e_shoff = 0;
		ehdr->e_shnum = ehdr->e_shstrndx = 0;
	} else {
		Elf32_Ehdr *ehdr = head;

		ehdr->e_shoff = 0;
		ehdr->e_shnum = ehdr->e_shstrndx = 0;
	}
}

static int check_machine(const char *name, unsigned int machine, struct error *err)
{
	static const struct {
		unsigned int machine;
		const char *text;
	} known[] = {
		{EM_AARCH64, "aarch64"}, {EM_ARM, "arm"},       {EM_RISCV, "riscv"},
		{EM_PPC64, "ppc64"},     {EM_S390, "s390"},     {EM_MIPS, "mips"},
		{EM_IA_64, "ia64"},      {EM_SPARCV9, "sparc"}, {EM_LOONGARCH, "loongarch"},
	};

	if (machine == EM_X86_64 || machine == EM_386)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].machine == machine)
			return error_set(err, -ENOEXEC, "%s: is for %s, this VM is x86-64", name,
					 known[i].text);
	return error_set(err, -ENOEXEC, "%s: is for ELF machine %u, this VM is x86-64", name,
			 machine);
}

/* The bytes that say how to read all others. */
static int check_ident(const char *name, const uint8_t *head, size_t len, struct error *err)
{
	size_t need = len > EI_CLASS && head[EI_CLASS] == ELFCLASS64 ? sizeof(Elf64_Ehdr)
								     : sizeof(Elf32_Ehdr);

	if (len < need)
		return error_set(err, -ENOEXEC, "%s: truncated in the ELF header: %zu bytes", name,
				 len);
	if (head[EI_CLASS] != ELFCLASS64 && head[EI_CLASS] != ELFCLASS32)
		return error_set(err, -ENOEXEC, "%s: ELF class %u is unknown", name,
				 head[EI_CLASS]);
	if (head[EI_DATA] != ELFDATA2LSB)
		return error_set(err, -ENOEXEC, "%s: is a big-endian ELF file, this VM is x86-64",
				 name);
	return 0;
}

static int check_header(const char *name, const GElf_Ehdr *ehdr, struct error *err)
{
	int r = check_machine(name, ehdr->e_machine, err);

	if (r < 0)
		return r;
	if (ehdr->e_type == ET_REL)
		return error_set(err, -ENOEXEC,
				 "%s: is a relocatable object file, not an executable", name);
	if (ehdr->e_type != ET_EXEC && ehdr->e_type != ET_DYN)
		return error_set(err, -ENOEXEC, "%s: ELF type %u is not an executable", name,
				 ehdr->e_type);
	return 0;
}

static bool overlaps(uint64_t start, uint64_t len, uint64_t other, uint64_t other_len)
{
	return start < other + other_len && other < start + len;
}

int boot_elf_add_segment(const char *name, const struct boot_segment *s, struct error *err,
			 struct boot_elf *elf)
{
	unsigned long long start = s->gpa, len = s->memsz;
	uint64_t end;

	if (s->filesz > s->memsz)
		return error_set(
			err, -ENOEXEC,
			"%s: segment at %#llx has more bytes in the file (%llu) than in memory "
			"(%llu)",
			name, start, (unsigned long long)s->filesz, len);
	if (!checked_add(s->gpa, s->memsz, &end))
		return error_set(err, -ENOEXEC, "%s: segment at %#llx of %llu bytes wraps around",
				 name, start, len);
	for (size_t i = 0; i < elf->segment_count; i++)
		if (overlaps(s->gpa, s->memsz, elf->segments[i].gpa, elf->segments[i].memsz))
			return error_set(err, -ENOEXEC, "%s: segments at %#llx and %#llx overlap",
					 name, (unsigned long long)elf->segments[i].gpa, start);
	if (elf->segment_count == BOOT_SEGMENTS_MAX)
		return error_set(err, -ENOEXEC, "%s: has more than %d loadable segments", name,
				 BOOT_SEGMENTS_MAX);
	elf->segments[elf->segment_count++] = *s;
	elf->end = max_of(elf->end, end);
	return 0;
}

static int add_phdr(const char *name, const GElf_Phdr *ph, uint64_t size, struct error *err,
		    struct boot_elf *elf)
{
	struct boot_segment segment = {.offset = ph->p_offset,
				       .filesz = ph->p_filesz,
				       .gpa = ph->p_paddr,
				       .memsz = ph->p_memsz};

	if (ph->p_type != PT_LOAD && ph->p_type != PT_NOTE)
		return 0;
	if (ph->p_filesz && !range_within(ph->p_offset, ph->p_filesz, size))
		return error_set(
			err, -ENOEXEC,
			"%s: truncated: %llu bytes, but a segment needs %llu at offset %llu", name,
			(unsigned long long)size, (unsigned long long)ph->p_filesz,
			(unsigned long long)ph->p_offset);
	if (ph->p_type == PT_LOAD && ph->p_memsz == 0 && ph->p_filesz == 0)
		return 0;
	if (ph->p_type == PT_LOAD)
		return boot_elf_add_segment(name, &segment, err, elf);
	if (elf->note_count < BOOT_NOTES_MAX)
		elf->notes[elf->note_count++] =
			(struct boot_elf_note){.offset = ph->p_offset,
					       .len = ph->p_filesz,
					       .alignment = ph->p_align == 8 ? 8 : 4};
	return 0;
}

static int parse(const char *name, Elf *elf, uint64_t size, struct error *err, struct boot_elf *ret)
{
	GElf_Ehdr ehdr;
	size_t count;
	int r;

	if (elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &ehdr) ||
	    elf_getphdrnum(elf, &count) < 0)
		return error_set(err, -ENOEXEC, "%s: unusable ELF headers: %s", name,
				 elf_errmsg(-1));
	r = check_header(name, &ehdr, err);
	if (r < 0)
		return r;
	/* libelf leaves out headers that lie outside what it was given. */
	if (count != ehdr.e_phnum)
		return error_set(err, -ENOEXEC,
				 "%s: program headers lie outside the first %llu KiB of the file",
				 name, (unsigned long long)BOOT_HEAD_MAX >> 10);
	for (size_t i = 0; i < count; i++) {
		GElf_Phdr ph;

		if (!gelf_getphdr(elf, (int)i, &ph))
			return error_set(err, -ENOEXEC, "%s: unusable program header %zu: %s", name,
					 i, elf_errmsg(-1));
		r = add_phdr(name, &ph, size, err, ret);
		if (r < 0)
			return r;
	}
	if (ret->segment_count == 0)
		return error_set(err, -ENOEXEC, "%s: has no loadable segment", name);
	ret->entry = ehdr.e_entry;
	ret->is_64 = ehdr.e_ident[EI_CLASS] == ELFCLASS64;
	return 0;
}

int boot_elf_parse(const char *name, void *head, size_t head_len, uint64_t size, struct error *err,
		   struct boot_elf *ret)
{
	struct boot_elf image = {0};
	Elf *elf;
	int r = check_ident(name, head, head_len, err);

	if (r < 0)
		return r;
	cut_sections(head, ((uint8_t *)head)[EI_CLASS] == ELFCLASS64);
	if (elf_version(EV_CURRENT) == EV_NONE)
		return error_set(err, -ENOEXEC, "libelf is too old");
	elf = elf_memory(head, head_len);
	if (!elf)
		return error_set(err, -ENOEXEC, "%s: unusable ELF headers: %s", name,
				 elf_errmsg(-1));
	r = parse(name, elf, size, err, &image);
	elf_end(elf);
	if (r == 0)
		*ret = image;
	return r;
}

int boot_elf_check_layout(const char *name, const struct boot_elf *elf, bool long_mode,
			  struct error *err)
{
	/* Without paging the room of the page tables is free. */
	const struct {
		uint64_t start, end;
	} taken[] = {
		{0, LAYOUT_PAGE_TABLES},
		{long_mode ? LAYOUT_PAGE_TABLES : LAYOUT_CMDLINE,
		 LAYOUT_CMDLINE + LAYOUT_CMDLINE_MAX},
		{LAYOUT_LOW_RAM_END, LAYOUT_HIGH_RAM},
	};

	for (size_t i = 0; i < elf->segment_count; i++) {
		const struct boot_segment *s = &elf->segments[i];

		for (size_t j = 0; j < ARRAY_SIZE(taken); j++)
			if (overlaps(s->gpa, s->memsz, taken[j].start,
				     taken[j].end - taken[j].start))
				return error_set(
					err, -ENOEXEC,
					"%s: segment %#llx-%#llx lies where boot data belongs "
					"(%#llx-%#llx); link it at %#llx or above",
					name, (unsigned long long)s->gpa,
					(unsigned long long)(s->gpa + s->memsz),
					(unsigned long long)taken[j].start,
					(unsigned long long)taken[j].end, LAYOUT_HIGH_RAM);
	}
	return 0;
}

int boot_elf_check_memory(const char *name, const struct boot_elf *elf, const struct mem *mem,
			  uint64_t limit, struct error *err)
{
	for (size_t i = 0; i < elf->segment_count; i++) {
		const struct boot_segment *s = &elf->segments[i];

		if (!mem_is_ram(mem, s->gpa, s->memsz))
			return error_set(
				err, -ENOSPC,
				"%s: needs memory at %#llx-%#llx, the VM has %llu MiB in all", name,
				(unsigned long long)s->gpa, (unsigned long long)(s->gpa + s->memsz),
				(unsigned long long)mem_size(mem) >> 20);
		if (!range_within(s->gpa, s->memsz, limit))
			return error_set(
				err, -ENOSPC, "%s: segment %#llx-%#llx lies above %llu GiB", name,
				(unsigned long long)s->gpa, (unsigned long long)(s->gpa + s->memsz),
				(unsigned long long)limit >> 30);
	}
	return 0;
}

int boot_elf_load(const struct boot_elf *elf, const struct boot_file *file, struct mem *mem,
		  struct error *err)
{
	for (size_t i = 0; i < elf->segment_count; i++) {
		const struct boot_segment *s = &elf->segments[i];
		int r = boot_file_load(file, s->offset, s->filesz, mem, s->gpa, err);

		if (r < 0)
			return r;
	}
	return 0;
}
