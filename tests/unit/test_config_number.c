// SPDX-License-Identifier: MIT
/*
 * Numbers: limits and one beyond, suffixes, and that text comes back as the same value.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "vmm/config_value.h"

static const struct config_row uint_row = {.kind = CONFIG_UINT, .min = 1, .max = 1024};
static const struct config_row all_row = {.kind = CONFIG_UINT, .max = UINT32_MAX};
static const struct config_row size_row = {
	.kind = CONFIG_SIZE, .min = MiB(16), .max = GiB(64 * 1024), .step = 4096};
static const struct config_row any_size_row = {.kind = CONFIG_SIZE, .max = UINT64_MAX};
static const struct config_row wait_row = {.kind = CONFIG_DURATION, .max = UINT64_MAX};

/* The value, or ~0 after making sure that a failure left the field alone. */
static uint64_t parse(const struct config_row *row, const char *text)
{
	uint64_t v64 = 77;
	uint32_t v32 = 77;
	struct error err;
	int r;

	if (row->kind == CONFIG_UINT)
		r = config_value_parse(row, text, NULL, &v32, &err);
	else
		r = config_value_parse(row, text, NULL, &v64, &err);
	if (r == 0)
		return row->kind == CONFIG_UINT ? v32 : v64;
	ck_assert_int_eq(r, -EINVAL);
	ck_assert_uint_eq(v32, 77);
	ck_assert_uint_eq(v64, 77);
	return ~0ull;
}

static const char *const no_numbers[] = {
	"",
	" ",
	"-1",
	"+1",
	" 1",
	"1 ",
	"0x10",
	"1.5",
	"1e3",
	"one",
	"18446744073709551616",
	"99999999999999999999999999",
	"1,000",
};

START_TEST(integers)
{
	size_t i;

	ck_assert_uint_eq(parse(&uint_row, "1"), 1);
	ck_assert_uint_eq(parse(&uint_row, "1024"), 1024);
	ck_assert_uint_eq(parse(&uint_row, "007"), 7);
	ck_assert_uint_eq(parse(&uint_row, "0"), ~0ull);
	ck_assert_uint_eq(parse(&uint_row, "1025"), ~0ull);
	ck_assert_uint_eq(parse(&uint_row, "4294967297"), ~0ull);
	ck_assert_uint_eq(parse(&all_row, "4294967295"), UINT32_MAX);
	ck_assert_uint_eq(parse(&all_row, "4294967296"), ~0ull);
	for (i = 0; i < ARRAY_SIZE(no_numbers); i++)
		ck_assert_uint_eq(parse(&uint_row, no_numbers[i]), ~0ull);
}
END_TEST

START_TEST(sizes)
{
	size_t i;

	ck_assert_uint_eq(parse(&size_row, "16M"), MiB(16));
	ck_assert_uint_eq(parse(&size_row, "16m"), MiB(16));
	ck_assert_uint_eq(parse(&size_row, "1GiB"), GiB(1));
	ck_assert_uint_eq(parse(&size_row, "1g"), GiB(1));
	ck_assert_uint_eq(parse(&size_row, "64T"), GiB(64 * 1024));
	ck_assert_uint_eq(parse(&size_row, "16388K"), MiB(16) + KiB(4));
	ck_assert_uint_eq(parse(&size_row, "16777216"), MiB(16));
	ck_assert_uint_eq(parse(&size_row, "16777215"), ~0ull);
	ck_assert_uint_eq(parse(&size_row, "16777217"), ~0ull);
	ck_assert_uint_eq(parse(&size_row, "16385K"), ~0ull);
	ck_assert_uint_eq(parse(&size_row, "65T"), ~0ull);
	ck_assert_uint_eq(parse(&size_row, "512"), ~0ull);
	ck_assert_uint_eq(parse(&size_row, "16MB"), ~0ull);
	ck_assert_uint_eq(parse(&size_row, "16Mi"), ~0ull);
	ck_assert_uint_eq(parse(&size_row, "16 M"), ~0ull);
	ck_assert_uint_eq(parse(&size_row, "16P"), ~0ull);
	ck_assert_uint_eq(parse(&size_row, "16MM"), ~0ull);
	ck_assert_uint_eq(parse(&size_row, "M"), ~0ull);
	ck_assert_uint_eq(parse(&any_size_row, "18446744073709551614"), UINT64_MAX - 1);
	ck_assert_uint_eq(parse(&any_size_row, "16777215T"), 16777215ull << 40);
	ck_assert_uint_eq(parse(&any_size_row, "16777216T"), ~0ull);
	for (i = 0; i < ARRAY_SIZE(no_numbers); i++)
		ck_assert_uint_eq(parse(&any_size_row, no_numbers[i]), ~0ull);
}
END_TEST

START_TEST(durations)
{
	size_t i;

	ck_assert_uint_eq(parse(&wait_row, "0"), 0);
	ck_assert_uint_eq(parse(&wait_row, "30"), 30 * NSEC_PER_SEC);
	ck_assert_uint_eq(parse(&wait_row, "30s"), 30 * NSEC_PER_SEC);
	ck_assert_uint_eq(parse(&wait_row, "500ms"), 500 * NSEC_PER_MSEC);
	ck_assert_uint_eq(parse(&wait_row, "5m"), 300 * NSEC_PER_SEC);
	ck_assert_uint_eq(parse(&wait_row, "2h"), 7200 * NSEC_PER_SEC);
	ck_assert_uint_eq(parse(&wait_row, "1d"), 86400 * NSEC_PER_SEC);
	ck_assert_uint_eq(parse(&wait_row, "18446744074s"), ~0ull);
	ck_assert_uint_eq(parse(&wait_row, "213504d"), ~0ull);
	ck_assert_uint_eq(parse(&wait_row, "5 m"), ~0ull);
	ck_assert_uint_eq(parse(&wait_row, "5M"), ~0ull);
	ck_assert_uint_eq(parse(&wait_row, "5us"), ~0ull);
	ck_assert_uint_eq(parse(&wait_row, "ms"), ~0ull);
	for (i = 0; i < ARRAY_SIZE(no_numbers); i++)
		ck_assert_uint_eq(parse(&wait_row, no_numbers[i]), ~0ull);
}
END_TEST

static void check_text(const struct config_row *row, uint64_t v, const char *expected)
{
	uint32_t v32 = (uint32_t)v;
	char *text = config_value_text(row, row->kind == CONFIG_UINT ? (void *)&v32 : &v);

	ck_assert_str_eq(text, expected);
	ck_assert_uint_eq(parse(row, text), v);
	free(text);
}

START_TEST(back_to_text)
{
	check_text(&uint_row, 1000, "1000");
	check_text(&any_size_row, 0, "0");
	check_text(&any_size_row, 1, "1");
	check_text(&any_size_row, 1023, "1023");
	check_text(&any_size_row, 1024, "1K");
	check_text(&any_size_row, MiB(512), "512M");
	check_text(&any_size_row, MiB(1536), "1536M");
	check_text(&any_size_row, GiB(1024), "1T");
	check_text(&any_size_row, UINT64_MAX - 1, "18446744073709551614");
	check_text(&wait_row, 0, "0");
	check_text(&wait_row, NSEC_PER_MSEC, "1ms");
	check_text(&wait_row, 90 * NSEC_PER_SEC, "90s");
	check_text(&wait_row, 300 * NSEC_PER_SEC, "5m");
	check_text(&wait_row, 172800 * NSEC_PER_SEC, "2d");
}
END_TEST

static void check_message(const struct config_row *row, const char *text, const char *message)
{
	struct error err;
	uint64_t v;

	ck_assert_int_eq(config_value_parse(row, text, NULL, &v, &err), -EINVAL);
	ck_assert_str_eq(err.text, message);
}

START_TEST(messages)
{
	check_message(&uint_row, "two", "expected an integer from 1 to 1024, got \"two\"");
	check_message(&uint_row, "2000", "expected an integer from 1 to 1024, got 2000");
	check_message(&size_row, "512",
		      "expected a size from 16M to 64T in steps of 4K, got 512 "
		      "(a plain number is bytes)");
	check_message(&size_row, "1M",
		      "expected a size from 16M to 64T in steps of 4K, got \"1M\"");
	check_message(&any_size_row, "x",
		      "expected a size from 0 to 18446744073709551615, got \"x\"");
	check_message(&wait_row, "x",
		      "expected a time such as 500ms, 90s or 5m, from 0 to "
		      "18446744073709ms, got \"x\"");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config_number");
	TCase *t = tcase_create("config_number");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, integers);
	tcase_add_test(t, sizes);
	tcase_add_test(t, durations);
	tcase_add_test(t, back_to_text);
	tcase_add_test(t, messages);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
