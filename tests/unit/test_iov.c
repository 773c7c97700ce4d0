// SPDX-License-Identifier: MIT
/*
 * Parts of I/O vectors, from every offset and of every length, against plain copies.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "devices/block/iov.h"

#define LEN 60u

static char memory[200], flat[LEN];
static struct iovec iov[] = {
	{memory + 100, 7}, {memory, 0},        {memory + 3, 20},
	{memory + 50, 1},  {memory + 120, 32}, {memory, 0},
};
#define COUNT ((unsigned int)ARRAY_SIZE(iov))

static void setup(void)
{
	char *p = flat;

	for (unsigned int i = 0; i < sizeof(memory); i++)
		memory[i] = (char)(i + 1);
	for (unsigned int i = 0; i < COUNT; i++) {
		memcpy(p, iov[i].iov_base, iov[i].iov_len);
		p += iov[i].iov_len;
	}
	ck_assert_ptr_eq(p, flat + LEN);
}

START_TEST(length)
{
	struct iovec huge[] = {{memory, SIZE_MAX}, {memory, 1}};

	ck_assert_uint_eq(iov_length(iov, COUNT), LEN);
	ck_assert_uint_eq(iov_length(iov, 0), 0);
	ck_assert_uint_eq(iov_length(huge, 1), SIZE_MAX);
	ck_assert_uint_eq(iov_length(huge, 2), UINT64_MAX);
}
END_TEST

START_TEST(copies)
{
	char buf[LEN], expected[LEN], saved[sizeof(memory)];

	memcpy(saved, memory, sizeof(memory));
	for (unsigned int skip = 0; skip <= LEN; skip++) {
		for (unsigned int len = 0; skip + len <= LEN; len++) {
			iov_copy_out(iov, COUNT, skip, buf, len);
			ck_assert(memcmp(buf, flat + skip, len) == 0);
			iov_zero(iov, COUNT, skip, len);
			iov_copy_out(iov, COUNT, 0, buf, LEN);
			memcpy(expected, flat, LEN);
			memset(expected + skip, 0, len);
			ck_assert(memcmp(buf, expected, LEN) == 0);
			iov_copy_in(iov, COUNT, skip, flat + skip, len);
			ck_assert(memcmp(memory, saved, sizeof(memory)) == 0);
		}
	}
}
END_TEST

START_TEST(slices)
{
	struct iovec out[COUNT];
	uint64_t got = 0;

	for (unsigned int skip = 0; skip <= LEN; skip++) {
		for (unsigned int len = 0; skip + len <= LEN; len++) {
			for (unsigned int max = 0; max <= COUNT; max++) {
				unsigned int n = iov_slice(iov, COUNT, skip, len, out, max, &got);
				unsigned int at = skip;

				ck_assert_uint_le(n, max);
				ck_assert_uint_le(got, len);
				ck_assert(n == max || got == len);
				for (unsigned int i = 0; i < n; i++) {
					ck_assert_uint_gt(out[i].iov_len, 0);
					ck_assert(memcmp(out[i].iov_base, flat + at,
							 out[i].iov_len) == 0);
					at += (unsigned int)out[i].iov_len;
				}
				ck_assert_uint_eq(at, skip + got);
			}
		}
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("iov");
	TCase *t = tcase_create("iov");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, length);
	tcase_add_test(t, copies);
	tcase_add_test(t, slices);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
