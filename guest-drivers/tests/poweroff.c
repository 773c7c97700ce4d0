// SPDX-License-Identifier: MIT
/*
 * The guest powers itself off by ACPI S5: the VMM's exit status is 0.
 *
 * Parameters: cpu=N (the CPU that does it, default 0), busy (the others run meanwhile, else they
 * sleep).
 */
#include "kit/kit.h"

static void power_off(void *arg)
{
	(void)arg;
	acpi_power_off();
}

void test_main(void)
{
	unsigned int cpu = (unsigned int)param_u64("cpu", 0);
	uint8_t a = 0, b = 0;

	if (check(acpi_s5_types(&a, &b), "DSDT has \\_S5"))
		note("\\_S5 is {%u, %u}, PM1a control at 0x%x", a, b,
		     acpi_fadt() ? acpi_fadt()->pm1a_control_port : 0);
	if (cpu_count() > 1)
		check(smp_start_all(10000), "all %u CPUs start", cpu_count());
	test_plan();
	if (param_is_set("busy"))
		smp_call_others(smp_spin, NULL);
	smp_call(cpu, power_off, NULL, 3000);
	delay_us(3000000);
	bail_out("still alive after power-off");
}
