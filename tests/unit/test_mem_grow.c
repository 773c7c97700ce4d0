// SPDX-License-Identifier: MIT
/* RAM that is added beside readers, and taken away again. */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/layout.h"
#include "vmm/mem.h"

static struct mem *make(uint64_t size, uint64_t maximum)
{
	const struct mem_config config = {.size = size, .maximum = maximum};
	struct mem *mem;
	struct error err;

	ck_assert_int_eq(mem_create(&config, &err, &mem), 0);
	return mem;
}

static struct mem_region grow(struct mem *mem, uint64_t len)
{
	struct mem_region region;
	struct error err;

	ck_assert_int_eq(mem_grow(mem, len, &err, &region), 0);
	mem_grow_done(mem, &region);
	return region;
}

START_TEST(window)
{
	struct mem *mem = make(MiB(512), 0);
	uint64_t gpa;

	ck_assert_uint_eq(mem_window(mem, &gpa), 0);
	mem_destroy(mem);
	mem = make(MiB(512), GiB(2) + MiB(1));
	ck_assert_uint_eq(mem_window(mem, &gpa), GiB(2) + MiB(1) - MiB(513));
	ck_assert_uint_eq(gpa, LAYOUT_RAM_ABOVE_4G);
	mem_destroy(mem);
	mem = make(GiB(5), GiB(64));
	ck_assert_uint_eq(mem_window(mem, &gpa), GiB(59));
	ck_assert_uint_eq(gpa, GiB(6));
	mem_destroy(mem);
}
END_TEST

START_TEST(becomes_ram)
{
	struct mem *mem = make(MiB(64) + PAGE_SIZE, MiB(256));
	struct mem_region region;
	struct error err;
	size_t count;
	char c = 'x', back = 0;

	ck_assert_int_eq(mem_write(mem, GiB(4), &c, 1), -EFAULT);
	ck_assert_int_eq(mem_grow(mem, MiB(4), &err, &region), 0);
	/* Not before it is said to be. */
	ck_assert(!mem_is_ram(mem, GiB(4), 1));
	mem_grow_done(mem, &region);
	ck_assert_uint_eq(region.gpa, GiB(4));
	ck_assert_int_eq(mem_write(mem, GiB(4) + MiB(4) - 1, &c, 1), 0);
	ck_assert_int_eq(mem_read(mem, GiB(4) + MiB(4) - 1, &back, 1), 0);
	ck_assert_int_eq(back, 'x');
	ck_assert(!mem_is_ram(mem, GiB(4), MiB(4) + 1));
	/* The next piece joins it, here and in iovecs. */
	ck_assert_uint_eq(grow(mem, MiB(2)).gpa, GiB(4) + MiB(4));
	ck_assert_ptr_nonnull(mem_map(mem, GiB(4), MiB(6)));
	ck_assert_uint_eq(mem_added(mem), MiB(6));
	ck_assert_uint_eq(mem_size(mem), MiB(64) + PAGE_SIZE);
	(void)mem_regions(mem, &count);
	ck_assert_uint_eq(count, 1);
	mem_destroy(mem);
}
END_TEST

START_TEST(refuses)
{
	struct mem *mem = make(MiB(64), MiB(80));
	struct mem_region region = {.gpa = 1};
	struct error err;

	ck_assert_int_eq(mem_grow(mem, 0, &err, &region), -EINVAL);
	ck_assert_int_eq(mem_grow(mem, MiB(1), &err, &region), -EINVAL);
	ck_assert_int_eq(mem_grow(mem, MiB(18), &err, &region), -EINVAL);
	ck_assert_int_eq(mem_grow(mem, UINT64_MAX - MiB(2) + 1, &err, &region), -EINVAL);
	ck_assert_uint_eq(region.gpa, 1);
	grow(mem, MiB(16));
	ck_assert_int_eq(mem_grow(mem, MiB(2), &err, &region), -EINVAL);
	mem_destroy(mem);
}
END_TEST

START_TEST(undone)
{
	struct mem *mem = make(MiB(64), MiB(80));
	struct mem_region region;
	struct error err;

	ck_assert_int_eq(mem_grow(mem, MiB(16), &err, &region), 0);
	mem_grow_undo(mem, &region);
	ck_assert_uint_eq(mem_added(mem), 0);
	grow(mem, MiB(16));
	ck_assert(mem_is_ram(mem, GiB(4), MiB(16)));
	mem_destroy(mem);
}
END_TEST

START_TEST(shrinks_and_grows_empty)
{
	struct mem *mem = make(MiB(64), MiB(128));
	char c = 'x', back = 'y';

	grow(mem, MiB(4));
	ck_assert_int_eq(mem_write(mem, GiB(4), &c, 1), 0);
	ck_assert_uint_gt(mem_resident(mem), 0);
	mem_shrink(mem);
	ck_assert_uint_eq(mem_resident(mem), 0);
	ck_assert_int_eq(mem_read(mem, GiB(4), &back, 1), -EFAULT);
	grow(mem, MiB(2));
	ck_assert_int_eq(mem_read(mem, GiB(4), &back, 1), 0);
	ck_assert_int_eq(back, 0);
	mem_shrink(mem);
	mem_shrink(mem);
	mem_destroy(mem);
}
END_TEST

START_TEST(released)
{
	struct mem *mem = make(MiB(64), MiB(128));

	grow(mem, MiB(8));
	ck_assert_int_eq(mem_fill(mem, GiB(4), 1, MiB(8)), 0);
	ck_assert_uint_ge(mem_resident(mem), MiB(8));
	ck_assert_int_eq(mem_release(mem, GiB(4) + MiB(2), MiB(4)), 0);
	ck_assert_uint_eq(mem_resident(mem), MiB(4));
	ck_assert_int_eq(mem_release(mem, GiB(4) + MiB(6), MiB(4)), -EFAULT);
	mem_destroy(mem);
}
END_TEST

/* --- Readers meanwhile. ---------------------------------------------------------------------- */

struct reader {
	struct mem *mem;
	_Atomic bool *stop;
	uint64_t reads;
	bool wrong;
};

/* What is RAM has been mapped, and what was RAM stays so. */
static void *read_all(void *arg)
{
	struct reader *r = arg;
	uint64_t seen = 0;

	while (!atomic_load(r->stop)) {
		struct iovec iov[2];
		size_t count = 0;
		uint64_t value;

		while (mem_read(r->mem, GiB(4) + seen, &value, sizeof(value)) == 0) {
			r->wrong |= value != 0;
			seen += MiB(2);
		}
		if (!seen)
			continue;
		r->wrong |= !mem_is_ram(r->mem, GiB(4), seen);
		r->wrong |= mem_iov(r->mem, GiB(4), seen, iov, 2, &count) < 0 || count != 1;
		r->wrong |= !mem_map(r->mem, GiB(4) + seen - PAGE_SIZE, PAGE_SIZE);
		r->reads++;
	}
	return NULL;
}

START_TEST(beside_readers)
{
	struct mem *mem = make(MiB(16), GiB(1));
	_Atomic bool stop = false;
	struct reader readers[3];
	pthread_t threads[3];

	for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
		readers[i] = (struct reader){.mem = mem, .stop = &stop};
		ck_assert_int_eq(pthread_create(&threads[i], NULL, read_all, &readers[i]), 0);
	}
	for (unsigned int i = 0; i < 400; i++)
		grow(mem, MiB(2));
	atomic_store(&stop, true);
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
		pthread_join(threads[i], NULL);
		ck_assert(!readers[i].wrong);
	}
	mem_destroy(mem);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mem_grow");
	TCase *tc = tcase_create("mem_grow");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, window);
	tcase_add_test(tc, becomes_ram);
	tcase_add_test(tc, refuses);
	tcase_add_test(tc, undone);
	tcase_add_test(tc, shrinks_and_grows_empty);
	tcase_add_test(tc, released);
	tcase_add_test(tc, beside_readers);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
