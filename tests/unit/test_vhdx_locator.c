// SPDX-License-Identifier: MIT
/*
 * src/devices/block/vhdx_locator.c: what is built is parsed, what is wrong is refused, and paths.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/block/vhdx_locator.h"

static const uint8_t linkage[16] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
				    0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10};
static uint8_t item[8192];
static struct vhdx_locator locator;

START_TEST(there_and_back)
{
	int len = vhdx_locator_build("../base/p\xc3\xa4r \xf0\x9f\x98\x80.vhdx", "/srv/p.vhdx",
				     linkage, item, sizeof(item));

	ck_assert_int_gt(len, 0);
	ck_assert_int_eq(vhdx_locator_parse(item, (size_t)len, &locator), 0);
	ck_assert_mem_eq(&locator.linkage[0], linkage, 16);
	ck_assert(!locator.has_linkage[1]);
	ck_assert_str_eq(locator.relative, "..\\base\\p\xc3\xa4r \xf0\x9f\x98\x80.vhdx");
	ck_assert_str_eq(locator.absolute, "/srv/p.vhdx");
	ck_assert_str_eq(locator.volume, "");
	/* Cut off anywhere, it is damaged. */
	for (size_t cut = 0; cut < (size_t)len; cut++)
		ck_assert_int_eq(vhdx_locator_parse(item, cut, &locator), -EUCLEAN);
}
END_TEST

START_TEST(refused)
{
	int len = vhdx_locator_build("p.vhdx", NULL, linkage, item, sizeof(item));
	struct {
		size_t offset;
		uint8_t value;
		int ret;
	} bad[] = {
		{0, 0, -ENOTSUP},     {16, 1, -EUCLEAN},    {18, 0, -EUCLEAN}, {19, 2, -EUCLEAN},
		{20, 0xff, 0},        {23, 0xff, -EUCLEAN}, {28, 0, -EUCLEAN}, {28, 3, -EUCLEAN},
		{29, 0xff, -EUCLEAN}, {31, 0xff, -EUCLEAN}, {30, 4, -EUCLEAN}, {27, 0x7f, -EUCLEAN},
	};
	uint8_t copy[1024];

	ck_assert_int_gt(len, 0);
	ck_assert_uint_le((size_t)len, sizeof(copy));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int ret;

		memcpy(copy, item, (size_t)len);
		copy[bad[i].offset] = bad[i].value;
		ret = vhdx_locator_parse(copy, (size_t)len, &locator);
		ck_assert_msg(bad[i].ret == 0 ? ret != -ENOTSUP : ret == bad[i].ret, "%zu: %d", i,
			      ret);
	}
	ck_assert_int_eq(vhdx_locator_build("p.vhdx", NULL, linkage, item, 100), -ENAMETOOLONG);
	ck_assert_int_eq(vhdx_locator_build("\xff", NULL, linkage, item, sizeof(item)), -EILSEQ);
}
END_TEST

START_TEST(characters)
{
	static const char *const bad[] = {"\x80",
					  "\xc0\x80",
					  "\xc3",
					  "\xe0\x80\x80",
					  "\xed\xa0\x80",
					  "\xf4\x90\x80\x80",
					  "\xf8\x88\x80\x80\x80",
					  "a\xe2\x82"};
	uint16_t units[8];
	char out[16];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_int_eq(vhdx_utf16(bad[i], units, 8), -EILSEQ);
	ck_assert_int_eq(vhdx_utf16("\xe2\x82\xac"
				    "a",
				    units, 8),
			 2);
	vhdx_utf8(units, 2, out, sizeof(out));
	ck_assert_str_eq(out, "\xe2\x82\xac"
			      "a");
	vhdx_utf8(units, 2, out, 4);
	ck_assert_str_eq(out, "\xe2\x82\xac");
	vhdx_utf8(units, 2, out, 3); /* no half characters */
	ck_assert_str_eq(out, "");
	units[0] = 0xd800;
	vhdx_utf8(units, 2, out, sizeof(out));
	ck_assert_str_eq(out, "?a");
	ck_assert_int_eq(vhdx_utf16("abcdefghi", units, 8), -ENAMETOOLONG);
}
END_TEST

static const struct {
	const char *image, *path, *expected;
} paths[] = {
	{"/a/b/child.vhdx", "parent.vhdx", "/a/b/parent.vhdx"},
	{"/a/b/child.vhdx", ".\\parent.vhdx", "/a/b/parent.vhdx"},
	{"/a/b/child.vhdx", "..\\c\\parent.vhdx", "/a/b/../c/parent.vhdx"},
	{"child.vhdx", "parent.vhdx", "parent.vhdx"},
	{"b/child.vhdx", "/srv/parent.vhdx", "/srv/parent.vhdx"},
	{"b/child.vhdx", "C:\\vm\\parent.vhdx", "b/parent.vhdx"},
	{"b/child.vhdx", "\\\\?\\Volume{26A21BDA}\\vm\\parent.vhdx", "b/parent.vhdx"},
	{"b/child.vhdx", "\\\\server\\share\\parent.vhdx", "b/parent.vhdx"},
	{"b/child.vhdx", "", NULL},
	{"b/child.vhdx", "C:\\", NULL},
};

START_TEST(where)
{
	char out[64];

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		bool ok = vhdx_locator_path(paths[i].image, paths[i].path, out, sizeof(out));

		ck_assert_int_eq(ok, paths[i].expected != NULL);
		if (ok)
			ck_assert_str_eq(out, paths[i].expected);
	}
	ck_assert(!vhdx_locator_path("/a/b", "0123456789", out, 10));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vhdx_locator");
	TCase *tc = tcase_create("vhdx_locator");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, there_and_back);
	tcase_add_test(tc, refused);
	tcase_add_test(tc, characters);
	tcase_add_test(tc, where);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
