// SPDX-License-Identifier: MIT
/* src/devices/block/vhdx_space.c: taking and releasing, against a plain array. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "devices/block/vhdx_internal.h"

#define LIMIT 6000u

static uint64_t rng = 1;

static uint64_t rnd(void)
{
	rng = rng * 6364136223846793005ull + 1442695040888963407ull;
	return rng >> 33;
}

START_TEST(claims)
{
	struct vhdx_space space;
	uint64_t mib, count;

	ck_assert_int_eq(vhdx_space_init(&space, 100), 0);
	ck_assert(vhdx_space_claim(&space, 0, 4));
	ck_assert(!vhdx_space_claim(&space, 3, 1));
	ck_assert(vhdx_space_claim(&space, 99, 1));
	ck_assert(!vhdx_space_claim(&space, 98, 2));
	ck_assert(!vhdx_space_claim(&space, 100, 1));
	ck_assert(!vhdx_space_claim(&space, UINT64_MAX, 2));
	ck_assert_uint_eq(space.free, 95);
	ck_assert_uint_eq(vhdx_space_end(&space), 100);
	ck_assert(vhdx_space_next_free(&space, 0, &mib, &count));
	ck_assert_uint_eq(mib, 4);
	ck_assert_uint_eq(count, 95);
	ck_assert(!vhdx_space_next_free(&space, 99, &mib, &count));
	vhdx_space_release(&space, 99, 1);
	ck_assert_uint_eq(vhdx_space_end(&space), 4);
	ck_assert(vhdx_space_next_free(&space, 70, &mib, &count));
	ck_assert_uint_eq(mib, 70);
	ck_assert_uint_eq(count, 30);
	vhdx_space_finish(&space);
	ck_assert_int_eq(vhdx_space_init(&space, 1ull << 40), -EFBIG);
}
END_TEST

/* Old space before new, the lowest first, and nothing twice. */
START_TEST(random_use)
{
	static bool used[LIMIT];
	struct vhdx_space space;
	uint64_t frontier = 50;

	ck_assert_int_eq(vhdx_space_init(&space, frontier), 0);
	while (frontier < LIMIT - 300) {
		uint64_t count = 1 + rnd() % 40, mib = 0, run = 0, expected = frontier;
		bool fresh;

		if (rnd() % 5 < 2) {
			mib = rnd() % frontier;
			for (uint64_t i = mib; i < frontier && i < mib + count && used[i]; i++) {
				used[i] = false;
				vhdx_space_release(&space, i, 1);
			}
			continue;
		}
		for (uint64_t i = 0; i < frontier; i++) {
			run = used[i] ? 0 : run + 1;
			if (run == count) {
				expected = i + 1 - count;
				break;
			}
		}
		ck_assert_int_eq(vhdx_space_take(&space, count, &mib, &fresh), 0);
		ck_assert_uint_eq(mib, expected);
		ck_assert_int_eq(fresh, expected == frontier);
		for (uint64_t i = mib; i < mib + count; i++)
			used[i] = true;
		frontier = max_of(frontier, mib + count);
		ck_assert_uint_eq(space.frontier, frontier);
	}
	vhdx_space_finish(&space);
}
END_TEST

START_TEST(below)
{
	struct vhdx_space space;
	uint64_t mib;

	ck_assert_int_eq(vhdx_space_init(&space, 200), 0);
	ck_assert(vhdx_space_claim(&space, 0, 150));
	ck_assert_int_eq(vhdx_space_take_below(&space, 10, 155, &mib), -ENOENT);
	ck_assert_int_eq(vhdx_space_take_below(&space, 5, 155, &mib), 0);
	ck_assert_uint_eq(mib, 150);
	ck_assert_int_eq(vhdx_space_take_below(&space, 46, UINT64_MAX, &mib), -ENOENT);
	vhdx_space_finish(&space);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vhdx_space");
	TCase *tc = tcase_create("vhdx_space");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, claims);
	tcase_add_test(tc, random_use);
	tcase_add_test(tc, below);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
