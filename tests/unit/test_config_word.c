// SPDX-License-Identifier: MIT
/*
 * Words: booleans, enums, counted options, and what is accepted and forgotten.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "vmm/config_value.h"

static const char *const names[] = {"none", "transparent", "2M", NULL};
static const struct config_row bool_row = {.kind = CONFIG_BOOL};
static const struct config_row enum_row = {.kind = CONFIG_ENUM, .names = names};
static const struct config_row count_row = {.kind = CONFIG_COUNT};
static const struct config_row ignored_row = {.kind = CONFIG_IGNORED};

START_TEST(booleans)
{
	static const char *const yes[] = {"true", "yes", "on"}, *const no[] = {"false", "no",
									       "off"};
	static const char *const bad[] = {"", "True", "1", "0", "y", "truex"};
	struct error err;
	size_t i;
	bool v;

	for (i = 0; i < 3; i++) {
		v = false;
		ck_assert_int_eq(config_value_parse(&bool_row, yes[i], NULL, &v, &err), 0);
		ck_assert(v);
		ck_assert_int_eq(config_value_parse(&bool_row, no[i], NULL, &v, &err), 0);
		ck_assert(!v);
	}
	v = true;
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_int_eq(config_value_parse(&bool_row, bad[i], NULL, &v, &err), -EINVAL);
	ck_assert(v);
	ck_assert_str_eq(err.text, "expected true or false, got \"truex\"");
	config_value_finish(&bool_row, &v);
	ck_assert(!v);
}
END_TEST

START_TEST(enums)
{
	struct error err;
	uint32_t v = 9, i;

	for (i = 0; names[i]; i++) {
		char *text;

		ck_assert_int_eq(config_value_parse(&enum_row, names[i], NULL, &v, &err), 0);
		ck_assert_uint_eq(v, i);
		text = config_value_text(&enum_row, &v);
		ck_assert_str_eq(text, names[i]);
		free(text);
	}
	ck_assert_int_eq(config_value_parse(&enum_row, "None", NULL, &v, &err), -EINVAL);
	ck_assert_int_eq(config_value_parse(&enum_row, "", NULL, &v, &err), -EINVAL);
	ck_assert_int_eq(config_value_parse(&enum_row, "2", NULL, &v, &err), -EINVAL);
	ck_assert_str_eq(err.text, "expected none, transparent or 2M, got 2");
	ck_assert_uint_eq(v, 2);
}
END_TEST

START_TEST(counts)
{
	struct error err;
	uint32_t v = 0;

	ck_assert_int_eq(config_value_parse(&count_row, "true", NULL, &v, &err), 0);
	ck_assert_int_eq(config_value_parse(&count_row, "true", NULL, &v, &err), 0);
	ck_assert_uint_eq(v, 2);
	ck_assert_uint_eq(config_value_forms(CONFIG_COUNT), 0);
	ck_assert(!config_value_is_set(&count_row, &v));
}
END_TEST

START_TEST(ignored)
{
	struct error err;
	char none;

	ck_assert_int_eq(config_value_parse(&ignored_row, "anything", NULL, &none, &err), 0);
	ck_assert(!config_value_is_set(&ignored_row, &none));
	config_value_finish(&ignored_row, &none);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config_word");
	TCase *t = tcase_create("config_word");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, booleans);
	tcase_add_test(t, enums);
	tcase_add_test(t, counts);
	tcase_add_test(t, ignored);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
