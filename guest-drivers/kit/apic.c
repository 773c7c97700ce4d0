// SPDX-License-Identifier: MIT
/* See apic.h. The mode is chosen once, by CPU 0; the other CPUs follow. */
#include "kit/acpi.h"
#include "kit/apic.h"
#include "kit/smp.h"
#include "kit/start_info.h"
#include "kit/string.h"
#include "kit/test.h"
#include "kit/time.h"

#define ICR_PENDING 0x1000u

#define PIC1_DATA 0x21
#define PIC2_DATA 0xa1

static bool x2apic;
static uint64_t base; /* of the xAPIC's registers */

static void choose_mode(void)
{
	char mode[8];

	param_string("apic", "x2apic", mode, sizeof(mode));
	x2apic = cpuid(1).ecx & BIT(21) && strcmp(mode, "xapic");
}

void apic_init_cpu(void)
{
	uint64_t msr = rdmsr(MSR_APIC_BASE);

	if (cpu_index() == 0) {
		choose_mode();
		out8(PIC1_DATA, 0xff);
		out8(PIC2_DATA, 0xff);
	}
	base = msr & APIC_BASE_ADDR;
	/* From off, x2APIC is reached by way of xAPIC only. */
	if (!(msr & APIC_BASE_ENABLE))
		wrmsr(MSR_APIC_BASE, msr |= APIC_BASE_ENABLE);
	if (x2apic && !(msr & APIC_BASE_X2APIC))
		wrmsr(MSR_APIC_BASE, msr | APIC_BASE_X2APIC);

	apic_write(APIC_SVR, (uint32_t)APIC_SVR_ENABLE | VECTOR_SPURIOUS);
	apic_write(APIC_TPR, 0);
	apic_write(APIC_LVT_TIMER, LVT_MASKED);
	apic_write(APIC_LVT_LINT0, LVT_MASKED);
	apic_write(APIC_LVT_LINT1, LVT_MASKED);
	apic_write(APIC_LVT_ERROR, LVT_MASKED);
}

bool apic_is_x2(void)
{
	return x2apic;
}

uint32_t apic_read(uint32_t reg)
{
	return x2apic ? (uint32_t)rdmsr(MSR_X2APIC + reg / 16) : mmio_read32(base + reg);
}

void apic_write(uint32_t reg, uint32_t v)
{
	if (x2apic)
		wrmsr(MSR_X2APIC + reg / 16, v);
	else
		mmio_write32(base + reg, v);
}

uint32_t apic_id(void)
{
	uint32_t id = apic_read(APIC_ID);

	return x2apic ? id : id >> 24;
}

void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

static void xapic_send(uint32_t high, uint32_t icr)
{
	mmio_write32(base + APIC_ICR_HIGH, high);
	mmio_write32(base + APIC_ICR, icr);
	if (!wait_for(!(mmio_read32(base + APIC_ICR) & ICR_PENDING), 1000))
		bail_out("an interrupt command stays pending for a second");
}

void apic_send(uint32_t apic_id, uint32_t icr)
{
	if (x2apic) {
		full_fence(); /* an x2APIC write does not wait for earlier stores */
		wrmsr(MSR_X2APIC + APIC_ICR / 16, (uint64_t)apic_id << 32 | icr);
	} else {
		xapic_send(apic_id << 24, icr);
	}
}

void apic_send_shorthand(uint32_t icr)
{
	apic_send(0, icr);
}

bool apic_bit(uint32_t bank, unsigned int vector)
{
	return apic_read(bank + vector / 32 * 16) & BIT(vector % 32);
}

uint64_t apic_timer_khz(void)
{
	apic_write(APIC_LVT_TIMER, LVT_MASKED);
	apic_write(APIC_TIMER_DIVIDE, APIC_DIVIDE_1);
	apic_write(APIC_TIMER_INITIAL, 0xffffffff);
	uint32_t from = apic_read(APIC_TIMER_CURRENT);
	uint64_t begin = rdtsc();

	delay_us(10000);
	uint64_t cycles = rdtsc() - begin;
	uint32_t to = apic_read(APIC_TIMER_CURRENT);

	apic_write(APIC_TIMER_INITIAL, 0);
	return (uint64_t)(from - to) * tsc_khz() / cycles;
}

static uint64_t ioapic(void)
{
	static uint64_t address;

	if (!address)
		address = madt_ioapic_address();
	return address;
}

uint32_t ioapic_read(uint32_t reg)
{
	if (!ioapic())
		return 0;
	mmio_write32(ioapic(), reg);
	return mmio_read32(ioapic() + 0x10);
}

void ioapic_write(uint32_t reg, uint32_t v)
{
	if (!ioapic())
		return;
	mmio_write32(ioapic(), reg);
	mmio_write32(ioapic() + 0x10, v);
}

uint32_t ioapic_route_irq(uint8_t irq, unsigned int vector)
{
	uint16_t flags;
	uint32_t pin = madt_gsi(irq, &flags);
	uint32_t low = vector;

	if ((flags & 3) == 3)
		low |= IOAPIC_ACTIVE_LOW;
	if ((flags >> 2 & 3) == 3)
		low |= IOAPIC_LEVEL;
	ioapic_mask(pin);
	ioapic_write(IOAPIC_ENTRY(pin) + 1, cpu_get(0)->apic_id << 24);
	ioapic_write(IOAPIC_ENTRY(pin), low);
	return pin;
}

void ioapic_mask(uint32_t pin)
{
	ioapic_write(IOAPIC_ENTRY(pin), IOAPIC_MASKED);
}
