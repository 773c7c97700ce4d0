// SPDX-License-Identifier: MIT
/*
 * Fuzzes the table of GPADLs: messages, holds, mappings and teardowns in any order. Beyond not
 * crashing and not leaking:
 *
 *   - what is accepted consists of RAM, all of it, and of no page twice;
 *   - a GPADL that is held or mapped stays what it is, whatever the guest asks for;
 *   - each teardown that was put off is announced once, and no other is;
 *   - the limits hold, and are free again in the end.
 *
 * The input is a list of commands, below.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmbus/gpadl_internal.h"
#include "vmbus/ring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * BEGIN: channel, handle, buflen (2), ranges (2), length, bytes. SIMPLE: channel, handle, first
 * page (2), pages: one range in one message. ADD: handle, length, bytes. TEARDOWN: channel, handle.
 * DROP: channel. RESET. GET: channel, handle. PUT: which. MAP: which hold, first, count. UNMAP:
 * which. ACCESS: which hold, range, offset (4), length (2). One byte each where not said.
 */
enum command { BEGIN, SIMPLE, ADD, TEARDOWN, DROP, RESET, GET, PUT, MAP, UNMAP, ACCESS, COMMANDS };

#define COMMANDS_MAX 200
#define SLOTS        8
#define PAGES_MAX    4096
#define RAM          MiB(4)

struct input {
	const uint8_t *data;
	size_t left;
};

static struct mem *mem;
static struct gpadl_table *table;
static struct gpadl *holds[SLOTS];
static struct ring_memory maps[SLOTS];
static unsigned int announced, expected;

static void require(bool truth, const char *what)
{
	if (truth)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static uint32_t take(struct input *in, size_t bytes)
{
	uint32_t value = 0;
	size_t n = min_of(bytes, in->left);

	memcpy(&value, in->data, n);
	in->data += n;
	in->left -= n;
	return value;
}

static void on_torn_down(void *ctx, uint32_t channel, uint32_t handle)
{
	struct gpadl *g;

	(void)ctx;
	announced++;
	require(gpadl_get(table, channel, handle, &g) == -ENOENT, "announced, and still there");
}

/* What has just been accepted: every page RAM, none twice. */
static void check_accepted(uint32_t handle)
{
	static bool seen[RAM / PAGE_SIZE];
	uint8_t byte;
	uint32_t channel;
	struct gpadl *g;

	memset(seen, 0, sizeof(seen));
	require(gpadl_channel(table, handle, &channel) == 0, "channel");
	require(gpadl_get(table, channel, handle, &g) == 0, "complete, and not there");
	require(gpadl_range_count(g) > 0, "no ranges");
	for (uint32_t i = 0; i < gpadl_range_count(g); i++) {
		const struct gpadl_span *s = &g->spans[i];
		uint64_t len = gpadl_range_len(g, i);

		require(len > 0 && (uint64_t)s->pages * PAGE_SIZE >= s->offset + len, "length");
		require(gpadl_read(g, i, 0, &byte, 1) == 0, "first byte");
		require(gpadl_read(g, i, len - 1, &byte, 1) == 0, "last byte");
		require(gpadl_read(g, i, len, &byte, 1) == -EFAULT, "byte behind the last");
		for (uint32_t j = 0; j < s->pages; j++) {
			uint64_t pfn = g->list[s->first + j];

			require(pfn < RAM / PAGE_SIZE && !seen[pfn], "page");
			seen[pfn] = true;
		}
	}
	gpadl_put(g);
}

static void check_result(int r, bool complete, uint32_t handle)
{
	require(r == 0 || r == -EINVAL || r == -EEXIST || r == -EFAULT || r == -ENOSPC ||
			r == -ENOENT,
		"result of a message");
	if (r == 0 && complete)
		check_accepted(handle);
}

/* --- The guest. ---------------------------------------------------------------------------- */

static void begin(struct input *in)
{
	uint32_t channel = take(in, 1) % 4, handle = take(in, 1) % 16;
	uint16_t buflen = (uint16_t)take(in, 2), ranges = (uint16_t)take(in, 2);
	size_t len = min_of((size_t)take(in, 1), in->left);
	bool complete = false;
	int r = gpadl_begin(table, channel, handle, buflen, ranges, in->data, len, &complete);

	in->data += len;
	in->left -= len;
	check_result(r, complete, handle);
}

static void simple(struct input *in)
{
	uint32_t channel = take(in, 1) % 4, handle = take(in, 1) % 16;
	uint64_t first = take(in, 2) % (RAM / PAGE_SIZE), words[33];
	uint32_t pages = 1 + take(in, 1) % 32;
	bool complete = false;
	int r;

	words[0] = pages * PAGE_SIZE;
	for (uint32_t i = 0; i < pages; i++)
		words[i + 1] = first + i * (first % 3 + 1);
	r = gpadl_begin(table, channel, handle, (uint16_t)(pages * 8 + 8), 1, words, pages * 8 + 8,
			&complete);
	require(r < 0 || complete, "one message, and not all");
	check_result(r, complete, handle);
}

static void add(struct input *in)
{
	uint32_t handle = take(in, 1) % 16;
	size_t len = min_of((size_t)take(in, 1), in->left);
	bool complete = false;
	int r = gpadl_add(table, handle, in->data, len, &complete);

	in->data += len;
	in->left -= len;
	check_result(r, complete, handle);
}

static void guest_teardown(struct input *in)
{
	uint32_t channel = take(in, 1) % 4, handle = take(in, 1) % 16;
	int r = gpadl_teardown(table, channel, handle);

	require(r == 0 || r == -EINPROGRESS || r == -EALREADY || r == -ENOENT, "teardown");
	expected += r == -EINPROGRESS;
}

/* A dropped one is not announced, though its teardown was put off. */
static void drop(bool every, uint32_t channel)
{
	for (size_t i = 0; i < GPADL_BUCKETS; i++)
		for (const struct gpadl *g = table->buckets[i]; g; g = g->next)
			expected -= (every || g->channel == channel) && g->state == GPADL_TEARING;
	if (every)
		gpadl_reset(table);
	else
		gpadl_drop_channel(table, channel);
}

/* --- The host. ----------------------------------------------------------------------------- */

static void get(struct input *in)
{
	uint32_t channel = take(in, 1) % 4, handle = take(in, 1) % 16;

	for (size_t i = 0; i < SLOTS; i++) {
		if (holds[i])
			continue;
		(void)!gpadl_get(table, channel, handle, &holds[i]);
		return;
	}
}

static void put(size_t slot)
{
	gpadl_put(holds[slot]);
	holds[slot] = NULL;
}

static void map(struct input *in)
{
	struct gpadl *g = holds[take(in, 1) % SLOTS];
	uint32_t first = take(in, 1), count = take(in, 1);
	size_t slot = 0;

	while (slot < SLOTS && maps[slot].gpadl)
		slot++;
	if (!g || slot == SLOTS || gpadl_map_ring(g, first, count, &maps[slot]) < 0)
		return;
	require(maps[slot].len == (count - 1) * PAGE_SIZE, "length of a ring");
	maps[slot].control->write_index = 0;
	if (maps[slot].data) {
		memset(maps[slot].data, 1, 2 * (size_t)maps[slot].len);
		maps[slot].data[2 * (size_t)maps[slot].len - 1] = 9;
		require(maps[slot].data[maps[slot].len - 1] == 9, "mapped twice");
	} else {
		for (uint32_t i = 0; i < count - 1; i++)
			memset(maps[slot].pages[i], 2, PAGE_SIZE);
	}
}

static void access_pages(struct input *in)
{
	const struct gpadl *g = holds[take(in, 1) % SLOTS];
	uint32_t range = take(in, 1) % 8;
	uint64_t offset = take(in, 4), len = take(in, 2);
	static uint8_t buf[UINT16_MAX];
	struct iovec iov[16];
	size_t n = 0;
	bool inside;

	if (!g)
		return;
	inside = range < gpadl_range_count(g) &&
		 range_within(offset, len, gpadl_range_len(g, range));
	require((gpadl_read(g, range, offset, buf, len) == 0) == inside, "read");
	require((gpadl_write(g, range, offset, buf, len) == 0) == inside, "write");
	if (gpadl_iov(g, range, offset, len, iov, ARRAY_SIZE(iov), &n) == 0) {
		uint64_t sum = 0;

		require(inside, "iov");
		for (size_t i = 0; i < n; i++)
			sum += iov[i].iov_len;
		require(sum == len, "length of an iov");
	} else {
		require(n == 0, "part of an iov");
	}
}

static void step(struct input *in)
{
	switch ((enum command)(take(in, 1) % COMMANDS)) {
	case BEGIN:
		begin(in);
		break;
	case SIMPLE:
		simple(in);
		break;
	case ADD:
		add(in);
		break;
	case TEARDOWN:
		guest_teardown(in);
		break;
	case DROP:
		drop(false, take(in, 1) % 4);
		break;
	case RESET:
		drop(true, 0);
		break;
	case GET:
		get(in);
		break;
	case PUT:
		put(take(in, 1) % SLOTS);
		break;
	case MAP:
		map(in);
		break;
	case UNMAP:
		gpadl_unmap_ring(&maps[take(in, 1) % SLOTS]);
		break;
	case ACCESS:
		access_pages(in);
		break;
	case COMMANDS:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gpadl_limits limits = {.channel_words = PAGES_MAX,
				      .total_words = 2 * PAGES_MAX,
				      .channel_gpadls = 4,
				      .total_gpadls = 10,
				      .mappings = 100};
	struct mem_config config = {.size = RAM};
	struct input in = {.data = data, .left = size};

	if (!mem)
		require(mem_create(&config, NULL, &mem) == 0, "memory");
	require(gpadl_table_create(mem, &limits, on_torn_down, NULL, &table) == 0, "table");
	announced = expected = 0;
	for (int i = 0; i < COMMANDS_MAX && in.left; i++) {
		step(&in);
		require(table->words <= limits.total_words &&
				table->gpadls <= limits.total_gpadls &&
				table->mappings <= limits.mappings,
			"limits");
	}
	for (size_t i = 0; i < SLOTS; i++) {
		gpadl_unmap_ring(&maps[i]);
		put(i);
	}
	require(announced == expected, "announcements");
	gpadl_reset(table);
	require(!table->words && !table->gpadls && !table->mappings, "something is left");
	gpadl_table_destroy(table);
	return 0;
}
