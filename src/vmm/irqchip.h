// SPDX-License-Identifier: MIT
/*
 * KVM's in-kernel interrupt controllers (two 8259s, an IOAPIC, the local APICs) behind irq_line,
 * the table of interrupt routes, and their power-on state for a reset.
 *
 * Routes 0-23 are the legacy wiring that KVM sets up itself: GSI n to pin n of PIC and IOAPIC (GSI
 * 0 to IOAPIC pin 2). Further GSIs are message-signalled interrupts, allocated here.
 */
#pragma once

#include <linux/kvm.h>
#include <pthread.h>

#include "vmm/error.h"
#include "vmm/irq.h"
#include "vmm/kvm.h"

#define IRQCHIP_PINS    24
#define IRQCHIP_MSI_MAX 1000 /* KVM allows 4096 routes in all; legacy ones take 39 */

struct irqchip {
	struct kvm *kvm;
	struct kvm_irqchip initial[3];
	struct kvm_pit_state2 initial_pit;
	pthread_mutex_t lock; /* protects the routes below */
	struct kvm_irq_routing *routes;
};

/* After kvm_create_vm(). Remembers the power-on state. */
int irqchip_init(struct irqchip *chip, struct kvm *kvm, struct error *err) must_check;
void irqchip_finish(struct irqchip *chip);

/* Back to the power-on state; no vCPU runs. */
int irqchip_reset(struct irqchip *chip) must_check;

/* --- Legacy lines. ------------------------------------------------------------------------- */

struct irqchip_line {
	struct irq_line line;
	struct irqchip *chip;
	unsigned int gsi;
	int fd; /* the irqfd of an edge line; -1 for a level line */
};

/* @edge: pulses go through an irqfd, else the level is set with KVM_IRQ_LINE. */
int irqchip_line_init(struct irqchip_line *line, struct irqchip *chip, unsigned int gsi, bool edge,
		      struct error *err) must_check;
void irqchip_line_finish(struct irqchip_line *line);

/* --- Message-signalled interrupts. --------------------------------------------------------- */

struct irqchip_msi {
	struct irqchip *chip;
	unsigned int gsi;
	int fd; /* write 1 to it to interrupt; any thread */
};

/* Routes a new GSI to the message @address/@data and binds an irqfd to it. */
int irqchip_msi_init(struct irqchip_msi *msi, struct irqchip *chip, uint64_t address, uint32_t data,
		     struct error *err) must_check;
/* As irqchip_msi_init(), for SINT @sint of KVM's own SynIC on VP @vp: no re-routing. */
int irqchip_sint_init(struct irqchip_msi *msi, struct irqchip *chip, uint32_t vp, uint32_t sint,
		      struct error *err) must_check;
/* Points it elsewhere; interrupts raised before arrive at the old or the new place. */
int irqchip_msi_route(struct irqchip_msi *msi, uint64_t address, uint32_t data) must_check;
void irqchip_msi_finish(struct irqchip_msi *msi);

/*
 * The MSI address and data for a fixed, edge-triggered @vector to the APIC @apic_id (32-bit ids).
 */
void irqchip_msi_message(uint32_t apic_id, uint8_t vector, uint64_t *ret_address,
			 uint32_t *ret_data);

/* Delivers a message now, without a route: for rare or one-off interrupts. */
int irqchip_signal_msi(struct irqchip *chip, uint64_t address, uint32_t data) must_check;
