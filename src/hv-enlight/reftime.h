// SPDX-License-Identifier: MIT
/*
 * Reference time (TLFS 12.4, 12.7): 100 ns units since the VM was created, the same on every VP.
 *
 * Both faces of it, the counter MSR and the reference TSC page, are computed from the guest's time
 * stamp counter with the same scale and offset, so they cannot disagree. Where the host's TSC does
 * not carry it (unknown rate, not invariant, or VPs with different offsets) the page says so with
 * sequence 0 and the counter comes from the host's monotonic clock.
 *
 * Set up before the first VP runs and not changed afterwards: any thread may read.
 */
#pragma once

#include "hv-enlight/hv_proto.h"
#include "vmm/base.h"

#define REFTIME_HZ 10000000ull

struct reftime {
	bool by_tsc;
	uint64_t tsc_hz;         /* the guest's; 0: unknown */
	uint64_t scale;          /* 2^64 * REFTIME_HZ / tsc_hz */
	int64_t offset;          /* 100 ns units */
	int64_t guest_tsc_delta; /* guest TSC - host TSC, the same on every VP */
	uint64_t start_ns;       /* CLOCK_MONOTONIC at time 0; when not by_tsc */
};

/*
 * Starts reference time at 0 now. @tsc_hz is 0 when the TSC cannot be used; @guest_tsc_delta as in
 * the struct.
 */
void reftime_init(struct reftime *time, uint64_t tsc_hz, int64_t guest_tsc_delta);

/* Now. */
uint64_t reftime_now(const struct reftime *time);

/* The reference time of a guest TSC value; only when by_tsc. */
uint64_t reftime_of_tsc(const struct reftime *time, uint64_t guest_tsc);

/* The CLOCK_MONOTONIC nanosecond at or just after which reference time @when is reached. */
uint64_t reftime_to_monotonic(const struct reftime *time, uint64_t when);

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t reftime_monotonic(void);

/* What the reference TSC page holds. */
void reftime_page(const struct reftime *time, struct hv_reference_tsc_page *page);
