// SPDX-License-Identifier: MIT
/*
 * What follows from the facts that were probed. Probing itself needs no KVM to be tested here: on a
 * host without it there is just another answer.
 */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/host_probe.h"

static const struct host_hv_feature *feature(const char *name)
{
	for (size_t i = 0; i < host_hv_feature_count; i++)
		if (strcmp(host_hv_features[i].name, name) == 0)
			return &host_hv_features[i];
	ck_abort_msg("no feature %s", name);
	return NULL;
}

START_TEST(features)
{
	struct host_probe probe = {
		.hv_leaves = 3,
		.hv = {{.function = 0x40000000, .eax = ~0u, .ebx = ~0u, .ecx = ~0u, .edx = ~0u},
		       {.function = 0x40000003, .eax = 1u << 2, .edx = 1u << 19},
		       {.function = 0x40000004, .eax = 1u << 10}},
	};

	ck_assert(host_hv_has(&probe, feature("synic")));
	ck_assert(host_hv_has(&probe, feature("direct_stimers")));
	ck_assert(host_hv_has(&probe, feature("ipi")));
	ck_assert(!host_hv_has(&probe, feature("stimers")));
	ck_assert(!host_hv_has(&probe, feature("crash")));
	ck_assert(!host_hv_has(&probe, feature("tlb_flush")));
	probe.hv_leaves = 2;
	ck_assert(!host_hv_has(&probe, feature("ipi")));
	probe.hv_leaves = 0;
	ck_assert(!host_hv_has(&probe, feature("synic")));
}
END_TEST

/* Names are a machine's keys, and words of a list. */
START_TEST(feature_rows)
{
	for (size_t i = 0; i < host_hv_feature_count; i++) {
		const struct host_hv_feature *f = &host_hv_features[i];

		ck_assert_ptr_null(strchr(f->name, ' '));
		ck_assert_uint_lt(f->reg, 4);
		ck_assert_uint_lt(f->bit, 32);
		ck_assert_ptr_eq(feature(f->name), f);
		for (size_t j = 0; j < i; j++)
			ck_assert(f->leaf != host_hv_features[j].leaf ||
				  f->reg != host_hv_features[j].reg ||
				  f->bit != host_hv_features[j].bit);
	}
}
END_TEST

START_TEST(engine)
{
	static const enum kvm_cap_id both[] = {KVM_HAS_USER_SPACE_MSR, KVM_HAS_MSR_FILTER};
	static const enum kvm_cap_id kernel[] = {KVM_HAS_HYPERV, KVM_HAS_HYPERV_SYNIC2,
						 KVM_HAS_HYPERV_EVENTFD, KVM_HAS_HYPERV_CPUID};
	struct kvm kvm = {.fd = -1, .vm_fd = -1};

	ck_assert_int_eq(host_engine(&kvm), HOST_ENGINE_NONE);
	for (size_t i = 0; i < ARRAY_SIZE(both); i++)
		kvm.caps[both[i]] = 1;
	ck_assert_int_eq(host_engine(&kvm), HOST_ENGINE_USER);
	for (size_t i = 0; i < ARRAY_SIZE(kernel); i++)
		kvm.caps[kernel[i]] = 1;
	ck_assert_int_eq(host_engine(&kvm), HOST_ENGINE_KERNEL);
	for (size_t i = 0; i < ARRAY_SIZE(kernel); i++) {
		kvm.caps[kernel[i]] = 0;
		ck_assert_int_eq(host_engine(&kvm), HOST_ENGINE_USER);
		kvm.caps[kernel[i]] = 1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		kvm.caps[both[i]] = -1; /* KVM_CHECK_EXTENSION may fail */
		ck_assert_int_eq(host_engine(&kvm), HOST_ENGINE_NONE);
		kvm.caps[both[i]] = 1;
	}
}
END_TEST

START_TEST(software_kvm)
{
	struct host_probe probe = {.kvm_opened = true};
	struct host host = {.virt = HOST_VIRT_NONE};

	ck_assert(host_software_kvm(&host, &probe));
	host.virt = HOST_VIRT_UNKNOWN;
	ck_assert(!host_software_kvm(&host, &probe));
	host.virt = HOST_VIRT_SVM;
	ck_assert(!host_software_kvm(&host, &probe));
	host.virt = HOST_VIRT_NONE;
	probe.kvm_opened = false;
	ck_assert(!host_software_kvm(&host, &probe));
}
END_TEST

START_TEST(obstacles)
{
	struct host_probe probe = {.kvm_state = HOST_KVM_OK, .io_uring = true};

	ck_assert_ptr_null(host_obstacle(&probe));
	probe.io_uring = false;
	ck_assert_ptr_eq(host_obstacle(&probe), &probe.io_uring_error);
	probe.kvm_state = HOST_KVM_MISSING;
	ck_assert_ptr_eq(host_obstacle(&probe), &probe.kvm_error);
}
END_TEST

static unsigned int open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int count = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

START_TEST(probing)
{
	unsigned int before = open_files();
	struct host_probe probe;
	struct error err;
	struct kvm kvm;
	int r;

	memset(&probe, 0xa5, sizeof(probe));
	host_probe(&probe);
	ck_assert_uint_eq(open_files(), before);
	ck_assert_int_eq(probe.kvm.fd, -1);
	ck_assert_int_eq(probe.kvm.vm_fd, -1);
	ck_assert_uint_le(probe.hv_leaves, HOST_HV_LEAVES_MAX);

	/* The same judgement as for a VM, in the same words. */
	r = kvm_open(&kvm, &err);
	if (r == 0) {
		ck_assert(probe.kvm_opened);
		ck_assert_int_eq(probe.api_version, KVM_API_VERSION);
		kvm_close(&kvm);
	} else {
		ck_assert_int_ne(probe.kvm_state, HOST_KVM_OK);
		ck_assert_int_eq(probe.kvm_state == HOST_KVM_MISSING, r == -ENOENT);
		ck_assert_int_eq(probe.kvm_state == HOST_KVM_NO_PERMISSION, r == -EACCES);
		ck_assert_int_eq(probe.kvm_state == HOST_KVM_INCAPABLE, r == -ENOTSUP);
		ck_assert_str_eq(probe.kvm_error.text, err.text);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("host_probe");
	TCase *t = tcase_create("host_probe");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, features);
	tcase_add_test(t, feature_rows);
	tcase_add_test(t, engine);
	tcase_add_test(t, software_kvm);
	tcase_add_test(t, obstacles);
	tcase_add_test(t, probing);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
