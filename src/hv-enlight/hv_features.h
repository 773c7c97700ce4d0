// SPDX-License-Identifier: MIT
/*
 * The features of the hypervisor interface: one table from which configuration switches, dependency
 * checks, CPUID bits and the admission of MSRs and hypercalls all come. What CPUID announces is
 * computed from what the engine serves and the user left on; nothing else writes those leaves.
 */
#pragma once

#include "hv-enlight/hv_proto.h"
#include "vmm/cpuid.h"
#include "vmm/error.h"

/*
 * The hypercall MSR, with its lock bit, and the VP-index MSR are no features: they are the
 * interface (TLFS 2.2, "minimal Hyper-V interface") and always there.
 */
enum hv_feature {
	HV_FEATURE_RUNTIME,
	HV_FEATURE_REFERENCE_TIME,
	HV_FEATURE_FREQUENCIES,
	HV_FEATURE_SYNIC,
	HV_FEATURE_STIMERS,
	HV_FEATURE_DIRECT_STIMERS,
	HV_FEATURE_APIC,
	HV_FEATURE_RESET,
	HV_FEATURE_IDLE,
	HV_FEATURE_CRASH,
	HV_FEATURE_RELAXED,
	HV_FEATURE_SPINLOCKS,
	HV_FEATURE_IPI,
	HV_FEATURE_TLB_FLUSH,
	HV_FEATURE_VP_REGISTERS,
	HV_FEATURE_XMM_INPUT,
	HV_FEATURE_EXTENDED_CALLS,
	HV_FEATURE_SINT_POLLING,
	HV_FEATURE_NO_AUTO_EOI,
	HV_FEATURE_EOI_ASSIST,
	HV_FEATURE_COUNT
};

#define HV_FEATURE_BIT(f) (1u << (f))
#define HV_FEATURES_ALL   ((1u << HV_FEATURE_COUNT) - 1)

struct hv_feature_row {
	const char *name;       /* the JSON key */
	const char *what;       /* one line for help */
	uint32_t needs;         /* bits of features it cannot be without */
	uint32_t eax, ebx, edx; /* its bits in HV_CPUID_FEATURES */
	uint32_t recommend;     /* its bits in HV_CPUID_RECOMMENDATIONS, EAX */
	bool by_default;        /* on when the engine serves it and nobody says otherwise */
};

extern const struct hv_feature_row hv_feature_table[HV_FEATURE_COUNT];

/* What the user said of each feature: neither bit set means the default. */
struct hv_feature_switches {
	uint32_t on;
	uint32_t off;
};

/*
 * The features to announce. -ENOTSUP, with text, when one that was asked for is not served by the
 * engine (named @engine) or needs one that is off or not served.
 */
int hv_features_resolve(uint32_t served, const struct hv_feature_switches *switches,
			const char *engine, struct error *err, uint32_t *ret) must_check;

/* What the leaves say besides the features. */
struct hv_cpuid_config {
	uint32_t features; /* bits of enum hv_feature */
	uint32_t max_vps;
	uint32_t spin_retries; /* HV_SPIN_NEVER: never notify */
	uint32_t hardware;     /* HV_HW_* bits that are true of this host */
};

/* Adds leaves 0x40000000-0x4000000a to @table. -E2BIG when it is full. */
int hv_cpuid_add(struct cpuid_table *table, const struct hv_cpuid_config *config) must_check;
