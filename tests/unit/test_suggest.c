// SPDX-License-Identifier: MIT
/*
 * Suggestions: what is near, what is not, and words that are too long to look at.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/suggest.h"

static const char *nearest(const char *word, const char *a, const char *b)
{
	static struct suggest s;

	suggest_init(&s, word);
	suggest_offer(&s, a);
	suggest_offer(&s, b);
	return suggest_best(&s);
}

START_TEST(near)
{
	ck_assert_str_eq(nearest("memroy", "name", "memory"), "memory");
	ck_assert_str_eq(nearest("memry", "name", "memory"), "memory");
	ck_assert_str_eq(nearest("mmemory", "name", "memory"), "memory");
	ck_assert_str_eq(nearest("Kernel", "kernel", "name"), "kernel");
	ck_assert_str_eq(nearest("huge_pages", "huge-pages", "page"), "huge-pages");
	ck_assert_str_eq(nearest("nam", "name", "nape"), "name");
	ck_assert_str_eq(nearest("rt", "rtc", "on"), "rtc");
	ck_assert_str_eq(nearest("x", "y", "longer"), "y");
}
END_TEST

START_TEST(far)
{
	ck_assert_ptr_null(nearest("frobnicate", "memory", "name"));
	ck_assert_ptr_null(nearest("ab", "xyz", "cd"));
	ck_assert_ptr_null(nearest("", "a", "b"));
	ck_assert_ptr_null(nearest("memory", "", ""));
}
END_TEST

START_TEST(lengths)
{
	char word[SUGGEST_MAX + 1], other[SUGGEST_MAX + 1];

	memset(word, 'a', sizeof(word));
	memset(other, 'a', sizeof(other));
	word[SUGGEST_MAX - 1] = other[SUGGEST_MAX - 2] = '\0';
	ck_assert_str_eq(nearest(word, "b", other), other);
	word[SUGGEST_MAX - 1] = 'a';
	word[SUGGEST_MAX] = '\0';
	ck_assert_ptr_null(nearest(word, "b", other));
	ck_assert_ptr_null(nearest(other, "b", word));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("suggest");
	TCase *t = tcase_create("suggest");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, near);
	tcase_add_test(t, far);
	tcase_add_test(t, lengths);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
