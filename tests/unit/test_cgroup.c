// SPDX-License-Identifier: MIT
/* Where the own control group is, by mountinfo and cgroup of made-up processes. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroup_fake.h"
#include "vmm/cgroup.h"

static struct error err;
static char dir[PATH_MAX];

static int find(void)
{
	return cgroup_find_own(cgroup_fake_root, &err, dir);
}

START_TEST(own)
{
	ck_assert_int_eq(find(), 0);
	ck_assert_str_eq(dir, cgroup_fake_path("sys/fs/cgroup/box"));
	cgroup_fake_put("proc/self/cgroup", "5:cpu:/x\n0::/\n");
	ck_assert_int_eq(find(), 0);
	ck_assert_str_eq(dir, cgroup_fake_path("sys/fs/cgroup"));
	ck_assert_int_eq(cgroup_find_top(cgroup_fake_root, &err, dir), 0);
	ck_assert_str_eq(dir, cgroup_fake_path("sys/fs/cgroup"));
}
END_TEST

/* A mount that shows a part of the tree, at a place with a blank. */
START_TEST(part)
{
	cgroup_fake_put("proc/self/mountinfo",
			"31 22 0:27 /a/b /cgroup\\040two rw - cgroup2 none rw\n");
	cgroup_fake_put("proc/self/cgroup", "0::/a/b/c\n");
	ck_assert_int_eq(find(), 0);
	ck_assert_str_eq(dir, cgroup_fake_path("cgroup two/c"));
	cgroup_fake_put("proc/self/cgroup", "0::/a/bc\n");
	ck_assert_int_eq(find(), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "outside what is mounted"));
	cgroup_fake_put("proc/self/mountinfo", "31 22 0:27 / /c rw - cgroup2 none rw\n");
	cgroup_fake_put("proc/self/cgroup", "0::/../x\n");
	ck_assert_int_eq(find(), -ENOENT);
}
END_TEST

START_TEST(none)
{
	cgroup_fake_put("proc/self/mountinfo",
			"22 1 0:20 / / rw - ext4 a b\nnonsense\n - \n1 2 3 - cgroup2 x y\n");
	ck_assert_int_eq(find(), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "not mounted"));
	ck_assert_int_eq(cgroup_find_own("/nowhere", &err, dir), -ENOENT);
}
END_TEST

START_TEST(reasons)
{
	ck_assert_int_eq(find(), 0);
	ck_assert_int_eq(cgroup_explain_no_cpu(cgroup_fake_root, dir, &err), -ENOTSUP);
	ck_assert_ptr_nonnull(
		strstr(err.text, "write +cpu to cgroup.subtree_control of the group"));
	ck_assert_ptr_nonnull(strstr(err.text, " /sys/fs/cgroup/box "));
	cgroup_fake_put("sys/fs/cgroup/cgroup.controllers", "memory\n");
	ck_assert_int_eq(cgroup_explain_no_cpu(cgroup_fake_root, dir, &err), -ENOTSUP);
	ck_assert_ptr_nonnull(strstr(err.text, "this kernel has none"));
	cgroup_fake_put("proc/self/mountinfo", "1 2 0:3 / /v1 rw - cgroup none rw,cpuset\n"
					       "1 2 0:3 / /v1/cpu rw - cgroup none rw,cpu,cpuacct\n"
					       "31 22 0:27 / /sys/fs/cgroup rw - cgroup2 n rw\n");
	ck_assert_int_eq(cgroup_explain_no_cpu(cgroup_fake_root, dir, &err), -ENOTSUP);
	ck_assert_ptr_nonnull(strstr(err.text, "version 1 (/v1/cpu)"));
}
END_TEST

START_TEST(values)
{
	char text[8];
	int fd = open(cgroup_fake_path("sys/fs/cgroup/box"), O_RDONLY | O_DIRECTORY);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(cgroup_write(fd, "cpu.weight", "250"), 0);
	ck_assert_int_eq(cgroup_read(fd, "cpu.weight", text, sizeof(text)), 0);
	ck_assert_str_eq(text, "250");
	ck_assert_int_eq(cgroup_read(fd, "cpu.max", text, sizeof(text)), 0);
	ck_assert_str_eq(text, "max 100");
	ck_assert_int_eq(cgroup_read(fd, "none", text, sizeof(text)), -ENOENT);
	ck_assert_int_eq(cgroup_write(fd, "none", "1"), -ENOENT);
	ck_assert(cgroup_has_word(fd, "cgroup.controllers", "cpu"));
	ck_assert(!cgroup_has_word(fd, "cgroup.controllers", "cp"));
	ck_assert(!cgroup_has_word(fd, "none", "cpu"));
	close(fd);
	ck_assert_uint_eq(cgroup_number("a 1\nab 2\nb 3", "ab"), 2);
	ck_assert_uint_eq(cgroup_number("a 1\nab 2\nb 3", "b"), 3);
	ck_assert_uint_eq(cgroup_number("a 1\nab 2\nb 3", "c"), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cgroup");
	TCase *t = tcase_create("cgroup");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, cgroup_fake_setup, cgroup_fake_teardown);
	tcase_add_test(t, own);
	tcase_add_test(t, part);
	tcase_add_test(t, none);
	tcase_add_test(t, reasons);
	tcase_add_test(t, values);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
