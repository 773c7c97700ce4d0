// SPDX-License-Identifier: MIT
/*
 * Structs by table: defaults, values by path, arrays, required values, and what is freed.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "config_sample.h"
#include "vmm/config_tree.h"

static struct sample sample;
static struct error err;

static void setup(void)
{
	memset(&sample, 0xa5, sizeof(sample));
	config_tree_init(&sample_table, &sample);
}

static void teardown(void)
{
	static const struct sample zero;

	config_tree_finish(&sample_table, &sample);
	ck_assert_mem_eq(&sample, &zero, sizeof(zero));
	config_tree_finish(&sample_table, &sample);
}

static int set(const char *path, const char *text)
{
	return config_tree_set(&sample_table, &sample, path, text, NULL, &err);
}

START_TEST(defaults)
{
	ck_assert_ptr_null(sample.name);
	ck_assert_uint_eq(sample.count, 3);
	ck_assert_uint_eq(sample.size, 8192);
	ck_assert_uint_eq(sample.wait_ns, 2 * NSEC_PER_SEC);
	ck_assert_int_eq(sample.color, SAMPLE_BLUE);
	ck_assert(sample.fast);
	ck_assert_int_eq(sample.serial.kind, CONFIG_SERIAL_NULL);
	ck_assert_uint_eq(sample.disk_count, 0);
	ck_assert_ptr_null(sample.disks);
}
END_TEST

START_TEST(scalars)
{
	ck_assert_int_eq(set("name", "x"), 0);
	ck_assert_int_eq(set("name", "y"), 0);
	ck_assert_str_eq(sample.name, "y");
	ck_assert_int_eq(set("place.deep.size", "4K"), 0);
	ck_assert_uint_eq(sample.size, 4096);
	ck_assert_int_eq(config_tree_set(&sample_table, &sample, "place.path", "a", "d", &err), 0);
	ck_assert_str_eq(sample.path, "d/a");
	ck_assert_int_eq(set("place.count", "1"), -EINVAL);
	ck_assert_str_eq(err.text, "expected an integer from 2 to 40, got 1");
	ck_assert_uint_eq(sample.count, 3);
	ck_assert_int_eq(set("extra", "whatever"), 0);
}
END_TEST

START_TEST(items)
{
	ck_assert_int_eq(set("disks[]", "a,cache=red"), 0);
	ck_assert_int_eq(set("disks[1]", "b"), 0);
	ck_assert_int_eq(set("disks[2].opt.ro", "yes"), 0);
	ck_assert_int_eq(set("disks[].path", "d"), 0);
	ck_assert_uint_eq(sample.disk_count, 4);
	ck_assert_str_eq(sample.disks[0].path, "a");
	ck_assert_ptr_null(sample.disks[2].path);
	ck_assert(sample.disks[2].read_only);
	ck_assert_int_eq(sample.disks[3].cache, SAMPLE_GREEN);

	ck_assert_int_eq(set("disks[2].path", "c"), 0);
	ck_assert(sample.disks[2].read_only);
	ck_assert_int_eq(set("disks[0]", "z"), 0);
	ck_assert_str_eq(sample.disks[0].path, "z");
	ck_assert_int_eq(sample.disks[0].cache, SAMPLE_GREEN);

	ck_assert_int_eq(set("disks[1].tag[]", "x"), 0);
	ck_assert_int_eq(set("disks[1].tag[1]", "y"), 0);
	ck_assert_int_eq(set("disks[1].tag[0]", "w"), 0);
	ck_assert_uint_eq(sample.disks[1].tag_count, 2);
	ck_assert_str_eq(sample.disks[1].tags[0], "w");
	ck_assert_str_eq(sample.disks[1].tags[1], "y");

	ck_assert_int_eq(set("disks[]", "e"), -EINVAL);
	ck_assert_str_eq(err.text, "expected at most 4 items");
	ck_assert_int_eq(set("words[]", "m a b"), 0);
	ck_assert_str_eq(sample.words[0].cmdline, "a b");
}
END_TEST

/* What fails leaves everything as it was. */
START_TEST(items_untouched)
{
	ck_assert_int_eq(set("disks[]", "a"), 0);
	ck_assert_int_eq(set("disks[]", "b,cache=pink"), -EINVAL);
	ck_assert_int_eq(set("disks[0]", "c,cache=pink"), -EINVAL);
	ck_assert_int_eq(set("disks[].cache", "pink"), -EINVAL);
	ck_assert_int_eq(set("disks[0].cache", "pink"), -EINVAL);
	ck_assert_uint_eq(sample.disk_count, 1);
	ck_assert_str_eq(sample.disks[0].path, "a");
	ck_assert_int_eq(sample.disks[0].cache, SAMPLE_GREEN);
}
END_TEST

static const struct {
	const char *path, *message;
} refused[] = {
	{"", "unknown key"},
	{"nmae", "unknown key; did you mean \"name\"?"},
	{"place.cuont", "unknown key; did you mean \"place.count\"?"},
	{"plase", "unknown key; did you mean \"place\"?"},
	{"place", "an object; set its keys, such as place.path"},
	{"place.deep", "an object; set its keys, such as place.deep.size"},
	{"name.x", "unknown key; did you mean \"name\"?"},
	{"name[0]", "name is not an array"},
	{"disks", "an array: write [N] behind it for one of its items, or [] to add one"},
	{"disks.path", "unknown key"},
	{"disks[", "expected an index from 0 to 0 in []"},
	{"disks[x]", "expected an index from 0 to 0 in []"},
	{"disks[-1]", "expected an index from 0 to 0 in []"},
	{"disks[1]", "expected an index from 0 to 0 in []"},
	{"disks[99999999999999999999999]", "expected an index from 0 to 0 in []"},
	{"disks[0 ]", "expected an index from 0 to 0 in []"},
	{"disks[0]x", "nothing can follow the index here but the end or .KEY"},
	{"disks[0].", "unknown key"},
	{"disks[0].pth", "unknown key; did you mean \"path\"?"},
	{"disks[0].tag[0].x", "nothing can follow the index here but the end"},
	{"disks[0].tag[0]x", "nothing can follow the index here but the end"},
};

START_TEST(refuses)
{
	ck_assert_int_eq(set(refused[_i].path, "1"), -EINVAL);
	ck_assert_str_eq(err.text, refused[_i].message);
	ck_assert_uint_eq(sample.disk_count, 0);
}
END_TEST

START_TEST(required)
{
	ck_assert_int_eq(config_tree_check_required(&sample_table, &sample, &err), 0);
	ck_assert_int_eq(set("disks[]", "a"), 0);
	ck_assert_int_eq(set("disks[].cache", "red"), 0);
	ck_assert_int_eq(config_tree_check_required(&sample_table, &sample, &err), -EINVAL);
	ck_assert_str_eq(err.text, "disks[1].path: missing");
	ck_assert_int_eq(set("disks[1].path", "b"), 0);
	ck_assert_int_eq(config_tree_check_required(&sample_table, &sample, &err), 0);
}
END_TEST

START_TEST(required_array)
{
	static const struct config_row rows[] = {
		{.key = "disks",
		 CONFIG_AT_ARRAY(struct sample, disks, disk_count, struct sample_disk),
		 .items = &sample_disk_table,
		 .max = 1,
		 .required = true,
		 .option = "disk"},
	};
	static const struct config_table table = {
		.rows = rows, .row_count = 1, .size = sizeof(struct sample)};

	ck_assert_int_eq(config_tree_check_required(&table, &sample, &err), -EINVAL);
	ck_assert_str_eq(err.text, "disks: missing; set it in the file, or with --disk");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config_tree");
	TCase *t = tcase_create("config_tree");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, defaults);
	tcase_add_test(t, scalars);
	tcase_add_test(t, items);
	tcase_add_test(t, items_untouched);
	tcase_add_loop_test(t, refuses, 0, ARRAY_SIZE(refused));
	tcase_add_test(t, required);
	tcase_add_test(t, required_array);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
