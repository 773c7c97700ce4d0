// SPDX-License-Identifier: MIT
/*
 * From the entry (start.S) to the test: each part of the kit, in the order in which they need
 * each other.
 */
#include "kit/acpi.h"
#include "kit/apic.h"
#include "kit/page.h"
#include "kit/smp.h"
#include "kit/start_info.h"
#include "kit/test.h"
#include "kit/time.h"

void kit_start(uint64_t start_info_pa);

__attribute__((weak)) void early_main(void)
{
}

void kit_start(uint64_t start_info_pa)
{
	trap_init();
	smp_init_boot_cpu();
	time_init();
	if (!start_info_init(start_info_pa))
		bail_out("no start info at 0x%lx", start_info_pa);
	page_init();
	early_main();
	acpi_init();
	apic_init_cpu();
	test_main();
	test_finish();
}
