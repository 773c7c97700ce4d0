// SPDX-License-Identifier: MIT
/*
 * The guest reports a kernel panic through pvpanic: the VMM's exit status is 34.
 *
 * Parameters: ignored (the VMM goes on).
 */
#include "kit/kit.h"

#define PVPANIC_PORT     0x505
#define PVPANIC_PANICKED 0x01

void test_main(void)
{
	check(in8(PVPANIC_PORT) & PVPANIC_PANICKED, "pvpanic takes panic events");
	if (param_is_set("ignored")) {
		out8(PVPANIC_PORT, PVPANIC_PANICKED);
		delay_us(100000);
		check(true, "a panic is not the end");
		return;
	}
	test_plan();
	out8(PVPANIC_PORT, PVPANIC_PANICKED);
	delay_us(3000000);
	bail_out("still alive after a panic");
}
