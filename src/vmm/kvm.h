// SPDX-License-Identifier: MIT
/*
 * /dev/kvm: what it can do, and one VM on it.
 *
 * The capability table says which features the program needs and which it merely uses, and what is
 * lost without each; `candela host` prints it, kvm_open() fails naming the first one missing.
 */
#pragma once

#include <linux/kvm.h>

#include "vmm/error.h"
#include "vmm/mem.h"

/* One row each in the table in kvm_caps.c; the order is the order of printing. */
enum kvm_cap_id {
	KVM_HAS_USER_MEMORY,
	KVM_HAS_IRQCHIP,
	KVM_HAS_IRQ_ROUTING,
	KVM_HAS_IRQFD,
	KVM_HAS_IOEVENTFD,
	KVM_HAS_SIGNAL_MSI,
	KVM_HAS_IMMEDIATE_EXIT,
	KVM_HAS_EXT_CPUID,
	KVM_HAS_MP_STATE,
	KVM_HAS_VCPU_EVENTS,
	KVM_HAS_USER_SPACE_MSR,
	KVM_HAS_MSR_FILTER,
	KVM_HAS_PIT2,
	KVM_HAS_SYNC_REGS,
	KVM_HAS_X2APIC_API,
	KVM_HAS_TSC_DEADLINE,
	KVM_HAS_TSC_KHZ,
	KVM_HAS_TSC_CONTROL,
	KVM_HAS_ADJUST_CLOCK,
	KVM_HAS_IRQFD_RESAMPLE,
	KVM_HAS_XSAVE2,
	KVM_HAS_XCRS,
	KVM_HAS_BINARY_STATS,
	KVM_HAS_READONLY_MEM,
	KVM_HAS_HYPERV,
	KVM_HAS_HYPERV_SYNIC2,
	KVM_HAS_HYPERV_EVENTFD,
	KVM_HAS_HYPERV_CPUID,
	KVM_HAS_HYPERV_TLBFLUSH,
	KVM_HAS_HYPERV_SEND_IPI,
	KVM_HAS_HYPERV_ENFORCE_CPUID,
	KVM_CAP_COUNT
};

struct kvm_cap_row {
	int cap;
	const char *name;
	bool required;
	const char *without; /* what is lost when the host lacks it */
};

extern const struct kvm_cap_row kvm_cap_table[KVM_CAP_COUNT];

struct kvm {
	int fd;                  /* /dev/kvm */
	int vm_fd;               /* -1 until kvm_create_vm() */
	int caps[KVM_CAP_COUNT]; /* KVM_CHECK_EXTENSION's answers */
	unsigned int max_vcpus;
	size_t run_size; /* bytes to map of each vCPU */
	bool has_pit;
	bool pv_eoi;    /* KVM can say in guest memory that an EOI is not needed */
	bool eoi_exits; /* known: an EOI costs an exit, as the processor does not do it itself */
};

/* Opens /dev/kvm and reads its capabilities without judging them; for `candela host`. */
int kvm_probe(struct kvm *kvm, struct error *err) must_check;

/*
 * kvm_probe(), and every required capability is there. The text says which of these it is:
 * -ENOENT no /dev/kvm, -EACCES no permission, -ENOTSUP a capability is missing.
 */
int kvm_open(struct kvm *kvm, struct error *err) must_check;

/* Creates the VM with its in-kernel interrupt controllers and PIT. */
int kvm_create_vm(struct kvm *kvm, struct error *err) must_check;

/* Gives the VM its RAM: one memory slot a region, slot number = index. */
int kvm_map_memory(struct kvm *kvm, const struct mem *mem, struct error *err) must_check;

/*
 * One more memory slot, also while VPs run: from then on the guest has @region. And the other way,
 * while none runs; -errno.
 */
int kvm_add_memory(struct kvm *kvm, unsigned int number, const struct mem_region *region,
		   struct error *err) must_check;
int kvm_remove_memory(struct kvm *kvm, unsigned int number) must_check;

/* Closes what is open; harmless on a zeroed struct with fds of -1. */
void kvm_close(struct kvm *kvm);

static inline bool kvm_has(const struct kvm *kvm, enum kvm_cap_id id)
{
	return kvm->caps[id] > 0;
}

/*
 * Doorbells: a guest write of @len bytes to @addr (and, with @match, of that value only) signals
 * @fd inside the kernel, without an exit to us. @len 0 takes any size (MMIO: KVM's fast bus).
 */
enum doorbell_bus { DOORBELL_PORT, DOORBELL_MMIO };

int kvm_doorbell_add(struct kvm *kvm, enum doorbell_bus bus, uint64_t addr, unsigned int len,
		     const uint64_t *match, int fd) must_check;
int kvm_doorbell_remove(struct kvm *kvm, enum doorbell_bus bus, uint64_t addr, unsigned int len,
			const uint64_t *match, int fd) must_check;
