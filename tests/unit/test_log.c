// SPDX-License-Identifier: MIT
/* The log: levels, one line a call, and the bound on what a guest can cause. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/log.h"

static int fds[2];

static void setup(void)
{
	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
	close(fds[1]);
	log_set_level(LOG_INFO);
}

/* Everything written so far. */
static const char *written(void)
{
	static char text[65536];
	size_t len = 0;
	ssize_t n;

	close(STDERR_FILENO);
	while ((n = read(fds[0], text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = 0;
	return text;
}

START_TEST(levels)
{
	log_error("one %d", 1);
	log_info("two");
	log_debug("three");
	ck_assert(log_enabled(LOG_INFO));
	ck_assert(!log_enabled(LOG_DEBUG));
	ck_assert_str_eq(written(), "candela: error: one 1\ncandela: info: two\n");
}
END_TEST

START_TEST(long_line)
{
	char text[4096];
	const char *out;

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = 0;
	log_warning("%s", text);
	out = written();
	ck_assert_uint_lt(strlen(out), 1100);
	ck_assert_int_eq(out[strlen(out) - 1], '\n');
}
END_TEST

START_TEST(guest_lines_are_bounded)
{
	struct log_limit limit = {0};
	const char *out;
	unsigned int lines = 0;

	for (int i = 0; i < 10000; i++)
		log_guest(&limit, LOG_WARNING, "again %d", i);
	out = written();
	for (; (out = strchr(out, '\n')); out++)
		lines++;
	ck_assert_uint_eq(lines, LOG_GUEST_BURST);
	ck_assert_uint_eq(limit.suppressed, 10000 - LOG_GUEST_BURST);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("log");
	TCase *t = tcase_create("log");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, levels);
	tcase_add_test(t, long_line);
	tcase_add_test(t, guest_lines_are_bounded);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
