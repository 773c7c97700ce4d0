// SPDX-License-Identifier: MIT
/*
 * Reading JSON by table: every type, arrays, and for each mistake the path and the words.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "config_sample.h"
#include "vmm/config_json.h"
#include "vmm/config_tree.h"

static struct sample sample;
static struct error err;

static void setup(void)
{
	config_tree_init(&sample_table, &sample);
}

static void teardown(void)
{
	config_tree_finish(&sample_table, &sample);
}

static int load(const char *text)
{
	err.text[0] = '\0';
	return config_json_load(&sample_table, &sample, text, strlen(text), "dir", &err);
}

START_TEST(all_types)
{
	ck_assert_int_eq(
		load("{ \"name\": \"web-1\", \"note\": \"\\u00e9\\n\\\"\", \"wait\": \"5m\",\n"
		     "\"place\": { \"path\": \"a\", \"count\": 7, \"deep\": { \"size\": \"64K\" } "
		     "},\n"
		     "\"color\": \"red\", \"fast\": false, \"serial\": \"unix:s\", \"extra\": "
		     "\"x\",\n"
		     "\"words\": [ { \"path\": \"w\", \"cmdline\": \"a b\" } ],\n"
		     "\"disks\": [ { \"path\": \"/d\", \"tag\": [ \"t\", \"u\" ] },\n"
		     "             { \"path\": \"e\", \"cache\": \"red\", \"opt\": { \"ro\": true "
		     "} } ] }"),
		0);
	ck_assert_str_eq(sample.name, "web-1");
	ck_assert_str_eq(sample.note, "\xc3\xa9\n\"");
	ck_assert_str_eq(sample.path, "dir/a");
	ck_assert_uint_eq(sample.count, 7);
	ck_assert_uint_eq(sample.size, KiB(64));
	ck_assert_uint_eq(sample.wait_ns, 300 * NSEC_PER_SEC);
	ck_assert_int_eq(sample.color, SAMPLE_RED);
	ck_assert(!sample.fast);
	ck_assert_str_eq(sample.serial.path, "dir/s");
	ck_assert_uint_eq(sample.word_count, 1);
	ck_assert_str_eq(sample.words[0].cmdline, "a b");
	ck_assert_uint_eq(sample.disk_count, 2);
	ck_assert_str_eq(sample.disks[0].path, "/d");
	ck_assert_uint_eq(sample.disks[0].tag_count, 2);
	ck_assert_int_eq(sample.disks[0].cache, SAMPLE_GREEN);
	ck_assert_str_eq(sample.disks[1].path, "dir/e");
	ck_assert(sample.disks[1].read_only);
}
END_TEST

START_TEST(numbers)
{
	ck_assert_int_eq(load("{\"place\":{\"deep\":{\"size\":65536}},\"wait\":90}"), 0);
	ck_assert_uint_eq(sample.size, KiB(64));
	ck_assert_uint_eq(sample.wait_ns, 90 * NSEC_PER_SEC);
}
END_TEST

/* A second text changes what it names; an array takes the place of the one before. */
START_TEST(over)
{
	ck_assert_int_eq(load("{\"name\":\"a\",\"disks\":[{\"path\":\"x\"},{\"path\":\"y\"}]}"), 0);
	ck_assert_int_eq(load("{\"fast\":false}"), 0);
	ck_assert_str_eq(sample.name, "a");
	ck_assert_uint_eq(sample.disk_count, 2);
	ck_assert_int_eq(load("{\"disks\":[]}"), 0);
	ck_assert_uint_eq(sample.disk_count, 0);
	ck_assert_int_eq(load("{}"), 0);
}
END_TEST

static const struct {
	const char *text, *message;
} refused[] = {
	{"", "line 1, column 1: expected a value, but there is no text"},
	{"{\"a\":1,\"a\":1}", "line 1, column 8: duplicate key"},
	{"[]", "expected a JSON object, { ... }"},
	{"3", "expected a JSON object, { ... }"},
	{"null", "expected a JSON object, { ... }"},
	{"\"x\"", "expected a JSON object, { ... }"},
	{"{\"nmae\":1}", "nmae: unknown key; did you mean \"name\"?"},
	{"{\"\":1}", "\"\": unknown key"},
	{"{\"place\":{\"cuont\":1}}", "place.cuont: unknown key; did you mean \"count\"?"},
	{"{\"place\":{\"deep\":{\"x\":1}}}", "place.deep.x: unknown key"},
	{"{\"place.count\":4}",
	 "place.count: unknown key; in a file, nested objects stand for the dots"},
	{"{\"place\":{\"deep.size\":4}}",
	 "place.deep.size: unknown key; in a file, nested objects stand for the dots"},
	{"{\"a\\u001b[1m\":4}", "a\\x1b[1m: unknown key"},
	{"{\"noise\":1}", "noise: unknown key"},
	{"{\"place\":4}", "place: expected an object, got 4"},
	{"{\"place\":[]}", "place: expected an object, got an array"},
	{"{\"place\":{\"deep\":\"x\"}}", "place.deep: expected an object, got \"x\""},
	{"{\"place\":{\"count\":\"two\"}}",
	 "place.count: expected an integer from 2 to 40, got \"two\""},
	{"{\"place\":{\"count\":\"4\"}}",
	 "place.count: expected an integer from 2 to 40, got \"4\""},
	{"{\"place\":{\"count\":4.0}}", "place.count: expected an integer from 2 to 40, got 4.0"},
	{"{\"place\":{\"count\":1e1}}", "place.count: expected an integer from 2 to 40, got 1e1"},
	{"{\"place\":{\"count\":1e999}}",
	 "place.count: expected an integer from 2 to 40, got 1e999"},
	{"{\"place\":{\"count\":-4}}", "place.count: expected an integer from 2 to 40, got \"-4\""},
	{"{\"place\":{\"count\":41}}", "place.count: expected an integer from 2 to 40, got 41"},
	{"{\"place\":{\"count\":4294967298}}",
	 "place.count: expected an integer from 2 to 40, got 4294967298"},
	{"{\"place\":{\"count\":18446744073709551618}}",
	 "place.count: expected an integer from 2 to 40, got 18446744073709551615"},
	{"{\"place\":{\"count\":true}}", "place.count: expected an integer from 2 to 40, got true"},
	{"{\"place\":{\"count\":null}}", "place.count: expected an integer from 2 to 40, got null"},
	{"{\"place\":{\"count\":{}}}",
	 "place.count: expected an integer from 2 to 40, got an object"},
	{"{\"fast\":\"true\"}", "fast: expected true or false, got \"true\""},
	{"{\"fast\":1}", "fast: expected true or false, got 1"},
	{"{\"name\":5}",
	 "name: expected 1 to 8 characters of A-Za-z0-9._-, the first of A-Za-z0-9_, got 5"},
	{"{\"extra\":5}", "extra: expected a string, got 5"},
	{"{\"color\":\"pink\"}", "color: expected red, green or blue, got \"pink\""},
	{"{\"serial\":\"\"}",
	 "serial: expected stdio, null, pty, file:PATH or unix:PATH, got \"\""},
	{"{\"disks\":{}}", "disks: expected an array, got an object"},
	{"{\"disks\":[\"a\"]}", "disks[0]: expected an object, got \"a\""},
	{"{\"disks\":[{\"path\":\"a\"},{\"pth\":1}]}",
	 "disks[1].pth: unknown key; did you mean \"path\"?"},
	{"{\"disks\":[{\"opt\":{\"ro\":1}}]}", "disks[0].opt.ro: expected true or false, got 1"},
	{"{\"disks\":[{\"tag\":\"x\"}]}", "disks[0].tag: expected an array, got \"x\""},
	{"{\"disks\":[{\"tag\":[\"x\",1]}]}",
	 "disks[0].tag[1]: expected a string of 0 to 8 bytes, got 1"},
	{"{\"disks\":[{\"tag\":[\"a\",\"b\",\"c\",\"d\"]}]}",
	 "disks[0].tag[3]: expected at most 3 items"},
	{"{\"disks\":[{},{},{},{},{}]}", "disks[4]: expected at most 4 items"},
};

START_TEST(refuses)
{
	ck_assert_int_eq(load(refused[_i].text), -EINVAL);
	ck_assert_str_eq(err.text, refused[_i].message);
}
END_TEST

START_TEST(sizes_of_text)
{
	char *text = malloc(CONFIG_FILE_MAX + 1);

	memset(text, ' ', CONFIG_FILE_MAX + 1);
	text[0] = '{';
	text[1] = '}';
	ck_assert_int_eq(
		config_json_load(&sample_table, &sample, text, CONFIG_FILE_MAX, NULL, &err), 0);
	ck_assert_int_eq(
		config_json_load(&sample_table, &sample, text, CONFIG_FILE_MAX + 1, NULL, &err),
		-EINVAL);
	ck_assert_str_eq(err.text,
			 "larger than 1 MiB, as no configuration is (a kernel is given with "
			 "--kernel)");
	free(text);
	ck_assert_int_eq(config_json_load(&sample_table, &sample,
					  "\x7f"
					  "ELF\0\0",
					  6, NULL, &err),
			 -EINVAL);
	ck_assert_str_eq(err.text, "a binary file, not JSON (a kernel is given with --kernel)");
}
END_TEST

/* Keys far longer than any of the table's, and a path longer than its room in a message. */
START_TEST(long_keys)
{
	char text[4096];

	snprintf(text, sizeof(text), "{\"%02000d\":1}", 0);
	ck_assert_int_eq(load(text), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "...: unknown key"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config_json");
	TCase *t = tcase_create("config_json");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, all_types);
	tcase_add_test(t, numbers);
	tcase_add_test(t, over);
	tcase_add_loop_test(t, refuses, 0, ARRAY_SIZE(refused));
	tcase_add_test(t, sizes_of_text);
	tcase_add_test(t, long_keys);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
