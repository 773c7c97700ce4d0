// SPDX-License-Identifier: MIT
/*
 * Printing: what is printed loads back to the same, from anywhere, whatever the values are.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "config_sample.h"
#include "vmm/config_json.h"
#include "vmm/config_tree.h"

static struct error err;

static char *print(const struct config_table *table, const void *base)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	ck_assert_msg(config_json_print(table, base, out, &err) == 0, "%s", err.text);
	fclose(out);
	return text;
}

/* Prints, loads, prints: both texts, which must be the same, as one. */
static char *check_fixpoint(const struct config_table *table, const void *base)
{
	char *first = print(table, base), *second;
	void *again = malloc(table->size);

	config_tree_init(table, again);
	ck_assert_msg(config_json_load(table, again, first, strlen(first), "/elsewhere", &err) == 0,
		      "%s in %s", err.text, first);
	second = print(table, again);
	ck_assert_str_eq(first, second);
	config_tree_finish(table, again);
	free(again);
	free(second);
	return first;
}

/* Takes the blanks out, of which versions of json-c have different opinions. */
static void squeeze(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (*text != ' ' && *text != '\n')
			*to++ = *text;
	}
	*to = '\0';
}

START_TEST(defaults)
{
	struct sample sample;
	char *text;

	config_tree_init(&sample_table, &sample);
	text = check_fixpoint(&sample_table, &sample);
	squeeze(text);
	ck_assert_str_eq(text,
			 "{\"place\":{\"count\":3,\"deep\":{\"size\":\"8K\"}},\"wait\":\"2s\","
			 "\"color\":\"blue\",\"fast\":true,\"serial\":\"null\",\"disks\":[],"
			 "\"words\":[]}");
	free(text);
	config_tree_finish(&sample_table, &sample);
}
END_TEST

START_TEST(vm_defaults)
{
	struct vm_config config;
	char *text;

	config_init(&config);
	text = check_fixpoint(&config_vm_table, &config);
	ck_assert_ptr_null(strstr(text, "$schema"));
	free(text);
	config_finish(&config);
}
END_TEST

static const char *const assignments[][2] = {
	{"name", "a.b-c"},
	{"note", "\" \\ \n\x01"},
	{"note", "\xf0\x9f\x98\x80"},
	{"note", ""},
	{"place.path", "x/../y"},
	{"place.path", "/a b\"c"},
	{"place.count", "40"},
	{"place.deep.size", "1M"},
	{"place.deep.size", "12288"},
	{"wait", "0"},
	{"wait", "1ms"},
	{"wait", "1h"},
	{"fast", "off"},
	{"color", "red"},
	{"serial", "file:a:b c"},
	{"serial", "unix:/s"},
	{"serial", "pty"},
	{"extra", "z"},
	{"disks[]", "p,opt.ro"},
	{"disks[0].tag[]", "t"},
	{"disks[0].tag[]", "\""},
	{"disks[]", "/q,,r"},
	{"words[]", "w a b"},
	{"words[]", "w"},
};

/* Every single value, and then all of them together. */
START_TEST(values)
{
	struct sample one, all;
	char *text;
	size_t i;

	config_tree_init(&sample_table, &all);
	for (i = 0; i < ARRAY_SIZE(assignments); i++) {
		const char *path = assignments[i][0], *value = assignments[i][1];

		config_tree_init(&sample_table, &one);
		if (!strchr(path, '.') || path[0] == 'p')
			ck_assert_int_eq(
				config_tree_set(&sample_table, &one, path, value, NULL, &err), 0);
		ck_assert_int_eq(config_tree_set(&sample_table, &all, path, value, NULL, &err), 0);
		free(check_fixpoint(&sample_table, &one));
		text = check_fixpoint(&sample_table, &all);
		free(text);
		config_tree_finish(&sample_table, &one);
	}
	config_tree_finish(&sample_table, &all);
}
END_TEST

/* Linux paths are bytes; JSON's strings are not. */
START_TEST(not_utf8)
{
	struct sample sample;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	config_tree_init(&sample_table, &sample);
	ck_assert_int_eq(config_tree_set(&sample_table, &sample, "disks[]", "\xff", NULL, &err), 0);
	ck_assert_int_eq(config_json_print(&sample_table, &sample, out, &err), -EINVAL);
	ck_assert_str_eq(err.text, "disks[0].path: not UTF-8, so JSON cannot hold it");
	fclose(out);
	ck_assert_uint_eq(len, 0);
	free(text);
	config_tree_finish(&sample_table, &sample);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config_print");
	TCase *t = tcase_create("config_print");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, defaults);
	tcase_add_test(t, vm_defaults);
	tcase_add_test(t, values);
	tcase_add_test(t, not_utf8);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
