// SPDX-License-Identifier: MIT
/*
 * Local APIC and I/O APIC (SDM volume 3, chapter 11; 82093AA data sheet).
 *
 * A guest uses the x2APIC where the CPU has it; `apic=xapic` on the command line keeps it at the
 * memory-mapped one. Registers are named by their xAPIC offset in both modes.
 */
#pragma once

#include "kit/base.h"

#define APIC_ID            0x020
#define APIC_VERSION       0x030
#define APIC_TPR           0x080
#define APIC_EOI           0x0b0
#define APIC_LDR           0x0d0
#define APIC_SVR           0x0f0
#define APIC_ISR           0x100
#define APIC_IRR           0x200
#define APIC_ICR           0x300
#define APIC_ICR_HIGH      0x310 /* xAPIC only */
#define APIC_LVT_TIMER     0x320
#define APIC_LVT_PERF      0x340
#define APIC_LVT_LINT0     0x350
#define APIC_LVT_LINT1     0x360
#define APIC_LVT_ERROR     0x370
#define APIC_TIMER_INITIAL 0x380
#define APIC_TIMER_CURRENT 0x390
#define APIC_TIMER_DIVIDE  0x3e0
#define APIC_SELF_IPI      0x3f0 /* x2APIC only */

#define APIC_SVR_ENABLE BIT(8)

#define LVT_MASKED       0x10000u
#define LVT_PERIODIC     0x20000u
#define LVT_TSC_DEADLINE 0x40000u

/* ICR delivery modes and shorthands; combine with a vector. */
#define ICR_FIXED      0x00000u
#define ICR_NMI        0x00400u
#define ICR_INIT       0x00500u
#define ICR_STARTUP    0x00600u
#define ICR_ASSERT     0x04000u
#define ICR_SELF       0x40000u
#define ICR_ALL        0x80000u
#define ICR_ALL_OTHERS 0xc0000u

/*
 * Turns on this CPU's APIC, software-enabled, TPR 0, all local vectors masked; CPU 0 also masks
 * the two legacy PICs, whose pins may be wired to it.
 */
void apic_init_cpu(void);

bool apic_is_x2(void);
uint32_t apic_read(uint32_t reg);
void apic_write(uint32_t reg, uint32_t v);
/* All 32 bits of the id with x2APIC, 8 with xAPIC. */
uint32_t apic_id(void);
void apic_eoi(void);

/* @icr: ICR_* | vector, physical destination. Waits (with an end) until the xAPIC took it. */
void apic_send(uint32_t apic_id, uint32_t icr);
/* With ICR_SELF, ICR_ALL or ICR_ALL_OTHERS. */
void apic_send_shorthand(uint32_t icr);

/* Is this vector's bit set in the ISR or IRR (@bank APIC_ISR or APIC_IRR)? */
bool apic_bit(uint32_t bank, unsigned int vector);

/*
 * How fast this CPU's timer counts when APIC_TIMER_DIVIDE is APIC_DIVIDE_1. Takes 10 ms and leaves
 * the timer stopped and masked. On a loaded host the answer may be too high, never too low: a timer
 * set by it may be late, not early.
 */
#define APIC_DIVIDE_1 0x0bu
uint64_t apic_timer_khz(void);

/* I/O APIC registers of the first one in the MADT; zero when there is none. */
#define IOAPIC_ID         0
#define IOAPIC_VERSION    1
#define IOAPIC_ENTRY(pin) (0x10 + 2 * (pin))
#define IOAPIC_MASKED     0x10000u
#define IOAPIC_LEVEL      0x08000u
#define IOAPIC_REMOTE_IRR 0x04000u
#define IOAPIC_ACTIVE_LOW 0x02000u
uint32_t ioapic_read(uint32_t reg);
void ioapic_write(uint32_t reg, uint32_t v);

/* Sends ISA interrupt @irq to @vector on CPU 0 by the MADT's overrides; returns its pin. */
uint32_t ioapic_route_irq(uint8_t irq, unsigned int vector);
void ioapic_mask(uint32_t pin);
