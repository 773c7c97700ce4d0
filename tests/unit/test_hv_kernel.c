// SPDX-License-Identifier: MIT
/*
 * The kernel engine as far as it can be seen without KVM's own Hyper-V interface: what KVM is asked
 * to do, and what becomes of the hypercalls it hands up.
 */
#include "hv-enlight/hv_calls_proto.h"
#include "hv_fake.h"
#include "hv_tests.h"

#define FEATURE(f) HV_FEATURE_BIT(HV_FEATURE_##f)
#define VECTOR_UD  6

static struct hv_fake fake;

static void create(uint32_t off)
{
	hv_fake_create_with(&fake, HV_ENGINE_KERNEL,
			    hv_fake_memory(&(struct mem_config){.size = HV_FAKE_RAM}), off);
}

static void setup(void)
{
	create(0);
}

static void teardown(void)
{
	hv_fake_destroy(&fake);
}

static unsigned int times_set(uint32_t msr, uint64_t value)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < kvm_fake.msr_count; i++)
		count += kvm_fake.msrs[i].index == msr && kvm_fake.msrs[i].data == value;
	return count;
}

/* KVM turns the SynIC on when it makes one; at power-on it is off (TLFS 11.8.1). */
START_TEST(synic_is_off)
{
	ck_assert_uint_eq(times_set(HV_MSR_SCONTROL, 0), HV_FAKE_VPS);
	teardown();
	create(FEATURE(SYNIC));
	ck_assert_uint_eq(kvm_fake.msr_count, 0);
}
END_TEST

/* --- Hypercalls that KVM hands up. ----------------------------------------------------------- */

static uint64_t call(uint64_t control, uint64_t input, uint64_t output)
{
	struct kvm_hyperv_exit *exit = &fake.vcpus[0].run->hyperv;

	*exit = (struct kvm_hyperv_exit){.type = KVM_EXIT_HYPERV_HCALL};
	exit->u.hcall.input = control;
	exit->u.hcall.params[0] = input;
	exit->u.hcall.params[1] = output;
	exit->u.hcall.result = 0xdead;
	hv_exit(fake.hv, &fake.vcpus[0]);
	return exit->u.hcall.result;
}

static bool undefined(void)
{
	const struct kvm_vcpu_events *events = &kvm_fake.cpus[0].events;

	return events->exception.injected && events->exception.nr == VECTOR_UD;
}

START_TEST(answered)
{
	ck_assert_uint_eq(call(HV_CALL_SIGNAL_EVENT, 0x123, 0), HV_STATUS_INVALID_CONNECTION_ID);
	ck_assert_uint_eq(call(HV_CALL_EXT_MEMORY_HEAT | HV_CONTROL_FAST | 1ull << 32,
			       HV_HEAT_COLD_DISCARD, 0x20 << 12),
			  1ull << 32);
	ck_assert(!undefined());
}
END_TEST

/* Three ranges take 32 bytes: more than the two registers hold (TLFS 3.7.3). */
START_TEST(without_xmm_input)
{
	const uint64_t three = HV_CALL_EXT_MEMORY_HEAT | HV_CONTROL_FAST | 3ull << 32;
	const struct kvm_regs regs = {.rax = 0x1111, .rcx = three, .rip = 0x2222};

	memcpy(kvm_fake.cpus[0].fpu.xmm[0], (uint64_t[]){0x21 << 12, 0x22 << 12}, 16);
	ck_assert_uint_eq(call(three, HV_HEAT_COLD_DISCARD, 0x20 << 12), 3ull << 32);
	ck_assert(!undefined());
	teardown();
	create(FEATURE(XMM_INPUT));
	kvm_fake.cpus[0].regs = regs;
	call(three, HV_HEAT_COLD_DISCARD, 0x20 << 12);
	ck_assert(undefined());
	ck_assert_mem_eq(&kvm_fake.cpus[0].regs, &regs, sizeof(regs));
	/* A kick that came meanwhile is not lost: the VP comes out again at once. */
	ck_assert_uint_eq(fake.vcpus[0].run->immediate_exit, 1);
}
END_TEST

/* --- What it serves. ------------------------------------------------------------------------- */

START_TEST(serves)
{
	const struct kvm_cpuid2 *all = hv_fake_leaves();
	struct kvm kvm = {0};
	uint32_t features;

	ck_assert_uint_eq(hv_engine_serves(HV_ENGINE_USER, &kvm, NULL, 0), 0);
	ck_assert_uint_eq(hv_engine_serves(HV_ENGINE_KERNEL, &kvm, all->entries, all->nent), 0);
	kvm.caps[KVM_HAS_USER_SPACE_MSR] = kvm.caps[KVM_HAS_MSR_FILTER] = 1;
	features = hv_engine_serves(HV_ENGINE_USER, &kvm, NULL, 0);
	ck_assert_uint_eq(features, HV_FEATURES_ALL & ~(FEATURE(TLB_FLUSH) | FEATURE(EOI_ASSIST)));
	/* Of use only where KVM has it, and an EOI is known to cost an exit. */
	kvm.pv_eoi = true;
	ck_assert_uint_eq(hv_engine_serves(HV_ENGINE_USER, &kvm, NULL, 0), features);
	kvm.eoi_exits = true;
	features = hv_engine_serves(HV_ENGINE_USER, &kvm, NULL, 0);
	ck_assert_uint_eq(features, HV_FEATURES_ALL & ~FEATURE(TLB_FLUSH));
	ck_assert_uint_eq(hv_engine_serves(HV_ENGINE_KERNEL, &kvm, all->entries, all->nent), 0);
	for (size_t i = 0; i < KVM_CAP_COUNT; i++)
		kvm.caps[i] = 1;
	features = hv_engine_serves(HV_ENGINE_KERNEL, &kvm, all->entries, all->nent);
	ck_assert_uint_eq(features, HV_FEATURES_ALL);
	kvm.eoi_exits = false;
	features = hv_engine_serves(HV_ENGINE_KERNEL, &kvm, all->entries, all->nent);
	ck_assert_uint_eq(features, HV_FEATURES_ALL & ~FEATURE(EOI_ASSIST));
	ck_assert_uint_eq(hv_engine_serves(HV_ENGINE_KERNEL, &kvm, all->entries, 1), 0);
	ck_assert_uint_eq(hv_engine_serves(HV_ENGINE_KERNEL, &kvm, NULL, 0), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {synic_is_off, answered, without_xmm_input, serves};

	return hv_run_tests("hv_kernel", setup, teardown, tests, ARRAY_SIZE(tests));
}
