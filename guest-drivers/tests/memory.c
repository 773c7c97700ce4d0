// SPDX-License-Identifier: MIT
/*
 * Guest memory: every RAM range of the map is there, writable up to its last byte, distinct and
 * zero at start; where nothing is, reads give all ones and writes vanish.
 */
#include "kit/kit.h"

#define SAMPLES_MAX 512 /* of a range */
#define HOLE        0xc0000000ull

static uint64_t pattern(uint64_t pa)
{
	return pa ^ 0x5aa5f00dc0ffee00;
}

/* What the guest itself stands in. */
static bool in_use(uint64_t pa)
{
	return pa >= image_start() && pa < page_alloc_end();
}

/* Calls @fn for the last and the first eight bytes of a range and for samples between. */
static void for_each_sample(const struct memory_range *r, void (*fn)(uint64_t pa))
{
	uint64_t step = align_up(r->len / SAMPLES_MAX + 1, KiB(4));
	uint64_t end = r->addr + r->len;

	for (uint64_t pa = r->addr; pa < end; pa += step)
		if (!in_use(pa))
			fn(pa);
	fn(align_down(end - 8, 8));
}

static void write_sample(uint64_t pa)
{
	mmio_write64(pa, pattern(pa));
}

static void verify_sample(uint64_t pa)
{
	expect_eq(mmio_read64(pa), pattern(pa));
}

static void for_all_ram(void (*fn)(uint64_t pa))
{
	for (size_t i = 0; i < memory_range_count(); i++)
		if (memory_range(i)->type == MEMORY_RAM)
			for_each_sample(memory_range(i), fn);
}

/* Only above 1 MiB: what the loader put below it is not ours to judge. */
static void verify_zero(uint64_t pa)
{
	if (pa >= MiB(1))
		expect(memory_is(pa_ptr(align_down(pa, PAGE_SIZE)), 0, 64));
}

static void test_ram(void)
{
	for_all_ram(verify_zero);
	test_case("unused RAM is zero at start");
	/* All first, then all: two addresses that share memory are found. */
	for_all_ram(write_sample);
	for_all_ram(verify_sample);
	test_case("all RAM ranges keep what is written, up to the last bytes");
}

static void test_widths(void)
{
	uint64_t page = (uintptr_t)page_alloc(2) + PAGE_SIZE;

	mmio_write64(page - 4, 0x8877665544332211);
	expect_eq(mmio_read32(page - 4), 0x44332211);
	expect_eq(mmio_read32(page), 0x88776655);
	expect_eq(mmio_read16(page - 1), 0x5544);
	mmio_write16(page - 1, 0xabcd);
	expect_eq(mmio_read8(page - 1), 0xcd);
	expect_eq(mmio_read8(page), 0xab);
	mmio_write8(page + 3, 0);
	expect_eq(mmio_read64(page - 4), 0x007766abcd332211);
	test_case("accesses of 1, 2, 4 and 8 bytes, unaligned and over a page boundary");
}

static void test_copy(void)
{
	size_t len = KiB(64);
	uint8_t *from = page_alloc(len / PAGE_SIZE + 1), *to = page_alloc(len / PAGE_SIZE + 1);

	for (size_t i = 0; i < len; i += 509)
		from[i] = (uint8_t)(i >> 4 | 1);
	memcpy(to + 3, from + 1, len);
	for (size_t i = 509; i < len; i += 509)
		expect_eq(to[i + 2], from[i]);
	expect(memory_is(to, 0, 3));
	expect(memory_is(to + 3 + len, 0, 16));
	test_case("a large string copy arrives whole");
}

/* End of what the map names below the hole: RAM, or what firmware put behind it. */
static uint64_t end_below_hole(void)
{
	uint64_t end = 0;

	for (size_t i = 0; i < memory_range_count(); i++) {
		uint64_t e = memory_range(i)->addr + memory_range(i)->len;

		if (memory_range(i)->addr < GiB(2) && e <= HOLE && e > end)
			end = e;
	}
	return end;
}

static void expect_unclaimed(uint64_t pa)
{
	uint8_t bytes[16];

	expect_eq(mmio_read8(pa), 0xff);
	expect_eq(mmio_read16(pa), 0xffff);
	expect_eq(mmio_read32(pa), 0xffffffff);
	expect_eq(mmio_read64(pa), 0xffffffffffffffff);
	mmio_write64(pa, 0);
	expect_eq(mmio_read64(pa), 0xffffffffffffffff);
	memset(bytes, 0, sizeof(bytes));
	memcpy(bytes, pa_ptr(pa), sizeof(bytes));
	expect(memory_is(bytes, 0xff, sizeof(bytes)));
}

static void test_unclaimed(void)
{
	static const uint64_t addresses[] = {HOLE, 0xd0000ff0, 0xe0000000, 0xfeb00000, 0xfed40000};
	uint64_t behind = end_below_hole();

	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++)
		expect_unclaimed(addresses[i]);
	if (behind < HOLE)
		expect_unclaimed(behind);
	test_case("unclaimed MMIO reads all ones and ignores writes");
}

static void test_edge(void)
{
	uint64_t end = end_below_hole();

	if (!memory_is_ram(end - 8, 8)) {
		skip("an access over the end of RAM", "something stands between RAM and the hole");
		return;
	}
	mmio_write32(end - 4, 0x13572468);
	expect_eq(mmio_read64(end - 4), 0xffffffff13572468);
	mmio_write64(end - 4, 0x1111111122222222);
	expect_eq(mmio_read32(end - 4), 0x22222222);
	test_case("an access over the end of RAM is served half by RAM");
}

static void test_hole(void)
{
	uint64_t high = 0;

	for (size_t i = 0; i < memory_range_count(); i++) {
		const struct memory_range *r = memory_range(i);

		if (r->type != MEMORY_RAM)
			continue;
		expect(r->addr + r->len <= HOLE || r->addr >= GiB(4));
		if (r->addr >= GiB(4))
			high += r->len;
	}
	test_case("no RAM from 3 to 4 GiB (%lu MiB above)", high >> 20);
	if (param_is_set("high_mb"))
		check_eq(high, MiB(param_u64("high_mb", 0)), "memory above 4 GiB");
}

void test_main(void)
{
	test_ram();
	test_widths();
	test_copy();
	test_unclaimed();
	test_edge();
	test_hole();
}
