// SPDX-License-Identifier: MIT
/*
 * Reset in place, by every way the machine has: after each the guest starts again as from power-on.
 *
 * Each boot leaves marks all over the machine, then resets it; the next one looks, before the kit
 * has touched anything, at what is left of them. Only CMOS memory survives: it counts the boots.
 *
 * Parameters: methods=A,B,... (of acpi, cf9, i8042, port92, triple; default all but the last),
 * stop (the VMM is to end at the reset: its exit status tells), cpu=N (which CPU resets, default
 * 0), busy (the other CPUs run meanwhile, else they sleep).
 */
#include "kit/kit.h"

#define METHODS_MAX 16
#define MARK        0x6b72616d6b72616dull
#define VECTOR      0x61

/* CMOS bytes. */
#define CMOS_MAGIC  0x60
#define CMOS_BOOTS  0x61
#define CMOS_CASES  0x62
#define CMOS_FAILED 0x63
#define MAGIC       0xa7

#define RTC_B        0x0b
#define B_INTERRUPTS 0x70

#define UART(reg)  (COM1 + (reg))
#define IOAPIC_PIN 10

/* What early_main() sees. */
static struct {
	uint8_t ier, lcr, mcr, iir;
	uint8_t rtc_b;
	uint64_t apic_base;
	uint32_t svr, tpr, lvt_timer, timer_initial, isr;
	uint32_t ioapic_low;
	uint16_t pm1_enable;
	uint64_t sysenter_eip, lstar, gs_base, tsc;
	bool ram_clear;
} seen;

static volatile uint32_t generation = 1; /* in .data: a reset loads it again */

static uint8_t cmos_read(uint8_t index)
{
	out8(0x70, index);
	return in8(0x71);
}

static void cmos_write(uint8_t index, uint8_t v)
{
	out8(0x70, index);
	out8(0x71, v);
}

/* Places away from what loaders and the kit use. Calls @fn for each. */
static void for_each_mark(void (*fn)(uint64_t pa))
{
	uint64_t top = memory_top();

	fn(0x500);
	fn(0x70000);
	fn(0x98000);
	fn(align_up(image_start() + MiB(4), MiB(2)) - 8);
	for (size_t i = 0; i < memory_range_count(); i++)
		if (memory_range(i)->type == MEMORY_RAM && memory_range(i)->addr >= MiB(1))
			fn(memory_range(i)->addr + memory_range(i)->len - 8);
	fn(align_down(top / 2, PAGE_SIZE));
}

static void write_mark(uint64_t pa)
{
	mmio_write64(pa, MARK);
}

static void look_at_mark(uint64_t pa)
{
	seen.ram_clear &= mmio_read64(pa) != MARK;
}

static uint16_t pm1_enable_port(void)
{
	/* The second half of the PM1a event block, whose length is 4 (ACPI 4.8.3.1). */
	return acpi_fadt() ? (uint16_t)(acpi_fadt()->pm1a_event_port + 2) : 0;
}

void early_main(void)
{
	uint64_t apic = 0xfee00000;

	seen.ier = in8(UART(1));
	seen.iir = in8(UART(2));
	seen.lcr = in8(UART(3));
	seen.mcr = in8(UART(4));
	seen.rtc_b = cmos_read(RTC_B);
	seen.apic_base = rdmsr(MSR_APIC_BASE);
	if ((seen.apic_base & (APIC_BASE_ENABLE | APIC_BASE_X2APIC)) == APIC_BASE_ENABLE) {
		seen.svr = mmio_read32(apic + APIC_SVR);
		seen.tpr = mmio_read32(apic + APIC_TPR);
		seen.lvt_timer = mmio_read32(apic + APIC_LVT_TIMER);
		seen.timer_initial = mmio_read32(apic + APIC_TIMER_INITIAL);
		for (uint32_t i = 0; i < 8; i++)
			seen.isr |= mmio_read32(apic + APIC_ISR + i * 16) |
				    mmio_read32(apic + APIC_IRR + i * 16);
	}
	seen.sysenter_eip = rdmsr(MSR_SYSENTER_EIP);
	seen.lstar = rdmsr(MSR_LSTAR);
	seen.gs_base = rdmsr(MSR_KERNEL_GS_BASE);
	seen.tsc = rdtsc();
	seen.ram_clear = true;
	for_each_mark(look_at_mark);
	/* These need ACPI: they are read in test_main(), still before the kit writes them. */
}

static void on_interrupt(struct trap_frame *frame)
{
	(void)frame;
	apic_eoi();
}

static void dirty_machine(void)
{
	generation++;
	for_each_mark(write_mark);
	cmos_write(RTC_B, cmos_read(RTC_B) | 0x40); /* periodic interrupt */
	out8(UART(1), 0x05);
	out8(UART(4), 0x0b);
	if (pm1_enable_port())
		out16(pm1_enable_port(), 0x0100);
	wrmsr(MSR_SYSENTER_EIP, MARK);
	wrmsr(MSR_LSTAR, MARK & 0x7fffffffffff);
	wrmsr(MSR_KERNEL_GS_BASE, MARK & 0x7fffffffffff);
	irq_set_handler(VECTOR, on_interrupt);
	ioapic_write(IOAPIC_ENTRY(IOAPIC_PIN), VECTOR);
	apic_write(APIC_TPR, 0x10);
	apic_write(APIC_TIMER_DIVIDE, 0x0b);
	apic_write(APIC_LVT_TIMER, LVT_PERIODIC | VECTOR);
	apic_write(APIC_TIMER_INITIAL, 50000000);
}

/* @what: the method the machine was reset by. */
static void verify_power_on(const char *what)
{
	expect(seen.ram_clear);
	expect_eq(generation, 1);
	test_case("after %s: memory is as loaded", what);

	expect_eq(seen.apic_base, 0xfee00000 | APIC_BASE_ENABLE | APIC_BASE_BSP);
	expect_eq(seen.svr, 0xff);
	expect_eq(seen.tpr, 0);
	expect_eq(seen.lvt_timer, LVT_MASKED);
	expect_eq(seen.timer_initial, 0);
	expect_eq(seen.isr, 0);
	test_case("after %s: the local APIC is as at power-on", what);

	expect(seen.ioapic_low & IOAPIC_MASKED);
	expect_eq(seen.pm1_enable, 0);
	test_case("after %s: I/O APIC and ACPI registers are as at power-on", what);

	expect_eq(seen.ier, 0);
	expect_eq(seen.mcr, 0);
	expect_eq(seen.lcr & 0x80, 0);
	expect_eq(seen.iir, 1);
	expect_eq(seen.rtc_b & B_INTERRUPTS, 0);
	test_case("after %s: serial port and RTC are as at power-on", what);

	expect_eq(seen.sysenter_eip, 0);
	expect_eq(seen.lstar, 0);
	expect_eq(seen.gs_base, 0);
	test_case("after %s: MSRs are as at power-on", what);
}

/* Splits the comma-separated list in place. */
static size_t split_methods(char *list, const char *methods[METHODS_MAX])
{
	size_t count = 0;

	for (char *p = list; *p && count < METHODS_MAX;) {
		methods[count++] = p;
		while (*p && *p != ',')
			p++;
		if (*p)
			*p++ = 0;
	}
	return count;
}

static void do_reset(void *arg)
{
	const char *method = arg;

	if (!strcmp(method, "acpi"))
		reset_acpi();
	else if (!strcmp(method, "cf9"))
		reset_cf9();
	else if (!strcmp(method, "i8042"))
		reset_i8042();
	else if (!strcmp(method, "port92"))
		reset_port92();
	else if (!strcmp(method, "triple"))
		triple_fault();
	else
		bail_out("no such way to reset: %s", method);
}

static void reset_by(const char *method)
{
	dirty_machine();
	if (param_is_set("busy"))
		smp_call_others(smp_spin, NULL);
	if (!smp_call((unsigned int)param_u64("cpu", 0), do_reset, (void *)(uintptr_t)method, 3000))
		bail_out("CPU %lu cannot reset", param_u64("cpu", 0));
	delay_us(3000000);
	/* The port may still be as dirty_machine() left it. */
	console_reset();
	bail_out("still alive after a reset by %s", method);
}

static unsigned int begin_boot(void)
{
	if (cmos_read(CMOS_MAGIC) != MAGIC) {
		cmos_write(CMOS_MAGIC, MAGIC);
		cmos_write(CMOS_BOOTS, 0);
		return 0;
	}
	test_resume((struct test_progress){cmos_read(CMOS_CASES), cmos_read(CMOS_FAILED)});
	return cmos_read(CMOS_BOOTS);
}

static void end_boot(unsigned int boot)
{
	struct test_progress p = test_progress();

	cmos_write(CMOS_BOOTS, (uint8_t)(boot + 1));
	cmos_write(CMOS_CASES, (uint8_t)p.cases);
	cmos_write(CMOS_FAILED, (uint8_t)p.failed);
}

void test_main(void)
{
	char list[64];
	const char *methods[METHODS_MAX];

	param_string("methods", "acpi,cf9,i8042,port92", list, sizeof(list));
	size_t count = split_methods(list, methods);
	unsigned int boot = begin_boot();

	seen.ioapic_low = ioapic_read(IOAPIC_ENTRY(IOAPIC_PIN));
	seen.pm1_enable = pm1_enable_port() ? in16(pm1_enable_port()) : 0;
	if (boot > 0 && boot <= count)
		verify_power_on(methods[boot - 1]);
	if (boot >= count) {
		cmos_write(CMOS_MAGIC, 0);
		return;
	}
	if (cpu_count() > 1)
		check(smp_start_all(10000), "boot %u: all %u CPUs start", boot, cpu_count());
	note("boot %u: reset by %s", boot, methods[boot]);
	if (param_is_set("stop")) {
		check(true, "about to reset");
		test_plan();
	}
	end_boot(boot);
	reset_by(methods[boot]);
}
