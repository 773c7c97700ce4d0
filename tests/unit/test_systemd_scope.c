// SPDX-License-Identifier: MIT
/* Asking systemd for a scope, with a busctl that only notes what it was asked. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "candela/systemd_scope.h"
#include "cgroup_fake.h"

static struct error err;
static char dir[PATH_MAX];

/* A script in place of busctl; the root of all is $ROOT to it. */
static void install(const char *script)
{
	char text[2048];

	ck_assert_int_eq(mkdir(cgroup_fake_path("bin"), 0700), 0);
	snprintf(text, sizeof(text), "#!/bin/sh\necho \"$*\" >>%s/asked\n%s\n", cgroup_fake_root,
		 script);
	cgroup_fake_put("bin/busctl", text);
	ck_assert_int_eq(chmod(cgroup_fake_path("bin/busctl"), 0700), 0);
	snprintf(text, sizeof(text), "%s:%s", cgroup_fake_path("bin"), getenv("PATH"));
	ck_assert_int_eq(setenv("PATH", text, 1), 0);
	ck_assert_int_eq(setenv("ROOT", cgroup_fake_root, 1), 0);
}

#define MOVE "echo 0::/box/candela.scope >$ROOT/proc/self/cgroup"

static const char *bus(void)
{
	return geteuid() == 0 ? "--system" : "--user";
}

START_TEST(joins)
{
	char expected[512];

	install(MOVE);
	ck_assert_msg(systemd_scope_enter(cgroup_fake_root, &err, dir) == 0, "%s", err.text);
	ck_assert_str_eq(dir, cgroup_fake_path("sys/fs/cgroup/box/candela.scope"));
	snprintf(expected, sizeof(expected),
		 "%s --timeout=5 call org.freedesktop.systemd1 "
		 "/org/freedesktop/systemd1 "
		 "org.freedesktop.systemd1.Manager AttachProcessesToUnit "
		 "ssau candela.scope  1 %ld\n",
		 bus(), (long)getpid());
	ck_assert_str_eq(cgroup_fake_get("asked"), expected);
}
END_TEST

/* The first one makes it; systemd moves the process a little later. */
START_TEST(begins)
{
	const char *asked;
	char expected[64];

	install("case $* in *Attach*) echo Unit not loaded >&2; exit 1;; esac\n"
		"(sleep 0.05; " MOVE ") </dev/null >/dev/null 2>&1 &");
	ck_assert_msg(systemd_scope_enter(cgroup_fake_root, &err, dir) == 0, "%s", err.text);
	asked = strchr(cgroup_fake_get("asked"), '\n') + 1;
	ck_assert_ptr_nonnull(strstr(asked,
				     "StartTransientUnit ssa(sv)a(sa(sv)) candela.scope fail "
				     "6 Description s "));
	ck_assert_ptr_nonnull(strstr(asked, " Delegate b true "));
	snprintf(expected, sizeof(expected), " PIDs au 1 %ld 0\n", (long)getpid());
	ck_assert_ptr_nonnull(strstr(asked, expected));
}
END_TEST

START_TEST(refuses)
{
	install("echo 'Access denied, whoever you are' >&2; echo more >&2; exit 1");
	ck_assert_int_eq(systemd_scope_enter(cgroup_fake_root, &err, dir), -ENOTSUP);
	ck_assert_str_eq(err.text, "systemd does not give us the control group candela.scope: "
				   "Access denied, whoever you are");
}
END_TEST

START_TEST(absent)
{
	ck_assert_int_eq(setenv("PATH", "/nonexistent", 1), 0);
	ck_assert_int_eq(systemd_scope_enter(cgroup_fake_root, &err, dir), -ENOTSUP);
	ck_assert_ptr_nonnull(strstr(err.text, "cannot run busctl"));
}
END_TEST

START_TEST(paths)
{
	char expected[256];

	ck_assert(systemd_scope_path("/cg", dir));
	if (geteuid() == 0)
		strcpy(expected, "/cg/machine.slice/candela.scope");
	else
		snprintf(expected, sizeof(expected),
			 "/cg/user.slice/user-%u.slice/user@%u.service/app.slice/candela.scope",
			 geteuid(), geteuid());
	ck_assert_str_eq(dir, expected);
	ck_assert(!systemd_delegated(cgroup_fake_root));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("systemd_scope");
	TCase *t = tcase_create("systemd_scope");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, cgroup_fake_setup, cgroup_fake_teardown);
	tcase_add_test(t, joins);
	tcase_add_test(t, begins);
	tcase_add_test(t, refuses);
	tcase_add_test(t, absent);
	tcase_add_test(t, paths);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
