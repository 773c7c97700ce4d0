// SPDX-License-Identifier: MIT
/*
 * The strict JSON scan: what passes, and for each thing that does not, the place and the words.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/json_scan.h"

START_TEST(accepts)
{
	static const char *const texts[] = {
		"{}",
		" [ ] \n",
		"0",
		"-0",
		"10",
		"-1.5e+10",
		"1E5",
		"2e-3",
		"true",
		"false",
		"null",
		"\"\"",
		"\"\\\" \\\\ \\/ \\b\\f\\n\\r\\t \\u00e9 \\ud83d\\ude00 \xc3\xa9\"",
		"{\"a\":1,\"b\":[1,2,{\"a\":1}],\"c\":{\"a\":1}}",
		"[{\"a\":1},{\"a\":1}]",
		"\t\r\n {\"a\" : [ 1 , 2 ] } ",
		"{\"\":1,\"a\":2,\"A\":3}",
		"[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]",
	};
	struct error err;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++)
		ck_assert_msg(json_scan(texts[i], strlen(texts[i]), &err) == 0, "%s: %s", texts[i],
			      err.text);
}
END_TEST

static const struct {
	const char *text;
	const char *message;
} refused[] = {
	{"", "line 1, column 1: expected a value, but there is no text"},
	{" \n ", "line 2, column 2: expected a value, but there is no text"},
	{"{", "line 1, column 2: the text ends too early"},
	{"{\"a\"", "line 1, column 5: the text ends too early"},
	{"{\"a\":", "line 1, column 6: the text ends too early"},
	{"[1,", "line 1, column 4: the text ends too early"},
	{"\"abc", "line 1, column 1: this string does not end"},
	{"\"abc\\", "line 1, column 6: the text ends too early"},
	{"{\"a\":1,\n \"a\":2}", "line 2, column 2: duplicate key"},
	{"{\"a\":1,\"\\u0061\":2}", "line 1, column 8: duplicate key"},
	{"{\"\xc3\xa9\":1,\"\\u00e9\":2}", "line 1, column 8: duplicate key"},
	{"[{\"a\":{\"b\":1,\"c\":2,\"b\":3}}]", "line 1, column 20: duplicate key"},
	{"{\"a\":{\"x\":1},\"b\":[{\"x\":1}],\"a\":1}", "line 1, column 28: duplicate key"},
	{"{\"a\":1,}", "line 1, column 8: JSON allows no comma before '}'"},
	{"[1,]", "line 1, column 4: JSON allows no comma before ']'"},
	{"{,}", "line 1, column 2: expected a key in double quotes"},
	{"{a:1}", "line 1, column 2: expected a key in double quotes"},
	{"{'a':1}", "line 1, column 2: JSON strings need double quotes"},
	{"{\"a\" 1}", "line 1, column 6: expected ':' after a key"},
	{"{\"a\":1 \"b\":2}", "line 1, column 8: expected ',' or '}'"},
	{"[1 2]", "line 1, column 4: expected ',' or ']'"},
	{"{} {}", "line 1, column 4: expected the end of the text"},
	{"{}x", "line 1, column 3: expected the end of the text"},
	{"{\n  // hi\n}", "line 2, column 3: JSON has no comments; remove it"},
	{"{} # hi", "line 1, column 4: JSON has no comments; remove it"},
	{"/* hi */ {}", "line 1, column 1: JSON has no comments; remove it"},
	{"yes", "line 1, column 1: expected a value (strings need double quotes)"},
	{"NaN", "line 1, column 1: expected a value (strings need double quotes)"},
	{"True", "line 1, column 1: expected a value (strings need double quotes)"},
	{"tru", "line 1, column 1: expected a value (strings need double quotes)"},
	{"truex", "line 1, column 5: expected the end of the text"},
	{"01", "line 1, column 1: JSON numbers are decimal, without leading zeros"},
	{"0x10", "line 1, column 1: JSON numbers are decimal, without leading zeros"},
	{"+1", "line 1, column 1: expected a value (strings need double quotes)"},
	{"-", "line 1, column 2: the text ends too early"},
	{"-a", "line 1, column 2: expected a digit"},
	{".5", "line 1, column 1: expected a value (strings need double quotes)"},
	{"1.", "line 1, column 3: the text ends too early"},
	{"1.x", "line 1, column 3: expected a digit after the point"},
	{"1ex", "line 1, column 3: expected the digits of the exponent"},
	{"\"\\x\"", "line 1, column 2: not one of JSON's escapes (a backslash is written \\\\)"},
	{"\"\\u12g4\"", "line 1, column 2: expected four hexadecimal digits after \\u"},
	{"\"\\u12", "line 1, column 2: expected four hexadecimal digits after \\u"},
	{"\"\\u0000\"", "line 1, column 2: a string must not hold a NUL character"},
	{"\"\\ud800\"", "line 1, column 2: the first half of a surrogate pair, without a second"},
	{"\"\\ud800\\u0041\"",
	 "line 1, column 2: the first half of a surrogate pair, without a second"},
	{"\"\\udc00\"", "line 1, column 2: the second half of a surrogate pair, without a first"},
	{"\"a\xff\"", "line 1, column 3: this is not UTF-8"},
	{"\"\xc3\xa9\xed\xa0\x80\"", "line 1, column 3: this is not UTF-8"},
	{"\"a\nb\"",
	 "line 1, column 3: a control character in a string (a line end is written \\n, a "
	 "tab \\t)"},
	{"\xef\xbb\xbf{}", "line 1, column 1: a byte order mark; save the file without one"},
	{"[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]", "line 1, column 17: nested too deeply"},
};

START_TEST(refuses)
{
	struct error err = {.text = ""};

	ck_assert_int_eq(json_scan(refused[_i].text, strlen(refused[_i].text), &err), -EINVAL);
	ck_assert_str_eq(err.text, refused[_i].message);
}
END_TEST

START_TEST(raw_nul)
{
	struct error err;

	ck_assert_int_eq(json_scan("\"a\0\"", 4, &err), -EINVAL);
	ck_assert_int_eq(json_scan("\"a\\\0\"", 5, &err), -EINVAL);
	ck_assert_int_eq(json_scan("{}\0", 3, &err), -EINVAL);
	ck_assert_int_eq(json_scan("\0", 1, &err), -EINVAL);
}
END_TEST

/* An object of @n keys, behind another one whose keys must not count. */
static int scan_keys(size_t n, struct error *err)
{
	char *text = malloc(32 * n + 64);
	size_t i, len;
	int r;

	len = (size_t)sprintf(text, "[{\"x\":1},{");
	for (i = 0; i < n; i++)
		len += (size_t)sprintf(text + len, "%s\"k%zu\":{\"k\":1}", i ? "," : "", i);
	len += (size_t)sprintf(text + len, "}]");
	r = json_scan(text, len, err);
	free(text);
	return r;
}

START_TEST(key_limit)
{
	struct error err;

	ck_assert_int_eq(scan_keys(JSON_SCAN_MAX_KEYS, &err), 0);
	ck_assert_int_eq(scan_keys(JSON_SCAN_MAX_KEYS + 1, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "too many keys in one object"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("json_scan");
	TCase *t = tcase_create("json_scan");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, accepts);
	tcase_add_loop_test(t, refuses, 0, ARRAY_SIZE(refused));
	tcase_add_test(t, raw_nul);
	tcase_add_test(t, key_limit);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
