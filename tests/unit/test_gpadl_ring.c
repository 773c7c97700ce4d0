// SPDX-License-Identifier: MIT
/* Rings in GPADLs: one mapping or page by page, holds, overlay pages, and a ring at work in one. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmbus/gpadl.h"
#include "vmbus/ring.h"
#include "vmm/layout.h"

static struct mem *mem;
static struct gpadl_table *table;
static struct gpadl_limits limits;
static unsigned int torn;

static void on_torn_down(void *ctx, uint32_t channel, uint32_t handle)
{
	(void)ctx;
	(void)channel;
	(void)handle;
	torn++;
}

static void setup(void)
{
	/* With a second region. */
	struct mem_config config = {.size = LAYOUT_MMIO_HOLE + MiB(16)};

	limits = GPADL_LIMITS_DEFAULT;
	ck_assert_int_eq(mem_create(&config, NULL, &mem), 0);
	ck_assert_int_eq(gpadl_table_create(mem, &limits, on_torn_down, NULL, &table), 0);
}

static void teardown(void)
{
	gpadl_table_destroy(table);
	mem_destroy(mem);
}

static struct gpadl *create(uint32_t handle, uint32_t bytes, uint32_t offset, const uint64_t *pfns,
			    uint32_t pages)
{
	uint64_t words[64] = {bytes | (uint64_t)offset << 32};
	struct gpadl *g;
	bool complete;

	ck_assert_uint_lt(pages, 64);
	memcpy(words + 1, pfns, pages * sizeof(*pfns));
	ck_assert_int_eq(gpadl_begin(table, 1, handle, (uint16_t)(8 * pages + 8), 1, words,
				     8 * pages + 8, &complete),
			 0);
	ck_assert(complete);
	ck_assert_int_eq(gpadl_get(table, 1, handle, &g), 0);
	return g;
}

static void poke(uint64_t pfn, uint32_t offset, uint8_t byte)
{
	ck_assert_int_eq(mem_write(mem, pfn * PAGE_SIZE + offset, &byte, 1), 0);
}

static const uint64_t scattered[] = {40, 7, 8, LAYOUT_RAM_ABOVE_4G / PAGE_SIZE + 5, 3, 41};

START_TEST(mapped_twice)
{
	struct gpadl *g = create(1, 6 * PAGE_SIZE, 0, scattered, 6);
	struct ring_memory ring = {0};

	gpadl_unmap_ring(&ring); /* nothing: fine */
	poke(7, 9, 77);
	poke(8, 9, 88);
	poke(scattered[3], 9, 99);
	poke(3, 4095, 33);
	ck_assert_int_eq(gpadl_map_ring(g, 0, 5, &ring), 0);
	ck_assert_ptr_nonnull(ring.data);
	ck_assert_uint_eq(ring.len, 4 * PAGE_SIZE);
	for (uint32_t at = 0; at <= ring.len; at += ring.len) {
		ck_assert_uint_eq(ring.data[at + 9], 77);
		ck_assert_uint_eq(ring.data[at + PAGE_SIZE + 9], 88);
		ck_assert_uint_eq(ring.data[at + 2 * PAGE_SIZE + 9], 99);
		ck_assert_uint_eq(ring.data[at + 4 * PAGE_SIZE - 1], 33);
	}
	ring.data[ring.len] = 5;
	ck_assert_uint_eq(ring.data[0], 5);
	poke(40, 3, 1);
	ck_assert_uint_eq(ring.control->write_index, 1u << 24);
	ck_assert_uint_eq(counter_get(&gpadl_table_counters(table)->rings_mapped), 1);
	gpadl_unmap_ring(&ring);
	ck_assert_ptr_null(ring.control);
	gpadl_unmap_ring(&ring);
	gpadl_put(g);
}
END_TEST

START_TEST(limited)
{
	struct ring_memory ring, other;
	struct gpadl *g;

	teardown();
	setup();
	gpadl_table_destroy(table);
	/* 3 and two for each of 3 runs; a second ring finds none left. */
	limits.mappings = 9;
	ck_assert_int_eq(gpadl_table_create(mem, &limits, on_torn_down, NULL, &table), 0);
	g = create(1, 6 * PAGE_SIZE, 0, scattered, 6);
	ck_assert_int_eq(gpadl_map_ring(g, 0, 5, &ring), 0);
	ck_assert_ptr_nonnull(ring.data);
	ck_assert_int_eq(gpadl_map_ring(g, 0, 6, &other), 0);
	ck_assert_ptr_null(other.data);
	ck_assert_uint_eq(other.len, 5 * PAGE_SIZE);
	for (uint32_t i = 0; i < 5; i++)
		ck_assert_ptr_eq(other.pages[i], mem_map(mem, scattered[i + 1] * PAGE_SIZE, 1));
	ck_assert_ptr_eq(other.control, mem_map(mem, 40 * PAGE_SIZE, 1));
	gpadl_unmap_ring(&other);
	gpadl_unmap_ring(&ring);
	/* And the limit is free again. */
	ck_assert_int_eq(gpadl_map_ring(g, 0, 5, &ring), 0);
	ck_assert_ptr_nonnull(ring.data);
	gpadl_unmap_ring(&ring);
	gpadl_put(g);
	ck_assert_uint_eq(counter_get(&gpadl_table_counters(table)->rings_paged), 1);
}
END_TEST

START_TEST(refused)
{
	static const uint64_t pfns[] = {1, 2, 3, 4};
	struct ring_memory ring = {.len = 7};
	struct gpadl *g = create(1, 4 * PAGE_SIZE, 0, pfns, 4);

	ck_assert_uint_eq(gpadl_ring_pages(g), 4);
	ck_assert_int_eq(gpadl_map_ring(g, 0, 0, &ring), -EINVAL);
	ck_assert_int_eq(gpadl_map_ring(g, 0, 1, &ring), -EINVAL);
	ck_assert_int_eq(gpadl_map_ring(g, 0, 5, &ring), -EINVAL);
	ck_assert_int_eq(gpadl_map_ring(g, 3, 2, &ring), -EINVAL);
	ck_assert_int_eq(gpadl_map_ring(g, 4, 2, &ring), -EINVAL);
	ck_assert_int_eq(gpadl_map_ring(g, UINT32_MAX, 2, &ring), -EINVAL);
	ck_assert_int_eq(gpadl_map_ring(g, 2, UINT32_MAX, &ring), -EINVAL);
	ck_assert_uint_eq(ring.len, 7);
	gpadl_put(g);
	g = create(2, 2 * PAGE_SIZE, 8, pfns, 3);
	ck_assert_int_eq(gpadl_map_ring(g, 0, 2, &ring), -EINVAL);
	gpadl_put(g);
	g = create(3, 2 * PAGE_SIZE + 8, 0, pfns, 3);
	ck_assert_int_eq(gpadl_map_ring(g, 0, 2, &ring), -EINVAL);
	gpadl_put(g);
}
END_TEST

START_TEST(held_while_mapped)
{
	static const uint64_t pfns[] = {1, 2, 3, 4};
	struct gpadl *g = create(1, 4 * PAGE_SIZE, 0, pfns, 4);
	struct ring_memory in, out;

	ck_assert_int_eq(gpadl_map_ring(g, 0, 2, &in), 0);
	ck_assert_int_eq(gpadl_map_ring(g, 2, 2, &out), 0);
	gpadl_put(g);
	ck_assert_int_eq(gpadl_teardown(table, 1, 1), -EINPROGRESS);
	gpadl_unmap_ring(&in);
	ck_assert_uint_eq(torn, 0);
	out.data[0] = 3;
	gpadl_unmap_ring(&out);
	ck_assert_uint_eq(torn, 1);
}
END_TEST

/* The guest may lay an overlay page over its ring, or give its page back: its own affair. */
START_TEST(covered_and_released)
{
	static const uint64_t pfns[] = {10, 11, 12};
	struct gpadl *g = create(1, 3 * PAGE_SIZE, 0, pfns, 3);
	struct ring_memory ring;
	int fd = memfd_create("overlay", MFD_CLOEXEC);

	ck_assert(fd >= 0 && ftruncate(fd, PAGE_SIZE) == 0);
	ck_assert_int_eq(gpadl_map_ring(g, 0, 3, &ring), 0);
	ring.data[5] = 50;
	ck_assert_int_eq(mem_cover(mem, 11 * PAGE_SIZE, fd, 0), 0);
	poke(11, 5, 60);
	ck_assert_uint_eq(ring.data[5], 50);
	ck_assert_int_eq(mem_uncover(mem, 11 * PAGE_SIZE), 0);
	poke(11, 5, 70);
	ck_assert_uint_eq(ring.data[5], 70);
	ck_assert_int_eq(mem_release(mem, 11 * PAGE_SIZE, PAGE_SIZE), 0);
	ck_assert_uint_eq(ring.data[ring.len + 5], 0);
	ring.data[5] = 80;
	ck_assert_uint_eq(ring.data[ring.len + 5], 80);
	gpadl_unmap_ring(&ring);
	gpadl_put(g);
	close(fd);
}
END_TEST

START_TEST(at_work)
{
	struct gpadl *g = create(1, 6 * PAGE_SIZE, 0, scattered, 6);
	struct ring_memory memory;
	struct ring_out out;
	struct ring_in in;
	uint64_t payload[200], buf[220];

	ck_assert_int_eq(gpadl_map_ring(g, 1, 5, &memory), 0);
	ck_assert_int_eq(ring_out_init(&out, &memory), 0);
	ck_assert_int_eq(ring_in_init(&in, &memory), 0);
	/* Around several times, with ourselves at both ends. */
	for (uint64_t i = 0; i < 500; i++) {
		struct ring_message m = {.type = VM_PKT_DATA_INBAND,
					 .trans_id = i,
					 .payload = payload,
					 .payload_len = (uint32_t)(i % 200 * 8)};
		struct ring_packet p;

		for (uint64_t j = 0; j < 200; j++)
			payload[j] = i * 1000 + j;
		ck_assert_int_eq(ring_out_write(&out, &m, 0), 0);
		ck_assert(ring_out_commit(&out));
		ck_assert_int_eq(ring_in_next(&in, buf, sizeof(buf), &p), 0);
		ck_assert_uint_eq(p.trans_id, i);
		ck_assert_uint_eq(p.payload_len, m.payload_len);
		ck_assert_mem_eq(p.payload, payload, p.payload_len);
		ck_assert(!ring_in_commit(&in));
	}
	gpadl_unmap_ring(&memory);
	gpadl_put(g);
}
END_TEST

/* Explicit huge pages, where the host has some. */
START_TEST(huge_pages)
{
	struct mem_config config = {.size = MiB(4), .huge = MEM_HUGE_2M};
	static const uint64_t pfns[] = {1, 2, 3, 4};
	struct ring_memory ring;
	struct mem *huge;
	struct gpadl *g;

	if (mem_create(&config, NULL, &huge) < 0)
		return;
	gpadl_table_destroy(table);
	ck_assert_int_eq(gpadl_table_create(huge, &limits, on_torn_down, NULL, &table), 0);
	g = create(1, 4 * PAGE_SIZE, 0, pfns, 4);
	ck_assert_int_eq(gpadl_map_ring(g, 0, 4, &ring), 0);
	ck_assert_ptr_null(ring.data);
	ck_assert_ptr_eq(ring.pages[2], mem_map(huge, 4 * PAGE_SIZE, 1));
	gpadl_unmap_ring(&ring);
	gpadl_put(g);
	gpadl_table_destroy(table);
	table = NULL;
	mem_destroy(huge);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("gpadl-ring");
	TCase *t = tcase_create("gpadl-ring");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, mapped_twice);
	tcase_add_test(t, limited);
	tcase_add_test(t, refused);
	tcase_add_test(t, held_while_mapped);
	tcase_add_test(t, covered_and_released);
	tcase_add_test(t, at_work);
	tcase_add_test(t, huge_pages);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
