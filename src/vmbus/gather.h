// SPDX-License-Identifier: MIT
/*
 * When to interrupt a guest for answers: at once, or after gathering more of them.
 *
 * A host that answers faster than a guest asks never has two answers at a time, however many
 * requests the guest would like to have in flight: each costs a signal, an interrupt, and whatever
 * the guest does around them. So an interrupt may be held back for a moment. If the guest sends
 * more meanwhile it has more to do than to wait, and goes on undisturbed, unheard even (its ring is
 * looked at every moment) until it falls silent, which is when it wants its answers. If it sends
 * nothing, the moment was in vain, and the next ones are tried ever more rarely: a guest that has
 * one request at a time is hardly slower.
 *
 * How long a moment is follows from how fast the guest sends. No clock, no timer, no ring: pure
 * decisions, of the channel's loop.
 */
#pragma once

#include "vmm/base.h"

struct gather {
	uint64_t gap_ns;  /* between packets, on average */
	uint64_t last_ns; /* when there was the last */
	bool holding;
	bool arrived;         /* packets, in this moment */
	bool gained;          /* or in one before, while holding */
	unsigned int moments; /* that the interrupt was held back */
	unsigned int skip;    /* interrupts to come that are not held back */
	unsigned int misses;  /* in a row */
};

void gather_init(struct gather *gather);

/* @count packets were taken from the guest, the last at @now_ns. */
void gather_packets(struct gather *gather, unsigned int count, uint64_t now_ns);

/* An interrupt is due. True: hold it back, and ask gather_over() after a moment. */
bool gather_hold(struct gather *gather);
uint64_t gather_moment_ns(const struct gather *gather);

/* A moment has passed. True: interrupt now; false: hold on for another one. */
bool gather_over(struct gather *gather);
