// SPDX-License-Identifier: MIT
/*
 * Rings in GPADLs: mapping their pages so that no packet is in two pieces. See gpadl.h.
 *
 * The mapping is one reservation:
 *
 *	guard | control page | data | the same data | guard
 *
 * A guest that scatters its pages makes every one a mapping of its own, twice, and a process may
 * have about 65,000: hence the limit, past which a ring gets a table of pages into the ordinary
 * mapping of RAM.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "vmbus/gpadl_internal.h"
#include "vmbus/ring.h"

/* Control page and one page of data. */
#define RING_PAGES_MIN 2

uint32_t gpadl_ring_pages(const struct gpadl *gpadl)
{
	const struct gpadl_span *s = gpadl->spans;

	if (gpadl->ranges != 1 || s->offset || !is_aligned(s->bytes, PAGE_SIZE))
		return 0;
	return s->pages;
}

/* How many pages from @first on, of at most @count, follow each other in guest memory. */
static uint32_t run_length(const uint64_t *pfns, uint32_t count)
{
	uint32_t n = 1;

	while (n < count && pfns[n] == pfns[n - 1] + 1)
		n++;
	return n;
}

static uint32_t count_runs(const uint64_t *pfns, uint32_t count)
{
	uint32_t runs = 0;

	for (uint32_t i = 0; i < count; i += run_length(&pfns[i], count - i))
		runs++;
	return runs;
}

/* Maps @count pages at @at. A run that crosses from one region of RAM to the next is none. */
static int map_pages(const struct mem *mem, const uint64_t *pfns, uint32_t count, uint8_t *at)
{
	uint32_t n;

	for (uint32_t i = 0; i < count; i += n, at += (size_t)n * PAGE_SIZE) {
		uint64_t offset;
		int r;

		n = run_length(&pfns[i], count - i);
		r = mem_offset(mem, pfns[i] << PAGE_SHIFT, (uint64_t)n * PAGE_SIZE, &offset);
		if (r < 0)
			return r;
		if (mmap(at, (size_t)n * PAGE_SIZE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED | MAP_NORESERVE, mem_fd(mem),
			 (off_t)offset) == MAP_FAILED)
			return -errno;
	}
	return 0;
}

static int map_twice(struct gpadl *gpadl, const uint64_t *pfns, uint32_t count,
		     struct ring_memory *ring)
{
	struct gpadl_table *table = gpadl->table;
	size_t data_len = (size_t)(count - 1) * PAGE_SIZE;
	size_t len = 2 * data_len + 3 * PAGE_SIZE;
	uint32_t mappings = 2 * count_runs(pfns + 1, count - 1) + 3;
	uint8_t *map, *data;
	int r;

	if (mappings > table->limits.mappings - table->mappings)
		return -ENOSPC;
	map = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED)
		return -errno;
	data = map + 2 * PAGE_SIZE;
	r = map_pages(table->mem, pfns, 1, map + PAGE_SIZE);
	if (r == 0)
		r = map_pages(table->mem, pfns + 1, count - 1, data);
	if (r == 0)
		r = map_pages(table->mem, pfns + 1, count - 1, data + data_len);
	if (r < 0) {
		munmap(map, len);
		return r;
	}
	/* As for the rest of RAM. */
	(void)madvise(map, len, MADV_DONTDUMP);
	(void)madvise(map, len, MADV_DONTFORK);
	table->mappings += mappings;
	*ring = (struct ring_memory){.control = (void *)(map + PAGE_SIZE),
				     .data = data,
				     .len = (uint32_t)data_len,
				     .map = map,
				     .map_len = len,
				     .mappings = mappings};
	return 0;
}

static int map_paged(struct gpadl *gpadl, const uint64_t *pfns, uint32_t count,
		     struct ring_memory *ring)
{
	const struct mem *mem = gpadl->table->mem;
	uint8_t **pages = malloc((count - 1) * sizeof(*pages));

	if (!pages)
		return -ENOMEM;
	/* Cannot fail: each page was found to be RAM, and RAM does not change. */
	for (uint32_t i = 1; i < count; i++)
		pages[i - 1] = mem_map(mem, pfns[i] << PAGE_SHIFT, PAGE_SIZE);
	*ring = (struct ring_memory){.control = mem_map(mem, pfns[0] << PAGE_SHIFT, PAGE_SIZE),
				     .pages = pages,
				     .len = (count - 1) * PAGE_SIZE};
	return 0;
}

int gpadl_map_ring(struct gpadl *gpadl, uint32_t first, uint32_t count, struct ring_memory *ret)
{
	struct gpadl_counters *counters = &gpadl->table->counters;
	struct ring_memory ring;
	const uint64_t *pfns;

	if (count < RING_PAGES_MIN || !range_within(first, count, gpadl_ring_pages(gpadl)))
		return -EINVAL;
	pfns = &gpadl->list[gpadl->spans->first + first];
	if (map_twice(gpadl, pfns, count, &ring) == 0) {
		counter_add(&counters->rings_mapped, 1);
	} else {
		int r = map_paged(gpadl, pfns, count, &ring);

		if (r < 0)
			return r;
		counter_add(&counters->rings_paged, 1);
	}
	gpadl->holds++;
	ring.gpadl = gpadl;
	*ret = ring;
	return 0;
}

void gpadl_unmap_ring(struct ring_memory *ring)
{
	struct gpadl *gpadl = ring->gpadl;

	if (!gpadl)
		return;
	if (ring->map) {
		munmap(ring->map, ring->map_len);
		gpadl->table->mappings -= ring->mappings;
	}
	free(ring->pages);
	*ring = (struct ring_memory){0};
	gpadl_put(gpadl);
}
