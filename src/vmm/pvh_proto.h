// SPDX-License-Identifier: MIT
/*
 * PVH: Xen's x86/HVM direct boot ABI (xen.git docs/misc/pvh.pandoc) and its start info, version 1
 * (public header arch-x86/hvm/start_info.h). All little-endian.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The ELF note that names the 32-bit entry: owner "Xen", descriptor 4 or 8 bytes. */
#define XEN_ELFNOTE_OWNER        "Xen"
#define XEN_ELFNOTE_PHYS32_ENTRY 18u

#define XEN_HVM_START_MAGIC_VALUE  0x336ec578u
#define XEN_HVM_START_INFO_VERSION 1u

struct hvm_start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t nr_modules;
	uint64_t modlist_paddr;
	uint64_t cmdline_paddr;
	uint64_t rsdp_paddr;
	uint64_t memmap_paddr;
	uint32_t memmap_entries;
	uint32_t reserved;
};

struct hvm_modlist_entry {
	uint64_t paddr;
	uint64_t size;
	uint64_t cmdline_paddr;
	uint64_t reserved;
};

#define XEN_HVM_MEMMAP_TYPE_RAM      1u
#define XEN_HVM_MEMMAP_TYPE_RESERVED 2u

struct hvm_memmap_table_entry {
	uint64_t addr;
	uint64_t size;
	uint32_t type;
	uint32_t reserved;
};

_Static_assert(offsetof(struct hvm_start_info, modlist_paddr) == 16, "modlist_paddr");
_Static_assert(offsetof(struct hvm_start_info, cmdline_paddr) == 24, "cmdline_paddr");
_Static_assert(offsetof(struct hvm_start_info, rsdp_paddr) == 32, "rsdp_paddr");
_Static_assert(offsetof(struct hvm_start_info, memmap_paddr) == 40, "memmap_paddr");
_Static_assert(offsetof(struct hvm_start_info, memmap_entries) == 48, "memmap_entries");
_Static_assert(sizeof(struct hvm_start_info) == 56, "hvm_start_info");
_Static_assert(sizeof(struct hvm_modlist_entry) == 32, "hvm_modlist_entry");
_Static_assert(sizeof(struct hvm_memmap_table_entry) == 24, "hvm_memmap_table_entry");
