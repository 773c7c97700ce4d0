// SPDX-License-Identifier: MIT
/* UTF-8 to UTF-16 and back. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/ic/ic_text.h"

static uint8_t out[64];
static char text[64];

static void setup(void)
{
	memset(out, 0xee, sizeof(out));
}

static void teardown(void)
{
}

START_TEST(encodes)
{
	ck_assert_uint_eq(ic_text_encode("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", out, 64), 12);
	ck_assert_mem_eq(out, "a\0\xe4\0\xac\x20\x3d\xd8\x00\xde\0\0\xee", 13);
	ck_assert_uint_eq(ic_text_size("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), 12);
	ck_assert_uint_eq(ic_text_encode("", out, 2), 2);
	ck_assert_uint_eq(ic_text_size(""), 2);
	/* What is no UTF-8. */
	ck_assert_uint_eq(ic_text_encode("\xff\xc3", out, 64), 6);
	ck_assert_mem_eq(out, "\xfd\xff\xfd\xff\0\0", 6);
}
END_TEST

START_TEST(cuts_between_characters)
{
	ck_assert_uint_eq(ic_text_encode("abc", out, 6), 6);
	ck_assert_mem_eq(out, "a\0b\0\0\0\xee", 7);
	ck_assert_uint_eq(ic_text_encode("a\xf0\x9f\x98\x80", out, 6), 4);
	ic_text_decode((const uint8_t *)"\xac\x20\xac\x20", 4, text, 6);
	ck_assert_str_eq(text, "\xe2\x82\xac");
}
END_TEST

START_TEST(decodes)
{
	ic_text_decode((const uint8_t *)"a\0\xe4\0\xac\x20\x3d\xd8\x00\xde\0\0b\0", 14, text, 64);
	ck_assert_str_eq(text, "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
	/* Without an end, with half a unit, with halves of pairs, with what a terminal obeys. */
	ic_text_decode((const uint8_t *)"a\0b", 3, text, 64);
	ck_assert_str_eq(text, "a");
	ic_text_decode((const uint8_t *)"\x3d\xd8\x61\0\x00\xde\x3d\xd8", 8, text, 64);
	ck_assert_str_eq(text, "\xef\xbf\xbd"
			       "a"
			       "\xef\xbf\xbd\xef\xbf\xbd");
	ic_text_decode((const uint8_t *)"\x1b\0\x9b\0", 4, text, 64);
	ck_assert_str_eq(text, "\xef\xbf\xbd\xef\xbf\xbd");
	ic_text_decode(NULL, 0, text, 1);
	ck_assert_str_eq(text, "");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ic_text");
	TCase *tc = tcase_create("ic_text");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, encodes);
	tcase_add_test(tc, cuts_between_characters);
	tcase_add_test(tc, decodes);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
