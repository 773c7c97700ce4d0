// SPDX-License-Identifier: MIT
/*
 * The local APIC timer on the first and the last CPU: one-shot, periodic, masked, TSC deadline.
 */
#include "kit/kit.h"

#define VECTOR  0x70
#define LATE_MS 2000 /* a loaded host: late is not wrong, never is */

static volatile unsigned int fired;
static volatile uint64_t fired_at; /* TSC */
static uint64_t timer_khz;

static void on_timer(struct trap_frame *frame)
{
	(void)frame;
	fired_at = rdtsc();
	fired++;
	apic_eoi();
}

static void start(uint32_t lvt, uint32_t count)
{
	fired = 0;
	apic_write(APIC_LVT_TIMER, lvt | VECTOR);
	apic_write(APIC_TIMER_DIVIDE, APIC_DIVIDE_1);
	apic_write(APIC_TIMER_INITIAL, count);
}

static void stop(void)
{
	apic_write(APIC_TIMER_INITIAL, 0);
	apic_write(APIC_LVT_TIMER, LVT_MASKED);
}

static void test_count(void *arg)
{
	(void)arg;
	fired = 0;
	timer_khz = apic_timer_khz();
	expect(timer_khz > 1000);
	expect_eq(apic_read(APIC_TIMER_CURRENT), 0);

	start(LVT_MASKED, 0xffffffff);
	uint32_t first = apic_read(APIC_TIMER_CURRENT);

	expect(first);
	expect(wait_for(apic_read(APIC_TIMER_CURRENT) < first, 1000));
	stop();
	expect_eq(apic_read(APIC_TIMER_CURRENT), 0);
	expect_eq(fired, 0);
}

static void test_one_shot(void *arg)
{
	uint64_t *late = arg;
	uint64_t begin = rdtsc();

	start(0, (uint32_t)(20 * timer_khz));
	expect(wait_for(fired, LATE_MS));
	uint64_t us = cycles_to_ns(fired_at - begin) / 1000;

	expect(us >= 19800); /* a percent for the calibration */
	*late = us > 20000 ? us - 20000 : 0;
	expect_eq(apic_read(APIC_TIMER_CURRENT), 0);
	delay_us(30000);
	expect_eq(fired, 1);
	stop();
}

static void test_periodic(void *arg)
{
	uint64_t begin = rdtsc();

	(void)arg;
	start(LVT_PERIODIC, (uint32_t)(5 * timer_khz));
	expect(wait_for(fired >= 10, LATE_MS));
	uint64_t ns = cycles_to_ns(fired_at - begin);

	stop();
	expect(ns >= 49000000);
	unsigned int count = fired;

	delay_us(20000);
	expect_eq(fired, count);
}

static void test_masked(void *arg)
{
	(void)arg;
	start(LVT_MASKED, (uint32_t)(2 * timer_khz));
	delay_us(20000);
	expect_eq(fired, 0);
	expect_eq(apic_read(APIC_TIMER_CURRENT), 0);
	stop();
}

static void test_tsc_deadline(void *arg)
{
	(void)arg;
	fired = 0;
	apic_write(APIC_LVT_TIMER, LVT_TSC_DEADLINE | VECTOR);
	full_fence(); /* with xAPIC the mode must be there before the MSR is written */
	uint64_t at = rdtsc() + ms_to_cycles(10);

	wrmsr(MSR_TSC_DEADLINE, at);
	expect_eq(rdmsr(MSR_TSC_DEADLINE), at);
	expect(wait_for(fired, LATE_MS));
	expect(fired_at >= at);
	expect_eq(rdmsr(MSR_TSC_DEADLINE), 0);

	wrmsr(MSR_TSC_DEADLINE, rdtsc() - 1);
	expect(wait_for(fired >= 2, LATE_MS));

	wrmsr(MSR_TSC_DEADLINE, rdtsc() + ms_to_cycles(10));
	wrmsr(MSR_TSC_DEADLINE, 0);
	delay_us(20000);
	expect_eq(fired, 2);
	apic_write(APIC_LVT_TIMER, LVT_MASKED);
}

/* Not the kit's own idle state: functions run on other CPUs with interrupts off. */
static void with_interrupts(void *arg)
{
	void (**fn)(void *) = arg;
	uint64_t late = 0;

	irq_enable();
	(*fn)(&late);
	irq_disable();
	if (late)
		note("one-shot of 20 ms was %lu us late", late);
}

static void run_on(unsigned int cpu, void (*fn)(void *), const char *name)
{
	expect(smp_call(cpu, with_interrupts, &fn, 20000));
	test_case("cpu %u: %s", cpu, name);
}

static void test_on(unsigned int cpu)
{
	run_on(cpu, test_count, "timer counts down and stops");
	note("cpu %u: APIC timer runs at %lu kHz", cpu, timer_khz);
	run_on(cpu, test_one_shot, "one-shot fires once, not early");
	run_on(cpu, test_periodic, "periodic fires again and again until stopped");
	run_on(cpu, test_masked, "a masked timer does not interrupt");
	if (cpuid(1).ecx & BIT(24))
		run_on(cpu, test_tsc_deadline, "TSC deadline: later, past, disarmed");
	else
		skip("TSC deadline", "CPUID has no TSC-deadline timer");
}

void test_main(void)
{
	irq_set_handler(VECTOR, on_timer);
	test_on(0);
	if (cpu_count() == 1) {
		skip("timer of another CPU", "there is one CPU");
		return;
	}
	if (check(smp_start_all(10000), "all %u CPUs start", cpu_count()))
		test_on(cpu_count() - 1);
}
