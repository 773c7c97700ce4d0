// SPDX-License-Identifier: MIT
/*
 * CPUID shaping, from an Intel's and an AMD's leaves: topology, identity, and what a guest must not
 * see. Fields: Intel SDM volume 2A, CPUID; AMD APM volume 3, appendix E.
 */
#include "vmm/cpuid.h"

#include "hv_tests.h"
#include "kvm_fake.h"

#define VMX        (1u << 5)
#define X2APIC     (1u << 21)
#define DEADLINE   (1u << 24)
#define HYPERVISOR (1u << 31)
#define HTT        (1u << 28)
#define SGX        (1u << 2)
#define SVM        (1u << 2)
#define CMP_LEGACY (1u << 1)
#define INDEXED    KVM_CPUID_FLAG_SIGNIFCANT_INDEX

static const struct kvm_cpuid_entry2 intel[] = {
	{.function = 0, .eax = 0x1f, .ebx = 0x756e6547, .edx = 0x49656e69, .ecx = 0x6c65746e},
	{.function = 1, .eax = 0x50654, .ebx = 0x07100823, .ecx = VMX | 1, .edx = HTT | 0x0781abfd},
	{.function = 4, .index = 0, .flags = INDEXED, .eax = 0x1c004121},
	{.function = 4, .index = 1, .flags = INDEXED, .eax = 0x1c004122},
	{.function = 4, .index = 2, .flags = INDEXED, .eax = 0x1c004143},
	{.function = 4, .index = 3, .flags = INDEXED, .eax = 0x1c03c163},
	{.function = 4, .index = 4, .flags = INDEXED},
	{.function = 7, .index = 0, .flags = INDEXED, .eax = 1, .ebx = SGX | 0x2a9},
	{.function = 7, .index = 1, .flags = INDEXED, .eax = 0x30, .ebx = SGX},
	{.function = 0xb, .index = 0, .flags = INDEXED, .eax = 1, .ebx = 2, .ecx = 0x100, .edx = 9},
	{.function = 0xb, .index = 1, .flags = INDEXED, .eax = 4, .ebx = 16, .ecx = 0x201},
	{.function = 0x1f, .index = 0, .flags = INDEXED, .eax = 1, .ebx = 2, .ecx = 0x100},
	{.function = 0x40000000, .eax = 0x40000001, .ebx = 0x4b4d564b},
	{.function = 0x40000001, .eax = 0x01007efb},
	{.function = 0x4000000f, .eax = 1},
	{.function = 0x80000000, .eax = 0x80000008},
	{.function = 0x80000001, .ecx = 0x121, .edx = 0x2c100800},
	{.function = 0x80000008, .eax = 0x302e, .ecx = 0x123},
};

static const struct kvm_cpuid_entry2 amd[] = {
	{.function = 0, .eax = 0x10, .ebx = 0x68747541, .edx = 0x69746e65, .ecx = 0x444d4163},
	{.function = 1, .eax = 0x830f10, .ebx = 0x07100800, .ecx = 1, .edx = 0x078bfbff},
	{.function = 0xb, .index = 0, .flags = INDEXED, .eax = 1},
	{.function = 0x80000000, .eax = 0x8000001e},
	{.function = 0x80000001, .ecx = SVM | CMP_LEGACY | 0x75c237f1, .edx = 0x2fd3fbff},
	{.function = 0x80000008, .eax = 0x3030, .ecx = 0x3707f},
	{.function = 0x8000000a, .eax = 1, .ebx = 0x8000},
	{.function = 0x8000001d, .index = 0, .flags = INDEXED, .eax = 0x4121},
	{.function = 0x8000001d, .index = 2, .flags = INDEXED, .eax = 0x4143},
	{.function = 0x8000001d, .index = 3, .flags = INDEXED, .eax = 0x1c163},
	{.function = 0x8000001e, .eax = 5, .ebx = 0x102, .ecx = 0x201},
};

static struct cpuid_table host, table;
static struct kvm kvm;

static void setup(void)
{
	kvm = (struct kvm){.fd = KVM_FAKE, .vm_fd = KVM_FAKE_VM};
	kvm_fake.cpuid = &host.header;
}

static void teardown(void)
{
}

static void host_is(const struct kvm_cpuid_entry2 *entries, size_t count)
{
	memset(&host, 0, sizeof(host));
	memcpy(host.entries, entries, count * sizeof(*entries));
	host.header.nent = (uint32_t)count;
}

static void build(unsigned int cpus, bool nested)
{
	const struct cpuid_config config = {.cpus = cpus, .nested = nested};
	struct error err;

	ck_assert_int_eq(cpuid_build(&kvm, &config, &table, &err), 0);
}

static const struct kvm_cpuid_entry2 *leaf(uint32_t function, uint32_t index)
{
	const struct kvm_cpuid_entry2 *e = cpuid_find(&table, function, index);

	ck_assert_ptr_nonnull(e);
	return e;
}

static uint32_t field(uint32_t value, unsigned int high, unsigned int low)
{
	return value >> low & (uint32_t)((1ull << (high - low + 1)) - 1);
}

static const unsigned int cpu_counts[] = {1, 2, 3, 4, 5, 8, 64, 65, 128, 255, 256, 1024};

/* The bits an APIC id has below the package: enough for all of them, and no more. */
static bool bits_fit(uint32_t bits, unsigned int cpus)
{
	return (1u << bits) >= cpus && (bits == 0 || (1u << (bits - 1)) < cpus);
}

/* --- The table. ------------------------------------------------------------------------------ */

START_TEST(find)
{
	host_is(intel, ARRAY_SIZE(intel));
	table = host;
	ck_assert_ptr_null(cpuid_find(&table, 2, 0));
	ck_assert_ptr_null(cpuid_find(&table, 4, 5));
	ck_assert_uint_eq(leaf(4, 3)->eax, 0x1c03c163);
	/* Without a significant index every subleaf is the same. */
	ck_assert_ptr_eq(cpuid_find(&table, 1, 77), cpuid_find(&table, 1, 0));
}
END_TEST

START_TEST(add)
{
	struct kvm_cpuid_entry2 *e;

	table.header.nent = 0;
	e = cpuid_add(&table, 0x40000000, 0);
	ck_assert_ptr_nonnull(e);
	e->eax = 5;
	ck_assert_ptr_eq(cpuid_add(&table, 0x40000000, 0), e);
	ck_assert_uint_eq(table.header.nent, 1);
	/* What lay there before is not in a new entry. */
	memset(&table.entries[1], 0xff, sizeof(table.entries[1]));
	e = cpuid_add(&table, 7, 2);
	ck_assert_uint_eq(e->function, 7);
	ck_assert_uint_eq(e->index, 2);
	ck_assert_uint_eq(e->flags | e->eax | e->ebx | e->ecx | e->edx, 0);
	for (uint32_t i = 2; i < CPUID_ENTRIES_MAX; i++)
		ck_assert_ptr_nonnull(cpuid_add(&table, 1000 + i, 0));
	ck_assert_ptr_null(cpuid_add(&table, 1, 0));
	ck_assert_ptr_nonnull(cpuid_add(&table, 7, 2));
	ck_assert_uint_eq(table.header.nent, CPUID_ENTRIES_MAX);
}
END_TEST

START_TEST(removal)
{
	host_is(intel, ARRAY_SIZE(intel));
	table = host;
	cpuid_remove(&table, 4, 7);
	ck_assert_uint_eq(table.header.nent, ARRAY_SIZE(intel) - 7);
	ck_assert_ptr_null(cpuid_find(&table, 4, 0));
	ck_assert_ptr_null(cpuid_find(&table, 7, 1));
	ck_assert_ptr_nonnull(cpuid_find(&table, 1, 0));
	ck_assert_ptr_nonnull(cpuid_find(&table, 0xb, 1));
	ck_assert_uint_eq(leaf(0x80000008, 0)->eax, 0x302e);
	cpuid_remove(&table, 0, UINT32_MAX);
	ck_assert_uint_eq(table.header.nent, 0);
	cpuid_remove(&table, 0, UINT32_MAX);
}
END_TEST

/* --- Identity and features. ------------------------------------------------------------------ */

/* KVM's own identity goes: whoever serves one adds it. */
START_TEST(no_identity)
{
	host_is(intel, ARRAY_SIZE(intel));
	build(2, false);
	for (uint32_t i = 0; i < table.header.nent; i++)
		ck_assert_uint_ne(table.entries[i].function >> 28, 4);
	ck_assert(leaf(1, 0)->ecx & HYPERVISOR);
	ck_assert(leaf(1, 0)->ecx & X2APIC);
	ck_assert_uint_eq(leaf(1, 0)->eax, 0x50654);
	ck_assert(leaf(1, 0)->ecx & 1);
}
END_TEST

START_TEST(nested)
{
	host_is(intel, ARRAY_SIZE(intel));
	build(2, false);
	ck_assert(!(leaf(1, 0)->ecx & VMX));
	build(2, true);
	ck_assert(leaf(1, 0)->ecx & VMX);
	host_is(amd, ARRAY_SIZE(amd));
	build(2, false);
	ck_assert(!(leaf(0x80000001, 0)->ecx & SVM));
	ck_assert_ptr_null(cpuid_find(&table, 0x8000000a, 0));
	build(2, true);
	ck_assert(leaf(0x80000001, 0)->ecx & SVM);
	ck_assert_uint_eq(leaf(0x8000000a, 0)->ebx, 0x8000);
}
END_TEST

START_TEST(hidden_and_added)
{
	host_is(intel, ARRAY_SIZE(intel));
	build(1, true);
	ck_assert_uint_eq(leaf(7, 0)->ebx, 0x2a9);
	/* Another subleaf has other bits at the same place. */
	ck_assert_uint_eq(leaf(7, 1)->ebx, SGX);
	ck_assert(!(leaf(1, 0)->ecx & DEADLINE));
	kvm.caps[KVM_HAS_TSC_DEADLINE] = 1;
	build(1, true);
	ck_assert(leaf(1, 0)->ecx & DEADLINE);
}
END_TEST

/* --- Topology: one package of cores with one thread. ----------------------------------------- */

START_TEST(leaf_1)
{
	host_is(intel, ARRAY_SIZE(intel));
	for (size_t i = 0; i < ARRAY_SIZE(cpu_counts); i++) {
		unsigned int cpus = cpu_counts[i];

		build(cpus, false);
		ck_assert_int_eq(!!(leaf(1, 0)->edx & HTT), cpus > 1);
		ck_assert_uint_ge(field(leaf(1, 0)->ebx, 23, 16), min_of(cpus, 255u));
		/* Brand and cache line are not topology. */
		ck_assert_uint_eq(leaf(1, 0)->ebx & 0xffff, 0x0823);
		ck_assert_uint_eq(leaf(1, 0)->edx & ~HTT, 0x0781abfd);
	}
}
END_TEST

START_TEST(intel_caches)
{
	host_is(intel, ARRAY_SIZE(intel));
	for (size_t i = 0; i < ARRAY_SIZE(cpu_counts); i++) {
		unsigned int cpus = cpu_counts[i];

		build(cpus, false);
		for (uint32_t n = 0; n < 4; n++) {
			uint32_t eax = leaf(4, n)->eax, sharing = field(eax, 25, 14) + 1;

			/* Type, level and the rest stay. */
			ck_assert_uint_eq(eax & 0x3fff, intel[2 + n].eax & 0x3fff);
			if (n == 3)
				ck_assert_uint_ge(sharing, cpus);
			else
				ck_assert_uint_eq(sharing, 1);
			ck_assert_uint_ge(field(eax, 31, 26) + 1, min_of(cpus, 64u));
		}
		ck_assert_uint_eq(leaf(4, 4)->eax, 0);
	}
}
END_TEST

START_TEST(extended_topology)
{
	static const uint32_t leaves[] = {0xb, 0x1f};

	host_is(intel, ARRAY_SIZE(intel));
	for (size_t i = 0; i < ARRAY_SIZE(cpu_counts); i++) {
		build(cpu_counts[i], false);
		for (size_t k = 0; k < ARRAY_SIZE(leaves); k++) {
			const struct kvm_cpuid_entry2 *smt = leaf(leaves[k], 0);
			const struct kvm_cpuid_entry2 *core = leaf(leaves[k], 1);
			const struct kvm_cpuid_entry2 *end = leaf(leaves[k], 2);

			ck_assert_uint_eq(smt->ecx, 0x100);
			ck_assert_uint_eq(smt->eax, 0);
			ck_assert_uint_eq(smt->ebx, 1);
			ck_assert_uint_eq(core->ecx, 0x201);
			ck_assert(bits_fit(core->eax, cpu_counts[i]));
			ck_assert_uint_eq(core->ebx, cpu_counts[i]);
			ck_assert_uint_eq(end->ecx, 2);
			ck_assert_uint_eq(end->eax | end->ebx, 0);
			ck_assert(smt->flags & core->flags & end->flags & INDEXED);
		}
	}
	/* An older processor has no leaf 0x1f. */
	host_is(amd, ARRAY_SIZE(amd));
	build(4, false);
	ck_assert_ptr_null(cpuid_find(&table, 0x1f, 0));
	ck_assert_uint_eq(leaf(0xb, 1)->ebx, 4);
}
END_TEST

START_TEST(amd_topology)
{
	host_is(amd, ARRAY_SIZE(amd));
	for (size_t i = 0; i < ARRAY_SIZE(cpu_counts); i++) {
		unsigned int cpus = cpu_counts[i];
		uint32_t ecx;

		build(cpus, false);
		ecx = leaf(0x80000008, 0)->ecx;
		ck_assert_uint_eq(field(ecx, 7, 0), min_of(cpus - 1, 255u));
		ck_assert(bits_fit(field(ecx, 15, 12), cpus));
		ck_assert_uint_eq(field(ecx, 17, 16), 3); /* the counter's size */
		ck_assert_int_eq(!!(leaf(0x80000001, 0)->ecx & CMP_LEGACY), cpus > 1);
		ck_assert_uint_eq(field(leaf(0x8000001d, 0)->eax, 25, 14), 0);
		ck_assert_uint_eq(field(leaf(0x8000001d, 2)->eax, 25, 14), 0);
		ck_assert_uint_ge(field(leaf(0x8000001d, 3)->eax, 25, 14) + 1, cpus);
		/* Reserved there, the number of cores in Intel's leaf. */
		ck_assert_uint_eq(field(leaf(0x8000001d, 3)->eax, 31, 26), 0);
	}
}
END_TEST

START_TEST(each_vp)
{
	static const unsigned int vps[] = {0, 1, 7, 254, 255, 300};

	for (size_t i = 0; i < ARRAY_SIZE(vps); i++) {
		host_is(intel, ARRAY_SIZE(intel));
		build(512, false);
		cpuid_set_vp(&table, vps[i]);
		ck_assert_uint_eq(leaf(1, 0)->ebx >> 24, min_of(vps[i], 255u));
		ck_assert_uint_eq(leaf(1, 0)->ebx & 0xffff, 0x0823);
		for (uint32_t n = 0; n < 3; n++) {
			ck_assert_uint_eq(leaf(0xb, n)->edx, vps[i]);
			ck_assert_uint_eq(leaf(0x1f, n)->edx, vps[i]);
		}
		/* From one VP to the next nothing is left behind. */
		cpuid_set_vp(&table, 2);
		ck_assert_uint_eq(leaf(1, 0)->ebx >> 24, 2);
		host_is(amd, ARRAY_SIZE(amd));
		build(512, false);
		cpuid_set_vp(&table, vps[i]);
		ck_assert_uint_eq(leaf(0x8000001e, 0)->eax, vps[i]);
		ck_assert_uint_eq(field(leaf(0x8000001e, 0)->ebx, 15, 8), 0); /* threads - 1 */
		ck_assert_uint_eq(leaf(0x8000001e, 0)->ecx, 0);
	}
}
END_TEST

/* --- Failures. ------------------------------------------------------------------------------- */

START_TEST(kvm_fails)
{
	const struct cpuid_config config = {.cpus = 1};
	struct error err = {.text = ""};

	host_is(intel, ARRAY_SIZE(intel));
	kvm_fake.fails = KVM_GET_SUPPORTED_CPUID;
	kvm_fake.fails_with = E2BIG;
	ck_assert_int_eq(cpuid_build(&kvm, &config, &table, &err), -E2BIG);
	ck_assert_ptr_nonnull(strstr(err.text, "KVM_GET_SUPPORTED_CPUID"));
}
END_TEST

START_TEST(too_many_leaves)
{
	const struct cpuid_config config = {.cpus = 1};
	struct error err = {.text = ""};

	host_is(intel, ARRAY_SIZE(intel));
	while (host.header.nent < CPUID_ENTRIES_MAX)
		host.entries[host.header.nent++] = (struct kvm_cpuid_entry2){.function = 0x20};
	ck_assert_int_eq(cpuid_build(&kvm, &config, &table, &err), 0);
	/* Six entries of topology, where KVM had three and its identity another three. */
	host_is(intel, ARRAY_SIZE(intel));
	cpuid_remove(&host, 0x40000000, 0x4fffffff);
	while (host.header.nent < CPUID_ENTRIES_MAX)
		host.entries[host.header.nent++] = (struct kvm_cpuid_entry2){.function = 0x20};
	ck_assert_int_eq(cpuid_build(&kvm, &config, &table, &err), -E2BIG);
	ck_assert_str_ne(err.text, "");
}
END_TEST

/* A host that reports next to nothing. */
START_TEST(bare_host)
{
	host_is(amd, 0);
	build(4, false);
	ck_assert_uint_eq(table.header.nent, 0);
	cpuid_set_vp(&table, 3);
	host_is(amd, 1);
	build(4, false);
	cpuid_set_vp(&table, 3);
	ck_assert_uint_eq(leaf(0xb, 0)->edx, 3);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		find,
		add,
		removal,
		no_identity,
		nested,
		hidden_and_added,
		leaf_1,
		intel_caches,
		extended_topology,
		amd_topology,
		each_vp,
		kvm_fails,
		too_many_leaves,
		bare_host,
	};

	return hv_run_tests("cpuid", setup, teardown, tests, ARRAY_SIZE(tests));
}
