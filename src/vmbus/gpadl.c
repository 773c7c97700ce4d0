// SPDX-License-Identifier: MIT
/*
 * The table of GPADLs: from messages to checked lists of pages, and back to nothing. See gpadl.h
 * for the contract and gpadl_internal.h for the states.
 */
#include "vmbus/gpadl.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmbus/gpadl_internal.h"
#include "vmbus/ring_proto.h"

/* The shortest range: its header and one page. */
#define RANGE_WORDS_MIN 2

/* --- The table. ---------------------------------------------------------------------------- */

static bool limit_valid(uint32_t limit)
{
	return limit && limit <= GPADL_LIMIT_MAX;
}

int gpadl_table_create(struct mem *mem, const struct gpadl_limits *limits,
		       void (*torn_down)(void *ctx, uint32_t channel, uint32_t handle), void *ctx,
		       struct gpadl_table **ret)
{
	struct gpadl_table *table;

	if (!limit_valid(limits->channel_words) || !limit_valid(limits->total_words) ||
	    !limit_valid(limits->channel_gpadls) || !limit_valid(limits->total_gpadls) ||
	    !limit_valid(limits->mappings))
		return -EINVAL;
	table = calloc(1, sizeof(*table));
	if (!table)
		return -ENOMEM;
	table->mem = mem;
	table->limits = *limits;
	table->torn_down = torn_down;
	table->ctx = ctx;
	*ret = table;
	return 0;
}

void gpadl_table_destroy(struct gpadl_table *table)
{
	if (!table)
		return;
	gpadl_reset(table);
	assert(!table->gpadls);
	free(table);
}

const struct gpadl_counters *gpadl_table_counters(const struct gpadl_table *table)
{
	return &table->counters;
}

static struct gpadl **bucket(struct gpadl_table *table, uint32_t handle)
{
	/* Guests count their handles up. */
	return &table->buckets[handle % GPADL_BUCKETS];
}

static struct gpadl *find(const struct gpadl_table *table, uint32_t handle)
{
	struct gpadl *g = table->buckets[handle % GPADL_BUCKETS];

	while (g && g->handle != handle)
		g = g->next;
	return g;
}

static void unlink_gpadl(struct gpadl *gpadl)
{
	struct gpadl **at = bucket(gpadl->table, gpadl->handle);

	while (*at != gpadl)
		at = &(*at)->next;
	*at = gpadl->next;
}

static void free_gpadl(struct gpadl *gpadl)
{
	gpadl->table->words -= gpadl->words;
	gpadl->table->gpadls--;
	free(gpadl->spans);
	free(gpadl);
}

/* --- Checking a list. ---------------------------------------------------------------------- */

static int compare_pages(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

/* No page twice, in whatever range. */
static int check_overlap(const struct gpadl *gpadl)
{
	uint32_t count = gpadl->words - gpadl->ranges, n = 0;
	uint64_t *sorted = malloc(count * sizeof(*sorted));
	int r = 0;

	if (!sorted)
		return -ENOMEM;
	for (uint32_t i = 0; i < gpadl->ranges; i++) {
		const struct gpadl_span *s = &gpadl->spans[i];

		memcpy(&sorted[n], &gpadl->list[s->first], s->pages * sizeof(*sorted));
		n += s->pages;
	}
	assert(n == count);
	qsort(sorted, count, sizeof(*sorted), compare_pages);
	for (uint32_t i = 1; i < count && r == 0; i++)
		if (sorted[i] == sorted[i - 1])
			r = -EFAULT;
	free(sorted);
	return r;
}

static int check_pages(const struct gpadl *gpadl, const struct gpadl_span *span)
{
	for (uint32_t i = 0; i < span->pages; i++) {
		uint64_t pfn = gpadl->list[span->first + i];

		if (pfn > UINT64_MAX >> PAGE_SHIFT ||
		    !mem_is_ram(gpadl->table->mem, pfn << PAGE_SHIFT, PAGE_SIZE))
			return -EFAULT;
	}
	return 0;
}

/* The list is complete: finds its ranges, which must be all there is. */
static int parse(struct gpadl *gpadl)
{
	uint32_t at = 0;

	gpadl->spans = calloc(gpadl->ranges, sizeof(*gpadl->spans));
	if (!gpadl->spans)
		return -ENOMEM;
	for (uint32_t i = 0; i < gpadl->ranges; i++) {
		struct gpadl_span *s = &gpadl->spans[i];
		struct gpa_range head;
		uint64_t pages;
		int r;

		if (at == gpadl->words)
			return -EINVAL;
		memcpy(&head, &gpadl->list[at++], sizeof(head));
		if (!head.byte_count || head.byte_offset >= PAGE_SIZE)
			return -EINVAL;
		pages = align_up((uint64_t)head.byte_offset + head.byte_count, PAGE_SIZE) /
			PAGE_SIZE;
		if (pages > gpadl->words - at)
			return -EINVAL;
		*s = (struct gpadl_span){.bytes = head.byte_count,
					 .offset = head.byte_offset,
					 .first = at,
					 .pages = (uint32_t)pages};
		r = check_pages(gpadl, s);
		if (r < 0)
			return r;
		at += s->pages;
	}
	if (at != gpadl->words)
		return -EINVAL;
	return check_overlap(gpadl);
}

/* --- The guest's messages. ----------------------------------------------------------------- */

static int refuse(struct gpadl_table *table, int code)
{
	if (code == -ENOSPC)
		counter_add(&table->counters.limited, 1);
	else
		counter_add(&table->counters.refused, 1);
	return code;
}

static int check_limits(const struct gpadl_table *table, uint32_t channel, uint32_t words)
{
	const struct gpadl_limits *limits = &table->limits;
	uint32_t channel_words = 0, channel_gpadls = 0;

	for (size_t i = 0; i < GPADL_BUCKETS; i++) {
		for (const struct gpadl *g = table->buckets[i]; g; g = g->next) {
			if (g->channel != channel)
				continue;
			channel_words += g->words;
			channel_gpadls++;
		}
	}
	if (table->gpadls >= limits->total_gpadls || channel_gpadls >= limits->channel_gpadls)
		return -ENOSPC;
	if (words > limits->total_words || table->words > limits->total_words - words)
		return -ENOSPC;
	if (words > limits->channel_words || channel_words > limits->channel_words - words)
		return -ENOSPC;
	return 0;
}

/* Takes the next bytes; the last ones make it READY. On failure it is gone. */
static int fill(struct gpadl *gpadl, const void *data, size_t len, bool *ret_complete)
{
	struct gpadl_table *table = gpadl->table;
	uint32_t all = gpadl->words * (uint32_t)sizeof(uint64_t);
	uint32_t n = (uint32_t)min_of(len, (size_t)(all - gpadl->filled));
	int r;

	if (n)
		memcpy((uint8_t *)gpadl->list + gpadl->filled, data, n);
	gpadl->filled += n;
	if (gpadl->filled < all) {
		*ret_complete = false;
		return 0;
	}
	r = parse(gpadl);
	if (r < 0) {
		unlink_gpadl(gpadl);
		free_gpadl(gpadl);
		return refuse(table, r);
	}
	gpadl->state = GPADL_READY;
	counter_add(&table->counters.created, 1);
	*ret_complete = true;
	return 0;
}

int gpadl_begin(struct gpadl_table *table, uint32_t channel, uint32_t handle, uint16_t buflen,
		uint16_t ranges, const void *data, size_t len, bool *ret_complete)
{
	uint32_t words = buflen / (uint32_t)sizeof(uint64_t);
	struct gpadl *gpadl;
	int r;

	if (!handle || !ranges || !is_aligned(buflen, sizeof(uint64_t)) ||
	    words < RANGE_WORDS_MIN * (uint32_t)ranges)
		return refuse(table, -EINVAL);
	if (find(table, handle))
		return refuse(table, -EEXIST);
	r = check_limits(table, channel, words);
	if (r < 0)
		return refuse(table, r);
	gpadl = malloc(sizeof(*gpadl) + words * sizeof(uint64_t));
	if (!gpadl)
		return refuse(table, -ENOMEM);
	*gpadl = (struct gpadl){.table = table,
				.next = *bucket(table, handle),
				.channel = channel,
				.handle = handle,
				.state = GPADL_FILLING,
				.words = words,
				.ranges = ranges};
	*bucket(table, handle) = gpadl;
	table->words += words;
	table->gpadls++;
	return fill(gpadl, data, len, ret_complete);
}

int gpadl_add(struct gpadl_table *table, uint32_t handle, const void *data, size_t len,
	      bool *ret_complete)
{
	struct gpadl *gpadl = find(table, handle);

	if (!gpadl || gpadl->state != GPADL_FILLING)
		return -ENOENT;
	return fill(gpadl, data, len, ret_complete);
}

int gpadl_channel(const struct gpadl_table *table, uint32_t handle, uint32_t *ret_channel)
{
	const struct gpadl *gpadl = find(table, handle);

	if (!gpadl)
		return -ENOENT;
	*ret_channel = gpadl->channel;
	return 0;
}

int gpadl_teardown(struct gpadl_table *table, uint32_t channel, uint32_t handle)
{
	struct gpadl *gpadl = find(table, handle);

	if (!gpadl || gpadl->channel != channel)
		return -ENOENT;
	if (gpadl->state == GPADL_TEARING)
		return -EALREADY;
	if (gpadl->holds) {
		gpadl->state = GPADL_TEARING;
		counter_add(&table->counters.deferred, 1);
		return -EINPROGRESS;
	}
	unlink_gpadl(gpadl);
	free_gpadl(gpadl);
	counter_add(&table->counters.torn_down, 1);
	return 0;
}

/* All of @channel, or of every one. */
static void drop(struct gpadl_table *table, bool every, uint32_t channel)
{
	for (size_t i = 0; i < GPADL_BUCKETS; i++) {
		struct gpadl **at = &table->buckets[i];

		while (*at) {
			struct gpadl *g = *at;

			if (!every && g->channel != channel) {
				at = &g->next;
				continue;
			}
			*at = g->next;
			g->state = GPADL_DROPPED;
			if (!g->holds)
				free_gpadl(g);
		}
	}
}

void gpadl_drop_channel(struct gpadl_table *table, uint32_t channel)
{
	drop(table, false, channel);
}

void gpadl_reset(struct gpadl_table *table)
{
	drop(table, true, 0);
}

/* --- Holds. -------------------------------------------------------------------------------- */

int gpadl_get(struct gpadl_table *table, uint32_t channel, uint32_t handle, struct gpadl **ret)
{
	struct gpadl *gpadl = find(table, handle);

	if (!gpadl || gpadl->channel != channel || gpadl->state != GPADL_READY)
		return -ENOENT;
	gpadl->holds++;
	*ret = gpadl;
	return 0;
}

void gpadl_put(struct gpadl *gpadl)
{
	struct gpadl_table *table;
	uint32_t channel, handle;

	if (!gpadl)
		return;
	assert(gpadl->holds);
	if (--gpadl->holds)
		return;
	table = gpadl->table;
	channel = gpadl->channel;
	handle = gpadl->handle;
	switch (gpadl->state) {
	case GPADL_FILLING:
	case GPADL_READY:
		return;
	case GPADL_DROPPED:
		free_gpadl(gpadl);
		return;
	case GPADL_TEARING:
		unlink_gpadl(gpadl);
		free_gpadl(gpadl);
		counter_add(&table->counters.torn_down, 1);
		table->torn_down(table->ctx, channel, handle);
		return;
	}
}

/* --- Access to the pages. ------------------------------------------------------------------ */

uint32_t gpadl_range_count(const struct gpadl *gpadl)
{
	return gpadl->ranges;
}

uint64_t gpadl_range_len(const struct gpadl *gpadl, uint32_t range)
{
	return range < gpadl->ranges ? gpadl->spans[range].bytes : 0;
}

/* Byte @pos of the range's pages, and how many of @len bytes follow in the same page. */
static uint64_t locate(const struct gpadl *gpadl, const struct gpadl_span *span, uint64_t pos,
		       uint64_t len, uint64_t *ret_gpa)
{
	uint64_t in_page = pos % PAGE_SIZE;

	*ret_gpa = (gpadl->list[span->first + pos / PAGE_SIZE] << PAGE_SHIFT) + in_page;
	return min_of(len, PAGE_SIZE - in_page);
}

static const struct gpadl_span *span_of(const struct gpadl *gpadl, uint32_t range, uint64_t offset,
					uint64_t len)
{
	if (!range_within(offset, len, gpadl_range_len(gpadl, range)))
		return NULL;
	/* Also says no to a range that there is not, for any length. */
	return range < gpadl->ranges ? &gpadl->spans[range] : NULL;
}

int gpadl_read(const struct gpadl *gpadl, uint32_t range, uint64_t offset, void *buf, size_t len)
{
	const struct gpadl_span *s = span_of(gpadl, range, offset, len);
	uint64_t gpa, n;
	char *to = buf;
	int r = 0;

	if (!s)
		return -EFAULT;
	for (uint64_t pos = s->offset + offset; len && r == 0; len -= n, pos += n, to += n) {
		n = locate(gpadl, s, pos, len, &gpa);
		r = mem_read(gpadl->table->mem, gpa, to, n);
	}
	return r;
}

int gpadl_write(const struct gpadl *gpadl, uint32_t range, uint64_t offset, const void *buf,
		size_t len)
{
	const struct gpadl_span *s = span_of(gpadl, range, offset, len);
	const char *from = buf;
	uint64_t gpa, n;
	int r = 0;

	if (!s)
		return -EFAULT;
	for (uint64_t pos = s->offset + offset; len && r == 0; len -= n, pos += n, from += n) {
		n = locate(gpadl, s, pos, len, &gpa);
		r = mem_write(gpadl->table->mem, gpa, from, n);
	}
	return r;
}

int gpadl_iov(const struct gpadl *gpadl, uint32_t range, uint64_t offset, uint64_t len,
	      struct iovec *iov, size_t max, size_t *count)
{
	const struct gpadl_span *s = span_of(gpadl, range, offset, len);
	size_t have = *count;
	struct iovec last = have ? iov[have - 1] : (struct iovec){0};
	uint64_t gpa, n;
	int r = 0;

	if (!s)
		return -EFAULT;
	for (uint64_t pos = s->offset + offset; len && r == 0; len -= n, pos += n) {
		n = locate(gpadl, s, pos, len, &gpa);
		r = mem_iov(gpadl->table->mem, gpa, n, iov, max, count);
	}
	if (r < 0) {
		*count = have;
		if (have)
			iov[have - 1] = last;
	}
	return r;
}
