// SPDX-License-Identifier: MIT
/* Sets of pages: against a plain array, and at the edges. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/balloon_pages.h"

#define LIMIT 1000u

static struct balloon_pages p;

static void setup(void)
{
	ck_assert_int_eq(balloon_pages_init(&p, LIMIT), 0);
}

static void teardown(void)
{
	balloon_pages_finish(&p);
}

START_TEST(empty)
{
	uint64_t start, count;

	ck_assert(!balloon_pages_next(&p, 0, LIMIT, &start, &count));
	balloon_pages_clear(&p);
	ck_assert_uint_eq(p.count, 0);
}
END_TEST

START_TEST(refuses)
{
	ck_assert_int_eq(balloon_pages_add(&p, 10, 20), 0);
	ck_assert_int_eq(balloon_pages_add(&p, 29, 1), -EEXIST);
	ck_assert_int_eq(balloon_pages_add(&p, 0, 11), -EEXIST);
	ck_assert_int_eq(balloon_pages_add(&p, 0, LIMIT), -EEXIST);
	ck_assert_int_eq(balloon_pages_add(&p, LIMIT, 1), -EINVAL);
	ck_assert_int_eq(balloon_pages_add(&p, 1, LIMIT), -EINVAL);
	ck_assert_int_eq(balloon_pages_add(&p, UINT64_MAX, 2), -EINVAL);
	ck_assert_int_eq(balloon_pages_add(&p, 5, UINT64_MAX), -EINVAL);
	ck_assert_uint_eq(p.count, 20);
	ck_assert_int_eq(balloon_pages_add(&p, LIMIT - 1, 1), 0);
}
END_TEST

START_TEST(all_of_it)
{
	uint64_t start, count;

	ck_assert_int_eq(balloon_pages_add(&p, 0, LIMIT), 0);
	ck_assert(balloon_pages_next(&p, 0, UINT64_MAX, &start, &count));
	ck_assert_uint_eq(start, 0);
	ck_assert_uint_eq(count, LIMIT);
	ck_assert(balloon_pages_next(&p, 990, 4, &start, &count));
	ck_assert_uint_eq(start, 990);
	ck_assert_uint_eq(count, 4);
	ck_assert(!balloon_pages_next(&p, LIMIT, 1, &start, &count));
	balloon_pages_remove(&p, 0, LIMIT);
	ck_assert(!balloon_pages_next(&p, 0, 1, &start, &count));
}
END_TEST

/* Every run of the set, by asking for the next, is every run of the array. */
static void compare(const bool *model)
{
	uint64_t from = 0, start, count, at = 0, sum = 0;

	while (balloon_pages_next(&p, from, UINT64_MAX, &start, &count)) {
		for (; at < start; at++)
			ck_assert(!model[at]);
		for (; at < start + count; at++)
			ck_assert(model[at]);
		ck_assert(at == LIMIT || !model[at]);
		sum += count;
		from = start + count;
	}
	for (; at < LIMIT; at++)
		ck_assert(!model[at]);
	ck_assert_uint_eq(sum, p.count);
}

START_TEST(random_runs)
{
	bool model[LIMIT] = {false};

	srand(1);
	for (int i = 0; i < 3000; i++) {
		uint64_t start = (uint64_t)rand() % LIMIT;
		uint64_t len = 1 + (uint64_t)rand() % (rand() % 4 ? 8 : 200);
		uint64_t found, count;
		bool free = start + len <= LIMIT;

		for (uint64_t j = start; free && j < start + len; j++)
			free = !model[j];
		ck_assert_int_eq(balloon_pages_add(&p, start, len) == 0, free);
		if (free)
			memset(model + start, true, len);
		if (rand() % 3 && balloon_pages_next(&p, (uint64_t)rand() % LIMIT,
						     1 + (uint64_t)rand() % 100, &found, &count)) {
			balloon_pages_remove(&p, found, count);
			memset(model + found, false, count);
		}
		if (i % 50 == 0)
			compare(model);
	}
	compare(model);
	balloon_pages_clear(&p);
	memset(model, 0, sizeof(model));
	compare(model);
}
END_TEST

START_TEST(large)
{
	struct balloon_pages huge;
	uint64_t start, count;

	/* 64 TiB: only what is touched costs memory. */
	ck_assert_int_eq(balloon_pages_init(&huge, 1ull << 34), 0);
	ck_assert_int_eq(balloon_pages_add(&huge, (1ull << 34) - 512, 512), 0);
	ck_assert(balloon_pages_next(&huge, 0, 600, &start, &count));
	ck_assert_uint_eq(start, (1ull << 34) - 512);
	ck_assert_uint_eq(count, 512);
	balloon_pages_finish(&huge);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("balloon_pages");
	TCase *tc = tcase_create("balloon_pages");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, empty);
	tcase_add_test(tc, refuses);
	tcase_add_test(tc, all_of_it);
	tcase_add_test(tc, random_runs);
	tcase_add_test(tc, large);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
