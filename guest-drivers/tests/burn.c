// SPDX-License-Identifier: MIT
/*
 * A guest that uses all the processor time it gets, for shares of the host's processors. It never
 * pauses, as spinning guests do: hosts take that for a sign that they wait.
 *
 * Parameters: busy=N (CPUs that are busy, default all; the others sleep).
 */
#include "kit/kit.h"

static void burn(void *arg)
{
	(void)arg;
	for (uint64_t n = 0;; n++)
		barrier();
}

static void sleep_on(void *arg)
{
	(void)arg;
	for (;;)
		cpu_halt();
}

void test_main(void)
{
	const uint64_t busy = param_u64("busy", cpu_count());

	check(smp_start_all(60000), "all %u CPUs start", cpu_count());
	note("%lu of them busy", busy);
	test_plan();
	/* The watchdog's interrupts would wake those that sleep. */
	irq_disable();
	smp_call_others(busy > 1 ? burn : sleep_on, NULL);
	if (busy)
		burn(NULL);
	sleep_on(NULL);
}
