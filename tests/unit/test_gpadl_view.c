// SPDX-License-Identifier: MIT
/* Buffers in GPADLs: every byte where the guest has it, and none beyond. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmbus/gpadl.h"
#include "vmm/layout.h"

#define OFFSET 100u
#define BYTES  (4 * PAGE_SIZE + 1000u)

static struct mem *mem;
static struct gpadl_table *table;
static struct gpadl *gpadl;
static struct gpadl_view view;

/* The first two are neighbours; the last is in another region. */
static const uint64_t pfns[] = {40, 41, 7, 8, LAYOUT_RAM_ABOVE_4G / PAGE_SIZE + 5};

static void on_torn_down(void *ctx, uint32_t channel, uint32_t handle)
{
}

static void begin(uint32_t handle, uint16_t ranges)
{
	uint64_t words[16] = {BYTES | (uint64_t)OFFSET << 32};
	size_t len = 8 + sizeof(pfns);
	bool complete;

	memcpy(words + 1, pfns, sizeof(pfns));
	if (ranges == 2) {
		words[6] = PAGE_SIZE;
		words[7] = 99;
		len = 64;
	}
	ck_assert_int_eq(
		gpadl_begin(table, 1, handle, (uint16_t)len, ranges, words, len, &complete), 0);
	ck_assert_int_eq(gpadl_get(table, 1, handle, &gpadl), 0);
}

static void setup(void)
{
	const struct mem_config config = {.size = LAYOUT_MMIO_HOLE + MiB(16)};
	const struct gpadl_limits limits = GPADL_LIMITS_DEFAULT;

	ck_assert_int_eq(mem_create(&config, NULL, &mem), 0);
	ck_assert_int_eq(gpadl_table_create(mem, &limits, on_torn_down, NULL, &table), 0);
	begin(1, 1);
	ck_assert_int_eq(gpadl_view(gpadl, &view), 0);
}

static void teardown(void)
{
	gpadl_view_finish(&view);
	gpadl_view_finish(&view);
	gpadl_put(gpadl);
	gpadl_table_destroy(table);
	mem_destroy(mem);
}

START_TEST(bytes_are_where_the_guest_has_them)
{
	static uint8_t all[BYTES], got[BYTES];

	ck_assert_uint_eq(view.len, BYTES);
	for (uint32_t i = 0; i < BYTES; i++)
		all[i] = (uint8_t)(i * 11 + i / 256);
	ck_assert_int_eq(gpadl_view_write(&view, 0, all, BYTES), 0);
	ck_assert_int_eq(gpadl_read(gpadl, 0, 0, got, BYTES), 0);
	ck_assert_mem_eq(got, all, BYTES);
	for (uint32_t at = 0; at < BYTES; at += 777) {
		memset(got, 0, BYTES);
		ck_assert_int_eq(gpadl_view_read(&view, at, got, BYTES - at), 0);
		ck_assert_mem_eq(got, all + at, BYTES - at);
	}
}
END_TEST

START_TEST(vectors_are_as_short_as_can_be)
{
	struct iovec iov[8];
	size_t count = 0, len = 0;

	ck_assert_int_eq(gpadl_view_iov(&view, 0, BYTES, iov, 8, &count), 0);
	ck_assert_uint_eq(count, 3);
	ck_assert_uint_eq(iov[0].iov_len, 2 * PAGE_SIZE - OFFSET);
	ck_assert_ptr_eq(iov[0].iov_base, mem_map(mem, 40 * PAGE_SIZE + OFFSET, 1));
	ck_assert_ptr_eq(iov[1].iov_base, mem_map(mem, 7 * PAGE_SIZE, 1));
	for (size_t i = 0; i < count; i++)
		len += iov[i].iov_len;
	ck_assert_uint_eq(len, BYTES);
	/* Behind what is there, joined with it where that can be. */
	count = 0;
	ck_assert_int_eq(gpadl_view_iov(&view, 0, 10, iov, 8, &count), 0);
	ck_assert_int_eq(gpadl_view_iov(&view, 10, 10, iov, 8, &count), 0);
	ck_assert_uint_eq(count, 1);
	ck_assert_uint_eq(iov[0].iov_len, 20);
	/* Not enough room: nothing is changed. */
	ck_assert_int_eq(gpadl_view_iov(&view, 20, BYTES - 20, iov, 2, &count), -E2BIG);
	ck_assert_uint_eq(count, 1);
	ck_assert_uint_eq(iov[0].iov_len, 20);
}
END_TEST

START_TEST(nothing_lies_outside)
{
	static const uint64_t bad[][2] = {
		{0, BYTES + 1}, {BYTES, 1}, {BYTES + 1, 0}, {UINT64_MAX, 1}, {1, UINT64_MAX}};
	struct iovec iov[8];
	size_t count = 0;
	uint8_t byte;

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		ck_assert_int_eq(gpadl_view_iov(&view, bad[i][0], bad[i][1], iov, 8, &count),
				 -EFAULT);
		ck_assert_int_eq(gpadl_view_read(&view, bad[i][0], &byte, bad[i][1]), -EFAULT);
		ck_assert_int_eq(gpadl_view_write(&view, bad[i][0], &byte, bad[i][1]), -EFAULT);
	}
	ck_assert_uint_eq(count, 0);
	ck_assert_int_eq(gpadl_view_iov(&view, BYTES, 0, iov, 8, &count), 0);
}
END_TEST

START_TEST(buffers_are_of_one_range)
{
	struct gpadl_view other;
	struct gpadl *first = gpadl;

	begin(2, 2);
	ck_assert_int_eq(gpadl_view(gpadl, &other), -EINVAL);
	gpadl_put(gpadl);
	gpadl = first;
}
END_TEST

int main(void)
{
	Suite *s = suite_create("gpadl_view");
	TCase *t = tcase_create("views");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, bytes_are_where_the_guest_has_them);
	tcase_add_test(t, vectors_are_as_short_as_can_be);
	tcase_add_test(t, nothing_lies_outside);
	tcase_add_test(t, buffers_are_of_one_range);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
