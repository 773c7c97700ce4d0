// SPDX-License-Identifier: MIT
/* The latest bytes of a stream: what is kept, where lines begin, at every place of the ring. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "devices/char/console_ring.h"

static struct console_ring ring;

static void setup(void)
{
	ck_assert_int_eq(console_ring_init(&ring, 16), 0);
}

static void teardown(void)
{
	console_ring_finish(&ring);
}

static void append(const char *text)
{
	console_ring_append(&ring, (const uint8_t *)text, strlen(text));
}

static void expect_from(uint64_t position, const char *text)
{
	char got[64];
	size_t len = 0, n;
	const uint8_t *data;

	while ((n = console_ring_peek(&ring, position + len, &data))) {
		memcpy(got + len, data, n);
		len += n;
	}
	got[len] = 0;
	ck_assert_str_eq(got, text);
}

START_TEST(keeps_the_latest)
{
	expect_from(0, "");
	append("0123456789");
	ck_assert_uint_eq(console_ring_start(&ring), 0);
	expect_from(0, "0123456789");
	expect_from(7, "789");
	append("abcdef");
	expect_from(0, "0123456789abcdef");
	append("g");
	ck_assert_uint_eq(console_ring_start(&ring), 1);
	expect_from(1, "123456789abcdefg");
	append("ABCDEFGHIJKLMNOPQRSTUVWXYZ");
	ck_assert_uint_eq(ring.end, 43);
	ck_assert_uint_eq(console_ring_start(&ring), 27);
	expect_from(27, "KLMNOPQRSTUVWXYZ");
	expect_from(43, "");
}
END_TEST

START_TEST(lines_as_tail_has_them)
{
	ck_assert_uint_eq(console_ring_lines(&ring, 1), 0);
	append("a\nbb\nccc\n");
	ck_assert_uint_eq(console_ring_lines(&ring, 0), 9);
	ck_assert_uint_eq(console_ring_lines(&ring, 1), 5);
	ck_assert_uint_eq(console_ring_lines(&ring, 2), 2);
	ck_assert_uint_eq(console_ring_lines(&ring, 3), 0);
	ck_assert_uint_eq(console_ring_lines(&ring, 4), 0);
	/* A line that has not ended is one. */
	append("login:");
	ck_assert_uint_eq(console_ring_lines(&ring, 1), 9);
	ck_assert_uint_eq(console_ring_lines(&ring, 2), 5);
	/* Not further than what is kept. */
	append("0123456789");
	ck_assert_uint_eq(console_ring_lines(&ring, 1), 9);
	append("\n\n");
	ck_assert_uint_eq(console_ring_lines(&ring, 1), 26);
	ck_assert_uint_eq(console_ring_lines(&ring, 9), console_ring_start(&ring));
}
END_TEST

START_TEST(next_line)
{
	append("one\ntwo\nthr");
	ck_assert_uint_eq(console_ring_next_line(&ring, 0), 4);
	ck_assert_uint_eq(console_ring_next_line(&ring, 4), 8);
	ck_assert_uint_eq(console_ring_next_line(&ring, 8), 8);
	ck_assert_uint_eq(console_ring_next_line(&ring, 11), 11);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("console_ring");
	TCase *tc = tcase_create("console_ring");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, keeps_the_latest);
	tcase_add_test(tc, lines_as_tail_has_them);
	tcase_add_test(tc, next_line);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
