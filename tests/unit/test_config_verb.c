// SPDX-License-Identifier: MIT
/*
 * The subcommands' table: every row is whole, and options belong to the subcommands they name.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/base.h"
#include "vmm/config_verb.h"

static const char *const names[] = {"run", "check", "test"};

START_TEST(rows)
{
	const struct config_verb_info *verb = config_verb_find(names[_i]);

	ck_assert_str_eq(verb->name, names[_i]);
	ck_assert_uint_ne(verb->bit, 0);
	ck_assert_uint_eq(verb->bit & (verb->bit - 1), 0);
	ck_assert_ptr_nonnull(verb->synopsis);
	ck_assert_ptr_nonnull(verb->about);
	ck_assert_ptr_nonnull(verb->exit_status);
	ck_assert_int_eq(verb->takes_command, strstr(verb->synopsis, "-- COMMAND") != NULL);
}
END_TEST

START_TEST(options)
{
	const struct config_verb_info *run = config_verb_find("run");
	const struct config_verb_info *check = config_verb_find("check");
	const struct config_row everywhere = {.option = "a"};
	const struct config_row somewhere = {.option = "b", .verbs = CONFIG_VERB_RUN};
	const struct config_row nowhere = {.key = "c"};

	ck_assert(config_verb_has(run, &everywhere) && config_verb_has(check, &everywhere));
	ck_assert(config_verb_has(run, &somewhere) && !config_verb_has(check, &somewhere));
	ck_assert(!config_verb_has(run, &nowhere));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config_verb");
	TCase *t = tcase_create("config_verb");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, rows, 0, ARRAY_SIZE(names));
	tcase_add_test(t, options);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
