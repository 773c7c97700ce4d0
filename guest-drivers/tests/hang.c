// SPDX-License-Identifier: MIT
/*
 * A guest that never ends, for the VMM's --timeout.
 *
 * Parameters: mode=spin (default: busy in the guest), halt (asleep with interrupts off), sleep
 * (asleep with interrupts on), exits (busy with port accesses). Other CPUs spin.
 */
#include "kit/kit.h"

void test_main(void)
{
	char mode[8];

	param_string("mode", "spin", mode, sizeof(mode));
	check(true, "alive, about to hang (%s)", mode);
	if (cpu_count() > 1) {
		check(smp_start_all(10000), "all %u CPUs start", cpu_count());
		smp_call_others(smp_spin, NULL);
	}
	test_plan();
	for (;;) {
		if (!strcmp(mode, "halt"))
			cpu_halt();
		else if (!strcmp(mode, "sleep"))
			irq_enable_and_halt();
		else if (!strcmp(mode, "exits"))
			out8(0x80, 0);
		else
			cpu_relax();
	}
}
