// SPDX-License-Identifier: MIT
/*
 * The table of KVM capabilities: what we need, what we use when it is there, and what its absence
 * costs. KVM API documentation, section 4.4 and the sections of the capabilities.
 */
#include "vmm/kvm.h"

#define REQUIRED(id, cap_, without_) [id] = {cap_, #cap_, true, without_}
#define OPTIONAL(id, cap_, without_) [id] = {cap_, #cap_, false, without_}

const struct kvm_cap_row kvm_cap_table[KVM_CAP_COUNT] = {
	REQUIRED(KVM_HAS_USER_MEMORY, KVM_CAP_USER_MEMORY, "no guest memory"),
	REQUIRED(KVM_HAS_IRQCHIP, KVM_CAP_IRQCHIP, "no in-kernel interrupt controllers"),
	REQUIRED(KVM_HAS_IRQ_ROUTING, KVM_CAP_IRQ_ROUTING, "no message-signalled interrupts"),
	REQUIRED(KVM_HAS_IRQFD, KVM_CAP_IRQFD, "no interrupts from the event loop"),
	REQUIRED(KVM_HAS_IOEVENTFD, KVM_CAP_IOEVENTFD, "no guest signals without an exit"),
	REQUIRED(KVM_HAS_SIGNAL_MSI, KVM_CAP_SIGNAL_MSI, "no synthetic interrupts"),
	REQUIRED(KVM_HAS_IMMEDIATE_EXIT, KVM_CAP_IMMEDIATE_EXIT, "a running VP cannot be stopped"),
	REQUIRED(KVM_HAS_EXT_CPUID, KVM_CAP_EXT_CPUID, "no CPUID for the guest"),
	REQUIRED(KVM_HAS_MP_STATE, KVM_CAP_MP_STATE, "secondary VPs cannot be reset"),
	REQUIRED(KVM_HAS_VCPU_EVENTS, KVM_CAP_VCPU_EVENTS, "pending events survive a reset"),
	OPTIONAL(KVM_HAS_USER_SPACE_MSR, KVM_CAP_X86_USER_SPACE_MSR,
		 "no Hyper-V interface served by candela (engine \"user\")"),
	OPTIONAL(KVM_HAS_MSR_FILTER, KVM_CAP_X86_MSR_FILTER,
		 "no Hyper-V interface at all: both engines need it"),
	OPTIONAL(KVM_HAS_PIT2, KVM_CAP_PIT2, "no PIT: guests must find their clock rate elsewhere"),
	OPTIONAL(KVM_HAS_SYNC_REGS, KVM_CAP_SYNC_REGS, "two more system calls a hypercall"),
	OPTIONAL(KVM_HAS_X2APIC_API, KVM_CAP_X2APIC_API, "no more than 255 VPs"),
	OPTIONAL(KVM_HAS_TSC_DEADLINE, KVM_CAP_TSC_DEADLINE_TIMER,
		 "guests calibrate and use the slower APIC timer"),
	OPTIONAL(KVM_HAS_TSC_KHZ, KVM_CAP_GET_TSC_KHZ,
		 "the TSC rate is unknown: no reference TSC page"),
	OPTIONAL(KVM_HAS_TSC_CONTROL, KVM_CAP_TSC_CONTROL,
		 "a VM's TSC rate follows the host's when it moves"),
	OPTIONAL(KVM_HAS_ADJUST_CLOCK, KVM_CAP_ADJUST_CLOCK, "KVM's clock runs on while paused"),
	OPTIONAL(KVM_HAS_IRQFD_RESAMPLE, KVM_CAP_IRQFD_RESAMPLE,
		 "level interrupts need an exit to be lowered"),
	OPTIONAL(KVM_HAS_XSAVE2, KVM_CAP_XSAVE2, "no AMX state in a saved VP"),
	OPTIONAL(KVM_HAS_XCRS, KVM_CAP_XCRS, "no extended control registers in a saved VP"),
	OPTIONAL(KVM_HAS_BINARY_STATS, KVM_CAP_BINARY_STATS_FD,
		 "KVM's own exit counters are not shown"),
	OPTIONAL(KVM_HAS_READONLY_MEM, KVM_CAP_READONLY_MEM, "firmware stands in writable memory"),
	OPTIONAL(KVM_HAS_HYPERV, KVM_CAP_HYPERV,
		 "no Hyper-V in the kernel: engine \"user\" serves"),
	OPTIONAL(KVM_HAS_HYPERV_SYNIC2, KVM_CAP_HYPERV_SYNIC2,
		 "no in-kernel SynIC: messages and timers exit to candela"),
	OPTIONAL(KVM_HAS_HYPERV_EVENTFD, KVM_CAP_HYPERV_EVENTFD,
		 "engine \"kernel\" cannot signal events without an exit"),
	OPTIONAL(KVM_HAS_HYPERV_CPUID, KVM_CAP_SYS_HYPERV_CPUID,
		 "in-kernel Hyper-V features cannot be listed"),
	OPTIONAL(KVM_HAS_HYPERV_TLBFLUSH, KVM_CAP_HYPERV_TLBFLUSH,
		 "no in-kernel TLB flush hypercalls"),
	OPTIONAL(KVM_HAS_HYPERV_SEND_IPI, KVM_CAP_HYPERV_SEND_IPI, "no in-kernel IPI hypercalls"),
	OPTIONAL(KVM_HAS_HYPERV_ENFORCE_CPUID, KVM_CAP_HYPERV_ENFORCE_CPUID,
		 "KVM serves Hyper-V features that CPUID does not announce"),
};
