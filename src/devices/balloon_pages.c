// SPDX-License-Identifier: MIT
/* A set of pages. See balloon_pages.h. */
#include "devices/balloon_pages.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

static size_t map_len(const struct balloon_pages *pages)
{
	return align_up((pages->limit + 63) / 64 * sizeof(uint64_t), PAGE_SIZE);
}

static uint64_t *map(size_t len)
{
	/* Not calloc(): this one must stay without pages until they are needed. */
	return mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		    -1, 0);
}

int balloon_pages_init(struct balloon_pages *pages, uint64_t limit)
{
	*pages = (struct balloon_pages){.limit = limit, .first = limit};
	pages->words = map(map_len(pages));
	if (pages->words == MAP_FAILED) {
		pages->words = NULL;
		return -ENOMEM;
	}
	return 0;
}

void balloon_pages_finish(struct balloon_pages *pages)
{
	if (pages->words)
		munmap(pages->words, map_len(pages));
	*pages = (struct balloon_pages){0};
}

/* The bits of word @word that [@start, @start + @count) covers. */
static uint64_t mask_of(uint64_t word, uint64_t start, uint64_t count)
{
	const uint64_t base = word * 64;
	const uint64_t low = start > base ? start - base : 0;
	const uint64_t high = min_of(start + count - base, (uint64_t)64);

	return (~0ull >> (64 - (high - low))) << low;
}

int balloon_pages_add(struct balloon_pages *pages, uint64_t start, uint64_t count)
{
	if (count == 0)
		return 0;
	if (!range_within(start, count, pages->limit))
		return -EINVAL;
	for (uint64_t w = start / 64; w <= (start + count - 1) / 64; w++)
		if (pages->words[w] & mask_of(w, start, count))
			return -EEXIST;
	for (uint64_t w = start / 64; w <= (start + count - 1) / 64; w++)
		pages->words[w] |= mask_of(w, start, count);
	pages->count += count;
	pages->first = min_of(pages->first, start);
	return 0;
}

void balloon_pages_remove(struct balloon_pages *pages, uint64_t start, uint64_t count)
{
	assert(count && range_within(start, count, pages->limit) && count <= pages->count);
	for (uint64_t w = start / 64; w <= (start + count - 1) / 64; w++) {
		const uint64_t mask = mask_of(w, start, count);

		assert((pages->words[w] & mask) == mask);
		pages->words[w] &= ~mask;
	}
	pages->count -= count;
	if (start <= pages->first)
		pages->first = start + count;
	if (pages->count == 0)
		pages->first = pages->limit;
}

void balloon_pages_clear(struct balloon_pages *pages)
{
	/* Zero again, and its pages go back; memory of our own is always there to be advised. */
	(void)!madvise(pages->words, map_len(pages), MADV_DONTNEED);
	pages->count = 0;
	pages->first = pages->limit;
}

/* The first page from @page on, below the limit, whose bit is @set; or the limit. */
static uint64_t find_bit(const struct balloon_pages *pages, uint64_t page, bool set)
{
	const uint64_t flip = set ? 0 : ~0ull;
	const uint64_t last = (pages->limit - 1) / 64;
	uint64_t w = page / 64, bits;

	if (page >= pages->limit)
		return pages->limit;
	bits = (pages->words[w] ^ flip) & ~0ull << page % 64;
	while (!bits && w < last)
		bits = pages->words[++w] ^ flip;
	if (!bits)
		return pages->limit;
	return min_of(w * 64 + (uint64_t)__builtin_ctzll(bits), pages->limit);
}

bool balloon_pages_next(const struct balloon_pages *pages, uint64_t from, uint64_t max,
			uint64_t *ret_start, uint64_t *ret_count)
{
	uint64_t start, end;

	if (!pages->count || !max)
		return false;
	start = find_bit(pages, max_of(from, pages->first), true);
	if (start >= pages->limit)
		return false;
	end = find_bit(pages, start, false);
	*ret_start = start;
	*ret_count = min_of(end - start, max);
	return true;
}
