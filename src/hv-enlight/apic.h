// SPDX-License-Identifier: MIT
/*
 * The local APIC of a VP, reached from outside: for AutoEOI and for the APIC's synthetic MSRs.
 *
 * In x2APIC mode KVM's own register writes are used. In xAPIC mode KVM has no call for a single
 * register: EOI then reads and writes the whole APIC, and an interrupt that another thread raises
 * in between would be lost. KVM's Hyper-V EOI is used where it has one, and the long way is left to
 * guests that insist on AutoEOI with an xAPIC on a KVM without Hyper-V support.
 *
 * All on the VP's own thread, while it is out of the guest.
 */
#pragma once

#include "hv-enlight/hv_proto.h"
#include "vmm/irqchip.h"
#include "vmm/vcpu.h"

struct apic_state {
	struct kvm_lapic_state lapic;
};

int apic_read(struct vcpu *vcpu, struct apic_state *ret) must_check;
bool apic_in_service(const struct apic_state *apic, uint8_t vector);
bool apic_requested(const struct apic_state *apic, uint8_t vector);
/* The highest vector in service, or -1. */
int apic_highest_in_service(const struct apic_state *apic);

/* Ends the highest interrupt in service. */
void apic_eoi(struct vcpu *vcpu);

/* A write of HV_MSR_ICR ends up in the APIC's register; else it is only carried out. */
bool apic_has_icr(struct vcpu *vcpu);

/* HV_MSR_EOI, HV_MSR_ICR and HV_MSR_TPR. */
enum vcpu_msr apic_read_msr(struct vcpu *vcpu, uint32_t index, uint64_t *ret);
enum vcpu_msr apic_write_msr(struct irqchip *chip, struct vcpu *vcpu, uint32_t index,
			     uint64_t value);
