// SPDX-License-Identifier: MIT
/*
 * The CPUID leaves a guest sees: what KVM supports, with the machine's topology and without what a
 * guest must not see (KVM's own identity, nested virtualization).
 *
 * Topology: one package, @cpus cores of one thread, APIC id = VP index.
 */
#pragma once

#include <linux/kvm.h>

#include "vmm/error.h"
#include "vmm/kvm.h"

#define CPUID_ENTRIES_MAX 256

struct cpuid_config {
	unsigned int cpus;
	bool nested; /* let the guest see VMX or SVM */
};

struct cpuid_table {
	struct kvm_cpuid2 header;
	struct kvm_cpuid_entry2 entries[CPUID_ENTRIES_MAX];
};

/*
 * Reads what KVM supports and shapes it for @config. The same for every VP but for cpuid_set_vp().
 */
int cpuid_build(const struct kvm *kvm, const struct cpuid_config *config, struct cpuid_table *table,
		struct error *err) must_check;

/* Puts the APIC id of VP @index into the leaves that carry it. */
void cpuid_set_vp(struct cpuid_table *table, unsigned int index);

/* The entry of @leaf and @subleaf, or NULL. */
struct kvm_cpuid_entry2 *cpuid_find(struct cpuid_table *table, uint32_t leaf, uint32_t subleaf);

/* Adds an entry, or gives back the one that is there. NULL when the table is full. */
struct kvm_cpuid_entry2 *cpuid_add(struct cpuid_table *table, uint32_t leaf, uint32_t subleaf);

/* Removes every leaf from @first to @last. */
void cpuid_remove(struct cpuid_table *table, uint32_t first, uint32_t last);
