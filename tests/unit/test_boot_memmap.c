// SPDX-License-Identifier: MIT
/* The memory map told to guests. */
#include <check.h>
#include <stdlib.h>

#include "boot_images.h"
#include "vmm/boot_memmap.h"
#include "vmm/layout.h"

#define EBDA_TO_1M (LAYOUT_HIGH_RAM - LAYOUT_LOW_RAM_END)

static void expect(uint64_t size, const struct boot_memmap_entry *want, size_t count)
{
	struct mem *mem = image_mem(size);
	struct boot_memmap map;

	boot_memmap_build(mem, &map);
	ck_assert_uint_eq(map.count, count);
	for (size_t i = 0; i < count; i++) {
		ck_assert_uint_eq(map.entries[i].start, want[i].start);
		ck_assert_uint_eq(map.entries[i].len, want[i].len);
		ck_assert_int_eq(map.entries[i].type, want[i].type);
	}
	mem_destroy(mem);
}

START_TEST(smallest)
{
	const struct boot_memmap_entry want[] = {
		{0, LAYOUT_LOW_RAM_END, BOOT_MEMMAP_RAM},
		{LAYOUT_LOW_RAM_END, EBDA_TO_1M, BOOT_MEMMAP_RESERVED},
		{0xfffbc000, 0x4000, BOOT_MEMMAP_RESERVED},
	};

	expect(MiB(1), want, ARRAY_SIZE(want));
}
END_TEST

START_TEST(one_region)
{
	const struct boot_memmap_entry want[] = {
		{0, LAYOUT_LOW_RAM_END, BOOT_MEMMAP_RAM},
		{LAYOUT_LOW_RAM_END, EBDA_TO_1M, BOOT_MEMMAP_RESERVED},
		{MiB(1), MiB(511), BOOT_MEMMAP_RAM},
		{0xfffbc000, 0x4000, BOOT_MEMMAP_RESERVED},
	};

	expect(MiB(512), want, ARRAY_SIZE(want));
}
END_TEST

START_TEST(around_the_hole)
{
	const struct boot_memmap_entry want[] = {
		{0, LAYOUT_LOW_RAM_END, BOOT_MEMMAP_RAM},
		{LAYOUT_LOW_RAM_END, EBDA_TO_1M, BOOT_MEMMAP_RESERVED},
		{MiB(1), GiB(3) - MiB(1), BOOT_MEMMAP_RAM},
		{0xfffbc000, 0x4000, BOOT_MEMMAP_RESERVED},
		{GiB(4), GiB(5), BOOT_MEMMAP_RAM},
	};

	expect(GiB(8), want, ARRAY_SIZE(want));
}
END_TEST

START_TEST(low_end)
{
	static const uint64_t sizes[][2] = {
		{MiB(1), MiB(1)}, {MiB(2), MiB(2)}, {GiB(3), GiB(3)}, {GiB(8), GiB(3)}};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct mem *mem = image_mem(sizes[i][0]);

		ck_assert_uint_eq(boot_memmap_low_end(mem), sizes[i][1]);
		mem_destroy(mem);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("boot_memmap");
	TCase *t = tcase_create("boot_memmap");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, smallest);
	tcase_add_test(t, one_region);
	tcase_add_test(t, around_the_hole);
	tcase_add_test(t, low_end);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
