// SPDX-License-Identifier: MIT
/*
 * Interrupt delivery on one CPU: priorities, the in-service and request registers, switching
 * between xAPIC and x2APIC, and the I/O APIC's registers.
 */
#include "kit/kit.h"

#define LOW_VECTOR   0x50
#define HIGH_VECTOR  0x90
#define PROBE_VECTOR 0x40

static volatile unsigned int low_count, high_count;
static volatile bool low_in_service, high_nested;

static void on_high(struct trap_frame *frame)
{
	(void)frame;
	high_count++;
	high_nested = apic_bit(APIC_ISR, LOW_VECTOR);
	apic_eoi();
}

static void on_low(struct trap_frame *frame)
{
	(void)frame;
	low_count++;
	low_in_service = apic_bit(APIC_ISR, LOW_VECTOR);
	if (low_count == 1) {
		/* A higher one comes through while this one is in service, an equal one waits. */
		irq_enable();
		apic_send_shorthand(ICR_SELF | ICR_ASSERT | LOW_VECTOR);
		apic_send_shorthand(ICR_SELF | ICR_ASSERT | HIGH_VECTOR);
		wait_for(high_count, 1000);
		expect_eq(low_count, 1);
		expect(apic_bit(APIC_IRR, LOW_VECTOR));
		irq_disable();
	}
	apic_eoi();
}

/* Some software KVMs forget a vector as soon as they deliver it: nothing of nesting holds there. */
static bool probed_in_service;

static void on_probe(struct trap_frame *frame)
{
	(void)frame;
	probed_in_service = apic_bit(APIC_ISR, PROBE_VECTOR);
	apic_eoi();
}

static bool has_in_service(void)
{
	irq_set_handler(PROBE_VECTOR, on_probe);
	apic_send_shorthand(ICR_SELF | ICR_ASSERT | PROBE_VECTOR);
	irq_enable_and_halt();
	irq_disable();
	return probed_in_service;
}

static void test_nesting(void)
{
	if (!has_in_service()) {
		skip("a higher vector interrupts a lower one, an equal one waits for its EOI",
		     "this KVM's APIC does not show vectors in service");
		low_count = 2;
		return;
	}
	irq_enable();
	apic_send_shorthand(ICR_SELF | ICR_ASSERT | LOW_VECTOR);
	expect(wait_for(low_count == 2, 1000));
	irq_disable();
	expect(low_in_service);
	expect(high_nested);
	expect_eq(high_count, 1);
	expect(!apic_bit(APIC_ISR, LOW_VECTOR));
	test_case("a higher vector interrupts a lower one, an equal one waits for its EOI");
}

static void test_priority(void)
{
	high_count = 0;
	apic_write(APIC_TPR, 0x60);
	irq_enable();
	apic_send_shorthand(ICR_SELF | ICR_ASSERT | LOW_VECTOR);
	apic_send_shorthand(ICR_SELF | ICR_ASSERT | HIGH_VECTOR);
	expect(wait_for(high_count == 1, 1000));
	delay_us(1000);
	expect_eq(low_count, 2);
	expect(apic_bit(APIC_IRR, LOW_VECTOR));
	apic_write(APIC_TPR, 0);
	expect(wait_for(low_count == 3, 1000));
	irq_disable();
	test_case("the task priority holds back lower vectors until it falls");
}

static void test_interrupt_flag(void)
{
	unsigned int before = high_count;

	apic_send_shorthand(ICR_SELF | ICR_ASSERT | HIGH_VECTOR);
	expect(wait_for(apic_bit(APIC_IRR, HIGH_VECTOR), 1000));
	delay_us(1000);
	expect_eq(high_count, before);
	irq_enable();
	expect(wait_for(high_count == before + 1, 1000));
	irq_disable();
	expect(!apic_bit(APIC_IRR, HIGH_VECTOR));
	test_case("with interrupts off a vector waits in the IRR");
}

static void test_halt_wake(void)
{
	unsigned int before = high_count;

	apic_send_shorthand(ICR_SELF | ICR_ASSERT | HIGH_VECTOR);
	irq_enable_and_halt();
	irq_disable();
	check_eq(high_count, before + 1, "hlt does not sleep over a pending interrupt");
}

static void test_registers(void)
{
	uint32_t version = apic_read(APIC_VERSION);

	note("local APIC version 0x%08x at 0x%llx, %s mode", version,
	     rdmsr(MSR_APIC_BASE) & APIC_BASE_ADDR, apic_is_x2() ? "x2APIC" : "xAPIC");
	check((version & 0xff) >= 0x10 && (version & 0xff) <= 0x15, "an integrated APIC");
	check((version >> 16 & 0xff) >= 4, "at least five local vectors");
	check_eq(rdmsr(MSR_APIC_BASE) & APIC_BASE_ADDR, 0xfee00000, "at its usual place");
}

static void test_ioapic(void)
{
	uint32_t version = ioapic_read(IOAPIC_VERSION);
	unsigned int pins = (version >> 16 & 0xff) + 1;

	if (!check(madt_ioapic_address(), "MADT names an I/O APIC"))
		return;
	check_eq(pins, 24, "24 inputs (version 0x%08x)", version);
	for (uint32_t pin = 0; pin < pins; pin++) {
		uint32_t low = ioapic_read(IOAPIC_ENTRY(pin));
		uint32_t high = ioapic_read(IOAPIC_ENTRY(pin) + 1);

		ioapic_write(IOAPIC_ENTRY(pin), IOAPIC_MASKED | (0x30 + pin));
		ioapic_write(IOAPIC_ENTRY(pin) + 1, (pin & 0xf) << 24);
		expect_eq(ioapic_read(IOAPIC_ENTRY(pin)), IOAPIC_MASKED | (0x30 + pin));
		expect_eq(ioapic_read(IOAPIC_ENTRY(pin) + 1), (pin & 0xf) << 24);
		ioapic_write(IOAPIC_ENTRY(pin) + 1, high);
		ioapic_write(IOAPIC_ENTRY(pin), low | IOAPIC_MASKED);
	}
	test_case("redirection entries keep what is written");
}

void test_main(void)
{
	irq_set_handler(LOW_VECTOR, on_low);
	irq_set_handler(HIGH_VECTOR, on_high);
	test_registers();
	test_nesting();
	test_priority();
	test_interrupt_flag();
	test_halt_wake();
	test_ioapic();
}
