// SPDX-License-Identifier: MIT
/*
 * The local APIC from outside: registers where the Intel SDM (volume 3, chapter 11) has them, EOI
 * in each of the ways there are, and interrupt commands as messages.
 */
#include "hv-enlight/apic.h"

#include "hv_tests.h"
#include "kvm_fake.h"

#define CPUS       4
#define ME         1u /* the VP that all of it happens on */
#define TPR        0x080
#define ISR        0x100
#define IRR        0x200
#define ICR        0x300
#define ICR_HIGH   0x310
#define X2APIC     (1ull << 10)
#define MSR_X2_TPR 0x808
#define MSR_X2_EOI 0x80b
#define MSR_X2_ICR 0x830

static struct kvm kvm;
static struct irqchip chip;
static struct vcpu_set set;
static struct vcpu vcpus[CPUS];
static struct kvm_fake_cpu *cpu;

static void setup(void)
{
	kvm = (struct kvm){.fd = KVM_FAKE, .vm_fd = KVM_FAKE_VM};
	chip.kvm = &kvm;
	set = (struct vcpu_set){.kvm = &kvm, .vcpus = vcpus, .count = CPUS};
	for (unsigned int i = 0; i < CPUS; i++)
		vcpus[i] = (struct vcpu){.index = i, .set = &set, .fd = KVM_FAKE_CPU + (int)i};
	cpu = &kvm_fake.cpus[ME];
}

static void teardown(void)
{
}

static uint32_t reg(unsigned int offset)
{
	uint32_t value;

	memcpy(&value, cpu->lapic.regs + offset, sizeof(value));
	return value;
}

static void set_reg(unsigned int offset, uint32_t value)
{
	memcpy(cpu->lapic.regs + offset, &value, sizeof(value));
}

static void set_bit(unsigned int base, uint8_t vector)
{
	unsigned int offset = base + vector / 32u * 16;

	set_reg(offset, reg(offset) | 1u << vector % 32);
}

static bool wr(uint32_t msr, uint64_t value)
{
	return apic_write_msr(&chip, &vcpus[ME], msr, value) == VCPU_MSR_HANDLED;
}

static uint64_t rd(uint32_t msr)
{
	uint64_t value = 0;

	ck_assert_int_eq(apic_read_msr(&vcpus[ME], msr, &value), VCPU_MSR_HANDLED);
	return value;
}

/* --- State. ---------------------------------------------------------------------------------- */

START_TEST(bits)
{
	struct apic_state apic;

	for (unsigned int vector = 0; vector < 256; vector++) {
		memset(&cpu->lapic, 0, sizeof(cpu->lapic));
		set_bit(ISR, (uint8_t)vector);
		set_bit(IRR, (uint8_t)(vector ^ 0xff));
		ck_assert_int_eq(apic_read(&vcpus[ME], &apic), 0);
		for (unsigned int v = 0; v < 256; v++)
			if (apic_in_service(&apic, (uint8_t)v) != (v == vector) ||
			    apic_requested(&apic, (uint8_t)v) != (v == (vector ^ 0xff)))
				ck_abort_msg("%u with %u set", v, vector);
		ck_assert_int_eq(apic_highest_in_service(&apic), (int)vector);
	}
}
END_TEST

START_TEST(highest)
{
	struct apic_state apic;

	ck_assert_int_eq(apic_read(&vcpus[ME], &apic), 0);
	ck_assert_int_eq(apic_highest_in_service(&apic), -1);
	set_bit(ISR, 0x31);
	set_bit(ISR, 0x5f);
	set_bit(ISR, 0x40);
	set_bit(IRR, 0xfe);
	ck_assert_int_eq(apic_read(&vcpus[ME], &apic), 0);
	ck_assert_int_eq(apic_highest_in_service(&apic), 0x5f);
	kvm_fake.fails = KVM_GET_LAPIC;
	kvm_fake.fails_with = EIO;
	ck_assert_int_eq(apic_read(&vcpus[ME], &apic), -EIO);
}
END_TEST

/* --- EOI. ------------------------------------------------------------------------------------ */

START_TEST(eoi_x2apic)
{
	cpu->sregs.apic_base = X2APIC;
	set_bit(ISR, 0x50);
	apic_eoi(&vcpus[ME]);
	ck_assert_uint_eq(kvm_fake.msr_count, 1);
	ck_assert_uint_eq(kvm_fake.msrs[0].index, MSR_X2_EOI);
	ck_assert_uint_eq(kvm_fake.msrs[0].data, 0);
	ck_assert(reg(ISR + 0x20) & 1u << 16);
}
END_TEST

START_TEST(eoi_by_kvms_hyperv)
{
	kvm.caps[KVM_HAS_HYPERV] = 1;
	apic_eoi(&vcpus[ME]);
	ck_assert_uint_eq(kvm_fake.msr_count, 1);
	ck_assert_uint_eq(kvm_fake.msrs[0].index, HV_MSR_EOI);
}
END_TEST

/* The highest goes, all else stays. */
START_TEST(eoi_by_state)
{
	struct kvm_lapic_state before;

	memset(&cpu->lapic, 0x5a, sizeof(cpu->lapic));
	for (unsigned int word = 0; word < 8; word++)
		set_reg(ISR + word * 16, 0);
	set_bit(ISR, 0x33);
	before = cpu->lapic;
	set_bit(ISR, 0x91);
	apic_eoi(&vcpus[ME]);
	ck_assert_mem_eq(&cpu->lapic, &before, sizeof(before));
	apic_eoi(&vcpus[ME]);
	ck_assert_uint_eq(reg(ISR + 0x10), 0);
	/* Nothing in service: nothing to do. */
	before = cpu->lapic;
	apic_eoi(&vcpus[ME]);
	ck_assert_mem_eq(&cpu->lapic, &before, sizeof(before));
	/* Where KVM takes no register writes, this is the way in x2APIC mode too. */
	cpu->sregs.apic_base = X2APIC;
	kvm_fake.msr_refused = true;
	set_bit(ISR, 0x91);
	apic_eoi(&vcpus[ME]);
	ck_assert_mem_eq(&cpu->lapic, &before, sizeof(before));
}
END_TEST

START_TEST(eoi_msr)
{
	set_bit(ISR, 0x91);
	ck_assert(wr(HV_MSR_EOI, 0));
	ck_assert_uint_eq(reg(ISR + 0x40), 0);
	set_bit(ISR, 0x91);
	ck_assert(wr(HV_MSR_EOI, 0xffffffff));
	ck_assert_uint_eq(reg(ISR + 0x40), 0);
}
END_TEST

/* --- TPR (TLFS 10.2.3.3). -------------------------------------------------------------------- */

START_TEST(tpr)
{
	set_reg(TPR, 0x7c);
	ck_assert_uint_eq(rd(HV_MSR_TPR), 0x7c);
	ck_assert(wr(HV_MSR_TPR, 0xf0));
	ck_assert_uint_eq(cpu->sregs.cr8, 0xf);
	ck_assert(wr(HV_MSR_TPR, 0));
	ck_assert_uint_eq(cpu->sregs.cr8, 0);
	cpu->sregs.apic_base = X2APIC;
	ck_assert(wr(HV_MSR_TPR, 0x45));
	ck_assert_uint_eq(kvm_fake.msrs[0].index, MSR_X2_TPR);
	ck_assert_uint_eq(kvm_fake.msrs[0].data, 0x45);
	for (unsigned int bit = 8; bit < 64; bit++)
		ck_assert(!wr(HV_MSR_TPR, 1ull << bit));
	kvm_fake.msr_refused = true;
	ck_assert(!wr(HV_MSR_TPR, 0x45));
}
END_TEST

START_TEST(unreachable)
{
	uint64_t value = 1;

	kvm_fake.fails = KVM_GET_LAPIC;
	kvm_fake.fails_with = EIO;
	ck_assert_int_eq(apic_read_msr(&vcpus[ME], HV_MSR_TPR, &value), VCPU_MSR_FAULT);
	ck_assert_uint_eq(value, 1);
	kvm_fake.fails = KVM_SET_SREGS;
	kvm_fake.fails_after = 0;
	ck_assert(!wr(HV_MSR_TPR, 0x20));
}
END_TEST

/* --- ICR (TLFS 10.2.3.2). -------------------------------------------------------------------- */

static uint64_t icr(uint64_t destination, uint32_t low)
{
	return destination << 56 | low;
}

static bool sent(unsigned int n, uint32_t address, uint32_t data)
{
	return kvm_fake.msis[n].address_lo == address && kvm_fake.msis[n].data == data &&
	       kvm_fake.msis[n].address_hi == 0;
}

START_TEST(icr_reads)
{
	set_reg(ICR, 0x000c4041);
	set_reg(ICR_HIGH, 0x07000000);
	ck_assert_uint_eq(rd(HV_MSR_ICR), 0x07000000000c4041ull);
}
END_TEST

START_TEST(icr_destinations)
{
	ck_assert(wr(HV_MSR_ICR, icr(3, 0x41)));
	ck_assert_uint_eq(kvm_fake.msi_count, 1);
	ck_assert(sent(0, 0xfee03000, 0x41));
	/* Logical: the message's destination mode. */
	ck_assert(wr(HV_MSR_ICR, icr(0x0c, 1u << 11 | 0xfd)));
	ck_assert(sent(1, 0xfee0c004, 0xfd));
	/* Lowest priority, NMI, INIT, start-up: the delivery mode stands at the same place. */
	ck_assert(wr(HV_MSR_ICR, icr(2, 1u << 8 | 0x60)));
	ck_assert(sent(2, 0xfee02000, 0x160));
	ck_assert(wr(HV_MSR_ICR, icr(2, 4u << 8)));
	ck_assert(sent(3, 0xfee02000, 0x400));
	ck_assert(wr(HV_MSR_ICR, icr(2, 5u << 8 | 1u << 14)));
	ck_assert(sent(4, 0xfee02000, 0x500));
	ck_assert(wr(HV_MSR_ICR, icr(2, 6u << 8 | 0x9a)));
	ck_assert(sent(5, 0xfee02000, 0x69a));
	/* INIT is not sent a second time by its de-assertion, to one or to all. */
	ck_assert(wr(HV_MSR_ICR, icr(2, 5u << 8 | 1u << 15)));
	ck_assert(wr(HV_MSR_ICR, icr(0, 2u << 18 | 5u << 8 | 1u << 15)));
	ck_assert_uint_eq(kvm_fake.msi_count, 6);
}
END_TEST

START_TEST(icr_shorthands)
{
	ck_assert(wr(HV_MSR_ICR, icr(0, 1u << 18 | 0x41)));
	ck_assert_uint_eq(kvm_fake.msi_count, 1);
	ck_assert(sent(0, 0xfee00000 | ME << 12, 0x41));
	ck_assert(wr(HV_MSR_ICR, icr(0, 2u << 18 | 0x42)));
	ck_assert_uint_eq(kvm_fake.msi_count, 1 + CPUS);
	for (uint32_t i = 0; i < CPUS; i++)
		ck_assert(sent(1 + i, 0xfee00000 | i << 12, 0x42));
	ck_assert(wr(HV_MSR_ICR, icr(0, 3u << 18 | 0x43)));
	ck_assert_uint_eq(kvm_fake.msi_count, CPUS + CPUS);
	for (unsigned int n = 1 + CPUS; n < CPUS + CPUS; n++)
		ck_assert(!sent(n, 0xfee00000 | ME << 12, 0x43));
}
END_TEST

START_TEST(icr_x2apic)
{
	cpu->sregs.apic_base = X2APIC;
	ck_assert(wr(HV_MSR_ICR, 0x0000000300000041ull));
	ck_assert_uint_eq(kvm_fake.msi_count, 0);
	ck_assert_uint_eq(kvm_fake.msrs[0].index, MSR_X2_ICR);
	ck_assert_uint_eq(kvm_fake.msrs[0].data, 0x0000000300000041ull);
	kvm_fake.msr_refused = true;
	ck_assert(!wr(HV_MSR_ICR, 0x41));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		bits, highest,     eoi_x2apic, eoi_by_kvms_hyperv, eoi_by_state,   eoi_msr,
		tpr,  unreachable, icr_reads,  icr_destinations,   icr_shorthands, icr_x2apic,
	};

	return hv_run_tests("apic", setup, teardown, tests, ARRAY_SIZE(tests));
}
