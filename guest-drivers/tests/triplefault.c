// SPDX-License-Identifier: MIT
/*
 * A guest that crashes the CPU: the VMM's exit status is 33.
 *
 * Parameters: mode=triple (default: an exception with an empty IDT), mmio (runs code where no
 * memory is, which KVM cannot emulate).
 */
#include "kit/kit.h"

void test_main(void)
{
	char mode[8];

	param_string("mode", "triple", mode, sizeof(mode));
	check(true, "about to crash (%s)", mode);
	test_plan();
	if (!strcmp(mode, "mmio"))
		((void (*)(void))pa_ptr(0xd0000000))();
	else
		triple_fault();
	bail_out("still alive after a crash");
}
