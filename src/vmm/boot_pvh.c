// SPDX-License-Identifier: MIT
/*
 * ELF kernels that are handed Xen's hvm_start_info: with a PVH note by the x86/HVM direct boot ABI
 * (xen.git docs/misc/pvh.pandoc), without one as freestanding 64-bit programs. No state.
 *
 * A freestanding program starts in long mode at e_entry with RDI = start info and RSP = 0: it knows
 * best where its stack belongs, and pushing before it has one faults at once instead of writing
 * over boot data. It is loaded at its physical addresses; a position-independent one is not
 * relocated.
 */
#include "vmm/boot_internal.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/boot_memmap.h"
#include "vmm/layout.h"
#include "vmm/pvh_proto.h"

/* A vmlinux has half a KiB of notes. What lies behind this is not looked at. */
#define NOTES_LEN_MAX KiB(64)

#define LINUX_NOTE_OWNER "Linux"

_Static_assert(sizeof(struct hvm_start_info) <= BOOT_STRINGS - LAYOUT_BOOT_PARAMS, "start info");
_Static_assert(BOOT_MEMMAP_MAX * sizeof(struct hvm_memmap_table_entry) <=
		       BOOT_MODLIST - LAYOUT_BOOT_MEMMAP,
	       "memory map");
_Static_assert(XEN_HVM_MEMMAP_TYPE_RAM == BOOT_MEMMAP_RAM &&
		       XEN_HVM_MEMMAP_TYPE_RESERVED == BOOT_MEMMAP_RESERVED,
	       "memory types");
_Static_assert(BOOT_MODULES_MAX * sizeof(struct hvm_modlist_entry) <= BOOT_MODLIST_LEN, "modules");

/* What the notes say. */
struct kernel_notes {
	bool pvh, is_linux;
	uint64_t pvh_entry;
};

static bool note_is(const uint8_t *name, size_t len, const char *owner)
{
	return len == strlen(owner) + 1 && memcmp(name, owner, len) == 0;
}

static void use_note(const Elf64_Nhdr *note, const uint8_t *name, const uint8_t *desc,
		     struct kernel_notes *ret)
{
	if (note_is(name, note->n_namesz, LINUX_NOTE_OWNER))
		ret->is_linux = true;
	if (!note_is(name, note->n_namesz, XEN_ELFNOTE_OWNER) ||
	    note->n_type != XEN_ELFNOTE_PHYS32_ENTRY || note->n_descsz < 4)
		return;
	ret->pvh = true;
	ret->pvh_entry = 0;
	memcpy(&ret->pvh_entry, desc, min_of((size_t)note->n_descsz, sizeof(ret->pvh_entry)));
}

/* Notes are (header, name, descriptor), the last two padded. The header is the same for ELF32. */
static void walk_notes(const uint8_t *data, size_t len, uint64_t alignment,
		       struct kernel_notes *ret)
{
	uint64_t at = 0;
	Elf64_Nhdr note;

	while (range_within(at, sizeof(note), len)) {
		uint64_t name = at + sizeof(note), desc;

		memcpy(&note, data + at, sizeof(note));
		desc = at + align_up(sizeof(note) + (uint64_t)note.n_namesz, alignment);
		if (!range_within(name, note.n_namesz, len) ||
		    !range_within(desc, note.n_descsz, len))
			return;
		use_note(&note, data + name, data + desc, ret);
		at = desc + align_up(note.n_descsz, alignment);
	}
}

static int read_notes(const struct boot_image *image, struct error *err, struct kernel_notes *ret)
{
	for (size_t i = 0; i < image->elf.note_count; i++) {
		const struct boot_elf_note *n = &image->elf.notes[i];
		size_t len = min_of(n->len, NOTES_LEN_MAX);
		uint8_t *data = malloc(max_of(len, (size_t)1));
		int r;

		if (!data)
			return error_set(err, -ENOMEM, "out of memory");
		r = boot_file_read(&image->kernel, n->offset, data, len, err);
		if (r == 0)
			walk_notes(data, len, n->alignment, ret);
		free(data);
		if (r < 0)
			return r;
	}
	return 0;
}

static int choose_entry(struct boot_image *image, const struct kernel_notes *notes,
			struct error *err)
{
	const char *path = image->kernel.path;
	int r;

	if (notes->pvh) {
		image->protocol = BOOT_PVH;
		image->entry = notes->pvh_entry;
		if (image->entry > UINT32_MAX)
			return error_set(err, -ENOEXEC, "%s: PVH entry %#llx lies above 4 GiB",
					 path, (unsigned long long)image->entry);
	} else if (!image->elf.is_64) {
		return error_set(
			err, -ENOEXEC,
			"%s: 32-bit ELF file with neither a multiboot header nor a PVH note", path);
	} else if (notes->is_linux) {
		return error_set(
			err, -ENOEXEC,
			"%s: Linux kernel without a PVH entry (CONFIG_PVH); use its bzImage", path);
	} else {
		image->protocol = BOOT_ELF64;
		image->entry = image->elf.entry;
	}
	if (!boot_elf_contains(&image->elf, image->entry))
		return error_set(err, -ENOEXEC,
				 "%s: entry %#llx lies in no segment's physical range", path,
				 (unsigned long long)image->entry);
	r = boot_elf_check_layout(path, &image->elf, image->protocol == BOOT_ELF64, err);
	return r < 0 ? r : 1;
}

static int probe(struct boot_image *image, void *head, size_t head_len, struct error *err)
{
	struct kernel_notes notes = {0};
	int r;

	if (!boot_elf_is(head, head_len))
		return 0;
	r = boot_elf_parse(image->kernel.path, head, head_len, image->kernel.size, err,
			   &image->elf);
	if (r < 0)
		return r;
	r = read_notes(image, err, &notes);
	if (r < 0)
		return r;
	return choose_entry(image, &notes, err);
}

static int write_memmap(struct mem *mem, size_t *ret_count)
{
	struct boot_memmap map;
	struct hvm_memmap_table_entry table[BOOT_MEMMAP_MAX];

	boot_memmap_build(mem, &map);
	for (size_t i = 0; i < map.count; i++)
		table[i] = (struct hvm_memmap_table_entry){.addr = map.entries[i].start,
							   .size = map.entries[i].len,
							   .type = map.entries[i].type};
	*ret_count = map.count;
	return mem_write(mem, LAYOUT_BOOT_MEMMAP, table, map.count * sizeof(table[0]));
}

static int write_start_info(const struct boot_image *image, const struct boot_placed *modules,
			    uint64_t rsdp, struct mem *mem)
{
	struct hvm_modlist_entry list[BOOT_MODULES_MAX] = {0};
	size_t memmap_count;
	int r = write_memmap(mem, &memmap_count);

	if (r < 0)
		return r;
	for (size_t i = 0; i < image->module_count; i++)
		list[i] = (struct hvm_modlist_entry){.paddr = modules[i].start,
						     .size = modules[i].len,
						     .cmdline_paddr = modules[i].cmdline};
	r = mem_write(mem, BOOT_MODLIST, list, image->module_count * sizeof(list[0]));
	if (r < 0)
		return r;

	struct hvm_start_info info = {
		.magic = XEN_HVM_START_MAGIC_VALUE,
		.version = XEN_HVM_START_INFO_VERSION,
		.nr_modules = (uint32_t)image->module_count,
		.modlist_paddr = image->module_count ? BOOT_MODLIST : 0,
		.cmdline_paddr = LAYOUT_CMDLINE,
		.rsdp_paddr = rsdp,
		.memmap_paddr = LAYOUT_BOOT_MEMMAP,
		.memmap_entries = (uint32_t)memmap_count,
	};
	return mem_write(mem, LAYOUT_BOOT_PARAMS, &info, sizeof(info));
}

static int load(struct boot_image *image, struct mem *mem, uint64_t rsdp, struct error *err,
		struct boot_entry *ret)
{
	struct boot_placed modules[BOOT_MODULES_MAX];
	bool long_mode = image->protocol == BOOT_ELF64;
	uint64_t limit = long_mode ? boot_identity_end(mem) : UINT64_MAX;
	int r = boot_elf_check_memory(image->kernel.path, &image->elf, mem, limit, err);

	if (r < 0)
		return r;
	r = boot_write_cmdline(image, image->cmdline, LAYOUT_CMDLINE_MAX, mem, err);
	if (r < 0)
		return r;
	r = boot_elf_load(&image->elf, &image->kernel, mem, err);
	if (r < 0)
		return r;
	r = boot_load_modules(image, false, mem, err, modules);
	if (r < 0)
		return r;
	r = write_start_info(image, modules, rsdp, mem);
	if (r < 0)
		return error_errno(err, r, "%s: cannot write the start info", image->kernel.path);
	*ret = (struct boot_entry){
		.protocol = image->protocol,
		.long_mode = long_mode,
		.rip = image->entry,
		.rbx = long_mode ? 0 : LAYOUT_BOOT_PARAMS,
		.rdi = long_mode ? LAYOUT_BOOT_PARAMS : 0,
	};
	return 0;
}

const struct boot_loader boot_pvh_loader = {.probe = probe, .load = load};
