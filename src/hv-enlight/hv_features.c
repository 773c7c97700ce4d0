// SPDX-License-Identifier: MIT
/*
 * The feature table, and the CPUID leaves computed from it. Pure.
 */
#include "hv-enlight/hv_features.h"

#include <errno.h>

#define NEEDS(f) HV_FEATURE_BIT(HV_FEATURE_##f)

const struct hv_feature_row hv_feature_table[HV_FEATURE_COUNT] = {
	[HV_FEATURE_RUNTIME] = {.name = "runtime",
				.what = "run time of a virtual processor",
				.eax = HV_EAX_VP_RUNTIME,
				.by_default = true},
	[HV_FEATURE_REFERENCE_TIME] = {.name = "reference-time",
				       .what = "reference counter and reference TSC page",
				       .eax = HV_EAX_REF_COUNTER | HV_EAX_REF_TSC,
				       .by_default = true},
	[HV_FEATURE_FREQUENCIES] = {.name = "frequencies",
				    .what = "TSC and APIC timer frequencies",
				    .eax = HV_EAX_FREQUENCY_MSRS,
				    .edx = HV_EDX_FREQUENCY_MSRS,
				    .by_default = true},
	[HV_FEATURE_SYNIC] = {.name = "synic",
			      .what = "synthetic interrupt controller, messages and events",
			      .eax = HV_EAX_SYNIC,
			      .ebx = HV_EBX_POST_MESSAGES | HV_EBX_SIGNAL_EVENTS,
			      .by_default = true},
	[HV_FEATURE_STIMERS] = {.name = "stimers",
				.what = "synthetic timers",
				.needs = NEEDS(SYNIC) | NEEDS(REFERENCE_TIME),
				.eax = HV_EAX_STIMER,
				.by_default = true},
	[HV_FEATURE_DIRECT_STIMERS] = {.name = "direct-stimers",
				       .what = "synthetic timers that interrupt directly",
				       .needs = NEEDS(STIMERS),
				       .edx = HV_EDX_DIRECT_STIMER,
				       .by_default = true},
	[HV_FEATURE_APIC] = {.name = "apic",
			     .what = "EOI, ICR and TPR as MSRs, and the VP assist page",
			     .eax = HV_EAX_APIC_MSRS,
			     .by_default = true},
	[HV_FEATURE_RESET] = {.name = "reset",
			      .what = "reset through an MSR",
			      .eax = HV_EAX_RESET,
			      .by_default = true},
	[HV_FEATURE_IDLE] = {.name = "idle",
			     .what = "idle through an MSR",
			     .eax = HV_EAX_GUEST_IDLE,
			     .edx = HV_EDX_GUEST_IDLE},
	[HV_FEATURE_CRASH] = {.name = "crash",
			      .what = "crash reports through MSRs",
			      .edx = HV_EDX_CRASH_MSRS,
			      .by_default = true},
	[HV_FEATURE_RELAXED] = {.name = "relaxed",
				.what = "the guest's watchdogs know it may be descheduled",
				.recommend = HV_REC_RELAXED_TIMING,
				.by_default = true},
	[HV_FEATURE_SPINLOCKS] = {.name = "spinlocks",
				  .what = "long spins are reported",
				  .by_default = true},
	[HV_FEATURE_IPI] = {.name = "ipi",
			    .what = "interrupts to many processors in one hypercall",
			    .recommend = HV_REC_CLUSTER_IPI | HV_REC_EX_PROCESSOR_MASK,
			    .by_default = true},
	[HV_FEATURE_TLB_FLUSH] = {.name = "tlb-flush",
				  .what = "remote TLB flushes as hypercalls",
				  .recommend = HV_REC_REMOTE_TLB_FLUSH | HV_REC_EX_PROCESSOR_MASK,
				  .by_default = true},
	[HV_FEATURE_VP_REGISTERS] = {.name = "vp-registers",
				     .what = "registers of virtual processors as hypercalls",
				     .ebx = HV_EBX_ACCESS_VP_REGISTERS,
				     .by_default = true},
	[HV_FEATURE_XMM_INPUT] = {.name = "xmm-input",
				  .what = "hypercall input in XMM registers",
				  .edx = HV_EDX_XMM_INPUT,
				  .by_default = true},
	[HV_FEATURE_EXTENDED_CALLS] = {.name = "extended-calls",
				       .what = "extended hypercalls: memory heat hints",
				       .ebx = HV_EBX_EXTENDED_HYPERCALLS,
				       .by_default = true},
	[HV_FEATURE_SINT_POLLING] = {.name = "sint-polling",
				     .what = "synthetic interrupts that the guest polls for",
				     .needs = NEEDS(SYNIC),
				     .edx = HV_EDX_SINT_POLLING,
				     .by_default = true},
	[HV_FEATURE_NO_AUTO_EOI] = {.name = "no-auto-eoi",
				    .what = "guests are asked not to use AutoEOI",
				    .needs = NEEDS(SYNIC),
				    .recommend = HV_REC_DEPRECATE_AUTOEOI,
				    .by_default = true},
	[HV_FEATURE_EOI_ASSIST] = {.name = "eoi-assist",
				   .what = "guests are told in memory that an EOI is not needed",
				   .needs = NEEDS(APIC),
				   .recommend = HV_REC_APIC_MSRS,
				   .by_default = true},
};

/* Of @wanted, those that nothing they need is missing from. */
static uint32_t without_unmet_needs(uint32_t wanted)
{
	uint32_t features = wanted, before;

	do {
		before = features;
		for (unsigned int f = 0; f < HV_FEATURE_COUNT; f++)
			if (hv_feature_table[f].needs & ~features)
				features &= ~HV_FEATURE_BIT(f);
	} while (features != before);
	return features;
}

/* Names what @f cannot be without: not a feature that is missing for want of yet another one. */
static int refuse(unsigned int f, uint32_t wanted, uint32_t features, const char *engine,
		  struct error *err)
{
	unsigned int missing = f;

	do
		missing = (unsigned int)__builtin_ctz(hv_feature_table[missing].needs & ~features);
	while (wanted & HV_FEATURE_BIT(missing));
	return error_set(err, -ENOTSUP,
			 "hyperv.%s needs hyperv.%s, which is off or not served by engine \"%s\"",
			 hv_feature_table[f].name, hv_feature_table[missing].name, engine);
}

int hv_features_resolve(uint32_t served, const struct hv_feature_switches *switches,
			const char *engine, struct error *err, uint32_t *ret)
{
	uint32_t wanted = switches->on, features;

	for (unsigned int f = 0; f < HV_FEATURE_COUNT; f++) {
		uint32_t bit = HV_FEATURE_BIT(f);

		if ((switches->on & bit) && !(served & bit))
			return error_set(err, -ENOTSUP,
					 "hyperv.%s is not served by engine \"%s\" on this host",
					 hv_feature_table[f].name, engine);
		if (hv_feature_table[f].by_default && !(switches->off & bit))
			wanted |= bit & served;
	}
	/* What is on only by default goes quietly where something it needs is off. */
	features = without_unmet_needs(wanted);
	for (unsigned int f = 0; f < HV_FEATURE_COUNT; f++)
		if (switches->on & ~features & HV_FEATURE_BIT(f))
			return refuse(f, wanted, features, engine, err);
	*ret = features;
	return 0;
}

/* --- CPUID. -------------------------------------------------------------------------------- */

/*
 * The version leaf: OpenBSD wants it non-zero, Windows shows it. It is that of Windows Server
 * 2022's hypervisor (10.0.20348), whose interface the features here belong to.
 */
#define VERSION_BUILD 20348u
#define VERSION_MAJOR 10u
#define VERSION_MINOR 0u

/* Message-signalled vectors are not limited by a chipset here; Hyper-V's own value. */
#define MAX_INTERRUPT_VECTORS 0u

static int add_leaf(struct cpuid_table *table, uint32_t leaf, uint32_t eax, uint32_t ebx,
		    uint32_t ecx, uint32_t edx)
{
	struct kvm_cpuid_entry2 *e = cpuid_add(table, leaf, 0);

	if (!e)
		return -E2BIG;
	e->eax = eax;
	e->ebx = ebx;
	e->ecx = ecx;
	e->edx = edx;
	return 0;
}

int hv_cpuid_add(struct cpuid_table *table, const struct hv_cpuid_config *config)
{
	uint32_t eax = HV_EAX_HYPERCALL_MSRS | HV_EAX_VP_INDEX, ebx = 0;
	uint32_t edx = HV_EDX_HYPERCALL_LOCK, recommend = 0, spin = HV_SPIN_NEVER;
	int r = 0;

	for (unsigned int f = 0; f < HV_FEATURE_COUNT; f++) {
		const struct hv_feature_row *row = &hv_feature_table[f];

		if (!(config->features & HV_FEATURE_BIT(f)))
			continue;
		eax |= row->eax;
		ebx |= row->ebx;
		edx |= row->edx;
		recommend |= row->recommend;
	}
	if (config->features & HV_FEATURE_BIT(HV_FEATURE_SPINLOCKS))
		spin = config->spin_retries;

	/* "Microsoft Hv" */
	r |= add_leaf(table, HV_CPUID_VENDOR, HV_CPUID_NESTED_OPT, 0x7263694d, 0x666f736f,
		      0x76482074);
	r |= add_leaf(table, HV_CPUID_INTERFACE, HV_INTERFACE_SIGNATURE, 0, 0, 0);
	r |= add_leaf(table, HV_CPUID_VERSION, VERSION_BUILD, VERSION_MAJOR << 16 | VERSION_MINOR,
		      0, 0);
	r |= add_leaf(table, HV_CPUID_FEATURES, eax, ebx, 0, edx);
	r |= add_leaf(table, HV_CPUID_RECOMMENDATIONS, recommend, spin, 0, 0);
	r |= add_leaf(table, HV_CPUID_LIMITS, config->max_vps, config->max_vps,
		      MAX_INTERRUPT_VECTORS, 0);
	r |= add_leaf(table, HV_CPUID_HARDWARE, config->hardware, 0, 0, 0);
	/* CPU management, SVM and nesting: nothing of it is served. */
	for (uint32_t leaf = HV_CPUID_CPU_MANAGEMENT; leaf <= HV_CPUID_NESTED_OPT; leaf++)
		r |= add_leaf(table, leaf, 0, 0, 0, 0);
	return r ? -E2BIG : 0;
}
