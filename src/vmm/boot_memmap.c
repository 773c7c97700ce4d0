// SPDX-License-Identifier: MIT
/*
 * The guest memory map. No state; any thread.
 */
#include "vmm/boot_memmap.h"

#include <stdlib.h>

#include "vmm/layout.h"

/* KVM's identity-map page and the three pages of its TSS lie next to each other. */
#define KVM_PAGES_LEN (4ull * PAGE_SIZE)
_Static_assert(LAYOUT_KVM_IDENTITY + PAGE_SIZE == LAYOUT_KVM_TSS, "KVM's pages are one range");

static void add(struct boot_memmap *map, uint64_t start, uint64_t end, enum boot_memmap_type type)
{
	if (start >= end || map->count == BOOT_MEMMAP_MAX)
		return;
	map->entries[map->count++] =
		(struct boot_memmap_entry){.start = start, .len = end - start, .type = type};
}

static int by_start(const void *a, const void *b)
{
	const struct boot_memmap_entry *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

void boot_memmap_build(const struct mem *mem, struct boot_memmap *ret)
{
	size_t count;
	const struct mem_region *regions = mem_regions(mem, &count);

	/* The reserved ranges first: RAM that a full map leaves out is merely not used. */
	ret->count = 0;
	add(ret, LAYOUT_LOW_RAM_END, LAYOUT_HIGH_RAM, BOOT_MEMMAP_RESERVED);
	add(ret, LAYOUT_KVM_IDENTITY, LAYOUT_KVM_IDENTITY + KVM_PAGES_LEN, BOOT_MEMMAP_RESERVED);
	for (size_t i = 0; i < count; i++) {
		uint64_t start = regions[i].gpa, end = start + regions[i].len;

		add(ret, start, min_of(end, LAYOUT_LOW_RAM_END), BOOT_MEMMAP_RAM);
		add(ret, max_of(start, LAYOUT_HIGH_RAM), end, BOOT_MEMMAP_RAM);
	}
	qsort(ret->entries, ret->count, sizeof(ret->entries[0]), by_start);
}

uint64_t boot_memmap_low_end(const struct mem *mem)
{
	size_t count;
	const struct mem_region *regions = mem_regions(mem, &count);
	uint64_t end = LAYOUT_HIGH_RAM;

	for (size_t i = 0; i < count; i++)
		if (regions[i].gpa <= end && regions[i].gpa + regions[i].len > end)
			end = regions[i].gpa + regions[i].len;
	return end;
}
