// SPDX-License-Identifier: MIT
/*
 * Memory and page tables.
 *
 * After boot, physical memory is mapped one to one up to the end of RAM and at least to 4 GiB,
 * writable and executable, in 1 GiB pages where the CPU has them, else in 2 MiB pages; 3-4 GiB
 * (the MMIO hole) is uncached. A test may change single pages and add mappings anywhere.
 * CPU 0 changes page tables; other CPUs flush what they have cached themselves (page_flush()).
 */
#pragma once

#include "kit/base.h"

#define PTE_PRESENT  BIT(0)
#define PTE_WRITE    BIT(1)
#define PTE_USER     BIT(2)
#define PTE_PWT      BIT(3)
#define PTE_PCD      BIT(4)
#define PTE_ACCESSED BIT(5)
#define PTE_DIRTY    BIT(6)
#define PTE_LARGE    BIT(7)
#define PTE_ADDR     0x000ffffffffff000ull

/*
 * Zeroed pages from the RAM after the image, never given back; bails out when there are no more.
 * What page_alloc_end() says and above is free for a test to use.
 */
void *page_alloc(size_t count);
uint64_t page_alloc_end(void);
/* Where the image stands, bss included. */
uint64_t image_start(void);
uint64_t image_end(void);

/* Maps the 4 KiB page at @va to @pa; splits a large page that covers @va. */
void page_map(uint64_t va, uint64_t pa, uint64_t flags);
void page_unmap(uint64_t va);
/* The entry that maps @va (a large one has PTE_LARGE), 0 when none does. */
uint64_t page_entry(uint64_t va);
void page_flush(uint64_t va);

/* Once, at boot. */
void page_init(void);
