// SPDX-License-Identifier: MIT
/*
 * The features: which are on, and what CPUID says of them. The bits are written down here once
 * more, from TLFS 2.4 and 4.2.2.
 */
#include "hv-enlight/hv_features.h"

#include <errno.h>
#include <string.h>

#include "hv_tests.h"

#define F(f) HV_FEATURE_BIT(HV_FEATURE_##f)

static struct error err;
static uint32_t features;

static void setup(void)
{
	err.text[0] = 0;
	features = 0xdeadbeef;
}

static void teardown(void)
{
}

static int resolve(uint32_t served, uint32_t on, uint32_t off)
{
	return hv_features_resolve(served, &(struct hv_feature_switches){.on = on, .off = off},
				   "toy", &err, &features);
}

static uint32_t defaults(void)
{
	uint32_t mask = 0;

	for (unsigned int f = 0; f < HV_FEATURE_COUNT; f++)
		if (hv_feature_table[f].by_default)
			mask |= HV_FEATURE_BIT(f);
	return mask;
}

/* --- Which are on. --------------------------------------------------------------------------- */

START_TEST(by_default)
{
	ck_assert_int_eq(resolve(HV_FEATURES_ALL, 0, 0), 0);
	ck_assert_uint_eq(features, defaults());
	/* A guest is not idled by an MSR unless somebody wants that. */
	ck_assert_uint_eq(features & F(IDLE), 0);
	ck_assert_int_eq(resolve(HV_FEATURES_ALL, F(IDLE), 0), 0);
	ck_assert_uint_eq(features, defaults() | F(IDLE));
	ck_assert_int_eq(resolve(0, 0, 0), 0);
	ck_assert_uint_eq(features, 0);
	ck_assert_int_eq(resolve(HV_FEATURES_ALL, 0, HV_FEATURES_ALL), 0);
	ck_assert_uint_eq(features, 0);
}
END_TEST

START_TEST(asked_for_but_not_served)
{
	ck_assert_int_eq(resolve(HV_FEATURES_ALL & ~F(TLB_FLUSH), F(TLB_FLUSH), 0), -ENOTSUP);
	ck_assert_ptr_nonnull(strstr(err.text, "hyperv.tlb-flush"));
	ck_assert_ptr_nonnull(strstr(err.text, "\"toy\""));
	ck_assert_uint_eq(features, 0xdeadbeef);
	/* Nobody asked: it is just not there. */
	ck_assert_int_eq(resolve(HV_FEATURES_ALL & ~F(TLB_FLUSH), 0, 0), 0);
	ck_assert_uint_eq(features, defaults() & ~F(TLB_FLUSH));
	ck_assert_int_eq(hv_features_resolve(0, &(struct hv_feature_switches){.on = F(IPI)}, "toy",
					     NULL, &features),
			 -ENOTSUP);
}
END_TEST

START_TEST(dependency_off)
{
	ck_assert_int_eq(resolve(HV_FEATURES_ALL, F(DIRECT_STIMERS), F(STIMERS)), -ENOTSUP);
	ck_assert_ptr_nonnull(strstr(err.text, "hyperv.direct-stimers needs hyperv.stimers"));
	ck_assert_int_eq(resolve(HV_FEATURES_ALL, F(STIMERS), F(REFERENCE_TIME)), -ENOTSUP);
	ck_assert_ptr_nonnull(strstr(err.text, "hyperv.stimers needs hyperv.reference-time"));
	ck_assert_int_eq(resolve(HV_FEATURES_ALL, F(NO_AUTO_EOI), F(SYNIC)), -ENOTSUP);
	ck_assert_ptr_nonnull(strstr(err.text, "hyperv.no-auto-eoi needs hyperv.synic"));
	ck_assert_uint_eq(features, 0xdeadbeef);
}
END_TEST

START_TEST(dependency_not_served)
{
	ck_assert_int_eq(resolve(HV_FEATURES_ALL & ~F(SYNIC), F(STIMERS), 0), -ENOTSUP);
	ck_assert_ptr_nonnull(strstr(err.text, "hyperv.stimers needs hyperv.synic"));
	ck_assert_ptr_nonnull(strstr(err.text, "\"toy\""));
}
END_TEST

/* What stands between was on by default only: the one at fault is named, not that. */
START_TEST(dependency_of_a_dependency)
{
	ck_assert_int_eq(resolve(HV_FEATURES_ALL, F(DIRECT_STIMERS), F(SYNIC)), -ENOTSUP);
	ck_assert_ptr_nonnull(strstr(err.text, "hyperv.direct-stimers needs hyperv.synic"));
	ck_assert_int_eq(resolve(HV_FEATURES_ALL & ~F(REFERENCE_TIME), F(DIRECT_STIMERS), 0),
			 -ENOTSUP);
	ck_assert_ptr_nonnull(
		strstr(err.text, "hyperv.direct-stimers needs hyperv.reference-time"));
}
END_TEST

START_TEST(defaults_go_quietly)
{
	ck_assert_int_eq(resolve(HV_FEATURES_ALL, 0, F(SYNIC)), 0);
	ck_assert_uint_eq(features, defaults() & ~(F(SYNIC) | F(STIMERS) | F(DIRECT_STIMERS) |
						   F(NO_AUTO_EOI) | F(SINT_POLLING)));
	ck_assert_int_eq(resolve(HV_FEATURES_ALL, 0, F(REFERENCE_TIME)), 0);
	ck_assert_uint_eq(features,
			  defaults() & ~(F(REFERENCE_TIME) | F(STIMERS) | F(DIRECT_STIMERS)));
	ck_assert_str_eq(err.text, "");
}
END_TEST

/* Whatever is served and said, the outcome is something that can be. */
START_TEST(any_combination)
{
	uint64_t seed = 1;

	for (int i = 0; i < 20000; i++) {
		uint32_t served, on, off;

		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		served = (uint32_t)(seed >> 33) | (uint32_t)(seed >> 13);
		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		on = (uint32_t)(seed >> 33) & (uint32_t)(seed >> 11) & (uint32_t)(seed >> 22);
		off = (uint32_t)(seed >> 5) & (uint32_t)(seed >> 17) & ~on;
		served &= HV_FEATURES_ALL;
		on &= HV_FEATURES_ALL;
		off &= HV_FEATURES_ALL;
		if (resolve(served, on, off) < 0)
			continue;
		if ((features & ~served) || (on & ~features) || (features & off) ||
		    (features & ~(on | defaults())))
			ck_abort_msg("served %x on %x off %x: %x", served, on, off, features);
		for (unsigned int f = 0; f < HV_FEATURE_COUNT; f++)
			if ((features >> f & 1) && (hv_feature_table[f].needs & ~features))
				ck_abort_msg("%s without its needs", hv_feature_table[f].name);
	}
}
END_TEST

START_TEST(table)
{
	for (unsigned int f = 0; f < HV_FEATURE_COUNT; f++) {
		ck_assert_ptr_nonnull(hv_feature_table[f].name);
		ck_assert_ptr_nonnull(hv_feature_table[f].what);
		ck_assert_uint_eq(hv_feature_table[f].needs & HV_FEATURE_BIT(f), 0);
		for (unsigned int k = 0; k < f; k++)
			ck_assert_str_ne(hv_feature_table[f].name, hv_feature_table[k].name);
	}
}
END_TEST

/* --- CPUID. ---------------------------------------------------------------------------------- */

static const struct {
	enum hv_feature feature;
	uint32_t eax, ebx, edx, recommended;
} bits[] = {
	{HV_FEATURE_RUNTIME, 1u << 0, 0, 0, 0},
	{HV_FEATURE_REFERENCE_TIME, 1u << 1 | 1u << 9, 0, 0, 0},
	{HV_FEATURE_SYNIC, 1u << 2, 1u << 4 | 1u << 5, 0, 0},
	{HV_FEATURE_STIMERS, 1u << 3, 0, 0, 0},
	{HV_FEATURE_DIRECT_STIMERS, 0, 0, 1u << 19, 0},
	{HV_FEATURE_APIC, 1u << 4, 0, 0, 0},
	{HV_FEATURE_RESET, 1u << 7, 0, 0, 0},
	{HV_FEATURE_IDLE, 1u << 10, 0, 1u << 5, 0},
	{HV_FEATURE_FREQUENCIES, 1u << 11, 0, 1u << 8, 0},
	{HV_FEATURE_CRASH, 0, 0, 1u << 10, 0},
	{HV_FEATURE_RELAXED, 0, 0, 0, 1u << 5},
	{HV_FEATURE_SPINLOCKS, 0, 0, 0, 0},
	{HV_FEATURE_IPI, 0, 0, 0, 1u << 10 | 1u << 11},
	{HV_FEATURE_TLB_FLUSH, 0, 0, 0, 1u << 2 | 1u << 11},
	{HV_FEATURE_VP_REGISTERS, 0, 1u << 17, 0, 0},
	{HV_FEATURE_XMM_INPUT, 0, 0, 1u << 4, 0},
	{HV_FEATURE_EXTENDED_CALLS, 0, 1u << 20, 0, 0},
	{HV_FEATURE_SINT_POLLING, 0, 0, 1u << 17, 0},
	{HV_FEATURE_NO_AUTO_EOI, 0, 0, 0, 1u << 9},
	{HV_FEATURE_EOI_ASSIST, 0, 0, 0, 1u << 3},
};

/* The two that the interface consists of (TLFS 3.13). */
#define ALWAYS_EAX (1u << 5 | 1u << 6)
#define ALWAYS_EDX (1u << 18) /* the hypercall page can be locked, and is when asked for */

static struct cpuid_table cpuid;

static void build(uint32_t mask)
{
	memset(&cpuid, 0, sizeof(cpuid));
	ck_assert_int_eq(hv_cpuid_add(&cpuid, &(struct hv_cpuid_config){.features = mask,
									.max_vps = 7,
									.spin_retries = 4095,
									.hardware = 0xa}),
			 0);
}

static const struct kvm_cpuid_entry2 *leaf(uint32_t number)
{
	const struct kvm_cpuid_entry2 *e = cpuid_find(&cpuid, number, 0);

	ck_assert_ptr_nonnull(e);
	return e;
}

START_TEST(identity)
{
	const struct kvm_cpuid_entry2 *e;

	build(0);
	e = leaf(0x40000000);
	ck_assert_uint_ge(e->eax, 0x40000005);
	ck_assert_uint_eq(e->eax, 0x40000000 + cpuid.header.nent - 1);
	ck_assert_mem_eq(&e->ebx, "Microsoft Hv", 12);
	ck_assert_mem_eq(&leaf(0x40000001)->eax, "Hv#1", 4);
	/* OpenBSD takes a version of zero for none. */
	ck_assert_uint_ne(leaf(0x40000002)->eax, 0);
	ck_assert_uint_ne(leaf(0x40000002)->ebx, 0);
}
END_TEST

START_TEST(nothing_but_the_interface)
{
	build(0);
	ck_assert_uint_eq(leaf(0x40000003)->eax, ALWAYS_EAX);
	ck_assert_uint_eq(leaf(0x40000003)->ebx, 0);
	ck_assert_uint_eq(leaf(0x40000003)->ecx, 0);
	ck_assert_uint_eq(leaf(0x40000003)->edx, ALWAYS_EDX);
	ck_assert_uint_eq(leaf(0x40000004)->eax, 0);
	ck_assert_uint_eq(leaf(0x40000004)->ebx, UINT32_MAX); /* never notify */
	ck_assert_uint_eq(leaf(0x40000004)->ecx, 0);
}
END_TEST

/* Each feature sets its bits and no others; none is without a row here. */
START_TEST(bits_of_each)
{
	uint32_t all = 0;

	for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
		build(HV_FEATURE_BIT(bits[i].feature));
		all |= HV_FEATURE_BIT(bits[i].feature);
		ck_assert_uint_eq(leaf(0x40000003)->eax, ALWAYS_EAX | bits[i].eax);
		ck_assert_uint_eq(leaf(0x40000003)->ebx, bits[i].ebx);
		ck_assert_uint_eq(leaf(0x40000003)->ecx, 0);
		ck_assert_uint_eq(leaf(0x40000003)->edx, ALWAYS_EDX | bits[i].edx);
		ck_assert_uint_eq(leaf(0x40000004)->eax, bits[i].recommended);
		ck_assert_uint_eq(leaf(0x40000004)->ebx,
				  bits[i].feature == HV_FEATURE_SPINLOCKS ? 4095 : UINT32_MAX);
	}
	ck_assert_uint_eq(all, HV_FEATURES_ALL);
}
END_TEST

START_TEST(bits_of_all)
{
	uint32_t eax = ALWAYS_EAX, ebx = 0, edx = ALWAYS_EDX, recommended = 0;

	build(HV_FEATURES_ALL);
	for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
		eax |= bits[i].eax;
		ebx |= bits[i].ebx;
		edx |= bits[i].edx;
		recommended |= bits[i].recommended;
	}
	ck_assert_uint_eq(leaf(0x40000003)->eax, eax);
	ck_assert_uint_eq(leaf(0x40000003)->ebx, ebx);
	ck_assert_uint_eq(leaf(0x40000003)->edx, edx);
	ck_assert_uint_eq(leaf(0x40000004)->eax, recommended);
}
END_TEST

START_TEST(limits_and_hardware)
{
	build(HV_FEATURES_ALL);
	ck_assert_uint_eq(leaf(0x40000005)->eax, 7);
	ck_assert_uint_eq(leaf(0x40000006)->eax, 0xa);
	/* Root partitions, shared virtual memory, nesting: nothing of it. */
	for (uint32_t number = 0x40000007; number <= 0x4000000a; number++)
		ck_assert_uint_eq(leaf(number)->eax | leaf(number)->ebx | leaf(number)->ecx |
					  leaf(number)->edx,
				  0);
}
END_TEST

START_TEST(full_table)
{
	const struct hv_cpuid_config config = {.features = 0};

	memset(&cpuid, 0, sizeof(cpuid));
	for (uint32_t i = 0; i < CPUID_ENTRIES_MAX - 5; i++)
		ck_assert_ptr_nonnull(cpuid_add(&cpuid, i, 0));
	ck_assert_int_eq(hv_cpuid_add(&cpuid, &config), -E2BIG);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		by_default,
		asked_for_but_not_served,
		dependency_off,
		dependency_not_served,
		dependency_of_a_dependency,
		defaults_go_quietly,
		any_combination,
		table,
		identity,
		nothing_but_the_interface,
		bits_of_each,
		bits_of_all,
		limits_and_hardware,
		full_table,
	};

	return hv_run_tests("hv_features", setup, teardown, tests, ARRAY_SIZE(tests));
}
