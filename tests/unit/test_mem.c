// SPDX-License-Identifier: MIT
/* Guest memory: the range checks, copies and gathers, and giving pages back. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/layout.h"
#include "vmm/mem.h"

static struct mem *small, *large;

static struct mem *make(uint64_t size)
{
	struct mem_config config = {.size = size, .huge = MEM_HUGE_NONE};
	struct mem *mem;
	struct error err;

	ck_assert_int_eq(mem_create(&config, &err, &mem), 0);
	return mem;
}

static void setup(void)
{
	small = make(MiB(16));
	large = make(LAYOUT_MMIO_HOLE + MiB(64));
}

static void teardown(void)
{
	mem_destroy(small);
	mem_destroy(large);
}

START_TEST(length_zero)
{
	char c = 'x';

	ck_assert_int_eq(mem_read(small, 0, &c, 0), 0);
	ck_assert_int_eq(mem_read(small, MiB(16), &c, 0), 0);
	ck_assert_int_eq(mem_write(small, UINT64_MAX, &c, 0), 0);
	ck_assert(mem_is_ram(small, UINT64_MAX, 0));
	ck_assert_int_eq(c, 'x');
}
END_TEST

START_TEST(last_byte)
{
	char c = 'x', back = 0;

	ck_assert_int_eq(mem_write(small, MiB(16) - 1, &c, 1), 0);
	ck_assert_int_eq(mem_read(small, MiB(16) - 1, &back, 1), 0);
	ck_assert_int_eq(back, 'x');
	ck_assert_int_eq(mem_write(small, MiB(16), &c, 1), -EFAULT);
}
END_TEST

START_TEST(past_the_end)
{
	char buf[16] = "unchanged";

	ck_assert_int_eq(mem_read(small, MiB(16) - 8, buf, sizeof(buf)), -EFAULT);
	ck_assert_str_eq(buf, "unchanged");
	/* Nothing is written either, not even the part that would fit. */
	ck_assert_int_eq(mem_write(small, MiB(16) - 8, "0123456789abcde", 16), -EFAULT);
	ck_assert_int_eq(mem_read(small, MiB(16) - 8, buf, 8), 0);
	ck_assert_int_eq(buf[0], 0);
}
END_TEST

START_TEST(wrap)
{
	char buf[16];
	struct iovec iov[4];
	size_t n = 0;

	ck_assert_int_eq(mem_read(small, UINT64_MAX - 7, buf, sizeof(buf)), -EFAULT);
	ck_assert(!mem_is_ram(small, 8, UINT64_MAX));
	ck_assert(!mem_is_ram(small, 8, UINT64_MAX - 8));
	ck_assert_ptr_null(mem_map(small, 8, UINT64_MAX - 4));
	ck_assert_int_eq(mem_iov(small, 4096, UINT64_MAX, iov, 4, &n), -EFAULT);
	ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(hole)
{
	char buf[16];

	ck_assert_int_eq(mem_read(large, LAYOUT_MMIO_HOLE, buf, 1), -EFAULT);
	ck_assert_int_eq(mem_read(large, LAYOUT_MMIO_HOLE - 8, buf, 16), -EFAULT);
	ck_assert_int_eq(mem_read(large, LAYOUT_RAM_ABOVE_4G - 8, buf, 16), -EFAULT);
	ck_assert_int_eq(mem_read(large, LAYOUT_MMIO_HOLE - 16, buf, 16), 0);
	ck_assert_int_eq(mem_read(large, LAYOUT_RAM_ABOVE_4G, buf, 16), 0);
	ck_assert(!mem_is_ram(large, LAYOUT_MMIO_HOLE - 1, LAYOUT_RAM_ABOVE_4G));
}
END_TEST

START_TEST(two_regions)
{
	size_t count;
	const struct mem_region *r = mem_regions(large, &count);

	ck_assert_uint_eq(count, 2);
	ck_assert_uint_eq(r[0].gpa, 0);
	ck_assert_uint_eq(r[0].len, LAYOUT_MMIO_HOLE);
	ck_assert_uint_eq(r[1].gpa, LAYOUT_RAM_ABOVE_4G);
	ck_assert_uint_eq(r[1].len, MiB(64));
	ck_assert_int_eq(mem_write(large, LAYOUT_RAM_ABOVE_4G + MiB(64) - 1, "z", 1), 0);
	ck_assert_int_eq(mem_write(large, LAYOUT_RAM_ABOVE_4G + MiB(64), "z", 1), -EFAULT);
	/* The regions do not alias. */
	ck_assert_int_eq(mem_write(large, 0, "a", 1), 0);
	ck_assert_int_eq(mem_write(large, LAYOUT_RAM_ABOVE_4G, "b", 1), 0);
	ck_assert_int_eq(*(char *)mem_map(large, 0, 1), 'a');
}
END_TEST

START_TEST(gather)
{
	struct iovec iov[2];
	size_t n = 0;

	/* Neighbouring ranges join. */
	ck_assert_int_eq(mem_iov(small, 0x1000, 0x1000, iov, 2, &n), 0);
	ck_assert_int_eq(mem_iov(small, 0x2000, 0x800, iov, 2, &n), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(iov[0].iov_len, 0x1800);
	ck_assert_int_eq(mem_iov(small, 0x8000, 0x1000, iov, 2, &n), 0);
	ck_assert_uint_eq(n, 2);
	/* Full: refused, and what is there stays as it was. */
	ck_assert_int_eq(mem_iov(small, 0x1000, 0x1000, iov, 2, &n), -E2BIG);
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(iov[1].iov_len, 0x1000);
	ck_assert_int_eq(mem_iov(small, MiB(16), 1, iov, 2, &n), -EFAULT);
}
END_TEST

START_TEST(release)
{
	struct stat st;
	char *p = mem_map(small, MiB(2), MiB(2));

	memset(p, 0x55, MiB(2));
	ck_assert_int_eq(fstat(mem_fd(small), &st), 0);
	ck_assert_int_eq(st.st_blocks, MiB(2) / 512);
	ck_assert_int_eq(mem_release(small, MiB(2), MiB(1)), 0);
	ck_assert_int_eq(fstat(mem_fd(small), &st), 0);
	ck_assert_int_eq(st.st_blocks, MiB(1) / 512);
	ck_assert_int_eq(p[0], 0);
	ck_assert_int_eq(p[MiB(1)], 0x55);
	ck_assert_int_eq(mem_release(small, MiB(2) + 1, PAGE_SIZE), -EINVAL);
	ck_assert_int_eq(mem_release(small, MiB(16), PAGE_SIZE), -EFAULT);
	ck_assert_int_eq(mem_release_all(small), 0);
	ck_assert_int_eq(p[MiB(1)], 0);
}
END_TEST

/* With huge pages, where the host gives any, a part of one goes and the rest stays. */
START_TEST(release_part)
{
	struct mem_config config = {.size = MiB(16), .huge = MEM_HUGE_TRANSPARENT};
	struct mem *mem;
	struct error err;
	struct stat st;
	char *p;

	ck_assert_int_eq(mem_create(&config, &err, &mem), 0);
	p = mem_map(mem, 0, MiB(16));
	memset(p + MiB(2), 'x', MiB(4));
	ck_assert_int_eq(mem_release(mem, MiB(3), PAGE_SIZE), 0);
	ck_assert_int_eq(mem_release(mem, MiB(4) - PAGE_SIZE, 2 * PAGE_SIZE), 0);
	ck_assert_int_eq(fstat(mem_fd(mem), &st), 0);
	ck_assert_int_eq(st.st_blocks, (MiB(4) - 3 * PAGE_SIZE) / 512);
	for (size_t at = MiB(2); at < MiB(6); at += PAGE_SIZE) {
		bool gone = at == MiB(3) || at == MiB(4) - PAGE_SIZE || at == MiB(4);

		ck_assert_int_eq(p[at], gone ? 0 : 'x');
		ck_assert_int_eq(p[at + PAGE_SIZE - 1], gone ? 0 : 'x');
	}
	/* It comes back by being written to. */
	ck_assert_int_eq(mem_fill(mem, MiB(3), 'y', PAGE_SIZE), 0);
	ck_assert_int_eq(p[MiB(3) - 1], 'x');
	ck_assert_int_eq(p[MiB(3)], 'y');
	ck_assert_int_eq(mem_release_all(mem), 0);
	ck_assert_int_eq(p[MiB(3)], 0);
	ck_assert_int_eq(p[MiB(6) - 1], 0);
	mem_destroy(mem);
}
END_TEST

/* The few pages of a small guest's start do not cost a huge one. */
START_TEST(small_start)
{
	struct mem_config config = {.size = MiB(16), .huge = MEM_HUGE_TRANSPARENT};
	struct mem *mem;
	struct error err;
	struct stat st;

	ck_assert_int_eq(mem_create(&config, &err, &mem), 0);
	ck_assert_int_eq(mem_fill(mem, 0x1000, 'x', 1), 0);
	ck_assert_int_eq(mem_fill(mem, MiB(2), 'x', 1), 0);
	ck_assert_int_eq(fstat(mem_fd(mem), &st), 0);
	ck_assert_int_eq(st.st_blocks, 2 * PAGE_SIZE / 512);
	mem_destroy(mem);
}
END_TEST

START_TEST(sizes)
{
	struct mem_config config = {.size = 12345};
	struct mem *mem = NULL;
	struct error err;

	ck_assert_int_eq(mem_create(&config, &err, &mem), -EINVAL);
	config.size = MiB(16) + 1;
	ck_assert_int_eq(mem_create(&config, &err, &mem), -EINVAL);
	config.size = MiB(3);
	config.huge = MEM_HUGE_2M;
	ck_assert_int_eq(mem_create(&config, &err, &mem), -EINVAL);
	ck_assert_ptr_null(mem);
}
END_TEST

START_TEST(sparse_terabyte)
{
	struct mem *mem = make(1ull << 40);
	struct stat st;

	ck_assert_int_eq(mem_write(mem, LAYOUT_RAM_ABOVE_4G + GiB(900), "x", 1), 0);
	ck_assert_int_eq(fstat(mem_fd(mem), &st), 0);
	ck_assert_int_le(st.st_blocks, MiB(2) / 512);
	mem_destroy(mem);
}
END_TEST

/* The kernel's view of one byte, as touching an inaccessible one ourselves would end the test. */
static bool accessible(const void *p)
{
	int fds[2];
	bool ok;

	ck_assert_int_eq(pipe(fds), 0);
	ok = write(fds[1], p, 1) == 1;
	close(fds[0]);
	close(fds[1]);
	return ok;
}

START_TEST(guards)
{
	size_t count;
	const struct mem_region *r = mem_regions(large, &count);

	for (size_t i = 0; i < count; i++) {
		const char *start = r[i].host;

		ck_assert(accessible(start));
		ck_assert(!accessible(start - 1));
		ck_assert(!accessible(start - PAGE_SIZE));
		ck_assert(accessible(start + r[i].len - 1));
		ck_assert(!accessible(start + r[i].len));
		ck_assert(!accessible(start + r[i].len + MiB(1)));
	}
}
END_TEST

START_TEST(offsets)
{
	uint64_t offset = 7;

	ck_assert_int_eq(mem_offset(large, PAGE_SIZE, PAGE_SIZE, &offset), 0);
	ck_assert_uint_eq(offset, PAGE_SIZE);
	ck_assert_int_eq(mem_offset(large, LAYOUT_RAM_ABOVE_4G + 5, MiB(64) - 5, &offset), 0);
	ck_assert_uint_eq(offset, LAYOUT_MMIO_HOLE + 5);
	offset = 7;
	ck_assert_int_eq(mem_offset(large, LAYOUT_MMIO_HOLE, 1, &offset), -EFAULT);
	ck_assert_int_eq(mem_offset(large, LAYOUT_MMIO_HOLE - 1, 2, &offset), -EFAULT);
	ck_assert_int_eq(mem_offset(small, MiB(16) - 1, UINT64_MAX, &offset), -EFAULT);
	ck_assert_uint_eq(offset, 7);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mem");
	TCase *t = tcase_create("mem");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, length_zero);
	tcase_add_test(t, last_byte);
	tcase_add_test(t, past_the_end);
	tcase_add_test(t, wrap);
	tcase_add_test(t, hole);
	tcase_add_test(t, two_regions);
	tcase_add_test(t, gather);
	tcase_add_test(t, release);
	tcase_add_test(t, release_part);
	tcase_add_test(t, small_start);
	tcase_add_test(t, sizes);
	tcase_add_test(t, sparse_terabyte);
	tcase_add_test(t, guards);
	tcase_add_test(t, offsets);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
