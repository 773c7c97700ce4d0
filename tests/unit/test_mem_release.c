// SPDX-License-Identifier: MIT
/* Memory that goes back to the host, of every kind of page that there is here. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/mem.h"

/* NULL: the host has no such pages. */
static struct mem *make(enum mem_huge huge)
{
	const struct mem_config config = {.size = MiB(16), .maximum = MiB(24), .huge = huge};
	struct mem *mem = NULL;
	struct error err;
	int r = mem_create(&config, &err, &mem);

	ck_assert(r == 0 || huge == MEM_HUGE_2M);
	return mem;
}

static bool all_is(struct mem *mem, uint64_t gpa, uint64_t len, char value)
{
	const char *p = mem_map(mem, gpa, len);

	for (uint64_t i = 0; i < len; i++)
		if (p[i] != value)
			return false;
	return true;
}

static const enum mem_huge kinds[] = {MEM_HUGE_NONE, MEM_HUGE_TRANSPARENT, MEM_HUGE_2M};

/* A run of 2 MiB is gone, byte for byte, whatever the pages; what is beside it stays. */
START_TEST(large_run)
{
	struct mem *mem = make(kinds[_i]);

	if (!mem)
		return;
	ck_assert_int_eq(mem_fill(mem, 0, 'x', MiB(16)), 0);
	ck_assert_uint_eq(mem_resident(mem), MiB(16));
	ck_assert_int_eq(mem_release(mem, MiB(4), MiB(4)), 0);
	ck_assert_uint_eq(mem_resident(mem), MiB(12));
	ck_assert(all_is(mem, 0, MiB(4), 'x'));
	ck_assert(all_is(mem, MiB(8), MiB(8), 'x'));
	/* It is RAM all the same. */
	ck_assert(all_is(mem, MiB(4), MiB(4), 0));
	ck_assert_int_eq(mem_fill(mem, MiB(5), 'y', PAGE_SIZE), 0);
	ck_assert(all_is(mem, MiB(5), PAGE_SIZE, 'y'));
	ck_assert(all_is(mem, MiB(5) + PAGE_SIZE, MiB(1), 0));
	ck_assert_int_eq(mem_release(mem, MiB(4), MiB(4)), 0);
	ck_assert_uint_eq(mem_resident(mem), MiB(12));
	ck_assert(all_is(mem, MiB(5), PAGE_SIZE, 0));
	mem_destroy(mem);
}
END_TEST

START_TEST(small_run)
{
	struct mem *mem = make(kinds[_i]);

	if (!mem)
		return;
	ck_assert_int_eq(mem_fill(mem, 0, 'x', MiB(16)), 0);
	ck_assert_int_eq(mem_release(mem, MiB(4) + PAGE_SIZE, MiB(2)), 0);
	ck_assert(all_is(mem, 0, MiB(4) + PAGE_SIZE, 'x'));
	ck_assert(all_is(mem, MiB(4) + PAGE_SIZE, MiB(2), 0));
	ck_assert(all_is(mem, MiB(6) + PAGE_SIZE, MiB(8), 'x'));
	mem_destroy(mem);
}
END_TEST

START_TEST(refused)
{
	struct mem *mem = make(MEM_HUGE_NONE);

	ck_assert_int_eq(mem_release(mem, 1, PAGE_SIZE), -EINVAL);
	ck_assert_int_eq(mem_release(mem, 0, 1), -EINVAL);
	ck_assert_int_eq(mem_release(mem, MiB(16), PAGE_SIZE), -EFAULT);
	ck_assert_int_eq(mem_release(mem, MiB(15), MiB(2)), -EFAULT);
	ck_assert_int_eq(mem_release(mem, 0, 0), 0);
	mem_destroy(mem);
}
END_TEST

START_TEST(all)
{
	struct mem *mem = make(kinds[_i]);

	if (!mem)
		return;
	ck_assert_int_eq(mem_fill(mem, 0, 'x', MiB(16)), 0);
	ck_assert_int_eq(mem_release(mem, MiB(2), MiB(2)), 0);
	ck_assert_int_eq(mem_release_all(mem), 0);
	ck_assert(all_is(mem, 0, MiB(16), 0));
	/* Explicit huge pages are claimed at once, others when they are touched. */
	ck_assert_int_eq(mem_fill(mem, 0, 'x', MiB(16)), 0);
	ck_assert_uint_eq(mem_resident(mem), MiB(16));
	mem_destroy(mem);
}
END_TEST

/* The pool is empty when a page is used again that has gone back to it: no fault. */
START_TEST(used_again)
{
	struct mem *mem = make(MEM_HUGE_2M), *others[64];
	size_t n = 0;

	if (!mem)
		return;
	ck_assert_int_eq(mem_release(mem, 0, MiB(16)), 0);
	while (n < ARRAY_SIZE(others) && (others[n] = make(MEM_HUGE_2M)))
		n++;
	ck_assert_int_eq(mem_fill(mem, 0, 'x', MiB(16)), 0);
	ck_assert(all_is(mem, 0, MiB(16), 'x'));
	ck_assert_int_eq(mem_release_all(mem), 0);
	ck_assert_int_eq(mem_fill(mem, 0, 'x', MiB(16)), 0);
	while (n)
		mem_destroy(others[--n]);
	mem_destroy(mem);
}
END_TEST

START_TEST(added)
{
	struct mem *mem = make(kinds[_i]);
	struct mem_region region;
	struct error err;

	if (!mem)
		return;
	if (mem_grow(mem, MiB(4), &err, &region) == 0) {
		mem_grow_done(mem, &region);
		ck_assert_int_eq(mem_fill(mem, GiB(4), 'x', MiB(4)), 0);
		ck_assert_int_eq(mem_release(mem, GiB(4), MiB(2)), 0);
		ck_assert(all_is(mem, GiB(4), MiB(2), 0));
		ck_assert_int_eq(mem_fill(mem, GiB(4), 'y', MiB(2)), 0);
		mem_shrink(mem);
		ck_assert_int_eq(mem_grow(mem, MiB(4), &err, &region), 0);
		mem_grow_done(mem, &region);
		ck_assert(all_is(mem, GiB(4), MiB(4), 0));
	}
	mem_destroy(mem);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mem_release");
	TCase *tc = tcase_create("mem_release");
	const int count = ARRAY_SIZE(kinds);
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, large_run, 0, count);
	tcase_add_loop_test(tc, small_run, 0, count);
	tcase_add_test(tc, refused);
	tcase_add_loop_test(tc, all, 0, count);
	tcase_add_test(tc, used_again);
	tcase_add_loop_test(tc, added, 0, count);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
