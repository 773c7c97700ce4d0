// SPDX-License-Identifier: MIT
/*
 * Kernel files for the boot loaders' tests, built in memory: no file of the host is needed.
 */
#pragma once

#include "vmm/boot.h"

/* A file without a name, opened anew through its path. */
struct image_file {
	int fd;
	char path[64];
};

/* A checked failure ends the test. */
void image_file_init(struct image_file *file, const void *data, size_t len);
void image_file_finish(struct image_file *file);

struct bytes {
	uint8_t *data;
	size_t len;
};

void bytes_finish(struct bytes *bytes);

/* Bytes that no two neighbouring stretches share, none of them 0. */
uint8_t image_pattern(uint64_t at);

struct image_phdr {
	uint32_t type;
	uint64_t offset, filesz, gpa, memsz, align;
};

#define IMAGE_PHDRS_MAX 72

/* An ELF file of @size bytes of pattern, with headers at its start. Zero fields have defaults. */
struct image_elf {
	bool is_32;
	uint16_t machine; /* EM_X86_64 or EM_386 */
	uint16_t type;    /* ET_EXEC */
	uint64_t entry;
	size_t size;
	size_t phdr_count;
	struct image_phdr phdrs[IMAGE_PHDRS_MAX];
};

struct bytes image_elf_build(const struct image_elf *elf);

/* One segment of @len bytes at offset 0x1000, loaded at @gpa; the entry is its start. */
struct image_elf image_elf_simple(uint64_t gpa, uint64_t len);

/* Adds an ELF note to the image's bytes at @offset and returns its length. */
size_t image_note(struct bytes *image, size_t offset, const char *owner, uint32_t type,
		  const void *desc, uint32_t desc_len);

enum image_packing { PACK_LZ4, PACK_GZIP, PACK_XZ, PACK_LZMA, PACK_ZSTD };

/* What a kernel's build makes of its image: compressed, and (but for gzip) the size appended. */
struct bytes image_pack(const struct bytes *image, enum image_packing packing);

/* A bzImage of a kernel like those of today around @payload. */
struct bytes image_bzimage(const struct bytes *payload);

struct setup_header;
/* The setup header inside, to be changed. Not aligned. */
struct setup_header *image_header(struct bytes *bzimage);

struct mem *image_mem(uint64_t size);

/* boot_open() of a kernel alone. */
int image_open(const struct bytes *kernel, struct error *err, struct boot_image **ret);

/* True when the error names the file and has @text in it. */
bool image_error_has(const struct error *err, const char *text);
