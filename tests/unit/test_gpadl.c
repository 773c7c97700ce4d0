// SPDX-License-Identifier: MIT
/* GPADLs from messages: what is accepted, what is refused, limits, holds and teardown. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmbus/gpadl.h"
#include "vmbus/ring_proto.h"
#include "vmm/layout.h"

#define RAM      MiB(16)
#define RAM_PFNS (RAM / PAGE_SIZE)

/* What a header message and a body message hold. */
#define HEADER_DATA 220
#define BODY_DATA   224

static struct mem *mem;
static struct gpadl_table *table;
static unsigned int torn;
static uint32_t torn_channel, torn_handle;

static void on_torn_down(void *ctx, uint32_t channel, uint32_t handle)
{
	ck_assert_ptr_eq(ctx, &torn);
	torn++;
	torn_channel = channel;
	torn_handle = handle;
}

static void setup_limits(struct gpadl_limits limits)
{
	struct mem_config config = {.size = RAM};

	ck_assert_int_eq(mem_create(&config, NULL, &mem), 0);
	ck_assert_int_eq(gpadl_table_create(mem, &limits, on_torn_down, &torn, &table), 0);
}

static void setup(void)
{
	setup_limits(GPADL_LIMITS_DEFAULT);
}

static void teardown(void)
{
	gpadl_table_destroy(table);
	mem_destroy(mem);
}

/* --- Lists. -------------------------------------------------------------------------------- */

static uint64_t words[8192];
static uint32_t count;

static void add_word(uint64_t word)
{
	words[count++] = word;
}

static void add_range(uint32_t bytes, uint32_t offset)
{
	add_word(bytes | (uint64_t)offset << 32);
}

static void add_pages(uint64_t pfn, uint32_t pages)
{
	for (uint32_t i = 0; i < pages; i++)
		add_word(pfn + i);
}

/* Sends what is in words[] as a guest would, and starts anew. */
static int create_ranges(uint32_t channel, uint32_t handle, uint16_t ranges)
{
	const uint8_t *data = (const uint8_t *)words;
	size_t len = count * 8, n = min_of(len, (size_t)HEADER_DATA);
	bool complete = false;
	int r = gpadl_begin(table, channel, handle, (uint16_t)len, ranges, data, n, &complete);

	for (count = 0; r == 0 && n < len;) {
		size_t m = min_of(len - n, (size_t)BODY_DATA);

		ck_assert(!complete);
		r = gpadl_add(table, handle, data + n, m, &complete);
		n += m;
	}
	if (r == 0)
		ck_assert(complete);
	return r;
}

static int create(uint32_t channel, uint32_t handle, uint64_t pfn, uint32_t pages)
{
	add_range(pages * PAGE_SIZE, 0);
	add_pages(pfn, pages);
	return create_ranges(channel, handle, 1);
}

START_TEST(one_message)
{
	struct gpadl *g;
	uint32_t channel = 0;

	ck_assert_int_eq(create(3, 0xe1e10, 16, 4), 0);
	ck_assert_int_eq(gpadl_channel(table, 0xe1e10, &channel), 0);
	ck_assert_uint_eq(channel, 3);
	ck_assert_int_eq(gpadl_get(table, 4, 0xe1e10, &g), -ENOENT);
	ck_assert_int_eq(gpadl_get(table, 3, 0xe1e11, &g), -ENOENT);
	ck_assert_int_eq(gpadl_get(table, 3, 0xe1e10, &g), 0);
	ck_assert_uint_eq(gpadl_range_count(g), 1);
	ck_assert_uint_eq(gpadl_range_len(g, 0), 4 * PAGE_SIZE);
	ck_assert_uint_eq(gpadl_range_len(g, 1), 0);
	ck_assert_uint_eq(gpadl_ring_pages(g), 4);
	gpadl_put(g);
	gpadl_put(NULL);
	ck_assert_int_eq(gpadl_teardown(table, 4, 0xe1e10), -ENOENT);
	ck_assert_int_eq(gpadl_teardown(table, 3, 0xe1e10), 0);
	ck_assert_int_eq(gpadl_teardown(table, 3, 0xe1e10), -ENOENT);
	ck_assert_int_eq(gpadl_channel(table, 0xe1e10, &channel), -ENOENT);
	ck_assert_uint_eq(torn, 0);
	ck_assert_uint_eq(counter_get(&gpadl_table_counters(table)->created), 1);
	ck_assert_uint_eq(counter_get(&gpadl_table_counters(table)->torn_down), 1);
}
END_TEST

/* As large as a header can announce: a network buffer of Linux' size, nearly. */
START_TEST(many_messages)
{
	struct mem_config config = {.size = MiB(64)};

	teardown();
	ck_assert_int_eq(mem_create(&config, NULL, &mem), 0);
	ck_assert_int_eq(
		gpadl_table_create(mem, &GPADL_LIMITS_DEFAULT, on_torn_down, &torn, &table), 0);
	ck_assert_int_eq(create(1, 1, 100, 8190), 0);
	ck_assert_int_eq(gpadl_teardown(table, 1, 1), 0);
}
END_TEST

/* Bytes, wherever messages cut them; what comes after the end does not matter. */
START_TEST(any_cut)
{
	uint8_t data[8 * 12 + 5];
	bool complete;

	add_range(4 * PAGE_SIZE, 0);
	add_pages(5, 4);
	add_range(5 * PAGE_SIZE, 100);
	add_pages(20, 6);
	memset(data, 0xff, sizeof(data));
	memcpy(data, words, 96);
	for (size_t cut = 0; cut < 96; cut++) {
		complete = true;
		ck_assert_int_eq(gpadl_begin(table, 1, 9, 96, 2, data, cut, &complete), 0);
		ck_assert(!complete);
		ck_assert_int_eq(gpadl_teardown(table, 1, 9), 0); /* unfinished: fine too */
		ck_assert_int_eq(gpadl_add(table, 9, data, 8, &complete), -ENOENT);
		ck_assert_int_eq(gpadl_begin(table, 1, 9, 96, 2, data, cut, &complete), 0);
		ck_assert_int_eq(gpadl_add(table, 9, data + cut, sizeof(data) - cut, &complete), 0);
		ck_assert(complete);
		ck_assert_int_eq(gpadl_add(table, 9, data, 8, &complete), -ENOENT);
		ck_assert_int_eq(gpadl_teardown(table, 1, 9), 0);
	}
	count = 0;
}
END_TEST

START_TEST(ranges)
{
	struct gpadl *g;

	add_range(1, 4095);
	add_pages(7, 1);
	add_range(2, 4095);
	add_pages(8, 2);
	add_range(3 * PAGE_SIZE - 10, 10);
	add_pages(30, 3);
	ck_assert_int_eq(create_ranges(1, 5, 3), 0);
	ck_assert_int_eq(gpadl_get(table, 1, 5, &g), 0);
	ck_assert_uint_eq(gpadl_range_count(g), 3);
	ck_assert_uint_eq(gpadl_range_len(g, 0), 1);
	ck_assert_uint_eq(gpadl_range_len(g, 2), 3 * PAGE_SIZE - 10);
	ck_assert_uint_eq(gpadl_ring_pages(g), 0);
	gpadl_put(g);
}
END_TEST

START_TEST(malformed)
{
	bool complete;

	ck_assert_int_eq(create(1, 0, 16, 1), -EINVAL); /* the handle */
	words[0] = PAGE_SIZE;
	words[1] = 1;
	ck_assert_int_eq(gpadl_begin(table, 1, 1, 16, 0, words, 16, &complete), -EINVAL);
	ck_assert_int_eq(gpadl_begin(table, 1, 1, 16, 2, words, 16, &complete), -EINVAL);
	ck_assert_int_eq(gpadl_begin(table, 1, 1, 8, 1, words, 8, &complete), -EINVAL);
	ck_assert_int_eq(gpadl_begin(table, 1, 1, 0, 1, words, 0, &complete), -EINVAL);
	ck_assert_int_eq(gpadl_begin(table, 1, 1, 20, 1, words, 20, &complete), -EINVAL);
	ck_assert_int_eq(gpadl_begin(table, 1, 1, 65535, UINT16_MAX, words, 16, &complete),
			 -EINVAL);
	add_range(0, 0); /* empty */
	add_pages(1, 1);
	ck_assert_int_eq(create_ranges(1, 1, 1), -EINVAL);
	add_range(1, 4096); /* offset */
	add_pages(1, 1);
	ck_assert_int_eq(create_ranges(1, 1, 1), -EINVAL);
	add_range(2, 4095); /* too few pages */
	add_pages(1, 1);
	ck_assert_int_eq(create_ranges(1, 1, 1), -EINVAL);
	add_range(UINT32_MAX, 4095);
	add_pages(1, 40);
	ck_assert_int_eq(create_ranges(1, 1, 1), -EINVAL);
	add_range(4096, 0); /* too many */
	add_pages(1, 2);
	ck_assert_int_eq(create_ranges(1, 1, 1), -EINVAL);
	add_range(3 * PAGE_SIZE, 0); /* the second range is not there */
	add_pages(1, 3);
	ck_assert_int_eq(create_ranges(1, 1, 2), -EINVAL);
	ck_assert_uint_eq(counter_get(&gpadl_table_counters(table)->refused), 13);
	/* Nothing of it is left. */
	ck_assert_int_eq(create(1, 1, 16, 1), 0);
}
END_TEST

START_TEST(not_ram)
{
	static const uint64_t bad[] = {RAM_PFNS, LAYOUT_MMIO_HOLE / PAGE_SIZE, 1ull << 52,
				       UINT64_MAX, (1ull << 52) + 1};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		add_range(3 * PAGE_SIZE, 0);
		add_pages(1, 2);
		add_word(bad[i]);
		ck_assert_int_eq(create_ranges(1, 1, 1), -EFAULT);
	}
	ck_assert_int_eq(create(1, 1, RAM_PFNS - 1, 1), 0);
}
END_TEST

START_TEST(overlap)
{
	add_range(3 * PAGE_SIZE, 0);
	add_pages(5, 2);
	add_word(5);
	ck_assert_int_eq(create_ranges(1, 1, 1), -EFAULT);
	add_range(2 * PAGE_SIZE, 0);
	add_pages(5, 2);
	add_range(2 * PAGE_SIZE, 0);
	add_pages(6, 2);
	ck_assert_int_eq(create_ranges(1, 1, 2), -EFAULT);
	/* Of two GPADLs it is the guest's own affair. */
	ck_assert_int_eq(create(1, 1, 5, 2), 0);
	ck_assert_int_eq(create(1, 2, 5, 2), 0);
}
END_TEST

START_TEST(handles)
{
	bool complete;
	struct gpadl *g;

	ck_assert_int_eq(create(1, 7, 5, 2), 0);
	ck_assert_int_eq(create(1, 7, 5, 2), -EEXIST);
	ck_assert_int_eq(create(2, 7, 5, 2), -EEXIST);
	ck_assert_int_eq(create(1, 7 + 256, 5, 2), 0); /* of the same bucket */
	ck_assert_int_eq(create(1, 7 + 512, 5, 2), 0);
	ck_assert_int_eq(gpadl_teardown(table, 1, 7 + 256), 0);
	ck_assert_int_eq(gpadl_get(table, 1, 7 + 512, &g), 0);
	gpadl_put(g);
	/* Unfinished ones have theirs, too, and cannot be used. */
	words[0] = PAGE_SIZE;
	ck_assert_int_eq(gpadl_begin(table, 1, 8, 16, 1, words, 8, &complete), 0);
	ck_assert_int_eq(gpadl_begin(table, 1, 8, 16, 1, words, 8, &complete), -EEXIST);
	ck_assert_int_eq(gpadl_get(table, 1, 8, &g), -ENOENT);
	/* A body that makes it bad drops it. */
	words[0] = UINT64_MAX;
	ck_assert_int_eq(gpadl_add(table, 8, words, 8, &complete), -EFAULT);
	ck_assert_int_eq(gpadl_add(table, 8, words, 8, &complete), -ENOENT);
	ck_assert_int_eq(create(1, 8, 5, 2), 0);
}
END_TEST

START_TEST(limits)
{
	struct gpadl_limits l = GPADL_LIMITS_DEFAULT;
	struct gpadl *g;
	bool complete;

	teardown();
	l.channel_words = 20;
	l.total_words = 50;
	setup_limits(l);
	ck_assert_int_eq(create(1, 1, 5, 20), -ENOSPC); /* with its range 21 words */
	ck_assert_int_eq(create(1, 1, 5, 19), 0);
	ck_assert_int_eq(create(1, 2, 5, 1), -ENOSPC);
	ck_assert_int_eq(create(2, 2, 5, 19), 0);
	ck_assert_int_eq(create(3, 3, 5, 10), -ENOSPC);
	/* What is announced counts, and comes back. */
	words[0] = 9 * PAGE_SIZE;
	ck_assert_int_eq(gpadl_begin(table, 3, 3, 80, 1, words, 8, &complete), 0);
	ck_assert_int_eq(create(4, 4, 5, 1), -ENOSPC);
	ck_assert_int_eq(gpadl_teardown(table, 3, 3), 0);
	ck_assert_int_eq(create(4, 4, 5, 9), 0);
	/* What is held counts, dropped or not. */
	ck_assert_int_eq(gpadl_get(table, 4, 4, &g), 0);
	gpadl_drop_channel(table, 4);
	ck_assert_int_eq(create(5, 4, 5, 1), -ENOSPC);
	gpadl_put(g);
	ck_assert_int_eq(create(5, 4, 5, 9), 0);
	ck_assert_uint_eq(counter_get(&gpadl_table_counters(table)->limited), 5);
}
END_TEST

START_TEST(limits_of_numbers)
{
	struct gpadl_limits l = GPADL_LIMITS_DEFAULT;
	struct gpadl_table *none = NULL;

	teardown();
	l.channel_gpadls = 2;
	l.total_gpadls = 3;
	setup_limits(l);
	ck_assert_int_eq(create(1, 1, 5, 1), 0);
	ck_assert_int_eq(create(1, 2, 5, 1), 0);
	ck_assert_int_eq(create(1, 3, 5, 1), -ENOSPC);
	ck_assert_int_eq(create(2, 3, 5, 1), 0);
	ck_assert_int_eq(create(2, 4, 5, 1), -ENOSPC);
	l.mappings = 0;
	ck_assert_int_eq(gpadl_table_create(mem, &l, on_torn_down, NULL, &none), -EINVAL);
	l.mappings = GPADL_LIMIT_MAX + 1;
	ck_assert_int_eq(gpadl_table_create(mem, &l, on_torn_down, NULL, &none), -EINVAL);
	ck_assert_ptr_null(none);
}
END_TEST

START_TEST(held)
{
	struct gpadl *g, *again;

	ck_assert_int_eq(create(6, 1, 5, 3), 0);
	ck_assert_int_eq(gpadl_get(table, 6, 1, &g), 0);
	ck_assert_int_eq(gpadl_get(table, 6, 1, &again), 0);
	ck_assert_ptr_eq(g, again);
	ck_assert_int_eq(gpadl_teardown(table, 6, 1), -EINPROGRESS);
	ck_assert_int_eq(gpadl_teardown(table, 6, 1), -EALREADY);
	ck_assert_int_eq(gpadl_get(table, 6, 1, &again), -ENOENT);
	ck_assert_int_eq(create(6, 1, 5, 3), -EEXIST);
	gpadl_put(g);
	ck_assert_uint_eq(torn, 0);
	ck_assert_int_eq(gpadl_write(g, 0, 10, "x", 1), 0);
	gpadl_put(g);
	ck_assert_uint_eq(torn, 1);
	ck_assert_uint_eq(torn_channel, 6);
	ck_assert_uint_eq(torn_handle, 1);
	ck_assert_int_eq(create(6, 1, 5, 3), 0);
	ck_assert_uint_eq(counter_get(&gpadl_table_counters(table)->deferred), 1);
}
END_TEST

START_TEST(dropped)
{
	struct gpadl *first, *second;

	ck_assert_int_eq(create(1, 1, 5, 3), 0);
	ck_assert_int_eq(create(1, 2, 5, 3), 0);
	ck_assert_int_eq(create(2, 3, 5, 3), 0);
	ck_assert_int_eq(gpadl_get(table, 1, 1, &first), 0);
	ck_assert_int_eq(gpadl_teardown(table, 1, 1), -EINPROGRESS);
	gpadl_drop_channel(table, 1);
	ck_assert_int_eq(gpadl_teardown(table, 1, 2), -ENOENT);
	ck_assert_int_eq(create(1, 1, 9, 3), 0); /* the handle is free at once */
	ck_assert_int_eq(gpadl_get(table, 2, 3, &second), 0);
	gpadl_reset(table);
	ck_assert_int_eq(gpadl_teardown(table, 2, 3), -ENOENT);
	ck_assert_int_eq(create(2, 3, 5, 3), 0);
	ck_assert_int_eq(gpadl_write(second, 0, 0, "x", 1), 0);
	gpadl_put(first);
	gpadl_put(second);
	ck_assert_uint_eq(torn, 0);
}
END_TEST

START_TEST(access_bytes)
{
	uint8_t data[3 * PAGE_SIZE], back[3 * PAGE_SIZE], byte;
	struct gpadl *g;
	uint32_t len = 2 * PAGE_SIZE + 50;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i % 251);
	add_range(5, 0);
	add_pages(99, 1);
	add_range(len, 4000);
	add_word(7);
	add_word(3);
	add_word(12);
	ck_assert_int_eq(create_ranges(1, 1, 2), 0);
	ck_assert_int_eq(gpadl_get(table, 1, 1, &g), 0);
	ck_assert_int_eq(gpadl_write(g, 1, 0, data, len), 0);
	ck_assert_int_eq(mem_read(mem, 7 * PAGE_SIZE + 4000, &byte, 1), 0);
	ck_assert_uint_eq(byte, data[0]);
	ck_assert_int_eq(mem_read(mem, 3 * PAGE_SIZE, &byte, 1), 0);
	ck_assert_uint_eq(byte, data[96]);
	ck_assert_int_eq(mem_read(mem, 12 * PAGE_SIZE, &byte, 1), 0);
	ck_assert_uint_eq(byte, data[96 + PAGE_SIZE]);
	ck_assert_int_eq(gpadl_read(g, 1, 0, back, len), 0);
	ck_assert_mem_eq(back, data, len);
	ck_assert_int_eq(gpadl_read(g, 1, len - 1, back, 1), 0);
	ck_assert_int_eq(gpadl_read(g, 1, len, back, 0), 0);
	ck_assert_int_eq(gpadl_read(g, 1, len, back, 1), -EFAULT);
	ck_assert_int_eq(gpadl_read(g, 1, len - 1, back, 2), -EFAULT);
	ck_assert_int_eq(gpadl_read(g, 1, UINT64_MAX, back, 2), -EFAULT);
	ck_assert_int_eq(gpadl_write(g, 0, 4, data, 2), -EFAULT);
	ck_assert_int_eq(gpadl_read(g, 2, 0, back, 0), -EFAULT);
	gpadl_put(g);
}
END_TEST

START_TEST(access_iov)
{
	struct iovec iov[4];
	const char *ram = mem_map(mem, 0, RAM);
	size_t n = 0;
	struct gpadl *g;

	add_range(4 * PAGE_SIZE, 0);
	add_pages(5, 2);
	add_pages(20, 2);
	ck_assert_int_eq(create_ranges(1, 1, 1), 0);
	ck_assert_int_eq(gpadl_get(table, 1, 1, &g), 0);
	ck_assert_int_eq(gpadl_iov(g, 0, 100, 4 * PAGE_SIZE - 200, iov, 4, &n), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert_ptr_eq(iov[0].iov_base, ram + 5 * PAGE_SIZE + 100);
	ck_assert_uint_eq(iov[0].iov_len, 2 * PAGE_SIZE - 100);
	ck_assert_ptr_eq(iov[1].iov_base, ram + 20 * PAGE_SIZE);
	ck_assert_uint_eq(iov[1].iov_len, 2 * PAGE_SIZE - 100);
	/* A failure leaves what there was, also where the last entry would have grown. */
	iov[0] = (struct iovec){.iov_base = mem_map(mem, 4 * PAGE_SIZE, 1), .iov_len = PAGE_SIZE};
	n = 1;
	ck_assert_int_eq(gpadl_iov(g, 0, 0, 4 * PAGE_SIZE, iov, 1, &n), -E2BIG);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(iov[0].iov_len, PAGE_SIZE);
	ck_assert_int_eq(gpadl_iov(g, 0, 0, 4 * PAGE_SIZE + 1, iov, 4, &n), -EFAULT);
	gpadl_put(g);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("gpadl");
	TCase *t = tcase_create("gpadl");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, one_message);
	tcase_add_test(t, many_messages);
	tcase_add_test(t, any_cut);
	tcase_add_test(t, ranges);
	tcase_add_test(t, malformed);
	tcase_add_test(t, not_ram);
	tcase_add_test(t, overlap);
	tcase_add_test(t, handles);
	tcase_add_test(t, limits);
	tcase_add_test(t, limits_of_numbers);
	tcase_add_test(t, held);
	tcase_add_test(t, dropped);
	tcase_add_test(t, access_bytes);
	tcase_add_test(t, access_iov);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
