// SPDX-License-Identifier: MIT
/* Help texts, read again: every form that a line of theirs has. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "candela/help_text.h"

static const char text[] = "Usage: candela thing [OPTION]... VM FILE.json\n"
			   "       candela thing --all\n"
			   "\n"
			   "About a thing. --not-one is not one, either.\n"
			   "\n"
			   "      --[no-]debug-exit   device\n"
			   "  -m, --memory SIZE       memory --of-the-guest\n"
			   "      --append, --cmdline TEXT\n"
			   "                          the kernel's command line: --set too\n"
			   "      --module \"FILE [ARGS]\"\n"
			   "      --disk FILE[,KEY=VALUE]...\n"
			   "  -h, --help             print this text\n"
			   "\n"
			   "Verbs:\n"
			   "  create     make one\n"
			   "  set-net    change one\n"
			   "\n"
			   "Exit status: 0.\n";

static void add_option(void *ctx, const struct help_option *o)
{
	char one[128];

	snprintf(one, sizeof(one), "%.*s%s<%.*s>;", (int)o->name.len, o->name.start,
		 o->has_no ? "!" : "", (int)o->metavar.len,
		 o->metavar.start ? o->metavar.start : "");
	strcat(ctx, one);
}

START_TEST(options)
{
	char got[512] = "";

	help_each_option(text, add_option, got);
	ck_assert_str_eq(got, "debug-exit!<>;memory<SIZE>;append<TEXT>;cmdline<TEXT>;"
			      "module<\"FILE [ARGS]\">;disk<FILE[,KEY=VALUE]...>;help<>;");
	got[0] = '\0';
	help_each_option("", add_option, got);
	help_each_option("  --\n  -\n   -x\n  --=\n  -a, b\n", add_option, got);
	ck_assert_str_eq(got, "");
	help_each_option("  --last", add_option, got);
	ck_assert_str_eq(got, "last<>;");
}
END_TEST

static void add_verb(void *ctx, const struct help_part *verb)
{
	strncat(ctx, verb->start, verb->len);
	strcat(ctx, ";");
}

START_TEST(verbs)
{
	char got[64] = "";

	help_each_verb(text, add_verb, got);
	ck_assert_str_eq(got, "create;set-net;");
	got[0] = '\0';
	help_each_verb("Usage: x\n\nVerbs:\n", add_verb, got);
	help_each_verb("Usage: x\n", add_verb, got);
	ck_assert_str_eq(got, "");
}
END_TEST

START_TEST(usage)
{
	const struct help_part part = help_usage(text), none = help_usage("x\n");
	const struct help_part size = {"SIZE", 4}, file = {"FILE[,K]...", 11}, cut = {"FILE", 3};

	ck_assert_uint_eq(part.len, strstr(text, "\n\n") + 1 - text);
	ck_assert_uint_eq(none.len, 0);
	ck_assert(help_usage_has(text, "VM"));
	ck_assert(!help_usage_has(text, "V") && !help_usage_has(text, "thing2"));
	ck_assert(!help_usage_has("Usage: VMS OVM\n", "VM"));
	ck_assert(help_usage_has("Usage: VMS VM...", "VM"));
	ck_assert(!help_usage_has("Usage: x\n\nVM\n", "VM"));
	ck_assert(help_names_file(&part) && help_names_file(&file));
	ck_assert(!help_names_file(&size) && !help_names_file(&cut) && !help_names_file(&none));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("help_text");
	TCase *t = tcase_create("help_text");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, options);
	tcase_add_test(t, verbs);
	tcase_add_test(t, usage);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
