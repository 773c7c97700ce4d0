// SPDX-License-Identifier: MIT
/*
 * CPUID shaping. Leaves: Intel SDM volume 2A, CPUID; AMD APM volume 3, appendix E. Pure but for the
 * one ioctl that reads what KVM supports.
 */
#include "vmm/cpuid.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#define LEAF1_ECX_VMX          (1u << 5)
#define LEAF1_ECX_X2APIC       (1u << 21)
#define LEAF1_ECX_TSC_DEADLINE (1u << 24)
#define LEAF1_ECX_HYPERVISOR   (1u << 31)
#define LEAF1_EDX_HTT          (1u << 28)
#define LEAF7_EBX_SGX          (1u << 2)
#define EXT1_ECX_CMP_LEGACY    (1u << 1)
#define EXT1_ECX_SVM           (1u << 2)

struct kvm_cpuid_entry2 *cpuid_find(struct cpuid_table *table, uint32_t leaf, uint32_t subleaf)
{
	for (uint32_t i = 0; i < table->header.nent; i++) {
		struct kvm_cpuid_entry2 *e = &table->entries[i];

		if (e->function == leaf &&
		    (!(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || e->index == subleaf))
			return e;
	}
	return NULL;
}

struct kvm_cpuid_entry2 *cpuid_add(struct cpuid_table *table, uint32_t leaf, uint32_t subleaf)
{
	struct kvm_cpuid_entry2 *e = cpuid_find(table, leaf, subleaf);

	if (e)
		return e;
	if (table->header.nent == CPUID_ENTRIES_MAX)
		return NULL;
	e = &table->entries[table->header.nent++];
	*e = (struct kvm_cpuid_entry2){.function = leaf, .index = subleaf};
	return e;
}

void cpuid_remove(struct cpuid_table *table, uint32_t first, uint32_t last)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < table->header.nent; i++) {
		uint32_t leaf = table->entries[i].function;

		if (leaf < first || leaf > last)
			table->entries[kept++] = table->entries[i];
	}
	table->header.nent = kept;
}

/* Bits needed to tell @cpus cores apart. */
static uint32_t core_bits(unsigned int cpus)
{
	return cpus > 1 ? 32 - (uint32_t)__builtin_clz(cpus - 1) : 0;
}

static void set_features(struct cpuid_table *table, const struct cpuid_config *config,
			 bool deadline)
{
	struct kvm_cpuid_entry2 *e = cpuid_find(table, 1, 0);
	uint32_t logical = min_of(1u << core_bits(config->cpus), 255u);

	if (e) {
		e->ebx = (e->ebx & 0x0000ffffu) | logical << 16;
		e->ecx |= LEAF1_ECX_HYPERVISOR | LEAF1_ECX_X2APIC;
		if (deadline)
			e->ecx |= LEAF1_ECX_TSC_DEADLINE;
		if (!config->nested)
			e->ecx &= ~LEAF1_ECX_VMX;
		e->edx = config->cpus > 1 ? e->edx | LEAF1_EDX_HTT : e->edx & ~LEAF1_EDX_HTT;
	}
	e = cpuid_find(table, 7, 0);
	if (e)
		e->ebx &= ~LEAF7_EBX_SGX;
	e = cpuid_find(table, 0x80000001, 0);
	if (e && !config->nested)
		e->ecx &= ~EXT1_ECX_SVM;
	if (!config->nested)
		cpuid_remove(table, 0x8000000a, 0x8000000a);
}

/* Caches: levels 1 and 2 belong to one core, level 3 to all of them. */
static void set_caches(struct cpuid_table *table, uint32_t leaf, unsigned int cpus)
{
	uint32_t span = (1u << core_bits(cpus)) - 1;

	for (uint32_t i = 0; i < table->header.nent; i++) {
		struct kvm_cpuid_entry2 *e = &table->entries[i];
		uint32_t level = e->eax >> 5 & 7;

		if (e->function != leaf || (e->eax & 0x1f) == 0)
			continue;
		e->eax &= leaf == 4 ? 0x00003fffu : 0xfc003fffu;
		e->eax |= (level >= 3 ? min_of(span, 4095u) : 0) << 14;
		if (leaf == 4)
			e->eax |= min_of(span, 63u) << 26;
	}
}

static int set_extended_topology(struct cpuid_table *table, unsigned int cpus)
{
	static const uint32_t leaves[] = {0xb, 0x1f};
	struct kvm_cpuid_entry2 *top = cpuid_find(table, 0, 0);

	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++) {
		if (!top || top->eax < leaves[i])
			continue;
		cpuid_remove(table, leaves[i], leaves[i]);
		for (uint32_t level = 0; level < 3; level++) {
			struct kvm_cpuid_entry2 *e = cpuid_add(table, leaves[i], level);

			if (!e)
				return -E2BIG;
			e->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
			e->eax = level == 1 ? core_bits(cpus) : 0;
			e->ebx = level == 0 ? 1 : level == 1 ? cpus : 0;
			e->ecx = level | (level < 2 ? level + 1 : 0) << 8;
		}
	}
	return 0;
}

static void set_amd_topology(struct cpuid_table *table, unsigned int cpus)
{
	struct kvm_cpuid_entry2 *e = cpuid_find(table, 0x80000008, 0);

	if (e)
		e->ecx = (e->ecx & 0xffff0000u) | core_bits(cpus) << 12 | min_of(cpus - 1, 255u);
	e = cpuid_find(table, 0x80000001, 0);
	if (e)
		e->ecx = cpus > 1 ? e->ecx | EXT1_ECX_CMP_LEGACY : e->ecx & ~EXT1_ECX_CMP_LEGACY;
}

static bool is_amd(struct cpuid_table *table)
{
	const struct kvm_cpuid_entry2 *e = cpuid_find(table, 0, 0);

	/* "AuthenticAMD" and "HygonGenuine" */
	return e && (e->ebx == 0x68747541 || e->ebx == 0x6f677948);
}

int cpuid_build(const struct kvm *kvm, const struct cpuid_config *config, struct cpuid_table *table,
		struct error *err)
{
	int r;

	memset(table, 0, sizeof(*table));
	table->header.nent = CPUID_ENTRIES_MAX;
	if (ioctl(kvm->fd, KVM_GET_SUPPORTED_CPUID, &table->header) < 0)
		return error_errno(err, -errno, "KVM_GET_SUPPORTED_CPUID");
	/* All of the hypervisor range: an identity is added by whoever serves it. */
	cpuid_remove(table, 0x40000000, 0x4fffffff);
	set_features(table, config, kvm_has(kvm, KVM_HAS_TSC_DEADLINE));
	set_caches(table, is_amd(table) ? 0x8000001d : 4, config->cpus);
	r = set_extended_topology(table, config->cpus);
	if (r < 0)
		return error_set(err, r, "too many CPUID leaves");
	if (is_amd(table))
		set_amd_topology(table, config->cpus);
	return 0;
}

void cpuid_set_vp(struct cpuid_table *table, unsigned int index)
{
	for (uint32_t i = 0; i < table->header.nent; i++) {
		struct kvm_cpuid_entry2 *e = &table->entries[i];

		switch (e->function) {
		case 1:
			e->ebx = (e->ebx & 0x00ffffffu) | min_of(index, 255u) << 24;
			break;
		case 0xb:
		case 0x1f:
			e->edx = index;
			break;
		case 0x8000001e:
			e->eax = index;
			e->ebx = index & 0xff; /* core id; one thread a core */
			e->ecx = 0;            /* one node */
			break;
		default:
			break;
		}
	}
}
