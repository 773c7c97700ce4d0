// SPDX-License-Identifier: MIT
/* Reports: the same rows as text and as JSON. */
#include <check.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "candela/report.h"

static char *text;
static size_t text_len;
static FILE *out;
static struct report *report;

static void begin(enum report_form form)
{
	free(text);
	text = NULL;
	out = open_memstream(&text, &text_len);
	ck_assert_ptr_nonnull(out);
	report = report_create(form, out);
	ck_assert_ptr_nonnull(report);
}

/* What was written; valid until the next report. */
static const char *end(void)
{
	ck_assert(report_destroy(report));
	ck_assert_int_eq(fclose(out), 0);
	return text;
}

static void teardown(void)
{
	free(text);
}

/* The text of a report of one row. */
static const char *row_text(struct report_value value)
{
	begin(REPORT_TEXT);
	report_row(report, "key", "label", value, NULL);
	return end();
}

#define LABEL "  label                          "

START_TEST(text_values)
{
	ck_assert_str_eq(row_text(report_unknown()), LABEL "unknown\n");
	ck_assert_str_eq(row_text(report_yes_no(true)), LABEL "yes\n");
	ck_assert_str_eq(row_text(report_yes_no(false)), LABEL "no\n");
	ck_assert_str_eq(row_text(report_count(0, NULL)), LABEL "0\n");
	ck_assert_str_eq(row_text(report_count(UINT64_MAX, "ns")),
			 LABEL "18446744073709551615 ns\n");
	ck_assert_str_eq(row_text(report_level(0)), LABEL "no\n");
	ck_assert_str_eq(row_text(report_level(15)), LABEL "15\n");
	ck_assert_str_eq(row_text(report_string("")), LABEL "unknown\n");
	ck_assert_str_eq(row_text(report_string(NULL)), LABEL "unknown\n");
	ck_assert_str_eq(row_text(report_string("a b")), LABEL "a b\n");
	ck_assert_str_eq(row_text(report_words("")), LABEL "none\n");
}
END_TEST

START_TEST(text_bytes)
{
	ck_assert_str_eq(row_text(report_bytes(0)), LABEL "0 bytes\n");
	ck_assert_str_eq(row_text(report_bytes(1023)), LABEL "1023 bytes\n");
	ck_assert_str_eq(row_text(report_bytes(1024)), LABEL "1.0 KiB\n");
	ck_assert_str_eq(row_text(report_bytes(MiB(1536))), LABEL "1.5 GiB\n");
	ck_assert_str_eq(row_text(report_bytes(GiB(256))), LABEL "256 GiB\n");
	ck_assert_str_eq(row_text(report_bytes(UINT64_MAX)), LABEL "16384 PiB\n");
}
END_TEST

START_TEST(text_form)
{
	begin(REPORT_TEXT);
	report_group(report, "one", "One");
	report_row(report, "a", "a label", report_yes_no(true), NULL);
	report_row(report, "b", "a label as long as three words", report_yes_no(false), "a cost");
	report_group(report, "two", "Two");
	report_fatal(report, "c", "short", report_string("a long value"), "why");
	ck_assert_str_eq(end(), "One\n"
				"  a label                        yes\n"
				"  a label as long as three words no          a cost\n"
				"\n"
				"Two\n"
				"  short                          a long value\n"
				"                                             FATAL: why\n");
}
END_TEST

START_TEST(text_is_narrow)
{
	static const char many[] = "one two three four five six seven eight nine ten eleven twelve "
				   "thirteen fourteen fifteen sixteen seventeen eighteen nineteen";
	unsigned int words = 0, lines = 0;

	begin(REPORT_TEXT);
	report_row(report, "a", "label", report_words(many), many);
	end();
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		ck_assert_uint_le(strlen(line), 80);
		ck_assert_int_ne(line[strlen(line) - 1], ' ');
		words += strstr(line, "eleven") != NULL;
		lines++;
	}
	ck_assert_uint_eq(words, 2);
	ck_assert_uint_gt(lines, 4);
}
END_TEST

static struct json_object *member(struct json_object *object, const char *path)
{
	struct json_object *found;
	char *copy = strdup(path), *rest = copy;

	for (char *key; (key = strsep(&rest, ".")); object = found)
		if (!json_object_object_get_ex(object, key, &found))
			ck_abort_msg("no %s in %s", path, text);
	free(copy);
	return object;
}

START_TEST(json_form)
{
	struct json_object *root, *lack;

	begin(REPORT_JSON);
	report_group(report, "one", "One");
	report_row(report, "unknown", "x", report_unknown(), NULL);
	report_row(report, "yes", "x", report_yes_no(true), NULL);
	report_row(report, "count", "x", report_count(UINT64_MAX, "ns"), NULL);
	report_row(report, "level", "x", report_level(0), "a cost");
	report_row(report, "bytes", "x", report_bytes(4096), NULL);
	report_group(report, "two", "Two");
	report_row(report, "string", "x", report_string("a \"/b\""), NULL);
	report_row(report, "words", "x", report_words("one two  three"), NULL);
	report_fatal(report, "none", "x", report_words(""), "why");
	root = json_tokener_parse(end());
	ck_assert_ptr_nonnull(root);

	ck_assert_int_eq(json_object_get_int(member(root, "version")), 1);
	ck_assert_ptr_null(member(root, "one.unknown"));
	ck_assert(json_object_is_type(member(root, "one.yes"), json_type_boolean));
	ck_assert(json_object_get_boolean(member(root, "one.yes")));
	ck_assert_uint_eq(json_object_get_uint64(member(root, "one.count")), UINT64_MAX);
	ck_assert_int_eq(json_object_get_int(member(root, "one.level")), 0);
	ck_assert_int_eq(json_object_get_int(member(root, "one.bytes")), 4096);
	ck_assert_str_eq(json_object_get_string(member(root, "two.string")), "a \"/b\"");
	ck_assert_str_eq(json_object_to_json_string_ext(member(root, "two.words"), 0),
			 "[\"one\",\"two\",\"three\"]");
	ck_assert_uint_eq(json_object_array_length(member(root, "two.none")), 0);

	ck_assert_uint_eq(json_object_array_length(member(root, "missing")), 2);
	lack = json_object_array_get_idx(member(root, "missing"), 0);
	ck_assert_str_eq(json_object_get_string(member(lack, "group")), "one");
	ck_assert_str_eq(json_object_get_string(member(lack, "key")), "level");
	ck_assert_str_eq(json_object_get_string(member(lack, "cost")), "a cost");
	ck_assert(!json_object_get_boolean(member(lack, "fatal")));
	lack = json_object_array_get_idx(member(root, "missing"), 1);
	ck_assert_str_eq(json_object_get_string(member(lack, "key")), "none");
	ck_assert(json_object_get_boolean(member(lack, "fatal")));
	json_object_put(root);
}
END_TEST

/* _i: the form. */
START_TEST(full_disk)
{
	FILE *full = fopen("/dev/full", "w");

	ck_assert_ptr_nonnull(full);
	report = report_create((enum report_form)_i, full);
	report_group(report, "one", "One");
	report_row(report, "a", "b", report_yes_no(true), NULL);
	ck_assert(!report_destroy(report));
	fclose(full);
	ck_assert(report_destroy(NULL));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("report");
	TCase *t = tcase_create("report");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_test(t, text_values);
	tcase_add_test(t, text_bytes);
	tcase_add_test(t, text_form);
	tcase_add_test(t, text_is_narrow);
	tcase_add_test(t, json_form);
	tcase_add_loop_test(t, full_disk, REPORT_TEXT, REPORT_JSON + 1);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
