// SPDX-License-Identifier: MIT
/* Kinds of threads of a VM's process, by what they may do. */
#pragma once

enum sandbox_kind {
	SANDBOX_VCPU, /* runs a VP, and handles its exits */
	SANDBOX_IO,   /* the loop of a disk controller or of a network interface's queue */
	SANDBOX_MAIN, /* the machine's loop; what it starts for a moment has its filter, too */
	SANDBOX_KINDS
};

#define SANDBOX_BIT(kind) (1u << (kind))
