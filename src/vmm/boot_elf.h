// SPDX-License-Identifier: MIT
/*
 * ELF images as boot loaders see them: a list of stretches to copy, and an entry. Everything that
 * can be checked without guest memory is checked when an image is parsed.
 */
#pragma once

#include "vmm/boot_file.h"

/* How much of an image is read to find headers. ELF and program headers must lie within. */
#define BOOT_HEAD_MAX KiB(64)

#define BOOT_SEGMENTS_MAX 64
#define BOOT_NOTES_MAX    8

/* [offset, offset + filesz) of the image goes to gpa; up to memsz the rest is zero. */
struct boot_segment {
	uint64_t offset;
	uint64_t filesz;
	uint64_t gpa;
	uint64_t memsz; /* not 0, and gpa + memsz does not wrap */
};

/* A PT_NOTE segment: where it is in the image. */
struct boot_elf_note {
	uint64_t offset;
	uint64_t len;
	uint64_t alignment; /* 4 or 8 */
};

struct boot_elf {
	bool is_64;
	uint64_t entry;
	uint64_t end; /* of the highest segment */
	size_t segment_count, note_count;
	struct boot_segment
		segments[BOOT_SEGMENTS_MAX]; /* at least one; no two overlap in memory */
	struct boot_elf_note notes[BOOT_NOTES_MAX];
};

/* True when @head starts as an ELF file of any kind does. */
bool boot_elf_is(const void *head, size_t len);

/*
 * Parses the first bytes of an x86 executable of @size bytes. @name is what errors call it. @head
 * is changed: the reference to section headers is removed, so that libelf never follows it.
 * -ENOEXEC with text.
 */
int boot_elf_parse(const char *name, void *head, size_t head_len, uint64_t size, struct error *err,
		   struct boot_elf *ret) must_check;

/* Adds a segment after checking it; for images that are described otherwise than by ELF headers. */
int boot_elf_add_segment(const char *name, const struct boot_segment *segment, struct error *err,
			 struct boot_elf *elf) must_check;

/* True when @gpa lies in a segment. */
bool boot_elf_contains(const struct boot_elf *elf, uint64_t gpa);

/*
 * -ENOEXEC with text if a segment lies below 1 MiB where a guest's boot data belongs, which for
 * long mode includes page tables.
 */
int boot_elf_check_layout(const char *name, const struct boot_elf *elf, bool long_mode,
			  struct error *err) must_check;

/* -ENOSPC with text unless every segment is in RAM and below @limit. */
int boot_elf_check_memory(const char *name, const struct boot_elf *elf, const struct mem *mem,
			  uint64_t limit, struct error *err) must_check;

/* Copies the segments of an uncompressed file; the memory behind them is zero already. */
int boot_elf_load(const struct boot_elf *elf, const struct boot_file *file, struct mem *mem,
		  struct error *err) must_check;
