// SPDX-License-Identifier: MIT
/*
 * What is common to all values: quoting in messages, and what a schema is told of each type.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "config_sample.h"
#include "vmm/config_value.h"

START_TEST(quotes)
{
	char long_text[200], buf[CONFIG_QUOTE_MAX];

	config_quote("", buf);
	ck_assert_str_eq(buf, "\"\"");
	config_quote("a b", buf);
	ck_assert_str_eq(buf, "\"a b\"");
	config_quote("a\x1b[1m\n\x7f", buf);
	ck_assert_str_eq(buf, "\"a\\x1b[1m\\x0a\\x7f\"");
	config_quote("\xc3\xa9 \xc2\x9b \xff\xc3", buf);
	ck_assert_str_eq(buf, "\"\xc3\xa9 \\xc2\\x9b \\xff\\xc3\"");
	memset(long_text, 'a', sizeof(long_text));
	long_text[sizeof(long_text) - 1] = '\0';
	config_quote(long_text, buf);
	ck_assert_uint_lt(strlen(buf), CONFIG_QUOTE_MAX);
	ck_assert_str_eq(buf + strlen(buf) - 5, "a...\"");
	memset(long_text, '\x01', sizeof(long_text) - 1);
	config_quote(long_text, buf);
	ck_assert_uint_lt(strlen(buf), CONFIG_QUOTE_MAX);
	ck_assert_str_eq(buf + strlen(buf) - 5, "1...\"");
	/* Nothing but the inner bytes of characters. */
	memset(long_text, '\x9f', sizeof(long_text) - 1);
	config_quote(long_text, buf);
	ck_assert_uint_lt(strlen(buf), CONFIG_QUOTE_MAX);
	ck_assert_str_eq(buf + strlen(buf) - 5, "f...\"");
}
END_TEST

/* A cut in the middle of a character would make the message itself invalid. */
START_TEST(quotes_whole_characters)
{
	char text[200], buf[CONFIG_QUOTE_MAX];
	size_t shift, i;

	for (shift = 0; shift < 3; shift++) {
		memset(text, 'a', shift);
		for (i = shift; i + 3 < sizeof(text); i += 3)
			memcpy(text + i, "\xe2\x82\xac", 3);
		text[i] = '\0';
		config_quote(text, buf);
		ck_assert_uint_lt(strlen(buf), CONFIG_QUOTE_MAX);
		ck_assert_uint_eq((strlen(buf) - 5 - shift) % 3, 0);
	}
}
END_TEST

/* Every type that a file can hold says what it expects, in which forms, and prints in one. */
START_TEST(types)
{
	char expected[256], range[256], pattern[256];
	size_t i;

	for (i = 0; i < sample_table.row_count; i++) {
		const struct config_row *row = &sample_table.rows[i];

		if (row->kind == CONFIG_ARRAY)
			continue;
		expected[0] = range[0] = pattern[0] = 'x';
		config_value_expected(row, expected, sizeof(expected));
		ck_assert(expected[0]);
		config_value_range(row, range, sizeof(range));
		ck_assert(range[0] != 'x' || range[1]);
		config_value_pattern(row, pattern, sizeof(pattern));
		ck_assert(pattern[0] == '\0' || pattern[0] == '^');
		if (!row->key)
			continue;
		ck_assert_uint_ne(config_value_forms(row->kind), 0);
		ck_assert_uint_ne(
			config_value_forms(row->kind) & config_value_printed_form(row->kind), 0);
		if (config_value_forms(row->kind) & CONFIG_FORM_INTEGER)
			ck_assert_uint_ne(config_value_integer_unit(row->kind), 0);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config_value");
	TCase *t = tcase_create("config_value");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, quotes);
	tcase_add_test(t, quotes_whole_characters);
	tcase_add_test(t, types);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
