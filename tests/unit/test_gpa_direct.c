// SPDX-License-Identifier: MIT
/* Page lists of packets: what is taken, and every way of being malformed. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmbus/channel_internal.h"

#define MEMORY   MiB(1)
#define PAGES    (MEMORY / PAGE_SIZE)
#define IOV_MAX_ 16u

static struct vmbus bus;
static struct vmbus_device *device;
static const struct channel *channel;
static struct iovec iov[IOV_MAX_];
static size_t count;
static uint64_t len;
static uint64_t list[128];
static uint32_t words; /* of 8 bytes in @list */

static void setup(void)
{
	const struct mem_config config = {.size = MEMORY};

	ck_assert_int_eq(mem_create(&config, NULL, &bus.mem), 0);
	device = calloc(1, sizeof(*device) + sizeof(device->channels[0]));
	device->bus = &bus;
	device->channels[0].device = device;
	channel = &device->channels[0];
	words = 0;
}

static void teardown(void)
{
	free(device);
	mem_destroy(bus.mem);
}

static void add(uint32_t low, uint32_t high)
{
	list[words++] = low | (uint64_t)high << 32;
}

static void begin(uint32_t ranges)
{
	words = 0;
	add(0xdeadbeef, ranges);
}

/* A range of consecutive pages. */
static void range(uint32_t bytes, uint32_t offset, uint64_t pfn, unsigned int pages)
{
	add(bytes, offset);
	for (unsigned int i = 0; i < pages; i++)
		list[words++] = pfn + i;
}

static int resolve_len(uint32_t list_len, size_t max)
{
	/* Of exactly that size: what is read past it is found out. */
	void *copy = malloc(list_len + 1);
	const struct ring_packet packet = {
		.type = VM_PKT_DATA_USING_GPA_DIRECT, .list = copy, .list_len = list_len};
	int r;

	memcpy(copy, list, list_len);
	r = channel_gpa_iov(channel, &packet, iov, max, &count, &len);
	free(copy);
	return r;
}

static int resolve(void)
{
	count = 0;
	len = 0;
	return resolve_len(words * 8, IOV_MAX_);
}

static uint8_t *host(uint64_t gpa)
{
	return mem_map(bus.mem, gpa, 1);
}

START_TEST(one_range)
{
	begin(1);
	range(3 * PAGE_SIZE - 100, 60, 5, 3);
	ck_assert_int_eq(resolve(), 0);
	ck_assert_uint_eq(count, 1);
	ck_assert_uint_eq(len, 3 * PAGE_SIZE - 100);
	ck_assert_ptr_eq(iov[0].iov_base, host(5 * PAGE_SIZE + 60));
	ck_assert_uint_eq(iov[0].iov_len, len);
}
END_TEST

START_TEST(scattered_pages)
{
	begin(1);
	add(2 * PAGE_SIZE + 10, PAGE_SIZE - 10);
	list[words++] = 9;
	list[words++] = 3;
	list[words++] = 7;
	ck_assert_int_eq(resolve(), 0);
	ck_assert_uint_eq(count, 3);
	ck_assert_uint_eq(len, 2 * PAGE_SIZE + 10);
	ck_assert_ptr_eq(iov[0].iov_base, host(10 * PAGE_SIZE - 10));
	ck_assert_uint_eq(iov[0].iov_len, 10);
	ck_assert_ptr_eq(iov[1].iov_base, host(3 * PAGE_SIZE));
	ck_assert_uint_eq(iov[1].iov_len, PAGE_SIZE);
	ck_assert_ptr_eq(iov[2].iov_base, host(7 * PAGE_SIZE));
	ck_assert_uint_eq(iov[2].iov_len, PAGE_SIZE);
}
END_TEST

START_TEST(many_ranges)
{
	begin(3);
	range(512, 0, 1, 1);
	range(512, 512, 1, 1); /* goes on where the first ends */
	range(1, PAGE_SIZE - 1, 2, 1);
	ck_assert_int_eq(resolve(), 0);
	ck_assert_uint_eq(count, 2);
	ck_assert_uint_eq(len, 1025);
	ck_assert_uint_eq(iov[0].iov_len, 1024);
}
END_TEST

START_TEST(adds_to_what_there_is)
{
	begin(1);
	range(PAGE_SIZE, 0, 20, 1);
	iov[0] = (struct iovec){.iov_base = host(3 * PAGE_SIZE), .iov_len = PAGE_SIZE};
	count = 1;
	len = PAGE_SIZE;
	ck_assert_int_eq(resolve_len(words * 8, IOV_MAX_), 0);
	ck_assert_uint_eq(count, 2);
	ck_assert_uint_eq(len, 2 * PAGE_SIZE);
}
END_TEST

/* The first pages of the list go on where the entry before ended. */
START_TEST(a_failure_changes_nothing)
{
	begin(2);
	range(PAGE_SIZE, 0, 4, 1);
	range(PAGE_SIZE, 0, PAGES, 1);
	iov[0] = (struct iovec){.iov_base = host(3 * PAGE_SIZE), .iov_len = PAGE_SIZE};
	count = 1;
	len = PAGE_SIZE;
	ck_assert_int_eq(resolve_len(words * 8, IOV_MAX_), -EFAULT);
	ck_assert_uint_eq(count, 1);
	ck_assert_uint_eq(len, PAGE_SIZE);
	ck_assert_uint_eq(iov[0].iov_len, PAGE_SIZE);
}
END_TEST

START_TEST(the_last_page)
{
	begin(1);
	range(PAGE_SIZE, 0, PAGES - 1, 1);
	ck_assert_int_eq(resolve(), 0);
	begin(1);
	range(PAGE_SIZE, 1, PAGES - 1, 2);
	ck_assert_int_eq(resolve(), -EFAULT);
}
END_TEST

START_TEST(not_ram)
{
	static const uint64_t pfns[] = {
		PAGES,      0xfee00,          0xfffff,    0xffffffff,
		1ull << 51, (1ull << 52) - 1, 1ull << 52, UINT64_MAX / PAGE_SIZE,
		UINT64_MAX, UINT64_MAX - 1,
	};

	begin(2);
	range(100, 0, 1, 1);
	range(PAGE_SIZE, 0, pfns[_i], 1);
	ck_assert_int_eq(resolve(), -EFAULT);
	ck_assert_uint_eq(count, 0);
	ck_assert_uint_eq(len, 0);
}
END_TEST

/* Every shorter list than a good one. */
START_TEST(cut)
{
	begin(2);
	range(2 * PAGE_SIZE, 8, 4, 3);
	range(100, 0, 2, 1);
	for (uint32_t n = 0; n < words * 8; n++) {
		count = 0;
		len = 0;
		ck_assert_int_eq(resolve_len(n, IOV_MAX_), -EINVAL);
		ck_assert_uint_eq(count, 0);
		ck_assert_uint_eq(len, 0);
	}
	ck_assert_int_eq(resolve(), 0);
	/* What comes after is nobody's. */
	words++;
	ck_assert_int_eq(resolve(), 0);
}
END_TEST

START_TEST(senseless)
{
	begin(0);
	range(PAGE_SIZE, 0, 1, 1);
	ck_assert_int_eq(resolve(), -EINVAL); /* no range */
	begin(UINT32_MAX);
	range(PAGE_SIZE, 0, 1, 1);
	ck_assert_int_eq(resolve(), -EINVAL);
	begin(1);
	range(0, 0, 1, 1);
	ck_assert_int_eq(resolve(), -EINVAL); /* empty */
	begin(1);
	range(1, PAGE_SIZE, 1, 2);
	ck_assert_int_eq(resolve(), -EINVAL); /* begins past its first page */
	begin(1);
	range(1, UINT32_MAX, 1, 2);
	ck_assert_int_eq(resolve(), -EINVAL);
	begin(1);
	range(UINT32_MAX, PAGE_SIZE - 1, 1, 4);
	ck_assert_int_eq(resolve(), -EINVAL); /* more bytes than pages */
	begin(1);
	range(PAGE_SIZE, 1, 1, 1);
	ck_assert_int_eq(resolve(), -EINVAL);
}
END_TEST

START_TEST(another_type)
{
	const uint16_t types[] = {VM_PKT_DATA_INBAND, VM_PKT_DATA_USING_XFER_PAGES, VM_PKT_COMP, 0};
	struct ring_packet packet = {.list = list, .list_len = 24};

	begin(1);
	range(PAGE_SIZE, 0, 1, 1);
	count = 0;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		packet.type = types[i];
		ck_assert_int_eq(channel_gpa_iov(channel, &packet, iov, IOV_MAX_, &count, &len),
				 -EINVAL);
	}
}
END_TEST

START_TEST(too_many_pieces)
{
	begin(1);
	add(3 * PAGE_SIZE, 0);
	list[words++] = 9;
	list[words++] = 3;
	list[words++] = 7;
	count = 0;
	len = 0;
	ck_assert_int_eq(resolve_len(words * 8, 2), -E2BIG);
	ck_assert_uint_eq(count, 0);
	ck_assert_uint_eq(len, 0);
	ck_assert_int_eq(resolve_len(words * 8, 3), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("gpa_direct");
	TCase *t = tcase_create("gpa_direct");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, one_range);
	tcase_add_test(t, scattered_pages);
	tcase_add_test(t, many_ranges);
	tcase_add_test(t, adds_to_what_there_is);
	tcase_add_test(t, a_failure_changes_nothing);
	tcase_add_test(t, the_last_page);
	tcase_add_loop_test(t, not_ram, 0, 10);
	tcase_add_test(t, cut);
	tcase_add_test(t, senseless);
	tcase_add_test(t, another_type);
	tcase_add_test(t, too_many_pieces);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
