// SPDX-License-Identifier: MIT
/*
 * Sector bitmaps of a differencing image, MS-VHDX 2.4: which sectors of a block that is present in
 * part are in this file. Read when they are needed, a page at a time, and kept while there is room
 * or while something needs them. Owner: the disk's loop.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/block/vhdx_internal.h"

#define PAGES_PER_CHUNK (VHDX_SECTORS_PER_CHUNK / VHDX_BITMAP_PAGE_BITS)

static struct vhdx_bitmap_page **bucket_of(struct vhdx *v, uint64_t number)
{
	return &v->bitmaps.buckets[number % VHDX_BITMAP_BUCKETS];
}

static struct vhdx_bitmap_page *find(struct vhdx *v, uint64_t number)
{
	struct vhdx_bitmap_page *page = *bucket_of(v, number);

	while (page && page->number != number)
		page = page->next;
	return page;
}

static uint64_t sector_of(const struct vhdx *v, uint64_t offset)
{
	return offset / v->image.logical_sector;
}

/* The pages of a range: first and one past the last. */
static void page_range(const struct vhdx *v, uint64_t offset, uint64_t len, uint64_t *ret_first,
		       uint64_t *ret_end)
{
	*ret_first = sector_of(v, offset) / VHDX_BITMAP_PAGE_BITS;
	*ret_end = sector_of(v, offset + len - 1) / VHDX_BITMAP_PAGE_BITS + 1;
}

/* --- The cache. ---------------------------------------------------------------------------- */

static void lru_remove(struct vhdx_bitmap_page *page)
{
	page->older->newer = page->newer;
	page->newer->older = page->older;
}

static void lru_add(struct vhdx_bitmaps *bitmaps, struct vhdx_bitmap_page *page)
{
	page->newer = &bitmaps->lru;
	page->older = bitmaps->lru.older;
	page->older->newer = page;
	bitmaps->lru.older = page;
}

static void forget(struct vhdx *v, struct vhdx_bitmap_page *page)
{
	struct vhdx_bitmap_page **place = bucket_of(v, page->number);

	while (*place != page)
		place = &(*place)->next;
	*place = page->next;
	lru_remove(page);
	v->bitmaps.count--;
	free(page->bits);
	free(page);
}

/*
 * Makes room by what was not used for longest. A page that is on its way to its place is not in it
 * yet: while that goes on, none is given up.
 */
static void evict(struct vhdx *v)
{
	struct vhdx_bitmap_page *page = v->bitmaps.lru.newer;

	while (v->bitmaps.count >= VHDX_BITMAP_CACHE && page != &v->bitmaps.lru &&
	       !v->flusher.applying) {
		struct vhdx_bitmap_page *newer = page->newer;

		if (page->loaded && !page->pins && !page->page.dirty && !page->page.image)
			forget(v, page);
		page = newer;
	}
}

static struct vhdx_bitmap_page *add(struct vhdx *v, uint64_t number)
{
	uint64_t index = vhdx_bitmap_index(&v->image, number / PAGES_PER_CHUNK);
	struct vhdx_bitmap_page *page;

	evict(v);
	page = calloc(1, sizeof(*page));
	if (!page)
		return NULL;
	page->bits = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
	if (!page->bits) {
		free(page);
		return NULL;
	}
	page->v = v;
	page->number = number;
	page->page.bitmap = true;
	page->page.file_offset = vhdx_entry_offset(vhdx_bat_get(&v->bat, index)) +
				 number % PAGES_PER_CHUNK * PAGE_SIZE;
	page->next = *bucket_of(v, number);
	*bucket_of(v, number) = page;
	lru_add(&v->bitmaps, page);
	v->bitmaps.count++;
	return page;
}

static void loaded(struct file_request *file, int result)
{
	struct vhdx_bitmap_page *page = container_of(file, struct vhdx_bitmap_page, file);
	struct vhdx_segment *segment = page->waiting;

	page->waiting = NULL;
	page->loaded = true;
	if (result)
		forget(page->v, page);
	else
		page->pins++;
	for (struct vhdx_segment *next; segment; segment = next) {
		next = segment->next;
		segment->resume(segment, result);
	}
	if (!result)
		page->pins--;
}

static void load(struct vhdx_bitmap_page *page)
{
	page->iov = (struct iovec){page->bits, PAGE_SIZE};
	page->file = (struct file_request){.op = FILE_READ,
					   .offset = page->page.file_offset,
					   .len = PAGE_SIZE,
					   .iov = &page->iov,
					   .iov_count = 1,
					   .done = loaded};
	file_submit(page->v->file, &page->file);
}

int vhdx_bitmap_get(struct vhdx_segment *segment, uint64_t offset, uint64_t len)
{
	struct vhdx *v = segment->v;
	uint64_t number, end;

	for (page_range(v, offset, len, &number, &end); number < end; number++) {
		struct vhdx_bitmap_page *page = find(v, number);
		bool new = !page;

		if (new)
			page = add(v, number);
		if (!page)
			return -ENOMEM;
		lru_remove(page);
		lru_add(&v->bitmaps, page);
		if (page->loaded)
			continue;
		segment->next = page->waiting;
		page->waiting = segment;
		if (new)
			load(page);
		return -EINPROGRESS;
	}
	return 0;
}

static void change_pins(struct vhdx *v, uint64_t offset, uint64_t len, int by)
{
	uint64_t number, end;

	for (page_range(v, offset, len, &number, &end); number < end; number++)
		find(v, number)->pins += (unsigned int)by;
}

void vhdx_bitmap_pin(struct vhdx *v, uint64_t offset, uint64_t len)
{
	change_pins(v, offset, len, 1);
}

void vhdx_bitmap_unpin(struct vhdx *v, uint64_t offset, uint64_t len)
{
	change_pins(v, offset, len, -1);
}

void vhdx_bitmap_init(struct vhdx_bitmaps *bitmaps)
{
	bitmaps->lru.older = bitmaps->lru.newer = &bitmaps->lru;
}

void vhdx_bitmap_finish(struct vhdx_bitmaps *bitmaps)
{
	for (unsigned int i = 0; i < VHDX_BITMAP_BUCKETS; i++) {
		while (bitmaps->buckets[i]) {
			struct vhdx_bitmap_page *page = bitmaps->buckets[i];

			bitmaps->buckets[i] = page->next;
			free(page->bits);
			free(page);
		}
	}
}

/* --- Bits. --------------------------------------------------------------------------------- */

static bool bit(const struct vhdx_bitmap_page *page, uint64_t i)
{
	return page->bits[i / 8] >> i % 8 & 1;
}

bool vhdx_bitmap_run(struct vhdx *v, uint64_t offset, uint64_t len, uint64_t *ret_len)
{
	const struct vhdx_bitmap_page *page = find(v, sector_of(v, offset) / VHDX_BITMAP_PAGE_BITS);
	uint64_t first = sector_of(v, offset) % VHDX_BITMAP_PAGE_BITS;
	uint64_t end = first + len / v->image.logical_sector, i = first + 1;
	bool present = bit(page, first);
	uint8_t whole = present ? 0xff : 0;

	while (i < end) {
		if (i % 8 == 0 && end - i >= 8 && page->bits[i / 8] == whole)
			i += 8;
		else if (bit(page, i) == present)
			i++;
		else
			break;
	}
	*ret_len = (i - first) * v->image.logical_sector;
	return present;
}

/* Bits @first to @end of one page. */
static bool mark_page(struct vhdx *v, struct vhdx_bitmap_page *page, uint64_t first, uint64_t end,
		      bool present)
{
	bool changed = false;

	for (uint64_t i = first; i < end;) {
		uint8_t mask = 0xff;
		uint64_t step = 8 - i % 8;
		uint8_t *byte = &page->bits[i / 8], old = *byte;

		step = min_of(step, end - i);
		mask = (uint8_t)((0xff >> (8 - step)) << i % 8);
		*byte = (uint8_t)(present ? old | mask : old & ~mask);
		changed |= *byte != old;
		i += step;
	}
	if (changed)
		vhdx_page_dirty(v, &page->page);
	return changed;
}

bool vhdx_bitmap_mark(struct vhdx *v, uint64_t offset, uint64_t len, bool present)
{
	uint64_t sector = sector_of(v, offset), end = sector_of(v, offset + len);
	bool changed = false;

	while (sector < end) {
		struct vhdx_bitmap_page *page = find(v, sector / VHDX_BITMAP_PAGE_BITS);
		uint64_t first = sector % VHDX_BITMAP_PAGE_BITS;
		uint64_t count = min_of(end - sector, VHDX_BITMAP_PAGE_BITS - first);

		changed |= mark_page(v, page, first, first + count, present);
		sector += count;
	}
	return changed;
}
