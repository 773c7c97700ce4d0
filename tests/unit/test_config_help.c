// SPDX-License-Identifier: MIT
/*
 * Help texts: no line too long, every option in its place, limits and defaults from the table.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base.h"
#include "vmm/config_cli.h"
#include "vmm/config_table.h"
#include "vmm/config_verb.h"

static const char *const verbs[] = {"run", "check", "test"};

static char *help_of(const char *verb)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	config_help(out, verb);
	fclose(out);
	return text;
}

START_TEST(width)
{
	char *text = help_of(verbs[_i]), *line, *rest = text;

	while ((line = strsep(&rest, "\n"))) {
		size_t len = strlen(line);

		ck_assert_msg(len < 80, "%s", line);
		ck_assert_msg(len == 0 || line[len - 1] != ' ', "%s", line);
	}
	free(text);
}
END_TEST

static void check_rows(const struct config_table *table, const struct config_verb_info *verb,
		       const char *text)
{
	char option[64];
	size_t i;

	for (i = 0; i < table->row_count; i++) {
		const struct config_row *row = &table->rows[i];
		bool on_by_default = row->kind == CONFIG_BOOL && row->preset;

		/* What has no option is found by its key. */
		if (!row->option && row->kind != CONFIG_IGNORED) {
			snprintf(option, sizeof(option), "\n  %s ", row->key);
			ck_assert_msg(strstr(text, option) != NULL, "%s", option);
		}
		if (!row->option)
			continue;
		snprintf(option, sizeof(option), "--%s%s", on_by_default ? "[no-]" : "",
			 row->option);
		if (config_verb_has(verb, row))
			ck_assert_msg(strstr(text, option) != NULL, "%s", option);
		else
			ck_assert_msg(strstr(text, option) == NULL, "%s", option);
	}
}

START_TEST(complete)
{
	const struct config_verb_info *verb = config_verb_find(verbs[_i]);
	char *text = help_of(verbs[_i]);

	check_rows(&config_vm_table, verb, text);
	check_rows(&config_cli_table, verb, text);
	free(text);
}
END_TEST

START_TEST(words)
{
	char *text = help_of("run");

	ck_assert(strncmp(text, "Usage: candela run [OPTION]... [FILE.json]\n", 43) == 0);
	ck_assert_ptr_nonnull(strstr(text, "\nThe machine:\n"));
	ck_assert_ptr_nonnull(
		strstr(text, "\n      --cpus N            number of virtual processors (1 to "
			     "1024; default 1)\n                          [cpus.count]\n"));
	ck_assert_ptr_nonnull(strstr(text, "\n  -m, --memory SIZE       memory"));
	ck_assert_ptr_nonnull(strstr(text, "\n      --append, --cmdline TEXT\n      "));
	ck_assert_ptr_nonnull(strstr(text, "Exit status: 0 the guest powered off; 1 "));
	free(text);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config_help");
	TCase *t = tcase_create("config_help");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, width, 0, ARRAY_SIZE(verbs));
	tcase_add_loop_test(t, complete, 0, ARRAY_SIZE(verbs));
	tcase_add_test(t, words);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
