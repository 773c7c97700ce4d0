// SPDX-License-Identifier: MIT
/* Groups of virtual processors in a made-up tree: values, admission, changes, what is left over. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "cgroup_fake.h"
#include "vmm/cgroup.h"
#include "vmm/cpu_group.h"

#define BOX   "sys/fs/cgroup/box"
#define FLEET BOX "/candela"

static struct error err;

static void set_claims(struct cpu_claim claims[2], uint32_t weight, uint32_t reserve,
		       uint32_t limit)
{
	for (int i = 0; i < 2; i++) {
		claims[i] =
			(struct cpu_claim){.weight = weight, .reserve = reserve, .limit = limit};
		CPU_ZERO(&claims[i].cpus);
		CPU_SET(0, &claims[i].cpus);
		CPU_SET(1, &claims[i].cpus);
	}
}

/* A VM of two VPs. */
static int create(const char *name, uint32_t weight, uint32_t reserve, uint32_t limit,
		  struct cpu_group **ret)
{
	static const pid_t threads[] = {71, 72};
	struct cpu_claim claims[2];
	struct cpu_group_config config = {
		.name = name, .count = 2, .claims = claims, .threads = threads};
	char dir[PATH_MAX];
	int r = cgroup_find_own(cgroup_fake_root, &err, dir);

	ck_assert_int_eq(r, 0);
	set_claims(claims, weight, reserve, limit);
	config.host = claims[0].cpus;
	r = cpu_fleet_open(cgroup_fake_root, dir, &err, &config.fleet);
	return r < 0 ? r : cpu_group_create(&config, &err, ret);
}

static const char *file(const char *vm, int vp, const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), FLEET "/%s-%ld-vp%d/%s", vm, (long)getpid(), vp, name);
	return path;
}

static const char *value(const char *vm, int vp, const char *name)
{
	return cgroup_fake_get(file(vm, vp, name));
}

/* Its threads end. */
static void vacate(const char *vm)
{
	for (int i = 0; i < 2; i++)
		cgroup_fake_put(file(vm, i, "cgroup.threads"), "");
}

static void destroy(const char *vm, struct cpu_group *g)
{
	vacate(vm);
	cpu_group_destroy(g);
}

START_TEST(values)
{
	struct cpu_group *g;
	char expected[64];

	ck_assert_msg(create("web", 200, 0, 50, &g) == 0, "%s", err.text);
	ck_assert_str_eq(cgroup_fake_get(BOX "/cgroup.subtree_control"), "+cpu");
	ck_assert_str_eq(cgroup_fake_get(FLEET "/cgroup.type"), "threaded");
	ck_assert_str_eq(cgroup_fake_get(FLEET "/cgroup.subtree_control"), "+cpu");
	ck_assert_str_eq(cgroup_fake_get(FLEET "/cpu.weight"), "400");
	ck_assert_str_eq(value("web", 0, "cgroup.type"), "threaded");
	ck_assert_str_eq(value("web", 0, "cgroup.threads"), "71");
	ck_assert_str_eq(value("web", 1, "cgroup.threads"), "72");
	ck_assert_str_eq(value("web", 1, "cpu.weight"), "200");
	ck_assert_str_eq(value("web", 1, "cpu.max"), "10000 20000");
	ck_assert_str_eq(value("web", 1, ".xattr"), "200 0 50 0-1");
	ck_assert_str_eq(cpu_group_fleet(g), cgroup_fake_path(FLEET));
	snprintf(expected, sizeof(expected), "web-%ld", (long)getpid());
	ck_assert_str_eq(cpu_group_name(g), expected);
	destroy("web", g);
	ck_assert(!cgroup_fake_exists(FLEET));
	ck_assert(cgroup_fake_exists(BOX));
}
END_TEST

START_TEST(usage)
{
	struct cpu_group *g;
	struct cpu_usage u;

	ck_assert_int_eq(create("web", 200, 0, 50, &g), 0);
	cgroup_fake_put(file("web", 1, "cpu.stat"),
			"usage_usec 1500\nuser_usec 1\nsystem_usec 2\nnr_periods 7\n"
			"nr_throttled 3\nthrottled_usec 20\n");
	ck_assert_int_eq(cpu_group_usage(g, 1, &u), 0);
	ck_assert_uint_eq(u.used_ns, 1500000);
	ck_assert_uint_eq(u.throttled_ns, 20000);
	ck_assert_uint_eq(u.periods, 7);
	ck_assert_uint_eq(u.throttled_periods, 3);
	ck_assert_uint_eq(u.weight, 200);
	destroy("web", g);
}
END_TEST

/* A reserve makes weights of others count less, as long as it is there. */
START_TEST(beside_each_other)
{
	struct cpu_group *a, *b;

	ck_assert_int_eq(create("a", 100, 0, 100, &a), 0);
	ck_assert_int_eq(create("b", 100, 60, 100, &b), 0);
	ck_assert_str_eq(value("a", 0, "cpu.weight"), "100");
	ck_assert_int_gt(atoi(value("b", 0, "cpu.weight")), 150);
	ck_assert_int_gt(atoi(cgroup_fake_get(FLEET "/cpu.weight")), 500);
	destroy("b", b);
	ck_assert_str_eq(value("a", 0, "cpu.weight"), "100");
	ck_assert_str_eq(cgroup_fake_get(FLEET "/cpu.weight"), "200");
	destroy("a", a);
}
END_TEST

START_TEST(no_room)
{
	struct cpu_group *a, *b = NULL;

	ck_assert_int_eq(create("a", 100, 60, 100, &a), 0);
	ck_assert_int_eq(create("b", 100, 40, 100, &b), -ENOSPC);
	ck_assert_str_eq(err.text,
			 "cpus.reserve: this VM reserves 80 % of a logical processor, but "
			 "of the 190 % that VMs may reserve on processors 0-1 only 70 % "
			 "are left: reserve less, or stop another VM");
	ck_assert(!cgroup_fake_exists(file("b", 0, "")));
	/* Weights alone are never refused. */
	ck_assert_int_eq(create("b", 10000, 0, 100, &b), 0);
	destroy("b", b);
	ck_assert_int_eq(create("b", 100, 35, 100, &b), 0);
	destroy("b", b);
	destroy("a", a);
}
END_TEST

START_TEST(change)
{
	struct cpu_claim claims[2];
	struct cpu_group *a, *b;

	ck_assert_int_eq(create("a", 100, 0, 100, &a), 0);
	ck_assert_int_eq(create("b", 100, 60, 100, &b), 0);
	set_claims(claims, 300, 0, 25);
	ck_assert_int_eq(cpu_group_change(a, claims, &err), 0);
	ck_assert_str_eq(value("a", 1, "cpu.weight"), "300");
	ck_assert_str_eq(value("a", 1, "cpu.max"), "5000 20000");
	ck_assert_str_eq(value("a", 1, ".xattr"), "300 0 25 0-1");
	set_claims(claims, 100, 36, 100);
	ck_assert_int_eq(cpu_group_change(a, claims, &err), -ENOSPC);
	ck_assert_str_eq(value("a", 1, ".xattr"), "300 0 25 0-1");
	set_claims(claims, 100, 5, 100);
	ck_assert_int_eq(cpu_group_change(a, claims, &err), 0);
	ck_assert_str_eq(value("a", 1, "cpu.max"), "max 20000");
	destroy("b", b);
	destroy("a", a);
}
END_TEST

/* Groups whose threads are gone reserve nothing, and go. Other directories stay. */
START_TEST(left_over)
{
	struct cpu_group *g;

	ck_assert_int_eq(create("a", 100, 0, 100, &g), 0);
	cgroup_fake_make(FLEET "/dead-1-vp0");
	cgroup_fake_put(FLEET "/dead-1-vp0/.xattr", "100 95 100 0-1");
	cgroup_fake_make(FLEET "/dead-1-vp1");
	cgroup_fake_make(FLEET "/other");
	cgroup_fake_make(FLEET "/other-vp");
	destroy("a", g);
	ck_assert(!cgroup_fake_exists(FLEET "/dead-1-vp0"));
	ck_assert(!cgroup_fake_exists(FLEET "/dead-1-vp1"));
	ck_assert(cgroup_fake_exists(FLEET "/other"));
	ck_assert(cgroup_fake_exists(FLEET "/other-vp"));
	cgroup_fake_make(FLEET "/dead-1-vp0");
	cgroup_fake_put(FLEET "/dead-1-vp0/.xattr", "100 95 100 0-1");
	ck_assert_int_eq(create("a", 100, 90, 100, &g), 0);
	ck_assert(!cgroup_fake_exists(FLEET "/dead-1-vp0"));
	destroy("a", g);
}
END_TEST

/* Nonsense that somebody wrote is no claim, and does no harm. */
START_TEST(strange_claims)
{
	struct cpu_group *g;

	cgroup_fake_make(FLEET);
	cgroup_fake_make(FLEET "/x-1-vp0");
	cgroup_fake_put(FLEET "/x-1-vp0/cgroup.threads", "5");
	cgroup_fake_put(FLEET "/x-1-vp0/.xattr", "100 4000000000 1 0");
	ck_assert_int_eq(create("a", 100, 90, 100, &g), 0);
	ck_assert_str_eq(cgroup_fake_get(FLEET "/x-1-vp0/cpu.weight"), "100\n");
	destroy("a", g);
}
END_TEST

START_TEST(locked)
{
	struct cpu_claim claims[2];
	struct cpu_group *g;
	int fd;

	ck_assert_int_eq(create("a", 100, 0, 100, &g), 0);
	fd = open(cgroup_fake_path(FLEET), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	set_claims(claims, 300, 0, 25);
	ck_assert_int_eq(cpu_group_change(g, claims, &err), -EBUSY);
	close(fd);
	ck_assert_int_eq(cpu_group_change(g, claims, &err), 0);
	destroy("a", g);
}
END_TEST

/* As "candela list" does it. */
START_TEST(found)
{
	struct cpu_fleet fleet;
	struct cpu_group *g;
	char dir[PATH_MAX];

	ck_assert_int_eq(cgroup_find_own(cgroup_fake_root, &err, dir), 0);
	ck_assert_int_eq(create("a", 100, 0, 100, &g), 0);
	cgroup_fake_make(FLEET "/dead-1-vp0");
	ck_assert_int_eq(cpu_fleet_find(cgroup_fake_root, dir, &err, &fleet), 0);
	cpu_fleet_tidy(&fleet);
	cpu_fleet_close(&fleet);
	ck_assert(!cgroup_fake_exists(FLEET "/dead-1-vp0"));
	ck_assert(cgroup_fake_exists(file("a", 0, "")));
	vacate("a");
	ck_assert_int_eq(cpu_fleet_find(cgroup_fake_root, dir, &err, &fleet), 0);
	cpu_fleet_tidy(&fleet);
	cpu_fleet_close(&fleet);
	ck_assert(!cgroup_fake_exists(FLEET));
	cpu_group_destroy(g);
}
END_TEST

START_TEST(not_to_be_had)
{
	struct cpu_fleet fleet;
	char dir[PATH_MAX];

	ck_assert_int_eq(cgroup_find_own(cgroup_fake_root, &err, dir), 0);
	ck_assert_int_eq(cpu_fleet_find(cgroup_fake_root, dir, &err, &fleet), -ENOENT);
	ck_assert_int_eq(cpu_fleet_probe(cgroup_fake_root, &err), 0);
	cgroup_fake_put(BOX "/cgroup.controllers", "memory\n");
	ck_assert_int_eq(cpu_fleet_open(cgroup_fake_root, dir, &err, &fleet), -ENOTSUP);
	ck_assert_ptr_nonnull(strstr(err.text, "has no cpu controller"));
	ck_assert_int_eq(cpu_fleet_probe(cgroup_fake_root, &err), -ENOTSUP);
	ck_assert(!cgroup_fake_exists(FLEET));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cpu_group");
	TCase *t = tcase_create("cpu_group");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, cgroup_fake_setup, cgroup_fake_teardown);
	tcase_add_test(t, values);
	tcase_add_test(t, usage);
	tcase_add_test(t, beside_each_other);
	tcase_add_test(t, no_room);
	tcase_add_test(t, change);
	tcase_add_test(t, left_over);
	tcase_add_test(t, strange_claims);
	tcase_add_test(t, locked);
	tcase_add_test(t, found);
	tcase_add_test(t, not_to_be_had);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
