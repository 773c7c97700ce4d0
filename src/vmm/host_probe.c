// SPDX-License-Identifier: MIT
/*
 * Trying what the host offers. KVM API documentation, sections 4.4, 4.56 and 4.118; TLFS 2.4 for
 * the feature bits; landlock_create_ruleset(2).
 */
#include "vmm/host_probe.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/cpu_group.h"
#include "vmm/loop.h"

/* Older kernel headers lack linux/landlock.h. */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#endif
#define LANDLOCK_VERSION_FLAG 1u

#define HV_FEATURES       0x40000003u
#define HV_ENLIGHTENMENTS 0x40000004u

enum { EAX, EBX, ECX, EDX };

const struct host_hv_feature host_hv_features[] = {
	{HV_FEATURES, EAX, 5, "hypercall"},
	{HV_FEATURES, EAX, 6, "vp_index"},
	{HV_FEATURES, EAX, 0, "vp_runtime"},
	{HV_FEATURES, EAX, 1, "reference_counter"},
	{HV_FEATURES, EAX, 9, "reference_tsc"},
	{HV_FEATURES, EAX, 15, "tsc_invariant"},
	{HV_FEATURES, EAX, 11, "frequencies"},
	{HV_FEATURES, EAX, 13, "reenlightenment"},
	{HV_FEATURES, EAX, 2, "synic"},
	{HV_FEATURES, EAX, 3, "stimers"},
	{HV_FEATURES, EDX, 19, "direct_stimers"},
	{HV_FEATURES, EBX, 4, "post_messages"},
	{HV_FEATURES, EBX, 5, "signal_events"},
	{HV_FEATURES, EBX, 20, "extended_hypercalls"},
	{HV_FEATURES, EDX, 4, "xmm_input"},
	{HV_FEATURES, EAX, 4, "apic_msrs"},
	{HV_FEATURES, EAX, 7, "reset"},
	{HV_FEATURES, EDX, 10, "crash"},
	{HV_ENLIGHTENMENTS, EAX, 2, "tlb_flush"},
	{HV_ENLIGHTENMENTS, EAX, 10, "ipi"},
	{HV_ENLIGHTENMENTS, EAX, 11, "ex_processor_masks"},
	{HV_ENLIGHTENMENTS, EAX, 14, "enlightened_vmcs"},
};
const size_t host_hv_feature_count = ARRAY_SIZE(host_hv_features);

bool host_hv_has(const struct host_probe *probe, const struct host_hv_feature *feature)
{
	for (uint32_t i = 0; i < probe->hv_leaves; i++) {
		const struct kvm_cpuid_entry2 *e = &probe->hv[i];
		const uint32_t regs[] = {e->eax, e->ebx, e->ecx, e->edx};

		if (e->function == feature->leaf)
			return regs[feature->reg] >> feature->bit & 1;
	}
	return false;
}

const struct error *host_obstacle(const struct host_probe *probe)
{
	if (probe->kvm_state != HOST_KVM_OK)
		return &probe->kvm_error;
	return probe->io_uring ? NULL : &probe->io_uring_error;
}

enum host_engine host_engine(const struct kvm *kvm)
{
	/* Both engines have some MSRs come to us, and all others not. */
	if (!kvm_has(kvm, KVM_HAS_USER_SPACE_MSR) || !kvm_has(kvm, KVM_HAS_MSR_FILTER))
		return HOST_ENGINE_NONE;
	if (kvm_has(kvm, KVM_HAS_HYPERV) && kvm_has(kvm, KVM_HAS_HYPERV_SYNIC2) &&
	    kvm_has(kvm, KVM_HAS_HYPERV_EVENTFD) && kvm_has(kvm, KVM_HAS_HYPERV_CPUID))
		return HOST_ENGINE_KERNEL;
	return HOST_ENGINE_USER;
}

bool host_software_kvm(const struct host *host, const struct host_probe *probe)
{
	return probe->kvm_opened && host->virt == HOST_VIRT_NONE;
}

/* KVM_GET_SUPPORTED_HV_CPUID on /dev/kvm or, as older kernels have it, on a vCPU. */
static bool read_hv_leaves(struct host_probe *probe, int fd)
{
	struct {
		struct kvm_cpuid2 header;
		struct kvm_cpuid_entry2 entries[HOST_HV_LEAVES_MAX];
	} table = {.header.nent = HOST_HV_LEAVES_MAX};

	if (ioctl(fd, KVM_GET_SUPPORTED_HV_CPUID, &table) < 0)
		return false;
	probe->hv_leaves = min_of(table.header.nent, (uint32_t)HOST_HV_LEAVES_MAX);
	memcpy(probe->hv, table.entries, probe->hv_leaves * sizeof(probe->hv[0]));
	return true;
}

static void try_vcpu(struct host_probe *probe, const struct kvm *kvm, bool want_hv)
{
	int khz, vcpu = ioctl(kvm->vm_fd, KVM_CREATE_VCPU, 0);

	if (vcpu < 0) {
		probe->kvm_state = HOST_KVM_BROKEN;
		error_errno(&probe->kvm_error, -errno, "KVM_CREATE_VCPU");
		return;
	}
	khz = ioctl(vcpu, KVM_GET_TSC_KHZ, 0);
	if (khz > 0)
		probe->tsc_khz = (uint64_t)khz;
	if (want_hv)
		(void)read_hv_leaves(probe, vcpu);
	close(vcpu);
}

static enum host_kvm_state state_of(int code)
{
	switch (code) {
	case -ENOENT:
		return HOST_KVM_MISSING;
	case -EACCES:
		return HOST_KVM_NO_PERMISSION;
	case -ENOTSUP:
		return HOST_KVM_INCAPABLE;
	default:
		return HOST_KVM_BROKEN;
	}
}

static void probe_kvm(struct host_probe *probe)
{
	struct kvm kvm;
	bool have_hv;
	int r = kvm_probe(&kvm, &probe->kvm_error);

	if (r < 0) {
		probe->kvm_state = state_of(r);
		return;
	}
	probe->kvm_opened = true;
	probe->api_version = ioctl(kvm.fd, KVM_GET_API_VERSION, 0);
	r = ioctl(kvm.fd, KVM_CHECK_EXTENSION, KVM_CAP_NR_VCPUS);
	probe->usual_vcpus = r > 0 ? (unsigned int)r : 0;
	have_hv = read_hv_leaves(probe, kvm.fd);
	probe->kvm = kvm;
	probe->kvm.fd = probe->kvm.vm_fd = -1;
	kvm_close(&kvm);

	/* Once more as a VM does it, for the same judgement in the same words. */
	r = kvm_open(&kvm, &probe->kvm_error);
	if (r < 0) {
		probe->kvm_state = state_of(r);
		return;
	}
	if (kvm_create_vm(&kvm, &probe->kvm_error) < 0)
		probe->kvm_state = HOST_KVM_BROKEN;
	else
		try_vcpu(probe, &kvm, !have_hv);
	kvm_close(&kvm);
}

static void probe_io_uring(struct host_probe *probe)
{
	struct loop *loop;

	if (loop_create(0, &probe->io_uring_error, &loop) < 0)
		return;
	probe->io_uring = true;
	probe->io_uring_restricted = loop_is_restricted(loop);
	loop_destroy(loop);
}

/* One byte of RAM, not too low: is it a huge page that the host takes for it? */
static void probe_ram(struct host_probe *probe)
{
	const struct mem_config config = {.size = MiB(16), .huge = MEM_HUGE_TRANSPARENT};
	struct error err;
	struct mem *mem;
	struct stat st;

	if (mem_create(&config, &err, &mem) < 0)
		return;
	probe->ram_huge = mem_fill(mem, MiB(8), 1, 1) == 0 && fstat(mem_fd(mem), &st) == 0 &&
			  (uint64_t)st.st_blocks * 512 == MiB(2);
	mem_destroy(mem);
}

void host_probe(struct host_probe *probe)
{
	long abi;

	*probe = (struct host_probe){.kvm = {.fd = -1, .vm_fd = -1}};
	probe_kvm(probe);
	probe_ram(probe);
	probe_io_uring(probe);
	abi = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, LANDLOCK_VERSION_FLAG);
	probe->landlock_abi = abi > 0 ? (int)abi : 0;
	probe->cpu_groups = cpu_fleet_probe("", &probe->cpu_groups_error) == 0;
}
