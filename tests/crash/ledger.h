// SPDX-License-Identifier: MIT
/*
 * What a process that may be killed at any moment has written to a disk, in a file of its own that
 * outlives it: for each 4 KiB of the disk, between which generations its contents must be.
 *
 * Each entry changes by single stores, in an order that is right at every moment: before a write is
 * submitted, and after a flush is done.
 */
#pragma once

#include "vmm/base.h"

#define LEDGER_UNIT 4096u

struct ledger_entry {
	_Atomic uint32_t floor; /* flushed: nothing older may be there */
	_Atomic uint32_t top;   /* submitted: nothing newer can be */
	_Atomic uint32_t
		zeroed; /* the newest write of zeroes, or unmap: zero may be there instead */
};

struct ledger {
	uint64_t units;
	_Atomic uint32_t generation; /* the last that was given out */
	_Atomic uint32_t flushes;    /* that were done */
	struct ledger_entry entries[];
};

/* Maps the file; with @units not 0 a new one. NULL, and a line on stderr. */
struct ledger *ledger_map(const char *path, uint64_t units);
/*
 * Holds a unit's 4096 bytes against its entry, and notes what was seen: it stays. False: it is
 * wrong, and a line on stderr says what.
 */
bool ledger_check(struct ledger *ledger, uint64_t unit, const void *contents);
