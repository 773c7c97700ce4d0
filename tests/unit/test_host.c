// SPDX-License-Identifier: MIT
/* Facts from /proc and /sys: trees of made-up hosts, and files that hold anything at all. */
#include <check.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/host.h"

#define THP   "sys/kernel/mm/transparent_hugepage/"
#define POOL  "sys/kernel/mm/hugepages/hugepages-"
#define INTEL "sys/module/kvm_intel/parameters/"
#define AMD   "sys/module/kvm_amd/parameters/"

static char root[] = "/tmp/candela-test-host.XXXXXX";
static struct host host;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(root));
}

static void teardown(void)
{
	ck_assert_int_eq(nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* The path of a file below the root, whose directories are made. */
static const char *place(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	for (char *p = path + strlen(root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(path, 0777);
		*p = '/';
	}
	return path;
}

static void put_bytes(const char *name, const char *bytes, size_t len)
{
	FILE *f = fopen(place(name), "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

static void put(const char *name, const char *text)
{
	put_bytes(name, text, strlen(text));
}

static void look(void)
{
	memset(&host, 0xa5, sizeof(host));
	host_read(&host, root);
}

#define assert_known(number, v)                                                                    \
	do {                                                                                       \
		ck_assert((number).known);                                                         \
		ck_assert_uint_eq((number).value, v);                                              \
	} while (0)

START_TEST(intel_host)
{
	put("proc/cpuinfo", "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel\t\t: 85\n"
			    "model name\t: Intel(R) Xeon(R) Gold\n"
			    "flags\t\t: fpu vmx constant_tsc nonstop_tsc lm\n"
			    "vmx flags\t: ept vpid unrestricted_guest apicv\n"
			    "bugs\t\t: spectre_v1\n\n"
			    "processor\t: 1\nvendor_id\t: Other\nflags\t: hypervisor\n\n");
	put("sys/devices/system/cpu/online", "0-15,32-47\n");
	put("sys/devices/system/node/online", "0,1\n");
	put(INTEL "ept", "Y\n");
	put(INTEL "vpid", "N\n");
	put(INTEL "enable_apicv", "1\n");
	put(INTEL "nested", "0\n");
	put("sys/module/kvm/parameters/halt_poll_ns", "200000\n");
	put("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n");
	look();
	ck_assert_str_eq(host.cpu_vendor, "GenuineIntel");
	ck_assert_str_eq(host.cpu_model, "Intel(R) Xeon(R) Gold");
	assert_known(host.cpus, 32);
	assert_known(host.numa_nodes, 2);
	ck_assert_int_eq(host.hypervisor, HOST_NO);
	ck_assert_int_eq(host.virt, HOST_VIRT_VMX);
	ck_assert_int_eq(host.nested_paging, HOST_YES);
	ck_assert_int_eq(host.tagged_tlb, HOST_NO); /* the parameter beats the flag */
	ck_assert_int_eq(host.real_mode, HOST_YES); /* the flag alone */
	ck_assert_int_eq(host.virtual_apic, HOST_YES);
	ck_assert_int_eq(host.nested, HOST_NO);
	ck_assert_int_eq(host.tsc_invariant, HOST_YES);
	ck_assert_str_eq(host.kvm_modules, "kvm_intel");
	ck_assert_str_eq(host.clocksource, "tsc");
	assert_known(host.halt_poll_ns, 200000);
}
END_TEST

START_TEST(intel_host_with_old_kernel)
{
	put("proc/cpuinfo", "flags\t: vmx ept constant_tsc\n\n");
	look();
	ck_assert_int_eq(host.nested_paging, HOST_YES);
	ck_assert_int_eq(host.tagged_tlb, HOST_UNKNOWN);
	ck_assert_int_eq(host.real_mode, HOST_UNKNOWN);
	ck_assert_int_eq(host.nested, HOST_UNKNOWN);
	ck_assert_int_eq(host.tsc_invariant, HOST_NO);
}
END_TEST

START_TEST(amd_host)
{
	put("proc/cpuinfo", "vendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC\n"
			    "flags\t\t: svm npt flushbyasid avic hypervisor\n\n");
	put(AMD "npt", "Y\n");
	put(AMD "avic", "N\n");
	put(AMD "nested", "1\n");
	look();
	ck_assert_int_eq(host.virt, HOST_VIRT_SVM);
	ck_assert_int_eq(host.hypervisor, HOST_YES);
	ck_assert_int_eq(host.nested_paging, HOST_YES);
	ck_assert_int_eq(host.tagged_tlb, HOST_YES);
	ck_assert_int_eq(host.real_mode, HOST_YES);
	ck_assert_int_eq(host.virtual_apic, HOST_NO);
	ck_assert_int_eq(host.nested, HOST_YES);
	ck_assert_str_eq(host.kvm_modules, "kvm_amd");
}
END_TEST

START_TEST(host_without_virtualization)
{
	/* "svm_lock" and "xvmx" are other words. */
	put("proc/cpuinfo", "vendor_id : GenuineIntel\nflags : fpu svm_lock xvmx lm\n\n");
	put("sys/module/kvm_pvm/parameters/force", "N\n");
	put("sys/module/kvm/parameters/halt_poll_ns", "0\n");
	look();
	ck_assert_int_eq(host.virt, HOST_VIRT_NONE);
	ck_assert_int_eq(host.nested_paging, HOST_NO);
	ck_assert_int_eq(host.tagged_tlb, HOST_NO);
	ck_assert_int_eq(host.real_mode, HOST_NO);
	ck_assert_int_eq(host.virtual_apic, HOST_NO);
	ck_assert_int_eq(host.nested, HOST_NO);
	ck_assert_str_eq(host.kvm_modules, "kvm_pvm");
	assert_known(host.halt_poll_ns, 0);
}
END_TEST

static void assert_nothing_known(void)
{
	const char *texts[] = {host.kernel,      host.cpu_vendor,  host.cpu_model,
			       host.kvm_modules, host.clocksource, host.thp,
			       host.thp_shmem,   host.cgroup2,     host.cgroup2_controllers};
	const struct host_number numbers[] = {host.cpus,
					      host.numa_nodes,
					      host.halt_poll_ns,
					      host.memory_total,
					      host.memory_available,
					      host.huge_2m.total,
					      host.huge_2m.free,
					      host.huge_1g.total,
					      host.huge_1g.free,
					      host.io_uring_disabled};
	const enum host_answer answers[] = {host.hypervisor,    host.nested_paging, host.tagged_tlb,
					    host.real_mode,     host.virtual_apic,  host.nested,
					    host.tsc_invariant, host.seccomp};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		ck_assert_str_eq(texts[i], "");
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		ck_assert(!numbers[i].known);
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
		ck_assert_int_eq(answers[i], HOST_UNKNOWN);
	ck_assert_int_eq(host.virt, HOST_VIRT_UNKNOWN);
	ck_assert_int_eq(host.tun, HOST_ACCESS_MISSING);
	ck_assert_int_eq(host.vhost_net, HOST_ACCESS_MISSING);
}

START_TEST(empty_tree)
{
	look();
	assert_nothing_known();
	rmdir(root);
	look();
	assert_nothing_known();
	mkdir(root, 0700);
}
END_TEST

START_TEST(root_too_long)
{
	char longest[PATH_MAX + 1];

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	host_read(&host, longest);
	assert_nothing_known();
}
END_TEST

START_TEST(this_host)
{
	host_read(&host, "");
	ck_assert(host.kernel[0]);
	ck_assert(host.memory_total.known);
}
END_TEST

START_TEST(memory)
{
	put("proc/meminfo", "MemTotal:       24684092 kB\nMemFree:  1 kB\n"
			    "MemAvailable:   23881688 kB\n");
	put(THP "enabled", "always [madvise] never\n");
	put(THP "shmem_enabled", "always within_size advise [never] deny force\n");
	put(POOL "2048kB/nr_hugepages", "16\n");
	put(POOL "2048kB/free_hugepages", "4\n");
	look();
	assert_known(host.memory_total, 24684092 * KiB(1));
	assert_known(host.memory_available, 23881688 * KiB(1));
	ck_assert_str_eq(host.thp, "madvise");
	ck_assert_str_eq(host.thp_shmem, "never");
	assert_known(host.huge_2m.total, 16);
	assert_known(host.huge_2m.free, 4);
	ck_assert(!host.huge_1g.total.known);
}
END_TEST

START_TEST(kernel)
{
	put("proc/sys/kernel/osrelease", "6.1.0-56-amd64\n");
	put("proc/sys/kernel/io_uring_disabled", "2\n");
	look();
	ck_assert_str_eq(host.kernel, "6.1.0-56-amd64");
	assert_known(host.io_uring_disabled, 2);
	ck_assert_int_eq(host.seccomp, HOST_NO);
	put("proc/sys/kernel/seccomp/actions_avail", "kill_process errno allow\n");
	look();
	ck_assert_int_eq(host.seccomp, HOST_YES);
}
END_TEST

START_TEST(cgroups)
{
	put("sys/fs/cgroup/unified/cgroup.controllers", "");
	look();
	ck_assert_str_eq(host.cgroup2, "/sys/fs/cgroup/unified");
	ck_assert_str_eq(host.cgroup2_controllers, "");
	put("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory\n");
	look();
	ck_assert_str_eq(host.cgroup2, "/sys/fs/cgroup");
	ck_assert_str_eq(host.cgroup2_controllers, "cpuset cpu io memory");
}
END_TEST

START_TEST(words)
{
	ck_assert(host_has_word("cpuset cpu io", "cpu"));
	ck_assert(host_has_word("cpu", "cpu"));
	ck_assert(host_has_word("cpuset cpu io", "io"));
	ck_assert(!host_has_word("cpuset io", "cpu"));
	ck_assert(!host_has_word("acpu", "cpu"));
	ck_assert(!host_has_word("", "cpu"));
}
END_TEST

START_TEST(devices)
{
	put("dev/net/tun", "");
	look();
	ck_assert_int_eq(host.tun, HOST_ACCESS_OK);
	ck_assert_int_eq(host.vhost_net, HOST_ACCESS_MISSING);
	if (geteuid() == 0)
		return; /* who may open everything */
	ck_assert_int_eq(chmod(place("dev/net/tun"), 0), 0);
	look();
	ck_assert_int_eq(host.tun, HOST_ACCESS_DENIED);
}
END_TEST

START_TEST(modules_are_sorted)
{
	put("sys/module/kvm_intel/refcnt", "0\n");
	put("sys/module/kvm_amd/refcnt", "0\n");
	put("sys/module/kvm/refcnt", "0\n");
	put("sys/module/kvmgt/refcnt", "0\n");
	put("sys/module/kvm_that_has_a_name_longer_than_any_module/refcnt", "0\n");
	look();
	ck_assert_str_eq(host.kvm_modules, "kvm_amd kvm_intel");
}
END_TEST

/* Lists of processors, and how many numbers are in them; -1: not understood. */
static const struct {
	const char *text;
	int64_t count;
} lists[] = {
	{"0\n", 1},
	{"0", 1},
	{"0-3\n", 4},
	{"0-3,8,10-11\n", 7},
	{"", -1},
	{"\n", -1},
	{"3-1\n", -1},
	{"-1\n", -1},
	{"0-99999999999999999999\n", -1},
	{"0-1048576\n", -1},
	{"0-1048575\n", 1048576},
	{"0-\n", -1},
	{"0-3,\n", -1},
};

START_TEST(processor_list)
{
	put("sys/devices/system/cpu/online", lists[_i].text);
	look();
	ck_assert_int_eq(host.cpus.known, lists[_i].count >= 0);
	if (lists[_i].count >= 0)
		ck_assert_uint_eq(host.cpus.value, (uint64_t)lists[_i].count);
}
END_TEST

START_TEST(nonsense)
{
	put("proc/cpuinfo", "flags\nmodel name\nvendor_id : \n::\n:\nflags vmx: svm\n");
	put("proc/meminfo", "MemTotal: 18446744073709551615 kB\n"
			    "MemAvailable: 99999999999999999999 kB\n");
	put(THP "enabled", "always madvise\n");
	put(THP "shmem_enabled", "] [never\n");
	put(POOL "2048kB/nr_hugepages", "many\n");
	put(POOL "2048kB/free_hugepages", "-1\n");
	put("sys/module/kvm/parameters/halt_poll_ns", "");
	look();
	ck_assert_str_eq(host.cpu_vendor, "");
	ck_assert_str_eq(host.cpu_model, "");
	ck_assert_int_eq(host.virt, HOST_VIRT_UNKNOWN);
	ck_assert_int_eq(host.nested_paging, HOST_UNKNOWN);
	ck_assert(!host.memory_total.known);
	ck_assert(!host.memory_available.known);
	ck_assert_str_eq(host.thp, "");
	ck_assert_str_eq(host.thp_shmem, "");
	ck_assert(!host.huge_2m.total.known);
	ck_assert(!host.huge_2m.free.known);
	ck_assert(!host.halt_poll_ns.known);
}
END_TEST

START_TEST(not_for_terminals)
{
	put_bytes("proc/sys/kernel/osrelease", "6\033[2J\0 hidden\n", 14);
	put("proc/cpuinfo", "model name : caf\xc3\xa9\r\t \nflags : lm\n");
	look();
	ck_assert_str_eq(host.kernel, "6?[2J");
	ck_assert_str_eq(host.cpu_model, "caf??");
}
END_TEST

START_TEST(too_much)
{
	size_t len = MiB(1);
	char *text = malloc(len);

	ck_assert_ptr_nonnull(text);
	memset(text, 'x', len);
	memcpy(text, "model name : ", 13);
	put_bytes("proc/cpuinfo", text, len);
	put_bytes("proc/sys/kernel/osrelease", text, len);
	put_bytes("sys/devices/system/cpu/online", text, len);
	free(text);
	look();
	ck_assert_uint_eq(strlen(host.cpu_model), HOST_TEXT_MAX - 1);
	ck_assert_uint_eq(strlen(host.kernel), HOST_TEXT_MAX - 1);
	ck_assert(!host.cpus.known);
}
END_TEST

START_TEST(not_files)
{
	mkdir(place("proc/cpuinfo"), 0777);
	put("proc/cpuinfo/x", "");
	ck_assert_int_eq(mkfifo(place("proc/meminfo"), 0600), 0);
	ck_assert_int_eq(symlink("osrelease", place("proc/sys/kernel/osrelease")), 0);
	put("sys/module", "");
	look();
	assert_nothing_known();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("host");
	TCase *t = tcase_create("host");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, intel_host);
	tcase_add_test(t, intel_host_with_old_kernel);
	tcase_add_test(t, amd_host);
	tcase_add_test(t, host_without_virtualization);
	tcase_add_test(t, empty_tree);
	tcase_add_test(t, root_too_long);
	tcase_add_test(t, this_host);
	tcase_add_test(t, memory);
	tcase_add_test(t, kernel);
	tcase_add_test(t, cgroups);
	tcase_add_test(t, words);
	tcase_add_test(t, devices);
	tcase_add_test(t, modules_are_sorted);
	tcase_add_loop_test(t, processor_list, 0, ARRAY_SIZE(lists));
	tcase_add_test(t, nonsense);
	tcase_add_test(t, not_for_terminals);
	tcase_add_test(t, too_much);
	tcase_add_test(t, not_files);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
