// SPDX-License-Identifier: MIT
/*
 * Local APIC registers from outside. Register offsets: Intel SDM volume 3, 11.4.1 (table 11-1).
 */
#include "hv-enlight/apic.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#define APIC_TPR  0x080
#define APIC_ISR  0x100
#define APIC_IRR  0x200
#define APIC_ICR  0x300
#define APIC_ICR2 0x310

#define X2APIC_MSR(reg)  (0x800u + ((reg) >> 4))
#define APIC_EOI         0x0b0
#define APIC_BASE_X2APIC (1ull << 10)

#define ICR_VECTOR_MODE      0x0fffu /* vector, delivery mode, destination mode */
#define ICR_MODE             (7u << 8)
#define ICR_INIT             (5u << 8)
#define ICR_LOGICAL          (1u << 11)
#define ICR_ASSERT           (1u << 14)
#define ICR_LEVEL            (1u << 15)
#define ICR_SHORTHAND_SHIFT  18
#define ICR_SHORTHAND_SELF   1u
#define ICR_SHORTHAND_ALL    2u
#define ICR_SHORTHAND_OTHERS 3u

int apic_read(struct vcpu *vcpu, struct apic_state *ret)
{
	return ioctl(vcpu->fd, KVM_GET_LAPIC, &ret->lapic) < 0 ? -errno : 0;
}

static uint32_t get(const struct apic_state *apic, unsigned int offset)
{
	uint32_t value;

	memcpy(&value, apic->lapic.regs + offset, sizeof(value));
	return value;
}

static bool get_bit(const struct apic_state *apic, unsigned int base, uint8_t vector)
{
	return get(apic, base + vector / 32u * 0x10) & 1u << vector % 32;
}

bool apic_in_service(const struct apic_state *apic, uint8_t vector)
{
	return get_bit(apic, APIC_ISR, vector);
}

bool apic_requested(const struct apic_state *apic, uint8_t vector)
{
	return get_bit(apic, APIC_IRR, vector);
}

int apic_highest_in_service(const struct apic_state *apic)
{
	for (int word = 7; word >= 0; word--) {
		uint32_t bits = get(apic, APIC_ISR + (unsigned int)word * 0x10);

		if (bits)
			return word * 32 + 31 - __builtin_clz(bits);
	}
	return -1;
}

static bool in_x2apic_mode(struct vcpu *vcpu)
{
	struct kvm_sregs sregs;

	return ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) == 0 && (sregs.apic_base & APIC_BASE_X2APIC);
}

static void eoi_by_state(struct vcpu *vcpu)
{
	struct apic_state apic;
	uint32_t bits;
	int vector;

	if (apic_read(vcpu, &apic) < 0)
		return;
	vector = apic_highest_in_service(&apic);
	if (vector < 0)
		return;
	bits = get(&apic, APIC_ISR + (unsigned int)vector / 32 * 0x10) & ~(1u << vector % 32);
	memcpy(apic.lapic.regs + APIC_ISR + vector / 32 * 0x10, &bits, sizeof(bits));
	(void)ioctl(vcpu->fd, KVM_SET_LAPIC, &apic.lapic);
}

void apic_eoi(struct vcpu *vcpu)
{
	if (in_x2apic_mode(vcpu) && vcpu_set_msr(vcpu, X2APIC_MSR(APIC_EOI), 0) == 0)
		return;
	if (kvm_has(vcpu->set->kvm, KVM_HAS_HYPERV) && vcpu_set_msr(vcpu, HV_MSR_EOI, 0) == 0)
		return;
	eoi_by_state(vcpu);
}

enum vcpu_msr apic_read_msr(struct vcpu *vcpu, uint32_t index, uint64_t *ret)
{
	struct apic_state apic;

	if (apic_read(vcpu, &apic) < 0)
		return VCPU_MSR_FAULT;
	if (index == HV_MSR_TPR)
		*ret = get(&apic, APIC_TPR);
	else
		*ret = (uint64_t)get(&apic, APIC_ICR2) << 32 | get(&apic, APIC_ICR);
	return VCPU_MSR_HANDLED;
}

/* An interrupt command in xAPIC format, as messages: the same fields, other places. */
static void send_icr(struct irqchip *chip, struct vcpu *vcpu, uint64_t icr)
{
	uint32_t shorthand = (uint32_t)icr >> ICR_SHORTHAND_SHIFT & 3;
	uint32_t data = (uint32_t)icr & ICR_VECTOR_MODE & ~ICR_LOGICAL;
	uint64_t address;
	uint32_t unused;

	/* The de-assertion of INIT is for processors that are gone (SDM 11.6.1). */
	if ((icr & (ICR_MODE | ICR_LEVEL | ICR_ASSERT)) == (ICR_INIT | ICR_LEVEL))
		return;
	if (!shorthand) {
		irqchip_msi_message((uint32_t)(icr >> 56), 0, &address, &unused);
		if (icr & ICR_LOGICAL)
			address |= 1u << 2;
		(void)!irqchip_signal_msi(chip, address, data);
		return;
	}
	for (unsigned int i = 0; i < vcpu->set->count; i++) {
		bool self = i == vcpu->index;

		if (self ? shorthand == ICR_SHORTHAND_OTHERS : shorthand == ICR_SHORTHAND_SELF)
			continue;
		irqchip_msi_message(i, 0, &address, &unused);
		(void)!irqchip_signal_msi(chip, address, data);
	}
}

bool apic_has_icr(struct vcpu *vcpu)
{
	return in_x2apic_mode(vcpu) || kvm_has(vcpu->set->kvm, KVM_HAS_HYPERV);
}

static enum vcpu_msr write_icr(struct irqchip *chip, struct vcpu *vcpu, uint64_t value)
{
	if (in_x2apic_mode(vcpu))
		return vcpu_set_msr(vcpu, X2APIC_MSR(APIC_ICR), value) == 0 ? VCPU_MSR_HANDLED
									    : VCPU_MSR_FAULT;
	if (!kvm_has(vcpu->set->kvm, KVM_HAS_HYPERV) || vcpu_set_msr(vcpu, HV_MSR_ICR, value) < 0)
		send_icr(chip, vcpu, value);
	return VCPU_MSR_HANDLED;
}

static enum vcpu_msr write_tpr(struct vcpu *vcpu, uint64_t value)
{
	struct kvm_sregs sregs;

	if (value > 0xff)
		return VCPU_MSR_FAULT;
	if (in_x2apic_mode(vcpu))
		return vcpu_set_msr(vcpu, X2APIC_MSR(APIC_TPR), value) == 0 ? VCPU_MSR_HANDLED
									    : VCPU_MSR_FAULT;
	/* CR8 holds the priority class, which is all that interrupt delivery looks at. */
	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0)
		return VCPU_MSR_FAULT;
	sregs.cr8 = value >> 4;
	return ioctl(vcpu->fd, KVM_SET_SREGS, &sregs) < 0 ? VCPU_MSR_FAULT : VCPU_MSR_HANDLED;
}

enum vcpu_msr apic_write_msr(struct irqchip *chip, struct vcpu *vcpu, uint32_t index,
			     uint64_t value)
{
	switch (index) {
	case HV_MSR_EOI:
		if (value >> 32)
			return VCPU_MSR_FAULT;
		apic_eoi(vcpu);
		return VCPU_MSR_HANDLED;
	case HV_MSR_TPR:
		return write_tpr(vcpu, value);
	default:
		return write_icr(chip, vcpu, value);
	}
}
