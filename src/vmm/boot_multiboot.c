// SPDX-License-Identifier: MIT
/*
 * Multiboot 0.6.96 kernels. No state.
 *
 * As with QEMU and GRUB Legacy, the command line starts with the name of the kernel file, and a
 * module without a command line of its own gets its file's name: kernels skip the first word.
 */
#include "vmm/boot_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/boot_memmap.h"
#include "vmm/layout.h"
#include "vmm/multiboot_proto.h"

#define LOADER_NAME        "candela"
#define LOADER_NAME_OFFSET KiB(2) /* in the page of the information structure */

/* Header flags whose demands are met. */
#define FLAGS_SERVED (MULTIBOOT_PAGE_ALIGN | MULTIBOOT_MEMORY_INFO)

_Static_assert(sizeof(struct multiboot_info) <= LOADER_NAME_OFFSET, "information structure");
_Static_assert(BOOT_MEMMAP_MAX * sizeof(struct multiboot_mmap_entry) <=
		       BOOT_MODLIST - LAYOUT_BOOT_MEMMAP,
	       "memory map");
_Static_assert(MULTIBOOT_MEMORY_AVAILABLE == BOOT_MEMMAP_RAM &&
		       MULTIBOOT_MEMORY_RESERVED == BOOT_MEMMAP_RESERVED,
	       "memory types");
_Static_assert(BOOT_MODULES_MAX * sizeof(struct multiboot_module) <= BOOT_MODLIST_LEN, "modules");

/* Section 3.1: within the first 8 KiB, 4-byte aligned, the first three words add up to 0. */
static bool find_header(const uint8_t *head, size_t len, struct multiboot_header *ret,
			size_t *ret_at)
{
	len = min_of(len, (size_t)MULTIBOOT_SEARCH);
	for (size_t at = 0; range_within(at, MULTIBOOT_HEADER_MIN_LEN, len);
	     at += MULTIBOOT_HEADER_ALIGN) {
		struct multiboot_header h = {0};

		memcpy(&h, head + at, min_of(sizeof(h), len - at));
		if (h.magic != MULTIBOOT_HEADER_MAGIC || h.magic + h.flags + h.checksum != 0)
			continue;
		if ((h.flags & MULTIBOOT_AOUT_KLUDGE) && !range_within(at, sizeof(h), len))
			continue;
		*ret = h;
		*ret_at = at;
		return true;
	}
	return false;
}

static int check_flags(const char *path, uint32_t flags, struct error *err)
{
	uint32_t unknown = flags & MULTIBOOT_REQUIRED_MASK & ~FLAGS_SERVED;

	if (unknown & MULTIBOOT_VIDEO_MODE)
		return error_set(
			err, -ENOEXEC,
			"%s: its multiboot header asks for a video mode, which there is none of",
			path);
	if (unknown)
		return error_set(err, -ENOEXEC,
				 "%s: its multiboot header requires unknown features %#x", path,
				 unknown);
	return 0;
}

/* Section 3.1.3: the header itself says what is loaded where. */
static int use_addresses(struct boot_image *image, const struct multiboot_header *h, size_t at,
			 struct error *err)
{
	uint64_t size = image->kernel.size, before = (uint64_t)h->header_addr - h->load_addr;
	struct boot_segment s = {.gpa = h->load_addr};

	if (h->load_addr > h->header_addr || before > at)
		return error_set(
			err, -ENOEXEC,
			"%s: its multiboot header at offset %zu loads at %#x but calls itself "
			"%#x",
			image->kernel.path, at, h->load_addr, h->header_addr);
	s.offset = at - before;
	s.filesz = size - s.offset;
	if (h->load_end_addr) {
		s.filesz = (uint64_t)h->load_end_addr - h->load_addr;
		if (h->load_end_addr < h->load_addr || !range_within(s.offset, s.filesz, size))
			return error_set(
				err, -ENOEXEC,
				"%s: truncated: %llu bytes, its multiboot header loads up to "
				"%#x",
				image->kernel.path, (unsigned long long)size, h->load_end_addr);
	}
	s.memsz = s.filesz;
	if (h->bss_end_addr > s.gpa + s.filesz)
		s.memsz = h->bss_end_addr - s.gpa;
	image->elf = (struct boot_elf){.entry = h->entry_addr};
	if (s.memsz == 0)
		return error_set(err, -ENOEXEC, "%s: its multiboot header loads nothing",
				 image->kernel.path);
	return boot_elf_add_segment(image->kernel.path, &s, err, &image->elf);
}

static int probe(struct boot_image *image, void *head, size_t head_len, struct error *err)
{
	const char *path = image->kernel.path;
	struct multiboot_header h;
	size_t at;
	int r;

	if (!find_header(head, head_len, &h, &at))
		return 0;
	r = check_flags(path, h.flags, err);
	if (r < 0)
		return r;
	if (h.flags & MULTIBOOT_AOUT_KLUDGE)
		r = use_addresses(image, &h, at, err);
	else if (boot_elf_is(head, head_len))
		r = boot_elf_parse(path, head, head_len, image->kernel.size, err, &image->elf);
	else
		r = error_set(err, -ENOEXEC,
			      "%s: multiboot header without addresses in a file that is not ELF",
			      path);
	if (r < 0)
		return r;
	if (image->elf.end > UINT32_MAX)
		return error_set(err, -ENOEXEC, "%s: multiboot kernel with a segment above 4 GiB",
				 path);
	image->entry = image->elf.entry;
	if (!boot_elf_contains(&image->elf, image->entry))
		return error_set(err, -ENOEXEC,
				 "%s: entry %#llx lies in no segment's physical range", path,
				 (unsigned long long)image->entry);
	r = boot_elf_check_layout(path, &image->elf, false, err);
	if (r < 0)
		return r;
	image->protocol = BOOT_MULTIBOOT;
	return 1;
}

static int write_cmdline(const struct boot_image *image, struct mem *mem, struct error *err)
{
	char *text;
	int r;

	if (asprintf(&text, "%s%s%s", image->kernel.path, *image->cmdline ? " " : "",
		     image->cmdline) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	r = boot_write_cmdline(image, text, LAYOUT_CMDLINE_MAX, mem, err);
	free(text);
	return r;
}

static int write_memmap(struct mem *mem, uint32_t *ret_len)
{
	struct boot_memmap map;
	struct multiboot_mmap_entry table[BOOT_MEMMAP_MAX];

	boot_memmap_build(mem, &map);
	for (size_t i = 0; i < map.count; i++)
		table[i] = (struct multiboot_mmap_entry){.size = sizeof(table[i]) -
								 sizeof(table[i].size),
							 .addr = map.entries[i].start,
							 .len = map.entries[i].len,
							 .type = map.entries[i].type};
	*ret_len = (uint32_t)(map.count * sizeof(table[0]));
	return mem_write(mem, LAYOUT_BOOT_MEMMAP, table, *ret_len);
}

static int write_info(const struct boot_image *image, const struct boot_placed *modules,
		      struct mem *mem)
{
	struct multiboot_module list[BOOT_MODULES_MAX] = {0};
	struct multiboot_info info = {
		.flags = MULTIBOOT_INFO_MEMORY | MULTIBOOT_INFO_CMDLINE | MULTIBOOT_INFO_MODS |
			 MULTIBOOT_INFO_MEM_MAP | MULTIBOOT_INFO_BOOT_LOADER_NAME,
		.mem_lower = LAYOUT_LOW_RAM_END >> 10,
		.mem_upper = (uint32_t)((boot_memmap_low_end(mem) - LAYOUT_HIGH_RAM) >> 10),
		.cmdline = LAYOUT_CMDLINE,
		.mods_count = (uint32_t)image->module_count,
		.mods_addr = BOOT_MODLIST,
		.mmap_addr = LAYOUT_BOOT_MEMMAP,
		.boot_loader_name = LAYOUT_BOOT_PARAMS + LOADER_NAME_OFFSET,
	};
	int r = write_memmap(mem, &info.mmap_length);

	if (r < 0)
		return r;
	/* All below 4 GiB: boot_load_modules() stays below the MMIO hole. */
	for (size_t i = 0; i < image->module_count; i++)
		list[i] = (struct multiboot_module){
			.mod_start = (uint32_t)modules[i].start,
			.mod_end = (uint32_t)(modules[i].start + modules[i].len),
			.cmdline = (uint32_t)modules[i].cmdline};
	r = mem_write(mem, BOOT_MODLIST, list, image->module_count * sizeof(list[0]));
	if (r < 0)
		return r;
	r = mem_write(mem, info.boot_loader_name, LOADER_NAME, sizeof(LOADER_NAME));
	if (r < 0)
		return r;
	return mem_write(mem, LAYOUT_BOOT_PARAMS, &info, sizeof(info));
}

static int load(struct boot_image *image, struct mem *mem, uint64_t rsdp, struct error *err,
		struct boot_entry *ret)
{
	struct boot_placed modules[BOOT_MODULES_MAX];
	int r = boot_elf_check_memory(image->kernel.path, &image->elf, mem, UINT64_MAX, err);

	if (r < 0)
		return r;
	r = write_cmdline(image, mem, err);
	if (r < 0)
		return r;
	r = boot_elf_load(&image->elf, &image->kernel, mem, err);
	if (r < 0)
		return r;
	r = boot_load_modules(image, true, mem, err, modules);
	if (r < 0)
		return r;
	r = write_info(image, modules, mem);
	if (r < 0)
		return error_errno(err, r, "%s: cannot write the multiboot information",
				   image->kernel.path);
	*ret = (struct boot_entry){
		.protocol = BOOT_MULTIBOOT,
		.rip = image->entry,
		.rax = MULTIBOOT_BOOTLOADER_MAGIC,
		.rbx = LAYOUT_BOOT_PARAMS,
	};
	return 0;
}

const struct boot_loader boot_multiboot_loader = {.probe = probe, .load = load};
