// SPDX-License-Identifier: MIT
/* What is said about made-up hosts: one that has it all, one by software, one without KVM. */
#include <check.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "candela/host_report.h"

static struct host host;
static struct host_probe probe;
static char *text;
static size_t text_len;
static struct json_object *root;

static void number(struct host_number *to, uint64_t value)
{
	*to = (struct host_number){.known = true, .value = value};
}

/* A host of which there is nothing to complain. */
static void setup(void)
{
	host = (struct host){
		.kernel = "6.12.0",
		.cpu_vendor = "GenuineIntel",
		.cpu_model = "Xeon",
		.hypervisor = HOST_NO,
		.virt = HOST_VIRT_VMX,
		.nested_paging = HOST_YES,
		.tagged_tlb = HOST_YES,
		.real_mode = HOST_YES,
		.virtual_apic = HOST_YES,
		.nested = HOST_YES,
		.kvm_modules = "kvm_intel",
		.tsc_invariant = HOST_YES,
		.clocksource = "tsc",
		.thp = "madvise",
		.thp_shmem = "advise",
		.seccomp = HOST_YES,
		.cgroup2 = "/sys/fs/cgroup",
		.cgroup2_controllers = "cpu memory",
		.tun = HOST_ACCESS_OK,
	};
	number(&host.cpus, 64);
	number(&host.memory_total, GiB(256));
	number(&host.huge_2m.total, 16);
	number(&host.huge_1g.total, 4);
	probe = (struct host_probe){
		.kvm_opened = true,
		.api_version = 12,
		.tsc_khz = 2300000,
		.kvm.max_vcpus = 1024,
		.hv_leaves = 1,
		.hv = {{.function = 0x40000003, .eax = 1u << 2 | 1u << 3}},
		.ram_huge = true,
		.io_uring = true,
		.io_uring_restricted = true,
		.landlock_abi = 4,
		.cpu_groups = true,
	};
	for (size_t i = 0; i < KVM_CAP_COUNT; i++)
		probe.kvm.caps[i] = 1;
}

static void teardown(void)
{
	json_object_put(root);
	free(text);
}

static const char *say(enum report_form form)
{
	struct report *report;
	FILE *out;

	free(text);
	text = NULL;
	out = open_memstream(&text, &text_len);
	ck_assert_ptr_nonnull(out);
	report = report_create(form, out);
	ck_assert_ptr_nonnull(report);
	host_report(report, &host, &probe);
	ck_assert(report_destroy(report));
	fclose(out);
	return text;
}

static void say_json(void)
{
	json_object_put(root);
	root = json_tokener_parse(say(REPORT_JSON));
	ck_assert_ptr_nonnull(root);
}

/* A row as JSON text; "null" when it is unknown. */
static const char *value(const char *group, const char *key)
{
	struct json_object *object;

	if (!json_object_object_get_ex(root, group, &object) ||
	    !json_object_object_get_ex(object, key, &object))
		ck_abort_msg("no %s.%s in %s", group, key, text);
	return json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);
}

/* The cost of a row; NULL when it has none. *fatal tells whether it is the end of it. */
static const char *cost(const char *group, const char *key, bool *fatal)
{
	struct json_object *missing = json_object_object_get(root, "missing");

	for (size_t i = 0; i < json_object_array_length(missing); i++) {
		struct json_object *o = json_object_array_get_idx(missing, i);

		if (strcmp(json_object_get_string(json_object_object_get(o, "group")), group) ||
		    strcmp(json_object_get_string(json_object_object_get(o, "key")), key))
			continue;
		*fatal = json_object_get_boolean(json_object_object_get(o, "fatal"));
		return json_object_get_string(json_object_object_get(o, "cost"));
	}
	return NULL;
}

static size_t cost_count(void)
{
	return json_object_array_length(json_object_object_get(root, "missing"));
}

static void assert_cost(const char *group, const char *key, const char *part)
{
	bool fatal = true;
	const char *found = cost(group, key, &fatal);

	if (!found || !strstr(found, part))
		ck_abort_msg("%s.%s: \"%s\" is not about \"%s\"", group, key, found, part);
	ck_assert(!fatal);
}

static void assert_fatal(const char *group, const char *key, const char *whole)
{
	bool fatal = false;
	const char *found = cost(group, key, &fatal);

	ck_assert_ptr_nonnull(found);
	ck_assert_str_eq(found, whole);
	ck_assert(fatal);
}

START_TEST(good_host)
{
	say_json();
	ck_assert_uint_eq(cost_count(), 0);
	ck_assert_str_eq(value("kvm", "device"), "\"ok\"");
	ck_assert_str_eq(value("kvm", "max_vcpus"), "1024");
	ck_assert_str_eq(value("kvm", "modules"), "[\"kvm_intel\"]");
	ck_assert_str_eq(value("capabilities", "KVM_CAP_HYPERV"), "1");
	ck_assert_str_eq(value("cpu", "virtualization"), "\"VT-x\"");
	ck_assert_str_eq(value("cpu", "nested_paging"), "true");
	ck_assert_str_eq(value("cpu", "online"), "64");
	ck_assert_str_eq(value("cpu", "numa_nodes"), "null");
	ck_assert_str_eq(value("clock", "tsc_khz"), "2300000");
	ck_assert_str_eq(value("memory", "total_bytes"), "274877906944");
	ck_assert_str_eq(value("hyperv", "features"), "[\"synic\",\"stimers\"]");
	ck_assert_str_eq(value("engines", "user_usable"), "true");
	ck_assert_str_eq(value("engines", "user_lacks"), "[\"tlb-flush\",\"eoi-assist\"]");
	/* Without the leaf of recommendations KVM's own interface is none. */
	ck_assert_str_eq(value("engines", "kernel_usable"), "false");
	ck_assert_str_eq(value("engines", "kernel_serves"), "[]");
	ck_assert_str_eq(value("conclusion", "runs_vms"), "true");
	ck_assert_str_eq(value("conclusion", "engine"), "\"kernel\"");
	ck_assert_str_eq(value("conclusion", "software_kvm"), "false");
	say(REPORT_TEXT);
	ck_assert_ptr_nonnull(strstr(text, "  nested paging (EPT)            yes\n"));
	ck_assert_ptr_nonnull(strstr(text, "  total                          256 GiB\n"));
	ck_assert_ptr_nonnull(strstr(text, "  can run VMs                    yes\n"));
	ck_assert_ptr_null(strstr(text, "FATAL"));
}
END_TEST

START_TEST(kernel_engine)
{
	probe.hv_leaves = 2;
	probe.hv[0].edx = 1u << 19;
	probe.hv[1] = (struct kvm_cpuid_entry2){.function = 0x40000004, .eax = 1u << 2 | 1u << 11};
	probe.hv[0].ebx = 1u << 4 | 1u << 5;
	say_json();
	ck_assert_str_eq(value("engines", "kernel_usable"), "true");
	ck_assert_str_eq(value("engines", "kernel_serves"),
			 "[\"synic\",\"stimers\",\"direct-stimers\",\"reset\",\"idle\",\"crash\","
			 "\"relaxed\",\"spinlocks\",\"tlb-flush\",\"no-auto-eoi\"]");
	ck_assert_str_eq(value("engines", "kernel_lacks"),
			 "[\"runtime\",\"reference-time\",\"frequencies\",\"apic\",\"ipi\","
			 "\"vp-registers\",\"xmm-input\",\"extended-calls\",\"sint-polling\","
			 "\"eoi-assist\"]");
}
END_TEST

START_TEST(amd_host)
{
	host.virt = HOST_VIRT_SVM;
	host.virtual_apic = HOST_NO;
	host.nested = HOST_NO;
	say_json();
	assert_cost("cpu", "virtual_apic", "exits");
	assert_cost("kvm", "nested", "guests");
	ck_assert_uint_eq(cost_count(), 2);
	ck_assert_ptr_nonnull(strstr(say(REPORT_TEXT), "  virtual APIC (AVIC)            no "));
}
END_TEST

START_TEST(capability_missing)
{
	const struct kvm_cap_row *required = &kvm_cap_table[KVM_HAS_IRQFD];

	probe.kvm.caps[KVM_HAS_IRQFD] = 0;
	probe.kvm.caps[KVM_HAS_PIT2] = -1; /* the question failed */
	probe.kvm_state = HOST_KVM_INCAPABLE;
	error_set(&probe.kvm_error, -1, "capability missing: it");
	say_json();
	ck_assert_str_eq(value("capabilities", required->name), "0");
	ck_assert_str_eq(value("capabilities", "KVM_CAP_PIT2"), "0");
	assert_fatal("capabilities", required->name, required->without);
	assert_cost("capabilities", "KVM_CAP_PIT2", kvm_cap_table[KVM_HAS_PIT2].without);
	assert_fatal("kvm", "device", "capability missing: it");
	assert_fatal("conclusion", "runs_vms", "capability missing: it");
	ck_assert_str_eq(value("kvm", "device"), "\"incapable\"");
	ck_assert_str_eq(value("conclusion", "runs_vms"), "false");
	ck_assert_ptr_nonnull(
		strstr(say(REPORT_TEXT),
		       "  KVM_CAP_IRQFD                  no          FATAL: no interrupts from "));
}
END_TEST

START_TEST(software_kvm)
{
	host.virt = HOST_VIRT_NONE;
	host.nested = HOST_NO;
	probe.kvm.caps[KVM_HAS_HYPERV] = 0;
	say_json();
	ck_assert_str_eq(value("cpu", "virtualization"), "\"none\"");
	ck_assert_str_eq(value("conclusion", "engine"), "\"user\"");
	ck_assert_str_eq(value("conclusion", "software_kvm"), "true");
	assert_cost("cpu", "virtualization", "software");
	assert_cost("conclusion", "software_kvm", "stock Linux kernels may not boot");
	assert_cost("capabilities", "KVM_CAP_HYPERV", "engine \"user\"");
	ck_assert_uint_eq(cost_count(), 3);
}
END_TEST

START_TEST(no_engine)
{
	probe.kvm.caps[KVM_HAS_MSR_FILTER] = 0;
	say_json();
	ck_assert_str_eq(value("conclusion", "engine"), "\"none\"");
	assert_cost("conclusion", "engine", "no Hyper-V");
}
END_TEST

START_TEST(no_kvm)
{
	host = (struct host){.virt = HOST_VIRT_NONE};
	probe = (struct host_probe){.kvm_state = HOST_KVM_MISSING, .io_uring = true};
	error_set(&probe.kvm_error, -1, "/dev/kvm: missing: do this");
	say_json();
	ck_assert_str_eq(value("kvm", "device"), "\"missing\"");
	ck_assert_str_eq(value("kvm", "api_version"), "null");
	ck_assert_str_eq(value("conclusion", "engine"), "null");
	ck_assert_str_eq(value("conclusion", "software_kvm"), "null");
	ck_assert(!json_object_object_get_ex(root, "capabilities", NULL));
	assert_fatal("kvm", "device", "/dev/kvm: missing: do this");
	assert_fatal("conclusion", "runs_vms", "/dev/kvm: missing: do this");
	assert_cost("cpu", "virtualization", "firmware");
}
END_TEST

START_TEST(no_permission)
{
	host.virt = HOST_VIRT_NONE;
	probe = (struct host_probe){.kvm_state = HOST_KVM_NO_PERMISSION, .io_uring = true};
	say_json();
	ck_assert_str_eq(value("kvm", "device"), "\"denied\"");
	/* There is a KVM, so nothing is known to be wrong with the processor. */
	ck_assert_ptr_null(cost("cpu", "virtualization", &(bool){false}));
}
END_TEST

START_TEST(no_io_uring)
{
	probe.io_uring = false;
	error_set(&probe.io_uring_error, -1, "cannot set up io_uring");
	say_json();
	assert_fatal("system", "io_uring", "cannot set up io_uring");
	assert_fatal("conclusion", "runs_vms", "cannot set up io_uring");
	ck_assert_uint_eq(cost_count(), 2);
}
END_TEST

START_TEST(poor_system)
{
	host.tsc_invariant = HOST_NO;
	strcpy(host.clocksource, "hpet");
	probe.ram_huge = false;
	number(&host.huge_2m.total, 0);
	host.huge_1g.total.known = false; /* no such pages: nothing to be done */
	host.seccomp = HOST_NO;
	probe.landlock_abi = 0;
	probe.cpu_groups = false;
	error_set(&probe.cpu_groups_error, -ENOTSUP, "the cpu controller is not there");
	probe.io_uring_restricted = false;
	host.cgroup2[0] = '\0';
	host.tun = HOST_ACCESS_DENIED;
	say_json();
	assert_cost("clock", "invariant_tsc", "drift");
	assert_cost("clock", "clocksource", "reference TSC");
	assert_cost("memory", "transparent_huge_pages_ram", "shmem_enabled");
	assert_cost("memory", "huge_2m_total", "nr_hugepages");
	assert_cost("system", "seccomp", "system calls");
	assert_cost("system", "landlock_abi", "files");
	assert_cost("system", "cpu_groups", "the cpu controller is not there");
	assert_cost("system", "io_uring_restrictions", "rings");
	assert_cost("system", "cgroup2", "limits");
	assert_cost("system", "tun", "TAP");
	ck_assert_uint_eq(cost_count(), 10);
	ck_assert_str_eq(value("system", "cgroup2_controllers"), "null");
}
END_TEST

START_TEST(cgroup_controllers)
{
	strcpy(host.cgroup2_controllers, "cpuset memory");
	say_json();
	assert_cost("system", "cgroup2_controllers", "without cpu,");
	strcpy(host.cgroup2_controllers, "cpuset cpu");
	say_json();
	assert_cost("system", "cgroup2_controllers", "without memory,");
	strcpy(host.cgroup2_controllers, "");
	say_json();
	assert_cost("system", "cgroup2_controllers", "without cpu and memory,");
}
END_TEST

START_TEST(nothing_known)
{
	host = (struct host){0};
	probe = (struct host_probe){.kvm_state = HOST_KVM_BROKEN, .io_uring = true};
	say_json();
	ck_assert_str_eq(value("cpu", "virtualization"), "null");
	ck_assert_str_eq(value("clock", "invariant_tsc"), "null");
	say(REPORT_TEXT);
	ck_assert_ptr_nonnull(strstr(text, "  invariant TSC                  unknown\n"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("host_report");
	TCase *t = tcase_create("host_report");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, good_host);
	tcase_add_test(t, kernel_engine);
	tcase_add_test(t, amd_host);
	tcase_add_test(t, capability_missing);
	tcase_add_test(t, software_kvm);
	tcase_add_test(t, no_engine);
	tcase_add_test(t, no_kvm);
	tcase_add_test(t, no_permission);
	tcase_add_test(t, no_io_uring);
	tcase_add_test(t, poor_system);
	tcase_add_test(t, cgroup_controllers);
	tcase_add_test(t, nothing_known);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
