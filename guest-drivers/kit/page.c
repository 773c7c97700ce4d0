// SPDX-License-Identifier: MIT
/* See page.h; SDM volume 3, section 4.5 (4-level paging). */
#include "kit/cpu.h"
#include "kit/page.h"
#include "kit/start_info.h"
#include "kit/string.h"
#include "kit/test.h"

#define TABLE    (PTE_PRESENT | PTE_WRITE | PTE_USER)
#define LEAF     (PTE_PRESENT | PTE_WRITE)
#define UNCACHED (PTE_PWT | PTE_PCD)

#define HOLE_GIB 3 /* the gigabyte with the APICs and other MMIO */

extern char __image_start[], __image_end[];

/* Physical address of the top table; 32 bits, since CPUs load it before they are in long mode. */
uint32_t kit_page_tables;

static uint64_t alloc_next;
static uint64_t alloc_limit;

/* Modules may stand right behind the image or at the end of RAM: keeps clear of both. */
static void avoid_modules(void)
{
	for (size_t i = 0; i < start_module_count(); i++) {
		const struct start_module *m = start_module(i);

		if (m->addr + m->len <= alloc_next || m->addr >= alloc_limit)
			continue;
		if (m->addr - alloc_next < alloc_limit - (m->addr + m->len))
			alloc_next = align_up(m->addr + m->len, PAGE_SIZE);
		else
			alloc_limit = m->addr;
	}
}

static void alloc_init(void)
{
	uint64_t end = (uintptr_t)__image_end;

	alloc_next = end;
	for (size_t i = 0; i < memory_range_count(); i++) {
		const struct memory_range *r = memory_range(i);

		if (r->type == MEMORY_RAM && r->addr <= end && end - r->addr < r->len)
			alloc_limit = r->addr + r->len;
	}
	/* Without a usable memory map: an assumption that lets the guest live to report it. */
	if (!alloc_limit)
		alloc_limit = MiB(8);
	if (alloc_limit > GiB(4))
		alloc_limit = GiB(4);
	avoid_modules();
}

void *page_alloc(size_t count)
{
	uint64_t pa = alloc_next;

	if (count * PAGE_SIZE > alloc_limit - pa)
		bail_out("out of memory: %zu pages wanted at 0x%lx, RAM ends at 0x%lx", count, pa,
			 alloc_limit);
	alloc_next += count * PAGE_SIZE;
	return memset(pa_ptr(pa), 0, count * PAGE_SIZE);
}

uint64_t page_alloc_end(void)
{
	return alloc_next;
}

uint64_t image_start(void)
{
	return (uintptr_t)__image_start;
}

uint64_t image_end(void)
{
	return (uintptr_t)__image_end;
}

static uint64_t *new_table(uint64_t *entry)
{
	uint64_t *table = page_alloc(1);

	*entry = (uintptr_t)table | TABLE;
	return table;
}

/* Turns a large-page entry of @size bytes into a table of 512 smaller ones that map the same. */
static uint64_t *split(uint64_t *entry, uint64_t size)
{
	uint64_t old = *entry;
	uint64_t *table = page_alloc(1);
	uint64_t step = size / 512;

	if (step == PAGE_SIZE)
		old &= ~PTE_LARGE;
	for (size_t i = 0; i < 512; i++)
		table[i] = old + i * step;
	*entry = (uintptr_t)table | TABLE;
	return table;
}

/* The 4 KiB entry of @va; tables are made on the way. */
static uint64_t *leaf_entry(uint64_t va)
{
	uint64_t *table = pa_ptr(kit_page_tables);

	for (unsigned int shift = 39; shift > 12; shift -= 9) {
		uint64_t *entry = &table[va >> shift & 511];

		if (!(*entry & PTE_PRESENT))
			table = new_table(entry);
		else if (*entry & PTE_LARGE)
			table = split(entry, BIT(shift));
		else
			table = pa_ptr(*entry & PTE_ADDR);
	}
	return &table[va >> 12 & 511];
}

void page_flush(uint64_t va)
{
	invlpg(va);
}

void page_map(uint64_t va, uint64_t pa, uint64_t flags)
{
	*leaf_entry(va) = (pa & PTE_ADDR) | flags;
	page_flush(va);
}

void page_unmap(uint64_t va)
{
	*leaf_entry(va) = 0;
	page_flush(va);
}

uint64_t page_entry(uint64_t va)
{
	uint64_t *table = pa_ptr(kit_page_tables);

	for (unsigned int shift = 39;; shift -= 9) {
		uint64_t entry = table[va >> shift & 511];

		if (!(entry & PTE_PRESENT) || shift == 12 || entry & PTE_LARGE)
			return entry & PTE_PRESENT ? entry : 0;
		table = pa_ptr(entry & PTE_ADDR);
	}
}

static bool has_gib_pages(void)
{
	return cpuid(0x80000000).eax >= 0x80000001 && cpuid(0x80000001).edx & BIT(26);
}

void page_init(void)
{
	alloc_init();

	uint64_t end = memory_top();
	bool gib_pages = has_gib_pages();
	uint64_t *top = page_alloc(1);
	uint64_t *upper = new_table(&top[0]);

	end = align_up(end < GiB(4) ? GiB(4) : end, GiB(1));
	if (end > GiB(512))
		end = GiB(512);
	for (uint64_t gib = 0; gib < end >> 30; gib++) {
		uint64_t flags = LEAF | PTE_LARGE | (gib == HOLE_GIB ? UNCACHED : 0);

		if (gib_pages) {
			upper[gib] = gib << 30 | flags;
			continue;
		}
		uint64_t *table = new_table(&upper[gib]);

		for (size_t i = 0; i < 512; i++)
			table[i] = gib << 30 | i << 21 | flags;
	}
	kit_page_tables = (uint32_t)(uintptr_t)top;
	write_cr3(kit_page_tables);
	write_cr0(read_cr0() | CR0_WP | CR0_NE);
}
