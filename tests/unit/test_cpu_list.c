// SPDX-License-Identifier: MIT
/* Lists of processors: what is read, what is refused, and back again. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cpu_list.h"

static const struct {
	const char *text;
	int r;
	const char *back;
} lists[] = {
	{"0", 0, "0"},
	{"0-3,8\n", 0, "0-3,8"},
	{"8,0,2,1", 0, "0-2,8"},
	{"1023", 0, "1023"},
	{"5-5", 0, "5"},
	{"0-1,1-2", 0, "0-2"},
	{"", -EINVAL, NULL},
	{"\n", -EINVAL, NULL},
	{"0,", -EINVAL, NULL},
	{",0", -EINVAL, NULL},
	{"0-", -EINVAL, NULL},
	{"-1", -EINVAL, NULL},
	{"3-1", -EINVAL, NULL},
	{"0 ", -EINVAL, NULL},
	{"0-1-2", -EINVAL, NULL},
	{"1024", -ERANGE, NULL},
	{"0-99999999999999999999", -ERANGE, NULL},
};

START_TEST(text)
{
	const char *t = lists[_i].text;
	char back[64];
	cpu_set_t set;

	CPU_ZERO(&set);
	ck_assert_int_eq(cpu_list_parse(t, strlen(t), &set), lists[_i].r);
	if (lists[_i].r < 0) {
		ck_assert_int_eq(CPU_COUNT(&set), 0);
		return;
	}
	ck_assert(cpu_list_print(&set, back, sizeof(back)));
	ck_assert_str_eq(back, lists[_i].back);
}
END_TEST

START_TEST(length)
{
	cpu_set_t set;

	/* The end is where it is said to be. */
	ck_assert_int_eq(cpu_list_parse("1,23", 3, &set), 0);
	ck_assert_int_eq(CPU_COUNT(&set), 2);
	ck_assert(CPU_ISSET(2, &set));
}
END_TEST

START_TEST(room)
{
	char buf[CPU_LIST_TEXT_MAX];
	cpu_set_t set;

	CPU_ZERO(&set);
	ck_assert(cpu_list_print(&set, buf, sizeof(buf)));
	ck_assert_str_eq(buf, "");
	for (unsigned int i = 0; i < CPU_SETSIZE; i += 2)
		CPU_SET(i, &set);
	ck_assert(cpu_list_print(&set, buf, sizeof(buf)));
	ck_assert(!cpu_list_print(&set, buf, 16));
	ck_assert_uint_lt(strlen(buf), 16);
}
END_TEST

START_TEST(within)
{
	cpu_set_t a, b;

	ck_assert_int_eq(cpu_list_parse("0-1", 3, &a), 0);
	ck_assert_int_eq(cpu_list_parse("1-2", 3, &b), 0);
	ck_assert(cpu_list_within(&a, &a));
	ck_assert(!cpu_list_within(&a, &b));
	CPU_OR(&b, &a, &b);
	ck_assert(cpu_list_within(&a, &b));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cpu_list");
	TCase *t = tcase_create("cpu_list");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, text, 0, ARRAY_SIZE(lists));
	tcase_add_test(t, length);
	tcase_add_test(t, room);
	tcase_add_test(t, within);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
