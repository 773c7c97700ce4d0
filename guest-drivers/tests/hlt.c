// SPDX-License-Identifier: MIT
/*
 * A guest that sleeps: hlt with a timer set, woken in time, and again.
 *
 * Parameters: sleeps=N (default 10), ms=N (each, default 20).
 */
#include "kit/kit.h"

#define VECTOR 0x71

static volatile unsigned int woken;

static void on_timer(struct trap_frame *frame)
{
	(void)frame;
	woken++;
	apic_eoi();
}

void test_main(void)
{
	unsigned int sleeps = (unsigned int)param_u64("sleeps", 10);
	uint64_t ms = param_u64("ms", 20), total = 0, worst = 0;
	uint64_t khz = apic_timer_khz();

	irq_set_handler(VECTOR, on_timer);
	apic_write(APIC_LVT_TIMER, VECTOR);
	for (unsigned int i = 0; i < sleeps; i++) {
		uint64_t begin = now_ns();

		apic_write(APIC_TIMER_INITIAL, (uint32_t)(khz * ms));
		/* Whatever else ends a hlt, only the timer ends the sleep. */
		while (woken == i && now_ns() - begin < (ms + 2000) * 1000000) {
			irq_enable_and_halt();
			irq_disable();
		}
		uint64_t slept = (now_ns() - begin) / 1000;

		expect_eq(woken, i + 1);
		expect(slept >= ms * 990);
		expect(slept < (ms + 1000) * 1000);
		total += slept;
		worst = slept > worst ? slept : worst;
	}
	test_case("%u sleeps of %lu ms end in time", sleeps, ms);
	note("slept %lu us on average, at most %lu us", total / sleeps, worst);
}
