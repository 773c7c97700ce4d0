// SPDX-License-Identifier: MIT
/* Small command lines: options, words, mistakes and the help text. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "candela/command_args.h"

static bool json;
static const char *timeout;
static struct error err;
static char **words;
static int count;

static const struct command_option options[] = {
	{.name = "json", .letter = 'j', .flag = &json, .help = "print JSON"},
	{.name = "timeout",
	 .letter = 't',
	 .metavar = "TIME",
	 .value = &timeout,
	 .help = "how long"},
};

static const struct command_spec spec = {
	.name = "verb",
	.synopsis = "[OPTION]... VM [WORD]",
	.about = "Does it.\n",
	.exit_status = "0 done.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.words_min = 1,
	.words_max = 2,
};

/* Arguments separated by blanks. */
static int parse(const char *text)
{
	static char copy[128], name[] = "verb", *argv[16];
	int argc = 0;

	snprintf(copy, sizeof(copy), "%s", text);
	json = false;
	timeout = NULL;
	argv[argc++] = name;
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	return command_parse(&spec, argc, argv, &words, &count, &err);
}

START_TEST(good)
{
	ck_assert_int_eq(parse("a"), 0);
	ck_assert(!json && !timeout && count == 1);
	ck_assert_str_eq(words[0], "a");
	ck_assert_int_eq(parse("a --json b --timeout 5"), 0);
	ck_assert(json && count == 2);
	ck_assert_str_eq(timeout, "5");
	ck_assert_str_eq(words[1], "b");
	ck_assert_int_eq(parse("--timeout=7 -j a"), 0);
	ck_assert_str_eq(timeout, "7");
	ck_assert_int_eq(parse("-t8 a"), 0);
	ck_assert_str_eq(timeout, "8");
	ck_assert_int_eq(parse("-t 9 -- -a --json"), 0);
	ck_assert_str_eq(timeout, "9");
	ck_assert(!json && count == 2);
	ck_assert_str_eq(words[0], "-a");
	ck_assert_int_eq(parse("-"), 0);
	ck_assert_str_eq(words[0], "-");
}
END_TEST

START_TEST(bad)
{
	static const char *const lines[] = {
		"",      "a b c",       "a --jsn", "a --json=1", "a --timeout", "a -x",
		"a -jx", "a --nothing", "a -t",    "a --=",      "--",
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		err.text[0] = '\0';
		ck_assert_msg(parse(lines[i]) == -EINVAL, "%s", lines[i]);
		ck_assert_ptr_eq(strstr(err.text, "verb: "), err.text);
	}
	ck_assert_int_eq(parse("a --jsn"), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "did you mean --json?"));
}
END_TEST

START_TEST(help)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	command_help(&spec, out);
	fclose(out);
	ck_assert_str_eq(text, "Usage: candela verb [OPTION]... VM [WORD]\n\nDoes it.\n\n"
			       "  -j, --json             print JSON\n"
			       "  -t, --timeout TIME     how long\n"
			       "  -h, --help             print this text\n"
			       "\nExit status: 0 done.\n");
	free(text);
	ck_assert_int_eq(parse("a b c --help"), 1);
	ck_assert_int_eq(parse("-h --nonsense"), 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("command_args");
	TCase *t = tcase_create("command_args");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, good);
	tcase_add_test(t, bad);
	tcase_add_test(t, help);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
