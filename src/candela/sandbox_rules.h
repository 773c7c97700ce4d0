// SPDX-License-Identifier: MIT
/*
 * Which system calls a VM's threads may make, once the VM is set up. Constant data; any thread.
 *
 * sandbox_compile.c turns the table into filters when candela is built; the program itself has only
 * those.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "candela/sandbox_kind.h"

#define SANDBOX_ANY_ARGUMENT (-1)

/*
 * Allows the call @nr, to the kinds of threads in the set @kinds, when (argument & mask) == value.
 * Several rows for one call allow what any of them does.
 */
struct sandbox_rule {
	uint32_t kinds; /* SANDBOX_BIT() */
	int nr;
	int argument; /* or SANDBOX_ANY_ARGUMENT */
	uint64_t mask, value;
};

extern const struct sandbox_rule sandbox_rules[];
extern const size_t sandbox_rule_count;

/* Calls that fail with ENOSYS, as on a kernel that does not have them, rather than end the VM. */
extern const int sandbox_unknown_calls[];
extern const size_t sandbox_unknown_call_count;
