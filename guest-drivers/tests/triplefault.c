// SPDX-License-Identifier: MIT
/*
 * A guest that crashes the CPU: the VMM's exit status is 33.
 *
 * Parameters: mode=triple (default: an exception with an empty IDT), mmio (runs code where no
 * memory is, which KVM cannot emulate), emulate (an instruction that KVM's emulator does not know,
 * on an address where it is needed because no memory is there).
 */
#include "kit/kit.h"

#define NO_MEMORY  0xd0000000
#define CR4_OSFXSR (1u << 9)

/* 66 0f fe 00. Without OSFXSR it would be an invalid opcode. */
static void add_from_no_memory(void)
{
	write_cr4(read_cr4() | CR4_OSFXSR);
	__asm__ volatile("paddd (%%rax), %%xmm0" : : "a"(pa_ptr(NO_MEMORY)) : "memory");
}

void test_main(void)
{
	char mode[8];

	param_string("mode", "triple", mode, sizeof(mode));
	check(true, "about to crash (%s)", mode);
	test_plan();
	if (!strcmp(mode, "mmio"))
		((void (*)(void))pa_ptr(NO_MEMORY))();
	else if (!strcmp(mode, "emulate"))
		add_from_no_memory();
	else
		triple_fault();
	bail_out("still alive after a crash");
}
