// SPDX-License-Identifier: MIT
/* Affinity and NUMA nodes, on made-up hosts of two nodes. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cgroup_fake.h"
#include "vmm/cpu_list.h"
#include "vmm/cpu_place.h"

#define NODES "sys/devices/system/node"

static struct error err;
static struct cpu_place place;
static unsigned int own; /* a processor that this process may use */

static void make_dir(const char *name)
{
	ck_assert_int_eq(mkdir(cgroup_fake_path(name), 0700), 0);
}

static void make_node(const char *name, const char *cpus, const char *free_kib)
{
	char path[128], text[128];

	snprintf(path, sizeof(path), NODES "/%s", name);
	make_dir(path);
	snprintf(path, sizeof(path), NODES "/%s/cpulist", name);
	cgroup_fake_put(path, cpus);
	snprintf(path, sizeof(path), NODES "/%s/meminfo", name);
	snprintf(text, sizeof(text), "Node 0 MemTotal:  1 kB\nNode 0 MemFree:    %s kB\n",
		 free_kib);
	cgroup_fake_put(path, text);
}

static void setup(void)
{
	char text[16];
	cpu_set_t set;

	cgroup_fake_setup();
	ck_assert_int_eq(sched_getaffinity(0, sizeof(set), &set), 0);
	while (!CPU_ISSET(own, &set))
		own++;
	snprintf(text, sizeof(text), "%u\n", own);
	make_dir("sys/devices");
	make_dir("sys/devices/system");
	make_dir(NODES);
	cgroup_fake_put(NODES "/online", "0-2\n");
	make_node("node0", "1023\n", "9999999"); /* none that can be used */
	make_node("node1", text, "2048");
	make_node("node2", text, "4096");
}

static int find(const char *nodes, uint32_t count, uint64_t memory)
{
	const struct config_cpus cpus = {.count = count, .nodes = nodes};

	return cpu_place_find(&cpus, memory, cgroup_fake_root, &err, &place);
}

START_TEST(affinity_text)
{
	cpu_set_t set;

	ck_assert_int_eq(cpu_place_check_affinity("0-3,8", 5), 0);
	ck_assert_int_eq(cpu_place_check_affinity("0:1:2-3", 3), 0);
	ck_assert_int_eq(cpu_place_check_affinity("0:1:2-3", 2), -EINVAL);
	ck_assert_int_eq(cpu_place_check_affinity("0:", 2), -EINVAL);
	ck_assert_int_eq(cpu_place_check_affinity(":", 2), -EINVAL);
	ck_assert_int_eq(cpu_place_check_affinity("", 1), -EINVAL);
	cpu_place_affinity("0:1:2-3", 2, &set);
	ck_assert_int_eq(CPU_COUNT(&set), 2);
	ck_assert(CPU_ISSET(3, &set));
	cpu_place_affinity("4", 2, &set);
	ck_assert(CPU_ISSET(4, &set));
	ck_assert_int_eq(cpu_place_check_nodes("auto"), 0);
	ck_assert_int_eq(cpu_place_check_nodes("0-1"), 0);
	ck_assert_int_eq(cpu_place_check_nodes("x"), -EINVAL);
}
END_TEST

START_TEST(anywhere)
{
	cpu_set_t set;

	ck_assert_int_eq(find(NULL, 1, 0), 0);
	ck_assert_int_eq(CPU_COUNT(&place.nodes), 0);
	ck_assert(CPU_EQUAL(&place.usable, &place.allowed));
	ck_assert_int_eq(cpu_place_vp(&place, NULL, 0, &err, &set), 0);
	ck_assert(CPU_EQUAL(&set, &place.allowed));
	ck_assert_int_eq(cpu_place_vp(&place, "1023", 0, &err, &set), -ENOTSUP);
	ck_assert_ptr_nonnull(strstr(err.text, "VP 0 cannot run on processors 1023"));
	ck_assert_int_eq(cpu_place_enter(&place, CONFIG_NODE_MEMORY_BIND, &err), 0);
}
END_TEST

START_TEST(on_a_node)
{
	ck_assert_int_eq(find("1", 1, 0), 0);
	ck_assert_int_eq(CPU_COUNT(&place.usable), 1);
	ck_assert(CPU_ISSET(own, &place.usable));
	ck_assert_int_eq(find("0-1", 1, 0), 0);
	ck_assert_int_eq(CPU_COUNT(&place.usable), 1);
	ck_assert_int_eq(find("0", 1, 0), -ENOTSUP);
	ck_assert_ptr_nonnull(strstr(err.text, "may not use any processor"));
	ck_assert_int_eq(find("7", 1, 0), -ENOTSUP);
	ck_assert_ptr_nonnull(strstr(err.text, "no NUMA node 7"));
}
END_TEST

START_TEST(chosen)
{
	ck_assert_int_eq(find("auto", 1, MiB(1)), 0);
	ck_assert(CPU_ISSET(2, &place.nodes));
	ck_assert_int_eq(CPU_COUNT(&place.nodes), 1);
	/* No node has room for all of it. */
	ck_assert_int_eq(find("auto", 2, MiB(1)), 0);
	ck_assert_int_eq(CPU_COUNT(&place.nodes), 0);
	ck_assert_int_eq(find("auto", 1, MiB(5)), 0);
	ck_assert_int_eq(CPU_COUNT(&place.nodes), 0);
	cgroup_fake_put(NODES "/online", "1\n");
	ck_assert_int_eq(find("auto", 1, MiB(1)), 0);
	ck_assert_int_eq(CPU_COUNT(&place.nodes), 0);
}
END_TEST

static char said[512];

static void say(void *ctx, const char *text)
{
	snprintf(said, sizeof(said), "%s", text);
}

static const char *warning(uint32_t count, const char *nodes)
{
	const struct config_cpus cpus = {.count = count, .nodes = nodes};

	said[0] = '\0';
	cpu_place_warn(&cpus, cgroup_fake_root, say, NULL);
	return said;
}

START_TEST(warnings)
{
	ck_assert_str_eq(warning(1, NULL), "");
	ck_assert_str_eq(warning(1, "1"), "");
	ck_assert_ptr_nonnull(
		strstr(warning(2, NULL), "2 VPs do not fit on one NUMA node, which has 1 proc"));
	ck_assert_ptr_nonnull(strstr(warning(2, "auto"), "do not fit"));
	cgroup_fake_put(NODES "/node1/cpulist", "0-7\n");
	ck_assert_str_eq(warning(2, NULL), "");
	ck_assert_ptr_nonnull(strstr(warning(2, "2"), "do not fit"));
	cgroup_fake_put(NODES "/online", "1\n");
	ck_assert_str_eq(warning(64, NULL), "");
}
END_TEST

/* To where processors are, and back is not asked for: each case is a process of its own. */
START_TEST(go_there)
{
	cpu_set_t set;

	ck_assert_int_eq(find("1", 1, 0), 0);
	ck_assert_int_eq(cpu_place_enter(&place, CONFIG_NODE_MEMORY_ANY, &err), 0);
	ck_assert_int_eq(sched_getaffinity(0, sizeof(set), &set), 0);
	ck_assert_int_eq(CPU_COUNT(&set), 1);
	ck_assert(CPU_ISSET(own, &set));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cpu_place");
	TCase *t = tcase_create("cpu_place");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, cgroup_fake_teardown);
	tcase_add_test(t, affinity_text);
	tcase_add_test(t, anywhere);
	tcase_add_test(t, on_a_node);
	tcase_add_test(t, chosen);
	tcase_add_test(t, warnings);
	tcase_add_test(t, go_there);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
