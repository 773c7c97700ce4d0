// SPDX-License-Identifier: MIT
/*
 * The contents of a file in memory: a table of chunks of pages, both counted and copied on write.
 */
#include "pages.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

#define CHUNK_PAGES 64u
#define CHUNK_SIZE  ((uint64_t)CHUNK_PAGES * PAGE_SIZE)

struct page {
	unsigned int refs;
	unsigned char data[PAGE_SIZE];
};

struct pages_chunk {
	unsigned int refs;
	struct page *pages[CHUNK_PAGES];
};

static void page_put(struct page *page)
{
	if (page && --page->refs == 0)
		free(page);
}

static void chunk_put(struct pages_chunk *chunk)
{
	if (!chunk || --chunk->refs)
		return;
	for (unsigned int i = 0; i < CHUNK_PAGES; i++)
		page_put(chunk->pages[i]);
	free(chunk);
}

void pages_finish(struct pages *pages)
{
	for (size_t i = 0; i < pages->chunk_count; i++)
		chunk_put(pages->chunks[i]);
	free(pages->chunks);
	*pages = (struct pages){};
}

void pages_copy(struct pages *to, const struct pages *from)
{
	*to = *from;
	to->chunks = xcalloc(from->chunk_count, sizeof(struct pages_chunk *));
	for (size_t i = 0; i < from->chunk_count; i++) {
		to->chunks[i] = from->chunks[i];
		if (to->chunks[i])
			to->chunks[i]->refs++;
	}
}

/* The chunk with @offset, to be changed. */
static struct pages_chunk *own_chunk(struct pages *pages, uint64_t offset)
{
	size_t i = offset / CHUNK_SIZE;
	struct pages_chunk *chunk, *copy;

	if (i >= pages->chunk_count) {
		pages->chunks = xrealloc(pages->chunks, (i + 1) * sizeof(struct pages_chunk *));
		memset(&pages->chunks[pages->chunk_count], 0,
		       (i + 1 - pages->chunk_count) * sizeof(struct pages_chunk *));
		pages->chunk_count = i + 1;
	}
	chunk = pages->chunks[i];
	if (chunk && chunk->refs == 1)
		return chunk;
	copy = xcalloc(1, sizeof(*copy));
	copy->refs = 1;
	if (chunk) {
		memcpy(copy->pages, chunk->pages, sizeof(copy->pages));
		for (unsigned int n = 0; n < CHUNK_PAGES; n++)
			if (copy->pages[n])
				copy->pages[n]->refs++;
		chunk_put(chunk);
	}
	pages->chunks[i] = copy;
	return copy;
}

static struct page **own_slot(struct pages *pages, uint64_t offset)
{
	return &own_chunk(pages, offset)->pages[offset % CHUNK_SIZE / PAGE_SIZE];
}

/* The page with @offset, to be changed. */
static struct page *own_page(struct pages *pages, uint64_t offset)
{
	struct page **slot = own_slot(pages, offset), *page = *slot;

	if (page && page->refs == 1)
		return page;
	*slot = xcalloc(1, sizeof(**slot));
	(*slot)->refs = 1;
	if (page) {
		memcpy((*slot)->data, page->data, PAGE_SIZE);
		page_put(page);
	}
	return *slot;
}

static const struct page *find_page(const struct pages *pages, uint64_t offset)
{
	size_t i = offset / CHUNK_SIZE;

	if (i >= pages->chunk_count || !pages->chunks[i])
		return NULL;
	return pages->chunks[i]->pages[offset % CHUNK_SIZE / PAGE_SIZE];
}

static size_t in_page(uint64_t offset, uint64_t len)
{
	return min_of(len, PAGE_SIZE - offset % PAGE_SIZE);
}

void pages_read(const struct pages *pages, void *buf, size_t len, uint64_t offset)
{
	unsigned char *p = buf;
	uint64_t have = offset < pages->size ? min_of(len, pages->size - offset) : 0;

	memset(p + have, 0, len - have);
	while (have > 0) {
		const struct page *page = find_page(pages, offset);
		size_t n = in_page(offset, have);

		if (page)
			memcpy(p, page->data + offset % PAGE_SIZE, n);
		else
			memset(p, 0, n);
		p += n;
		offset += n;
		have -= n;
	}
}

void pages_write(struct pages *pages, const void *buf, size_t len, uint64_t offset)
{
	const unsigned char *p = buf;

	while (len > 0) {
		size_t n = in_page(offset, len);

		memcpy(own_page(pages, offset)->data + offset % PAGE_SIZE, p, n);
		p += n;
		offset += n;
		len -= n;
	}
}

static void take_page(struct pages *pages, struct page *page, uint64_t offset)
{
	struct page **slot = own_slot(pages, offset);

	page_put(*slot);
	*slot = page;
	if (page)
		page->refs++;
}

static void take_chunk(struct pages *pages, struct pages_chunk *chunk, uint64_t offset)
{
	struct pages_chunk **slot;

	own_chunk(pages, offset);
	slot = &pages->chunks[offset / CHUNK_SIZE];
	chunk_put(*slot);
	*slot = chunk;
	chunk->refs++;
}

void pages_take(struct pages *pages, const struct pages *from, uint64_t offset, uint64_t len)
{
	static const unsigned char zeroes[PAGE_SIZE];
	uint64_t end = offset + len;

	while (offset < end) {
		struct pages_chunk *chunk = NULL;
		struct page *page;
		size_t n = in_page(offset, end - offset);

		if (offset / CHUNK_SIZE < from->chunk_count)
			chunk = from->chunks[offset / CHUNK_SIZE];
		page = chunk ? chunk->pages[offset % CHUNK_SIZE / PAGE_SIZE] : NULL;
		if (chunk && is_aligned(offset, CHUNK_SIZE) && end - offset >= CHUNK_SIZE) {
			take_chunk(pages, chunk, offset);
			n = CHUNK_SIZE;
		} else if (n == PAGE_SIZE) {
			take_page(pages, page, offset);
		} else {
			pages_write(pages, page ? page->data + offset % PAGE_SIZE : zeroes, n,
				    offset);
		}
		offset += n;
	}
}

void pages_zero(struct pages *pages, uint64_t offset, uint64_t len)
{
	uint64_t end = min_of(offset + len, pages->chunk_count * CHUNK_SIZE);

	while (offset < end) {
		size_t n = in_page(offset, end - offset);

		if (!find_page(pages, offset)) {
			offset += n;
			continue;
		}
		if (n == PAGE_SIZE) {
			struct page **slot = own_slot(pages, offset);

			page_put(*slot);
			*slot = NULL;
		} else {
			memset(own_page(pages, offset)->data + offset % PAGE_SIZE, 0, n);
		}
		offset += n;
	}
}

void pages_zero_kept(struct pages *pages, uint64_t offset, uint64_t len)
{
	while (len > 0) {
		size_t n = in_page(offset, len);

		memset(own_page(pages, offset)->data + offset % PAGE_SIZE, 0, n);
		offset += n;
		len -= n;
	}
}

void pages_cut(struct pages *pages, uint64_t size)
{
	uint64_t end = pages->chunk_count * CHUNK_SIZE;

	if (size < end)
		pages_zero(pages, size, end - size);
}

uint64_t pages_extent(const struct pages *pages, uint64_t offset, bool *ret_data)
{
	uint64_t end = offset;
	bool data = find_page(pages, offset) != NULL;

	while (end < pages->size && (find_page(pages, end) != NULL) == data)
		end = align_down(end, PAGE_SIZE) + PAGE_SIZE;
	*ret_data = data;
	return min_of(end, pages->size) - offset;
}
