// SPDX-License-Identifier: MIT
/*
 * Linux bzImages, by the 64-bit boot protocol (the kernel's Documentation/arch/x86/boot.rst). No
 * state.
 *
 * The payload is unpacked here and the kernel proper entered at once, as its own decompressor would
 * do. Two things differ from a start through that decompressor: the kernel runs at the address it
 * was linked for (no KASLR), and paging has four levels. A payload that cannot be unpacked here
 * (unknown compression, or a library left out of the build) is left to the kernel's decompressor.
 */
#include "vmm/boot_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "vmm/boot_memmap.h"
#include "vmm/layout.h"

#define SETUP_SECTS_DEFAULT 4u /* what 0 means */

/* The size of the code is stored in units of 16 bytes: a file may end within the last. */
#define SYSSIZE_UNIT 16u

_Static_assert(BOOT_MEMMAP_MAX <= LINUX_E820_MAX, "the memory map fits the zero page");
_Static_assert(LINUX_E820_RAM == BOOT_MEMMAP_RAM && LINUX_E820_RESERVED == BOOT_MEMMAP_RESERVED,
	       "memory types");

static int damaged(const struct boot_image *image, const char *what, struct error *err)
{
	return error_set(err, -ENOEXEC, "%s: damaged setup header: %s", image->kernel.path, what);
}

static bool is_bzimage(const uint8_t *head, size_t len)
{
	struct setup_header hdr = {0};

	if (len < LINUX_SETUP_HEADER_OFFSET + offsetof(struct setup_header, realmode_swtch))
		return false;
	memcpy(&hdr, head + LINUX_SETUP_HEADER_OFFSET,
	       offsetof(struct setup_header, realmode_swtch));
	return hdr.boot_flag == LINUX_BOOT_FLAG && hdr.header == LINUX_SETUP_MAGIC;
}

/* Copies the header; what this version of the protocol does not have is 0. */
static int copy_header(const struct boot_image *image, const uint8_t *head, size_t head_len,
		       struct error *err, struct setup_header *hdr)
{
	size_t end = LINUX_JUMP_LEN_OFFSET + 1 + head[LINUX_JUMP_LEN_OFFSET];
	size_t len = min_of(end - LINUX_SETUP_HEADER_OFFSET, sizeof(*hdr));

	if (LINUX_SETUP_HEADER_OFFSET + len > head_len)
		return error_set(err, -ENOEXEC,
				 "%s: truncated: %zu bytes, the setup header alone ends at %zu",
				 image->kernel.path, head_len, end);
	memset(hdr, 0, sizeof(*hdr));
	memcpy(hdr, head + LINUX_SETUP_HEADER_OFFSET, len);
	if (hdr->version < LINUX_PROTOCOL_CMDLINE_SIZE)
		return error_set(
			err, -ENOEXEC,
			"%s: boot protocol %u.%02u: 2.06 (Linux 2.6.22) or later is needed",
			image->kernel.path, hdr->version >> 8, hdr->version & 0xff);
	if (!(hdr->loadflags & LINUX_LOADED_HIGH))
		return error_set(err, -ENOEXEC, "%s: is a zImage, a bzImage is needed",
				 image->kernel.path);
	if (hdr->version < LINUX_PROTOCOL_PAYLOAD)
		hdr->payload_offset = hdr->payload_length = 0;
	if (hdr->version < LINUX_PROTOCOL_INIT_SIZE)
		hdr->pref_address = hdr->init_size = 0;
	if (hdr->version < LINUX_PROTOCOL_XLOADFLAGS)
		hdr->xloadflags = 0;
	return 0;
}

/* Finds the 32-bit code behind the setup sectors. */
static int find_code(const struct boot_image *image, struct error *err, struct boot_linux *bz)
{
	const struct setup_header *hdr = &bz->hdr;
	uint64_t sects = hdr->setup_sects ? hdr->setup_sects : SETUP_SECTS_DEFAULT;
	uint64_t size = image->kernel.size, end;

	bz->code_offset = (sects + 1) * LINUX_SECTOR;
	bz->code_len = (uint64_t)hdr->syssize * SYSSIZE_UNIT;
	end = bz->code_offset + bz->code_len;
	if (bz->code_len <= LINUX_ENTRY_64_OFFSET)
		return damaged(image, "no code", err);
	if (size + SYSSIZE_UNIT <= end || size <= bz->code_offset)
		return error_set(err, -ENOEXEC, "%s: truncated: %llu bytes, setup header says %llu",
				 image->kernel.path, (unsigned long long)size,
				 (unsigned long long)end);
	bz->code_len = min_of(end, size) - bz->code_offset;
	return 0;
}

/* Parses the kernel inside. 1: it can be unpacked here; 0: its own decompressor must. */
static int parse_unpacked(struct boot_image *image, struct error *err, const char *name, void *head)
{
	size_t len;
	int r = boot_unpack_head(&image->bzimage.unpack, head, BOOT_HEAD_MAX, err, &len);

	if (r < 0)
		return r;
	if (!boot_elf_is(head, len))
		return 0;
	r = boot_elf_parse(name, head, len, image->bzimage.unpack.size, err, &image->elf);
	if (r < 0)
		return r;
	if (!image->elf.is_64)
		return error_set(err, -ENOEXEC, "%s: is a 32-bit kernel, a 64-bit one is needed",
				 name);
	if (!boot_elf_contains(&image->elf, image->elf.entry))
		return error_set(err, -ENOEXEC, "%s: entry %#llx lies in no segment", name,
				 (unsigned long long)image->elf.entry);
	r = boot_elf_check_layout(name, &image->elf, true, err);
	return r < 0 ? r : 1;
}

static int probe_payload(struct boot_image *image, struct error *err)
{
	const struct boot_linux *bz = &image->bzimage;
	const struct setup_header *hdr = &bz->hdr;
	char *name;
	void *head;
	int r;

	if (!hdr->payload_length)
		return 0;
	if (!range_within(hdr->payload_offset, hdr->payload_length, bz->code_len))
		return damaged(image, "the payload lies outside the file", err);
	r = boot_unpack_open(&image->kernel, bz->code_offset + hdr->payload_offset,
			     hdr->payload_length, err, &image->bzimage.unpack);
	if (r < 0)
		return r == -ENOTSUP ? 0 : r;
	head = malloc(BOOT_HEAD_MAX);
	if (asprintf(&name, "%s (unpacked)", image->kernel.path) < 0)
		name = NULL;
	if (head && name)
		r = parse_unpacked(image, err, name, head);
	else
		r = error_set(err, -ENOMEM, "out of memory");
	free(name);
	free(head);
	return r;
}

static int probe(struct boot_image *image, void *head, size_t head_len, struct error *err)
{
	int r;

	if (!is_bzimage(head, head_len))
		return 0;
	if (image->module_count > image->has_initrd)
		return error_set(err, -EINVAL,
				 "%s: a Linux bzImage takes an initrd but no modules (%s)",
				 image->kernel.path, image->modules[image->has_initrd].file.path);
	r = copy_header(image, head, head_len, err, &image->bzimage.hdr);
	if (r < 0)
		return r;
	r = find_code(image, err, &image->bzimage);
	if (r < 0)
		return r;
	r = probe_payload(image, err);
	if (r < 0)
		return r;
	image->protocol = r ? BOOT_LINUX : BOOT_LINUX_SELF_UNPACK;
	if (image->protocol == BOOT_LINUX_SELF_UNPACK &&
	    !(image->bzimage.hdr.xloadflags & LINUX_XLF_KERNEL_64))
		return error_set(
			err, -ENOEXEC,
			"%s: has no 64-bit entry (a 32-bit kernel, or older than Linux 3.8)",
			image->kernel.path);
	return 1;
}

/* Where the kernel is while it starts. */
struct placement {
	uint64_t code; /* where the 32-bit code goes, for self-unpacking kernels */
	uint64_t entry;
	uint64_t end; /* from here on memory is free for the initrd */
	uint64_t initrd;
	uint64_t setup_data; /* 0: none */
};

static int place_unpacked(const struct boot_image *image, const struct mem *mem, struct error *err,
			  struct placement *p)
{
	const struct setup_header *hdr = &image->bzimage.hdr;
	uint64_t init_end;
	int r = boot_elf_check_memory(image->kernel.path, &image->elf, mem, boot_identity_end(mem),
				      err);

	if (r < 0)
		return r;
	if (!checked_add(hdr->pref_address, hdr->init_size, &init_end))
		return damaged(image, "pref_address", err);
	p->entry = image->elf.entry;
	p->end = max_of(image->elf.end, init_end);
	return 0;
}

static int place_self_unpacking(const struct boot_image *image, const struct mem *mem,
				struct error *err, struct placement *p)
{
	const struct setup_header *hdr = &image->bzimage.hdr;
	uint64_t need = max_of((uint64_t)hdr->init_size, image->bzimage.code_len);
	uint64_t alignment = hdr->kernel_alignment;

	p->code = LAYOUT_HIGH_RAM;
	if (hdr->relocatable_kernel && hdr->pref_address) {
		if (alignment == 0 || (alignment & (alignment - 1)))
			return damaged(image, "kernel_alignment", err);
		p->code = align_up(max_of(hdr->pref_address, LAYOUT_HIGH_RAM), alignment);
	}
	if (p->code < LAYOUT_HIGH_RAM || !mem_is_ram(mem, p->code, need) ||
	    !range_within(p->code, need, boot_identity_end(mem)))
		return error_set(
			err, -ENOSPC,
			"%s: needs %llu MiB of memory at %#llx to unpack itself, the VM has "
			"%llu MiB in all",
			image->kernel.path, (unsigned long long)need >> 20,
			(unsigned long long)p->code, (unsigned long long)mem_size(mem) >> 20);
	p->entry = p->code + LINUX_ENTRY_64_OFFSET;
	p->end = p->code + need;
	return 0;
}

/* As high as possible in [floor, limit); 0 when it does not fit. */
static uint64_t place_in(uint64_t floor, uint64_t limit, uint64_t len)
{
	uint64_t at;

	if (len > limit)
		return 0;
	at = align_down(limit - len, PAGE_SIZE);
	return at >= floor ? at : 0;
}

static int place_initrd(const struct boot_image *image, const struct mem *mem, struct error *err,
			struct placement *p)
{
	const struct setup_header *hdr = &image->bzimage.hdr;
	uint64_t len = image->modules[0].file.size;
	uint64_t limit = min_of((uint64_t)hdr->initrd_addr_max + 1, boot_memmap_low_end(mem));
	size_t count;
	const struct mem_region *regions = mem_regions(mem, &count);
	const struct mem_region *last = &regions[count - 1];

	p->initrd = place_in(p->end, limit, len);
	if (!p->initrd && (hdr->xloadflags & LINUX_XLF_CAN_BE_LOADED_ABOVE_4G) &&
	    last->gpa >= LAYOUT_RAM_ABOVE_4G)
		p->initrd = place_in(max_of(p->end, last->gpa), last->gpa + last->len, len);
	if (p->initrd)
		return 0;
	return error_set(
		err, -ENOSPC,
		"%s: initrd of %llu KiB does not fit: between the kernel's end and its limit "
		"for an initrd there are %llu KiB of memory",
		image->modules[0].file.path, (unsigned long long)(len + 1023) >> 10,
		(unsigned long long)(limit > p->end ? limit - p->end : 0) >> 10);
}

static void set_header(const struct boot_image *image, const struct placement *p,
		       struct boot_params *params)
{
	struct setup_header *hdr = &params->hdr;
	uint64_t initrd_len = image->has_initrd ? image->modules[0].file.size : 0;

	*hdr = image->bzimage.hdr;
	hdr->type_of_loader = LINUX_TYPE_OF_LOADER_UNDEFINED;
	hdr->ext_loader_ver = hdr->ext_loader_type = 0;
	hdr->loadflags &= (uint8_t) ~(LINUX_CAN_USE_HEAP | LINUX_KEEP_SEGMENTS | LINUX_KASLR_FLAG);
	hdr->heap_end_ptr = 0;
	hdr->setup_data = p->setup_data;
	if (p->code)
		hdr->code32_start = (uint32_t)p->code;
	hdr->cmd_line_ptr = LAYOUT_CMDLINE;
	hdr->ramdisk_image = (uint32_t)p->initrd;
	hdr->ramdisk_size = (uint32_t)initrd_len;
	params->ext_ramdisk_image = (uint32_t)(p->initrd >> 32);
	params->ext_ramdisk_size = (uint32_t)(initrd_len >> 32);
}

/*
 * A seed of its own for every start, so that a guest has random numbers from its first moment on. A
 * host that has none itself yet leaves the guest without.
 */
static int write_seed(const struct boot_image *image, struct mem *mem, struct placement *p)
{
	struct {
		struct setup_data head;
		uint8_t seed[LINUX_SETUP_RNG_SEED_LEN];
	} node = {.head = {.type = LINUX_SETUP_RNG_SEED, .len = LINUX_SETUP_RNG_SEED_LEN}};
	int r;

	if (image->bzimage.hdr.version < LINUX_PROTOCOL_SETUP_DATA ||
	    getrandom(node.seed, sizeof(node.seed), GRND_NONBLOCK) != sizeof(node.seed))
		return 0;
	r = mem_write(mem, BOOT_SETUP_DATA, &node, sizeof(node));
	explicit_bzero(&node, sizeof(node));
	p->setup_data = BOOT_SETUP_DATA;
	return r;
}

static int write_params(const struct boot_image *image, const struct placement *p, uint64_t rsdp,
			struct mem *mem)
{
	struct boot_memmap map;
	struct boot_params params = {.acpi_rsdp_addr = rsdp};

	set_header(image, p, &params);
	params.alt_mem_k = (uint32_t)((boot_memmap_low_end(mem) - LAYOUT_HIGH_RAM) >> 10);
	boot_memmap_build(mem, &map);
	for (size_t i = 0; i < map.count; i++)
		params.e820_table[i] = (struct boot_e820_entry){.addr = map.entries[i].start,
								.size = map.entries[i].len,
								.type = map.entries[i].type};
	params.e820_entries = (uint8_t)map.count;
	return mem_write(mem, LAYOUT_BOOT_PARAMS, &params, sizeof(params));
}

/* All that can fail for want of room, before anything large is copied. */
static int place(const struct boot_image *image, struct mem *mem, struct error *err,
		 struct placement *p)
{
	int r = image->protocol == BOOT_LINUX ? place_unpacked(image, mem, err, p)
					      : place_self_unpacking(image, mem, err, p);

	if (r == 0)
		r = boot_write_cmdline(image, image->cmdline, image->bzimage.hdr.cmdline_size, mem,
				       err);
	if (r == 0 && image->has_initrd)
		r = place_initrd(image, mem, err, p);
	return r;
}

static int load(struct boot_image *image, struct mem *mem, uint64_t rsdp, struct error *err,
		struct boot_entry *ret)
{
	const struct boot_linux *bz = &image->bzimage;
	struct placement p = {0};
	int r = place(image, mem, err, &p);

	if (r < 0)
		return r;
	if (image->protocol == BOOT_LINUX)
		r = boot_unpack_load(&bz->unpack, &image->elf, mem, err);
	else
		r = boot_file_load(&image->kernel, bz->code_offset, bz->code_len, mem, p.code, err);
	if (r == 0 && image->has_initrd)
		r = boot_file_load(&image->modules[0].file, 0, image->modules[0].file.size, mem,
				   p.initrd, err);
	if (r < 0)
		return r;
	r = write_seed(image, mem, &p);
	if (r == 0)
		r = write_params(image, &p, rsdp, mem);
	if (r < 0)
		return error_errno(err, r, "%s: cannot write boot parameters", image->kernel.path);
	*ret = (struct boot_entry){
		.protocol = image->protocol,
		.long_mode = true,
		.rip = p.entry,
		.rsi = LAYOUT_BOOT_PARAMS,
	};
	return 0;
}

const struct boot_loader boot_linux_loader = {.probe = probe, .load = load};
