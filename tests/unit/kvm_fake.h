// SPDX-License-Identifier: MIT
/*
 * KVM as a test sees it: ioctl() is defined here, so that what the code under test asks of KVM is
 * answered from one struct and recorded there. Descriptors from KVM_FAKE on are KVM's; all others
 * go to the kernel. For one file of a test program; single-threaded but for recording interrupts.
 */
#pragma once

#include <errno.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/base.h"

#define KVM_FAKE     100000
#define KVM_FAKE_VM  (KVM_FAKE + 1)
#define KVM_FAKE_CPU (KVM_FAKE + 100) /* and its index */

#define KVM_FAKE_CPUS  8
#define KVM_FAKE_SLOTS 64
#define KVM_FAKE_LOG   256 /* later entries overwrite earlier ones */

struct kvm_fake_cpu {
	struct kvm_lapic_state lapic;
	struct kvm_sregs sregs;
	struct kvm_fpu fpu;
	struct kvm_regs regs;
	struct kvm_mp_state mp_state;
	struct kvm_vcpu_events events;
};

struct kvm_fake {
	struct kvm_fake_cpu cpus[KVM_FAKE_CPUS];
	/* Messages sent, MSRs set from outside. */
	struct kvm_msi msis[KVM_FAKE_LOG];
	_Atomic unsigned int msi_count;
	struct kvm_msr_entry msrs[KVM_FAKE_LOG];
	unsigned int msr_count;
	struct kvm_userspace_memory_region slots[KVM_FAKE_SLOTS];
	struct kvm_ioeventfd doorbell; /* the last one added or removed */
	unsigned int doorbells;        /* that exist */
	long tsc_khz;                  /* what KVM_GET_TSC_KHZ says */
	int64_t tsc_delta;             /* guest - host */
	struct kvm_cpuid2 *cpuid;      /* what is supported */
	struct kvm_cpuid2 *hv_cpuid;   /* and of KVM's own Hyper-V; NULL: it has none */
	unsigned long fails;           /* this request fails, */
	unsigned int fails_after;      /* after so many times */
	int fails_with;
	bool msr_refused; /* KVM_SET_MSRS sets none */
};

extern struct kvm_fake kvm_fake;
struct kvm_fake kvm_fake;

static inline int kvm_fake_error(int error)
{
	errno = error;
	return -1;
}

/* The rules of KVM's memory slots, as far as they can be broken. */
static inline int kvm_fake_set_slot(const struct kvm_userspace_memory_region *new)
{
	if (new->slot >= KVM_FAKE_SLOTS || (new->guest_phys_addr | new->memory_size) % PAGE_SIZE ||
	    new->guest_phys_addr >> 52)
		return kvm_fake_error(EINVAL);
	if (!new->memory_size && !kvm_fake.slots[new->slot].memory_size)
		return kvm_fake_error(EINVAL);
	for (size_t i = 0; i < KVM_FAKE_SLOTS; i++) {
		const struct kvm_userspace_memory_region *s = &kvm_fake.slots[i];

		if (i == new->slot || !s->memory_size)
			continue;
		if (new->guest_phys_addr < s->guest_phys_addr + s->memory_size &&
		    s->guest_phys_addr < new->guest_phys_addr + new->memory_size)
			return kvm_fake_error(EEXIST);
	}
	/* A slot's memory cannot be exchanged in place. */
	if (new->memory_size && kvm_fake.slots[new->slot].memory_size &&new->userspace_addr !=
					kvm_fake.slots[new->slot].userspace_addr)
		return kvm_fake_error(EINVAL);
	kvm_fake.slots[new->slot] = *new;
	return 0;
}

static inline int kvm_fake_cpuid(const struct kvm_cpuid2 *have, struct kvm_cpuid2 *cpuid)
{
	if (!have)
		return kvm_fake_error(ENOTTY);
	if (cpuid->nent < have->nent)
		return kvm_fake_error(E2BIG);
	memcpy(cpuid, have, sizeof(*cpuid) + have->nent * sizeof(cpuid->entries[0]));
	return 0;
}

static inline int kvm_fake_vm(unsigned long request, void *arg)
{
	switch (request) {
	case KVM_ENABLE_CAP:
	case KVM_X86_SET_MSR_FILTER:
		return 0;
	case KVM_SIGNAL_MSI:
		kvm_fake.msis[atomic_fetch_add(&kvm_fake.msi_count, 1) % KVM_FAKE_LOG] =
			*(const struct kvm_msi *)arg;
		return 1;
	case KVM_IOEVENTFD:
		kvm_fake.doorbell = *(const struct kvm_ioeventfd *)arg;
		if (kvm_fake.doorbell.flags & KVM_IOEVENTFD_FLAG_DEASSIGN)
			kvm_fake.doorbells--;
		else
			kvm_fake.doorbells++;
		return 0;
	case KVM_SET_USER_MEMORY_REGION:
		return kvm_fake_set_slot(arg);
	case KVM_GET_SUPPORTED_CPUID:
		return kvm_fake_cpuid(kvm_fake.cpuid, arg);
	case KVM_GET_SUPPORTED_HV_CPUID:
		return kvm_fake_cpuid(kvm_fake.hv_cpuid, arg);
	default:
		return kvm_fake_error(ENOTTY);
	}
}

static inline int kvm_fake_vcpu(struct kvm_fake_cpu *cpu, unsigned long request, void *arg)
{
	struct kvm_msrs *msrs = arg;

	switch (request) {
	case KVM_ENABLE_CAP:
		return 0;
	case KVM_GET_VCPU_EVENTS:
		*(struct kvm_vcpu_events *)arg = cpu->events;
		return 0;
	case KVM_SET_VCPU_EVENTS:
		cpu->events = *(const struct kvm_vcpu_events *)arg;
		return 0;
	case KVM_GET_LAPIC:
		*(struct kvm_lapic_state *)arg = cpu->lapic;
		return 0;
	case KVM_SET_LAPIC:
		cpu->lapic = *(const struct kvm_lapic_state *)arg;
		return 0;
	case KVM_GET_SREGS:
		*(struct kvm_sregs *)arg = cpu->sregs;
		return 0;
	case KVM_SET_SREGS:
		cpu->sregs = *(const struct kvm_sregs *)arg;
		return 0;
	case KVM_GET_REGS:
		*(struct kvm_regs *)arg = cpu->regs;
		return 0;
	case KVM_SET_REGS:
		cpu->regs = *(const struct kvm_regs *)arg;
		return 0;
	case KVM_GET_FPU:
		*(struct kvm_fpu *)arg = cpu->fpu;
		return 0;
	case KVM_SET_MP_STATE:
		cpu->mp_state = *(const struct kvm_mp_state *)arg;
		return 0;
	case KVM_GET_TSC_KHZ:
		return kvm_fake.tsc_khz < 0 ? kvm_fake_error(EIO) : (int)kvm_fake.tsc_khz;
	case KVM_GET_MSRS:
		msrs->entries[0].data = __builtin_ia32_rdtsc() + (uint64_t)kvm_fake.tsc_delta;
		return 1;
	case KVM_SET_MSRS:
		if (kvm_fake.msr_refused)
			return 0;
		kvm_fake.msrs[kvm_fake.msr_count++ % KVM_FAKE_LOG] = msrs->entries[0];
		return 1;
	default:
		return kvm_fake_error(ENOTTY);
	}
}

/* The C library's, for the code under test. */
int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (fd < KVM_FAKE)
		return (int)syscall(SYS_ioctl, fd, request, arg);
	if (request == kvm_fake.fails && !kvm_fake.fails_after--)
		return kvm_fake_error(kvm_fake.fails_with);
	if (fd < KVM_FAKE_CPU)
		return kvm_fake_vm(request, arg);
	return kvm_fake_vcpu(&kvm_fake.cpus[fd - KVM_FAKE_CPU], request, arg);
}
