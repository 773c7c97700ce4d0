// SPDX-License-Identifier: MIT
/* Rules between settings of processors, and warnings. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/config_cpus.h"

static struct config_cpus cpus;
static struct error err;
static char said[1024];

static void setup(void)
{
	cpus = (struct config_cpus){.count = 2, .weight = 100, .limit = 100};
	said[0] = '\0';
}

static void say(void *ctx, const char *text)
{
	ck_assert_ptr_eq(ctx, &cpus);
	snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s\n", text);
}

static void warn(void)
{
	said[0] = '\0';
	ck_assert_msg(config_cpus_check(&cpus, &err) == 0, "%s", err.text);
	config_cpus_warn(&cpus, say, &cpus);
}

static void check_bad(const char *start)
{
	ck_assert_int_eq(config_cpus_check(&cpus, &err), -EINVAL);
	ck_assert_msg(strncmp(err.text, start, strlen(start)) == 0, "%s", err.text);
	ck_assert_ptr_nonnull(strstr(err.text, ", because "));
}

START_TEST(good)
{
	warn();
	ck_assert_str_eq(said, "");
	cpus.reserve = cpus.limit = 50;
	cpus.affinity = "0:1";
	cpus.nodes = "auto";
	cpus.node_memory = CONFIG_NODE_MEMORY_BIND;
	warn();
	ck_assert_str_eq(said, "");
}
END_TEST

START_TEST(limit_below_reserve)
{
	cpus.reserve = 50;
	cpus.limit = 49;
	check_bad("cpus.limit: expected at least 50, got 49");
}
END_TEST

START_TEST(texts)
{
	cpus.affinity = "0:1:2";
	check_bad("cpus.affinity: expected a list");
	cpus.affinity = "3-1";
	check_bad("cpus.affinity: expected a list");
	cpus.affinity = NULL;
	cpus.nodes = "aut";
	check_bad("cpus.nodes: expected auto");
}
END_TEST

START_TEST(reserve_that_cannot_be)
{
	cpus.affinity = "3";
	cpus.reserve = 50;
	warn();
	cpus.reserve = 51;
	check_bad("cpus.reserve: expected at most 50, got 51");
	cpus.affinity = "3:4";
	warn();
	cpus.affinity = "3:3-4";
	warn();
}
END_TEST

START_TEST(warnings)
{
	cpus.reserve = cpus.limit = 30;
	cpus.weight = 200;
	warn();
	ck_assert_ptr_nonnull(strstr(said, "cpus.weight: 200 has no effect"));
	setup();
	cpus.affinity = "5";
	warn();
	ck_assert_ptr_nonnull(strstr(said, "2 VPs share processors 5: busy all at once they get "
					   "50 % each, not 100 %"));
	cpus.limit = 60;
	warn();
	ck_assert_ptr_nonnull(strstr(said, "not the cpus.limit of 60 %"));
	cpus.limit = 50;
	warn();
	ck_assert_str_eq(said, "");
	setup();
	cpus.count = 1;
	cpus.affinity = "1";
	cpus.reserve = 100;
	warn();
	ck_assert_ptr_nonnull(strstr(said, "leaves the host nothing of it"));
	setup();
	cpus.node_memory = CONFIG_NODE_MEMORY_BIND;
	warn();
	ck_assert_ptr_nonnull(strstr(said, "cpus.node-memory has no effect"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config_cpus");
	TCase *t = tcase_create("config_cpus");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, good);
	tcase_add_test(t, limit_below_reserve);
	tcase_add_test(t, texts);
	tcase_add_test(t, reserve_that_cannot_be);
	tcase_add_test(t, warnings);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
