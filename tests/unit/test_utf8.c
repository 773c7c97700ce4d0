// SPDX-License-Identifier: MIT
/*
 * UTF-8: the edges of every row of RFC 3629's table, and writing what reading accepts.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/utf8.h"

static bool valid(const char *text)
{
	return utf8_valid(text, strlen(text));
}

START_TEST(well_formed)
{
	ck_assert(valid(""));
	ck_assert(utf8_valid("a\0b", 3));
	ck_assert(valid("\x7f"));
	ck_assert(valid("\xc2\x80\xdf\xbf"));
	ck_assert(valid("\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"));
	ck_assert(valid("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"));
}
END_TEST

START_TEST(ill_formed)
{
	static const char *const texts[] = {
		"\x80",
		"\xbf",
		"\xc0\x80",
		"\xc1\xbf",
		"\xc2",
		"\xc2z",
		"\xe0\x9f\xbf",
		"\xed\xa0\x80",
		"\xe1\x80",
		"\xe1\x80z",
		"\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xf1\x80\x80",
		"\xf1\x80\x80z",
		"\xff",
		"ok\xfe",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++)
		ck_assert_msg(!valid(texts[i]), "%zu", i);
	/* A character that the end cuts off is not read beyond it. */
	ck_assert(!utf8_valid("\xe2\x82\xac", 2));
}
END_TEST

START_TEST(round_trip)
{
	uint32_t c;
	char buf[4];

	for (c = 0; c <= 0x10ffff; c++) {
		size_t len = utf8_put(c, buf);
		bool surrogate = c >= 0xd800 && c <= 0xdfff;

		ck_assert_uint_eq(utf8_len(buf, buf + len), surrogate ? 0 : len);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("utf8");
	TCase *t = tcase_create("utf8");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, well_formed);
	tcase_add_test(t, ill_formed);
	tcase_add_test(t, round_trip);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
