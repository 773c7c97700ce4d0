// SPDX-License-Identifier: MIT
/*
 * The inside of guest memory, for the mem*.c files alone.
 *
 * Readers take no lock: everything here is constant from mem_create() on but @added, which
 * mem_grow() stores, with release, after the pages below it are mapped. Who loads it with acquire
 * may use them. It only shrinks while nobody uses memory (mem_shrink()).
 */
#pragma once

#include <stdatomic.h>

#include "vmm/mem.h"

/* RAM below and above the MMIO hole. */
#define MEM_REGIONS_MAX 2

struct mem {
	int fd;
	int spare_fd; /* mem_release.c's, with explicit huge pages; else -1 */
	uint64_t size;
	uint64_t page; /* the backing page size */
	enum mem_huge huge;
	bool prefault;
	void *reservation;
	uint64_t reservation_len;
	struct mem_region regions[MEM_REGIONS_MAX];
	size_t count;

	/* What may be added; the first @added bytes of it are RAM. Length 0: nothing may. */
	struct mem_region window;
	_Atomic uint64_t added;
};

/*
 * The one range finder: the region that holds @gpa, and how many of @len bytes lie in it. Never
 * computes gpa + len. NULL when @gpa is not RAM.
 */
const struct mem_region *mem_find(const struct mem *mem, uint64_t gpa, uint64_t len,
				  uint64_t *ret_len);

/* Maps @len bytes of the file at @offset to @host, which is reserved. -errno. */
int mem_map_file(const struct mem *mem, void *host, uint64_t len, uint64_t offset) must_check;
