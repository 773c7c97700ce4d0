// SPDX-License-Identifier: MIT
/*
 * The memory map a guest is told at boot, from the RAM there is and the layout. Every protocol's
 * own form (e820, PVH, multiboot) is written from this one; the types are those of ACPI 6, section
 * 15, which all three share.
 */
#pragma once

#include "vmm/mem.h"

#define BOOT_MEMMAP_MAX 128 /* as many as the Linux zero page takes */

enum boot_memmap_type { BOOT_MEMMAP_RAM = 1, BOOT_MEMMAP_RESERVED = 2 };

struct boot_memmap_entry {
	uint64_t start;
	uint64_t len;
	enum boot_memmap_type type;
};

struct boot_memmap {
	size_t count;
	struct boot_memmap_entry entries[BOOT_MEMMAP_MAX]; /* by address, no two overlap */
};

/*
 * RAM below LAYOUT_LOW_RAM_END and from LAYOUT_HIGH_RAM on; reserved: what lies between the two,
 * and the pages that KVM itself uses.
 */
void boot_memmap_build(const struct mem *mem, struct boot_memmap *ret);

/* Where the RAM that starts at LAYOUT_HIGH_RAM ends (LAYOUT_HIGH_RAM when there is none). */
uint64_t boot_memmap_low_end(const struct mem *mem);
