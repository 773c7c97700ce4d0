// SPDX-License-Identifier: MIT
/*
 * Strings, paths and serial lines: what they hold, where relative paths begin, and who frees.
 */
#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/config.h"
#include "vmm/config_value.h"

static const struct config_row name_row = {
	.kind = CONFIG_STRING, .min = 1, .max = 8, .chars = "A-Za-z0-9._-", .first = "A-Za-z0-9_"};
static const struct config_row note_row = {.kind = CONFIG_STRING, .max = 4};
static const struct config_row path_row = {.kind = CONFIG_PATH};
static const struct config_row serial_row = {.kind = CONFIG_SERIAL};
static const struct config_row control_row = {.kind = CONFIG_CONTROL};

START_TEST(characters)
{
	static const char *const good[] = {"a", "Z9", "_", "web-1.a", "12345678"};
	static const char *const bad[] = {"",    ".",        "..",        "-x", "a b", "a/b",
					  "a\n", "\xc3\xa9", "123456789", "a+", "a:"};
	const char *v = NULL;
	struct error err;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		ck_assert_int_eq(config_value_parse(&name_row, good[i], NULL, &v, &err), 0);
		ck_assert_str_eq(v, good[i]);
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_int_eq(config_value_parse(&name_row, bad[i], NULL, &v, &err), -EINVAL);
	ck_assert_str_eq(v, "12345678");
	ck_assert_str_eq(err.text, "expected 1 to 8 characters of A-Za-z0-9._-, the first of "
				   "A-Za-z0-9_, got \"a:\"");
	config_value_finish(&name_row, &v);
	ck_assert_ptr_null(v);
	config_value_finish(&name_row, &v);
}
END_TEST

START_TEST(lengths)
{
	const char *v = NULL;
	struct error err;

	ck_assert(!config_value_is_set(&note_row, &v));
	ck_assert_int_eq(config_value_parse(&note_row, "", NULL, &v, &err), 0);
	ck_assert(config_value_is_set(&note_row, &v));
	ck_assert_int_eq(config_value_parse(&note_row, "\n \t\"", NULL, &v, &err), 0);
	ck_assert_int_eq(config_value_parse(&note_row, "12345", NULL, &v, &err), -EINVAL);
	ck_assert_str_eq(err.text, "expected a string of 0 to 4 bytes, got 12345");
	config_value_finish(&note_row, &v);
}
END_TEST

static void check_join(const char *dir, const char *text, const char *expected)
{
	const char *v = NULL;
	struct error err;

	ck_assert_int_eq(config_value_parse(&path_row, text, dir, &v, &err), 0);
	ck_assert_str_eq(v, expected);
	config_value_finish(&path_row, &v);
}

START_TEST(paths)
{
	check_join(NULL, "a", "a");
	check_join("", "a", "a");
	check_join("d", "a", "d/a");
	check_join("d/e", "../a", "d/e/../a");
	check_join("/", "a", "/a");
	check_join("d", "/a", "/a");
}
END_TEST

START_TEST(path_limits)
{
	char text[PATH_MAX + 1];
	const char *v = NULL;
	struct error err;

	memset(text, 'a', sizeof(text));
	text[PATH_MAX - 1] = '\0';
	ck_assert_int_eq(config_value_parse(&path_row, text, NULL, &v, &err), 0);
	text[PATH_MAX - 1] = 'a';
	text[PATH_MAX] = '\0';
	ck_assert_int_eq(config_value_parse(&path_row, text, NULL, &v, &err), -EINVAL);
	ck_assert_int_eq(config_value_parse(&path_row, "", NULL, &v, &err), -EINVAL);
	ck_assert_str_eq(err.text, "expected a path of 1 to 4095 bytes, got \"\"");
	config_value_finish(&path_row, &v);
}
END_TEST

/* Printed paths mean the same from everywhere. */
START_TEST(absolute)
{
	char cwd[PATH_MAX], expected[PATH_MAX + 16];
	const char *v = NULL;
	struct error err;
	char *text;

	ck_assert_ptr_nonnull(getcwd(cwd, sizeof(cwd)));
	snprintf(expected, sizeof(expected), "%s%sd/a", cwd, cwd[1] ? "/" : "");
	ck_assert_int_eq(config_value_parse(&path_row, "a", "d", &v, &err), 0);
	text = config_value_text(&path_row, &v);
	ck_assert_str_eq(text, expected);
	free(text);
	config_value_finish(&path_row, &v);
}
END_TEST

START_TEST(serial)
{
	static const char *const bad[] = {"",      "std", "stdio:", "stdio:x", "file", "file:",
					  "unix:", ":x",  "tcp:1",  "Stdio",   "null "};
	struct config_serial v = {0};
	struct error err;
	char *text;
	size_t i;

	ck_assert_int_eq(config_value_parse(&serial_row, "pty", "d", &v, &err), 0);
	ck_assert_int_eq(v.kind, CONFIG_SERIAL_PTY);
	ck_assert_ptr_null(v.path);
	ck_assert_int_eq(config_value_parse(&serial_row, "file:a:b", "/d", &v, &err), 0);
	ck_assert_int_eq(v.kind, CONFIG_SERIAL_FILE);
	ck_assert_str_eq(v.path, "/d/a:b");
	text = config_value_text(&serial_row, &v);
	ck_assert_str_eq(text, "file:/d/a:b");
	free(text);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_int_eq(config_value_parse(&serial_row, bad[i], NULL, &v, &err), -EINVAL);
	ck_assert_str_eq(err.text,
			 "expected stdio, null, pty, file:PATH or unix:PATH, got \"null \"");
	ck_assert_str_eq(v.path, "/d/a:b");
	ck_assert_int_eq(config_value_parse(&serial_row, "unix:/s", NULL, &v, &err), 0);
	ck_assert_int_eq(v.kind, CONFIG_SERIAL_UNIX);
	ck_assert_int_eq(config_value_parse(&serial_row, "null", NULL, &v, &err), 0);
	ck_assert_ptr_null(v.path);
	text = config_value_text(&serial_row, &v);
	ck_assert_str_eq(text, "null");
	free(text);
	config_value_finish(&serial_row, &v);
}
END_TEST

START_TEST(control)
{
	struct config_control v = {0};
	struct error err;
	char *text;

	ck_assert_int_eq(config_value_parse(&control_row, "none", "/d", &v, &err), 0);
	ck_assert_int_eq(v.kind, CONFIG_CONTROL_NONE);
	ck_assert_ptr_null(v.path);
	ck_assert_int_eq(config_value_parse(&control_row, "./auto", "/d", &v, &err), 0);
	ck_assert_int_eq(v.kind, CONFIG_CONTROL_PATH);
	ck_assert_str_eq(v.path, "/d/./auto");
	text = config_value_text(&control_row, &v);
	ck_assert_str_eq(text, "/d/./auto");
	free(text);
	ck_assert_int_eq(config_value_parse(&control_row, "", NULL, &v, &err), -EINVAL);
	ck_assert_str_eq(err.text, "expected auto, none or a path of 1 to 4095 bytes, got \"\"");
	ck_assert_str_eq(v.path, "/d/./auto");
	ck_assert_int_eq(config_value_parse(&control_row, "auto", "/d", &v, &err), 0);
	ck_assert_int_eq(v.kind, CONFIG_CONTROL_AUTO);
	ck_assert_ptr_null(v.path);
	text = config_value_text(&control_row, &v);
	ck_assert_str_eq(text, "auto");
	free(text);
	config_value_finish(&control_row, &v);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config_string");
	TCase *t = tcase_create("config_string");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, characters);
	tcase_add_test(t, lengths);
	tcase_add_test(t, paths);
	tcase_add_test(t, path_limits);
	tcase_add_test(t, absolute);
	tcase_add_test(t, serial);
	tcase_add_test(t, control);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
