// SPDX-License-Identifier: MIT
/*
 * Items of arrays from one text: comma lists with their escapes, words, and bare values.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "config_sample.h"
#include "vmm/config_item.h"
#include "vmm/config_tree.h"

static struct sample_disk disk;
static struct boot_module word;
static struct error err;

static void setup(void)
{
	config_tree_init(&sample_disk_table, &disk);
	config_tree_init(&sample_word_table, &word);
}

static void teardown(void)
{
	config_tree_finish(&sample_disk_table, &disk);
	config_tree_finish(&sample_word_table, &word);
}

static int parse_disk(const char *text)
{
	teardown();
	setup();
	return config_item_parse(&sample_disk_table, &disk, text, "dir", &err);
}

START_TEST(bare)
{
	ck_assert_int_eq(parse_disk("a.vhdx"), 0);
	ck_assert_str_eq(disk.path, "dir/a.vhdx");
	ck_assert_int_eq(disk.cache, SAMPLE_GREEN);
	ck_assert_int_eq(parse_disk("a.vhdx,cache=red,opt.ro"), 0);
	ck_assert_int_eq(disk.cache, SAMPLE_RED);
	ck_assert(disk.read_only);
	/* What looks like a key only to a machine is a path. */
	ck_assert_int_eq(parse_disk("/x/a=b"), 0);
	ck_assert_str_eq(disk.path, "/x/a=b");
	ck_assert_int_eq(parse_disk("A=b"), 0);
	ck_assert_str_eq(disk.path, "dir/A=b");
	ck_assert_int_eq(parse_disk("opt.ro"), 0);
	ck_assert_str_eq(disk.path, "dir/opt.ro");
}
END_TEST

START_TEST(keys)
{
	ck_assert_int_eq(parse_disk("cache=red,path=/x=y,opt.ro=yes"), 0);
	ck_assert_str_eq(disk.path, "/x=y");
	ck_assert(disk.read_only);
	ck_assert_int_eq(parse_disk("cache=red,cache=blue"), 0);
	ck_assert_int_eq(disk.cache, SAMPLE_BLUE);
	ck_assert_ptr_null(disk.path);
}
END_TEST

START_TEST(commas)
{
	ck_assert_int_eq(parse_disk("a,,b,cache=red"), 0);
	ck_assert_str_eq(disk.path, "dir/a,b");
	ck_assert_int_eq(disk.cache, SAMPLE_RED);
	ck_assert_int_eq(parse_disk("path=/,,,cache=red"), 0);
	ck_assert_str_eq(disk.path, "/,");
	ck_assert_int_eq(disk.cache, SAMPLE_RED);
	ck_assert_int_eq(parse_disk("/,,,,"), 0);
	ck_assert_str_eq(disk.path, "/,,");
}
END_TEST

START_TEST(repeated)
{
	ck_assert_int_eq(parse_disk("a,tag=x,tag=,tag=z"), 0);
	ck_assert_uint_eq(disk.tag_count, 3);
	ck_assert_str_eq(disk.tags[0], "x");
	ck_assert_str_eq(disk.tags[1], "");
	ck_assert_str_eq(disk.tags[2], "z");
	ck_assert_int_eq(parse_disk("a,tag=1,tag=2,tag=3,tag=4"), -EINVAL);
	ck_assert_str_eq(err.text, "tag: expected at most 3 items");
}
END_TEST

static const struct {
	const char *text, *message;
} refused[] = {
	{"", "path: expected a path of 1 to 4095 bytes, got \"\""},
	{"pth=a", "pth: unknown key; did you mean \"path\"?"},
	{"a,cach=red", "cach: unknown key; did you mean \"cache\"?"},
	{"a,zzzzzz=1", "zzzzzz: unknown key"},
	{"a,cache=pink", "cache: expected red, green or blue, got \"pink\""},
	{"a,b", "expected KEY=VALUE, got \"b\" (a comma inside a value is written twice)"},
	{"a,", "expected KEY=VALUE, got \"\" (a comma inside a value is written twice)"},
	{"a,cache", "expected KEY=VALUE, got \"cache\" (a comma inside a value is written twice)"},
	{"a,opt.ro=maybe", "opt.ro: expected true or false, got \"maybe\""},
	{"a,tag=123456789", "tag: expected a string of 0 to 8 bytes, got 123456789"},
};

START_TEST(refuses)
{
	ck_assert_int_eq(parse_disk(refused[_i].text), -EINVAL);
	ck_assert_str_eq(err.text, refused[_i].message);
}
END_TEST

static int parse_word(const char *text)
{
	teardown();
	setup();
	return config_item_parse(&sample_word_table, &word, text, "dir", &err);
}

START_TEST(words)
{
	ck_assert_int_eq(parse_word("k.elf"), 0);
	ck_assert_str_eq(word.path, "dir/k.elf");
	ck_assert_ptr_null(word.cmdline);
	ck_assert_int_eq(parse_word("/k,a=b \t x=1,y  z"), 0);
	ck_assert_str_eq(word.path, "/k,a=b");
	ck_assert_str_eq(word.cmdline, "x=1,y  z");
	ck_assert_int_eq(parse_word("k "), 0);
	ck_assert_ptr_null(word.cmdline);
	ck_assert_int_eq(parse_word(""), -EINVAL);
	ck_assert_int_eq(parse_word(" k"), -EINVAL);
	ck_assert_str_eq(err.text, "path: expected a path of 1 to 4095 bytes, got \"\"");
}
END_TEST

START_TEST(values)
{
	const char *tag = NULL;

	ck_assert_int_eq(config_item_parse(&sample_tag_table, &tag, "a,b=c", NULL, &err), 0);
	ck_assert_str_eq(tag, "a,b=c");
	config_tree_finish(&sample_tag_table, &tag);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config_item");
	TCase *t = tcase_create("config_item");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, bare);
	tcase_add_test(t, keys);
	tcase_add_test(t, commas);
	tcase_add_test(t, repeated);
	tcase_add_loop_test(t, refuses, 0, ARRAY_SIZE(refused));
	tcase_add_test(t, words);
	tcase_add_test(t, values);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
